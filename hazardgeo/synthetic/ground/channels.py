"""Channels: gullies on the fine ground, their beds falling all the way, their heads ending in a step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.synthetic.ground.erosion import downstream
from hazardgeo.synthetic.layout import Layout

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]
REFERENCE_AREA_M2 = 1e5
STEEPNESS = 0.07  # of the bed of a gully that drains the reference area, in m/m
CONCAVITY = 0.40  # the bed flattens with the drained area to this power


@dataclass(frozen=True, slots=True)
class Channels:
    """Straight reaches of gullies, one row each: east, north and bed elevation of the upper end, then of the lower end.

    `half_width_m` is that of the flat bed; `head` marks the uppermost reach of a gully, above which a step stands.
    """

    reaches: Field
    half_width_m: Field
    head: Mask


def along_line(line: Field, bed_m: Field, *, half_width_m: float) -> Channels:
    """One gully whose centre line runs downhill, as reaches."""
    points = np.column_stack([line, bed_m])
    reaches = np.hstack([points[:-1], points[1:]])
    head = np.zeros(len(reaches), bool)
    head[0] = True
    return Channels(reaches, np.full(len(reaches), half_width_m), head)


def lowered(line: Channels, surface: Field, grid: Grid) -> Channels:
    """One gully with its bed nowhere above the surface, so that it cuts through every sill below a hollow."""
    points = np.vstack([line.reaches[:, :3], line.reaches[-1:, 3:]])
    row, col = grid.rowcol(points[:, 0], points[:, 1])
    bed = np.minimum.accumulate(np.minimum(points[:, 2], surface[row, col])) - 0.001 * np.arange(len(points))
    return along_line(points[:, :2], bed, half_width_m=float(line.half_width_m[0]))


def network(surface: Field, plan: Layout, grid: Grid, *, outlets: Mask, closed: Mask) -> Channels:
    """The gullies that drain the slopes to `outlets` and to the edge, none of them on `closed` ground.

    `surface` (m) and both masks lie on `grid`, of coarse cells. Beds follow the slope-area relation of streams
    (Flint 1974, doi:10.1029/WR010i005p00969) upwards from the outlets, no deeper than the plan allows; a gully ends
    where its bed comes closer to the ground than a headcut of 4 to 10 m stands (deeper where more water falls over it).
    """
    filled, receiver, distance, area = downstream(surface, plan.erosion_cell_m, outlets)
    order = np.argsort(filled, axis=None, kind="stable")
    bed = _beds_kernel(order, receiver, distance, area, surface, filled, outlets, closed, plan.gully_area_m2, plan.gully_depth_m)
    east, north = np.meshgrid(*grid.centres())
    x, y = _smoothed_kernel(order, receiver, area, bed, east.ravel(), north.ravel())
    upper = np.flatnonzero(np.isfinite(bed) & (receiver != np.arange(bed.size)))
    upper = upper[np.isfinite(bed[receiver[upper]])]
    lower = receiver[upper]
    reaches = np.column_stack([x[upper], y[upper], bed[upper], x[lower], y[lower], bed[lower]])
    width = plan.cell_m * np.clip(1.1 + 0.35 * np.log10(area[upper] / plan.gully_area_m2), 1.1, 2.6)
    return Channels(reaches, width, ~np.isin(upper, lower))


@kernel
def _beds_kernel(order, receiver, distance, area, surface, filled, outlets, closed, least_area, depth):  # type: ignore[no-untyped-def]
    ground, level, out, shut = surface.ravel(), filled.ravel(), outlets.ravel(), closed.ravel()
    bed = np.full(order.size, np.nan)
    for k in range(order.size):
        here = order[k]
        below = receiver[here]
        if out[here] or below == here:
            bed[here] = ground[here]
            continue
        if shut[here] or area[here] < least_area or np.isnan(bed[below]):
            continue
        share = area[here] / REFERENCE_AREA_M2
        rise = min(STEEPNESS * share**-CONCAVITY, 0.6) * distance[here]
        deepest = level[here] - depth * min(share**0.25, 1.2)
        bed[here] = min(max(bed[below] + rise, deepest), level[here])
    deep = np.zeros(order.size, np.bool_)
    for k in range(order.size - 1, -1, -1):
        here = order[k]
        if np.isnan(bed[here]):
            continue
        share = area[here] / REFERENCE_AREA_M2
        headcut = min(max(0.3 * depth * min(share**0.25, 1.2), 4.0), 10.0)
        deep[here] = deep[here] or level[here] - bed[here] > headcut
        if deep[here]:
            below = receiver[here]
            deep[below] = True
            bed[here] = min(bed[here], ground[here])
            bed[below] = min(bed[below], bed[here] - 0.002)
        elif not out[here]:
            bed[here] = np.nan
    return bed


@kernel
def _smoothed_kernel(order, receiver, area, bed, x, y):  # type: ignore[no-untyped-def]
    donor = np.full(order.size, -1)
    for here in order:
        below = receiver[here]
        if below != here and not np.isnan(bed[here]) and (donor[below] < 0 or area[here] > area[donor[below]]):
            donor[below] = here
    for _ in range(5):
        new_x, new_y = x.copy(), y.copy()
        for here in order:
            above, below = donor[here], receiver[here]
            if not np.isnan(bed[here]) and above >= 0 and below != here:
                new_x[here] = 0.5 * x[here] + 0.25 * (x[above] + x[below])
                new_y[here] = 0.5 * y[here] + 0.25 * (y[above] + y[below])
        x, y = new_x, new_y
    return x, y


def carved(surface: Field, grid: Grid, channels: Channels, *, depth_m: float, ragged: Field) -> Field:
    """The surface with the gullies cut in: flat beds, short talus, then walls that stand at 70 degrees for 25 m.

    `depth_m` is the deepest cut, `ragged` (about -1 to 1) moves the walls in and out by a quarter. The surface never rises.
    """
    result = surface.copy()
    east, north = grid.centres()
    _carve_kernel(channels.reaches, channels.half_width_m, east, north, grid.cell[0], depth_m, ragged, result)
    return result


@kernel
def _wall_kernel(away, limit):  # type: ignore[no-untyped-def]
    talus = min(away, 4.0)
    cliff = min(max(away - 4.0, 0.0), 9.0)
    return 0.75 * talus + 2.75 * cliff + 1.5 * max(away - 13.0, 0.0) + 6.0 * max(away - limit, 0.0)


@kernel
def _carve_kernel(reaches, half_width, east, north, cell, depth, ragged, surface):  # type: ignore[no-untyped-def]
    rows, cols = surface.shape
    limit = 14.0 + max(depth - 27.0, 0.0)
    reach = 1.34 * (limit + 8.0) + 4.0
    for k in range(reaches.shape[0]):
        x0, y0, b0, x1, y1, b1 = reaches[k]
        dx, dy = x1 - x0, y1 - y0
        squared = max(dx * dx + dy * dy, 1e-9)
        length = math.sqrt(squared)
        fall = min(max((b0 - b1) / length, 0.0), 1.0)
        lean = fall / math.sqrt(1.44 - fall * fall)  # a wall of 50 degrees leans on the bed this far down the gully
        first_col = max(int((min(x0, x1) - reach - east[0]) / cell), 0)
        last_col = min(int((max(x0, x1) + reach - east[0]) / cell) + 1, cols - 1)
        first_row = max(int((north[0] - max(y0, y1) - reach) / cell), 0)
        last_row = min(int((north[0] - min(y0, y1) + reach) / cell) + 1, rows - 1)
        for row in range(first_row, last_row + 1):
            for col in range(first_col, last_col + 1):
                px, py = east[col] - x0, north[row] - y0
                beside = abs(px * dy - py * dx) / length
                share = (px * dx + py * dy) / squared + beside * lean / length
                share = min(max(share, 0.0), 1.0)
                away = math.sqrt((px - share * dx) ** 2 + (py - share * dy) ** 2) - half_width[k]
                level = b0 + share * (b1 - b0)
                if away > 0.0:
                    level += _wall_kernel(away * (1.0 + 0.25 * min(max(ragged[row, col], -1.0), 1.0)), limit)
                surface[row, col] = min(surface[row, col], level)
