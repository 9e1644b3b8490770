"""A raster on other ground than its own: a part of it, or more than there is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from affine import Affine

from hazardgeo.errors import GridMismatchError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.tiles.engine import RasterSource
from hazardgeo.tiles.plan import origin_cells
from hazardgeo.tiles.points import cells_of


@dataclass(frozen=True, slots=True)
class Framed:
    """A raster source on another grid of the same cells, smaller or larger: what lies beyond its own is unknown (NaN)."""

    source: RasterSource
    grid: Grid

    @property
    def key(self) -> str:
        return self.source.key

    def read(self, block: Grid) -> Raster:
        """The cells of the block."""
        own = self.source.grid
        if own.cell != block.cell or own.crs != block.crs:
            raise GridMismatchError(f"{own} and {block} do not have the same cells; align one with raster.align.")
        (top, left), (row, col) = origin_cells(block), origin_cells(own)
        first_row, first_col = top - row, left - col
        rows = slice(max(first_row, 0), min(first_row + block.shape[0], own.shape[0]))
        cols = slice(max(first_col, 0), min(first_col + block.shape[1], own.shape[1]))
        values = np.full(block.shape, np.nan, np.float32)
        if rows.start >= rows.stop or cols.start >= cols.stop:
            return Raster(values, block)
        found: Raster = self.source.read(own.window(rows, cols))
        inside = slice(rows.start - first_row, rows.stop - first_row), slice(cols.start - first_col, cols.stop - first_col)
        values[inside] = found.values
        return Raster(values, block, found.name, found.unit, found.height, tags=found.tags)


def framed(source: RasterSource, *, around: tuple[float, float, float, float]) -> Framed:
    """The source on all of its own cells and those that hold (west, south, east, north)."""
    own = source.grid
    west, south, east, north = around
    rows, cols = cells_of(np.array([[west, north, 0.0], [east, south, 0.0]]), own)
    top, left = min(int(rows[0]), 0), min(int(cols[0]), 0)
    bottom, right = max(int(rows[1]) + 1, own.shape[0]), max(int(cols[1]) + 1, own.shape[1])
    return Framed(source, grown(own, top=-top, left=-left, bottom=bottom - own.shape[0], right=right - own.shape[1]))


def grown(grid: Grid, *, top: int, left: int, bottom: int, right: int) -> Grid:
    """The grid with so many more cells on each side."""
    transform = grid.transform @ Affine.translation(-left, -top)
    return Grid(transform, (grid.shape[0] + top + bottom, grid.shape[1] + left + right), grid.crs)
