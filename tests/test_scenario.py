from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Gt

from hazardgeo import scenario
from hazardgeo.errors import ConfigError


def shelter(people: object, *, limit_min: Annotated[float, Gt(0)] = 60.0, climate: Literal["cold", "mild"] = "cold") -> None:
    """A stage with two options."""


STAGES: dict[str, Callable[..., Any]] = {"shelter": shelter}
INPUTS = {"scan": ("crs",), "roads": ("layer",)}
GOOD = """
title = "Night"
crs = "EPSG:32648"
data_time = 2023-12-19T02:00:00Z
[inputs]
scan = "a.laz"
roads = { path = "/r.gpkg", layer = "x" }
[shelter]
limit_min = 30
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "s.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> scenario.Scenario:
    return scenario.read(write(folder, text), stages=STAGES, inputs=INPUTS)


def test_paths_are_relative_to_the_file_and_options_are_kept(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert found.inputs["scan"].path == tmp_path / "a.laz"
    assert found.inputs["roads"].path == Path("/r.gpkg")
    assert found.inputs["roads"].options == {"layer": "x"}
    assert found.options == {"shelter": {"limit_min": 30.0}}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('titel = "x"\n[inputs]\nscan="a"', "unknown key or section 'titel'; did you mean 'title'"),
        ('[inputs]\nscann = "a"', "unknown input 'scann'; did you mean 'scan'"),
        ('[inputs]\nscan = "a"\n[shelter]\nlimit_mn = 3', r"unknown option of \[shelter\] 'limit_mn'; did you mean 'limit_min'"),
        ('[inputs]\nscan = "a"\n[shelter]\nlimit_min = -3', r"\[shelter\] limit_min = -3.*greater than 0"),
        ('[inputs]\nscan = "a"\n[shelter]\nlimit_min = nan', r"\[shelter\] limit_min.*finite"),
        ('[inputs]\nscan = "a"\n[shelter]\nlimit_min = "3"', r"\[shelter\] limit_min = '3'.*number"),
        ('[inputs]\nscan = "a"\n[shelter]\nclimate = "warm"', r"\[shelter\] climate = 'warm'.*'cold' or 'mild'"),
        ('crs = "EPSG:1"\n[inputs]\nscan = "a"', "not a coordinate reference system"),
        ("[inputs]\nscan = 3", "must be a path"),
        ('[inputs]\nscan = "${NO_SUCH_FOLDER}/a"', "NO_SUCH_FOLDER is not set"),
        (
            '[inputs]\nscan = "https://host/a.laz?token=secret"',
            r"\[inputs\] scan names an address, .* here; download it first\.$",
        ),
        ('[inputs]\nscan = { path = "s3://bucket/a.laz" }', r"\[inputs\] scan names an address"),
        ('title = "x"', r"no \[inputs\]"),
        ('title = "x', "not valid TOML"),
        ('data_time = 2023-12-19\n[inputs]\nscan = "a"', "data_time = 2023-12-19 needs a day, an hour and a time zone"),
        ("[event]\nmagnitude = 6.2", r"\[event\] needs longitude, latitude, depth_km, time"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_all_that_is_wrong_is_listed_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, 'titel = "x"\n[inputs]\nscann = "a"\n[shelter]\nlimit_min = 0')
    assert len(scenario.problems(path, stages=STAGES, inputs=INPUTS)[1]) == 3


def test_a_missing_file_names_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hazardgeo new"):
        scenario.load(tmp_path / "none.toml")


def test_environment_variables_stand_for_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_DATA", "/d")
    assert read(tmp_path, '[inputs]\nscan = "${MY_DATA}/a.laz"').inputs["scan"].path == Path("/d/a.laz")


def test_overrides_are_values_as_in_toml_or_bare_words() -> None:
    changed = scenario.override({"shelter": {"limit_min": 30}}, ["shelter.limit_min=45.5", "shelter.climate=mild"])
    assert changed == {"shelter": {"limit_min": 45.5, "climate": "mild"}}
    with pytest.raises(ConfigError, match=r"takes table\.key=value"):
        scenario.override({}, ["shelter"])


def test_a_resolved_scenario_reads_back_as_itself(tmp_path: Path) -> None:
    event = "[event]\nmagnitude = 6.2\nlongitude = 1.5\nlatitude = 42.5\ndepth_km = 8\ntime = 2023-12-18T15:59:30Z\n"
    found = read(tmp_path, GOOD + event)
    complete = {"shelter": scenario.check_options(shelter, found.options["shelter"], section="shelter")}
    text = scenario.dump(found, complete, tmp_path)
    again = read(tmp_path, text)
    assert again.inputs == found.inputs
    assert (again.event, again.data_time) == (found.event, found.data_time)
    assert again.options == {"shelter": {"limit_min": 30.0, "climate": "cold"}}
