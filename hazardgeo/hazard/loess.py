"""Loess: where wet and gentle ground may liquefy and flow, which models of slides and of liquefaction both leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo import levels
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.hazard.field import Cells, Floats, Mask, unwrap
from hazardgeo.hazard.landslide import glim_codes
from hazardgeo.hazard.published import published, tags
from hazardgeo.levels import Levels
from hazardgeo.raster import UNKNOWN_CLASS, ClassLabel, Raster

NAME = "loess_flow_slide"
_DRY, _NEARLY, _FULL = 0, 1, 2
Grades = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Case:
    """What decides in a cell, and the level and the state that it leads to."""

    words: str
    level: int
    state: int
    colour: str


_CASES = (  # in the order of the rule, and from the gentlest to the gravest
    _Case("slope unknown", levels.NOT_ASSESSED, levels.MISSING_INPUT, "#9e9e9e"),
    _Case("shaking unknown", levels.NOT_ASSESSED, levels.MISSING_INPUT, "#8d8d8d"),
    _Case("lithology unknown", levels.NOT_ASSESSED, levels.MISSING_INPUT, "#7c7c7c"),
    _Case("no loess", levels.LOW, levels.ASSESSED, "#d9c8b4"),
    _Case("loess, too level to flow", levels.LOW, levels.ASSESSED, "#fef0d9"),
    _Case("sloping loess, dry", levels.LOW, levels.ASSESSED, "#f5dfa0"),
    _Case("sloping loess, wetness unknown", levels.NOT_ASSESSED, levels.MISSING_INPUT, "#6b6b6b"),
    _Case("wet sloping loess, shaken too weakly for the rule", levels.NOT_ASSESSED, levels.MASKED_BY_MODEL, "#90a4ae"),
    _Case("nearly saturated sloping loess, or saturated", levels.MODERATE, levels.MISSING_INPUT, "#a6bddb"),
    _Case("nearly saturated loess, steeper than the rule knows", levels.MODERATE, levels.OUTSIDE_RANGE, "#b39ddb"),
    _Case("nearly saturated sloping loess", levels.MODERATE, levels.ASSESSED, "#74a9cf"),
    _Case("saturated loess, steeper than the rule knows", levels.HIGH, levels.OUTSIDE_RANGE, "#7e57c2"),
    _Case("saturated sloping loess", levels.HIGH, levels.ASSESSED, "#045a8d"),
)


def loess_flow_slide(
    *,
    slope_deg: Raster,
    pga_g: Raster | float,
    lithology: Raster | None = None,
    saturation: Raster | None = None,
    water_table_m: Raster | None = None,
) -> Levels:
    """Levels of loess that may liquefy and flow in an earthquake: gentle, wet, and shaken. Its `reason` says what decides.

    High: loess (class su of GLiM, unconsolidated sediments) that slopes by 1.3 degrees or more, is saturated (0.8 of its
    pores, or water within 5 m of the surface) and shaken by 0.1 g or more. Moderate: the same, nearly saturated (0.6 of its
    pores, or water within 15 m). Never very high: an indicator clears no homes. Steeper than 20 degrees the same levels read
    "at least", outside the range. Shaken less it is masked: wet loess also flows without an earthquake.

    Low only where one of these is known: no loess; too level to flow even when liquefied, over 0.5 ha or more (a smaller
    level place lies within a slide); or dry by both layers of wetness, of which one alone cannot say it. A dry surface
    says nothing of water below, and a deep water table nothing of irrigation water perched above it; each of them alone can
    say that the ground is wet. All else is input missing: without `lithology`, or on sloping loess without `saturation`, or
    without `water_table_m`, nothing is low. NaN in slope, PGA or class is input missing, whatever the others say.

    Give the slope on a scale of some 30 m: terraces are not what slides. The indicator shows where a flow starts, not the
    gully and the villages that it reaches; nor that a scarp may be eaten back into level ground above it. Loess over mapped
    rock counts as rock: where a local map shows loess, code it as su. Every limit is an assumption of hazardgeo
    (coefficients/loess_flow_slide.toml says from what); the result carries that in its tags.

    Raises InputError for impossible values and for lithology that is not classes, GridMismatchError for different grids.

    Source: an indicator of hazardgeo after Xu et al. 2025, chinaXiv:202508.00273 (Zhongchuan, December 2023); Wang, Liu and
    Lin 2025, doi:10.1007/s11069-025-07236-w; Olson and Stark 2002, Can. Geotech. J. 39, 629-647.
    """
    rules = published(NAME)
    cells: Cells[Raster] = unwrap(slope_deg=slope_deg, pga_g=pga_g)
    grid = slope_deg.grid
    loess = _loess(lithology, grid, rules["ground"])
    least, most = _wetness(saturation, water_table_m, grid, rules)
    slope, pga = cells["slope_deg"], cells["pga_g"]
    level_ground = _wide(slope < np.float32(rules["slope_deg"]["flows_from"]), grid, rules["level_ground"]["smallest_m2"])
    steep = slope > np.float32(rules["slope_deg"]["known_to"])
    weak = pga < np.float32(rules["pga_g"]["least"])
    unsure = least < most
    found = [
        np.isnan(slope),
        np.isnan(pga),
        np.isnan(loess),
        loess == 0,
        level_ground,
        most == _DRY,
        (least == _DRY) | (unsure & weak),
        weak,
        unsure,
        steep & (least == _NEARLY),
        least == _NEARLY,
        steep,
    ]
    return _as_levels(np.select(found, list(np.arange(len(found), dtype=np.uint8)), np.uint8(len(found))), grid, tags(rules))


def _loess(lithology: Raster | None, grid: Grid, ground: Mapping[str, Any]) -> NDArray[np.float32]:
    """1 where the ground is loess, 0 where it is not, NaN where nobody knows."""
    if lithology is None:
        return np.full(grid.shape, np.nan, np.float32)
    grid.require_same(lithology.grid)
    if lithology.values.dtype != np.uint8:
        raise InputError(
            f"lithology raster {lithology.name!r} holds {lithology.values.dtype} of unit {lithology.unit!r}, which does not say "
            "where loess is; give uint8 class codes (see glim_codes)."
        )
    codes = glim_codes()
    wrong = sorted(set(np.unique(lithology.values).tolist()) - {*codes.values(), UNKNOWN_CLASS})
    if wrong:
        raise InputError(f"lithology holds the codes {wrong[:5]}, which are no classes; use 255 for unknown.")
    by_code = np.full(256, np.nan, np.float32)
    for glim, code in codes.items():
        if glim not in ground["unknown"]:
            by_code[code] = glim in ground["loess"]
    return np.asarray(by_code[lithology.values])


def _wetness(
    saturation: Raster | None, water_table_m: Raster | None, grid: Grid, rules: Mapping[str, Any]
) -> tuple[Grades, Grades]:
    """The least and the most that the ground can be wet by what both layers say: the wetter one counts."""
    least, most = np.full(grid.shape, _DRY, np.uint8), np.full(grid.shape, _DRY, np.uint8)
    for name, layer, sign in (("saturation", saturation, 1.0), ("water_table_m", water_table_m, -1.0)):
        known = np.full(grid.shape, np.nan) if layer is None else _values(name, layer, grid)
        limits = rules[name]
        grade = (sign * known >= sign * np.float32(limits["nearly"])).astype(np.uint8)
        grade += sign * known >= sign * np.float32(limits["full"])
        least = np.maximum(least, grade)
        most = np.maximum(most, np.where(np.isnan(known), np.uint8(_FULL), grade))
    return least, most


def _values(name: str, layer: Raster, grid: Grid) -> Floats:
    grid.require_same(layer.grid)
    cells: Cells[Raster] = unwrap(**{name: layer})
    return cells[name]


def _wide(mask: Mask, grid: Grid, smallest_m2: float) -> Mask:
    """The connected parts of a mask that are large enough."""
    parts, count = ndimage.label(mask)
    areas = np.broadcast_to(grid.cell_areas_m2(), grid.shape)
    large = np.bincount(parts.ravel(), areas.ravel(), count + 1) >= smallest_m2
    large[0] = False
    return np.asarray(large[parts])


def _as_levels(case: NDArray[np.uint8], grid: Grid, said: Mapping[str, str]) -> Levels:
    """Level, state and reason of each cell from the number of its case."""
    level, state = (np.array([getattr(c, part) for c in _CASES], np.uint8) for part in ("level", "state"))
    met = np.unique(case).tolist()
    names = tuple(ClassLabel(i, c.words, c.colour, c.level == levels.NOT_ASSESSED) for i, c in enumerate(_CASES) if i in met)
    return Levels(
        levels.level_raster(level[case], grid, f"{NAME}_level", said),
        levels.state_raster(state[case], grid, f"{NAME}_state"),
        Raster(case, grid, f"{NAME}_reason", "ground", classes=names, tags=said),
    )
