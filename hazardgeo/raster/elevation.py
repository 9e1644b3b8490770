"""Elevations as numbers, after what is no elevation has been refused."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.raster.core import Raster

MAX_ELEVATION_M = 1e5  # no ground is as high or as deep; fill values are


def elevations(dem: Raster, what: str) -> NDArray[np.float64]:
    """The elevations of `dem` in m as a new float64 array, NaN where unknown; refuses other units, grids and fill values."""
    dem.require(unit="m")
    dem.grid.require_metric(what)
    if dem.values.dtype.kind != "f":
        raise InputError(f"raster {dem.name!r} holds {dem.values.dtype} codes, not elevations; convert it to float32 first.")
    z = dem.values.astype(np.float64)
    impossible = np.abs(z) > MAX_ELEVATION_M
    if impossible.any():
        row, col = np.unravel_index(int(impossible.argmax()), z.shape)
        raise InputError(
            f"raster {dem.name!r} has {int(impossible.sum())} elevations beyond {MAX_ELEVATION_M:,.0f} m, the first "
            f"{z[row, col]:g} at row {row}, column {col}; that is most likely a nodata value that the file does not declare: "
            "set it to NaN (unknown)."
        )
    return z
