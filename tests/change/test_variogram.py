"""How far errors go together: analytic cases, a slow variogram, and means of invented errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from hazardgeo.change import Correlation
from hazardgeo.change.variogram import correlation, fitted, variogram
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid


def grid_of(z: np.ndarray, cell: float = 1.0) -> Grid:
    return Grid(Affine(cell, 0, 0, 0, -cell, 0), z.shape, 32648)


def test_errors_that_stand_alone_average_out_over_the_cells() -> None:
    alone = Correlation((), (), 1.0, 4.0, 0.2)
    assert alone.effective_cells(400.0) == pytest.approx(100)
    assert alone.sigma_of_mean(400.0) == pytest.approx(0.02)
    assert alone.sigma_of_volume(400.0) == pytest.approx(8.0)
    assert alone.effective_cells(1.0) == 1.0


def test_areas_far_beyond_the_range_have_one_independent_cell_for_a_fifth_of_its_circle() -> None:
    """Rolstad et al. (2009): sigma of the mean squared is sigma squared times pi a2 / 5 A."""
    wide = Correlation((10.0,), (1.0,), 0.0, 1.0, 0.3)
    assert wide.effective_cells(1e6) == pytest.approx(5 * 1e6 / (math.pi * 100), rel=0.02)
    assert wide.sigma_of_mean(1e6) == pytest.approx(0.3 * math.sqrt(math.pi * 100 / (5 * 1e6)), rel=0.01)
    assert wide.sigma_of_mean(1e6, sigma_m=0.6) == pytest.approx(2 * wide.sigma_of_mean(1e6))


def test_what_all_cells_share_does_not_average_out() -> None:
    shared = Correlation((), (), 1.0, 1.0, 0.1, common_m=0.02)
    assert shared.sigma_of_mean(1e12) == pytest.approx(0.02, rel=1e-3)
    assert shared.sigma_of_volume(1e6) > 0.02 * 1e6


@pytest.mark.parametrize(("reach", "radius"), [(10.0, 1.0), (10.0, 6.0), (10.0, 30.0), (10.0, 50.0)])
def test_a_share_in_the_disk_is_that_of_all_pairs_in_it(reach: float, radius: float) -> None:
    model = Correlation((reach,), (1.0,), 0.0, 1.0, 1.0)
    rng = np.random.default_rng(1)
    r, turn = radius * np.sqrt(rng.uniform(size=(2, 400_000))), rng.uniform(0, 2 * np.pi, (2, 400_000))
    h = np.hypot(*np.diff([r * np.cos(turn), r * np.sin(turn)], axis=1)[:, 0])
    share = np.where(h < reach, 1 - 1.5 * h / reach + 0.5 * (h / reach) ** 3, 0)
    assert 1 / model.effective_cells(math.pi * radius**2) == pytest.approx(share.mean(), rel=0.03)
    assert model.share(h[:5]) == pytest.approx(share[:5])


@given(st.floats(1, 1e5), st.floats(1.01, 3))
def test_a_wider_area_never_knows_its_mean_worse(area: float, times: float) -> None:
    model = Correlation((5.0, 80.0), (0.5, 0.3), 0.2, 1.0, 0.1)
    assert model.sigma_of_mean(area * times) <= model.sigma_of_mean(area) * (1 + 1e-12)


def test_an_area_must_be_positive() -> None:
    with pytest.raises(InputError, match="positive number of m2"):
        Correlation((), (), 1.0, 1.0, 0.1).effective_cells(0.0)


def test_the_variogram_is_that_of_all_pairs_along_rows_and_columns() -> None:
    z = np.random.default_rng(2).normal(size=(24, 30))
    z[5:9, 7:12] = np.nan
    lags, values, pairs = variogram(z, grid_of(z, 2.0))
    for lag, value, many in zip(lags, values, pairs, strict=True):
        k = round(lag / 2.0)
        apart = [abs(z[i, j] - z[i, j + k]) for i in range(24) for j in range(30 - k)]
        apart += [abs(z[i, j] - z[i + k, j]) for i in range(24 - k) for j in range(30)]
        known = [d for d in apart if not math.isnan(d)]
        assert many == len(known)
        assert value == pytest.approx(2.198 * np.median(known) ** 2 / 2)
    assert lags[0] == 2.0
    assert lags[-1] <= 24


def test_a_known_model_is_found_in_its_own_variogram() -> None:
    h = np.array([1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 50, 68, 90.0])
    ratio = np.minimum(h / 20, 1)
    ranges, parts = fitted(h, 0.4 + 0.6 * (1.5 * ratio - 0.5 * ratio**3), np.full(h.size, 1e5))
    total = parts.sum()
    model = Correlation(ranges, tuple(float(p / total) for p in parts[1:]), float(parts[0] / total), 1.0, 1.0)
    truth = Correlation((20.0,), (0.6,), 0.4, 1.0, 1.0)
    for area in (50.0, 500.0, 5000.0):
        assert model.effective_cells(area) == pytest.approx(truth.effective_cells(area), rel=0.1)


def test_white_errors_are_found_to_stand_alone() -> None:
    z = np.random.default_rng(1).normal(size=(200, 200))
    found = correlation(z, grid_of(z), sigma_m=1.0)
    assert found.alone + sum(found.sills) == pytest.approx(1.0)
    assert found.effective_cells(100.0) == pytest.approx(100, rel=0.25)


def test_means_over_squares_scatter_as_the_model_says() -> None:
    """Errors that are means over 7 x 7 cells; the scatter of their means over squares of 400 m2 is counted."""
    rng = np.random.default_rng(5)
    said, counted = [], []
    for _ in range(6):
        white = rng.normal(size=(306, 306))
        rows = np.cumsum(np.vstack([np.zeros(306), white]), axis=0)
        rows = rows[7:] - rows[:-7]
        cols = np.cumsum(np.column_stack([np.zeros(300), rows]), axis=1)
        z = (cols[:, 7:] - cols[:, :-7]) / 7
        said.append(correlation(z, grid_of(z), sigma_m=1.0).sigma_of_mean(400.0))
        counted.append(z.reshape(15, 20, 15, 20).mean(axis=(1, 3)).std())
    assert np.mean(said) == pytest.approx(np.mean(counted), rel=0.2)


def test_a_surface_without_errors_has_none_to_correlate() -> None:
    found = correlation(np.zeros((20, 20)), grid_of(np.zeros((20, 20))), sigma_m=0.0)
    assert found.ranges_m == ()
    assert found.sigma_of_mean(10.0) == 0.0
    assert correlation(np.full((5, 5), np.nan), grid_of(np.zeros((5, 5))), sigma_m=1.0).alone == 1.0
