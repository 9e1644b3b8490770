from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from hazardgeo import terrain
from hazardgeo.errors import InputError


def horizons(dem, radius, directions, sign=1.0):
    """Tangents of the horizon in each direction by bilinear interpolation wherever a ray crosses a row or column of centres
    on its faster axis."""
    width, height = dem.grid.cell_m
    z = sign * dem.values.astype(np.float64)
    rows, cols = z.shape
    row, col = np.mgrid[:rows, :cols].astype(np.float64)
    for k in range(directions):
        azimuth = 2 * np.pi * k / directions
        down, right = -np.cos(azimuth) / height, np.sin(azimuth) / width
        stride = 1 / max(abs(down), abs(right))
        best = np.full(z.shape, -np.inf)
        for n in range(1, int(radius / stride + 1e-9) + 1):
            at = np.round([row + n * stride * down, col + n * stride * right], 9)
            level = map_coordinates(z, at, order=1, mode="constant", cval=np.nan)
            best = np.fmax(best, (level - z) / (n * stride))
        yield np.where(np.isinf(best), np.nan, best)


@pytest.mark.parametrize("cell", [(1.0, 1.0), (2.0, 0.75)])
def test_horizons_are_those_of_slow_rays(rough_ground, cell):
    dem = rough_ground(20, 23, holes=0.0, cell=cell)
    up, down = (np.array([*horizons(dem, 7.0, 12, sign)]) for sign in (1, -1))
    for found, expected in (
        (terrain.openness(dem, radius_m=7.0, directions=12), (90 - np.degrees(np.arctan(up))).mean(0)),
        (terrain.openness(dem, radius_m=7.0, directions=12, kind="negative"), (90 - np.degrees(np.arctan(down))).mean(0)),
        (terrain.sky_view(dem, radius_m=7.0, directions=12), 1 - np.sin(np.arctan(np.maximum(up, 0))).mean(0)),
    ):
        np.testing.assert_allclose(found.values, expected, rtol=2e-6, atol=2e-6)


def test_a_slope_is_as_open_above_as_below_and_sees_what_its_angle_leaves(surface_of):
    dem, _, _ = surface_of(lambda x, y: 0.5 * x + 0.25 * y, rows=41, cols=41)
    middle = (20, 20)
    for kind in ("positive", "negative"):
        assert terrain.openness(dem, radius_m=10.0, kind=kind).values[middle] == pytest.approx(90, abs=1e-4)
    azimuth = 2 * np.pi * np.arange(16) / 16
    tangent = np.maximum(0.5 * np.sin(azimuth) + 0.25 * np.cos(azimuth), 0)
    expected = 1 - np.sin(np.arctan(tangent)).mean()
    assert terrain.sky_view(dem, radius_m=10.0).values[middle] == pytest.approx(expected, abs=1e-6)


def test_the_tip_of_a_cone_is_open_by_its_slope_and_its_pit_closed_by_it(surface_of):
    dem, _, _ = surface_of(lambda x, y: -0.5 * np.hypot(x, y), rows=61, cols=61)
    sunk = type(dem)(-dem.values, dem.grid, "dem", "m")
    beta = np.degrees(np.arctan(0.5))
    assert terrain.openness(dem, radius_m=30.0).values[30, 30] == pytest.approx(90 + beta, abs=0.02)
    assert terrain.openness(sunk, radius_m=30.0, kind="negative").values[30, 30] == pytest.approx(90 + beta, abs=0.02)
    assert terrain.sky_view(dem, radius_m=30.0).values[30, 30] == 1
    assert terrain.openness(sunk, radius_m=30.0).values[30, 30] == pytest.approx(90 - beta, abs=1)  # chords lie above a bowl
    assert terrain.sky_view(sunk, radius_m=30.0).values[30, 30] == pytest.approx(1 - np.sin(np.arctan(0.5)), abs=0.02)


def test_ground_without_a_known_cell_in_some_direction_is_unknown(surface_of):
    dem, _, _ = surface_of(lambda x, y: 0.0, rows=9, cols=9)
    dem.values[4, 4] = np.nan
    expected = np.ones((9, 9), bool)
    expected[1:-1, 1:-1] = False
    expected[4, 4] = True
    found = terrain.sky_view(dem, radius_m=3.0)
    np.testing.assert_array_equal(found.unknown, expected)
    assert (found.values[~expected] == 1).all()
    assert "upper bound" in found.tags["validity"]


def test_a_horizon_needs_directions(surface_of):
    dem, _, _ = surface_of(lambda x, y: x)
    with pytest.raises(InputError, match="take at least 4"):
        terrain.sky_view(dem, radius_m=3.0, directions=3)
    with pytest.raises(InputError, match="choose positive or negative"):
        terrain.openness(dem, radius_m=3.0, kind="both")
