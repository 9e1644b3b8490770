"""Which points of a scan lie on the ground."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InputError
from hazardgeo.scan.points import (
    GROUND,
    LOW_NOISE,
    NOT_GROUND,
    bilinear,
    cell_values,
    counted,
    grid_of,
    require_usable,
)
from hazardgeo.scan.voids import Surface, span
from hazardgeo.terrain.window import disk_chords, disk_minimum

MIN_POINTS = 10
_LOW_SLOPE = 5.0  # m/m: how far a cell may lie below its neighbours before its lowest point is taken for noise


def classify_ground(
    cloud: PointCloud,
    *,
    cell_m: float = 1.0,
    slope: float = 0.15,
    window_m: float = 18.0,
    threshold_m: float = 0.5,
    scalar: float = 1.25,
) -> PointCloud:
    """The cloud with `classification`: 2 ground, 1 not ground, 7 low noise, 0 withheld.

    Simple morphological filter (SMRF): the lowest points per cell are opened with growing disks up to radius
    `window_m`; cells that stand out by more than `slope` (m/m) times the radius hold objects; the surface of the other
    cells is the provisional ground, and points within `threshold_m` + `scalar` x its slope are ground. Pingel, Clarke &
    McBride (2013), doi 10.1016/j.isprsjprs.2012.12.002; voids are spanned by a membrane, and the code was checked on
    labelled scans, not against the authors' program. `window_m` must exceed half the width of the largest building. The
    defaults are one set for all terrain: a mean total error of 3.8 % over eight samples of the ISPRS filter test (0.16 to
    1 point per m2, towns and steep country).

    Withheld points get class 0, and points that come as noise (7 or 18) keep their class; neither counts. All other
    classes are replaced. Points of a single cell that lie more than five cells' width below the ground around it are low
    noise; broader groups of low points are not found. Terrace edges, quarry edges and cliffs may be taken for objects,
    and low plants within the threshold for ground. Cells are anchored at multiples of `cell_m`.

    Raises CrsError unless the cloud is metric, and InputError for fewer than 10 usable points, coordinates that are not
    finite, stray points far outside the survey, and parameters that are not positive (`scalar` may be zero).
    """
    _require_parameters(cell_m=cell_m, slope=slope, window_m=window_m, threshold_m=threshold_m, scalar=scalar)
    require_usable(cloud, "classify_ground")
    counts = counted(cloud)
    if counts.sum() < MIN_POINTS:
        raise InputError(
            f"classify_ground needs at least {MIN_POINTS} points that are not withheld or noise, not {counts.sum()}."
        )
    used = cloud if counts.all() else cloud.select(counts)
    codes = _kept_codes(cloud)
    codes[counts] = _classify(used, cell_m, slope, window_m, (threshold_m, scalar))
    return cloud.with_attribute("classification", codes)


def _require_parameters(*, scalar: float, **positive: float) -> None:
    for name, value in positive.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} of classify_ground must be a positive number, not {value}.")
    if not (math.isfinite(scalar) and scalar >= 0):
        raise InputError(f"scalar of classify_ground must be zero or a positive number, not {scalar}.")
    if positive["window_m"] < positive["cell_m"]:
        raise InputError(f"window_m ({positive['window_m']:g}) is smaller than a cell ({positive['cell_m']:g}); enlarge it.")


def _kept_codes(cloud: PointCloud) -> NDArray[np.uint8]:
    """The codes of points that do not count: their own where they come as noise, 0 where they are withheld."""
    if "classification" not in cloud.attributes:
        return np.zeros(len(cloud), np.uint8)
    codes = np.asarray(cloud.attributes["classification"]).astype(np.uint8)
    if "withheld" in cloud.attributes:
        codes[np.asarray(cloud.attributes["withheld"]).astype(bool)] = 0
    return codes


def _classify(
    cloud: PointCloud, cell_m: float, slope: float, window_m: float, tolerance: tuple[float, float]
) -> NDArray[np.uint8]:
    grid = grid_of(cloud, cell_m)
    lowest = cell_values(cloud.xyz, grid, "lowest")
    ground, noise = provisional_ground(lowest, cell_m, slope, window_m)
    steepness = _steepness(ground, cell_m)
    west, _, _, north = grid.bounds
    place = (west, north, cell_m)
    above = cloud.xyz[:, 2] - bilinear(ground, cloud.xyz, place)
    allowed = tolerance[0] + tolerance[1] * bilinear(steepness, cloud.xyz, place)
    codes = np.where(np.abs(above) <= allowed, GROUND, NOT_GROUND).astype(np.uint8)
    codes[(above < -allowed - _LOW_SLOPE * cell_m) & _in_cells(noise, cloud.xyz, place)] = LOW_NOISE
    return codes


def _steepness(ground: Surface, cell_m: float) -> Surface:
    """Gradient in m/m by central differences, one-sided at the border; zero along a single row or column."""
    parts = [np.gradient(ground, cell_m, axis=a) for a in (0, 1) if ground.shape[a] > 1]
    return np.asarray(np.sqrt(sum((part**2 for part in parts), np.zeros_like(ground))))


def _in_cells(mask: NDArray[np.bool_], xyz: NDArray[np.float64], place: tuple[float, float, float]) -> NDArray[np.bool_]:
    west, north, cell = place
    row = np.clip(((north - xyz[:, 1]) / cell).astype(np.int64), 0, mask.shape[0] - 1)
    col = np.clip(((xyz[:, 0] - west) / cell).astype(np.int64), 0, mask.shape[1] - 1)
    return np.asarray(mask[row, col])


def provisional_ground(lowest: Surface, cell_m: float, slope: float, window_m: float) -> tuple[Surface, NDArray[np.bool_]]:
    """The surface without objects and low outliers, and the cells whose lowest point is an outlier below."""
    empty = np.isnan(lowest)
    filled = span(lowest)
    noise = stands_out(-filled, cell_m, _LOW_SLOPE, cell_m)
    cleaned = np.where(noise, np.nan, filled)
    if np.isnan(cleaned).all():
        return filled, np.zeros_like(noise)
    cleaned = span(cleaned)
    objects = stands_out(cleaned, cell_m, slope, window_m)
    bare = np.where(objects | empty | noise, np.nan, cleaned)
    if np.isnan(bare).all():
        bare = np.where(objects, np.nan, cleaned)
    return span(bare), noise & ~empty


def stands_out(z: Surface, cell_m: float, slope: float, window_m: float) -> NDArray[np.bool_]:
    """Cells that an opening with a growing disk lowers by more than `slope` times its radius, up to `window_m`."""
    found = np.zeros(z.shape, bool)
    before = (z - z.mean()).astype(np.float32)
    for radius in range(1, math.ceil(window_m / cell_m - 1e-9) + 1):
        chords = disk_chords(radius, (1.0, 1.0))
        after = -disk_minimum(-disk_minimum(before, chords), chords)
        found |= before - after > slope * cell_m * radius
        before = after
    return found
