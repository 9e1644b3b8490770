"""How a grid is cut: tiles anchored to the coordinate system, so that two surveys of one place share their tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from hazardgeo.errors import ConfigError
from hazardgeo.grid import TOLERANCE_CELLS, Grid

Block = tuple[slice, slice]
DEFAULT_CELLS = 1024


@dataclass(frozen=True, slots=True)
class Tile:
    """A block of cells of one grid: `core` is its own, `wide` has the halo too; both are (rows, columns) of the grid.

    `row` and `col` count tiles from the origin of the CRS, southwards and eastwards.
    """

    row: int
    col: int
    core: Block
    wide: Block

    @property
    def name(self) -> str:
        """The name of the tile in messages and file names, such as "r-1953c+0244"."""
        return f"r{self.row:+06d}c{self.col:+06d}"

    @property
    def inner(self) -> Block:
        """The core as rows and columns of the wide block."""
        (rows, cols), (wide_rows, wide_cols) = self.core, self.wide
        return (
            slice(rows.start - wide_rows.start, rows.stop - wide_rows.start),
            slice(cols.start - wide_cols.start, cols.stop - wide_cols.start),
        )


def plan(grid: Grid, *, tile_cells: int = DEFAULT_CELLS, halo: int = 0, within: Block | None = None) -> list[Tile]:
    """The tiles of a grid in rows from the north; their cores cover it once. With `within`, only those that overlap it.

    Edges lie at multiples of `tile_cells` cells from the origin of the CRS. The halo is cut at the edge of the grid, so
    that the edge is an edge to each tile as it is to the whole. Raises ConfigError for sizes that make no tile.

    >>> from affine import Affine
    >>> tiles = plan(Grid(Affine(1, 0, 30, 0, -1, 100), (60, 50), 32648), tile_cells=64, halo=3)
    >>> [(t.name, t.core) for t in tiles][:1]
    [('r-00002c+00000', (slice(0, 36, None), slice(0, 34, None)))]
    """
    if tile_cells < 1 or halo < 0:
        raise ConfigError(f"tiles of {tile_cells} cells with a halo of {halo} make no sense; give at least 1 and 0.")
    first_row, first_col = origin_cells(grid)
    rows, cols = grid.shape
    row_edges, col_edges = _edges(first_row, rows, tile_cells), _edges(first_col, cols, tile_cells)
    return [
        Tile((first_row + r0) // tile_cells, (first_col + c0) // tile_cells, (slice(r0, r1), slice(c0, c1)), wide)
        for r0, r1 in pairwise(row_edges)
        if within is None or (r0 < within[0].stop and r1 > within[0].start)
        for c0, c1 in pairwise(col_edges)
        if within is None or (c0 < within[1].stop and c1 > within[1].start)
        for wide in [(_widened(r0, r1, rows, halo), _widened(c0, c1, cols, halo))]
    ]


def origin_cells(grid: Grid) -> tuple[int, int]:
    """Row and column of the first cell of the grid, counted in its cells from the origin of the CRS to south and east.

    Grids whose edges lie between multiples of the cell count from the nearest one; at half a cell all go the same way.
    """
    width, height = grid.cell
    row, col = -grid.transform.f / height, grid.transform.c / width
    return math.floor(row + 0.5 + TOLERANCE_CELLS), math.floor(col + 0.5 + TOLERANCE_CELLS)


def _edges(first: int, count: int, size: int) -> list[int]:
    """Where tiles begin and end along an axis whose first cell is cell `first` of the CRS."""
    inner = range(size - first % size, count, size)
    return [0, *inner, count]


def _widened(start: int, stop: int, count: int, halo: int) -> slice:
    return slice(max(start - halo, 0), min(stop + halo, count))
