"""Points that count, and what they say per cell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.tiles.points import Cells, cells_of, grid_over, place_of

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
    if not (math.isfinite(cell_m) and cell_m > 0):
        raise InputError(f"the cell size must be a positive number, not {cell_m}.")
    grid = grid_over(cloud.bounds, cell_m, cloud.crs)
    require_dense(grid, len(cloud))
    return grid


def require_dense(grid: Grid, points: int) -> None:
    """Raise InputError where so few points lie scattered over the cells of a grid."""
    if grid.shape[0] * grid.shape[1] > max(_ALWAYS_FINE_CELLS, _MAX_CELLS_PER_POINT * points):
        raise InputError(
            f"{points:,} points lie scattered over {grid.shape[0]:,} x {grid.shape[1]:,} cells of {grid.cell[0]:g} m; "
            "drop stray points far from the survey, or choose a larger cell_m."
        )


def cell_values(xyz: NDArray[np.float64], grid: Grid, how: str) -> NDArray[np.float64]:
    """The "lowest", "highest" or "mean" elevation of the points in each cell, NaN in cells without a point.

    All points must lie in cells of the grid.
    """
    rows, cols = cells_of(xyz, grid)
    if how == "mean":
        return _cell_mean(xyz[:, 2], rows, cols, grid.shape)
    if how == "highest":
        return -_cell_minimum(-xyz[:, 2], rows, cols, grid.shape)
    return _cell_minimum(xyz[:, 2], rows, cols, grid.shape)


@kernel
def _cell_minimum(z: NDArray[np.float64], rows: Cells, cols: Cells, shape: tuple[int, int]) -> NDArray[np.float64]:
    out = np.full(shape, np.nan)
    for k in range(len(z)):
        if not out[rows[k], cols[k]] <= z[k]:
            out[rows[k], cols[k]] = z[k]
    return out


@kernel
def _cell_mean(z: NDArray[np.float64], rows: Cells, cols: Cells, shape: tuple[int, int]) -> NDArray[np.float64]:
    total, count = np.zeros(shape), np.zeros(shape, np.int64)
    for k in range(len(z)):
        total[rows[k], cols[k]] += z[k]
        count[rows[k], cols[k]] += 1
    out = np.full(shape, np.nan)
    for i in range(shape[0]):
        for j in range(shape[1]):
            if count[i, j] > 0:
                out[i, j] = total[i, j] / count[i, j]
    return out


def between_centres(values: NDArray[Any], grid: Grid, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """`values` between cell centres, at each point; beyond the outermost centres the value of the border is held."""
    return _bilinear(np.asarray(values, np.float64), xyz, *place_of(grid))


@kernel
def _bilinear(
    values: NDArray[np.float64],
    xyz: NDArray[np.float64],
    cell: tuple[float, float],
    first: tuple[int, int],
    shift: tuple[float, float],
) -> NDArray[np.float64]:
    rows, cols = values.shape
    out = np.empty(len(xyz))
    for k in range(len(xyz)):
        y = min(max(-xyz[k, 1] / cell[1] - shift[0] - first[0] - 0.5, 0.0), rows - 1.0)
        x = min(max(xyz[k, 0] / cell[0] - shift[1] - first[1] - 0.5, 0.0), cols - 1.0)
        i, j = min(int(y), max(rows - 2, 0)), min(int(x), max(cols - 2, 0))
        below, right = min(i + 1, rows - 1), min(j + 1, cols - 1)
        upper = values[i, j] + (x - j) * (values[i, right] - values[i, j])
        lower = values[below, j] + (x - j) * (values[below, right] - values[below, j])
        out[k] = upper + (y - i) * (lower - upper)
    return out
