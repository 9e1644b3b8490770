"""Shelters: the register of places where displaced people could stay, and what was planted in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import geopandas
import numpy as np
import pandas as pd
import shapely

from hazardgeo.synthetic.layout import Layout
from hazardgeo.synthetic.lines import Line
from hazardgeo.synthetic.places.hamlets import Hamlet
from hazardgeo.synthetic.places.roads import SOUTH_LANE

UNKNOWN = math.nan
KINDS_ZH = {
    "school": "学校", "square": "广场", "sports ground": "体育场", "tent site": "帐篷安置点", "village office": "村委会",
    "clinic": "卫生院",
}  # fmt: skip
GROWING = [  # in the order of the table of planted sites
    "indoor_area_m2",
    "heated_area_m2",
    "outdoor_area_m2",
    "toilets",
    "water_l_day",
]
AREA_M2_PER_PERSON, OUTDOOR_M2_PER_PERSON = 3.5, 45.0  # Sphere 2018: covered space, and a camp with all that it needs
_SMALL_RESIDENTS = 1200
_COMPASS = np.column_stack([f(np.arange(8) * math.pi / 4) for f in (np.sin, np.cos)])
_FULL_SCALE = 3.0  # the planted sites of the full valley are this much larger; others make up the rest


def register(
    plan: Layout, scattered: Sequence[Hamlet], roads: shapely.Geometry, rng: np.random.Generator
) -> geopandas.GeoDataFrame:
    """The register as a county office might hold it: some cells are empty (NaN), which is unknown.

    Columns: site_id, name, name_zh, kind, design_people (planned), occupied_people (already there), capacity_people (places
    that are still free by plan), areas, toilets, water, and `planted`, which says what was planted and belongs to the truth.
    Together they have far too few places. In a full valley every second scattered hamlet has a place of its own, off the `roads`.
    """
    table = _planted(plan)
    table = pd.concat([table, _scattered(scattered, roads, rng)], ignore_index=True) if scattered else table
    indoor_people = np.floor(table["indoor_area_m2"] / AREA_M2_PER_PERSON)
    outdoor_people = np.floor(table["outdoor_area_m2"] / OUTDOOR_M2_PER_PERSON)
    design = np.where(table["indoor_area_m2"] > 0, indoor_people, outdoor_people)
    table["design_people"] = design.astype(np.int32)
    table["occupied_people"] = np.floor(design * table.pop("occupied")).astype(np.int32)
    table["capacity_people"] = (table["design_people"] - table["occupied_people"]).astype(np.int32)
    table.insert(0, "site_id", [f"AS{number:03d}" for number in range(1, len(table) + 1)])
    places = [(round(east, 2), round(north, 2)) for east, north in zip(table.pop("east"), table.pop("north"), strict=True)]
    first = ["site_id", "name", "name_zh", "kind", "design_people", "occupied_people", "capacity_people"]
    table = table[[*first, *GROWING, "planted"]]
    return geopandas.GeoDataFrame(table, geometry=[shapely.Point(p) for p in places], crs=plan.grid.crs)


def _planted(plan: Layout) -> pd.DataFrame:
    floor, size = plan.floor_m, plan.size_m
    terrace = plan.floor_m + 0.38 * (plan.foot_m - plan.floor_m)
    nan = UNKNOWN
    rows = [  # name, name_zh, kind, share, across; indoor, heated, outdoor m2; toilets, water l/day; occupied; planted
        ("Gully Mouth School", "沟口小学", "school", 0.505, 0.66 * floor, 620, 480, 1500, 12, 6000, 0.0, "inside the reach"),
        ("Gully Mouth Square", "沟口广场", "square", 0.345, 0.49 * floor, 0, 0, 1400, nan, nan, 0.0, "unheated"),
        ("South Bank School", "南岸小学", "school", 0.50, (SOUTH_LANE + 0.20) * floor, 420, 330, 1200, 8, 4500, 0.35,
         "already partly occupied"),
        ("South Bank Clinic", "南岸卫生院", "clinic", 0.66, (SOUTH_LANE + 0.18) * floor, 140, 140, 200, 3, nan, 0.0, ""),
        ("Terrace Office", "梯田村委会", "village office", 0.775, terrace + 14.0, 160, 0, 300, 2, 800, 0.0, "unheated"),
        ("Quarry Tents", "采石场帐篷点", "tent site", 0.26, -0.90 * floor, 90, 60, 900, nan, 500, 0.0, "under a steep hillside"),
        ("Platform Threshing Ground", "塬上打麦场", "square", 0.775, plan.edge_m + 0.11 * size, 0, 0, 1600, 1, nan, 0.0,
         "cut off"),
        ("East Sports Ground", "东体育场", "sports ground", 0.93, 0.55 * floor, 150, 80, 1100, 2, 1200, 0.5,
         "in the part that was not surveyed; already partly occupied"),
        ("West School", "西小学", "school", 0.10, 0.60 * floor, 300, 210, 800, 6, 3000, 0.0, ""),
    ]  # fmt: skip
    names = ["name", "name_zh", "kind", "share", "across_m", *GROWING, "occupied", "planted"]
    table = pd.DataFrame(rows, columns=names)
    scale = 1.0 if plan.residents <= _SMALL_RESIDENTS else _FULL_SCALE
    table[GROWING] = (table[GROWING].astype(float) * scale).round()
    places = [plan.place(share, across) for share, across in zip(table.pop("share"), table.pop("across_m"), strict=True)]
    return table.assign(east=[p[0] for p in places], north=[p[1] for p in places])


def _scattered(hamlets: Sequence[Hamlet], roads: shapely.Geometry, rng: np.random.Generator) -> pd.DataFrame:
    """A place in every second hamlet: a village office, a square, a sports ground or tents."""
    rows = []
    for number, hamlet in enumerate(hamlets[::2]):
        kind = ("village office", "square", "tent site", "sports ground")[number % 4]
        indoor = round(rng.uniform(60, 160)) if kind in ("village office", "sports ground") else 0
        heated = round(0.7 * indoor) if kind == "village office" and rng.random() < 0.7 else 0
        around = hamlet.centre + 36.0 * _COMPASS
        east, north = around[int(np.argmax(shapely.distance(roads, shapely.points(around))))].round(2)
        rows.append(
            {
                "name": f"{hamlet.name} {kind.title()}",
                "name_zh": f"{hamlet.name_zh}{KINDS_ZH[kind]}",
                "kind": kind,
                "indoor_area_m2": float(indoor),
                "heated_area_m2": float(heated),
                "outdoor_area_m2": float(round(rng.uniform(300, 900))),
                "toilets": float(rng.integers(1, 4)) if rng.random() < 0.8 else UNKNOWN,
                "water_l_day": float(100 * rng.integers(4, 12)) if rng.random() < 0.7 else UNKNOWN,
                "occupied": 0.4 if rng.random() < 0.15 else 0.0,
                "planted": "" if heated else "unheated",
                "east": float(east),
                "north": float(north),
            }
        )
    return pd.DataFrame(rows)


def yard_radius_m(sites: geopandas.GeoDataFrame) -> Line:
    """Radius in m of the level ground around each site."""
    return np.asarray(8.0 + np.sqrt(np.minimum(sites["indoor_area_m2"].to_numpy(), 900.0)) / 2)
