"""Horizontal reference systems, normalised to their EPSG code where they have one."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Any, Literal

import pyproj
from pyproj.crs.crs import CompoundCRS
from pyproj.exceptions import CRSError as PyprojError

from hazardgeo.crs.height import Height, vertical_of
from hazardgeo.crs.identify import coded, stated_shift_m, unbound
from hazardgeo.errors import CrsError

_OBFUSCATED = {
    "gcj02": ("gcj02", "gcj2002", "gcj", "火星坐标", "火星坐标系", "国测局坐标", "国测局坐标系"),
    "bd09": ("bd09", "bd09ll", "百度坐标", "百度坐标系"),
}
_ANGLES_IN_METRES = re.compile(
    r'ANGLEUNIT\["met(?:re|er)s?",1(?:\.0*)?(?:,ID\[[^\]]*\])?\]'
)  # some exports call the degrees of the base metres
_BAIDU_MERCATOR = ("bd09mc", "bd09m")


def horizontal(crs: Any) -> pyproj.CRS:
    """The horizontal part of `crs`, normalised to its EPSG code where it has one.

    Takes whatever pyproj takes: an EPSG number, "EPSG:32648", WKT, a PROJ text, a CRS. A code is taken only where the
    system agrees with it in datum, ellipsoid and all parameters; a shift to WGS 84 that changes places stays part of
    the system. Raises CrsError for None, for texts that pyproj does not know, for GCJ-02 and BD-09, and for systems
    without a horizontal part (vertical, geocentric, local).
    """
    return split(crs)[0]


def split(crs: Any) -> tuple[pyproj.CRS, Height]:
    """The horizontal CRS and the height reference that `crs` states; heights are unknown when it states none."""
    if crs is None:
        raise CrsError("no coordinate reference system is given; state it, for example crs='EPSG:32648'.")
    datum = obfuscation(crs)
    if datum is not None:
        raise CrsError(
            f"{crs} ({datum}) is a deliberate distortion of longitudes and latitudes, not a coordinate reference system; it can "
            "be stated for vectors and tables only, with source_crs=, which converts them to WGS 84."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "+init=epsg:4326": axis order does not count here
            parsed = pyproj.CRS.from_user_input(crs)
    except PyprojError as error:
        raise CrsError(f"{str(crs)[:80]!r} is not a coordinate reference system: {error}. Use an EPSG code.") from None
    return _split(parsed.to_wkt())


def obfuscation(stated: Any) -> Literal["gcj02", "bd09"] | None:
    """Which distorted system of Chinese map services a statement names, None for everything else.

    >>> obfuscation("GCJ-02"), obfuscation("百度坐标"), obfuscation("EPSG:4490")
    ('gcj02', 'bd09', None)
    """
    key = re.sub(r"[\W_]", "", stated.lower()) if isinstance(stated, str) else ""
    if key in _BAIDU_MERCATOR:
        raise CrsError(f"{stated} is Baidu's map in metres, which is not read; export longitude and latitude (BD09LL) instead.")
    if key in _OBFUSCATED["gcj02"]:
        return "gcj02"
    return "bd09" if key in _OBFUSCATED["bd09"] else None


@lru_cache(maxsize=256)
def _split(wkt: str) -> tuple[pyproj.CRS, Height]:
    crs = pyproj.CRS.from_wkt(_ANGLES_IN_METRES.sub('ANGLEUNIT["degree",0.0174532925199433]', wkt))
    height = Height()
    if crs.is_compound:
        crs, vertical = crs.sub_crs_list[0], crs.sub_crs_list[1]
        height = vertical_of(vertical)
    elif len(crs.axis_info) == 3 and not crs.is_geocentric:
        crs, height = crs.to_2d(), Height("ellipsoidal")
    if not (crs.is_geographic or crs.is_projected):
        raise CrsError(
            f"{crs.name!r} is a {crs.type_name}, not a map or longitude/latitude system. "
            "State the CRS in which east and north are measured, for example crs='EPSG:32648'."
        )
    return (unbound(crs) if crs.is_bound else coded(crs)), height


def compound(crs: pyproj.CRS, height: Height | None) -> pyproj.CRS:
    """`crs` joined with the vertical CRS of `height` where that is known; otherwise `crs` alone."""
    if height is None or height.vertical is None or ":" not in height.vertical:
        return crs
    return CompoundCRS(name=f"{crs.name} + {height.vertical}", components=[crs, pyproj.CRS(height.vertical)])


def label(crs: pyproj.CRS) -> str:
    """A short name of `crs` for messages and tables: its code, else its name with what tells it from its likes."""
    if crs.is_bound and crs.source_crs is not None:
        return f"{label(crs.source_crs)} with its own shift to WGS 84{_shift_text(crs)}"
    code = crs.to_authority(min_confidence=100)
    if code:
        return ":".join(code)
    if crs.coordinate_operation is None or not crs.is_projected:
        return crs.name
    name = "an unnamed system" if crs.name.lower() in ("unknown", "unnamed", "undefined", "undetermined") else crs.name
    told = {p.name.lower(): p.value for p in crs.coordinate_operation.params}
    central = next((v for n, v in told.items() if n.startswith("longitude of")), None)
    parts = [f"central meridian {central:g}"] if central is not None else []
    parts += [f"false easting {told['false easting']:.10g}"] if "false easting" in told else []
    ellipsoid = crs.ellipsoid.name if crs.ellipsoid is not None else "no ellipsoid"
    return f"{name} ({', '.join([crs.coordinate_operation.method_name, *parts, ellipsoid])})"


def _shift_text(crs: pyproj.CRS) -> str:
    stated = crs.coordinate_operation.towgs84 if crs.coordinate_operation is not None else []
    return f" (of {stated_shift_m(crs):.0f} m)" if stated else ""


def is_metric(crs: pyproj.CRS) -> bool:
    """True when east and north of `crs` are metres on a map."""
    return bool(crs.is_projected) and all(axis.unit_conversion_factor == 1.0 for axis in crs.axis_info[:2])


def require_metric(crs: pyproj.CRS, *, what: str, fix: str) -> None:
    """Raise CrsError unless `crs` measures in metres; `what` needs it and `fix` is the call that helps."""
    if not is_metric(crs):
        unit = crs.axis_info[0].unit_name if crs.axis_info else "unknown units"
        raise CrsError(f"{what} needs metres, but {label(crs)} measures in {unit}s; {fix}")


def utm(longitude: float, latitude: float) -> pyproj.CRS:
    """The WGS 84 UTM zone around a place, the working CRS proposed where a survey does not give one.

    >>> utm(102.8, 35.7).to_epsg()
    32648
    """
    zone = int((longitude + 180.0) % 360.0 // 6.0) + 1
    return pyproj.CRS.from_epsg((32600 if latitude >= 0 else 32700) + zone)
