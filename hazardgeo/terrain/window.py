"""Moving windows over a surface: the smooth surface of a given scale, and the lowest value in a disk."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.kernel import kernel

Surface = NDArray[np.float64]


def odd_cells(scale_m: float, cell_m: float) -> int:
    """The odd number of cells whose width is nearest to `scale_m`; InputError for a scale smaller than a cell.

    >>> odd_cells(5.2, 1.0), odd_cells(90.0, 30.0)
    (5, 3)
    """
    if not math.isfinite(scale_m) or scale_m < cell_m * (1 - 1e-9):
        raise InputError(f"scale_m is {scale_m:g}, but a cell is {cell_m:g} m wide; choose a scale of at least one cell.")
    return 2 * math.floor((scale_m / cell_m - 1) / 2 + 0.5) + 1


def smooth(z: Surface, rows: int, cols: int) -> Surface:
    """`z` smoothed over windows of `rows` x `cols` cells, both odd; unknown cells stay unknown.

    The value is that of the least-squares plane through the known cells of the window, at its centre. In a window
    without unknown cells that is their mean. Beside voids and edges the mean would lie off centre and halve the slope
    of a hillside; the plane does not.
    """
    known = np.isfinite(z)
    if not known.any() or rows == cols == 1:
        return z.copy()
    level = float(z[known].mean())
    tall, wide = (min(n // 2, size - 1) for n, size in zip((rows, cols), z.shape, strict=True))  # reaches everything
    sums = _row_sums(z - level, wide)
    return np.where(known, _plane_at_centre(sums, tall) + level, np.nan)


@kernel
def _row_sums(z: Surface, half: int) -> NDArray[Any]:
    """Sums over 2 half + 1 cells of each row, x counted from the centre: 1, x, x x, z, x z of the known cells."""
    rows, cols = z.shape
    out = np.zeros((5, rows, cols))
    for i in range(rows):
        n = nx = nxx = sz = sxz = 0.0
        for j in range(-half, cols):
            leaving, entering = j - half - 1, j + half
            if leaving >= 0 and not np.isnan(z[i, leaving]):
                n -= 1.0
                nx += half
                nxx -= half * half
                sz -= z[i, leaving]
                sxz += half * z[i, leaving]
            nxx += n - 2.0 * nx
            nx -= n
            sxz -= sz
            if entering < cols and not np.isnan(z[i, entering]):
                n += 1.0
                nx += half
                nxx += half * half
                sz += z[i, entering]
                sxz += half * z[i, entering]
            if j >= 0:
                out[0, i, j], out[1, i, j], out[2, i, j], out[3, i, j], out[4, i, j] = n, nx, nxx, sz, sxz
    return out


@kernel
def _plane_at_centre(sums: NDArray[Any], half: int) -> Surface:
    """The least-squares plane over 2 half + 1 rows of the row sums, at the centre of each window."""
    rows, cols = sums.shape[1:]
    out = np.full((rows, cols), np.nan)
    s = np.zeros((5, cols))  # 1, x, x x, z, x z over the window
    t = np.zeros((4, cols))  # y, y y, y x, y z over the window, y counted from its centre
    for i in range(-half, rows):
        leaving, entering = i - half - 1, i + half
        for j in range(cols):
            if leaving >= 0:
                for k in range(5):
                    s[k, j] -= sums[k, leaving, j]
                t[0, j] += half * sums[0, leaving, j]
                t[1, j] -= half * half * sums[0, leaving, j]
                t[2, j] += half * sums[1, leaving, j]
                t[3, j] += half * sums[3, leaving, j]
            t[1, j] += s[0, j] - 2.0 * t[0, j]
            t[0, j] -= s[0, j]
            t[2, j] -= s[1, j]
            t[3, j] -= s[3, j]
            if entering < rows:
                for k in range(5):
                    s[k, j] += sums[k, entering, j]
                t[0, j] += half * sums[0, entering, j]
                t[1, j] += half * half * sums[0, entering, j]
                t[2, j] += half * sums[1, entering, j]
                t[3, j] += half * sums[3, entering, j]
            if i >= 0 and s[0, j] > 0.5:
                out[i, j] = _centre_value(s[:, j], t[:, j])
    return out


@kernel
def _centre_value(s: NDArray[Any], t: NDArray[Any]) -> float:
    n, mean_x, mean_y, mean_z = s[0], s[1] / s[0], t[0] / s[0], s[3] / s[0]
    xx, yy, xy = s[2] - n * mean_x * mean_x, t[1] - n * mean_y * mean_y, t[2] - n * mean_x * mean_y
    xz, yz = s[4] - mean_x * s[3], t[3] - mean_y * s[3]
    determinant = xx * yy - xy * xy
    if determinant <= 1e-9 * xx * yy or determinant <= 0.0:  # the known cells lie on one line
        return float(mean_z)
    return float(mean_z - ((xz * yy - yz * xy) * mean_x + (yz * xx - xz * xy) * mean_y) / determinant)


def disk_chords(radius: float, cell: tuple[float, float]) -> NDArray[np.int64]:
    """Half widths in cells of a disk, for the row through its centre and the rows above; all cells within `radius`.

    >>> disk_chords(2.0, (1.0, 1.0))
    array([2, 1, 0])
    """
    width, height = cell
    offsets = height * np.arange(int(radius / height + 1e-9) + 1)
    chords = np.sqrt(np.maximum(radius**2 - offsets**2, 0.0)) / width + 1e-9
    return np.asarray(chords, np.int64)


@kernel
def disk_minimum(z: NDArray[Any], chords: NDArray[np.int64]) -> NDArray[Any]:
    """Lowest known value in the disk around each cell, cut at the edge; infinite where the disk holds no known value.

    The running minimum of the rows is widened from the narrowest chord to the widest, so a disk of radius r costs
    about 3 r comparisons per cell.
    """
    rows, cols = z.shape
    run = np.full_like(z, np.inf)
    out = np.full_like(z, np.inf)
    width = -1
    for dy in range(len(chords) - 1, -1, -1):
        while width < chords[dy]:
            width += 1
            if width < cols:
                _widen(z, run, width)
        for i in range(rows - dy):
            for j in range(cols):
                out[i, j] = run[i + dy, j] if run[i + dy, j] < out[i, j] else out[i, j]
        for i in range(dy, rows):
            for j in range(cols):
                out[i, j] = run[i - dy, j] if run[i - dy, j] < out[i, j] else out[i, j]
    return out


@kernel
def _widen(z: NDArray[Any], run: NDArray[Any], width: int) -> None:
    """Take the cells at distance `width` along the row into the running minimum."""
    rows, cols = z.shape
    for i in range(rows):
        for j in range(cols - width):
            run[i, j] = z[i, j + width] if z[i, j + width] < run[i, j] else run[i, j]
        for j in range(width, cols):
            run[i, j] = z[i, j - width] if z[i, j - width] < run[i, j] else run[i, j]
