"""People: households with those who need care and their animals, and the houses that they live in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster, sample_xy
from hazardgeo.synthetic.events.slides import outline
from hazardgeo.synthetic.places.hamlets import Hamlet

PEOPLE_PER_HOUSEHOLD = 4.7  # 26,523 people in 5,556 households in a town of the founding case
STRUCTURES = {  # with the type that displacement models know
    "adobe": "adobe",
    "brick and wood": "brick",
    "brick and concrete": "brick",
    "reinforced concrete": "rc",
}
ELDERLY_SHARE, INFANT_SHARE, DISABLED_SHARE, LIVESTOCK_SHARE = 0.12, 0.04, 0.04, 0.6  # assumptions
_HOUSE_TAN, _APART_M, _CLEAR_M = 0.26, 11.0, 8.5


@dataclass(frozen=True, slots=True)
class Building:
    """A box on the ground: its footprint, the height of its roof above the ground, its type."""

    footprint: shapely.Polygon
    height_m: float


def households(
    hamlets: Sequence[Hamlet], residents: int, steepness: Raster, keep_clear: shapely.Geometry, rng: np.random.Generator
) -> tuple[geopandas.GeoDataFrame, list[Building]]:
    """Household points, and their houses in the same order.

    Columns: household_id (from 1), people, of them elderly, infants and disabled (these overlap), livestock (sheep),
    building_type (as displacement models know it), structure, village and village_zh. `steepness` is in m/m. Houses stand
    on gentle ground, apart from each other and off `keep_clear` (roads, river, sites).
    """
    shapely.prepare(keep_clear)
    weight = np.array([h.residents for h in hamlets])
    totals = np.floor(residents * weight / weight.sum()).astype(int)
    totals[0] += residents - totals.sum()
    rows: list[pd.DataFrame] = []
    houses: list[Building] = []
    for hamlet, total in zip(hamlets, totals.tolist(), strict=True):
        places = _places(hamlet, max(round(total / PEOPLE_PER_HOUSEHOLD), 1), steepness, keep_clear, rng)
        if not len(places):
            raise AssertionError(f"{hamlet.name} has no ground for a house")
        people = 1 + rng.multinomial(total - len(places), np.full(len(places), 1 / len(places)))
        kinds = rng.choice(list(STRUCTURES), size=len(places), p=hamlet.types)
        rows.append(_table(hamlet, places, people, kinds, rng))
        houses += [_house((east, north), kind, rng) for (east, north), kind in zip(places.tolist(), kinds, strict=True)]
    table = pd.concat(rows, ignore_index=True)
    table.insert(0, "household_id", np.arange(1, len(table) + 1, dtype=np.int32))
    points = geopandas.points_from_xy(table.pop("east"), table.pop("north"))
    return geopandas.GeoDataFrame(table, geometry=points, crs=steepness.grid.crs), houses


def _table(
    hamlet: Hamlet, places: NDArray[np.float64], people: NDArray[np.int64], kinds: NDArray[np.str_], rng: np.random.Generator
) -> pd.DataFrame:
    animals = np.where(rng.random(len(people)) < LIVESTOCK_SHARE, 1 + rng.poisson(6.0, len(people)), 0)
    return pd.DataFrame(
        {
            "people": people.astype(np.int32),
            "elderly": rng.binomial(people, ELDERLY_SHARE).astype(np.int32),
            "infants": rng.binomial(np.maximum(people - 1, 0), INFANT_SHARE).astype(np.int32),
            "disabled": rng.binomial(people, DISABLED_SHARE).astype(np.int32),
            "livestock": animals.astype(np.int32),
            "building_type": [STRUCTURES[kind] for kind in kinds.tolist()],
            "structure": kinds,
            "village": hamlet.name,
            "village_zh": hamlet.name_zh,
            "east": places[:, 0],
            "north": places[:, 1],
        }
    )


def _places(
    hamlet: Hamlet, wanted: int, steepness: Raster, keep_clear: shapely.Geometry, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Up to `wanted` places at least 11 m apart; when the hamlet is full, the others move in with those."""
    west, south, east, north = hamlet.ground.bounds
    tries = 90 * wanted
    x, y = rng.uniform(west, east, tries).round(2), rng.uniform(south, north, tries).round(2)
    points = shapely.points(x, y)
    shapely.prepare(hamlet.ground)
    free = shapely.contains(hamlet.ground, points) & (sample_xy(steepness, x, y) < _HOUSE_TAN)
    free[free] = ~shapely.dwithin(keep_clear, points[free], _CLEAR_M)
    kept = np.empty((0, 2))
    for place in np.column_stack([x, y])[free]:
        if len(kept) == wanted:
            break
        if not len(kept) or np.hypot(*(kept - place).T).min() > _APART_M:
            kept = np.vstack([kept, place])
    return kept


def _house(centre: tuple[float, float], structure: str, rng: np.random.Generator) -> Building:
    width, depth = rng.uniform(6.5, 9.0), rng.uniform(5.0, 6.5)
    storeys = 2 if structure == "reinforced concrete" else 1
    return Building(_box(centre, width, depth, rng.normal(0.0, 0.15)), float(rng.uniform(3.0, 4.5)) * storeys)


def _box(centre: tuple[float, float], width_m: float, depth_m: float, turn: float) -> shapely.Polygon:
    x, y = np.array([-1, 1, 1, -1]) * width_m / 2, np.array([-1, -1, 1, 1]) * depth_m / 2
    east, north = centre[0] + x * math.cos(turn) - y * math.sin(turn), centre[1] + x * math.sin(turn) + y * math.cos(turn)
    return shapely.Polygon(np.column_stack([east, north]).round(2))


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
