"""Where the cells of a raster file lie: north up as stored, by turning or mirroring exactly, or by resampling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from hazardgeo.errors import InputError
from hazardgeo.grid import TOLERANCE_CELLS, Grid
from hazardgeo.io.remote import Place

Resampling = Literal["nearest", "bilinear"]
_STRIP_CELLS = 2**20


def place(
    transform: Affine, shape: tuple[int, int], crs: pyproj.CRS, resampling: Resampling | None, path: Place
) -> Turned | Resampled:
    """How a file of this transform lies; InputError for cells without a size, and turned ones without `resampling`."""
    a, b, c, d, e, f = transform[:6]
    if not all(map(math.isfinite, (a, b, c, d, e, f))) or transform.determinant == 0:
        raise InputError(f"{path} has a damaged georeference (transform {a, b, c, d, e, f}); georeference it again.")
    if resampling not in (None, "nearest", "bilinear"):
        raise InputError(f"unknown resampling {resampling!r}; use 'nearest' or 'bilinear'.")
    rows, cols = shape
    if abs(b) * rows <= TOLERANCE_CELLS * abs(a) and abs(d) * cols <= TOLERANCE_CELLS * abs(e):
        return _turned(Affine(a, 0, c, 0, e, f), shape, crs, transposed=False)
    if abs(a) * cols <= TOLERANCE_CELLS * abs(b) and abs(e) * rows <= TOLERANCE_CELLS * abs(d):
        return _turned(Affine(b, 0, c, 0, d, f), (cols, rows), crs, transposed=True)
    angle = math.degrees(math.atan2(d, a))
    if resampling is None:
        raise InputError(
            f"{path} is not north up: its rows run {angle:.4g} degrees from east; pass resampling='bilinear' (surfaces) or "
            "'nearest' (classes) to bring it north up, or warp it first, for example with gdalwarp."
        )
    return _resampled(transform, shape, crs, resampling)


@dataclass(frozen=True, slots=True)
class Turned:
    """Cells that are moved and never changed: transposed, and mirrored in rows or columns, as the file needs."""

    grid: Grid
    transposed: bool
    from_south: bool
    from_east: bool

    def window(self, rows: slice, cols: slice) -> Window:
        """The stored cells of a block of the grid."""
        height, width = self.grid.shape
        if self.from_south:
            rows = slice(height - rows.stop, height - rows.start)
        if self.from_east:
            cols = slice(width - cols.stop, width - cols.start)
        if self.transposed:
            rows, cols = cols, rows
        return Window(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)

    def placed(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The stored cells of a block as they lie on the map."""
        block = stored.T if self.transposed else stored
        return np.ascontiguousarray(block[:: -1 if self.from_south else 1, :: -1 if self.from_east else 1])


def _turned(transform: Affine, shape: tuple[int, int], crs: pyproj.CRS, *, transposed: bool) -> Turned:
    """`transform` and `shape` are those of the rows and columns after the transposition."""
    a, _, c, _, e, f = transform[:6]
    west, north = c + min(a, 0) * shape[1], f + max(e, 0) * shape[0]
    return Turned(Grid(Affine(abs(a), 0, west, 0, -abs(e), north), shape, crs), transposed, e > 0, a < 0)


@dataclass(frozen=True, slots=True)
class Resampled:
    """Turned or sheared cells brought north up: each new cell takes what lies under its centre.

    A new cell is known where the stored cell under its centre is known; "bilinear" then weighs the known ones of the
    four centres around it. So unknown cells neither spread nor are filled in, and the corners are unknown. Each value
    depends on its own place alone: blocks that are read apart fit together exactly.
    """

    grid: Grid
    shape: tuple[int, int]
    how: Resampling
    to_stored: Affine
    note: str

    def window(self, rows: slice, cols: slice) -> Window | None:
        """The stored cells that a block of the grid needs, None where it lies beside all of them."""
        corners = [self.to_stored @ (c, r) for c in (cols.start, cols.stop) for r in (rows.start, rows.stop)]
        (left, right), (top, bottom) = ((math.floor(min(v)) - 1, math.ceil(max(v)) + 1) for v in zip(*corners, strict=True))
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, self.shape[1]), min(bottom, self.shape[0])
        return Window(left, top, right - left, bottom - top) if left < right and top < bottom else None

    def placed(self, stored: NDArray[Any], rows: slice, cols: slice) -> NDArray[Any]:
        """The block, from the stored cells of its window; NaN, 255 or 0 where it has none."""
        unknown: Any = {"f": np.nan, "u": 255}.get(stored.dtype.kind, 0)
        block = np.full((rows.stop - rows.start, cols.stop - cols.start), unknown, stored.dtype)
        window = self.window(rows, cols)
        if window is None:
            return block
        x = np.arange(cols.start, cols.stop) + 0.5
        step = max(_STRIP_CELLS // max(len(x), 1), 1)
        for first in range(rows.start, rows.stop, step):
            y = np.arange(first, min(first + step, rows.stop))[:, None] + 0.5
            col = self.to_stored.a * x + self.to_stored.b * y + self.to_stored.c
            row = self.to_stored.d * x + self.to_stored.e * y + self.to_stored.f
            inside = (col >= 0) & (row >= 0) & (col < self.shape[1]) & (row < self.shape[0])
            at = row[inside], col[inside]
            found = (_nearest if self.how == "nearest" else _bilinear)(stored, *at, (window.row_off, window.col_off))
            block[first - rows.start : first - rows.start + len(y)][inside] = found
        return block


def _nearest(stored: NDArray[Any], row: NDArray[np.float64], col: NDArray[np.float64], origin: tuple[int, int]) -> NDArray[Any]:
    return np.asarray(stored[row.astype(np.int64) - origin[0], col.astype(np.int64) - origin[1]])


def _bilinear(stored: NDArray[Any], row: NDArray[np.float64], col: NDArray[np.float64], origin: tuple[int, int]) -> NDArray[Any]:
    total, weights = np.zeros(row.shape), np.zeros(row.shape)
    top, left = np.floor(row - 0.5), np.floor(col - 0.5)
    for down in (0, 1):
        for right in (0, 1):
            r, c = top + down, left + right
            weight = (1 - np.abs(row - 0.5 - r)) * (1 - np.abs(col - 0.5 - c))
            r, c = r - origin[0], c - origin[1]
            there = (r >= 0) & (c >= 0) & (r < stored.shape[0]) & (c < stored.shape[1])
            value = np.full(row.shape, np.nan)
            value[there] = stored[r[there].astype(np.int64), c[there].astype(np.int64)]
            known = ~np.isnan(value)
            total[known] += weight[known] * value[known]
            weights[known] += weight[known]
    known = ~np.isnan(_nearest(stored, row, col, origin))
    return np.where(known, total / np.where(known, weights, 1.0), np.nan).astype(stored.dtype)


def _resampled(transform: Affine, shape: tuple[int, int], crs: pyproj.CRS, how: Resampling) -> Resampled:
    """The grid around all cells, with cells as large as those of the file."""
    a, b, _, d, e, _ = transform[:6]
    along, across = math.hypot(a, d), math.hypot(b, e)
    width, tall = (along, across) if abs(a) >= abs(d) else (across, along)
    corners = [transform @ corner for corner in ((0, 0), (shape[1], 0), (0, shape[0]), (shape[1], shape[0]))]
    (west, east), (south, north) = ((min(v), max(v)) for v in zip(*corners, strict=True))
    rows, cols = (max(math.ceil(n - TOLERANCE_CELLS), 1) for n in ((north - south) / tall, (east - west) / width))
    grid = Grid(Affine(width, 0, west, 0, -tall, north), (rows, cols), crs)
    note = (
        f"{how}, from cells of {along:.6g} x {across:.6g} whose rows run {math.degrees(math.atan2(d, a)):.4g} degrees "
        f"from east, to cells of {width:.6g} x {tall:.6g}"
    )
    return Resampled(grid, shape, how, ~transform @ grid.transform, note)
