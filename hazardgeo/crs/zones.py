"""Zones of one mapping: the systems that share datum and projection and differ in central meridian or false easting."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import pyproj
from pyproj.database import query_crs_info
from pyproj.enums import PJType

from hazardgeo.crs.identify import code

_ZONED = ("Transverse Mercator",)
_PREFIX_UNIT_M, _UNPREFIXED_M = 1e6, 5e5
_MAPPING = re.compile(r"Gauss-Kruger|UTM zone|TM zone|Plane Rectangular CS")


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: `prefix` is the zone number in front of its eastings (34 in 34 500 000), None where they carry none."""

    crs: pyproj.CRS
    name: str
    central_meridian: float
    false_easting: float
    false_northing: float

    @property
    def prefix(self) -> int | None:
        number, rest = divmod(self.false_easting, _PREFIX_UNIT_M)
        return int(number) if number >= 1 and rest == _UNPREFIXED_M else None


def zone_of(crs: pyproj.CRS) -> Zone | None:
    """The zone that a transverse Mercator system is, None for other systems."""
    operation = crs.coordinate_operation
    if not crs.is_projected or crs.is_bound or operation is None or operation.method_name not in _ZONED:
        return None
    told = {p.name.lower(): float(p.value) for p in operation.params}
    return Zone(
        crs,
        crs.name,
        next((v for n, v in told.items() if n.startswith("longitude of")), 0.0),
        told.get("false easting", 0.0),
        told.get("false northing", 0.0),
    )


def family(crs: pyproj.CRS) -> tuple[Zone, ...]:
    """The other zones of the mapping that `crs` belongs to, each way of making numbers once; empty where it has none.

    For EPSG:4543 (CGCS2000, 3 degrees, central meridian 102 E) these are the zones of 3 and of 6 degrees on CGCS2000,
    with and without prefix. Where two zones make the same numbers the one of the kind of `crs` stands for both.
    """
    return _family(crs.to_wkt()) if zone_of(crs) is not None else ()


@lru_cache(maxsize=64)
def _family(wkt: str) -> tuple[Zone, ...]:
    crs = pyproj.CRS.from_wkt(wkt)
    own = zone_of(crs)
    base = crs.name.split(" / ")[0] if code(crs) is not None else _base_name(crs)
    if own is None or base is None:
        return ()
    kind = _kind(crs.name)
    listed = sorted(_named(base), key=lambda item: (_kind(item[1]) != kind, item[0]))
    found: dict[tuple[float, float, float], Zone] = {(own.central_meridian, own.false_easting, own.false_northing): own}
    for number, _ in listed:
        zone = zone_of(pyproj.CRS.from_epsg(number))
        if zone is not None and _same_scale(zone.crs, crs):
            found.setdefault((zone.central_meridian, zone.false_easting, zone.false_northing), zone)
    return tuple(zone for zone in found.values() if zone is not own)


def prefixed(number: int) -> tuple[Zone, ...]:
    """All systems of the database, of any datum, whose eastings carry the zone number `number` in front."""
    named = re.compile(rf"Gauss-Kruger zone {number}\b")
    zones = (zone_of(pyproj.CRS.from_epsg(n)) for n, name in _projected() if named.search(name))
    return tuple(z for z in zones if z is not None and z.prefix == number)


def in_other_unit(crs: pyproj.CRS) -> tuple[pyproj.CRS, ...]:
    """The systems of the database that are `crs` in another unit of length, such as US survey feet for metres."""
    stem = re.sub(r" \((?:ft\w*|m)\)$", "", crs.name)
    same = [n for n, name in _projected() if re.sub(r" \((?:ft\w*|m)\)$", "", name) == stem]
    others = [pyproj.CRS.from_epsg(n) for n in same if n != code(crs)]
    unit = crs.axis_info[0].unit_conversion_factor
    return tuple(c for c in others if abs(c.axis_info[0].unit_conversion_factor / unit - 1.0) > 0.01)


@lru_cache(maxsize=1)
def _projected() -> tuple[tuple[int, str], ...]:
    """Codes and names of the projected systems in the database."""
    return tuple((int(i.code), i.name) for i in query_crs_info("EPSG", PJType.PROJECTED_CRS) if not i.deprecated)


def _named(base: str) -> list[tuple[int, str]]:
    return [(n, name) for n, name in _projected() if name.startswith(f"{base} / ") and _MAPPING.search(name)]


def _kind(name: str) -> str:
    """The name without what tells the zones of one mapping apart."""
    return re.sub(r"\b(?:zone|CM)?\s*\d+(?:\.\d+)?[NSEW]?$", "", name.rpartition(" / ")[2]).strip()


def _base_name(crs: pyproj.CRS) -> str | None:
    """The name that the database gives the mappings on the datum of `crs`, for systems without a code."""
    base = crs.geodetic_crs
    if base is None or code(base) is None:
        return None
    first: dict[str, int] = {}
    for number, name in _projected():
        if _MAPPING.search(name):
            first.setdefault(name.split(" / ")[0], number)
    for name, number in first.items():
        other = pyproj.CRS.from_epsg(number).geodetic_crs
        if other is not None and code(other) == code(base):
            return name
    return None


def _same_scale(a: pyproj.CRS, b: pyproj.CRS) -> bool:
    scales = [
        [float(p.value) for p in c.coordinate_operation.params if p.name.lower().startswith(("scale", "latitude of"))]
        for c in (a, b)
        if c.coordinate_operation is not None
    ]
    return len(scales) == 2 and scales[0] == scales[1]
