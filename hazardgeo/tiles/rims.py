"""The rims of tiles: how water crosses them, on D8 codes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hazardgeo.errors import InputError
from hazardgeo.kernel import kernel
from hazardgeo.raster import UNKNOWN_CLASS, Raster
from hazardgeo.tiles.drainage import COL, ROW, Ways
from hazardgeo.tiles.flood import Cells
from hazardgeo.tiles.plan import Tile

UNKNOWN_WAY, _NO_CODE = -2, -3


def ways_of(directions: Raster) -> Ways:
    """Position in the ring of neighbours that each cell drains to, -1 outlet, -2 unknown."""
    codes = directions.values
    if codes.dtype != np.uint8:
        raise InputError(f"raster {directions.name!r} holds {codes.dtype}, not D8 codes as uint8; convert it first.")
    meaning = np.full(256, _NO_CODE, np.int8)
    meaning[0], meaning[UNKNOWN_CLASS] = -1, UNKNOWN_WAY
    meaning[1 << np.arange(8)] = np.arange(8)
    towards: Ways = meaning[codes]
    wrong = towards == _NO_CODE
    if wrong.any():
        code = int(codes[wrong][0])
        raise InputError(
            f"raster {directions.name!r} holds {code} in {np.count_nonzero(codes == code)} cells, which is no D8 code "
            "(1, 2, 4 ... 128, 0 outlet, 255 unknown); recode it first."
        )
    return towards


def shape_of(tile: Tile) -> tuple[int, int]:
    """Rows and columns of the core of a tile."""
    rows, cols = tile.core
    return rows.stop - rows.start, cols.stop - cols.start


@lru_cache(maxsize=64)
def rim(shape: tuple[int, int]) -> Cells:
    """The outermost cells of a tile, counted row by row, in that order."""
    cells = np.arange(shape[0] * shape[1]).reshape(shape)
    outer = np.ones(shape, bool)
    outer[1:-1, 1:-1] = False
    return cells[outer]


def entries(
    tile: Tile, exits: Cells, ways: Ways, by_place: dict[tuple[int, int], Tile], start_of: dict[tuple[int, int], int]
) -> Cells:
    """Where the water of the exits comes in: positions among the rims of all tiles."""
    rows, cols = np.divmod(rim(shape_of(tile))[exits], shape_of(tile)[1])
    rows, cols = rows + tile.core[0].start + ROW[ways], cols + tile.core[1].start + COL[ways]
    down = (rows >= tile.core[0].stop).astype(int) - (rows < tile.core[0].start)
    right = (cols >= tile.core[1].stop).astype(int) - (cols < tile.core[1].start)
    found = np.full(len(exits), -1, np.int64)
    for step in range(9):
        there = (down == step // 3 - 1) & (right == step % 3 - 1)
        if there.any():
            place = (tile.row + step // 3 - 1, tile.col + step % 3 - 1)
            core, shape = by_place[place].core, shape_of(by_place[place])
            cells = (rows[there] - core[0].start) * shape[1] + cols[there] - core[1].start
            found[there] = start_of[place] + np.searchsorted(rim(shape), cells)
    return found


@kernel
def without_leaks(towards: Ways) -> Ways:
    """The same ways, those off the array or into an unknown cell ended (-1)."""
    rows, cols = towards.shape
    kept = towards.copy()
    for i in range(rows):
        for j in range(cols):
            k = towards[i, j]
            if k < 0:
                continue
            a, b = i + ROW[k], j + COL[k]
            if a < 0 or b < 0 or a >= rows or b >= cols or towards[a, b] == UNKNOWN_WAY:
                kept[i, j] = -1
    return kept
