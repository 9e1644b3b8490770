"""How strongly the ground shook: a ShakeMap, an intensity map, or a ground-motion model for a stated earthquake."""

from __future__ import annotations

import warnings
from typing import Any, Literal

from hazardgeo import event as _event
from hazardgeo import hazard as _hazard
from hazardgeo import terrain as _terrain
from hazardgeo.errors import HazardGeoWarning, InputError
from hazardgeo.event import Earthquake, Shaking
from hazardgeo.pipeline.skip import Skip
from hazardgeo.raster import Raster, align

VS30_SLOPE_SCALE_M = 900.0  # Wald and Allen (2007) fitted Vs30 to the slope of 30 arcsec cells


def shaking(
    shakemap: Shaking | None = None,
    event: Earthquake | None = None,
    dem: Raster | None = None,
    vs30: Raster | None = None,
    isoseismals: Any = None,
    slope: Raster | None = None,
    *,
    source: Literal["model", "isoseismals"] = "model",
    mechanism: Literal["reverse", "strike_slip", "normal", "unspecified"] = "unspecified",
) -> dict[str, Shaking]:
    """The shaking that everything later uses: a ShakeMap, else what `source` names for the stated [event].

    The model never stands in for an intensity map: neither where that is missing, nor outside its zones, where shaking is
    unknown.
    """
    if shakemap is not None:
        return {"shaking": shakemap}
    if event is None:
        raise Skip("needs inputs.shakemap, or an [event] with magnitude, place, depth and time")
    if source == "isoseismals":
        return {"shaking": _from_isoseismals(isoseismals, event, dem if dem is not None else slope)}
    if dem is None:
        raise Skip("a modelled [event] needs inputs.dem or inputs.scan to know where")
    if vs30 is None:
        vs30 = _hazard.vs30_from_slope(_terrain.slope(dem, scale_m=VS30_SLOPE_SCALE_M))
    ground = align(vs30, to=dem.grid, how="bilinear")
    return {"shaking": _event.scenario_shaking(event, dem.grid, vs30_m_s=ground, mechanism=mechanism)}


def _from_isoseismals(isoseismals: Any, event: Earthquake, surface: Raster | None) -> Shaking:
    """The shaking of an intensity map on the grid of the terrain; a warning where its zones leave terrain uncovered."""
    if isoseismals is None:
        raise Skip("[shaking] source = 'isoseismals' needs inputs.isoseismals")
    if surface is None:
        raise Skip("inputs.isoseismals needs a terrain to know where: inputs.scan, inputs.dem or inputs.slope")
    found = _event.intensity_shaking(isoseismals.to_crs(surface.grid.crs), surface.grid, earthquake=event)
    outside = float(next(iter(found.layers.values())).unknown.mean())
    if outside == 1.0:
        raise InputError("the isoseismals do not reach the terrain, so its shaking is unknown; check the CRS of both.")
    if outside > 0.0:
        message = f"{outside:.1%} of the terrain lies outside the isoseismals; its shaking is unknown, not weak."
        warnings.warn(message, HazardGeoWarning, stacklevel=2)
    return found
