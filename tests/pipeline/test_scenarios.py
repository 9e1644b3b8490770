"""The scenarios on real data, each to its map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from affine import Affine
from scipy.io import netcdf_file

from hazardgeo import io, pipeline, raster
from hazardgeo.grid import Grid
from hazardgeo.pipeline import Manifest
from hazardgeo.raster import Raster

SCENARIOS = Path(__file__).parents[2] / "data" / "scenarios"
Run = Callable[[str], tuple[Path, Manifest]]


@pytest.fixture(scope="session")
def run_scenario(tmp_path_factory: pytest.TempPathFactory) -> Run:
    done: dict[str, tuple[Path, Manifest]] = {}

    def run(name: str) -> tuple[Path, Manifest]:
        if name not in done:
            out = tmp_path_factory.mktemp(name)
            done[name] = out, pipeline.run(SCENARIOS / f"{name}.toml", out=out)
        return done[name]

    return run


def usgs_target(path: Path) -> Raster:
    """A stored map of the USGS: a GMT grid in netCDF-3 with rows from the south."""
    with netcdf_file(path, mmap=False) as source:
        x, y, z = (np.array(source.variables[name].data, float) for name in "xyz")
    dx, dy = (x[-1] - x[0]) / (len(x) - 1), (y[-1] - y[0]) / (len(y) - 1)
    grid = Grid(Affine(dx, 0, x[0] - dx / 2, 0, -dy, y[-1] + dy / 2), z.shape, 4326)
    return Raster(z[::-1].astype(np.float32), grid, path.stem, "1")


@pytest.mark.parametrize(
    ("target", "result"),
    [("jessee_2018.grd", "landslide_area_fraction"), ("zhu2015.grd", "liquefaction_area_fraction")],
)
def test_loma_prieta_agrees_with_the_usgs(target: str, result: str, run_scenario: Run, data_case: Callable[[str], Path]) -> None:
    theirs = usgs_target(data_case("lomaprieta_usgs") / "targets" / target)
    found = io.read_raster(run_scenario("loma-prieta")[0] / "rasters" / f"{result}.tif")
    ours = raster.align(found, to=theirs.grid, how="nearest")
    both = (ours.values > 0) & (theirs.values > 0)
    assert both.sum() > 0.9 * (theirs.values > 0).sum() > 1000
    assert np.corrcoef(ours.values[both], theirs.values[both])[0, 1] > 0.999


def test_a_real_scan_becomes_terrain(run_scenario: Run, data_case: Callable[[str], Path]) -> None:
    data_case("lidr_als")
    out, manifest = run_scenario("scan")
    assert {s.name for s in manifest.stages if s.status == "done"} == {"ground", "terrain", "webmap"}
    assert 700 < np.nanmedian(io.read_raster(out / "rasters" / "dem.tif").values) < 900


def test_andorra_has_a_gap_and_says_what_is_assumed(run_scenario: Run, data_case: Callable[[str], Path]) -> None:
    data_case("andorra")
    out, manifest = run_scenario("andorra")
    assert "Assumed" in manifest.notice
    people = geopandas.read_file(out / "layers.gpkg", layer="people")
    assert 0 < people["sheltered_people"].sum() < people["displaced_people"].sum() < people["people"].sum()
    assert "OpenStreetMap contributors" in (out / "map.html").read_text(encoding="utf-8")


@pytest.mark.browser
@pytest.mark.parametrize(("name", "case"), [("scan", "lidr_als"), ("andorra", "andorra"), ("loma-prieta", "lomaprieta_usgs")])
def test_its_map_opens_without_a_network(
    name: str, case: str, run_scenario: Run, data_case: Callable[[str], Path], open_page: Callable[..., Any]
) -> None:
    data_case(case)
    open_page(run_scenario(name)[0] / "map.html").require_quiet()
