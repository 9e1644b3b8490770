"""Points in rows of cells: what lies around a place is found by two look-ups for each row, and no tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.kernel import in_bands, kernel

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Layout = tuple[Floats, Floats, Floats, float, int, Whole, Whole, Whole, Floats, Floats]
Triple = tuple[float, float, float]
_MOST_CELLS_PER_POINT, _ALWAYS_FINE_CELLS = 100, 20_000_000
_BAND = 4096  # core points that a thread works on at a time
_ROOM = 1024  # points around a core point, at first
_FEW = 48  # points that are sorted by insertion
_HALF_DIAGONAL = 0.70711  # of a cell, rounded up


@dataclass(frozen=True, slots=True, eq=False)
class CellRows:
    """Points row after row from the south, in a row cell after cell from the west, in a cell from below.

    Cells have their edges at multiples of `cell_m`, so that they are the same for any part of a cloud. Points of a cell at
    the same height are ordered from the west, then from the south: the order says nothing of how the points came. Each
    row lists the cells from its first to its last point.
    """

    xyz: tuple[Floats, Floats, Floats]  # sorted
    order: Whole  # of each sorted point, its number in the cloud
    cell_m: float
    first_row: int
    base: Whole  # of each row: what to add to the number of a column for its place in `start`
    cols: Whole  # (rows, 2): the first column of each row, and the one after its last
    start: Whole  # of each cell, its first point, and the end
    middle: Floats  # of each cell, half-way between its lowest and highest point
    around: Floats  # of each cell, the radius of a sphere there that holds its points; negative where there are none

    @property
    def arrays(self) -> Layout:
        """What kernels take."""
        return (*self.xyz, self.cell_m, self.first_row, self.base, self.cols, self.start, self.middle, self.around)


def cell_rows(xyz: Floats, cell_m: float, counts: NDArray[np.bool_], around: tuple[float, float, float, float]) -> CellRows:
    """The points that count and lie within `around` (west, south, east, north), sorted. Coordinates must be finite.

    Raises InputError where so few points lie so far apart that the list of cells would be mostly empty.
    """
    kept, rows, cols = _numbered(xyz, cell_m, counts, np.array(around))
    if not len(kept):
        empty = np.empty(0)
        return CellRows((empty, empty, empty), kept, cell_m, 0, kept, kept.reshape(0, 2), np.zeros(1, np.int64), empty, empty)
    first_row, height = int(rows.min()), int(rows.max() - rows.min()) + 1
    most = max(_ALWAYS_FINE_CELLS, _MOST_CELLS_PER_POINT * len(kept))
    span = _spans(rows, cols, first_row, height) if height <= most else np.empty((0, 2), np.int64)
    widths = np.maximum(span[:, 1] - span[:, 0], 0)
    if height > most or widths.sum() > most:
        raise InputError(
            f"{len(kept):,} points lie scattered over cells of {cell_m:g} m in {height:,} rows; drop stray points far from the "
            "survey, or choose larger radii."
        )
    base = np.cumsum(widths) - widths - span[:, 0]
    sorted_xyz, order, start = _sorted(xyz, kept, rows, cols, first_row, base, int(widths.sum()))
    return CellRows(sorted_xyz, order, cell_m, first_row, base, span, start, *_spheres(sorted_xyz[2], start, cell_m))


@kernel
def _numbered(
    xyz: Floats, cell_m: float, counts: NDArray[np.bool_], around: Floats
) -> tuple[Whole, NDArray[np.int32], NDArray[np.int32]]:
    """The points that count and lie within bounds, and their rows and columns."""
    west, south, east, north = around
    kept, rows, cols = np.empty(len(xyz), np.int64), np.empty(len(xyz), np.int32), np.empty(len(xyz), np.int32)
    number = 0
    for k in range(len(xyz)):
        x, y = xyz[k, 0], xyz[k, 1]
        if counts[k] and west <= x <= east and south <= y <= north:
            kept[number] = k
            rows[number], cols[number] = np.int32(np.floor(y / cell_m)), np.int32(np.floor(x / cell_m))
            number += 1
    return kept[:number], rows[:number], cols[:number]


@kernel
def _spans(rows: NDArray[np.int32], cols: NDArray[np.int32], first_row: int, height: int) -> Whole:
    """Of each row, the first column with a point and the one after the last; 0, 0 where there is none."""
    spans = np.zeros((height, 2), np.int64)
    for k in range(len(rows)):
        row, col = np.int64(rows[k]) - first_row, np.int64(cols[k])
        if spans[row, 0] == spans[row, 1]:
            spans[row, 0], spans[row, 1] = col, col + 1
        else:
            spans[row, 0], spans[row, 1] = min(spans[row, 0], col), max(spans[row, 1], col + 1)
    return spans


@kernel
def _sorted(
    xyz: Floats, kept: Whole, rows: NDArray[np.int32], cols: NDArray[np.int32], first_row: int, base: Whole, cells: int
) -> tuple[tuple[Floats, Floats, Floats], Whole, Whole]:
    number = len(kept)
    start = np.zeros(cells + 2, np.int64)
    for k in range(number):
        start[base[rows[k] - first_row] + cols[k] + 2] += 1
    for cell in range(cells + 1):
        start[cell + 1] += start[cell]
    order = np.empty(number, np.int64)
    for k in range(number):  # coordinates later: so many streams of writes at once would be slow
        cell = base[rows[k] - first_row] + cols[k] + 1
        order[start[cell]] = kept[k]
        start[cell] += 1
    x, y, z = np.empty(number), np.empty(number), np.empty(number)
    for k in range(number):
        x[k], y[k], z[k] = xyz[order[k], 0], xyz[order[k], 1], xyz[order[k], 2]
    for cell in range(cells):
        if start[cell + 1] - start[cell] > 1:
            _sort_cell(x, y, z, order, start[cell], start[cell + 1])
    return (x, y, z), order, start[: cells + 1]


@kernel
def _sort_cell(x: Floats, y: Floats, z: Floats, order: Whole, begin: int, end: int) -> None:
    """Sort the points of a cell by height, east and north."""
    if end - begin > _FEW:
        for axis in (1, 0, 2):  # the last counts most
            turn = np.argsort((x, y, z)[axis][begin:end], kind="mergesort")
            for values in (x, y, z):
                values[begin:end] = values[begin:end][turn]
            order[begin:end] = order[begin:end][turn]
        return
    for k in range(begin + 1, end):
        a, b, c, taken = x[k], y[k], z[k], order[k]
        place = k
        while place > begin and _after(x[place - 1], y[place - 1], z[place - 1], a, b, c):
            x[place], y[place], z[place], order[place] = x[place - 1], y[place - 1], z[place - 1], order[place - 1]
            place -= 1
        x[place], y[place], z[place], order[place] = a, b, c, taken


@kernel
def _after(x: float, y: float, z: float, a: float, b: float, c: float) -> bool:
    """Whether a point comes after another: it lies higher, or as high and farther east, or farther north."""
    return z > c or (z == c and (x > a or (x == a and y > b)))


@kernel
def _spheres(z: Floats, start: Whole, cell_m: float) -> tuple[Floats, Floats]:
    """A sphere around the points of each cell: its height, and its radius."""
    middle, around = np.zeros(len(start) - 1), np.full(len(start) - 1, -np.inf)
    for cell in range(len(start) - 1):
        if start[cell] < start[cell + 1]:
            low, high = z[start[cell]], z[start[cell + 1] - 1]
            middle[cell], around[cell] = 0.5 * (low + high), _HALF_DIAGONAL * cell_m + 0.5 * (high - low)
    return middle, around


@kernel
def run_in_row(cell_m: float, first: int, end: int, west: float, east: float) -> tuple[int, int]:
    """The columns from that of one coordinate to that of another, first and end, of those that a row has."""
    low, high = max(int(np.floor(west / cell_m)), first), min(int(np.floor(east / cell_m)) + 1, end)
    return (low, high) if low < high else (first, first)


@kernel
def between_heights(z: Floats, begin: int, end: int, low: float, high: float) -> tuple[int, int]:
    """The points of a cell from one height to another: first and end."""
    begin = _first_from(z, begin, end, low)
    return begin, _first_from(z, begin, end, np.nextafter(high, np.inf))


@kernel
def _first_from(z: Floats, begin: int, end: int, height: float) -> int:
    """The first of the points of a cell that is at a height or above it."""
    while begin < end:
        middle = (begin + end) // 2
        if z[middle] < height:
            begin = middle + 1
        else:
            end = middle
    return begin


def over_cores(work: Callable[[int, int, int], tuple[int, int]], number: int) -> None:
    """Call `work(first, last, room)` for all core points, side by side.

    It returns the first core point that it has not done, and the room that it needs for what lies around that.
    """

    def done(first: int, last: int) -> None:
        room = _ROOM
        while first < last:
            first, room = work(first, last, room)

    in_bands(done, number, band_rows=_BAND)
