"""Relief: the bare ground of the demo valley before the earthquake."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.erosion import eroded
from hazardgeo.synthetic.layout import FLOOR_LEVEL_M, Layout
from hazardgeo.synthetic.lines import Line
from hazardgeo.synthetic.noise import fractal

Field = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Relief:
    """Elevations in m on the fine grid, the same on the coarse erosion grid, and the centre line of the main gully.

    `gully` runs downhill, from its head in the tableland to its mouth on the valley floor.
    """

    elevation_m: Field
    coarse_m: Field
    gully: Line


def relief(plan: Layout, rng: np.random.Generator) -> Relief:
    """The valley with river, slopes, scarp, tableland, gullies, terraces and cliffs, without roads."""
    coarse_grid, grid = plan.erosion_grid, plan.grid
    gully = main_gully(plan, rng)
    coarse = _valley_form(plan, coarse_grid, rng)
    bed_m = _gully_bed(coarse, gully, coarse_grid, plan)
    coarse = _notched(coarse, coarse_grid, gully, bed_m)
    floor = _is_floor(plan, coarse_grid)
    coarse = eroded(coarse, cell_m=plan.erosion_cell_m, fixed=floor, steps=45, strength=0.005, creep=0.015)
    fine = _refined(coarse, coarse_grid, grid, rng)
    fine = _stepped(fine, plan, grid, rng)
    fine = _notched(fine, grid, gully, bed_m)
    fine = _with_river(fine, plan, grid)
    fine += 0.08 * fractal(rng, grid, wavelength_m=24.0, octaves=4, gain=0.6)
    return Relief(fine, coarse, gully)


def main_gully(plan: Layout, rng: np.random.Generator) -> Line:
    """The centre line of the gully that the flow slide will take."""
    across = np.linspace(plan.edge_m + 0.05 * plan.size_m, plan.floor_m, 60)
    share = (across - plan.floor_m) / (across[0] - plan.floor_m)
    phase = rng.uniform(0, 2 * math.pi)
    sway = np.sin(2.2 * math.pi * share + phase) - math.sin(phase)
    east = plan.east_of(0.515) + plan.size_m * (0.035 * share + 0.014 * sway)
    return np.column_stack([east, plan.axis_north(east) + across])


def _valley_form(plan: Layout, grid: Grid, rng: np.random.Generator) -> Field:
    """The smooth cross-section, its edges wandering, with gentle noise."""
    east, north = np.meshgrid(*grid.centres())
    across = plan.across(east, north)
    off_floor = np.clip((np.abs(across) - 0.9 * plan.floor_m) / (0.35 * plan.floor_m), 0, 1)
    wander = fractal(rng, grid, wavelength_m=0.30 * plan.size_m, octaves=4, gain=0.5)
    across = across + 0.024 * plan.size_m * wander * off_floor
    to_river = np.abs(plan.across(east, north) - plan.river_across(east))
    floor = 0.010 * np.minimum(to_river, plan.floor_m)
    down_valley = 0.008 * (plan.east_of(1.0) - east)
    rough = fractal(rng, grid, wavelength_m=0.12 * plan.size_m, octaves=5, gain=0.5)
    return FLOOR_LEVEL_M + floor + down_valley + _cross_section(across, plan) + rough * (0.08 + 1.6 * off_floor)


def _cross_section(across: Field, plan: Layout) -> Field:
    slope = np.clip((across - plan.floor_m) / (plan.foot_m - plan.floor_m), 0, 1)
    scarp = np.clip((across - plan.foot_m) / plan.scarp_m, 0, 1)
    north = plan.slope_rise_m * slope**1.15 + plan.scarp_rise_m * scarp + 0.02 * np.maximum(across - plan.edge_m, 0)
    hillside = np.maximum(-across - plan.floor_m, 0)
    south = 0.66 * hillside - 0.25 * hillside**2 / plan.size_m
    return np.asarray(north + south)


def _gully_bed(surface: Field, gully: Line, grid: Grid, plan: Layout) -> NDArray[np.float64]:
    """Elevation of the gully's bed at the vertices of its line, falling all the way down."""
    row, col = grid.rowcol(gully[:, 0], gully[:, 1])
    share = lines.positions_m(gully) / lines.length_m(gully)
    depth = plan.gully_depth_m * np.minimum(share / 0.2, 1) * np.sqrt(1 - 0.99 * share)
    return np.asarray(np.minimum.accumulate(surface[row, col] - depth))


def _notched(surface: Field, grid: Grid, gully: Line, bed_m: NDArray[np.float64]) -> Field:
    """The surface with the gully cut in: nothing stands higher above its bed than walls of 38 degrees."""
    distance, along = lines.around(gully, grid, reach_m=90.0)
    level = np.interp(np.nan_to_num(along), lines.positions_m(gully), bed_m)
    walls = level + math.tan(math.radians(38)) * np.maximum(distance - 2.5, 0)
    return np.where(np.isfinite(distance), np.minimum(surface, walls), surface)


def _is_floor(plan: Layout, grid: Grid) -> NDArray[np.bool_]:
    east, north = np.meshgrid(*grid.centres())
    return np.asarray(np.abs(plan.across(east, north)) < 0.98 * plan.floor_m)


def _stepped(surface: Field, plan: Layout, grid: Grid, rng: np.random.Generator) -> Field:
    """Farmers' terraces on the middle slopes and cliffs in the scarp, both in patches."""
    dip = slope_tan(surface, plan.cell_m)
    east, north = np.meshgrid(*grid.centres())
    across = plan.across(east, north)
    patches = fractal(rng, grid, wavelength_m=0.22 * plan.size_m, octaves=2)
    riser_m = 3.4 + 0.5 * fractal(rng, grid, wavelength_m=0.5 * plan.size_m, octaves=1)[:1, :1].item()
    farmed = _window(dip, 0.08, 0.14, 0.34, 0.42) * _window(across, plan.floor_m, 1.1 * plan.floor_m, plan.foot_m, plan.edge_m)
    farmed *= np.clip(2.0 + 2.5 * patches, 0, 1)
    steep = _window(dip, 0.55, 0.75, 3.0, 4.0) * np.clip(1.0 + 2.0 * patches[::-1], 0, 1)
    terraced = surface + farmed * (_steps(surface, riser_m, riser_share=0.2, tread=0.12) - surface)
    return np.asarray(terraced + steep * (_steps(terraced, 13.0, riser_share=0.3, tread=0.5) - terraced))


def _steps(surface: Field, step_m: float, *, riser_share: float, tread: float) -> Field:
    """Elevations drawn together into steps: `tread` of the rise on the long part, the rest on the riser."""
    level = np.floor(surface / step_m)
    share = surface / step_m - level
    on_tread = tread * np.minimum(share / (1 - riser_share), 1)
    on_riser = (1 - tread) * np.clip((share - (1 - riser_share)) / riser_share, 0, 1)
    return np.asarray(step_m * (level + on_tread + on_riser))


def _window(x: Field, start: float, full: float, fade: float, stop: float) -> Field:
    """0 below `start`, 1 between `full` and `fade`, 0 above `stop`, straight in between."""
    return np.minimum(np.clip((x - start) / (full - start), 0, 1), np.clip((stop - x) / (stop - fade), 0, 1))


def _with_river(surface: Field, plan: Layout, grid: Grid) -> Field:
    distance, _ = lines.around(plan.river, grid, reach_m=6 * plan.river_m)
    east, _ = np.meshgrid(*grid.centres())
    bed = FLOOR_LEVEL_M + 0.008 * (plan.east_of(1.0) - east) - 2.2
    banks = bed + 0.6 * np.maximum(distance - plan.river_m / 2, 0)
    return np.where(np.isfinite(distance), np.minimum(surface, banks), surface)


def levelled(surface: Field, grid: Grid, places: Line, radii_m: NDArray[np.float64]) -> Field:
    """The surface with a flat yard around each place, cut into the slope at 60 degrees and filled at 34 degrees."""
    result = surface.copy()
    for (east, north), radius in zip(places, radii_m, strict=True):
        reach = radius + 15.0
        rows, cols = grid.window_of((east - reach, north - reach, east + reach, north + reach))
        x, y = np.meshgrid(*grid.window(rows, cols).centres())
        distance = np.hypot(x - east, y - north)
        beside = np.maximum(distance - radius, 0)
        level = float(np.median(surface[rows, cols][distance < radius]))
        yard = np.clip(result[rows, cols], level - 0.67 * beside, level + 1.73 * beside)
        result[rows, cols] = np.where(distance < reach, yard, result[rows, cols])
    return result


def slope_tan(surface: Field, cell_m: float) -> Field:
    """Steepness in m/m from central differences."""
    by_row, by_col = np.gradient(surface, cell_m)
    return np.asarray(np.hypot(by_row, by_col))


def _refined(coarse: Field, coarse_grid: Grid, grid: Grid, rng: np.random.Generator) -> Field:
    """Cubic convolution to the fine grid, the places gently distorted so that gullies wind and do not follow the lattice."""
    east, north = np.meshgrid(*grid.centres())
    width = coarse_grid.cell[0]
    sway = [1.7 * fractal(rng, grid, wavelength_m=20 * width, octaves=3, gain=0.55) for _ in range(2)]
    col = (east - coarse_grid.transform.c) / width - 0.5 + sway[0]
    row = (coarse_grid.transform.f - north) / width - 0.5 + sway[1]
    return np.asarray(_cubic_kernel(coarse, row, col))


@kernel
def _cubic_kernel(coarse, row, col):  # type: ignore[no-untyped-def]
    result = np.empty(row.shape)
    down, right = np.empty(4), np.empty(4)
    for r in range(row.shape[0]):
        for c in range(row.shape[1]):
            i, j = math.floor(row[r, c]), math.floor(col[r, c])
            _cubic_weights_kernel(row[r, c] - i, down)
            _cubic_weights_kernel(col[r, c] - j, right)
            total = 0.0
            for a in range(4):
                for b in range(4):
                    total += down[a] * right[b] * coarse[i + a - 1, j + b - 1]
            result[r, c] = total
    return result


@kernel
def _cubic_weights_kernel(x, weights):  # type: ignore[no-untyped-def]
    weights[0] = ((-0.5 * x + 1.0) * x - 0.5) * x
    weights[1] = (1.5 * x - 2.5) * x * x + 1.0
    weights[2] = ((-1.5 * x + 2.0) * x + 0.5) * x
    weights[3] = (0.5 * x - 0.5) * x * x
