"""Points as plain columns of numbers: text clouds with a declared layout, and the way from columns to a cloud."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import FormatError, HazardGeoWarning, InputError
from hazardgeo.io import files
from hazardgeo.io.reference import agreed_crs

_AXES = ("x", "y", "z")
_COARSE_BEYOND = 1e5  # float32 is coarser than 1/128 from here on
_LEFT_OUT = "_"
_COMMENTS = ("#", "//", "%")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+$")
_DECIMAL_COMMAS = "has decimal commas; write the numbers with decimal points"
_SAME = {
    "diffuse_red": "red", "diffuse_green": "green", "diffuse_blue": "blue",
    "normal_x": "nx", "normal_y": "ny", "normal_z": "nz",
    "scalar_intensity": "intensity", "scalar_classification": "classification",
}  # fmt: skip
_WHOLE: dict[str, np.dtype[Any]] = {
    **dict.fromkeys(("intensity", "red", "green", "blue", "nir"), np.dtype(np.uint16)),
    **dict.fromkeys(("classification", "return_number", "number_of_returns"), np.dtype(np.uint8)),
}
_Numbered = Callable[[], Iterator[tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class Columns:
    """Coordinates (n, 3) and attributes as a file holds them; `single` where it keeps a coordinate as float32."""

    xyz: NDArray[np.float64]
    attributes: dict[str, NDArray[Any]]
    single: bool = False


def read_xyz(path: str | Path, *, layout: str, crs: Any, height: Height | None = None) -> PointCloud:
    """The points of a text file (XYZ, TXT, CSV) whose columns `layout` names, such as "x y z red green blue".

    x, y and z must be among the names; "_" stands for a column that is not read. Numbers are parted by white space,
    commas or semicolons. Empty lines, lines that begin with "#", "//" or "%", and lines without any number before the first
    point are skipped; a line of names there must not contradict the order of `layout`. Heights are taken as metres. Points
    without finite coordinates are left out with a HazardGeoWarning. Colours, intensity, classification and return numbers
    become integers where all their values are whole, the other columns stay float64.

    Raises FormatError with the number of the line for rows of another length, for what is no number and for decimal
    commas, CrsError where `crs` is None, InputError for layouts that make no sense.
    """
    names = _names(layout)
    source = files.existing(path)
    agreed = agreed_crs(None, crs, source)
    table = _table(source, names)
    columns = {n: table[:, i] for i, n in enumerate(names) if n != _LEFT_OUT}
    return cloud_of(from_named(columns, source), source, agreed, height)


def _names(layout: str) -> list[str]:
    names = layout.replace(",", " ").split()
    read = [n for n in names if n != _LEFT_OUT]
    if not set(_AXES) <= set(read) or len(set(read)) < len(read):
        raise InputError(f"layout={layout!r} must name x, y and z and no column twice, for example 'x y z red green blue'.")
    return names


def _table(path: Path, names: list[str]) -> NDArray[np.float64]:
    def lines() -> Iterator[tuple[int, str]]:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip() and not line.lstrip().startswith(_COMMENTS):
                    yield number, line

    headings = 0
    delimiter: str | None = None
    for number, line in lines():
        delimiter = _delimiter(line, len(names))
        words = [w.strip().strip("\"'").lower() for w in line.split(delimiter)]
        if any(_is_number(w) or _DECIMAL_COMMA.match(w) for w in words):
            break
        wanted = [n.lower() for n in names]
        if sorted(words) == sorted(wanted) and words != wanted:
            raise FormatError(f"{path} line {number} names its columns {' '.join(words)!r}; give layout= in that order.")
        headings += 1

    def points() -> Iterator[tuple[int, str]]:
        remaining = lines()
        for _ in range(headings):
            next(remaining, None)
        return remaining

    return rows_of(points, len(names), path, delimiter)


def _delimiter(line: str, width: int) -> str | None:
    """The sign between the numbers of a line; None for white space."""
    if ";" in line:
        return ";"
    return "," if "," in line and len(line.split()) != width else _comma_if_trailing(line)


def _comma_if_trailing(line: str) -> str | None:
    """The comma, where it ends all words but the last ("1, 2, 3")."""
    words = line.split()
    return "," if len(words) > 1 and all(w.endswith(",") for w in words[:-1]) else None


def rows_of(numbered: _Numbered, width: int, path: Path, delimiter: str | None = None) -> NDArray[np.float64]:
    """The numbers of the lines that `numbered()` gives with their line numbers, as an array of `width` columns.

    FormatError names the first line that is not `width` numbers.
    """
    if next(numbered(), None) is None:
        raise FormatError(f"{path} has no points; export it again.")
    try:
        table = np.loadtxt((line for _, line in numbered()), np.float64, comments=None, delimiter=delimiter, ndmin=2)
    except ValueError as error:
        reason = files.one_line(error)
    else:
        if table.shape[1] == width:
            return table
        reason = f"its rows have {table.shape[1]} values where {width} are declared"
    raise FormatError(_first_fault(numbered, width, path, delimiter) or f"{path} cannot be read as numbers: {reason}.")


def _first_fault(numbered: _Numbered, width: int, path: Path, delimiter: str | None) -> str | None:
    for number, line in numbered():
        words = [w.strip() for w in line.split(delimiter)]
        halves = delimiter == "," and len(words) == 2 * width and "." not in line
        if halves or any(_DECIMAL_COMMA.match(w) for w in words):
            return f"{path} line {number} {_DECIMAL_COMMAS}."
        if len(words) != width:
            return f"{path} line {number} has {len(words)} values where {width} are declared; it is cut or of another layout."
        wrong = next((w for w in words if not _is_number(w)), None)
        if wrong is not None:
            return f"{path} line {number} has {wrong[:40]!r} where a number is expected; correct or remove the line."
    return None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word


def as_declared(values: NDArray[np.float64], kind: np.dtype[Any], name: str, path: Path) -> NDArray[Any]:
    """Numbers from text as the type that the file declares; FormatError where an integer type does not hold them."""
    if kind.kind == "f":
        return values.astype(kind)
    limits = np.iinfo(kind)
    whole = np.isfinite(values).all() and (values == np.floor(values)).all()
    if not whole or values.min() < limits.min or values.max() > limits.max:
        raise FormatError(f"{path} declares {name!r} as {kind.name}, but it holds other values; export it again.")
    return values.astype(kind)


def from_named(columns: dict[str, NDArray[Any]], path: Path, *, single: bool = False) -> Columns:
    """Columns of a file by their own names, with the names that attributes of a cloud have where the meaning is the same."""
    missing = [axis for axis in _AXES if axis not in columns]
    if missing:
        raise FormatError(f"{path} has no column {' and '.join(missing)} for its points; it has {', '.join(columns) or 'none'}.")
    attributes: dict[str, NDArray[Any]] = {}
    for name, values in columns.items():
        if name not in _AXES:
            ours = _SAME.get(name.lower(), name)
            attributes[name if ours in columns else ours] = _whole(ours, values)
    xyz = np.column_stack([np.asarray(columns[axis], np.float64) for axis in _AXES])
    return Columns(xyz, attributes, single)


def _whole(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Integers where LAS has integers and all values are whole; a copy of the values otherwise."""
    kind = _WHOLE.get(name)
    if kind is not None and values.dtype.kind == "f" and np.isfinite(values).all():
        limits = np.iinfo(kind)
        if (values == np.floor(values)).all() and values.min() >= limits.min and values.max() <= limits.max:
            return values.astype(kind)
    return np.array(values, dtype=values.dtype.newbyteorder("="))


def cloud_of(columns: Columns, path: Path, crs: pyproj.CRS, height: Height | None) -> PointCloud:
    """The cloud of the points with finite coordinates, with one HazardGeoWarning of what the file has lost."""
    finite = np.asarray(np.isfinite(columns.xyz).all(axis=1))
    if not finite.any():
        raise FormatError(f"{path} has no point with finite coordinates; export it again.")
    cloud = PointCloud(columns.xyz, crs, columns.attributes, height or Height())
    odd = []
    if not finite.all():
        cloud = cloud.select(finite)
        odd.append(f"{np.count_nonzero(~finite):,} of {len(finite):,} points have no coordinates and are left out")
    largest = float(np.abs(cloud.xyz).max())
    if columns.single and largest > _COARSE_BEYOND:
        odd.append(
            f"its coordinates reach {largest:.0f} and are kept as float32, which is rounded to {_spacing(largest):g} m there; "
            "export it in double precision or with a shift of the origin"
        )
    if odd:
        warnings.warn(f"{path}: {'; '.join(odd)}.", HazardGeoWarning, stacklevel=3)
    return cloud


def _spacing(largest: float) -> float:
    """The distance between neighbouring float32 numbers at `largest`."""
    return float(np.spacing(np.float32(min(largest, float(np.finfo(np.float32).max)))))
