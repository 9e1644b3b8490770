"""Ground that an opening takes for objects, and gets back: what continues a plane of the ground, and whole ridges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import in_bands, kernel

Mask = NDArray[np.bool_]
Surface = NDArray[np.float32]

OBJECT, RIDGE, BARE = 0, 1, 2  # what the opening says of the lowest point of a cell
_REACH_M = 3.0  # half the window of a plane: nine points at 0.2 per m2, and a terrace of 5 m still holds one
_ROUNDS = 8  # so far may ground grow: as many times the reach, about a window
_PLANE_POINTS = 4
_PLANE_RMS_M = 0.3  # rougher is no plane
_OFF_PLANE_M = 0.4
_THINNEST = 0.1  # points of a plane must not lie along a line: least determinant of their spread, of a circle 1
_RIDGE_BOX_M = 4.0
_RIDGE_SHARE = 0.3


def regrown(kind: Surface, points: Surface, cell_m: float) -> Mask:
    """Cells whose lowest point is ground. Needs a halo of `regrowth_halo(cell_m)` cells.

    `kind` is OBJECT, RIDGE or BARE for each cell, NaN without a point that counts; `points` holds three surfaces: the
    elevation of the point, and its place east and north of the centre of the cell.
    """
    ground = kind == BARE
    _grow(ground, kind >= 0, points, cell_m, _reach(cell_m))
    return np.asarray(ground | _ridges((kind == RIDGE) & ~ground, kind >= 0, round(_RIDGE_BOX_M / cell_m)))


def regrowth_halo(cell_m: float) -> int:
    """How many cells around a cell decide whether the ground grows there."""
    return 2 * _ROUNDS * _reach(cell_m) + round(_RIDGE_BOX_M / cell_m)


def _reach(cell_m: float) -> int:
    return max(1, round(_REACH_M / cell_m))


def _ridges(doubtful: Mask, measured: Mask, reach: int) -> Mask:
    """Doubtful cells among their like: plants are lost one by one from ground that stays, a ridge is lost as a whole."""
    return np.asarray(doubtful & (in_box(doubtful, reach) >= _RIDGE_SHARE * in_box(measured, reach)))


def in_box(counts: NDArray[Any], reach: int) -> NDArray[np.int64]:
    """The sum over the square around each cell; of a mask, how many cells of it lie there."""
    out = np.empty(counts.shape, np.int64)
    in_bands(lambda first, last: _in_box(counts, reach, out, first, last), len(counts))
    return out


@kernel
def _in_box(counts: NDArray[Any], reach: int, out: NDArray[np.int64], first: int, last: int) -> None:
    rows, cols = counts.shape
    columns = np.zeros(cols, np.int64)
    for i in range(max(first - reach, 0), min(first + reach, rows)):
        for j in range(cols):
            columns[j] += counts[i, j]
    for i in range(first, last):
        if i + reach < rows:
            for j in range(cols):
                columns[j] += counts[i + reach, j]
        total = columns[:reach].sum()
        for j in range(cols):
            if j + reach < cols:
                total += columns[j + reach]
            out[i, j] = total
            if j >= reach:
                total -= columns[j - reach]
        if i >= reach:
            for j in range(cols):
                columns[j] -= counts[i - reach, j]


def _grow(ground: Mask, measured: Mask, points: Surface, cell_m: float, reach: int) -> None:
    """Add measured cells that continue the plane of a window around them or beside them, some rounds, all at once in each.

    A window is looked at again only after it has gained ground.
    """
    gained = np.ones(ground.shape, np.int8)  # the round in which a window did last, and one more
    waiting, near = measured & ~ground, np.ascontiguousarray(np.moveaxis(points, 0, 2))
    on = np.concatenate([ground[..., None], np.where(ground[..., None], near, 0)], axis=2, dtype=np.float32)
    for turn in range(1, _ROUNDS + 1):

        def continuing(first: int, last: int, turn: int = turn) -> NDArray[np.int64]:
            return _continuing(waiting, near, on, gained, turn, cell_m, reach, first, last)

        found = np.concatenate(in_bands(continuing, len(ground)))
        if not len(found):
            return
        ground[tuple(found.T)], waiting[tuple(found.T)] = True, False
        _add(found, near, on, gained, turn + 1, reach)


@kernel
def _add(found: NDArray[np.int64], points: Surface, on: Surface, gained: NDArray[np.int8], turn: int, reach: int) -> None:
    for i, j in found:
        on[i, j, 0] = 1.0
        on[i, j, 1:] = points[i, j]
        gained[max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1] = turn


@kernel
def _continuing(
    waiting: Mask,
    points: Surface,
    on: Surface,
    gained: NDArray[np.int8],
    turn: int,
    cell_m: float,
    reach: int,
    first: int,
    last: int,
) -> NDArray[np.int64]:
    """Waiting cells of the rows from `first` to before `last` that continue a plane of the ground.

    `on` holds for each cell 1 and its point where that is ground, else zeros.
    """
    cols = waiting.shape[1]
    fitted, planes = np.full((2 * reach + 1, cols), -1), np.empty((2 * reach + 1, cols, 3))  # of the last rows, in turn
    found = np.empty((64, 2), np.int64)
    number = 0
    for i in range(first, last):
        for j in range(cols):
            if waiting[i, j]:  # noqa: SIM102 - told apart, the first costs nothing
                if _continues(i, j, turn, points, on, gained, fitted, planes, cell_m, reach):
                    if number == len(found):
                        found = np.concatenate((found, np.empty_like(found)))
                    found[number, 0], found[number, 1] = i, j
                    number += 1
    return found[:number]


@kernel
def _continues(
    i: int,
    j: int,
    turn: int,
    points: Surface,
    on: Surface,
    gained: NDArray[np.int8],
    fitted: NDArray[np.int64],
    planes: NDArray[Any],
    cell_m: float,
    reach: int,
) -> bool:
    """Whether the point of a cell lies on one of nine planes: of the window around it and of those it lies at the edge of."""
    rows, cols = gained.shape
    for a in (-reach, 0, reach):
        for b in (-reach, 0, reach):
            row, col = i + a, j + b
            if row < 0 or row >= rows or col < 0 or col >= cols or gained[row, col] != turn:
                continue
            place = row % len(fitted)
            if fitted[place, col] != row:
                planes[place, col] = _plane(row, col, on, cell_m, reach)
                fitted[place, col] = row
            height, east, north = planes[place, col]
            off = points[i, j, 0] - height - east * (points[i, j, 1] - b * cell_m) - north * (points[i, j, 2] + a * cell_m)
            if abs(off) <= _OFF_PLANE_M:
                return True
    return False


@kernel
def _plane(row: int, col: int, on: Surface, cell_m: float, reach: int) -> tuple[float, float, float]:
    """Least-squares plane of the ground in the window: height at its centre, rise to the east and to the north; NaN if none."""
    nothing = (np.nan, np.nan, np.nan)
    n, sx, sy, sz, xx, xy, yy, xz, yz, zz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    top, bottom = max(row - reach, 0), min(row + reach + 1, on.shape[0])
    left, right = max(col - reach, 0), min(col + reach + 1, on.shape[1])
    first = _first_height(on, top, bottom, left, right)
    if np.isnan(first):
        return nothing
    for i in range(top, bottom):
        for j in range(left, right):
            here = np.float64(on[i, j, 0])  # 1 or 0: sums without a branch
            x, y = here * ((j - col) * cell_m + on[i, j, 2]), here * ((row - i) * cell_m + on[i, j, 3])
            h = here * (on[i, j, 1] - first)
            n += here
            sx, sy, sz = sx + x, sy + y, sz + h
            xx, xy, yy, xz, yz, zz = xx + x * x, xy + x * y, yy + y * y, xz + x * h, yz + y * h, zz + h * h
    if n < _PLANE_POINTS:
        return nothing
    sx, sy, sz = sx / n, sy / n, sz / n
    xx, xy, yy = xx / n - sx * sx, xy / n - sx * sy, yy / n - sy * sy
    xz, yz, zz = xz / n - sx * sz, yz / n - sy * sz, zz / n - sz * sz
    determinant = xx * yy - xy * xy
    if determinant <= _THINNEST * ((xx + yy) / 2) ** 2:
        return nothing
    east, north = (xz * yy - yz * xy) / determinant, (yz * xx - xz * xy) / determinant
    if math.sqrt(max(zz - east * xz - north * yz, 0.0) * n / (n - 3.0)) > _PLANE_RMS_M:
        return nothing
    return first + sz - east * sx - north * sy, east, north


@kernel
def _first_height(on: Surface, top: int, bottom: int, left: int, right: int) -> float:
    """The height of the first point in a window, NaN where there is none: heights less this are small numbers."""
    for i in range(top, bottom):
        for j in range(left, right):
            if on[i, j, 0] > 0:
                return float(on[i, j, 1])
    return np.nan
