"""Points sorted by cells, so that those near a place lie together in memory: no tree, and no array of all cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import in_bands, kernel

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
REACH = 2  # cells from that of a point to those of its neighbours: a cell is half a radius wide
BAND_ROWS = 32  # rows of cells that a thread works on at a time
_BAND_POINTS = 1 << 18
_SPARSE = 4  # more rows than so many times the points are numbered by those that hold points
_FEW = 48  # points that are sorted by insertion
_SCANNED = 128  # candidates that are all looked at, whatever their height
_TALL = 4.0  # radii: where points lie on top of each other by more, they are searched by height


@dataclass(frozen=True, slots=True, eq=False)
class SortedCells:
    """Points in the order of square cells, rows from the south and columns from the west, and in a cell from below.

    Only cells that hold points are listed, so that a cloud of any shape takes memory by its points. Points of a cell at
    the same height are ordered from the west, then from the south: the order says nothing of how the points came.
    Cells have their edges at multiples of `cell_m`.
    """

    xyz: Floats  # (n, 3), sorted
    order: Whole  # of each sorted point, its number in the cloud
    cell_m: float
    rows: Whole  # numbers of the rows that hold points
    first_cell: Whole  # of each row, and the end
    cols: Whole  # number of the column of each cell
    first_point: Whole  # of each cell, and the end

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What kernels take."""
        return self.xyz, self.rows, self.first_cell, self.cols, self.first_point


def sorted_cells(xyz: Floats, cell_m: float) -> SortedCells:
    """The points sorted by cells of `cell_m`. Coordinates must be finite."""
    number = len(xyz)
    rows, cols = np.empty(number, np.int64), np.empty(number, np.int64)
    in_bands(lambda first, last: _numbered(xyz, cell_m, rows, cols, first, last), number, band_rows=_BAND_POINTS)
    present, ranks = _ranked(rows)
    order, start = _by_rank(ranks, len(present))
    ordered, cells = np.empty_like(xyz), np.zeros(len(present) + 1, np.int64)
    bands = {"rows": len(present), "band_rows": BAND_ROWS}
    in_bands(lambda first, last: _sort_rows(xyz, cols, order, start, ordered, cells, first, last), **bands)
    held = cells[1:] > 0
    first_cell = np.cumsum(cells)
    cell_cols, first_point = np.empty(first_cell[-1], np.int64), np.empty(first_cell[-1] + 1, np.int64)
    first_point[-1] = number
    in_bands(lambda first, last: _list_cells(cols, order, start, first_cell, cell_cols, first_point, first, last), **bands)
    first_cell = np.append(first_cell[:-1][held], first_cell[-1])
    return SortedCells(ordered, order, cell_m, present[held], first_cell, cell_cols, first_point)


def _ranked(rows: Whole) -> tuple[Whole, Whole]:
    """Numbers of rows from the first to the last, or of those with points where most have none, and each point's among them."""
    if not len(rows):
        return rows, rows
    low, high = int(rows.min()), int(rows.max())
    if high - low < _SPARSE * len(rows):
        return np.arange(low, high + 1), rows - low
    present, ranks = np.unique(rows, return_inverse=True)
    return present, ranks.reshape(-1)


@kernel
def _numbered(xyz: Floats, cell_m: float, rows: Whole, cols: Whole, first: int, last: int) -> None:
    for k in range(first, last):
        rows[k] = int(np.floor(xyz[k, 1] / cell_m))
        cols[k] = int(np.floor(xyz[k, 0] / cell_m))


@kernel
def _by_rank(ranks: Whole, number: int) -> tuple[Whole, Whole]:
    """The points rank after rank, and where each rank begins."""
    start = np.zeros(number + 1, np.int64)
    for k in range(len(ranks)):
        start[ranks[k] + 1] += 1
    for rank in range(number):
        start[rank + 1] += start[rank]
    place, order = start[:-1].copy(), np.empty(len(ranks), np.int64)
    for k in range(len(ranks)):
        order[place[ranks[k]]] = k
        place[ranks[k]] += 1
    return order, start


@kernel
def _sort_rows(
    xyz: Floats, cols: Whole, order: Whole, start: Whole, ordered: Floats, cells: Whole, first: int, last: int
) -> None:
    """Sort each row by column, height, east and north; count its cells."""
    for row in range(first, last):
        begin, end = start[row], start[row + 1]
        if begin == end:
            continue
        _sort_by_column(cols, order[begin:end])
        cell = begin
        for k in range(begin, end):
            if k + 1 == end or cols[order[k + 1]] != cols[order[k]]:
                _sort_by_height(xyz, order[cell : k + 1])
                cells[row + 1] += 1
                cell = k + 1
        for k in range(begin, end):
            for axis in range(3):
                ordered[k, axis] = xyz[order[k], axis]


@kernel
def _sort_by_column(cols: Whole, order: Whole) -> None:
    number = len(order)
    low, high = cols[order[0]], cols[order[0]]
    for k in range(number):
        low, high = min(low, cols[order[k]]), max(high, cols[order[k]])
    before = order.copy()
    if high - low > 4 * number + 64:
        turn = np.argsort(cols[before], kind="mergesort")
        for k in range(number):
            order[k] = before[turn[k]]
        return
    place = np.zeros(high - low + 2, np.int64)
    for k in range(number):
        place[cols[before[k]] - low + 1] += 1
    for col in range(high - low + 1):
        place[col + 1] += place[col]
    for k in range(number):
        col = cols[before[k]] - low
        order[place[col]] = before[k]
        place[col] += 1


@kernel
def _sort_by_height(xyz: Floats, order: Whole) -> None:
    number = len(order)
    if number > _FEW:
        for axis in (1, 0, 2):  # the last counts most
            before = order.copy()
            turn = np.argsort(xyz[before, axis], kind="mergesort")
            for k in range(number):
                order[k] = before[turn[k]]
        return
    for k in range(1, number):
        taken = order[k]
        x, y, z = xyz[taken, 0], xyz[taken, 1], xyz[taken, 2]
        place = k
        while place > 0:
            other = order[place - 1]
            if xyz[other, 2] < z or (xyz[other, 2] == z and (xyz[other, 0] < x or (xyz[other, 0] == x and xyz[other, 1] <= y))):
                break
            order[place] = other
            place -= 1
        order[place] = taken


@kernel
def _list_cells(
    cols: Whole, order: Whole, start: Whole, first_cell: Whole, cell_cols: Whole, first_point: Whole, first: int, last: int
) -> None:
    for row in range(first, last):
        cell = first_cell[row]
        for k in range(start[row], start[row + 1]):
            if k == start[row] or cols[order[k]] != cols[order[k - 1]]:
                cell_cols[cell], first_point[cell] = cols[order[k]], k
                cell += 1


@kernel
def rows_near(rows: Whole, first_cell: Whole, row: int, spans: Whole) -> int:
    """Fill `spans` with the cells of the rows within reach of a row, (first, end) each, and return how many rows there are."""
    count = 0
    for other in range(max(row - REACH, 0), min(row + REACH + 1, len(rows))):
        if abs(rows[other] - rows[row]) <= REACH:
            spans[count, 0], spans[count, 1] = first_cell[other], first_cell[other + 1]
            count += 1
    return count


@kernel
def move_to(cols: Whole, col: int, spans: Whole, count: int, window: Whole) -> None:
    """Move the `window`, (first, end) for each row, to the cells within reach of a column. Columns must not decrease."""
    for k in range(count):
        while window[k, 0] < spans[k, 1] and cols[window[k, 0]] < col - REACH:
            window[k, 0] += 1
        window[k, 1] = max(window[k, 1], window[k, 0])
        while window[k, 1] < spans[k, 1] and cols[window[k, 1]] <= col + REACH:
            window[k, 1] += 1


@kernel
def points_in(first_point: Whole, window: Whole, count: int) -> int:
    """How many points lie in the cells of the window."""
    total = 0
    for k in range(count):
        total += first_point[window[k, 1]] - first_point[window[k, 0]]
    return total


@kernel
def is_tall(xyz: Floats, first_point: Whole, window: Whole, count: int, radius: float) -> bool:
    """Whether so many points lie above each other in the window that they are better searched by height."""
    if points_in(first_point, window, count) <= _SCANNED:
        return False
    for k in range(count):
        for cell in range(window[k, 0], window[k, 1]):
            if xyz[first_point[cell + 1] - 1, 2] - xyz[first_point[cell], 2] > _TALL * radius:
                return True
    return False


@kernel
def gather(xyz: Floats, first_point: Whole, window: Whole, count: int, near: Floats) -> int:
    """Copy the points in the window to the head of `near`, and return how many they are."""
    found = 0
    for k in range(count):
        for point in range(first_point[window[k, 0]], first_point[window[k, 1]]):
            near[found, 0], near[found, 1], near[found, 2] = xyz[point, 0], xyz[point, 1], xyz[point, 2]
            found += 1
    return found


@kernel
def gather_between(xyz: Floats, first_point: Whole, window: Whole, count: int, low: float, high: float, near: Floats) -> int:
    """As `gather`, of the points from the height `low` to the height `high`."""
    found = 0
    for k in range(count):
        for cell in range(window[k, 0], window[k, 1]):
            begin, end = first_point[cell], first_point[cell + 1]
            if xyz[end - 1, 2] < low or xyz[begin, 2] > high:
                continue
            point = _first_from(xyz, begin, end, low)
            while point < end and xyz[point, 2] <= high:
                near[found, 0], near[found, 1], near[found, 2] = xyz[point, 0], xyz[point, 1], xyz[point, 2]
                found += 1
                point += 1
    return found


@kernel
def _first_from(xyz: Floats, begin: int, end: int, height: float) -> int:
    """The first of sorted points that is at a height or above it."""
    while begin < end:
        middle = (begin + end) // 2
        if xyz[middle, 2] < height:
            begin = middle + 1
        else:
            end = middle
    return begin


@kernel
def count_near(xyz: Floats, point: int, begin: int, end: int, radius: float, enough: int) -> int:
    """How many points from `begin` to `end`, of one cell, lie within the radius of a point, counted until there are enough."""
    x, y, z = xyz[point, 0], xyz[point, 1], xyz[point, 2]
    found = 0
    for other in range(_first_from(xyz, begin, end, z - radius), end):
        if xyz[other, 2] > z + radius or found >= enough:
            break
        a, b, c = xyz[other, 0] - x, xyz[other, 1] - y, xyz[other, 2] - z
        found += a * a + b * b + c * c <= radius * radius
    return found
