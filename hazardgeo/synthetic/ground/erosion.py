"""Erosion: gullies that running water cuts into a smooth slope."""

from __future__ import annotations

import heapq
import math

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel

Field = NDArray[np.float64]


def eroded(
    elevation_m: NDArray[np.float64], *, cell_m: float, fixed: NDArray[np.bool_], steps: int, strength: float, creep: float
) -> NDArray[np.float64]:
    """Elevations after `steps` of stream-power erosion and soil creep, in m; `fixed` cells stay as they are.

    Erosion follows the square root of the drained area times the slope, solved from the outlets upwards (Braun and
    Willett 2013, doi:10.1016/j.geomorph.2012.10.008); `strength` and `creep` have no time unit, for the age of the demo
    valley is invented. Local pits act as outlets.
    """
    surface = elevation_m.copy()
    for _ in range(steps):
        receiver, distance = _receivers_kernel(surface, cell_m)
        order = np.argsort(surface, axis=None, kind="stable")
        area = _drained_area_kernel(order, receiver, cell_m)
        _incise_kernel(surface, order, receiver, distance, area, fixed, strength)
        surface = _creep_kernel(surface, fixed, creep)
    return surface


def downstream(
    elevation_m: Field, cell_m: float, outlets: NDArray[np.bool_]
) -> tuple[Field, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Where water goes from every cell: drained elevations in m, receiver, distance to it in m, drained area in m2.

    Pits are raised to their spill point with a fall of 1 mm a cell towards it (Barnes, Lehman & Mulla 2014,
    doi:10.1016/j.cageo.2013.04.024), so that every cell but `outlets` and the edge has a lower neighbour. The last three
    are by flat cell number; cells without a receiver are their own.
    """
    filled = _drained_kernel(elevation_m, outlets)
    receiver, distance = _receivers_kernel(filled, cell_m)
    receiver[outlets.ravel()] = np.flatnonzero(outlets)
    order = np.argsort(filled, axis=None, kind="stable")
    return filled, receiver, distance, _drained_area_kernel(order, receiver, cell_m)


def silted(elevation_m: Field, *, hollow_m: float) -> Field:
    """The surface with its closed hollows silted up, so that they are no deeper than `hollow_m`; those of over 10,000 cells stay.

    Every hollow is flooded from its lowest cell until the water finds a lower place or the edge.
    """
    result = elevation_m.copy()
    _silt_kernel(result, hollow_m, np.full(elevation_m.shape, -1, np.int32), 10_000)
    return result


@kernel
def _silt_kernel(surface, hollow, seen, most):  # type: ignore[no-untyped-def]
    rows, cols = surface.shape
    for r in range(1, rows - 1):
        for c in range(1, cols - 1):
            bottom = surface[r, c]
            if bottom > surface[r - 1 : r + 2, c - 1 : c + 2].min():
                continue
            here = r * cols + c
            seen[r, c] = here
            queue, flooded, level = [(bottom, here)], [here], bottom
            while len(queue) > 0 and len(flooded) < most:
                z, at = heapq.heappop(queue)
                i, j = at // cols, at % cols
                level = max(level, z)
                if z < bottom or i == 0 or j == 0 or i == rows - 1 or j == cols - 1:
                    break
                flooded.append(at)
                for k in range(i - 1, i + 2):
                    for m in range(j - 1, j + 2):
                        if seen[k, m] != here:
                            seen[k, m] = here
                            heapq.heappush(queue, (surface[k, m], k * cols + m))
            if level - bottom > hollow and len(flooded) < most:
                for at in flooded:
                    surface[at // cols, at % cols] = max(surface[at // cols, at % cols], level - hollow)


@kernel
def _drained_kernel(surface, outlets):  # type: ignore[no-untyped-def]
    rows, cols = surface.shape
    filled = np.full(surface.shape, np.inf)
    queue = [(0.0, 0)]
    queue.pop()
    for r in range(rows):
        for c in range(cols):
            if outlets[r, c] or r == 0 or c == 0 or r == rows - 1 or c == cols - 1:
                filled[r, c] = surface[r, c]
                heapq.heappush(queue, (surface[r, c], r * cols + c))
    while len(queue) > 0:
        level, here = heapq.heappop(queue)
        r, c = here // cols, here % cols
        for i in range(max(r - 1, 0), min(r + 2, rows)):
            for j in range(max(c - 1, 0), min(c + 2, cols)):
                if filled[i, j] == np.inf:
                    filled[i, j] = max(surface[i, j], level + 0.001)
                    heapq.heappush(queue, (filled[i, j], i * cols + j))
    return filled


@kernel
def _receivers_kernel(surface, cell):  # type: ignore[no-untyped-def]
    rows, cols = surface.shape
    receiver = np.arange(rows * cols)
    distance = np.full(rows * cols, cell)
    for r in range(rows):
        for c in range(cols):
            steepest = 0.0
            for dr in range(-1, 2):
                for dc in range(-1, 2):
                    i, j = r + dr, c + dc
                    if (dr == 0 and dc == 0) or i < 0 or j < 0 or i >= rows or j >= cols:
                        continue
                    d = cell * math.sqrt(dr * dr + dc * dc)
                    drop = (surface[r, c] - surface[i, j]) / d
                    if drop > steepest:
                        steepest = drop
                        receiver[r * cols + c] = i * cols + j
                        distance[r * cols + c] = d
    return receiver, distance


@kernel
def _drained_area_kernel(order, receiver, cell):  # type: ignore[no-untyped-def]
    area = np.full(order.size, cell * cell)
    for k in range(order.size - 1, -1, -1):
        if receiver[order[k]] != order[k]:
            area[receiver[order[k]]] += area[order[k]]
    return area


@kernel
def _incise_kernel(surface, order, receiver, distance, area, fixed, strength):  # type: ignore[no-untyped-def]
    flat, still = surface.ravel(), fixed.ravel()
    for k in range(order.size):
        here = order[k]
        below = receiver[here]
        if still[here] or below == here:
            continue
        factor = strength * math.sqrt(area[here]) / distance[here]
        flat[here] = (flat[here] + factor * flat[below]) / (1.0 + factor)


@kernel
def _creep_kernel(surface, fixed, creep):  # type: ignore[no-untyped-def]
    result = surface.copy()
    rows, cols = surface.shape
    for r in range(1, rows - 1):
        for c in range(1, cols - 1):
            if not fixed[r, c]:
                around = surface[r - 1, c] + surface[r + 1, c] + surface[r, c - 1] + surface[r, c + 1]
                result[r, c] += creep * (around - 4.0 * surface[r, c])
    return result
