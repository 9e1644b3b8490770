"""GCJ-02 and BD-09, the distorted longitudes and latitudes of Chinese map services: back to WGS 84 where they are declared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hazardgeo import crs as _crs
from hazardgeo.errors import InputError

Datum = Literal["gcj02", "bd09"]
Array = NDArray[np.float64]

SHIFTED_AREA = (72.004, 0.8293, 137.8347, 55.8271)  # west, south, east, north: where the public implementations shift
_SEMI_MAJOR_M, _ECCENTRICITY_2 = 6_378_245.0, 0.00669342162296594323  # Krassowsky 1940
_CENTRE = (105.0, 35.0)
_BD_OFFSET = (0.0065, 0.006)
_BD_STEP = np.pi * 3000.0 / 180.0
_CONVERGED_DEG, _MOST_STEPS = 1e-11, 30
_NAMES: dict[Datum, tuple[str, ...]] = {
    "bd09": ("bd09", "bd-09", "bd_09", "bdlat", "bdlng", "bdlon", "baidu", "百度"),
    "gcj02": ("gcj02", "gcj-02", "gcj_02", "gcj", "mapbar", "amap", "gaode", "autonavi", "tencent", "qqmap", "soso", "火星坐标",
              "高德", "腾讯", "腾迅", "图吧", "国测局坐标"),
}  # fmt: skip


def datum_of(stated: object) -> Datum | None:
    """The distorted system that a statement such as source_crs="GCJ-02" or "BD-09" names; None for everything else.

    Raises CrsError for Baidu's map in metres (BD09MC), which is not read.

    >>> datum_of("GCJ-02"), datum_of("bd09ll"), datum_of("EPSG:4490")
    ('gcj02', 'bd09', None)
    """
    return _crs.obfuscation(stated)


def suspected(names: Iterable[object]) -> Datum | None:
    """The distorted system that columns, file names or texts hint at (Amap, 高德, Baidu, 百度, gcj, bd09 ...), else None.

    A hint is no proof: services give both kinds, and much data has been converted already. It calls for a warning that
    names the statement to make, source_crs="GCJ-02" or "BD-09", and never for a conversion.

    >>> suspected(["name", "lng_gcj02", "lat_gcj02"]), suspected(["sites_百度.csv"]), suspected(["lon", "lat"])
    ('gcj02', 'bd09', None)
    """
    texts = [str(name).lower() for name in names]
    for datum, hints in _NAMES.items():
        if any(_holds(text, hint) for text in texts for hint in hints):
            return datum
    return None


def _holds(text: str, hint: str) -> bool:
    """True where `text` holds the hint, as a word of its own where it is in Latin letters."""
    if not hint.isascii():
        return hint in text
    return re.search(rf"(?<![a-z]){re.escape(hint)}(?![a-z])", text) is not None


def to_wgs84(longitude: ArrayLike, latitude: ArrayLike, datum: Datum) -> tuple[Array, Array]:
    """Longitudes and latitudes in WGS 84 degrees of places in GCJ-02 or BD-09.

    Neither system is published. The formula is the one that circulates in public implementations, not taken from an
    official source: unverified. Against it the conversion is exact to 1e-9 degrees, found by iteration. Against the
    services themselves the formula was seen 0.7 m off (one place in Beijing); allow for a metre or two.

    Places outside longitudes 72.004-137.8347 and latitudes 0.8293-55.8271 are unchanged. That frame, also of the public
    implementations, is coarse: it holds Korea, much of Japan and India, where the services do not distort, so state
    GCJ-02 or BD-09 for places in China only. Unknown coordinates stay NaN. Raises InputError for another `datum`.

    >>> lon, lat = to_wgs84([116.41024449916938], [39.91640428150164], "gcj02")
    >>> [round(float(lon[0]), 6), round(float(lat[0]), 6)]
    [116.404, 39.915]
    """
    place = np.asarray(longitude, float), np.asarray(latitude, float)
    if datum == "bd09":
        place = _inverse(_bd09, place)
    elif datum != "gcj02":
        raise InputError(f"{datum!r} is not a distorted system that is known; use 'gcj02' or 'bd09'.")
    return _inverse(_gcj02, place)


def from_wgs84(longitude: ArrayLike, latitude: ArrayLike, datum: Datum) -> tuple[Array, Array]:
    """Where GCJ-02 or BD-09 puts places in WGS 84 degrees; the formula and its limits are those of `to_wgs84`."""
    if datum not in ("gcj02", "bd09"):
        raise InputError(f"{datum!r} is not a distorted system that is known; use 'gcj02' or 'bd09'.")
    shifted = _gcj02(np.asarray(longitude, float), np.asarray(latitude, float))
    return _bd09(*shifted) if datum == "bd09" else shifted


def _inverse(distort: Callable[[Array, Array], tuple[Array, Array]], place: tuple[Array, Array]) -> tuple[Array, Array]:
    """The place that `distort` takes to `place`, by fixed-point iteration: the distortion changes slowly from place to place."""
    lon, lat = place
    for _ in range(_MOST_STEPS):
        there = distort(lon, lat)
        step = place[0] - there[0], place[1] - there[1]
        lon, lat = lon + step[0], lat + step[1]
        if np.nanmax(np.abs(step), initial=0.0) < _CONVERGED_DEG:
            break
    inside = _within(*place)
    return np.where(inside, lon, place[0]), np.where(inside, lat, place[1])


def _within(lon: Array, lat: Array) -> NDArray[np.bool_]:
    west, south, east, north = SHIFTED_AREA
    return np.asarray((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north))


def _gcj02(lon: Array, lat: Array) -> tuple[Array, Array]:
    """GCJ-02 of WGS 84: metres of a polynomial and sines around 105 E 35 N, made degrees on the Krassowsky ellipsoid."""
    x, y = lon - _CENTRE[0], lat - _CENTRE[1]
    root, product = np.sqrt(np.abs(x)), x * y
    shared = 20.0 * (np.sin(6.0 * np.pi * x) + np.sin(2.0 * np.pi * x))
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * product + 0.2 * root
    north_m = north_m + 2.0 / 3.0 * (shared + _waves(y, ((20.0, 1.0), (40.0, 3.0), (160.0, 12.0), (320.0, 30.0))))
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * product + 0.1 * root
    east_m = east_m + 2.0 / 3.0 * (shared + _waves(x, ((20.0, 1.0), (40.0, 3.0), (150.0, 12.0), (300.0, 30.0))))
    w2 = 1.0 - _ECCENTRICITY_2 * np.sin(np.radians(lat)) ** 2
    meridian_m = _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY_2) / w2**1.5
    parallel_m = _SEMI_MAJOR_M / np.sqrt(w2) * np.cos(np.radians(lat))
    inside = _within(lon, lat)
    with np.errstate(divide="ignore", invalid="ignore"):
        shifted = lon + np.degrees(east_m / parallel_m), lat + np.degrees(north_m / meridian_m)
    return np.where(inside, shifted[0], lon), np.where(inside, shifted[1], lat)


def _waves(t: Array, terms: tuple[tuple[float, float], ...]) -> Array:
    return np.asarray(np.sum([amplitude * np.sin(np.pi * t / length) for amplitude, length in terms], axis=0), float)


def _bd09(lon: Array, lat: Array) -> tuple[Array, Array]:
    """BD-09 of GCJ-02: a wave in radius and angle around the origin of degrees, and a constant."""
    radius = np.hypot(lon, lat) + 2e-5 * np.sin(lat * _BD_STEP)
    angle = np.arctan2(lat, lon) + 3e-6 * np.cos(lon * _BD_STEP)
    inside = _within(lon, lat)
    shifted = radius * np.cos(angle) + _BD_OFFSET[0], radius * np.sin(angle) + _BD_OFFSET[1]
    return np.where(inside, shifted[0], lon), np.where(inside, shifted[1], lat)
