"""The whole line: what a run leaves behind, that it goes on where it stopped, and that it repeats itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import geopandas
import pandas as pd
import pytest
import tomli_w

from hazardgeo import io, pipeline
from hazardgeo.errors import ConfigError
from hazardgeo.pipeline import Manifest

Demo = tuple[Path, Manifest]


def written(out: Path) -> set[str]:
    """The files of the results, without the store."""
    return {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and ".cache" not in p.parts}


def test_every_stage_runs_on_the_valley(demo: Demo) -> None:
    assert {s.name: s.status for s in demo[1].stages} == dict.fromkeys((s.name for s in demo[1].stages), "done")
    assert [s.name for s in demo[1].stages][-1] == "webmap"


def test_the_manifest_names_every_file_with_its_hash(demo: Demo) -> None:
    out, manifest = demo
    assert written(out) == {f.path for f in manifest.outputs} | {"manifest.json"}
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
    assert manifest.headlines["People displaced"]["value"] == f"{totals['displaced']:,}"


def test_the_planted_troubles_are_found(demo: Demo, valley: Path) -> None:
    answers = json.loads((valley.parent / "truth" / "answers.json").read_text(encoding="utf-8"))
    people = geopandas.read_file(demo[0] / "layers.gpkg", layer="people")
    assert people["people"].sum() == answers["residents"]
    roads = geopandas.read_file(demo[0] / "layers.gpkg", layer="roads")
    assert (roads["status"] == "closed").any()
    totals = pd.read_csv(demo[0] / "tables" / "totals.csv", index_col=0)["people"]
    assert totals["displaced"] > 0
    assert totals["sheltered"] < totals["displaced"]


def test_the_second_run_gives_the_same_bytes_and_computes_nothing(demo: Demo, valley: Path, tmp_path: Path) -> None:
    out, first = demo
    shutil.copytree(out, tmp_path / "again")
    again = pipeline.run(valley, out=tmp_path / "again")
    assert {s.status for s in again.stages} == {"reused"}
    anew = pipeline.run(valley, out=tmp_path / "anew", resume=False)
    assert {s.status for s in anew.stages} == {"done"}
    hashes = {f.path: f.sha256 for f in first.outputs if f.path != "resolved.toml"}
    for manifest in (again, anew):
        assert {f.path: f.sha256 for f in manifest.outputs if f.path != "resolved.toml"} == hashes


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
    again = pipeline.run(demo[0] / "resolved.toml", out=tmp_path)
    assert again.headlines == demo[1].headlines


def test_results_of_an_earlier_run_are_not_left_beside_new_ones(demo: Demo, valley: Path, tmp_path: Path) -> None:
    shutil.copytree(demo[0], tmp_path / "out")
    (tmp_path / "out" / "own notes.txt").write_text("kept", encoding="utf-8")
    manifest = pipeline.run(valley, out=tmp_path / "out", only="terrain")
    assert written(tmp_path / "out") == {f.path for f in manifest.outputs} | {"manifest.json", "own notes.txt"}


def test_an_input_among_the_results_is_not_written_over(demo: Demo, tmp_path: Path) -> None:
    shutil.copytree(demo[0], tmp_path / "out")
    scenario = tmp_path / "again.toml"
    scenario.write_text('[inputs]\ndem = "out/rasters/dem.tif"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="dem lies among the results"):
        pipeline.run(scenario, out=tmp_path / "out")


def test_a_surface_that_leans_on_another_file_is_not_taken_for_unchanged(demo: Demo, tmp_path: Path) -> None:
    shutil.copy(demo[0] / "rasters" / "dem.tif", tmp_path / "dem.tif")
    vrt = subprocess.run(
        [sys.executable, "-c", VRT, str(tmp_path / "dem.tif"), str(tmp_path / "dem.vrt")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert vrt.returncode == 0, vrt.stderr
    scenario = tmp_path / "vrt.toml"
    scenario.write_text('[inputs]\ndem = "dem.vrt"\n', encoding="utf-8")
    pipeline.run(scenario, out=tmp_path / "out", only="terrain")
    dem = io.read_raster(tmp_path / "dem.tif")
    io.write_raster(replace(dem, values=dem.values * 2), tmp_path / "dem.tif")
    again = pipeline.run(scenario, out=tmp_path / "out", only="terrain")
    assert {s.name: s.status for s in again.stages}["terrain"] == "done"


def test_what_was_computed_is_kept_where_there_are_no_shelters(valley: Path, tmp_path: Path) -> None:
    document = tomllib.loads(valley.read_text(encoding="utf-8"))
    del document["inputs"]["sites"]
    document["inputs"] = {name: str(valley.parent / path) for name, path in document["inputs"].items()}
    scenario = tmp_path / "less.toml"
    scenario.write_text(tomli_w.dumps(document), encoding="utf-8")
    pipeline.run(scenario, out=tmp_path / "out")
    assert geopandas.read_file(tmp_path / "out" / "layers.gpkg", layer="people")["displaced_people"].sum() > 0


VRT = "import sys, rasterio.shutil; rasterio.shutil.copy(sys.argv[1], sys.argv[2], driver='VRT')"


def test_warnings_name_inputs_without_the_folders_of_the_machine(valley: Path, tmp_path: Path) -> None:
    document = tomllib.loads(valley.read_text(encoding="utf-8"))
    document["inputs"] = {name: str(valley.parent / path) for name, path in document["inputs"].items()}
    roads = geopandas.read_file(document["inputs"]["roads"])
    roads.loc[0, "geometry"] = None
    roads.to_file(tmp_path / "roads.gpkg")
    document["inputs"]["roads"] = str(tmp_path / "roads.gpkg")
    (tmp_path / "s.toml").write_text(tomli_w.dumps(document), encoding="utf-8")
    manifest = pipeline.run(tmp_path / "s.toml", out=tmp_path / "out", only="terrain")
    assert [w for w in manifest.warnings if w.startswith("roads: roads.gpkg")]
    assert str(tmp_path) not in " ".join(manifest.warnings)
