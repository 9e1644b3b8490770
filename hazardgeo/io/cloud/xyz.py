"""Text clouds with a declared layout, and the numbers of lines of text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import FormatError, InputError
from hazardgeo.io import files
from hazardgeo.io.cloud.points import COLOURS, Bounds, Columns, Wanted, named, part_of, read_columns

SUFFIXES = (".xyz", ".txt", ".asc", ".csv")
_AXES = ("x", "y", "z")
_LEFT_OUT = "_"
_COMMENTS = ("#", "//", "%")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+$")
_DECIMAL_COMMAS = "has decimal commas; say decimal=',' where the columns are parted by another sign, or write decimal points"
_EIGHT_BITS = {f"{c}8": c for c in COLOURS}
_BATCH_LINES = 100_000
_Numbered = Callable[[], Iterator[tuple[int, str]]]
Decimal = Literal[".", ","]


@dataclass(frozen=True, slots=True)
class Format:
    """How the numbers of a line are parted (None: white space) and written."""

    delimiter: str | None = None
    decimal: Decimal = "."

    def words(self, line: str) -> list[str]:
        """The values of a line as texts, with decimal points."""
        return [self._pointed(w.strip()) for w in line.split(self.delimiter)]

    def pointed(self, line: str) -> str:
        """The line with decimal points."""
        return line.replace(",", ".") if self.decimal == "," and self.delimiter != "," else line

    def _pointed(self, word: str) -> str:
        return word.replace(",", ".") if self.decimal == "," and self.delimiter != "," else word


def read_xyz(
    path: str | Path,
    *,
    layout: str,
    crs: Any,
    height: Height | None = None,
    decimal: Decimal = ".",
    bounds: Bounds | None = None,
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> PointCloud:
    """The points of a text file (XYZ, TXT, PTS, CSV) whose columns `layout` names, such as "x y z red8 green8 blue8".

    x, y and z must be among the names; "_" stands for a column that is not read. Numbers are parted by white space, commas or
    semicolons; `decimal` is the sign before the fraction. Empty lines, lines that begin with "#", "//" or "%", and lines
    without any number before the first point are skipped; a line of names there must not contradict the order of `layout`. A
    first line with nothing but a number, as in PTS, is the number of the points that must follow. Heights are taken as metres.
    Points without finite coordinates, or with a usual fill value (-9999 ...) as height, are left out with a HazardGeoWarning;
    another says where the last line has no end.

    Colours are as stored; red8, green8 and blue8 declare colours of 8 bits, which become red, green and blue of 16 bits as in
    LAS. Colours, intensity, classification and return numbers become integers where all their values are whole, the other
    columns stay float64. `bounds` (west, south, east, north) and `offset` (added to the coordinates first) are as in
    `read_cloud`. Lines are read in batches, so memory follows the result.

    Raises FormatError with the number of the line for rows of another length, for what is no number and for decimal commas
    that are not declared, CrsError where `crs` is None, InputError for layouts that make no sense and where no point passes.
    """
    wanted = Wanted(bounds, None, offset)
    names = _names(layout)
    if decimal not in (".", ","):
        raise InputError(f"decimal={decimal!r} must be '.' or ','.")
    source = files.existing(path)
    return read_columns(_columns(source, names, decimal), source, wanted, crs, height)


def glance(path: Path) -> Columns:
    """What the first lines of a text cloud say: its columns, and about how many points its length makes room for."""
    lines = _lines(path)
    heading: list[str] = []
    used: list[str] = []
    for _, line in islice(lines(), 200):
        words = line.replace(";", " ").replace(",", " ").split() if _delimiter(line, 0) != "," else line.split(",")
        if any(_is_number(w) for w in words):
            used.append(line)
        elif not used:
            heading = [w.strip().strip("\"'") for w in words]
    if not used:
        raise FormatError(f"{path} has no points; export it again.")
    count, rows = (int(used[0]), used[1:]) if _is_count(used[0]) and len(used) > 1 else (None, used)
    mean = sum(len(line.encode()) for line in rows) / len(rows)
    parted = Format(_delimiter(rows[0], 0))
    notes = ["it states neither layout nor CRS; read it with read_xyz(path, layout='x y z ...', crs='EPSG:...')"]
    if heading:
        notes.append(f"its heading says {' '.join(heading)[:100]!r}")
    if count is None:
        notes.append("the number of points is estimated from the length of its first lines")
    width = len(parted.words(rows[0]))
    estimate = max(1, round(path.stat().st_size / mean)) if count is None else count
    return Columns("text", "", estimate, tuple(f"column {i + 1}" for i in range(width)), lambda: iter(()), notes=tuple(notes))


def _names(layout: str) -> list[str]:
    names = layout.replace(",", " ").split()
    read = [_EIGHT_BITS.get(n, n) for n in names if n != _LEFT_OUT]
    if not set(_AXES) <= set(read) or len(set(read)) < len(read):
        raise InputError(f"layout={layout!r} must name x, y and z and no column twice, for example 'x y z red8 green8 blue8'.")
    return names


def _lines(path: Path) -> _Numbered:
    def lines() -> Iterator[tuple[int, str]]:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip() and not line.lstrip().startswith(_COMMENTS):
                    yield number, line

    return lines


def _columns(path: Path, names: list[str], decimal: Decimal) -> Columns:
    lines = _lines(path)
    parted, headings, count = _beginning(lines, names, decimal, path)

    def points() -> Iterator[tuple[int, str]]:
        return islice(lines(), headings, None)

    ours = named([_EIGHT_BITS.get(n, n) for n in names if n != _LEFT_OUT], path)

    def parts() -> Iterator[Any]:
        seen = 0
        for table in rows_of(points, len(names), path, parted):
            seen += len(table)
            found = {_EIGHT_BITS.get(n, n): table[:, i] for i, n in enumerate(names) if n != _LEFT_OUT}
            for i, name in enumerate(names):
                if name in _EIGHT_BITS:
                    found[_EIGHT_BITS[name]] = as_declared(table[:, i], np.dtype(np.uint8), name, path)
            yield part_of(found, ours)
        if count is not None and seen != count:
            raise FormatError(f"{path} says that it has {count:,} points, but holds {seen:,}; it is cut, or copy it again.")

    return Columns("text", "", count or 0, tuple(ours), parts)


def _beginning(lines: _Numbered, names: list[str], decimal: Decimal, path: Path) -> tuple[Format, int, int | None]:
    """How the lines are written, how many of them come before the points, and the number of points where one of them says it."""
    headings = 0
    count = None
    parted = Format(None, decimal)
    for number, line in lines():
        parted = replace(parted, delimiter=_delimiter(line, len(names), decimal))
        words = [w.strip("\"'").lower() for w in parted.words(line)]
        if count is None and len(names) > 1 and _is_count(line):
            count = int(line)
        elif any(_is_number(w) or _DECIMAL_COMMA.match(w) for w in words):
            break
        wanted = [n.lower() for n in names]
        if sorted(words) == sorted(wanted) and words != wanted:
            raise FormatError(f"{path} line {number} names its columns {' '.join(words)!r}; give layout= in that order.")
        headings += 1
    return parted, headings, count


def _is_count(line: str) -> bool:
    word = line.strip()
    return word.isascii() and word.isdigit() and len(word) < 13


def _delimiter(line: str, width: int, decimal: Decimal = ".") -> str | None:
    """The sign between the numbers of a line; None for white space."""
    if ";" in line:
        return ";"
    if decimal == "," and len(line.split()) > 1:
        return None
    return "," if "," in line and len(line.split()) != width else _comma_if_trailing(line)


def _comma_if_trailing(line: str) -> str | None:
    """The comma, where it ends all words but the last ("1, 2, 3")."""
    words = line.split()
    return "," if len(words) > 1 and all(w.endswith(",") for w in words[:-1]) else None


def rows_of(numbered: _Numbered, width: int, path: Path, parted: Format = Format()) -> Iterator[NDArray[np.float64]]:
    """The numbers of the lines that `numbered()` gives with their line numbers, as arrays of `width` columns, in batches.

    FormatError names the first line that is not `width` numbers.
    """
    lines = numbered()
    none = True
    while batch := list(islice(lines, _BATCH_LINES)):
        none = False
        try:
            texts = [parted.pointed(line) for _, line in batch]
            table = np.loadtxt(texts, np.float64, comments=None, delimiter=parted.delimiter, ndmin=2)
            reason = "" if table.shape[1] == width else f"its rows have {table.shape[1]} values where {width} are declared"
        except ValueError as error:
            reason = files.one_line(error)
        if reason:
            raise FormatError(_first_fault(batch, width, path, parted) or f"{path} cannot be read as numbers: {reason}.")
        yield table
    if none:
        raise FormatError(f"{path} has no points; export it again.")


def _first_fault(batch: list[tuple[int, str]], width: int, path: Path, parted: Format) -> str | None:
    for number, line in batch:
        words = parted.words(line)
        halves = parted.delimiter == "," and len(words) == 2 * width and "." not in line
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
    """Numbers from text as the type that is declared; FormatError where an integer type does not hold them."""
    if kind.kind == "f":
        return values.astype(kind)
    limits = np.iinfo(kind)
    whole = np.isfinite(values).all() and (values == np.floor(values)).all()
    if not whole or values.min() < limits.min or values.max() > limits.max:
        raise FormatError(f"{path} declares {name!r} as {kind.name}, but it holds other values; export it again.")
    return values.astype(kind)
