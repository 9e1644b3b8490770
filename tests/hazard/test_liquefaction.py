"""The regional liquefaction models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo.errors import InputError
from hazardgeo.hazard import zhu_2015, zhu_2017_general

PLACE = {
    "pgv_cm_s": 40.0,
    "vs30_m_s": 250.0,
    "precipitation_mm": 500.0,
    "distance_to_coast_km": 100.0,
    "distance_to_river_km": 0.3,
    "water_table_m": 2.0,
    "magnitude": 6.2,
}


def test_zhu_2015_agrees_with_another_implementation(vectors):
    rows = pd.read_csv(vectors("hazard/oq_zhu2015.csv"))
    inside = ((rows.pga_g <= 2.7) & rows.cti.between(0, 15)).to_numpy()
    for magnitude in rows.mag.unique():
        at = (rows.mag == magnitude).to_numpy() & inside
        r = rows[at]
        result = zhu_2015(pga_g=r.pga_g.to_numpy(), magnitude=magnitude, cti=r.cti.to_numpy(), vs30_m_s=r.vs30.to_numpy())
        soft = r.vs30.to_numpy() <= 620
        # the peer replaces a PGA of zero by a tiny one
        np.testing.assert_allclose(result.probability[soft], r.zhu15_prob[soft], rtol=1e-12, atol=1e-7)
        assert (result.probability[~soft] == 0).all()
        assert (result.state == np.where(soft, 1, 3)).all()


def test_zhu_2015_agrees_with_the_usgs_code_on_a_real_event(vectors):
    case = np.load(vectors("hazard/gfail_lomaprieta_zhu_2015.npz"))
    vs30 = case["vs30"].astype(float)
    result = zhu_2015(pga_g=case["pga"] / 100.0, magnitude=6.9, cti=case["cti"].astype(float), vs30_m_s=vs30)
    soft = np.isfinite(case["model"]) & (vs30 <= 620)
    assert soft.sum() > 1000
    np.testing.assert_allclose(result.probability[soft], case["P"][soft], atol=4e-8, rtol=1e-6)
    np.testing.assert_allclose(result.area_fraction[soft], case["model"][soft], atol=4e-8, rtol=1e-6)


def test_zhu_2017_operational_agrees_with_another_implementation(vectors):
    rows = pd.read_csv(vectors("hazard/oq_zhu2017.csv"))
    rows = rows[rows.dw_km <= rows[["dc_km", "dr_km"]].max(axis=1)]
    checked = 0
    for magnitude, r in rows.groupby("mag"):
        result = zhu_2017_general(
            pgv_cm_s=r.pgv_cms.to_numpy(),
            vs30_m_s=r.vs30.to_numpy(),
            # the peer cuts at 1,700 mm before its cap of 2,500 mm can act
            precipitation_mm=np.minimum(r.precip_mm.to_numpy(), 1700.0),
            distance_to_coast_km=r.dw_km.to_numpy(),
            distance_to_river_km=np.full(len(r), 500.0),
            water_table_m=r.wtd_m.to_numpy(),
            pga_g=r.pga_g.to_numpy(),
            magnitude=float(magnitude),
        )
        given_ = (r.al22_prob > 0).to_numpy()
        inside = given_ & (r.pgv_cms.to_numpy() <= 150)
        np.testing.assert_allclose(result.probability[inside], r.al22_prob[inside], rtol=6e-10)
        np.testing.assert_allclose(100.0 * result.area_fraction[inside], r.al22_lse_pct[inside], rtol=6e-10)
        assert (result.area_fraction[result.state == 3] == 0).all()
        checked += int(inside.sum())
    assert checked > 500


def test_zhu_2017_agrees_with_the_usgs_code_on_a_real_event(vectors):
    case = np.load(vectors("hazard/gfail_lomaprieta_zhu_2017_general.npz"))
    result = zhu_2017_general(
        pgv_cm_s=case["pgv"],
        vs30_m_s=case["vs30"],
        precipitation_mm=case["precip"],
        distance_to_coast_km=case["dc"],
        distance_to_river_km=case["dr"],
        water_table_m=case["wtd"],
        magnitude=6.9,
    )
    soft = np.isfinite(case["P"]) & (case["vs30"] <= 620)
    np.testing.assert_allclose(result.probability[soft], case["P"][soft], atol=2e-7, rtol=1e-5)  # the peer's e is 2.71828
    shown = soft & case["nonzero"] & (case["model"] > 0)
    assert shown.sum() > 1000
    np.testing.assert_allclose(result.area_fraction[shown], case["model"][shown], atol=2e-7, rtol=1e-5)


def test_magnitude_factor_is_a_half_at_six():
    six = zhu_2017_general(**{**PLACE, "magnitude": 6.0}).probability
    # X at half the PGV, worked by hand
    x = 8.801 + 0.334 * np.log(20.0) - 1.918 * np.log(250.0) + 0.0005408 * 500 - 0.2054 * 0.3 - 0.0333 * 2.0
    assert float(six) == pytest.approx(1.0 / (1.0 + np.exp(-x)), rel=1e-12)


def test_sigma_is_the_slope_of_the_share_times_the_scatter():
    step = 1e-5
    low, high = (float(zhu_2017_general(**{**PLACE, "pgv_cm_s": 40.0 * np.exp(s)}).area_fraction) for s in (-step, step))
    per_ln_pgv = (high - low) / (2 * step)
    only_model = per_ln_pgv / 0.334 * 0.05
    assert float(zhu_2017_general(**PLACE).sigma) == pytest.approx(only_model, rel=1e-5)
    both = float(zhu_2017_general(**PLACE, sigma_ln_pgv=0.6).sigma)
    assert both == pytest.approx(np.hypot(only_model, per_ln_pgv * 0.6), rel=1e-5)


def test_zhu_2015_has_a_sigma_only_where_that_of_the_shaking_is_known():
    place = {"pga_g": 0.3, "magnitude": 6.9, "cti": 8.0, "vs30_m_s": 250.0}
    assert np.isnan(zhu_2015(**place).sigma)
    step = 1e-5
    low, high = (float(zhu_2015(**{**place, "pga_g": 0.3 * np.exp(s)}).area_fraction) for s in (-step, step))
    assert float(zhu_2015(**place, sigma_ln_pga=0.5).sigma) == pytest.approx((high - low) / (2 * step) * 0.5, rel=1e-5)


def test_each_mask_is_masked_and_not_low():
    base = {**PLACE, "pga_g": 0.3, "slope_deg": 1.0}
    for change in ({"pga_g": 0.09}, {"pgv_cm_s": 2.9}, {"vs30_m_s": 621.0}, {"slope_deg": 5.1}):
        result = zhu_2017_general(**{**base, **change})
        assert int(result.state) == 3
        assert float(result.probability) == 0.0
        assert float(result.area_fraction) == 0.0
        assert np.isnan(result.sigma)
    flat = zhu_2017_general(**{**base, "slope_deg": 0.0})
    assert int(flat.state) == 1
    assert float(flat.area_fraction) > 0


@pytest.mark.parametrize("name", ["pgv_cm_s", "vs30_m_s", "precipitation_mm", "water_table_m", "distance_to_river_km"])
def test_taking_an_input_away_makes_the_cell_unknown(name):
    result = zhu_2017_general(**{**PLACE, name: np.nan}, slope_deg=20.0)
    assert int(result.state) == 0
    assert np.isnan(result.probability)
    assert np.isnan(result.area_fraction)


def test_caps_are_outside_the_range():
    result = zhu_2017_general(**{**PLACE, "pgv_cm_s": np.array([150.0, 151.0]), "precipitation_mm": 2500.0})
    assert result.state.tolist() == [1, 2]
    assert result.probability[0] == result.probability[1]
    assert int(zhu_2015(pga_g=0.3, magnitude=6.9, cti=16.0, vs30_m_s=250.0).state) == 2


def test_a_masked_cell_that_is_outside_the_range_too_reads_outside_the_range():
    steep_and_wet = zhu_2017_general(**{**PLACE, "precipitation_mm": 3000.0}, slope_deg=10.0)
    assert (int(steep_and_wet.state), float(steep_and_wet.area_fraction)) == (2, 0.0)
    rock_and_wet = zhu_2015(pga_g=0.3, magnitude=6.9, cti=16.0, vs30_m_s=700.0)
    assert (int(rock_and_wet.state), float(rock_and_wet.area_fraction)) == (2, 0.0)
    assert int(zhu_2017_general(**{**PLACE, "precipitation_mm": np.nan}, slope_deg=10.0).state) == 0


def test_impossible_magnitude_and_vs30_are_refused():
    with pytest.raises(InputError, match="the magnitude is 62"):
        zhu_2015(pga_g=0.3, magnitude=62, cti=8.0, vs30_m_s=250.0)
    with pytest.raises(InputError, match=r"vs30_m_s is 0.25 m/s"):
        zhu_2017_general(**{**PLACE, "vs30_m_s": 0.25})


@settings(deadline=None, max_examples=40)
@given(pgv=st.floats(0.0, 200.0), more=st.floats(0.0, 100.0), magnitude=st.floats(5.0, 8.0))
def test_more_shaking_never_lowers_the_share_of_ground(pgv, more, magnitude):
    result = zhu_2017_general(**{**PLACE, "pgv_cm_s": np.array([pgv, pgv + more]), "magnitude": magnitude})
    assert result.area_fraction[1] >= result.area_fraction[0]
    assert 0.0 <= result.area_fraction[1] <= 0.4915
