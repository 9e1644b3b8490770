"""Which way the surface faces at core points, at the scale at which it is flattest."""

from __future__ import annotations

import math

import numpy as np

from hazardgeo.change.cell_rows import Floats, Layout, Triple, between_heights, run_in_row
from hazardgeo.change.cylinders import TALL
from hazardgeo.kernel import kernel
from hazardgeo.scan.normals import MIN_NEIGHBOURS, sign_towards
from hazardgeo.scan.plane_fit import LINE, about_mean, axes_of

_Near = tuple[Floats, Floats, Floats]
_Sums = tuple[Triple, tuple[float, float, float, float, float, float]]


@kernel
def fit_normals(
    layout: Layout,
    places: Floats,
    radii: Floats,
    scanner: Floats,
    outputs: tuple[Floats, Floats],
    first: int,
    last: int,
    room: int,
) -> tuple[int, int]:
    """The normal at each core point from the radius with the largest planarity, and that radius; NaN where none has a plane.

    Returns the first core point that is not done, and the room that it needs.
    """
    normals, used = outputs
    near = (np.empty(room), np.empty(room), np.empty(room))
    for core in range(first, last):
        place = (places[core, 0], places[core, 1], places[core, 2])
        flattest = -1.0
        for radius in radii:
            total = _select(layout, place, radius, near)
            if total < 0:
                return core, -2 * total
            if total < MIN_NEIGHBOURS:
                continue
            sums, squares = _moments(near, total)
            largest, middle, smallest, x, y, z = axes_of(*about_mean(total, sums, squares))
            if not middle > LINE * largest:
                continue
            planarity = (middle - max(smallest, 0.0)) / largest
            if planarity > flattest:
                flattest = planarity
                sign = sign_towards(_across(x, y, z, place, scanner), x, y)
                normals[core, 0], normals[core, 1], normals[core, 2] = sign * x, sign * y, sign * z
                used[core] = radius
    return last, room


@kernel
def _select(layout: Layout, place: Triple, radius: float, near: _Near) -> int:
    """The points within the radius, as differences from the place, behind each other; and their number.

    Where there may be more than there is room for, minus how many.
    """
    x, y, z, cell_m, first_row, base, cols, start, _, _ = layout
    px, py, pz = place
    easts, norths, ups = near
    low, high = int(np.floor((py - radius) / cell_m)) - first_row, int(np.floor((py + radius) / cell_m)) - first_row
    limit, total = radius * radius, np.uint64(0)  # unsigned, else each place could count from the end, which costs a question
    for row in range(max(low, 0), min(high, len(base) - 1) + 1):
        south = (first_row + row) * cell_m - py
        beside = max(south, -south - cell_m, 0.0)
        half = math.sqrt(max(limit - beside * beside, 0.0))
        a, b = run_in_row(cell_m, cols[row, 0], cols[row, 1], px - half, px + half)
        a, b = a + base[row], b + base[row]
        most = np.int64(total) + start[b] - start[a]
        if most > len(easts):
            return -int(most)
        by_height = start[b] - start[a] > TALL * (b - a)
        for step in range(b - a if by_height else 1):
            begin, end = start[a], start[b]
            if by_height:
                begin, end = between_heights(z, start[a + step], start[a + step + 1], pz - radius, pz + radius)
            for k in range(np.uint64(begin), np.uint64(end)):  # no branch: it would be guessed wrong half the time
                east, north, up = x[k] - px, y[k] - py, z[k] - pz
                easts[total], norths[total], ups[total] = east, north, up
                total += np.uint64(east * east + north * north + up * up <= limit)
    return int(np.int64(total))


@kernel
def _moments(near: _Near, number: int) -> _Sums:
    """The sums of the differences and of their products."""
    easts, norths, ups = near
    sx = sy = sz = xx = xy = xz = yy = yz = zz = 0.0
    for k in range(number):
        x, y, z = easts[k], norths[k], ups[k]
        sx, sy, sz = sx + x, sy + y, sz + z
        xx, xy, xz = xx + x * x, xy + x * y, xz + x * z
        yy, yz, zz = yy + y * y, yz + y * z, zz + z * z
    return (sx, sy, sz), (xx, xy, xz, yy, yz, zz)


@kernel
def _across(x: float, y: float, z: float, place: Triple, scanner: Floats) -> float:
    """How far a vector points to the scanner, or up where that is infinitely high."""
    if scanner[2] == np.inf:
        return z
    return float(x * (scanner[0] - place[0]) + y * (scanner[1] - place[1]) + z * (scanner[2] - place[2]))
