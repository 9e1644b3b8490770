"""Which points of a cloud are ground, told from the surface of the ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.scan.gridding import Place
from hazardgeo.scan.points import BAND_POINTS, GROUND, LOW_NOISE, NOT_GROUND, between, centre_before
from hazardgeo.tiles.points import cell_of, place_of

Floats = NDArray[np.float64]
Surface = NDArray[np.float32]
Codes = NDArray[np.uint8]


def steepness(z: Surface, cell_m: float) -> Floats:
    """Gradient in m/m by central differences, one-sided at the border; zero along a single row or column."""
    out = np.empty(z.shape)
    in_bands(lambda first, last: _steepness(z, cell_m, out, first, last), len(z))
    return out


def label(xyz: Floats, codes: Codes, grid: Grid, ground: Surface, noise: Surface, *, threshold_m: float, scalar: float) -> None:
    """Write ground, not ground or low noise as the codes of the points whose code is `NOT_GROUND`.

    Ground lies within `threshold_m` + `scalar` x slope of its surface; low noise farther below it than that and the metres
    that `noise` says for its cell, NaN where there is none.
    """
    place, heights, steep = place_of(grid), ground.astype(np.float64), steepness(ground, grid.cell[0])

    def tell(first: int, last: int) -> None:
        _label(xyz, codes, place, heights, steep, noise, threshold_m, scalar, first, last)

    in_bands(tell, len(xyz), band_rows=BAND_POINTS)


@kernel
def _steepness(z: Surface, cell_m: float, out: Floats, first: int, last: int) -> None:
    rows, cols = z.shape
    for i in range(first, last):
        above, below = max(i - 1, 0), min(i + 1, rows - 1)
        for j in range(cols):
            left, right = max(j - 1, 0), min(j + 1, cols - 1)
            south, east = 0.0, 0.0
            if below > above:
                south = (np.float64(z[below, j]) - z[above, j]) / ((below - above) * cell_m)
            if right > left:
                east = (np.float64(z[i, right]) - z[i, left]) / ((right - left) * cell_m)
            out[i, j] = np.sqrt(south * south + east * east)


@kernel
def _label(
    xyz: Floats,
    codes: Codes,
    place: Place,
    heights: Floats,
    steep: Floats,
    noise: Surface,
    threshold_m: float,
    scalar: float,
    first: int,
    last: int,
) -> None:
    for k in range(first, last):
        if codes[k] != NOT_GROUND:
            continue
        i, j, south, east = centre_before(xyz[k, 0], xyz[k, 1], place, heights.shape)
        above = xyz[k, 2] - between(heights, i, j, south, east)
        allowed = threshold_m + scalar * between(steep, i, j, south, east)
        if abs(above) <= allowed:
            codes[k] = GROUND
        elif above < -allowed:
            i, j = cell_of(xyz[k, 0], xyz[k, 1], place[0], place[1], place[2])
            if above < -allowed - noise[i, j]:
                codes[k] = LOW_NOISE
