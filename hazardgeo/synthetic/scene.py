"""Scene: the whole invented valley and its earthquake, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from hazardgeo.raster import Raster, rasterize
from hazardgeo.synthetic import tiny
from hazardgeo.synthetic.events import between, shaking, slides
from hazardgeo.synthetic.events.dam import lakes
from hazardgeo.synthetic.events.decoys import decoy_table
from hazardgeo.synthetic.ground.layers import layers
from hazardgeo.synthetic.ground.relief import relief
from hazardgeo.synthetic.layout import HEIGHT, Layout, Size, layout
from hazardgeo.synthetic.places import losses, people, plants, wires
from hazardgeo.synthetic.places.settlement import settled
from hazardgeo.synthetic.scans import registration, scan


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is known of the demo valley.

    Inputs: the shaking (`motion`), the model layers, the slides as a field team mapped them (`mapped`) in the area
    that it looked at (`walked`), people, roads and sites. Truth: the ground `before` and `after`, `change`, the slides
    as planted (`bodies`), the ground that the survey after the earthquake covered, the lake, the decoys, all that happened
    `between` the epochs (slides, cracks, snow, vehicles), what became of each household (`displaced`), the road edges that
    were cut (`cuts`) and a tiny case with its answer.
    `buildings`, `plants` and `wires` stood before the earthquake. The scans are made from this by `views.view` and
    `scan.flown`, one at a time, as each may fill a gigabyte; the `registration` is that of the after epoch.
    """

    plan: Layout
    happened: bool
    before: Raster
    after: Raster
    change: Raster
    bodies: geopandas.GeoDataFrame
    between: between.Between
    lakes: geopandas.GeoDataFrame
    decoys: geopandas.GeoDataFrame
    mapped: geopandas.GeoDataFrame
    walked: geopandas.GeoDataFrame
    people: geopandas.GeoDataFrame
    roads: geopandas.GeoDataFrame
    sites: geopandas.GeoDataFrame
    displaced: pd.DataFrame
    cuts: pd.DataFrame
    tiny: tiny.Tiny
    layers: Mapping[str, Raster]
    motion: shaking.Motion
    surveyed: Raster
    buildings: list[people.Building]
    plants: plants.Plants
    wires: wires.Wires
    registration: registration.Registration
    scan_seed: int


def scene(seed: int, size: Size, *, event: bool = True) -> Scene:
    """The valley of this seed; every subject draws from its own stream, so that a change in one leaves the others alone."""
    rng = dict(zip(_STREAMS, np.random.default_rng(seed).spawn(len(_STREAMS)), strict=True))
    plan = layout(size, rng["layout"])
    form = relief(plan, rng["relief"])
    place = settled(plan, form, rng["people"])
    before, edges, sites = place.before, place.roads, place.sites
    kept = shapely.union_all([sites.union_all(), *(b.footprint for b in place.buildings)])
    stood = between.Place(form, before.values.astype(np.float64), edges, kept)
    happened = between.happened(plan, stood, rng["slides"], event=event)
    planted, change = happened.slides, happened.change
    after = _elevation(plan, stood.before + change, "dem_after")
    bodies = slides.bodies(planted, plan.grid)
    water = lakes(happened.lake, between.DAM_BODY, plan.grid)

    covered = scan.surveyed(plan, rng["survey"])
    walked = slides.walked(covered, plan.grid)
    motion = shaking.motion(plan, shaking.earthquake(rng["shaking"], happened=event), rng["shaking"])
    pga_g = Raster(motion.pga_g.astype(np.float32), motion.grid, "pga", "g")
    footprints = geopandas.GeoDataFrame(geometry=[b.footprint for b in place.buildings], crs=plan.grid.crs)
    built = rasterize(footprints, plan.grid, all_touched=True).values
    return Scene(
        plan=plan,
        happened=event,
        before=before,
        after=after,
        change=after.like(change.astype(np.float32), "change", "m"),
        bodies=bodies,
        between=happened,
        lakes=water,
        decoys=decoy_table(happened.decoys, plan.grid),
        mapped=slides.mapped(bodies, walked, plan.grid, rng["mapping"]),
        walked=walked,
        people=place.people,
        roads=edges,
        sites=sites,
        displaced=losses.displaced(place.people, pga_g, bodies.union_all(), rng["losses"], water=water.union_all()),
        cuts=losses.cut_edges(edges, bodies, water),
        tiny=tiny.instance(rng["tiny"]),
        layers=layers(plan, form.gully, before, built, rng["layers"]),
        motion=motion,
        surveyed=Raster(covered, plan.grid, "surveyed", "1"),
        buildings=place.buildings,
        plants=plants.planted(plan, edges, place.buildings, rng["plants"]),
        wires=wires.strung(plan, edges, place.buildings, before),
        registration=registration.drawn(rng["registration"]),
        scan_seed=int(rng["scan"].integers(2**62)),
    )


_STREAMS = (
    "layout", "relief", "people", "slides", "survey", "scan", "mapping", "shaking", "layers", "losses", "tiny", "plants",
    "registration",
)  # fmt: skip


def _elevation(plan: Layout, values: NDArray[np.float64], name: str) -> Raster:
    return Raster(values.astype(np.float32), plan.grid, name, "m", HEIGHT)
