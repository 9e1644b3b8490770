"""Reading a raster at points."""

from __future__ import annotations

from typing import Any, Literal

import geopandas
import numpy as np
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.errors import CrsError, InputError
from hazardgeo.grid import Grid
from hazardgeo.raster.core import UNKNOWN_CLASS, UNKNOWN_ID, Raster


def require_crs(shapes: geopandas.GeoDataFrame | geopandas.GeoSeries, grid: Grid, what: str) -> None:
    """Raise CrsError unless `shapes` are in the CRS of `grid`; a missing CRS is an error too."""
    if shapes.crs is None:
        raise CrsError(f"{what} have no CRS; state it with .set_crs('EPSG:...').")
    if _crs.horizontal(shapes.crs) != grid.crs:
        raise CrsError(
            f"{what} are in {_crs.label(shapes.crs)}, the raster in {_crs.label(grid.crs)}; "
            "project them first with .to_crs(raster.grid.crs)."
        )


def sample(
    r: Raster, points: geopandas.GeoDataFrame | geopandas.GeoSeries, *, how: Literal["nearest", "bilinear"] = "nearest"
) -> NDArray[Any]:
    """The values of `r` at `points`, in their order.

    "nearest" takes the cell that holds the point. "bilinear" interpolates between the four nearest cell centres and is
    unknown where one of those that count is unknown. Outside the raster the value is unknown (NaN, 255 or 0).
    Raises CrsError where the CRS differ and InputError for geometries that are not points.
    """
    require_crs(points, r.grid, "points")
    geometry = points.geometry
    if not (geometry.geom_type == "Point").all():
        raise InputError("sample needs points; use .representative_point() or raster.zonal for areas.")
    east, north = geometry.x.to_numpy(), geometry.y.to_numpy()
    return sample_xy(r, east, north, how=how)


def sample_xy(
    r: Raster, east: NDArray[np.float64], north: NDArray[np.float64], *, how: Literal["nearest", "bilinear"] = "nearest"
) -> NDArray[Any]:
    """As `sample`, at coordinates in the CRS of the raster."""
    if how == "bilinear":
        return _bilinear(r, east, north)
    row, col = r.grid.rowcol(east, north)
    rows, cols = r.grid.shape
    inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
    fill = {"f": np.nan, "u": UNKNOWN_CLASS, "i": UNKNOWN_ID, "b": False}[r.values.dtype.kind]
    result = np.full(len(row), fill, r.values.dtype)
    result[inside] = r.values[row[inside], col[inside]]
    return result


def _bilinear(r: Raster, east: NDArray[np.float64], north: NDArray[np.float64]) -> NDArray[np.float64]:
    if r.values.dtype.kind != "f":
        raise InputError(f"raster {r.name!r} holds codes, which cannot be interpolated; use how='nearest'.")
    width, height = r.grid.cell
    x = (np.asarray(east) - r.grid.transform.c) / width - 0.5
    y = (r.grid.transform.f - np.asarray(north)) / height - 0.5
    rows, cols = r.grid.shape
    inside = (x >= -0.5) & (x <= cols - 0.5) & (y >= -0.5) & (y <= rows - 0.5)
    x, y = np.clip(np.nan_to_num(x), 0, cols - 1), np.clip(np.nan_to_num(y), 0, rows - 1)
    col, row = np.minimum(x.astype(int), max(cols - 2, 0)), np.minimum(y.astype(int), max(rows - 2, 0))
    fx, fy = x - col, y - row
    total = np.zeros(len(x))
    for dr, wy in ((0, 1 - fy), (1, fy)):
        for dc, wx in ((0, 1 - fx), (1, fx)):
            weight = wx * wy
            values = r.values[np.minimum(row + dr, rows - 1), np.minimum(col + dc, cols - 1)]
            total += np.where(weight > 0, weight * values, 0.0)
    return np.where(inside, total, np.nan)
