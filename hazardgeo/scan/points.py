"""Points that count, and what they say per cell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel

GROUND, NOT_GROUND, LOW_NOISE, HIGH_NOISE = 2, 1, 7, 18
_NOISE = (LOW_NOISE, HIGH_NOISE)
_MAX_CELLS_PER_POINT = 100
_ALWAYS_FINE_CELLS = 20_000_000


def require_usable(cloud: PointCloud, what: str) -> None:
    """Raise InputError for a cloud without points or with coordinates that are not finite; CrsError unless metric."""
    cloud.require_metric(what)
    if not len(cloud):
        raise InputError(f"{what} needs points, but the cloud has none; check the file and the filter.")
    broken = int((~np.isfinite(cloud.xyz).all(axis=1)).sum())
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
        counts &= ~np.isin(cloud.attributes["classification"], _NOISE)
    return counts


def grid_of(cloud: PointCloud, cell_m: float) -> Grid:
    """The grid of cells of `cell_m` over the cloud; InputError where stray points would make it mostly empty."""
    grid = Grid.from_bounds(cloud.bounds, cell=cell_m, crs=cloud.crs)
    cells = grid.shape[0] * grid.shape[1]
    if cells > max(_ALWAYS_FINE_CELLS, _MAX_CELLS_PER_POINT * len(cloud)):
        raise InputError(
            f"{len(cloud):,} points lie scattered over {grid.shape[0]:,} x {grid.shape[1]:,} cells of {cell_m:g} m; "
            "drop stray points far from the survey, or choose a larger cell_m."
        )
    return grid


def cell_values(xyz: NDArray[np.float64], grid: Grid, how: str) -> NDArray[np.float64]:
    """The "lowest", "highest" or "mean" elevation of the points in each cell, NaN in cells without a point."""
    west, _, _, north = grid.bounds
    place = (west, north, grid.cell[0])
    if how == "mean":
        return _cell_mean(xyz, place, grid.shape)
    if how == "highest":
        return -_cell_minimum(xyz * np.array([1.0, 1.0, -1.0]), place, grid.shape)
    return _cell_minimum(xyz, place, grid.shape)


@kernel
def _cell(x: float, y: float, place: tuple[float, float, float], shape: tuple[int, int]) -> tuple[int, int]:
    """Row and column that hold a point; points on the outer edge belong to the cell inside it."""
    west, north, cell = place
    row, col = int((north - y) / cell), int((x - west) / cell)
    return min(max(row, 0), shape[0] - 1), min(max(col, 0), shape[1] - 1)


@kernel
def _cell_minimum(xyz: NDArray[np.float64], place: tuple[float, float, float], shape: tuple[int, int]) -> NDArray[np.float64]:
    out = np.full(shape, np.nan)
    for k in range(len(xyz)):
        row, col = _cell(xyz[k, 0], xyz[k, 1], place, shape)
        if not out[row, col] <= xyz[k, 2]:
            out[row, col] = xyz[k, 2]
    return out


@kernel
def _cell_mean(xyz: NDArray[np.float64], place: tuple[float, float, float], shape: tuple[int, int]) -> NDArray[np.float64]:
    total, count = np.zeros(shape), np.zeros(shape, np.int64)
    for k in range(len(xyz)):
        row, col = _cell(xyz[k, 0], xyz[k, 1], place, shape)
        total[row, col] += xyz[k, 2]
        count[row, col] += 1
    out = np.full(shape, np.nan)
    for i in range(shape[0]):
        for j in range(shape[1]):
            if count[i, j] > 0:
                out[i, j] = total[i, j] / count[i, j]
    return out


@kernel
def bilinear(values: NDArray[Any], xyz: NDArray[np.float64], place: tuple[float, float, float]) -> NDArray[np.float64]:
    """`values` between cell centres, at each point; beyond the outermost centres the value of the border is held."""
    west, north, cell = place
    rows, cols = values.shape
    out = np.empty(len(xyz))
    for k in range(len(xyz)):
        y = min(max((north - xyz[k, 1]) / cell - 0.5, 0.0), rows - 1.0)
        x = min(max((xyz[k, 0] - west) / cell - 0.5, 0.0), cols - 1.0)
        i, j = min(int(y), max(rows - 2, 0)), min(int(x), max(cols - 2, 0))
        below, right = min(i + 1, rows - 1), min(j + 1, cols - 1)
        upper = values[i, j] + (x - j) * (values[i, right] - values[i, j])
        lower = values[below, j] + (x - j) * (values[below, right] - values[below, j])
        out[k] = upper + (y - i) * (lower - upper)
    return out
