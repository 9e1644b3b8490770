"""Workbooks as offices keep them."""

import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from hazardgeo.errors import FormatError, HazardGeoWarning, InputError, MissingColumnError
from hazardgeo.io import read_vector

HEAD = ["名称", "经度", "纬度", "可容纳人数"]


def book(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        page = made.create_sheet(name)
        for row in rows:
            page.append(row)
    made.save(path)
    return path


def rewrite(path: Path, part: str, old: str, new: str) -> None:
    with zipfile.ZipFile(path) as opened:
        parts = {name: opened.read(name) for name in opened.namelist()}
    assert old.encode() in parts[part]
    parts[part] = parts[part].replace(old.encode(), new.encode())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in parts.items():
            out.writestr(name, data)


def test_a_register_with_titles_merged_cells_units_and_totals(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    page = made.active
    page.title = "登记表"
    rows = [
        ["积石山县应急避难场所登记表"], [], ["序号", "名称", "坐标", None, "人数"], [None, None, "经度", "纬度", None],
        [None, None, "°", "°", "人"], [1, "大河家镇中心小学", 102.75, 35.84, 300],
        [2, "石塬镇卫生院", "102°48′", "北纬35.7", "1,200"],
        ["合计", None, None, None, 1500], ["填表人：张三"],
    ]  # fmt: skip
    for row in rows:
        page.append(row)
    for merged in ("A1:E1", "A3:A4", "B3:B4", "C3:D3", "E3:E4"):
        page.merge_cells(merged)
    made.save(tmp_path / "t.xlsx")
    with pytest.warns(HazardGeoWarning, match=r"1 rows of totals .*; 2 rows of notes, units or headings"):
        read = read_vector(tmp_path / "t.xlsx")
    assert read.columns.tolist() == ["序号", "名称", "经度", "纬度", "人数", "geometry"]
    assert read["名称"].tolist() == ["大河家镇中心小学", "石塬镇卫生院"]
    assert read["人数"].tolist() == [300, 1200]
    np.testing.assert_allclose(read.geometry.x, [102.75, 102.8])
    assert read.attrs["features_left_out"] == 0


def test_cells_keep_what_they_are(tmp_path: Path) -> None:
    day = dt.datetime(2023, 12, 18, 23, 59)
    made = openpyxl.Workbook()
    page = made.active
    page.append(["code", "shown", "day", "open", "lon", "lat", "n", "note", "text"])
    page.append(["007", 7, day, True, 102.5, 35.5, 3, "NA", "12"])
    page.append(["012", 12, day, False, 102.6, 35.6, None, None, "1３"])
    page["B2"].number_format = page["B3"].number_format = "000"
    made.save(tmp_path / "t.xlsx")
    read = read_vector(tmp_path / "t.xlsx")
    assert read["code"].tolist() == ["007", "012"]
    assert read["shown"].tolist() == ["007", "012"]
    assert read["day"].tolist() == [pd.Timestamp(day)] * 2
    assert read["open"].tolist() == [True, False]
    np.testing.assert_array_equal(read["n"], [3, np.nan])
    assert read["text"].tolist() == [12, 13]
    assert read["note"].tolist()[0] == "NA"


def test_the_only_sheet_with_places_is_read_and_others_by_name(tmp_path: Path) -> None:
    place = [HEAD, ["a", 102.5, 35.5, 30]]
    path = book(tmp_path / "one.xlsx", {"说明": [["本表说明"]], "数据": place})
    assert len(read_vector(path)) == 1
    path = book(tmp_path / "two.xlsx", {"城区": place, "乡镇": [*place, ["b", 103, 36, 1]]})
    with pytest.raises(InputError, match="several sheets with places; choose one with layer=: 城区, 乡镇"):
        read_vector(path)
    assert len(read_vector(path, layer="乡镇")) == 2
    with pytest.raises(InputError, match="has no sheet 'x'; it has 城区, 乡镇"):
        read_vector(path, layer="x")
    with pytest.raises(InputError, match="takes no SQL"):
        read_vector(path, layer="乡镇", where="n > 1")
    with pytest.raises(MissingColumnError, match="no columns with places; it has a, b"):
        read_vector(book(tmp_path / "none.xlsx", {"x": [["a", "b"], [1, 2]]}))
    with pytest.raises(FormatError, match="no rows below its headings"):
        read_vector(book(tmp_path / "empty.xlsx", {"x": [HEAD]}))


def test_a_row_is_named_as_the_spreadsheet_shows_it(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", {"x": [["title"], [], HEAD, ["a", 102, 35, 1], ["b", "102°70'", 35, 1]]})
    with pytest.raises(InputError, match=r"row 5 of sheet 'x' has 经度 = .*minutes of 70"):
        read_vector(path)


def test_hidden_rows_are_read_and_said_and_hidden_sheets_wait_to_be_named(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    page, other = made.active, made.create_sheet("old")
    for sheet in (page, other):
        sheet.append(HEAD)
        sheet.append(["a", 102, 35, 1])
        sheet.append(["b", 103, 35, 2])
    page.row_dimensions[3].hidden = True
    other.sheet_state = "hidden"
    made.save(tmp_path / "t.xlsx")
    with pytest.warns(HazardGeoWarning, match="1 rows of sheet 'Sheet' are hidden, and are read like all others"):
        assert len(read_vector(tmp_path / "t.xlsx")) == 2
    assert len(read_vector(tmp_path / "t.xlsx", layer="old")) == 2


def test_formulas_are_read_by_their_stored_values_and_refused_without(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", {"x": [HEAD, ["a", 102, 35, "=100+200"], ["b", 103, 36, 5]]})
    with pytest.raises(FormatError, match="cell D2 of sheet 'x' is a formula without a stored value"):
        read_vector(path)
    rewrite(path, "xl/worksheets/sheet1.xml", "<f>100+200</f><v />", "<f>100+200</f><v>300</v>")
    assert read_vector(path)["可容纳人数"].tolist() == [300, 5]
    rewrite(path, "xl/worksheets/sheet1.xml", '<c r="D2"><f>100+200</f><v>300</v>', '<c r="D2" t="str"><f>""</f><v></v>')
    np.testing.assert_array_equal(read_vector(path)["可容纳人数"], [np.nan, 5])
    rewrite(path, "xl/worksheets/sheet1.xml", '<c r="D2" t="str"><f>""</f><v></v>', '<c r="D2" t="e"><f>1/0</f><v>#DIV/0!</v>')
    np.testing.assert_array_equal(read_vector(path)["可容纳人数"], [np.nan, 5])


def test_old_protected_and_mislabelled_workbooks_are_named(tmp_path: Path) -> None:
    ole = bytes.fromhex("d0cf11e0a1b11ae1")
    (tmp_path / "old.xls").write_bytes(ole + bytes(600))
    with pytest.raises(FormatError, match=r"is an old workbook; save it as .xlsx"):
        read_vector(tmp_path / "old.xls")
    (tmp_path / "locked.xlsx").write_bytes(ole + bytes(600) + "EncryptedPackage".encode("utf-16-le"))
    with pytest.raises(FormatError, match="protected by a password"):
        read_vector(tmp_path / "locked.xlsx")
    (tmp_path / "text.xls").write_text("lon,lat\n102,35\n")
    with pytest.raises(FormatError, match="text under the name of one"):
        read_vector(tmp_path / "text.xls")
    good = book(tmp_path / "good.xlsx", {"x": [HEAD, ["a", 102, 35, 1]]})
    good.rename(tmp_path / "macro.xlsm")
    assert len(read_vector(tmp_path / "macro.xlsm")) == 1
    (tmp_path / "macro.xlsm").rename(tmp_path / "new.xls")
    assert len(read_vector(tmp_path / "new.xls")) == 1


def test_a_cut_workbook_is_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", {"x": [HEAD, *(["a", 102, 35, i] for i in range(500))]})
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(FormatError, match="damaged or cut ZIP"):
            read_vector(path)


def test_a_workbook_that_unpacks_without_end_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out, out.open("xl/worksheets/sheet1.xml", "w") as part:
        for _ in range(300):
            part.write(bytes(1_000_000))
    with pytest.raises(FormatError, match=r"would unpack to 0.3 GB"):
        read_vector(path)


def test_a_workbook_with_entities_is_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", {"x": [HEAD, ["a", 102, 35, 1]]})
    rewrite(path, "xl/worksheets/sheet1.xml", "<worksheet", '<!DOCTYPE w [<!ENTITY a "b">]><worksheet')
    with pytest.raises(FormatError, match="declares a DOCTYPE"):
        read_vector(path)


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml"])
def test_a_workbook_with_a_damaged_part_is_refused_in_one_line(tmp_path: Path, part: str) -> None:
    path = book(tmp_path / "t.xlsx", {"x": [HEAD, ["a", 102, 35, 1]]})
    rewrite(path, part, "</", "<")
    with pytest.raises(FormatError) as caught:
        read_vector(path)
    assert "\n" not in str(caught.value)


def test_a_workbook_with_a_nameless_part_is_refused_in_one_line(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", {"x": [HEAD, ["a", 102, 35, 1]]})
    path.write_bytes(path.read_bytes().replace(b"xl/workbook.xml", b"\0l/workbook.xml"))
    with pytest.raises(FormatError, match="a file without a name"):
        read_vector(path)


def test_a_far_away_cell_costs_nothing(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    page = made.active
    page.append(HEAD)
    page.append(["a", 102, 35, 1])
    page.cell(1_048_576, 1).value = "注：末行"
    made.save(tmp_path / "t.xlsx")
    with pytest.warns(HazardGeoWarning, match="1 rows of notes"):
        assert len(read_vector(tmp_path / "t.xlsx")) == 1


def test_an_open_document_sheet_is_read_where_gdal_can(tmp_path: Path) -> None:
    import pyogrio

    if "w" not in pyogrio.list_drivers().get("ODS", ""):
        pytest.skip("needs the ODS driver of GDAL")
    table = pd.DataFrame({"名称": ["a", "b"], "经度": [102.75, 102.8], "纬度": [35.84, 35.7], "code": ["007", "012"]})
    pyogrio.write_dataframe(table, tmp_path / "t.ods", layer="数据", driver="ODS")
    read = read_vector(tmp_path / "t.ods")
    np.testing.assert_allclose(read.geometry.x, [102.75, 102.8])
    assert read["code"].tolist() == ["007", "012"]
