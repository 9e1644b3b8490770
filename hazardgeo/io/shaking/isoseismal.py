"""Intensity maps drawn after an earthquake: zones of equal intensity from Shapefile, KML, GeoJSON and their like."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, get_args

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from hazardgeo.errors import HazardGeoWarning, InputError, MissingColumnError
from hazardgeo.io.vector.places import Axes
from hazardgeo.io.vector.read import read_vector

Scale = Literal["csi", "mmi"]
_FOLDER = "folder"  # of a KML, whose name may read as a numeral
COLUMNS: Mapping[str, tuple[str, ...]] = {  # names in lower case; what a name says of the scale
    "csi": ("烈度", "地震烈度", "烈度值", "烈度区", "烈度等级", "烈度名", "烈度名称", "ld", "ldz", "liedu", "csi", "csis"),
    "mmi": ("mmi", "mercalli"),
    "": ("intensity", "inten", "name", "label"),
}
_NUMBERS = {name: i for i, name in enumerate(["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"], 1)}
_NUMBERS |= {name: i for i, name in enumerate(["一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"], 1)}
_WORDS = re.compile(r"地震|烈度|度|区|區|级|級|INTENSITY|ZONE|CSI|MMI|\s|[.:：]$")
_TWICE = re.compile(r"([^()]+)\(([^()]+)\)([^()]*)")
_RANGE = re.compile(r"\s*(?:-|–|—|−|~|〜|至|到|/)\s*")
_AREAS, _LINES, _POINTS = ("Polygon", "MultiPolygon"), ("LineString", "MultiLineString", "LinearRing"), ("Point", "MultiPoint")
_CONTOUR_COLUMNS = {"value", "units"}


def read_isoseismals(
    path: str | Path,
    *,
    column: str | None = None,
    scale: Scale | None = None,
    crs: Any = None,
    source_crs: Any = None,
    layer: str | None = None,
    where: str | None = None,
    axes: Axes = "east-north",
) -> gpd.GeoDataFrame:
    """Zones of equal intensity: polygons with intensity, intensity_low, intensity_high, the scale and the label read.

    `column` holds the intensity: whole or decimal numbers, Roman numerals (VIII, Ⅷ, "Ⅷ度区"), Chinese ones ("八度"), or
    ranges ("VI-VII", whose intensity is the middle). Where it is not stated it is found by its name (烈度, LD, MMI,
    intensity ...; in KML the Name), else by labels that all say 度; other columns of degrees in words must agree with it.
    `scale` is "csi" (Chinese, GB/T 17742) or "mmi"; it must be stated unless the name of the column says it. `crs`,
    `source_crs`, `layer`, `where` and `axes` are those of read_vector.

    Closed lines labelled with whole degrees become the zones that they enclose. Points (labels, the epicentre) are left
    out with a HazardGeoWarning. Nothing is said about the land outside the zones: it is not known to be safe.

    Raises InputError for open lines and for the contours of a ShakeMap, for an intensity that is missing, not understood
    or outside 1 to 12 (a zone that falls out would leave the lower one around it), for a scale that is not stated or not
    that of the column, for lost geometries; MissingColumnError, and what read_vector raises.
    """
    if scale is not None and scale not in get_args(Scale):
        raise InputError(f"the intensity scale {scale!r} is not known; use one of {', '.join(get_args(Scale))}.")
    shapes = read_vector(path, crs=crs, source_crs=source_crs, layer=layer, where=where, axes=axes)
    if shapes.attrs.get("features_left_out"):
        lost = shapes.attrs["features_left_out"]
        raise InputError(f"{lost} features of {path} have no usable geometry, and a zone must not be lost; mend them first.")
    _require_no_contours(shapes, path)
    shapes = _without_points(shapes, path)
    if shapes.empty:
        raise InputError(f"{path} holds no polygons; name the right layer.")
    chosen, implied = _column(shapes, column, path)
    if scale is not None and implied and scale != implied:
        raise InputError(f"column {chosen!r} of {path} says {implied}, scale= says {scale}; correct one of them.")
    if scale is None and not implied:
        raise InputError(f"column {chosen!r} of {path} does not say its scale; state scale='csi' (Chinese) or scale='mmi'.")
    low, high = _degrees(shapes[chosen], chosen, path)
    geometry = _areas(shapes, low, high, path)
    zones = {
        "intensity": (low + high) / 2,
        "intensity_low": low,
        "intensity_high": high,
        "scale": scale or implied,
        "label": shapes[chosen].astype(str).to_numpy(),
    }
    return gpd.GeoDataFrame(pd.DataFrame(zones, index=shapes.index), geometry=geometry, crs=shapes.crs)


def intensity_of(label: object) -> tuple[float, float] | None:
    """The lowest and highest degree that a label means, None where it means none.

    >>> intensity_of("Ⅷ度区"), intensity_of("VI-VII"), intensity_of("Ⅵ(6)度"), intensity_of("6强")
    ((8.0, 8.0), (6.0, 7.0), (6.0, 6.0), None)
    """
    if label is None or isinstance(label, bool) or label is pd.NA:
        return None
    text = unicodedata.normalize("NFKC", str(label)).upper().strip()
    twice = _TWICE.fullmatch(text)
    if twice is not None:
        said = intensity_of(twice[1] + twice[3])
        return said if said == intensity_of(twice[2]) else None
    words = [_WORDS.sub("", part) for part in _RANGE.split(text)]
    degrees = [float(_NUMBERS[w]) if w in _NUMBERS else _decimal(w) for w in words]
    if not 1 <= len(degrees) <= 2 or any(d is None or not 1 <= d <= 12 for d in degrees):
        return None
    known = sorted(d for d in degrees if d is not None)
    return known[0], known[-1]


def _decimal(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,2}(\.\d+)?", text) else None


def _require_no_contours(shapes: gpd.GeoDataFrame, path: str | Path) -> None:
    if set(shapes.columns) >= _CONTOUR_COLUMNS and not shapes.empty and shapes.geom_type.isin(_LINES).all():
        raise InputError(f"{path} holds the contours of a ShakeMap, whose lines bound values; fetch its grid.xml instead.")


def _without_points(shapes: gpd.GeoDataFrame, path: str | Path) -> gpd.GeoDataFrame:
    points = shapes.geom_type.isin(_POINTS)
    others = sorted(set(shapes.geom_type[~points].astype(str)) - {*_AREAS, *_LINES})
    if others:
        raise InputError(f"{path} holds {', '.join(others)}, but isoseismals must be polygons; take them apart first.")
    if points.any():
        message = f"{path}: {int(points.sum())} of {len(shapes)} features are points (labels), which are no zones; left out."
        warnings.warn(message, HazardGeoWarning, stacklevel=3)
    return shapes[~points]


def _column(shapes: gpd.GeoDataFrame, stated: str | None, path: str | Path) -> tuple[str, str]:
    """The column of intensities, and the scale that its name implies, "" where it does not."""
    names = [str(c) for c in shapes.columns if c != shapes.geometry.name]
    if stated is not None:
        if stated not in names:
            raise MissingColumnError(f"{path} has no column {stated!r}; it has {', '.join(names)}.")
        return stated, _implied(stated)
    filled = [n for n in names if n != _FOLDER and shapes[n].notna().any()]
    meant = {n: [intensity_of(label) for label in shapes[n]] for n in filled}
    whole = [n for n in filled if None not in meant[n]]
    scaled = [n for n in filled if _implied(n)]
    plain = [n for n in filled if _plain(n) in COLUMNS[""]]
    worded = [n for n in whole if n not in scaled + plain and _in_words(shapes[n])]
    pool = [*scaled, *(n for n in plain if n in whole), *worded]
    if len({_implied(n) for n in scaled}) > 1 or any(_differ(meant[a], meant[b]) for a, b in combinations(pool, 2)):
        raise InputError(f"{path} has several columns of intensity that differ; choose one with column=: {', '.join(pool)}.")
    sources = scaled or [n for n in plain if n in whole] or [n for n in worded if _says_degree(shapes[n])] or plain
    if sources:
        chosen = next((n for n in sources if n in whole), sources[0])
        return chosen, _implied(chosen)
    raise MissingColumnError(
        f"{path} has no column of intensity that is known; name it with column= (it has {', '.join(names)})."
    )


def _in_words(column: pd.Series[Any]) -> bool:
    """True for texts that are numerals of Rome or China, or say 度: plain numbers can be ranks."""
    return all(isinstance(v, str) and ("度" in v or not re.search(r"\d", v)) for v in column)


def _says_degree(column: pd.Series[Any]) -> bool:
    return all("度" in str(v) for v in column)


def _differ(one: list[tuple[float, float] | None], other: list[tuple[float, float] | None]) -> bool:
    return any(a is not None and b is not None and a != b for a, b in zip(one, other, strict=True))


def _implied(name: str) -> str:
    return next((scale for scale in get_args(Scale) if _plain(name) in COLUMNS[scale]), "")


def _plain(name: str) -> str:
    return re.sub(r"[\s_]|\(.*\)$", "", unicodedata.normalize("NFKC", name)).lower()


def _degrees(column: pd.Series[Any], name: str, path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = [intensity_of(label) for label in column]
    wrong = [i for i, degrees in enumerate(found) if degrees is None]
    if wrong:
        raise InputError(
            f"{path}: {name} = {str(column.iloc[wrong[0]])!r} of feature {wrong[0] + 1} is no intensity from I to XII "
            f"({len(wrong)} such); correct it, since a zone must not be lost."
        )
    pairs = np.array([degrees for degrees in found if degrees is not None], float)
    return pairs[:, 0], pairs[:, 1]


def _areas(shapes: gpd.GeoDataFrame, low: NDArray[np.float64], high: NDArray[np.float64], path: str | Path) -> NDArray[Any]:
    """The polygons, with closed lines made into the areas that they enclose."""
    geometry: NDArray[Any] = np.array(shapes.geometry.to_numpy(), object)
    for i in np.flatnonzero(shapes.geom_type.isin(_LINES).to_numpy()):
        rings = list(getattr(geometry[i], "geoms", [geometry[i]]))
        if not all(shapely.is_ring(ring) for ring in rings):
            raise InputError(
                f"{path}: feature {i + 1} is an open line, which bounds no zone; close it, or polygonise the lines in a GIS "
                "(QGIS: Polygonize) and give each polygon its intensity."
            )
        if low[i] != high[i] or low[i] % 1:
            raise InputError(
                f"{path}: feature {i + 1} is a line of intensity {(low[i] + high[i]) / 2:g}, and which zone it bounds is not "
                "certain; polygonise the lines in a GIS and give each polygon its whole degree."
            )
        geometry[i] = shapely.union_all([shapely.Polygon(ring) for ring in rings])
    return geometry
