"""What gathers where water takes more than one way down, over any number of tiles: in rounds, the same as in the whole.

The water of a cell depends on all cells above it, in tiles that send water to each other back and forth. So each tile
settles what it can, its own cells and those of a margin around it, and again when a cell beyond its margin that it waits for
has been settled there. Sums are of whole units, which no order of adding changes.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from hazardgeo.raster import Raster
from hazardgeo.terrain.routing import BEYOND, BLOCKED, DONE, GIVEN, MARKS, settle
from hazardgeo.tiles import engine
from hazardgeo.tiles.call import Call
from hazardgeo.tiles.drainage import beside
from hazardgeo.tiles.engine import Job
from hazardgeo.tiles.flood import Cells
from hazardgeo.tiles.folder import claim, discard, held, key_of, require_claimed
from hazardgeo.tiles.plan import Tile, plan
from hazardgeo.tiles.rims import ways_of
from hazardgeo.tiles.scratch import Scratch
from hazardgeo.tiles.seams import Place

How: TypeAlias = tuple[tuple[float, float], str, float, float]
Waiting = dict[Place, tuple[Cells, Cells]]
_MARGIN = 8  # of a tile: one part in so many


def share_out(filled: Scratch, codes: Scratch, sink: Scratch, how: How, *, work_folder: Path, **job: Any) -> None:
    """What `routing.settle` gives on the whole: cells that drain through each, or with MARKS 1 where water may come in unseen.

    Unknown cells are NaN. Every call begins anew.
    """
    work, totals = Job(settle, **job), Scratch(work_folder / "totals", filled.grid, filled.tile_cells)
    rims = work_folder / "rims"
    margin = 1 + max(1, filled.tile_cells // _MARGIN)
    with held(work_folder):
        for made, key in ((totals.folder, filled.key), (rims, secrets.token_hex())):
            discard(made)
            claim(made, (_settle_tile,), {}, key)
        place = rims, key_of(rims)
        tiles = {(t.row, t.col): t for t in plan(filled.grid, tile_cells=filled.tile_cells, halo=margin)}
        waiting: Waiting = {}
        again = set(tiles)
        while again:
            chosen = [tiles[at] for at in sorted(again)]
            calls = (Call(t.name, _settle_tile, (filled, codes, totals, place, how, t, not waiting)) for t in chosen)
            engine.perform_all(calls, work, rims, done=0, tiles=len(chosen))
            for tile in chosen:
                part = engine.read_part(rims, tile)
                waiting[tile.row, tile.col] = part["rows"], part["cols"]
            again = {at for at in _around(again) if at in waiting and _come(totals, *waiting[at])}
        engine.map(_totals, {"totals": totals, "filled": filled}, sink, **job)
        discard(work_folder)


def _settle_tile(
    filled: Scratch, codes: Scratch, totals: Scratch, rims: tuple[Path, str], how: How, tile: Tile, first: bool
) -> tuple[str, ...]:
    """Settle what can be settled in a tile and its margin; keep the cells beyond it that others wait for.

    Tiles around it may be at work: what they have not written yet leads to another round.
    """
    block = filled.grid.window(*tile.wide)
    levels = filled.read(block).values
    unknown = np.isnan(levels)
    own = (beside(unknown) if how[-1] == MARKS else ~unknown).astype(np.float64)
    state = np.where(unknown, GIVEN, 0).astype(np.uint8)
    if not first:
        before = totals.read(block).values
        given = ~np.isnan(before)
        own[given], state[given] = before[given], GIVEN
    frontier = _close(state, tile, filled.grid.shape)
    settle(levels, ways_of(codes.read(block)), own, state, how)
    open_ = (state != DONE) & (state != GIVEN)
    own[open_] = np.nan
    require_claimed(*rims)
    totals.write(totals.folder, tile, Raster(own[tile.inner], filled.grid.window(*tile.core)))
    rows, cols = np.nonzero(frontier & open_) if open_[tile.inner].any() else (np.empty(0, int), np.empty(0, int))
    where = {"rows": rows + tile.wide[0].start, "cols": cols + tile.wide[1].start}
    engine.write_part(rims[0], tile, {name: cells.astype(np.int64) for name, cells in where.items()})
    return ()


def _close(state: Any, tile: Tile, shape: tuple[int, int]) -> Any:
    """Mark the outermost cells of a block as BEYOND, and those next to them, which they may send water to, as BLOCKED unless
    they are GIVEN; not where the raster ends. True in the latter cells."""
    frontier = np.zeros(state.shape, bool)
    rows, cols = tile.wide
    sides = (
        (rows.start > 0, (slice(0, 1), slice(None)), (slice(1, 2), slice(None))),
        (rows.stop < shape[0], (slice(-1, None), slice(None)), (slice(-2, -1), slice(None))),
        (cols.start > 0, (slice(None), slice(0, 1)), (slice(None), slice(1, 2))),
        (cols.stop < shape[1], (slice(None), slice(-1, None)), (slice(None), slice(-2, -1))),
    )
    for _, _, inner in (side for side in sides if side[0]):
        frontier[inner] = True
    for _, outer, _ in (side for side in sides if side[0]):
        state[outer], frontier[outer] = BEYOND, False
    state[frontier & (state != GIVEN)] = BLOCKED
    return frontier


def _around(places: set[Place]) -> set[Place]:
    """Places and those around them."""
    return {(row + down, col + right) for row, col in places for down in (-1, 0, 1) for right in (-1, 0, 1)}


def _come(totals: Scratch, rows: Cells, cols: Cells) -> bool:
    """True where one of the cells that a tile waits for is settled."""
    if not len(rows):
        return False
    box = slice(int(rows.min()), int(rows.max()) + 1), slice(int(cols.min()), int(cols.max()) + 1)
    for tile in plan(totals.grid, tile_cells=totals.tile_cells, within=box):
        (top, bottom), (west, east) = ((axis.start, axis.stop) for axis in tile.core)
        here = (rows >= top) & (rows < bottom) & (cols >= west) & (cols < east)
        if here.any() and not np.isnan(totals.cells(tile)[rows[here] - top, cols[here] - west]).all():
            return True
    return False


def _totals(totals: Raster, filled: Raster) -> Raster:
    return totals.like(np.where(filled.unknown, np.nan, totals.values), "cells", "1")
