"""How water drains from cell to cell, on plain arrays: outlets, the flood that fills depressions, and what gathers below."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel
from hazardgeo.raster import UNKNOWN_CLASS, ClassLabel

Surface = NDArray[Any]
Flags = NDArray[np.bool_]
Ways = NDArray[np.int8]
Cells = NDArray[np.int64]
Steps = NDArray[np.int32]
FLOOD = "priority flood, Barnes et al. (2014), Computers & Geosciences 62:117-127, doi:10.1016/j.cageo.2013.04.024"
D8 = f"D8 after {FLOOD}"
LOWER_BOUND = (
    "a lower bound in and below cells that lie at the edge or beside unknown cells: what drains in from there is not known"
)

FAR = np.iinfo(np.int32).max

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


@kernel
def beside(unknown: Flags) -> Flags:
    """True where water may leave or come in unseen: known cells at the edge of the array or beside an unknown cell."""
    rows, cols = unknown.shape
    found = np.zeros((rows, cols), np.bool_)
    for i in range(rows):
        for j in range(cols):
            if unknown[i, j]:
                continue
            for k in range(8):
                a, b = i + ROW[k], j + COL[k]
                if a < 0 or b < 0 or a >= rows or b >= cols or unknown[a, b]:
                    found[i, j] = True
    return found


@kernel
def flood(z: Surface, seeds: Flags) -> tuple[Surface, Cells, Ways]:
    """The filled surface, the known cells in the order the flood reached them, and the side it came from.

    The flood starts from all `seeds` (known cells) and always goes on from its lowest cell; of equal cells the first
    reached comes first. Sides are positions in the ring of neighbours, -1 at seeds. Negative zeros become zeros, so that
    equal surfaces have equal bytes. Cells that no seed reaches stay as they are.
    """
    rows, cols = z.shape
    filled = z + 0.0
    level = filled.reshape(-1)
    origin = np.full((rows, cols), -1, np.int8)
    reached = np.zeros((rows, cols), np.bool_)
    turn = np.zeros(rows * cols, np.int64)
    heap = np.empty(rows * cols, np.int64)
    order = np.empty(rows * cols, np.int64)
    size = count = turns = 0
    for i in range(rows):
        for j in range(cols):
            if seeds[i, j]:
                reached[i, j] = True
                turn[i * cols + j] = turns
                turns += 1
                _push(heap, size, i * cols + j, level, turn)
                size += 1
    while size > 0:
        cell = _pop(heap, size, level, turn)
        size -= 1
        order[count] = cell
        count += 1
        for k in range(8):
            i, j = cell // cols + ROW[k], cell % cols + COL[k]
            if i < 0 or j < 0 or i >= rows or j >= cols or reached[i, j] or np.isnan(z[i, j]):
                continue
            reached[i, j] = True
            filled[i, j] = max(filled[i, j], level[cell])
            origin[i, j] = (k + 4) % 8
            turn[i * cols + j] = turns
            turns += 1
            _push(heap, size, i * cols + j, level, turn)
            size += 1
    return filled, order[:count], origin


@kernel
def _before(a: int, b: int, level: NDArray[Any], turn: NDArray[Any]) -> bool:
    return bool(level[a] < level[b] or (level[a] == level[b] and turn[a] < turn[b]))


@kernel
def _push(heap: NDArray[Any], size: int, cell: int, level: NDArray[Any], turn: NDArray[Any]) -> None:
    """Put `cell` into a binary heap that holds `size` cells."""
    at = size
    while at > 0:
        above = (at - 1) // 2
        if not _before(cell, heap[above], level, turn):
            break
        heap[at] = heap[above]
        at = above
    heap[at] = cell


@kernel
def _pop(heap: NDArray[Any], size: int, level: NDArray[Any], turn: NDArray[Any]) -> int:
    """Take the lowest cell out of a binary heap that holds `size` cells."""
    top, last = heap[0], heap[size - 1]
    at, below = 0, 1
    while below < size - 1:
        if below + 1 < size - 1 and _before(heap[below + 1], heap[below], level, turn):
            below += 1
        if not _before(heap[below], last, level, turn):
            break
        heap[at] = heap[below]
        at, below = below, 2 * below + 1
    heap[at] = last
    return int(top)


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


@kernel
def directions(filled: Surface, steps: Steps, width: float, height: float) -> Ways:
    """Position in the ring of neighbours that each cell drains to: steepest down, on flats to fewer steps, -1 at outlets."""
    rows, cols = filled.shape
    towards = np.full((rows, cols), -1, np.int8)
    for i in range(rows):
        for j in range(cols):
            steepest = 0.0
            for k in range(8):
                a, b = i + ROW[k], j + COL[k]
                if a < 0 or b < 0 or a >= rows or b >= cols or np.isnan(filled[a, b]):
                    continue
                drop = (filled[i, j] - filled[a, b]) / math.hypot(ROW[k] * height, COL[k] * width)
                nearer = filled[a, b] == filled[i, j] and steps[a, b] < steps[i, j]
                if drop > steepest:
                    steepest, towards[i, j] = drop, k
                elif nearer and towards[i, j] < 0:
                    towards[i, j] = k
    return towards
