"""What registers call their columns."""

import warnings

import geopandas as gpd
import pytest
from shapely.geometry import Point

from hazardgeo.errors import HazardGeoWarning, InputError
from hazardgeo.io import standard_columns


def register(**columns: object) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=[Point(102, 35), Point(103, 36)], crs=4326)


def test_a_chinese_register_of_shelters_is_understood_and_said() -> None:
    given = register(**{"名称": ["a", "b"], "可容纳人数": [300, 40], "备注": ["x", "y"]})
    with pytest.warns(HazardGeoWarning, match="'名称' as name, '可容纳人数' as capacity_people"):
        found = standard_columns(given)
    assert found.columns.tolist() == ["name", "capacity_people", "备注", "geometry"]
    assert found["capacity_people"].tolist() == [300, 40]
    assert given.columns.tolist()[0] == "名称"  # the caller's own stays as it was


@pytest.mark.parametrize(
    ("heading", "factor"),
    [
        ("室内面积(㎡)", 1),
        ("室内面积（平方米）", 1),
        ("室内面积/m2", 1),
        ("室内面积(公顷)", 10_000),
        ("室内面积（亩）", 2000 / 3),
        ("indoor area [ha]", 10_000),
    ],
)
def test_a_unit_in_the_heading_is_obeyed(heading: str, factor: float) -> None:
    with pytest.warns(HazardGeoWarning, match="as indoor_area_m2"):
        found = standard_columns(register(**{heading: [3, 6]}))
    assert found["indoor_area_m2"].tolist() == pytest.approx([3 * factor, 6 * factor])


def test_an_area_without_a_unit_is_taken_in_m2_and_gives_nobody_a_place() -> None:
    with pytest.warns(HazardGeoWarning, match="'面积' without a unit in m2; area_m2 gives nobody a place"):
        found = standard_columns(register(面积=[1200, 800]))
    assert found["area_m2"].tolist() == [1200, 800]
    assert not {"indoor_area_m2", "outdoor_area_m2"} & set(found.columns)


def test_an_unknown_unit_is_refused_and_other_counts_are_left_alone() -> None:
    with pytest.raises(InputError, match="unit '坪' of column '面积\\(坪\\)' is not known"):
        standard_columns(register(**{"面积(坪)": [1, 2]}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = standard_columns(register(**{"可容纳人数(户)": [1, 2], "日供水量": [1, 2]}))
    assert "capacity_people" not in found.columns
    assert "water_l_day" not in found.columns


def test_two_columns_that_could_be_meant_are_an_error_unless_one_is_named() -> None:
    with pytest.raises(InputError, match="could be people: 人口, 常住人口; choose one with columns ="):
        standard_columns(register(人口=[1, 2], 常住人口=[3, 4]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = standard_columns(register(people=[5, 6], 人口=[1, 2], 常住人口=[3, 4]))
    assert found["people"].tolist() == [5, 6]
    assert found["人口"].tolist() == [1, 2]


def test_ten_thousands_of_people_are_people_and_words_among_them_are_refused() -> None:
    with pytest.warns(HazardGeoWarning, match="times 10000"):
        found = standard_columns(register(**{"容纳人数（万人）": [0.5, "1.2"]}))
    assert found["capacity_people"].tolist() == [5000, 12000]
    with pytest.raises(InputError, match="holds '约1' among its numbers"):
        standard_columns(register(**{"容纳人数（万人）": [0.5, "约1"]}))


def test_only_what_is_wanted_is_translated() -> None:
    with pytest.warns(HazardGeoWarning, match="'名称' as name"):
        found = standard_columns(register(名称=["a", "b"], 人口=[1, 2]), ("name",))
    assert found.columns.tolist() == ["name", "人口", "geometry"]
