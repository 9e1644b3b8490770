from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazardgeo import scan
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, GridMismatchError, HeightError, InputError
from hazardgeo.raster import Raster
from hazardgeo.scan.gridding import extent, gridded, numbers
from hazardgeo.scan.points import grid_of

ORIGIN = np.array([500_000.0, 4_000_000.0, 0.0])
PUBLIC = {
    "intensity": scan.intensity, "density": scan.density, "roughness": scan.roughness, "dtm_layers": scan.dtm_layers,
    "dsm": scan.dsm, "dtm": scan.dtm, "report": scan.report,
}  # fmt: skip


def cloud_of(xyz, crs=32648, height=None, **attributes):
    return PointCloud(np.asarray(xyz, float).reshape(-1, 3) + ORIGIN, crs, attributes, height or Height())


@given(seed=st.integers(0, 999), cell_m=st.sampled_from([0.7, 1.0, 3.0]), threads=st.sampled_from([1, 2]))
def test_cells_hold_the_extremes_and_means_of_their_points(seed, cell_m, threads):
    rng = np.random.default_rng(seed)
    cloud = cloud_of(np.round(rng.uniform(-9, 9, (200, 3)), 1))
    counts, grid = rng.random(200) < 0.8, grid_of(cloud, cell_m)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
        found = {how: gridded(cloud.xyz, cloud.xyz[:, 2], grid, how, counts) for how in ("lowest", "highest", "mean")}
        number = numbers(cloud.xyz, grid, counts)
    cells: dict[tuple[int, int], list[float]] = {}
    north, west = math.floor(-grid.transform.f / cell_m + 0.5), math.floor(grid.transform.c / cell_m + 0.5)
    for (x, y, z), counted in zip(cloud.xyz.tolist(), counts, strict=True):
        if counted:
            cells.setdefault((math.floor(-y / cell_m) - north, math.floor(x / cell_m) - west), []).append(z)
    for (row, col), n in np.ndenumerate(number):
        heights = cells.get((row, col), [])
        assert n == len(heights)
        if heights:
            wanted = min(heights), max(heights), sum(heights) / len(heights)
            assert tuple(found[how][row, col] for how in ("lowest", "highest", "mean")) == wanted
        else:
            assert all(np.isnan(found[how][row, col]) for how in found)


def test_the_extent_leaves_out_what_is_not_finite():
    xyz = np.array([[1.0, 2, 3], [np.nan, 9, 9], [4, -5, 6], [99, 99, np.inf]])
    assert extent(xyz) == ((1.0, -5.0, 4.0, 2.0), 2)


def test_height_above_ground_of_a_surface_is_the_difference(make_raster):
    dsm, dtm = make_raster([[5, 7, np.nan], [4, 3, 2]]), make_raster([[1, np.nan, 1], [5, 3, 0]])
    above = scan.height_above_ground(dsm, dtm)
    np.testing.assert_array_equal(above.values, [[4, np.nan, np.nan], [-1, 0, 2]])
    assert (above.name, above.unit, above.height) == ("height_above_ground", "m", None)


def test_height_above_ground_of_points_is_taken_from_the_ground_between_cells(make_raster):
    dtm = make_raster([[10, 20, np.nan]])  # centres at 0.5, 1.5 and 2.5 m east
    x = np.array([0.5, 1.0, 1.25, 2.0, -3.0])
    cloud = PointCloud(np.column_stack([500_000 + x, np.full(5, 3_999_999.5), np.full(5, 30.0)]), 32648)
    above = scan.height_above_ground(cloud, dtm)
    np.testing.assert_allclose(above.attributes["height_above_ground_m"], [20, 15, 12.5, np.nan, np.nan])
    assert "height_above_ground_m" not in cloud.attributes


def test_heights_that_do_not_meet_are_refused(make_raster):
    dtm = make_raster([[1.0]]).with_height(Height("ellipsoidal"))
    with pytest.raises(HeightError, match="different height references"):
        scan.height_above_ground(make_raster([[1.0]]).with_height(Height("orthometric")), dtm)
    with pytest.raises(HeightError, match="different height references"):
        scan.height_above_ground(cloud_of([0, 0, 0], height=Height("orthometric")), dtm)
    with pytest.raises(GridMismatchError):
        scan.height_above_ground(make_raster([[1.0, 2.0]]), dtm)
    with pytest.raises(CrsError, match="bring both into one CRS"):
        scan.height_above_ground(cloud_of([0, 0, 0], crs=32649), dtm)
    with pytest.raises(InputError, match="'m' is needed"):
        scan.height_above_ground(make_raster([[1.0]], unit="deg"), dtm)


def test_intensity_is_the_mean_of_a_cell():
    xyz = [(0.2, 0.2, 0), (0.8, 0.3, 0), (0.5, 0.5, 0), (2.5, 0.5, 0)]
    cloud = cloud_of(xyz, intensity=np.array([10, 65535, 9, 7], np.uint16), withheld=np.array([0, 0, 1, 0]))
    np.testing.assert_array_equal(scan.intensity(cloud).values, [[32772.5, np.nan, 7]])
    with pytest.raises(InputError, match="has no intensity, only coordinates"):
        scan.intensity(cloud_of(xyz))


def test_density_counts_returns_per_area_without_overlap_and_noise():
    number, total = np.array([1, 2, 1, 1, 0, 1, 1]), np.array([2, 2, 1, 1, 3, 1, 1])
    attributes = {
        "return_number": number.astype(np.uint8),
        "number_of_returns": total.astype(np.uint8),
        "overlap": np.array([0, 0, 0, 1, 0, 0, 0]),
        "classification": np.array([1, 2, 2, 2, 2, 18, 1], np.uint8),
    }
    cloud = cloud_of([(x, 0.5, 0) for x in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 4.5)], **attributes)
    wanted = {"last": [0.75, 0, 0.25], "first": [0.75, 0, 0.25], "all": [1, 0, 0.25]}
    for returns, per_m2 in wanted.items():
        np.testing.assert_array_equal(scan.density(cloud, cell_m=2.0, returns=returns).values, [per_m2])
    with pytest.raises(InputError, match="none of first, last, all"):
        scan.density(cloud, returns="second")


@given(seed=st.integers(0, 99), tilt=st.sampled_from([0.0, 0.5, 4.0]))
def test_roughness_is_the_scatter_about_the_plane_of_a_cell(seed, tilt):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 2, (300, 2))
    cloud = cloud_of(np.column_stack([xy, 1500 + tilt * xy[:, 0] + rng.normal(0, 0.1, 300)]))
    found = scan.roughness(cloud)
    rows, cols = np.floor(2 - xy[:, 1]).astype(int), np.floor(xy[:, 0]).astype(int)
    for row in range(2):
        for col in range(2):
            points = cloud.xyz[(rows == row) & (cols == col)]
            across = np.linalg.svd(points - points.mean(axis=0))[1][-1]
            assert found.values[row, col] == pytest.approx(across / math.sqrt(len(points) - 3), rel=1e-4)


def test_roughness_is_unknown_with_four_points_and_on_a_line():
    square = [(0.2, 0.2, 0), (0.8, 0.2, 0), (0.2, 0.8, 0), (0.8, 0.8, 0)]
    line = [(1.1 + 0.1 * k, 0.1 + 0.1 * k, 0.3 * k) for k in range(7)]
    flat = [(x + 2, y, 0) for x, y, _ in square] + [(2.5, 0.5, 0)]
    np.testing.assert_allclose(scan.roughness(cloud_of(square + line + flat)).values, [[np.nan, np.nan, 0]], atol=1e-6)


def test_what_a_dtm_rests_on():
    xyz = [(0.2, 0.5, 10), (0.8, 0.5, 14), (0.5, 0.5, 99), (3.5, 0.5, 20), (3.5, 2.5, 30), (0.5, 2.5, 50)]
    cloud = cloud_of(xyz, classification=np.array([2, 2, 1, 2, 2, 1], np.uint8))
    found = scan.dtm_layers(cloud)
    np.testing.assert_array_equal(found.count.values, [[0, 0, 0, 1], [0, 0, 0, 0], [2, 0, 0, 1]])
    spread = np.full((3, 4), np.nan)
    spread[2, 0] = math.sqrt(8)  # of 10 and 14 about 12
    np.testing.assert_allclose(found.spread.values, spread)
    wanted = [[2, 2, 1, 0], [1, math.sqrt(2), math.sqrt(2), 1], [0, 1, 1, 0]]
    np.testing.assert_allclose(found.distance.values, wanted)
    found.count.grid.require_same(scan.dtm(cloud).grid)


def test_a_report_counts_what_lies_in_a_small_scan():
    xyz = [(x + 0.5, y + 0.5, 10 * x) for x in range(5) for y in range(4) if (x, y) not in ((2, 1), (2, 2))]
    number = len(xyz)
    attributes = {
        "classification": np.array([7] + [2] * 9 + [1] * (number - 10), np.uint8),
        "withheld": np.arange(number) == 1,
        "overlap": np.arange(number) == 2,
        "return_number": np.where(np.arange(number) == 3, 2, 1).astype(np.uint8),
        "number_of_returns": np.full(number, 2, np.uint8),
        "point_source_id": np.arange(number) % 3,
    }
    found = scan.report(cloud_of(xyz, height=Height("ellipsoidal"), **attributes))
    # the column in the west keeps one cell of four: its empty ones lie beyond the survey; two in the middle within it
    assert (found.points, found.cell_m, found.strips) == (18, 1.0, 3)
    assert found.area_m2 == 15 + 2
    assert found.empty_share == pytest.approx(2 / 17)
    assert found.largest_void_m2 == 2
    assert (found.first_per_m2, found.last_per_m2) == pytest.approx((14 / 17, 1 / 17))
    shares = found.withheld_share, found.noise_share, found.overlap_share, found.ground_share
    assert shares == pytest.approx((1 / 18, 1 / 18, 1 / 18, 8 / 18))
    assert (found.lowest_m, found.highest_m, found.height) == (0, 40, "ellipsoidal")
    assert "relative only" in dict(found.rows())["accuracy"]
    bare = scan.report(cloud_of(xyz))
    assert (bare.strips, bare.ground_share, bare.last_per_m2) == (None, None, 18 / 20)


def test_the_cells_of_a_report_grow_with_the_survey():
    found = scan.report(cloud_of([(0, 0, 0), (9000, 9000, 0)]), cell_m=1.0)
    assert found.cell_m == 8.0
    assert found.largest_void_m2 == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_clouds_that_cannot_be_worked_on_are_refused(name):
    function = PUBLIC[name]
    attributes = {"intensity": np.ones(1), "classification": np.array([2], np.uint8)}
    none = {key: values[:0] for key, values in attributes.items()}
    with pytest.raises(InputError, match="needs points"):
        function(cloud_of(np.empty((0, 3)), **none))
    with pytest.raises(InputError, match="not finite"):
        function(cloud_of([(0, 0, np.inf)], **attributes))
    with pytest.raises(CrsError, match="degree"):
        function(cloud_of([(0, 0, 0)], crs=4326, **attributes))
    with pytest.raises(InputError, match="cell size must be a positive number"):
        function(cloud_of([(0, 0, 0)], **attributes), cell_m=0.0)


@pytest.mark.parametrize("name", PUBLIC)
def test_identical_points_single_ones_and_walls_give_what_is_known(name):
    """One point per cell, all at one place, a wall in one row of cells."""
    scans = {
        "one per cell": [(x + 0.5, y + 0.5, 0) for x in range(9) for y in range(9)],
        "identical": [(0.5, 0.5, 3)] * 50,
        "wall": [(x * 0.1, 0.5, z) for x in range(50) for z in range(30)],
    }
    for xyz in scans.values():
        cloud = cloud_of(xyz, intensity=np.full(len(xyz), 9.0), classification=np.full(len(xyz), 2, np.uint8))
        found = PUBLIC[name](cloud)
        if name == "roughness":
            wanted = 0.0 if xyz is scans["wall"] else np.nan
            np.testing.assert_allclose(found.values, wanted, atol=1e-6)
        elif isinstance(found, Raster):
            assert not found.unknown.any()
