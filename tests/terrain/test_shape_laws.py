"""What holds for every shape of the ground: turned, raised, cut into tiles, with holes."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo import terrain
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.tiles import plan

ALL = [
    ("slope", {}),
    ("slope", {"method": "zevenbergen_thorne"}),
    ("slope", {"scale_m": 5.0}),
    ("gradient", {"scale_m": 9.0}),
    ("aspect", {}),
    ("aspect", {"scale_m": 3.0, "method": "zevenbergen_thorne"}),
    ("hillshade", {"scale_m": 7.0}),
    ("hillshade", {"azimuth_deg": (0.0, 90.0, 180.0, 270.0)}),
    *(("curvature", {"kind": kind}) for kind in terrain.CURVATURES),
    ("curvature", {"kind": "mean", "scale_m": 5.0}),
    ("roughness", {"window_m": 5.0}),
    ("roughness", {"window_m": 7.0, "kind": "vrm"}),
    ("relief", {"radius_m": 3.0}),
    ("tpi", {"radius_m": 4.2}),
    ("tri", {}),
    ("tri", {"radius_m": 2.0}),
    ("percentile", {"radius_m": 3.0}),
    ("openness", {"radius_m": 6.0}),
    ("openness", {"radius_m": 5.0, "kind": "negative", "directions": 8}),
    ("sky_view", {"radius_m": 6.0}),
]
named = pytest.mark.parametrize(("name", "options"), ALL, ids=str)


def shape(name, dem, options):
    return getattr(terrain, name)(dem, **options)


@pytest.mark.parametrize("cell", [(1.0, 1.0), (2.0, 0.75)])
@settings(max_examples=6)
@given(tile_cells=st.integers(3, 40), rows=st.integers(1, 45), cols=st.integers(1, 45), seed=st.integers(0, 99))
@pytest.mark.parametrize(("name", "options"), ALL, ids=str)
def test_tiles_with_their_reach_equal_the_whole(rough_ground, name, options, cell, tile_cells, rows, cols, seed):
    options = {key: 2 * value if key.endswith("_m") else value for key, value in options.items()}
    if name == "roughness":
        options["window_m"] = 14.0
    dem = rough_ground(rows, cols, seed, cell=cell)
    whole = shape(name, dem, options)
    pieces = np.full(dem.grid.shape, -999.0, np.float32)
    for tile in plan(dem.grid, tile_cells=tile_cells, halo=terrain.reach(name, dem.grid, options)):
        part = shape(name, dem.window(*tile.wide), options)
        pieces[tile.core] = part.window(*tile.inner).values
    np.testing.assert_array_equal(pieces.view(np.int32), whole.values.view(np.int32))


@named
def test_turned_ground_has_a_turned_shape(rough_ground, name, options):
    dem = rough_ground(24, 31, cell=(1.0, 1.0))
    grid = Grid(Affine(1, 0, 500_000, 0, -1, 4_000_000), (31, 24), 32648)
    turned = Raster(np.ascontiguousarray(np.rot90(dem.values)), grid, "dem", "m")  # a quarter turn to the left
    expected, found = np.rot90(shape(name, dem, options).values), shape(name, turned, options).values
    if name == "hillshade" and "azimuth_deg" not in options:
        found = shape(name, turned, {**options, "azimuth_deg": 225.0}).values
    if name == "aspect":
        expected = np.mod(expected - 90.0, 360.0)
        apart = np.mod(found - expected + 180.0, 360.0) - 180.0
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
        assert np.nanmax(np.abs(apart)) < 1e-4
    else:
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


@named
def test_raised_ground_keeps_its_shape(rough_ground, name, options):
    dem = rough_ground(24, 31)
    raised = Raster(dem.values + np.float32(512.0), dem.grid, "dem", "m")
    np.testing.assert_allclose(shape(name, raised, options).values, shape(name, dem, options).values, rtol=1e-6, atol=1e-7)


@named
def test_shapes_are_float32_and_leave_their_input_alone(rough_ground, name, options):
    dem = rough_ground(12, 13)
    before = dem.values.copy()
    assert shape(name, dem, options).values.dtype == np.float32
    np.testing.assert_array_equal(dem.values, before)


@named
def test_float64_ground_has_the_shape_of_the_same_float32_ground(rough_ground, name, options):
    dem = rough_ground(24, 31)
    wide = Raster(dem.values.astype(np.float64), dem.grid, "dem", "m")
    np.testing.assert_allclose(shape(name, wide, options).values, shape(name, dem, options).values, rtol=1e-6, atol=1e-7)


@named
def test_unknown_cells_stay_unknown_and_fill_values_are_refused(rough_ground, name, options):
    dem = rough_ground(24, 31, holes=0.1)
    assert shape(name, dem, options).unknown[dem.unknown].all()
    dem.values[20, 5] = -32768.0 * 4
    with pytest.raises(InputError, match=r"1 elevations beyond 100,000 m, the first -131072 at row 20, column 5"):
        shape(name, dem, options)


@named
def test_a_window_of_a_larger_array_has_the_same_shape_as_its_copy(rough_ground, name, options):
    dem = rough_ground(24, 31)
    view = dem.window(slice(3, 20), slice(4, 29))
    copied = Raster(view.values.copy(), view.grid, "dem", "m")
    np.testing.assert_array_equal(shape(name, view, options).values, shape(name, copied, options).values)


@named
def test_threads_change_nothing(rough_ground, monkeypatch, name, options):
    dem = rough_ground(300, 20)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
        found.append(shape(name, dem, options).values)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2)])
@named
def test_ground_smaller_than_a_stencil_is_no_error(rough_ground, name, options, size):
    dem = rough_ground(*size, holes=0.0)
    found = shape(name, dem, options)
    if terrain.reach(name, Grid(dem.grid.transform, (99, 99), 32648), {}) == 1 and name != "tri":
        assert found.unknown.all()


def test_reach_knows_no_flow_and_no_other_names(make_grid):
    with pytest.raises(InputError, match="'fill' is no shape of the ground; choose one of slope"):
        terrain.reach("fill", make_grid(9, 9), {})
