"""Answers: what is known of the demo valley by construction."""

from __future__ import annotations

from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely

from hazardgeo.raster import sample
from hazardgeo.synthetic import tiny
from hazardgeo.synthetic.events.dam import LAKE_ASSUMPTION
from hazardgeo.synthetic.events.slides import ASSUMPTION, COLLAPSE_BULKING, FLOW_BULKING
from hazardgeo.synthetic.places import losses
from hazardgeo.synthetic.places.hamlets import PLATFORM
from hazardgeo.synthetic.scene import Scene


def answers(s: Scene) -> dict[str, Any]:
    """The counts that any analysis of the valley can be held against, ready for JSON."""
    moved = s.bodies.union_all()
    return {
        "event": s.happened,
        "residents": int(s.people["people"].sum()),
        "households": len(s.people),
        "residents_by_village": _by_village(s.people, s.people["people"]),
        "needs": {name: int(s.people[name].sum()) for name in ("elderly", "infants", "disabled", "livestock")},
        "displaced_people": int(s.displaced["displaced_people"].sum()),
        "displaced_by_village": _by_village(s.displaced, s.displaced["displaced_people"]),
        "displaced_assumption": losses.ASSUMPTION,
        "people_in_slide_bodies": int(s.people.loc[s.people.intersects(moved), "people"].sum()),
        "roads": _roads(s, moved),
        "lake": _lake(s),
        "sites": _sites(s, moved),
        "volumes": _volumes(s.bodies),
        "mapped_body_ids": sorted(int(i) for i in s.mapped["body_id"]),
        "registration": s.registration.as_answer(),
        "surveyed_share": float(np.mean(s.surveyed.values)),
        "tiny": tiny.as_answer(s.tiny),
    }


def _by_village(table: pd.DataFrame, people: pd.Series[int]) -> dict[str, int]:
    return {str(k): int(v) for k, v in people.groupby(table["village"], sort=True).sum().items()}


def _roads(s: Scene, moved: shapely.Geometry) -> dict[str, Any]:
    """What the bodies cut, and whom that cuts off."""
    mapped = s.mapped.assign(part="mapped")
    slid = s.cuts[s.cuts["cause"] == "slide"]
    away = losses.cut_off(s.roads, s.people, moved, ways_out=losses.ways_out(s.roads, s.plan.grid), water=s.lakes.union_all())
    on_platform = s.people["village"] == PLATFORM
    return {
        "cuts": len(slid.drop_duplicates(["road_id", "body_id"])),
        "cut_road_ids": np.unique(slid["road_id"].to_numpy()).tolist(),
        "flooded_road_ids": np.unique(s.cuts.loc[s.cuts["cause"] == "lake", "road_id"].to_numpy()).tolist(),
        "cut_road_ids_by_mapped_bodies": np.unique(losses.cut_edges(s.roads, mapped)["road_id"].to_numpy()).tolist(),
        "people_cut_off": int(s.people.loc[away, "people"].sum()),
        "villages_cut_off": sorted(str(v) for v in s.people.loc[away, "village"].unique()),
        "people_whose_only_road_is_cut": int(s.people.loc[on_platform & away, "people"].sum()),
        "village_whose_only_road_is_cut": PLATFORM,
    }


def _lake(s: Scene) -> dict[str, Any]:
    """The lake behind the dam, and who lives where it stands."""
    flooded = s.displaced["flooded"].to_numpy(bool)
    return {
        "level_m": [float(level) for level in s.lakes["level_m"]],
        "area_m2": float(s.lakes["area_m2"].sum()),
        "volume_m3": float(s.lakes["volume_m3"].sum()),
        "flooded_households": int(flooded.sum()),
        "flooded_people": int(s.displaced.loc[flooded, "people"].sum()),
        "flooded_sites": s.sites.loc[s.sites.intersects(s.lakes.union_all()), "name"].tolist(),
        "assumption": LAKE_ASSUMPTION,
    }


def _sites(s: Scene, moved: shapely.Geometry) -> dict[str, Any]:
    covered = sample(s.surveyed, s.sites).astype(bool)
    away = losses.cut_off(s.roads, s.sites, moved, ways_out=losses.ways_out(s.roads, s.plan.grid), water=s.lakes.union_all())
    return {
        "capacity_people": int(s.sites["capacity_people"].sum()),
        "occupied_people": int(s.sites["occupied_people"].sum()),
        "inside_slide_bodies": s.sites.loc[s.sites.intersects(moved), "name"].tolist(),
        "not_surveyed": s.sites.loc[~covered, "name"].tolist(),
        "cut_off": s.sites.loc[away, "name"].tolist(),
        "unheated": s.sites.loc[s.sites["heated_area_m2"] == 0, "name"].tolist(),
        "partly_occupied": s.sites.loc[s.sites["occupied_people"] > 0, "name"].tolist(),
        "planted": {name: note for name, note in zip(s.sites["name"], s.sites["planted"], strict=True) if note},
    }


def _volumes(bodies: geopandas.GeoDataFrame) -> dict[str, Any]:
    flow = bodies[bodies["kind"] == "flow slide"].set_index("part")["volume_m3"]
    falls = bodies[bodies["kind"] == "collapse"]
    return {
        "flow_slide_source_m3": float(flow.get("source", 0.0)),
        "flow_slide_deposit_m3": float(flow.get("deposit", 0.0)),
        "flow_slide_bulking": FLOW_BULKING,
        "collapses": int(falls["body_id"].nunique()),
        "collapse_sources_m3": float(falls.loc[falls["part"] == "source", "volume_m3"].sum()),
        "collapse_deposits_m3": float(falls.loc[falls["part"] == "deposit", "volume_m3"].sum()),
        "collapse_bulking": COLLAPSE_BULKING,
        "assumption": ASSUMPTION,
    }
