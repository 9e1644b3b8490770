"""Along the ways of water, on plain arrays: what is met first below, how far it is, and the cells on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel
from hazardgeo.tiles.drainage import COL, ROW, Ways
from hazardgeo.tiles.flood import Cells, longer, ring_steps

Lengths = NDArray[np.float64]
PARTS_OF_A_METRE = 2**24  # lengths of steps are whole numbers of them, so that no order of adding changes a sum


def step_lengths(cell_m: tuple[float, float]) -> Lengths:
    """From the centre of a cell to those of its neighbours, clockwise from east, in whole parts of a metre."""
    lengths: Lengths = np.rint(np.hypot(ROW * cell_m[1], COL * cell_m[0]) * PARTS_OF_A_METRE)
    return lengths


@kernel
def met_below(towards: Ways, found: NDArray[Any], new: float, none: float) -> None:
    """Give each cell that is `new` in `found` what the first cell below it has that is not, or `none`, in place.

    Each cell is walked through twice at most.
    """
    way, value = towards.reshape(-1), found.reshape(-1)
    ring = ring_steps(towards.shape[1])
    for first in range(len(way)):
        cell = np.uint64(first)
        while value[cell] == new and way[cell] >= 0:
            cell += ring[way[cell]]
        last = none if value[cell] == new else value[cell]
        cell = np.uint64(first)
        while value[cell] == new:
            value[cell] = last
            if way[cell] < 0:
                break
            cell += ring[way[cell]]


@kernel
def far_below(towards: Ways, found: NDArray[Any], far: Lengths, lengths: Lengths, new: float, none: float) -> None:
    """`met_below`, and how far below it is, in place: `far` begins with how far it is from the cells that are not `new`."""
    way, value, away = towards.reshape(-1), found.reshape(-1), far.reshape(-1)
    ring = ring_steps(towards.shape[1])
    for first in range(len(way)):
        cell, length = np.uint64(first), 0.0
        while value[cell] == new and way[cell] >= 0:
            length += lengths[way[cell]]
            cell += ring[way[cell]]
        last = none if value[cell] == new else value[cell]
        length += away[cell]
        cell = np.uint64(first)
        while value[cell] == new:
            value[cell], away[cell] = last, length
            if way[cell] < 0:
                break
            length -= lengths[way[cell]]
            cell += ring[way[cell]]


@kernel
def met_from(towards: Ways, found: NDArray[Any], lengths: Lengths, new: float, cells: Cells) -> tuple[Cells, Lengths]:
    """The first cell on the way down from each of `cells` that is not `new`, or the last one, and how far it is."""
    way, value = towards.reshape(-1), found.reshape(-1)
    ring = ring_steps(towards.shape[1])
    ends, far = np.empty(len(cells), np.int64), np.zeros(len(cells))
    for n in range(len(cells)):
        cell = np.uint64(cells[n])
        while value[cell] == new and way[cell] >= 0:
            far[n] += lengths[way[cell]]
            cell += ring[way[cell]]
        ends[n] = cell
    return ends, far


@kernel
def farthest(number: NDArray[np.int32], far: Lengths, count: int) -> tuple[Lengths, Cells]:
    """How far the farthest cell of each number from 1 to `count` is, and which it is: the first, row by row; -1 for none."""
    most, cell = np.full(count, -1.0), np.full(count, -1)
    numbers, away = number.reshape(-1), far.reshape(-1)
    for at in range(len(numbers)):
        n = numbers[at] - 1
        if n >= 0 and away[at] > most[n]:
            most[n], cell[n] = away[at], at
    return most, cell


@kernel
def way_within(towards: Ways, row: int, col: int, stops: Cells) -> tuple[Cells, Cells]:
    """Rows and columns of the way down from a cell: to where it leaves the array (that cell too), ends, or comes to a stop.

    `stops` are cells counted row by row, in their order; the first cell is none.
    """
    rows, cols = np.empty(64, np.int64), np.empty(64, np.int64)
    rows[0], cols[0], count = row, col, 1
    while True:
        k = towards[row, col]
        if k < 0:
            break
        row, col = row + ROW[k], col + COL[k]
        rows, cols = longer(rows, count + 1), longer(cols, count + 1)
        rows[count], cols[count] = row, col
        count += 1
        if row < 0 or col < 0 or row >= towards.shape[0] or col >= towards.shape[1]:
            break
        cell = row * towards.shape[1] + col
        at = np.searchsorted(stops, cell)
        if at < len(stops) and stops[at] == cell:
            break
    return rows[:count], cols[:count]
