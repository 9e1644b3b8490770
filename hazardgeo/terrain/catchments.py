"""What drains to a place: its catchment, and the longest way that water takes to it."""

from __future__ import annotations

import math

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.raster.sample import require_crs
from hazardgeo.terrain.flow import drained_surface, known_surface
from hazardgeo.terrain.paths import farthest, met_below, way_up
from hazardgeo.tiles.drainage import COL, D8, ROW, Ways, beside, gather_down
from hazardgeo.tiles.flood import Cells, Surface


def catchment(dem: Raster, outlets: geopandas.GeoDataFrame, *, snap_m: float = 0.0) -> Raster:
    """The outlet that each cell drains to first, along `flow_direction`: numbers of `outlets` from 1, in their order.

    Of outlets above one another each has what lies between it and the next ones above. An outlet is moved to the cell with
    the largest contributing area whose centre lies within `snap_m` of it, since points on maps seldom lie in the cells of
    streams; with 0 it stays in its cell. Cells that drain to no outlet are 0, as unknown cells are. Where water may come
    in unseen (`inflow_unknown`) the catchment may be larger than what is shown. No halo serves.

    Raises the errors of `fill`, CrsError for outlets in another CRS, and InputError for those that are no points, lie
    outside the known cells, or share a cell.
    """
    z = known_surface(dem, "catchment")
    _, towards = drained_surface(z, dem.grid.cell_m)
    cells = _outlet_cells(outlets, z, towards, dem.grid, snap_m)
    found = np.full(z.shape, -1, np.int32)
    found.reshape(-1)[cells] = np.arange(1, len(cells) + 1)
    met_below(towards, found, -1, 0)
    return Raster(found, dem.grid, "catchment", "", tags={"method": D8, "snap_m": f"{snap_m:g}"})


def longest_flow_path(dem: Raster, outlets: geopandas.GeoDataFrame, *, snap_m: float = 0.0) -> geopandas.GeoDataFrame:
    """The longest way of water to each outlet, as a line downstream from centre to centre, along `flow_direction`.

    Columns: `length_m` and `inflow_unknown`: True where water may come in unseen, so that the length is a lower bound. The
    index is that of `outlets`; where nothing drains to an outlet the line is empty. Of equal ways the first counts,
    clockwise from east, at each cell from below. `snap_m` and errors are those of `catchment`.
    """
    z = known_surface(dem, "longest_flow_path")
    width, height = dem.grid.cell_m
    _, towards = drained_surface(z, (width, height))
    cells = _outlet_cells(outlets, z, towards, dem.grid, snap_m)
    lengths = np.array([math.hypot(row * height, col * width) for row, col in zip(ROW, COL, strict=True)])
    far = farthest(towards, lengths)
    east, north = dem.grid.centres()
    lines = []
    for cell in cells:
        rows, cols = np.divmod(way_up(towards, far, lengths, int(cell))[::-1], z.shape[1])
        xy = np.column_stack([east[cols], north[rows]])
        lines.append(shapely.LineString(xy) if len(xy) > 1 else shapely.LineString())
    unseen = gather_down(towards, beside(np.isnan(z))).reshape(-1)[cells] > 0
    columns = {"length_m": far.reshape(-1)[cells], "inflow_unknown": unseen}
    return geopandas.GeoDataFrame(columns, geometry=lines, crs=dem.grid.crs, index=outlets.index)


def _outlet_cells(outlets: geopandas.GeoDataFrame, z: Surface, towards: Ways, grid: Grid, snap_m: float) -> Cells:
    """The cells of the outlets, counted row by row."""
    if not (math.isfinite(snap_m) and snap_m >= 0):
        raise InputError(f"snap_m is {snap_m:g}; give the distance in m within which outlets may be moved, or 0.")
    require_crs(outlets, grid, "outlets")
    if len(outlets) and not (outlets.geometry.geom_type == "Point").all():
        raise InputError("outlets must be points; take the lower ends of lines, or .representative_point() of areas.")
    east, north = outlets.geometry.x.to_numpy(), outlets.geometry.y.to_numpy()
    count = gather_down(towards, ~np.isnan(z)) if snap_m > 0 else None
    cells = np.empty(len(outlets), np.int64)
    for n, name in enumerate(outlets.index):
        row, col = (int(v[0]) for v in grid.rowcol(east[n : n + 1], north[n : n + 1]))
        if count is not None:
            row, col = _largest_near(count, grid, (float(east[n]), float(north[n])), snap_m, (row, col))
        if not (0 <= row < grid.shape[0] and 0 <= col < grid.shape[1]) or np.isnan(z[row, col]):
            raise InputError(f"outlet {name} at {east[n]:.0f} E {north[n]:.0f} N lies outside the known cells; move or drop it.")
        cells[n] = row * grid.shape[1] + col
    different, times = np.unique(cells, return_counts=True)
    if len(different) < len(cells):
        names = ", ".join(str(name) for name in outlets.index[cells == different[times > 1][0]])
        raise InputError(f"outlets {names} lie in one cell; keep one of them, or snap them less far.")
    return cells


def _largest_near(
    count: NDArray[np.int32], grid: Grid, point: tuple[float, float], snap_m: float, own: tuple[int, int]
) -> tuple[int, int]:
    """The cell with the most cells above it whose centre lies within `snap_m` of a point, else its own."""
    rows, cols = grid.window_of((point[0] - snap_m, point[1] - snap_m, point[0] + snap_m, point[1] + snap_m))
    if rows.stop <= rows.start or cols.stop <= cols.start:
        return own
    east, north = grid.window(rows, cols).centres()
    away = np.hypot(north[:, None] - point[1], east[None, :] - point[0])
    near = np.where(away <= snap_m, count[rows, cols], 0)
    if not near.any():
        return own
    row, col = np.unravel_index(int(near.argmax()), near.shape)
    return rows.start + int(row), cols.start + int(col)
