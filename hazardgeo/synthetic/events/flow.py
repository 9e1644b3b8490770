"""Flow slide: wet loess from the platform that ran down the gully and spread in the village at its mouth."""

from __future__ import annotations

import math

import numpy as np
import scipy.ndimage
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.events.slides import FLOW_BULKING, Scar, Slide, block_of, settled, source_depth
from hazardgeo.synthetic.layout import Layout
from hazardgeo.synthetic.lines import Line
from hazardgeo.synthetic.noise import fractal

Field = NDArray[np.float64]
REACH_OVER_SOURCE = 0.31 / 0.11  # area of transport and deposit over that of the source, at Zhongchuan in December 2023
CAUSE = "saturated silt at the foot of the platform liquefied"
_FLOOR_PATH = ((0.517, 0.80), (0.528, 0.52), (0.565, 0.37), (0.620, 0.30), (0.690, 0.29))  # share, across in half floors


def scar(plan: Layout, gully: Line) -> Scar:
    """Where the flow slide starts: the gentle, wet ground at the foot of the scarp, around the head of the gully."""
    across = plan.across(gully[:, 0], gully[:, 1])
    centre = float(np.interp(-(plan.foot_m - 0.53 * plan.bench_m), -across, lines.positions_m(gully)))
    (x0, y0), (x, y), (x1, y1) = lines.at(gully, centre + 0.4 * plan.bench_m * np.array([-1.0, 0.0, 1.0])).tolist()
    length = math.hypot(x1 - x0, y1 - y0)
    return Scar((x, y), ((x1 - x0) / length, (y1 - y0) / length), plan.source_radii_m)


def flow_slide(plan: Layout, ground: Field, gully: Line, rng: np.random.Generator) -> Slide:
    """The flow slide, scaled from Zhongchuan: its areas stand as 0.11 to 0.31 km2; its depth is an assumption.

    `ground` is the surface without roads (the mud buries their fills) on the grid of the plan. The mud fills the gully,
    leaves it at its mouth, turns down the valley and runs out on the floor beside the river, which it does not reach.
    """
    start = scar(plan, gully)
    grid = _block(plan, start, gully)
    ragged = fractal(rng, grid, wavelength_m=0.045 * plan.size_m, octaves=3)
    source = source_depth(grid, start, plan.source_depth_m, ragged)
    way = path(plan, gully)
    distance, along = lines.around(way, grid, reach_m=0.75 * plan.floor_m)
    top = float(lines.positions_m(way)[int(np.argmin(np.hypot(*(way - start.centre).T)))])
    free = (along > top) & (source == 0) & _before_river(plan, grid)
    width = _half_width(way, along, lines.length_m(gully), plan.floor_m) * (1 + 0.11 * np.clip(ragged, -2, 2))
    width *= _low_enough(ground[block_of(plan.grid, grid)], grid, way, along, 0.35 * plan.gully_depth_m)
    share = np.where(free, distance / np.maximum(width, 1e-9), np.inf)
    cells = round(REACH_OVER_SOURCE * int((source > 0).sum()))
    share = np.where(_connected(share < 2.0 * _stretch(share, cells)), share, np.inf)
    share /= _stretch(share, cells)
    thickness = np.where(share < 1, np.maximum(1 - np.minimum(share, 1) ** 2, 0) ** 0.55 + 0.08, 0.0)
    change = settled(source, thickness, FLOW_BULKING)
    return Slide("flow slide", Raster(change, grid, "change", "m"), "platform", CAUSE, start)


def _low_enough(ground: Field, grid: Grid, way: Line, along: Field, flood_m: float) -> Field:
    """The share of its width that the mud keeps: less, the higher the ground stands above the bed of its way."""
    row, col = grid.rowcol(way[:, 0], way[:, 1])
    bed = np.minimum.accumulate(ground[row, col])
    above = np.maximum(ground - np.interp(np.nan_to_num(along), lines.positions_m(way), bed), 0.0)
    return np.asarray(np.exp(-((above / flood_m) ** 2)))


def _before_river(plan: Layout, grid: Grid) -> NDArray[np.bool_]:
    """Ground on the gully's side of the river, off its bank."""
    east, north = np.meshgrid(*grid.centres(), sparse=True)
    return np.asarray(plan.across(east, north) > plan.river_across(east) + 0.8 * plan.river_m + 5.0)


def _connected(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part of a mask."""
    parts, _ = scipy.ndimage.label(mask)
    return np.asarray(parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:])))


def _block(plan: Layout, start: Scar, gully: Line) -> Grid:
    around = shapely.union_all([shapely.Point(start.centre).buffer(max(start.radii_m)), shapely.LineString(path(plan, gully))])
    return plan.grid.window(*plan.grid.window_of(around.buffer(0.75 * plan.floor_m).bounds))


def path(plan: Layout, gully: Line) -> Line:
    """The way of the mud: the gully, then a bend down the valley."""
    floor = np.array([plan.place(share, across * plan.floor_m) for share, across in _FLOOR_PATH])
    return np.vstack([gully, lines.rounded_corners(np.vstack([gully[-1:], floor]), passes=4)[1:]])


def _half_width(way: Line, along: Field, mouth_m: float, floor_m: float) -> Field:
    """Half the width of the mud: the gully's, wide below its mouth, narrowing towards a round end."""
    end = lines.length_m(way)
    spread = end - mouth_m
    stops = [0.0, mouth_m - 0.1 * floor_m, mouth_m + 0.25 * spread, mouth_m + 0.55 * spread, end - 0.12 * spread, end]
    return np.interp(np.nan_to_num(along), stops, np.array([0.10, 0.10, 0.16, 0.26, 0.21, 0.08]) * floor_m)


def _stretch(share: Field, cells: int) -> float:
    """The factor on all widths that gives the mud this many cells."""
    return float(np.partition(share, cells, axis=None)[cells])
