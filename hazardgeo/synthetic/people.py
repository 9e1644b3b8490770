"""People: villages of households with their houses, and the register of shelter sites."""

from __future__ import annotations

import math
from dataclasses import dataclass

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster, sample_xy
from hazardgeo.synthetic.layout import Layout
from hazardgeo.synthetic.roads import PLATFORM_LANE, SOUTH_LANE
from hazardgeo.synthetic.slides import outline

PEOPLE_PER_POINT = 6.0  # one or two households that share a yard
BUILDING_TYPES = ("rammed_earth", "brick", "rc")
PLATFORM = "Platform Hamlet"
UNKNOWN = math.nan


@dataclass(frozen=True, slots=True)
class Village:
    """A rectangle in shares of the valley's length and metres across, its share of the residents, and its buildings."""

    name: str
    shares: tuple[float, float]
    across_m: tuple[float, float]
    residents: float
    types: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Building:
    """A box on the ground: its footprint, the height of its roof above the ground, its type."""

    footprint: shapely.Polygon
    height_m: float


def villages(plan: Layout) -> list[Village]:
    """Two villages on the floor, one on the terraces, and a hamlet on the tableland."""
    floor, edge, size = plan.floor_m, plan.edge_m, plan.size_m
    terrace = plan.floor_m + 0.38 * (plan.foot_m - plan.floor_m)
    return [
        Village("Gully Mouth", (0.24, 0.50), (0.42 * floor, 0.97 * floor), 0.33, (0.45, 0.45, 0.10)),
        Village("South Bank", (0.30, 0.78), (-0.90 * floor, -0.42 * floor), 0.33, (0.40, 0.45, 0.15)),
        Village("Terraces", (0.69, 0.86), (terrace - 0.05 * size, terrace + 0.05 * size), 0.22, (0.65, 0.30, 0.05)),
        Village(PLATFORM, PLATFORM_LANE, (edge + 0.085 * size, edge + 0.145 * size), 0.12, (0.75, 0.25, 0.0)),
    ]


def households(
    plan: Layout, steepness: Raster, keep_clear: shapely.Geometry, rng: np.random.Generator
) -> tuple[geopandas.GeoDataFrame, list[Building]]:
    """Household points with people, building_type and village, and their houses in the same order.

    `steepness` is in m/m. Houses stand on gentle ground, apart from each other and off `keep_clear` (roads, river, sites).
    """
    shapely.prepare(keep_clear)
    totals = [round(v.residents * plan.residents) for v in villages(plan)]
    totals[0] += plan.residents - sum(totals)
    rows: list[pd.DataFrame] = []
    houses: list[Building] = []
    for village, total in zip(villages(plan), totals, strict=True):
        places = _places(plan, village, round(total / PEOPLE_PER_POINT), steepness, keep_clear, rng)
        people = 1 + rng.multinomial(total - len(places), np.full(len(places), 1 / len(places)))
        kinds = rng.choice(BUILDING_TYPES, size=len(places), p=village.types)
        rows.append(
            pd.DataFrame(
                {
                    "people": people.astype(np.int32),
                    "building_type": kinds,
                    "village": village.name,
                    "east": places[:, 0],
                    "north": places[:, 1],
                }
            )
        )
        houses += [_house((east, north), rng) for east, north in places.tolist()]
    table = pd.concat(rows, ignore_index=True)
    points = geopandas.points_from_xy(table.pop("east"), table.pop("north"))
    return geopandas.GeoDataFrame(table, geometry=points, crs=plan.grid.crs), houses


def _places(
    plan: Layout, village: Village, wanted: int, steepness: Raster, keep_clear: shapely.Geometry, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Up to `wanted` places at least 10.5 m apart; when the village is full, the others move in with those."""
    tries = 60 * wanted
    east = plan.east_of(0.0) + plan.size_m * rng.uniform(*village.shares, tries)
    north = plan.axis_north(east) + rng.uniform(*village.across_m, tries)
    east, north = east.round(2), north.round(2)
    gentle = sample_xy(steepness, east, north) < 0.3
    free = gentle & (shapely.distance(shapely.points(east, north), keep_clear) > 7.5)
    candidates = np.column_stack([east, north])[free]
    kept = np.empty((0, 2))
    for place in candidates:
        if len(kept) == wanted:
            break
        if not len(kept) or np.hypot(*(kept - place).T).min() > 10.5:
            kept = np.vstack([kept, place])
    return kept


def _house(centre: tuple[float, float], rng: np.random.Generator) -> Building:
    width, depth = rng.uniform(6.5, 9.0), rng.uniform(5.0, 6.5)
    return Building(_box(centre, width, depth, rng.normal(0.0, 0.15)), float(rng.uniform(3.0, 4.5)))


def _box(centre: tuple[float, float], width_m: float, depth_m: float, turn: float) -> shapely.Polygon:
    x, y = np.array([-1, 1, 1, -1]) * width_m / 2, np.array([-1, -1, 1, 1]) * depth_m / 2
    east, north = centre[0] + x * math.cos(turn) - y * math.sin(turn), centre[1] + x * math.sin(turn) + y * math.cos(turn)
    return shapely.Polygon(np.column_stack([east, north]).round(2))


def sites(plan: Layout) -> geopandas.GeoDataFrame:
    """The register of shelter sites, as a county office might hold it: some cells are empty (NaN), which is unknown.

    Areas, toilets and water grow with the residents. The note says what was planted; it belongs to the truth.
    """
    floor, size = plan.floor_m, plan.size_m
    terrace = plan.floor_m + 0.38 * (plan.foot_m - plan.floor_m)
    nan = UNKNOWN
    register = [  # name, kind, share, across; indoor, heated, outdoor m2; toilets, water l/day; planted
        ("Gully Mouth School", "school", 0.505, 0.66 * floor, 620, 480, 1500, 12, 6000, "inside the flow slide's deposit"),
        ("Gully Mouth Square", "square", 0.345, 0.49 * floor, 0, 0, 1400, nan, nan, ""),
        ("South Bank School", "school", 0.50, (SOUTH_LANE + 0.20) * floor, 420, 330, 1200, 8, 4500, ""),
        ("South Bank Clinic", "clinic", 0.66, (SOUTH_LANE + 0.18) * floor, 140, 140, 200, 3, nan, ""),
        ("Terrace Hall", "hall", 0.775, terrace + 14.0, 160, 0, 300, 2, 800, "without heating"),
        ("Quarry Yard", "yard", 0.26, -0.93 * floor, 90, 60, 900, nan, 500, "at the foot of the steep hillside"),
        ("Platform Threshing Ground", "square", 0.775, plan.edge_m + 0.11 * size, 0, 0, 1600, 1, nan, "beyond the cut road"),
        ("East Bus Yard", "yard", 0.93, 0.55 * floor, 150, 80, 1100, 2, 1200, "in the part that was not surveyed"),
        ("West School", "school", 0.10, 0.60 * floor, 300, 210, 800, 6, 3000, ""),
    ]
    names = ["name", "kind", "share", "across_m", "indoor_area_m2", "heated_area_m2", "outdoor_area_m2", "toilets", "water_l_day"]
    table = pd.DataFrame(register, columns=[*names, "planted"])
    grown = ["indoor_area_m2", "heated_area_m2", "outdoor_area_m2", "toilets", "water_l_day"]
    table[grown] = (table[grown].astype(float) * plan.residents / 1200).round()
    places = [plan.place(share, across) for share, across in zip(table.pop("share"), table.pop("across_m"), strict=True)]
    points = geopandas.points_from_xy([p[0] for p in places], [p[1] for p in places])
    return geopandas.GeoDataFrame(table, geometry=points, crs=plan.grid.crs)


def site_buildings(register: geopandas.GeoDataFrame) -> list[Building]:
    """Two-storey houses with the indoor area of each site."""
    found = []
    for area, point in zip(register["indoor_area_m2"], register.geometry, strict=True):
        if area > 0:
            width = math.sqrt(2.0 * area / 2)
            found.append(Building(_box((point.x, point.y), width, area / 2 / width, 0.0), 7.5))
    return found


def standing(buildings: list[Building], change: NDArray[np.float64], grid: Grid) -> list[Building]:
    """The buildings that the slides left standing: those off the ground that moved."""
    moved = outline(change != 0, grid)
    shapely.prepare(moved)
    return [b for b in buildings if not moved.intersects(b.footprint)]
