"""Tables as text: CSV files with places in them, and tables that open in Excel without surprises."""

from __future__ import annotations

import csv
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError, MissingColumnError
from hazardgeo.io import files

_DEGREES = (
    ("lon", "lng", "long", "longitude", "经度", "經度", "経度"),
    ("lat", "latitude", "纬度", "緯度"),
)
_MAP = (
    ("x", "east", "easting", "coord_x", "point_x", "东坐标", "横坐标"),
    ("y", "north", "northing", "coord_y", "point_y", "北坐标", "纵坐标"),
)
_SEPARATORS = ",;\t|"
_CODE = re.compile(r"0\d+$|\d{16,}$")  # leading zeros, or more digits than a float64 keeps
_NOTHING = ("NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None")  # among numbers; in a column of words they are words
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class _Places:
    """The columns that hold the places, and whether their names say degrees."""

    east: str
    north: str
    degrees: bool


def read_places(path: Path, source_crs: Any) -> gpd.GeoDataFrame:
    """The rows of a CSV file as points. Columns named longitude and latitude (or 经度, 纬度 ...) are EPSG:4326.

    Columns named x and y or east and north need `source_crs`. Rows without usable coordinates are left out with a
    HazardGeoWarning. A column of numbers becomes numbers, with empty cells, "NA" and their like unknown; in other columns
    only empty cells are. Columns with a number that begins with 0 or has more than 15 digits, such as register codes, stay
    text. Raises MissingColumnError, CrsError, and InputError for degrees that are none.
    """
    table, separator = _read(path)
    places = _places(table, path)
    if source_crs is None and not places.degrees:
        raise CrsError(
            f"{path} has no coordinate reference system for its columns {places.east!r} and {places.north!r}; "
            "state it with source_crs='EPSG:...'."
        )
    decimal_comma = separator == ";"
    east, north = (_numbers(table[c], decimal_comma) for c in (places.east, places.north))
    usable = np.isfinite(east.to_numpy()) & np.isfinite(north.to_numpy())
    if not usable.any():
        raise InputError(f"{path}: no row has numbers in both {places.east!r} and {places.north!r}; check the columns.")
    if not usable.all():
        message = f"{path}: {int((~usable).sum())} of {len(table)} rows have no usable coordinates and are left out."
        warnings.warn(message, HazardGeoWarning, stacklevel=3)
    if source_crs is None:
        _require_degrees(east, north, places, path)
    typed = pd.DataFrame({name: _typed(table[name], decimal_comma) for name in table.columns}).loc[usable].reset_index(drop=True)
    points = gpd.points_from_xy(east[usable], north[usable])
    return gpd.GeoDataFrame(typed, geometry=points, crs="EPSG:4326" if source_crs is None else source_crs)


def _read(path: Path) -> tuple[pd.DataFrame, str]:
    """All cells as text, and the separator."""
    data = path.read_bytes()
    try:
        text = data.decode(files.encoding_of(data))
    except (FormatError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} cannot be read as text: {files.one_line(error)}; save it as CSV in UTF-8.") from None
    header = text.lstrip().splitlines()[0] if text.strip() else ""
    separator = max(_SEPARATORS, key=header.count)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows with more cells than the header has names
            table = pd.read_csv(
                io.StringIO(text), sep=separator, dtype=str, index_col=False, keep_default_na=False, na_values=[""]
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, ValueError) as error:
        raise FormatError(f"{path} is not a table: {files.one_line(error)}; check it in a text editor.") from None
    if table.empty:
        raise FormatError(f"{path} has no rows below its header; check the file.")
    return table.rename(columns=lambda name: str(name).strip()), separator


def _places(table: pd.DataFrame, path: Path) -> _Places:
    by_name = {str(c).lower(): str(c) for c in reversed(table.columns.to_list())}
    for (east_names, north_names), degrees in ((_DEGREES, True), (_MAP, False)):
        east = next((by_name[n] for n in east_names if n in by_name), None)
        north = next((by_name[n] for n in north_names if n in by_name), None)
        if east is not None and north is not None:
            return _Places(east, north, degrees)
    raise MissingColumnError(
        f"{path} has no columns with places; it has {', '.join(map(str, table.columns[:20]))}. "
        "Name them longitude and latitude, or x and y with source_crs=."
    )


def _numbers(column: pd.Series[Any], decimal_comma: bool) -> pd.Series[float]:
    text = column.str.strip()
    return pd.to_numeric(text.str.replace(",", ".") if decimal_comma else text, errors="coerce").astype(float)


def _typed(column: pd.Series[Any], decimal_comma: bool) -> pd.Series[Any]:
    """The column as numbers where all its cells are numbers or say that there is none; codes stay text."""
    text = column.dropna().str.strip()
    text = text[~text.isin(_NOTHING)]
    if text.empty or text.str.match(_CODE).any():
        return column
    dotted = text.str.replace(",", ".") if decimal_comma else text
    numbers = pd.to_numeric(dotted, errors="coerce")
    return column if numbers.isna().any() else numbers.reindex(column.index)


def _require_degrees(east: pd.Series[float], north: pd.Series[float], places: _Places, path: Path) -> None:
    """InputError, naming the row, unless all coordinates are degrees."""
    wrong = np.flatnonzero((east.abs() > 360.0) | (north.abs() > 90.0))
    if wrong.size:
        i = int(wrong[0])
        raise InputError(
            f"{path}: row {i + 1} has {places.east} = {east.iloc[i]:g} and {places.north} = {north.iloc[i]:g}, which are not "
            "degrees; the columns may be swapped, or in a map CRS: then state it with source_crs='EPSG:...'."
        )


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
