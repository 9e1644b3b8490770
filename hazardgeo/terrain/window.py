"""Moving windows over a surface: the smooth surface of a given scale, and the lowest value in a disk."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.kernel import in_bands, kernel

Surface = NDArray[np.float64]
ELEVATION_BITS = 17  # of a metre: 131 km either way


def odd_cells(scale_m: float, cell_m: float) -> int:
    """The odd number of cells whose width is nearest to `scale_m`; InputError for a scale smaller than a cell.

    >>> odd_cells(5.2, 1.0), odd_cells(90.0, 30.0)
    (5, 3)
    """
    if not math.isfinite(scale_m) or scale_m < cell_m * (1 - 1e-9):
        raise InputError(f"scale_m is {scale_m:g}, but a cell is {cell_m:g} m wide; choose a scale of at least one cell.")
    return 2 * math.floor((scale_m / cell_m - 1) / 2 + 0.5) + 1


def smooth(z: NDArray[Any], rows: int, cols: int) -> Surface:
    """`z` smoothed over windows of `rows` x `cols` cells, both odd; unknown cells stay unknown.

    The value is that of the least-squares plane through the known cells of the window, at its centre. In a window
    without unknown cells that is their mean. Beside voids and edges the mean would lie off centre and halve the slope
    of a hillside; the plane does not.

    Elevations are summed as whole numbers of a small part of a metre (a billionth in windows of up to 100 cells, a
    millionth in windows of up to 500), so that no order of sums changes the result: any block of the surface that holds
    the window gives the same bits. Values within 100 km of zero; nothing is held but the result and five rows.
    """
    if rows == cols == 1:
        return z.astype(np.float64)
    tall, wide = (min(n // 2, size - 1) for n, size in zip((rows, cols), z.shape, strict=True))  # reaches everything
    out = np.empty(z.shape, np.float64)
    parts = parts_of_a_metre((2 * tall + 1) * (2 * wide + 1) * max(tall, wide, 1))
    in_bands(lambda first, last: _smooth_rows(z, out, first, last, tall, wide, parts), z.shape[0], band_rows=max(256, 8 * tall))
    return out


def parts_of_a_metre(times: int) -> float:
    """Into how many parts a metre can be cut so that a sum of elevations, each taken once or more often, `times` in all, is
    exact in 64 bits: a power of two, 2 ** 30 at most.
    """
    return 2.0 ** min(30, 62 - ELEVATION_BITS - math.ceil(math.log2(times)))


@kernel
def _smooth_rows(z: NDArray[Any], out: Surface, first: int, last: int, tall: int, wide: int, parts: float) -> None:
    """The plane at the centre of the windows of the rows from `first` to before `last`."""
    rows, cols = z.shape
    c = np.zeros((5, cols + 2 * wide), np.int64)  # of each column: 1, y, y y, z, y z of its known cells
    s = np.empty((9, cols), np.int64)  # of each window: 1, x, x x; y, x y; y y; z, x z; y z
    prefix = np.empty((3, cols + 2 * wide + 1), np.int64)
    for r in range(max(first - 1 - tall, 0), min(first + tall, rows)):
        add_row(c, z[r], wide, r - first + 1, 1, parts)
    for i in range(first, last):
        if i - 1 - tall >= 0:
            add_row(c, z[i - 1 - tall], wide, -tall, -1, parts)
        move_down(c)
        if i + tall < rows:
            add_row(c, z[i + tall], wide, tall, 1, parts)
        plane_sums(c, wide, prefix, s)
        _centre_row(z[i], s, parts, out[i])


@kernel
def plane_sums(c: NDArray[np.int64], wide: int, prefix: NDArray[np.int64], s: NDArray[np.int64]) -> None:
    """Sums over each window of 1, x, x x, y, x y, y y, z, x z and y z, from those of the columns."""
    moments(c[0], wide, 2, prefix, s[0:3])
    moments(c[1], wide, 1, prefix, s[3:5])
    moments(c[2], wide, 0, prefix, s[5:6])
    moments(c[3], wide, 1, prefix, s[6:8])
    moments(c[4], wide, 0, prefix, s[8:9])


@kernel
def add_row(c: NDArray[np.int64], row: NDArray[Any], wide: int, y: int, sign: int, parts: float) -> None:
    """Add the known cells of a row at `y` below the centre to the sums of their columns, or take them away again."""
    for j in range(row.size):
        known = row[j] == row[j]
        once = sign if known else 0
        value = once * whole(row[j], parts) if known else 0
        c[0, wide + j] += once
        c[1, wide + j] += once * y
        c[2, wide + j] += once * y * y
        c[3, wide + j] += value
        c[4, wide + j] += value * y


@kernel
def whole(z: float, parts: float) -> int:
    """The elevation in parts of a metre, as a whole number."""
    return int(np.int64(math.floor(z * parts + 0.5)))


@kernel
def move_down(c: NDArray[np.int64]) -> None:
    """Count y from one row further down, in the sums of `add_row`."""
    for j in range(c.shape[1]):
        c[2, j] += c[0, j] - 2 * c[1, j]
        c[1, j] -= c[0, j]
        c[4, j] -= c[3, j]


@kernel
def moments(c: NDArray[np.int64], wide: int, order: int, prefix: NDArray[np.int64], s: NDArray[np.int64]) -> None:
    """Sums of the columns `c` over 2 wide + 1 of them, times 1, x and x x up to `order`, x counted from the centre.

    `c` has `wide` empty columns on either side. Whole numbers: what overflows on the way comes back.
    """
    prefix[:, 0] = 0
    for j in range(c.size):
        prefix[0, j + 1] = prefix[0, j] + c[j]
    for k in range(1, order + 1):
        for j in range(c.size):
            prefix[k, j + 1] = prefix[k, j] + (c[j] * j if k == 1 else c[j] * j * j)
    span = 2 * wide + 1
    cells = c.size - 2 * wide
    for k in range(order + 1):
        left, right = prefix[k, :cells], prefix[k, span : span + cells]
        for j in range(cells):
            s[k, j] = right[j] - left[j]
    if order == 2:
        for j in range(cells):
            s[2, j] -= (j + wide) * (2 * s[1, j] - (j + wide) * s[0, j])
    if order >= 1:
        for j in range(cells):
            s[1, j] -= (j + wide) * s[0, j]


@kernel
def _centre_row(row: NDArray[Any], s: NDArray[np.int64], parts: float, out: Surface) -> None:
    """The least-squares planes at the centres of the windows: the elevation there and the little that the plane lies above."""
    n, sx, sxx, sy, sxy, syy, sz, sxz, syz = s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8]
    for j in range(row.size):
        centre = whole(row[j], parts)
        x, y = sx[j] / n[j], sy[j] / n[j]
        z, xz, yz = float(sz[j] - n[j] * centre), float(sxz[j] - sx[j] * centre), float(syz[j] - sy[j] * centre)
        xx, yy, xy = sxx[j] - sx[j] * x, syy[j] - sy[j] * y, sxy[j] - sx[j] * y
        xz, yz = xz - x * z, yz - y * z
        determinant = xx * yy - xy * xy
        off = ((xz * yy - yz * xy) * x + (yz * xx - xz * xy) * y) / determinant
        above = z / n[j] - (off if determinant > 1e-9 * (xx * yy) else 0.0)  # else the known cells lie on one line
        out[j] = (centre / parts + above / parts) + np.float64(row[j] - row[j])


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
    """Lowest known value in the disk around each cell, cut at the edge; infinite where the disk holds no known value."""
    out = np.empty_like(z)
    disk_minimum_rows(z, chords, out, 0, len(z))
    return out


@kernel
def disk_minimum_rows(z: NDArray[Any], chords: NDArray[np.int64], out: NDArray[Any], first: int, last: int) -> None:
    """The rows from `first` to before `last` of `disk_minimum`, written to the head of `out`.

    The minimum over a chord is that of two runs of cells, as long as a power of two, that cover it: a disk of radius r
    costs about 3 r comparisons per cell.
    """
    rows, cols = z.shape
    reach = len(chords) - 1
    wide = chords[0]
    runs, longer = np.full(cols + 2 * wide, np.inf, z.dtype), np.full(cols + 2 * wide, np.inf, z.dtype)
    chord = np.empty(cols, z.dtype)
    out[: last - first] = np.inf
    for k in range(max(first - reach, 0), min(last + reach, rows)):
        runs[:] = np.inf
        _lower(runs[wide : wide + cols], z[k])
        length = 1
        for dy in range(reach, -1, -1):
            width = chords[dy]
            while 2 * length <= 2 * width + 1:
                _lowest_of_two(runs[: runs.size - length], runs[length:], longer)
                runs, longer = longer, runs
                length *= 2
            if dy == reach or width != chords[dy + 1]:
                _lowest_of_two(runs[wide - width : wide - width + cols], runs[wide + width + 1 - length :], chord)
            if first <= k - dy < last:
                _lower(out[k - dy - first], chord)
            if dy > 0 and first <= k + dy < last:
                _lower(out[k + dy - first], chord)


@kernel
def _lowest_of_two(one: NDArray[Any], other: NDArray[Any], out: NDArray[Any]) -> None:
    for j in range(one.size):
        out[j] = other[j] if other[j] < one[j] else one[j]


@kernel
def _lower(to: NDArray[Any], by: NDArray[Any]) -> None:
    """Take smaller known values. Over plain rows the compiler does several cells at once."""
    for j in range(to.size):
        to[j] = by[j] if by[j] < to[j] else to[j]
