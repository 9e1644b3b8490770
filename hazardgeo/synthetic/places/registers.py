"""Registers: the list of shelter sites as an office keeps it, as CSV in a Chinese encoding and as an untidy workbook."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd

from hazardgeo.io.files import atomic
from hazardgeo.synthetic.places.shelters import KINDS_ZH

CSV_NAME, XLSX_NAME = "避难场所登记表.csv", "避难场所台账.xlsx"
_FIXED_TIME = datetime(2022, 12, 19)
_ZIP_TIME = (2022, 12, 19, 0, 0, 0)
NOTICE = "演示数据(虚构),不对应任何真实地点。hazardgeo demo valley: synthetic."
_COLUMNS = {
    "site_id": "编号",
    "name_zh": "名称",
    "kind": "类型",
    "lon": "经度",
    "lat": "纬度",
    "design_people": "规划规模",
    "occupied_people": "已入住",
    "capacity_people": "可容纳人数",
    "indoor_area_m2": "室内面积",
    "heated_area_m2": "供暖面积",
    "outdoor_area_m2": "室外面积",
    "toilets": "厕位数",
    "water_l_day": "日供水量",
}
_UNITS = {
    "design_people": "人", "occupied_people": "人", "capacity_people": "人", "indoor_area_m2": "平方米",
    "heated_area_m2": "平方米", "outdoor_area_m2": "亩", "toilets": "个", "water_l_day": "吨/日",
}  # fmt: skip
_MU_M2 = 2000.0 / 3.0


def rows(sites: geopandas.GeoDataFrame) -> pd.DataFrame:
    """The register with longitude and latitude (WGS 84) in degrees to seven decimals, about one centimetre."""
    points = sites.to_crs(4326).geometry
    table = pd.DataFrame(sites.drop(columns=sites.geometry.name)).assign(lon=points.x.round(7), lat=points.y.round(7))
    return table.assign(kind=table["kind"].map(KINDS_ZH))[list(_COLUMNS)]


def write_csv(sites: geopandas.GeoDataFrame, path: Path) -> None:
    """The register as CSV in GB18030 with Chinese headings and units of their own; empty cells are unknown."""
    headings = {
        "indoor_area_m2": "室内面积(平方米)", "heated_area_m2": "供暖面积(平方米)", "outdoor_area_m2": "室外面积(平方米)",
        "water_l_day": "日供水量(升/日)",
    }  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([headings.get(name, heading) for name, heading in _COLUMNS.items()])
    for row in rows(sites).itertuples(index=False):
        writer.writerow([_cell(value) for value in row])
    with atomic(path) as temporary:
        temporary.write_bytes(text.getvalue().encode("gb18030"))


def write_workbook(sites: geopandas.GeoDataFrame, path: Path) -> None:
    """The same register as offices send it: titles in merged cells, units in the headings (mu, tonnes), a row of totals, notes.

    The time stamps in the file are fixed, so that the same sites give the same bytes.
    """
    import openpyxl
    from openpyxl.styles import Alignment, Font

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "台账"
    table = rows(sites)
    table["outdoor_area_m2"] = (table["outdoor_area_m2"] / _MU_M2).round(6)
    table["water_l_day"] = (table["water_l_day"] / 1000.0).round(6)
    last = len(_COLUMNS)
    for text in ("应急避难场所台账", NOTICE, "填报单位:应急办      填报日期:2022年12月19日"):
        sheet.append([text])
        sheet.merge_cells(start_row=sheet.max_row, end_row=sheet.max_row, start_column=1, end_column=last)
        sheet.cell(sheet.max_row, 1).alignment = Alignment(horizontal="center")
    sheet.cell(1, 1).font = Font(bold=True, size=16)
    sheet.append([heading + (f"({_UNITS[name]})" if name in _UNITS else "") for name, heading in _COLUMNS.items()])
    for row in table.itertuples(index=False):
        sheet.append([_cell(value) for value in row])
    sheet.append(["合计", *(_total(table, name) for name in list(_COLUMNS)[1:])])
    sheet.append(["注:空格为未填报;面积以现场核实为准。"])
    _save(book, path)


def _total(table: pd.DataFrame, name: str) -> Any:
    return _cell(table[name].sum()) if name in ("design_people", "occupied_people", "capacity_people") else None


def _cell(value: Any) -> Any:
    """A value as an office types it: whole numbers without decimals, nothing for what is unknown."""
    if isinstance(value, str):
        return value
    number = float(value)
    if np.isnan(number):
        return None
    return int(number) if number.is_integer() else number


def _save(book: Any, path: Path) -> None:
    """The workbook with the clock taken out of it."""
    book.properties.created = book.properties.modified = _FIXED_TIME
    held = io.BytesIO()
    book.save(held)
    with atomic(path) as temporary, zipfile.ZipFile(held) as source, zipfile.ZipFile(temporary, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = _without_clock(content)
            target.writestr(zipfile.ZipInfo(name, _ZIP_TIME), content, zipfile.ZIP_DEFLATED)


def _without_clock(core: bytes) -> bytes:
    """The properties of a workbook with the time of saving replaced by a fixed one."""
    head, tag, rest = core.partition(b"<dcterms:modified")
    if not tag:
        return core
    opened, _, rest = rest.partition(b">")
    _, close, tail = rest.partition(b"</dcterms:modified>")
    return head + tag + opened + b">" + f"{_FIXED_TIME:%Y-%m-%dT%H:%M:%SZ}".encode() + close + tail
