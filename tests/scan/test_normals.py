from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from hazardgeo import scan
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import CrsError, InputError
from hazardgeo.scan.cells import sorted_cells
from hazardgeo.scan.plane_fit import axes_of

ORIGIN = np.array([500_000.0, 4_000_000.0, 1800.0])


def cloud_of(xyz, **attributes):
    return PointCloud(np.asarray(xyz, float) + ORIGIN, 32648, attributes)


def by_tree(xyz, radius_m):
    """Normals turned up, roughness and numbers of neighbours by a tree and numpy."""
    tree = cKDTree(xyz)
    for point in xyz:
        near = xyz[tree.query_ball_point(point, radius_m)]
        if len(near) < 5:
            yield None, None, len(near)
            continue
        values, vectors = np.linalg.eigh(np.cov((near - point).T, bias=True))
        normal = vectors[:, 0] * (1 if vectors[2, 0] >= 0 else -1)
        yield normal, math.sqrt(max(values[0], 0) * len(near) / (len(near) - 3)), len(near)


def rough_hills(rng, count):
    """Hills with plants on top, points that stand on each other and doubles."""
    xy = rng.uniform(0, 12, (count, 2))
    z = 2 * np.sin(xy[:, 0] / 3) + rng.normal(0, 0.03, count)
    z[::3] += rng.uniform(0, 20, len(z[::3]))
    xyz = np.round(np.column_stack([xy, z]), 2)
    return np.vstack([xyz, xyz[:20]]) + ORIGIN


@settings(max_examples=8)
@given(seed=st.integers(0, 999), radius_m=st.sampled_from([0.5, 1.0, 2.3]), count=st.sampled_from([30, 900]))
def test_normals_are_those_of_a_tree_and_numpy(seed, radius_m, count):
    xyz = rough_hills(np.random.default_rng(seed), count)
    found = scan.normals(PointCloud(xyz, 32648), radius_m=radius_m)
    for k, (normal, rough, number) in enumerate(by_tree(xyz, radius_m)):
        assert found.neighbours[k] == number
        if normal is None:
            assert np.isnan(found.normal[k]).all()
            assert np.isnan([found.roughness_m[k], found.surface_variation[k], found.verticality[k]]).all()
        elif np.isfinite(found.roughness_m[k]):
            assert found.roughness_m[k] == pytest.approx(rough, abs=1e-6)
            assert abs(found.normal[k] @ normal) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("dip_deg", [0.0, 30.0, 75.0])
def test_a_plane_has_its_dip_and_no_roughness(dip_deg):
    x, y = (a.ravel() for a in np.mgrid[0:6:0.3, 0:6:0.3])
    dip = math.radians(dip_deg)
    found = scan.normals(cloud_of(np.column_stack([x, y, x * math.tan(dip)])), radius_m=1.5)
    known = found.neighbours >= 5
    np.testing.assert_allclose(found.normal[known], np.tile([-math.sin(dip), 0, math.cos(dip)], (known.sum(), 1)), atol=1e-6)
    np.testing.assert_allclose(found.verticality[known], 1 - math.cos(dip), atol=1e-6)
    np.testing.assert_allclose(found.roughness_m[known], 0, atol=1e-6)
    assert known.sum() > 300


def test_roughness_is_the_noise_that_was_planted():
    rng = np.random.default_rng(1)
    xyz = np.column_stack([rng.uniform(0, 30, (20_000, 2)), rng.normal(0, 0.05, 20_000)])
    found = scan.normals(cloud_of(xyz), radius_m=0.8)
    assert np.sqrt(np.nanmean(found.roughness_m.astype(float) ** 2)) == pytest.approx(0.05, rel=0.01)


def test_a_wall_and_a_roof_above_the_ground_are_told_apart():
    a, b = (v.ravel() for v in np.mgrid[0:6:0.2, 0:6:0.2])
    wall = np.column_stack([np.zeros_like(a), a, b + 20])
    ground, roof = np.column_stack([a + 10, b, 0 * a]), np.column_stack([a + 10, b, 0 * a + 1.3])
    xyz = np.vstack([wall, ground, roof])
    found = scan.normals(cloud_of(xyz), radius_m=1.0)
    number = len(a)
    np.testing.assert_allclose(found.verticality[:number], 1, atol=1e-6)
    np.testing.assert_allclose(found.normal[:number, 0], 1, atol=1e-6)  # level normals point east
    np.testing.assert_allclose(found.normal[number:, 2], 1, atol=1e-6)
    scanner = tuple(ORIGIN + np.array([-50.0, 3.0, 0.5]))
    seen = scan.normals(cloud_of(xyz), radius_m=1.0, orient=scanner)
    np.testing.assert_allclose(seen.normal[:number, 0], -1, atol=1e-6)
    np.testing.assert_allclose(seen.normal[2 * number :, 2], -1, atol=1e-6)  # the roof is seen from below


def test_a_dense_wall_is_searched_by_height():
    rng = np.random.default_rng(3)
    xyz = np.column_stack([rng.normal(0, 0.005, 4000), rng.uniform(0, 2, 4000), rng.uniform(0, 30, 4000)]) + ORIGIN
    found = scan.normals(PointCloud(xyz, 32648), radius_m=0.3)
    tree = cKDTree(xyz)
    np.testing.assert_array_equal(found.neighbours, tree.query_ball_point(xyz, 0.3, return_length=True))
    assert np.nanmin(found.verticality) > 0.9


def test_rotating_by_a_quarter_turn_rotates_the_normals():
    rng = np.random.default_rng(5)
    xyz = np.column_stack([rng.uniform(-5, 5, (800, 2)), rng.normal(0, 0.2, 800)])
    turned = xyz[:, [1, 0, 2]] * [-1, 1, 1]
    here, there = (scan.normals(PointCloud(p, 32648), radius_m=1.2) for p in (xyz, turned))
    np.testing.assert_allclose(there.normal, here.normal[:, [1, 0, 2]] * [-1, 1, 1], atol=1e-5)
    np.testing.assert_array_equal(there.neighbours, here.neighbours)


def test_neither_the_order_of_points_nor_threads_nor_what_lies_beyond_the_radius_change_a_bit(monkeypatch):
    xyz = rough_hills(np.random.default_rng(7), 1500)
    turn = np.random.default_rng(8).permutation(len(xyz))
    whole = scan.normals(PointCloud(xyz, 32648), radius_m=0.9)
    mixed = scan.normals(PointCloud(xyz[turn], 32648), radius_m=0.9)
    np.testing.assert_array_equal(mixed.normal, whole.normal[turn])
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 1)
    alone = scan.normals(PointCloud(xyz, 32648), radius_m=0.9)
    np.testing.assert_array_equal(alone.roughness_m, whole.roughness_m)
    west = xyz[:, 0] < ORIGIN[0] + 6
    part = scan.normals(PointCloud(xyz[west], 32648), radius_m=0.9)
    inner = xyz[west, 0] < ORIGIN[0] + 6 - 0.9
    np.testing.assert_array_equal(part.normal[inner], whole.normal[west][inner])


def test_withheld_points_and_noise_have_no_normals_and_are_nobodys_neighbours():
    xyz = np.array([[x, y, 0.0] for x in range(3) for y in range(3)] + [[1.0, 1.0, 0.5]] * 2)
    codes = np.array([0] * 9 + [7, 0], np.uint8)
    found = scan.normals(cloud_of(xyz, classification=codes, withheld=np.arange(11) == 10), radius_m=1.5)
    assert found.neighbours.tolist() == [4, 6, 4, 6, 9, 6, 4, 6, 4, 0, 0]
    np.testing.assert_array_equal(found.normal[4], [0, 0, 1])
    assert np.isnan(found.normal[[0, 9, 10]]).all()


def test_points_on_a_line_or_at_one_place_have_no_plane():
    line = np.array([[k * 0.1, k * 0.2, k * 0.3] for k in range(20)])
    assert np.isnan(scan.normals(cloud_of(line), radius_m=2.0).normal).all()
    assert np.isnan(scan.normals(cloud_of(np.zeros((50, 3))), radius_m=2.0).normal).all()


def test_stray_points_far_away_cost_nothing():
    xyz = np.array([[x, y, 0.0] for x in range(5) for y in range(5)] + [[3e6, 0, 0], [0, 4e6, 9e5]])
    found = scan.normals(cloud_of(xyz), radius_m=1.5)
    assert np.isnan(found.normal[-2:]).all()
    np.testing.assert_allclose(found.normal[12], [0, 0, 1])


@given(st.lists(st.floats(-5, 5), min_size=6, max_size=6))
def test_axes_are_those_of_numpy(values):
    xx, xy, xz, yy, yz, zz = values
    matrix = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    wanted = np.linalg.eigvalsh(matrix)
    largest, middle, smallest, *vector = axes_of(*values)
    np.testing.assert_allclose([smallest, middle, largest], wanted, atol=1e-6)
    if wanted[1] - wanted[0] > 1e-2:
        np.testing.assert_allclose(matrix @ vector, wanted[0] * np.array(vector), atol=1e-6)
        assert np.linalg.norm(vector) == pytest.approx(1)


@given(seed=st.integers(0, 999), count=st.integers(1, 300), spread=st.sampled_from([2.0, 50.0, 1e5]))
def test_sorted_cells_hold_each_point_once_in_order(seed, count, spread):
    rng = np.random.default_rng(seed)
    xyz = np.round(rng.uniform(-spread, spread, (count, 3)), rng.integers(0, 3))
    found = sorted_cells(xyz, 0.7)
    keys = [(math.floor(y / 0.7), math.floor(x / 0.7), z, x, y) for x, y, z in xyz.tolist()]
    assert [keys[k] for k in found.order] == sorted(keys)
    np.testing.assert_array_equal(found.xyz, xyz[found.order])
    listed = [
        (int(row), int(found.cols[cell]))
        for k, row in enumerate(found.rows)
        for cell in range(found.first_cell[k], found.first_cell[k + 1])
        for _ in range(found.first_point[cell], found.first_point[cell + 1])
    ]
    assert listed == [key[:2] for key in sorted(keys)]
    assert len(found.cols) == len(set(listed))


@pytest.mark.parametrize("radius_m", [0.0, -1.0, float("nan"), float("inf")])
def test_a_radius_has_a_size(radius_m):
    with pytest.raises(InputError, match="radius_m must be a positive number"):
        scan.normals(cloud_of([[0, 0, 0]]), radius_m=radius_m)


def test_bad_clouds_and_directions_are_refused():
    with pytest.raises(InputError, match="normals needs points"):
        scan.normals(cloud_of(np.empty((0, 3))), radius_m=1.0)
    with pytest.raises(InputError, match="1 of 2 points have coordinates that are not finite"):
        scan.normals(cloud_of([[0, 0, 0], [0, np.nan, 0]]), radius_m=1.0)
    with pytest.raises(CrsError, match="degree"):
        scan.normals(PointCloud(np.array([[105.0, 36.0, 0.0]]), 4326), radius_m=1.0)
    for orient in ("down", (1.0, 2.0), (np.nan, 0.0, 0.0)):
        with pytest.raises(InputError, match="neither 'up' nor"):
            scan.normals(cloud_of([[0, 0, 0]]), radius_m=1.0, orient=orient)
