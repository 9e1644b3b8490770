"""Fractal noise: the roughness of natural ground, without a preferred direction."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel

_TABLE = 256  # the noise of one octave repeats after this many wavelengths


def fractal(rng: np.random.Generator, grid: Grid, *, wavelength_m: float, octaves: int, gain: float = 0.5) -> NDArray[np.float64]:
    """Smooth random numbers on `grid`, mean about 0 and standard deviation about 1, of no unit.

    A sum of `octaves` of gradient noise (Perlin 1985, doi:10.1145/325165.325247): the first has `wavelength_m`, each
    further one half the wavelength and `gain` times the height. Every octave lies at a random angle, so that the
    lattice leaves no stripes.
    """
    east, north = grid.centres()
    total = np.zeros(grid.shape)
    power = 0.0
    for octave in range(octaves):
        angles = rng.uniform(0, 2 * math.pi, (_TABLE, _TABLE))
        turn = rng.uniform(0, 2 * math.pi)
        scale = wavelength_m / 2**octave
        weight = gain**octave
        turned = math.cos(turn) / scale, math.sin(turn) / scale
        _add_octave_kernel(east - east[0], north - north[-1], *turned, np.cos(angles), np.sin(angles), weight, total)
        power += weight**2
    return total / (0.25 * math.sqrt(power))  # one octave of gradient noise has a standard deviation of about 0.25


@kernel
def _add_octave_kernel(east, north, cos_turn, sin_turn, grad_x, grad_y, weight, total):  # type: ignore[no-untyped-def]
    size = grad_x.shape[0]
    for row in range(north.size):
        for col in range(east.size):
            x = east[col] * cos_turn - north[row] * sin_turn
            y = east[col] * sin_turn + north[row] * cos_turn
            i, j = math.floor(x), math.floor(y)
            fx, fy = x - i, y - j
            i0, j0 = int(i) % size, int(j) % size
            i1, j1 = (i0 + 1) % size, (j0 + 1) % size
            n00 = grad_x[i0, j0] * fx + grad_y[i0, j0] * fy
            n10 = grad_x[i1, j0] * (fx - 1) + grad_y[i1, j0] * fy
            n01 = grad_x[i0, j1] * fx + grad_y[i0, j1] * (fy - 1)
            n11 = grad_x[i1, j1] * (fx - 1) + grad_y[i1, j1] * (fy - 1)
            sx = fx * fx * fx * (fx * (fx * 6 - 15) + 10)
            sy = fy * fy * fy * (fy * (fy * 6 - 15) + 10)
            low, high = n00 + sx * (n10 - n00), n01 + sx * (n11 - n01)
            total[row, col] += weight * (low + sy * (high - low))
