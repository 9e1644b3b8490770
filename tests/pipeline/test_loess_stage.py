"""Flow slides of loess on the whole line: how the layers come in, and that the planted source is never called low."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from hazardgeo import io, levels, pipeline
from hazardgeo.event import Earthquake, Shaking
from hazardgeo.grid import Grid
from hazardgeo.hazard import glim_codes
from hazardgeo.levels import Levels
from hazardgeo.pipeline import inputs
from hazardgeo.pipeline.skip import Skip
from hazardgeo.pipeline.stages.hazard import hazard, loess
from hazardgeo.pipeline.stages.report import not_assessed
from hazardgeo.raster import Raster, rasterize
from hazardgeo.scenario import InputFile, Scenario
from hazardgeo.synthetic.events import shakemap
from hazardgeo.synthetic.scene import Scene, scene

UTM48 = 32648
QUAKE = Earthquake(6.2, 102.8, 35.7, 10.0, datetime(2023, 12, 18, 16, tzinfo=UTC))


def shaken(s: Scene, folder: Path) -> Shaking:
    (folder / "grid.xml").write_text(shakemap.grid_xml(s.motion, 1), encoding="utf-8")
    return io.read_shakemap(folder / "grid.xml")


def tif(path: Path, value: float, unit: str = "") -> None:
    grid = Grid(Affine(30, 0, 300_000, 0, -30, 3_953_000), (10, 10), UTM48)
    io.write_raster(Raster(np.full(grid.shape, value, np.float32), grid, path.stem, unit), path)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_neither_the_planted_source_nor_ground_that_nobody_flew_is_ever_low(seed: int, tmp_path: Path) -> None:
    s = scene(seed, "small")
    seen = np.where(s.surveyed.values, s.after.values, np.float32(np.nan))
    dem = Raster(seen, s.after.grid, "dem", "m", s.after.height)
    slope = dem.like(np.zeros_like(seen), "slope", "deg")
    layers = {name: s.layers[name] for name in ("lithology", "saturation", "water_table")}
    found = loess(shaken(s, tmp_path), slope, dem, **layers)["loess_flow"]
    source = s.bodies[(s.bodies["kind"] == "flow slide") & (s.bodies["part"] == "source")]
    at_source = found.level.values[rasterize(source, s.after.grid).values]
    assert at_source.size > 1000
    assert not (at_source == levels.LOW).any()
    assert (at_source >= levels.HIGH).mean() > 0.9
    assert (found.level.values[~s.surveyed.values] == levels.NOT_ASSESSED).all()
    assert (found.level.values == levels.LOW).mean() > 0.1  # the rest of the valley is not all called wet

    for gone in layers:
        if gone != "lithology":
            less = loess(shaken(s, tmp_path), slope, dem, **{**layers, gone: None})["loess_flow"]
            assert not ((less.level.values == levels.LOW) & (found.level.values != levels.LOW)).any(), gone


def test_slopes_near_ground_that_nobody_saw_are_not_judged() -> None:
    grid = Grid(Affine(2, 0, 300_000, 0, -2, 3_953_000), (200, 200), UTM48)
    north = np.repeat(0.10 * 2 * np.arange(200)[::-1, None], 200, axis=1).astype(np.float32)  # rises by 5.7 degrees
    north[90:110, 90:110] = np.nan
    dem = Raster(north, grid, "dem", "m")
    pga = Raster(np.full(grid.shape, 0.3, np.float32), grid, "pga", "g")
    su = Raster(np.full(grid.shape, glim_codes()["su"], np.uint8), grid, "lithology", "class")
    shaking = Shaking(QUAKE, pga)
    dry = Raster(np.full(grid.shape, 0.1, np.float32), grid, "saturation", "1")
    deep = Raster(np.full(grid.shape, 50.0, np.float32), grid, "water_table", "m")
    found = loess(shaking, dem.like(north, "slope", "deg"), dem, su, dry, deep)["loess_flow"]
    low = found.level.values == levels.LOW
    assert low.mean() > 0.9
    assert not low[83:117, 83:117].any()  # 15 m around the hole, half of the 30 m on which the slope is taken


def test_a_hazard_that_was_not_computed_is_not_assessed_and_one_left_out_is_said() -> None:
    grid = Grid(Affine(2, 0, 300_000, 0, -2, 3_953_000), (4, 4), UTM48)
    dem = Raster(np.zeros(grid.shape, np.float32), grid, "dem", "m")
    found: dict[str, Levels] = hazard(None, dem)["levels"]
    assert (found["loess flow slide"].shown.values == 10).all()
    without = hazard(None, dem, loess_flow_slide="not considered")["levels"]
    assert "loess flow slide" not in without
    assert "loess flow slide: left out by the scenario" in not_assessed({"levels": without})


def test_coefficients_and_shaking_without_pga_cannot_say_where_loess_flows() -> None:
    grid = Grid(Affine(2, 0, 300_000, 0, -2, 3_953_000), (4, 4), UTM48)
    slope = Raster(np.full(grid.shape, 5.0, np.float32), grid, "slope", "deg")
    pga = slope.like(slope.values / 20, "pga", "g")
    shaking = Shaking(QUAKE, pga)
    with pytest.raises(Skip, match="lithology as classes"):
        loess(shaking, slope, lithology=slope.like(slope.values, "lithology", "logit"))
    with pytest.raises(Skip, match="PGA"):
        loess(Shaking(QUAKE, mmi=pga.like(pga.values + 7, "mmi", "1")), slope)


@pytest.mark.parametrize("name", ["saturation.tif", "soil_saturation_2023.tif", "冬灌饱和度.tif"])
def test_a_layer_of_saturation_is_recognised_by_its_name(name: str, tmp_path: Path) -> None:
    tif(tmp_path / name, 0.9)
    tif(tmp_path / "dem.tif", 1900.0, "m")
    document: dict[str, Any] = tomllib.loads(pipeline.propose(tmp_path).toml)
    assert document["inputs"]["saturation"] == name


def test_saturation_in_percent_is_converted_where_that_is_said(tmp_path: Path) -> None:
    tif(tmp_path / "saturation.tif", 85.0)
    file = InputFile("saturation", tmp_path / "saturation.tif", {"unit": "%"})
    found = inputs.load(Scenario("t", {"saturation": file}, {}, tmp_path), "saturation", "EPSG:32648")
    assert (found.unit, float(found.values[0, 0])) == ("1", pytest.approx(0.85))
