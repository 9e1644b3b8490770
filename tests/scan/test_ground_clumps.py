from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hazardgeo import scan
from hazardgeo.cloud import PointCloud
from hazardgeo.scan import clumps
from hazardgeo.scan.opening import lowered
from hazardgeo.scan.points import grid_of
from hazardgeo.scan.relief import in_box
from hazardgeo.terrain.window import disk_chords, disk_minimum

SIDE = 90


def terrain(x, y):
    return 1800 + 0.3 * x + 2 * np.sin(x / 15) + np.sin(y / 9)


def survey(seed, low, *, density=8):
    """A hillside at 8 points per m2 without plants, and the points `low` besides."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, SIDE, (2, SIDE * SIDE * density))
    xyz = np.column_stack([x, y, terrain(x, y) + rng.normal(0, 0.04, len(x))])
    return PointCloud(np.vstack([xyz, low]) + np.array([500_000, 4_000_000, 0]), 32648)


def clump(seed, middle, width, depth):
    """A point per m2 below the ground."""
    rng = np.random.default_rng(seed)
    x, y = (np.asarray(middle) + rng.uniform(-width / 2, width / 2, (int(width**2), 2))).T
    return np.column_stack([x, y, terrain(x, y) - depth + rng.normal(0, 0.2, len(x))])


@pytest.mark.parametrize("depth", [2.0, 5.0, 12.0])
def test_clumps_of_low_points_do_not_pull_the_ground_down(depth):
    low = np.vstack([clump(k, middle, 3.0, depth) for k, middle in enumerate([(20, 20), (65, 30), (40, 70)])])
    cloud = scan.classify_ground(survey(1, low))
    codes = cloud.attributes["classification"]
    assert (codes[-len(low) :] == 7).mean() > 0.9
    assert (codes[: -len(low)] == 2).mean() > 0.999
    dtm = scan.dtm(cloud)
    rows, cols = np.indices(dtm.grid.shape)
    truth = terrain(cols + 0.5, SIDE - rows - 0.5)
    assert np.abs(dtm.values - truth).max() < 0.35


def test_pits_whose_floor_most_points_see_are_ground():
    def height(x, y):
        pit = (np.abs(x - 30) < 2.5) & (np.abs(y - 30) < 2.5)
        gully = (np.abs(x - 60 - 3 * np.sin(y / 12)) < 1.5) & (y > 10) & (y < 80)
        return terrain(x, y) - np.where(pit | gully, 3.0, 0.0)

    cloud = survey(2, np.empty((0, 3)))
    x, y = (cloud.xyz[:, :2] - [500_000, 4_000_000]).T
    deep = height(x, y) < terrain(x, y)
    cloud = PointCloud(np.column_stack([cloud.xyz[:, :2], height(x, y)]), cloud.crs)
    codes = scan.classify_ground(cloud).attributes["classification"]
    assert (codes != 7).all()
    assert (codes[deep] == 2).mean() > 0.97


def slow_rim(z, reach):
    rows, cols = z.shape
    out = np.empty_like(z)
    for i, j in np.ndindex(z.shape):
        by_direction = []
        for a, b, far in ((0, 1, reach), (1, 0, reach), (1, 1, round(reach / 2**0.5)), (1, -1, round(reach / 2**0.5))):
            middles = [z[i, j]]
            for k in range(1, far + 1):
                ends = ((i - k * a, j - k * b), (i + k * a, j + k * b))
                if all(0 <= r < rows and 0 <= c < cols for r, c in ends):
                    middles.append((z[ends[0]] + z[ends[1]]) / np.float32(2))
            by_direction.append(max(middles))
        out[i, j] = min(by_direction)
    return out


@settings(deadline=None, max_examples=6)
@given(st.integers(0, 9999), st.integers(1, 70), st.integers(1, 30))
def test_the_rim_of_a_pit_is_that_of_chords_one_by_one(seed, rows, cols):
    z = np.random.default_rng(seed).normal(0, 3, (rows, cols)).astype(np.float32)
    np.testing.assert_array_equal(clumps._rim(z, 5), slow_rim(z, 5))


@pytest.mark.parametrize("tile", [(slice(0, 30), slice(10, 40)), (slice(50, 60), slice(60, 90))])
def test_clumps_in_a_window_with_the_stated_halo_are_those_of_the_whole(tile):
    rng = np.random.default_rng(3)
    low = np.vstack([clump(k, rng.uniform(5, 85, 2), 3.0, 4.0) for k in range(25)])
    cloud = survey(3, low)
    grid = grid_of(cloud, 1.0)
    centres = np.arange(SIDE) + 0.5
    ground = terrain(centres[None, :], centres[::-1, None]).astype(np.float32)
    rows, cols = SIDE - 1 - np.floor(cloud.xyz[:, 1] - 4_000_000).astype(int), (cloud.xyz[:, 0] - 500_000).astype(int)
    np.minimum.at(ground, (rows, cols), cloud.xyz[:, 2].astype(np.float32))
    options = {"threshold_m": 0.3, "scalar": 1.25}
    whole = clumps.low_clumps(cloud.xyz, np.ones(len(cloud), bool), grid, ground, **options)
    halo = clumps.clump_halo(1.0)
    wide = tuple(slice(max(s.start - halo, 0), min(s.stop + halo, SIDE)) for s in tile)
    block = grid.window(*wide)
    inside = (rows >= wide[0].start) & (rows < wide[0].stop) & (cols >= wide[1].start) & (cols < wide[1].stop)
    part = clumps.low_clumps(cloud.xyz[inside], np.ones(inside.sum(), bool), block, ground[wide], **options)
    inner = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(tile, wide, strict=True))
    assert whole[tile].any()
    np.testing.assert_array_equal(part[inner], whole[tile])


def disk(radius):
    return np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius + 1e-9


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (7, 9), (150, 83)])
@pytest.mark.parametrize("radius", [0, 1, 2, 5, 11, 24])
def test_the_lowest_in_a_disk_is_that_of_a_plain_filter(shape, radius):
    rng = np.random.default_rng(radius)
    z = np.where(rng.random(shape) < 0.1, np.nan, rng.normal(0, 5, shape)).astype(np.float32)
    wanted = ndimage.minimum_filter(np.nan_to_num(z, nan=np.inf), footprint=disk(radius), mode="constant", cval=np.inf)
    np.testing.assert_array_equal(disk_minimum(z, disk_chords(radius, (1.0, 1.0))), wanted)


def test_openings_lower_as_plain_filters_do():
    z = np.random.default_rng(5).normal(0, 5, (90, 140)).astype(np.float32)
    before, most = z, np.zeros_like(z)
    for radius in range(1, 8):
        below = ndimage.minimum_filter(z, footprint=disk(radius), mode="constant", cval=np.inf)
        after = ndimage.maximum_filter(below, footprint=disk(radius), mode="constant", cval=-np.inf)
        most, before = np.maximum(most, (before - after) / np.float32(0.5 * radius)), after
    np.testing.assert_array_equal(lowered(z, 0.5, 7), most)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (150, 77)])
@pytest.mark.parametrize("reach", [1, 4, 12])
def test_sums_in_boxes_are_those_of_a_convolution(shape, reach):
    mask = np.random.default_rng(6).random(shape) < 0.4
    window = np.ones((2 * reach + 1, 2 * reach + 1), int)
    np.testing.assert_array_equal(in_box(mask, reach), ndimage.convolve(mask.astype(int), window, mode="constant"))


def test_the_classes_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch):
    cloud = survey(4, clump(1, (40, 40), 3.0, 5.0), density=4)
    many = scan.classify_ground(cloud).attributes["classification"]
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 1)
    one = scan.classify_ground(cloud).attributes["classification"]
    np.testing.assert_array_equal(many, one)
