"""Surfaces to take the shape of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from affine import Affine

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster


@pytest.fixture(scope="session")
def surface_of() -> Callable[..., tuple]:
    """A raster of the function of east and north in m from its centre, and these for each cell."""

    def make(height, *, rows=31, cols=35, cell=(1.0, 1.0)):
        grid = Grid(Affine(cell[0], 0, 500_000, 0, -cell[1], 4_000_000), (rows, cols), 32648)
        row, col = np.mgrid[:rows, :cols]
        east, north = (col - cols // 2) * cell[0], (rows // 2 - row) * cell[1]
        return Raster(np.asarray(height(east, north) + 0.0 * east, np.float64), grid, "dem", "m"), east, north

    return make


@pytest.fixture(scope="session")
def rough_ground() -> Callable[..., Raster]:
    """A random float32 surface around 1,800 m, to the 64th of a metre, with holes."""

    def make(rows, cols, seed=1, *, holes=0.05, cell=(1.0, 1.0)):
        rng = np.random.default_rng(seed)
        z = 1800 + rng.normal(0, 1, (rows, cols)).cumsum(0) + 0.3 * rng.normal(0, 1, (rows, cols)).cumsum(1)
        z = np.round(z * 64) / 64
        z[rng.random((rows, cols)) < holes] = np.nan
        grid = Grid(Affine(cell[0], 0, 500_003 * cell[0], 0, -cell[1], 4_000_005 * cell[1]), (rows, cols), 32648)
        return Raster(z.astype(np.float32), grid, "dem", "m")

    return make
