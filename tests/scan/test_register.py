from __future__ import annotations

import sys

import numpy as np
import pytest

from hazardgeo import scan
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HazardGeoWarning, HeightError, InfeasibleError, InputError, MissingPackageError

pytest.importorskip("open3d")


def gullies(n, seed, size=60.0):
    """Random points on a surface with slopes in all directions."""
    x, y = np.random.default_rng(seed).uniform(0, size, (2, n))
    z = 1800 + 4 * np.sin(x / 5) + 3 * np.cos(y / 4) + 0.2 * x
    return np.column_stack([400_000 + x, 3_950_000 + y, z])


def turned(xyz, degrees, shift):
    a, centre = np.radians(degrees), xyz.mean(axis=0)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    return (xyz - centre) @ turn.T + centre + shift


def rms(a, b):
    return float(np.sqrt(((a - b) ** 2).sum(axis=1).mean()))


def test_a_planted_movement_is_found_and_undone():
    fixed, truth = PointCloud(gullies(40_000, 1), 32648), gullies(40_000, 2)
    moving = PointCloud(turned(truth, 0.2, [0.4, -0.3, 0.25]), 32648, {"intensity": np.arange(40_000)})
    alignment = scan.align(moving, fixed)
    back = alignment.apply(moving)
    assert rms(back.xyz, truth) < 0.03
    assert alignment.overlap > 0.95
    assert alignment.rmse_m < 0.1
    np.testing.assert_array_equal(back.attributes["intensity"], np.arange(40_000))
    np.testing.assert_allclose(alignment.matrix[:3, :3] @ alignment.matrix[:3, :3].T, np.eye(3), atol=1e-9)


def test_a_slide_between_the_scans_does_not_drag_the_stable_ground_along():
    fixed, truth = PointCloud(gullies(40_000, 1), 32648), gullies(40_000, 2)
    slid = np.hypot(truth[:, 0] - 400_020, truth[:, 1] - 3_950_030) < 15
    moving = PointCloud(truth + np.array([0.3, 0.2, 0.1]) - np.outer(slid, [0, 0, 2.0]), 32648)
    back = scan.align(moving, fixed).apply(moving)
    assert rms(back.xyz[~slid], truth[~slid]) < 0.04
    assert back.xyz[slid, 2] == pytest.approx(truth[slid, 2] - 2.0, abs=0.05)


def test_withheld_points_do_not_count():
    good, bad = gullies(20_000, 2), gullies(20_000, 3) + np.array([0, 0, 0.7])
    moving = PointCloud(np.vstack([good, bad]), 32648, {"withheld": np.arange(40_000) >= 20_000})
    alignment = scan.align(moving, PointCloud(gullies(40_000, 1), 32648))
    assert rms(alignment.apply(moving).xyz[:20_000], good) < 0.03


def test_scans_that_share_one_plane_only_are_reported_as_loose():
    rng = np.random.default_rng(0)
    flat = PointCloud(np.column_stack([rng.uniform(0, 40, (5000, 2)), rng.normal(0, 0.005, 5000)]), 32648)
    with pytest.warns(HazardGeoWarning, match="nearly one plane"):
        scan.align(flat, flat)


def test_scans_that_do_not_meet_are_refused():
    fixed = PointCloud(gullies(5000, 1), 32648)
    with pytest.raises(InfeasibleError, match=r"only 0.0% of the moving scan lies within 1 m"):
        scan.align(PointCloud(fixed.xyz + np.array([0, 0, 30]), 32648), fixed)


def test_scans_with_different_references_are_refused():
    fixed = PointCloud(gullies(500, 1), 32648, height=Height("ellipsoidal"))
    with pytest.raises(HeightError, match="different height references"):
        scan.align(fixed.with_height(Height("orthometric")), fixed)
    with pytest.raises(CrsError, match="EPSG:32647"):
        scan.align(PointCloud(fixed.xyz, 32647), fixed)
    with pytest.raises(CrsError, match="needs metres"):
        scan.align(PointCloud(fixed.xyz, 4326), fixed)
    with pytest.raises(InputError, match=r"max_distance_m must be a number of metres of at least 0\.001, not "):
        scan.align(fixed, fixed, max_distance_m=0.0)
    with pytest.raises(InputError, match="moving scan has 50 points"):
        scan.align(fixed.select(slice(0, 50)), fixed)


def test_an_alignment_is_not_applied_in_another_reference():
    alignment = scan.Alignment(np.eye(4), 1.0, 0.0, PointCloud(np.zeros((1, 3)), 32648).crs, Height("ellipsoidal"))
    with pytest.raises(CrsError, match="holds in EPSG:32648"):
        alignment.apply(PointCloud(np.zeros((1, 3)), 32647))
    with pytest.raises(HeightError, match="different height references"):
        alignment.apply(PointCloud(np.zeros((1, 3)), 32648))


def test_without_open3d_the_message_names_the_commands(monkeypatch):
    monkeypatch.setitem(sys.modules, "open3d", None)
    cloud = PointCloud(gullies(500, 1), 32648)
    with pytest.raises(MissingPackageError, match=r"pip install open3d-cpu.*apt-get install libegl1 libusb-1.0-0 libgl1"):
        scan.align(cloud, cloud)


@pytest.mark.parametrize("distance_m", [0.0, -1.0, 1e-9, 0.000999, np.nan, np.inf])
def test_distances_that_no_scan_resolves_are_refused(distance_m):
    cloud = PointCloud(gullies(200, 1), 32648)
    with pytest.raises(InputError, match=r"must be a number of metres of at least 0\.001, not "):
        scan.align(cloud, cloud, max_distance_m=distance_m)


def test_what_open3d_cannot_do_is_said_in_one_line():
    stray = PointCloud(np.vstack([gullies(200, 1), [[3e12, 3_950_000, 1800]]]), 32648)
    with pytest.raises(InputError) as caught:
        scan.align(stray, stray)
    assert str(caught.value).startswith("Open3D cannot align the scans: voxel_size is too small; drop stray points far from")
    assert "\n" not in str(caught.value)
