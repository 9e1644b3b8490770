"""Scenario shaking from a point source."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from affine import Affine

from hazardgeo.errors import ConfigError, GridMismatchError, HazardGeoWarning, InputError
from hazardgeo.event import Earthquake, scenario_shaking
from hazardgeo.event.ground_motion import bssa_2014, epicentral_distance_km, intensity_from_pgv
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

TIME = datetime(2023, 12, 18, 15, 59, 30, tzinfo=UTC)
QUAKE = Earthquake(6.2, 102.8, 35.7, 10.0, TIME)
GRID = Grid.from_bounds((101.8, 34.9, 103.8, 36.5), cell=0.02, crs=4326)


def site(values: object, grid: Grid = GRID) -> Raster:
    return Raster(np.broadcast_to(np.asarray(values, np.float32), grid.shape).copy(), grid, "vs30", "m/s")


def test_one_degree_of_the_equator_is_111_km():
    grid = Grid(Affine(1, 0, 0.5, 0, -1, 0.5), (1, 1), 4326)
    quake = Earthquake(6.0, 0.0, 0.0, 10.0, TIME)
    assert epicentral_distance_km(quake, grid)[0, 0] == pytest.approx(6378.137 * np.pi / 180.0, rel=1e-9)


def test_model_equation_worked_by_hand_at_the_reference_velocity():
    # Boore et al. 2014, table of coefficients, M 6.2, strike slip, Rjb 20 km, Vs30 760 m/s: no site term at 760 m/s
    distance = np.hypot(20.0, 4.5)
    ln_pga = 0.4856 - 0.1662 * (6.2 - 5.5) + (-1.134 + 0.1917 * (6.2 - 4.5)) * np.log(distance) - 0.008088 * (distance - 1)
    distance = np.hypot(20.0, 5.3)
    ln_pgv = 5.078 + (-1.243 + 0.1489 * (6.2 - 4.5)) * np.log(distance) - 0.00344 * (distance - 1)
    found = bssa_2014(6.2, "strike_slip", 20.0, 760.0)
    assert found[0] == pytest.approx(ln_pga, abs=1e-9)
    assert found[1] == pytest.approx(ln_pgv, abs=1e-9)
    assert found[2] == pytest.approx(np.hypot(0.495, 0.348), abs=1e-9)
    assert found[3] == pytest.approx(np.hypot(0.552, 0.346), abs=1e-9)


def test_interpolation_stays_within_one_percent_of_the_model():
    rng = np.random.default_rng(7)
    vs30 = site(np.exp(rng.uniform(np.log(150), np.log(1500), GRID.shape)))
    wide = Grid.from_bounds((99.8, 33.0, 105.8, 38.4), cell=0.05, crs=4326)
    vs30 = site(np.exp(rng.uniform(np.log(150), np.log(1500), wide.shape)), wide)
    shaking = scenario_shaking(QUAKE, wide, vs30_m_s=vs30, mechanism="reverse")
    distance = epicentral_distance_km(QUAKE, wide)
    near = np.argsort(distance.ravel())[:60]
    cells = np.concatenate([near, rng.choice(np.flatnonzero(distance.ravel() <= 300), 240, replace=False)])
    for cell in cells:
        row, col = np.unravel_index(cell, wide.shape)
        exact = bssa_2014(6.2, "reverse", float(distance[row, col]), float(vs30.values[row, col]))
        assert shaking.pga_g.values[row, col] == pytest.approx(np.exp(exact[0]), rel=0.01)
        assert shaking.pgv_cm_s.values[row, col] == pytest.approx(np.exp(exact[1]), rel=0.01)
        assert shaking.sigma_ln_pga.values[row, col] == pytest.approx(exact[2], rel=0.01)
        assert shaking.sigma_ln_pgv.values[row, col] == pytest.approx(exact[3], rel=0.01)


def test_shaking_falls_off_with_distance():
    shaking = scenario_shaking(QUAKE, GRID, vs30_m_s=site(500.0))
    order = np.argsort(epicentral_distance_km(QUAKE, GRID).ravel())
    for layer in (shaking.pga_g, shaking.pgv_cm_s, shaking.mmi):
        assert (np.diff(layer.values.ravel()[order]) <= 1e-5).all()


def test_metric_and_geographic_grids_agree():
    metric = Grid.from_bounds((490_000, 3_940_000, 500_000, 3_950_000), cell=1000.0, crs=32648)
    shaking = scenario_shaking(Earthquake(6.2, 105.0, 35.65, 10.0, TIME), metric, vs30_m_s=site(400.0, metric))
    row, col = np.unravel_index(np.argmax(shaking.pga_g.values), metric.shape)
    distance = epicentral_distance_km(shaking.event, metric)
    assert distance[row, col] == distance.min()
    assert shaking.grid.same_as(metric)


def test_unknown_site_or_a_far_one_is_unknown():
    grid = Grid.from_bounds((102.0, 35.0, 110.0, 36.0), cell=0.5, crs=4326)
    values = np.full(grid.shape, 400.0)
    values[0, 0] = np.nan
    shaking = scenario_shaking(QUAKE, grid, vs30_m_s=site(values, grid))
    far = epicentral_distance_km(QUAKE, grid) > 300.0
    assert far.any()
    for layer in (shaking.pga_g, shaking.pgv_cm_s, shaking.mmi, shaking.sigma_ln_pga, shaking.sigma_ln_pgv):
        assert np.isnan(layer.values[far]).all()
        assert np.isnan(layer.values[0, 0])
        assert np.isfinite(layer.values[-1, 1])


def test_nothing_known_gives_nothing_and_no_error():
    shaking = scenario_shaking(QUAKE, GRID, vs30_m_s=site(np.nan))
    assert np.isnan(shaking.pga_g.values).all()


def test_one_site_velocity_and_one_cell_are_enough():
    grid = Grid(Affine(0.01, 0, 102.8, 0, -0.01, 35.7), (1, 1), 4326)
    shaking = scenario_shaking(QUAKE, grid, vs30_m_s=site(1500.0, grid))
    exact = bssa_2014(6.2, "unspecified", float(epicentral_distance_km(QUAKE, grid)[0, 0]), 1500.0)
    assert shaking.pga_g.values[0, 0] == pytest.approx(np.exp(exact[0]), rel=0.01)


def test_velocity_outside_the_model_is_cut_with_a_warning():
    with pytest.warns(HazardGeoWarning, match=r"Vs30 of 100.0% of the cells lies outside 150 to 1500 m/s"):
        shaking = scenario_shaking(QUAKE, GRID, vs30_m_s=site(90.0))
    assert np.isfinite(shaking.pga_g.values).all()


def test_a_deep_earthquake_is_warned_of():
    deep = Earthquake(6.2, 102.8, 35.7, 60.0, TIME)
    with pytest.warns(HazardGeoWarning, match="60 km deep"):
        scenario_shaking(deep, GRID, vs30_m_s=site(400.0))


def test_intensity_follows_the_pieces_of_worden():
    # 4.62 + 2.17 * -2 below 10 ** -1.21 cm/s (and not below 1); 3.78 + 1.47 * 0; 2.89 + 3.16 * 1; cut at 10
    found = intensity_from_pgv(np.array([0.01, 1.0, 10.0, 0.0, 1000.0, np.nan]))
    assert found[:5].tolist() == pytest.approx([1.0, 3.78, 6.05, 1.0, 10.0])
    assert np.isnan(found[5])
    assert intensity_from_pgv(np.array([0.05]))[0] == pytest.approx(4.62 + 2.17 * np.log10(0.05))


def test_the_source_says_that_it_is_a_scenario_without_a_rupture():
    text = scenario_shaking(QUAKE, GRID, vs30_m_s=site(400.0), mechanism="strike_slip").source
    assert "Scenario, not a measurement" in text
    assert "point source" in text
    assert "strike slip" in text


def test_what_the_model_does_not_know_is_refused():
    with pytest.raises(ConfigError, match="mechanism is 'oblique'"):
        scenario_shaking(QUAKE, GRID, vs30_m_s=site(400.0), mechanism="oblique")
    with pytest.raises(InputError, match="lies outside the ground-motion model"):
        scenario_shaking(Earthquake(9.0, 102.8, 35.7, 10.0, TIME), GRID, vs30_m_s=site(400.0))
    other = Grid.from_bounds((101.8, 34.9, 103.8, 36.5), cell=0.04, crs=4326)
    with pytest.raises(GridMismatchError, match="different grids"):
        scenario_shaking(QUAKE, GRID, vs30_m_s=site(400.0, other))
    with pytest.raises(InputError, match="but 'm/s' is needed"):
        scenario_shaking(QUAKE, GRID, vs30_m_s=Raster(np.full(GRID.shape, 0.4, np.float32), GRID, "vs30", "km/s"))


def test_each_mechanism_has_its_own_largest_magnitude(caplog):
    """Boore et al. 2014 as pygmm states it: M 3 to 8.5 for strike-slip and reverse faults, 3 to 7 for normal ones."""
    grid = Grid.from_bounds((102.8, 35.0, 103.0, 35.2), cell=0.1, crs=4326)
    large = Earthquake(7.5, 102.8, 35.7, 10.0, TIME)
    with pytest.raises(InputError, match=r"the magnitude 7.5 lies outside .* for normal faults \(3 to 7\)"):
        scenario_shaking(large, grid, vs30_m_s=site(400.0, grid), mechanism="normal")
    for mechanism in ("reverse", "strike_slip", "unspecified"):
        assert np.isfinite(scenario_shaking(large, grid, vs30_m_s=site(400.0, grid), mechanism=mechanism).pga_g.values).all()
    edge = Earthquake(7.0, 102.8, 35.7, 10.0, TIME)
    assert np.isfinite(scenario_shaking(edge, grid, vs30_m_s=site(400.0, grid), mechanism="normal").pga_g.values).all()
    assert caplog.records == []  # within the limits pygmm has nothing to complain about
