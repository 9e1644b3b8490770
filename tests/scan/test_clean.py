from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from hazardgeo import io, scan
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import CrsError, HazardGeoWarning, InputError

ORIGIN = np.array([500_000.0, 4_000_000.0, 1800.0])


def cloud_of(xyz, **attributes):
    return PointCloud(np.asarray(xyz, float) + ORIGIN, 32648, attributes)


def hillside(rng, count=8000):
    """A slope of 30 degrees with a cliff of 15 m and a gully of 5 m, two points per m2."""
    x, y = rng.uniform(0, 60, count), rng.uniform(0, 60, count)
    z = 0.58 * x + np.where(y > 40, 15.0, 0.0) - np.where(np.abs(y - 20) < 2, 5.0, 0.0) + rng.normal(0, 0.05, count)
    return np.column_stack([x, y, z])


def test_each_kind_is_found_and_counted():
    rng = np.random.default_rng(0)
    ground = hillside(rng)
    doubles = ground[:7]
    strays = np.array([[10.0, 10, 90], [30, 30, 120], [50, 5, -70], [5e5, 0, 0]])
    deep = np.array([30.0, 30, 2]) + rng.uniform(-0.4, 0.4, (9, 3))  # a group of echoes 15 m below the slope
    broken = np.array([[np.nan, 0, 0], [0, 0, np.inf]])
    withheld = np.array([[20.0, 20, 11]])
    came = np.array([[21.0, 21, 99]])
    parts = [ground, doubles, strays, deep, broken, withheld, came]
    xyz = np.vstack(parts)
    kind = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    codes = np.where(kind == 6, 18, 1).astype(np.uint8)
    cloud = cloud_of(xyz, classification=codes, withheld=kind == 5, number=np.arange(len(xyz)))
    found, report = scan.clean(cloud)
    assert found.attributes["number"].tolist() == list(range(len(ground)))
    assert (report.points, report.kept) == (len(xyz), len(ground))
    kinds = report.not_finite, report.withheld, report.duplicates, report.noise, report.isolated, report.low
    assert kinds == (2, 1, 7, 1, 4, 9)
    marked, same = scan.clean(cloud, noise="mark")
    assert same == report
    np.testing.assert_array_equal(
        np.bincount(marked.attributes["classification"], minlength=19)[[1, 7, 18]], [len(ground), 11, 3]
    )  # one far away at the height of the valley is low


@settings(max_examples=10)
@given(seed=st.integers(0, 999), radius_m=st.sampled_from([0.7, 2.0]), neighbours=st.integers(1, 6))
def test_isolated_points_are_those_of_a_tree(seed, radius_m, neighbours):
    rng = np.random.default_rng(seed)
    xyz = np.unique(np.round(rng.uniform(0, 9, (400, 3)) * [1, 1, 0.3], 2), axis=0) + ORIGIN
    near = cKDTree(xyz).query_ball_point(xyz, radius_m, return_length=True) - 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *a, **k: None)
        marked = scan.clean(PointCloud(xyz, 32648), radius_m=radius_m, min_neighbours=neighbours, low_m=1e6, noise="mark")
    codes = marked.cloud.attributes["classification"]
    np.testing.assert_array_equal(np.isin(codes, (7, 18)), near < neighbours)


def test_cleaning_twice_is_cleaning_once():
    cloud = cloud_of(np.vstack([hillside(np.random.default_rng(2)), [[30, 30, 80], [31, 30, -80]]]))
    once = scan.clean(cloud)
    twice = scan.clean(once.cloud)
    np.testing.assert_array_equal(twice.cloud.xyz, once.cloud.xyz)
    assert (once.report.isolated, twice.report.isolated) == (2, 0)


def test_a_cliff_a_gully_and_the_ground_under_trees_stay():
    rng = np.random.default_rng(4)
    ground = hillside(rng, 1500)  # 0.4 points per m2 under trees with 4
    crowns = hillside(rng, 15_000) + [0, 0, 12] + np.array([0, 0, 1]) * rng.uniform(0, 8, (15_000, 1))
    report = scan.clean(cloud_of(np.vstack([ground, crowns]))).report
    assert report.isolated + report.low < 0.01 * len(ground)


def test_real_scans_lose_next_to_nothing(data_case):
    cloud = io.read_cloud(data_case("isprs_filter") / "samp53.laz", crs=32632)
    report = scan.clean(cloud).report
    assert report.isolated + report.low < 0.01 * report.points
    forest = io.read_cloud(data_case("lidr_als") / "Megaplot.laz")
    found = scan.clean(forest)
    ground = [(np.asarray(c.attributes["classification"]) == 2).sum() for c in (forest, found.cloud)]
    assert ground[1] >= 0.99 * ground[0]


def test_overlap_stays_and_attributes_follow_their_points():
    xyz = np.array([(x, y, 0.0) for x in range(6) for y in range(6)])
    cloud = cloud_of(xyz[::-1], overlap=np.arange(36) % 2 == 0, intensity=np.arange(36))
    found = scan.clean(cloud).cloud
    np.testing.assert_array_equal(found.attributes["intensity"], np.arange(36))
    assert found.attributes["overlap"].sum() == 18


def test_nothing_left_is_an_error_that_says_why():
    with pytest.raises(InputError, match=r"nothing is left of 50 points: .* 49 doubled, .* 1 isolated"):
        scan.clean(cloud_of([[1, 1, 1]] * 50))
    with pytest.raises(InputError, match="nothing is left of 0 points"):
        scan.clean(cloud_of(np.empty((0, 3))))
    with pytest.raises(InputError, match="2 are not finite"):
        scan.clean(cloud_of([[np.nan, 1, 1], [0, np.inf, 0]]))
    with pytest.raises(InputError, match="81 isolated"):
        scan.clean(cloud_of([(x * 20.0, y * 20.0, 0) for x in range(9) for y in range(9)]))


def test_many_strays_are_warned_of():
    near = [(x * 1.0, y * 1.0, 0) for x in range(6) for y in range(6)]
    far = [(1000.0 + k * 100, 0, 0) for k in range(6)]
    with pytest.warns(HazardGeoWarning, match="14% of 42 points are isolated or low"):
        scan.clean(cloud_of(near + far))


def test_bad_options_and_degrees_are_refused():
    cloud = cloud_of([[0, 0, 0]])
    for options in ({"radius_m": 0.0}, {"min_neighbours": 0}, {"low_m": math.nan}):
        with pytest.raises(InputError, match="of clean must be a positive number"):
            scan.clean(cloud, **options)
    with pytest.raises(InputError, match="neither 'drop' nor 'mark'"):
        scan.clean(cloud, noise="keep")
    with pytest.raises(CrsError, match="degree"):
        scan.clean(PointCloud(np.array([[105.0, 36.0, 0.0]]), 4326))


def test_a_scan_of_a_wall_stays():
    rng = np.random.default_rng(6)
    wall = np.column_stack([rng.normal(0, 0.01, 3000), rng.uniform(0, 20, 3000), rng.uniform(0, 15, 3000)])
    assert scan.clean(cloud_of(wall)).report.kept == 3000
