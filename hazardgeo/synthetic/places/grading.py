"""Grading: the levels that the roads are built to, and the benches that they cut into the ground."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster, sample_xy
from hazardgeo.synthetic.lines import Line, nearest_kernel

Field = NDArray[np.float64]
Numbers = NDArray[np.int64]
BESIDE_GRADE = 0.135  # between roads side by side
BENCH_HALF_M = 3.2
REACH_M = 26.0
_BESIDE_M = 7.0  # roads nearer than this share their ground
_CUT_TAN, _FILL_TAN = 1.73, 0.67  # 60 degrees in loess, 34 degrees in fill


def levels(roads: Sequence[Line], grades: Sequence[float], ground: Raster) -> list[Field]:
    """Elevation in m of every vertex of each road: as near to the ground as the steepest `grades` (m/m) allow.

    Halfway between the highest surface that climbs nowhere by more than that and lies under the ground (cut only) and the
    lowest such above it (fill only). Both are Lipschitz along the whole network, and so is their mean; no other such surface
    has a smaller greatest distance from the ground (McShane 1934, doi:10.1090/S0002-9904-1934-05978-0). Junctions are
    shared and roads side by side have one level. A grade of 0 is a bridge: level, only its ends touch the ground. Lines need
    vertices every few metres.
    """
    xy = np.vstack(roads)
    _, first, node = np.unique(np.rint(xy * 1000).astype(np.int64), axis=0, return_index=True, return_inverse=True)
    node = node.ravel()
    ends = np.cumsum([len(line) for line in roads])
    inner = np.ones(len(xy), bool)
    inner[ends - 1] = False
    u, v = node[:-1][inner[:-1]], node[1:][inner[:-1]]
    grade = np.repeat(np.asarray(grades, np.float64), [len(line) for line in roads])[:-1][inner[:-1]]
    rise = grade * np.hypot(*(xy[1:] - xy[:-1]).T)[inner[:-1]]
    z = np.asarray(sample_xy(ground, *xy[first].T, how="bilinear"), np.float64)
    free = np.zeros(len(z), bool)
    for line_end, line, steepest in zip(ends, roads, grades, strict=True):
        if steepest == 0:
            free[node[line_end - len(line) + 1 : line_end - 1]] = True
    near = cKDTree(xy[first]).query_pairs(_BESIDE_M, output_type="ndarray")
    u, v = np.concatenate([u, near[:, 0]]), np.concatenate([v, near[:, 1]])
    apart = np.hypot(*(xy[first[near[:, 0]]] - xy[first[near[:, 1]]]).T)
    start, other, steps = _adjacency(u, v, np.concatenate([rise, BESIDE_GRADE * apart]), len(z))
    under = _envelope_kernel(np.where(free, np.inf, z), start, other, steps)
    over = -_envelope_kernel(np.where(free, np.inf, -z), start, other, steps)
    level = (under + over) / 2
    return [level[node[end - len(line) : end]] for end, line in zip(ends, roads, strict=True)]


def _adjacency(u: Numbers, v: Numbers, weight: Field, nodes: int) -> tuple[Numbers, Numbers, Field]:
    """Neighbours of each node as compressed rows."""
    a, b, w = np.concatenate([u, v]), np.concatenate([v, u]), np.concatenate([weight, weight])
    order = np.argsort(a, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(a, minlength=nodes))]).astype(np.int64)
    return start, b[order], w[order]


@kernel
def _envelope_kernel(value, start, other, step):  # type: ignore[no-untyped-def]
    """The lowest of value + way over all nodes (Dijkstra 1959)."""
    best = value.copy()
    queue = [(best[i], i) for i in range(best.size) if best[i] < np.inf]
    heapq.heapify(queue)
    while len(queue) > 0:
        reached, here = heapq.heappop(queue)
        if reached > best[here]:
            continue
        for k in range(start[here], start[here + 1]):
            total = reached + step[k]
            if total < best[other[k]]:
                best[other[k]] = total
                heapq.heappush(queue, (total, other[k]))
    return best


def benched(surface: Field, grid: Grid, roads: Sequence[Line], heights: Sequence[Field]) -> Field:
    """The surface with a level bench of 6.4 m for every road, cut into the slope at 60 degrees and filled at 34 degrees.

    Every cell belongs to the nearest road. Bridges must not be among `roads`.
    """
    nearest = np.full(grid.shape, np.inf)
    level = np.zeros(grid.shape)
    east, north = grid.centres()
    for line, height in zip(roads, heights, strict=True):
        nearest_kernel(line, height, east, north, grid.cell[0], REACH_M, nearest, level)
    near = np.isfinite(nearest)
    beside = np.maximum(nearest[near] - BENCH_HALF_M, 0)
    result = surface.copy()
    result[near] = np.clip(surface[near], level[near] - _FILL_TAN * beside, level[near] + _CUT_TAN * beside)
    return result


def dense(line: Line, *, step_m: float = 4.0) -> Line:
    """The line with all its vertices and more between them, so that no piece is longer than `step_m`."""
    parts = [line[:1]]
    for a, b in pairwise(line):
        count = max(math.ceil(math.hypot(*(b - a)) / step_m), 1)
        parts.append(a + (b - a) * (np.arange(1, count + 1) / count)[:, None])
    return np.vstack(parts)
