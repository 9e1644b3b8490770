"""Hazard levels, and whether a cell was assessed: not surveyed, outside the model, masked and low are four things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError, MissingLayerError
from hazardgeo.grid import Grid
from hazardgeo.raster import ClassLabel, Raster

MISSING_INPUT, ASSESSED, OUTSIDE_RANGE, MASKED_BY_MODEL = 0, 1, 2, 3
NOT_ASSESSED, LOW, MODERATE, HIGH, VERY_HIGH = 0, 1, 2, 3, 4

STATES = (
    ClassLabel(MISSING_INPUT, "not assessed: input missing", "#9e9e9e", hatched=True),
    ClassLabel(ASSESSED, "assessed", "#ffffff"),
    ClassLabel(OUTSIDE_RANGE, "outside the model's range", "#b39ddb", hatched=True),
    ClassLabel(MASKED_BY_MODEL, "masked by the model", "#90a4ae", hatched=True),
)
LEVELS = (
    ClassLabel(NOT_ASSESSED, "not assessed", "#9e9e9e", hatched=True),
    ClassLabel(LOW, "low", "#fef0d9"),
    ClassLabel(MODERATE, "moderate", "#fdcc8a"),
    ClassLabel(HIGH, "high", "#fc8d59"),
    ClassLabel(VERY_HIGH, "very high", "#d7301f"),
)
_UNASSESSED, _AT_LEAST = 10, 20  # added to states and levels in the raster that maps show
_GRAVITY = (MISSING_INPUT, OUTSIDE_RANGE, MASKED_BY_MODEL)  # gravest first


@dataclass(frozen=True, slots=True)
class Levels:
    """A hazard level and a state per cell, with the indicator that decides.

    `level`: 0 not assessed, 1 low, 2 moderate, 3 high, 4 very high. `state`: 0 input missing, 1 assessed, 2 outside the
    model's range, 3 masked by the model. A level above 0 in a state other than assessed reads "at least this level".
    `reason` holds the code of the deciding indicator, or of what decides within one (its classes name them), 255 where there
    is none.
    """

    level: Raster
    state: Raster
    reason: Raster

    def __post_init__(self) -> None:
        self.level.require_same(self.state)
        self.level.require_same(self.reason)
        for raster, top in ((self.level, VERY_HIGH), (self.state, MASKED_BY_MODEL)):
            if raster.values.dtype != np.uint8 or raster.values.max(initial=0) > top:
                raise InputError(f"raster {raster.name!r} must hold uint8 codes from 0 to {top}.")

    @property
    def grid(self) -> Grid:
        return self.level.grid

    @property
    def shown(self) -> Raster:
        """One class raster for maps and tables: levels, "at least" levels, and the three ways not to be assessed apart."""
        level, state = self.level.values, self.state.values
        sure = np.where(level > NOT_ASSESSED, level, state + _UNASSESSED)
        codes = np.where((level > NOT_ASSESSED) & (state != ASSESSED), level + _AT_LEAST, sure).astype(np.uint8)
        unassessed = tuple(replace(s, code=s.code + _UNASSESSED) for s in STATES if s.hatched)
        at_least = tuple(replace(c, code=c.code + _AT_LEAST, label=f"at least {c.label}") for c in LEVELS[MODERATE:])
        found = set(np.unique(codes).tolist())
        return replace(self.level, values=codes, classes=(*LEVELS[1:], *(c for c in at_least if c.code in found), *unassessed))

    def window(self, rows: slice, cols: slice) -> Levels:
        return Levels(*(r.window(rows, cols) for r in (self.level, self.state, self.reason)))


def level_raster(values: NDArray[np.uint8], grid: Grid, name: str, tags: Mapping[str, str] | None = None) -> Raster:
    """`values` (0 to 4) as a class raster with the labels and colours of hazard levels."""
    return Raster(values, grid, name, "level", classes=LEVELS, tags=tags or {})


def state_raster(values: NDArray[np.uint8], grid: Grid, name: str) -> Raster:
    """`values` (0 to 3) as a class raster with the labels and colours of states."""
    return Raster(values, grid, name, "state", classes=STATES)


def single(
    name: str, level: NDArray[np.uint8], state: NDArray[np.uint8], grid: Grid, tags: Mapping[str, str] | None = None
) -> Levels:
    """Levels of one indicator: the level counts where the state is assessed and is 0 elsewhere."""
    assessed = state == ASSESSED
    reason = np.where(assessed, 0, 255).astype(np.uint8)
    return Levels(
        level_raster(np.where(assessed, level, NOT_ASSESSED).astype(np.uint8), grid, f"{name}_level", tags),
        state_raster(state, grid, f"{name}_state"),
        Raster(reason, grid, f"{name}_reason", "indicator", classes=(ClassLabel(0, name, "#777777"),)),
    )


def not_assessed(name: str, grid: Grid) -> Levels:
    """Levels of a hazard that nobody looked at: input missing everywhere."""
    zeros = np.zeros(grid.shape, np.uint8)
    return single(name, zeros, zeros, grid)


def combine(indicators: Mapping[str, Levels]) -> Levels:
    """The highest level of several indicators, with the one that decides.

    Low needs all of them: where one is not assessed the result is "at least" the highest of the others if that is
    moderate or more, and not assessed otherwise; its state is the gravest of the states met (input missing, then
    outside range, then masked). So taking an indicator away never lowers a cell to low. To leave a hazard out on
    purpose, leave it out of `indicators`; one that could not be computed goes in as `not_assessed`.
    """
    if not indicators:
        raise MissingLayerError("no hazard indicator is given; compute at least one, or pass not_assessed(name, grid).")
    grid = next(iter(indicators.values())).grid
    for levels in indicators.values():
        grid.require_same(levels.grid)
    level = np.stack([levels.level.values for levels in indicators.values()])
    state = np.stack([levels.state.values for levels in indicators.values()])
    top = level.max(axis=0)
    complete = (state == ASSESSED).all(axis=0)
    combined_state = np.full(grid.shape, ASSESSED, np.uint8)
    for code in reversed(_GRAVITY):
        combined_state[(state == code).any(axis=0)] = code
    combined = np.where(complete | (top >= MODERATE), top, NOT_ASSESSED).astype(np.uint8)
    reason = np.where(combined > NOT_ASSESSED, level.argmax(axis=0), 255).astype(np.uint8)
    names = tuple(ClassLabel(i, name, _REASON_COLOURS[i % len(_REASON_COLOURS)]) for i, name in enumerate(indicators))
    return Levels(
        level_raster(combined, grid, "hazard_level"),
        state_raster(combined_state, grid, "hazard_state"),
        Raster(reason, grid, "hazard_reason", "indicator", classes=names),
    )


_REASON_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999")
