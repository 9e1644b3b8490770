"""Workbooks: the cells of .xlsx and .xlsm sheets, and of .ods, as text."""

from __future__ import annotations

import datetime as dt
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import pandas as pd
import pyogrio
from pyogrio import errors as ogr

from hazardgeo.errors import FormatError, HazardGeoWarning, InputError
from hazardgeo.io import archive, files
from hazardgeo.io.vector import headings
from hazardgeo.io.vector.places import Cells
from hazardgeo.io.xml_guard import require_harmless

SUFFIXES = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_LARGEST_BYTES = 256_000_000
_MOST_CELLS = 5_000_000
_LARGEST_MERGED = 2_000
_FORMULA_WITHOUT_VALUE = re.compile(
    rb'<c r="([A-Z]+\d+)"(?![^>]{0,200}t="str")[^>]{0,200}><f[^>]{0,300}?(?:/>|>[^<]{0,60000}</f>)(?:<v ?/>|<v></v>)?</c>'
)
_HIDDEN_ROW = re.compile(rb'<row [^>]{0,400}?hidden="(?:1|true)"')
_MERGED = re.compile(rb'<mergeCell ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')
_CHUNK = 1 << 20
_DAMAGE = (  # what openpyxl and zipfile raise on damaged files
    zipfile.BadZipFile, zlib.error, ParseError, struct.error, OSError, EOFError, RuntimeError, LookupError, ValueError, TypeError,
    AttributeError, ArithmeticError, MemoryError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """One sheet: its rows (each with the number that the spreadsheet shows), and what is odd about it.

    Cells are text, numbers as text, truth values and times; an empty one is None. `merged` holds the cells that a merged
    range covers, with the row and column of the one that has the value, counted from 0.
    """

    name: str
    hidden: bool
    rows: list[tuple[Any, ...]]
    merged: dict[tuple[int, int], tuple[int, int]]
    hidden_rows: int
    formula: str | None

    def require_calculated(self, path: Path) -> None:
        """Raise FormatError where a formula has no stored value."""
        if self.formula is not None:
            raise FormatError(
                f"{path}: cell {self.formula} of sheet {self.name!r} is a formula without a stored value, so its number is not "
                "known; open the file in a spreadsheet program, let it calculate, and save it."
            )


def read_cells(place: Path, path: Path, layer: str | None) -> Cells:
    """The cells of one sheet below the row of its headings: the sheet `layer`, else the only one with columns of places.

    Titles, notes and empty rows can stand above the headings, and merged headings spread over two rows. Hidden rows are
    kept, and said. Raises InputError for a sheet that is not there or must be chosen, FormatError for formulas without a
    stored value and for what `sheets` refuses.
    """
    sheet = _chosen(sheets(place), layer, path)
    top = headings.row_of(sheet.rows)
    if top is None:
        widest = max(sheet.rows, key=lambda row: sum(v is not None for v in row), default=())
        headings.require([str(v) for v in widest if v is not None] or ["no cells"], path)
        raise InputError(f"{path}: sheet {sheet.name!r} has no row of headings; check it.")
    sheet.require_calculated(path)
    if sheet.hidden_rows:
        message = f"{path}: {sheet.hidden_rows} rows of sheet {sheet.name!r} are hidden, and are read like all others."
        warnings.warn(message, HazardGeoWarning, stacklevel=4)
    names = _names(sheet, top)
    below = [(i, row) for i, row in enumerate(sheet.rows) if i > top and row]
    if not below:
        raise FormatError(f"{path}: sheet {sheet.name!r} has no rows below its headings; check the file.")
    width = max(len(names), *(len(row) for _, row in below))
    names += [f"column {_letters(c)}" for c in range(len(names), width)]
    table = pd.DataFrame([[*row, *[None] * (width - len(row))] for _, row in below], columns=names, dtype=object)
    numbers = [i + 1 for i, _ in below]
    return Cells(table, lambda i: f"row {numbers[i]} of sheet {sheet.name!r}", title=sheet.name)


def _chosen(found: list[Sheet], layer: str | None, path: Path) -> Sheet:
    """The named sheet, else the only one that is shown and has columns of places."""
    if layer is not None:
        named = next((sheet for sheet in found if sheet.name == layer), None)
        if named is None:
            raise InputError(f"{path} has no sheet {layer!r}; it has {', '.join(sheet.name for sheet in found)}.")
        return named
    shown = [sheet for sheet in found if not sheet.hidden] or found
    if not shown:
        raise FormatError(f"{path} has no sheets with cells; check the file.")
    with_places = [sheet for sheet in shown if headings.row_of(sheet.rows) is not None]
    if len(with_places) > 1:
        names = ", ".join(sheet.name for sheet in with_places)
        raise InputError(f"{path} has several sheets with places; choose one with layer=: {names}.")
    return with_places[0] if with_places else max(shown, key=lambda sheet: len(sheet.rows))


def _names(sheet: Sheet, top: int) -> list[str]:
    """The names of the columns: where merged headings spread over rows, that of the cell above; each once."""
    names: list[str] = []
    width = max(len(row) for row in sheet.rows[max(top - 1, 0) : top + 1])
    for c in range(width):
        own, group = _cell(sheet, top, c), _cell(sheet, *sheet.merged.get((top, c), (top, c)))
        above = _cell(sheet, *sheet.merged.get((top - 1, c), (top - 1, c))) if top else None
        name = str(own or group or "").strip() or f"column {_letters(c)}"
        if name in names and above is not None and (top - 1, c) in sheet.merged:
            name = f"{str(above).strip()} {name}"
        names.append(name if name not in names else f"{name} ({_letters(c)})")
    return names


def _cell(sheet: Sheet, row: int, column: int) -> Any:
    return sheet.rows[row][column] if row < len(sheet.rows) and column < len(sheet.rows[row]) else None


def _letters(column: int) -> str:
    letters = ""
    while column >= 0:
        letters, column = chr(65 + column % 26) + letters, column // 26 - 1
    return letters


def sheets(path: Path) -> list[Sheet]:
    """All sheets of a workbook. Raises FormatError for old, protected, damaged or far too large files."""
    with path.open("rb") as stream:
        head = stream.read(8)
        if head == _OLE:
            protected = _ENCRYPTED in stream.read()
            reason = "is protected by a password; save it without one" if protected else "is an old workbook; save it as .xlsx"
            raise FormatError(f"{path} {reason}.")
    if not head.startswith(b"PK"):
        if path.suffix.lower() == ".xls":
            raise FormatError(f"{path} is no workbook but text under the name of one; name it .csv, or save it as .xlsx.")
        raise FormatError(f"{path} is damaged or no workbook; open it in a spreadsheet program and save it as .xlsx.")
    names = [entry.filename for entry in archive.entries(path, largest_bytes=_LARGEST_BYTES)]
    if "content.xml" in names:
        return _open_document(path)
    if "xl/workbook.bin" in names:
        raise FormatError(f"{path} is a binary workbook (.xlsb); save it as .xlsx.")
    return _workbook(path, [name for name in names if name.endswith((".xml", ".rels"))])


def _workbook(path: Path, parts: list[str]) -> list[Sheet]:
    import openpyxl

    try:
        with warnings.catch_warnings(), zipfile.ZipFile(path) as opened, path.open("rb") as stream:
            warnings.simplefilter("ignore")  # openpyxl's, of styles and extensions that hold no data
            for name in parts:
                with opened.open(name) as part:
                    require_harmless(iter(partial(part.read, _CHUNK), b""), path)
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
            try:
                return [_sheet(page, opened, path) for page in book.worksheets]
            finally:
                book.close()
    except FormatError:
        raise
    except _DAMAGE as error:
        reason = files.one_line(error)
        raise FormatError(f"{path} is damaged: {reason}; open it in a spreadsheet program and save it as .xlsx.") from None


def _sheet(page: Any, opened: zipfile.ZipFile, path: Path) -> Sheet:
    marks = _marks(opened, page._worksheet_path)
    page.reset_dimensions()
    rows, cells = [], 0
    for row in page.iter_rows():
        values = tuple(_value(cell) for cell in row)
        while values and values[-1] is None:
            values = values[:-1]
        cells += len(values) + 1
        if cells > _MOST_CELLS:
            raise FormatError(f"{path}: sheet {page.title!r} has more than {_MOST_CELLS:,} cells; save what is needed as CSV.")
        rows.append(values)
    while rows and not rows[-1]:
        rows.pop()
    return Sheet(page.title, page.sheet_state != "visible", rows, marks.merged, marks.hidden_rows, marks.formula)


@dataclass(slots=True)
class _Marks:
    """What the reader of cells does not say of a sheet."""

    merged: dict[tuple[int, int], tuple[int, int]]
    hidden_rows: int = 0
    formula: str | None = None


def _marks(opened: zipfile.ZipFile, part: str) -> _Marks:
    found = _Marks({})
    for piece in _pieces(opened, part):
        found.hidden_rows += len(_HIDDEN_ROW.findall(piece))
        if found.formula is None:
            match = _FORMULA_WITHOUT_VALUE.search(piece)
            found.formula = None if match is None else match[1].decode()
        for match in _MERGED.finditer(piece):
            left, top, right, bottom = _column(match[1]), int(match[2]) - 1, _column(match[3]), int(match[4]) - 1
            if (right - left + 1) * (bottom - top + 1) <= _LARGEST_MERGED:
                covered = ((r, c) for r in range(top, bottom + 1) for c in range(left, right + 1))
                found.merged.update(dict.fromkeys(covered, (top, left)))
    return found


def _pieces(opened: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """The bytes of a part, cut only where a row, a cell or a merged range begins."""
    with opened.open(part) as stream:
        rest = b""
        while piece := stream.read(_CHUNK):
            text = rest + piece
            end = max(text.rfind(tag) for tag in (b"<row ", b"<c ", b"<mergeCell "))
            yield text[:end] if end > 0 else text
            rest = text[end:] if end > 0 else b""
        yield rest


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _value(cell: Any) -> Any:
    """Text, a truth value or a time; numbers as text, with the zeros in front that their format shows; nothing for errors."""
    value = None if cell.data_type == "e" else cell.value
    if value is None or isinstance(value, bool | dt.datetime | dt.date | dt.time):
        return value
    if isinstance(value, dt.timedelta):
        return str(value)
    if isinstance(value, int | float):
        text = repr(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)
        form = str(cell.number_format or "")
        return text.zfill(len(form)) if form and set(form) == {"0"} else text
    return str(value).strip() or None


def _open_document(path: Path) -> list[Sheet]:
    """The sheets of an .ods file, where GDAL reads them."""
    if "r" not in pyogrio.list_drivers().get("ODS", ""):
        raise FormatError(f"{path} is an OpenDocument sheet, which this GDAL does not read; save it as .xlsx.")
    try:
        listed = [str(name) for name, _ in pyogrio.list_layers(path)]
        options = {"read_geometry": False, "HEADERS": "DISABLE", "FIELD_TYPES": "STRING"}
        tables = {name: pyogrio.read_dataframe(path, layer=name, **options) for name in listed}
    except (ogr.DataSourceError, ogr.DataLayerError, ogr.FeatureError, ValueError) as error:
        raise FormatError(f"{path} is damaged: {files.one_line(error)}; save it as .xlsx.") from None
    found = []
    for name, table in tables.items():
        rows = [tuple(v.strip() or None if isinstance(v, str) else None for v in row) for row in table.to_numpy(object)]
        found.append(Sheet(name, False, rows, {}, 0, None))
    return found
