"""Levels of displacement and of the share of ground affected."""

from __future__ import annotations

import numpy as np
import pytest

from hazardgeo import levels
from hazardgeo.errors import ConfigError
from hazardgeo.hazard import (
    Displacement,
    Probability,
    displacement_levels,
    jibson_2007_eq7,
    nowicki_jessee_2018,
    probability_levels,
)


def displacement(make_raster, median_cm, state, unstable):
    median = make_raster([median_cm], unit="cm")
    states = levels.state_raster(np.array([state], np.uint8), median.grid, "state")
    flags = median.like(np.array([unstable]), "unstable", "1")
    return Displacement(median, 1.0, states, flags, "model", "paper", "range")


def share(make_raster, area, state):
    fraction = make_raster([area], unit="1")
    states = levels.state_raster(np.array([state], np.uint8), fraction.grid, "state")
    return Probability(fraction, fraction, fraction, states, "model", "paper", "range")


def test_one_five_and_fifteen_centimetres_part_the_levels(make_raster):
    found = displacement_levels(displacement(make_raster, [0.0, 0.99, 1.0, 4.99, 5.0, 14.9, 15.0, 900.0], [1] * 8, [False] * 8))
    assert found.level.values.tolist() == [[1, 1, 2, 2, 3, 3, 4, 4]]
    assert (found.state.values == levels.ASSESSED).all()
    assert found.level.tags["level_limits_unverified"]


def test_slope_that_fails_at_rest_is_very_high_even_without_shaking(make_raster):
    found = displacement_levels(displacement(make_raster, [np.nan, np.nan], [1, 0], [True, True]))
    assert found.level.values.tolist() == [[4, 4]]
    assert found.state.values.tolist() == [[1, 0]]


def test_missing_input_is_no_level(make_raster):
    found = displacement_levels(displacement(make_raster, [np.nan], [0], [False]))
    assert found.level.values.tolist() == [[0]]
    assert found.reason.values.tolist() == [[255]]


def test_outside_the_range_says_at_least_or_nothing(make_raster):
    found = displacement_levels(displacement(make_raster, [0.5, 3.0, 30.0], [2, 2, 2], [False] * 3))
    assert found.level.values.tolist() == [[0, 2, 4]]
    assert found.state.values.tolist() == [[2, 2, 2]]


def test_levels_of_a_landslide_model_follow_its_masks(make_raster):
    found = probability_levels(
        share(make_raster, [0.0, 0.0019, 0.002, 0.02, 0.1, 0.0, np.nan], [1, 1, 1, 1, 1, 3, 0]), kind="landslide"
    )
    assert found.level.values.tolist() == [[1, 1, 2, 3, 4, 0, 0]]
    assert found.shown.values.tolist() == [[1, 1, 2, 3, 4, 13, 10]]


def test_liquefaction_has_its_own_first_limit(make_raster):
    found = probability_levels(share(make_raster, [0.004, 0.005], [1, 1]), kind="liquefaction")
    assert found.level.values.tolist() == [[1, 2]]


def test_other_kinds_are_refused(make_raster):
    with pytest.raises(ConfigError, match="use 'landslide' or 'liquefaction'"):
        probability_levels(share(make_raster, [0.1], [1]), kind="avalanche")


def test_taking_away_any_input_never_makes_a_cell_low(make_raster):
    rng = np.random.default_rng(1)
    shape = (12, 12)
    layers = {
        "pgv_cm_s": make_raster(rng.uniform(0, 250, shape), unit="cm/s"),
        "slope_deg": make_raster(rng.uniform(0, 50, shape), unit="deg"),
        "cti": make_raster(rng.uniform(-1, 22, shape)),
        "lithology": make_raster(rng.integers(1, 17, shape), dtype="uint8"),
        "land_cover": make_raster(rng.choice([14, 20, 160, 210], shape), dtype="uint8"),
    }
    before = probability_levels(nowicki_jessee_2018(**layers), kind="landslide")
    for name, raster in layers.items():
        values = raster.values.copy()
        values[3:9, 3:9] = 255 if values.dtype == np.uint8 else np.nan
        cut = {**layers, name: raster.like(values, raster.name, raster.unit)}
        after = probability_levels(nowicki_jessee_2018(**cut), kind="landslide")
        became_low = (after.level.values == levels.LOW) & (before.level.values != levels.LOW)
        assert not became_low.any()
        assert (after.state.values[3:9, 3:9] == levels.MISSING_INPUT).all()


def test_levels_carry_the_model_and_its_doubts(make_raster):
    moved = jibson_2007_eq7(ac_g=make_raster([[0.1]], unit="g"), pga_g=make_raster([[0.5]], unit="g"), magnitude=6.2)
    tags = displacement_levels(moved).level.tags
    assert "Jibson" in tags["citation"]
    assert tags["unverified"]
    assert "3077" in tags["level_limits"]
