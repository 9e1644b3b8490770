"""Objects: houses, bridges, vehicles, plants and wires as the shapes that a laser ray can meet."""

from __future__ import annotations

import math
from typing import NamedTuple

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster, sample_xy
from hazardgeo.synthetic.places.people import Building
from hazardgeo.synthetic.places.plants import BARE, CROWN_FROM, SHRUB, Plants
from hazardgeo.synthetic.places.wires import Wires

SHRUBS, TREES, BUILDING, WIRE, POLE, BRIDGE, VEHICLE = 3, 5, 6, 14, 15, 17, 64  # ASPRS classes; 64 is free for users
BOX, CROWN, ROD = 0, 1, 2
DENSITY = (0.9, 0.16, 0.45)  # chance of a return per metre of path through the crown of each kind of plant, to first order
WEAKENING = (0.55, 0.30, 0.45)  # share of a pulse that each return in such a crown takes
_BRIDGE_HALF_M, _BRIDGE_THICK_M = 2.6, 0.9
_PITCH_TAN = (0.22, 0.50)
_LOW_M = 1.0  # how far the walls of a house reach below its lowest corner

Field = NDArray[np.float64]


class Objects(NamedTuple):
    """All shapes, and which of them may be met in each block of the ground.

    `shapes` (n, 12), first boxes, then crowns, then rods; the last column says which (BOX, CROWN, ROD). Boxes: centre east
    and north, direction of the ridge (2), half length and half width, bottom, eaves, ridge, class, reflectance. Crowns:
    centre (3), radius, half height, density a metre, weakening, class, reflectance. Rods: one end (3), the other (3),
    reach, class, reflectance. `listed[start[b]:start[b + 1]]` are the numbers of the shapes of block b; `top` the highest
    place of any of them, `ceiling_m` of all.
    """

    shapes: Field
    start: NDArray[np.int64]
    listed: NDArray[np.int32]
    top: Field
    ceiling_m: float


def houses(buildings: list[Building], ground: Raster, rng: np.random.Generator) -> Field:
    """Boxes with pitched roofs, one for each building in the same order; the eaves of large ones are their roofs."""
    pitch, bright = rng.uniform(*_PITCH_TAN, len(buildings)), rng.choice([0.16, 0.24, 0.34, 0.62], len(buildings))
    rows = np.empty((len(buildings), 11))
    for k, house in enumerate(buildings):
        rows[k, :6] = _axes(house.footprint)
        foot = _corner_heights(house.footprint, ground)
        rise = min(pitch[k] * rows[k, 5], 0.4 * house.height_m) if rows[k, 5] < 5.0 else 0.0
        level = float(foot.mean())
        rows[k, 6:] = foot.min() - _LOW_M, level + house.height_m - rise, level + house.height_m, BUILDING, bright[k]
    return rows


def decks(roads: geopandas.GeoDataFrame, ground: Raster) -> Field:
    """The decks of bridges as flat boxes, level with the higher end."""
    bridges = roads[roads["bridge"].astype(bool)].geometry
    rows = np.empty((len(bridges), 11))
    for k, line in enumerate(bridges):
        ends = np.array([line.coords[0][:2], line.coords[-1][:2]])
        along = ends[1] - ends[0]
        length = float(np.hypot(*along))
        level = float(sample_xy(ground, ends[:, 0], ends[:, 1], how="bilinear").max())
        rows[k, :6] = *ends.mean(axis=0), *(along / length), length / 2, _BRIDGE_HALF_M
        rows[k, 6:] = level - _BRIDGE_THICK_M, level, level, BRIDGE, 0.25
    return rows


def parked(vehicles: geopandas.GeoDataFrame, ground: Raster, rng: np.random.Generator) -> Field:
    """Vehicles as boxes a hand's breadth above the ground."""
    bright = rng.uniform(0.1, 0.7, len(vehicles))
    rows = np.empty((len(vehicles), 11))
    for k, (shape, height) in enumerate(zip(vehicles.geometry, vehicles["height_m"], strict=True)):
        foot = float(_corner_heights(shape, ground).mean())
        rows[k, :6] = _axes(shape)
        rows[k, 6:] = foot + 0.2, foot + height, foot + height, VEHICLE, bright[k]
    return rows


def crowns(found: Plants, ground: Raster) -> Field:
    """Crowns as ellipsoids on the ground; half of that of a shrub lies below it."""
    kind = found.kind.astype(int)
    foot = sample_xy(ground, found.east, found.north, how="bilinear").astype(np.float64)
    base = np.array(CROWN_FROM)[kind] * found.height_m
    half = np.where(kind == SHRUB, found.height_m, (found.height_m - base) / 2)
    middle = np.where(kind == SHRUB, foot, foot + base + half)
    bright = np.where(kind == BARE, 0.22, 0.34)
    classes = np.where(kind == SHRUB, SHRUBS, TREES)
    columns = [found.east, found.north, middle, found.radius_m, half, np.array(DENSITY)[kind], np.array(WEAKENING)[kind]]
    return np.column_stack([*columns, classes, bright])


def rods(hung: Wires, beam_m: float) -> Field:
    """Poles and wires; a pulse meets them where half of its beam (`beam_m`) does."""
    poles = np.column_stack([hung.poles, np.full((len(hung.poles), 3), (0.12 + beam_m, POLE, 0.3))])
    wires = np.column_stack([hung.pieces, np.full((len(hung.pieces), 3), (0.01 + beam_m, WIRE, 0.12))])
    return np.vstack([poles, wires])


def _axes(shape: shapely.Polygon) -> tuple[float, ...]:
    """Centre, direction of the longer side, half length and half width of a rectangle."""
    corners = shapely.get_coordinates(shape)
    first, second = corners[1] - corners[0], corners[2] - corners[1]
    long, short = (first, second) if np.hypot(*first) >= np.hypot(*second) else (second, first)
    length = float(np.hypot(*long))
    middle = corners[:4].mean(axis=0)
    return (*middle.tolist(), *(long / length).tolist(), length / 2, float(np.hypot(*short)) / 2)


def _corner_heights(shape: shapely.Polygon, ground: Raster) -> Field:
    corners = shapely.get_coordinates(shape)[:4]
    return np.asarray(sample_xy(ground, corners[:, 0], corners[:, 1], how="bilinear"), np.float64)


def indexed(
    boxes: Field, plants: Field, lines: Field, corner: tuple[float, float], block_m: float, shape: tuple[int, int]
) -> Objects:
    """The shapes with their blocks: squares of `block_m`, counted from the north-west `corner` of the valley."""
    reach = np.hypot(boxes[:, 4], boxes[:, 5])
    lower = np.minimum(lines[:, :3], lines[:, 3:6]) - lines[:, 6:7]
    upper = np.maximum(lines[:, :3], lines[:, 3:6]) + lines[:, 6:7]
    west = np.concatenate([boxes[:, 0] - reach, plants[:, 0] - plants[:, 3], lower[:, 0]])
    east = np.concatenate([boxes[:, 0] + reach, plants[:, 0] + plants[:, 3], upper[:, 0]])
    south = np.concatenate([boxes[:, 1] - reach, plants[:, 1] - plants[:, 3], lower[:, 1]])
    north = np.concatenate([boxes[:, 1] + reach, plants[:, 1] + plants[:, 3], upper[:, 1]])
    top = np.concatenate([boxes[:, 8], plants[:, 2] + plants[:, 4], upper[:, 2]])
    first_row = np.clip(((corner[1] - north) / block_m).astype(np.int64), 0, shape[0] - 1)
    last_row = np.clip(((corner[1] - south) / block_m).astype(np.int64), 0, shape[0] - 1)
    first_col = np.clip(((west - corner[0]) / block_m).astype(np.int64), 0, shape[1] - 1)
    last_col = np.clip(((east - corner[0]) / block_m).astype(np.int64), 0, shape[1] - 1)
    count = np.zeros(shape[0] * shape[1] + 1, np.int64)
    highest = np.full(shape, -math.inf)
    _count_kernel(first_row, last_row, first_col, last_col, top, count, highest)
    start = np.concatenate([[0], np.cumsum(count[:-1])])
    listed = np.empty(int(start[-1]), np.int32)
    _list_kernel(first_row, last_row, first_col, last_col, start.copy(), shape[1], listed)
    shapes = np.zeros((len(top), 12))
    first = 0
    for code, rows in ((BOX, boxes), (CROWN, plants), (ROD, lines)):
        shapes[first : first + len(rows), : rows.shape[1]] = rows
        shapes[first : first + len(rows), 11] = code
        first += len(rows)
    return Objects(shapes, start, listed, highest, float(highest.max()))


@kernel
def _count_kernel(first_row, last_row, first_col, last_col, top, count, highest):  # type: ignore[no-untyped-def]
    for k in range(len(top)):
        for row in range(first_row[k], last_row[k] + 1):
            for col in range(first_col[k], last_col[k] + 1):
                count[row * highest.shape[1] + col] += 1
                highest[row, col] = max(highest[row, col], top[k])


@kernel
def _list_kernel(first_row, last_row, first_col, last_col, place, cols, listed):  # type: ignore[no-untyped-def]
    for k in range(len(first_row)):
        for row in range(first_row[k], last_row[k] + 1):
            for col in range(first_col[k], last_col[k] + 1):
                block = row * cols + col
                listed[place[block]] = k
                place[block] += 1
