from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hazardgeo import terrain
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

STEP = {1: (0, 1), 2: (1, 1), 4: (1, 0), 8: (1, -1), 16: (0, -1), 32: (-1, -1), 64: (-1, 0), 128: (-1, 1)}
ROUGH = arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.integers(1, 8)),
    elements=st.one_of(st.integers(0, 4).map(float), st.just(np.nan)),
)


def raster(z, cell=1.0):
    z = np.asarray(z, np.float32)
    return Raster(z, Grid(Affine(cell, 0, 500_000, 0, -cell, 4_000_000), z.shape, 32648), "dem", "m")


def slow_fill(z):
    """Lowest level at which water can leave, found by relaxing until nothing changes."""
    wide = np.pad(z, 1, constant_values=np.nan)
    near = [np.roll(wide, (a, b), (0, 1)) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    outlet = np.isnan(near).any(axis=0)
    level = np.where(np.isnan(wide), np.nan, np.where(outlet, wide, np.inf))
    while True:
        around = np.nanmin(
            [np.where(np.isnan(s), np.inf, s) for s in (np.roll(level, (a, b), (0, 1)) for a in (-1, 0, 1) for b in (-1, 0, 1))],
            axis=0,
        )
        better = np.where(np.isnan(wide) | outlet, level, np.maximum(wide, np.minimum(level, around)))
        if np.array_equal(better, level, equal_nan=True):
            return level[1:-1, 1:-1]
        level = better


def test_a_pit_is_filled_to_its_spill_point():
    z = np.full((5, 5), 9.0)
    z[1:4, 1:4] = [[4, 3, 4], [3, 1, 3], [4, 3, 4]]
    z[2, 4] = 6.0
    expected = z.copy()
    expected[1:4, 1:4] = 6.0
    np.testing.assert_array_equal(terrain.fill(raster(z)).values, expected)


def test_a_pit_beside_an_unknown_cell_is_not_filled():
    z = np.full((7, 7), 9.0)
    z[3, 3], z[3, 4] = 1.0, np.nan
    np.testing.assert_array_equal(terrain.fill(raster(z)).values, z.astype(np.float32))


@settings(deadline=None, max_examples=80)
@given(ROUGH)
def test_filling_agrees_with_slow_relaxation(z):
    np.testing.assert_array_equal(terrain.fill(raster(z)).values, slow_fill(z))


def test_filling_keeps_the_height_reference_and_the_input():
    dem = raster([[3, 3, 3], [3, 1, 3], [3, 3, 3]]).with_height(Height("orthometric", "EPSG:5737"))
    filled = terrain.fill(dem)
    assert filled.height == dem.height
    assert filled.values[1, 1] == 3
    assert dem.values[1, 1] == 1


@pytest.mark.parametrize(("code", "step"), STEP.items())
def test_a_plane_drains_in_the_direction_in_which_it_falls(code, step):
    row, col = np.mgrid[:5, :5]
    z = 100.0 - 2.0 * (row * step[0] + col * step[1])
    assert terrain.flow_direction(raster(z)).values[2, 2] == code


def test_the_steepest_way_counts_the_length_of_the_diagonal():
    z = np.full((3, 3), 10.0)
    z[1, 2], z[2, 2] = 9.0, 8.7  # 1.0 per metre to the east, 0.92 per metre to the south-east
    assert terrain.flow_direction(raster(z)).values[1, 1] == 1


@settings(deadline=None, max_examples=80)
@given(ROUGH)
def test_every_known_cell_reaches_an_outlet_without_climbing_the_filled_surface(z):
    dem = raster(z)
    codes, filled = terrain.flow_direction(dem).values, terrain.fill(dem).values
    np.testing.assert_array_equal(codes == 255, np.isnan(z))
    for i, j in np.argwhere(~np.isnan(z)):
        at, steps = (int(i), int(j)), 0
        while codes[at] != 0:
            below = (at[0] + STEP[int(codes[at])][0], at[1] + STEP[int(codes[at])][1])
            assert filled[below] <= filled[at]
            at, steps = below, steps + 1
            assert steps <= z.size
        window = z[max(at[0] - 1, 0) : at[0] + 2, max(at[1] - 1, 0) : at[1] + 2]
        assert window.size < 9 or np.isnan(window).any()


@settings(deadline=None, max_examples=80)
@given(ROUGH)
def test_the_areas_at_the_outlets_add_up_to_the_known_area(z):
    dem = raster(z, cell=2.0)
    area, codes = terrain.flow_accumulation(dem).values, terrain.flow_direction(dem).values
    np.testing.assert_array_equal(np.isnan(area), np.isnan(z))
    assert area[codes == 0].sum() == 4.0 * (~np.isnan(z)).sum()
    assert (area[~np.isnan(z)] >= 4.0).all()


def test_a_gully_gathers_the_area_of_both_its_sides():
    z = np.array([[3, 2, 3], [2.8, 1.5, 2.8], [2.6, 1, 2.6]]) * 10
    area = terrain.flow_accumulation(raster(z, cell=10.0))
    # the centre gets its two sides, the top and both upper corners; the outlet gets everything
    np.testing.assert_array_equal(area.values, [[100, 100, 100], [100, 600, 100], [100, 900, 100]])
    assert area.unit == "m2"
    assert "lower bound" in area.tags["validity"]


def test_wetness_of_a_plane_follows_from_the_length_of_the_slope_above():
    col = np.arange(6.0)
    dem = raster(np.tile(50.0 - 0.5 * 10.0 * col, (5, 1)), cell=10.0)
    expected = np.log((col + 1) * 10.0 / 0.5)
    np.testing.assert_allclose(terrain.wetness(dem).values[1:-1, 1:-1], np.tile(expected[1:-1], (3, 1)), rtol=1e-5)


def test_wetness_of_flat_ground_is_finite_and_unknown_beside_unknown_cells():
    z = np.zeros((6, 6))
    z[0, 0] = np.nan
    index = terrain.wetness(raster(z))
    expected = np.ones((6, 6), bool)
    expected[1:-1, 1:-1] = False
    expected[1, 1] = True
    np.testing.assert_array_equal(index.unknown, expected)
    area = terrain.flow_accumulation(raster(z)).values
    np.testing.assert_allclose(index.values[2:5, 2:5], np.log(area[2:5, 2:5] / 0.001), rtol=1e-5)


def test_wetness_of_a_smoothed_plane_is_that_of_the_plane():
    dem = raster(np.tile(50.0 - 3.0 * np.arange(9.0), (9, 1)))
    np.testing.assert_allclose(terrain.wetness(dem, scale_m=5.0).values, terrain.wetness(dem).values, rtol=1e-4)


def test_flow_refuses_other_units_geographic_grids_and_scales_below_a_cell():
    dem = raster([[1.0]])
    with pytest.raises(InputError, match="'m' is needed"):
        terrain.fill(dem.like(dem.values, "dem", "ft"))
    degrees = Grid(Affine(0.001, 0, 102.8, 0, -0.001, 35.7), (1, 1), 4326)
    with pytest.raises(CrsError, match="flow_accumulation needs metres"):
        terrain.flow_accumulation(Raster(dem.values, degrees, "dem", "m"))
    with pytest.raises(CrsError, match="flow_direction needs metres"):
        terrain.flow_direction(Raster(dem.values, degrees, "dem", "m"))
    with pytest.raises(InputError, match="at least one cell"):
        terrain.wetness(dem, scale_m=0.1)


def test_inflow_is_unknown_below_the_edge_and_below_holes_only(make_raster) -> None:
    # A roof whose ridge runs along the middle row of a wide raster: water leaves the ridge to both sides.
    rows = np.abs(np.arange(9) - 4)[:, None]
    z = 100.0 - 3.0 * rows + np.zeros((9, 9))
    z[2, 4] = np.nan
    found = terrain.inflow_unknown(make_raster(z)).values
    assert not found[4, 1:-1].any()
    assert not found[5:8, 1:-1].any()
    assert found[0].all()
    assert found[1, 3:6].all()
    assert not found[1, [1, 7]].any()


def test_masking_a_cell_never_lowers_wetness_where_inflow_is_known(make_raster) -> None:
    rng = np.random.default_rng(5)
    z = np.add.outer(np.linspace(60, 0, 30), np.abs(np.linspace(-9, 9, 30))) + rng.normal(0, 0.2, (30, 30))
    whole = terrain.flow_accumulation(make_raster(z)).values
    z[8:11, 13:16] = np.nan
    holed = make_raster(z)
    less, unknown = terrain.flow_accumulation(holed).values, terrain.inflow_unknown(holed).values
    lowered = less < whole - 1e-6
    assert lowered.any()
    assert unknown[lowered].all()
