"""Whether a scan is that of a wall: points stacked higher than the place they stand on is wide."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import HazardGeoWarning
from hazardgeo.raster import Raster
from hazardgeo.tiles.plan import origin_cells

_NARROW_M = 50.0  # mean width beyond which no wall stands high enough
_SLENDER = 2.0  # so many times as high as wide is a wall
Everywhere = tuple[slice, slice]
Stack = dict[str, NDArray[Any]]


def stack_of(lowest: Raster, highest: Raster, inner: Everywhere = (slice(None), slice(None))) -> Stack:
    """What tells walls: the cells with points, where they end, and the sum of how high points stand on each other there."""
    held = ~lowest.unknown[inner]
    (row, col), (rows, cols) = origin_cells(lowest.grid.window(*inner)), np.nonzero(held)
    ends = [-np.inf] * 4
    if len(rows):
        ends = [-(row + rows.min()), -(col + cols.min()), row + rows.max(), col + cols.max()]
    high = (highest.values[inner].astype(np.float64) - lowest.values[inner])[held].sum()
    return {"cells": np.array([len(rows)]), "ends": np.array(ends, np.float64), "high": np.array([high])}


def joined(one: Stack, other: Stack) -> Stack:
    """What tells walls of two parts."""
    ends = np.maximum(one["ends"], other["ends"])
    return {"cells": one["cells"] + other["cells"], "ends": ends, "high": one["high"] + other["high"]}


def is_narrow(lowest: Raster) -> bool:
    """True where the cells with points make so narrow a strip that it may be a wall."""
    return width_m(stack_of(lowest, lowest), lowest.grid.cell[0]) < _NARROW_M


def width_m(stack: Stack, cell_m: float) -> float:
    """The mean width of the cells with points: their area by their length."""
    if not stack["cells"][0]:
        return math.inf
    north, west, south, east = stack["ends"]
    return float(stack["cells"][0] * cell_m / math.hypot(south + north + 1, east + west + 1))


def warn_of_wall(stack: Stack, cell_m: float) -> None:
    """Warn where points stand on each other more than twice as high, on the mean, as their place is wide."""
    wide_m = width_m(stack, cell_m)
    if math.isinf(wide_m):
        return
    high_m = float(stack["high"][0] / stack["cells"][0])
    if high_m > _SLENDER * wide_m and wide_m < _NARROW_M:
        warnings.warn(
            f"the points stand {high_m:.0f} m high on a strip {wide_m:.1f} m wide, as on a wall: what is called ground is at "
            "best its foot; bring a scan of the ground before it.",
            HazardGeoWarning,
            stacklevel=3,
        )
