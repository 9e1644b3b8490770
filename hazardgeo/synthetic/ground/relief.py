"""Relief: the bare ground of the demo valley before the earthquake."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.ground.channels import Channels, along_line, carved, lowered, network
from hazardgeo.synthetic.ground.erosion import eroded, silted
from hazardgeo.synthetic.ground.terraces import stepped, window
from hazardgeo.synthetic.layout import TERRACES, Layout
from hazardgeo.synthetic.lines import Line
from hazardgeo.synthetic.noise import fractal

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]
HOLLOW_M = 0.4
SPUR_LENGTH = 1.35  # of the way from the floor to the edge of the tableland: a spur has grown back into it


@dataclass(frozen=True, slots=True)
class Relief:
    """Elevations in m on the fine grid, the centre line of the main gully, and all gullies as reaches with their beds.

    `gully` runs downhill, from the scarp over the platform to its mouth on the valley floor; only its part below the
    platform is cut into the ground, beginning with a headcut at `head_m` along it.
    """

    elevation_m: Field
    gully: Line
    head_m: float
    channels: Channels


def relief(plan: Layout, rng: np.random.Generator) -> Relief:
    """The valley with river, slopes, platform, scarp, tableland, gullies, terraces and cliffs, without roads."""
    coarse_grid, grid = plan.erosion_grid, plan.grid
    line = main_gully(plan, rng)
    coarse = _valley_form(plan, coarse_grid, rng)
    head = _head_m(plan, line)
    cut = line[lines.positions_m(line) >= head]
    main = _main(coarse, coarse_grid, cut, plan)
    coarse = carved(coarse, coarse_grid, main, depth_m=plan.gully_depth_m, ragged=np.zeros(coarse.shape))
    kept = _is_floor(plan, coarse_grid) | _is_platform(plan, coarse_grid)
    coarse = eroded(coarse, cell_m=plan.erosion_cell_m, fixed=kept, steps=45, strength=0.004, creep=0.02)
    fine = _refined(coarse, coarse_grid, grid, rng)
    fine = stepped(fine, plan, grid, rng)
    fine += 0.08 * fractal(rng, grid, wavelength_m=24.0, octaves=4, gain=0.6)
    gullies = _joined(lowered(main, fine, grid), _gullies(fine, plan, grid, cut))
    ragged = fractal(rng, grid, wavelength_m=70.0, octaves=2)
    fine = carved(fine, grid, gullies, depth_m=1.3 * plan.gully_depth_m, ragged=ragged)
    return Relief(silted(_with_river(fine, plan, grid), hollow_m=HOLLOW_M), line, head, gullies)


def main_gully(plan: Layout, rng: np.random.Generator) -> Line:
    """The centre line of the gully that the flow slide will take, begun in the scarp above the platform."""
    across = np.linspace(plan.foot_m + 0.3 * plan.scarp_m, 0.88 * plan.floor_m, 80)
    share = np.maximum(across - plan.floor_m, 0) / (across[0] - plan.floor_m)
    phase = rng.uniform(0, 2 * math.pi)
    fade = np.clip(1.6 * (1 - share), 0, 1)
    sway = np.sin(2.2 * math.pi * share + phase) - math.sin(phase)
    bends = np.sin(7 * math.pi * share + 2 * phase) * np.clip(4 * share, 0, 1) * fade
    east = plan.east_of(0.515) + plan.size_m * (0.022 * share + 0.012 * sway * fade + 0.006 * bends)
    return np.column_stack([east, plan.axis_north(east) + across])


def _head_m(plan: Layout, line: Line) -> float:
    """Where along its line the main gully begins: a little below the lower edge of the platform's source."""
    across = plan.across(line[:, 0], line[:, 1])
    return float(np.interp(-(plan.foot_m - plan.bench_m + 0.04 * plan.bench_m), -across, lines.positions_m(line)))


def _main(surface: Field, grid: Grid, cut: Line, plan: Layout) -> Channels:
    """The main gully: its bed lies `gully_depth_m` under the ground, less near head and mouth, and falls all the way."""
    row, col = grid.rowcol(cut[:, 0], cut[:, 1])
    share = np.maximum(1 - lines.positions_m(cut) / lines.length_m(cut) / 0.9, 0)
    depth = plan.gully_depth_m * np.minimum(np.minimum(share / 0.25, 0.45 + (1 - share) / 0.5), 1)
    to_mouth = lines.length_m(cut) - lines.positions_m(cut)
    graded = surface[row[-1], col[-1]] + 0.05 * to_mouth
    bed = np.minimum.accumulate(np.maximum(surface[row, col] - depth, graded)) - 0.002 * np.arange(len(cut))
    return along_line(cut, bed, half_width_m=0.006 * plan.size_m**0.5 * 16)


def _joined(first: Channels, second: Channels) -> Channels:
    return Channels(
        np.vstack([first.reaches, second.reaches]),
        np.concatenate([first.half_width_m, second.half_width_m]),
        np.concatenate([first.head, second.head]),
    )


def _gullies(fine: Field, plan: Layout, grid: Grid, cut: Line) -> Channels:
    """All gullies but the main one, from the fine ground seen in blocks."""
    size = round(plan.erosion_cell_m / plan.cell_m)
    rows, cols = (n // size for n in grid.shape)
    blocks = fine[: rows * size, : cols * size].reshape(rows, size, cols, size)
    west, _, _, north = grid.bounds
    cell = size * plan.cell_m
    coarse_grid = Grid.from_bounds((west, north - rows * cell, west + cols * cell, north), cell=cell, crs=grid.crs)
    near = np.isfinite(lines.around(cut, coarse_grid, reach_m=1.5 * cell)[0])
    outlets = near | _is_floor(plan, coarse_grid)
    return network(blocks.min(axis=(1, 3)), plan, coarse_grid, outlets=outlets, closed=_is_closed(plan, coarse_grid))


def _is_closed(plan: Layout, grid: Grid) -> Mask:
    """Where no gully has cut back yet: platform, spurs, the terraced slope, and the hamlet's ground on the tableland."""
    east, north = np.meshgrid(*grid.centres(), sparse=True)
    share = (east - plan.east_of(0.0)) / plan.size_m
    across = plan.across(east, north)
    hamlet = (np.abs(share - 0.70) < 0.075) & (across > plan.edge_m + 0.035 * plan.size_m)
    terraces = (share > TERRACES[0]) & (share < TERRACES[1] + 0.03) & (across < plan.foot_m)
    on_slope = (across > plan.floor_m) & (terraces | (plan.spur(east) > 0.5))
    return np.asarray(hamlet | on_slope | _is_platform(plan, grid))


def _valley_form(plan: Layout, grid: Grid, rng: np.random.Generator) -> Field:
    """The smooth cross-section, its edges wandering, with gentle noise."""
    east, north = np.meshgrid(*grid.centres(), sparse=True)
    across = plan.across(east, north)
    off_floor = np.clip(plan.off_floor(east, north) / (0.3 * plan.floor_m), 0, 1)
    steady = plan.bench(east) * window(across, plan.floor_m, 1.3 * plan.floor_m, plan.foot_m, plan.edge_m)
    wander = fractal(rng, grid, wavelength_m=0.30 * plan.size_m, octaves=4, gain=0.5)
    even = np.maximum(np.maximum(steady, plan.spur(east) * (across > 0)), plan.gorge(east) * (across < 0))
    across = across + 0.03 * plan.size_m * wander * off_floor * (1 - 0.85 * even)
    floor = plan.floor_level_m(east, plan.across(east, north))
    rough = fractal(rng, grid, wavelength_m=0.12 * plan.size_m, octaves=5, gain=0.5)
    rough *= 0.08 + 1.6 * off_floor * (1 - 0.9 * steady)
    return np.asarray(floor + _cross_section(across, east, plan) + rough)


def _cross_section(across: Field, east: Field, plan: Layout) -> Field:
    """Height over the floor: the slope up to the platform, the platform at 3 degrees, the scarp, the tableland; the spurs.

    A spur climbs evenly from the floor to the tableland.
    """
    bench = plan.bench_m * plan.bench(east)
    slope = np.clip((across - plan.floor_m) / (plan.foot_m - bench - plan.floor_m), 0, 1)
    platform = 0.055 * np.clip(across - plan.foot_m + bench, 0, bench)
    scarp = np.clip((across - plan.foot_m) / plan.scarp_m, 0, 1)
    north = (plan.slope_rise_m - 0.055 * bench) * slope**1.15 + platform + plan.scarp_rise_m * scarp
    whole = np.clip((across - plan.floor_m) / (SPUR_LENGTH * (plan.edge_m - plan.floor_m)), 0, 1)
    north += plan.spur(east) * ((plan.slope_rise_m + plan.scarp_rise_m) * whole - north)
    hillside = np.maximum(plan.south_foot(east) - across, 0)
    south = 0.66 * hillside - 0.25 * hillside**2 / plan.size_m
    return np.asarray(north + 0.02 * np.maximum(across - plan.edge_m, 0) + south)


def _is_floor(plan: Layout, grid: Grid) -> Mask:
    east, north = np.meshgrid(*grid.centres(), sparse=True)
    return np.asarray(plan.off_floor(east, north) < -0.02 * plan.floor_m)


def _is_platform(plan: Layout, grid: Grid) -> Mask:
    """The gentle ground under the scarp, where the flow slide starts; its edge wavers."""
    east, north = np.meshgrid(*grid.centres(), sparse=True)
    across = plan.across(east, north)
    lower = plan.foot_m - plan.bench_m * (1 + 0.08 * np.sin(40 * (east / plan.size_m) + 3 * plan.phase))
    sideways = 0.015 * plan.size_m * np.sin(6 * across / plan.bench_m + plan.phase)
    return np.asarray((plan.bench(east + sideways) > 0.7) & (across > lower) & (across < plan.foot_m))


def _with_river(surface: Field, plan: Layout, grid: Grid) -> Field:
    distance, _ = lines.around(plan.river, grid, reach_m=4 * plan.river_m)
    east, _ = np.meshgrid(*grid.centres(), sparse=True)
    banks = plan.river_bed_m(east) + np.maximum(distance - plan.river_m / 2, 0)
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


def _refined(coarse: Field, coarse_grid: Grid, grid: Grid, rng: np.random.Generator) -> Field:
    """Cubic convolution to the fine grid, the places gently distorted so that gullies wind and do not follow the lattice."""
    east, north = np.meshgrid(*grid.centres(), sparse=True)
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
