"""How water drains from cell to cell, on plain arrays: outlets, ways down, over flats too, and what gathers below."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import in_bands, kernel
from hazardgeo.raster import UNKNOWN_CLASS, ClassLabel
from hazardgeo.tiles.flood import FLOOD, Cells, Flags, Surface, ring_steps

Ways = NDArray[np.int8]
Steps = NDArray[np.int32]
D8 = f"D8 after {FLOOD}"
LOWER_BOUND = (
    "a lower bound in and below cells that lie at the edge or beside unknown cells: what drains in from there is not known"
)

FAR = np.iinfo(np.int32).max
_FLAT, _NEXT, _DONE = -2, -3, 255

# The eight neighbours, clockwise from east: row step, column step; ESRI code 2 ** position
ROW = np.array([0, 1, 1, 1, 0, -1, -1, -1])
COL = np.array([1, 1, 0, -1, -1, -1, 0, 1])
DIRECTIONS = (
    ClassLabel(0, "outlet", "#ffffff"),
    ClassLabel(1, "east", "#4477aa"),
    ClassLabel(2, "south-east", "#66ccee"),
    ClassLabel(4, "south", "#228833"),
    ClassLabel(8, "south-west", "#bbcc33"),
    ClassLabel(16, "west", "#ccbb44"),
    ClassLabel(32, "north-west", "#ee6677"),
    ClassLabel(64, "north", "#aa3377"),
    ClassLabel(128, "north-east", "#777777"),
)


def beside(unknown: Flags) -> Flags:
    """True where water may leave or come in unseen: known cells at the edge of the array or beside an unknown cell."""
    found = np.empty(unknown.shape, np.bool_)
    in_bands(lambda first, last: _beside_rows(unknown, found, first, last), unknown.shape[0])
    return found


@kernel
def _beside_rows(unknown: Flags, found: Flags, first: int, last: int) -> None:
    rows, cols = unknown.shape
    for i in range(first, last):
        if i == 0 or i == rows - 1 or cols < 3:
            for j in range(cols):
                found[i, j] = not unknown[i, j]
            continue
        above, here, below = unknown[i - 1], unknown[i], unknown[i + 1]
        for j in range(1, cols - 1):
            near = above[j - 1] | above[j] | above[j + 1] | here[j - 1] | here[j + 1] | below[j - 1] | below[j] | below[j + 1]
            found[i, j] = near & (not here[j])
        found[i, 0], found[i, cols - 1] = not here[0], not here[cols - 1]


@kernel
def receivers(towards: Ways) -> Cells:
    """The cell that each cell drains to, both counted row by row; -1 where water goes nowhere or off the array."""
    rows, cols = towards.shape
    found = np.full(rows * cols, -1, np.int64)
    for i in range(rows):
        for j in range(cols):
            k = towards[i, j]
            if k >= 0:
                a, b = i + ROW[k], j + COL[k]
                if a >= 0 and b >= 0 and a < rows and b < cols:
                    found[i * cols + j] = a * cols + b
    return found


@kernel
def gather(receiver: Cells, own: Cells) -> tuple[Cells, int]:
    """What each cell has of its `own` and receives from all above it; and the first cell that lies on a cycle, else -1.

    Each cell has one `receiver`, or none (-1). Whole numbers, so that no order changes the sums. Linear in the cells.
    """
    waits = np.zeros(len(receiver), np.int32)
    for below in receiver:
        if below >= 0:
            waits[below] += 1
    total = own.copy()
    for first in range(len(receiver)):
        cell = first
        while cell >= 0 and waits[cell] == 0:
            waits[cell] = -1
            below = receiver[cell]
            if below >= 0:
                total[below] += total[cell]
                waits[below] -= 1
            cell = below
    for cell in range(len(receiver)):
        if waits[cell] > 0:
            return total, cell
    return total, -1


def codes(towards: Ways, unknown: Flags) -> NDArray[np.uint8]:
    """D8 codes: 2 ** position of the neighbour that a cell drains to, 0 where it drains to none, 255 unknown."""
    found = np.where(towards < 0, 0, 1 << np.maximum(towards, 0).astype(np.int64)).astype(np.uint8)
    found[unknown] = UNKNOWN_CLASS
    return found


@kernel
def draining(filled: Surface, out: Flags) -> Steps:
    """0 where a cell has a lower neighbour or is an outlet (`out`), FAR elsewhere."""
    rows, cols = filled.shape
    found = np.full((rows, cols), FAR, np.int32)
    for i in range(rows):
        for j in range(cols):
            if out[i, j]:
                found[i, j] = 0
                continue
            for k in range(8):
                a, b = i + ROW[k], j + COL[k]
                if a >= 0 and b >= 0 and a < rows and b < cols and filled[a, b] < filled[i, j]:
                    found[i, j] = 0
    return found


@kernel
def spread(filled: Surface, steps: Steps) -> Steps:
    """Fewest steps over cells of one level, lowered until no cell has over one more than a neighbour at its level.

    Cells that can lower a neighbour come first, from the fewest steps on, then those that they lowered: each is settled
    when its turn comes. Linear in the cells, but for the sorting of those that come first.
    """
    found = steps.copy()
    flat = found.reshape(-1)
    queue = np.empty(len(flat), np.int64)
    count = 0
    for cell in range(len(flat)):
        for k in range(8):
            if _further(filled, found, cell, k) >= 0:
                queue[count] = cell
                count += 1
                break
    first = queue[:count].copy()
    given = flat[first]
    order = np.argsort(given, kind="mergesort")
    taken = head = tail = 0
    while taken < count or head < tail:
        if head == tail or (taken < count and given[order[taken]] <= flat[queue[head]]):
            cell, as_given = first[order[taken]], given[order[taken]] == flat[first[order[taken]]]
            taken += 1
            if not as_given:  # lowered since, so that it is in the queue
                continue
        else:
            cell = queue[head]
            head += 1
        for k in range(8):
            other = _further(filled, found, cell, k)
            if other >= 0:
                flat[other] = flat[cell] + 1
                queue[tail] = other
                tail += 1
    return found


@kernel
def _further(filled: Surface, steps: Steps, cell: int, k: int) -> int:
    """The neighbour in direction `k` if it is at the level of `cell` and over one step further, else -1."""
    rows, cols = filled.shape
    i, j = cell // cols, cell % cols
    a, b = i + ROW[k], j + COL[k]
    if steps[i, j] == FAR or a < 0 or b < 0 or a >= rows or b >= cols:
        return -1
    return int(a * cols + b) if filled[a, b] == filled[i, j] and steps[a, b] > steps[i, j] + 1 else -1


def directions(filled: Surface, steps: Steps, width: float, height: float) -> Ways:
    """Position in the ring of neighbours that each cell drains to: steepest down, on flats to fewer `steps`, -1 at outlets."""
    towards = _steepest(filled, width, height)
    _to_fewer_steps(filled, steps, towards)
    return towards


def ways_down(filled: Surface, width: float, height: float) -> Ways:
    """`directions` of a whole surface, with the steps from `draining` and `spread`, which it does without.

    Cells on flats are settled in rounds, one step further from lower ground in each.
    """
    towards = _steepest(filled, width, height)
    _over_flats(filled, towards)
    return towards


def _steepest(filled: Surface, width: float, height: float) -> Ways:
    """The steepest way down from each cell; -1 at outlets and unknown cells that have none, _FLAT at others."""
    towards = np.empty(filled.shape, np.int8)
    lengths = np.array([math.hypot(row * height, col * width) for row, col in zip(ROW, COL, strict=True)])
    in_bands(lambda first, last: _steepest_rows(filled, towards, first, last, lengths), filled.shape[0])
    return towards


@kernel
def _steepest_rows(filled: Surface, towards: Ways, first: int, last: int, lengths: NDArray[np.float64]) -> None:
    """Inner cells of a row one neighbour after the other, so that the processor takes several cells at once."""
    rows, cols = filled.shape
    cells = max(cols - 2, 0)
    steepest, way, whole = np.empty(cells), np.empty(cells), np.empty(cells)
    for i in range(first, last):
        if i == 0 or i == rows - 1 or cols < 3:
            for j in range(cols):
                towards[i, j] = _steepest_at_edge(filled, i, j, lengths)
            continue
        here = filled[i, 1:-1]
        steepest[:], whole[:], way[:] = 0.0, 0.0, _FLAT
        for k in range(8):
            there, side = filled[i + ROW[k], 1 + COL[k] : cols - 1 + COL[k]], np.float64(k)
            for j in range(here.size):
                drop = (np.float64(here[j]) - np.float64(there[j])) / lengths[k]
                steeper = drop > steepest[j]
                whole[j] += drop
                way[j] = side if steeper else way[j]
                steepest[j] = drop if steeper else steepest[j]
        inner = towards[i, 1:-1]
        for j in range(here.size):
            unsure = np.isnan(whole[j])  # the cell or one beside it is unknown
            inner[j] = np.int8(-1 if unsure and way[j] < 0 else way[j])
        for j in (0, cols - 1):
            towards[i, j] = _steepest_at_edge(filled, i, j, lengths)


@kernel
def _steepest_at_edge(filled: Surface, i: int, j: int, lengths: NDArray[np.float64]) -> int:
    rows, cols = filled.shape
    steepest, way = 0.0, -1
    for k in range(8):
        a, b = i + ROW[k], j + COL[k]
        if a >= 0 and b >= 0 and a < rows and b < cols:
            drop = (np.float64(filled[i, j]) - np.float64(filled[a, b])) / lengths[k]
            if drop > steepest:
                steepest, way = drop, k
    return way


@kernel
def _to_fewer_steps(filled: Surface, steps: Steps, towards: Ways) -> None:
    """Have cells on flats drain to the first neighbour at their level that is fewer steps away."""
    rows, cols = filled.shape
    for i in range(rows):
        for j in range(cols):
            if towards[i, j] != _FLAT:
                continue
            towards[i, j] = -1
            for k in range(8):
                a, b = i + ROW[k], j + COL[k]
                if a < 0 or b < 0 or a >= rows or b >= cols or towards[i, j] >= 0:
                    continue
                if filled[a, b] == filled[i, j] and steps[a, b] < steps[i, j]:
                    towards[i, j] = k


def _over_flats(filled: Surface, towards: Ways) -> None:
    """Have cells on flats drain by the fewest steps over their level; they lie within, so that all have eight neighbours."""
    count = sum(in_bands(lambda first, last: int(np.count_nonzero(towards[first:last] == _FLAT)), len(towards)))
    cells = np.empty(count + 8, np.int64)
    _drain_flats(filled.reshape(-1), towards.reshape(-1), towards.shape[1], cells, np.empty(len(cells), np.int8))


@kernel
def _drain_flats(level: Surface, way: Ways, cols: int, cells: Cells, chosen: Ways) -> None:
    ring = ring_steps(cols)
    done, tail = np.uint64(0), np.uint64(0)
    for cell in range(len(way)):
        if way[cell] == _FLAT and _first_drained(np.uint64(cell), level, way, ring) >= 0:
            cells[tail] = cell
            tail += np.uint64(1)
    while done < tail:
        ready = tail
        for n in range(done, ready):
            chosen[n] = _first_drained(np.uint64(cells[n]), level, way, ring)
        for n in range(done, ready):
            way[cells[n]] = chosen[n]
        for n in range(done, ready):
            at = np.uint64(cells[n])
            for k in range(8):
                other = at + ring[k]
                if way[other] == _FLAT and level[other] == level[at]:
                    way[other] = _NEXT
                    cells[tail] = other
                    tail += np.uint64(1)
        done = ready


@kernel
def _first_drained(cell: Any, level: Surface, way: Ways, ring: Any) -> int:
    """The first neighbour at the same level that drains already, else -1."""
    for k in range(8):
        other = cell + ring[k]
        if way[other] > _FLAT and level[other] == level[cell]:
            return k
    return -1


def gather_down(towards: Ways, own: Flags) -> NDArray[Any]:
    """How many cells that are True in `own` drain through each cell along `ways_down`, itself included."""
    waits = np.empty(towards.shape, np.uint8)
    in_bands(lambda first, last: _donors(towards, waits, first, last), towards.shape[0])
    total = own.astype(np.int32 if own.size < np.iinfo(np.int32).max else np.int64)
    _run_down(towards, waits, total)
    return total


@kernel
def _donors(towards: Ways, waits: NDArray[np.uint8], first: int, last: int) -> None:
    """How many neighbours drain to each cell."""
    rows, cols = towards.shape
    for i in range(first, last):
        if 0 < i < rows - 1 and cols > 2:
            n, o, s = towards[i - 1], towards[i], towards[i + 1]
            for j in range(1, cols - 1):
                beside_it = np.uint8(o[j + 1] == 4) + np.uint8(o[j - 1] == 0)
                below = np.uint8(s[j + 1] == 5) + np.uint8(s[j] == 6) + np.uint8(s[j - 1] == 7)
                above = np.uint8(n[j - 1] == 1) + np.uint8(n[j] == 2) + np.uint8(n[j + 1] == 3)
                waits[i, j] = beside_it + below + above
        for j in range(cols):
            if 0 < j < cols - 1 and 0 < i < rows - 1:
                continue
            waits[i, j] = 0
            for k in range(8):
                a, b = i + ROW[k], j + COL[k]
                if a >= 0 and b >= 0 and a < rows and b < cols and towards[a, b] == (k + 4) % 8:
                    waits[i, j] += 1


@kernel
def _run_down(towards: Ways, waits: NDArray[np.uint8], total: NDArray[Any]) -> None:
    """Add up along the ways: from each cell that waits for no other, on and on to one that still does."""
    way, wait, sums = towards.reshape(-1), waits.reshape(-1), total.reshape(-1)
    ring = ring_steps(towards.shape[1])
    for first in range(len(way)):
        cell = np.uint64(first)
        while wait[cell] == 0:
            wait[cell] = _DONE
            k = way[cell]
            if k < 0:
                break
            below = cell + ring[k]
            sums[below] += sums[cell]
            wait[below] -= 1
            cell = below
