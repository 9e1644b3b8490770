"""Holes of a surface filled from coarser and coarser levels, the same whatever the tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.tiles import engine
from hazardgeo.tiles.engine import RasterSink, RasterSource, Source
from hazardgeo.tiles.folder import discard, held
from hazardgeo.tiles.plan import DEFAULT_CELLS, origin_cells
from hazardgeo.tiles.scratch import Scratch

Surface = NDArray[np.float32]
_SWEEPS = 30
_TOP_CELLS = 2  # levels do not shrink below two cells where the surface lies on both sides of the origin


def fill_holes(
    source: RasterSource,
    sink: RasterSink,
    *,
    work_folder: Path,
    sweeps: int = _SWEEPS,
    tile_cells: int = DEFAULT_CELLS,
    **job: Any,
) -> None:
    """Fill every unknown cell of a surface from the known ones around it; known cells stay as they are.

    Means of the known cells of blocks of 2 x 2, 4 x 4, ... give each hole a first value from the finest level that knows
    one there, interpolated between the cells of that level; then each filled cell is set `sweeps` times to the mean of
    its four neighbours, all cells at once. Every step is a weighted mean, so nothing overshoots. Levels are anchored at
    the origin of the CRS, and the result does not depend on the tiles. Nothing is marked: mask what is too far from a
    known cell before you rely on it. A surface without any known cell stays unknown. `job` and errors are those of
    `tiles.map`.
    """
    with held(work_folder):
        levels, shared = [source.grid], {"tile_cells": tile_cells, "options": {"sweeps": sweeps}, **job}
        fine: list[RasterSource] = [source]
        while max(levels[-1].shape) > max(tile_cells, _TOP_CELLS):
            levels.append(coarser(levels[-1]))
            level = Scratch(work_folder / f"known-{len(fine)}", levels[-1], tile_cells)
            engine.map(halved, {"fine": Under(fine[-1])}, level, grid=levels[-1], **{**shared, "options": {}})
            fine.append(level)
        coarse: RasterSource | None = None
        for k in range(len(levels) - 1, -1, -1):
            filled = Scratch(work_folder / f"filled-{k}", levels[k], tile_cells)
            if coarse is None:
                engine.map(filled_holes, {"raster": fine[k]}, filled if k else sink, halo=max(levels[k].shape), **shared)
            else:
                over: dict[str, Source] = {"fine": fine[k], "coarse": Over(coarse)}
                engine.map(spread, over, filled if k else sink, grid=levels[k], halo=sweeps, **shared)
            coarse = filled
        for k in range(len(levels)):
            discard(work_folder / f"known-{k}")
            discard(work_folder / f"filled-{k}")
        if work_folder.is_dir() and not any(work_folder.iterdir()):
            work_folder.rmdir()


def filled_holes(raster: Raster, *, sweeps: int = _SWEEPS) -> Raster:
    """The surface with every unknown cell filled, as `fill_holes` does it, in memory."""
    if max(raster.grid.shape) <= _TOP_CELLS:
        return topped(raster)
    grid = coarser(raster.grid)
    coarse = filled_holes(halved(under(grid, raster.grid, lambda _whole: raster), grid), sweeps=sweeps)
    return spread(raster, coarse, sweeps=sweeps)


def coarser(grid: Grid) -> Grid:
    """The grid of blocks of 2 x 2 cells, their edges at even cells counted from the origin of the CRS."""
    row, col = origin_cells(grid)
    width, height = grid.cell
    top, left = row // 2, col // 2
    rows, cols = -(-(row + grid.shape[0]) // 2) - top, -(-(col + grid.shape[1]) // 2) - left
    west, north = grid.transform.c - (col - 2 * left) * width, grid.transform.f + (row - 2 * top) * height
    return Grid(Affine(2 * width, 0, west, 0, -2 * height, north), (rows, cols), grid.crs)


@dataclass(frozen=True, slots=True)
class Under:
    """A fine raster, read by blocks of the coarser grid: what lies under them, unknown where the fine grid ends."""

    source: RasterSource

    @property
    def key(self) -> str:
        return self.source.key

    def read(self, block: Grid) -> Raster:
        return under(block, self.source.grid, self.source.read)


def under(block: Grid, fine: Grid, read: Callable[[Grid], Raster]) -> Raster:
    """The cells of the fine grid under a block of the coarser one, unknown where the fine grid ends."""
    (row, col), (top, left) = origin_cells(fine), origin_cells(block)
    first_row, first_col = 2 * top - row, 2 * left - col
    rows = slice(max(first_row, 0), min(first_row + 2 * block.shape[0], fine.shape[0]))
    cols = slice(max(first_col, 0), min(first_col + 2 * block.shape[1], fine.shape[1]))
    values = np.full((2 * block.shape[0], 2 * block.shape[1]), np.nan, np.float32)
    inside = slice(rows.start - first_row, rows.stop - first_row), slice(cols.start - first_col, cols.stop - first_col)
    values[inside] = read(fine.window(rows, cols)).values
    (width, height), (west, _, _, north) = fine.cell, block.bounds
    return Raster(values, Grid(Affine(width, 0, west, 0, -height, north), values.shape, block.crs))


@dataclass(frozen=True, slots=True)
class Over:
    """A coarse raster, read by blocks of the finer grid: the cells over them and one more on each side, as far as it goes."""

    source: RasterSource

    @property
    def key(self) -> str:
        return self.source.key

    def read(self, block: Grid) -> Raster:
        coarse = self.source.grid
        (row, col), (top, left) = origin_cells(block), origin_cells(coarse)
        rows = slice(max(row // 2 - 1 - top, 0), min((row + block.shape[0] - 1) // 2 + 2 - top, coarse.shape[0]))
        cols = slice(max(col // 2 - 1 - left, 0), min((col + block.shape[1] - 1) // 2 + 2 - left, coarse.shape[1]))
        found: Raster = self.source.read(coarse.window(rows, cols))
        return found


def topped(raster: Raster) -> Raster:
    """The coarsest level, its unknown cells at the mean of its known ones."""
    values = raster.values.astype(np.float32)
    known = values[~np.isnan(values)]
    mean = known.astype(np.float64).mean() if len(known) else np.nan
    return Raster(np.where(np.isnan(values), mean, values).astype(np.float32), raster.grid)


def halved(fine: Raster, grid: Grid) -> Raster:
    """Means of the known cells of each block of 2 x 2."""
    return Raster(_halve(fine.values.astype(np.float32)), grid)


def spread(fine: Raster, coarse: Raster, *, sweeps: int) -> Raster:
    """The fine surface with its unknown cells interpolated between the coarse cells, then relaxed."""
    values = fine.values.astype(np.float32)
    unknown = np.isnan(values)
    if unknown.any():
        (row, col), (top, left) = origin_cells(fine.grid), origin_cells(coarse.grid)
        _spread(coarse.values, values, (row - 2 * top, col - 2 * left))
        _relax(values, np.flatnonzero(unknown), sweeps)
    return Raster(values, fine.grid, fine.name, fine.unit, fine.height)


@kernel
def _halve(z: Surface) -> Surface:
    rows, cols = z.shape[0] // 2, z.shape[1] // 2
    out = np.full((rows, cols), np.nan, np.float32)
    for i in range(rows):
        for j in range(cols):
            total, count = 0.0, 0
            for a in range(2 * i, 2 * i + 2):
                for b in range(2 * j, 2 * j + 2):
                    if not np.isnan(z[a, b]):
                        total += z[a, b]
                        count += 1
            if count > 0:
                out[i, j] = total / count
    return out


@kernel
def _spread(coarse: Surface, fine: Surface, first: tuple[int, int]) -> None:
    """Fill the unknown cells of `fine` between the centres of `coarse`; `first` is its first cell in halves of coarse cells."""
    rows, cols = coarse.shape
    for i in range(fine.shape[0]):
        at = i + first[0]
        near_i = at // 2
        next_i = min(max(near_i + (1 if at % 2 else -1), 0), rows - 1)
        for j in range(fine.shape[1]):
            if not np.isnan(fine[i, j]):
                continue
            to = j + first[1]
            near_j = to // 2
            next_j = min(max(near_j + (1 if to % 2 else -1), 0), cols - 1)
            near = 0.75 * coarse[near_i, near_j] + 0.25 * coarse[near_i, next_j]
            beyond = 0.75 * coarse[next_i, near_j] + 0.25 * coarse[next_i, next_j]
            fine[i, j] = 0.75 * near + 0.25 * beyond


@kernel
def _relax(z: Surface, holes: NDArray[np.int64], sweeps: int) -> None:
    """Set all holes to the mean of their four neighbours, `sweeps` times, all at once."""
    rows, cols = z.shape
    after = np.empty(len(holes), np.float32)
    for _ in range(sweeps):
        for k in range(len(holes)):
            i, j = holes[k] // cols, holes[k] % cols
            total, count = 0.0, 0
            if i > 0:
                total += z[i - 1, j]
                count += 1
            if i < rows - 1:
                total += z[i + 1, j]
                count += 1
            if j > 0:
                total += z[i, j - 1]
                count += 1
            if j < cols - 1:
                total += z[i, j + 1]
                count += 1
            after[k] = total / count if count > 0 else z[i, j]
        for k in range(len(holes)):
            z[holes[k] // cols, holes[k] % cols] = after[k]
