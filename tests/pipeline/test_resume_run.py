"""A rerun computes what changed and nothing else, and gives the bytes of a fresh run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio

import hazardgeo
from hazardgeo import io, pipeline
from hazardgeo.errors import FormatError, HazardGeoWarning, InputError
from hazardgeo.io.files import atomic
from hazardgeo.pipeline import Manifest, source, state, store
from hazardgeo.pipeline.results import Results
from hazardgeo.pipeline.skip import Skip
from hazardgeo.tiles import code

Demo = tuple[Path, Manifest]


@pytest.fixture(scope="module")
def valley(valley: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenario of the valley with a coarse terrain: it is run many times."""
    coarse = tmp_path_factory.mktemp("coarse") / "scenario.toml"
    (coarse.parent / "inputs").symlink_to(valley.parent / "inputs", target_is_directory=True)
    coarse.write_text(valley.read_text(encoding="utf-8").replace("cell_m = 2.0", "cell_m = 5.0"), encoding="utf-8")
    return coarse


@pytest.fixture(scope="module")
def demo(valley: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The results of that scenario: their folder and the manifest."""
    out = tmp_path_factory.mktemp("results")
    return out, pipeline.run(valley, out=out)


@pytest.fixture
def again(demo: Demo, tmp_path: Path) -> Path:
    """A copy of the results of the valley, to run in once more."""
    return Path(shutil.copytree(demo[0], tmp_path / "out"))


def statuses(manifest: Manifest) -> dict[str, str]:
    return {stage.name: stage.status for stage in manifest.stages}


def hashes(manifest: Manifest) -> dict[str, str]:
    return {file.path: file.sha256 for file in manifest.outputs if file.path != "resolved.toml"}


def run_on(valley: Path, out: Path, *overrides: str) -> Manifest:
    return pipeline.run(pipeline.read_scenario(valley, overrides=overrides), out=out)


def changed_inputs(valley: Path, folder: Path) -> Path:
    """A copy of the scenario with its inputs, to change one of them."""
    shutil.copytree(valley.parent / "inputs", folder / "inputs")
    return Path(shutil.copy(valley, folder / "scenario.toml"))


def test_nothing_is_read_nor_written_again_where_nothing_changed(again: Path, valley: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in again.rglob("*") if p.is_file()}
    said: list[str] = []
    manifest = pipeline.run(valley, out=again, log=said.append)
    assert not [text for text in said if text.startswith("read")]
    assert {stage.status for stage in manifest.stages} == {"reused"}
    rewritten = {p.relative_to(again).as_posix() for p, t in before.items() if not p.exists() or p.stat().st_mtime_ns != t}
    assert rewritten <= {"manifest.json", ".cache/results.json", "resolved.toml"}


def test_an_option_recomputes_its_stage_and_what_builds_on_it(again: Path, valley: Path, tmp_path: Path) -> None:
    manifest = run_on(valley, again, "shelter.limit_min=20.0")
    assert [name for name, status in statuses(manifest).items() if status == "done"] == ["shelter", "webmap"]
    assert hashes(manifest) == hashes(run_on(valley, tmp_path / "fresh", "shelter.limit_min=20.0"))


def test_a_stage_that_comes_to_the_same_spares_what_builds_on_it(again: Path, valley: Path) -> None:
    manifest = run_on(valley, again, "shaking.mechanism='reverse'")  # without effect on a ShakeMap
    done = [name for name, status in statuses(manifest).items() if status == "done"]
    assert done == ["shaking", "webmap"]  # the map takes the scenario itself


def test_a_changed_input_recomputes_what_was_made_from_it(again: Path, valley: Path, tmp_path: Path) -> None:
    scenario = changed_inputs(valley, tmp_path)
    sites = geopandas.read_file(tmp_path / "inputs" / "sites.gpkg")
    io.write_vectors({"sites": sites.iloc[1:]}, tmp_path / "inputs" / "sites.gpkg")
    manifest = run_on(scenario, again)
    assert [name for name, status in statuses(manifest).items() if status == "done"] == ["shelter", "webmap"]
    assert hashes(manifest) == hashes(run_on(scenario, tmp_path / "fresh"))


def test_a_file_beside_an_input_belongs_to_it(tmp_path: Path, demo: Demo) -> None:
    scenario = tmp_path / "s.toml"
    scenario.write_text('[inputs]\ndem = "dem.tif"\n', encoding="utf-8")
    shutil.copy(demo[0] / "rasters" / "dem.tif", tmp_path / "dem.tif")
    out = tmp_path / "out"
    assert statuses(pipeline.run(scenario, out=out, only="terrain"))["terrain"] == "done"
    assert statuses(pipeline.run(scenario, out=out, only="terrain"))["terrain"] == "reused"
    (tmp_path / "dem.tif.aux.xml").write_text("<PAMDataset></PAMDataset>", encoding="utf-8")
    manifest = pipeline.run(scenario, out=out, only="terrain")
    assert statuses(manifest)["terrain"] == "done"
    assert [file.path for file in manifest.inputs] == ["dem: dem.tif", "dem: dem.tif.aux.xml"]


def test_results_that_were_changed_or_lost_are_written_again(again: Path, valley: Path, demo: Demo) -> None:
    (again / "rasters" / "slope.tif").write_bytes(b"damaged")
    (again / "layers.gpkg").unlink()
    (again / "map.html").write_text("changed", encoding="utf-8")
    assert hashes(run_on(valley, again)) == hashes(demo[1])
    assert (again / "rasters" / "slope.tif").read_bytes() == (demo[0] / "rasters" / "slope.tif").read_bytes()
    assert (again / "map.html").read_bytes() == (demo[0] / "map.html").read_bytes()
    assert (again / "layers.gpkg").read_bytes() == (demo[0] / "layers.gpkg").read_bytes()


def damage_blobs(cache: Path) -> None:
    for blob in (cache / "blobs").iterdir():
        blob.write_bytes(blob.read_bytes()[:-1] + b"x")


def damage_entries(cache: Path) -> None:
    for entry in (cache / "entries").iterdir():
        entry.write_text(entry.read_text(encoding="utf-8").replace("0", "1", 3), encoding="utf-8")


@pytest.mark.parametrize("damage", [damage_blobs, damage_entries, shutil.rmtree])
def test_a_damaged_store_is_no_error(damage: Callable[[Path], None], again: Path, valley: Path, demo: Demo) -> None:
    damage(again / ".cache")
    manifest = run_on(valley, again)
    assert statuses(manifest)["ground"] == "done"
    assert hashes(manifest) == hashes(demo[1])
    assert {stage.status for stage in run_on(valley, again).stages} == {"reused"}


@pytest.mark.slow
def test_the_store_keeps_the_last_run_only(again: Path, valley: Path) -> None:
    def size() -> int:
        return sum(p.stat().st_size for p in (again / ".cache").rglob("*") if p.is_file())

    before = size()
    for limit in (20.0, 25.0, 30.0):
        run_on(valley, again, f"demand.night_temp_c=-{limit}")
    assert size() < 1.01 * before
    assert size() < 2 * sum(p.stat().st_size for p in (again / "rasters").iterdir())


def test_a_run_of_one_stage_leaves_the_others_in_the_store(again: Path, valley: Path) -> None:
    pipeline.run(valley, out=again, only="terrain")
    manifest = pipeline.run(valley, out=again)
    assert {name for name, status in statuses(manifest).items() if status == "done"} == {"webmap"}  # its file was removed


def test_without_resume_nothing_is_kept(tmp_path: Path, demo: Demo) -> None:
    (tmp_path / "s.toml").write_text('[inputs]\ndem = "dem.tif"\n', encoding="utf-8")
    shutil.copy(demo[0] / "rasters" / "dem.tif", tmp_path / "dem.tif")
    for resume in (True, False):
        pipeline.run(tmp_path / "s.toml", out=tmp_path / "out", only="terrain", resume=resume)
        assert (tmp_path / "out" / ".cache").exists() == resume


def test_a_warning_is_said_again_by_a_run_that_reads_nothing(valley: Path, tmp_path: Path) -> None:
    scenario = changed_inputs(valley, tmp_path)
    roads = geopandas.read_file(tmp_path / "inputs" / "roads.gpkg")
    roads.loc[0, "geometry"] = None
    roads.to_file(tmp_path / "inputs" / "roads.gpkg")
    first = pipeline.run(scenario, out=tmp_path / "out", only="terrain")
    second = pipeline.run(scenario, out=tmp_path / "out", only="terrain")
    assert first.warnings
    assert second.warnings == first.warnings
    assert second.outputs == first.outputs


def test_a_stage_that_was_skipped_says_so_again(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[inputs]\ndem = "dem.tif"\n', encoding="utf-8")
    shutil.copy(demo[0] / "rasters" / "dem.tif", tmp_path / "dem.tif")
    first, second = (pipeline.run(tmp_path / "s.toml", out=tmp_path / "out") for _ in range(2))
    skipped = {stage.name: stage.reason for stage in first.stages if stage.status == "skipped"}
    assert "needs inputs.shakemap" in skipped["shaking"]
    assert {stage.name: stage.reason for stage in second.stages if stage.status == "skipped"} == skipped
    assert "done" not in statuses(second).values()


@pytest.mark.slow
def test_an_edited_function_is_another_version(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[inputs]\ndem = "dem.tif"\n', encoding="utf-8")
    shutil.copy(demo[0] / "rasters" / "dem.tif", tmp_path / "dem.tif")
    package = tmp_path / "site" / "hazardgeo"
    shutil.copytree(Path(hazardgeo.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    start = [sys.executable, "-m", "hazardgeo", "run", str(tmp_path / "s.toml"), "--only", "terrain"]
    said = []
    for edit in ("", "", "\n# edited\n"):
        shape = package / "terrain" / "shape.py"
        shape.write_text(shape.read_text(encoding="utf-8") + edit, encoding="utf-8")
        surroundings = {**os.environ, "PYTHONPATH": str(package.parent)}
        done = subprocess.run(
            [*start, "--out", str(tmp_path / "out")], env=surroundings, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        said.append("terrain: unchanged" in done.stderr)
    assert said == [False, True, False]


def test_what_killed_writers_left_is_removed(again: Path, valley: Path) -> None:
    left = []
    for folder in (again, again / "rasters", again / "tables", again / ".cache" / "blobs"):
        with atomic(folder / "x.csv") as part:
            part.write_text("whole", encoding="utf-8")
        (folder / "x.csv").unlink()
        left += [part, part.with_name(part.name + "-journal"), part.with_name(part.stem + ".plain.tif")]
    for path in left:
        path.write_text("half", encoding="utf-8")
    (again / ".notes").write_text("mine", encoding="utf-8")
    run_on(valley, again)
    assert not [p for p in left if p.exists()]
    assert (again / ".notes").exists()


def test_a_run_that_fails_leaves_the_earlier_results(again: Path, valley: Path, tmp_path: Path) -> None:
    def contents() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in again.rglob("*") if p.is_file() and ".cache" not in p.parts}

    before = contents()
    scenario = changed_inputs(valley, tmp_path)
    sites = geopandas.read_file(tmp_path / "inputs" / "sites.gpkg")
    io.write_vectors({"sites": sites[["name", "geometry"]]}, tmp_path / "inputs" / "sites.gpkg")
    with pytest.raises(InputError):
        run_on(scenario, again, "ground.max_gap_m=3.0")
    assert contents() == before
    assert not (again / ".cache" / "staging").exists()


def test_an_input_that_changes_while_it_is_read_is_refused(demo: Demo, valley: Path, tmp_path: Path) -> None:
    shutil.copy(demo[0] / "rasters" / "dem.tif", tmp_path / "dem.tif")
    roads = geopandas.read_file(valley.parent / "inputs" / "roads.gpkg")
    roads.to_crs(4326).to_file(tmp_path / "roads.geojson")
    (tmp_path / "s.toml").write_text('[inputs]\ndem = "dem.tif"\nroads = "roads.geojson"\n', encoding="utf-8")
    done = threading.Event()

    def copying() -> None:
        with (tmp_path / "roads.geojson").open("a", encoding="utf-8") as stream:
            while not done.wait(0.001):
                stream.write(" ")  # after the last brace, so that every state of the file can be read
                stream.flush()

    copier = threading.Thread(target=copying)
    copier.start()
    time.sleep(0.01)
    try:
        with pytest.raises(FormatError, match=r"roads: roads\.geojson changed while it was read; wait until the copy") as refused:
            pipeline.run(tmp_path / "s.toml", out=tmp_path / "out", only="terrain")
    finally:
        done.set()
        copier.join()
    assert "\n" not in str(refused.value)
    assert pipeline.run(tmp_path / "s.toml", out=tmp_path / "out", only="terrain").outputs


@pytest.mark.parametrize(
    "products", [{}, {"crs": 5, "corners": None}, {"crs": None, "corners": {"array": ["|u1", [1 << 50], "="]}}]
)
def test_an_entry_that_does_not_fit_is_read_anew(products: dict[str, object], demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[inputs]\ndem = "dem.tif"\n', encoding="utf-8")
    shutil.copy(demo[0] / "rasters" / "dem.tif", tmp_path / "dem.tif")
    first = pipeline.run(tmp_path / "s.toml", out=tmp_path / "out", only="terrain")
    for name, forged in (("input-dem", products), ("terrain", {"slope": {"noun": ["Raster", {}]}, "other": 1})):
        entry = tmp_path / "out" / ".cache" / "entries" / f"{name}.json"
        store.write_hashed({**store.read_hashed(entry), "products": forged}, entry)
    second = pipeline.run(tmp_path / "s.toml", out=tmp_path / "out", only="terrain")
    assert statuses(second)["terrain"] == "done"
    assert hashes(second) == hashes(first)


def test_a_product_that_does_not_come_back_is_made_anew(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[inputs]\ndem = "dem.tif"\n', encoding="utf-8")
    shutil.copy(demo[0] / "rasters" / "dem.tif", tmp_path / "dem.tif")
    first = pipeline.run(tmp_path / "s.toml", out=tmp_path / "out", only="terrain")
    entry = tmp_path / "out" / ".cache" / "entries" / "terrain.json"
    found = store.read_hashed(entry)
    store.write_hashed({**found, "products": {**found["products"], "slope": {"noun": ["Raster", {}]}}}, entry)
    assert hashes(pipeline.run(tmp_path / "s.toml", out=tmp_path / "out", only="terrain")) == hashes(first)


def test_the_data_behind_a_header_belong_to_the_input(tmp_path: Path) -> None:
    grid = {"height": 4, "width": 4, "count": 1, "dtype": "float32"}
    for driver, name, data in (("ERS", "e.ers", "e"), ("SAGA", "s.sdat", "s.sgrd"), ("RST", "r.rst", "r.rdc")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(tmp_path / name, "w", driver=driver, crs="EPSG:32648", **grid) as dataset:
                dataset.write(np.ones((1, 4, 4), np.float32))
        assert tmp_path / data in source.companions(tmp_path / name)
    (tmp_path / "sites.gpkg-journal").write_text("half", encoding="utf-8")
    assert source.companions(tmp_path / "sites.gpkg") == [tmp_path / "sites.gpkg-journal"]


def test_code_edited_under_a_running_process_is_shared_with_no_other(tmp_path: Path) -> None:
    began = time.time() - 100
    edited = tmp_path / "slope.py"
    edited.touch()
    assert code.edited_since(began, [edited])
    os.utime(edited, (began - 1, began - 1))
    assert not code.edited_since(began, [edited])
    os.utime(edited, (began + 10_000, began + 10_000))
    assert not code.edited_since(began, [edited])


def test_versions_name_the_libraries_beneath(demo: Demo) -> None:
    assert {"gdal", "proj", "geos", "code"} <= set(
        json.loads((demo[0] / "manifest.json").read_text(encoding="utf-8"))["versions"]
    )


def test_a_stage_that_warns_and_then_gives_up_is_heard(valley: Path, tmp_path: Path) -> None:
    run = state.Run(pipeline.read_scenario(valley), {}, tmp_path, False, lambda _: None, Results())

    def give_up() -> None:
        with state.collected("ground", run):
            warnings.warn("too few points", HazardGeoWarning, stacklevel=1)
            raise Skip("no ground")

    with pytest.raises(Skip):
        give_up()
    assert run.warnings == ["ground: too few points"]
