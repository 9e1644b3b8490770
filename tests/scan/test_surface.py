from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo import scan
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, InputError
from hazardgeo.raster import Raster
from hazardgeo.tiles import filled_holes
from hazardgeo.tiles.points import grid_over

CELLS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.integers(-20, 20)), min_size=1, max_size=40)


def cloud_of(points, codes=2, **attributes):
    xyz = np.asarray(points, float) + np.array([500_000, 4_000_000, 0])
    codes = np.broadcast_to(np.asarray(codes, np.uint8), len(xyz))
    return PointCloud(xyz, 32648, {"classification": codes, **attributes}, Height("ellipsoidal"))


def test_a_cell_of_the_dtm_is_the_mean_of_its_ground_points():
    points = [(0.2, 0.5, 10), (0.8, 0.5, 12), (0.5, 0.5, 99), (1.5, 0.5, 20), (1.5, 1.5, 30)]
    dtm = scan.dtm(cloud_of(points, [2, 2, 1, 2, 2]), max_gap_m=0.0)
    np.testing.assert_array_equal(dtm.values, np.array([[np.nan, 30], [11, 20]], np.float32))
    assert (dtm.name, dtm.unit, dtm.height, dtm.grid.bounds) == (
        "dtm",
        "m",
        Height("ellipsoidal"),
        (500_000, 4_000_000, 500_002, 4_000_002),
    )


def test_points_on_the_edges_of_cells_lie_in_the_cell_to_the_south_east():
    corners = [(0, 0, 1), (2, 0, 2), (0, 2, 3), (2, 2, 4)]
    nan = np.nan
    np.testing.assert_array_equal(scan.dsm(cloud_of(corners)).values, [[3, nan, 4], [nan, nan, nan], [1, nan, 2]])


def test_a_void_is_crossed_along_the_slope_of_the_ground_around_it():
    row, col = np.mgrid[:30, :30]
    z = 0.4 * col + 0.2 * row
    keep = np.hypot(row - 15, col - 15) > 4
    keep &= np.random.default_rng(0).random(keep.shape) < 0.8
    keep[[0, -1]] = keep[:, [0, -1]] = True
    cloud = cloud_of(np.column_stack([col[keep] + 0.5, row[keep] + 0.5, z[keep]]))
    np.testing.assert_allclose(scan.dtm(cloud).values[::-1], z, atol=0.01)


def test_a_void_that_is_wider_than_the_gap_stays_unknown_and_a_narrower_one_is_bridged():
    wide = scan.dtm(cloud_of([(0.5, 0.5, 0), (20.5, 0.5, 20)]), max_gap_m=3.0)
    np.testing.assert_array_equal(np.flatnonzero(wide.unknown[0]), np.arange(1, 20))
    narrow = scan.dtm(cloud_of([(0.5, 0.5, 0), (6.5, 0.5, 6)]), max_gap_m=3.0)
    np.testing.assert_allclose(narrow.values[0], np.arange(7.0), atol=0.5)


def test_the_rim_of_a_survey_is_not_carried_outwards_where_it_swings_in():
    row, col = np.mgrid[:60, :60]
    flown = np.hypot(row - 60, col - 30) > 25  # a round bay, 50 m wide at its mouth
    cloud = cloud_of(np.column_stack([col[flown] + 0.5, row[flown] + 0.5, np.zeros(flown.sum())]))
    outside = ~scan.dtm(cloud, max_gap_m=5.0).unknown & ~flown[::-1]
    assert outside.sum() <= 60  # the innermost end of the bay, a strip of one cell
    assert not (outside & (np.hypot(row[::-1] - 60, col - 30) < 23.5)).any()


def test_nothing_is_extrapolated_outside_the_ground_points():
    points = [(5.5, 5.5, 1), (9.5, 5.5, 2), (0.5, 0.5, 50), (14.5, 14.5, 50)]
    dtm = scan.dtm(cloud_of(points, [2, 2, 1, 1]), max_gap_m=5.0)
    known = np.argwhere(~dtm.unknown)
    np.testing.assert_array_equal(known, [[9, c] for c in range(5, 10)])
    assert float(dtm.tags["interpolated_share"]) == pytest.approx(0.6)


@settings(deadline=None, max_examples=60)
@given(CELLS, st.floats(0, 8), st.floats(0.1, 0.9))
def test_interpolated_ground_stays_within_the_range_of_the_ground(cells, max_gap_m, at):
    cloud = cloud_of([(c + at, r + at, z) for r, c, z in cells])
    values = scan.dtm(cloud, max_gap_m=max_gap_m).values
    assert np.nanmin(values) >= cloud.xyz[:, 2].min() - 1e-4
    assert np.nanmax(values) <= cloud.xyz[:, 2].max() + 1e-4


@settings(deadline=None, max_examples=60)
@given(CELLS, st.floats(0, 8), st.randoms(use_true_random=False))
def test_taking_ground_points_away_never_makes_more_of_the_ground_known(cells, max_gap_m, random):
    cloud = cloud_of([(c + 0.5, r + 0.5, z) for r, c, z in cells])
    fewer = cloud.attributes["classification"].copy()
    fewer[[k for k in range(len(fewer)) if random.random() < 0.4 and k > 0]] = 1
    before = scan.dtm(cloud, max_gap_m=max_gap_m)
    after = scan.dtm(cloud.with_attribute("classification", fewer), max_gap_m=max_gap_m)
    assert not (before.unknown & ~after.unknown).any()


def test_a_membrane_between_two_walls_is_a_straight_ramp():
    z = np.full((9, 9), np.nan, np.float32)
    z[:, 0], z[:, -1] = 0.0, 8.0
    walls = Raster(z, grid_over((0.5, 0.5, 8.5, 8.5), 1.0, 32648), unit="m")
    np.testing.assert_allclose(filled_holes(walls, sweeps=2000).values, np.tile(np.arange(9.0), (9, 1)), atol=1e-4)


def test_the_dsm_is_the_highest_point_without_noise_and_withheld_points_and_has_no_filled_cells():
    points = [(0.5, 0.5, 10), (0.6, 0.5, 14), (0.7, 0.5, 500), (0.7, 0.6, 600), (0.8, 0.5, 700), (3.5, 0.5, -9)]
    withheld = np.array([0, 0, 0, 0, 1, 0], bool)
    dsm = scan.dsm(cloud_of(points, [2, 1, 7, 18, 1, 2], withheld=withheld))
    np.testing.assert_array_equal(dsm.values, np.array([[14, np.nan, np.nan, -9]], np.float32))
    assert (dsm.name, dsm.unit, dsm.height) == ("dsm", "m", Height("ellipsoidal"))


def test_dtm_and_dsm_of_one_cloud_share_their_grid():
    cloud = cloud_of(np.random.default_rng(0).uniform(0, 20, (50, 3)), [2, 1] * 25)
    dtm, dsm = scan.dtm(cloud, cell_m=0.7), scan.dsm(cloud, cell_m=0.7)
    dtm.require_same(dsm)


def test_a_dsm_needs_no_classes():
    cloud = PointCloud(np.array([[0.5, 0.5, 3.0]]), 32648)
    assert scan.dsm(cloud).values.tolist() == [[3.0]]


def test_a_dtm_without_ground_names_the_call_that_finds_it():
    cloud = cloud_of([(0.5, 0.5, 1.0), (1.5, 0.5, 2.0)], [1, 2], withheld=np.array([False, True]))
    with pytest.raises(InputError, match=r"none of the 2 points is ground .* scan.classify_ground"):
        scan.dtm(cloud)
    with pytest.raises(InputError, match=r"no classification.* scan.classify_ground"):
        scan.dtm(PointCloud(cloud.xyz, 32648))


def test_surfaces_refuse_empty_broken_and_geographic_clouds_and_bad_sizes():
    cloud = cloud_of([(0.5, 0.5, 1.0)])
    with pytest.raises(InputError, match="dsm needs points"):
        scan.dsm(cloud.select(slice(0, 0)))
    with pytest.raises(InputError, match="not finite"):
        scan.dtm(cloud_of([(0.5, 0.5, np.nan)]))
    with pytest.raises(CrsError, match="dtm needs metres"):
        scan.dtm(PointCloud(cloud.xyz, 4326))
    with pytest.raises(InputError, match="cell size must be a positive number"):
        scan.dtm(cloud, cell_m=0.0)
    with pytest.raises(InputError, match="max_gap_m must be zero or a positive"):
        scan.dtm(cloud, max_gap_m=-1.0)
    with pytest.raises(InputError, match="withheld or noise"):
        scan.dsm(cloud_of([(0.5, 0.5, 1.0)], 7))


def test_ground_is_bridged_further_under_a_roof_than_where_nothing_was_measured() -> None:
    ground = [(0.5, 0.5, 0.0), (14.5, 0.5, 14.0), (0.5, 2.5, 0.0), (14.5, 2.5, 14.0)]
    roof = [(x + 0.5, 0.5, 30.0) for x in range(1, 14)]
    found = scan.dtm(cloud_of(ground + roof, [2] * 4 + [1] * 13), max_gap_m=2.0, max_cover_m=10.0)
    np.testing.assert_allclose(found.values[2], np.arange(15.0), atol=0.2)
    assert np.isnan(found.values[0, 3:12]).all()
