"""The whole line: what a run leaves behind, that it goes on where it stopped, and that it repeats itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import geopandas
import pandas as pd
import pytest

from hazardgeo import io, pipeline
from hazardgeo.errors import ConfigError
from hazardgeo.pipeline import Manifest

Demo = tuple[Path, Manifest]


def test_every_stage_runs_on_the_valley(demo: Demo) -> None:
    assert {s.name: s.status for s in demo[1].stages} == dict.fromkeys((s.name for s in demo[1].stages), "done")
    assert [s.name for s in demo[1].stages][-1] == "webmap"


def test_the_manifest_names_every_file_with_its_hash(demo: Demo) -> None:
    out, manifest = demo
    files = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and not p.name.startswith(".")}
    assert files == {f.path for f in manifest.outputs} | {"manifest.json"}
    assert json.loads((out / "manifest.json").read_text())["seed"] == 1
    assert all(s.seconds >= 0 and s.peak_memory_mb > 0 for s in manifest.stages)
    assert "synthetic" in manifest.notice.lower()


def test_nothing_in_the_results_names_a_folder_of_this_machine(demo: Demo, valley: Path) -> None:
    for path in demo[0].rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert str(valley.parent).encode() not in content, path.name
            assert str(Path.home()).encode() + b"/" not in content, path.name


def test_rasters_are_cloud_optimised_and_say_what_they_are(demo: Demo) -> None:
    import rasterio

    with rasterio.open(demo[0] / "rasters" / "level_landslide.tif") as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.colormap(1)
    dem = io.read_raster(demo[0] / "rasters" / "dem.tif")
    assert dem.unit == "m"
    assert dem.height is not None
    assert dem.height.kind == "orthometric"


def test_people_are_counted_once_in_tables_shapes_and_figures(demo: Demo) -> None:
    out, manifest = demo
    totals = pd.read_csv(out / "tables" / "totals.csv", index_col=0)["people"]
    assert totals.drop("displaced").sum() == totals["displaced"]
    people = geopandas.read_file(out / "layers.gpkg", layer="people")
    assert (people["displaced_people"] + people["staying_people"] + people["not_assessed_people"] == people["people"]).all()
    assert people["displaced_people"].sum() == totals["displaced"]
    assert manifest.headlines["People displaced"] == f"{totals['displaced']:,}"


def test_the_planted_troubles_are_found(demo: Demo, valley: Path) -> None:
    answers = json.loads((valley.parent / "truth" / "answers.json").read_text(encoding="utf-8"))
    people = geopandas.read_file(demo[0] / "layers.gpkg", layer="people")
    assert people["people"].sum() == answers["residents"]
    roads = geopandas.read_file(demo[0] / "layers.gpkg", layer="roads")
    assert (roads["status"] == "closed").any()
    totals = pd.read_csv(demo[0] / "tables" / "totals.csv", index_col=0)["people"]
    assert totals["displaced"] > 0
    assert totals["sheltered"] < totals["displaced"]


def test_the_second_run_gives_the_same_bytes_and_reads_surfaces_back(demo: Demo, valley: Path, tmp_path: Path) -> None:
    out, first = demo
    shutil.copytree(out, tmp_path / "again")
    again = pipeline.run(valley, out=tmp_path / "again")
    assert {s.name: s.status for s in again.stages}["ground"] == "reused"
    anew = pipeline.run(valley, out=tmp_path / "anew", resume=False)
    assert {s.status for s in anew.stages} == {"done"}
    hashes = {f.path: f.sha256 for f in first.outputs if f.path != "scenario.toml"}
    for manifest in (again, anew):
        assert {f.path: f.sha256 for f in manifest.outputs if f.path != "scenario.toml"} == hashes


def test_a_changed_option_is_not_served_from_the_last_run(demo: Demo, valley: Path, tmp_path: Path) -> None:
    shutil.copytree(demo[0], tmp_path / "out")
    changed = pipeline.read_scenario(valley, overrides=["ground.max_gap_m=3.0"])
    manifest = pipeline.run(changed, out=tmp_path / "out", only="ground")
    assert {s.name: s.status for s in manifest.stages}["ground"] == "done"


def test_one_stage_brings_only_what_it_builds_on(valley: Path, tmp_path: Path) -> None:
    manifest = pipeline.run(valley, out=tmp_path, only="terrain")
    assert [s.name for s in manifest.stages] == ["ground", "terrain"]
    assert not (tmp_path / "map.html").exists()


def test_an_unknown_stage_is_refused(valley: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no stage 'shelters'"):
        pipeline.run(valley, out=tmp_path, only="shelters")


def test_the_resolved_scenario_runs_to_the_same_figures(demo: Demo, tmp_path: Path) -> None:
    again = pipeline.run(demo[0] / "scenario.toml", out=tmp_path)
    assert again.headlines == demo[1].headlines
