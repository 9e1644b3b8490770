from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hazardgeo import tiles
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError, TileError
from hazardgeo.grid import Grid
from hazardgeo.io import CloudParts, RasterParts, cloud_source, read_cloud, read_raster, write_cloud, write_raster
from hazardgeo.io.cloud import tiled
from hazardgeo.raster import Raster
from hazardgeo.tiles import Pool
from hazardgeo.tiles.points import cells_of, grid_over, within

RNG = np.random.default_rng(11)


def a_cloud(count: int = 3000, crs: int = 32648) -> PointCloud:
    """Points in no order, some exactly on the edges of cells."""
    xyz = np.column_stack(
        [RNG.uniform(500_003, 500_040, count), RNG.uniform(3_999_950, 4_000_020, count), RNG.normal(1800, 5, count)]
    )
    xyz[::5, :2] = np.round(xyz[::5, :2])
    attributes = {"classification": RNG.integers(1, 4, count).astype(np.uint8), "change_m": np.float32(xyz[:, 2])}
    return PointCloud(np.round(xyz, 3), crs, attributes)


def highest(cloud: PointCloud, grid: Grid) -> Raster:
    """An oracle without any code of ours: the highest point of each cell."""
    values = np.full(grid.shape, np.nan, np.float32)
    rows, cols = cells_of(cloud.xyz, grid)
    for row, col, z in zip(rows, cols, cloud.xyz[:, 2], strict=True):
        values[row, col] = np.nanmax([values[row, col], np.float32(z)])
    return Raster(values, grid, "dsm", "m")


def counts(cloud: PointCloud, grid: Grid) -> Raster:
    rows, cols = cells_of(cloud.xyz, grid)
    return Raster(np.histogram2d(rows, cols, bins=grid.shape, range=[[0, grid.shape[0]], [0, grid.shape[1]]])[0], grid, "count")


def raised(cloud: PointCloud) -> PointCloud:
    return PointCloud(cloud.xyz + np.array([0, 0, 100.0]), cloud.crs, cloud.attributes, cloud.height)


def in_order(cloud: PointCloud) -> Any:
    return cloud.select(np.lexsort(cloud.xyz.T[::-1]))


@pytest.fixture
def small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled, "RUN_POINTS", 700)
    monkeypatch.setattr(tiled, "_SQUARE_POINTS", 50)


@settings(deadline=None, max_examples=25)
@given(
    cell=st.sampled_from([0.1, 0.3, 0.5, 1.0, 7.0, 30.0]),
    x=st.integers(-10_000_000, 10_000_000),
    y=st.integers(-10_000_000, 10_000_000),
    cut=st.integers(1, 8),
)
def test_a_point_lies_in_one_cell_whatever_block_is_asked(cell: float, x: int, y: int, cut: int) -> None:
    east, north = np.meshgrid(x / 100 + np.arange(6) * 0.15, y / 100 + np.arange(6) * 0.15)
    xyz = np.column_stack([east.ravel(), north.ravel(), np.zeros(36)])
    cloud = PointCloud(xyz, 32648)
    grid = grid_over(cloud.bounds, cell, 32648)
    rows, cols = cells_of(xyz, grid)
    assert rows.min() >= 0 <= cols.min()
    assert rows.max() < grid.shape[0]
    assert cols.max() < grid.shape[1]
    blocks = [
        grid.window(slice(r, r + cut), slice(c, c + cut))
        for r in range(0, grid.shape[0], cut)
        for c in range(0, grid.shape[1], cut)
    ][:400]
    if len(blocks) < 400:
        assert sum(len(within(cloud, block)) for block in blocks) == 36


def test_a_point_on_an_edge_lies_in_the_cell_to_the_south_east() -> None:
    grid = grid_over((0.0, 0.0, 3.0, 3.0), 1.0, 32648)
    assert grid.shape == (4, 4)
    assert grid.bounds == (0.0, -1.0, 4.0, 3.0)
    rows, cols = cells_of(np.array([[0.0, 3.0, 0], [3.0, 0.0, 0], [2.999, 0.001, 0]]), grid)
    np.testing.assert_array_equal(rows, [0, 3, 2])
    np.testing.assert_array_equal(cols, [0, 3, 2])


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(2) as pool:
        yield pool


@pytest.mark.usefixtures("small_runs")
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tile_cells=st.integers(3, 90), jobs=st.sampled_from([1, 1, 2]))
def test_gridding_by_tiles_equals_gridding_the_whole(
    tmp_path_factory: pytest.TempPathFactory, pool: Pool, tile_cells: int, jobs: int
) -> None:
    folder = tmp_path_factory.mktemp("cloud")
    write_cloud(a_cloud(), folder / "in.laz")
    cloud = read_cloud(folder / "in.laz")
    executor = pool if jobs == 2 else None
    with cloud_source(folder / "in.laz", work_folder=folder / "work", executor=executor) as source:
        assert source.points == len(cloud)
        assert source.bounds == cloud.bounds
        grid = grid_over(source.bounds, 1.0, source.crs)
        tiles.map(highest, {"cloud": source}, RasterParts(folder / "out.tif"), grid=grid, tile_cells=tile_cells)
    assert not (folder / "work").exists()
    np.testing.assert_array_equal(read_raster(folder / "out.tif").values, highest(cloud, grid).values)


@pytest.mark.usefixtures("small_runs")
def test_every_point_comes_once_with_its_attributes_in_a_cloud_by_tiles(tmp_path: Path) -> None:
    write_cloud(a_cloud(), tmp_path / "in.laz")
    cloud = read_cloud(tmp_path / "in.laz")
    with cloud_source(tmp_path / "in.laz", work_folder=tmp_path / "work") as source:
        grid = grid_over(source.bounds, 1.0, source.crs)
        tiles.map(raised, {"cloud": source}, CloudParts(tmp_path / "out.laz"), grid=grid, tile_cells=16, halo=2, executor=Pool(2))
    found, wanted = in_order(read_cloud(tmp_path / "out.laz")), in_order(raised(cloud))
    np.testing.assert_allclose(found.xyz, wanted.xyz, atol=1e-9)
    assert set(found.attributes) == set(wanted.attributes)
    for name, values in wanted.attributes.items():
        np.testing.assert_array_equal(found.attributes[name], values)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.laz", "out.laz"]


@pytest.mark.usefixtures("small_runs")
def test_the_points_of_a_cell_keep_their_order(tmp_path: Path) -> None:
    cloud = a_cloud()
    write_cloud(cloud, tmp_path / "in.las")
    cloud = read_cloud(tmp_path / "in.las")
    with cloud_source(tmp_path / "in.las", work_folder=tmp_path / "work") as source:
        grid = grid_over(source.bounds, 8.0, source.crs)
        for row, col in [(0, 0), (3, 2), (8, 4)]:
            block = grid.window(slice(row, row + 1), slice(col, col + 1))
            np.testing.assert_array_equal(source.read(block).xyz, within(cloud, block).xyz)


@pytest.mark.usefixtures("small_runs")
def test_several_files_are_one_cloud(tmp_path: Path) -> None:
    parts = [a_cloud(900), a_cloud(800)]
    extra = parts[1].with_attribute("owner", np.ones(800, np.uint8))
    write_cloud(parts[0], tmp_path / "one.laz")
    write_cloud(extra, tmp_path / "two.las")
    paths = [tmp_path / "one.laz", tmp_path / "two.las"]
    with (
        pytest.warns(HazardGeoWarning, match="do not all have owner"),
        cloud_source(paths, work_folder=tmp_path / "work") as source,
    ):
        whole = source.read(grid_over(source.bounds, 100.0, source.crs))
    both = np.concatenate([read_cloud(tmp_path / "one.laz").xyz, read_cloud(tmp_path / "two.las").xyz])
    np.testing.assert_array_equal(whole.xyz[np.lexsort(whole.xyz.T)], both[np.lexsort(both.T)])


def test_files_in_two_systems_are_refused(tmp_path: Path) -> None:
    write_cloud(a_cloud(), tmp_path / "one.laz")
    write_cloud(a_cloud(crs=32649), tmp_path / "two.laz")
    paths = [tmp_path / "one.laz", tmp_path / "two.laz"]
    with (
        pytest.raises(CrsError, match=r"two\.laz is in EPSG:32649, one\.laz in EPSG:32648"),
        cloud_source(paths, work_folder=tmp_path / "work"),
    ):
        pass


@pytest.mark.usefixtures("small_runs")
def test_only_the_attributes_that_are_asked_for_are_kept(tmp_path: Path) -> None:
    write_cloud(a_cloud(), tmp_path / "in.laz")
    with cloud_source(tmp_path / "in.laz", work_folder=tmp_path / "work", attributes=["classification"]) as source:
        assert set(source.read(grid_over(source.bounds, 5.0, source.crs)).attributes) == {"classification"}


@pytest.mark.usefixtures("small_runs")
def test_sorting_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    write_cloud(a_cloud(), tmp_path / "in.laz")
    with pytest.raises(TileError, match="not today"), cloud_source(tmp_path / "in.laz", work_folder=tmp_path / "work"):
        raise TileError("not today")
    done: list[Any] = []
    with cloud_source(tmp_path / "in.laz", work_folder=tmp_path / "work", report=done.append) as source:
        assert source.points == 3000
    assert not done
    assert not (tmp_path / "work").exists()


def interrupted(folder: Path) -> PointCloud:
    """What a source gives in a block that ends with an error."""
    with contextlib.suppress(TileError), cloud_source(folder / "in.laz", work_folder=folder / "work") as source:
        found = source.read(grid_over(source.bounds, 100.0, source.crs))
        raise TileError("not today")
    return found


def test_a_file_that_changes_after_an_interruption_is_sorted_anew(tmp_path: Path) -> None:
    for height in (0.0, 10.0):
        write_cloud(PointCloud(a_cloud().xyz + np.array([0, 0, height]), 32648), tmp_path / "in.laz")
        assert abs(interrupted(tmp_path).xyz[:, 2].mean() - 1800 - height) < 1


def test_a_cut_file_is_refused_and_names_what_can_be_saved(tmp_path: Path, data_case: Any) -> None:
    path = data_case("formats") / "truncated_half_topography.laz"
    with (
        pytest.raises(FormatError, match="37,083 of 73,403 points are readable"),
        cloud_source(path, work_folder=tmp_path / "work", crs=26912),
    ):
        pass


def test_blocks_without_points_are_empty_clouds_with_all_attributes(tmp_path: Path) -> None:
    write_cloud(a_cloud(), tmp_path / "in.laz")
    with cloud_source(tmp_path / "in.laz", work_folder=tmp_path / "work") as source:
        nothing = source.read(grid_over((0.0, 0.0, 10.0, 10.0), 1.0, source.crs))
        assert len(nothing) == 0
        assert {"classification", "change_m"} <= set(nothing.attributes)


def test_a_copc_file_is_asked_directly(tmp_path: Path, data_case: Any) -> None:
    path = data_case("lasr_bcts") / "example.copc.laz"
    cloud = read_cloud(path)
    with cloud_source(path, work_folder=tmp_path / "work") as source:
        assert not (tmp_path / "work").exists()
        grid = grid_over(source.bounds, 1.0, source.crs)
        tiles.map(counts, {"cloud": source}, RasterParts(tmp_path / "out.tif"), grid=grid, tile_cells=32)
        nothing = source.read(grid_over((0.0, 0.0, 10.0, 10.0), 1.0, source.crs))
        assert len(nothing) == 0
        assert set(nothing.attributes) == set(cloud.attributes)
    assert read_raster(tmp_path / "out.tif").values.sum() == len(cloud)


def test_real_scans_by_tiles_give_the_bytes_of_the_whole(tmp_path: Path, data_case: Any) -> None:
    path = data_case("lidr_als") / "Topography.laz"
    with cloud_source(path, work_folder=tmp_path / "work", attributes=[]) as source:
        grid = grid_over(source.bounds, 1.0, source.crs)
        tiles.map(counts, {"cloud": source}, RasterParts(tmp_path / "tiles.tif"), grid=grid, tile_cells=64)
    write_raster(counts(read_cloud(path), grid), tmp_path / "whole.tif")
    assert (tmp_path / "tiles.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


def test_a_file_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    write_cloud(a_cloud(100), tmp_path / "in.laz")
    twice = [tmp_path / "in.laz", tmp_path / "." / "in.laz"]
    with pytest.raises(InputError, match="named twice"), cloud_source(twice, work_folder=tmp_path / "work"):
        pass


def test_what_the_same_call_would_refuse_again_leaves_nothing_behind(tmp_path: Path) -> None:
    write_cloud(a_cloud(100), tmp_path / "in.laz")
    with pytest.raises(InputError, match="no"), cloud_source(tmp_path / "in.laz", work_folder=tmp_path / "work"):
        raise InputError("no")
    assert [p.name for p in tmp_path.iterdir()] == ["in.laz"]


@pytest.mark.usefixtures("small_runs")
@pytest.mark.parametrize("cell", [0.7, 3.0, 11.0])
def test_means_add_up_in_the_order_of_the_file(tmp_path: Path, cell: float) -> None:
    write_cloud(a_cloud(), tmp_path / "in.laz")
    whole = read_cloud(tmp_path / "in.laz")
    with cloud_source(tmp_path / "in.laz", work_folder=tmp_path / "work") as source:
        grid = grid_over(source.bounds, cell, source.crs)
        for rows, cols in ((slice(0, 4), slice(0, 3)), (slice(1, 6), slice(1, 9))):
            block = grid.window(rows, cols)
            np.testing.assert_array_equal(source.read(block).xyz, within(whole, block).xyz)


def test_attributes_of_two_kinds_become_one_that_holds_both(tmp_path: Path) -> None:
    one, two = a_cloud(50), a_cloud(50)
    write_cloud(one.with_attribute("amp", np.arange(50, dtype=np.uint16)), tmp_path / "one.las")
    write_cloud(two.with_attribute("amp", np.linspace(0, 1, 50).astype(np.float32)), tmp_path / "two.las")
    with cloud_source([tmp_path / "one.las", tmp_path / "two.las"], work_folder=tmp_path / "work") as source:
        found = source.read(grid_over(source.bounds, 5.0, source.crs)).attributes["amp"]
        assert source.read(grid_over((0.0, 0.0, 1.0, 1.0), 1.0, source.crs)).attributes["amp"].dtype == found.dtype
    assert found.dtype == np.float32
    assert found.sum() == pytest.approx(np.arange(50).sum() + 25)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_bounds_that_lie_in_a_header_only_cost_time(tmp_path: Path, factor: float) -> None:
    write_cloud(a_cloud(), tmp_path / "in.las")
    data = bytearray((tmp_path / "in.las").read_bytes())
    east, west = np.frombuffer(data, "<f8", 2, 179)
    data[179:187] = np.float64(west + (east - west) * factor).tobytes()
    (tmp_path / "in.las").write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HazardGeoWarning)
        with cloud_source(tmp_path / "in.las", work_folder=tmp_path / "work") as source:
            assert len(source.read(grid_over(source.bounds, 5.0, source.crs))) == 3000
            assert len(np.load(tmp_path / "work" / "index.npy")) < 3000


@pytest.mark.usefixtures("small_runs")
def test_the_fullest_square_of_an_uneven_scan_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    angle, away = rng.uniform(0, 6.28, 4000), rng.exponential(4.0, 4000)
    xyz = np.column_stack([500_000 + away * np.cos(angle), 4_000_000 + away * np.sin(angle), np.zeros(4000)])
    write_cloud(PointCloud(xyz, 32648), tmp_path / "in.las")
    cloud = read_cloud(tmp_path / "in.las")
    with cloud_source(tmp_path / "in.las", work_folder=tmp_path / "work") as source:
        grid = grid_over(source.bounds, 8.0, source.crs)
        most = highest_count(cloud, grid)
        assert most / 3 < source.fullest(8.0) < 3 * most


def highest_count(cloud: PointCloud, grid: Grid) -> float:
    return float(counts(cloud, grid).values.max())


def test_a_copc_file_that_changes_has_another_key(tmp_path: Path, data_case: Any) -> None:
    path = tmp_path / "in.copc.laz"
    path.write_bytes((data_case("lasr_bcts") / "example.copc.laz").read_bytes())
    with cloud_source(path, work_folder=tmp_path / "work") as source:
        before = source.key
        os.utime(path, (1, 1))
        assert source.key != before
