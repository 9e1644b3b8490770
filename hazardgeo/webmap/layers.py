"""The layers of a map: checked when they are added, turned into the page's data when it is saved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
import pandas as pd

from hazardgeo.errors import InputError, MissingColumnError
from hazardgeo.grid import Grid
from hazardgeo.raster import ClassLabel, Raster
from hazardgeo.webmap import legend, picture, shapes, texts

_DASH = re.compile(r"\d+([ ,]\d+)*\Z")
_BOOL_CLASSES = (ClassLabel(0, "no", "#e6e6e6"), ClassLabel(1, "yes", "#b30000"))
_SHAPE_SIGNS = {shapes.POINT: "point", shapes.LINE: "line", shapes.AREA: "area"}
_HATCHED_DASH = "3 4"
_PLAIN_COLOUR = "#1f5a96"
MAX_SHAPES = 300_000


@dataclass(frozen=True, slots=True)
class Style:
    """How one class of a vector layer is drawn and what the legend calls it.

    `dash` gives the lengths of strokes and gaps of a line in px, such as "6 4". `hatched` is for classes that say "not
    assessed" in one way or another: areas and points are hatched, lines are dashed.
    """

    colour: str
    label: str
    dash: str | None = None
    hatched: bool = False

    def __post_init__(self) -> None:
        texts.require_colour(self.colour, f"class {self.label!r}")
        if self.dash is not None and not _DASH.match(self.dash):
            raise InputError(f"the dash {self.dash!r} of class {self.label!r} is not like '6 4'; give lengths in px.")


_UNKNOWN = Style(legend.UNKNOWN_COLOUR, "unknown", hatched=True)


@dataclass(frozen=True, slots=True)
class RasterLayer:
    """A raster to be drawn as a picture: by its classes, or along a ramp between limits."""

    raster: Raster
    name: str
    shown: bool
    opacity: float
    note: str
    classes: tuple[ClassLabel, ...]
    ramp: str
    limits: tuple[float, float]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        return picture.geographic_bounds(self.raster.grid)

    def data(self, max_px: int) -> dict[str, Any]:
        """What the page needs to draw the layer."""
        to = picture.mercator_grid(self.raster.grid, max_px)
        if self.classes:
            rgba = picture.class_rgba(self.raster, self.classes, to)
        else:
            rgba = picture.ramp_rgba(self.raster, self.ramp, self.limits, to)
        image = picture.encode(rgba, self.raster.grid, to, lossless=bool(self.classes))
        merged = "Each cell of the picture shows the gravest class that it touches." if self._merges(to) else ""
        coarser = "The picture is coarser than the data; see the data files for every cell." if image.coarser else ""
        return {
            "kind": "raster",
            "name": self.name,
            "shown": self.shown,
            "opacity": self.opacity,
            "note": " ".join(filter(None, (self.note, merged, coarser))),
            "image": image.address,
            "corners": image.corners,
            "legend": self._legend(),
        }

    def _merges(self, to: Grid) -> bool:
        return bool(self.classes) and picture.merges(self.raster.grid, to)

    def _legend(self) -> dict[str, Any]:
        unknown = float(self.raster.unknown.mean())
        entries = [legend.swatch(f"unknown: {legend.share_text(unknown)} of the cells", legend.UNKNOWN_COLOUR, hatched=True)]
        if not self.classes:
            known = self.raster.values[~self.raster.unknown]
            beyond = {"below": bool((known < self.limits[0]).any()), "above": bool((known > self.limits[1]).any())}
            bar = legend.ramp_bar(self.ramp, self.limits, self.raster.unit, **beyond)
            return {"bar": bar, "entries": entries if unknown else []}
        shares = _counts(self.raster) / self.raster.values.size
        signs = []
        for c in self.classes:
            if c.code == picture.UNKNOWN.code:
                continue
            share = f": {legend.share_text(float(shares[c.code]))} of the cells" if c.hatched else ""
            signs.append(legend.swatch(c.label + share, c.colour, hatched=c.hatched))
        return {"bar": None, "entries": signs + (entries if unknown else [])}


def raster_layer(
    r: Raster, *, name: str, shown: bool, opacity: float, note: str, ramp: str, limits: tuple[float, float] | None
) -> RasterLayer:
    """A checked raster layer; classes for uint8 and bool rasters, a ramp for surfaces."""
    legend.require_ramp(ramp)
    if not 0 < opacity <= 1:
        raise InputError(f"the opacity of layer {name!r} is {opacity}; give a number above 0 and at most 1.")
    picture.geographic_bounds(r.grid)
    if r.values.dtype == np.int32:
        raise InputError(f"layer {name!r} holds ids, which have no colours; draw their areas with add_vector instead.")
    if r.values.dtype.kind == "f":
        return RasterLayer(r, name, shown, opacity, note, (), ramp, _limits(r, name, limits))
    classes = r.classes or (_BOOL_CLASSES if r.values.dtype == bool else ())
    for c in classes:
        texts.require_colour(c.colour, f"class {c.label!r}")
    named = {c.code for c in classes} | {picture.UNKNOWN.code}
    unnamed = sorted(set(np.flatnonzero(_counts(r)).tolist()) - named)
    if unnamed:
        raise InputError(f"layer {name!r} holds codes {unnamed[:8]} without a label; add them to the raster's classes.")
    return RasterLayer(r, name, shown, opacity, note, classes or (picture.UNKNOWN,), ramp, (0.0, 1.0))


def _counts(r: Raster) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How many cells have each code from 0 to 255, counted row by row since numpy counts on a copy eight times as large."""
    return np.asarray(np.sum([np.bincount(row.astype(np.uint8), minlength=256) for row in r.values], axis=0))


def _limits(r: Raster, name: str, limits: tuple[float, float] | None) -> tuple[float, float]:
    if limits is not None:
        low, high = map(float, limits)
        if not (np.isfinite([low, high]).all() and low < high):
            raise InputError(f"the limits of layer {name!r} are {limits}; give two finite numbers, the lower one first.")
        return low, high
    known = r.values[np.isfinite(r.values)]
    if known.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(known, [2, 98]))
    return (low, high) if low < high else (low - 0.5, low + 0.5)


@dataclass(frozen=True, slots=True)
class VectorLayer:
    """Shapes to be drawn as they are: the page's data, and where they lie in degrees."""

    name: str
    shown: bool
    content: Mapping[str, Any]
    bounds: tuple[float, float, float, float] | None

    def data(self, max_px: int) -> dict[str, Any]:  # noqa: ARG002 - shapes do not get coarser
        """What the page needs to draw the layer."""
        return dict(self.content)


def vector_layer(
    gdf: geopandas.GeoDataFrame,
    *,
    name: str,
    by: str | None,
    classes: Mapping[Any, Style],
    popup: Mapping[str, str],
    shown: bool,
    radius_px: float,
    note: str,
) -> VectorLayer:
    """A checked vector layer in the page's own coding."""
    missing = [c for c in (*([by] if by is not None else []), *popup) if c not in gdf.columns]
    if missing:
        columns = ", ".join(map(str, gdf.columns))
        raise MissingColumnError(f"layer {name!r} has no column {', '.join(map(repr, missing))}; it has {columns}.")
    if len(gdf) > MAX_SHAPES:
        raise InputError(f"layer {name!r} has {len(gdf)} shapes, more than the {MAX_SHAPES} a page can draw; thin it out.")
    placed = shapes.geographic(gdf, name)
    codes, styles = _classified(placed, name, by, classes)
    order = np.lexsort((_nearby(placed), codes))
    placed, codes = placed.iloc[order], codes[order]
    left_out = len(gdf) - len(placed)
    lost = f"{left_out} of {len(gdf)} entries have no place and are not drawn." if left_out else ""
    content = {
        "kind": "vector",
        "name": name,
        "shown": shown,
        "note": " ".join(filter(None, (note, lost))),
        "radius": radius_px,
        "styles": [{"colour": s.colour, "dash": _dash(s), "hatched": s.hatched} for s in styles],
        "fields": [_field(placed[column], label) for column, label in popup.items()],
        **_features(placed, codes, merge=not popup),
        "legend": _vector_legend(placed, codes, styles),
    }
    bounds = None if placed.empty else tuple(float(v) for v in placed.total_bounds)
    return VectorLayer(name, shown, content, bounds)  # type: ignore[arg-type]


def _classified(
    gdf: geopandas.GeoDataFrame, name: str, by: str | None, classes: Mapping[Any, Style]
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[Style]]:
    """The style number of each row, and the styles; rows without a value get the hatched style "unknown", the last."""
    if by is None:
        if len(classes) > 1:
            raise InputError(f"layer {name!r} has {len(classes)} classes but no column to tell them; name it with by=.")
        return np.zeros(len(gdf), np.int64), [*classes.values()] or [Style(_PLAIN_COLOUR, name)]
    values = gdf[by].astype(object)
    number_of = {value: i for i, value in enumerate(classes)}
    blank = values.isna().to_numpy()
    strange = sorted({str(v) for v in values[~blank] if v not in number_of})
    if strange:
        raise InputError(f"column {by!r} of layer {name!r} holds {strange[:5]}, which classes= does not name; add them.")
    codes = np.array([len(classes) if b else number_of[v] for v, b in zip(values, blank, strict=True)], np.int64)
    return codes, [*classes.values(), *([_UNKNOWN] if blank.any() else [])]


def _nearby(gdf: geopandas.GeoDataFrame) -> np.ndarray[Any, Any]:
    return np.asarray(gdf.hilbert_distance(level=16)) if len(gdf) > 1 else np.zeros(len(gdf))


def _field(values: pd.Series[Any], label: str) -> dict[str, Any]:
    codes, words = pd.factorize(pd.Series([texts.shown(v) for v in values], dtype=object))
    return {"label": str(label), "texts": [str(word) for word in words], "codes": codes.tolist()}


def _features(gdf: geopandas.GeoDataFrame, codes: np.ndarray[Any, Any], *, merge: bool) -> dict[str, Any]:
    """Parallel lists: kind, style and parts of each shape; with `merge`, the lines of a style become one shape."""
    geometry = gdf.geometry.to_numpy()
    corner = shapes.origin(gdf)
    kind, parts = shapes.kinds(geometry), shapes.encoded(geometry, corner)
    rows: list[tuple[int, int, list[Any]]] = []
    merged: dict[int, list[Any]] = {}
    for k, style, part in zip(kind.tolist(), codes.tolist(), parts, strict=True):
        if merge and k == shapes.LINE and style in merged:
            merged[style].extend(part)
            continue
        rows.append((k, style, part))
        if k == shapes.LINE:
            merged[style] = part
    kinds, styles, paths = ([row[i] for row in rows] for i in range(3))
    return {"corner": corner, "kinds": kinds, "style_of": styles, "shapes": paths}


def _vector_legend(gdf: geopandas.GeoDataFrame, codes: np.ndarray[Any, Any], styles: list[Style]) -> dict[str, Any]:
    kinds = shapes.kinds(gdf.geometry.to_numpy())
    sign = _SHAPE_SIGNS[int(kinds.max(initial=shapes.POINT))]
    counts = np.bincount(codes, minlength=len(styles))
    entries = [
        legend.swatch(
            f"{s.label} ({texts.number(int(n))})".strip(),
            s.colour,
            hatched=s.hatched,
            dash=_dash(s) if sign == "line" else "",
            shape=sign,
        )
        for s, n in zip(styles, counts, strict=True)
    ]
    return {"bar": None, "entries": entries}


def _dash(style: Style) -> str:
    return style.dash or (_HATCHED_DASH if style.hatched else "")
