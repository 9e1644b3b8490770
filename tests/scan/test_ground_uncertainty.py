from __future__ import annotations

import numpy as np
import pytest

from hazardgeo import scan
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InputError


def rough_plane(seed, *, sigma_m, hole_m=0.0, slope=0.1):
    """60 x 60 m, four points per cell, classified as ground; a round hole without points in the middle."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 60, (2, 14_400))
    z = 1800 + slope * x + rng.normal(0, sigma_m, len(x))
    keep = np.hypot(x - 30, y - 30) >= hole_m
    cloud = PointCloud(np.column_stack([500_000 + x, 4_000_000 + y, z])[keep], 32648)
    return cloud.with_attribute("classification", np.full(len(cloud), 2, np.uint8))


def test_the_uncertainty_of_a_rough_plane_is_about_its_roughness():
    found = scan.ground_uncertainty(rough_plane(0, sigma_m=0.1))
    assert found.unit == "m"
    assert 0.07 < np.nanmedian(found.values) < 0.13


def test_what_is_unknown_in_the_terrain_is_unknown_and_what_is_far_from_points_is_less_certain():
    cloud = rough_plane(1, sigma_m=0.05, hole_m=9.0)
    found, terrain = scan.ground_uncertainty(cloud), scan.dtm(cloud)
    np.testing.assert_array_equal(found.unknown, terrain.unknown)
    assert found.unknown[30, 30]
    assert np.nanmean(found.values[25:35, 22:24]) > 1.2 * np.nanmedian(found.values[:15])


def test_a_roof_that_one_window_takes_for_ground_is_uncertain_by_its_height():
    cloud = rough_plane(2, sigma_m=0.03, slope=0.0)
    x, y = (cloud.xyz[:, :2] - [500_000, 4_000_000]).T
    roof = (np.abs(x - 30) < 12) & (np.abs(y - 30) < 12)
    xyz = cloud.xyz + np.column_stack([np.zeros((len(cloud), 2)), np.where(roof, 6.0, 0.0)])
    house = scan.classify_ground(PointCloud(xyz, cloud.crs))
    assert (house.attributes["classification"][roof] == 1).all()
    found = scan.ground_uncertainty(house, window_m=8.0)
    assert found.values[30, 30] == pytest.approx(6.0, abs=0.5)
    assert np.nanmedian(found.values[:10]) < 0.1


def test_a_cloud_that_was_never_classified_is_refused():
    cloud = rough_plane(3, sigma_m=0.05)
    with pytest.raises(InputError, match="has no classification"):
        scan.ground_uncertainty(PointCloud(cloud.xyz, cloud.crs))
