"""The headings of tables: which row holds them, and which columns hold the places."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hazardgeo.errors import InputError, MissingColumnError

_LONGITUDE = (
    "lon", "lng", "long", "longitude", "经度", "經度", "経度", "东经", "東経", "東經", "lon_dd", "long_dd", "longitude_dd",
    "lon_deg", "lon_wgs84", "wgs84_lon", "x_lon", "gps_lon",
)  # fmt: skip
_LATITUDE = (
    "lat", "latitude", "纬度", "緯度", "北纬", "北緯", "lat_dd", "latitude_dd", "lat_deg", "lat_wgs84", "wgs84_lat", "y_lat",
    "gps_lat",
)  # fmt: skip
_LONGITUDE_ENDS, _LATITUDE_ENDS = ("经度", "經度", "経度"), ("纬度", "緯度")
_X = ("x", "coord_x", "point_x", "xcoord", "x_coord", "x坐标", "x座標", "x坐標")
_Y = ("y", "coord_y", "point_y", "ycoord", "y_coord", "y坐标", "y座標", "y坐標")
_EAST = ("east", "easting", "e", "东坐标", "横坐标", "東坐標", "橫坐標", "东向坐标")
_NORTH = ("north", "northing", "n", "北坐标", "纵坐标", "北坐標", "縱坐標", "北向坐标")
_BOTH = (
    "坐标", "经纬度", "經緯度", "経緯度", "緯度経度", "地理坐标", "gps坐标", "位置坐标", "坐标位置", "经纬度坐标", "gps",
    "coordinates", "coordinate", "coords", "coord", "latlon", "lat_lon", "latlng", "lat_lng", "lonlat", "lon_lat", "lat,lon",
    "lon,lat",
)  # fmt: skip
_SHAPE = ("wkt", "geometry", "geom", "the_geom", "wkt_geom", "ewkt", "几何", "wkb", "wkb_geometry")
_BRACKETS = re.compile(r"[(\[{【〔<].*?[)\]}】〕>]")
_EDGES = re.compile(r"^[\s*#•]+|[\s*:./°_-]+$")
_EARTH = re.compile(r"wgs|cgcs|2000", re.IGNORECASE)
_SEARCHED_ROWS = 50

Kind = Literal["degrees", "xy", "map", "both", "shape"]


@dataclass(frozen=True, slots=True)
class Places:
    """The columns that hold the places.

    `kind`: degrees (longitude and latitude), xy (x and y, of which either can be north), map (named east and north), both
    (one column with two coordinates) or shape (one column with shapes as text).
    """

    kind: Kind
    columns: tuple[str, ...]


def base(name: Any) -> str:
    """The name of a column as it is looked up: plain small letters, without units in brackets and marks around it."""
    text = unicodedata.normalize("NFKC", str(name)).lower()
    text = _EDGES.sub("", _BRACKETS.sub("", text).replace("\n", " "))
    return "_".join(text.split()) if text.isascii() else "".join(text.split())


def row_of(rows: Sequence[Sequence[Any]]) -> int | None:
    """The row that names columns with places, None where there is none; titles and notes can stand above."""
    found: dict[bool, int] = {}
    for i, row in enumerate(rows[:_SEARCHED_ROWS]):
        try:
            places = look(row)
        except InputError:  # several columns could be meant, which `require` says
            places = Places("degrees", ())
        if places is not None:
            found.setdefault(places.kind in ("degrees", "xy", "map"), i)
    return found.get(True, found.get(False))


def look(names: Sequence[Any]) -> Places | None:
    """The columns with places among `names`, None where there are none. InputError where several could be meant."""
    by_base: dict[str, list[str]] = {}
    for name in names:
        if isinstance(name, str) and name.strip():
            by_base.setdefault(base(name), []).append(name)
    degrees = _best(by_base, _LONGITUDE, _LONGITUDE_ENDS), _best(by_base, _LATITUDE, _LATITUDE_ENDS)
    if all(degrees):
        return Places("degrees", (_only(degrees[0]), _only(degrees[1])))
    east, north = _best(by_base, _EAST), _best(by_base, _NORTH)
    if east and north:
        return Places("map", (_only(east), _only(north)))
    x, y = _best(by_base, _X), _best(by_base, _Y)
    if x and y:
        return _named_by_side(_only(x), _only(y))
    for kind, known in (("both", _BOTH), ("shape", _SHAPE)):
        single = _best(by_base, known)
        if single:
            return Places("both" if kind == "both" else "shape", (_only(single),))
    return None


def require(names: Sequence[Any], path: Path) -> Places:
    """The columns with places; MissingColumnError where there are none, InputError where several could be meant."""
    try:
        found = look(names)
    except InputError as error:
        raise InputError(f"{path} {error}") from None
    if found is None:
        raise MissingColumnError(
            f"{path} has no columns with places; it has {', '.join(map(str, names[:20]))}. "
            "Name them longitude and latitude, or x and y with source_crs=."
        )
    return found


def _best(by_base: dict[str, list[str]], known: Sequence[str], ends: tuple[str, ...] = ()) -> list[str]:
    """The columns named with the first of the known words that occurs, else those that end in one."""
    for word in known:
        if word in by_base:
            return by_base[word]
    return [name for word, names in by_base.items() if ends and word.endswith(ends) and not _double(word) for name in names]


def _double(word: str) -> bool:
    """True for names of columns that hold both coordinates, such as 中心经纬度."""
    return "经纬" in word or "經緯" in word or "経緯" in word


def _only(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    earth = [name for name in names if _EARTH.search(name)]
    if len(earth) == 1:
        return earth[0]
    raise InputError(f"has several columns that could hold the places: {', '.join(map(repr, names))}; keep one of them.")


def _named_by_side(x: str, y: str) -> Places:
    """x and y, in the order east, north where their names say which is which, as in X(纵坐标)."""
    sides = [
        "north" if re.search("纵|縱|北|north", n.lower()) else "east" if re.search("横|橫|东|東|east", n.lower()) else ""
        for n in (x, y)
    ]
    if sides == ["north", "east"]:
        return Places("map", (y, x))
    return Places("map" if sides == ["east", "north"] else "xy", (x, y))
