"""Elevations between the centres of cells: cubic where all sixteen cells around are known, bilinear beside voids."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import in_bands, kernel

Surface = NDArray[Any]
Numbers = NDArray[np.float64]
HOW = "Catmull-Rom cubic convolution, bilinear beside unknown cells"
_BAND = 65_536  # places of one band
_ON_CENTRE = 1e-6  # of a cell: nearer than that a place is the centre, and nothing is interpolated


def resampled(z: Surface, grid: Grid, to: Grid, *, east_m: float = 0.0, north_m: float = 0.0) -> Numbers:
    """`z` on `grid`, moved by (`east_m`, `north_m`), at the centres of the cells of `to`."""
    row, col = places(*to.centres(), grid, east_m=east_m, north_m=north_m)
    out = np.empty(to.shape, np.float64)
    in_bands(lambda first, last: _rows(z, row, col, out, first, last), to.shape[0])
    return out


def places(east: Numbers, north: Numbers, grid: Grid, *, east_m: float = 0.0, north_m: float = 0.0) -> tuple[Numbers, Numbers]:
    """Row and column, whole at centres, that a surface moved by (`east_m`, `north_m`) has at places."""
    width, height = grid.cell
    row = (grid.transform.f - (north - north_m)) / height - 0.5
    col = ((east - east_m) - grid.transform.c) / width - 0.5
    return row, col


@kernel
def _rows(z: Surface, row: Numbers, col: Numbers, out: Numbers, first: int, last: int) -> None:
    for i in range(first, last):
        for j in range(col.size):
            out[i, j] = value_at(z, row[i], col[j])


def values_at(z: Surface, row: Numbers, col: Numbers, up: float, right: float) -> Numbers:
    """The surface at each place less (`up`, `right`) rows and columns."""
    out = np.empty(row.size)
    in_bands(lambda first, last: _places(z, row, col, up, right, out, first, last), row.size, band_rows=_BAND)
    return out


@kernel
def _places(z: Surface, row: Numbers, col: Numbers, up: float, right: float, out: Numbers, first: int, last: int) -> None:
    for k in range(first, last):
        out[k] = value_at(z, row[k] - up, col[k] - right)


@kernel
def value_at(z: Surface, row: float, col: float) -> float:
    """The surface at a place; NaN outside the outermost centres and where a cell that counts is unknown."""
    rows, cols = z.shape
    i, j = round(row), round(col)
    y = float(i) if abs(row - i) < _ON_CENTRE else row
    x = float(j) if abs(col - j) < _ON_CENTRE else col
    if not (0.0 <= y <= rows - 1 and 0.0 <= x <= cols - 1):
        return np.nan
    i, j = math.floor(y), math.floor(x)
    fy, fx = y - i, x - j
    if fy == 0.0 and fx == 0.0:
        return float(z[i, j])
    if i >= 1 and j >= 1 and i + 2 < rows and j + 2 < cols:
        cubic = _cubic(z, i, j, fy, fx)
        if not math.isnan(cubic):
            return cubic
    below, right = min(i + 1, rows - 1), min(j + 1, cols - 1)
    top = float(z[i, j]) if fx == 0.0 else (1 - fx) * z[i, j] + fx * z[i, right]
    if fy == 0.0:
        return top
    bottom = float(z[below, j]) if fx == 0.0 else (1 - fx) * z[below, j] + fx * z[below, right]
    return (1 - fy) * top + fy * bottom


@kernel
def _cubic(z: Surface, i: int, j: int, fy: float, fx: float) -> float:
    x0, x1, x2, x3 = _weights(fx)
    y0, y1, y2, y3 = _weights(fy)
    a = x0 * z[i - 1, j - 1] + x1 * z[i - 1, j] + x2 * z[i - 1, j + 1] + x3 * z[i - 1, j + 2]
    b = x0 * z[i, j - 1] + x1 * z[i, j] + x2 * z[i, j + 1] + x3 * z[i, j + 2]
    c = x0 * z[i + 1, j - 1] + x1 * z[i + 1, j] + x2 * z[i + 1, j + 1] + x3 * z[i + 1, j + 2]
    d = x0 * z[i + 2, j - 1] + x1 * z[i + 2, j] + x2 * z[i + 2, j + 1] + x3 * z[i + 2, j + 2]
    return float(y0 * a + y1 * b + y2 * c + y3 * d)


@kernel
def _weights(f: float) -> tuple[float, float, float, float]:
    """Keys (1981), doi 10.1109/TASSP.1981.1163711, with a = -1/2: exact on quadratics."""
    return (
        ((-0.5 * f + 1.0) * f - 0.5) * f,
        (1.5 * f - 2.5) * f * f + 1.0,
        ((-1.5 * f + 2.0) * f + 0.5) * f,
        (0.5 * f - 0.5) * f * f,
    )
