"""Erosion: gullies that running water cuts into a smooth slope."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel


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
