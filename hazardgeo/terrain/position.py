"""Where a cell stands among those around it: relief, position, ruggedness and percentile."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.raster import Raster
from hazardgeo.raster.elevation import heights, require_possible
from hazardgeo.terrain.gradient import Rows, by_rows
from hazardgeo.terrain.window import disk_chords, disk_minimum, parts_of_a_metre, whole

WEISS = "Weiss (2001), Topographic Position and Landforms Analysis, ESRI User Conference; as commonly given, not read there"
RILEY = "Riley, DeGloria & Elliot (1999), Intermountain Journal of Sciences 5:23-27; as commonly given, not read there"
CUT = "from the known cells only within radius_m of unknown cells and of the edge"
_F = np.float32
_NEIGHBOURS = 8


def relief(dem: Raster, *, radius_m: float) -> Raster:
    """Highest minus lowest elevation within `radius_m` of the cell centre, in m.

    Only known cells count, so next to unknown cells and the edge of the raster the relief is a lower bound; unknown
    cells stay unknown. Halo: `radius_m`. Raises InputError for a radius smaller than a cell, and for the reasons of
    `slope`.
    """
    z = heights(dem, "relief")
    require_possible(dem, z)
    chords = _chords(dem, radius_m)
    tall = len(chords) - 1
    span = np.empty(z.shape, np.float32)

    def work(first: int, last: int) -> None:
        top = max(first - tall, 0)
        block, inner = z[top : last + tall], slice(first - top, last - top)
        span[first:last] = (-disk_minimum(-block, chords) - disk_minimum(block, chords))[inner]

    in_bands(work, z.shape[0], band_rows=max(128, 2 * tall))
    span[np.isnan(z)] = np.nan
    tags = {"radius_m": f"{radius_m:g}", "validity": "a lower bound within radius_m of unknown cells and of the edge"}
    return Raster(span, dem.grid, "relief", "m", tags=tags)


def tpi(dem: Raster, *, radius_m: float) -> Raster:
    """Height of the cell above the mean of all other cells within `radius_m` of its centre, in m: above 0 on ridges.

    The topographic position index of Weiss (2001), over a disk, as commonly given (not read in the source). Only known
    cells count; a cell is unknown where it is unknown itself or has no known cell around it. Halo: `radius_m`. Means are
    taken of whole numbers of a small part of a metre, so that tiles equal the whole to the last bit. Errors are those of
    `relief`.
    """
    z = heights(dem, "tpi")
    chords = _chords(dem, radius_m)
    tall, cells = len(chords) - 1, int(2 * (2 * chords + 1).sum())
    out = by_rows(dem, z, _tpi_rows, chords, parts_of_a_metre(2 * cells), band_rows=max(64, tall))
    return Raster(out, dem.grid, "tpi", "m", tags={"method": WEISS, "radius_m": f"{radius_m:g}", "validity": CUT})


def tri(dem: Raster, *, radius_m: float | None = None) -> Raster:
    """How far a cell lies from its neighbours in height, in m: the root of the summed squared differences from all eight.

    The terrain ruggedness index of Riley, DeGloria & Elliot (1999), as commonly given (not read in the source), which
    grows with the slope and with the cell: compare it on cells of one size. With `radius_m` the differences are those
    from all cells within it, and the root is that of eight times their mean square, so that the eight neighbours alone
    give Riley's index. Only known cells count, scaled to eight in the same way; a cell is unknown where it is unknown
    itself or has no known cell around it. Halo: one cell, or `radius_m`. Time grows with the area of the disk. Errors are
    those of `relief`.
    """
    near = np.array([[r, c] for r in (-1, 0, 1) for c in (-1, 0, 1) if r or c]) if radius_m is None else _around(dem, radius_m)
    out = by_rows(dem, heights(dem, "tri"), _tri_rows, near)
    radius = {} if radius_m is None else {"radius_m": f"{radius_m:g}"}
    return Raster(out, dem.grid, "tri", "m", tags={"method": RILEY, **radius, "validity": CUT})


def percentile(dem: Raster, *, radius_m: float) -> Raster:
    """Share of the cells within `radius_m` that lie lower than the cell, 0 (a pit) to 1 (a summit); equal cells count half.

    Unlike `tpi` it does not depend on how much relief there is. Only known cells count; a cell is unknown where it is
    unknown itself or has no known cell around it. Halo: `radius_m`. Time grows with the area of the disk. Errors are
    those of `relief`.
    """
    near = _around(dem, radius_m)
    out = by_rows(dem, heights(dem, "percentile"), _percentile_rows, near)
    return Raster(out, dem.grid, "percentile", "1", tags={"radius_m": f"{radius_m:g}", "validity": CUT})


def _chords(dem: Raster, radius_m: float) -> NDArray[np.int64]:
    """The disk as `disk_chords`; no larger than the raster."""
    if not math.isfinite(radius_m) or radius_m < max(dem.grid.cell_m):
        raise InputError(
            f"radius_m is {radius_m:g}, but a cell is {max(dem.grid.cell_m):g} m wide; choose a radius of at least one cell."
        )
    diagonal_m = math.hypot(*(n * cell for n, cell in zip(dem.grid.shape[::-1], dem.grid.cell_m, strict=True)))
    return disk_chords(min(radius_m, diagonal_m), dem.grid.cell_m)


def _around(dem: Raster, radius_m: float) -> NDArray[np.int64]:
    """Row and column steps to the other cells of the disk, in rows."""
    chords = _chords(dem, radius_m)
    tall = len(chords) - 1
    steps = [(r, c) for r in range(-tall, tall + 1) for c in range(-chords[abs(r)], chords[abs(r)] + 1) if r or c]
    return np.array(steps, np.int64)


@kernel
def _tpi_rows(z: Rows, out: Rows, first: int, last: int, chords: NDArray[np.int64], parts: float) -> None:
    """Height above the mean of the other cells of the disk, from sums along the rows up to each cell."""
    rows, cols = z.shape
    tall, wide = len(chords) - 1, min(chords[0], cols)
    top, bottom = max(first - tall, 0), min(last + tall, rows)
    sums = np.zeros((bottom - top, cols + 2 * wide + 1), np.int64)
    counts = np.zeros((bottom - top, cols + 2 * wide + 1), np.int32)
    for r in range(top, bottom):
        for j in range(cols + 2 * wide):
            inside = j >= wide and j < cols + wide
            value = z[r, j - wide] if inside else np.nan
            known = not np.isnan(value)
            sums[r - top, j + 1] = sums[r - top, j] + (whole(value, parts) if known else 0)
            counts[r - top, j + 1] = counts[r - top, j] + (1 if known else 0)
    total, number = np.empty(cols, np.int64), np.empty(cols, np.int32)
    for i in range(first, last):
        total[:], number[:] = 0, 0
        for r in range(max(i - tall, 0), min(i + tall + 1, rows)):
            chord = min(chords[abs(r - i)], wide)
            left, right = wide - chord, wide + chord + 1
            high, low = sums[r - top, right : right + cols], sums[r - top, left : left + cols]
            more, less = counts[r - top, right : right + cols], counts[r - top, left : left + cols]
            for j in range(cols):
                total[j] += high[j] - low[j]
                number[j] += more[j] - less[j]
        for j in range(cols):
            known = z[i, j] == z[i, j] and number[j] > 1
            above = whole(z[i, j], parts) * number[j] - total[j] if known else 0
            out[i, j] = above / (number[j] - 1) / parts if known else np.nan


@kernel
def _tri_rows(z: Rows, out: Rows, first: int, last: int, near: NDArray[np.int64]) -> None:
    """Root of eight times the mean squared difference from the cells at the steps `near`."""
    rows, cols = z.shape
    total, number = np.empty(cols, np.float64), np.empty(cols, np.float64)
    for i in range(first, last):
        total[:], number[:] = 0.0, 0.0
        for k in range(near.shape[0]):
            r, c = i + near[k, 0], near[k, 1]
            if r < 0 or r >= rows or abs(c) >= cols:
                continue
            here, there, n = z[i, max(-c, 0) :], z[r, max(c, 0) :], cols - abs(c)
            totals, numbers = total[max(-c, 0) :], number[max(-c, 0) :]
            for j in range(n):
                difference = np.float64(there[j] - here[j])
                known = not np.isnan(difference)
                totals[j] += difference * difference if known else 0.0
                numbers[j] += 1.0 if known else 0.0
        for j in range(cols):
            out[i, j] = math.sqrt(_NEIGHBOURS * (total[j] / number[j])) if number[j] > 0.0 else np.nan


@kernel
def _percentile_rows(z: Rows, out: Rows, first: int, last: int, near: NDArray[np.int64]) -> None:
    """Share of the cells at the steps `near` that are lower; equal ones count half."""
    rows, cols = z.shape
    lower, number = np.empty(cols, np.int32), np.empty(cols, np.int32)
    one, none = np.int32(1), np.int32(0)
    for i in range(first, last):
        lower[:], number[:] = 0, 0
        for k in range(near.shape[0]):
            r, c = i + near[k, 0], near[k, 1]
            if r < 0 or r >= rows or abs(c) >= cols:
                continue
            here, there, n = z[i, max(-c, 0) :], z[r, max(c, 0) :], cols - abs(c)
            lowers, numbers = lower[max(-c, 0) :], number[max(-c, 0) :]
            for j in range(n):
                lowers[j] += (one if there[j] < here[j] else none) + (one if there[j] <= here[j] else none)
                numbers[j] += one if there[j] == there[j] else none
        for j in range(cols):
            known = z[i, j] == z[i, j] and number[j] > 0
            out[i, j] = lower[j] / (2.0 * number[j]) if known else np.nan
