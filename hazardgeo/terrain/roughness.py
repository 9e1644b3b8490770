"""How rough the ground is within a window."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.raster.elevation import heights
from hazardgeo.terrain.gradient import Rows, by_rows, gradient_row, weights
from hazardgeo.terrain.window import add_row, moments, move_down, odd_cells, plane_sums, whole

Kind = Literal["vrm", "residual"]
SAPPINGTON = (
    "vector ruggedness, Sappington et al. (2007), Journal of Wildlife Management 71:1419-1426, doi:10.2193/2005-723; "
    "as commonly given, not read there"
)
RESIDUAL = "standard deviation of the residuals from the least-squares plane"
PARTS_OF_A_METRE = 2.0**14  # squares of elevations then take 62 bits
_UNIT = 2.0**30  # parts of the length of a normal
_HALF_BITS = 31
_HALF_MASK = 2**31 - 1
_HALF = 2.0**31
_EXACT = 2.0**61


def roughness(dem: Raster, *, window_m: float, kind: Kind = "residual") -> Raster:
    """How rough the ground is in a square window whose odd number of cells is nearest to `window_m`.

    "residual": standard deviation in m of the elevations about the least-squares plane of the window, so that a steep
    smooth slope is not rough; elevations are rounded to 2^-14 m (0.06 mm) for it, so that sums are exact. "vrm": vector
    ruggedness, 0 to 1 without unit, one less the length of the mean of the upright vectors of unit length of all cells
    (Sappington, Longshore & Thompson 2007, doi 10.2193/2005-723; as commonly given, not read in the source), from the
    gradient of Horn.

    A cell is unknown where it is unknown itself ("vrm": where `slope` is) and where less than half of its window is known.
    Halo: half of the window, and one cell more for "vrm". Sums are of whole numbers, so that tiles equal the whole to the
    last bit. Raises InputError for a window of less than three cells, and for the reasons of `slope`.
    """
    if kind not in ("vrm", "residual"):
        raise InputError(f"the roughness {kind!r} is unknown; choose vrm or residual.")
    z = heights(dem, "roughness")
    width, height = dem.grid.cell_m
    tall, wide = (odd_cells(window_m, cell) // 2 for cell in (height, width))
    if min(tall, wide) < 1:
        raise InputError(f"window_m is {window_m:g}, less than three cells of {width:g} x {height:g} m; widen it.")
    full = (2 * tall + 1) * (2 * wide + 1)
    half = min(tall, z.shape[0] - 1), min(wide, z.shape[1] - 1)
    tags = {"window_m": f"{(2 * wide + 1) * width:g} x {(2 * tall + 1) * height:g}"}
    if kind == "vrm":
        values = by_rows(dem, z, _vrm_rows, *half, full, *weights(dem, "horn")[1:], band_rows=max(256, 8 * half[0]))
        return Raster(values, dem.grid, "vector_ruggedness", "1", tags={"method": SAPPINGTON, **tags})
    values = by_rows(dem, z, _residual_rows, *half, full, band_rows=max(256, 8 * half[0]))
    return Raster(values, dem.grid, "residual_roughness", "m", tags={"method": RESIDUAL, **tags})


@kernel
def _vrm_rows(
    z: Rows, out: Rows, first: int, last: int, tall: int, wide: int, full: int, per_east: float, per_north: float
) -> None:
    """One less the length of the mean normal of the window."""
    rows, cols = z.shape
    c = np.zeros((4, cols + 2 * wide), np.int64)  # of each column: how many normals, and their sum to east, north and up
    s = np.empty((4, cols), np.int64)
    prefix = np.empty((1, cols + 2 * wide + 1), np.int64)
    normals = np.empty((2, max(cols - 2, 0)), np.float32)
    for r in range(first - 1 - tall, first + tall):
        _add_normals(c, z, r, wide, 1, per_east, per_north, normals)
    for i in range(first, last):
        _add_normals(c, z, i - 1 - tall, wide, -1, per_east, per_north, normals)
        _add_normals(c, z, i + tall, wide, 1, per_east, per_north, normals)
        out[i] = np.nan
        if i == 0 or i == rows - 1 or cols < 3:
            continue
        for k in range(4):
            moments(c[k], wide, 0, prefix, s[k : k + 1])
        gradient_row(z, i, True, per_east, per_north, normals[0], normals[1])
        for j in range(1, cols - 1):
            if normals[0, j - 1] == normals[0, j - 1] and 2 * s[0, j] >= full:
                x, y, up, n = s[1, j] / _UNIT, s[2, j] / _UNIT, s[3, j] / _UNIT, s[0, j]
                out[i, j] = max(1.0 - math.sqrt(x * x + y * y + up * up) / n, 0.0)


@kernel
def _add_normals(
    c: NDArray[np.int64], z: Rows, r: int, wide: int, sign: int, per_east: float, per_north: float, gradient: Rows
) -> None:
    """Add the known normals of row `r` to the sums of their columns, or take them away again."""
    rows, cols = z.shape
    if r < 1 or r >= rows - 1 or cols < 3:
        return
    gradient_row(z, r, True, per_east, per_north, gradient[0], gradient[1])
    for j in range(cols - 2):
        east, north = np.float64(gradient[0, j]), np.float64(gradient[1, j])
        known = not np.isnan(east)
        up = _UNIT / math.sqrt(1.0 + (east * east + north * north))
        at = wide + 1 + j
        c[0, at] += sign if known else 0
        c[1, at] += sign * whole(-east * up, 1.0) if known else 0
        c[2, at] += sign * whole(-north * up, 1.0) if known else 0
        c[3, at] += sign * whole(up, 1.0) if known else 0


@kernel
def _residual_rows(z: Rows, out: Rows, first: int, last: int, tall: int, wide: int, full: int) -> None:
    """Standard deviation about the least-squares plane of the window."""
    rows, cols = z.shape
    c = np.zeros((5, cols + 2 * wide), np.int64)  # as in smoothing
    squares = np.zeros((2, cols + 2 * wide), np.int64)  # z z, in halves of 31 bits
    s = np.empty((11, cols), np.int64)
    prefix = np.empty((3, cols + 2 * wide + 1), np.int64)
    for r in range(max(first - 1 - tall, 0), min(first + tall, rows)):
        add_row(c, z[r], wide, r - first + 1, 1, PARTS_OF_A_METRE)
        _add_squares(squares, z[r], wide, 1)
    for i in range(first, last):
        if i - 1 - tall >= 0:
            add_row(c, z[i - 1 - tall], wide, -tall, -1, PARTS_OF_A_METRE)
            _add_squares(squares, z[i - 1 - tall], wide, -1)
        move_down(c)
        if i + tall < rows:
            add_row(c, z[i + tall], wide, tall, 1, PARTS_OF_A_METRE)
            _add_squares(squares, z[i + tall], wide, 1)
        plane_sums(c, wide, prefix, s)
        moments(squares[0], wide, 0, prefix, s[9:10])
        moments(squares[1], wide, 0, prefix, s[10:11])
        _residual_row(z[i], s, full, out[i])


@kernel
def _add_squares(squares: NDArray[np.int64], row: Rows, wide: int, sign: int) -> None:
    """Add the squared elevations of a row to the sums of their columns, or take them away again."""
    for j in range(row.size):
        value = whole(row[j], PARTS_OF_A_METRE) if row[j] == row[j] else 0
        squares[0, wide + j] += sign * ((value * value) >> _HALF_BITS)
        squares[1, wide + j] += sign * ((value * value) & _HALF_MASK)


@kernel
def _residual_row(row: Rows, s: NDArray[np.int64], full: int, out: Rows) -> None:
    """Standard deviations in m about the plane; elevations are counted from the centre's, exactly where 64 bits do for that."""
    n, sx, sxx, sy, sxy, syy, sz, sxz, syz, high, low = s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9], s[10]
    for j in range(row.size):
        centre = whole(row[j], PARTS_OF_A_METRE)
        exact = (high[j] << _HALF_BITS) + low[j] - 2 * centre * sz[j] + n[j] * centre * centre  # what overflows comes back
        level = float(centre)
        rough = float(high[j]) * _HALF + float(low[j]) - 2.0 * level * float(sz[j]) + float(n[j]) * level * level
        zz = float(exact) if abs(rough) < _EXACT else rough
        x, y = sx[j] / n[j], sy[j] / n[j]
        z, xz, yz = float(sz[j] - n[j] * centre), float(sxz[j] - sx[j] * centre), float(syz[j] - sy[j] * centre)
        xx, yy, xy = sxx[j] - sx[j] * x, syy[j] - sy[j] * y, sxy[j] - sx[j] * y
        xz, yz, zz = xz - x * z, yz - y * z, zz - z * z / n[j]
        determinant = xx * yy - xy * xy
        left = zz - (xz * (xz * yy - yz * xy) + yz * (yz * xx - xz * xy)) / determinant
        spread = math.sqrt((left if left > 0.0 else 0.0) / n[j]) / PARTS_OF_A_METRE
        known = 2 * n[j] >= full and determinant > 1e-9 * (xx * yy)
        out[j] = spread + np.float64(row[j] - row[j]) if known else np.nan
