from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hazardgeo import io, pipeline, scan
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import CrsError, InputError
from hazardgeo.io.cloud import tiled
from hazardgeo.tiles import Pool


def hillside(seed: int, *, count: int = 4000) -> PointCloud:
    """A hillside with a house, a void, low noise and withheld points."""
    rng = np.random.default_rng(seed)
    stray = np.column_stack([rng.uniform(500_000, 500_100, 4), rng.uniform(4_000_000, 4_000_080, 4), rng.uniform(1700, 2000, 4)])
    x, y = rng.uniform(0, 70, count), rng.uniform(0, 50, count)
    z = 1800 + 0.2 * x + rng.normal(0, 0.05, count)
    z += np.where((x > 20) & (x < 34) & (y > 12) & (y < 24), 6.0, 0.0)
    z[rng.integers(0, count, 5)] -= 30
    keep = np.hypot(x - 50, y - 30) > 6
    cloud = PointCloud(np.round(np.column_stack([x + 500_000.5, y + 4_000_000.25, z]), 3)[keep], 32648)
    cloud = PointCloud(np.vstack([cloud.xyz, np.round(stray, 3)]), 32648)  # noise widens the bounds
    codes = np.where(np.arange(len(cloud)) < len(cloud) - 4, 0, 18).astype(np.uint8)
    return cloud.with_attribute("withheld", rng.random(len(cloud)) < 0.01).with_attribute("classification", codes)


def sorted_points(cloud: PointCloud) -> Any:
    steps = np.column_stack([np.round(cloud.xyz * 1000).astype(np.int64), cloud.attributes["classification"]])
    return steps[np.lexsort(steps.T)]


@settings(deadline=None, max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 999), tile_cells=st.integers(16, 90), cell_m=st.sampled_from([0.7, 1.0, 2.0]))
def test_the_ground_by_tiles_is_that_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, seed: int, tile_cells: int, cell_m: float
) -> None:
    monkeypatch.setattr(tiled, "RUN_POINTS", 1500)
    folder = tmp_path_factory.mktemp("ground")
    io.write_cloud(hillside(seed), folder / "in.laz")
    cloud = io.read_cloud(folder / "in.laz")
    sinks = scan.GroundSinks(
        io.CloudParts(folder / "ground.las"), io.RasterParts(folder / "dtm.tif"), io.RasterParts(folder / "dsm.tif")
    )
    with io.cloud_source(folder / "in.laz", work_folder=folder / "points") as source:
        options = {"cell_m": cell_m, "window_m": 8.0, "max_cover_m": 10.0}
        scan.ground_and_surfaces(source, sinks, work_folder=folder / "work", tile_cells=tile_cells, **options)
    whole = scan.classify_ground(cloud, cell_m=cell_m, window_m=8.0)
    np.testing.assert_array_equal(sorted_points(io.read_cloud(folder / "ground.las")), sorted_points(whole))
    io.write_raster(scan.dtm(whole, cell_m=cell_m, max_cover_m=10.0), folder / "whole-dtm.tif")
    io.write_raster(scan.dsm(whole, cell_m=cell_m), folder / "whole-dsm.tif")
    assert (folder / "dtm.tif").read_bytes() == (folder / "whole-dtm.tif").read_bytes()
    assert (folder / "dsm.tif").read_bytes() == (folder / "whole-dsm.tif").read_bytes()
    assert not (folder / "work").exists()


def test_a_real_scan_by_tiles_on_two_processes(tmp_path: Path, data_case: Any) -> None:
    path = data_case("lidr_als") / "Megaplot.laz"
    with Pool(2) as pool:
        made = pipeline.ground(path, out=tmp_path / "new" / "folder", executor=pool)
    whole = scan.classify_ground(io.read_cloud(path))
    dtm = scan.dtm(whole)
    found = io.read_raster(made["dtm"])
    np.testing.assert_array_equal(found.values, dtm.values)
    assert found.tags == dtm.tags
    assert found.height == dtm.height
    assert found.name == "dtm"
    assert (
        np.bincount(io.read_cloud(made["cloud"]).attributes["classification"]) == np.bincount(whole.attributes["classification"])
    ).all()
    assert sorted(p.name for p in made["cloud"].parent.iterdir()) == ["dsm.tif", "dtm.tif", "ground.laz"]


@pytest.mark.parametrize(("statistic", "wanted"), [("highest", 5.0), ("lowest", 1.0), ("mean", 3.0), ("count", 2.0)])
def test_a_cloud_becomes_a_raster_of_one_statistic(tmp_path: Path, statistic: str, wanted: float) -> None:
    xyz = np.array([[0.5, 0.5, 1.0], [0.6, 0.6, 5.0], [0.7, 0.7, 99.0], [2.5, 0.5, 2.0]])
    cloud = PointCloud(xyz + np.array([500_000, 4_000_000, 0]), 32648).with_attribute(
        "classification", np.array([2, 2, 7, 2], np.uint8)
    )
    io.write_cloud(cloud, tmp_path / "in.las")
    found = io.read_raster(pipeline.surface(tmp_path / "in.las", out=tmp_path / "out.tif", cell_m=1.0, statistic=statistic))
    np.testing.assert_array_equal(
        found.values, [[wanted, 0.0 if statistic == "count" else np.nan, 1.0 if statistic == "count" else 2.0]]
    )


def test_a_scan_without_a_usable_point_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    cloud = hillside(2)
    io.write_cloud(cloud.with_attribute("withheld", np.ones(len(cloud), bool)), tmp_path / "in.las")
    with pytest.raises(InputError, match="withheld or noise"):
        pipeline.ground(tmp_path / "in.las", out=tmp_path / "out")
    assert not [p for p in (tmp_path / "out").iterdir() if not p.name.startswith(".")]


def test_a_folder_of_scans_is_one_scan_and_its_files_are_never_written_over(tmp_path: Path) -> None:
    for k in (1, 2):
        io.write_cloud(hillside(k), tmp_path / f"ground_{k}.laz")
    made = pipeline.surface(tmp_path, out=tmp_path / "count.tif", statistic="count")
    counted = sum(
        int(((c := io.read_cloud(p)).attributes["classification"] != 18)[~c.attributes["withheld"]].sum())
        for p in tmp_path.glob("*.laz")
    )
    assert io.read_raster(made).values.sum() == counted
    (tmp_path / "ground_1.laz").rename(tmp_path / "ground.laz")
    with pytest.raises(InputError, match=r"ground\.laz would be written over"):
        pipeline.ground(tmp_path / "ground.laz", out=tmp_path)
    with pytest.raises(InputError, match=r"count\.tif would be written over"):
        pipeline.slope(made, out=tmp_path / "count.tif")


def test_what_cannot_be_gridded_is_refused(tmp_path: Path) -> None:
    io.write_cloud(hillside(1), tmp_path / "in.las")
    with pytest.raises(InputError, match="statistic='median' is none of"):
        pipeline.surface(tmp_path / "in.las", out=tmp_path / "out.tif", statistic="median")
    with pytest.raises(InputError, match="the cell size must be a positive number"):
        pipeline.surface(tmp_path / "in.las", out=tmp_path / "out.tif", cell_m=0.0)
    with pytest.raises(InputError, match="window_m"):
        pipeline.ground(tmp_path / "in.las", out=tmp_path / "out", window_m=-1.0)
    stray = PointCloud(np.vstack([hillside(1).xyz, [700_000.0, 4_500_000.0, 0.0]]), 32648)
    io.write_cloud(stray, tmp_path / "stray.las")
    with pytest.raises(InputError, match="drop stray points"):
        pipeline.surface(tmp_path / "stray.las", out=tmp_path / "out.tif")
    degrees = PointCloud(
        np.column_stack([hillside(1).xyz[:, 0] * 1e-4, hillside(1).xyz[:, 1] * 1e-5, hillside(1).xyz[:, 2]]), 4326
    )
    io.write_cloud(degrees, tmp_path / "degrees.las")
    with pytest.raises(CrsError, match="needs metres"):
        pipeline.surface(tmp_path / "degrees.las", out=tmp_path / "out.tif")
    assert not (tmp_path / "out.tif").exists()
