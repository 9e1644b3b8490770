"""Scene: the whole invented valley and its earthquake, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.raster import Raster, rasterize
from hazardgeo.synthetic import people, roads, scan, shaking, slides
from hazardgeo.synthetic.layers import layers
from hazardgeo.synthetic.layout import HEIGHT, Layout, Size, layout
from hazardgeo.synthetic.relief import Relief, levelled, relief, slope_tan


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is known of the demo valley.

    Inputs: the scan, the ShakeMap text, the model layers, the slides as a field team mapped them (`mapped`) in the area
    that it looked at (`walked`), people, roads and sites. Truth: the ground `before` and `after`, `change_m`, the slides
    as planted (`bodies`), the class of every scan point, the ground that the survey covered.
    """

    plan: Layout
    before: Raster
    after: Raster
    change: Raster
    bodies: geopandas.GeoDataFrame
    mapped: geopandas.GeoDataFrame
    walked: geopandas.GeoDataFrame
    people: geopandas.GeoDataFrame
    roads: geopandas.GeoDataFrame
    sites: geopandas.GeoDataFrame
    layers: Mapping[str, Raster]
    shakemap: str
    surveyed: Raster
    cloud: PointCloud
    cloud_class: NDArray[np.uint8]


def scene(seed: int, size: Size) -> Scene:
    """The valley of this seed; every subject draws from its own stream, so that a change in one leaves the others alone."""
    rng = dict(zip(_STREAMS, np.random.default_rng(seed).spawn(len(_STREAMS)), strict=True))
    plan = layout(size, rng["layout"])
    form = relief(plan, rng["relief"])
    lanes = roads.network(plan, form)
    edges, sites = roads.table(roads.edges(lanes), plan.grid), people.sites(plan)
    yards = levelled(form.elevation_m, plan.grid, shapely.get_coordinates(sites.geometry), _yard_radius_m(sites))
    before = _elevation(plan, roads.benched(yards, plan.grid, lanes), "dem_before")
    settlers, houses = _settled(plan, before, edges, sites, rng["people"])
    buildings = houses + people.site_buildings(sites)

    clear = shapely.union_all([edges.union_all(), sites.union_all(), *(b.footprint for b in buildings)])
    planted = _planted(plan, form, before, clear, rng["slides"])
    change = slides.total_change(planted, plan.grid)
    after = _elevation(plan, before.values.astype(np.float64) + change, "dem_after")
    bodies = slides.bodies(planted, plan.grid)

    covered = scan.surveyed(plan, rng["survey"])
    seen = covered & ~scan.occluded(after.values.astype(np.float64), plan.cell_m)
    cloud, cloud_class = scan.scan(plan, after, seen, people.standing(buildings, change, plan.grid), rng["scan"])
    source = shaking.epicentre(rng["shaking"])
    footprints = geopandas.GeoDataFrame(geometry=[b.footprint for b in buildings], crs=plan.grid.crs)
    built = rasterize(footprints, plan.grid, all_touched=True).values
    return Scene(
        plan=plan,
        before=before,
        after=after,
        change=after.like(change.astype(np.float32), "change", "m"),
        bodies=bodies,
        mapped=slides.mapped(bodies, plan.grid, rng["mapping"]),
        walked=slides.walked(covered, plan.grid),
        people=settlers,
        roads=edges,
        sites=sites,
        layers=layers(plan, before, built, rng["layers"]),
        shakemap=shaking.grid_xml(shaking.nodes(plan, source, rng["shaking"]), source, seed),
        surveyed=Raster(covered, plan.grid, "surveyed", "1"),
        cloud=cloud,
        cloud_class=cloud_class,
    )


_STREAMS = ("layout", "relief", "people", "slides", "survey", "scan", "mapping", "shaking", "layers")


def _elevation(plan: Layout, values: NDArray[np.float64], name: str) -> Raster:
    return Raster(values.astype(np.float32), plan.grid, name, "m", HEIGHT)


def _yard_radius_m(sites: geopandas.GeoDataFrame) -> NDArray[np.float64]:
    return np.asarray(8.0 + np.sqrt(sites["indoor_area_m2"].to_numpy()) / 2)


def _settled(
    plan: Layout, ground: Raster, edges: geopandas.GeoDataFrame, sites: geopandas.GeoDataFrame, rng: np.random.Generator
) -> tuple[geopandas.GeoDataFrame, list[people.Building]]:
    """Households on gentle ground, away from roads, river and sites."""
    smooth = ground.like(slope_tan(ground.values.astype(np.float64), plan.cell_m).astype(np.float32), "steepness", "1")
    river = shapely.LineString(plan.river).buffer(plan.river_m / 2 + 4.0)
    around_sites = sites.buffer(4.0 + _yard_radius_m(sites)).union_all()
    return people.households(plan, smooth, shapely.union_all([edges.union_all(), river, around_sites]), rng)


def _planted(plan: Layout, form: Relief, ground: Raster, clear: shapely.Geometry, rng: np.random.Generator) -> list[slides.Slide]:
    flow = slides.flow_slide(plan, form.gully, rng)
    clear = shapely.union_all([clear, slides.outline(flow.change.values != 0, plan.grid)])
    return [flow, *slides.collapses(plan, ground.values.astype(np.float64), clear, rng)]
