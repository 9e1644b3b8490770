"""Fields around a line: how far every cell is from it, and how far along."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel

Line = NDArray[np.float64]  # (n, 2): east, north


def around(line: Line, grid: Grid, *, reach_m: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance of each cell centre to `line`, and the position along it of the nearest point, both in m.

    Beyond `reach_m` the distance is infinite and the position NaN.
    """
    east, north = grid.centres()
    distance = np.full(grid.shape, np.inf)
    along = np.full(grid.shape, np.nan)
    way = np.asarray(line, np.float64)
    nearest_kernel(way, positions_m(way), east, north, grid.cell[0], reach_m, distance, along)
    return distance, along


def length_m(line: Line) -> float:
    """Length of the line in m."""
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def positions_m(line: Line) -> NDArray[np.float64]:
    """Distance of every vertex from the start of the line, in m."""
    return np.concatenate([[0.0], np.hypot(*np.diff(line, axis=0).T).cumsum()])


def at(line: Line, along_m: NDArray[np.float64]) -> Line:
    """The points of `line` at these distances from its start."""
    where = positions_m(line)
    return np.column_stack([np.interp(along_m, where, line[:, 0]), np.interp(along_m, where, line[:, 1])])


def resampled(line: Line, *, step_m: float) -> Line:
    """The same line with a vertex about every `step_m`; its ends stay."""
    total = length_m(line)
    return at(line, np.linspace(0.0, total, max(round(total / step_m), 1) + 1))


def rounded_corners(line: Line, *, passes: int) -> Line:
    """The line with its corners cut `passes` times (Chaikin 1974); its ends stay."""
    for _ in range(passes):
        start, stop = line[:-1], line[1:]
        cut = np.stack([0.75 * start + 0.25 * stop, 0.25 * start + 0.75 * stop], axis=1).reshape(-1, 2)
        line = np.vstack([line[:1], cut, line[-1:]])
    return line


@kernel
def nearest_kernel(line, value, east, north, cell, reach, distance, found):  # type: ignore[no-untyped-def]
    """Distance of cells to a line where that is less than in `distance`, and there the `value` of its vertices between them."""
    rows, cols = distance.shape
    for k in range(line.shape[0] - 1):
        x0, y0 = line[k, 0], line[k, 1]
        dx, dy = line[k + 1, 0] - x0, line[k + 1, 1] - y0
        squared = dx * dx + dy * dy
        if squared == 0.0:
            continue
        first_col = max(int((min(x0, x0 + dx) - reach - east[0]) / cell), 0)
        last_col = min(int((max(x0, x0 + dx) + reach - east[0]) / cell) + 1, cols - 1)
        first_row = max(int((north[0] - max(y0, y0 + dy) - reach) / cell), 0)
        last_row = min(int((north[0] - min(y0, y0 + dy) + reach) / cell) + 1, rows - 1)
        for row in range(first_row, last_row + 1):
            for col in range(first_col, last_col + 1):
                px, py = east[col] - x0, north[row] - y0
                share = min(max((px * dx + py * dy) / squared, 0.0), 1.0)
                d = math.sqrt((px - share * dx) ** 2 + (py - share * dy) ** 2)
                if d <= reach and d < distance[row, col]:
                    distance[row, col] = d
                    found[row, col] = value[k] + share * (value[k + 1] - value[k])
