"""The regional landslide model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo import levels
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.hazard import glim_codes, nowicki_jessee_2018
from hazardgeo.hazard.field import state_codes

PLACE = {"pgv_cm_s": 30.0, "slope_deg": 30.0, "lithology": "su", "land_cover": 20, "cti": 6.0}


def test_one_cell_worked_by_hand():
    result = nowicki_jessee_2018(**{**PLACE, "pgv_cm_s": 1.0, "slope_deg": 10.0, "cti": 0.0})
    # ln PGV = 0: X = -6.30 + 0.06 * 10 - 1.36 + 0.88 = -6.18
    p = 1.0 / (1.0 + np.exp(6.18))
    assert float(result.probability) == pytest.approx(p, rel=1e-12)
    assert float(result.area_fraction) == pytest.approx(np.exp(-7.592 + 5.237 * p - 3.042 * p**2 + 4.035 * p**3), rel=1e-12)


def test_operational_variant_agrees_with_another_implementation(vectors):
    rows = pd.read_csv(vectors("hazard/oq_nowicki_jessee.csv"), keep_default_na=False)
    result = nowicki_jessee_2018(
        pgv_cm_s=rows.pgv_cms.to_numpy(),
        slope_deg=np.degrees(np.arctan(rows.slope_mm.to_numpy())),
        lithology=rows.lithology.to_numpy(dtype=str),
        land_cover=rows.landcover.to_numpy(),
        cti=rows.cti.to_numpy(),
        pga_g=rows.pga_g.to_numpy(),
    )
    shown = (rows.al22_lse_pct > 0).to_numpy()
    shaken = rows.pgv_cms.to_numpy() > 0
    masked = np.isnan(result.sigma)
    assert (masked == ~shown).all()
    assert np.isin(result.state[masked], (2, 3)).all()
    assert np.isin(result.state[~masked], (1, 2)).all()
    np.testing.assert_allclose(result.probability[shown & shaken], rows.al22_prob[shown & shaken], rtol=6e-10)
    np.testing.assert_allclose(100.0 * result.area_fraction[shown & shaken], rows.al22_lse_pct[shown & shaken], rtol=6e-10)
    assert (result.probability[masked] == 0).all()
    assert (result.area_fraction[masked | ~shaken] == 0).all()


def test_codes_letters_bytes_and_coefficients_say_the_same():
    letters = np.array(["su", "mt", "wb"])
    codes = np.array([glim_codes()[g] for g in letters], np.uint8)
    coefficients = np.array([-1.36, -1.87, -0.66])
    expected = nowicki_jessee_2018(**{**PLACE, "lithology": coefficients}).probability
    for lithology in (letters, letters.astype(bytes), letters.astype(object), codes):
        np.testing.assert_array_equal(nowicki_jessee_2018(**{**PLACE, "lithology": lithology}).probability, expected)


def test_loess_is_as_weak_as_the_operational_model_says():
    loess = nowicki_jessee_2018(**PLACE).probability
    assert float(loess) == float(nowicki_jessee_2018(**{**PLACE, "lithology": "sm"}).probability)


def test_rasters_of_coefficients_may_hold_the_loess_of_2018(make_raster):
    published = make_raster([[-3.22, -1.36]], unit="logit")
    result = nowicki_jessee_2018(**{**PLACE, "lithology": published})
    assert result.probability.values[0, 0] == pytest.approx(result.probability.values[0, 1], rel=1e-6)
    assert published.values[0, 0] == np.float32(-3.22)


def test_agrees_with_the_usgs_code_on_a_real_event(vectors):
    case = np.load(vectors("hazard/gfail_lomaprieta_jessee_2018.npz"))
    result = nowicki_jessee_2018(
        pgv_cm_s=case["pgv"],
        slope_deg=np.degrees(np.arctan(case["slope"].astype(float))),
        lithology=case["rock"].astype(float),
        land_cover=case["landcover"].astype(float),
        cti=case["cti"],
    )
    known = np.isfinite(case["model"])
    np.testing.assert_allclose(result.area_fraction[known], case["model"][known], atol=4e-8, rtol=1e-6)
    shown = known & case["nonzero"]
    np.testing.assert_allclose(result.probability[shown], case["P"][shown], atol=4e-8, rtol=1e-6)
    assert (np.isnan(result.sigma)[known] == ~case["nonzero"][known]).all()
    assert np.isin(result.state[known & ~case["nonzero"]], (2, 3)).all()


def test_sigma_is_the_slope_of_the_share_times_the_scatter_of_shaking():
    step = 1e-5
    low, high = (float(nowicki_jessee_2018(**{**PLACE, "pgv_cm_s": 30.0 * np.exp(s)}).area_fraction) for s in (-step, step))
    from_shaking = (high - low) / (2 * step) * 0.5
    x = 0.01  # the model's own scatter is a shift of the logit, here through a coefficient that is a logit itself
    shifted = [float(nowicki_jessee_2018(**{**PLACE, "lithology": -1.36 + s}).area_fraction) for s in (-x, x)]
    from_model = (shifted[1] - shifted[0]) / (2 * x) * 0.03
    sigma = float(nowicki_jessee_2018(**PLACE, sigma_ln_pgv=0.5).sigma)
    assert sigma == pytest.approx(np.hypot(from_shaking, from_model), rel=1e-4)


def test_four_kinds_of_cells_stay_apart():
    result = nowicki_jessee_2018(
        **{**PLACE, "pgv_cm_s": np.array([30.0, 30.0, np.nan, 300.0, 0.0]), "slope_deg": np.array([30.0, 2.0, 1.0, 30.0, 30.0])}
    )
    assert result.state.tolist() == [1, 3, 0, 2, 1]
    assert np.isnan(result.area_fraction).tolist() == [False, False, True, False, False]
    assert result.area_fraction[1] == 0
    assert result.area_fraction[4] == 0
    assert result.area_fraction[3] == pytest.approx(float(nowicki_jessee_2018(**{**PLACE, "pgv_cm_s": 211.0}).area_fraction))


def test_the_states_of_a_cell_rank_as_they_do_where_levels_are_combined():
    met = np.array([[m, o, k] for m in (True, False) for o in (True, False) for k in (True, False)])
    state = state_codes(missing=met[:, 0], outside=met[:, 1], masked=met[:, 2])
    grid = Grid.from_bounds((0, 0, 8, 1), cell=1, crs=32648)
    one = {"missing": (0, met[:, 0]), "outside": (2, met[:, 1]), "masked": (3, met[:, 2])}
    row = {k: np.where(on, code, 1).astype(np.uint8)[None] for k, (code, on) in one.items()}
    parts = {k: levels.single(k, np.ones((1, 8), np.uint8), states, grid) for k, states in row.items()}
    assert state.tolist() == levels.combine(parts).state.values[0].tolist() == [0, 0, 0, 0, 2, 2, 3, 1]


def test_unknown_class_or_pga_is_missing_input(make_raster):
    lithology = make_raster([[1, 255]], dtype="uint8")
    result = nowicki_jessee_2018(**{**PLACE, "lithology": lithology, "land_cover": make_raster([[20, 20]], dtype="uint8")})
    assert result.state.values.tolist() == [[1, 0]]
    assert "landslide" in result.area_fraction.name
    assert result.area_fraction.tags["unverified"]
    assert int(nowicki_jessee_2018(**PLACE, pga_g=np.nan).state) == 0


def test_codes_that_are_no_classes_are_refused(make_raster):
    with pytest.raises(InputError, match=r"lithology holds the codes \[17\]"):
        nowicki_jessee_2018(**{**PLACE, "lithology": np.array([1, 17])})
    with pytest.raises(InputError, match="no classes of GLiM"):
        nowicki_jessee_2018(**{**PLACE, "lithology": "loess"})
    with pytest.raises(InputError, match="the unit 'logit'"):
        nowicki_jessee_2018(**{**PLACE, "land_cover": make_raster([[20.0]])})
    with pytest.raises(InputError, match="land_cover is 20 logit"):
        nowicki_jessee_2018(**{**PLACE, "land_cover": 20.0})


@settings(deadline=None, max_examples=40)
@given(pgv=st.floats(0.0, 300.0), more=st.floats(0.0, 100.0), slope=st.floats(0.0, 60.0))
def test_more_shaking_never_lowers_the_share_of_ground(pgv, more, slope):
    result = nowicki_jessee_2018(**{**PLACE, "pgv_cm_s": np.array([pgv, pgv + more]), "slope_deg": slope})
    assert result.area_fraction[1] >= result.area_fraction[0]
    assert 0.0 <= result.area_fraction[1] < 0.257
