from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from click.testing import CliRunner

from hazardgeo import cli, io, pipeline, scan
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import GridMismatchError, InputError
from hazardgeo.grid import Grid
from hazardgeo.io.cloud import tiled
from hazardgeo.raster import Raster
from hazardgeo.tiles import Framed

STATISTICS = {
    "density": lambda c: scan.density(c, cell_m=1.5),
    "intensity": lambda c: scan.intensity(c, cell_m=1.5),
    "roughness": lambda c: scan.roughness(c, cell_m=1.5),
    "highest": lambda c: scan.dsm(c, cell_m=1.5),
}


@pytest.fixture(autouse=True)
def several_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled, "RUN_POINTS", 1500)


def hillside(seed: int, *, count: int = 6000) -> PointCloud:
    """A hillside with a house, a void, a clump of low points, doubles, strays, withheld points, overlap and known noise."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 90, count), rng.uniform(0, 70, count)
    z = 1800 + 0.2 * x + rng.normal(0, 0.05, count)
    z += np.where((x > 20) & (x < 34) & (y > 12) & (y < 24), 6.0, 0.0)
    keep = np.hypot(x - 50, y - 30) > 7
    ground = np.column_stack([x, y, z])[keep]
    strays = np.column_stack([rng.uniform(-60, 150, 12), rng.uniform(-60, 130, 12), rng.uniform(1700, 1950, 12)])
    clumps = np.array([[62, 50, 1801.0], [31, 60, 1797.0]]).repeat(5, axis=0) + rng.uniform(-0.6, 0.6, (10, 3))
    xyz = np.vstack([ground, strays, clumps, ground[:20]])
    xyz = np.round(xyz + np.array([500_000.5, 4_000_000.25, 0]), 3)[rng.permutation(len(xyz))]
    codes = np.where(rng.random(len(xyz)) < 0.01, 18, 1).astype(np.uint8)
    flags = {name: rng.random(len(xyz)) < share for name, share in (("withheld", 0.01), ("overlap", 0.1))}
    returns = {
        "return_number": rng.integers(1, 3, len(xyz)).astype(np.uint8),
        "number_of_returns": np.full(len(xyz), 2, np.uint8),
    }
    strength = {"intensity": rng.integers(0, 4000, len(xyz)).astype(np.uint16)}
    return PointCloud(xyz, 32648, {"classification": codes, **flags, **returns, **strength})


@pytest.fixture
def scanned(tmp_path: Path) -> tuple[Path, PointCloud]:
    """A file, and the cloud in it."""
    io.write_cloud(hillside(7), tmp_path / "in.laz")
    return tmp_path / "in.laz", io.read_cloud(tmp_path / "in.laz")


@pytest.fixture
def classified(tmp_path: Path) -> tuple[Path, PointCloud]:
    """The same, without strays and classified."""
    cloud = scan.classify_ground(scan.clean(hillside(7)).cloud, window_m=8.0)
    io.write_cloud(cloud, tmp_path / "ground.laz")
    return tmp_path / "ground.laz", io.read_cloud(tmp_path / "ground.laz")


def table(cloud: PointCloud) -> Any:
    """All that is said of the points, to the last bit, in an order of its own."""
    columns = [cloud.xyz.view(np.int64)]
    for name in sorted(cloud.attributes):
        values = np.asarray(cloud.attributes[name])
        columns.append(values.reshape(len(cloud), -1).astype(np.float64).view(np.int64))
    rows = np.column_stack(columns)
    return rows[np.lexsort(rows.T)]


def assert_bytes(found: Path, whole: Raster) -> None:
    io.write_raster(whole, found.with_name("whole.tif"))
    assert found.read_bytes() == found.with_name("whole.tif").read_bytes()


@pytest.mark.parametrize("statistic", list(STATISTICS))
def test_layers_by_tiles_are_those_of_the_whole(scanned: Any, tmp_path: Path, statistic: str) -> None:
    path, cloud = scanned
    with io.cloud_source(path, work_folder=tmp_path / "points") as source:
        sink = io.RasterParts(tmp_path / "out.tif")
        scan.cell_statistic(source, sink, cell_m=1.5, statistic=statistic, tile_cells=19)
    np.testing.assert_array_equal(io.read_raster(tmp_path / "out.tif").values, STATISTICS[statistic](cloud).values)


@pytest.mark.parametrize("tile_cells", [3, 7, 64])
@pytest.mark.parametrize("noise", ["drop", "mark"])
def test_cleaning_by_tiles_is_cleaning_the_whole(scanned: Any, tmp_path: Path, noise: Any, tile_cells: int) -> None:
    path, cloud = scanned
    whole = scan.clean(cloud, noise=noise)
    assert whole.report.isolated > 3
    assert whole.report.low > 4
    with io.cloud_source(path, work_folder=tmp_path / "points") as source:
        sink, work = io.CloudParts(tmp_path / "out.las"), tmp_path / "work"
        report = scan.clean_of(source, sink, work_folder=work, noise=noise, tile_cells=tile_cells)
    assert report == whole.report
    io.write_cloud(whole.cloud, tmp_path / "whole.las")
    np.testing.assert_array_equal(table(io.read_cloud(tmp_path / "out.las")), table(io.read_cloud(tmp_path / "whole.las")))
    assert not work.exists()


@pytest.mark.parametrize("orient", ["up", (500_045.0, 4_000_035.0, 1830.0)])
def test_normals_by_tiles_are_those_of_the_whole(scanned: Any, tmp_path: Path, orient: Any) -> None:
    path, cloud = scanned
    with io.cloud_source(path, work_folder=tmp_path / "points") as source:
        scan.normals_of(source, io.CloudParts(tmp_path / "out.las"), radius_m=2.5, orient=orient, tile_cells=6)
    io.write_cloud(scan.with_normals(cloud, radius_m=2.5, orient=orient), tmp_path / "whole.las")
    whole = io.read_cloud(tmp_path / "whole.las")
    np.testing.assert_array_equal(whole.attributes["NormalZ"], scan.normals(cloud, radius_m=2.5, orient=orient).normal[:, 2])
    np.testing.assert_array_equal(table(io.read_cloud(tmp_path / "out.las")), table(whole))


def test_what_a_terrain_rests_on_by_tiles_is_that_of_the_whole(classified: Any, tmp_path: Path) -> None:
    path, cloud = classified
    names, options = ("count", "spread", "distance"), {"cell_m": 0.7, "max_distance_m": 6.0}
    sinks = scan.LayerSinks(*(io.RasterParts(tmp_path / f"{name}.tif") for name in names))
    with io.cloud_source(path, work_folder=tmp_path / "points") as source:
        scan.dtm_layers_of(source, sinks, work_folder=tmp_path / "work", tile_cells=31, **options)
    whole = scan.dtm_layers(cloud, **options)
    for name in names:
        assert_bytes(tmp_path / f"{name}.tif", getattr(whole, name))


@pytest.mark.parametrize("tile_cells", [32, 50])
def test_the_uncertainty_by_tiles_is_that_of_the_whole(classified: Any, tmp_path: Path, tile_cells: int) -> None:
    path, cloud = classified
    options = {"window_m": 6.0, "max_cover_m": 12.0}
    with io.cloud_source(path, work_folder=tmp_path / "points") as source:
        sink = io.RasterParts(tmp_path / "out.tif")
        scan.ground_uncertainty_of(source, sink, work_folder=tmp_path / "work", tile_cells=tile_cells, **options)
    assert_bytes(tmp_path / "out.tif", scan.ground_uncertainty(cloud, **options))


def test_heights_above_ground_by_tiles_are_those_of_the_whole(classified: Any, tmp_path: Path) -> None:
    path, cloud = classified
    dtm = scan.dtm(cloud).window(slice(5, 60), slice(3, 70))  # smaller than the cloud
    io.write_raster(dtm, tmp_path / "dtm.tif")
    with io.cloud_source(path, work_folder=tmp_path / "points") as source:
        ground = io.RasterFile(tmp_path / "dtm.tif", unit="m")
        scan.height_above_ground_of(source, ground, io.CloudParts(tmp_path / "out.las"), tile_cells=17)
    io.write_cloud(scan.height_above_ground(cloud, dtm), tmp_path / "whole.las")
    found = io.read_cloud(tmp_path / "out.las")
    assert 0.1 < np.isnan(found.attributes["height_above_ground_m"]).mean() < 0.9
    np.testing.assert_array_equal(table(found), table(io.read_cloud(tmp_path / "whole.las")))


def test_check_points_are_compared_without_reading_the_whole_terrain(make_raster: Any) -> None:
    values = np.random.default_rng(0).uniform(0, 9, (700, 600)).astype(np.float32)
    values[300:320] = np.nan
    dtm = make_raster(values)
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-20, 620, 90), rng.uniform(-20, 720, 90)
    x[:8], y[:8] = [0, 600, 0, 600, 256, 256, 255.5, 512], [0, 700, 700, 0, 444, 443.6, 444.4, 188]
    geometry = geopandas.points_from_xy(x + 500_000, y + 4_000_000 - 700, np.zeros(90))
    points = geopandas.GeoDataFrame(geometry=geometry, crs=32648)
    read: list[int] = []

    class Parts:
        grid, key = dtm.grid, "dtm"

        def read(self, block: Grid) -> Raster:
            read.append(block.shape[0] * block.shape[1])
            rows, cols = dtm.grid.window_of(block.bounds)
            return dtm.window(rows, cols)

    found, whole = scan.accuracy_of(Parts(), points), scan.accuracy(dtm, points)
    errors = [a.residuals["height_error_m"].to_numpy() for a in (found, whole)]
    np.testing.assert_array_equal(np.isnan(errors[0]), np.isnan(errors[1]))
    np.testing.assert_allclose(errors[0], errors[1], atol=1e-5)
    assert max(read) <= 258**2


def test_a_raster_in_a_frame_is_unknown_beyond_itself(make_raster: Any, make_grid: Any) -> None:
    inner = make_raster([[1, 2], [3, 4]])

    class Held:
        grid, key = inner.grid, "inner"

        def read(self, block: Grid) -> Raster:
            rows, cols = inner.grid.window_of(block.bounds)
            return inner.window(rows, cols)

    whole = Grid.from_bounds((499_999, 3_999_997, 500_003, 4_000_001), cell=1.0, crs=32648)
    nan = np.nan
    wanted = [[nan, nan, nan, nan], [nan, 1, 2, nan], [nan, 3, 4, nan], [nan, nan, nan, nan]]
    np.testing.assert_array_equal(Framed(Held(), whole).read(whole).values, wanted)
    np.testing.assert_array_equal(Framed(Held(), whole).read(whole.window(slice(0, 1), slice(0, 4))).values, [[nan] * 4])
    with pytest.raises(GridMismatchError, match="do not have the same cells"):
        Framed(Held(), whole).read(make_grid(2, 2, cell=2.0))


def test_the_commands_write_what_the_functions_give(tmp_path: Path) -> None:
    io.write_cloud(hillside(3), tmp_path / "in.laz")
    cloud = io.read_cloud(tmp_path / "in.laz")

    def ran(*words: str) -> str:
        found = CliRunner().invoke(cli.group, ["scan", *words, "--jobs", "1"], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return found.output

    said = ran("clean", str(tmp_path / "in.laz"), "--out", str(tmp_path / "clean.laz"))
    whole = scan.clean(cloud)
    assert f"isolated {whole.report.isolated}, low {whole.report.low}" in said
    assert len(io.read_cloud(tmp_path / "clean.laz")) == len(whole.cloud)
    ran("normals", str(tmp_path / "in.laz"), "--out", str(tmp_path / "normals.laz"), "--radius-m", "2")
    assert "NormalX" in io.read_cloud(tmp_path / "normals.laz").attributes
    ran("ground", str(tmp_path / "clean.laz"), "--out", str(tmp_path / "made"))
    made = tmp_path / "made"
    ran("layers", str(made / "ground.laz"), "--out", str(made))
    ground = io.read_cloud(made / "ground.laz")
    found = io.read_raster(made / "ground_uncertainty.tif")
    np.testing.assert_array_equal(found.values, scan.ground_uncertainty(ground).values)
    ran("above", str(made / "dsm.tif"), str(made / "dtm.tif"), "--out", str(made / "above.tif"))
    above = io.read_raster(made / "dsm.tif").values - io.read_raster(made / "dtm.tif").values
    np.testing.assert_array_equal(io.read_raster(made / "above.tif").values, above)
    ran("above", str(made / "ground.laz"), str(made / "dtm.tif"), "--out", str(made / "above.laz"))
    assert "height_above_ground_m" in io.read_cloud(made / "above.laz").attributes
    assert sorted(p.name for p in made.iterdir() if p.name.startswith(".")) == []


def test_options_and_clouds_that_make_no_sense_are_refused_before_the_work(scanned: Any, tmp_path: Path) -> None:
    path, _ = scanned
    with pytest.raises(InputError, match="radius_m must be a positive number"):
        pipeline.normals(path, out=tmp_path / "out.laz", radius_m=0.0)
    with pytest.raises(InputError, match="low_m of clean must be a positive number"):
        pipeline.clean(path, out=tmp_path / "out.laz", low_m=-1.0)
    with pytest.raises(InputError, match="max_distance_m must be a positive number"):
        pipeline.dtm_layers(path, out=tmp_path / "layers", max_distance_m=0.0)
    with pytest.raises(InputError, match="class 2"):
        pipeline.dtm_layers(path, out=tmp_path / "layers")
    assert not list((tmp_path / "layers").glob("*.tif"))
    with pytest.raises(InputError, match="would be written over"):
        pipeline.clean(path, out=path)
