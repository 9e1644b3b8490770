"""Between: all that happened in the valley between the two epochs, planted and known."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.synthetic.events import slides
from hazardgeo.synthetic.events.collapses import Ground, collapses
from hazardgeo.synthetic.events.cracks import cracks, lowering
from hazardgeo.synthetic.events.dam import Lake, dam_slide, lake
from hazardgeo.synthetic.events.decoys import Decoy, decoys
from hazardgeo.synthetic.events.flow import flow_slide
from hazardgeo.synthetic.events.slides import Slide
from hazardgeo.synthetic.events.vehicles import vehicles
from hazardgeo.synthetic.ground.relief import Relief
from hazardgeo.synthetic.layout import Layout

Field = NDArray[np.float64]
DAM_BODY = 2  # number of the dam slide in the table of bodies
_LANE_CLEAR_M = 8.0  # small slides keep off the lanes that remain as ways round


@dataclass(frozen=True, slots=True)
class Between:
    """The slides (flow slide and dam slide first), their cracks and lake, and what changed without them.

    `change` is that of the bare ground in m, after minus before: slides, cracks, and decoys that moved earth. `snow`
    lies on the ground in the after epoch and `growth` is the height that shrubs gained, both in m. Water of the `lake`
    stands on the ground too. Without the event there are no slides, cracks and lake; the decoys stay the same.
    """

    slides: list[Slide]
    cracks: geopandas.GeoDataFrame
    lake: Lake | None
    decoys: list[Decoy]
    vehicles: geopandas.GeoDataFrame
    change: Field
    snow: Raster
    growth: Raster


@dataclass(frozen=True, slots=True)
class Place:
    """What stood in the valley: the ground, roads, and houses and sites that small slides and decoys leave alone."""

    form: Relief
    before: Field
    roads: geopandas.GeoDataFrame
    settled: shapely.Geometry


def happened(plan: Layout, place: Place, rng: np.random.Generator, *, event: bool) -> Between:
    """What happened between the epochs; without `event` only what would have happened anyway."""
    quake, daily = rng.spawn(2)
    flow = flow_slide(plan, place.form.elevation_m, place.form.gully, quake)
    dam = dam_slide(plan, place.before, quake)
    large = [slides.outline(slide.change.values != 0, slide.change.grid) for slide in (flow, dam)]
    river = shapely.LineString(plan.river).buffer(plan.river_m / 2 + 2.0)
    roads = place.roads.loc[~place.roads["bridge"].astype(bool)].union_all()
    bridges = place.roads.loc[place.roads["bridge"].astype(bool)].union_all()
    lanes = place.roads.loc[place.roads["highway"].isin(["unclassified", "residential"])].buffer(_LANE_CLEAR_M)
    clear = shapely.union_all([place.settled, bridges, river, *lanes, *(shape.buffer(14.0) for shape in large)])
    small = collapses(plan, Ground(place.before, plan.grid, roads, clear), quake)
    fallen = [slides.outline(slide.change.values != 0, slide.change.grid) for slide in small]
    planted = [flow, dam, *small]
    opened = cracks(planted, plan.grid, quake)
    kept = shapely.union_all([clear, roads.buffer(4.0), *fallen])
    daily_changes = decoys(plan, place.before, kept, daily)
    parked = vehicles(place.roads, shapely.union_all([*large, *fallen]), plan.grid, max(round(plan.size_m / 70), 8), daily)
    if not event:
        planted, opened = [], opened.iloc[:0]
    change = slides.total_change(planted, plan.grid)
    if event:
        change -= lowering(opened, plan.grid)
    for decoy in daily_changes:
        if decoy.changes == "ground":
            slides.add(change, plan.grid, decoy.change)
    return Between(
        slides=planted,
        cracks=opened,
        lake=lake(plan, place.before + change, dam) if event else None,
        decoys=daily_changes,
        vehicles=parked,
        change=change,
        snow=_laid(plan, daily_changes, "snow"),
        growth=_laid(plan, daily_changes, "crowns"),
    )


def _laid(plan: Layout, made: list[Decoy], what: str) -> Raster:
    total = np.zeros(plan.grid.shape)
    for decoy in made:
        if decoy.changes == what:
            slides.add(total, plan.grid, decoy.change)
    return Raster(total.astype(np.float32), plan.grid, {"snow": "snow", "crowns": "growth"}[what], "m")


def seen_ground(ground: Raster, snow: Raster | None = None, water: Lake | None = None) -> Raster:
    """What a scan sees where nothing grows or is built, in m: the ground with snow on it, or the level of the lake."""
    values = ground.values.astype(np.float64)
    if snow is not None:
        values += snow.values
    if water is not None:
        block = slides.block_of(ground.grid, water.depth.grid)
        values[block] = np.where(water.wet, water.level_m, values[block])
    return ground.like(values.astype(np.float32), ground.name, "m")


def under_water(grid: Grid, water: Lake | None) -> NDArray[np.bool_]:
    """Which cells of the valley's grid the lake covers."""
    covered = np.zeros(grid.shape, bool)
    if water is not None:
        covered[slides.block_of(grid, water.depth.grid)] = water.wet
    return covered
