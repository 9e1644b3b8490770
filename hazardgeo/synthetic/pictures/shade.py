"""Shade: how a low winter sun lights the ground, and where hills and cliffs keep it off."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel

SHADE_PER_M = 32.0  # an int8 of `shade` over this is in metres
_AZIMUTHS_DEG = (135.0, 225.0)


@dataclass(frozen=True, slots=True)
class Sun:
    """Where the sun stands; its azimuth must be between 135 and 225 degrees, as when mapping aircraft fly."""

    azimuth_deg: float
    elevation_deg: float

    def __post_init__(self) -> None:
        low, high = _AZIMUTHS_DEG
        assert low <= self.azimuth_deg <= high, "the shadows are swept from south to north"

    @property
    def towards(self) -> tuple[float, float, float]:
        """Unit vector to the sun: east, north, up."""
        turn, rise = math.radians(self.azimuth_deg), math.radians(self.elevation_deg)
        return math.sin(turn) * math.cos(rise), math.cos(turn) * math.cos(rise), math.sin(rise)

    @property
    def tan(self) -> float:
        return math.tan(math.radians(self.elevation_deg))

    def shadow(self, height_m: float) -> tuple[float, float]:
        """East and north from a thing of this height to the end of its shadow on level ground."""
        east, north, _ = self.towards
        length = height_m / self.tan / math.hypot(east, north)
        return -east * length, -north * length


def light(ground_m: NDArray[np.float32], cell_m: float, sun: Sun) -> NDArray[np.float32]:
    """Direct sunlight on the ground over that on level ground, 0 on slopes turned away (Lambert's cosine law)."""
    return np.asarray(_light_kernel(ground_m, cell_m, np.array(sun.towards)))


@kernel
def _light_kernel(ground, cell, towards):  # type: ignore[no-untyped-def]
    rows, cols = ground.shape
    result = np.empty((rows, cols), np.float32)
    for r in range(rows):
        up, down = max(r - 1, 0), min(r + 1, rows - 1)
        for c in range(cols):
            left, right = max(c - 1, 0), min(c + 1, cols - 1)
            by_east = (ground[r, right] - ground[r, left]) / (cell * (right - left))
            by_north = (ground[up, c] - ground[down, c]) / (cell * (down - up))
            cosine = towards[2] - by_east * towards[0] - by_north * towards[1]
            result[r, c] = max(cosine, 0.0) / math.sqrt(1.0 + by_east**2 + by_north**2) / towards[2]
    return result


def shade(ground_m: NDArray[np.float32], cell_m: float, sun: Sun) -> NDArray[np.int8]:
    """How deep each cell lies in the shadow of the ground south of it, in m times 32; negative in the sun.

    Beyond the edges of the valley nothing casts a shadow. Cut at 4 m either way.
    """
    east, north, up = sun.towards
    across = -east / north  # columns to the east for one row to the south
    fall = cell_m * math.hypot(1.0, across) * up / math.hypot(east, north)
    return np.asarray(_shade_kernel(ground_m, across, fall))


@kernel
def _shade_kernel(ground, across, fall):  # type: ignore[no-untyped-def]
    rows, cols = ground.shape
    result = np.full((rows, cols), -127, np.int8)
    horizon = ground[rows - 1].astype(np.float64)
    above = np.empty(cols)
    for r in range(rows - 2, -1, -1):
        for c in range(cols):
            x = c + across
            k = math.floor(x)
            if k < 0 or k + 1 > cols - 1:
                above[c] = -1e9
            else:
                above[c] = horizon[k] + (x - k) * (horizon[k + 1] - horizon[k]) - fall
        for c in range(cols):
            deep = above[c] - ground[r, c]
            result[r, c] = np.int8(min(max(round(deep * 32.0), -127.0), 127.0))
            horizon[c] = max(above[c], ground[r, c])
    return result
