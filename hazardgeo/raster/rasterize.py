"""Shapes to cells."""

from __future__ import annotations

import geopandas
import numpy as np
import rasterio.features
import shapely

from hazardgeo.errors import InputError, MissingColumnError
from hazardgeo.grid import Grid
from hazardgeo.raster.core import Raster
from hazardgeo.raster.sample import require_crs


def rasterize(shapes: geopandas.GeoDataFrame, grid: Grid, *, all_touched: bool = False) -> Raster:
    """True in the cells whose centre lies in a shape (with `all_touched`, in every cell that a shape touches)."""
    require_crs(shapes, grid, "shapes")
    geometry = [g for g in shapes.geometry if g is not None and not g.is_empty]
    mask = np.zeros(grid.shape, np.uint8)
    if geometry:
        rasterio.features.rasterize(geometry, out=mask, transform=grid.transform, all_touched=all_touched, default_value=1)
    return Raster(mask.astype(bool), grid, "covered", "1")


def burn(shapes: geopandas.GeoDataFrame, grid: Grid, *, column: str, all_touched: bool = False) -> Raster:
    """The numbers of `column` in the cells of each shape, NaN elsewhere; where shapes overlap, the largest counts."""
    require_crs(shapes, grid, "shapes")
    if column not in shapes.columns:
        raise MissingColumnError(f"the shapes have no column {column!r}; they have {', '.join(map(str, shapes.columns))}.")
    numbers = shapes[column].astype(float)
    if np.isinf(numbers).any():
        raise InputError(f"column {column!r} holds infinite values; correct them first.")
    geometry = shapes.geometry.to_numpy()
    burnt = np.flatnonzero(numbers.notna().to_numpy() & ~shapely.is_missing(geometry) & ~shapely.is_empty(geometry))
    order = burnt[np.argsort(numbers.to_numpy()[burnt], kind="stable")]
    values = np.full(grid.shape, np.nan, np.float32)
    if len(order):
        pairs = [(geometry[i], float(numbers.iloc[i])) for i in order]
        rasterio.features.rasterize(pairs, out=values, transform=grid.transform, all_touched=all_touched)
    return Raster(values, grid, column, "")
