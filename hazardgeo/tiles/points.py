"""Which cell a point lies in, said the same way whatever block of a grid is looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.tiles.plan import origin_cells

Cells = NDArray[np.int64]
_DIGITS = 6  # of a shift in cells


def cells_of(xyz: NDArray[np.float64], grid: Grid) -> tuple[Cells, Cells]:
    """Row and column of the cell of each point; outside the grid they lie outside its shape.

    Cells are counted from the origin of the CRS and own their west and north edges, so that each point lies in one cell,
    and in the same one for every block of a grid.

    >>> from affine import Affine
    >>> cells_of(np.array([[2.0, 10.0, 0.0], [3.9, 8.0, 0.0]]), Grid(Affine(2, 0, 0, 0, -2, 10), (5, 5), 32648))
    (array([0, 1]), array([1, 1]))
    """
    return _cells(xyz, *place_of(grid))


def place_of(grid: Grid) -> tuple[tuple[float, float], tuple[int, int], tuple[float, float]]:
    """What `cell_of` must know of a grid: the size of a cell, the first cell, and by how much of a cell edges are shifted.

    Cells are counted from the origin of the CRS; a shift is not 0 where edges lie between multiples of the cell. All
    blocks of a grid have the same size and shift, to the last bit.
    """
    width, height = grid.cell
    row, col = origin_cells(grid)
    shift = -grid.transform.f / height - row, grid.transform.c / width - col
    return grid.cell, (row, col), (round(shift[0], _DIGITS) + 0.0, round(shift[1], _DIGITS) + 0.0)


def within(cloud: PointCloud, grid: Grid) -> PointCloud:
    """The points that lie in the cells of a grid, in their order."""
    there = inside(cloud.xyz, grid)
    return cloud if there.all() else cloud.select(there)


def inside(xyz: NDArray[np.float64], grid: Grid) -> NDArray[np.bool_]:
    """True for the points that lie in the cells of a grid."""
    rows, cols = cells_of(xyz, grid)
    return np.asarray((rows >= 0) & (rows < grid.shape[0]) & (cols >= 0) & (cols < grid.shape[1]))


def grid_over(bounds: tuple[float, float, float, float], cell: float, crs: object) -> Grid:
    """The grid of all cells that hold points between (west, south, east, north), its edges at multiples of `cell`."""
    west, south, east, north = bounds
    corners = np.array([[west, north, 0.0], [east, south, 0.0]])
    rows, cols = _cells(corners, (cell, cell), (0, 0), (0.0, 0.0))
    left, top = int(cols[0]) * cell, -int(rows[0]) * cell
    shape = int(rows[1] - rows[0]) + 1, int(cols[1] - cols[0]) + 1
    return Grid.from_bounds((left, top - shape[0] * cell, left + shape[1] * cell, top), cell=cell, crs=crs)


@kernel
def _cells(
    xyz: NDArray[np.float64], cell: tuple[float, float], first: tuple[int, int], shift: tuple[float, float]
) -> tuple[Cells, Cells]:
    rows, cols = np.empty(len(xyz), np.int64), np.empty(len(xyz), np.int64)
    for k in range(len(xyz)):
        rows[k], cols[k] = cell_of(xyz[k, 0], xyz[k, 1], cell, first, shift)
    return rows, cols


@kernel
def cell_of(x: float, y: float, cell: tuple[float, float], first: tuple[int, int], shift: tuple[float, float]) -> tuple[int, int]:
    """Row and column of the cell of a point, for what `place_of` says of the grid."""
    return int(np.floor(-y / cell[1] - shift[0])) - first[0], int(np.floor(x / cell[0] - shift[1])) - first[1]
