"""Infinite slopes and Newmark displacement."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo.errors import GridMismatchError, InputError
from hazardgeo.hazard import critical_acceleration, infinite_slope_fs, jibson_2007_eq6, jibson_2007_eq7

SOIL = {"cohesion_kpa": 10.0, "friction_deg": 30.0, "unit_weight_kn_m3": 20.0, "thickness_m": 2.0, "saturation": 0.0}


def test_dry_slope_at_its_friction_angle_is_held_by_cohesion_alone():
    # 10 / (20 * 2 * sin 30) + tan 30 / tan 30 = 0.5 + 1
    assert float(infinite_slope_fs(30.0, **SOIL)) == pytest.approx(1.5, rel=1e-12)


def test_water_to_the_surface_takes_the_buoyant_share_of_friction():
    wet = infinite_slope_fs(30.0, **{**SOIL, "saturation": 1.0})
    assert float(wet) == pytest.approx(0.5 + 1.0 - 9.81 / 20.0, rel=1e-12)


def test_level_ground_resists_with_its_cohesion_and_its_friction():
    for soil in (SOIL, {**SOIL, "cohesion_kpa": 0.0, "saturation": 1.0}):
        strength = soil["cohesion_kpa"] / 40.0 + np.tan(np.radians(30.0)) * (1.0 - soil["saturation"] * 9.81 / 20.0)
        fs = infinite_slope_fs(np.array([0.0]), **soil)
        assert fs[0] > 1e4
        assert critical_acceleration(fs, np.array([0.0]))[0] == pytest.approx(strength, rel=1e-4)


def test_displacement_does_not_jump_where_the_ground_becomes_level():
    slope = np.array([0.0, 1e-6, 1e-4, 1e-3, 1e-2])
    for soil in (SOIL, {**SOIL, "cohesion_kpa": 0.0}, {**SOIL, "cohesion_kpa": 0.0, "saturation": 1.0}):
        ac_g = critical_acceleration(infinite_slope_fs(slope, **soil), slope)
        displacement = jibson_2007_eq7(ac_g=ac_g, pga_g=np.full(5, 2.0), magnitude=6.2)
        assert displacement.median_cm[0] > 0
        np.testing.assert_allclose(displacement.median_cm, displacement.median_cm[0], rtol=0.01)
        assert (displacement.state == displacement.state[0]).all()
    weak_shaking = jibson_2007_eq7(ac_g=critical_acceleration(infinite_slope_fs(0.0, **SOIL), 0.0), pga_g=0.4, magnitude=6.2)
    assert (float(weak_shaking.median_cm), int(weak_shaking.state)) == (0.0, 1)


def test_level_cells_agree_as_rasters_of_single_precision(make_raster):
    slope = make_raster([[0.0, 0.01]], unit="deg")
    ac_g = critical_acceleration(infinite_slope_fs(slope, **SOIL), slope)
    np.testing.assert_allclose(ac_g.values, 0.25 + np.tan(np.radians(30.0)), rtol=1e-3)


def test_slope_that_fails_at_rest_has_no_critical_acceleration():
    assert critical_acceleration(np.array([0.4, 1.0, 1.5]), 30.0).tolist() == pytest.approx([0.0, 0.0, 0.25])


def test_unknown_ground_stays_unknown():
    slope = np.array([0.0, 20.0, np.nan])
    fs = infinite_slope_fs(slope, **{**SOIL, "cohesion_kpa": np.array([np.nan, np.nan, 5.0])})
    assert np.isnan(fs).all()
    assert np.isnan(critical_acceleration(np.array([np.nan, 2.0]), np.array([0.0, np.nan]))).all()


def test_factor_of_safety_and_critical_acceleration_agree_with_another_implementation(vectors):
    rows = pd.read_csv(vectors("hazard/oq_infinite_slope.csv"))
    slope_deg = np.degrees(np.arctan(rows.slope_used.to_numpy()))
    fs = infinite_slope_fs(
        slope_deg,
        cohesion_kpa=rows.cohesion_pa.to_numpy() / 1000.0,
        friction_deg=rows.friction_deg.to_numpy(),
        unit_weight_kn_m3=rows.dry_density.to_numpy() * 9.81 / 1000.0,
        thickness_m=rows.thickness_m.to_numpy(),
        saturation=rows.saturation.to_numpy(),
    )
    np.testing.assert_allclose(fs, rows.fs, rtol=1e-11)
    expected = np.where(rows.fs <= 1.0, 0.0, rows.crit_accel_g)  # the peer puts a floor of 1e-4 g under it
    np.testing.assert_allclose(np.maximum(critical_acceleration(fs, slope_deg), 1e-4), np.maximum(expected, 1e-4), rtol=1e-10)


def test_displacement_agrees_with_one_peer_in_metres(vectors):
    rows = pd.read_csv(vectors("hazard/oq_displacement.csv"))
    ac_g, pga_g = rows.crit_accel_g.to_numpy(), rows.pga_g.to_numpy()
    fitted = (pga_g == 0) | (ac_g >= 0.05 * pga_g)  # the peer holds the ratio at 0.05 below the fitted range
    eq6 = jibson_2007_eq6(ac_g=ac_g, pga_g=pga_g)
    np.testing.assert_allclose(eq6.median_cm[fitted] / 100.0, rows.jibson07_a_m[fitted], rtol=1e-12, atol=1e-30)
    assert (eq6.median_cm[~fitted] / 100.0 > rows.jibson07_a_m[~fitted]).all()
    assert (eq6.state == np.where(fitted, 1, 2)).all()
    for magnitude in rows.mag.unique():
        at = (rows.mag == magnitude).to_numpy()
        eq7 = jibson_2007_eq7(ac_g=ac_g[at], pga_g=pga_g[at], magnitude=magnitude)
        np.testing.assert_allclose(eq7.median_cm[fitted[at]] / 100.0, rows.jibson07_b_m[at & fitted], rtol=1e-12, atol=1e-30)


def test_displacement_agrees_with_another_peer_in_centimetres(vectors):
    rows = pd.read_csv(vectors("hazard/gfail_nmdisp.csv"))
    ac_g, pga_g = rows.ac_g.to_numpy(), rows.pga_g.to_numpy()
    np.testing.assert_allclose(jibson_2007_eq6(ac_g=ac_g, pga_g=pga_g).median_cm, rows.J_PGA_cm, rtol=1e-12)
    for magnitude in rows.mag.unique():
        at = (rows.mag == magnitude).to_numpy()
        eq7 = jibson_2007_eq7(ac_g=ac_g[at], pga_g=pga_g[at], magnitude=magnitude)
        np.testing.assert_allclose(eq7.median_cm, rows.J_PGA_M_cm[at], rtol=1e-12)
        assert eq7.sigma_ln == pytest.approx(0.454 * np.log(10.0))


def test_slope_that_fails_at_rest_is_flagged_and_has_no_displacement():
    displacement = jibson_2007_eq6(ac_g=np.array([0.0, 0.1]), pga_g=np.array([0.4, 0.4]))
    assert displacement.unstable.tolist() == [True, False]
    assert np.isnan(displacement.median_cm[0])
    assert displacement.state.tolist() == [1, 1]
    assert displacement.exceedance(1000.0)[0] == 1.0


def test_missing_shaking_is_missing_input_and_not_zero_displacement():
    displacement = jibson_2007_eq7(ac_g=np.array([0.1, np.nan]), pga_g=np.array([np.nan, 0.3]), magnitude=6.2)
    assert np.isnan(displacement.median_cm).all()
    assert displacement.state.tolist() == [0, 0]
    assert np.isnan(displacement.exceedance(5.0)).all()


def test_ground_that_does_not_shake_or_is_too_strong_does_not_move():
    displacement = jibson_2007_eq7(ac_g=np.array([0.1, 0.3, 0.3]), pga_g=np.array([0.0, 0.3, 0.2]), magnitude=8.5)
    assert displacement.median_cm.tolist() == [0.0, 0.0, 0.0]
    assert displacement.state.tolist() == [1, 1, 1]


def test_whole_numbers_are_not_cut_off():
    displacement = jibson_2007_eq6(ac_g=np.array([0.5]), pga_g=np.array([1], dtype=np.int64))
    # r = 0.5: 10 ** (0.215 + (2.341 - 1.438) * log10 0.5)
    assert displacement.median_cm[0] == pytest.approx(10 ** (0.215 + 0.903 * np.log10(0.5)), rel=1e-12)


def test_magnitude_outside_the_fit_is_outside_the_range_where_blocks_move():
    displacement = jibson_2007_eq7(ac_g=np.array([0.1, 0.1, 0.0]), pga_g=np.array([0.4, 0.05, 0.4]), magnitude=8.0)
    assert displacement.state.tolist() == [2, 1, 1]


def test_half_of_the_cases_exceed_the_median():
    displacement = jibson_2007_eq6(ac_g=0.1, pga_g=0.4)
    median = float(displacement.median_cm)
    assert float(displacement.exceedance(median)) == pytest.approx(0.5)
    one_sigma = median * np.exp(displacement.sigma_ln)
    assert float(displacement.exceedance(one_sigma)) == pytest.approx(0.158655, abs=1e-6)


def test_a_threshold_of_nothing_is_refused():
    with pytest.raises(InputError, match="positive number of centimetres"):
        jibson_2007_eq6(ac_g=0.1, pga_g=0.4).exceedance(0.0)


def test_percent_g_is_refused():
    with pytest.raises(InputError, match=r"pga_g is 40 g .*check its unit"):
        jibson_2007_eq6(ac_g=0.1, pga_g=np.array([40.0, 0.2]))


def test_rasters_come_back_as_rasters_with_their_source(make_raster):
    ac_g = make_raster([[0.1, 0.0], [np.nan, 0.5]], unit="g")
    pga_g = make_raster([[0.4, 0.4], [0.4, 0.4]], unit="g")
    displacement = jibson_2007_eq7(ac_g=ac_g, pga_g=pga_g, magnitude=6.2)
    assert displacement.median_cm.unit == "cm"
    assert displacement.median_cm.values.dtype == np.float32
    assert "10.1016/j.enggeo.2007.01.013" in displacement.median_cm.tags["citation"]
    assert displacement.median_cm.tags["unverified"]
    assert displacement.state.values.tolist() == [[1, 1], [0, 1]]
    assert displacement.unstable.values.tolist() == [[False, True], [False, False]]
    assert displacement.exceedance(5.0).values[0, 1] == 1.0


def test_rasters_on_different_grids_do_not_meet(make_raster):
    with pytest.raises(GridMismatchError, match="different grids"):
        jibson_2007_eq6(ac_g=make_raster([[0.1]], unit="g"), pga_g=make_raster([[0.1]], cell=2.0, unit="g"))


def test_wrong_units_and_bare_arrays_beside_rasters_are_refused(make_raster):
    slope = make_raster([[10.0, 20.0]], unit="deg")
    with pytest.raises(InputError, match="is in 'm', but 'deg' is needed"):
        infinite_slope_fs(make_raster([[10.0, 20.0]], unit="m"), **SOIL)
    with pytest.raises(InputError, match="bare array beside rasters"):
        infinite_slope_fs(slope, **{**SOIL, "cohesion_kpa": np.array([[1.0, 2.0]])})
    with pytest.raises(InputError, match="arrays of different shapes meet"):
        critical_acceleration(np.ones(2), np.ones(3))


def test_inputs_are_left_as_they_were():
    slope = np.array([0.0, 10.0])
    infinite_slope_fs(slope, **SOIL)
    assert slope.tolist() == [0.0, 10.0]


@settings(deadline=None, max_examples=50)
@given(
    ac_g=st.floats(0.001, 1.0),
    pga_g=st.floats(0.0, 2.0),
    more=st.floats(0.0, 1.0),
    magnitude=st.floats(5.3, 7.6),
)
def test_more_shaking_never_lowers_displacement(ac_g, pga_g, more, magnitude):
    pga = np.array([pga_g, pga_g + more])
    for displacement in (jibson_2007_eq6(ac_g=ac_g, pga_g=pga), jibson_2007_eq7(ac_g=ac_g, pga_g=pga, magnitude=magnitude)):
        assert displacement.median_cm[1] >= displacement.median_cm[0]
        assert displacement.exceedance(5.0)[1] >= displacement.exceedance(5.0)[0]


@settings(deadline=None, max_examples=50)
@given(slope=st.floats(0.5, 80.0), less=st.floats(0.0, 1.0), water=st.floats(0.0, 1.0))
def test_water_and_weaker_ground_never_raise_the_factor_of_safety(slope, less, water):
    dry = float(infinite_slope_fs(slope, **SOIL))
    assert float(infinite_slope_fs(slope, **{**SOIL, "saturation": water})) <= dry
    assert float(infinite_slope_fs(slope, **{**SOIL, "cohesion_kpa": 10.0 * less})) <= dry
