"""Tables of pandas and geopandas as plain data: every column by its type, with index and notes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from geopandas.array import GeometryDtype
from numpy.typing import NDArray

_MASKED = (pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray)
Part = Callable[[Any], Any]  # encodes or decodes a part of a table


class Unstorable(TypeError):  # noqa: N818 - a property of a value, not a failure
    """A value of a kind that is not kept, since it would not come back exactly as it was."""


def is_table(value: Any) -> bool:
    """True for what `encode` keeps: data frames with or without places."""
    return type(value) in (pd.DataFrame, gpd.GeoDataFrame)


def encode(table: pd.DataFrame, part: Part) -> dict[str, Any]:
    """A table as parts; Unstorable for a column of a type that is not known."""
    return {
        "places": [part(table.active_geometry_name)] if isinstance(table, gpd.GeoDataFrame) else None,
        "index": _encode_index(table.index, part),
        "columns": _encode_index(table.columns, part),
        "values": [_encode_column(table.iloc[:, i], part) for i in range(table.shape[1])],
        "attrs": part(dict(table.attrs)),
    }


def decode(body: dict[str, Any], part: Part) -> pd.DataFrame:
    """The table that `encode` was given."""
    index = _decode_index(body["index"], part)
    columns = {i: _series(_decode_column(values, part), index) for i, values in enumerate(body["values"])}
    table = pd.DataFrame(columns, index=index)
    table.columns = _decode_index(body["columns"], part)
    if body["places"] is not None:
        (places,) = (part(p) for p in body["places"])
        table = gpd.GeoDataFrame(table) if places is None else gpd.GeoDataFrame(table, geometry=places)
    table.attrs = part(body["attrs"])
    return table


def _series(values: Any, index: pd.Index[Any]) -> pd.Series[Any]:
    found: pd.Series[Any] = pd.Series(values, index=index, dtype=values.dtype)  # without a dtype, pandas guesses one
    return found


def _encode_index(index: pd.Index[Any], part: Part) -> dict[str, Any]:
    if type(index) is pd.RangeIndex:
        return {"range": [index.start, index.stop, index.step], "name": part(index.name)}
    if isinstance(index, pd.MultiIndex):
        levels = [_encode_column(index.get_level_values(i), part) for i in range(index.nlevels)]
        return {"levels": levels, "name": part(list(index.names))}
    return {"values": _encode_column(index, part), "name": part(index.name)}


def _decode_index(body: dict[str, Any], part: Part) -> pd.Index[Any]:
    name = part(body["name"])
    if "range" in body:
        start, stop, step = body["range"]
        return pd.RangeIndex(start, stop, step, name=name)
    if "levels" in body:
        return pd.MultiIndex.from_arrays([_decode_column(level, part) for level in body["levels"]], names=name)
    values = _decode_column(body["values"], part)
    found: pd.Index[Any] = pd.Index(values, dtype=values.dtype, name=name)
    return found


def _encode_column(column: pd.Series[Any] | pd.Index[Any], part: Part) -> list[Any]:
    """The kind of a column with what rebuilds it."""
    kind: Any = column.dtype
    values: Any = column.array
    found: list[Any] | None = None
    if isinstance(kind, GeometryDtype):
        crs = None if values.crs is None else part(values.crs)
        found = ["geometry", crs, _encode_bytes(shapely.to_wkb(np.asarray(values), flavor="iso"), part)]
    elif isinstance(kind, pd.StringDtype):
        texts = [v.encode() if isinstance(v, str) else None for v in values]
        found = ["text", kind.storage, kind.na_value is pd.NA, _encode_bytes(texts, part)]
    elif isinstance(kind, pd.CategoricalDtype):
        labels = _encode_index(kind.categories, part)
        found = ["category", part(np.asarray(values.codes)), labels, bool(kind.ordered)]
    elif isinstance(kind, pd.DatetimeTZDtype):
        found = ["zoned", kind.unit, str(kind.tz), part(values.asi8)]
    elif isinstance(kind, np.dtype):
        objects = kind == np.dtype(object)
        found = ["objects", [part(v) for v in values]] if objects else ["numbers", part(column.to_numpy())]
    elif isinstance(values, _MASKED):
        found = ["masked", kind.name, part(values.to_numpy(kind.numpy_dtype, na_value=0)), part(np.asarray(values.isna()))]
    if found is None:
        raise Unstorable(f"a column of {kind} cannot be kept")
    return found


def _decode_column(body: list[Any], part: Part) -> Any:
    return _DECODERS[body[0]](part, *body[1:])


def _geometry(part: Part, crs: Any, shapes: Any) -> Any:
    geometry = shapely.from_wkb(np.array(_decode_bytes(shapes, part), object))
    return gpd.array.from_shapely(geometry, crs=None if crs is None else part(crs))


def _text(part: Part, storage: str, missing: bool, texts: Any) -> Any:
    words = [None if v is None else v.decode() for v in _decode_bytes(texts, part)]
    kind: Any = pd.StringDtype(storage, na_value=pd.NA if missing else np.nan)
    return pd.array(np.array(words, object), dtype=kind)


def _category(part: Part, codes: Any, labels: Any, ordered: bool) -> Any:
    return pd.Categorical.from_codes(part(codes), categories=_decode_index(labels, part), ordered=ordered)


def _zoned(part: Part, unit: str, zone: str, moments: Any) -> Any:
    return pd.DatetimeIndex(part(moments).astype(f"M8[{unit}]")).tz_localize("UTC").tz_convert(zone).array


def _objects(part: Part, values: list[Any]) -> Any:
    found = np.empty(len(values), object)
    for i, value in enumerate(values):
        found[i] = part(value)
    return found


def _masked(part: Part, name: str, values: Any, mask: Any) -> Any:
    kind: Any = name
    whole: Any = pd.array(part(values), dtype=kind)
    whole[part(mask)] = pd.NA
    return whole


_DECODERS: dict[str, Callable[..., Any]] = {
    "geometry": _geometry,
    "text": _text,
    "category": _category,
    "zoned": _zoned,
    "objects": _objects,
    "numbers": lambda part, values: part(values),
    "masked": _masked,
}


def _encode_bytes(items: Any, part: Part) -> list[Any]:
    """Texts or shapes as one array of bytes, with the length of each; -1 where there is none."""
    lengths = np.array([-1 if v is None else len(v) for v in items], np.int64)
    joined = b"".join(v for v in items if v is not None)
    return [part(lengths), part(np.frombuffer(joined, np.uint8))]


def _decode_bytes(body: list[Any], part: Part) -> list[bytes | None]:
    lengths, joined = part(body[0]), part(body[1]).tobytes()
    ends: NDArray[np.int64] = np.cumsum(np.maximum(lengths, 0))
    return [None if n < 0 else joined[end - n : end] for n, end in zip(lengths.tolist(), ends.tolist(), strict=True)]
