"""Collapses: the many small falls and slides of the earthquake, mostly from steep cuts along roads and terraces."""

from __future__ import annotations

import math
from dataclasses import dataclass

import geopandas
import numpy as np
import scipy.special
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster, rasterize
from hazardgeo.synthetic.events.slides import COLLAPSE_BULKING, Scar, Slide, ellipse, settled
from hazardgeo.synthetic.ground.terraces import slope_tan
from hazardgeo.synthetic.layout import Layout

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]
MEAN_M2 = 180.0  # 784 slides on 137,855 m2 were mapped around Zhongchuan in December 2023
SPREAD = 1.0  # standard deviation of the logarithm of the area; an assumption
LIMITS_M2 = (34.0, 3000.0)
STEEP_TAN = math.tan(math.radians(40))  # between neighbouring cells
SETTINGS = {"road cut": 0.36, "terrace riser": 0.27, "cliff": 0.25, "valley side": 0.12}  # shares of all; assumptions
CAUSES = {
    "road cut": "the shaking broke the steep cut above the road",
    "terrace riser": "the shaking broke the riser of a terrace",
    "cliff": "loess fell from a wall",
    "valley side": "shallow soil slid from the hillside",
}
_CLEAR_M = 7.0  # between the edge of a small slide and houses, sites, the river and other slides


@dataclass(frozen=True, slots=True)
class Ground:
    """What the choice of places needs: elevations, the road lines, what must stay untouched, and the grid of it all."""

    surface: Field
    grid: Grid
    roads: shapely.Geometry
    clear: shapely.Geometry


def areas_m2(count: int, rng: np.random.Generator) -> Field:
    """Areas of `count` slides, largest first: lognormal with a mean of 180 m2, one draw from each of `count` equal shares.

    The spread of the logarithm is 1, so that the largest of 50 is about ten times the median. The lognormal is cut to
    34 to 3,000 m2 and its scale is set so that the mean stays 180 m2 (by bisection).
    """
    chance = (np.arange(count) + rng.random(count)) / count
    return np.asarray(np.exp(_scale() + SPREAD * scipy.special.ndtri(chance)).clip(*LIMITS_M2)[::-1])


def _scale() -> float:
    """Logarithm of the median area that gives the cut lognormal its mean."""
    steps = scipy.special.ndtri((np.arange(20_000) + 0.5) / 20_000)
    low, high = 3.0, 6.0
    for _ in range(50):
        middle = (low + high) / 2
        if np.exp(middle + SPREAD * steps).clip(*LIMITS_M2).mean() < MEAN_M2:
            low = middle
        else:
            high = middle
    return high


def collapses(plan: Layout, ground: Ground, rng: np.random.Generator) -> list[Slide]:
    """Small slides, the largest first, each with its own balance of mass and none on another or on what must stay clear.

    "collapse" starts on ground that falls more than 40 degrees from one cell to the next, "slide" on valley sides of 22
    to 38 degrees. As many as find room.
    """
    areas = areas_m2(plan.collapses, rng)
    places = {name: _shuffled(mask, rng) for name, mask in _settings(plan, ground).items()}
    parts = shapely.get_parts(ground.clear)
    tree = shapely.STRtree(parts)
    made: list[Slide] = []
    taken: list[shapely.Geometry] = []
    for area, wish in zip(areas, _wishes(areas, rng), strict=True):
        radius = 1.25 * math.sqrt(area / math.pi)
        to_road = {"road cut": max(0.7 * radius, 4.0)}  # so that it falls on the road
        for setting in (wish, *(s for s in ("cliff", "valley side", "road cut") if s != wish)):
            near = ground.roads.buffer(to_road[setting]) if setting in to_road else None
            shapely.prepare(near)
            spot = _free(places[setting], ground.grid, radius + _CLEAR_M, _Kept(tree, taken, near))
            if spot is not None:
                made.append(_collapse(ground, spot, setting, float(area), rng))
                taken.append(spot.buffer(radius + _CLEAR_M))
                break
    return made


def _wishes(areas: Field, rng: np.random.Generator) -> list[str]:
    """The setting of each slide: low cuts and risers cannot hold the large ones."""
    counts = np.floor(np.array(list(SETTINGS.values())) * len(areas)).astype(int)
    counts[0] += len(areas) - counts.sum()
    names = np.repeat(list(SETTINGS), counts)
    rng.shuffle(names)
    tall = [n for n in names if n in {"cliff", "valley side"}]
    low = [n for n in names if n not in {"cliff", "valley side"}]
    large = int((areas > 500.0).sum())
    head, rest = tall[:large], np.array(tall[large:] + low)
    rng.shuffle(rest)
    return [str(n) for n in (*head, *rest)]


def _settings(plan: Layout, ground: Ground) -> dict[str, Mask]:
    """Where slides of each setting may start."""
    surface, grid = ground.surface, ground.grid
    steep = steepest_tan(surface, plan.cell_m) > STEEP_TAN
    dip = slope_tan(surface, plan.cell_m)
    east, north = np.meshgrid(*grid.centres(), sparse=True)
    across, off_floor = plan.across(east, north), plan.off_floor(east, north)
    lines = geopandas.GeoDataFrame(geometry=[ground.roads.buffer(14.0)], crs=grid.crs)
    by_road = rasterize(lines, grid).values
    farmed = (across > plan.floor_m) & (across < plan.foot_m) & (dip < 1.1)
    side = (across < 0) & (off_floor > 5.0) & (dip > math.tan(math.radians(24))) & (dip < math.tan(math.radians(36)))
    masks = {"road cut": steep & by_road, "terrace riser": steep & farmed & ~by_road}
    masks |= {"cliff": steep & (dip > 1.2) & ~by_road & (off_floor > 0), "valley side": side & ~by_road}
    edge = round(45.0 / plan.cell_m)
    for mask in masks.values():
        mask[:edge] = mask[-edge:] = mask[:, :edge] = mask[:, -edge:] = False
    return masks


def steepest_tan(surface: Field, cell_m: float) -> Field:
    """The steepest way to one of the four neighbours of each cell, up or down, in m/m."""
    steepest = np.zeros(surface.shape)
    for axis in (0, 1):
        step = np.abs(np.diff(surface, axis=axis)) / cell_m
        first: list[slice] = [slice(None), slice(None)]
        second: list[slice] = [slice(None), slice(None)]
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        for side in (tuple(first), tuple(second)):
            np.maximum(steepest[side], step, out=steepest[side])
    return steepest


def _shuffled(mask: Mask, rng: np.random.Generator) -> NDArray[np.int64]:
    """Up to 3,000 cells of the mask in random order, as rows and columns."""
    found = np.flatnonzero(mask)
    if len(found) > 3000:
        found = rng.choice(found, 3000, replace=False)
    return np.column_stack(np.divmod(rng.permutation(found), mask.shape[1]))


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a slide keeps off: what must stay clear, and the slides before it; and the ground that it must lie within."""

    tree: shapely.STRtree
    taken: list[shapely.Geometry]
    within: shapely.Geometry | None


def _free(places: NDArray[np.int64], grid: Grid, radius_m: float, kept: _Kept) -> shapely.Point | None:
    """The first place that keeps its distance from everything, `within` the ground asked for."""
    east, north = grid.centres()
    for row, col in places:
        spot = shapely.Point(east[col], north[row])
        if kept.within is not None and not kept.within.contains(spot):
            continue
        apart = all(shapely.distance(spot, other) > radius_m for other in kept.taken)
        if apart and not len(kept.tree.query(spot, predicate="dwithin", distance=radius_m)):
            return spot
    return None


def _collapse(ground: Ground, spot: shapely.Point, setting: str, area_m2: float, rng: np.random.Generator) -> Slide:
    """The upper half of a ragged ellipse fell onto its lower half."""
    radius = math.sqrt(area_m2 / math.pi)
    grid = ground.grid.window(*ground.grid.window_of(spot.buffer(1.6 * radius + 6.0).bounds))
    heading = _downhill(ground, spot, 4.0 + 0.4 * radius)
    place = Scar((float(spot.x), float(spot.y)), heading, (1.18 * radius, radius / 1.18))
    east, north = np.meshgrid(*grid.centres(), sparse=True)
    x, y = east - spot.x, north - spot.y
    turn = np.arctan2(y, x)
    phases = rng.uniform(0, 2 * math.pi, 2)
    form = 1 - (1 - ellipse(grid, place)) / (1 + 0.10 * np.sin(3 * turn + phases[0]) + 0.07 * np.sin(5 * turn + phases[1])) ** 2
    form = np.maximum(form, 0)
    upper = x * heading[0] + y * heading[1] < 0
    depth = 0.30 * area_m2**0.33  # about 1.7 m at most under the mean slide; an assumption
    source = np.where(upper, depth * np.sqrt(form), 0.0)
    kind = "slide" if setting == "valley side" else "collapse"
    change = settled(source, np.where(upper, 0.0, np.sqrt(form)), COLLAPSE_BULKING)
    return Slide(kind, Raster(change, grid, "change", "m"), setting, CAUSES[setting])


def _downhill(ground: Ground, spot: shapely.Point, reach_m: float) -> tuple[float, float]:
    """Direction of the fall of a plane through the ground around a place."""
    rows, cols = ground.grid.window_of(spot.buffer(reach_m).bounds)
    z = ground.surface[rows, cols]
    x, y = np.meshgrid(*ground.grid.window(rows, cols).centres())
    plane = np.column_stack([x.ravel() - spot.x, y.ravel() - spot.y, np.ones(z.size)])
    (east, north, _), *_ = np.linalg.lstsq(plane, z.ravel(), rcond=None)
    steep = math.hypot(east, north)
    return (-float(east) / steep, -float(north) / steep) if steep > 0 else (0.0, -1.0)
