"""Scan: what airborne lasers saw of the valley before and after the earthquake, and the true class of every point."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.kernel import in_bands
from hazardgeo.raster import Raster
from hazardgeo.synthetic.layout import HEIGHT, Layout
from hazardgeo.synthetic.noise import fractal
from hazardgeo.synthetic.scans import echoes, flight
from hazardgeo.synthetic.scans.objects import Objects
from hazardgeo.synthetic.scans.rays import surface
from hazardgeo.synthetic.scans.registration import Registration

_PART_PULSES = 500_000
_GPS_START = datetime(1980, 1, 6, tzinfo=UTC)
_LEAP_S, _ADJUSTED_S = 18.0, 1e9  # LAS counts GPS time less a thousand million seconds

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class View:
    """What there was to see in one epoch, and how it was flown.

    `ground` is what a pulse meets where nothing stands on it (with snow, or the level of water), in m. The flight has its
    own `seed`; `registration` moves its points, where it has one. `taken` is the time of its start.
    """

    epoch: str
    ground: Raster
    cover: echoes.Cover
    objects: Objects
    taken: datetime
    seed: int
    registration: Registration | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """The points of one flight, in the order of time, and the true class of each."""

    cloud: PointCloud
    kinds: NDArray[np.uint8]


def surveyed(plan: Layout, rng: np.random.Generator) -> Mask:
    """Where the survey after the earthquake flew: not over a strip at the southern edge, nor a patch in the east of the floor."""
    grid, size = plan.grid, plan.size_m
    ragged = fractal(rng, grid, wavelength_m=0.08 * size, octaves=3)
    east, north = np.meshgrid(*grid.centres(), sparse=True)
    strip = north - grid.bounds[1] < size * (0.04 + 0.006 * ragged)
    patch_east, patch_north = plan.place(0.93, 0.55 * plan.floor_m)
    patch = np.hypot(east - patch_east, north - patch_north) < size * (0.05 + 0.005 * ragged)
    return np.asarray(~strip & ~patch)


def late(plan: Layout, flown: Mask, rng: np.random.Generator) -> Mask:
    """Cells that answer too late, as pools and pits do by multipath: a few discs of 1.2 to 3 m radius."""
    count = 4 if plan.size_m < 2000 else 14
    row, col = np.divmod(rng.choice(np.flatnonzero(flown), size=count), flown.shape[1])
    found = np.zeros(flown.shape, bool)
    reach = math.ceil(3.0 / plan.cell_m)
    for r, c, radius in zip(row, col, rng.uniform(1.2, 3.0, count) / plan.cell_m, strict=True):
        rows, cols = slice(max(r - reach, 0), r + reach + 1), slice(max(c - reach, 0), c + reach + 1)
        y, x = np.ogrid[rows, cols]
        y, x = y[: flown.shape[0] - rows.start], x[:, : flown.shape[1] - cols.start]
        found[rows, cols] |= np.hypot(y - r, x - c) <= radius
    return found


def flown(plan: Layout, view: View) -> Survey:
    """The scan of one epoch: up to four returns a pulse, `classification` 0 everywhere, and the true classes beside it.

    The same view gives the same points; each pulse draws from its own number, so parts do not depend on each other.
    """
    parts = _cast(plan, view)
    attributes: dict[str, NDArray[np.generic]] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("intensity", "return_number", "number_of_returns", "scan_angle_deg", "point_source_id", "gps_time")
    }
    kinds = np.concatenate([part.kind for part in parts])
    attributes["classification"] = np.zeros(len(kinds), np.uint8)
    return Survey(PointCloud(np.concatenate([part.xyz for part in parts]), view.ground.grid.crs, attributes, HEIGHT), kinds)


class _Part(NamedTuple):
    """Points of half a million pulses or so, as LAS has them, and their true classes."""

    xyz: Field
    kind: NDArray[np.uint8]
    intensity: NDArray[np.uint16]
    return_number: NDArray[np.uint8]
    number_of_returns: NDArray[np.uint8]
    scan_angle_deg: NDArray[np.float32]
    point_source_id: NDArray[np.uint16]
    gps_time: Field


def _cast(plan: Layout, view: View) -> list[_Part]:
    rng = np.random.default_rng(view.seed)
    device = flight.instrument(plan, swinging=view.registration is None)
    start_s = (view.taken - _GPS_START).total_seconds() + _LEAP_S - _ADJUSTED_S
    legs = flight.strips(plan, view.ground, device, start_s, rng)
    field = surface(view.ground)
    seed = int(rng.integers(2**62))
    jobs = [(strip, first, last) for strip in legs for first, last in _runs(strip)]

    def cast(job: int, _: int) -> _Part | None:
        strip, first, last = jobs[job]
        room = echoes.empty((last - first) * strip.sine.shape[1] * echoes.MOST_RETURNS)
        filled = echoes.flown_over(strip, first, last, field, view.objects, view.cover, seed, room)
        return _part(room, filled, strip.number, view.registration) if filled else None

    return [part for part in in_bands(cast, len(jobs), band_rows=1) if part is not None]


def _runs(strip: flight.Strip) -> Iterator[tuple[int, int]]:
    """The scan lines of a strip in runs of half a million pulses or so, from the first to before the last."""
    step = max(_PART_PULSES // strip.sine.shape[1], 1)
    for first in range(0, strip.scan_lines, step):
        yield first, min(first + step, strip.scan_lines)


def _part(room: echoes.Points, filled: int, number: int, moved: Registration | None) -> _Part:
    values, codes = room.values[:filled], room.codes[:filled]
    xyz = values[:, :3] if moved is None else moved.applied(values[:, :3])
    return _Part(
        xyz.round(3),
        codes[:, 0].copy(),
        values[:, 5].astype(np.uint16),
        codes[:, 1].copy(),
        codes[:, 2].copy(),
        values[:, 3].astype(np.float32),
        np.full(filled, number, np.uint16),
        values[:, 4].copy(),
    )
