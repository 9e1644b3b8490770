"""Rays: where the straight way of a laser pulse meets the ground and the objects on it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.synthetic.scans.objects import BOX, CROWN

Field = NDArray[np.float64]
MOST_HITS = 24  # soft hits that are kept of one pulse
_NEAR_M = 0.02  # so close above the ground a ray is taken to meet it, along the tangent
_STEP_M = 1e-5


class Surface(NamedTuple):
    """The ground as a bilinear surface over its cell centres, level beyond the outermost ones.

    `top` and `steep` are the greatest height and gradient in each block of `cells` x `cells` cells.
    """

    height_m: NDArray[np.float32]
    west: float
    north: float
    cell_m: float
    cells: int
    top: Field
    steep: Field
    highest_m: float
    lowest_m: float


def surface(ground: Raster, block_m: float = 16.0) -> Surface:
    """The ground as rays meet it, in m."""
    values = np.ascontiguousarray(ground.values, np.float32)
    cell = float(ground.grid.cell[0])
    cells = max(round(block_m / cell), 1)
    shape = tuple(-(-n // cells) for n in values.shape)
    top, steep = np.full(shape, -math.inf), np.zeros(shape)
    _blocks_kernel(values, cells, cell, top, steep)
    west, _, _, north = ground.grid.bounds
    return Surface(values, west, north, cell, cells, top, steep, float(values.max()), float(values.min()))


@kernel
def _blocks_kernel(height, cells, cell, top, steep):  # type: ignore[no-untyped-def]
    rows, cols = height.shape
    for i in range(-1, rows):
        upper, lower = max(i, 0), min(i + 1, rows - 1)
        first_row, last_row = upper // cells, lower // cells
        for j in range(-1, cols):
            left, right = max(j, 0), min(j + 1, cols - 1)
            a, b, c, d = height[upper, left], height[upper, right], height[lower, left], height[lower, right]
            highest = max(a, b, c, d)
            gradient = math.hypot(max(abs(b - a), abs(d - c)), max(abs(c - a), abs(d - b))) / cell
            for row in range(first_row, last_row + 1):
                for col in range(left // cells, right // cells + 1):
                    top[row, col] = max(top[row, col], highest)
                    steep[row, col] = max(steep[row, col], gradient)


@kernel
def ground_at(height, frame, x, y):  # type: ignore[no-untyped-def]
    """Height of the surface and its slope to the east and to the north; `frame` is (west, north, cell size)."""
    rows, cols = height.shape
    west, north, cell = frame
    u = min(max((x - west) / cell - 0.5, 0.0), cols - 1.0)
    v = min(max((north - y) / cell - 0.5, 0.0), rows - 1.0)
    j, i = min(int(u), cols - 2), min(int(v), rows - 2)
    fu, fv = u - j, v - i
    a, b = float(height[i, j]), float(height[i, j + 1])
    c, d = float(height[i + 1, j]), float(height[i + 1, j + 1])
    upper, lower = a + fu * (b - a), c + fu * (d - c)
    return upper + fv * (lower - upper), ((1 - fv) * (b - a) + fv * (d - c)) / cell, (upper - lower) / cell


@kernel
def entry(field, ceiling, origin, direction):  # type: ignore[no-untyped-def]
    """The stretch of a ray that lies over the valley and below a ceiling, as two distances; empty where it misses."""
    rows, cols = field.height_m.shape
    ox, oy, oz = origin
    dx, dy, dz = direction
    start, stop = max((oz - ceiling) / -dz, 0.0), (oz - field.lowest_m + 30.0) / -dz
    east, south = field.west + cols * field.cell_m, field.north - rows * field.cell_m
    for o, d, low, high in ((ox, dx, field.west, east), (oy, dy, south, field.north)):
        if abs(d) < 1e-12:
            if o <= low or o >= high:
                return 0.0, -1.0
        else:
            first, last = (low - o) / d, (high - o) / d
            start, stop = max(start, min(first, last)), min(stop, max(first, last))
    return start, stop


@kernel
def descend(height, frame, ray, start, stop):  # type: ignore[no-untyped-def]
    """Distance at which a ray meets the ground between two distances inside one block, or infinity.

    It steps by its height over the greatest rate at which that height can shrink, so that no ridge is missed.
    """
    ox, oy, oz, dx, dy, dz, top, steep = ray
    rate = -dz + steep * math.sqrt(dx * dx + dy * dy)
    t = max(start, (oz - top) / -dz)
    while t <= stop:
        ground, east, north = ground_at(height, frame, ox + t * dx, oy + t * dy)
        above = oz + t * dz - ground
        if above < _NEAR_M:
            closing = -dz + east * dx + north * dy
            return t + above / closing if closing > 0.1 else t
        t += above / rate
    return math.inf


@kernel
def box_hit(box, ox, oy, oz, dx, dy, dz):  # type: ignore[no-untyped-def]
    """Distance at which a ray enters a box with a pitched roof, or infinity; and the cosine of its angle to that face."""
    px, py, high = ox - box[0], oy - box[1], (box[8] - oz) / dz
    reach = box[4] + box[5] + ((box[6] - oz) / dz - high) * math.sqrt(dx * dx + dy * dy)
    if abs(px + high * dx) > reach or abs(py + high * dy) > reach:
        return math.inf, 0.0  # it passes far off
    along, aside = px * box[2] + py * box[3], py * box[2] - px * box[3]
    d_along, d_aside = dx * box[2] + dy * box[3], dy * box[2] - dx * box[3]
    tan = (box[8] - box[7]) / box[5]
    norm = math.sqrt(1 + tan * tan)
    start, stop, cosine = 0.0, math.inf, 0.0
    for side in range(7):
        if side < 2:
            sign = 1.0 - 2.0 * side
            place, rate = sign * along - box[4], sign * d_along
        elif side < 4:
            sign = 5.0 - 2.0 * side
            place, rate = sign * aside - box[5], sign * d_aside
        elif side < 6:
            sign = 9.0 - 2.0 * side
            place, rate = (oz - box[8] + sign * tan * aside) / norm, (dz + sign * tan * d_aside) / norm
        else:
            place, rate = box[6] - oz, -dz
        if abs(rate) < 1e-12:
            if place > 0:
                return math.inf, 0.0
        elif rate < 0:
            if -place / rate > start:
                start, cosine = -place / rate, -rate
        else:
            stop = min(stop, -place / rate)
    return (start, cosine) if 0 < start < stop else (math.inf, 0.0)


@kernel
def crown_hit(crown, ox, oy, oz, dx, dy, dz):  # type: ignore[no-untyped-def]
    """The two distances at which a ray enters and leaves a crown; infinity twice where it passes by."""
    wide, tall = 1.0 / crown[3], 1.0 / crown[4]
    px, py, pz = (ox - crown[0]) * wide, (oy - crown[1]) * wide, (oz - crown[2]) * tall
    ex, ey, ez = dx * wide, dy * wide, dz * tall
    a, b = ex * ex + ey * ey + ez * ez, px * ex + py * ey + pz * ez
    nearest = -b / a
    qx, qy, qz = px + nearest * ex, py + nearest * ey, pz + nearest * ez
    inside = 1.0 - (qx * qx + qy * qy + qz * qz)
    if inside <= 0:
        return math.inf, math.inf
    half = math.sqrt(inside / a)
    return nearest - half, nearest + half


@kernel
def rod_hit(rod, ox, oy, oz, dx, dy, dz):  # type: ignore[no-untyped-def]
    """Distance at which a ray passes a straight rod within its reach, or infinity."""
    ux, uy, uz = rod[3] - rod[0], rod[4] - rod[1], rod[5] - rod[2]
    wx, wy, wz = ox - rod[0], oy - rod[1], oz - rod[2]
    uu, ud = ux * ux + uy * uy + uz * uz, ux * dx + uy * dy + uz * dz
    wu, wd = wx * ux + wy * uy + wz * uz, wx * dx + wy * dy + wz * dz
    across = uu - ud * ud
    share = (wu - wd * ud) / across if across > 1e-9 else 0.0
    share = min(max(share, 0.0), 1.0)
    t = share * ud - wd
    ex, ey, ez = wx + t * dx - share * ux, wy + t * dy - share * uy, wz + t * dz - share * uz
    return t if ex * ex + ey * ey + ez * ez < rod[6] * rod[6] else math.inf


@kernel
def trace(field, shapes, start, listed, over, ceiling, origin, direction, soft):  # type: ignore[no-untyped-def]
    """The first solid thing on a ray and all soft ones before it: distance, number of the box (-1 ground, -2 nothing), soft hits.

    The four arrays and the ceiling are those of `Objects`. Rows of `soft` are filled with: number of the crown or rod, the
    distance where the ray enters it and where it leaves.
    """
    ox, oy, oz = origin
    dx, dy, dz = direction
    t, end = entry(field, max(field.highest_m, ceiling), origin, direction)
    t, count, box, cosine, solid = t + _STEP_M, 0, -2, 0.0, math.inf
    width, west, north = field.cells * field.cell_m, field.west, field.north
    height, top, steep, (rows, cols) = field.height_m, field.top, field.steep, field.top.shape
    frame = (west, north, field.cell_m)
    if t < end and oz + t * dz < ground_at(height, frame, ox + t * dx, oy + t * dy)[0]:
        return math.inf, -2, 0.0, 0  # it met ground beyond the edge of the valley
    while t < end:
        col = min(max(int((ox + t * dx - west) / width), 0), cols - 1)
        row = min(max(int((north - oy - t * dy) / width), 0), rows - 1)
        leave = end
        if dx != 0:
            leave = min(leave, (west + (col + (dx > 0)) * width - ox) / dx)
        if dy != 0:
            leave = min(leave, (north - (row + (dy < 0)) * width - oy) / dy)
        low = oz + leave * dz
        if low < over[row, col]:
            block = row * cols + col
            for place in range(start[block], start[block + 1]):
                k = int(listed[place])
                count, box, cosine, solid = _met(shapes, k, origin, direction, soft, (count, box, cosine, solid))
        if low < top[row, col]:
            hit = descend(height, frame, (ox, oy, oz, dx, dy, dz, top[row, col], steep[row, col]), t, min(leave, solid))
            if hit < solid:
                return hit, -1, 0.0, count
        if solid <= leave:
            break
        t = max(leave, t) + _STEP_M
    return solid, box, cosine, count


@kernel
def _met(shapes, k, origin, direction, soft, found):  # type: ignore[no-untyped-def]
    """What a ray has met so far, with one more shape looked at."""
    count, box, cosine, solid = found
    ox, oy, oz = origin
    dx, dy, dz = direction
    if shapes[k, 11] == BOX:
        at, slant = box_hit(shapes[k], ox, oy, oz, dx, dy, dz)
        if at < solid:
            return count, k, slant, at
        return found
    for seen in range(count):
        if soft[seen, 0] == k:
            return found
    if shapes[k, 11] == CROWN:
        first, last = crown_hit(shapes[k], ox, oy, oz, dx, dy, dz)
    else:
        first = rod_hit(shapes[k], ox, oy, oz, dx, dy, dz)
        last = first
    if first < math.inf and count < len(soft):
        soft[count, 0], soft[count, 1], soft[count, 2] = k, first, last
        count += 1
    return count, box, cosine, solid
