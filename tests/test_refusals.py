"""One clear line with what, where and what to do; exit code 1; no partial file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine
from click.testing import CliRunner

from hazardgeo import cli, io, terrain
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, GridMismatchError, HeightError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

GRID = Grid(Affine(5, 0, 500_000, 0, -5, 4_000_000), (60, 60), 32648)
SHAKEMAP = """<shakemap_grid event_id="t" shakemap_event_type="SCENARIO">
<event magnitude="6.2" depth="10" lat="36.1" lon="105.0" event_timestamp="2023-12-18T15:59:30Z" event_description="test"/>
<grid_specification lon_min="104.9" lat_min="36.0" lon_max="105.1" lat_max="36.2" nlon="2" nlat="2"/>
<grid_field index="1" name="LON" units="dd"/><grid_field index="2" name="LAT" units="dd"/>
<grid_field index="3" name="PGA" units="pctg"/>{pgv}
<grid_data>
104.9 36.2 30 {v}
105.1 36.2 30 {v}
104.9 36.0 30 {v}
105.1 36.0 30 {v}
</grid_data></shakemap_grid>"""


def shakemap(path: Path, *, pgv: bool) -> Path:
    field = '<grid_field index="4" name="PGV" units="cms"/>' if pgv else ""
    path.write_text(SHAKEMAP.format(pgv=field, v="20" if pgv else ""), encoding="utf-8")
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a small dem, a ShakeMap, people, sites and roads."""
    folder = tmp_path / "survey"
    folder.mkdir()
    rows, cols = np.mgrid[:60, :60]
    dem = Raster((1800 + 2.0 * cols + 0.2 * rows).astype(np.float32), GRID, "dem", "m", Height("orthometric"))
    io.write_raster(dem, folder / "dem.tif")
    codes = {"lithology": 1, "land_cover": 140}
    for name, code in codes.items():
        io.write_raster(Raster(np.full(GRID.shape, code, np.uint8), GRID, name, "class"), folder / f"{name}.tif")
    shakemap(folder / "grid.xml", pgv=True)
    at = [shapely.Point(500_050, 3_999_900), shapely.Point(500_200, 3_999_800)]
    people = geopandas.GeoDataFrame({"people": [30, 40]}, geometry=at, crs=32648)
    sites = geopandas.GeoDataFrame({"name": ["hall"], "indoor_area_m2": [200.0]}, geometry=[at[1]], crs=32648)
    roads = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[shapely.LineString(at)], crs=32648)
    for name, shapes in (("people", people), ("sites", sites), ("roads", roads)):
        io.write_vectors({name: shapes}, folder / f"{name}.gpkg")
    return folder


def scenario(folder: Path, extra: str = "", **inputs: str) -> Path:
    entries = "".join(f'{name} = "{path}"\n' for name, path in inputs.items())
    path = folder / "scenario.toml"
    path.write_text(f'title = "test"\n[inputs]\n{entries}{extra}', encoding="utf-8")
    return path


def refused(path: Path, out: Path, *options: str) -> str:
    """The one line that the command line prints when it refuses, after checking that nothing half-made is left."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "hazardgeo", "run", str(path), "--out", str(out), *options]
    run = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert run.returncode == 1, run.stderr
    errors = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, run.stderr
    assert "Traceback" not in run.stderr
    left = [p.name for p in out.rglob("*") if p.is_file()] if out.is_dir() else []
    assert not [name for name in left if name.startswith(".") and name != ".resume.json"]
    assert not {"map.html", "manifest.json", "layers.gpkg"} & set(left)
    return errors[0]


def test_a_missing_file(place: Path, tmp_path: Path) -> None:
    line = refused(scenario(place, dem="no.tif"), tmp_path / "out")
    assert "no.tif" in line
    assert "correct the path" in line


def test_an_empty_file(place: Path, tmp_path: Path) -> None:
    (place / "empty.tif").touch()
    assert "empty" in refused(scenario(place, dem="empty.tif"), tmp_path / "out")


def test_a_scan_without_a_crs(place: Path, tmp_path: Path, data_case: Callable[[str], Path]) -> None:
    shutil.copy(data_case("formats") / "laspy" / "simple.laz", place / "scan.laz")
    line = refused(scenario(place, scan="scan.laz"), tmp_path / "out")
    assert "crs=" in line


def test_metres_needed_on_a_dem_in_degrees(place: Path, tmp_path: Path) -> None:
    grid = Grid(Affine(0.001, 0, 105, 0, -0.001, 36.1), (20, 20), 4326)
    io.write_raster(Raster(np.ones((20, 20), np.float32), grid, "dem", "m"), place / "degrees.tif")
    line = refused(scenario(place, dem="degrees.tif"), tmp_path / "out")
    assert "needs metres" in line
    assert "EPSG:32648" in line


def test_two_rasters_on_different_grids() -> None:
    one = Raster(np.ones(GRID.shape, np.float32), GRID, "a", "m")
    two = Raster(np.ones((60, 60), np.float32), Grid(GRID.transform * Affine.translation(0.5, 0), (60, 60), 32648), "b", "m")
    with pytest.raises(GridMismatchError, match=r"raster\.align"):
        one.require_same(two)


def test_two_height_references() -> None:
    one = Raster(np.ones(GRID.shape, np.float32), GRID, "a", "m", Height("ellipsoidal"))
    with pytest.raises(HeightError, match="with_height"):
        one.require_same(one.with_height(Height("orthometric")))


def test_a_shakemap_without_pgv(place: Path, tmp_path: Path) -> None:
    shakemap(place / "grid.xml", pgv=False)
    layers = {"dem": "dem.tif", "shakemap": "grid.xml", "lithology": "lithology.tif", "land_cover": "land_cover.tif"}
    line = refused(scenario(place, **layers), tmp_path / "out")
    assert "needs PGV" in line


def test_shelters_without_a_capacity_column(place: Path, tmp_path: Path) -> None:
    sites = geopandas.GeoDataFrame({"name": ["hall"]}, geometry=[shapely.Point(500_200, 3_999_800)], crs=32648)
    io.write_vectors({"sites": sites}, place / "sites.gpkg")
    layers = {"dem": "dem.tif", "shakemap": "grid.xml", "people": "people.gpkg", "roads": "roads.gpkg", "sites": "sites.gpkg"}
    line = refused(scenario(place, **layers), tmp_path / "out")
    assert "indoor_area_m2" in line


def test_a_misspelt_key(place: Path, tmp_path: Path) -> None:
    line = refused(scenario(place, "[terain]\nslope_scale_m = 5\n", dem="dem.tif"), tmp_path / "out")
    assert "'terain'; did you mean 'terrain'" in line


def test_a_negative_cell_size(place: Path, tmp_path: Path) -> None:
    line = refused(scenario(place, "[ground]\ncell_m = -1.0\n", dem="dem.tif"), tmp_path / "out")
    assert "[ground] cell_m = -1.0" in line
    assert "greater than 0" in line


def test_an_output_folder_that_cannot_be_written(place: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    line = refused(scenario(place, dem="dem.tif"), tmp_path / "file" / "out")
    assert "--out" in line


def test_a_wrong_option_is_a_usage_error() -> None:
    found = CliRunner().invoke(cli.group, ["run", "--no-such-option"])
    assert found.exit_code == 2


def test_degrees_are_refused_in_the_library_with_the_call_that_helps() -> None:
    grid = Grid(Affine(0.001, 0, 105, 0, -0.001, 36.1), (5, 5), 4326)
    with pytest.raises(CrsError, match=r"raster\.align"):
        terrain.slope(Raster(np.ones((5, 5), np.float32), grid, "dem", "m"))


def test_check_lists_all_that_is_wrong_without_running(place: Path) -> None:
    sites = geopandas.GeoDataFrame({"name": ["hall"]}, geometry=[shapely.Point(900_000, 3_999_800)], crs=32648)
    io.write_vectors({"sites": sites}, place / "sites.gpkg")
    path = scenario(place, "[shelter]\nlimit_mn = 3\n", dem="dem.tif", people="none.gpkg", sites="sites.gpkg")
    found = CliRunner().invoke(cli.group, ["check", str(path)], standalone_mode=False)
    assert found.return_value == 1
    assert [word in found.output for word in ("limit_mn", "none.gpkg", "gives no capacity", "km away")] == [True] * 4
    assert found.output.splitlines()[-1] == "4 problem(s)"


def test_new_writes_a_scenario_that_checks_and_runs(place: Path, tmp_path: Path) -> None:
    made = CliRunner().invoke(cli.group, ["new", str(place)], standalone_mode=False)
    assert made.exception is None, made.output
    checked = CliRunner().invoke(cli.group, ["check", str(place / "scenario.toml")], standalone_mode=False)
    assert checked.return_value == 0, checked.output
    run = CliRunner().invoke(
        cli.group, ["run", str(place / "scenario.toml"), "--out", str(tmp_path / "o")], standalone_mode=False
    )
    assert run.exception is None, run.exception
    assert (tmp_path / "o" / "map.html").stat().st_size > 100_000


def test_new_keeps_a_scenario_that_is_there(place: Path) -> None:
    scenario(place, dem="dem.tif")
    found = CliRunner().invoke(cli.group, ["new", str(place)], standalone_mode=False)
    assert "is there already" in str(found.exception)
