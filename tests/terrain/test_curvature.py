from __future__ import annotations

import numpy as np
import pytest

from hazardgeo import terrain
from hazardgeo.errors import InputError

INNER = (slice(1, -1), slice(1, -1))


def bent(p, q, r, t, s):
    """Curvatures from the fundamental forms of the surface, without the formulas of terrain analysis."""
    first = np.array([[1 + p * p, p * q], [p * q, 1 + q * q]])
    second = -np.array([[r, s], [s, t]]) / np.sqrt(1 + p * p + q * q)  # against the upward normal: convex is positive
    low, high = np.sort(np.linalg.eigvals(np.linalg.solve(first, second)).real)
    down, across = np.array([p, q]), np.array([-q, p])
    profile, tangential = (way @ second @ way / (way @ first @ way) for way in (down, across))
    sine = np.hypot(p, q) / np.sqrt(1 + p * p + q * q)
    return {
        "profile": profile, "tangential": tangential, "plan": tangential / sine, "mean": (low + high) / 2,
        "gaussian": low * high, "minimal": low, "maximal": high,
    }  # fmt: skip


@pytest.mark.parametrize("kind", terrain.CURVATURES)
@pytest.mark.parametrize("cell", [(1.0, 1.0), (2.0, 0.5)])
def test_a_quadratic_surface_has_its_own_curvatures(surface_of, kind, cell):
    dem, east, north = surface_of(lambda x, y: -0.011 * x**2 + 0.017 * y**2 + 0.009 * x * y + 0.3 * x - 0.2 * y, cell=cell)
    found = terrain.curvature(dem, kind=kind).values
    for i, j in [(5, 6), (15, 17), (20, 30), (1, 1)]:
        x, y = east[i, j], north[i, j]
        own = bent(-0.022 * x + 0.009 * y + 0.3, 0.034 * y + 0.009 * x - 0.2, -0.022, 0.034, 0.009)
        assert found[i, j] == pytest.approx(own[kind], rel=2e-5, abs=1e-8)


def test_a_sphere_has_one_over_its_radius_and_its_contours_one_over_theirs(surface_of):
    radius = 500.0
    dem, east, north = surface_of(lambda x, y: np.sqrt(radius**2 - (x + 200) ** 2 - (y - 100) ** 2))
    away = np.hypot(east + 200, north - 100)
    for kind in ("profile", "tangential", "mean", "maximal", "minimal"):
        np.testing.assert_allclose(terrain.curvature(dem, kind=kind).values[INNER], 1 / radius, rtol=3e-5)
    np.testing.assert_allclose(terrain.curvature(dem, kind="gaussian").values[INNER], 1 / radius**2, rtol=3e-5)
    np.testing.assert_allclose(terrain.curvature(dem, kind="plan").values[INNER], 1 / away[INNER], rtol=3e-5)
    sunk = type(dem)(-dem.values, dem.grid, "dem", "m")
    np.testing.assert_allclose(terrain.curvature(sunk, kind="mean").values[INNER], -1 / radius, rtol=3e-5)


def test_a_cone_bends_across_its_slope_only(surface_of):
    dem, east, north = surface_of(lambda x, y: -0.5 * np.hypot(x + 80, y + 60))
    away = np.hypot(east + 80, north + 60)[INNER]
    np.testing.assert_allclose(terrain.curvature(dem, kind="plan").values[INNER], 1 / away, rtol=1e-3)
    np.testing.assert_allclose(terrain.curvature(dem, kind="profile").values[INNER], 0, atol=1e-5)
    np.testing.assert_allclose(terrain.curvature(dem, kind="gaussian").values[INNER], 0, atol=1e-6)


def test_errors_on_a_hill_fall_with_the_square_of_the_cell(surface_of):
    def worst(cell, kind):
        dem, _, _ = surface_of(lambda x, y: 30 * np.exp(-((x - 20) ** 2 + y**2) / 800), rows=5, cols=5, cell=(cell, cell))
        hill = 30 * np.exp(-(400 / 800))
        p, q, r, t, s = hill * 20 / 400, 0.0, hill * (400 / 400**2 - 1 / 400), -hill / 400, 0.0
        return abs(terrain.curvature(dem, kind=kind).values[2, 2] - bent(p, q, r, t, s)[kind])

    for kind in ("mean", "profile", "tangential", "minimal"):
        assert worst(4.0, kind) / worst(2.0, kind) == pytest.approx(4.0, rel=0.1)


def test_flat_ground_has_no_curvature_that_needs_a_way_down(surface_of):
    dem, _, _ = surface_of(lambda x, y: 7.0, rows=3, cols=3)
    for kind in ("profile", "plan", "tangential"):
        assert np.isnan(terrain.curvature(dem, kind=kind).values).all()
    for kind in ("mean", "gaussian", "maximal", "minimal"):
        assert terrain.curvature(dem, kind=kind).values[1, 1] == 0


@pytest.mark.parametrize("kind", terrain.CURVATURES)
def test_an_unknown_cell_takes_its_window_and_no_more(surface_of, kind):
    dem, _, _ = surface_of(lambda x, y: 0.2 * x + 0.01 * x * y, rows=9, cols=9)
    dem.values[4, 4] = np.nan
    expected = np.ones((9, 9), bool)
    expected[1:-1, 1:-1] = False
    expected[3:6, 3:6] = True
    np.testing.assert_array_equal(terrain.curvature(dem, kind=kind).unknown, expected)


def test_the_unit_is_that_of_the_kind_and_other_kinds_are_refused(surface_of):
    dem, _, _ = surface_of(lambda x, y: x, rows=3, cols=3)
    assert (terrain.curvature(dem).unit, terrain.curvature(dem, kind="gaussian").unit) == ("1/m", "1/m2")
    with pytest.raises(InputError, match="the curvature 'total' is unknown; choose one of profile, plan"):
        terrain.curvature(dem, kind="total")
