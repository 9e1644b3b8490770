"""Soil: the colours of open ground in a loess valley in winter, in cells, before any pixel is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.synthetic.layout import Layout
from hazardgeo.synthetic.pictures.texture import PIXEL_M, Tile, smooth_kernel

FLOOR_FIELD_M, STEP_M = 31.0, 4.8  # width of a field on level ground; rise from one field to the next on a slope
_RIVERSIDE = 1.1  # widths of the river on either side of it that nobody ploughs

# red, green, blue in full sun on level ground; chosen by eye, not measured
LOESS, GRASS, DAMP, SOAKED, WALL, SCRUB, SILT = range(7)
COLOURS = np.array(
    [(187, 168, 139), (162, 147, 115), (145, 124, 97), (121, 102, 80), (199, 179, 147), (137, 124, 96), (176, 164, 142)],
    np.float32,
)


@dataclass(frozen=True, slots=True)
class Soil:
    """`colour` is (3, rows, cols); `rough` how tufted the ground is and `farmed` how surely it is a field, 0 to 255.

    `contour` counts fields up the slope: its whole numbers are their edges. `narrow` says that fields are terraces.
    """

    colour: NDArray[np.uint8]
    rough: NDArray[np.uint8]
    farmed: NDArray[np.uint8]
    contour: NDArray[np.float32]
    narrow: NDArray[np.bool_]


def soil(plan: Layout, ground: Raster, wetness: Raster, coarse: Tile) -> Soil:
    """Pale loess, dry grass in hollows, bare walls, damp and soaked ground (by `wetness`, share of the pores), fields."""
    height = ground.values
    shape = plan.grid.shape
    cells = max(round(10.0 / plan.cell_m), 3)
    smooth = ndimage.uniform_filter(ndimage.uniform_filter(height, cells, mode="nearest"), cells, mode="nearest")
    broad = ndimage.uniform_filter(height, max(round(36.0 / plan.cell_m), 3), mode="nearest")
    east, north = plan.grid.centres()
    axis = plan.axis_north(east)
    contour = _contour(smooth, north, axis)
    places = np.array([plan.river_m, plan.cell_m, plan.cell_m / PIXEL_M])
    lines = np.stack([axis, axis + plan.river_across(east)])
    colour, rough, farmed = np.empty((3, *shape), np.uint8), np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    result = Soil(colour, rough, farmed, contour, np.empty(shape, bool))
    fields = result.colour, result.rough, result.farmed, result.narrow
    _soil_kernel((height, smooth, broad), _on_cells(wetness, plan), north, lines, places, coarse, COLOURS, fields)
    return result


def _contour(smooth: NDArray[np.float32], north: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rises with the ground and with the distance from the valley axis, so that level ground has its fields too."""
    result = np.abs(north[:, None] - axis).astype(np.float32)
    result /= FLOOR_FIELD_M
    result += (smooth - np.float32(1800.0)) / np.float32(STEP_M)
    return result


def _on_cells(coarse: Raster, plan: Layout) -> NDArray[np.float32]:
    """A raster of larger cells, bilinear on those of the plan."""
    east, north = plan.grid.centres()
    row = (coarse.grid.transform.f - north) / coarse.grid.cell[1] - 0.5
    col = (east - coarse.grid.transform.c) / coarse.grid.cell[0] - 0.5
    return np.asarray(_resample_kernel(coarse.values, row, col))


@kernel
def _resample_kernel(values, row, col):  # type: ignore[no-untyped-def]
    rows, cols = values.shape
    result = np.empty((row.size, col.size), np.float32)
    for r in range(row.size):
        y = min(max(row[r], 0.0), rows - 1.001)
        i = int(y)
        for c in range(col.size):
            x = min(max(col[c], 0.0), cols - 1.001)
            j = int(x)
            upper = values[i, j] + (x - j) * (values[i, j + 1] - values[i, j])
            lower = values[i + 1, j] + (x - j) * (values[i + 1, j + 1] - values[i + 1, j])
            result[r, c] = upper + (y - i) * (lower - upper)
    return result


@kernel
def ramp_kernel(x, low, high):  # type: ignore[no-untyped-def]
    """0 below `low`, 1 above `high`, smooth in between."""
    share = min(max((x - low) / (high - low), 0.0), 1.0)
    return share * share * (3.0 - 2.0 * share)


@kernel
def _steepness_kernel(height, r, c, cell):  # type: ignore[no-untyped-def]
    rows, cols = height.shape
    up, down, left, right = max(r - 1, 0), min(r + 1, rows - 1), max(c - 1, 0), min(c + 1, cols - 1)
    by_row = (height[down, c] - height[up, c]) / (cell * (down - up))
    by_col = (height[r, right] - height[r, left]) / (cell * (right - left))
    return np.hypot(by_row, by_col)


@kernel
def _soil_kernel(levels, wet, north, lines, places, tile, colours, out):  # type: ignore[no-untyped-def]
    height, smooth, broad = levels
    colour, rough, farmed, narrow = out
    river, cell, pixels = places
    rows, cols = height.shape
    shares = np.empty(7)
    for r in range(rows):
        for c in range(cols):
            dip, lie = _steepness_kernel(height, r, c, cell), _steepness_kernel(smooth, r, c, cell)
            y, x = (r + 0.5) * pixels, (c + 0.5) * pixels
            large = smooth_kernel(tile, y / 16.0, x / 16.0)
            middle = smooth_kernel(tile, y / 4.0 + 311.0, x / 4.0)
            hollow = min(max((broad[r, c] - height[r, c]) / 4.0, -1.0), 1.0)
            off_river = abs(north[r] - lines[1, c]) / river
            level = 1.0 - ramp_kernel(lie, 0.14, 0.26)
            shares[1] = min(max(0.42 + 0.20 * large + 0.16 * middle + 0.30 * hollow, 0.0), 1.0)
            shares[2] = ramp_kernel(0.9 * wet[r, c] + 0.35 * max(hollow, 0.0) + 0.05 * middle, 0.35, 0.95) * (0.35 + 0.65 * level)
            shares[3] = 0.8 * ramp_kernel(wet[r, c] + 0.05 * middle + 0.04 * large, 0.62, 1.0) * level * (off_river > 4.0)
            shares[4] = ramp_kernel(dip + 0.10 * middle, 0.75, 1.4)
            shares[5] = ramp_kernel(hollow + 0.25 * middle, 0.15, 0.8) * 0.8
            shares[6] = 1.0 - ramp_kernel(off_river + 0.25 * large, 0.55, _RIVERSIDE)
            tint = 1.0 + 0.035 * large + 0.03 * middle
            for k in range(3):
                value = colours[0, k]
                for s in (1, 5, 2, 3, 4, 6):
                    value += shares[s] * (colours[s, k] - value)
                colour[k, r, c] = np.uint8(min(max(value * tint, 0.0), 255.0))
            rough[r, c] = np.uint8(255.0 * min(shares[1] * (1 - shares[4]) + 0.5 * shares[5], 1.0))
            field = (1 - ramp_kernel(lie, 0.20, 0.36)) * (1 - ramp_kernel(dip, 0.30, 0.50)) * (1 - shares[6])
            farmed[r, c] = np.uint8(255.0 * field * ramp_kernel(1.1 + 0.5 * large, 0.0, 0.12))
            narrow[r, c] = lie > 0.09
