"""Coordinates as people write them, through the door for tables."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.io import read_vector
from hazardgeo.io.vector.coordinates import angle

LONGITUDE = 102 + 48 / 60 + 30.5 / 3600
LATITUDE = 35 + 42.5 / 60


def put(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "written",
    [
        "102°48'30.5\"E",
        "102 48 30.5",
        "102:48:30.5",
        "102度48分30.5秒",
        "东经102°48′30.5″",
        "東経102度48分30.5秒",
        "102d48'30.5\"E",
        "E 102° 48' 30.5''",
        "102º48´30.5”",
        '102°48’30,5"',
        "１０２°４８′３０．５″",
        "102°48.50833333333333'",
        "102.80847222222222",
        "102,80847222222222",
        "+102.80847222222222°",
    ],
)
def test_all_common_spellings_of_an_angle_are_the_same_angle(written: str) -> None:
    assert angle(written)[0] == pytest.approx(LONGITUDE, abs=1e-9)


@pytest.mark.parametrize("written", ["35°42.5'N", "N35 42.5'", "北纬35度42.5分", "35 42 30 N", "35.708333333333336 N"])
def test_a_letter_names_the_axis(written: str) -> None:
    value, axis = angle(written)
    assert value == pytest.approx(LATITUDE, abs=1e-9)
    assert axis == "latitude"


def test_west_and_south_are_negative() -> None:
    assert angle("西经102.5") == (-102.5, "longitude")
    assert angle("33°30'S") == (-33.5, "latitude")
    assert angle("-33 30") == (-33.5, None)


@pytest.mark.parametrize("written", ["abc", "", "102-48-30", "1 2 3 4", "1.2.3", "102°48'30\"E35", "°", "102°x'"])
def test_what_is_no_angle_is_unknown(written: str) -> None:
    assert np.isnan(angle(written)[0])


@given(st.floats(0, 179.999), st.sampled_from(["E", "W", ""]))
def test_an_angle_in_parts_is_the_angle_in_decimals(value: float, letter: str) -> None:
    seconds = round(value * 3600, 3)
    d, rest = divmod(seconds, 3600)
    m, s = divmod(rest, 60)
    s = min(s, 59.999)
    sign = -1 if letter == "W" else 1
    assert angle(f"{d:.0f}°{m:.0f}′{s:.3f}″{letter}")[0] == pytest.approx(sign * value, abs=1e-6)


def test_spellings_may_be_mixed_in_a_column(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", "n,经度,纬度\n1,102.5,35°30′\n2,102°30'0\"E,35.5N\n3,东经102度30分,北纬35:30\n")
    read = read_vector(path)
    np.testing.assert_allclose(read.geometry.x, 102.5)
    np.testing.assert_allclose(read.geometry.y, 35.5)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("102°61'", "minutes of 61 are not below 60"),
        ("102 10 60", "seconds of 60 are not below 60"),
        ("-102.5W", "a sign and a letter"),
        ("102.5°30'", "only the smallest"),
        ("35.5N", "which is a latitude; the columns of longitude and latitude are swapped"),
    ],
)
def test_an_impossible_angle_is_refused_with_its_row(tmp_path: Path, cell: str, words: str) -> None:
    path = put(tmp_path / "t.csv", f'lon,lat\n102,35\n"{cell}",35\n'.replace('""', '"'))
    with pytest.raises(InputError, match=rf"row 2 has lon = .*{words}"):
        read_vector(path)


def test_degrees_written_together_are_refused_with_a_hint(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", "lon,lat\n1024830.5,354230\n1035959,360000\n")
    with pytest.raises(InputError, match="written together; write them apart"):
        read_vector(path)


def test_no_place_at_zero(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", "n,lon,lat\n1,102,35\n2,0,0\n3,0.0,0.0\n4,0,35\n")
    with pytest.warns(HazardGeoWarning, match=r"3 of 4 rows have no usable coordinates .*the first is row 2"):
        read = read_vector(path)
    assert read["n"].tolist() == [1]
    assert read.attrs["features_left_out"] == 3


@pytest.mark.parametrize(
    "cells",
    [
        ["102.8,35.7", "102.9,35.8"],
        ["35.7,102.8", "35.8,102.9"],
        ["35.7N 102.8E", "102.9E, 35.8N"],
        ["东经102.8度，北纬35.7度", "N35.8 E102.9"],
        ["(102.8 35.7)", "[102.9; 35.8]"],
        ["35°42'00\" 102°48'00\"", "35°48'00\" 102°54'00\""],
        ["35,7; 102,8", "35,8 / 102,9"],
    ],
)
def test_two_coordinates_in_one_cell_are_read_where_their_order_is_certain(tmp_path: Path, cells: list[str]) -> None:
    rows = ["名称\t坐标", *(f"x\t{cell}" for cell in cells)]
    read = read_vector(put(tmp_path / "t.tsv", "\n".join(rows) + "\n"))
    np.testing.assert_allclose(read.geometry.x, [102.8, 102.9])
    np.testing.assert_allclose(read.geometry.y, [35.7, 35.8])


def test_two_coordinates_in_one_cell_are_refused_where_their_order_is_not_certain(tmp_path: Path) -> None:
    for cells in (["10.5,20.5"], ["102.8,35.7", "35.7,102.8"]):
        path = put(tmp_path / "t.tsv", "\n".join(["坐标", *cells]) + "\n")
        with pytest.raises(InputError, match="nothing says which is the longitude"):
            read_vector(path)


def test_shapes_as_text_are_read(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", 'n,WKT\n1,"POLYGON((102 35,103 35,103 36,102 35))"\n2,"POINT Z (102 35 1800)"\n')
    with pytest.raises(CrsError, match="source_crs="):
        read_vector(path)
    read = read_vector(path, source_crs=4326)
    assert read.geom_type.tolist() == ["Polygon", "Point"]
    assert read.columns.tolist() == ["n", "geometry"]
    path = put(tmp_path / "u.csv", 'n,geom\n1,"SRID=4326;POINT(102 35)"\n2,"POINT(102"\n')
    with pytest.warns(HazardGeoWarning, match="1 of 2 rows have no usable"):
        read = read_vector(path)
    assert read.crs.to_epsg() == 4326


def test_numbers_on_a_map_keep_their_size_however_they_are_written(tmp_path: Path) -> None:
    path = put(tmp_path / "t.tsv", "X\tY\n500,000.5\t3,950,000\n500 001\t3950001\n５００００２\t3950002\n")
    read = read_vector(path, source_crs=32648)
    assert read.geometry.x.tolist() == [500_000.5, 500_001, 500_002]
    path = put(tmp_path / "u.csv", "X;Y\n500.000,5;3.950.000,25\n500000,5;3950000\n")
    assert read_vector(path, source_crs=32648).geometry.x.tolist() == [500_000.5, 500_000.5]


def test_north_may_come_first(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", "X,Y\n3950000,500000\n")
    read = read_vector(path, source_crs=32648, axes="north-east")
    assert (read.geometry.x[0], read.geometry.y[0]) == (500_000, 3_950_000)
    named = put(tmp_path / "u.csv", "X(纵坐标),Y(横坐标)\n3950000,500000\n")
    read = read_vector(named, source_crs=32648)
    assert (read.geometry.x[0], read.geometry.y[0]) == (500_000, 3_950_000)
    with pytest.raises(InputError, match="leave axes= away"):
        read_vector(named, source_crs=32648, axes="north-east")
    with pytest.raises(InputError, match="axes='yx' is not known"):
        read_vector(path, source_crs=32648, axes="yx")  # type: ignore[arg-type]


def test_columns_that_could_both_be_meant_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", "起点经度,起点纬度,终点经度,终点纬度\n102,35,103,36\n")
    with pytest.raises(InputError, match="several columns that could hold the places: '起点经度', '终点经度'"):
        read_vector(path)
    path = put(tmp_path / "u.csv", "经度(GCJ02),纬度(GCJ02),经度(WGS84),纬度(WGS84)\n1,2,102,35\n")
    assert read_vector(path).geometry.x.tolist() == [102]


def test_coordinates_of_map_services_are_converted_only_where_stated(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", "name,高德经度,高德纬度\na,116.41024449916938,39.91640428150164\n")
    with pytest.warns(HazardGeoWarning, match=r"'高德经度' suggests coordinates in GCJ-02.*state source_crs='GCJ-02'"):
        read = read_vector(path)
    assert read.geometry.x[0] == 116.41024449916938
    with pytest.warns(HazardGeoWarning, match="converted from GCJ-02 to EPSG:4326"):
        read = read_vector(path, source_crs="GCJ-02")
    # 116.404, 39.915 is the worked example that public implementations of the conversion share
    assert (read.geometry.x[0], read.geometry.y[0]) == pytest.approx((116.404, 39.915), abs=1e-6)
    assert read.crs.to_epsg() == 4326


def test_titles_and_notes_stand_above_and_below_a_table(tmp_path: Path) -> None:
    rows = [
        "临夏州应急避难场所登记表,,,", ",,,", "名称,经度,纬度,可容纳人数", ",°,°,人", "大河家,102.7,35.8,300",
        "石塬,102.8,35.7,200",
        "合 计,,,500", "注：数据截至2023年12月,,,", ",,,",
    ]  # fmt: skip
    path = put(tmp_path / "t.csv", "\r\n".join(rows) + "\r\n", "gb18030")
    with pytest.warns(HazardGeoWarning, match="1 rows of totals are no places and are left out; 2 rows of notes, units"):
        read = read_vector(path)
    assert read["可容纳人数"].tolist() == [300, 200]
    assert read.attrs["features_left_out"] == 0


def test_a_total_with_coordinates_is_no_place_and_is_counted(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", "name,lon,lat,people\na,102,35,5\nTotal,102,35,5\n")
    with pytest.warns(HazardGeoWarning, match="1 rows of totals"):
        read = read_vector(path)
    assert read["people"].tolist() == [5]
    assert read.attrs["features_left_out"] == 1


def test_numbers_among_words_stay_words_and_words_for_nothing_are_unknown(tmp_path: Path) -> None:
    path = put(
        tmp_path / "t.csv",
        'lon,lat,full,thousands,none,words,code\n102,35,１２０,"1,200",无,约300,007\n103,36,15,"12,000",—,300人,012\n'
        '104,36,7,"300",80,40,013\n',
    )
    read = read_vector(path)
    assert read["full"].tolist() == [120, 15, 7]
    assert read["thousands"].tolist() == [1200, 12000, 300]
    np.testing.assert_array_equal(read["none"], [np.nan, np.nan, 80])
    assert read["words"].tolist() == ["约300", "300人", "40"]
    assert read["code"].tolist() == ["007", "012", "013"]


def test_a_decimal_comma_is_never_taken_for_thousands_in_the_same_column(tmp_path: Path) -> None:
    read = read_vector(put(tmp_path / "t.csv", 'lon,lat,h\n102,35,"1,5"\n103,36,"1,500"\n'))
    assert read["h"].tolist() == ["1,5", "1,500"]


def test_a_table_that_ends_within_a_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="ends within a row, so it was cut"):
        read_vector(put(tmp_path / "t.csv", "lon,lat,people\n102,35,300\n102,3"))
    assert len(read_vector(put(tmp_path / "u.csv", "lon,lat,people\n102,35,300\n102,35,200"))) == 2
