"""Picture: how rough fresh earth looks from above, cell by cell, without plants, roofs, shadows and rows of fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.change.shapes import Field
from hazardgeo.errors import CrsError, InputError
from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster

COARSEST_PIXEL_M = 0.5  # blocks of earth are some decimetres
_NEAR_M, _WIDE_M, _AROUND_M = 3.0, 7.0, 25.0  # squares: of texture, of texture of large bodies, of what is usual nearby
_STEP_M, _RIM_M = 0.2, 0.4  # from pixel to pixel of a difference; around what is not earth
_GREEN, _BLUE, _DARK, _SHADE_BLUE = 1.05, 1.2, 0.64, 1.06  # over what is usual nearby
_LEAST_EARTH = 0.3  # share of the pixels
Bands = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a picture shows of each cell of a DEM; NaN where it does not.

    `near` and `wide`: texture of bare earth, over squares of 3 and 7 m, over its median in the whole picture. `green`: green
    over red, over what is usual within 25 m (NaN throughout for a picture of one band). `earth`: share of bare earth.
    """

    near: Field
    wide: Field
    green: Field
    earth: Field


def seen(ortho: Raster | Sequence[Raster], grid: Grid) -> Seen:
    """Texture and hue of bare earth on the cells of `grid`, from red, green and blue, or from brightness alone.

    Not earth: what is greener than the ground around (plants), bluer (roofs, snow, water), or dark and bluer (cast shadow), and
    0.4 m around it; brightness alone tells none of these. Texture is that of the direction in which the picture changes least
    (the smaller root of the structure tensor of relative brightness): rubble is rough every way; rows of crops, edges and
    cracks are not. Brightness is taken over its own mean and hue over that nearby: slopes in shade count like those in the sun.
    """
    bands = _bands(ortho, grid)
    rows, cols = _places(bands[0].grid, grid)
    values = [np.asarray(b.values, np.float32) for b in bands]
    red, green, blue = values if len(values) == 3 else (values[0],) * 3
    pixel_m = math.sqrt(math.prod(bands[0].grid.cell_m))
    cell_m = math.sqrt(math.prod(grid.cell_m))
    sums = np.zeros((4, *grid.shape))
    _sums_kernel(red, green, blue, rows, cols, sums)
    count = sums[3]
    means = [np.where(count > 0, s / np.maximum(count, 1.0), np.nan) for s in sums[:3]]
    usual = np.stack([_around(m, max(1, round(_AROUND_M / cell_m))) for m in means]).astype(np.float32)
    limits = np.array([_GREEN, _BLUE, _DARK, _SHADE_BLUE if len(values) == 3 else math.inf], np.float32)
    other = np.zeros(red.shape, np.uint8)
    _other_kernel((red, green, blue), (rows, cols), usual, limits, other)
    other = ndimage.maximum_filter(other, size=2 * round(_RIM_M / pixel_m) + 1)
    tensor = np.zeros((4, *grid.shape))
    _tensor_kernel(red + green + blue, other, (rows, cols), max(1, round(_STEP_M / pixel_m)), tensor)
    near, share = _texture(tensor, count, _odd(_NEAR_M / cell_m))
    wide, _ = _texture(tensor, count, _odd(_WIDE_M / cell_m))
    normal = float(np.nanmedian(near)) if np.isfinite(near).any() else math.nan
    hue = means[1] / usual[1] if len(values) == 3 else np.full(grid.shape, np.nan)
    return Seen(near / normal, wide / normal, hue, share)


def _bands(ortho: Raster | Sequence[Raster], grid: Grid) -> list[Raster]:
    bands = [ortho] if isinstance(ortho, Raster) else list(ortho)
    if len(bands) not in (1, 3):
        raise InputError(f"a picture has 1 band (brightness) or 3 (red, green, blue), not {len(bands)}; leave out alpha.")
    for band in bands:
        bands[0].grid.require_same(band.grid)
    if bands[0].grid.crs != grid.crs:
        raise CrsError(f"the picture is in {bands[0].grid.crs.name}, the surface in {grid.crs.name}; reproject one of them.")
    pixel_m = max(bands[0].grid.cell_m)
    if pixel_m > COARSEST_PIXEL_M:
        raise InputError(f"the picture has pixels of {pixel_m:g} m, rubble shows up to {COARSEST_PIXEL_M:g} m; leave it out.")
    return bands


def _places(pixels: Grid, cells: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row and the column of the cell that holds each row and column of pixels; -1 outside."""
    east, north = pixels.centres()
    row, _ = cells.rowcol(np.full(north.shape, cells.centres()[0][0]), north)
    _, col = cells.rowcol(east, np.full(east.shape, cells.centres()[1][0]))
    return (
        np.where((row >= 0) & (row < cells.shape[0]), row, -1).astype(np.int64),
        np.where((col >= 0) & (col < cells.shape[1]), col, -1).astype(np.int64),
    )


def _odd(cells: float) -> int:
    return 2 * max(1, round((cells - 1) / 2)) + 1


def _around(values: Field, side: int) -> Field:
    """Medians of squares of so many cells, straight lines between their middles; unknown squares like the nearest."""
    rows, cols = (math.ceil(n / side) for n in values.shape)
    padded = np.full((rows * side, cols * side), np.nan)
    padded[: values.shape[0], : values.shape[1]] = values
    squares = padded.reshape(rows, side, cols, side).transpose(0, 2, 1, 3).reshape(rows, cols, -1)
    middle = np.full((rows, cols), np.nan)
    some = np.asarray(np.isfinite(squares).any(axis=-1), np.bool_)
    if not some.any():
        return np.full(values.shape, np.nan)
    middle[some] = np.nanmedian(squares[some], axis=-1)
    nearest = ndimage.distance_transform_edt(~some, return_distances=False, return_indices=True)
    middle = middle[tuple(nearest)]
    found = ndimage.zoom(middle, side, order=1, mode="nearest", grid_mode=True)
    return np.asarray(found[: values.shape[0], : values.shape[1]])


def _texture(tensor: NDArray[np.float64], count: Field, side: int) -> tuple[Field, Field]:
    along, across, both, earth, seen_px = (
        ndimage.uniform_filter(v, side, mode="constant") for v in (tensor[0], tensor[1], tensor[2], tensor[3], count)
    )
    share = np.divide(earth, seen_px, out=np.zeros_like(earth), where=seen_px > 1e-6)
    enough = (share >= _LEAST_EARTH) & (count > 0)
    per = np.where(enough, np.maximum(earth, 1e-9), 1.0)
    middle, half = (along + across) / 2, np.hypot((along - across) / 2, both)
    return np.where(enough, np.sqrt(np.maximum(middle - half, 0.0) / per), np.nan), share


@kernel
def _sums_kernel(red, green, blue, rows, cols, sums):  # type: ignore[no-untyped-def]
    """For each cell the sums over its pixels of brightness, green over red and blue over red, and how many are known."""
    for i in range(rows.size):
        if rows[i] < 0:
            continue
        for j in range(cols.size):
            light = red[i, j] + green[i, j] + blue[i, j]
            if cols[j] < 0 or math.isnan(light):
                continue
            base = max(red[i, j], np.float32(4.0))
            sums[0, rows[i], cols[j]] += light
            sums[1, rows[i], cols[j]] += max(green[i, j], np.float32(4.0)) / base
            sums[2, rows[i], cols[j]] += max(blue[i, j], np.float32(4.0)) / base
            sums[3, rows[i], cols[j]] += 1.0


@kernel
def _other_kernel(bands, places, usual, limits, other):  # type: ignore[no-untyped-def]
    """Marks pixels that are not bare earth, and unknown ones."""
    red, green, blue = bands
    rows, cols = places
    for i in range(rows.size):
        for j in range(cols.size):
            light = red[i, j] + green[i, j] + blue[i, j]
            if rows[i] < 0 or cols[j] < 0 or math.isnan(light):
                other[i, j] = 1
                continue
            base = max(red[i, j], np.float32(4.0))
            leafy = max(green[i, j], np.float32(4.0)) / base / usual[1, rows[i], cols[j]]
            blueish = max(blue[i, j], np.float32(4.0)) / base / usual[2, rows[i], cols[j]]
            dark = light < limits[2] * usual[0, rows[i], cols[j]]
            other[i, j] = leafy > limits[0] or (blueish > limits[1] and not dark) or (dark and blueish > limits[3])


@kernel
def _tensor_kernel(light, other, places, step, tensor):  # type: ignore[no-untyped-def]
    """For each cell the sums over its pixels of earth of the structure tensor of relative brightness, and their number."""
    rows, cols = places
    for i in range(step, rows.size - step):
        for j in range(step, cols.size - step):
            if other[i, j] or rows[i] < 0 or cols[j] < 0:
                continue
            if other[i - step, j] or other[i + step, j] or other[i, j - step] or other[i, j + step]:
                continue
            here = max(light[i, j], np.float32(12.0))
            down = (light[i + step, j] - light[i - step, j]) / here
            right = (light[i, j + step] - light[i, j - step]) / here
            tensor[0, rows[i], cols[j]] += right * right
            tensor[1, rows[i], cols[j]] += down * down
            tensor[2, rows[i], cols[j]] += right * down
            tensor[3, rows[i], cols[j]] += 1.0
