"""An earthquake, and how strongly it shook the ground."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import numpy as np

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster, align


@dataclass(frozen=True, slots=True)
class Earthquake:
    """A hypocentre and a magnitude. `time` is aware; longitude and latitude are WGS 84 degrees; depth in km."""

    magnitude: float
    longitude: float
    latitude: float
    depth_km: float
    time: datetime
    name: str = ""
    identifier: str = ""

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise InputError(f"the time of the earthquake {self.time} has no time zone; write it as 2023-12-18T15:59:30Z.")
        checks = {
            "magnitude": (self.magnitude, 0.0, 10.0),
            "longitude": (self.longitude, -180.0, 360.0),
            "latitude": (self.latitude, -90.0, 90.0),
            "depth_km": (self.depth_km, -10.0, 800.0),
        }
        for name, (value, low, high) in checks.items():
            if not low <= value <= high:
                raise InputError(f"{name} of the earthquake is {value}; it must lie within {low:g} and {high:g}.")


@dataclass(frozen=True, slots=True)
class Shaking:
    """Ground motion on one grid: peak ground acceleration in g, peak ground velocity in cm/s, intensity, Vs30 in m/s.

    Sigmas are standard deviations of the natural logarithm. A layer that the source does not give is None; cells
    outside the source are NaN. `source` says in words where the numbers come from.
    """

    event: Earthquake
    pga_g: Raster | None = None
    pgv_cm_s: Raster | None = None
    mmi: Raster | None = None
    vs30_m_s: Raster | None = None
    sigma_ln_pga: Raster | None = None
    sigma_ln_pgv: Raster | None = None
    source: str = ""

    def __post_init__(self) -> None:
        layers = self.layers
        if not layers:
            raise InputError("a shaking map without any layer says nothing; give at least pga_g, pgv_cm_s or mmi.")
        first = next(iter(layers.values()))
        for raster in layers.values():
            first.grid.require_same(raster.grid)
        if self.pga_g is not None and np.nanmax(self.pga_g.values, initial=0.0) > 5.0:
            raise InputError(
                f"PGA reaches {np.nanmax(self.pga_g.values):g} g; no earthquake did: the values look like percent g or cm/s2."
            )

    @property
    def layers(self) -> dict[str, Raster]:
        """The layers that are given, by field name."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, Raster)}

    @property
    def grid(self) -> Grid:
        return next(iter(self.layers.values())).grid

    def on(self, grid: Grid) -> Shaking:
        """The shaking on another grid, bilinear between the nodes; unknown outside the source."""
        moved: dict[str, Any] = {name: align(r, to=grid, how="bilinear") for name, r in self.layers.items()}
        return replace(self, **moved)
