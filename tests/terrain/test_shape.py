from __future__ import annotations

import re

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hazardgeo import terrain
from hazardgeo.errors import CrsError, InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.terrain.window import disk_chords, disk_minimum, smooth

SURFACES = arrays(
    np.float64,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.one_of(st.integers(-50, 50).map(float), st.just(np.nan)),
)


def plane(east_tan, north_tan, *, shape=(7, 9), width=1.0, height=1.0, unit="m"):
    grid = Grid(Affine(width, 0, 500_000, 0, -height, 4_000_000), shape, 32648)
    row, col = np.mgrid[: shape[0], : shape[1]]
    z = 1800.0 + east_tan * width * col - north_tan * height * row
    return Raster(z, grid, "dem", unit)


def test_slope_is_that_of_the_worked_example_of_a_gis_manual(make_raster):
    dem = make_raster([[50, 45, 50], [30, 30, 30], [8, 10, 10]], cell=5.0)
    assert terrain.slope(dem).values[1, 1] == pytest.approx(75.25762, abs=1e-4)


def test_aspect_is_that_of_the_worked_example_of_a_gis_manual(make_raster):
    dem = make_raster([[101, 92, 85], [101, 92, 85], [101, 91, 84]])
    assert terrain.aspect(dem).values[1, 1] == pytest.approx(92.64, abs=0.005)


def test_a_plane_has_its_own_slope_also_where_cells_are_not_square():
    values = terrain.slope(plane(0.3, 0.4, width=2.0, height=0.5)).values
    np.testing.assert_allclose(values[1:-1, 1:-1], np.degrees(np.arctan(0.5)), atol=1e-5)


@pytest.mark.parametrize(
    ("east_tan", "north_tan", "falls_towards"),
    [(0, -1, 0), (-1, -1, 45), (-1, 0, 90), (-1, 1, 135), (0, 1, 180), (1, 1, 225), (1, 0, 270), (1, -1, 315)],
)
def test_aspect_is_where_the_ground_falls_to(east_tan, north_tan, falls_towards):
    assert terrain.aspect(plane(east_tan, north_tan)).values[3, 4] == pytest.approx(falls_towards, abs=1e-4)


def test_flat_ground_has_slope_zero_and_no_aspect():
    assert terrain.slope(plane(0, 0)).values[3, 4] == 0
    assert np.isnan(terrain.aspect(plane(0, 0), scale_m=3.0).values).all()


@pytest.mark.parametrize("scale_m", [None, 5.0])
def test_an_unknown_cell_takes_its_window_and_the_edge_of_the_raster_and_no_more(scale_m):
    dem = plane(0.2, 0.1)
    dem.values[2, 3] = np.nan
    expected = np.ones((7, 9), bool)
    expected[1:-1, 1:-1] = False
    expected[1:4, 2:5] = True
    for result in (terrain.slope(dem, scale_m=scale_m), terrain.aspect(dem, scale_m=scale_m), terrain.hillshade(dem)):
        np.testing.assert_array_equal(result.unknown, expected)


def test_smoothing_keeps_the_slope_of_a_hillside_beside_voids_and_edges():
    dem = plane(0.6, -0.3, shape=(30, 30))
    dem.values[np.random.default_rng(4).random((30, 30)) < 0.2] = np.nan
    values = terrain.slope(dem, scale_m=11.0).values
    np.testing.assert_allclose(values[~np.isnan(values)], np.degrees(np.arctan(np.hypot(0.6, 0.3))), atol=1e-3)


def test_smoothing_is_the_mean_of_the_window(make_raster):
    z = np.zeros((5, 5))
    z[2, 2] = 9.0
    np.testing.assert_allclose(smooth(z, 3, 3)[1:4, 1:4], 1.0)


def slow_smooth(z, rows, cols):
    out = np.full(z.shape, np.nan)
    for i, j in np.argwhere(~np.isnan(z)):
        near = [
            (a - i, b - j, z[a, b])
            for a in range(max(i - rows // 2, 0), min(i + rows // 2 + 1, z.shape[0]))
            for b in range(max(j - cols // 2, 0), min(j + cols // 2 + 1, z.shape[1]))
            if not np.isnan(z[a, b])
        ]
        y, x, v = np.array(near).T
        design = np.column_stack([np.ones(len(v)), x, y])
        spread = np.linalg.matrix_rank(design) == 3
        out[i, j] = np.linalg.lstsq(design, v, rcond=None)[0][0] if spread else v.mean()
    return out


@settings(deadline=None, max_examples=60)
@given(SURFACES, st.sampled_from([1, 3, 5]), st.sampled_from([1, 3, 7]))
def test_smoothing_agrees_with_a_slow_least_squares_plane(z, rows, cols):
    if rows == cols == 1:
        np.testing.assert_array_equal(smooth(z, rows, cols), z)
    else:
        np.testing.assert_allclose(smooth(z, rows, cols), slow_smooth(z, rows, cols), atol=1e-7)


def test_slope_does_not_change_its_input():
    dem = plane(0.2, 0.1)
    before = dem.values.copy()
    terrain.slope(dem, scale_m=3.0)
    terrain.relief(dem, radius_m=2.0)
    np.testing.assert_array_equal(dem.values, before)


def test_slope_refuses_what_is_not_an_elevation_on_a_metric_grid(make_raster):
    with pytest.raises(InputError, match="is in 'ft', but 'm' is needed"):
        terrain.slope(plane(0, 0, unit="ft"))
    degrees = Grid(Affine(0.001, 0, 102.8, 0, -0.001, 35.7), (3, 3), 4326)
    with pytest.raises(CrsError, match="needs metres"):
        terrain.slope(Raster(np.zeros((3, 3), np.float32), degrees, "dem", "m"))
    with pytest.raises(InputError, match="holds uint8 codes, not elevations"):
        terrain.slope(make_raster(np.zeros((3, 3)), dtype="uint8"))
    with pytest.raises(InputError, match="1 elevations beyond 100,000 m, the first inf at row"):
        terrain.slope(make_raster([[np.inf, 0.0]]))


@pytest.mark.parametrize("scale_m", [0.5, -1.0, np.nan])
def test_slope_refuses_a_scale_smaller_than_a_cell(scale_m):
    with pytest.raises(InputError, match="choose a scale of at least one cell"):
        terrain.slope(plane(0, 0), scale_m=scale_m)


def test_the_tag_says_which_scale_was_taken():
    assert terrain.slope(plane(0, 0, width=2.0), scale_m=5.0).tags["scale_m"] == "6 x 5"


def test_hillshade_of_flat_ground_is_the_sine_of_the_light_and_one_where_the_ground_faces_it():
    assert terrain.hillshade(plane(0, 0), altitude_deg=30.0).values[3, 4] == pytest.approx(0.5)
    facing_north_west = plane(np.sqrt(0.5), -np.sqrt(0.5))
    assert terrain.hillshade(facing_north_west).values[3, 4] == pytest.approx(1.0, abs=1e-6)
    assert terrain.hillshade(facing_north_west, azimuth_deg=135.0, altitude_deg=20.0).values[3, 4] == 0.0


def test_hillshade_refuses_light_from_below():
    with pytest.raises(InputError, match="altitude above 0"):
        terrain.hillshade(plane(0, 0), altitude_deg=-5.0)


def test_relief_is_the_span_inside_the_disk(make_raster):
    dem = make_raster([[9, 1, 1, 1], [1, 1, 5, 1], [1, 1, 1, np.nan]])
    expected = [[8, 8, 4, 0], [8, 4, 4, 4], [0, 0, 4, np.nan]]
    np.testing.assert_array_equal(terrain.relief(dem, radius_m=1.0).values, np.array(expected, np.float32))


def test_relief_refuses_a_radius_smaller_than_a_cell(make_raster):
    with pytest.raises(InputError, match="radius of at least one cell"):
        terrain.relief(make_raster([[1.0]]), radius_m=0.5)


@settings(deadline=None, max_examples=60)
@given(SURFACES, st.floats(0, 6), st.sampled_from([(1.0, 1.0), (2.0, 1.0), (0.5, 1.5)]))
def test_the_lowest_value_in_a_disk_agrees_with_a_slow_search(z, radius, cell):
    row, col = np.mgrid[: z.shape[0], : z.shape[1]]
    expected = np.full(z.shape, np.inf)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            near = np.hypot((row - i) * cell[1], (col - j) * cell[0]) <= radius + 1e-9
            inside = z[near & ~np.isnan(z)]
            expected[i, j] = inside.min() if inside.size else np.inf
    np.testing.assert_array_equal(disk_minimum(z, disk_chords(radius, cell)), expected)


@pytest.mark.parametrize("value", [-1e6, 100_001, 3.4e38, -np.inf])
@pytest.mark.parametrize("made", [terrain.slope, terrain.fill, terrain.wetness, terrain.flow_accumulation])
def test_fill_values_are_no_elevations(made, value):
    dem = plane(0.1, 0.1)
    dem.values[2, 3] = value
    with pytest.raises(
        InputError, match=rf"1 elevations beyond 100,000 m, the first {re.escape(f'{value:g}')} at row 2, column 3"
    ):
        made(dem)


def test_windows_wider_than_the_raster_take_all_of_it_and_no_time():
    dem = plane(0.3, 0.4, shape=(5, 4))
    dem.values[1, 1] += 2.0
    wide = terrain.slope(dem, scale_m=2 * 5 - 1).values
    np.testing.assert_allclose(terrain.slope(dem, scale_m=1e12).values, wide, rtol=1e-6)
    far = terrain.relief(dem, radius_m=1e12).values
    np.testing.assert_allclose(far, np.ptp(dem.values), rtol=1e-6)
