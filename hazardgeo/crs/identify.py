"""Which EPSG code a system has, whatever its spelling: the one that agrees with it in every parameter, or none."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray
from pyproj.crs import GeographicCRS
from pyproj.crs.crs import BoundCRS
from pyproj.database import get_codes
from pyproj.enums import PJType
from pyproj.exceptions import CRSError as PyprojError
from pyproj.exceptions import ProjError
from pyproj.transformer import TransformerGroup

SAME_M = 1e-3
_SAME_SHIFT_M = 0.1
_PUBLISHED_SHIFTS_DIFFER_M = 5.0  # two published shifts of one datum may disagree by so much
_CANDIDATE_CONFIDENCE = 25  # percent: a similar name is enough to be looked at, and never enough to be taken
_WGS84 = pyproj.CRS.from_epsg(4326)
_NO_DATUM = ("unknown", "notspecified", "unnamed", "")
_DATUM_SPELLINGS = {
    "World Geodetic System 1984": ("wgs84", "wgs1984"),
    "China 2000": (
        "cgcs2000", "chinageodeticcoordinatesystem2000", "china2000", "chinesegeodeticcoordinatesystem2000",
        "国家2000", "国家大地坐标系2000", "2000国家大地坐标系", "国家2000大地坐标系", "中国2000",
    ),
    "Xian 1980": ("xian1980", "xian80", "西安80", "西安1980", "西安80坐标系", "1980西安坐标系", "1980年西安坐标系"),
    "Beijing 1954": ("beijing1954", "beijing54", "北京54", "北京1954", "北京54坐标系", "1954北京坐标系", "1954年北京坐标系"),
}  # fmt: skip


def coded(crs: pyproj.CRS) -> pyproj.CRS:
    """`crs` as the EPSG system that is the same in every parameter, datum included; `crs` itself where there is none.

    A match by name alone does not count, and neither does one by formulas alone: a system that states an ellipsoid and
    no datum stays what it is.
    """
    spelled = _with_known_datum(crs)
    if _datum_key(spelled) in _NO_DATUM:
        return crs
    matches = spelled.list_authority(auth_name="EPSG", min_confidence=_CANDIDATE_CONFIDENCE)
    stated = _stated_code(crs)
    codes = dict.fromkeys([*([stated] if stated else []), *(m.code for m in matches)])
    candidates = [pyproj.CRS.from_epsg(c) for c in codes if c in _known_codes()]
    for candidate in sorted(candidates, key=lambda c: (str(code(c)) != stated, c.name != crs.name)):
        if _same_datum(spelled, candidate) and same_formulas(spelled, candidate):
            return candidate
    if spelled.is_geographic and _same_datum(spelled, _WGS84) and same_formulas(spelled, _WGS84):
        return _WGS84
    return crs


def _stated_code(crs: pyproj.CRS) -> str | None:
    """The EPSG code that a text states beside its parameters, as it stands there."""
    stated = crs.to_json_dict().get("id", {})
    return str(stated.get("code")) if stated.get("authority") == "EPSG" else None


@lru_cache(maxsize=1)
def _known_codes() -> frozenset[str]:
    kinds = (PJType.PROJECTED_CRS, PJType.GEOGRAPHIC_2D_CRS)
    return frozenset(c for kind in kinds for c in get_codes("EPSG", kind, allow_deprecated=True))


def code(crs: pyproj.CRS) -> int | None:
    """The EPSG code that `crs` has in name and all parameters, None for a system that only resembles one."""
    found: int | None = crs.to_epsg(min_confidence=100)
    return found


def same_formulas(one: pyproj.CRS, other: pyproj.CRS) -> bool:
    """True when both make the same numbers of a longitude and a latitude, to a millimetre; their datums may differ.

    The order of the axes does not count. Compared are kind, ellipsoid, prime meridian, units and, of projections, the
    coordinates of places all over the area of use.
    """
    a, b = _source(one), _source(other)
    if a.is_geographic != b.is_geographic or a.is_projected != b.is_projected:
        return False
    if not (_same_ellipsoid(a, b) and _same_units(a, b)):
        return False
    if a.is_geographic:
        return True
    lon, lat = _sample(a if a.area_of_use is not None else b)
    try:
        xy = [np.array(pyproj.Transformer.from_crs(c.geodetic_crs, c, always_xy=True).transform(lon, lat)) for c in (a, b)]
    except (ProjError, PyprojError):
        return False
    metres = float(a.axis_info[0].unit_conversion_factor)
    known = np.isfinite(xy[0]).all(axis=0) & np.isfinite(xy[1]).all(axis=0)
    return bool(known.any() and np.abs(xy[0] - xy[1])[:, known].max() * metres <= SAME_M)


def shift_is_known(from_: pyproj.CRS, to: pyproj.CRS) -> bool:
    """False where no transformation between the datums of two systems is published, as for Xian 1980 and WGS 84.

    What lies in one is then put into the other unshifted ("ballpark"), which can be 100 m and more off. Two systems on
    the ellipsoids GRS 80 or WGS 84 (CGCS2000, ITRF, ETRS89, WGS 84 ...) count as known: both are centred on the Earth.
    """
    return all(_is_geocentric(c) for c in (from_, to)) or _shift_is_known(from_.to_wkt(), to.to_wkt())


def _is_geocentric(crs: pyproj.CRS) -> bool:
    grs80 = crs.ellipsoid is not None and abs(crs.ellipsoid.semi_major_metre - 6378137.0) < SAME_M
    return bool(grs80 and crs.ellipsoid and abs(crs.ellipsoid.inverse_flattening - 298.25722) < 1e-5)


@lru_cache(maxsize=256)
def _shift_is_known(from_: str, to: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a better operation whose grid is not here
            systems = pyproj.CRS.from_wkt(from_), pyproj.CRS.from_wkt(to)
            group = TransformerGroup(*systems, always_xy=True, allow_ballpark=False)
    except (ProjError, PyprojError):
        return False
    return bool(group.transformers)


def unbound(crs: pyproj.CRS) -> pyproj.CRS:
    """The system inside a bound one (+towgs84, TOWGS84[...]), where its shift to WGS 84 changes nothing.

    Where PROJ, left to itself, would put places elsewhere, the bound system is kept, so that its shift is applied. Of a
    datum that EPSG knows, shifts within 5 m of what PROJ applies are left to PROJ: published shifts differ by so much.
    """
    source = crs.source_crs
    if source is None or crs.coordinate_operation is None:
        return crs
    if not crs.coordinate_operation.towgs84:
        return crs
    within = coded(source)
    published = code(within) is not None and shift_is_known(within, _WGS84)
    if stated_shift_m(crs) > (_PUBLISHED_SHIFTS_DIFFER_M if published else _SAME_SHIFT_M):
        return crs
    if _datum_key(source) in _NO_DATUM and _is_wgs84_ellipsoid(source):
        return coded(_on_wgs84(source))
    return within


def stated_shift_m(crs: pyproj.CRS) -> float:
    """How far the shift to WGS 84 that a bound system states puts places from where they lie without it, in metres."""
    source, operation = crs.source_crs, crs.coordinate_operation
    if source is None or operation is None or source.geodetic_crs is None:
        return 0.0
    base = source.geodetic_crs
    bound = BoundCRS(base, _WGS84, operation)
    lon, lat = _sample(coded(source))
    with_it, without = (pyproj.Transformer.from_crs(c, _WGS84, always_xy=True).transform(lon, lat) for c in (bound, base))
    apart = pyproj.Geod(ellps="WGS84").inv(*with_it, *without)[2]
    return float(np.nanmax(apart))


def _is_wgs84_ellipsoid(crs: pyproj.CRS) -> bool:
    """True for WGS 84 itself; GRS 80 differs in the sixth digit of its flattening and belongs to other datums."""
    return bool(_same_ellipsoid(crs, _WGS84) and crs.ellipsoid and abs(crs.ellipsoid.inverse_flattening - 298.257223563) < 1e-7)


def _on_wgs84(crs: pyproj.CRS) -> pyproj.CRS:
    """The same projection on the datum WGS 84."""
    base = _WGS84.to_json_dict()
    description = crs.to_json_dict()
    if crs.is_geographic:
        return _WGS84
    description["base_crs"] = {k: v for k, v in base.items() if k != "$schema"}
    return pyproj.CRS.from_json_dict(description)


def _source(crs: pyproj.CRS) -> pyproj.CRS:
    return crs.source_crs if crs.is_bound and crs.source_crs is not None else crs


def _sample(crs: pyproj.CRS) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes where two systems are compared: over the area of use, else around the origin."""
    area = crs.area_of_use
    if area is not None:
        east = area.east if area.east > area.west else area.east + 360.0
        west, south, north = area.west, max(area.south, -80.0), min(area.north, 84.0)
    else:
        longitude, latitude = _origin(crs)
        west, east = longitude - 2.0, longitude + 2.0
        south, north = (latitude - 2.0, latitude + 2.0) if latitude else (10.0, 60.0)
    lon, lat = np.meshgrid(np.linspace(west, east, 3), np.linspace(south, north, 3))
    return lon.ravel(), lat.ravel()


def _origin(crs: pyproj.CRS) -> tuple[float, float]:
    operation = crs.coordinate_operation
    parameters = {p.name.lower(): float(p.value) for p in operation.params} if operation is not None else {}
    longitude = next((v for n, v in parameters.items() if n.startswith("longitude of")), 0.0)
    latitude = next((v for n, v in parameters.items() if n.startswith("latitude of")), 0.0)
    return longitude, latitude


def _same_ellipsoid(a: pyproj.CRS, b: pyproj.CRS) -> bool:
    if a.ellipsoid is None or b.ellipsoid is None:
        return False
    same_axis = abs(a.ellipsoid.semi_major_metre - b.ellipsoid.semi_major_metre) < SAME_M
    flattenings = [1.0 / e.inverse_flattening if e.inverse_flattening else 0.0 for e in (a.ellipsoid, b.ellipsoid)]
    return bool(same_axis and abs(flattenings[0] - flattenings[1]) * a.ellipsoid.semi_major_metre < SAME_M)


def _same_units(a: pyproj.CRS, b: pyproj.CRS) -> bool:
    units = [[float(axis.unit_conversion_factor) for axis in c.axis_info[:2]] for c in (a, b)]
    if len(units[0]) != len(units[1]) or abs(meridian_deg(a) - meridian_deg(b)) > 1e-9:
        return False
    return all(abs(one - other) <= 1e-10 * one for one, other in zip(*units, strict=True))


def meridian_deg(crs: pyproj.CRS) -> float:
    """The longitude of the prime meridian from Greenwich, in degrees."""
    meridian = crs.prime_meridian
    return 0.0 if meridian is None else float(np.degrees(meridian.longitude * float(meridian.unit_conversion_factor)))


def _same_datum(a: pyproj.CRS, b: pyproj.CRS) -> bool:
    key = _datum_key(a)
    return key not in _NO_DATUM and (key == _datum_key(b) or a.equals(b, ignore_axis_order=True))


def _datum_key(crs: pyproj.CRS) -> str:
    """The name of the datum in small letters and digits; empty where the system has none that it names."""
    name = crs.datum.name if crs.datum is not None else ""
    key = re.sub(r"[\W_]", "", name.lower().removeprefix("d_"))
    return "" if key.startswith("unknown") else key.removesuffix("ensemble")


def _with_known_datum(crs: pyproj.CRS) -> pyproj.CRS:
    """The system with the name of its datum as EPSG spells it, for spellings that PROJ does not know."""
    key = _datum_key(crs)
    name = next((n for n, spellings in _DATUM_SPELLINGS.items() if key in spellings), None)
    if name is None or crs.datum is None or crs.datum.name == name:
        return crs
    description = crs.to_json_dict()
    base: Any = description.get("base_crs", description)
    base["datum"] = {k: v for k, v in base["datum"].items() if k != "id"} | {"name": name}
    for part in (base, description):
        part.pop("id", None)
    if crs.is_geographic:
        return GeographicCRS(name=crs.name, datum=base["datum"])
    return pyproj.CRS.from_json_dict(description)
