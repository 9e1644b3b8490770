"""One number per cell from many points, the same to the last bit whatever the threads.

Means: each thread has rows of cells of its own and looks at all points. Extremes and counts, which know no order: each has
points of its own and all cells, put together in the end, unless there are more cells than points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import in_bands, kernel, threads
from hazardgeo.tiles.points import place_of

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Place = tuple[tuple[float, float], tuple[int, int], tuple[float, float]]
EVERY = np.empty(0, bool)  # the mask of all points
_BAND_POINTS = 1 << 20
_MOST_BANDS = 4  # each looks at all points


def gridded(xyz: Floats, values: Floats, grid: Grid, how: str, counts: Mask = EVERY) -> Floats:
    """The "lowest", "highest" or "mean" of the values of the points in each cell, NaN in cells without; sums in their order.

    Points that do not count are left out; all others must lie in cells of the grid.
    """
    if how != "mean" and _is_dense(grid, len(xyz)):
        return _extremes(xyz, values, grid, 1.0 if how == "lowest" else -1.0, counts)
    out = np.full(grid.shape, np.nan)
    if how == "mean":
        number = np.zeros(grid.shape, np.int64)
        _by_rows(grid, lambda first, last: _mean(xyz, values, counts, place_of(grid), out, number, first, last))
    else:
        sign = 1.0 if how == "lowest" else -1.0
        _by_rows(grid, lambda first, last: _extreme(xyz, values, counts, place_of(grid), sign, out, first, last))
    return out


def numbers(xyz: Floats, grid: Grid, counts: Mask = EVERY) -> NDArray[np.int64]:
    """How many points lie in each cell."""
    if _is_dense(grid, len(xyz)):
        place, shape = place_of(grid), grid.shape
        parts = in_bands(
            lambda first, last: _number_part(xyz, counts, place, shape, first, last), len(xyz), band_rows=_share(xyz)
        )
        return np.asarray(np.sum(parts, axis=0, dtype=np.int64))
    out = np.zeros(grid.shape, np.int64)
    _by_rows(grid, lambda first, last: _number(xyz, counts, place_of(grid), out, first, last))
    return out


def extent(xyz: Floats) -> tuple[tuple[float, float, float, float], int]:
    """(west, south, east, north) of points, and how many have coordinates that are not finite. Infinite without any."""
    parts = in_bands(lambda first, last: _extent(xyz, first, last), len(xyz), band_rows=_BAND_POINTS)
    west, south = (min((part[k] for part in parts), default=np.inf) for k in (0, 1))
    east, north = (max((part[k] for part in parts), default=-np.inf) for k in (2, 3))
    return (west, south, east, north), sum(int(part[4]) for part in parts)


def _is_dense(grid: Grid, points: int) -> bool:
    return grid.shape[0] * grid.shape[1] <= points


def _share(xyz: Floats) -> int:
    """How many points each of the threads gets."""
    return max(1, -(-len(xyz) // min(threads(), _MOST_BANDS)))


def _extremes(xyz: Floats, values: Floats, grid: Grid, sign: float, counts: Mask) -> Floats:
    """The lowest (sign 1) or the highest (-1) of each cell."""
    place, shape = place_of(grid), grid.shape

    def part(first: int, last: int) -> Floats:
        return _extreme_part(xyz, values, counts, place, shape, sign, first, last)

    least, *others = in_bands(part, len(xyz), band_rows=_share(xyz))
    for other in others:
        np.minimum(least, other, out=least)
    in_bands(lambda first, last: _signed(least, sign, first, last), len(least))
    return least


def _by_rows(grid: Grid, work: Any) -> None:
    rows = grid.shape[0]
    in_bands(work, rows, band_rows=max(1, -(-rows // min(threads(), _MOST_BANDS))))


@kernel
def _extent(xyz: Floats, first: int, last: int) -> tuple[float, float, float, float, int]:
    west, south, east, north = np.inf, np.inf, -np.inf, -np.inf
    broken = 0
    for k in range(first, last):
        x, y, z = xyz[k, 0], xyz[k, 1], xyz[k, 2]
        if not abs(x) + abs(y) + abs(z) < np.inf:
            broken += 1
            continue
        west, south, east, north = min(west, x), min(south, y), max(east, x), max(north, y)
    return west, south, east, north, broken


@kernel
def _extreme_part(
    xyz: Floats, values: Floats, counts: Mask, place: Place, shape: tuple[int, int], sign: float, first: int, last: int
) -> Floats:
    """The least of the values times their sign in each cell, of some of the points; infinite without."""
    cell, origin, shift = place
    out = np.full(shape, np.inf)
    for k in range(first, last):
        if len(counts) > 0 and not counts[k]:
            continue
        row = int(np.floor(-xyz[k, 1] / cell[1] - shift[0])) - origin[0]
        col = int(np.floor(xyz[k, 0] / cell[0] - shift[1])) - origin[1]
        value, least = sign * values[k], out[row, col]
        out[row, col] = value if value < least else least  # no branch: it would be guessed wrong a third of the time
    return out


@kernel
def _signed(least: Floats, sign: float, first: int, last: int) -> None:
    for row in range(first, last):
        for col in range(least.shape[1]):
            least[row, col] = sign * least[row, col] if least[row, col] < np.inf else np.nan


@kernel
def _number_part(xyz: Floats, counts: Mask, place: Place, shape: tuple[int, int], first: int, last: int) -> NDArray[np.int32]:
    cell, origin, shift = place
    out = np.zeros(shape, np.int32)
    for k in range(first, last):
        if len(counts) > 0 and not counts[k]:
            continue
        row = int(np.floor(-xyz[k, 1] / cell[1] - shift[0])) - origin[0]
        out[row, int(np.floor(xyz[k, 0] / cell[0] - shift[1])) - origin[1]] += 1
    return out


@kernel
def _extreme(xyz: Floats, values: Floats, counts: Mask, place: Place, sign: float, out: Floats, first: int, last: int) -> None:
    cell, origin, shift = place
    for k in range(len(xyz)):
        row = int(np.floor(-xyz[k, 1] / cell[1] - shift[0])) - origin[0]
        if row < first or row >= last or (len(counts) > 0 and not counts[k]):
            continue
        col = int(np.floor(xyz[k, 0] / cell[0] - shift[1])) - origin[1]
        if not sign * out[row, col] <= sign * values[k]:
            out[row, col] = values[k]


@kernel
def _mean(
    xyz: Floats, values: Floats, counts: Mask, place: Place, out: Floats, number: NDArray[np.int64], first: int, last: int
) -> None:
    cell, origin, shift = place
    out[first:last] = 0.0
    for k in range(len(xyz)):
        row = int(np.floor(-xyz[k, 1] / cell[1] - shift[0])) - origin[0]
        if row < first or row >= last or (len(counts) > 0 and not counts[k]):
            continue
        col = int(np.floor(xyz[k, 0] / cell[0] - shift[1])) - origin[1]
        out[row, col] += values[k]
        number[row, col] += 1
    for row in range(first, last):
        for col in range(out.shape[1]):
            out[row, col] = out[row, col] / number[row, col] if number[row, col] > 0 else np.nan


@kernel
def _number(xyz: Floats, counts: Mask, place: Place, out: NDArray[np.int64], first: int, last: int) -> None:
    cell, origin, shift = place
    for k in range(len(xyz)):
        row = int(np.floor(-xyz[k, 1] / cell[1] - shift[0])) - origin[0]
        if row < first or row >= last or (len(counts) > 0 and not counts[k]):
            continue
        out[row, int(np.floor(xyz[k, 0] / cell[0] - shift[1])) - origin[1]] += 1
