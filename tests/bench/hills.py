"""Ground to measure with, made for any block of a grid without its neighbours."""

from __future__ import annotations

import numpy as np

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster


def height(grid: Grid) -> Raster:
    """Hills of 2 km and 300 m with noise of 0.1 m, to the centimetre, and a hole every 4 km."""
    east, north = grid.centres()
    x, y = east[None, :], north[:, None]
    z = 1800 + 150 * np.sin(x / 318) * np.cos(y / 287) + 20 * np.sin(x / 47 + y / 53)
    noise = np.modf(np.sin(x * 12.9898 + y * 78.233) * 43758.5453)[0]
    values = np.round(z + 0.1 * noise, 2).astype(np.float32)
    values[(np.mod(x, 4000) < 40) & (np.mod(y, 4000) < 40)] = np.nan
    return Raster(values, grid, "dem", "m")
