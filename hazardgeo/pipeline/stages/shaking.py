"""How strongly the ground shook: a ShakeMap, or a ground-motion model for a stated earthquake."""

from __future__ import annotations

from typing import Literal

from hazardgeo import event as _event
from hazardgeo import hazard as _hazard
from hazardgeo import terrain as _terrain
from hazardgeo.event import Earthquake, Shaking
from hazardgeo.pipeline.skip import Skip
from hazardgeo.raster import Raster, align

VS30_SLOPE_SCALE_M = 900.0  # Wald and Allen (2007) fitted Vs30 to the slope of 30 arcsec cells


def shaking(
    shakemap: Shaking | None = None,
    event: Earthquake | None = None,
    dem: Raster | None = None,
    vs30: Raster | None = None,
    *,
    mechanism: Literal["reverse", "strike_slip", "normal", "unspecified"] = "unspecified",
) -> dict[str, Shaking]:
    """The shaking that everything later uses; a ShakeMap goes before a modelled earthquake."""
    if shakemap is not None:
        return {"shaking": shakemap}
    if event is None:
        raise Skip("needs inputs.shakemap, or an [event] with magnitude, place, depth and time")
    if dem is None:
        raise Skip("a modelled [event] needs inputs.dem or inputs.scan to know where")
    if vs30 is None:
        vs30 = _hazard.vs30_from_slope(_terrain.slope(dem, scale_m=VS30_SLOPE_SCALE_M))
    ground = align(vs30, to=dem.grid, how="bilinear")
    return {"shaking": _event.scenario_shaking(event, dem.grid, vs30_m_s=ground, mechanism=mechanism)}
