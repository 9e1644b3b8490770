"""Plants: the trees and shrubs of the demo valley, the same ones in both epochs unless a slide took them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import rasterize
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.layout import Layout
from hazardgeo.synthetic.noise import fractal
from hazardgeo.synthetic.places.people import Building

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]
SHRUB, BARE, EVERGREEN = 0, 1, 2  # kinds of plants; it is winter
CROWN_FROM = (0.0, 0.28, 0.10)  # where crowns begin, as a share of the height of each kind
TAKEN_M = 0.2  # where the ground changed more than this, its plants are gone
_COARSE_M = 8.0
_ROAD_CLEAR_M, _HOUSE_CLEAR_M = 3.2, 1.5


@dataclass(frozen=True, slots=True)
class Plants:
    """Where plants stand, their height and the radius of their crowns in m, and their `kind`.

    A crown is an ellipsoid from `CROWN_FROM` of the height to the top; that of a shrub is the upper half of one.
    """

    east: Field
    north: Field
    height_m: Field
    radius_m: Field
    kind: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.east)

    def where(self, kept: Mask) -> Plants:
        """Only the plants of a mask."""
        return replace(self, **{name: getattr(self, name)[kept] for name in ("east", "north", "height_m", "radius_m", "kind")})


def planted(plan: Layout, roads: geopandas.GeoDataFrame, houses: list[Building], rng: np.random.Generator) -> Plants:
    """Groves and thickets on free ground, poplars in rows along roads and the river, a tree or two at most houses."""
    coarse = Grid.from_bounds(plan.grid.bounds, cell=_COARSE_M, crs=plan.grid.crs)
    grove = fractal(rng, coarse, wavelength_m=90.0, octaves=3)
    free = _free(plan, roads, houses)
    east, north = np.meshgrid(*coarse.centres(), sparse=True)
    wild = np.abs(plan.across(east, north)) > plan.floor_m
    area = plan.size_m**2
    parts = [
        _scattered(coarse, (grove > 0.75) & wild, round(area * 0.0016), (EVERGREEN, 3.0, 8.0, 0.30), rng),
        _scattered(coarse, (grove > 0.55) & wild, round(area * 0.0004), (BARE, 5.0, 11.0, 0.24), rng),
        _scattered(coarse, (grove < -0.3) & (wild | (grove < -1.0)), round(area * 0.0030), (SHRUB, 0.5, 1.7, 0.60), rng),
        _in_rows(roads.geometry.to_numpy(), 4.3, 0.45, rng),
        _in_rows([shapely.LineString(plan.river)], plan.river_m / 2 + 5.0, 0.22, rng),
        _at_houses(houses, rng),
    ]
    found = Plants(*(np.concatenate([getattr(p, name) for p in parts]) for name in Plants.__slots__))
    return found.where(at(free, plan.grid, found))


def standing(found: Plants, change: Field, grid: Grid) -> Plants:
    """The plants that are left after the ground changed by so many m."""
    return found.where(at(np.abs(change) < TAKEN_M, grid, found))


def at(mask: Mask, grid: Grid, found: Plants) -> Mask:
    """Which plants stand in the cells of a mask; False outside the grid."""
    row, col = grid.rowcol(found.east, found.north)
    inside = (row >= 0) & (row < grid.shape[0]) & (col >= 0) & (col < grid.shape[1])
    inside[inside] = mask[row[inside], col[inside]]
    return np.asarray(inside)


def _free(plan: Layout, roads: geopandas.GeoDataFrame, houses: list[Building]) -> Mask:
    """Ground off roads, houses and the river."""
    kept = [*roads.buffer(_ROAD_CLEAR_M), *(h.footprint.buffer(_HOUSE_CLEAR_M) for h in houses)]
    kept.append(shapely.LineString(plan.river).buffer(plan.river_m / 2 + 2.0))
    shapes = geopandas.GeoDataFrame(geometry=kept, crs=plan.grid.crs)
    return np.asarray(~rasterize(shapes, plan.grid, all_touched=True).values)


def _scattered(coarse: Grid, where: Mask, count: int, form: tuple[int, float, float, float], rng: np.random.Generator) -> Plants:
    """Plants at random on the coarse cells of a mask; `form` is their kind, least and largest height and spread."""
    row, col = np.divmod(rng.choice(np.flatnonzero(where), size=count), where.shape[1])
    east, north = coarse.centres()
    shift = rng.uniform(-0.5, 0.5, (2, count)) * coarse.cell[0]
    return _plants(east[col] + shift[0], north[row] + shift[1], form, rng)


def _in_rows(
    shapes: NDArray[np.object_] | list[shapely.Geometry], aside_m: float, share: float, rng: np.random.Generator
) -> Plants:
    """Bare poplars every 7 m on both sides of lines, on a `share` of stretches of about 90 m."""
    parts = [np.empty((0, 2))]
    for shape in shapes:
        line = lines.resampled(shapely.get_coordinates(shape), step_m=7.0)
        if len(line) < 4:
            continue
        ahead = np.gradient(line, axis=0)
        right = np.column_stack([ahead[:, 1], -ahead[:, 0]]) / np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]
        stretch = np.arange(len(line)) // 13
        for side in (-1.0, 1.0):
            kept = rng.random(stretch[-1] + 1)[stretch] < share
            places = line + side * aside_m * right + rng.normal(0, 0.4, line.shape)
            parts.append(places[kept & (rng.random(len(line)) < 0.85)])
    places = np.vstack(parts)
    return _plants(places[:, 0], places[:, 1], (BARE, 7.0, 14.0, 0.14), rng)


def _at_houses(houses: list[Building], rng: np.random.Generator) -> Plants:
    centre = np.array([(h.footprint.centroid.x, h.footprint.centroid.y) for h in houses]).reshape(-1, 2)
    centre = np.repeat(centre, rng.poisson(0.9, len(centre)), axis=0)
    angle, away = rng.uniform(0, 2 * math.pi, len(centre)), rng.uniform(5.5, 9.0, len(centre))
    return _plants(centre[:, 0] + away * np.cos(angle), centre[:, 1] + away * np.sin(angle), (BARE, 3.5, 8.0, 0.30), rng)


def _plants(east: Field, north: Field, form: tuple[int, float, float, float], rng: np.random.Generator) -> Plants:
    kind, least, most, spread = form
    height = rng.uniform(least, most, len(east))
    radius = spread * height * rng.uniform(0.8, 1.2, len(east))
    return Plants(east, north, height, radius, np.full(len(east), kind, np.uint8))
