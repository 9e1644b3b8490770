"""Registers as offices keep them, at the door of the pipeline."""

from pathlib import Path
from typing import Any

import openpyxl
import pytest

from hazardgeo.errors import ConfigError, HazardGeoWarning, InputError, MissingColumnError
from hazardgeo.pipeline import inputs
from hazardgeo.scenario import InputFile, Scenario


def load(name: str, path: Path, **options: Any) -> Any:
    return inputs.load(Scenario("t", {name: InputFile(name, path, options)}, {}, path.parent), name, "EPSG:32648")


def workbook(path: Path, rows: list[list[Any]]) -> Path:
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    made.save(path)
    return path


def test_a_chinese_register_of_shelters_needs_no_renaming(tmp_path: Path) -> None:
    rows = [
        ["避难场所登记表"],
        ["名称", "经度", "纬度", "可容纳人数", "室内面积(亩)"],
        ["学校", 102.75, 35.84, 300, 3],
        ["合计", None, None, 300, 3],
    ]
    with pytest.warns(HazardGeoWarning) as caught:
        sites = load("sites", workbook(tmp_path / "登记表.xlsx", rows))
    said = " ".join(str(w.message) for w in caught)
    assert "rows of totals are no places" in said
    assert "'名称' as name, '可容纳人数' as capacity_people, '室内面积(亩)' as indoor_area_m2" in said
    assert sites[["name", "capacity_people", "indoor_area_m2"]].to_numpy().tolist() == [["学校", 300, 2000.0]]
    assert sites.crs.to_epsg() == 32648


def test_people_without_a_place_are_refused_and_their_total_is_not_counted(tmp_path: Path) -> None:
    head = "村名,经度,纬度,常住人口\n"
    (tmp_path / "t.csv").write_text(head + "a,102.7,35.8,30\nb,102.8,35.7,40\n合计,,,70\n", encoding="utf-8")
    with pytest.warns(HazardGeoWarning):
        assert load("people", tmp_path / "t.csv")["people"].sum() == 70
    (tmp_path / "u.csv").write_text(head + "a,102.7,35.8,30\nb,,,40\n", encoding="utf-8")
    with pytest.warns(HazardGeoWarning), pytest.raises(InputError, match=r"1 features in u\.csv have no usable geometry"):
        load("people", tmp_path / "u.csv")


def test_a_column_that_could_mean_several_things_waits_to_be_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("经度,纬度,人口,常住人口\n102.7,35.8,30,20\n", encoding="utf-8")
    with pytest.raises(InputError, match="choose one with columns ="):
        load("people", tmp_path / "t.csv")
    assert load("people", tmp_path / "t.csv", columns={"常住人口": "people"})["people"].tolist() == [20]
    (tmp_path / "u.csv").write_text("经度,纬度,人数\n102.7,35.8,30\n", encoding="utf-8")
    with pytest.raises(MissingColumnError, match="name the one that holds it with columns"):
        load("people", tmp_path / "u.csv")


def test_north_first_is_stated_in_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("X,Y,people\n3950000,500000,30\n", encoding="utf-8")
    people = load("people", tmp_path / "t.csv", source_crs="EPSG:32648", axes="north-east")
    assert (people.geometry.x[0], people.geometry.y[0]) == (500_000, 3_950_000)
    with pytest.raises(ConfigError, match="axes = 1 must be of type str"):
        load("people", tmp_path / "t.csv", source_crs="EPSG:32648", axes=1)
