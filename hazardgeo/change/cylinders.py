"""What lies in a cylinder around each core point: number, mean and spread of the points along its axis."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hazardgeo.change.cell_rows import Floats, Layout, Triple, Whole, between_heights, run_in_row
from hazardgeo.kernel import kernel

TALL = 32  # points for each cell: where more lie above each other, they are looked up by height
_Size = tuple[float, float]  # radius and half-length
_Counts = NDArray[np.int32]


@kernel
def fill_cylinders(
    layout: Layout,
    places: Floats,
    normals: Floats,
    size: _Size,
    outputs: tuple[Floats, Floats, _Counts],
    first: int,
    last: int,
    room: int,
) -> tuple[int, int]:
    """Mean and sample standard deviation along the normal of the points in each cylinder, and how many they are.

    Returns the first core point that is not done, and the room that it needs.
    """
    mean, spread, count = outputs
    along, inside = np.empty(room), np.empty(room, np.int64)
    for core in range(first, last):
        place, normal = _row(places, core), _row(normals, core)
        if math.isnan(normal[0]):
            continue
        total = _select(layout, place, normal, size, along, inside)
        if total < 0:
            return core, -2 * total
        count[core] = total
        mean[core], spread[core] = _mean_and_spread(along, total)
    return last, room


@kernel
def weigh_cylinders(
    layout: Layout,
    errors: Floats,
    places: Floats,
    normals: Floats,
    size: _Size,
    outputs: tuple[Floats, Floats, Floats, _Counts],
    first: int,
    last: int,
    room: int,
) -> tuple[int, int]:
    """As `fill_cylinders`, of points with covariances (ee, en, eu, nn, nu, uu): means weighted by them, and their errors."""
    mean, spread, error, count = outputs
    along, inside = np.empty(room), np.empty(room, np.int64)
    for core in range(first, last):
        place, normal = _row(places, core), _row(normals, core)
        if math.isnan(normal[0]):
            continue
        total = _select(layout, place, normal, size, along, inside)
        if total < 0:
            return core, -2 * total
        count[core] = total
        spread[core] = _mean_and_spread(along, total)[1]
        if total == 0:
            continue
        weights = weighted = 0.0
        for k in range(total):
            weight = 1.0 / _along(errors[inside[k]], normal)
            weights += weight
            weighted += weight * along[k]
        mean[core], error[core] = weighted / weights, math.sqrt(1.0 / weights)
    return last, room


@kernel
def _row(values: Floats, row: int) -> Triple:
    return values[row, 0], values[row, 1], values[row, 2]


@kernel
def _along(c: Floats, n: Triple) -> float:
    """The variance along a unit vector."""
    square = c[0] * n[0] * n[0] + c[3] * n[1] * n[1] + c[5] * n[2] * n[2]
    return float(square + 2.0 * (c[1] * n[0] * n[1] + c[2] * n[0] * n[2] + c[4] * n[1] * n[2]))


@kernel
def _select(layout: Layout, place: Triple, normal: Triple, size: _Size, along: Floats, inside: Whole) -> int:
    """The points inside: their distances along the axis, and their places in the layout, behind each other; and their number.

    Where there may be more than there is room for, minus how many.
    """
    x, y, z, cell_m, first_row, base, cols, start, middle, around = layout
    (px, py, pz), (nx, ny, nz), (radius, depth) = place, normal, size
    wide, long, tall = _reach(nx, size), _reach(ny, size), _reach(nz, size)
    low, high = int(np.floor((py - long) / cell_m)) - first_row, int(np.floor((py + long) / cell_m)) - first_row
    limit, total = radius * radius, np.uint64(0)  # unsigned, else each place could count from the end, which costs a question
    for row in range(max(low, 0), min(high, len(base) - 1) + 1):
        south = (first_row + row) * cell_m - py
        west, east = _span(south, cell_m, normal, size, wide)
        a, b = run_in_row(cell_m, cols[row, 0], cols[row, 1], px + west, px + east)
        a, b = a + base[row], b + base[row]
        middle_north, shift = south + 0.5 * cell_m, (0.5 - base[row]) * cell_m - px
        while a < b and _misses(a * cell_m + shift, middle_north, middle[a] - pz, normal, size, around[a]):
            a += 1
        while a < b and _misses((b - 1) * cell_m + shift, middle_north, middle[b - 1] - pz, normal, size, around[b - 1]):
            b -= 1
        most = np.int64(total) + start[b] - start[a]
        if most > len(along):
            return -int(most)
        by_height = start[b] - start[a] > TALL * (b - a)
        for step in range(b - a if by_height else 1):
            begin, end = start[a], start[b]
            if by_height:
                begin, end = between_heights(z, start[a + step], start[a + step + 1], pz - tall, pz + tall)
            for k in range(np.uint64(begin), np.uint64(end)):  # no branch: it would be guessed wrong half the time
                east, north, up = x[k] - px, y[k] - py, z[k] - pz
                t = east * nx + north * ny + up * nz
                along[total], inside[total] = t, k
                total += np.uint64((abs(t) <= depth) & (east * east + north * north + up * up - t * t <= limit))
    return int(np.int64(total))


@kernel
def _reach(component: float, size: _Size) -> float:
    """How far a cylinder reaches along an axis on which its own has such a component."""
    return abs(component) * size[1] + size[0] * math.sqrt(max(1.0 - component * component, 0.0))


@kernel
def _span(south: float, cell_m: float, normal: Triple, size: _Size, wide: float) -> tuple[float, float]:
    """Between which easts, from the core point, the cylinder may lie in a row of cells, whose southern edge is given."""
    radius, depth = size
    low, high = -depth, depth
    if abs(normal[1]) > 1e-9:
        one, two = (south - radius) / normal[1], (south + cell_m + radius) / normal[1]
        low, high = max(low, min(one, two)), min(high, max(one, two))
    ends = low * normal[0], high * normal[0]
    return max(-wide, min(ends[0], ends[1]) - radius), min(wide, max(ends[0], ends[1]) + radius)


@kernel
def _misses(east: float, north: float, up: float, normal: Triple, size: _Size, around: float) -> bool:
    """Whether a sphere of radius `around` lies beside the cylinder; true for the negative one of a cell without points."""
    t = east * normal[0] + north * normal[1] + up * normal[2]
    near = size[0] + around
    return bool((near < 0.0) | (abs(t) > size[1] + around) | (east * east + north * north + up * up - t * t > near * near))


@kernel
def _mean_and_spread(values: Floats, number: int) -> tuple[float, float]:
    """Mean and sample standard deviation of the first values; NaN where there are none, and fewer than two."""
    if number == 0:
        return math.nan, math.nan
    total = 0.0
    for k in range(number):
        total += values[k]
    mean = total / number
    if number == 1:
        return mean, math.nan
    squares = 0.0
    for k in range(number):
        squares += (values[k] - mean) * (values[k] - mean)
    return mean, math.sqrt(squares / (number - 1))
