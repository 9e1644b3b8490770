"""What water meets first on its way down, over any number of tiles: one pass, by the ways between the rims of tiles.

A tile says of each cell of its rim what its water meets within, or where it leaves. Put together, that tells what the water
that leaves a tile meets in others, and how far away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel
from hazardgeo.terrain.paths import Lengths, met_from, step_lengths
from hazardgeo.tiles.drainage import Ways
from hazardgeo.tiles.engine import Partial
from hazardgeo.tiles.flood import Cells
from hazardgeo.tiles.plan import Tile
from hazardgeo.tiles.rims import entries, rim, shape_of, without_leaks
from hazardgeo.tiles.stitch import Parts

_HERE = -1


def seen_within(
    wide: Ways, found: NDArray[Any], inner: tuple[slice, slice], cell_m: tuple[float, float], to_meet: float
) -> Partial:
    """What the tile must keep, and say to the others: `wide` are its ways with a halo of one cell, `found` is its core.

    `leaves` has, for each cell of the rim, the number of the exit where its water leaves the tile, or -1: then `met` is what
    it meets here, TO_MEET where it ends. `far` is how far either is.
    """
    towards = np.ascontiguousarray(without_leaks(wide)[inner])
    around, out = rim(towards.shape), _out_of(towards)
    exits = np.flatnonzero(out.ravel()[around])
    ways = towards.ravel()[around[exits]]
    towards[out] = -1
    ends, far = met_from(towards, found, step_lengths(cell_m), to_meet, around)
    number = np.full(towards.size, _HERE, np.int32)
    number[around[exits]] = np.arange(len(exits))
    met = found.ravel()[ends]
    leaves = np.where(met == to_meet, number[ends], _HERE)
    return {"towards": towards, "found": found, "exits": exits, "ways": ways, "leaves": leaves, "met": met, "far": far}


def exchange(parts: Parts) -> Iterator[tuple[Tile, Partial]]:
    """For each exit of each tile what its water meets in others, and how far from the exit."""
    by_place = {(t.row, t.col): t for t in parts.tiles}
    starts = np.concatenate([[0], np.cumsum([len(rim(shape_of(t))) for t in parts.tiles])])
    start_of = {place: int(start) for place, start in zip(by_place, starts, strict=False)}
    lengths = step_lengths(parts.grid.cell_m)
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in ("leaves", "met", "far", "entry", "step")}
    counts = [0]
    for tile in parts.tiles:
        part = parts.read(tile, "exits", "ways", "leaves", "met", "far")
        columns["leaves"].append(np.where(part["leaves"] >= 0, part["leaves"].astype(np.int64) + counts[-1], _HERE))
        columns["entry"].append(entries(tile, part["exits"], part["ways"], by_place, start_of))
        columns["step"].append(lengths[part["ways"]])
        for name in ("met", "far"):
            columns[name].append(part[name])
        counts.append(counts[-1] + len(part["exits"]))
    whole = {name: np.concatenate(column) for name, column in columns.items()}
    at, far = _chased(whole["entry"], whole["leaves"], whole["far"], whole["step"])
    met = whole["met"][at]
    for tile, first, last in zip(parts.tiles, counts, counts[1:], strict=False):
        yield tile, {"met": met[first:last], "far": far[first:last]}


def told(local: Partial, exchanged: Partial, to_meet: float) -> tuple[Ways, NDArray[Any], Lengths]:
    """The ways within the tile, what is found in it and, at its exits, in others; and how far away that is."""
    found, far = local["found"].copy(), np.zeros(local["found"].shape)
    cells = rim(found.shape)[local["exits"]]
    open_ = found.ravel()[cells] == to_meet
    found.ravel()[cells[open_]] = exchanged["met"][open_]
    far.ravel()[cells[open_]] = exchanged["far"][open_]
    return local["towards"], found, far


@kernel
def _chased(entry: Cells, leaves: Cells, far: Lengths, step: Lengths) -> tuple[Cells, Lengths]:
    """For each exit the cell of a rim from which its water leaves no more, and how far what that one meets is."""
    at, away = np.full(len(entry), -1), np.zeros(len(entry))
    for first in range(len(entry)):
        exit_, length = first, 0.0
        while at[exit_] < 0 and leaves[entry[exit_]] >= 0:
            length += step[exit_] + far[entry[exit_]]
            exit_ = leaves[entry[exit_]]
        if at[exit_] < 0:
            at[exit_], away[exit_] = entry[exit_], step[exit_] + far[entry[exit_]]
        last, length = at[exit_], length + away[exit_]
        exit_ = first
        while at[exit_] < 0:
            at[exit_], away[exit_] = last, length
            length -= step[exit_] + far[entry[exit_]]
            exit_ = leaves[entry[exit_]]
    return at, away


@kernel
def _out_of(towards: Ways) -> NDArray[np.bool_]:
    """True where water leaves the array."""
    rows, cols = towards.shape
    found = np.zeros((rows, cols), np.bool_)
    for i in range(rows):
        for j in range(cols):
            k = towards[i, j]
            if k >= 0:
                south, north = 1 <= k <= 3, k >= 5
                west, east = 3 <= k <= 5, k <= 1 or k == 7
                found[i, j] = (south and i == rows - 1) or (north and i == 0) or (west and j == 0) or (east and j == cols - 1)
    return found
