"""Coordinates as people write them: decimal degrees, degrees with minutes and seconds, and numbers on a map."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazardgeo.errors import InputError

Axis = Literal["longitude", "latitude"]
Floats = NDArray[np.float64]
_LETTERS = {
    **dict.fromkeys(("东经", "東経", "東經", "东", "東", "E"), "E"),
    **dict.fromkeys(("西经", "西経", "西經", "西", "W"), "W"),
    **dict.fromkeys(("北纬", "北緯", "北", "N"), "N"),
    **dict.fromkeys(("南纬", "南緯", "南", "S"), "S"),
}
_AXIS_OF = {"E": "longitude", "W": "longitude", "N": "latitude", "S": "latitude"}
_MARKS = str.maketrans(
    {
        **dict.fromkeys("º˚⁰度", "°"),
        **dict.fromkeys("′’‘´`‵分ʹ", "'"),
        **dict.fromkeys("″”“秒ʺ〃", '"'),
        "−": "-", "–": "-", "：": ":", "，": ",", "、": ",", "．": ".", "。": ".", "　": " ", "\u00a0": " ", "\u202f": " ",
    }
)  # fmt: skip
_LETTER = "|".join(sorted(_LETTERS, key=len, reverse=True))
_NUMBER = r"\d+(?:[.,]\d+)?"
_ANGLE = re.compile(
    rf"(?P<before>{_LETTER})?[\s:]*(?P<sign>[+-])?\s*(?P<d>{_NUMBER})\s*(?:°|DEG|D)?"
    rf"(?:(?:(?<=[°GD])\s*|\s*:\s*|\s+)(?P<m>{_NUMBER})\s*'?(?:(?:(?<=')\s*|\s*:\s*|\s+)(?P<s>{_NUMBER})\s*(?:\"|'')?)?)?"
    rf"\s*(?P<after>{_LETTER})?"
)
_BORDERS = (  # between two coordinates, the clearest first
    re.compile(r"\s*[;/|]\s*"),
    re.compile(r"\s*,\s*"),
    re.compile(rf"(?<=\S)\s*(?=(?:{_LETTER})[\s:]*\d)", re.IGNORECASE),
    re.compile(r"(?<=[EWNSewns])\s*(?=\d)"),
    re.compile(r"(?<=[°'\"])\s+(?=\d+(?:\.\d+)?°)"),
    re.compile(r"\s+"),
)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_SPACED = re.compile(r"[+-]?\d{1,3}(?: \d{3})+(?:[.,]\d+)?")
_DOTTED = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+,\d+")
_DOTTED_WHOLE = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+")
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d+,(?:\d{1,2}|\d{4,})|\d{4,},\d+|0+,\d+|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,})")
_DECIMAL_POINT = re.compile(r"[+-]?(?:\d+\.(?:\d{1,2}|\d{4,})|\d{4,}\.\d+|0+\.\d+|\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:,\d{3}){2,})")
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")

Mark = Literal[".", ",", ""]


def plain(text: str) -> str:
    """The text with full-width digits, letters and signs as plain ones, and without spaces around it."""
    if text.isascii() and "`" not in text:
        return text.strip()
    return unicodedata.normalize("NFKC", text.translate(_MARKS)).translate(_MARKS).strip()


def degrees(column: pd.Series[Any], axis: Axis, path: Path, where: Any) -> Floats:
    """The angles of a column in decimal degrees, NaN for empty cells and for what is no angle; spellings may be mixed.

    `where(i)` names row i. Raises InputError for minutes or seconds of 60 and more, for fractions above a smaller unit, for a
    sign beside a letter, and for letters of the other axis.
    """
    result = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, copy=True)
    for i in np.flatnonzero(np.isnan(result) & column.notna().to_numpy()):
        written = str(column.iloc[i])
        try:
            value, found = angle(written)
        except InputError as error:
            raise InputError(f"{path}: {where(i)} has {column.name} = {written.strip()!r}: {error}") from None
        if found is not None and found != axis:
            raise InputError(
                f"{path}: {where(i)} has {column.name} = {written.strip()!r}, which is a {found}; the columns of longitude and "
                "latitude are swapped: correct their names."
            )
        result[i] = value
    return result


def angle(written: str) -> tuple[float, Axis | None]:
    """One angle in decimal degrees, and the axis that its letter names; NaN for what is no angle.

    >>> angle("东经102°48′30″")
    (102.80833333333334, 'longitude')
    """
    match = _ANGLE.fullmatch(plain(written).upper())
    if match is None:
        return float("nan"), None
    parts = [float(text.replace(",", ".")) for text in match.group("d", "m", "s") if text is not None]
    letters = [_LETTERS[text] for text in match.group("before", "after") if text is not None]
    if len(letters) == 2 and letters[0] != letters[1]:
        raise InputError("it has two letters of direction that differ; correct it.")
    if letters and match["sign"] is not None:
        raise InputError("it has a sign and a letter of direction; leave one out.")
    for name, value in zip(("minutes", "seconds"), parts[1:], strict=False):
        if value >= 60:
            raise InputError(f"{name} of {value:g} are not below 60; correct it.")
    if any(value % 1 for value in parts[:-1]):
        raise InputError("only the smallest of degrees, minutes and seconds can have a fraction; correct it.")
    value = sum(part / 60**i for i, part in enumerate(parts))
    negative = match["sign"] == "-" or bool(letters and letters[0] in "WS")
    axis: Axis | None = None
    if letters:
        axis = "longitude" if _AXIS_OF[letters[0]] == "longitude" else "latitude"
    return -value if negative else value, axis


def pairs(column: pd.Series[Any], path: Path, where: Any) -> tuple[Floats, Floats]:
    """Longitude and latitude of a column that holds both, NaN where it does not.

    The order must be certain: by letters, or because one of the two is beyond 90 somewhere and the other nowhere. It is the
    same in all rows without letters. Raises InputError otherwise.
    """
    values = np.full((len(column), 2), np.nan)
    lettered = np.zeros(len(column), bool)
    for i in np.flatnonzero(column.notna().to_numpy()):
        written = str(column.iloc[i])
        try:
            found = _both(plain(written))
        except InputError as error:
            raise InputError(f"{path}: {where(i)} has {column.name} = {written.strip()!r}: {error}") from None
        axes = [axis for _, axis in found]
        if len(found) != 2 or (axes[0] is not None and axes[0] == axes[1]):
            continue
        lettered[i] = any(axes)
        turned = axes[0] == "latitude" or axes[1] == "longitude"
        values[i] = [value for value, _ in (reversed(found) if turned else found)]
    unclear = ~lettered & ~np.isnan(values).any(axis=1)
    beyond = (np.abs(values[unclear]) > 90).any(axis=0)
    if unclear.any() and beyond[0] == beyond[1]:
        raise InputError(
            f"{path}: column {column.name!r} holds two numbers a cell, and nothing says which is the longitude; write them in "
            "two columns, longitude and latitude."
        )
    if unclear.any() and beyond[1]:
        values[unclear] = values[unclear][:, ::-1]
    return values[:, 0], values[:, 1]


def _both(text: str) -> list[tuple[float, Axis | None]]:
    """The two angles in one text, none where it does not hold two. Raises InputError where each way to read it is wrong."""
    text = text.strip("()[]{} ")
    reason: InputError | None = None
    for border in _BORDERS:
        parts = [part for part in border.split(text) if part]
        try:
            found = [angle(part) for part in parts] if len(parts) == 2 else []
        except InputError as error:
            reason = reason or error
            continue
        if found and not any(np.isnan(value) for value, _ in found):
            return found
    if reason is not None:
        raise reason
    return []


def written_together(values: Floats, axis: Axis) -> bool:
    """True where all values read as degrees, minutes and seconds without marks between, such as 1024830.5.

    >>> written_together(np.array([1024830.5, 1035959.0]), "longitude")
    True
    """
    known = np.abs(values[np.isfinite(values)])
    limit = 1_800_000 if axis == "longitude" else 900_000
    small = (known % 100 < 60) & (known // 100 % 100 < 60)
    return bool(known.size and (small & (known <= limit) & (known >= 10_000)).all())


def numbers(column: pd.Series[Any], *, decimal_comma: bool) -> pd.Series[float]:
    """The numbers of a column of text, NaN where a cell holds none.

    Takes full-width digits, and thousands separated by commas, spaces or (where a comma follows) dots. A comma between
    digits is a decimal comma where `decimal_comma` says so (points then separate thousands where they can), and otherwise
    separates thousands, or makes the cell no number.
    """
    result = pd.to_numeric(column, errors="coerce").astype(float)
    odd = result.isna() & column.notna()
    if decimal_comma:
        odd |= column.map(lambda v: isinstance(v, str) and _DOTTED_WHOLE.fullmatch(plain(v)) is not None).astype(bool)
    if odd.any():
        read = [_number(plain(str(text)), decimal_comma) for text in column[odd]]
        result[odd] = pd.to_numeric(pd.Series(read, index=result.index[odd], dtype=object), errors="coerce").astype(float)
    return result


def _number(text: str, decimal_comma: bool) -> str:
    if _SPACED.fullmatch(text):
        text = text.replace(" ", "")
    if _DOTTED.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    if decimal_comma:
        return text.replace(".", "") if _DOTTED_WHOLE.fullmatch(text) else text.replace(",", ".")
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text


def decimal_mark(columns: list[pd.Series[Any]], *, degrees: bool, together: bool) -> Mark:
    """The decimal sign in columns of coordinates, empty where they do not tell; a point anywhere decides.

    In degrees each mark between digits is decimal, except a single comma between two coordinates of one cell (`together`).
    """
    texts = [plain(v) for column in columns for v in column.to_numpy(object) if isinstance(v, str)]
    if not degrees:
        return _clear_mark(texts)
    if any(re.search(r"\d\.\d", text) for text in texts):
        return "."
    return "," if any(len(re.findall(r"\d,\d", text)) > int(together) for text in texts) else ""


def own_mark(cells: list[str], mark: Mark) -> Mark | None:
    """The decimal sign of a column of numbers where that of the coordinates is `mark`.

    Empty where 1,234 or 1.234 can be both and nothing tells; None where they can and the column contradicts `mark`.
    """
    texts = [plain(cell).replace(" ", "") for cell in cells]
    own = _clear_mark(texts)
    if not any(_EITHER.fullmatch(text) for text in texts):
        return own or mark or ","
    if own and mark and own != mark:
        return None
    return mark or own


def _clear_mark(texts: list[str]) -> Mark:
    if any(_DECIMAL_POINT.fullmatch(text) for text in texts):
        return "."
    return "," if any(_DECIMAL_COMMA.fullmatch(text) for text in texts) else ""
