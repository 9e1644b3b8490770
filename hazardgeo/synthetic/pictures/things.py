"""Things: what stands in the valley as shapes in the pixels of an orthomosaic, with their shadows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster, sample_xy
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.pictures import props
from hazardgeo.synthetic.pictures.shade import Sun
from hazardgeo.synthetic.pictures.texture import hash_kernel
from hazardgeo.synthetic.places.people import Building
from hazardgeo.synthetic.places.plants import BARE, EVERGREEN, SHRUB, Plants
from hazardgeo.synthetic.places.shelters import yard_radius_m

Field = NDArray[np.float64]
_KIND_OF_ROAD = {"secondary": props.ASPHALT, "residential": props.CONCRETE, "unclassified": props.CONCRETE}  # others are dirt
_ROOF_SHARES = ((props.TILE, 0.40), (props.RED, 0.18), (props.BLUE, 0.20), (props.MUD_ROOF, 0.14), (props.FLAT, 0.08))
_CAR_SHARES = ((props.WHITE, 0.42), (props.SILVER, 0.26), (props.BLACK, 0.18), (props.RED_CAR, 0.14))
_YARD_DEEP_M, _YARD_WIDER_M, _WALL_M = 6.0, 1.2, 1.3
_ROAD_CLEAR_M = 3.4  # from the middle of a road to a yard
_PITCH_DEG = 24.0
_HIGH_M = 6.0  # houses higher than this have flat or sheet roofs
_FLATTEST_TAN = 0.2  # of the way of a shadow over falling ground
_CAR_M = 6.0  # longer vehicles are trucks
_STEP_M, _UNEVEN_M = 1.0, 0.9  # pieces of cracks, and how far they stray to either side in all
_STRENGTH = {EVERGREEN: 0.85, BARE: 0.5, SHRUB: 0.6}  # of the shadows of plants


@dataclass(frozen=True, slots=True)
class Shapes:
    """Shapes in pixels of the whole picture (column, row) with the kernel's columns after them; see `props`.

    `roads` (n, 5) and `cracks` (n, 5) are pieces of lines; `yards` and `roofs` (n, 4, 2) have kinds, `roofs` also light on
    both halves and a number of their own; `shadows` are convex shapes one after the other from `starts` on; `crowns` (n, 4),
    their shadows (n, 6).
    """

    roads: Field
    cracks: Field
    yards: Field
    yard_kinds: NDArray[np.uint8]
    roofs: Field
    roof_kinds: NDArray[np.uint8]
    roof_lights: Field
    roof_seeds: NDArray[np.int64]
    shadows: Field
    starts: NDArray[np.int64]
    crowns: Field
    crown_shadows: Field


@dataclass(frozen=True, slots=True)
class Frame:
    """How places become pixels: the grid of the picture, and by how many m (east, north) it is displaced."""

    grid: Grid
    shift_m: tuple[float, float]

    def pixels(self, places: Field) -> Field:
        """Column and row, with fractions, of places (..., 2) given as east and north."""
        west, _, _, north = self.grid.bounds
        cell = self.grid.cell[0]
        col = (places[..., 0] + self.shift_m[0] - west) / cell
        return np.stack([col, (north - places[..., 1] - self.shift_m[1]) / cell], axis=-1)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands on the ground in one epoch."""

    roads: geopandas.GeoDataFrame
    sites: geopandas.GeoDataFrame
    houses: list[Building]
    vehicles: geopandas.GeoDataFrame
    plants: Plants
    cracks: geopandas.GeoDataFrame | None


def shapes(found: Standing, ground: Raster, frame: Frame, sun: Sun) -> Shapes:
    """All that is to be drawn over the ground."""
    corners = np.array([_ridged(h.footprint) for h in found.houses]).reshape(-1, 4, 2)
    heights = np.array([h.height_m for h in found.houses])
    cars = np.array([_ridged(v, end_first=True) for v in found.vehicles.geometry]).reshape(-1, 4, 2)
    car_heights = found.vehicles["height_m"].to_numpy(np.float64)
    yards = _off_roads(_yards(corners[heights <= _HIGH_M]), found.roads)
    walls = _walls(yards)
    boxes = np.concatenate([corners, cars, walls])
    tall = np.concatenate([heights, car_heights, np.full(len(walls), _WALL_M)])
    shadows, starts = _shadows(boxes, tall, ground, sun)
    roofs = np.concatenate([corners, cars])
    kinds = np.concatenate([_roof_kinds(corners, heights), _car_kinds(cars)])
    site_yards, site_kinds = _site_yards(found.sites)
    crowns, crown_shadows = _crowns(found.plants, ground, frame, sun)
    return Shapes(
        roads=_road_pieces(found.roads, frame),
        cracks=_crack_pieces(found.cracks, frame),
        yards=frame.pixels(np.concatenate([site_yards, yards])),
        yard_kinds=np.concatenate([site_kinds, np.full(len(yards), props.YARD, np.uint8)]),
        roofs=frame.pixels(roofs),
        roof_kinds=kinds,
        roof_lights=_roof_lights(roofs, kinds, sun),
        roof_seeds=(_chance(roofs, 38) * 1e9).astype(np.int64),
        shadows=frame.pixels(shadows),
        starts=starts,
        crowns=crowns,
        crown_shadows=crown_shadows,
    )


def _ridged(footprint: shapely.Polygon, *, end_first: bool = False) -> Field:
    """Four corners; the first side is the longer one, or with `end_first` the shorter."""
    corners = shapely.get_coordinates(footprint)[:4]
    longer = math.hypot(*(corners[1] - corners[0])) >= math.hypot(*(corners[3] - corners[0]))
    return corners if longer != end_first else np.roll(corners, -1, axis=0)


def _chance(corners: Field, salt: int) -> Field:
    """A number from 0 to 1 for each box that depends on its place only, so that a roof has one colour in both epochs."""
    centimetres = np.rint(corners[:, 0] * 100).astype(np.int64)
    return np.array([hash_kernel(x, y, salt) for x, y in centimetres.tolist()])


def _drawn(chance: Field, shares: tuple[tuple[int, float], ...]) -> NDArray[np.uint8]:
    limits = np.cumsum([share for _, share in shares])
    kinds = np.array([kind for kind, _ in shares], np.uint8)
    return np.asarray(kinds[np.minimum(np.searchsorted(limits, chance, side="right"), len(kinds) - 1)])


def _roof_kinds(corners: Field, heights: Field) -> NDArray[np.uint8]:
    kinds = _drawn(_chance(corners, 31), _ROOF_SHARES)
    high = np.where(_chance(corners, 32) < 0.6, props.FLAT, props.BLUE).astype(np.uint8)
    return np.asarray(np.where(heights > _HIGH_M, high, kinds))


def _car_kinds(cars: Field) -> NDArray[np.uint8]:
    kinds = _drawn(_chance(cars, 33), _CAR_SHARES)
    long = np.hypot(*(cars[:, 3] - cars[:, 0]).T) > _CAR_M
    return np.asarray(np.where(long & (_chance(cars, 34) < 0.6), props.BLUE_TRUCK, kinds).astype(np.uint8))


def _yards(corners: Field) -> Field:
    """A walled yard on the southern side of each house, a little wider than it."""
    side, front = corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0]
    along, across = (v / np.maximum(np.hypot(*v.T), 1e-9)[:, None] for v in (side, front))
    south = np.where(across[:, 1] < 0, 1.0, -1.0)[:, None] * across
    base = np.where((across[:, 1] < 0)[:, None], corners[:, 3], corners[:, 0])
    left, right = base - _YARD_WIDER_M / 2 * along, base + side + _YARD_WIDER_M / 2 * along
    return np.stack([left, right, right + _YARD_DEEP_M * south, left + _YARD_DEEP_M * south], axis=1)


def _off_roads(yards: Field, roads: geopandas.GeoDataFrame) -> Field:
    """The yards that do not lie on a road."""
    tree = shapely.STRtree(roads.geometry.to_numpy())
    near, _ = tree.query(shapely.polygons(yards), predicate="dwithin", distance=_ROAD_CLEAR_M)
    return np.delete(yards, np.unique(near), axis=0)


def _walls(yards: Field) -> Field:
    """The three free walls of each yard as thin boxes."""
    parts = []
    for a, b in ((1, 2), (2, 3), (3, 0)):
        ahead = yards[:, b] - yards[:, a]
        aside = 0.12 * np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) / np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]
        parts.append(np.stack([yards[:, a] - aside, yards[:, b] - aside, yards[:, b] + aside, yards[:, a] + aside], axis=1))
    return np.concatenate(parts)


def _site_yards(sites: geopandas.GeoDataFrame) -> tuple[Field, NDArray[np.uint8]]:
    """Paved or bare squares on the level ground of shelter sites."""
    middle = shapely.get_coordinates(sites.geometry)[:, None, :]
    half = 0.68 * yard_radius_m(sites)[:, None, None]
    yards = middle + half * np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    indoor = sites["indoor_area_m2"].to_numpy() > 0
    return yards, np.where(indoor, props.PAVED, props.YARD).astype(np.uint8)


def _falls(ground: Raster, places: Field, sun: Sun) -> Field:
    """How fast the sun's rays fall over the ground away from the sun, in m/m: the tangent of its height plus the rise."""
    away = -np.array(sun.towards[:2]) / math.hypot(*sun.towards[:2])
    near, far = places + 2.0 * away, places + 10.0 * away
    rise = (_height(ground, far) - _height(ground, near)) / 8.0
    return np.maximum(sun.tan + rise, _FLATTEST_TAN)


def _height(ground: Raster, places: Field) -> Field:
    west, south, east, north = ground.grid.bounds
    inside = np.clip(places[:, 0], west, east), np.clip(places[:, 1], south, north)
    return np.asarray(sample_xy(ground, *inside, how="bilinear"), np.float64)


def _shadows(boxes: Field, heights: Field, ground: Raster, sun: Sun) -> tuple[Field, NDArray[np.int64]]:
    """The ground that each box keeps the sun from: the hull of its footprint and of its roof's shadow."""
    away = -np.array(sun.towards[:2]) / math.hypot(*sun.towards[:2])
    length = heights / _falls(ground, boxes.mean(axis=1), sun) if len(boxes) else heights
    both = np.concatenate([boxes, boxes + (length[:, None] * away)[:, None, :]], axis=1)
    hulls = shapely.convex_hull(shapely.multipoints(both)) if len(both) else np.empty(0, object)
    counts = shapely.get_num_coordinates(hulls) - 1
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    corners = [shapely.get_coordinates(hull)[:-1] for hull in hulls]
    return np.concatenate(corners) if corners else np.empty((0, 2)), starts


def _roof_lights(corners: Field, kinds: NDArray[np.uint8], sun: Sun) -> Field:
    """Direct sun on the half of each roof at its first side and on the other; 1 on flat roofs and vehicles."""
    front = corners[:, 3] - corners[:, 0]
    front /= np.maximum(np.hypot(*front.T), 1e-9)[:, None]
    pitch = math.radians(_PITCH_DEG)
    aside = front @ np.array(sun.towards[:2]) * math.sin(pitch)
    halves = np.stack([-aside, aside], axis=1) + math.cos(pitch) * sun.towards[2]
    level = (kinds == props.FLAT) | (kinds >= props.WHITE)
    return np.where(level[:, None], 1.0, np.clip(halves / sun.towards[2], 0.0, 1.6))


def _crowns(plants: Plants, ground: Raster, frame: Frame, sun: Sun) -> tuple[Field, Field]:
    """Crowns as discs, and their shadows as ellipses drawn out from the foot of the tree."""
    places = np.column_stack([plants.east, plants.north])
    away = -np.array(sun.towards[:2]) / math.hypot(*sun.towards[:2])
    cell = frame.grid.cell[0]
    falls = _falls(ground, places, sun) if len(places) else np.empty(0)
    middle = places + (0.55 * plants.height_m / falls)[:, None] * away
    long = np.hypot(plants.radius_m, 0.42 * plants.height_m / falls)
    strength = np.choose(plants.kind, [_STRENGTH[kind] for kind in range(3)])
    crowns = np.column_stack([frame.pixels(places), plants.radius_m / cell, plants.kind])
    return crowns, np.column_stack([frame.pixels(middle), long / cell, plants.radius_m / cell, strength, plants.kind])


def _road_pieces(roads: geopandas.GeoDataFrame, frame: Frame) -> Field:
    parts = [np.empty((0, 5))]
    for shape, highway, bridge in zip(roads.geometry, roads["highway"], roads["bridge"], strict=True):
        kind = props.DECK if bridge else _KIND_OF_ROAD.get(highway, props.DIRT)
        line = frame.pixels(shapely.get_coordinates(shape))
        parts.append(np.column_stack([line[:-1], line[1:], np.full(len(line) - 1, float(kind))]))
    return np.vstack(parts)


def _crack_pieces(cracks: geopandas.GeoDataFrame | None, frame: Frame) -> Field:
    """Short pieces of the cracks, full width in the middle, closing to the ends, a little uneven."""
    parts = [np.empty((0, 5))]
    if cracks is not None:
        for shape, width in zip(cracks.geometry, cracks["width_m"], strict=True):
            line = lines.resampled(shapely.get_coordinates(shape), step_m=_STEP_M)
            share = (np.arange(len(line) - 1) + 0.5) / max(len(line) - 1, 1)
            uneven = 0.8 + 0.4 * _chance(line[:-1, None, :], 35)
            line[1:-1] += _UNEVEN_M * (np.column_stack([_chance(line[1:-1, None, :], salt) for salt in (36, 37)]) - 0.5)
            line = frame.pixels(line)
            wide = np.maximum(width * np.sin(math.pi * share) ** 0.5 * uneven, 0.1) / frame.grid.cell[0]
            parts.append(np.column_stack([line[:-1], line[1:], wide]))
    return np.vstack(parts)
