"""Quantities that a formula takes: rasters on one grid, arrays or plain numbers, in one checked shape.

A model is written once, for arrays. `unwrap` turns what the caller gave into float64 arrays with NaN for unknown, after
checking grids, units and plausible ranges; `Cells.wrap` turns a result into what the caller works with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from hazardgeo import levels
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

Array = NDArray[Any]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Field = TypeVar("Field", Raster, NDArray[Any])

# Unit of each quantity, and the range outside of which it must be a mistake (often of unit).
QUANTITIES: dict[str, tuple[str, float, float]] = {
    "slope_deg": ("deg", 0.0, 90.0),
    "cohesion_kpa": ("kPa", 0.0, 1e5),
    "friction_deg": ("deg", 0.0, 89.0),
    "unit_weight_kn_m3": ("kN/m3", 9.81, 40.0),
    "thickness_m": ("m", 1e-3, 1e4),
    "saturation": ("1", 0.0, 1.0),
    "fs": ("1", -inf, inf),
    "ac_g": ("g", 0.0, inf),
    "pga_g": ("g", 0.0, 5.0),
    "pgv_cm_s": ("cm/s", 0.0, 1000.0),
    "vs30_m_s": ("m/s", 30.0, 5000.0),
    "cti": ("1", -50.0, 100.0),
    "precipitation_mm": ("mm", 0.0, 15_000.0),
    "distance_to_coast_km": ("km", 0.0, 20_000.0),
    "distance_to_river_km": ("km", 0.0, 20_000.0),
    "water_table_m": ("m", 0.0, 5000.0),
    "sigma_ln_pga": ("1", 0.0, 3.0),
    "sigma_ln_pgv": ("1", 0.0, 3.0),
    "lithology": ("logit", -10.0, 10.0),
    "land_cover": ("logit", -10.0, 10.0),
    "median_cm": ("cm", 0.0, inf),
    "unstable": ("1", 0.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Cells(Generic[Field]):
    """The inputs of a formula as float64 arrays of one shape; `grid` is None unless a raster was given."""

    values: Mapping[str, Floats]
    grid: Grid | None

    def __getitem__(self, name: str) -> Floats:
        return self.values[name]

    @property
    def missing(self) -> Mask:
        """True where any input is unknown."""
        unknown = np.zeros(next(iter(self.values.values())).shape, bool)
        for array in self.values.values():
            unknown = unknown | np.isnan(array)
        return unknown

    def wrap(self, values: Array, name: str, unit: str, tags: Mapping[str, str] | None = None) -> Field:
        """`values` as a float32 raster (bool stays bool), or as an array where no raster was given."""
        kept = values if values.dtype == bool or self.grid is None else values.astype(np.float32)
        return self._on_grid(kept, lambda grid: Raster(kept, grid, name, unit, tags=tags or {}))

    def wrap_state(self, state: NDArray[np.uint8], name: str) -> Field:
        """`state` codes as a class raster, or as an array."""
        return self._on_grid(state, lambda grid: levels.state_raster(state, grid, name))

    def _on_grid(self, values: Array, to_raster: Callable[[Grid], Raster]) -> Field:
        wrapped: Any = np.asarray(values) if self.grid is None else to_raster(self.grid)
        return cast(Field, wrapped)


def unwrap(**quantities: Field | float | None) -> Cells[Field]:
    """The quantities as arrays of one shape; those that are None are left out.

    Raises GridMismatchError for rasters on different grids, InputError for a wrong unit, for values out of any
    plausible range, and for arrays of several cells beside rasters.
    """
    given = {name: value for name, value in quantities.items() if value is not None}
    rasters = [value for value in given.values() if isinstance(value, Raster)]
    grid = rasters[0].grid if rasters else None
    arrays: dict[str, Floats] = {}
    for name, value in given.items():
        if isinstance(value, Raster):
            rasters[0].grid.require_same(value.grid)
            arrays[name] = _raster_values(value, name)
        else:
            arrays[name] = np.asarray(value, np.float64)
            if grid is not None and arrays[name].ndim > 0:
                raise InputError(f"{name} is a bare array beside rasters; put it on their grid with r.like(values, name, unit).")
        _require_plausible(name, arrays[name])
    shape = grid.shape if grid is not None else _common_shape(arrays)
    return Cells({name: np.broadcast_to(array, shape) for name, array in arrays.items()}, grid)


def require_magnitude(magnitude: float) -> None:
    """Raise InputError unless `magnitude` can be one."""
    if not 0.0 <= magnitude <= 10.0:
        raise InputError(f"the magnitude is {magnitude}; it must lie within 0 and 10.")


def state_codes(*, missing: Mask, masked: Mask | bool, outside: Mask) -> NDArray[np.uint8]:
    """The state of each cell, the gravest first: input missing, outside the model's range, masked by it, assessed.

    The same order as in `levels.combine`: masked is a word of the model, which holds only within its range.
    """
    state = np.where(masked, levels.MASKED_BY_MODEL, levels.ASSESSED)
    state = np.where(outside, levels.OUTSIDE_RANGE, state)
    return np.asarray(np.where(missing, levels.MISSING_INPUT, state), np.uint8)


def _raster_values(raster: Raster, name: str) -> Floats:
    unit = QUANTITIES[name][0]
    if raster.unit not in ("", unit) and unit != "1":
        raise InputError(f"{name} is in {raster.unit!r}, but {unit!r} is needed; convert raster {raster.name!r} first.")
    values = raster.values.astype(np.float64)
    if raster.values.dtype.kind != "f":
        values[raster.unknown] = np.nan
    return values


def _require_plausible(name: str, values: Floats) -> None:
    unit, low, high = QUANTITIES[name]
    wrong = (values < low) | (values > high)
    count = int(np.count_nonzero(wrong))
    if count:
        example = float(values[wrong].flat[0])
        raise InputError(
            f"{name} is {example:g} {unit} ({count} of {values.size} cells lie outside {low:g} to {high:g}); check its unit, "
            "or set impossible values to NaN."
        )


def _common_shape(arrays: Mapping[str, Floats]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise InputError(f"arrays of different shapes meet ({shapes}); give arrays of one shape or plain numbers.") from None
