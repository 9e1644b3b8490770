"""Terraces: steps in the ground, the fields of farmers and the cliffs of loess."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.synthetic.layout import Layout
from hazardgeo.synthetic.noise import fractal

Field = NDArray[np.float64]
RISERS_M = (2.5, 3.3, 4.5)  # heights of terrace risers, one for each of the villages that built them
_TREAD = 0.12  # share of the rise that lies on a field: it dips outwards a little
_CLIFF_SHARE = 0.72  # share of the rise of a step in the scarp that its cliff takes


def slope_tan(surface: Field, cell_m: float) -> Field:
    """Steepness in m/m from central differences."""
    by_row, by_col = np.gradient(surface, cell_m)
    return np.asarray(np.hypot(by_row, by_col))


def window(x: Field, start: float, full: float, fade: float, stop: float) -> Field:
    """0 below `start`, 1 between `full` and `fade`, 0 above `stop`, straight in between."""
    return np.minimum(np.clip((x - start) / (full - start), 0, 1), np.clip((stop - x) / (stop - fade), 0, 1))


def stepped(surface: Field, plan: Layout, grid: Grid, rng: np.random.Generator) -> Field:
    """Farmers' terraces with risers of 2.5 to 4.5 m on the slopes, and cliffs of 8 to 32 m in the scarp, both in patches."""
    dip = slope_tan(surface, plan.cell_m)
    east, north = np.meshgrid(*grid.centres(), sparse=True)
    across = plan.across(east, north)
    patches = fractal(rng, grid, wavelength_m=0.22 * plan.size_m, octaves=2)
    builders = fractal(rng, grid, wavelength_m=0.35 * plan.size_m, octaves=2)
    farmed = window(dip, 0.09, 0.15, 0.40, 0.50) * window(across, plan.floor_m, 1.1 * plan.floor_m, plan.foot_m, plan.edge_m)
    farmed *= np.clip(3.0 + 3.5 * patches, 0, 1)
    farmed[farmed < 0.5] = 0.0
    datum = np.broadcast_to(plan.floor_level_m(east, plan.floor_m) + 1.0, surface.shape)
    terraced = surface.copy()
    for riser, low, high in zip(RISERS_M, (-9.0, -0.4, 0.4), (-0.4, 0.4, 9.0), strict=True):
        here = (farmed > 0) & (surface > datum) & (builders >= low) & (builders < high)
        fields = _steps(surface[here] - datum[here], riser / (1 - _TREAD), riser_share=0.14, tread=_TREAD) + datum[here]
        terraced[here] += farmed[here] * (fields - surface[here])
    return _with_cliffs(terraced, plan, datum, dip, builders, across)


def _with_cliffs(surface: Field, plan: Layout, datum: Field, dip: Field, varied: Field, across: Field) -> Field:
    """Steep ground as walls that stand nearly upright over talus; the height of the wall changes along the scarp."""
    step = plan.scarp_rise_m * np.clip(0.5 + 0.25 * varied, 0.25, 1.0)
    step = np.minimum(step, 40.0)
    steep = window(dip, 0.45, 0.65, 9.0, 10.0) * window(across, plan.floor_m, 1.3 * plan.floor_m, 1e9, 2e9)
    here = (steep > 0) & (surface > datum + plan.slope_rise_m)
    foot = datum[here] + plan.slope_rise_m
    walls = step[here] * _steps((surface[here] - foot) / step[here], 1.0, riser_share=0.22, tread=1 - _CLIFF_SHARE) + foot
    surface[here] += steep[here] * (walls - surface[here])
    return surface


def _steps(surface: Field, step_m: float, *, riser_share: float, tread: float) -> Field:
    """Elevations drawn together into steps: `tread` of the rise on the long part, the rest on the riser."""
    level = np.floor(surface / step_m)
    share = surface / step_m - level
    on_tread = tread * np.minimum(share / (1 - riser_share), 1)
    on_riser = (1 - tread) * np.clip((share - (1 - riser_share)) / riser_share, 0, 1)
    return np.asarray(step_m * (level + on_tread + on_riser))
