from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hazardgeo import levels
from hazardgeo.errors import GridMismatchError, MissingLayerError
from hazardgeo.grid import Grid

codes = arrays(np.uint8, (3, 4), elements=st.integers(1, 4))
states = arrays(np.uint8, (3, 4), elements=st.integers(0, 3))
everywhere = np.full((3, 4), levels.ASSESSED, np.uint8)


@pytest.fixture
def grid(make_grid: Callable[..., Grid]) -> Grid:
    return make_grid(3, 4)


def test_the_highest_level_decides_and_is_named(grid: Grid) -> None:
    low, high = np.full((3, 4), levels.LOW, np.uint8), np.full((3, 4), levels.HIGH, np.uint8)
    found = levels.combine({"a": levels.single("a", low, everywhere, grid), "b": levels.single("b", high, everywhere, grid)})
    assert (found.level.values == levels.HIGH).all()
    assert found.reason.classes[int(found.reason.values[0, 0])].label == "b"


def test_low_needs_every_indicator_and_a_high_one_stands_alone(grid: Grid) -> None:
    mixed = np.array([[1, 2, 3, 4]] * 3, np.uint8)
    found = levels.combine({"a": levels.single("a", mixed, everywhere, grid), "b": levels.not_assessed("b", grid)})
    assert found.level.values[0].tolist() == [levels.NOT_ASSESSED, 2, 3, 4]
    assert (found.state.values == levels.MISSING_INPUT).all()


def test_the_ways_not_to_be_assessed_stay_apart_in_what_maps_show(grid: Grid) -> None:
    state = np.array([[0, 1, 2, 3]] * 3, np.uint8)
    shown = levels.single("a", np.ones((3, 4), np.uint8), state, grid).shown
    labels = {c.code: c.label for c in shown.classes}
    assert [labels[int(code)] for code in shown.values[0]] == [
        "not assessed: input missing",
        "low",
        "outside the model's range",
        "masked by the model",
    ]
    assert all(c.hatched == (c.code >= 10) for c in shown.classes)


def test_the_gravest_state_is_kept(grid: Grid) -> None:
    masked = np.full((3, 4), levels.MASKED_BY_MODEL, np.uint8)
    one = np.ones((3, 4), np.uint8)
    found = levels.combine({"a": levels.single("a", one, masked, grid), "b": levels.not_assessed("b", grid)})
    assert (found.state.values == levels.MISSING_INPUT).all()


@settings(max_examples=60, deadline=None)
@given(codes, states, codes, states, st.integers(0, 3))
def test_taking_away_an_indicator_or_a_cell_never_makes_a_cell_low(a, sa, b, sb, code) -> None:  # type: ignore[no-untyped-def]
    from affine import Affine

    grid = Grid(Affine(1, 0, 0, 0, -1, 0), (3, 4), 32648)
    one, two = levels.single("a", a, sa, grid), levels.single("b", b, sb, grid)
    whole = levels.combine({"a": one, "b": two})
    removed = levels.combine({"a": one, "b": levels.not_assessed("b", grid)})
    unassessed = np.where(sb == levels.ASSESSED, np.uint8(0 if code == 1 else code), sb).astype(np.uint8)
    masked = levels.combine({"a": one, "b": levels.single("b", b, unassessed, grid)})

    def safe(found: levels.Levels) -> np.ndarray:
        return (found.level.values == levels.LOW) & (found.state.values == levels.ASSESSED)

    assert not (safe(removed) & ~safe(whole)).any()
    assert not (safe(masked) & ~safe(whole)).any()


def test_indicators_on_different_grids_are_refused(grid: Grid, make_grid: Callable[..., Grid]) -> None:
    with pytest.raises(GridMismatchError):
        levels.combine({"a": levels.not_assessed("a", grid), "b": levels.not_assessed("b", make_grid(3, 4, cell=2.0))})


def test_no_indicator_at_all_is_refused() -> None:
    with pytest.raises(MissingLayerError, match="no hazard indicator"):
        levels.combine({})
