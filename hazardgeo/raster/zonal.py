"""What a raster says inside areas."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import rasterio.features
import shapely
from numpy.typing import NDArray

from hazardgeo.raster.core import Raster
from hazardgeo.raster.sample import require_crs


def zonal(r: Raster, zones: geopandas.GeoDataFrame) -> pd.DataFrame:
    """Per zone, with the index of `zones`: cells, known_share (0-1), mean, min, max of the known cells.

    A zone takes every cell that it touches, so a small site is never without a cell, and zones may overlap. Parts of a
    zone outside the raster count as unknown. mean, min and max are NaN where nothing is known.
    """
    require_crs(zones, r.grid, "zones")
    rows = [_zone(r, geometry) for geometry in zones.geometry]
    columns = {"cells": np.int64, "known_share": np.float64, "mean": np.float64, "min": np.float64, "max": np.float64}
    return pd.DataFrame(rows, index=zones.index, columns=list(columns)).astype(columns)


def _zone(r: Raster, geometry: shapely.Geometry | None) -> tuple[int, float, float, float, float]:
    nothing = (0, 0.0, np.nan, np.nan, np.nan)
    if geometry is None or geometry.is_empty:
        return nothing
    rows, cols = r.grid.window_of(geometry.bounds)
    if rows.stop <= rows.start or cols.stop <= cols.start:
        return nothing
    block = r.window(rows, cols)
    mask = rasterio.features.geometry_mask([geometry], block.grid.shape, block.grid.transform, all_touched=True, invert=True)
    if geometry.geom_type == "Point" and not mask.any():
        return nothing
    known: NDArray[np.float64] = block.values[mask & ~block.unknown].astype(np.float64)
    touched = int(mask.sum())
    if touched == 0:
        return nothing
    share = known.size / touched * _inside_share(r, geometry)
    if known.size == 0:
        return touched, 0.0, np.nan, np.nan, np.nan
    return touched, share, float(known.mean()), float(known.min()), float(known.max())


def _inside_share(r: Raster, geometry: shapely.Geometry) -> float:
    """Share of the zone (by area, length or count) that lies inside the raster."""
    box = shapely.box(*r.grid.bounds)
    if box.contains(geometry):
        return 1.0
    inside = geometry.intersection(box)
    for measure in ("area", "length"):
        whole = float(getattr(geometry, measure))
        if whole > 0:
            return float(getattr(inside, measure)) / whole
    return float(shapely.get_num_coordinates(inside) / shapely.get_num_coordinates(geometry))
