"""Places in tables: the points that their rows give, and the rows that are no places."""

from __future__ import annotations

import datetime as dt
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.errors import CrsError, HazardGeoWarning, InputError
from hazardgeo.io import china
from hazardgeo.io.vector import coordinates, headings
from hazardgeo.io.vector.headings import Places

Axes = Literal["east-north", "north-east"]
_CODE = re.compile(r"0\d+$|\d{16,}$")  # leading zeros, or more digits than a float64 keeps
_NOTHING = frozenset(  # among numbers; in a column of words they are words
    ("NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "-", "--", "—", "——", "/", "无", "無", "未知", "不详",
     "不明", "暂无")
)  # fmt: skip
_TOTALS = frozenset(
    (
        "合计", "总计", "小计", "共计", "总和", "汇总", "合計", "小計", "総計", "總計", "total", "totals", "subtotal",
        "grandtotal", "sum",
    )
)  # fmt: skip
_TOTAL_BEGINNINGS = frozenset(word[0] for word in _TOTALS) | {" ", "\u3000"}
_LONGEST_TOTAL = 14
_NOTE = re.compile(
    r"[(（\[【]?[※*#]*\s*((附?注|备注|附註|註|说明|備考|出典)|(计量|计数|面积|填报|填表|制表)?单位|(填表|制表|审核|填报)(人|员|时间|日期)?"
    r"|(数据|资料)?来源|notes?|remarks?|(data )?sources?|prepared( by| on)?)(?=\s*[:：.、0-9]|\s*$)|[※*]+\s",
    re.IGNORECASE,
)
_COUNT = re.compile(r"[约+-]?\s*\d[\d,. ]*\s*(人|户|口|persons?|people)?", re.IGNORECASE)
_UNIT = re.compile(
    r"[(\[]?(°|度|deg(rees?)?|m|m2|m²|㎡|平方米|km2|ha|公顷|亩|人|个|米|间|座|处|升|l|persons?)[)\]]?", re.IGNORECASE
)
_FIRST_LOOK = 100
_SYSTEM_COLUMNS = ("坐标系", "坐标系统", "坐标系类型", "坐标类型", "datum", "crs")


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A table as it was read: cells of text (of sheets also truth values and times), None or NaN where they are empty.

    `where(i)` names row i in the file; `decimal_points` says that numbers have a decimal point unless the coordinates show a
    comma; `title` is that of the sheet.
    """

    table: pd.DataFrame
    where: Callable[[int], str]
    decimal_points: bool = True
    title: str = ""


def points(cells: Cells, path: Path, source_crs: Any, axes: Axes) -> gpd.GeoDataFrame:
    """The rows as points (or shapes, where a column holds them); attrs["features_left_out"] counts places that are lost.

    Rows of totals, units, notes and repeated headings are no places. Raises MissingColumnError, CrsError, and InputError
    for degrees that are none.
    """
    places = headings.require(list(cells.table.columns), path)
    _require_axes(places, axes, path)
    if source_crs is None and places.kind in ("xy", "map"):
        raise CrsError(
            f"{path} has no coordinate reference system for its columns {places.columns[0]!r} and {places.columns[1]!r}; "
            "state it with source_crs='EPSG:...'."
        )
    if source_crs is None:
        _suspect(cells, places, path)
    degrees = places.kind in ("degrees", "both") if source_crs is None else _crs.horizontal(source_crs).is_geographic
    mark = coordinates.decimal_mark([cells.table[c] for c in places.columns], degrees=degrees, together=places.kind == "both")
    if places.kind == "shape":
        mark = ""
    if not mark and cells.decimal_points:
        mark = "."
    shapes, crs = _shapes(cells, places, path, degrees=degrees, mark=mark)
    usable = ~shapely.is_missing(shapes)
    if not usable.any():
        columns = " and ".join(map(repr, places.columns))
        raise InputError(f"{path}: no row has numbers in {'both ' * (len(places.columns) > 1)}{columns}; check the columns.")
    kept, lost = _kept(cells, usable, path)
    if degrees and places.kind != "shape":
        _require_degrees(shapes, kept, cells, places, path)
    rows = cells.table.loc[kept]
    typed = pd.DataFrame({c: _typed(rows[c], mark, cells, path) for c in rows.columns}).reset_index(drop=True)
    if places.kind == "shape":
        typed = typed.drop(columns=places.columns[0])
    stated = source_crs if source_crs is not None and (crs is None or places.kind != "shape") else crs
    found = gpd.GeoDataFrame(typed, geometry=shapes[kept], crs=stated)
    found.attrs["features_left_out"] = lost
    return found


def _require_axes(places: Places, axes: Axes, path: Path) -> None:
    if axes == "north-east" and places.kind not in {"xy", "shape"}:
        raise InputError(f"{path} names its columns {' and '.join(places.columns)}, so their order is known; leave axes= away.")


def _shapes(
    cells: Cells, places: Places, path: Path, *, degrees: bool, mark: coordinates.Mark
) -> tuple[NDArray[Any], pyproj.CRS | None]:
    """The shape of each row, None where there is no usable one, and the CRS that the table states."""
    columns = [cells.table[c] for c in places.columns]
    if places.kind == "shape":
        return _written_shapes(columns[0], path)
    if places.kind == "both":
        east, north = coordinates.pairs(columns[0], path, cells.where)
    elif degrees:
        east = coordinates.degrees(columns[0], "longitude", path, cells.where)
        north = coordinates.degrees(columns[1], "latitude", path, cells.where)
    else:
        commas = [_decimal_comma(c.dropna(), mark, cells, path) for c in columns]
        east, north = (
            np.asarray(coordinates.numbers(c, decimal_comma=bool(comma)), np.float64)
            for c, comma in zip(columns, commas, strict=True)
        )
    zeros = (east == 0) | (north == 0) if degrees else (east == 0) & (north == 0)  # what is not known is often written as 0
    usable = np.isfinite(east) & np.isfinite(north) & ~zeros
    shapes = np.full(len(east), None, object)
    shapes[usable] = shapely.points(east[usable], north[usable])
    return shapes, pyproj.CRS.from_epsg(4326) if places.kind in ("degrees", "both") else None


def _written_shapes(column: pd.Series[Any], path: Path) -> tuple[NDArray[Any], pyproj.CRS | None]:
    """Shapes from WKT (also with SRID=...; before it), or from WKB as bytes or hexadecimal digits.

    Raises InputError for shapes in several systems.
    """
    stated: set[int] = set()
    cells = column.where(column.notna(), None).to_numpy(object)
    if any(isinstance(cell, bytes) for cell in cells):
        shapes = shapely.from_wkb([cell if isinstance(cell, bytes) else None for cell in cells], on_invalid="ignore")
    else:
        texts = [None if cell is None else str(cell).strip() for cell in cells]
        bare = [None if text is None else re.sub(r"^SRID=\d+;\s*", "", text, flags=re.IGNORECASE) for text in texts]
        hexadecimal = [text is not None and re.fullmatch(r"0[01][0-9A-Fa-f]{8,}", text) is not None for text in bare]
        shapes = np.where(
            hexadecimal,
            shapely.from_wkb([t if h else None for t, h in zip(bare, hexadecimal, strict=True)], on_invalid="ignore"),
            shapely.from_wkt([None if h else t for t, h in zip(bare, hexadecimal, strict=True)], on_invalid="ignore"),
        )
        stated = {int(m[1]) for t in texts if t is not None and (m := re.match(r"SRID=(\d+);", t, re.IGNORECASE))}
    shapes = np.asarray(shapes, object)
    codes = (stated | set(shapely.get_srid(shapes[~shapely.is_missing(shapes)]).tolist())) - {0, -1}
    if len(codes) > 1:
        listed = ", ".join(map(str, sorted(codes)))
        raise InputError(f"{path}: column {column.name!r} holds shapes with SRID {listed}; bring them to one system.")
    return shapes, _crs.horizontal(codes.pop()) if codes else None


def _kept(cells: Cells, usable: NDArray[np.bool_], path: Path) -> tuple[NDArray[np.bool_], int]:
    """The rows to keep, and the number of places that are lost; says why the others are left out."""
    table = cells.table
    totals = _totals(table)
    filled = table.notna().to_numpy()
    other = np.asarray(~filled.any(axis=1), np.bool_)
    for i in np.flatnonzero(~usable & ~totals & ~other):
        other[i] = _no_place(table.columns, [str(v).strip() for v in table.iloc[i][filled[i]]], filled[i])
    lost = (~usable & ~other & ~totals) | (usable & totals)
    kept = usable & ~totals
    said = []
    if (~usable & ~other & ~totals).any():
        first = cells.where(int(np.flatnonzero(~usable & ~other & ~totals)[0]))
        count, of = int((~usable & ~other & ~totals).sum()), int((~other & ~totals).sum())
        said.append(f"{count} of {of} rows have no usable coordinates and are left out (the first is {first})")
    if totals.any():
        said.append(f"{int(totals.sum())} rows of totals are no places and are left out")
    if (other & filled.any(axis=1)).any():
        said.append(f"{int((other & filled.any(axis=1)).sum())} rows of notes, units or headings are left out")
    if said:
        warnings.warn(f"{path}: {'; '.join(said)}.", HazardGeoWarning, stacklevel=5)
    return kept, int(lost.sum())


def _totals(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows with a cell that says that they are totals."""
    found = np.zeros(len(table), bool)
    for name in table.columns:
        for i, cell in enumerate(table[name].to_numpy(object)):
            if isinstance(cell, str) and len(cell) <= _LONGEST_TOTAL and cell[:1].lower() in _TOTAL_BEGINNINGS:
                found[i] |= "".join(cell.split()).strip(":：").lower() in _TOTALS
    return found


def _no_place(names: pd.Index[Any], texts: list[str], filled: NDArray[np.bool_]) -> bool:
    """True for a row of notes, of units or of headings."""
    if len(texts) <= 2 and _NOTE.match(texts[0]) and not any(_COUNT.fullmatch(coordinates.plain(t)) for t in texts[1:]):
        return True
    if all(_UNIT.fullmatch(text) for text in texts):
        return True
    return len(texts) > 1 and all(text == str(name).strip() for text, name in zip(texts, names[filled], strict=True))


def _decimal_comma(known: pd.Series[Any], mark: coordinates.Mark, cells: Cells, path: Path) -> bool | None:
    """Whether the numbers of a column have a decimal comma; None where they contradict the coordinates, so are no numbers.

    InputError where 1,234 or 1.234 could be read in both ways.
    """
    if cells.decimal_points and mark == ".":
        return False
    own = coordinates.own_mark([v for v in known.to_numpy(object) if isinstance(v, str)], mark)
    if own == "":
        raise InputError(
            f"{path}: column {known.name!r} holds numbers such as {known.iloc[0]!r}, and nothing says whether the mark separates "
            "thousands or decimals; write them without marks for thousands."
        )
    return None if own is None else own == ","


def _typed(column: pd.Series[Any], mark: coordinates.Mark, cells: Cells, path: Path) -> pd.Series[Any]:
    """The column as numbers where all its cells are numbers or say that there is none; codes stay text."""
    known = column.dropna()
    kinds = set(map(type, known.to_numpy(object)))
    if kinds and kinds <= {dt.datetime, pd.Timestamp}:
        return pd.to_datetime(column)
    if not kinds <= {str}:
        if len(kinds) == 1 or kinds & {bytes}:
            return column.infer_objects()
        column = column.map(lambda v: v if isinstance(v, str) or pd.isna(v) else str(v))
        known = column.dropna()
    first = known.iloc[:_FIRST_LOOK]  # most columns of words are known from their first cells
    if all(_all_numbers(first, comma) is None for comma in (False, True)):
        return column
    if all(_all_numbers(known, comma) is None for comma in (False, True)):
        return column
    comma = _decimal_comma(known, mark, cells, path)
    numbers = None if comma is None else _all_numbers(known, comma)
    return column if numbers is None or numbers.empty else numbers.reindex(column.index)


def _all_numbers(cells: pd.Series[Any], decimal_comma: bool) -> pd.Series[Any] | None:
    """The numbers in cells of text, without those that say that there is none; None where one is a word or a code."""
    text = pd.Series([coordinates.plain(v) for v in cells.to_numpy(object)], index=cells.index, dtype=object)
    text = text[~cells.str.strip().isin(_NOTHING) & (text != "")] if len(cells) else text
    if text.map(_CODE.match).any():
        return None
    numbers = coordinates.numbers(text, decimal_comma=decimal_comma)
    if numbers.isna().any():
        return None
    whole = text.str.fullmatch(r"[+-]?[\d, ]+").all() and (numbers == np.rint(numbers)).all() if len(text) else False
    return numbers.astype(np.int64) if whole else numbers


def _require_degrees(shapes: NDArray[Any], kept: NDArray[np.bool_], cells: Cells, places: Places, path: Path) -> None:
    """InputError, naming the row, unless all coordinates are degrees."""
    rows = np.flatnonzero(kept)
    east, north = shapely.get_x(shapes[rows]), shapely.get_y(shapes[rows])
    wrong = np.flatnonzero((np.abs(east) > 360.0) | (np.abs(north) > 90.0))
    if not wrong.size:
        return
    i = int(wrong[0])
    names = places.columns if len(places.columns) == 2 else ("longitude", "latitude")
    has = f"{path}: {cells.where(int(rows[i]))} has {names[0]} = {east[i]:.10g} and {names[1]} = {north[i]:.10g}"
    if coordinates.written_together(east, "longitude") and coordinates.written_together(north, "latitude"):
        raise InputError(
            f"{has}, which look like degrees, minutes and seconds written together; write them apart (102°48'30.5\"), or as "
            "decimal degrees."
        )
    if (np.abs(east) <= 90).all() and (np.abs(north) <= 360).all():
        raise InputError(f"{has}: the columns of longitude and latitude are swapped; correct their names.")
    raise InputError(
        f"{has}, which are not degrees; the columns may be swapped, or in a map CRS: then state it with source_crs='EPSG:...'."
    )


def _suspect(cells: Cells, places: Places, path: Path) -> None:
    """Warn where names say that coordinates are of a Chinese map service, which shifts them by hundreds of metres."""
    texts = [*places.columns, cells.title, path.name]
    for name in cells.table.columns:
        if headings.base(name) in _SYSTEM_COLUMNS:
            texts.extend(map(str, cells.table[name].dropna().unique()[:5]))
    datum = china.suspected(texts)
    if datum is not None:
        name = {"gcj02": "GCJ-02", "bd09": "BD-09"}[datum]
        named = next(text for text in texts if china.suspected([text]) == datum)
        warnings.warn(
            f"{path}: {named!r} suggests coordinates in {name}, which lie some hundred metres from their places; if they are, "
            f"state source_crs='{name}'.",
            HazardGeoWarning,
            stacklevel=4,
        )
