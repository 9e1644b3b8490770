"""Depressions opened by cutting a channel through what dams them, where that is little."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hazardgeo.errors import InputError
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.terrain.flow import filled_surface, known_surface
from hazardgeo.tiles.drainage import COL, ROW, Ways, beside
from hazardgeo.tiles.flood import FLOOD, Flags, Surface, longer, pop, push

BREACH = "breaching and filling, Lindsay (2016), Hydrological Processes 30:846-857, doi:10.1002/hyp.10648 (not checked)"


def breach(dem: Raster, *, max_depth_m: float | None = None, max_length_m: float | None = None) -> Raster:
    """Elevations in m with every depression opened by a channel, or filled where the channel would be too deep or long.

    From the lowest cell of a depression a channel is cut, level with it, along the way by which a flood from the outlets
    came in: over the lowest sill, to the first cell that is lower. A road dam or a bridge in a scan is cut so, where `fill`
    would make a lake of the valley above it. Without limits all depressions are cut; with `max_depth_m` (below the ground
    of any cell on the way) or `max_length_m` (from centre to centre) those beyond them are filled, as by `fill`. Lindsay
    (2016), doi 10.1002/hyp.10648. The way in is that of the lowest cells, not that of the least earth
    moved. Not checked against the paper.

    Outlets are the cells at the edge of the raster and beside unknown cells; one at the end of a channel may be cut too.
    Unknown cells stay unknown; the height reference is kept. No halo serves. Errors are those of `fill`, and InputError
    for limits that are no positive numbers.
    """
    for name, limit in (("max_depth_m", max_depth_m), ("max_length_m", max_length_m)):
        if limit is not None and not limit > 0:
            raise InputError(f"{name} is {limit:g}; give a number above 0, or None for no limit.")
    z = known_surface(dem, "breach")
    depth, length = (math.inf if limit is None else float(limit) for limit in (max_depth_m, max_length_m))
    cut = z + z.dtype.type(0)
    _cut(cut, beside(np.isnan(z)), *dem.grid.cell_m, depth, length)
    limits = {"max_depth_m": f"{depth:g}", "max_length_m": f"{length:g}"}
    return replace(dem, values=filled_surface(cut), name="breached", tags={"method": f"{BREACH}; {FLOOD}", **limits})


@kernel
def _cut(z: Surface, seeds: Flags, width: float, height: float, max_depth: float, max_length: float) -> None:
    """Flood `z` from the seeds, the lowest cell first, and cut channels along the way back from each cell that has no lower.

    `origin` is the neighbour that each cell was reached from. `drained` marks the cells whose water is known to get out.
    """
    rows, cols = z.shape
    level = z.reshape(-1)
    origin, reached, drained = np.full((rows, cols), -1, np.int8), seeds.copy(), seeds.copy()
    levels, cells, size = np.empty(64, level.dtype), np.empty(64, np.int64), 0
    for seed in np.flatnonzero(seeds):
        levels, cells = longer(levels, size + 1), longer(cells, size + 1)
        push(levels, cells, size, level[seed], seed)
        size += 1
    while size > 0:
        cell = pop(levels, cells, size)
        size -= 1
        i, j = cell // cols, cell % cols
        lowest = True
        for k in range(8):
            a, b = i + ROW[k], j + COL[k]
            if a < 0 or b < 0 or a >= rows or b >= cols:
                continue
            lowest &= not (z[a, b] < z[i, j] or (z[a, b] == z[i, j] and drained[a, b]))
            if not reached[a, b] and z[a, b] == z[a, b]:
                reached[a, b], origin[a, b] = True, (k + 4) % 8
                levels, cells = longer(levels, size + 1), longer(cells, size + 1)
                push(levels, cells, size, z[a, b], a * cols + b)
                size += 1
        if not lowest or drained[i, j]:
            drained[i, j] = True
        elif _may_be_cut(z, origin, drained, i, j, width, height, max_depth, max_length):
            _channel(z, origin, drained, i, j)


@kernel
def _may_be_cut(
    z: Surface, origin: Ways, drained: Flags, i: int, j: int, width: float, height: float, max_depth: float, max_length: float
) -> bool:
    """True where the way from a cell to the first one that drains it is within the limits."""
    floor, length = z[i, j], 0.0
    while length <= max_length:
        k = origin[i, j]
        if k < 0:
            return True
        length += math.hypot(ROW[k] * height, COL[k] * width)
        i, j = i + ROW[k], j + COL[k]
        if z[i, j] < floor or (z[i, j] == floor and drained[i, j]):
            return length <= max_length
        if z[i, j] - floor > max_depth:
            return False
    return False


@kernel
def _channel(z: Surface, origin: Ways, drained: Flags, i: int, j: int) -> None:
    """Cut a channel from a cell to the first one that drains it."""
    floor = z[i, j]
    while True:
        drained[i, j] = True
        z[i, j] = floor
        k = origin[i, j]
        if k < 0:
            return
        i, j = i + ROW[k], j + COL[k]
        if z[i, j] < floor or (z[i, j] == floor and drained[i, j]):
            return
