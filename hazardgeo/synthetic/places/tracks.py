"""Tracks: ways over the ground that climb gently and turn widely, as people trod them before anybody built roads."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.kernel import kernel
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.layout import Layout
from hazardgeo.synthetic.lines import Line

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]
Cell = tuple[int, int]
MOST_LAG_M = (4.0, 5.0, 6.0, 8.0, 30.0)  # how far a way may leave the ground: tried in this order
FOLLOWS_M = 4.5


@dataclass(frozen=True, slots=True)
class Ground:
    """Mean elevation in m on square blocks, from the north-west corner of the valley, and the relief within each in m.

    `barred` blocks are not entered.
    """

    mean_m: Field
    relief_m: Field
    barred: Mask
    block_m: float
    west: float
    north: float

    def cell(self, place: Line) -> Cell:
        """Row and column of a place."""
        rows, cols = self.mean_m.shape
        row, col = int((self.north - place[1]) / self.block_m), int((place[0] - self.west) / self.block_m)
        return min(max(row, 0), rows - 1), min(max(col, 0), cols - 1)

    def cells(self, places: Line) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of many places."""
        rows, cols = self.mean_m.shape
        row = ((self.north - places[:, 1]) / self.block_m).astype(np.int64).clip(0, rows - 1)
        return row, ((places[:, 0] - self.west) / self.block_m).astype(np.int64).clip(0, cols - 1)

    def centre(self, cells: NDArray[np.int64]) -> Line:
        """East and north of the middles of cells (row, column)."""
        return np.column_stack([self.west + (cells[:, 1] + 0.5) * self.block_m, self.north - (cells[:, 0] + 0.5) * self.block_m])

    def without(self, shape: shapely.Geometry) -> Ground:
        """The same ground with the blocks whose middles lie in `shape` barred too."""
        west, south, east, north = shape.bounds
        first, last = self.cell(np.array([west, north])), self.cell(np.array([east, south]))
        r, c = np.mgrid[first[0] : last[0] + 1, first[1] : last[1] + 1]
        barred = self.barred.copy()
        middles = self.centre(np.column_stack([r.ravel(), c.ravel()]))
        shapely.prepare(shape)
        barred[r.ravel(), c.ravel()] |= shapely.contains_xy(shape, *middles.T)
        return replace(self, barred=barred)


def ground(plan: Layout, elevation_m: Field) -> Ground:
    """The valley in blocks of 10 m (6 m in a small valley, its relief scaled to 10 m); the river with its banks is barred."""
    block_m = 6.0 if plan.size_m < 2000 else 10.0
    size = round(block_m / plan.cell_m)
    rows, cols = (n // size for n in plan.grid.shape)
    blocks = elevation_m[: rows * size, : cols * size].reshape(rows, size, cols, size)
    mean = blocks.mean(axis=(1, 3))
    relief_m = (blocks.max(axis=(1, 3)) - blocks.min(axis=(1, 3))) * (10.0 / block_m)
    west, _, _, north = plan.grid.bounds
    east = west + (np.arange(cols) + 0.5) * block_m
    up = north - (np.arange(rows) + 0.5) * block_m
    x, y = (np.asarray(a, np.float64) for a in np.meshgrid(east, up))
    off_river = plan.across(x, y) - plan.river_across(x)
    barred = np.abs(off_river) < plan.river_m / 2 + 10.0
    return Ground(mean, relief_m, barred, block_m, west, north)


def climb(over: Ground, start: Line, goals: Line, *, steepest: float = 0.115, most_lag_m: float = MOST_LAG_M[0]) -> Line | None:
    """A line from `start` to the cheapest of `goals`; None where there is no way.

    The way climbs nowhere more than `steepest` (m/m) and lies no more than `most_lag_m` above or under the mean ground of
    its blocks; it turns by no more than 45 degrees at a time. A metre of it costs 1 + (grade / 0.08)^2 + (lag / 1.5 m)^2 +
    (relief within the block / 4.5 m)^2, and turns cost too. It never crosses itself.
    """
    targets = np.full(over.mean_m.shape, -1, np.int64)
    rows, cols = over.cells(goals)
    targets[rows[::-1], cols[::-1]] = np.arange(len(goals))[::-1]
    ahead = ndimage.distance_transform_edt(targets < 0) * over.block_m
    path = np.array(
        _least_cost_kernel(
            over.mean_m, over.relief_m, over.barred, over.block_m, *over.cell(start), targets, ahead, steepest, most_lag_m
        )
    )
    if not len(path):
        return None
    goal = goals[targets[tuple(path[-1])]]
    corners = np.vstack([start, over.centre(path[1:-1]), goal])
    rounded = lines.resampled(_without_loops(lines.rounded_corners(corners, passes=3)), step_m=8.0)
    rounded = _without_loops(rounded).round(2)
    rounded[0], rounded[-1] = start, goal
    return rounded


def surely(over: Ground, start: Line, goals: Line, *, steepest: float = 0.115) -> Line:
    """The first way found that follows the ground, with less and less regard for it: bold cuts rather than no road."""
    best: Line | None = None
    for most_lag_m in MOST_LAG_M:
        found = climb(over, start, goals, steepest=steepest, most_lag_m=most_lag_m)
        if found is None:
            continue
        if best is None or lag_m(over, found, steepest) < lag_m(over, best, steepest):
            best = found
        if lag_m(over, best, steepest) < FOLLOWS_M:
            break
    assert best is not None, f"no way leads from {start} to any of {len(goals)} goals"
    return best


def lag_m(over: Ground, line: Line, steepest: float) -> float:
    """How far, in m, the best road of this grade along a line must leave the mean ground of the blocks, up or down.

    That is half of what the two places lack that are hardest to join: their difference in height less what the road may climb.
    """
    line = lines.resampled(line, step_m=max(6.0, lines.length_m(line) / 800))
    row = (over.north - line[:, 1]) / over.block_m - 0.5
    col = (line[:, 0] - over.west) / over.block_m - 0.5
    height = ndimage.map_coordinates(over.mean_m, [row, col], order=1, mode="nearest")
    along = lines.positions_m(line)
    lack = np.abs(height[:, None] - height) - steepest * np.abs(along[:, None] - along)
    return float(lack.max()) / 2


def _without_loops(line: Line) -> Line:
    """The line with what lies between the two passes through a crossing with itself left out."""
    if shapely.LineString(line).is_simple:
        return line
    kept = [tuple(xy) for xy in line[:1].tolist()]
    for point in map(tuple, line[1:].tolist()):
        if len(kept) > 2:
            piece = shapely.LineString([kept[-1], point])
            earlier = shapely.linestrings(np.stack([np.array(kept[:-2]), np.array(kept[1:-1])], axis=1))
            crossed = np.flatnonzero(shapely.intersects(piece, earlier))
            if len(crossed):
                meeting = shapely.get_coordinates(shapely.intersection(piece, earlier[crossed[0]]))[0]
                kept = [*kept[: crossed[0] + 1], tuple(meeting)]
        kept.append(point)
    return np.array(kept)


_ROWS = np.array([0, -1, -1, -2, -1, -2, -1, -1, 0, 1, 1, 2, 1, 2, 1, 1])  # the eight neighbours and the knight's moves,
_COLS = np.array([1, 2, 1, 1, 0, -1, -1, -2, -1, -2, -1, -1, 0, 1, 1, 2])  # against the clock from east


_LAGS = 5  # classes of lag in which a way is remembered for each block and heading


@kernel
def _traced_kernel(source, last, cols):  # type: ignore[no-untyped-def]
    path = [(0, 0)]
    path.pop()
    while last >= 0:
        block = last // (16 * _LAGS)
        path.append((block // cols, block % cols))
        last = source[last]
    return path[::-1]


@kernel
def _state_kernel(block, heading, lag, most_lag):  # type: ignore[no-untyped-def]
    return (block * 16 + heading) * _LAGS + min(int((lag / most_lag + 1.0) * _LAGS / 2), _LAGS - 1)


@kernel
def _least_cost_kernel(z, relief, barred, cell, row, col, targets, ahead, steepest, most_lag):  # type: ignore[no-untyped-def]
    """A* (Hart, Nilsson & Raphael 1968) over blocks, headings and lags; every state carries the level of the way there.

    From each state the way goes on level with the ground as far as the grade allows, or climbs or falls as steeply as it may.
    """
    rows, cols = z.shape
    cost = np.full(z.size * 16 * _LAGS, np.inf, np.float32)
    level = np.zeros(cost.size, np.float32)
    source = np.full(cost.size, -1, np.int32)
    queue = [(0.0, np.float32(0.0), 0)]
    queue.pop()
    for heading in range(16):
        state = _state_kernel(row * cols + col, heading, 0.0, most_lag)
        cost[state] = 0.0
        level[state] = z[row, col]
        heapq.heappush(queue, (ahead[row, col], np.float32(0.0), state))
    while len(queue) > 0:
        _, reached, state = heapq.heappop(queue)
        if reached > cost[state]:
            continue
        heading, r, c = state // _LAGS % 16, state // (16 * _LAGS) // cols, state // (16 * _LAGS) % cols
        if targets[r, c] >= 0 and abs(level[state] - z[r, c]) < 0.45 * most_lag:
            return _traced_kernel(source, state, cols)
        for turn in range(-2, 3):
            towards = (heading + turn) % 16
            i, j = r + _ROWS[towards], c + _COLS[towards]
            if i < 0 or i >= rows or j < 0 or j >= cols or (barred[i, j] and targets[i, j] < 0):
                continue
            run = cell * math.sqrt(_ROWS[towards] ** 2 + _COLS[towards] ** 2)
            most = steepest * run
            for up in (min(max(z[i, j] - level[state], -most), most), most, -most):
                lag = level[state] + up - z[i, j]
                if abs(lag) > most_lag:
                    continue
                dear = 1.0 + (up / run / 0.08) ** 2 + (lag / 1.5) ** 2 + (relief[i, j] / 4.5) ** 2
                total = np.float32(reached + run * dear + 0.6 * cell * abs(turn))
                then = _state_kernel(i * cols + j, towards, lag, most_lag)
                if total < cost[then]:
                    cost[then] = total
                    level[then] = level[state] + up
                    source[then] = state
                    heapq.heappush(queue, (total + ahead[i, j], total, then))
    return _traced_kernel(source, -1, cols)
