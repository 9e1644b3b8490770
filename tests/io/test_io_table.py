from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import Point

from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError, MissingColumnError
from hazardgeo.io import read_vector, write_table


def put(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_register_with_chinese_columns_becomes_points(tmp_path: Path, encoding: str, separator: str) -> None:
    rows = ["编号,名称,经度,纬度,人数", "007,大河家镇中心小学,102.75,35.84,300", "012,石塬镇卫生院,102.8,35.7,"]
    path = put(tmp_path / "t.csv", "\r\n".join(rows).replace(",", separator), encoding)
    read = read_vector(path)
    assert read.crs.to_epsg() == 4326
    assert read.geometry.tolist() == [Point(102.75, 35.84), Point(102.8, 35.7)]
    assert read["编号"].tolist() == ["007", "012"]
    assert read["名称"].tolist() == ["大河家镇中心小学", "石塬镇卫生院"]
    assert read["人数"].tolist()[0] == 300
    assert np.isnan(read["人数"][1])


def test_map_coordinates_need_a_stated_crs(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", "X,Y\n500000,3950000\n")
    with pytest.raises(CrsError, match="columns 'X' and 'Y'; state it with source_crs="):
        read_vector(path)
    assert read_vector(path, source_crs=32648).crs.to_epsg() == 32648


def test_degrees_may_be_stated_to_be_those_of_another_datum(tmp_path: Path) -> None:
    assert read_vector(put(tmp_path / "t.csv", "lon,lat\n102.8,35.7\n"), source_crs=4490).crs.to_epsg() == 4490


def test_decimal_commas_are_read_where_semicolons_separate(tmp_path: Path) -> None:
    read = read_vector(put(tmp_path / "t.csv", "lon;lat;h\n102,8;35,7;1,5\n"))
    assert read.geometry[0] == Point(102.8, 35.7)
    assert read["h"].tolist() == [1.5]


def test_rows_without_coordinates_are_left_out_and_counted(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", "n,lon,lat\n1,102.8,35.7\n2,,\n3,near the school,35.7\n")
    with pytest.warns(HazardGeoWarning, match="2 of 3 rows have no usable coordinates"):
        read = read_vector(path)
    assert read["n"].tolist() == [1]
    assert read.attrs["features_left_out"] == 2
    with pytest.raises(InputError, match="no row has numbers"):
        read_vector(put(tmp_path / "u.csv", "lon,lat\na,b\n"))


def test_swapped_columns_are_named_with_their_row(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 2 has lon = 35\.7 and lat = 102\.8"):
        read_vector(put(tmp_path / "t.csv", "lon,lat\n1,1\n35.7,102.8\n"))


def test_tables_without_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingColumnError, match="has no columns with places; it has a, b"):
        read_vector(put(tmp_path / "t.csv", "a,b\n1,2\n"))
    with pytest.raises(FormatError, match="no rows"):
        read_vector(put(tmp_path / "u.csv", "lon,lat\n"))
    (tmp_path / "v.csv").write_bytes(b"PK\x03\x04\0\0")
    with pytest.raises(FormatError, match="cannot be read as text"):
        read_vector(tmp_path / "v.csv")


def test_text_that_a_spreadsheet_would_run_is_disarmed(tmp_path: Path) -> None:
    cells = ["=1+1", "+86 930", "-x", "@SUM(A1)", "\tx", "＝1", "学校", ""]
    write_table(pd.DataFrame({"=name": cells, "n": range(-4, 4)}), tmp_path / "t.csv")
    data = (tmp_path / "t.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    read = pd.read_csv(tmp_path / "t.csv", encoding="utf-8-sig", keep_default_na=False)
    assert read.columns.tolist() == ["'=name", "n"]
    assert read["'=name"].tolist() == ["'=1+1", "'+86 930", "'-x", "'@SUM(A1)", "'\tx", "'＝1", "学校", ""]
    assert read["n"].tolist() == list(range(-4, 4))


def test_an_index_with_a_meaning_is_kept_and_the_table_is_not_changed(tmp_path: Path) -> None:
    table = gpd.GeoDataFrame({"gap_people": [5, 0]}, geometry=[Point(1, 2), Point(3, 4)], crs=32648)
    table.index = pd.Index(["v1", "v2"], name="village")
    write_table(table, tmp_path / "t.csv")
    read = pd.read_csv(tmp_path / "t.csv", encoding="utf-8-sig")
    assert read.columns.tolist() == ["village", "gap_people", "geometry"]
    assert read["geometry"].tolist() == ["POINT (1 2)", "POINT (3 4)"]
    assert table.columns.tolist() == ["gap_people", "geometry"]
    with pytest.raises(FormatError, match=r"must end in \.csv"):
        write_table(table, tmp_path / "t.xlsx")


def test_a_japanese_shelter_list_is_read(data_case: Callable[[str], Path]) -> None:
    path = data_case("noto_nanao") / "history" / "open_shelter_Nanao-shi_2024-01-09-1800.csv"
    rows = pd.read_csv(path)
    known = int(rows[["緯度", "経度"]].notna().all(axis=1).sum())
    if known < len(rows):
        with pytest.warns(HazardGeoWarning, match="no usable coordinates"):
            read = read_vector(path)
    else:
        read = read_vector(path)
    assert len(read) == known
    assert read.geometry.x.between(136, 138).all()


def test_codes_keep_all_their_digits(tmp_path: Path) -> None:
    rows = "bank,citizen,short,lon,lat\n62292710020000000012,620000199001011234,123456789012345,102,35\n1,,2,102,35\n"
    read = read_vector(put(tmp_path / "t.csv", rows))
    assert read["bank"].tolist() == ["62292710020000000012", "1"]
    assert read["citizen"].tolist()[0] == "620000199001011234"
    assert pd.isna(read["citizen"][1])
    assert read["short"].tolist() == [123456789012345, 2]


def test_a_site_may_be_named_like_a_missing_value(tmp_path: Path) -> None:
    rows = "name,kind,people,lon,lat\nNA,NULL,NA,102,35\nNone,NULL,30,102,35\nHall,NULL,,102,35\n"
    read = read_vector(put(tmp_path / "t.csv", rows))
    assert read["name"].tolist() == ["NA", "None", "Hall"]
    assert read["kind"].tolist() == ["NULL"] * 3
    np.testing.assert_array_equal(read["people"], [np.nan, 30, np.nan])


def test_text_stays_in_its_cell_whatever_separates_the_cells(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"name": ["x;=1+1", "\n=3", 'say "a"'], "n": [1.5, np.nan, 3]}), tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text(encoding="utf-8-sig")
    assert lines == '"name","n"\n"x;=1+1",1.5\n"\'\n=3",""\n"say ""a""",3.0\n'
    read = pd.read_csv(tmp_path / "t.csv", encoding="utf-8-sig", sep=";")
    assert not read.iloc[:, 0].str.startswith("=").any()


@pytest.mark.parametrize(
    ("row", "people"),
    [("102.8;35.7;3,000", 3000), ("37,5;36,1;1.234", 1234), ("102,8;35,7;3,000", 3), ("102.8;35.7;37,5", 37.5)],
)
def test_the_coordinates_tell_the_decimal_sign(tmp_path: Path, row: str, people: float) -> None:
    read = read_vector(put(tmp_path / "t.csv", f"lon;lat;people\n{row}\n"))
    assert read["people"].tolist() == [people]


@pytest.mark.parametrize("number", ["3,000", "3.000"])
def test_a_number_that_can_be_thousands_or_decimals_is_refused(tmp_path: Path, number: str) -> None:
    path = put(tmp_path / "t.csv", f"lon;lat;people\n102°48'E;35°42'N;{number}\n")
    with pytest.raises(InputError, match=r"column 'people' holds numbers such as .* nothing says whether"):
        read_vector(path)


def test_numbers_that_contradict_the_coordinates_stay_words(tmp_path: Path) -> None:
    read = read_vector(put(tmp_path / "t.csv", "lon;lat;h\n102.8;35.7;1,5\n102.9;35.7;1,500\n"))
    assert read["h"].tolist() == ["1,5", "1,500"]


@pytest.mark.parametrize(
    "row",
    ["单位家属院,200,,", "注水村,120,,", "注水村,,,", "*上坪村,80,,", "Noteborough,5,,", "Source Village,30,,", "note,30人,,"],
)
def test_an_inhabited_place_is_no_note(tmp_path: Path, row: str) -> None:
    path = put(tmp_path / "t.csv", f"name,people,lon,lat\na,5,102.8,35.7\n{row}\n")
    with pytest.warns(HazardGeoWarning, match="1 of 2 rows have no usable coordinates"):
        read = read_vector(path)
    assert read.attrs["features_left_out"] == 1


@pytest.mark.parametrize(
    "row", ["注：数据截至2023年,,,", "单位:人,,,", "数据来源：民政局,,,", "Note 1,,,", "填表人：张三,,,", "* counted,,,"]
)
def test_a_note_below_a_table_is_no_lost_place(tmp_path: Path, row: str) -> None:
    path = put(tmp_path / "t.csv", f"name,people,lon,lat\na,5,102.8,35.7\n{row}\n")
    with pytest.warns(HazardGeoWarning, match="1 rows of notes, units or headings"):
        read = read_vector(path)
    assert read.attrs["features_left_out"] == 0


@pytest.mark.parametrize("row", ["b,0,35.7", "b,102.8,0", "b,0,0"])
def test_a_zero_in_degrees_is_no_place(tmp_path: Path, row: str) -> None:
    with pytest.warns(HazardGeoWarning, match="1 of 2 rows have no usable coordinates"):
        read = read_vector(put(tmp_path / "t.csv", f"name,lon,lat\na,102.8,35.7\n{row}\n"))
    assert read.attrs["features_left_out"] == 1


def test_shapes_as_text_keep_to_the_system_that_they_state(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", 'n,geom\n1,"SRID=4326;POINT(102 35)"\n2,"SRID=4490;POINT(102 35)"\n')
    with pytest.raises(InputError, match="column 'geom' holds shapes with SRID 4326, 4490"):
        read_vector(path)
    path = put(tmp_path / "u.csv", 'n,geom\n1,"SRID=32648;POINT(400000 3950000)"\n')
    with pytest.raises(CrsError, match="says that it is in EPSG:32648, but source_crs= says EPSG:32647"):
        read_vector(path, source_crs=32647)
    assert read_vector(path, source_crs=32648).crs.to_epsg() == 32648
