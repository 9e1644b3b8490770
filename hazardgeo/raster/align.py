"""Bringing a raster onto another grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import rasterio.warp
from numpy.typing import NDArray
from rasterio.enums import Resampling

from hazardgeo import crs as _crs
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster.core import UNKNOWN_CLASS, UNKNOWN_ID, Raster

How = Literal["nearest", "bilinear", "cubic", "mean", "min", "max", "mode"]
_GDAL = {"mean": Resampling.average, "mode": Resampling.mode, "min": Resampling.min, "max": Resampling.max}
_AGGREGATES = ("mean", "min", "max", "mode")
WARP_TOLERANCE_CELLS = 0.01
MAX_CELLS = 2**31  # 8 GB in float32


def align(r: Raster, *, to: Grid, how: How) -> Raster:
    """`r` on the grid `to`, reprojected where the CRS differs.

    Use "bilinear" or "cubic" for surfaces on a finer grid, "mean" (or "min", "max") on a coarser one, "nearest" or
    "mode" for classes and ids. A cell is known where the source cell under its centre is known (interpolation), or
    where at least half of it is (aggregation): unknown cells neither spread nor are filled in, and nothing is
    extrapolated beyond the edge of `r`. Heights keep their reference. Raises InputError for classes or ids that would
    be averaged.
    """
    if how not in get_args(How):
        raise InputError(f"unknown way to align {how!r}; use one of {', '.join(get_args(How))}.")
    if r.values.dtype.kind != "f" and how not in ("nearest", "mode"):
        raise InputError(
            f"raster {r.name!r} holds {r.values.dtype} codes, which cannot be averaged; use how='nearest' or 'mode'."
        )
    if r.grid.same_as(to):
        return replace(r, grid=to)
    if r.values.dtype == bool:
        return replace(r, values=_warp(r.values.astype(np.uint8), r.grid, to, how, UNKNOWN_CLASS) == 1, grid=to)
    if r.values.dtype.kind != "f":
        fill = UNKNOWN_CLASS if r.values.dtype == np.uint8 else UNKNOWN_ID
        return replace(r, values=_warp(r.values, r.grid, to, how, fill), grid=to)
    values = _warp(r.values, r.grid, to, how, np.nan)
    values[~_known(r, to, how)] = np.nan
    return replace(r, values=values, grid=to)


def metric_grid(grid: Grid, *, crs: Any = None, cell_m: float | None = None) -> Grid:
    """A metric grid over the same area: square cells of about the same size, in `crs` or the UTM zone of its centre.

    A grid that is metric already is returned as it is, unless a CRS is asked for.
    """
    if grid.is_metric and crs is None:
        return grid
    west, south, east, north = rasterio.warp.transform_bounds(grid.crs, "EPSG:4326", *grid.bounds)
    target = _crs.horizontal(crs) if crs is not None else _crs.utm((west + east) / 2, (south + north) / 2)
    size = cell_m if cell_m is not None else float(f"{np.sqrt(np.median(grid.cell_areas_m2())):.2g}")
    made = Grid.from_bounds(rasterio.warp.transform_bounds(grid.crs, target, *grid.bounds), cell=size, crs=target)
    made.require_metric("a metric grid")
    if made.shape[0] * made.shape[1] > MAX_CELLS:
        raise InputError(f"cells of {size:g} m would make a grid of {made.shape[0]:,} x {made.shape[1]:,}; choose larger cells.")
    return made


def _known(r: Raster, to: Grid, how: How) -> NDArray[np.bool_]:
    if how in _AGGREGATES:
        share = _warp((~r.unknown).astype(np.float32), r.grid, to, "mean", np.nan, fill_outside=0.0)
        return np.asarray(share >= 0.5 - 1e-6)
    return np.asarray(_warp((~r.unknown).astype(np.uint8), r.grid, to, "nearest", UNKNOWN_CLASS) == 1)


def _warp(
    values: NDArray[Any], grid: Grid, to: Grid, how: How, unknown: float, *, fill_outside: float | None = None
) -> NDArray[Any]:
    outside = unknown if fill_outside is None else fill_outside
    result = np.full(to.shape, outside, values.dtype)
    rasterio.warp.reproject(
        values,
        result,
        src_transform=grid.transform,
        src_crs=grid.crs.to_wkt(),
        src_nodata=unknown,
        dst_transform=to.transform,
        dst_crs=to.crs.to_wkt(),
        dst_nodata=outside,
        init_dest_nodata=True,
        resampling=_GDAL.get(how) or Resampling[how],
        tolerance=WARP_TOLERANCE_CELLS,
    )
    return result
