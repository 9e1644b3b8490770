"""Clumps of low points: a few echoes that came late from a place where most came from the ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.scan.gridding import Place
from hazardgeo.scan.points import BAND_POINTS, between, centre_before
from hazardgeo.scan.relief import in_box
from hazardgeo.tiles.points import cell_of, place_of

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Surface = NDArray[np.float32]
Whole = NDArray[np.int64]
_REACH_M = 6.0  # half the longest chord: a pit is shorter in each of four directions, a gully is not in one
_DEPTH_M = 0.8
_SHARE = 0.3  # of the points of a pit: its own floor and walls hold more
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def low_clumps(xyz: Floats, counts: Mask, grid: Grid, ground: Surface, *, threshold_m: float, scalar: float) -> Mask:
    """Cells of a surface without unknown cells that lie in a pit where few points are. Needs a halo of `clump_halo(cell_m)`.

    The rim of a pit is the highest middle of chords through the cell, along rows, columns and diagonals, in the direction
    where that is lowest: a plane, a ridge and a gully have none. Points within `threshold_m` + `scalar` x slope of the rim
    say that the ground is there: those below them are noise where they are less than 30 % of the points of their cells and
    of those around. Clouds with a point to a cell or fewer cannot tell.
    """
    reach = _reach(grid.cell[0])
    rim = _rim(ground, reach)
    pit = rim - ground > _DEPTH_M
    if not pit.any():
        return pit
    heights, steep, place = rim.astype(np.float64), _broad_slope(rim, grid.cell[0], reach), place_of(grid)
    within = in_bands(lambda first, last: _within(xyz, counts, place, pit, first, last), len(xyz), band_rows=BAND_POINTS)
    below, level = _counted(xyz, np.concatenate(within), place, heights, steep, threshold_m, scalar)
    both = np.where(below > 0, below + level, 0)  # a cell with a single point cannot tell
    return np.asarray(pit & (in_box(below, reach) < _SHARE * in_box(both, reach)))


def clump_halo(cell_m: float) -> int:
    """How many cells around a cell decide whether it is of a clump."""
    return 3 * _reach(cell_m) + 2


def _broad_slope(z: Surface, cell_m: float, reach: int) -> Floats:
    """Gradient in m/m between cells at reach to either side, or at the border."""
    rows, cols = np.arange(z.shape[0]), np.arange(z.shape[1])
    above, below = np.maximum(rows - reach, 0), np.minimum(rows + reach, len(rows) - 1)
    left, right = np.maximum(cols - reach, 0), np.minimum(cols + reach, len(cols) - 1)
    south = (z[below] - z[above]) / (cell_m * np.maximum(below - above, 1))[:, None]
    east = (z[:, right] - z[:, left]) / (cell_m * np.maximum(right - left, 1))
    return np.asarray(np.hypot(south, east), np.float64)


def _reach(cell_m: float) -> int:
    return max(1, round(_REACH_M / cell_m))


def _rim(z: Surface, reach: int) -> Surface:
    out = np.empty_like(z)
    in_bands(lambda first, last: _rim_rows(z, reach, max(1, round(reach / 2**0.5)), out, first, last), len(z))
    return out


@kernel
def _rim_rows(z: Surface, straight: int, slanting: int, out: Surface, first: int, last: int) -> None:
    rows, cols = z.shape
    highest = np.empty(cols, z.dtype)
    for i in range(first, last):
        out[i] = np.inf
        for down, right in _DIRECTIONS:
            highest[:] = z[i]
            for far in range(1, (straight if down == 0 or right == 0 else slanting) + 1):
                above, below, aside = i - far * down, i + far * down, far * right
                if above < 0 or below >= rows or cols <= 2 * abs(aside):
                    continue
                inner = cols - 2 * abs(aside)
                near, one, other = highest[abs(aside) :], z[above, abs(aside) - aside :], z[below, abs(aside) + aside :]
                for j in range(inner):
                    middle = (one[j] + other[j]) / np.float32(2.0)
                    near[j] = middle if middle > near[j] else near[j]
            for j in range(cols):
                out[i, j] = highest[j] if highest[j] < out[i, j] else out[i, j]


@kernel
def _within(xyz: Floats, counts: Mask, place: Place, pit: Mask, first: int, last: int) -> Whole:
    """The numbers of the points that lie in cells of a pit."""
    found, number = np.empty(last - first, np.int64), 0
    for k in range(first, last):
        i, j = cell_of(xyz[k, 0], xyz[k, 1], place[0], place[1], place[2])
        if counts[k] and pit[i, j]:
            found[number] = k
            number += 1
    return found[:number].copy()


@kernel
def _counted(
    xyz: Floats, points: Whole, place: Place, heights: Floats, steep: Floats, threshold_m: float, scalar: float
) -> tuple[Whole, Whole]:
    """How many of the points lie below the rim in each cell, and how many level with it."""
    below, level = np.zeros(heights.shape, np.int64), np.zeros(heights.shape, np.int64)
    for k in points:
        row, col, south, east = centre_before(xyz[k, 0], xyz[k, 1], place, heights.shape)
        off = xyz[k, 2] - between(heights, row, col, south, east)
        allowed = threshold_m + scalar * between(steep, row, col, south, east)
        i, j = cell_of(xyz[k, 0], xyz[k, 1], place[0], place[1], place[2])
        if off < -allowed:
            below[i, j] += 1
        elif off <= allowed:
            level[i, j] += 1
    return below, level
