from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from affine import Affine

from hazardgeo import io, terrain
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.raster import Raster
from hazardgeo.terrain.gradient import angle

INNER = (slice(1, -1), slice(1, -1))
METHODS = ("horn", "zevenbergen_thorne")


@kernel
def _angles(rises, out):
    for j in range(rises.size):
        out[j] = angle(rises[j])


def test_the_arctangent_is_good_to_the_last_digits_of_float32():
    rises = np.concatenate([np.geomspace(1e-30, 1e30, 400_001), np.linspace(0, 3, 400_001)]).astype(np.float32)
    found = np.empty_like(rises)
    _angles(rises, found)
    exact = np.degrees(np.arctan(rises.astype(np.float64)))
    assert np.abs(found - exact).max() < 1e-5
    assert (np.abs(found - exact) <= 4e-7 * exact).all()
    special = np.array([np.nan, 0.0, 1.0, np.inf], np.float32)
    _angles(special, found[:4])
    np.testing.assert_array_equal(found[:4], np.array([np.nan, 0.0, found[2], 90.0], np.float32))
    assert found[2] == pytest.approx(45.0, abs=4e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cell", [(1.0, 1.0), (3.0, 0.5)])
def test_a_quadratic_surface_has_its_own_gradient(surface_of, method, cell):
    dem, east, north = surface_of(lambda x, y: 0.02 * x**2 - 0.01 * y**2 + 0.004 * x * y + 0.3 * x, cell=cell)
    p, q = 0.04 * east + 0.004 * north + 0.3, -0.02 * north + 0.004 * east
    rise = np.hypot(p, q)[INNER]
    np.testing.assert_allclose(terrain.gradient(dem, method=method).values[INNER], rise, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(terrain.slope(dem, method=method).values[INNER], np.degrees(np.arctan(rise)), atol=3e-5)
    falls = np.mod(np.degrees(np.arctan2(-p, -q)), 360)[INNER]
    apart = np.mod(terrain.aspect(dem, method=method).values[INNER] - falls + 180, 360) - 180
    assert np.abs(apart).max() < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_errors_on_a_cone_fall_with_the_square_of_the_distance(surface_of, method):
    dem, east, north = surface_of(lambda x, y: -0.7 * np.hypot(x, y), rows=201, cols=201)
    away = np.hypot(east, north)[INNER]
    off = np.abs(terrain.gradient(dem, method=method).values[INNER] - 0.7)
    assert (off[away > 3] < 0.6 / away[away > 3] ** 2).all()


@pytest.mark.parametrize("method", METHODS)
def test_errors_on_a_hill_fall_with_the_square_of_the_cell(surface_of, method):
    def off(cell):
        dem, _, _ = surface_of(
            lambda x, y: 30 * np.exp(-((x - 20) ** 2 + (y - 15) ** 2) / 800), rows=3, cols=3, cell=(cell, cell)
        )
        exact = 30 * np.exp(-625 / 800) * 25 / 400
        return abs(float(terrain.gradient(dem, method=method).values[1, 1]) - exact)

    assert off(4.0) / off(2.0) == pytest.approx(4.0, rel=0.1)


def test_elevation_costs_no_digits():
    grid = Grid(Affine(0.125, 0, 0, 0, -0.125, 0), (40, 40), 32648)
    low = (np.random.default_rng(2).integers(0, 64, (40, 40)) / 512).astype(np.float32)
    high = low + np.float32(4096.0)
    np.testing.assert_array_equal(high - np.float32(4096.0), low)
    for made in (terrain.slope, terrain.curvature, terrain.hillshade):
        np.testing.assert_array_equal(made(Raster(high, grid, "", "m")).values, made(Raster(low, grid, "", "m")).values)


def test_the_method_of_zevenbergen_and_thorne_needs_four_neighbours_and_the_cell(surface_of):
    dem, _, _ = surface_of(lambda x, y: 0.2 * x, rows=7, cols=7)
    dem.values[3, 3] = np.nan
    expected = np.ones((7, 7), bool)
    expected[INNER] = False
    expected[[3, 2, 4, 3, 3], [3, 3, 3, 2, 4]] = True
    np.testing.assert_array_equal(terrain.slope(dem, method="zevenbergen_thorne").unknown, expected)
    np.testing.assert_array_equal(terrain.aspect(dem, method="zevenbergen_thorne").unknown, expected)


def test_other_methods_are_refused(surface_of):
    with pytest.raises(InputError, match="the method 'sobel' is unknown; choose one of horn, zevenbergen_thorne"):
        terrain.slope(surface_of(lambda x, y: x)[0], method="sobel")


def test_light_from_several_sides_is_weighted_by_the_squared_sine_off_the_aspect(surface_of):
    dem, _, _ = surface_of(lambda x, y: 0.4 * np.sin(x / 3) + 0.3 * np.cos(y / 4) + 0.1 * x)
    azimuths = (225.0, 270.0, 315.0, 360.0)
    found = terrain.hillshade(dem, azimuth_deg=azimuths, altitude_deg=30.0)
    off = [np.sin(np.radians(terrain.aspect(dem).values[INNER] - azimuth)) ** 2 for azimuth in azimuths]
    shades = [terrain.hillshade(dem, azimuth_deg=azimuth, altitude_deg=30.0).values[INNER] for azimuth in azimuths]
    expected = sum(w * shade for w, shade in zip(off, shades, strict=True)) / sum(off)
    np.testing.assert_allclose(found.values[INNER], expected, atol=1e-5)
    assert "Mark (1992)" in found.tags["light"]
    flat = terrain.hillshade(surface_of(lambda x, y: 1.0)[0], azimuth_deg=azimuths, altitude_deg=30.0)
    np.testing.assert_allclose(flat.values[INNER], 0.5, atol=1e-6)


@pytest.mark.parametrize("azimuths", [(), (0.0, np.nan), [[1.0]]])
def test_light_from_nowhere_is_refused(surface_of, azimuths):
    with pytest.raises(InputError, match="give finite azimuths"):
        terrain.hillshade(surface_of(lambda x, y: x)[0], azimuth_deg=azimuths)


def test_bands_cover_all_rows_once_and_come_back_in_order():
    assert in_bands(lambda first, last: (first, last), 10, band_rows=4) == [(0, 4), (4, 8), (8, 10)]


def test_bands_leave_the_threads_of_numba_alone():
    """They would warn of an old TBB beside Open3D, and abort below other threads."""
    code = "import numba; from hazardgeo.kernel import in_bands; in_bands(max, 9, band_rows=1); numba.threading_layer()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].startswith("ValueError: Threading layer is not initialized")


def test_what_a_band_raises_is_raised():
    with pytest.raises(InputError, match="band 4"):
        in_bands(_refusing, 10, band_rows=4)


def _refusing(first, last):
    if first == 4:
        raise InputError("band 4")


def test_slopes_of_a_real_valley_are_those_of_the_formula_in_double_precision(data_case):
    dem = io.read_raster(data_case("bigtujunga_srtm30") / "bigtujunga.tif", unit="m")
    z, (width, height) = dem.values.astype(np.float64), dem.grid.cell_m
    east = (z[:-2, 2:] + 2 * z[1:-1, 2:] + z[2:, 2:] - z[:-2, :-2] - 2 * z[1:-1, :-2] - z[2:, :-2]) / (8 * width)
    north = (z[:-2, :-2] + 2 * z[:-2, 1:-1] + z[:-2, 2:] - z[2:, :-2] - 2 * z[2:, 1:-1] - z[2:, 2:]) / (8 * height)
    expected = np.degrees(np.arctan(np.hypot(east, north)))
    np.testing.assert_allclose(terrain.slope(dem).values[INNER], expected + 0 * z[INNER], atol=1e-5)
