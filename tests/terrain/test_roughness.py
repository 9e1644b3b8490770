from __future__ import annotations

import numpy as np
import pytest

from hazardgeo import terrain
from hazardgeo.errors import InputError


def windows(shape, half):
    for i in range(shape[0]):
        for j in range(shape[1]):
            yield (i, j), (slice(max(i - half[0], 0), i + half[0] + 1), slice(max(j - half[1], 0), j + half[1] + 1))


@pytest.mark.parametrize(("cell", "half"), [((1.0, 1.0), (2, 2)), ((2.5, 1.0), (3, 1))])
def test_residuals_are_those_of_a_slow_plane(rough_ground, cell, half):
    dem = rough_ground(15, 17, holes=0.2, cell=cell)
    full = (2 * half[0] + 1) * (2 * half[1] + 1)
    expected = np.full(dem.grid.shape, np.nan)
    row, col = np.mgrid[: dem.grid.shape[0], : dem.grid.shape[1]]
    for cell_at, window in windows(dem.grid.shape, half):
        z = dem.values[window].astype(np.float64).ravel()
        known = ~np.isnan(z)
        if np.isnan(dem.values[cell_at]) or 2 * known.sum() < full:
            continue
        design = np.column_stack([np.ones(z.size), row[window].ravel(), col[window].ravel()])[known]
        solved = np.linalg.lstsq(design, z[known], rcond=None)[0]
        expected[cell_at] = np.sqrt(((z[known] - design @ solved) ** 2).mean())
    found = terrain.roughness(dem, window_m=7.0 if half == (3, 1) else 5.0).values
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_vector_ruggedness_is_that_of_slow_normals(rough_ground):
    dem = rough_ground(15, 17, holes=0.05)
    slope, aspect = (np.radians(made(dem).values.astype(np.float64)) for made in (terrain.slope, terrain.aspect))
    normal = np.stack([np.sin(slope) * np.sin(aspect), np.sin(slope) * np.cos(aspect), np.cos(slope)])
    normal[:, slope == 0] = [[0], [0], [1]]
    expected = np.full(dem.grid.shape, np.nan)
    for cell_at, window in windows(dem.grid.shape, (1, 1)):
        inside = normal[(slice(None), *window)].reshape(3, -1)
        known = ~np.isnan(inside[0])
        if not np.isnan(normal[(0, *cell_at)]) and 2 * known.sum() >= 9:
            expected[cell_at] = 1 - np.linalg.norm(inside[:, known].sum(axis=1)) / known.sum()
    np.testing.assert_allclose(terrain.roughness(dem, window_m=3.0, kind="vrm").values, expected, atol=2e-6)


def test_a_steep_smooth_slope_is_not_rough(surface_of):
    dem, _, _ = surface_of(lambda x, y: 3000 + 2 * x - y)
    assert np.nanmax(terrain.roughness(dem, window_m=5.0).values) < 1e-4
    assert np.nanmax(terrain.roughness(dem, window_m=5.0, kind="vrm").values) < 1e-7


def test_a_wave_has_its_amplitude_over_the_root_of_two(surface_of):
    dem, _, _ = surface_of(lambda x, y: 8000 + 0.2 * np.sin(2 * np.pi * x / 4) + x, rows=41, cols=41)
    assert terrain.roughness(dem, window_m=33.0).values[20, 20] == pytest.approx(0.2 / np.sqrt(2), rel=0.04)


def test_cliffs_in_wide_windows_overflow_nothing(surface_of):
    dem, _, _ = surface_of(lambda x, y: np.where((np.round(x) + np.round(y)) % 2 == 0, 90_000.0, -90_000.0), rows=61, cols=61)
    assert terrain.roughness(dem, window_m=61.0).values[30, 30] == pytest.approx(90_000, rel=1e-3)


def test_windows_of_less_than_three_cells_are_refused(surface_of):
    dem, _, _ = surface_of(lambda x, y: x, cell=(2.0, 1.0))
    with pytest.raises(InputError, match="window_m is 3, less than three cells of 2 x 1 m"):
        terrain.roughness(dem, window_m=3.0)
    with pytest.raises(InputError, match="choose vrm or residual"):
        terrain.roughness(dem, window_m=9.0, kind="rms")
