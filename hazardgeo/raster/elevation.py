"""Elevations as numbers, after what is no elevation has been refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.raster.core import Raster

MAX_ELEVATION_M = 1e5  # no ground is as high or as deep; fill values are


def elevations(dem: Raster, what: str) -> NDArray[np.float64]:
    """The elevations of `dem` in m as a new float64 array, NaN where unknown; refuses other units, grids and fill values."""
    z = heights(dem, what)
    require_possible(dem, z)
    return z.astype(np.float64)


def heights(dem: Raster, what: str) -> NDArray[Any]:
    """The elevations of `dem` in m as they are kept, float32 or float64, to be read only; refuses other units and grids.

    Fill values are not looked for: `require_possible` does, or `impossible` within a pass that reads the rows anyway.
    """
    dem.require(unit="m")
    dem.grid.require_metric(what)
    if dem.values.dtype.kind != "f":
        raise InputError(f"raster {dem.name!r} holds {dem.values.dtype} codes, not elevations; convert it to float32 first.")
    return np.ascontiguousarray(dem.values)


def require_possible(dem: Raster, z: NDArray[Any]) -> None:
    """Raise InputError where the elevations `z` of `dem` are none."""
    if any(in_bands(lambda first, last: impossible(z, first, last), z.shape[0], band_rows=1024)):
        raise refusal(dem)


@kernel
def impossible(z: NDArray[Any], first: int, last: int) -> int:
    """How many values in the rows from `first` to before `last` are no elevations."""
    found = 0
    for i in range(first, last):
        row = z[i]
        for j in range(row.size):
            found += abs(row[j]) > MAX_ELEVATION_M
    return found


def refusal(dem: Raster) -> InputError:
    """What is said of a raster with values that are no elevations."""
    beyond = np.abs(dem.values) > MAX_ELEVATION_M
    row, col = np.unravel_index(int(beyond.argmax()), beyond.shape)
    return InputError(
        f"raster {dem.name!r} has {int(beyond.sum())} elevations beyond {MAX_ELEVATION_M:,.0f} m, the first "
        f"{dem.values[row, col]:g} at row {row}, column {col}; that is most likely a nodata value that the file does not "
        "declare: set it to NaN (unknown)."
    )
