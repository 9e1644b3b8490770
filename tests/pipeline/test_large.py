"""Single steps on files of any size give what their functions give in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hazardgeo import io, pipeline, terrain
from hazardgeo.cli import group
from hazardgeo.errors import FormatError, InputError
from hazardgeo.raster import Raster
from hazardgeo.tiles.points import grid_over

Step = Callable[..., Path]


@pytest.fixture
def dem(tmp_path: Path) -> Path:
    rng = np.random.default_rng(4)
    grid = grid_over((500_000.5, 4_000_000.5, 500_089.5, 4_000_069.5), 1.0, 32648)
    values = np.cumsum(rng.normal(0, 1, grid.shape), axis=0).round(1).astype(np.float32) + 1800
    values[20:24, 30:40] = np.nan
    io.write_raster(Raster(values, grid, "dem", "m"), tmp_path / "dem.tif")
    return tmp_path / "dem.tif"


@pytest.mark.parametrize(
    ("step", "whole"),
    [
        (pipeline.slope, terrain.slope),
        (pipeline.aspect, terrain.aspect),
        (pipeline.hillshade, terrain.hillshade),
        (pipeline.fill, terrain.fill),
        (pipeline.flow_direction, terrain.flow_direction),
    ],
)
def test_a_step_on_a_file_gives_the_bytes_of_the_function(
    step: Step, whole: Callable[..., Raster], dem: Path, tmp_path: Path
) -> None:
    made = step(dem, out=tmp_path / "new" / "made.tif")
    io.write_raster(whole(io.read_raster(dem)), tmp_path / "whole.tif")
    assert made.read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert [p.name for p in made.parent.iterdir()] == ["made.tif"]


def test_directions_lead_to_the_accumulation(dem: Path, tmp_path: Path) -> None:
    directions = pipeline.flow_direction(dem, out=tmp_path / "directions.tif")
    made = io.read_raster(pipeline.flow_accumulation(directions, out=tmp_path / "area.tif"))
    np.testing.assert_array_equal(made.values, terrain.flow_accumulation(io.read_raster(dem)).values)


def test_a_command_names_what_it_has_written(dem: Path, tmp_path: Path) -> None:
    out = tmp_path / "slope.tif"
    done = CliRunner().invoke(group, ["terrain", "slope", str(dem), "--out", str(out), "--jobs", "1"])
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{out}\n"
    np.testing.assert_array_equal(io.read_raster(out).values, terrain.slope(io.read_raster(dem)).values)


@pytest.mark.parametrize(
    ("command", "function", "options"),
    [
        ("slope --scale-m 7 --method zevenbergen_thorne", terrain.slope, {"scale_m": 7.0, "method": "zevenbergen_thorne"}),
        ("gradient", terrain.gradient, {}),
        ("aspect --scale-m 3", terrain.aspect, {"scale_m": 3.0}),
        ("hillshade --azimuth-deg 225 --azimuth-deg 315", terrain.hillshade, {"azimuth_deg": (225.0, 315.0)}),
        ("curvature --kind gaussian --scale-m 5", terrain.curvature, {"kind": "gaussian", "scale_m": 5.0}),
        ("roughness --kind vrm --window-m 5", terrain.roughness, {"kind": "vrm", "window_m": 5.0}),
        ("relief --radius-m 4", terrain.relief, {"radius_m": 4.0}),
        ("tpi --radius-m 4", terrain.tpi, {"radius_m": 4.0}),
        ("tri", terrain.tri, {}),
        ("percentile --radius-m 4", terrain.percentile, {"radius_m": 4.0}),
        (
            "openness --kind negative --directions 8 --radius-m 4",
            terrain.openness,
            {"kind": "negative", "directions": 8, "radius_m": 4.0},
        ),
        ("sky-view --radius-m 4", terrain.sky_view, {"radius_m": 4.0}),
    ],
)
def test_each_shape_has_a_command_that_gives_the_bytes_of_its_function(
    command: str, function: Callable[..., Raster], options: dict[str, object], dem: Path, tmp_path: Path
) -> None:
    name, *given = command.split()
    done = CliRunner().invoke(group, ["terrain", name, str(dem), "--out", str(tmp_path / "made.tif"), "--jobs", "1", *given])
    assert done.exit_code == 0, done.output
    io.write_raster(function(io.read_raster(dem), **options), tmp_path / "whole.tif")
    assert (tmp_path / "made.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


def test_wrong_options_are_refused_before_the_work(dem: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^the curvature 'total' is unknown"):
        pipeline.shape(terrain.curvature, dem, out=tmp_path / "made.tif", options={"kind": "total"})
    with pytest.raises(InputError, match="'wetness' is no shape of the ground"):
        pipeline.shape(terrain.wetness, dem, out=tmp_path / "made.tif")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dem.tif"]


def test_what_a_step_cannot_read_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="does not exist"):
        pipeline.slope(tmp_path / "nothing.tif", out=tmp_path / "made.tif")
    grid = grid_over((500_000.5, 4_000_000.5, 500_009.5, 4_000_009.5), 1.0, 32648)
    io.write_raster(Raster(np.ones(grid.shape, np.float32), grid, "depth", "mm"), tmp_path / "depth.tif")
    with pytest.raises(InputError, match="'m' is needed"):
        pipeline.slope(tmp_path / "depth.tif", out=tmp_path / "made.tif")
    assert not (tmp_path / "made.tif").exists()
