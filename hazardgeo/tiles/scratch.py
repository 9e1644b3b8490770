"""Rasters between two steps: kept as one plain array per tile, read back by any block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.crs import Height
from hazardgeo.errors import GridMismatchError
from hazardgeo.grid import TOLERANCE_CELLS, Grid
from hazardgeo.raster import Raster
from hazardgeo.tiles.folder import MARKER, written
from hazardgeo.tiles.plan import Tile, plan


@dataclass(frozen=True, slots=True)
class Scratch:
    """A raster on disk that is written and read by tiles: a sink for one step and a source for the next.

    It lives in `folder` as one .npy file per tile; whoever made the folder removes it. Values alone are kept: `unit` and
    `height` say what they are.
    """

    folder: Path
    grid: Grid
    tile_cells: int
    unit: str = ""
    height: Height | None = None

    @property
    def key(self) -> str:
        marker = self.folder / MARKER
        return f"{self.folder} {marker.read_text() if marker.is_file() else ''}"

    def work_folder(self) -> Path:
        return self.folder

    def has(self, folder: Path, tile: Tile) -> bool:
        """True where the part is there and whole: one that a crash has cut is done again."""
        try:
            return _stored(folder, tile).shape == _shape(tile)
        except (OSError, ValueError, EOFError):
            return False

    def write(self, folder: Path, tile: Tile, part: Raster) -> None:
        with written(_path(folder, tile)) as stream:
            np.save(stream, part.values)

    def finish(self, folder: Path, grid: Grid, tiles: Iterable[Tile]) -> None:
        """Nothing is left to do: the parts are the raster."""

    def cells(self, tile: Tile) -> NDArray[Any]:
        """The values of one tile, read from the disk as they are asked for."""
        return _stored(self.folder, tile)

    def read(self, block: Grid) -> Raster:
        """The cells of the block, which must lie on this grid."""
        rows, cols = rows_cols(self.grid, block)
        values: NDArray[Any] | None = None
        for tile in plan(self.grid, tile_cells=self.tile_cells, within=(rows, cols)):
            here = _common(tile.core, (rows, cols))
            stored = _stored(self.folder, tile)
            if values is None:
                values = np.empty(block.shape, stored.dtype)
            values[_moved(here, rows.start, cols.start)] = stored[_moved(here, tile.core[0].start, tile.core[1].start)]
        assert values is not None
        return Raster(values, block, unit=self.unit, height=self.height)


def rows_cols(grid: Grid, block: Grid) -> tuple[slice, slice]:
    """The rows and columns of `grid` that are the cells of `block`; GridMismatchError where they are no part of it."""
    col, row = ~grid.transform @ (block.transform.c, block.transform.f)
    first_row, first_col = round(row), round(col)
    rows, cols = slice(first_row, first_row + block.shape[0]), slice(first_col, first_col + block.shape[1])
    inside = first_row >= 0 and first_col >= 0 and rows.stop <= grid.shape[0] and cols.stop <= grid.shape[1]
    apart = max(abs(row - first_row), abs(col - first_col))
    if not inside or apart > TOLERANCE_CELLS or not grid.window(rows, cols).same_as(block):
        raise GridMismatchError(f"a block of {block} at {block.bounds} is no part of the grid of {grid} at {grid.bounds}.")
    return rows, cols


def _path(folder: Path, tile: Tile) -> Path:
    return folder / f"{tile.name}.npy"


def _shape(tile: Tile) -> tuple[int, ...]:
    return tuple(cells.stop - cells.start for cells in tile.core)


def _stored(folder: Path, tile: Tile) -> NDArray[Any]:
    values: NDArray[Any] = np.load(_path(folder, tile), mmap_mode="r")
    return values


def _common(core: tuple[slice, slice], block: tuple[slice, slice]) -> tuple[slice, slice]:
    (a, b), (c, d) = core, block
    return slice(max(a.start, c.start), min(a.stop, c.stop)), slice(max(b.start, d.start), min(b.stop, d.stop))


def _moved(block: tuple[slice, slice], row: int, col: int) -> tuple[slice, slice]:
    rows, cols = block
    return slice(rows.start - row, rows.stop - row), slice(cols.start - col, cols.stop - col)
