"""Where water goes, from files to files, is what the functions give in memory."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from geopandas.testing import assert_geodataframe_equal

from hazardgeo import io, pipeline, terrain
from hazardgeo.cli import group
from hazardgeo.errors import FormatError, InputError
from hazardgeo.raster import Raster
from hazardgeo.tiles import InProcess
from hazardgeo.tiles.points import grid_over


@pytest.fixture
def dem(tmp_path: Path) -> Path:
    rng = np.random.default_rng(4)
    grid = grid_over((500_000.5, 4_000_000.5, 500_059.5, 4_000_049.5), 1.0, 32648)
    values = np.cumsum(rng.normal(0, 1, grid.shape), axis=0).round(1).astype(np.float32) + 1800
    values[20:24, 30:40] = np.nan
    io.write_raster(Raster(values, grid, "dem", "m"), tmp_path / "dem.tif")
    return tmp_path / "dem.tif"


@pytest.fixture
def outlets(dem: Path, tmp_path: Path) -> Path:
    """The cell with the largest area, and one beside it, as WGS 84."""
    area = terrain.flow_accumulation(io.read_raster(dem))
    row, col = np.unravel_index(int(np.nanargmax(area.values)), area.values.shape)
    east, north = area.grid.centres()
    points = geopandas.points_from_xy([east[col], east[(col + 9) % 50]], [north[row], north[25]])
    frame = geopandas.GeoDataFrame({"name": ["a", "b"]}, geometry=points, crs=area.grid.crs)
    io.write_vectors({"outlets": frame.to_crs(4326)}, tmp_path / "outlets.gpkg")
    return tmp_path / "outlets.gpkg"


def ran(*words: object) -> str:
    done = CliRunner().invoke(group, ["terrain", *map(str, words), "--jobs", "1"])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_flow_writes_all_of_it_as_the_functions_give_it(dem: Path, tmp_path: Path) -> None:
    said = ran("flow", dem, "--out", tmp_path / "water", "--routing", "dinf")
    whole = io.read_raster(dem)
    for name, expected in (
        ("filled", terrain.fill(whole)),
        ("flow_direction", terrain.flow_direction(whole)),
        ("flow_accumulation", terrain.flow_accumulation(whole, routing="dinf")),
        ("wetness", terrain.wetness(whole, routing="dinf")),
        ("inflow_unknown", terrain.inflow_unknown(whole, routing="dinf")),
    ):
        io.write_raster(expected, tmp_path / "whole.tif")
        assert (tmp_path / "water" / f"{name}.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes(), name
        assert f"{name}.tif" in said
    assert sorted(p.suffix for p in (tmp_path / "water").iterdir()) == [".tif"] * 5


def test_wetness_and_heights_above_drainage_are_written_whole(dem: Path, tmp_path: Path) -> None:
    whole = io.read_raster(dem)
    ran("wetness", dem, "--out", tmp_path / "made.tif", "--scale-m", 5)
    io.write_raster(terrain.wetness(whole, scale_m=5.0), tmp_path / "whole.tif")
    assert (tmp_path / "made.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    ran("hand", dem, "--out", tmp_path / "made.tif", "--min-area-m2", 40)
    io.write_raster(terrain.height_above_drainage(whole, min_area_m2=40.0), tmp_path / "whole.tif")
    assert (tmp_path / "made.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    mask = whole.like(terrain.flow_accumulation(whole).values >= 40, "streams", "1")
    io.write_raster(mask, tmp_path / "mask.tif")
    ran("hand", dem, "--out", tmp_path / "made.tif", "--streams", tmp_path / "mask.tif")
    io.write_raster(terrain.height_above_drainage(whole, streams=mask), tmp_path / "whole.tif")
    assert (tmp_path / "made.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


def test_streams_catchments_and_longest_ways_are_written(dem: Path, outlets: Path, tmp_path: Path) -> None:
    whole = io.read_raster(dem)
    points = io.read_vector(outlets, crs=whole.grid.crs)
    ran("streams", dem, "--out", tmp_path / "streams.gpkg", "--min-area-m2", 30)
    lines = terrain.streams(whole, min_area_m2=30.0)
    assert_geodataframe_equal(io.read_vector(tmp_path / "streams.gpkg"), lines, check_dtype=False, check_crs=False)
    ran("catchment", dem, "--outlets", outlets, "--out", tmp_path / "made.tif", "--snap-m", 2)
    found = io.read_raster(tmp_path / "made.tif")
    np.testing.assert_array_equal(found.values, terrain.catchment(whole, points, snap_m=2.0).values)
    ran("longest-flow-path", dem, "--outlets", outlets, "--out", tmp_path / "paths.gpkg")
    found = geopandas.read_file(tmp_path / "paths.gpkg")
    assert found.length_m.tolist() == terrain.longest_flow_path(whole, points).length_m.tolist()
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_creation_options_make_a_plain_geotiff_with_the_same_values(dem: Path, tmp_path: Path) -> None:
    ran("slope", dem, "--out", tmp_path / "tiled.tif", "--co", "COMPRESS=ZSTD", "--co", "BLOCKXSIZE=256")
    pipeline.slope(dem, out=tmp_path / "whole.tif", creation={"compress": "ZSTD", "BLOCKXSIZE": "256"})
    pipeline.slope(dem, out=tmp_path / "cog.tif", executor=InProcess())
    expected = io.read_raster(tmp_path / "cog.tif")
    for name in ("tiled.tif", "whole.tif"):
        found = io.read_raster(tmp_path / name)
        assert found.values.tobytes() == expected.values.tobytes()
        assert (found.name, found.unit, found.tags) == (expected.name, expected.unit, expected.tags)
        with rasterio.open(tmp_path / name) as dataset:
            assert dataset.profile["compress"] == "zstd"
            assert dataset.profile["blockxsize"] == 256
            assert dataset.overviews(1) == []


def test_creation_options_and_files_that_make_no_sense_are_refused_before_the_work(dem: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="COMPRES is no creation option"):
        pipeline.slope(dem, out=tmp_path / "made.tif", creation={"COMPRES": "LZW"})
    done = CliRunner().invoke(group, ["terrain", "slope", str(dem), "--out", str(tmp_path / "made.tif"), "--co", "LZW"])
    assert done.exit_code == 2
    with pytest.raises(FormatError, match=r"\.gpkg"):
        pipeline.streams(dem, out=tmp_path / "streams.tif", min_area_m2=40.0)
    assert [p.name for p in tmp_path.iterdir()] == ["dem.tif"]
