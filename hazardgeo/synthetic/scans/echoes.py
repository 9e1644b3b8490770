"""Echoes: what a laser scanner records of each pulse: returns in crowns, on the ground, on roofs and water, and noise."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel
from hazardgeo.synthetic.scans.objects import ROD
from hazardgeo.synthetic.scans.rays import MOST_HITS, ground_at, trace

GROUND, SHRUBS, LOW_NOISE, WATER, HIGH_NOISE, SNOW = 2, 3, 7, 9, 18, 21  # ASPRS classes
FLOWN, LAKE = 1, 2  # flags of cells
MOST_RETURNS = 4
DEAD_M = 0.5  # echoes of one pulse closer than this are one echo
RANGE_NOISE_M, OBLIQUE_NOISE_M = 0.02, 0.012  # standard deviation, and what the tangent of the incidence adds
_MOST_TANGENT = 3.0
_LOST = 0.004  # share of pulses that nothing answers
_WIRE_ECHO = 0.75  # chance that a wire or pole in the beam answers
_LOW_SHARE, _HIGH_SHARE, _CLUMP_SHARE = 2e-5, 3e-5, 0.7
GROWTH_STEP_M = 0.02
_GROWTH_DENSITY = 1.4  # chance of a return per metre in grown shrubs, to first order
_RANDOM = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11))


class Cover(NamedTuple):
    """What lies on the cells of the ground, seen from above.

    `cells` (rows, columns, 4): the kind, which is GROUND, WATER, SNOW, or LOW_NOISE where most pulses answer `late_m` too
    late; the reflectance in 1/255; the height of grown shrubs in steps of `GROWTH_STEP_M`; FLOWN where points are kept,
    plus LAKE where a lake of `level_m` touches the cell.
    """

    cells: NDArray[np.uint8]
    late_m: float
    level_m: float


class Points(NamedTuple):
    """What the kernel fills, one row for each return.

    `values`: east, north, height, scan angle in degrees, time in s, intensity. `codes`: class, number of the return, number
    of returns.
    """

    values: NDArray[np.float64]
    codes: NDArray[np.uint8]


def empty(count: int) -> Points:
    """Room for so many points."""
    return Points(np.empty((count, 6)), np.empty((count, 3), np.uint8))


@kernel
def state_of(seed, pulse):  # type: ignore[no-untyped-def]
    """The random state of one pulse: splitmix64 (Steele, Lea & Flood 2014, doi:10.1145/2714064.2660195) of its number."""
    return mixed(np.uint64(seed) + np.uint64(pulse) * _RANDOM)


@kernel
def mixed(x):  # type: ignore[no-untyped-def]
    """The last step of splitmix64: 64 bits well stirred."""
    x = (x ^ (x >> _SHIFTS[0])) * _MIX[0]
    x = (x ^ (x >> _SHIFTS[1])) * _MIX[1]
    return x ^ (x >> _SHIFTS[2])


@kernel
def uniform(state, draw):  # type: ignore[no-untyped-def]
    """A number in [0, 1) that depends on the state and the number of the draw alone."""
    return float(mixed(state + np.uint64(draw) * _RANDOM) >> _SHIFTS[3]) * 1.1102230246251565e-16


@kernel
def normal(state, draw):  # type: ignore[no-untyped-def]
    """A standard normal number; uses up two draws (Box and Muller 1958)."""
    return math.sqrt(-2.0 * math.log(1.0 - uniform(state, draw))) * math.cos(2 * math.pi * uniform(state, draw + 1))


@kernel
def flown_over(strip, first, last, field, objects, cover, seed, points):  # type: ignore[no-untyped-def]
    """Fills `points` with the returns of scan lines `first` to `last`; how many there are."""
    soft, echo = np.empty((MOST_HITS, 3)), np.empty((MOST_HITS, 5))
    filled, pulses = 0, strip.sine.shape[1]
    cells, values, codes, shapes, top = cover.cells, points.values, points.codes, objects.shapes, objects.top
    start, listed = objects.start, objects.listed
    corner = (field.west, field.north, field.cell_m, field.lowest_m)
    for line in range(first, last):
        right, down, odd = strip.right[line], strip.down[line], line % 2
        place, shift = strip.origin[line], strip.origin[line + 1] - strip.origin[line]
        for shot in range(pulses):
            part = (shot + 0.5) / pulses
            ox, oy, oz = place[0] + part * shift[0], place[1] + part * shift[1], place[2] + part * shift[2]
            sine, cosine = strip.sine[odd, shot], strip.cosine[odd, shot]
            dx, dy = sine * right[0] + cosine * down[0], sine * right[1] + cosine * down[1]
            dz = sine * right[2] + cosine * down[2]
            pulse = line * pulses + shot
            state = state_of(seed, strip.first_pulse + pulse)
            met = trace(field, shapes, start, listed, top, objects.ceiling_m, (ox, oy, oz), (dx, dy, dz), soft)
            if met[1] == -2 or uniform(state, 0) < _LOST:
                continue
            ray = (ox, oy, oz, dx, dy, dz)
            kept = answered(ray, met, field, shapes, cells, (cover.late_m, cover.level_m), state, soft, echo)
            kept = strayed(echo, kept, dz, state)
            tag = (strip.lift_m, strip.angle_deg[odd, shot] - strip.roll_deg[line], strip.start_s + strip.step_s * pulse)
            filled = recorded(ray, tag, echo, kept, cells, corner, state, values, codes, filled)
    return filled


@kernel
def answered(ray, met, field, shapes, cells, water, state, soft, echo):  # type: ignore[no-untyped-def]
    """The echoes of a pulse in rows of `echo`: distance, class, brightness, tangent of the incidence; how many there are.

    A fifth column is the share of the pulse that a soft echo takes. `water` are how much too late some places answer and the
    level of the lake, in m.
    """
    ox, oy, _, dx, dy, dz = ray
    solid, box, slant, count = met
    lake = _on_lake(field, cells, water[1], ray, solid)
    if lake < solid:
        solid, box = lake, -1
    x, y = ox + solid * dx, oy + solid * dy
    if box < 0:
        _, east, north = ground_at(field.height_m, (field.west, field.north, field.cell_m), x, y)
        slant = (-dz + east * dx + north * dy) / math.sqrt(1 + east * east + north * north)
    found = _in_crowns(shapes, count, solid, state, soft, echo) if count > 0 else 0
    row = min(max(int((field.north - y) / field.cell_m), 0), cells.shape[0] - 1)
    col = min(max(int((x - field.west) / field.cell_m), 0), cells.shape[1] - 1)
    if box < 0 and cells[row, col, 2] > 0:
        tall = cells[row, col, 2] * GROWTH_STEP_M / -dz
        deep = -math.log(1.0 - uniform(state, 3)) / _GROWTH_DENSITY
        if deep < tall and found < MOST_HITS:
            echo[found, 0], echo[found, 1], echo[found, 2], echo[found, 3] = solid - tall + deep, SHRUBS, 0.3, 0.5
            echo[found, 4] = 0.4
            found += 1
    kept, left = _resolved(echo, found, solid, state) if found > 0 else (0, 1.0)
    if kept == MOST_RETURNS or left < 0.15 or (kept > 0 and solid - echo[kept - 1, 0] < DEAD_M):
        return kept
    if box >= 0:
        kind, bright = shapes[box, 9], shapes[box, 10]
    else:
        code = WATER if lake == solid else cells[row, col, 0]
        kind, bright, delay = _shone(code, cells[row, col, 1] / 255.0, water[0], dz, state)
        solid += delay
    if bright <= 0:
        return kept
    echo[kept, 0], echo[kept, 1], echo[kept, 2] = solid, kind, bright * left
    echo[kept, 3] = min(math.sqrt(max(1 - slant * slant, 0.0)) / max(slant, 0.05), _MOST_TANGENT)
    return kept + 1


@kernel
def _shone(code, bright, late, dz, state):  # type: ignore[no-untyped-def]
    """True class and brightness of an answer of the ground, and how much too late it comes, in m; 0 is no answer."""
    if code == LOW_NOISE:
        if uniform(state, 6) < _CLUMP_SHARE:
            return float(LOW_NOISE), 0.04, -(late + 0.25 * normal(state, 7)) / dz
        return float(GROUND), bright, 0.0
    if code == WATER:
        off = math.acos(min(-dz, 1.0))
        if uniform(state, 4) > 0.04 + 0.45 * math.exp(-((off / 0.14) ** 2)):
            return float(WATER), 0.0, 0.0
        return float(WATER), 0.04 + 1.5 * math.exp(-((off / 0.05) ** 2)) * uniform(state, 5), 0.0
    return float(code), bright, 0.0


@kernel
def _on_lake(field, cells, level, ray, solid):  # type: ignore[no-untyped-def]
    """Distance at which a ray meets the lake, if it does so before anything solid, or infinity."""
    ox, oy, oz, dx, dy, dz = ray
    if oz + solid * dz >= level:
        return math.inf
    t = (level - oz) / dz
    row, col = int((field.north - oy - t * dy) / field.cell_m), int((ox + t * dx - field.west) / field.cell_m)
    if not (0 <= row < cells.shape[0] and 0 <= col < cells.shape[1]):
        return math.inf
    return t if cells[row, col, 3] & LAKE else math.inf


@kernel
def _in_crowns(shapes, count, solid, state, soft, echo):  # type: ignore[no-untyped-def]
    """Places in crowns and on wires that could answer, in no order."""
    found = 0
    for hit in range(count):
        k = int(soft[hit, 0])
        if soft[hit, 1] >= solid or found == len(echo):
            continue
        if shapes[k, 11] == ROD:
            if uniform(state, 20 + hit) < _WIRE_ECHO:
                echo[found, 0], echo[found, 1], echo[found, 2], echo[found, 3] = soft[hit, 1], shapes[k, 7], shapes[k, 8], 0.0
                echo[found, 4] = 0.3
                found += 1
            continue
        crown = shapes[k]
        at = soft[hit, 1]
        for layer in range(3):
            at -= math.log(1.0 - uniform(state, 50 + 3 * hit + layer)) / crown[5]
            if at >= min(soft[hit, 2], solid) or found == len(echo):
                break
            echo[found, 0], echo[found, 1], echo[found, 2], echo[found, 3] = at, crown[7], crown[8], 0.5
            echo[found, 4] = crown[6]
            found += 1
            at += DEAD_M
    return found


@kernel
def _resolved(echo, found, solid, state):  # type: ignore[no-untyped-def]
    """Sorts the soft echoes, drops those too close to the one before and all once the pulse is spent.

    How many are left, and the share of the pulse that goes on.
    """
    for i in range(1, found):
        for j in range(i, 0, -1):
            if echo[j, 0] >= echo[j - 1, 0]:
                break
            for c in range(5):
                echo[j, c], echo[j - 1, c] = echo[j - 1, c], echo[j, c]
    kept, left, last = 0, 1.0, -math.inf
    for i in range(found):
        if left < 0.15 or kept == MOST_RETURNS:
            break
        if echo[i, 0] - last < DEAD_M or echo[i, 0] >= solid:
            continue
        last = echo[i, 0]
        share = echo[i, 4] * (0.6 + 0.8 * uniform(state, 110 + i))
        for c in range(5):
            echo[kept, c] = echo[i, c]
        echo[kept, 2] *= left * share
        kept += 1
        left *= 1.0 - share
    return kept, left


@kernel
def strayed(echo, kept, dz, state):  # type: ignore[no-untyped-def]
    """Turns a few pulses into noise: an answer high in the air, or one that came too late; how many echoes there are then."""
    draw = uniform(state, 140)
    if draw >= _HIGH_SHARE + _LOW_SHARE or kept == 0:
        return kept
    last = kept - 1
    if draw < _HIGH_SHARE:
        echo[0, 0], echo[0, 1] = echo[last, 0] + (12.0 + 70.0 * uniform(state, 141) ** 2) / dz, HIGH_NOISE
        echo[0, 2], echo[0, 3] = 0.03, 0.0
        return 1
    if echo[last, 1] == GROUND:
        echo[last, 0], echo[last, 1] = echo[last, 0] - (1.0 + 11.0 * uniform(state, 141)) / dz, LOW_NOISE
        echo[last, 2] = 0.04
    return kept


@kernel
def recorded(ray, tag, echo, kept, cells, corner, state, values, codes, filled):  # type: ignore[no-untyped-def]
    """Writes the echoes of one pulse, with noise along the ray, that lie where points are kept; how many are filled then.

    `tag` are the strip's height error, the scan angle and the time; `corner` the north-west corner, the size of cells and
    the height of the lowest ground.
    """
    ox, oy, oz, dx, dy, dz = ray
    west, north, cell, lowest = corner
    first = filled
    for k in range(kept):
        t = echo[k, 0] + (RANGE_NOISE_M + OBLIQUE_NOISE_M * echo[k, 3]) * normal(state, 160 + 2 * k)
        x, y = ox + t * dx, oy + t * dy
        row, col = math.floor((north - y) / cell), math.floor((x - west) / cell)
        if not (0 <= row < cells.shape[0] and 0 <= col < cells.shape[1]) or cells[row, col, 3] & FLOWN == 0:
            continue
        power = 5200.0 * echo[k, 2] * (oz - lowest) / t / math.sqrt(1 + echo[k, 3] ** 2)
        power *= 1.0 + 0.4 * (uniform(state, 180 + 2 * k) + uniform(state, 181 + 2 * k) - 1.0)
        values[filled, 0], values[filled, 1], values[filled, 2] = x, y, oz + t * dz + tag[0]
        values[filled, 3], values[filled, 4] = tag[1], tag[2]
        values[filled, 5] = math.floor(min(max(power, 1.0), 65535.0))
        codes[filled, 0], codes[filled, 1] = int(echo[k, 1]), filled - first + 1
        filled += 1
    for k in range(first, filled):
        codes[k, 2] = filled - first
    return filled
