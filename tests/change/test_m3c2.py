from __future__ import annotations

import json
import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo import change, io, pipeline
from hazardgeo.change import ScannerErrors
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HazardGeoWarning, HeightError, InfeasibleError, InputError
from hazardgeo.pipeline import large_cloud_change

ORIGIN = np.array([500_000.0, 4_000_000.0, 1800.0])
SIZES = {"normal_radius_m": 1.5, "cylinder_radius_m": 0.8, "max_depth_m": 3.0}


def cloud_of(xyz, **attributes):
    return PointCloud(np.asarray(xyz, float) + ORIGIN, 32648, attributes)


def hillside(seed, count=1500, *, side=12.0, tall=0.0):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, side, (count, 2))
    z = 0.6 * xy[:, 0] + np.sin(xy[:, 1]) + rng.normal(0, 0.04, count)
    z[::4] += rng.uniform(0, tall, len(z[::4]))
    return np.round(np.column_stack([xy, z]), 3)


def by_hand(before, after, place, radii, cylinder, depth):
    """Distance, level of detection and normal at one place by numpy over all points."""
    best = None
    for radius in radii:
        near = before[((before - place) ** 2).sum(axis=1) <= radius**2]
        if len(near) < 5:
            continue
        values, vectors = np.linalg.eigh(np.cov((near - place).T))
        planarity = (values[1] - values[0]) / values[2]
        if best is None or planarity > best[0]:
            best = planarity, vectors[:, 0] * np.sign(vectors[2, 0])
    if best is None:
        return math.nan, math.nan, None
    means, squares, counts = [], 0.0, []
    for cloud in (before, after):
        along = (cloud - place) @ best[1]
        off = ((cloud - place) ** 2).sum(axis=1) - along**2
        taken = along[(np.abs(along) <= depth) & (off <= cylinder**2)]
        counts.append(len(taken))
        means.append(taken.mean() if len(taken) else math.nan)
        squares += taken.var(ddof=1) / len(taken) if len(taken) > 1 else math.nan
    return means[1] - means[0], 1.96 * math.sqrt(squares) if min(counts) >= 5 else math.nan, best[1]


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_a_steep_cloud_with_a_scar_has_the_distances_of_brute_force_and_of_a_peer(vectors, name):
    with np.load(vectors("pointcloud") / "m3c2.npz") as v:
        sizes = json.loads(str(v[f"{name}_params"]))
        before, after, core = (PointCloud(v[part] + v["offset"], 26911) for part in ("epoch1", "epoch2", "core"))
        wanted = {key[2:]: v[key] for key in v.files if key.startswith(f"{name}_") and key != f"{name}_params"}
    found = change.m3c2(
        before,
        after,
        core,
        normal_radius_m=sizes["normal_radii_m"],
        cylinder_radius_m=sizes["cylinder_radius_m"],
        max_depth_m=sizes["max_distance_m"],
        registration_error_m=sizes["registration_error_m"],
    )
    np.testing.assert_allclose(found.distance_m, wanted["distance"], atol=1e-9)
    np.testing.assert_allclose(found.normal, wanted["normal"], atol=1e-8)
    np.testing.assert_array_equal(found.normal_radius_m, wanted["used_radius"])
    np.testing.assert_array_equal(found.count_before, wanted["num_samples1"])
    np.testing.assert_array_equal(found.count_after, wanted["num_samples2"])
    enough = (wanted["num_samples1"] >= 5) & (wanted["num_samples2"] >= 5)
    np.testing.assert_allclose(found.lod95_m[enough], wanted["lodetection"][enough], atol=1e-9)
    assert np.isnan(found.lod95_m[~enough]).all()
    assert (found.significant[~enough] == 255).all()


@pytest.mark.filterwarnings("ignore:.*of the core points have no level of detection")
@settings(max_examples=6)
@given(seed=st.integers(0, 999), cylinder=st.sampled_from([0.4, 1.3]), tall=st.sampled_from([0.0, 25.0]))
def test_distances_are_those_of_a_loop_over_all_points(seed, cylinder, tall):
    before, after = hillside(seed, tall=tall) + ORIGIN, hillside(seed + 1, tall=tall) + ORIGIN
    core = before[:40] + 0.011
    found = change.m3c2(
        *(PointCloud(xyz, 32648) for xyz in (before, after, core)),
        normal_radius_m=(2.0, 0.9),
        cylinder_radius_m=cylinder,
        max_depth_m=2.5,
    )
    for k, place in enumerate(core):
        distance, lod, normal = by_hand(before, after, place, (0.9, 2.0), cylinder, 2.5)
        if normal is None:
            assert np.isnan(found.normal[k]).all()
            continue
        np.testing.assert_allclose(found.normal[k], normal, atol=1e-6)
        np.testing.assert_allclose(found.distance_m[k], distance, atol=1e-6)
        np.testing.assert_allclose(found.lod95_m[k], lod, atol=1e-6)


def test_a_dense_wall_that_stands_upright_is_searched_by_height():
    rng = np.random.default_rng(3)
    before, after = (
        np.column_stack([rng.normal(x, 0.005, 6000), rng.uniform(0, 2, 6000), rng.uniform(0, 30, 6000)]) for x in (0.0, 0.1)
    )
    place = np.array([[0.0, 1.0, 11.0], [0.0, 1.0, 20.0]])
    found = change.m3c2(
        *(cloud_of(xyz) for xyz in (before, after, place)), normal_radius_m=0.5, cylinder_radius_m=0.4, max_depth_m=1.0
    )
    for k in range(2):
        wanted = by_hand(before, after, place[k], (0.5,), 0.4, 1.0)
        assert abs(found.distance_m[k]) == pytest.approx(abs(wanted[0]), abs=1e-6)
        assert found.lod95_m[k] == pytest.approx(wanted[1], abs=1e-6)
    seen = change.m3c2(
        *(cloud_of(xyz) for xyz in (before, after, place)),
        normal_radius_m=0.5,
        cylinder_radius_m=0.4,
        max_depth_m=1.0,
        orient=tuple(ORIGIN + np.array([-20.0, 1.0, 5.0])),
    )
    np.testing.assert_allclose(seen.distance_m, -0.1, atol=0.005)  # away from the scanner, which stands to the west


def test_a_shifted_plane_has_moved_along_its_normal():
    x, y = (a.ravel() for a in np.mgrid[0:8:0.25, 0:8:0.25])
    dip = math.radians(30)
    plane = np.column_stack([x, y, x * math.tan(dip)])
    found = change.m3c2(cloud_of(plane), cloud_of(plane - [0, 0, 0.5]), cloud_of([[4.0, 4.0, 4.0 * math.tan(dip)]]), **SIZES)
    assert found.distance_m[0] == pytest.approx(-0.5 * math.cos(dip), abs=1e-8)
    assert found.lod95_m[0] == pytest.approx(0, abs=1e-6)
    assert found.significant.tolist() == [1]


def test_the_same_cloud_twice_has_not_moved_at_all_at_any_of_its_points():
    before = cloud_of(hillside(1))
    found = change.m3c2(before, cloud_of(hillside(1)), before, **SIZES)
    known = np.isfinite(found.distance_m)
    assert known.mean() > 0.99
    assert (found.distance_m[known] == 0).all()
    assert not (found.significant == 1).any()


def test_swapped_epochs_turn_the_sign_where_the_surface_lies_alike():
    xyz = np.array([[a * 0.2, b * 0.2, 0.0] for a in range(20) for b in range(20)])
    low, high, core = cloud_of(xyz), cloud_of(xyz + np.array([0, 0, 0.2])), cloud_of([[2.0, 2.0, 0.1]])
    there, back = change.m3c2(low, high, core, **SIZES), change.m3c2(high, low, core, **SIZES)
    assert there.distance_m[0] == pytest.approx(0.2)
    assert back.distance_m[0] == pytest.approx(-0.2)


def test_nineteen_of_twenty_core_points_on_a_still_plane_lie_below_the_level_of_detection():
    rng = np.random.default_rng(11)
    before, after = (np.column_stack([rng.uniform(0, 60, (40_000, 2)), rng.normal(0, 0.05, 40_000)]) for _ in range(2))
    core = cloud_of([[x, y, 0.0] for x in range(2, 59) for y in range(2, 59)])
    sizes = {"normal_radius_m": 1.5, "cylinder_radius_m": 0.9, "max_depth_m": 1.0}
    found = change.m3c2(cloud_of(before), cloud_of(after), core, **sizes)
    assert 0.03 <= (found.significant == 1).mean() <= 0.07
    errors = np.tile([1.0, 0, 0, 1.0, 0, 1.0], (40_000, 1)) * 0.05**2
    carried = change.m3c2_ep(cloud_of(before), cloud_of(after), core, errors_before=errors, errors_after=errors, **sizes)
    assert 0.03 <= (carried.significant == 1).mean() <= 0.07


def test_fewer_than_five_points_have_a_distance_but_no_level_of_detection():
    flat = np.array([[a * 0.5, b * 0.5, 0.0] for a in range(9) for b in range(9)])
    few = np.array([[2.0, 2.0, 0.3], [2.1, 2.0, 0.3], [2.0, 2.1, 0.3], [2.1, 2.1, 0.3], [9, 9, 0]])
    core = cloud_of([[2.0, 2.0, 0.0], [9.0, 9.0, 0.0]])
    with pytest.warns(HazardGeoWarning, match="100% of the core points have no level of detection"):
        found = change.m3c2(cloud_of(flat), cloud_of(few), core, **SIZES)
    assert found.distance_m[0] == pytest.approx(0.3)
    assert found.count_after.tolist() == [4, 0]
    assert np.isnan(found.lod95_m).all()
    assert np.isnan(found.distance_m[1])
    assert found.significant.tolist() == [255, 255]


class Swinging:
    def sigma_at(self, xyz, along=None):
        return 0.01 * (xyz[:, 0] - ORIGIN[0]) * along[:, 2]


def test_the_registration_error_is_that_of_each_core_point():
    x, y = (a.ravel() for a in np.mgrid[0:8:0.25, 0:8:0.25])
    plane = np.column_stack([x, y, 0 * x])
    core = cloud_of([[5.0, 4.0, 0.0], [2.0, 4.0, 0.0], [3.0, 3.0, 0.0]])
    clouds = cloud_of(plane), cloud_of(plane + np.array([0, 0, 0.05])), core
    found = change.m3c2(*clouds, registration_error_m=np.array([0.02, 0.03, np.nan]), **SIZES)
    np.testing.assert_allclose(found.lod95_m, [1.96 * 0.02, 1.96 * 0.03, np.nan], atol=1e-9)
    assert found.significant.tolist() == [1, 0, 255]
    turned = change.m3c2(*clouds, registration_error_m=Swinging(), **SIZES)
    np.testing.assert_allclose(turned.lod95_m, 1.96 * np.array([0.05, 0.02, 0.03]), atol=1e-9)


def test_errors_of_points_are_carried_to_the_mean():
    flat = np.array([[a * 0.5, b * 0.5, 0.0] for a in range(9) for b in range(9)])
    core = cloud_of([[2.0, 2.0, 0.0]])
    single = np.zeros((81, 6))
    single[:, [0, 3, 5]] = 1.0, 1.0, 0.04**2  # level ground: the heights count
    found = change.m3c2_ep(cloud_of(flat), cloud_of(flat), core, errors_before=single, errors_after=4 * single, **SIZES)
    number = found.count_before[0]
    assert found.sigma_before_m[0] == pytest.approx(0.04 / math.sqrt(number))
    assert found.lod95_m[0] == pytest.approx(1.96 * math.sqrt((0.04**2 + 0.08**2) / number))
    uneven = flat.copy()
    uneven[40, 2] = 0.3  # the middle, with nine times the variance of the others
    errors = single.copy()
    errors[40] *= 9
    found = change.m3c2_ep(cloud_of(flat), cloud_of(uneven), core, errors_before=single, errors_after=errors, **SIZES)
    assert found.distance_m[0] == pytest.approx(0.3 / 9 / (number - 1 + 1 / 9), abs=1e-6)


def test_a_scanner_errs_in_range_along_the_sight_and_in_angle_across_it():
    found = ScannerErrors((0.0, 0.0, 0.0), 0.01, math.degrees(0.001)).covariances(np.array([[100.0, 0, 0], [0, 30.0, 40.0]]))
    across = (50 * 0.001) ** 2
    np.testing.assert_allclose(found[0], [1e-4, 0, 0, 0.01, 0, 0.01], atol=1e-12)
    north, up = 0.36 * 1e-4 + 0.64 * across, 0.64 * 1e-4 + 0.36 * across
    np.testing.assert_allclose(found[1], [across, 0, 0, north, 0.48 * (1e-4 - across), up], atol=1e-12)


def test_neither_the_order_of_points_nor_threads_nor_what_lies_out_of_reach_change_a_bit(monkeypatch):
    before, after = hillside(5, tall=9.0), hillside(6)
    core = cloud_of(before[before[:, 0] < 5])
    whole = change.m3c2(cloud_of(before), cloud_of(after), core, **SIZES)
    rng = np.random.default_rng(0)
    mixed = change.m3c2(cloud_of(rng.permutation(before)), cloud_of(rng.permutation(after)), core, **SIZES)
    part = change.m3c2(cloud_of(before[before[:, 0] < 9]), cloud_of(after[after[:, 0] < 9]), core, **SIZES)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 1)
    alone = change.m3c2(cloud_of(before), cloud_of(after), core, **SIZES)
    for other in (mixed, part, alone):
        np.testing.assert_array_equal(other.distance_m, whole.distance_m)
        np.testing.assert_array_equal(other.lod95_m, whole.lod95_m)


def test_withheld_points_and_noise_count_nowhere():
    flat = np.array([[a * 0.5, b * 0.5, 0.0] for a in range(9) for b in range(9)])
    xyz = np.vstack([flat, [[2.1, 2.1, 1.0], [2.2, 2.0, 1.0]]])
    codes = np.where(np.arange(83) == 81, 7, 0).astype(np.uint8)
    noisy = cloud_of(xyz, classification=codes, withheld=np.arange(83) == 82)
    found = change.m3c2(cloud_of(flat), noisy, noisy, **SIZES)
    assert found.distance_m[40] == 0
    assert np.isnan(found.distance_m[81:]).all()
    assert found.count_after[81:].tolist() == [0, 0]
    assert found.significant[81:].tolist() == [255, 255]


def test_core_points_with_their_change_are_a_cloud():
    before = cloud_of(hillside(1), classification=np.full(1500, 2, np.uint8))
    made = change.m3c2(before, cloud_of(hillside(2)), before, **SIZES).as_cloud()
    assert made.attributes["distance_m"].dtype == np.float32
    assert {"classification", "lod95_m", "significant", "normal_up", "count_after"} <= set(made.attributes)


def test_what_cannot_be_compared_is_refused():
    flat = np.array([[a * 0.5, b * 0.5, 0.0] for a in range(9) for b in range(9)])
    cloud = cloud_of(flat)
    with pytest.raises(InfeasibleError, match="none of 81 core points has points of both epochs"):
        change.m3c2(cloud, cloud_of(flat + 50), cloud, **SIZES)
    with pytest.raises(CrsError, match="reproject one of them"):
        change.m3c2(cloud, PointCloud(cloud.xyz, 32649), cloud, **SIZES)
    with pytest.raises(HeightError):
        change.m3c2(cloud.with_height(Height("ellipsoidal")), cloud.with_height(Height("orthometric")), cloud, **SIZES)
    with pytest.raises(CrsError, match="degree"):
        change.m3c2(*[PointCloud(np.array([[105.0, 36.0, 0.0]]), 4326)] * 3, **SIZES)
    with pytest.raises(InputError, match=r"m3c2 \(after\) needs points"):
        change.m3c2(cloud, cloud.select([]), cloud, **SIZES)
    with pytest.raises(InputError, match="all core points are withheld or noise"):
        change.m3c2(cloud, cloud, cloud.with_attribute("withheld", np.ones(81, bool)), **SIZES)
    for wrong in ({"normal_radius_m": ()}, {"normal_radius_m": (1.0, -1.0)}, {"cylinder_radius_m": 0.0}, {"max_depth_m": np.nan}):
        with pytest.raises(InputError, match="must be a positive number"):
            change.m3c2(cloud, cloud, cloud, **(SIZES | wrong))
    with pytest.raises(InputError, match="give one number, or one for each of 81"):
        change.m3c2(cloud, cloud, cloud, registration_error_m=np.zeros(3), **SIZES)
    with pytest.raises(InputError, match="must not be negative"):
        change.m3c2(cloud, cloud, cloud, registration_error_m=-0.1, **SIZES)
    stray = np.array([3e7, 3e7, 0])
    far = np.vstack([cloud.xyz, ORIGIN + stray, ORIGIN - stray])
    with pytest.raises(InputError, match="drop stray points"):
        change.m3c2(PointCloud(far, 32648), cloud, PointCloud(far, 32648), **SIZES)
    errors = np.tile([1.0, 0, 0, 1.0, 0, 0.0], (81, 1))
    with pytest.raises(InputError, match="larger than 0"):
        change.m3c2_ep(cloud, cloud, cloud, errors_before=errors, errors_after=errors, **SIZES)
    with pytest.raises(InputError, match="have shape"):
        change.m3c2_ep(cloud, cloud, cloud, errors_before=errors[:3], errors_after=errors, **SIZES)
    scanner = ScannerErrors((0.0, 0.0, 0.0), 0.0, 0.1)
    with pytest.raises(InputError, match="errors of a scanner must be positive"):
        change.m3c2_ep(cloud, cloud, cloud, errors_before=scanner, errors_after=scanner, **SIZES)


@pytest.mark.parametrize("own_core", [False, True])
def test_files_worked_on_by_tiles_have_the_change_of_the_whole_to_the_last_bit(tmp_path, monkeypatch, own_core):
    monkeypatch.setattr(large_cloud_change, "_TILE_POINTS", 800)
    for name, seed in (("before", 1), ("after", 2), ("core", 3)):
        codes = np.where(np.arange(4000) % 50 == 0, 7, 2).astype(np.uint8)
        io.write_cloud(cloud_of(hillside(seed, 4000, side=40.0), classification=codes), tmp_path / f"{name}.laz")
    before, after, core = (io.read_cloud(tmp_path / f"{name}.laz") for name in ("before", "after", "core"))
    files = {"core": tmp_path / "core.laz"} if own_core else {}
    sizes = {**SIZES, "cylinder_radius_m": 1.2, "registration_error_m": 0.01}
    made = large_cloud_change.m3c2(tmp_path / "before.laz", tmp_path / "after.laz", **files, out=tmp_path / "out.laz", **sizes)
    whole = change.m3c2(before, after, core if own_core else before, **sizes).as_cloud()
    found = io.read_cloud(made)
    ours, theirs = np.lexsort(found.xyz.T), np.lexsort(whole.xyz.T)
    np.testing.assert_array_equal(found.xyz[ours], whole.xyz[theirs])
    for name in ("distance_m", "lod95_m", "normal_east", "normal_radius_m", "count_before", "significant", "classification"):
        np.testing.assert_array_equal(found.attributes[name][ours], whole.attributes[name][theirs])
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")) == [
        "after.laz", "before.laz", "core.laz", "out.laz",
    ]  # fmt: skip


def test_tiles_in_which_nothing_is_known_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(large_cloud_change, "_TILE_POINTS", 800)
    before, after = hillside(1, 4000, side=40.0), hillside(2, 4000, side=40.0)
    io.write_cloud(cloud_of(before), tmp_path / "before.laz")
    io.write_cloud(cloud_of(after[after[:, 0] < 12]), tmp_path / "after.laz")
    with pytest.warns(HazardGeoWarning, match="no distance is known at any of .* core points between"):
        made = pipeline.m3c2(tmp_path / "before.laz", tmp_path / "after.laz", out=tmp_path / "out.laz", **SIZES)
    found = io.read_cloud(made)
    far = found.xyz[:, 0] - ORIGIN[0] > 20
    assert np.isnan(found.attributes["distance_m"][far]).all()
    assert np.isfinite(found.attributes["distance_m"][~far]).any()
    assert (found.attributes["significant"][far] == 255).all()


def test_files_that_cannot_be_compared_are_refused(tmp_path):
    io.write_cloud(cloud_of(hillside(1)), tmp_path / "a.laz")
    far = hillside(1) + np.array([500.0, 0, 0])
    io.write_cloud(cloud_of(far), tmp_path / "far.laz")
    io.write_cloud(PointCloud(hillside(1) + ORIGIN, 32649), tmp_path / "zone.laz")
    with pytest.raises(InfeasibleError, match="after lies beside the core points"):
        large_cloud_change.m3c2(tmp_path / "a.laz", tmp_path / "far.laz", out=tmp_path / "out.laz", **SIZES)
    with pytest.raises(CrsError, match="reproject one of them"):
        large_cloud_change.m3c2(tmp_path / "a.laz", tmp_path / "zone.laz", out=tmp_path / "out.laz", **SIZES)
    with pytest.raises(InputError, match="would be written over"):
        large_cloud_change.m3c2(tmp_path / "a.laz", tmp_path / "far.laz", out=tmp_path / "a.laz", **SIZES)
    errors = np.zeros(3)
    with pytest.raises(InputError, match="one number or an Alignment"):
        large_cloud_change.m3c2(
            tmp_path / "a.laz", tmp_path / "a.laz", out=tmp_path / "out.laz", registration_error_m=errors, **SIZES
        )
    assert not (tmp_path / "out.laz").exists()
