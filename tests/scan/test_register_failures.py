from __future__ import annotations

import numpy as np
import pytest

from hazardgeo import scan
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import HazardGeoWarning, InfeasibleError, InputError

pytest.importorskip("open3d")

SHIFT = np.array([0.2, -0.15, 0.1])


def noisy(xyz, seed, noise=0.01):
    return xyz + np.random.default_rng(seed).normal(0, noise, xyz.shape)


def plane(seed, n=6000):
    x, y = np.random.default_rng(seed).uniform(0, 40, (2, n))
    return noisy(np.column_stack([x, y, 0.3 * x]), seed)


def cylinder(seed, n=8000):
    rng = np.random.default_rng(seed)
    angle, height = rng.uniform(0, 2 * np.pi, n), rng.uniform(0, 20, n)
    return noisy(np.column_stack([6 * np.cos(angle), 6 * np.sin(angle), height]), seed)


def sphere(seed, n=8000):
    towards = np.random.default_rng(seed).normal(size=(n, 3))
    return noisy(8 * towards / np.linalg.norm(towards, axis=1, keepdims=True), seed)


def ridge(seed, n=8000):
    x, y = np.random.default_rng(seed).uniform(0, 40, (2, n))
    return noisy(np.column_stack([x, y, 4 * np.sin(x / 5)]), seed)


def waves(seed, length_m, n=20_000):
    """Furrows that repeat themselves in both directions."""
    x, y = np.random.default_rng(seed).uniform(0, 30, (2, n))
    z = 0.15 * np.sin(2 * np.pi * x / length_m) + 0.15 * np.sin(2 * np.pi * y / length_m)
    return noisy(np.column_stack([x, y, z]), seed)


def hills(seed, n=9000, size=50.0):
    x, y = np.random.default_rng(seed).uniform(0, size, (2, n))
    shapes, z = np.random.default_rng(7), np.zeros(n)
    for _ in range(25):
        towards, length, phase = shapes.uniform(0, 2 * np.pi), shapes.uniform(6, 40), shapes.uniform(0, 2 * np.pi)
        z += length / 15 * np.sin(2 * np.pi * (x * np.cos(towards) + y * np.sin(towards)) / length + phase)
    return noisy(np.column_stack([400_000 + x, 3_950_000 + y, 1800 + z]), seed)


def turned(xyz, degrees, tilt):
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("zx", [degrees, tilt], degrees=True)
    return turn.apply(xyz - xyz.mean(axis=0)) + np.array([12.0, -7.0, 3.0])


def rms(a, b):
    return float(np.sqrt(((a - b) ** 2).sum(axis=1).mean()))


@pytest.mark.parametrize(
    ("shape", "name", "held"),
    [
        (plane, "one plane", [-0.3, 0, 1]),
        (cylinder, "one cylinder", None),
        (sphere, "one sphere", None),
        (ridge, "one straight ridge", None),
    ],
)
def test_what_nothing_holds_is_named_and_left_as_it_lay(shape, name, held):
    moving = PointCloud(shape(1) + SHIFT, 32648)
    with pytest.warns(HazardGeoWarning, match=f"nearly {name}, so that nothing holds them along it"):
        found = scan.align(moving, PointCloud(shape(2), 32648))
    assert found.unknown.shape[1] >= 1
    turn = np.degrees(np.arccos(np.clip((np.trace(found.matrix[:3, :3]) - 1) / 2, -1, 1)))
    assert turn < 0.5
    assert np.isnan(found.sigma_at(moving.xyz[:5])).all()
    if held is not None:
        across = np.array([held]) / np.linalg.norm(held)
        place = moving.xyz.mean(axis=0, keepdims=True)
        assert 0 < found.sigma_at(place, across)[0] < 0.01
        moved = found.apply(moving).xyz - moving.xyz
        assert moved.mean(axis=0) @ across[0] == pytest.approx(-SHIFT @ across[0], abs=0.01)
        assert np.abs(moved.mean(axis=0) - (moved.mean(axis=0) @ across[0]) * across[0]).max() < 0.02


def test_a_ridge_is_held_across_but_not_along():
    moving = PointCloud(ridge(1) + SHIFT, 32648)
    with pytest.warns(HazardGeoWarning, match="straight ridge"):
        found = scan.align(moving, PointCloud(ridge(2), 32648))
    place = found.centre[None]
    assert np.isnan(found.sigma_at(place, np.array([[0, 1.0, 0]])))[0]
    assert 0 < found.sigma_at(place, np.array([[1.0, 0, 0]]))[0] < 0.01
    np.testing.assert_allclose((found.apply(moving).xyz - moving.xyz).mean(axis=0)[[0, 2]], -SHIFT[[0, 2]], atol=0.01)


def test_ground_that_repeats_itself_within_reach_is_refused():
    with pytest.raises(InfeasibleError, match=r"fit equally well at two places .* the ground repeats itself"):
        scan.align(PointCloud(waves(1, 1.5), 32648), PointCloud(waves(2, 1.5), 32648), max_distance_m=2.0)
    found = scan.align(PointCloud(waves(1, 9.0) + SHIFT, 32648), PointCloud(waves(2, 9.0), 32648))
    assert found.matrix[:3, 3] == pytest.approx(-SHIFT, abs=0.05)


def test_ground_that_is_said_to_be_stable_alone_decides():
    """Two thirds of the ground rose by 0.4 m: without a word that is taken for misalignment, with the mask it is not."""
    truth = hills(1)
    rose = truth[:, 0] > 400_000 + 50 / 3
    moving = PointCloud(truth + np.outer(rose, [0, 0, 0.4]), 32648)
    found = scan.align(moving, PointCloud(hills(2), 32648), stable=~rose)
    assert rms(found.apply(moving).xyz[~rose], truth[~rose]) < 0.02
    with pytest.raises(InputError, match=r"one bool for each of the 9,000 moving points, not bool \(5,\)"):
        scan.align(moving, moving, stable=np.ones(5, bool))
    with pytest.raises(InputError, match="0 points of the moving scan are on stable ground"):
        scan.align(moving, moving, stable=np.zeros(9000, bool))


def test_stated_uncertainty_is_the_spread_of_the_errors():
    """Over ten pairs of scans, errors along an axis divided by their sigma have a mean square of about one."""
    ratios = []
    for seed in range(10):
        truth = hills(100 + seed, n=3000, size=30.0)
        moving = PointCloud(noisy(truth + SHIFT, 200 + seed, 0.04), 32648)
        found = scan.align(moving, PointCloud(hills(300 + seed, n=3000, size=30.0), 32648))
        error = found.apply(PointCloud(truth + SHIFT, 32648)).xyz - truth
        for axis in np.eye(3):
            along = np.tile(axis, (30, 1))
            ratios.append((error[::100] @ axis / found.sigma_at(truth[::100], along)) ** 2)
    assert 0.4 < np.mean(ratios) < 2.5
    assert (np.array(ratios) < 1.96**2).mean() > 0.85


def test_identical_scans_move_nothing():
    cloud = PointCloud(hills(1), 32648)
    found = scan.align(cloud, cloud)
    np.testing.assert_allclose(found.matrix[:3, :3], np.eye(3), atol=1e-9)
    assert rms(found.apply(cloud).xyz, cloud.xyz) < 1e-6
    assert found.overlap == 1.0


def test_sigma_grows_away_from_the_centre_as_its_turns_make_it():
    """By hand: 1 mrad about east and 1 cm up; 10 m north of the centre the height is uncertain by sqrt(1 + 1) cm."""
    spread = np.diag([1e-6, 0, 0, 0, 0, 1e-4])
    crs = PointCloud(np.zeros((1, 3)), 32648).crs
    from hazardgeo.crs import Height

    found = scan.Alignment(np.eye(4), 1.0, 0.0, crs, Height(), covariance=spread, centre=np.array([5.0, 5.0, 5.0]))
    places = np.array([[5.0, 5.0, 5.0], [5.0, 15.0, 5.0], [15.0, 5.0, 5.0], [5.0, 5.0, 15.0]])
    up, north = np.tile([0, 0, 1.0], (4, 1)), np.tile([0, 1.0, 0], (4, 1))
    np.testing.assert_allclose(found.sigma_at(places, up), [0.01, 0.01 * np.sqrt(2), 0.01, 0.01])
    np.testing.assert_allclose(found.sigma_at(places, north), [0, 0, 0, 0.01], atol=1e-12)
    np.testing.assert_allclose(found.sigma_at(places[1:2]), [0.01 * np.sqrt(2)])


def test_a_scan_without_coordinates_of_the_ground_is_found_and_then_fitted():
    fixed, truth = PointCloud(hills(1), 32648), hills(2)
    moving = PointCloud(turned(truth, 130.0, 8.0), 32648)
    coarse = scan.align_coarse(moving, fixed, spacing_m=1.0)
    assert rms(coarse.apply(moving).xyz, truth) < 0.1
    fine = scan.align(moving, fixed, max_distance_m=0.5, start=coarse)
    assert rms(fine.apply(moving).xyz, truth) < 0.02
    again = scan.align_coarse(moving, fixed, spacing_m=1.0)
    np.testing.assert_allclose(again.matrix, coarse.matrix, rtol=1e-9, atol=1e-12)


def test_a_part_is_found_in_the_whole():
    fixed, truth = hills(1), hills(2)
    part = truth[truth[:, 0] < 400_030]
    moving = PointCloud(turned(part, -75.0, 4.0), 32648)
    found = scan.align_coarse(moving, PointCloud(fixed[fixed[:, 0] > 400_010], 32648), spacing_m=1.0)
    assert rms(found.apply(moving).xyz, part) < 0.15
    assert found.overlap == pytest.approx(2 / 3, abs=0.07)


@pytest.mark.parametrize("shape", [plane, cylinder, sphere])
def test_places_that_cannot_be_told_apart_are_refused(shape):
    with pytest.raises(InfeasibleError, match=r"fit about equally well at|fit at many places|no place was found"):
        scan.align_coarse(PointCloud(turned(shape(1), 40.0, 0.0), 32648), PointCloud(shape(2), 32648), spacing_m=1.2)


def test_scans_of_other_ground_are_refused():
    ground = hills(1)
    west, east = ground[ground[:, 0] < 400_023], hills(2)
    east = east[east[:, 0] > 400_027]
    with pytest.raises(InfeasibleError, match=r"fit about equally well at|no place was found"):
        scan.align_coarse(PointCloud(turned(west, 40.0, 0.0), 32648), PointCloud(east, 32648), spacing_m=1.0)
    with pytest.raises(InputError, match="spacing_m must be a positive number"):
        scan.align_coarse(PointCloud(west, 32648), PointCloud(east, 32648), spacing_m=-1.0)


def test_strips_of_real_ground_that_was_moved_come_back(data_case):
    from hazardgeo import io

    cloud = io.read_cloud(next(data_case("pozo").glob("*.laz")))
    place = cloud.xyz[len(cloud) // 2, :2]
    near = cloud.select(np.abs(cloud.xyz[:, :2] - place).max(axis=1) < 25)
    half = np.random.default_rng(4).random(len(near)) < 0.5
    fixed, truth = near.select(half), near.select(~half)
    centre = truth.xyz.mean(axis=0)
    tilted = truth.xyz + np.array([0.35, 0.2, -0.3]) + np.outer(truth.xyz[:, 0] - centre[0], [0, 0, 1e-3])
    found = scan.align(PointCloud(tilted, truth.crs, height=truth.height), fixed)
    back = found.apply(PointCloud(tilted, truth.crs, height=truth.height))
    assert rms(back.xyz, truth.xyz) < 0.02
