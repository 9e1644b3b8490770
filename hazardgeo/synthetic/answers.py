"""Answers: what is known of the demo valley by construction."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from hazardgeo.raster import sample
from hazardgeo.synthetic.people import PLATFORM
from hazardgeo.synthetic.scene import Scene
from hazardgeo.synthetic.slides import ASSUMPTION, COLLAPSE_BULKING, FLOW_BULKING


def answers(s: Scene) -> dict[str, Any]:
    """The counts that any analysis of the valley can be held against, ready for JSON."""
    moved, drawn = s.bodies.union_all(), s.mapped.union_all()
    flow = s.bodies[s.bodies["kind"] == "flow slide"].set_index("part")["volume_m3"]
    falls = s.bodies[s.bodies["kind"] == "collapse"]
    covered = sample(s.surveyed, s.sites)
    on_platform = s.people["village"] == PLATFORM
    return {
        "residents": int(s.people["people"].sum()),
        "residents_by_village": {str(k): int(v) for k, v in s.people.groupby("village", sort=True)["people"].sum().items()},
        "roads": {
            "cut_road_ids": _ids(s, moved),
            "cut_road_ids_by_mapped_bodies": _ids(s, drawn),
            "people_whose_only_road_is_cut": int(s.people.loc[on_platform, "people"].sum()),
            "village_whose_only_road_is_cut": PLATFORM,
        },
        "people_in_slide_bodies": int(s.people.loc[s.people.intersects(moved), "people"].sum()),
        "sites": {
            "inside_slide_bodies": s.sites.loc[s.sites.intersects(moved), "name"].tolist(),
            "not_surveyed": s.sites.loc[~covered.astype(bool), "name"].tolist(),
            "planted": {name: note for name, note in zip(s.sites["name"], s.sites["planted"], strict=True) if note},
        },
        "volumes": {
            "flow_slide_source_m3": float(flow["source"]),
            "flow_slide_deposit_m3": float(flow["deposit"]),
            "flow_slide_bulking": FLOW_BULKING,
            "collapses": int(falls["body_id"].nunique()),
            "collapse_sources_m3": float(falls.loc[falls["part"] == "source", "volume_m3"].sum()),
            "collapse_deposits_m3": float(falls.loc[falls["part"] == "deposit", "volume_m3"].sum()),
            "collapse_bulking": COLLAPSE_BULKING,
            "assumption": ASSUMPTION,
        },
        "mapped_body_ids": sorted(int(i) for i in s.mapped["body_id"]),
        "surveyed_share": float(np.mean(s.surveyed.values)),
    }


def _ids(s: Scene, bodies: shapely.Geometry) -> list[int]:
    """The roads that the bodies touch."""
    return [int(i) for i in s.roads.loc[s.roads.intersects(bodies), "road_id"]]
