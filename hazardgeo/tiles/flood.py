"""The flood that fills depressions, on plain arrays: each cell rises to the lowest level at which its water gets out."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel

Surface = NDArray[Any]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.int32]
Cells = NDArray[np.int64]
Queue = NDArray[Any]
Steps: TypeAlias = Any  # from a cell to its neighbours, clockwise from east: a tuple in compiled loops
FLOOD = "priority flood, Barnes et al. (2014), Computers & Geosciences 62:117-127, doi:10.1016/j.cageo.2013.04.024"
_NONE = np.empty((0, 0), np.int32)
_U32_MAX = np.iinfo(np.uint32).max
_U = np.uint64  # cells that are never below zero need no check


def flood(z: Surface, seeds: Flags, numbers: Numbers | None = None) -> Surface:
    """The surface filled from all `seeds` (known cells, among them every known cell at the edge of the array).

    With `numbers`, those of the seeds, each cell is given there the number of a seed that its water gets to at the level to
    which it is filled. Negative zeros become zeros, so that equal surfaces have equal bytes. Cells that no seed reaches stay
    as they are.

    What no priority queue is needed for is done without one (after Zhou, Sun & Fu 2016, doi 10.1016/j.cageo.2016.02.021):
    ground that rises from a settled cell is settled as it is, and a depression is filled level as soon as the flood spills
    into it. Only cells from which the ground falls to where no water has come yet wait for their turn, the lowest first.
    """
    filled: Surface = z + z.dtype.type(0)
    unsettled = filled.copy()  # unknown once settled, so that one comparison tells
    unsettled[seeds] = np.nan
    cells = np.dtype(np.uint32 if z.size < _U32_MAX else np.int64)
    climb, pit = np.empty(z.size + 8, cells), np.empty(z.size + 8, cells)  # memory is taken as they fill only
    _rise(filled, unsettled, seeds, _NONE if numbers is None else numbers, climb, pit)
    return filled


@kernel
def _rise(filled: Surface, unsettled: Surface, seeds: Flags, numbers: Numbers, climb: Queue, pit: Queue) -> None:
    """Fill `filled` in place."""
    rows, cols = filled.shape
    level, open_, number = filled.reshape(-1), unsettled.reshape(-1), numbers.reshape(-1)
    steps = ring_steps(cols)
    for i in range(rows):
        for j in range(cols):
            if seeds[i, j]:
                top = _around_seed(i * cols + j, level, open_, number, rows, cols, climb)
                _climb_all(climb, top, level, open_, number, steps)
    levels, cells, size = np.empty(64, level.dtype), np.empty(64, np.int64), 0
    falls = np.empty(cols, np.bool_)
    for i in range(rows):
        _falls_in_row(filled, unsettled, i, falls)
        for j in range(cols):
            if falls[j]:
                if size == len(levels):
                    levels, cells = longer(levels, size + 1), longer(cells, size + 1)
                push(levels, cells, size, filled[i, j], i * cols + j)
                size += 1
    while size > 0:
        cell = pop(levels, cells, size)
        size -= 1
        top = _fill_from(cell, level, open_, number, rows, cols, climb, pit)
        count = _climb(climb, top, pit, level, open_, number, steps)
        if size + count > len(levels):
            levels, cells = longer(levels, size + count), longer(cells, size + count)
        for n in range(count):
            if _falls(_U(pit[n]), level, open_, steps):
                push(levels, cells, size, level[pit[n]], pit[n])
                size += 1


@kernel
def ring_steps(cols: int) -> Steps:
    """From a cell, counted row by row, to its neighbours, clockwise from east; those before it come round to it."""
    return _U(1), _U(cols + 1), _U(cols), _U(cols - 1), _U(-1), _U(-cols - 1), _U(-cols), _U(1 - cols)


@kernel
def longer(array: NDArray[Any], size: int) -> NDArray[Any]:
    """The array, copied into a longer one where it is shorter than `size`."""
    if size <= len(array):
        return array
    found = np.empty(2 * max(size, len(array)), array.dtype)
    found[: len(array)] = array
    return found


@kernel
def within(cell: int, k: int, rows: int, cols: int) -> bool:
    """True where the neighbour `k` (clockwise from east) of a cell lies on the array."""
    i, j = cell // cols, cell % cols
    south, north = 1 <= k <= 3, k >= 5
    west, east = 3 <= k <= 5, k <= 1 or k == 7
    return not ((south and i == rows - 1) or (north and i == 0) or (west and j == 0) or (east and j == cols - 1))


@kernel
def _around_seed(cell: int, level: Surface, open_: Surface, number: Numbers, rows: int, cols: int, climb: Queue) -> int:
    """Settle the cells around a seed that are no lower, and put them into `climb`; how many."""
    steps = ring_steps(cols)
    top = 0
    for k in range(8):
        if not within(cell, k, rows, cols):
            continue
        other = _U(cell) + steps[k]
        if open_[other] >= level[cell]:
            open_[other] = np.nan
            if number.size > 0:
                number[other] = number[cell]
            climb[top] = other
            top += 1
    return top


@kernel
def _climb_all(climb: Queue, top: int, level: Surface, open_: Surface, number: Numbers, steps: Steps) -> None:
    """Settle all that rises from the first `top` cells of `climb`. A queue, since cells that come soon are near."""
    numbered = number.size > 0
    head, tail = _U(0), _U(top)
    while head < tail:
        cell = _U(climb[head])
        head += _U(1)
        here = level[cell]
        for k in range(8):
            other = cell + steps[k]
            if open_[other] >= here:
                open_[other] = np.nan
                if numbered:
                    number[other] = number[cell]
                climb[tail] = other
                tail += _U(1)


@kernel
def _climb(climb: Queue, top: int, spills: Queue, level: Surface, open_: Surface, number: Numbers, steps: Steps) -> int:
    """As `_climb_all`; `spills` begins with the cells from which the ground falls to cells not settled: how many."""
    numbered, count = number.size > 0, _U(0)
    head, tail = _U(0), _U(top)
    while head < tail:
        cell = _U(climb[head])
        head += _U(1)
        here, falls = level[cell], False
        for k in range(8):
            other = cell + steps[k]
            height = open_[other]
            if height >= here:
                open_[other] = np.nan
                if numbered:
                    number[other] = number[cell]
                climb[tail] = other
                tail += _U(1)
            falls |= height < here
        spills[count] = cell
        count += _U(falls)
    return int(count)


@kernel
def _falls_in_row(filled: Surface, unsettled: Surface, i: int, falls: Flags) -> None:
    """Which cells of a row are settled and have a lower neighbour that is not."""
    rows, cols = filled.shape
    first, last = max(i - 1, 0), min(i + 1, rows - 1)
    falls[:] = False
    for a in range(first, last + 1):
        for shift in range(-1, 2):
            west, east = max(-shift, 0), cols - max(shift, 0)
            here, there, found = filled[i, west:east], unsettled[a, west + shift : east + shift], falls[west:east]
            for j in range(here.size):
                found[j] |= there[j] < here[j]
    for j in range(cols):
        falls[j] &= np.isnan(unsettled[i, j])


@kernel
def _falls(cell: Any, level: Surface, open_: Surface, steps: Steps) -> bool:
    """True where a neighbour of a settled cell within the array is lower and not settled."""
    falls = False
    for k in range(8):
        falls |= open_[cell + steps[k]] < level[cell]
    return falls


@kernel
def _fill_from(cell: int, level: Surface, open_: Surface, number: Numbers, rows: int, cols: int, climb: Queue, pit: Queue) -> int:
    """Fill what lies lower than `cell`, which spills into it, up to its level; put what rises from there into `climb`."""
    steps = ring_steps(cols)
    here, numbered = level[cell], number.size > 0
    head, tail, top = _U(0), _U(1), _U(0)
    pit[0] = cell
    inner = False  # the first cell may lie at the edge; those that are filled do not
    while head < tail:
        at = _U(pit[head])
        head += _U(1)
        for k in range(8):
            if not (inner or within(cell, k, rows, cols)):
                continue
            other = at + steps[k]
            height = open_[other]
            if not np.isnan(height):
                open_[other] = np.nan
                if numbered:
                    number[other] = number[cell]
                if height <= here:
                    level[other] = here
                    pit[tail] = other
                    tail += _U(1)
                else:
                    climb[top] = other
                    top += _U(1)
        inner = True
    return int(top)


@kernel
def push(levels: Surface, cells: Cells, size: int, level: float, cell: Any) -> None:
    """Put a cell at a level into a binary heap that holds `size` cells."""
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if not level < levels[above]:
            break
        levels[at], cells[at] = levels[above], cells[above]
        at = above
    levels[at], cells[at] = level, cell


@kernel
def pop(levels: Surface, cells: Cells, size: int) -> int:
    """Take the lowest cell out of a binary heap that holds `size` cells."""
    top, level, cell = cells[0], levels[size - 1], cells[size - 1]
    at, below = 0, 1
    while below < size - 1:
        if below + 1 < size - 1 and levels[below + 1] < levels[below]:
            below += 1
        if not levels[below] < level:
            break
        levels[at], cells[at] = levels[below], cells[below]
        at, below = below, 2 * below + 1
    levels[at], cells[at] = level, cell
    return int(top)
