"""Two elevation surfaces at coarser and coarser levels, and an even sample of the cells of each level."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from hazardgeo.change.nuth_kaab import Frame, Samples
from hazardgeo.change.resample import places
from hazardgeo.grid import Grid
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.raster import Raster
from hazardgeo.raster.elevation import heights, require_possible

Surface = NDArray[Any]
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
COARSEST_CELLS = 48  # along the shorter side: enough to tell hills apart
_MUCH_FINER = 1.5
_WIDE = 2  # cells to each side
_ROW_STEP, _COL_STEP = 0.7548776662466927, 0.5698402909980532  # powers of the plastic number: no lattice of the ground fits


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """Both surfaces with cells of about the same size, each on its grid, and where the fixed one may be used."""

    moving: Surface
    moving_grid: Grid
    fixed: Surface
    fixed_grid: Grid
    allowed: Mask


def pyramid(moving: Raster, fixed: Raster, allowed: Mask) -> list[Level]:
    """From the finest level that both can have to the coarsest that still shows hills."""
    parts = []
    for dem in (moving, fixed):
        values = heights(dem, "coregister")
        require_possible(dem, values)
        parts.append((values, dem.grid))
    (moved, moved_grid), (held, held_grid) = parts
    ratio = held_grid.cell[0] / moved_grid.cell[0]
    if ratio >= _MUCH_FINER:
        moved, moved_grid = averaged(moved, moved_grid, round(ratio))
    elif 1 / ratio >= _MUCH_FINER:
        times = round(1 / ratio)
        held, coarse = averaged(np.where(allowed, held, np.float32(np.nan)), held_grid, times)
        held_grid, allowed = coarse, np.ones(held.shape, bool)
    levels = [Level(moved, moved_grid, held, held_grid, allowed)]
    while min(*levels[-1].moving.shape, *levels[-1].fixed.shape) >= 2 * COARSEST_CELLS:
        last = levels[-1]
        masked = last.fixed if last.allowed.all() else np.where(last.allowed, last.fixed, np.float32(np.nan))
        halves = averaged(last.moving, last.moving_grid, 2), averaged(masked, last.fixed_grid, 2)
        levels.append(Level(*halves[0], *halves[1], np.ones(halves[1][0].shape, bool)))
    return levels


def averaged(z: Surface, grid: Grid, times: int) -> tuple[Surface, Grid]:
    """Means of the known cells of blocks of `times` x `times`; rows and columns that fill no block are left out."""
    shape = max(z.shape[0] // times, 1), max(z.shape[1] // times, 1)
    out = np.empty(shape, np.float32)
    in_bands(lambda first, last: _averaged_rows(z, times, out, first, last), shape[0])
    return out, Grid(grid.transform @ Affine.scale(times), shape, grid.crs)


@kernel
def _averaged_rows(z: Surface, times: int, out: Surface, first: int, last: int) -> None:
    rows, cols = z.shape
    for i in range(first, last):
        for j in range(out.shape[1]):
            total, known = 0.0, 0
            for r in range(i * times, min((i + 1) * times, rows)):
                for c in range(j * times, min((j + 1) * times, cols)):
                    if z[r, c] == z[r, c]:
                        total += z[r, c]
                        known += 1
            out[i, j] = total / known if known else np.nan


def sample(level: Level, wanted: int, frame: Frame) -> Samples:
    """About `wanted` cells, or all there are, spread evenly over those that are known with their neighbours.

    The gradient is that of the plane through 5 x 5 cells: interpolation between cells turns the finest forms a little, and they
    must have no say in the shift. Where voids leave less than half of the cells so, it is that of 3 x 3.
    """
    row, col, rise = _spread_out(level, wanted, _WIDE)
    narrow = _spread_out(level, wanted, 1)
    if row.size < narrow[0].size / 2:
        row, col, rise = narrow
    width, height = level.fixed_grid.cell
    east = level.fixed_grid.transform.c + (col + 0.5) * width
    north = level.fixed_grid.transform.f - (row + 0.5) * height
    at_row, at_col = places(np.asarray(east, np.float64), np.asarray(north, np.float64), level.moving_grid)
    u, v = (east - frame.centre[0]) / frame.half_m, (north - frame.centre[1]) / frame.half_m
    inside = (at_row >= 0) & (at_row <= level.moving.shape[0] - 1) & (at_col >= 0) & (at_col <= level.moving.shape[1] - 1)
    z = level.fixed[row, col].astype(np.float64)
    columns = z, rise[:, 0] / width, rise[:, 1] / height, at_row, at_col, u, v, u * u + v * v - frame.dome_level
    return Samples(*(np.ascontiguousarray(c[inside]) for c in columns))


def _spread_out(level: Level, wanted: int, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Numbers]:
    step = max(1, math.isqrt(level.fixed.size // wanted))
    found = _picked(level.fixed, level.allowed, step, reach)
    if step > 1 and found[0].size < wanted / 2:
        step = max(1, int(step * math.sqrt(max(found[0].size, 1) / wanted)))
        found = _picked(level.fixed, level.allowed, step, reach)
    return found


@kernel
def _picked(z: Surface, allowed: Mask, step: int, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Numbers]:
    """One cell of each block of `step` x `step` cells, and what the plane through the cells around rises to east and north."""
    rows, cols = z.shape
    most = ((rows + step - 1) // step) * ((cols + step - 1) // step)
    row, col, rise = np.empty(most, np.int64), np.empty(most, np.int64), np.empty((most, 2))
    found = 0
    for a in range((rows + step - 1) // step):
        for b in range((cols + step - 1) // step):
            shift = a * _ROW_STEP + b * _COL_STEP
            place = int((shift - math.floor(shift)) * step * step)
            i, j = a * step + place // step, b * step + place % step
            if i < reach or j < reach or i >= rows - reach or j >= cols - reach or not allowed[i, j]:
                continue
            east, north = _plane(z, i, j, reach)
            if not math.isnan(east + north):
                row[found], col[found], rise[found, 0], rise[found, 1] = i, j, east, north
                found += 1
    return row[:found], col[:found], rise[:found]


@kernel
def _plane(z: Surface, i: int, j: int, reach: int) -> tuple[float, float]:
    """Rise per cell to east and to north of the least-squares plane; NaN where a cell is unknown."""
    east, north, squares = 0.0, 0.0, 0.0
    for r in range(-reach, reach + 1):
        for c in range(-reach, reach + 1):
            value = float(z[i + r, j + c])
            east += c * value
            north -= r * value
            squares += c * c
    return east / squares, north / squares
