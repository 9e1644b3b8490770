"""Settlement: roads, shelters and houses put on the bare ground, and the ground as they shaped it."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.raster import Raster
from hazardgeo.synthetic.events import flow
from hazardgeo.synthetic.ground.relief import Relief, levelled
from hazardgeo.synthetic.ground.terraces import slope_tan
from hazardgeo.synthetic.layout import HEIGHT, Layout
from hazardgeo.synthetic.places import grading, hamlets, people, roads, shelters, tracks

_RIVER_CLEAR_M = 8.0


@dataclass(frozen=True, slots=True)
class Settlement:
    """The ground with roads and yards (`before`, m), road edges, shelter sites, households and all buildings."""

    before: Raster
    roads: geopandas.GeoDataFrame
    sites: geopandas.GeoDataFrame
    people: geopandas.GeoDataFrame
    buildings: list[people.Building]


def settled(plan: Layout, form: Relief, rng: np.random.Generator) -> Settlement:
    """People, roads and shelters on the bare ground of the valley."""
    over = tracks.ground(plan, form.elevation_m)
    main = roads.network(plan, form, over)
    villages = hamlets.planted(plan)
    mud = shapely.LineString(flow.path(plan, form.gully)).buffer(0.06 * plan.size_m)
    keep_off = shapely.union_all([*(v.ground.buffer(0.05 * plan.size_m) for v in villages), mud])
    lanes, others = roads.to_hamlets(main, hamlets.scattered(plan, over, keep_off, rng), over)
    ways = shapely.MultiLineString([lane.line for lane in lanes])
    sites = shelters.register(plan, others, ways, rng)
    before = _shaped(plan, form, lanes, sites)
    edges = roads.table(roads.edges(lanes), plan.grid)
    gentle = before.like(slope_tan(before.values.astype(np.float64), plan.cell_m).astype(np.float32), "steepness", "1")
    settlers, houses = people.households([*villages, *others], plan.residents, gentle, _clear(plan, edges, sites), rng)
    return Settlement(before, edges, sites, settlers, houses + people.site_buildings(sites))


def _shaped(plan: Layout, form: Relief, lanes: list[roads.Road], sites: geopandas.GeoDataFrame) -> Raster:
    """The ground with level yards and graded roads."""
    yards = levelled(form.elevation_m, plan.grid, shapely.get_coordinates(sites.geometry), shelters.yard_radius_m(sites))
    lines = [grading.dense(lane.line) for lane in lanes]
    heights = grading.levels(lines, [lane.steepest for lane in lanes], _elevation(plan, yards))
    on_ground = [i for i, lane in enumerate(lanes) if not lane.bridge]
    shaped = grading.benched(yards, plan.grid, [lines[i] for i in on_ground], [heights[i] for i in on_ground])
    return _elevation(plan, shaped)


def _clear(plan: Layout, edges: geopandas.GeoDataFrame, sites: geopandas.GeoDataFrame) -> shapely.Geometry:
    """What houses keep off: roads, the river with its banks, and the yards of sites."""
    river = shapely.LineString(plan.river).buffer(plan.river_m / 2 + _RIVER_CLEAR_M)
    return shapely.union_all([edges.union_all(), river, sites.buffer(4.0 + shelters.yard_radius_m(sites)).union_all()])


def _elevation(plan: Layout, values: NDArray[np.float64]) -> Raster:
    return Raster(values.astype(np.float32), plan.grid, "dem_before", "m", HEIGHT)
