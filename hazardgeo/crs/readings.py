"""Where coordinates lie when they are read in a system, and in which other ways the same numbers can be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pyproj
from numpy.typing import NDArray
from pyproj.exceptions import ProjError

from hazardgeo.crs import zones
from hazardgeo.crs.identify import code, meridian_deg
from hazardgeo.crs.system import label

Bounds = tuple[float, float, float, float]
Box = tuple[float, float, float, float]

EARTH_M = 6_371_000.0
FAR_M = 1_000_000.0
_CLOSE_DEG = 1.5
_SAMPLES = 5
_ROUND_TRIP_M = 1.0
_MOST_DEGREES = (360.5, 90.5)
_NEAR_ORIGIN_M = 400.0
_LOCAL_M = 10_000.0
_SHIFTED_M = 1e5
_WIDEST_ZONE_DEG = 3.0


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why coordinates are unlikely to be in a system: impossible on Earth, of another prefix, degrees, or far outside."""

    kind: Literal["impossible", "prefix", "degrees", "far"]
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read coordinates: in `crs`, with x and y exchanged where `swapped`, and what to call it in a message."""

    crs: pyproj.CRS
    swapped: bool
    numbers: Bounds
    text: str

    @property
    def place(self) -> NDArray[np.float64] | None:
        return places(self.numbers, self.crs)


def places(bounds: Bounds, crs: pyproj.CRS) -> NDArray[np.float64] | None:
    """Longitudes and latitudes of samples all over `bounds`, shape (n, 2); None where no place on Earth has them.

    Degrees are those of the datum of `crs`: no shift between datums is applied. A place counts where the system, asked
    back, gives the same coordinates: projections give some place for any number.
    """
    west, south, east, north = bounds
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(west, east, _SAMPLES), np.linspace(south, north, _SAMPLES)))
    inner = crs.source_crs if crs.is_bound and crs.source_crs is not None else crs
    base = inner.geodetic_crs
    if base is None:
        return None
    unit, meridian = np.degrees(base.axis_info[0].unit_conversion_factor), meridian_deg(base)
    if inner.is_geographic:
        place = np.column_stack([x * unit + meridian, y * unit])
        return place if (np.abs(place) <= _MOST_DEGREES).all() else None
    projection = _projection(inner.to_wkt())
    if projection is None:
        return None
    lon, lat = (np.asarray(v, float) for v in projection.transform(x, y, direction="INVERSE"))
    back = projection.transform(lon, lat)
    tolerance = _ROUND_TRIP_M / float(inner.axis_info[0].unit_conversion_factor)
    known = np.isfinite(lon) & np.isfinite(lat) & (np.hypot(back[0] - x, back[1] - y) <= tolerance)
    return np.column_stack([lon * unit + meridian, lat * unit])[known] if known.any() else None


@lru_cache(maxsize=256)
def _projection(wkt: str) -> pyproj.Transformer | None:
    """The projection alone, from the degrees of its own datum."""
    crs = pyproj.CRS.from_wkt(wkt)
    try:
        return pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    except ProjError:
        return None


def area_of(crs: pyproj.CRS) -> Box | None:
    """The area of use of `crs` in degrees (west, south, east, north); of zones without a code, what lies near their meridian."""
    inner = crs.source_crs if crs.is_bound and crs.source_crs is not None else crs
    area = inner.area_of_use
    if area is not None:
        return area.west, area.south, area.east, area.north
    zone = zones.zone_of(inner)
    if zone is None:
        return None
    return zone.central_meridian - _WIDEST_ZONE_DEG, -80.0, zone.central_meridian + _WIDEST_ZONE_DEG, 84.0


def distance_m(place: NDArray[np.float64], box: Box) -> float:
    """How far the nearest of the places lies from a box of degrees, in metres on the sphere; 0 inside."""
    return float(_distances_m(place, box).min())


def _distances_m(place: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    west, south, east, north = box
    width = min(east - west, 360.0) if east >= west else (east - west) % 360.0
    offset = (place[:, 0] - west) % 360.0
    nearest = west + np.where(offset - width < 360.0 - offset, width, 0.0)
    lon = np.where(offset <= width, place[:, 0], nearest)
    lat = np.clip(place[:, 1], south, north)
    a, b = np.radians(place), np.radians(np.column_stack([lon, lat]))
    h = np.sin((a[:, 1] - b[:, 1]) / 2) ** 2 + np.cos(a[:, 1]) * np.cos(b[:, 1]) * np.sin((a[:, 0] - b[:, 0]) / 2) ** 2
    return np.asarray(2.0 * EARTH_M * np.arcsin(np.sqrt(np.clip(h, 0.0, 1.0))))


def doubt(bounds: Bounds, crs: pyproj.CRS) -> Doubt | None:
    """Why coordinates within `bounds` are unlikely to be in `crs`, None where nothing speaks against it."""
    place = places(bounds, crs)
    if place is None:
        return Doubt("impossible", "no place on Earth has such coordinates in it")
    zone = zones.zone_of(crs)
    if zone is not None and zone.prefix is not None and _prefix_in(bounds) not in (None, zone.prefix):
        return Doubt("prefix", f"eastings of that zone begin with {zone.prefix}")
    if _looks_like_degrees(bounds, zone) and any(True for _ in _in_degrees(bounds, crs)):
        return Doubt("degrees", "they lie at its false origin and look like degrees")
    area = area_of(crs)
    apart = 0.0 if area is None else distance_m(place, area)
    return Doubt("far", f"they would lie {apart / 1000:,.0f} km outside its area") if apart > FAR_M else None


def others(bounds: Bounds, crs: pyproj.CRS) -> list[Reading]:
    """The other ways to read the coordinates that put them inside the area of the system so read, best first.

    Tried are x and y exchanged, the zones of the same mapping with another prefix or none, degrees, feet for metres and
    the reverse, and for a prefix that the mapping does not have, the mappings of all datums.
    """
    found = [r for r in _candidates(bounds, crs) if r.crs.is_geographic != crs.is_geographic or _fits(r)]
    return found or [r for r in _prefixed_candidates(bounds) if _fits(r)]


def _fits(reading: Reading) -> bool:
    place, area = reading.place, area_of(reading.crs)
    if place is None or area is None or len(place) < _SAMPLES**2:
        return False
    west, south, east, north = area
    padded = west - _CLOSE_DEG, south - _CLOSE_DEG, east + _CLOSE_DEG, north + _CLOSE_DEG
    return bool((_distances_m(place, padded) == 0.0).all())


def _candidates(bounds: Bounds, crs: pyproj.CRS) -> Iterator[Reading]:
    own = zones.zone_of(crs)
    if _looks_like_degrees(bounds, own):
        yield from _in_degrees(bounds, crs)
        return
    turned = exchanged(bounds)
    yield Reading(crs, True, turned, f"{label(crs)} with {_what(crs)} exchanged")
    for zone in zones.family(crs):
        for swapped, numbers in ((False, bounds), (True, turned)):
            if own is not None and zone.prefix != own.prefix and zone.prefix == _prefix_in(numbers) and _is_partner(zone, own):
                exchange = " with east and north exchanged" if swapped else ""
                yield Reading(zone.crs, swapped, numbers, f"{label(zone.crs)} ({zone.name}){exchange}")
    if crs.is_projected:
        for other in zones.in_other_unit(crs):
            yield Reading(other, False, bounds, f"{label(other)} ({other.name})")


def _what(crs: pyproj.CRS) -> str:
    return "longitude and latitude" if crs.is_geographic else "east and north"


def _is_partner(zone: zones.Zone, own: zones.Zone) -> bool:
    """True for zones that a prefix names, and for the one with the meridian of `own` where there is none to go by."""
    return zone.prefix is not None or zone.central_meridian == own.central_meridian


def _in_degrees(bounds: Bounds, crs: pyproj.CRS) -> Iterator[Reading]:
    """Degrees, where they lie within the area of the projection."""
    area, base = area_of(crs), _degrees_of(crs)
    name = f"{label(base)} (degrees)"
    for swapped, numbers in ((False, bounds), (True, exchanged(bounds))):
        place = places(numbers, base)
        if place is not None and area is not None and distance_m(place, area) < FAR_M / 5:
            yield Reading(base, swapped, numbers, name + (" with longitude and latitude exchanged" if swapped else ""))


def _prefixed_candidates(bounds: Bounds) -> Iterator[Reading]:
    for swapped, numbers in ((False, bounds), (True, exchanged(bounds))):
        prefix = _prefix_in(numbers)
        for zone in zones.prefixed(prefix) if prefix is not None else ():
            exchange = " with east and north exchanged" if swapped else ""
            yield Reading(zone.crs, swapped, numbers, f"{label(zone.crs)} ({zone.name}){exchange}")


def _prefix_in(bounds: Bounds) -> int | None:
    """The zone number that all eastings carry in front of six digits, None where they carry none or differ."""
    first, last = (int(v // 1e6) for v in (bounds[0], bounds[2]))
    return first if first == last and first > 0 else None


def exchanged(bounds: Bounds) -> Bounds:
    """The bounds with x and y exchanged."""
    west, south, east, north = bounds
    return south, west, north, east


def _degrees_of(crs: pyproj.CRS) -> pyproj.CRS:
    base = crs.geodetic_crs
    return base if base is not None and code(base) is not None else pyproj.CRS.from_epsg(4326)


def _looks_like_degrees(bounds: Bounds, zone: zones.Zone | None) -> bool:
    """True for numbers that can be degrees and would lie at the false origin of a zone, hundreds of kilometres outside it."""
    if zone is None or zone.false_easting < _SHIFTED_M:
        return False
    x, y = (max(abs(v) for v in pair) for pair in ((bounds[0], bounds[2]), (bounds[1], bounds[3])))
    return x <= _NEAR_ORIGIN_M and y <= _NEAR_ORIGIN_M and max(x, y) <= 180.0 and min(x, y) <= 90.0
