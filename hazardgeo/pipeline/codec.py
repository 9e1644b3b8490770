"""Products of stages as plain data: JSON with numbers and texts, and arrays of bytes beside it.

What is read back can never run code: nouns come from a fixed list, arrays hold numbers only. A value that would not come
back exactly as it was raises Unstorable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyproj
from affine import Affine
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.event import Earthquake, Shaking
from hazardgeo.grid import Grid
from hazardgeo.hazard import Displacement, Probability
from hazardgeo.levels import Levels
from hazardgeo.network import RoadNetwork
from hazardgeo.pipeline import codec_table
from hazardgeo.pipeline.codec_table import Unstorable
from hazardgeo.raster import ClassLabel, Raster
from hazardgeo.shelter import Coverage

Keep = Callable[[bytes, int], str]  # bytes of an array and the size of an item; returns the name to fetch them by
Fetch = Callable[[str, int, int], bytes]  # name, number of bytes, size of an item

NOUNS: dict[str, type] = {
    noun.__name__: noun
    for noun in (
        *(Raster, Grid, Height, ClassLabel, Levels, PointCloud),
        *(Earthquake, Shaking, Displacement, Probability, RoadNetwork, Coverage),
    )
}
_PLAIN = (type(None), bool, int, float, str)
_NUMBERS = "biufMm"
_MISSING: dict[str, Any] = {"NA": pd.NA, "NaT": pd.NaT}


def encode(value: Any, keep: Keep) -> Any:
    """`value` as JSON; each array is handed to `keep` as bytes. Raises Unstorable for what is not known exactly."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        return [encode(v, keep) for v in value]
    tag, body = _encode_parts(value, keep)
    return {tag: body}


def _encode_parts(value: Any, keep: Keep) -> tuple[str, Any]:
    """The tag of a value that has parts, and its parts."""
    kind = type(value)
    if kind is tuple:
        return "tuple", [encode(v, keep) for v in value]
    if kind is dict:
        return "dict", [[encode(k, keep), encode(v, keep)] for k, v in value.items()]
    if kind is np.ndarray and value.dtype.kind in _NUMBERS:
        data = np.asarray(value, order="C")
        return "array", [data.dtype.str, list(data.shape), keep(data.tobytes(), data.dtype.itemsize)]
    if NOUNS.get(kind.__name__) is kind:
        return "noun", [kind.__name__, {f.name: encode(getattr(value, f.name), keep) for f in fields(kind)}]
    if codec_table.is_table(value):
        return "table", codec_table.encode(value, lambda part: encode(part, keep))
    return _encode_small(value)


def _encode_small(value: Any) -> tuple[str, Any]:
    """The tag and the text of references, times and single numbers of numpy."""
    found: tuple[str, Any] | None = None
    if isinstance(value, pyproj.CRS):
        found = "crs", _crs_text(value)
    elif type(value) is Affine:
        found = "affine", list(value[:6])
    elif type(value) is datetime and value.tzinfo in (None, UTC):
        found = "time", value.isoformat()
    elif type(value) is date:
        found = "date", value.isoformat()
    elif isinstance(value, np.generic) and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
        found = "number", [value.dtype.str, value.item()]
    for name, missing in _MISSING.items():
        if value is missing:
            found = "missing", name
    if found is None:
        raise Unstorable(f"a {type(value).__name__} cannot be kept")
    return found


def decode(data: Any, fetch: Fetch) -> Any:
    """The value that `encode` was given. Raises ValueError, KeyError or TypeError for anything else."""
    if isinstance(data, list):
        return [decode(v, fetch) for v in data]
    if not isinstance(data, dict):
        return data
    ((tag, body),) = data.items()
    return _DECODERS[tag](body, fetch)


def _tuple(body: list[Any], fetch: Fetch) -> tuple[Any, ...]:
    return tuple(decode(v, fetch) for v in body)


def _dict(body: list[Any], fetch: Fetch) -> dict[Any, Any]:
    return {decode(k, fetch): decode(v, fetch) for k, v in body}


def _noun(body: list[Any], fetch: Fetch) -> Any:
    name, parts = body
    return NOUNS[name](**{k: decode(v, fetch) for k, v in parts.items()})


def _array(body: list[Any], fetch: Fetch) -> NDArray[Any]:
    dtype, shape, name = body
    kind = np.dtype(dtype)
    if kind.kind not in _NUMBERS:
        raise ValueError(f"an array of {dtype!r} is not stored.")
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(bytearray(fetch(name, count * kind.itemsize, kind.itemsize)), kind).reshape(shape)


def _crs_text(crs: pyproj.CRS) -> str:
    """The text from which pyproj makes the same CRS again."""
    for text in (crs.srs, crs.to_wkt()):
        if pyproj.CRS.from_user_input(text) == crs:
            return str(text)
    raise Unstorable(f"the CRS {crs.name!r} does not come back from its own text")


_DECODERS: dict[str, Callable[[Any, Fetch], Any]] = {
    "tuple": _tuple,
    "dict": _dict,
    "noun": _noun,
    "array": _array,
    "table": lambda body, fetch: codec_table.decode(body, lambda part: decode(part, fetch)),
    "crs": lambda body, _: pyproj.CRS.from_user_input(body),
    "affine": lambda body, _: Affine(*body),
    "time": lambda body, _: datetime.fromisoformat(body),
    "date": lambda body, _: date.fromisoformat(body),
    "missing": lambda body, _: _MISSING[body],
    "number": lambda body, _: np.dtype(body[0]).type(body[1]),
}
