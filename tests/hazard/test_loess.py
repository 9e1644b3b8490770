"""Flow slides of wet gentle loess: what is high, what is low, and that nothing unknown is ever low."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from hazardgeo import levels
from hazardgeo.errors import GridMismatchError, InputError
from hazardgeo.grid import Grid
from hazardgeo.hazard import glim_codes, loess_flow_slide
from hazardgeo.hazard.published import published
from hazardgeo.raster import Raster

SU, SM, ND = (glim_codes()[glim] for glim in ("su", "sm", "nd"))
NAN = math.nan
WIDE_M = 100.0  # one cell of 1 ha is ground wide enough to be called level
KINDS = {"slope_deg": "deg", "pga_g": "g", "saturation": "1", "water_table_m": "m"}
FLOWING = {"slope_deg": 6.0, "pga_g": 0.3, "lithology": SU, "saturation": 0.9, "water_table_m": 30.0}


def raster(values, unit="m", cell=WIDE_M, dtype="float32"):
    """A raster with its north-west corner at (500000, 4000000)."""
    array = np.array(values, dtype=dtype)
    return Raster(array, Grid(Affine(cell, 0, 500_000, 0, -cell, 4_000_000), array.shape, 32648), "test", unit)


def layers(rows):
    """Rasters of one row, from one dict of quantities for each cell."""
    made = {name: raster([[r[name] for r in rows]], unit=unit) for name, unit in KINDS.items()}
    return made | {"lithology": raster([[r["lithology"] for r in rows]], dtype="uint8")}


def judged(*changes):
    """Level, state and reason of cells that differ from a flowing one by `changes`."""
    found = loess_flow_slide(**layers([{**FLOWING, **change} for change in changes]))
    words = {c.code: c.label for c in found.reason.classes}
    rows = (found.level.values[0].tolist(), found.state.values[0].tolist(), found.reason.values[0].tolist())
    return [(level, state, words[reason]) for level, state, reason in zip(*rows, strict=True)]


def test_wet_gentle_loess_is_high_by_either_layer_of_wetness():
    found = judged({}, {"saturation": 0.2, "water_table_m": 5.0}, {"saturation": NAN, "water_table_m": 1.0})
    assert found == [(levels.HIGH, levels.ASSESSED, "saturated sloping loess")] * 3


def test_nearly_saturated_loess_is_moderate():
    found = judged({"saturation": 0.79}, {"saturation": 0.6}, {"saturation": 0.1, "water_table_m": 15.0})
    assert found == [(levels.MODERATE, levels.ASSESSED, "nearly saturated sloping loess")] * 3


def test_low_is_said_for_rock_for_level_ground_and_for_what_both_layers_call_dry():
    found = judged({"lithology": SM}, {"slope_deg": 1.0}, {"saturation": 0.59, "water_table_m": 15.1})
    assert [(level, state) for level, state, _ in found] == [(levels.LOW, levels.ASSESSED)] * 3
    assert [words for *_, words in found] == ["no loess", "loess, too level to flow", "sloping loess, dry"]


def test_no_layer_of_wetness_can_call_loess_dry_alone():
    found = judged({"saturation": 0.1, "water_table_m": NAN}, {"saturation": NAN, "water_table_m": 80.0})
    assert found == [(levels.NOT_ASSESSED, levels.MISSING_INPUT, "sloping loess, wetness unknown")] * 2


def test_moderate_by_one_layer_is_at_least_moderate_where_the_other_is_unknown():
    found = judged({"saturation": 0.7, "water_table_m": NAN}, {"saturation": NAN, "water_table_m": 12.0})
    assert [(level, state) for level, state, _ in found] == [(levels.MODERATE, levels.MISSING_INPUT)] * 2


def test_rock_and_level_ground_are_low_whatever_their_wetness():
    dark = {"saturation": NAN, "water_table_m": NAN}
    found = judged({"lithology": SM, **dark}, {"slope_deg": 0.5, **dark})
    assert [(level, state) for level, state, _ in found] == [(levels.LOW, levels.ASSESSED)] * 2


def test_weak_shaking_masks_wet_loess_and_steep_ground_is_outside_the_range():
    found = judged({"pga_g": 0.09}, {"slope_deg": 20.5}, {"slope_deg": 35.0, "saturation": 0.7})
    assert [(level, state) for level, state, _ in found] == [
        (levels.NOT_ASSESSED, levels.MASKED_BY_MODEL),
        (levels.HIGH, levels.OUTSIDE_RANGE),
        (levels.MODERATE, levels.OUTSIDE_RANGE),
    ]


@pytest.mark.parametrize(
    ("lost", "words"), [("slope_deg", "slope unknown"), ("pga_g", "shaking unknown"), ("lithology", "lithology unknown")]
)
def test_what_is_not_known_of_the_ground_is_named(lost, words):
    unknown = 255 if lost == "lithology" else NAN
    dry = {"saturation": 0.1, lost: unknown}
    assert judged({lost: unknown}, dry) == [(levels.NOT_ASSESSED, levels.MISSING_INPUT, words)] * 2


def test_a_class_that_says_no_data_is_not_rock():
    assert judged({"lithology": ND})[0][:2] == (levels.NOT_ASSESSED, levels.MISSING_INPUT)


def test_level_ground_is_low_only_where_it_is_wider_than_a_slide(make_grid):
    grid = make_grid(200, 200)  # cells of 1 m2
    slope = np.full(grid.shape, 6.0, np.float32)
    slope[10:30, 10:30] = 0.2  # a hollow of 400 m2
    slope[100:180, 100:180] = 0.2  # a floor of 6,400 m2
    found = loess_flow_slide(
        slope_deg=Raster(slope, grid, "slope", "deg"),
        pga_g=0.3,
        lithology=Raster(np.full(grid.shape, SU, np.uint8), grid),
        saturation=Raster(np.full(grid.shape, 0.95, np.float32), grid, "", "1"),
    )
    low = found.level.values == levels.LOW
    assert low.sum() == 80 * 80
    assert low[100:180, 100:180].all()
    assert (found.level.values[~low] == levels.HIGH).all()


def test_ground_called_level_is_gentler_than_any_on_which_liquefied_loess_would_flow():
    """Driving stress w t sin a cos a against residual strength 0.05 (w - 9.81) t cos2 a, water at the surface."""
    weight = 18.5
    balance_deg = math.degrees(math.atan(0.05 * (weight - 9.81) / weight))
    rules = published("loess_flow_slide")
    assert balance_deg == pytest.approx(1.345, abs=0.001)
    assert 1.0 < rules["slope_deg"]["flows_from"] <= balance_deg
    assert rules["verified"] is False


def by_completion(cell):
    """Level by trying everything that the unknown layers of wetness could say; None where their answers part.

    A slow, independent reading of the rule, for wide cells.
    """
    if any(math.isnan(cell[name]) for name in ("slope_deg", "pga_g")) or cell["lithology"] in (255, ND):
        return {None}
    answers = set()
    wet = [0.0, 0.6, 0.8] if math.isnan(cell["saturation"]) else [cell["saturation"]]
    deep = [40.0, 10.0, 2.0] if math.isnan(cell["water_table_m"]) else [cell["water_table_m"]]
    for share, depth in itertools.product(wet, deep):
        if cell["lithology"] != SU or cell["slope_deg"] < 1.3 or (share < 0.6 and depth > 15):
            answers.add(levels.LOW)
        elif cell["pga_g"] < 0.1:
            answers.add("masked")
        else:
            answers.add(levels.HIGH if share >= 0.8 or depth <= 5 else levels.MODERATE)
    return answers


def maybe(*values):
    return st.sampled_from([*values, NAN])


CELLS = st.fixed_dictionaries({
    "slope_deg": maybe(0.0, 1.0, 2.0, 12.0, 19.0, 30.0, 70.0),
    "pga_g": maybe(0.0, 0.05, 0.15, 0.6),
    "lithology": st.sampled_from([SU, SU, SM, ND, 255]),
    "saturation": maybe(0.0, 0.3, 0.7, 1.0),
    "water_table_m": maybe(0.5, 8.0, 14.0, 25.0),
})  # fmt: skip


@given(rows=st.lists(CELLS, min_size=1, max_size=12))
def test_the_level_is_what_every_completion_of_the_unknown_says(rows):
    found = loess_flow_slide(**layers(rows))
    for cell, level, state in zip(rows, found.level.values[0].tolist(), found.state.values[0].tolist(), strict=True):
        answers = by_completion(cell)
        if None in answers:
            assert (level, state) == (levels.NOT_ASSESSED, levels.MISSING_INPUT)
        elif answers == {"masked"}:
            assert state in (levels.MASKED_BY_MODEL, levels.MISSING_INPUT)
            assert level == levels.NOT_ASSESSED
        elif len(answers) == 1:
            assert {level} == answers
            steep = level > levels.LOW and cell["slope_deg"] > 20
            assert state == (levels.OUTSIDE_RANGE if steep else levels.ASSESSED)
        else:
            least = levels.MODERATE if answers == {levels.MODERATE, levels.HIGH} else levels.NOT_ASSESSED
            assert (level, state) == (least, levels.MISSING_INPUT)


@given(rows=st.lists(CELLS, min_size=1, max_size=12), gone=st.sampled_from(["lithology", "saturation", "water_table_m"]))
def test_a_layer_taken_away_never_makes_a_cell_low(rows, gone):
    given_layers = layers(rows)
    before = loess_flow_slide(**given_layers)
    after = loess_flow_slide(**{**given_layers, gone: None})
    assert not ((after.level.values == levels.LOW) & (before.level.values != levels.LOW)).any()
    sure = after.state.values == levels.ASSESSED
    assert (after.level.values[sure] == before.level.values[sure]).all()


@given(rows=st.lists(CELLS, min_size=1, max_size=12), stronger=st.sampled_from([0.05, 0.2, 2.0]))
def test_more_shaking_never_lowers_a_level(rows, stronger):
    shaken = [{**r, "pga_g": r["pga_g"] + stronger} for r in rows]
    assert (loess_flow_slide(**layers(shaken)).level.values >= loess_flow_slide(**layers(rows)).level.values).all()


@given(rows=st.lists(CELLS, min_size=1, max_size=12))
def test_more_water_never_makes_a_cell_low_and_never_lowers_what_is_more(rows):
    wetter = [{**r, "saturation": 1.0, "water_table_m": r["water_table_m"] / 4} for r in rows]
    before, after = (loess_flow_slide(**layers(r)).level.values for r in (rows, wetter))
    assert not ((after == levels.LOW) & (before != levels.LOW)).any()
    assert (after >= before)[before > levels.LOW].all()


@pytest.mark.parametrize("seed", range(3))
def test_cells_masked_out_of_a_surface_never_make_others_low(make_grid, seed):
    rng = np.random.default_rng(seed)
    grid = make_grid(120, 120, cell=2.0)
    slope = np.where(rng.random((12, 12)) < 0.5, 0.5, 6.0).astype(np.float32).repeat(10, 0).repeat(10, 1)
    holes = np.where(rng.random(grid.shape) < 0.01, np.float32(NAN), slope)
    rest = {"pga_g": 0.3, "lithology": Raster(np.full(grid.shape, SU, np.uint8), grid)}
    rest["saturation"] = Raster(np.full(grid.shape, 0.95, np.float32), grid, "", "1")
    whole, less = (loess_flow_slide(slope_deg=Raster(s, grid, "", "deg"), **rest) for s in (slope, holes))
    assert (whole.level.values == levels.LOW).any()
    assert not ((less.level.values == levels.LOW) & (whole.level.values != levels.LOW)).any()


def test_without_lithology_or_wetness_sloping_ground_is_not_assessed():
    slope, su = raster([[6.0, 30.0]], unit="deg"), raster([[SU, SU]], dtype="uint8")
    for found in (loess_flow_slide(slope_deg=slope, pga_g=0.3), loess_flow_slide(slope_deg=slope, pga_g=0.3, lithology=su)):
        assert found.shown.values.tolist() == [[10, 10]]


def test_inputs_that_cannot_be_are_refused():
    good = layers([FLOWING])
    with pytest.raises(InputError, match="saturation is 85 1"):
        loess_flow_slide(**{**good, "saturation": raster([[85.0]], unit="1")})
    with pytest.raises(InputError, match="does not say where loess is; give uint8 class codes"):
        loess_flow_slide(**{**good, "lithology": raster([[-1.36]], unit="logit")})
    with pytest.raises(InputError, match=r"codes \[99\], which are no classes"):
        loess_flow_slide(**{**good, "lithology": raster([[99]], dtype="uint8")})
    with pytest.raises(GridMismatchError):
        loess_flow_slide(**{**good, "saturation": raster([[0.5]], cell=1.0, unit="1")})


def test_the_result_says_that_it_is_an_indicator_with_assumed_limits():
    tags = loess_flow_slide(**layers([FLOWING])).level.tags
    assert "indicator" in tags["model"]
    assert "assumptions" in tags["unverified"]
    assert "chinaXiv" in tags["citation"]
