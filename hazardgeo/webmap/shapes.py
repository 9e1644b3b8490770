"""Geometry as short lists of whole numbers: steps of a millionth of a degree from point to point."""

from __future__ import annotations

from typing import Any

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.errors import CrsError, InputError
from hazardgeo.webmap.picture import require_mercator

STEPS_PER_DEGREE = 1_000_000
POINT, LINE, AREA = 0, 1, 2
_KINDS = {0: POINT, 1: LINE, 2: LINE, 3: AREA, 4: POINT, 5: LINE, 6: AREA}


def geographic(gdf: geopandas.GeoDataFrame, name: str) -> geopandas.GeoDataFrame:
    """`gdf` in longitude and latitude without the rows that have no geometry; never changed in place."""
    if gdf.crs is None:
        raise CrsError(f"layer {name!r} has no CRS; state it with .set_crs('EPSG:...').")
    geometry = gdf.geometry.to_numpy()
    filled = gdf[~(shapely.is_missing(geometry) | shapely.is_empty(geometry))]
    if filled.empty:
        return filled
    collections = int((filled.geom_type == "GeometryCollection").sum())
    if collections:
        raise InputError(f"layer {name!r} has {collections} geometry collections; take them apart with .explode() first.")
    placed = filled.to_crs(4326)
    west, south, east, north = (float(v) for v in placed.total_bounds)
    coordinates = shapely.get_coordinates(placed.geometry.to_numpy())
    if not np.isfinite(coordinates).all():
        raise InputError(f"layer {name!r} has coordinates that cannot be placed on the globe; check them and the CRS.")
    if east - west > 180:
        raise InputError(f"layer {name!r} spans more than 180 degrees, so it may cross the antimeridian; split it there.")
    require_mercator((west, south, east, north), f"layer {name!r}")
    return placed


def kinds(geometry: NDArray[Any]) -> NDArray[np.int64]:
    """POINT, LINE or AREA of each shape."""
    table = np.full(8, LINE)
    for code, kind in _KINDS.items():
        table[code] = kind
    return np.asarray(table[shapely.get_type_id(geometry)])


def origin(gdf: geopandas.GeoDataFrame) -> tuple[int, int]:
    """The south-west corner of a layer in steps (east, north)."""
    if gdf.empty:
        return 0, 0
    west, south = (float(v) for v in gdf.total_bounds[:2])
    return int(np.floor(west * STEPS_PER_DEGREE)), int(np.floor(south * STEPS_PER_DEGREE))


def encoded(geometry: NDArray[Any], corner: tuple[int, int]) -> list[list[Any]]:
    """Per shape its parts: a part is a path for points and lines, and a list of rings for areas.

    A path is [east, north, step east, step north, ...] from `corner`, in steps of a millionth of a degree (0.11 m
    north); steps that do not move are left out, and the rings of areas do not repeat their first point.
    """
    parts, owner = shapely.get_parts(geometry, return_index=True)
    coded: list[list[Any]] = [[] for _ in range(len(geometry))]
    area = kinds(parts) == AREA
    for index, path in zip(owner[~area], _paths(parts[~area], corner, closed=False), strict=True):
        coded[index].append(path)
    rings, ring_owner = shapely.get_rings(parts[area], return_index=True)
    area_parts: list[list[Any]] = [[] for _ in range(int(area.sum()))]
    for index, path in zip(ring_owner, _paths(rings, corner, closed=True), strict=True):
        area_parts[index].append(path)
    for index, part in zip(owner[area], area_parts, strict=True):
        coded[index].append(part)
    return coded


def _paths(simple: NDArray[Any], corner: tuple[int, int], *, closed: bool) -> list[list[int]]:
    """The path of each point or line; those that are `closed` anyway go without their last point."""
    xy, owner = shapely.get_coordinates(simple, return_index=True)
    steps = np.rint(xy * STEPS_PER_DEGREE).astype(np.int64) - corner
    first = np.diff(owner, prepend=-1) > 0
    delta = np.diff(steps, axis=0, prepend=np.zeros((1, 2), np.int64))
    delta[first] = steps[first]
    kept = first | (delta != 0).any(axis=1)
    if closed:
        kept &= ~np.append(first[1:], True) | first
    counts = np.bincount(owner[kept], minlength=len(simple))
    return [block.ravel().tolist() for block in np.split(delta[kept], np.cumsum(counts)[:-1])] if len(simple) else []
