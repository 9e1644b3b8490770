"""Values as words for a reader, and data as text that cannot end the element it stands in."""

from __future__ import annotations

import datetime
import json
import math
import re
from typing import Any

import numpy as np
import pandas as pd

from hazardgeo.errors import InputError

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")
_ESCAPES = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def number(value: float) -> str:
    """A number as short as it can be without misleading: six significant digits, no exponent in the usual range."""
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    if value == round(value) and abs(value) < 1e15:
        return str(int(value))
    if abs(value) >= 1e6:
        return f"{value:.0f}"
    return f"{value:.6g}" if abs(value) >= 1e-4 else f"{value:.2e}"


def shown(value: Any) -> str:
    """The words in which a popup shows an attribute; a missing value reads "unknown".

    >>> [shown(v) for v in (None, float("nan"), float("inf"), True, 3, 2.5)]
    ['unknown', 'unknown', 'infinite', 'yes', '3', '2.5']
    """
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return "unknown"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return number(float(value))
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    return str(value)


def json_block(data: Any) -> str:
    """`data` as JSON for a data element of a page: no `<`, `>` or `&` is left, and lone surrogates become "?"."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPES).encode("utf-8", "replace").decode("utf-8")


def require_colour(colour: str, what: str) -> None:
    """Raise InputError unless `colour` is written "#rrggbb"."""
    if not _COLOUR.match(str(colour)):
        raise InputError(f"the colour {str(colour)[:40]!r} of {what} is not of the form '#rrggbb'; write it so.")
