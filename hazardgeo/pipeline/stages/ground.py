"""From a laser scan to surfaces, and from a surface to its shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from hazardgeo import scan as _scan
from hazardgeo import terrain as _terrain
from hazardgeo.cloud import PointCloud
from hazardgeo.raster import Raster


def ground(
    scan: PointCloud,
    *,
    cell_m: Annotated[float, Gt(0)] = 1.0,
    max_gap_m: Annotated[float, Ge(0)] = 5.0,
    max_cover_m: Annotated[float, Ge(0)] = 20.0,
    filter_cell_m: Annotated[float, Gt(0)] = 1.0,
) -> dict[str, Raster]:
    """Terrain and surface model of a laser scan."""
    classified = _scan.classify_ground(scan, cell_m=filter_cell_m)
    return {
        "dem": _scan.dtm(classified, cell_m=cell_m, max_gap_m=max_gap_m, max_cover_m=max_cover_m),
        "dsm": _scan.dsm(classified, cell_m=cell_m),
    }


def terrain(dem: Raster, *, slope_scale_m: Annotated[float, Gt(0)] | None = None) -> dict[str, Raster]:
    """Slope at a stated scale (the cell where none is stated), aspect, hillshade and wetness.

    Wetness is unknown where water may come in from beyond the terrain, since it would be too low there.
    """
    wetness = _terrain.wetness(dem)
    complete = np.where(_terrain.inflow_unknown(dem).values, np.nan, wetness.values).astype(np.float32)
    return {
        "slope": _terrain.slope(dem, scale_m=slope_scale_m),
        "aspect": _terrain.aspect(dem),
        "hillshade": _terrain.hillshade(dem),
        "wetness": replace(wetness, values=complete),
    }
