"""Tables as text: CSV files with places in them, and tables that open in Excel without surprises."""

from __future__ import annotations

import csv
import io
import itertools
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from hazardgeo.errors import FormatError
from hazardgeo.io import files
from hazardgeo.io.vector import headings
from hazardgeo.io.vector.places import Cells

_SEPARATORS = ",;\t|"
_SEARCHED_ROWS = 50
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def read_cells(place: Path, path: Path) -> Cells:
    """The cells of a CSV file below the row of its headings, above which titles and notes can stand.

    Raises FormatError for what is no table, and for a file that ends within a row.
    """
    data = place.read_bytes()
    try:
        text = data.decode(files.encoding_of(data))
    except (FormatError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} cannot be read as text: {files.one_line(error)}; save it as CSV in UTF-8.") from None
    separator, above = _layout(text)
    if above:
        text = "".join(itertools.islice(io.StringIO(text), above, None))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows with more cells than the header has names
            table = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                dtype=str,
                index_col=False,
                keep_default_na=False,
                na_values=[""],
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, ValueError) as error:
        raise FormatError(f"{path} is not a table: {files.one_line(error)}; check it in a text editor.") from None
    if table.empty:
        raise FormatError(f"{path} has no rows below its header; check the file.")
    _require_whole(text, separator, len(table.columns), path)
    return Cells(table.rename(columns=lambda name: str(name).strip()), lambda i: f"row {i + 1}", separator != ";")


def _layout(text: str) -> tuple[str, int]:
    """What separates the cells, and how many lines stand above the row of headings: as many columns as the headings allow."""
    first = text.lstrip().splitlines()[0] if text.strip() else ""
    best = (0, 0), max(_SEPARATORS, key=first.count), 0
    for separator in sorted(_SEPARATORS, key=first.count, reverse=True):
        reader = csv.reader(io.StringIO(text), delimiter=separator)
        rows, begins = [], [0]
        try:
            for row in itertools.islice(reader, _SEARCHED_ROWS):
                rows.append(row)
                begins.append(reader.line_num)
        except csv.Error:
            continue
        found = headings.row_of(rows)
        if found is not None:
            below = rows[found + 1 :]
            score = len(rows[found]), sum(len(row) == len(rows[found]) for row in below)
            best = max(best, (score, separator, begins[found]), key=lambda known: known[0])
    return best[1], best[2]


def _require_whole(text: str, separator: str, columns: int, path: Path) -> None:
    """FormatError where the last line has no end and fewer cells than the others: the file was cut."""
    if text.endswith(("\n", "\r")):
        return
    try:
        last = list(csv.reader(text.splitlines()[-2:], delimiter=separator))
    except csv.Error:
        return
    if len(last) == 2 and len(last[0]) == columns and 0 < len(last[1]) < columns:
        raise FormatError(f"{path} ends within a row, so it was cut; fetch it again.")


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV (UTF-8 with a mark, so that Excel shows Chinese), for people to open.

    Text that a spreadsheet would run as a formula (beginning with = + - @, their full-width forms, a tab or a new line)
    gets a ' in front, in cells and headers. All text is quoted, so that spreadsheets that separate cells by ; keep it in
    one. Unknown numbers are empty cells. An index with a meaning becomes the first
    column; geometries are written as WKT. The same table gives the same bytes; the file appears whole or not at all.
    Raises FormatError where it cannot be written.
    """
    target = files.require_suffix(path, (".csv",))
    plain = pd.DataFrame(with_index(table))
    safe = pd.DataFrame({i: _guarded(plain.iloc[:, i]) for i in range(plain.shape[1])}, index=plain.index)
    header = [_guard(str(c)) for c in plain.columns]
    with files.atomic(target) as temporary:
        safe.to_csv(
            temporary, index=False, header=header, quoting=csv.QUOTE_NONNUMERIC, encoding="utf-8-sig", lineterminator="\n"
        )


def with_index(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its index as first column, unless the index only counts the rows."""
    index = table.index
    if isinstance(index, pd.RangeIndex) and index.name is None:
        return table.reset_index(drop=True)
    names = [str(n) if n is not None else f"id{i or ''}" for i, n in enumerate(index.names)]
    while set(names) & set(map(str, table.columns)):
        names = [f"{n}_index" if n in table.columns else n for n in names]
    return table.reset_index(names=names)


def _guarded(column: pd.Series[Any]) -> pd.Series[Any]:
    return column if pd.api.types.is_numeric_dtype(column) else column.map(lambda v: _guard(v) if isinstance(v, str) else v)


def _guard(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
