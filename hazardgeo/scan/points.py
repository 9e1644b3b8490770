"""Points that count, and what they say per cell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.scan.gridding import EVERY, Place, extent, gridded
from hazardgeo.tiles.points import grid_over, place_of

GROUND, NOT_GROUND, LOW_NOISE, HIGH_NOISE = 2, 1, 7, 18
_NOISE = (LOW_NOISE, HIGH_NOISE)
_COUNTS = ~np.isin(np.arange(256), _NOISE)
_MAX_CELLS_PER_POINT = 100
_ALWAYS_FINE_CELLS = 20_000_000
BAND_POINTS = 1 << 18  # that a thread works on at a time


def require_usable(cloud: PointCloud, what: str) -> None:
    """Raise InputError for a cloud without points or with coordinates that are not finite; CrsError unless metric."""
    cloud.require_metric(what)
    if not len(cloud):
        raise InputError(f"{what} needs points, but the cloud has none; check the file and the filter.")
    broken = extent(cloud.xyz)[1]
    if broken:
        raise InputError(
            f"{broken:,} of {len(cloud):,} points have coordinates that are not finite; "
            "drop them with cloud.select(np.isfinite(cloud.xyz).all(axis=1))."
        )


def counted(cloud: PointCloud) -> NDArray[np.bool_]:
    """True for points that are neither withheld nor classified as noise (ASPRS 7 or 18)."""
    counts = np.ones(len(cloud), bool)
    if "withheld" in cloud.attributes:
        counts &= ~np.asarray(cloud.attributes["withheld"]).astype(bool)
    if "classification" in cloud.attributes:
        codes = np.asarray(cloud.attributes["classification"])
        counts &= _COUNTS[codes] if codes.dtype == np.uint8 else ~np.isin(codes, _NOISE)
    return counts


def grid_of(cloud: PointCloud, cell_m: float) -> Grid:
    """The grid of cells of `cell_m` over the cloud; InputError where stray points would make it mostly empty."""
    if not (math.isfinite(cell_m) and cell_m > 0):
        raise InputError(f"the cell size must be a positive number, not {cell_m}.")
    grid = grid_over(extent(cloud.xyz)[0], cell_m, cloud.crs)
    require_dense(grid, len(cloud))
    return grid


def require_dense(grid: Grid, points: int) -> None:
    """Raise InputError where so few points lie scattered over the cells of a grid."""
    if grid.shape[0] * grid.shape[1] > max(_ALWAYS_FINE_CELLS, _MAX_CELLS_PER_POINT * points):
        raise InputError(
            f"{points:,} points lie scattered over {grid.shape[0]:,} x {grid.shape[1]:,} cells of {grid.cell[0]:g} m; "
            "drop stray points far from the survey, or choose a larger cell_m."
        )


def cell_values(xyz: NDArray[np.float64], grid: Grid, how: str, counts: NDArray[np.bool_] = EVERY) -> NDArray[np.float64]:
    """The "lowest", "highest" or "mean" elevation of the points in each cell, NaN in cells without a point.

    Points that do not count are left out; all others must lie in cells of the grid.
    """
    return gridded(xyz, xyz[:, 2], grid, how, counts)


def between_centres(values: NDArray[Any], grid: Grid, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """`values` between cell centres, at each point; beyond the outermost centres the value of the border is held."""
    place, out = place_of(grid), np.empty(len(xyz))
    full = np.asarray(values, np.float64)
    in_bands(lambda first, last: _between_centres(full, xyz, place, out, first, last), len(xyz), band_rows=BAND_POINTS)
    return out


@kernel
def _between_centres(
    values: NDArray[np.float64], xyz: NDArray[np.float64], place: Place, out: NDArray[np.float64], first: int, last: int
) -> None:
    for k in range(first, last):
        i, j, south, east = centre_before(xyz[k, 0], xyz[k, 1], place, values.shape)
        out[k] = between(values, i, j, south, east)


@kernel
def centre_before(x: float, y: float, place: Place, shape: tuple[int, int]) -> tuple[int, int, float, float]:
    """The cell whose centre lies north-west of a point, and how far south and east of it the point lies, in cells."""
    cell, first, shift = place
    south = min(max(-y / cell[1] - shift[0] - first[0] - 0.5, 0.0), shape[0] - 1.0)
    east = min(max(x / cell[0] - shift[1] - first[1] - 0.5, 0.0), shape[1] - 1.0)
    i, j = min(int(south), max(shape[0] - 2, 0)), min(int(east), max(shape[1] - 2, 0))
    return i, j, south - i, east - j


@kernel
def between(values: NDArray[np.float64], i: int, j: int, south: float, east: float) -> float:
    """The value at so many cells south and east of the centre of a cell, bilinear."""
    below, right = min(i + 1, values.shape[0] - 1), min(j + 1, values.shape[1] - 1)
    upper = values[i, j] + east * (values[i, right] - values[i, j])
    lower = values[below, j] + east * (values[below, right] - values[below, j])
    return float(upper + south * (lower - upper))
