"""Flight: the strips of an airborne laser scan, with the places and attitudes of the scanner at every scan line."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hazardgeo.raster import Raster
from hazardgeo.synthetic.layout import Layout

Field = NDArray[np.float64]
HALF_ANGLE_DEG = 30.0
_OVERLAP = 0.88  # distance of strips as a share of their width over the highest ground
_LIFT_M = 0.012  # standard deviation of the height of a strip beside the others: satellite positions and boresight


class Strip(NamedTuple):
    """One flight line: for each scan line the scanner's place and the directions to its right and down.

    `sine` and `cosine` are those of the mirror's angle (`angle_deg`) at each pulse of a scan line, in the first row for even
    scan lines.
    """

    number: int
    origin: Field
    right: Field
    down: Field
    roll_deg: Field
    sine: Field
    cosine: Field
    angle_deg: Field
    start_s: float
    step_s: float
    lift_m: float
    first_pulse: int

    @property
    def scan_lines(self) -> int:
        return len(self.right)


class Instrument(NamedTuple):
    """Flying height over the valley floor in m, speed in m/s, cross lines, and whether the mirror swings or turns."""

    height_m: float
    speed_m_s: float
    cross_lines: int
    swinging: bool


def instrument(plan: Layout, *, swinging: bool) -> Instrument:
    """A drone for the small valley, an aeroplane for the full one."""
    return Instrument(250.0, 12.0, 1, swinging) if plan.size_m < 2000 else Instrument(900.0, 62.0, 2, swinging)


def strips(plan: Layout, ground: Raster, device: Instrument, start_s: float, rng: np.random.Generator) -> list[Strip]:
    """Parallel strips about east-west, flown to and fro, then cross lines; together about `plan.scan_per_m2` pulses a m2."""
    low, mean, high = (float(v) for v in (*np.percentile(ground.values[::8, ::8], (2, 50)), ground.values.max()))
    level = low + device.height_m
    spacing = _OVERLAP * 2 * math.tan(math.radians(HALF_ANGLE_DEG)) * (level - high)
    legs = _legs(plan, spacing, device, rng)
    over = level - mean
    inside = [_share_inside(plan, leg, over) * math.dist(*leg) for leg in legs]
    per_m = plan.scan_per_m2 * plan.size_m**2 / sum(inside)
    pulses = round(math.sqrt(per_m * over * 2 * math.radians(HALF_ANGLE_DEG)))
    mirror = _mirror(pulses, swinging=device.swinging)
    found, clock, first = [], start_s, 0
    for number, leg in enumerate(legs, start=1):
        count = round(math.dist(*leg) * per_m / pulses)
        track = _flown(leg, level + rng.normal(0, 2.0), count, rng)
        step = math.dist(*leg) / device.speed_m_s / (count * pulses)
        lift = float(rng.normal(0, _LIFT_M))
        found.append(Strip(number, *track, np.sin(mirror), np.cos(mirror), np.degrees(mirror), clock, step, lift, first))
        clock += math.dist(*leg) / device.speed_m_s + float(rng.uniform(60, 100))
        first += count * pulses
    return found


Leg = tuple[tuple[float, float], tuple[float, float]]


def _legs(plan: Layout, spacing_m: float, device: Instrument, rng: np.random.Generator) -> list[Leg]:
    """Start and end of every flight line."""
    turn = math.radians(rng.uniform(-6.0, 6.0))
    west, south, east, north = plan.grid.bounds
    middle = np.array([(west + east) / 2, (south + north) / 2])
    along, aside = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
    half = plan.size_m / 2 * (math.cos(turn) + abs(math.sin(turn)))
    count = math.ceil(2 * half / spacing_m) + 1
    offsets = (np.arange(count) - (count - 1) / 2 + rng.uniform(-0.45, 0.45)) * spacing_m
    legs = [
        (middle + o * aside - half * along, middle + o * aside + half * along) for o in offsets if abs(o) < half + spacing_m / 2
    ]
    crossings = np.linspace(-0.28, 0.28, device.cross_lines) if device.cross_lines > 1 else [0.0]
    for share in crossings:
        at = (share + rng.uniform(-0.08, 0.08)) * plan.size_m
        legs.append((middle + at * along - half * aside, middle + at * along + half * aside))
    ends = [(a, b) if number % 2 == 0 else (b, a) for number, (a, b) in enumerate(legs)]
    return [((float(a[0]), float(a[1])), (float(b[0]), float(b[1]))) for a, b in ends]


def _share_inside(plan: Layout, leg: Leg, over_m: float) -> float:
    """Share of the pulses of a flight line that fall into the valley, were it level."""
    start, stop = (np.array(end) for end in leg)
    right = np.array([stop[1] - start[1], start[0] - stop[0]]) / math.dist(*leg)
    reach = over_m * np.tan(np.radians(np.linspace(-HALF_ANGLE_DEG, HALF_ANGLE_DEG, 61)))
    share = np.linspace(0, 1, 101)
    x = start[0] + share[:, None] * (stop - start)[0] + reach * right[0]
    y = start[1] + share[:, None] * (stop - start)[1] + reach * right[1]
    west, south, east, north = plan.grid.bounds
    return float(((x > west) & (x < east) & (y > south) & (y < north)).mean())


def _mirror(pulses: int, *, swinging: bool) -> Field:
    """Angle of the mirror at each pulse of an even and of an odd scan line, in radians.

    A turning mirror sweeps evenly from left to right; a swinging one comes back and slows down at its ends.
    """
    half = math.radians(HALF_ANGLE_DEG)
    share = (np.arange(pulses) + 0.5) / pulses
    if not swinging:
        return half * np.vstack([2 * share - 1, 2 * share - 1])
    sharp = 0.93
    swing = half * np.arcsin(sharp * np.sin(math.pi * (share - 0.5))) / math.asin(sharp)
    return np.vstack([swing, swing[::-1]])


def _flown(leg: Leg, level_m: float, count: int, rng: np.random.Generator) -> tuple[Field, Field, Field, Field]:
    """Places at the start of each scan line and of the one after the last, directions right and down, and roll in degrees.

    Roll, pitch and yaw sway by one to two degrees, height and track by a metre or two.
    """
    start, stop = (np.array(end) for end in leg)
    distance = np.linspace(0.0, math.dist(*leg), count + 1)
    ahead = (stop - start) / math.dist(*leg)
    side = np.array([ahead[1], -ahead[0]])
    sway = [_sway(distance, size, rng) for size in (1.5, 1.5, 1.3, 0.8, 1.5)]
    origin = np.empty((count + 1, 3))
    origin[:, :2] = start + distance[:, None] * ahead + sway[0][:, None] * side
    origin[:, 2] = level_m + sway[1]
    roll, pitch, yaw = (np.radians(angle[:-1]) for angle in sway[2:])
    forward = np.cos(yaw)[:, None] * ahead + np.sin(yaw)[:, None] * side
    aside = np.cos(yaw)[:, None] * side - np.sin(yaw)[:, None] * ahead
    nose = np.column_stack([np.cos(pitch)[:, None] * forward, np.sin(pitch)])
    belly = np.column_stack([np.sin(pitch)[:, None] * forward, -np.cos(pitch)])
    flat = np.column_stack([aside, np.zeros(count)])
    right = np.cos(roll)[:, None] * flat + np.sin(roll)[:, None] * belly
    down = np.cos(roll)[:, None] * belly - np.sin(roll)[:, None] * flat
    assert np.allclose(np.abs(np.einsum("ij,ij->i", np.cross(right, down), nose)), 1.0)
    return origin, right, down, sway[2][:-1]


def _sway(distance_m: Field, size: float, rng: np.random.Generator) -> Field:
    """A slow wave with a quicker one on it, of standard deviation about `size` / 2."""
    lengths, phases = rng.uniform((700.0, 160.0), (1300.0, 320.0)), rng.uniform(0, 2 * math.pi, 2)
    waves = [w * np.sin(2 * math.pi * distance_m / n + p) for w, n, p in zip((0.6, 0.3), lengths, phases, strict=True)]
    return np.asarray(size * sum(waves))
