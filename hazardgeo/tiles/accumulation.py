"""What gathers along flow directions across any number of tiles, the same as in the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.tiles.drainage import LOWER_BOUND, Ways, beside, gather, receivers
from hazardgeo.tiles.engine import Partial, RasterSink, RasterSource
from hazardgeo.tiles.flood import Cells, Flags
from hazardgeo.tiles.plan import Tile
from hazardgeo.tiles.rims import UNKNOWN_WAY, entries, rim, shape_of, ways_of, without_leaks
from hazardgeo.tiles.stitch import Parts, stitch

_METHOD = "over tiles Barnes (2017), Environmental Modelling & Software 92:202-212, doi:10.1016/j.envsoft.2017.02.022"
_ADVICE = "take the directions of terrain.flow_direction, which drain every cell to an outlet."


def accumulate(directions: RasterSource, sink: RasterSink, *, work_folder: Path, **job: Any) -> None:
    """Area that drains through each cell, its own included, in m2: with the directions of `terrain.flow_direction` that of
    `terrain.flow_accumulation` to the last bit.

    `directions` are D8 codes: 1 E, 2 SE, 4 S, 8 SW, 16 W, 32 NW, 64 N, 128 NE, 0 outlet, 255 unknown. Water that goes off
    the raster or into unknown cells leaves it. The area is a lower bound where `tiles.inflow_unknown` is True. Unknown
    cells stay unknown. Cells are counted as whole numbers and multiplied by the area of a cell once; what crosses the
    edges of tiles is found from the ways between the cells there. Barnes (2017), doi 10.1016/j.envsoft.2017.02.022.

    `job` is that of `tiles.map`, without a halo. Raises InputError for other codes, and where water runs in a circle (the
    message names a cell), CrsError unless the grid is metric, and what `tiles.map` raises.
    """
    directions.grid.require_metric("accumulate")
    stitch(_cells_of_tiles, _exchange, _area_of_all, {"directions": directions}, sink, work_folder=work_folder, halo=1, **job)


def count(directions: RasterSource, sink: RasterSink, *, work_folder: Path, **job: Any) -> None:
    """How many cells drain through each cell, its own included, as `accumulate`, in float64; unknown cells stay unknown."""
    stitch(_cells_of_tiles, _exchange, _count_of_all, {"directions": directions}, sink, work_folder=work_folder, halo=1, **job)


def inflow_unknown(directions: RasterSource, sink: RasterSink, *, work_folder: Path, **job: Any) -> None:
    """True where water may come in from beyond the edge of the raster or from unknown cells, as `terrain.inflow_unknown`.

    There and only there the area of `accumulate` is a lower bound. Directions, `job` and errors are those of
    `accumulate`, but the grid need not be metric.
    """
    stitch(_doors_of_tiles, _exchange, _inflow_of_all, {"directions": directions}, sink, work_folder=work_folder, halo=1, **job)


def _cells_of_tiles(directions: Raster, tile: Tile, inner: tuple[slice, slice]) -> Partial:
    towards = ways_of(directions)
    return _drained(towards, towards != UNKNOWN_WAY, tile, inner)


def _doors_of_tiles(directions: Raster, tile: Tile, inner: tuple[slice, slice]) -> Partial:
    towards = ways_of(directions)
    return _drained(towards, beside(towards == UNKNOWN_WAY), tile, inner)


def _count_of_all(local: Partial, exchanged: Partial, grid: Grid) -> Raster:
    return Raster(np.where(local["own"], _settled(local, exchanged), np.nan), grid, "cells", "1")


def _area_of_all(local: Partial, exchanged: Partial, grid: Grid) -> Raster:
    width, height = grid.cell_m
    area = _count_of_all(local, exchanged, grid).values * (width * height)
    return Raster(area, grid, "flow_accumulation", "m2", tags={"method": f"D8; {_METHOD}", "validity": LOWER_BOUND})


def _inflow_of_all(local: Partial, exchanged: Partial, grid: Grid) -> Raster:
    return Raster(_settled(local, exchanged) > 0, grid, "inflow_unknown", "1", tags={"method": f"D8; {_METHOD}"})


def _drained(wide: Ways, own: Flags, tile: Tile, inner: tuple[slice, slice]) -> Partial:
    """What gathers within the tile and leaves it into others, and which way out each cell of its rim has.

    `exits` are the cells that drain into another tile, as positions in the rim; `out_by` has, for each cell of the rim,
    the number of the exit where its water leaves the tile, or -1.
    """
    towards = np.ascontiguousarray(without_leaks(wide)[inner])
    own = np.ascontiguousarray(own[inner])
    receiver, around = receivers(towards), rim(own.shape)
    total, circle = gather(receiver, own.ravel().astype(np.int64))
    if circle >= 0:
        row, col = divmod(circle, own.shape[1])
        raise _circle(tile.core[0].start + row, tile.core[1].start + col)
    leaves = (towards.ravel()[around] >= 0) & (receiver[around] < 0)
    exits = np.flatnonzero(leaves)
    return {
        "towards": towards,
        "own": own,
        "exits": exits,
        "ways": towards.ravel()[around[exits]],
        "totals": total[around[exits]],
        "out_by": _ways_out(receiver, around, around[exits]),
    }


def _circle(row: int, col: int) -> InputError:
    return InputError(f"water runs in a circle through the cell at row {row}, column {col} of the raster; {_ADVICE}")


def _exchange(parts: Parts) -> Iterator[tuple[Tile, Partial]]:
    """What comes into each tile at the cells of its rim, from all tiles above it."""
    by_place = {(t.row, t.col): t for t in parts.tiles}
    shapes = [shape_of(t) for t in parts.tiles]
    starts = np.concatenate([[0], np.cumsum([len(rim(shape)) for shape in shapes])])
    start_of = {place: int(start) for place, start in zip(by_place, starts, strict=False)}
    out_by, entering, exits, totals, count = np.full(starts[-1], -1, np.int64), [], [], [], 0
    for tile, start in zip(parts.tiles, starts, strict=False):
        part = parts.read(tile, "exits", "ways", "totals", "out_by")
        known = part["out_by"] >= 0
        out_by[start : start + len(known)][known] = part["out_by"][known] + count
        entering.append(entries(tile, part["exits"], part["ways"], by_place, start_of))
        exits.append(start + part["exits"])
        totals.append(part["totals"])
        count += len(part["exits"])
    entry = np.concatenate(entering)
    leaving, circle = gather(out_by[entry], np.concatenate(totals))
    if circle >= 0:
        at = int(np.concatenate(exits)[circle])
        number = int(np.searchsorted(starts, at, side="right")) - 1
        row, col = divmod(int(rim(shapes[number])[at - starts[number]]), shapes[number][1])
        raise _circle(parts.tiles[number].core[0].start + row, parts.tiles[number].core[1].start + col)
    coming = np.zeros(starts[-1], np.int64)
    np.add.at(coming, entry, leaving)
    for number, tile in enumerate(parts.tiles):
        yield tile, {"coming": coming[starts[number] : starts[number + 1]]}


def _settled(local: Partial, exchanged: Partial) -> Cells:
    """What gathers in each cell of the tile, with what comes into it from others."""
    own = local["own"].astype(np.int64)
    own.ravel()[rim(own.shape)] += exchanged["coming"]
    total, _ = gather(receivers(local["towards"]), own.ravel())
    return total.reshape(own.shape)


@kernel
def _ways_out(receiver: Cells, around: Cells, exits: Cells) -> NDArray[np.int32]:
    """The number of the exit that the water of each cell `around` comes to, -1 where it stays in the tile.

    Each cell is walked through twice at most: a way ends where another has been. There must be no circle.
    """
    new = -2
    number = np.full(len(receiver), new, np.int32)
    for n in range(len(exits)):
        number[exits[n]] = n
    found = np.empty(len(around), np.int32)
    for n in range(len(around)):
        cell = around[n]
        while number[cell] == new and receiver[cell] >= 0:
            cell = receiver[cell]
        found[n] = max(number[cell], -1)
        cell = around[n]
        while number[cell] == new:
            number[cell] = found[n]
            if receiver[cell] < 0:
                break
            cell = receiver[cell]
    return found
