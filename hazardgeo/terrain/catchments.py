"""What drains to a place: its catchment, and the longest way that water takes to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.raster.sample import require_crs
from hazardgeo.terrain.flow import drained_surface, known_surface
from hazardgeo.terrain.paths import Lengths, far_below, farthest, met_below, step_lengths, way_within
from hazardgeo.tiles.drainage import D8, Ways, beside, gather_down
from hazardgeo.tiles.flood import Cells, Flags

Counts: TypeAlias = Callable[[slice, slice], NDArray[Any]]
Block: TypeAlias = Callable[[int, int], tuple[Ways, int, int]]  # the ways around a cell, and its first row and column
TO_MEET = -1


def catchment(dem: Raster, outlets: geopandas.GeoDataFrame, *, snap_m: float = 0.0) -> Raster:
    """The outlet that each cell drains to first, along `flow_direction`: numbers of `outlets` from 1, in their order.

    Of outlets above one another each has what lies between it and the next ones above. An outlet is moved to the cell with
    the largest contributing area whose centre lies within `snap_m` of it, since points on maps seldom lie in the cells of
    streams; with 0 it stays in its cell. Cells that drain to no outlet are 0, as unknown cells are. Where water may come
    in unseen (`inflow_unknown`) the catchment may be larger than what is shown. No halo serves.

    Raises the errors of `fill`, CrsError for outlets in another CRS, and InputError for those that are no points, lie
    outside the known cells, or share a cell.
    """
    require_points(outlets, dem.grid, snap_m)
    z = known_surface(dem, "catchment")
    _, towards = drained_surface(z, dem.grid.cell_m)
    found = numbered(z.shape, outlet_cells(outlets, dem.grid, snap_m, _counts(towards, ~np.isnan(z), snap_m)))
    met_below(towards, found, TO_MEET, 0)
    return Raster(found, dem.grid, "catchment", "", tags={"method": D8, "snap_m": f"{snap_m:g}"})


def longest_flow_path(dem: Raster, outlets: geopandas.GeoDataFrame, *, snap_m: float = 0.0) -> geopandas.GeoDataFrame:
    """The longest way of water to each outlet, as a line downstream from centre to centre, along `flow_direction`.

    Columns: `length_m` and `inflow_unknown`: True where water may come in unseen, so that the length is a lower bound. The
    index is that of `outlets`; where nothing drains to an outlet the line is empty. Of equal ways, to the 2⁻²⁴ of a metre for
    each step, that of the first cell counts, row by row. `snap_m` and errors are those of `catchment`.
    """
    require_points(outlets, dem.grid, snap_m)
    z = known_surface(dem, "longest_flow_path")
    _, towards = drained_surface(z, dem.grid.cell_m)
    cells = outlet_cells(outlets, dem.grid, snap_m, _counts(towards, ~np.isnan(z), snap_m))
    found, far, lengths = numbered(z.shape, cells), np.zeros(z.shape), step_lengths(dem.grid.cell_m)
    far_below(towards, found, far, lengths, TO_MEET, 0)
    unseen = gather_down(towards, beside(np.isnan(z))).reshape(-1)[cells] > 0

    def block(_row: int, _col: int) -> tuple[Ways, int, int]:
        return towards, 0, 0

    return path_lines(outlets, cells, farthest(found, far, len(cells)), block, dem.grid).assign(inflow_unknown=unseen)


def path_lines(
    outlets: geopandas.GeoDataFrame, cells: Cells, farthest_of_each: tuple[Lengths, Cells], block: Block, grid: Grid
) -> geopandas.GeoDataFrame:
    """The ways from the farthest cell above each outlet, with their lengths; `block` gives the ways around a cell.

    `farthest_of_each` is how far the farthest cell is that comes to this outlet before any other, and which it is. Those of
    outlets above count too.
    """
    lengths, stops = step_lengths(grid.cell_m), np.sort(cells)
    number = {int(cell): n for n, cell in enumerate(cells)}
    most, head = (list(values) for values in farthest_of_each)
    below, gap, waits = [-1] * len(cells), [0.0] * len(cells), [0] * len(cells)
    for n, cell in enumerate(cells):
        rows, cols = way_down(block, int(cell), stops, grid)
        below[n] = number.get(int(rows[-1]) * grid.shape[1] + int(cols[-1]), -1) if len(rows) > 1 else -1
        gap[n] = _length_of(rows, cols, lengths)
        if below[n] >= 0:
            waits[below[n]] += 1
    ready = [n for n, count in enumerate(waits) if count == 0]
    while ready:
        n = ready.pop()
        k = below[n]
        if k >= 0:
            most[k], head[k] = min((most[k], head[k]), (most[n] + gap[n], head[n]), key=lambda one: (-one[0], one[1]))
            waits[k] -= 1
            if waits[k] == 0:
                ready.append(k)
    east, north = grid.centres()
    lines = []
    for first, cell in zip(head, cells, strict=True):
        if first == cell:
            lines.append(shapely.LineString())
            continue
        rows, cols = way_down(block, int(first), np.array([cell]), grid)
        lines.append(shapely.LineString(np.column_stack([east[cols], north[rows]])))
    return geopandas.GeoDataFrame(
        {"length_m": np.array([line.length for line in lines], float)}, geometry=lines, crs=grid.crs, index=outlets.index
    )


def way_down(block: Block, cell: int, stops: Cells, grid: Grid) -> tuple[Cells, Cells]:
    """Rows and columns of the way down from a cell to where water leaves, or to the first of `stops` (sorted) after it."""
    row, col = divmod(cell, grid.shape[1])
    stop_rows, stop_cols = np.divmod(stops, grid.shape[1])
    parts = [(np.array([row]), np.array([col]))]
    while True:
        towards, top, left = block(row, col)
        tall, wide = towards.shape
        inside = (stop_rows >= top) & (stop_rows < top + tall) & (stop_cols >= left) & (stop_cols < left + wide)
        local = (stop_rows[inside] - top) * wide + stop_cols[inside] - left
        rows, cols = way_within(towards, row - top, col - left, local)
        parts.append((rows[1:] + top, cols[1:] + left))
        row, col = int(rows[-1]) + top, int(cols[-1]) + left
        within = top <= row < top + tall and left <= col < left + wide
        if within or row * grid.shape[1] + col in stops:
            break
    found_rows, found_cols = (np.concatenate(column) for column in zip(*parts, strict=True))
    return found_rows, found_cols


def _length_of(rows: Cells, cols: Cells, lengths: Lengths) -> float:
    """How long the way from cell to cell is, in parts of a metre."""
    down, right = np.abs(np.diff(rows)), np.abs(np.diff(cols))
    return float(np.where(down == 0, lengths[0], np.where(right == 0, lengths[2], lengths[1])).sum())


def numbered(shape: tuple[int, int], cells: Cells) -> NDArray[np.int32]:
    """The numbers of outlets from 1 in their cells, TO_MEET elsewhere."""
    found = np.full(shape, TO_MEET, np.int32)
    found.reshape(-1)[cells] = np.arange(1, len(cells) + 1)
    return found


def require_points(outlets: geopandas.GeoDataFrame, grid: Grid, snap_m: float) -> None:
    """Raise InputError or CrsError for outlets that are none."""
    if not (math.isfinite(snap_m) and snap_m >= 0):
        raise InputError(f"snap_m is {snap_m:g}; give the distance in m within which outlets may be moved, or 0.")
    require_crs(outlets, grid, "outlets")
    if len(outlets) and not (outlets.geometry.geom_type == "Point").all():
        raise InputError("outlets must be points; take the lower ends of lines, or .representative_point() of areas.")


def _counts(towards: Ways, known: Flags, snap_m: float) -> Counts:
    """How many cells drain through those of a block, 0 in unknown ones; 1 in others where nothing is moved."""
    count = gather_down(towards, known) if snap_m > 0 else known
    return lambda rows, cols: count[rows, cols]


def outlet_cells(outlets: geopandas.GeoDataFrame, grid: Grid, snap_m: float, counts: Counts) -> Cells:
    """The cells of the outlets, counted row by row, moved to the largest of `counts` within `snap_m`."""
    east, north = outlets.geometry.x.to_numpy(), outlets.geometry.y.to_numpy()
    cells = np.empty(len(outlets), np.int64)
    for n, name in enumerate(outlets.index):
        row, col = (int(v[0]) for v in grid.rowcol(east[n : n + 1], north[n : n + 1]))
        if snap_m > 0:
            row, col = _largest_near(counts, grid, (float(east[n]), float(north[n])), snap_m, (row, col))
        inside = 0 <= row < grid.shape[0] and 0 <= col < grid.shape[1]
        if not (inside and counts(slice(row, row + 1), slice(col, col + 1))[0, 0] > 0):
            raise InputError(f"outlet {name} at {east[n]:.0f} E {north[n]:.0f} N lies outside the known cells; move or drop it.")
        cells[n] = row * grid.shape[1] + col
    different, times = np.unique(cells, return_counts=True)
    if len(different) < len(cells):
        names = ", ".join(str(name) for name in outlets.index[cells == different[times > 1][0]])
        raise InputError(f"outlets {names} lie in one cell; keep one of them, or snap them less far.")
    return cells


def _largest_near(counts: Counts, grid: Grid, point: tuple[float, float], snap_m: float, own: tuple[int, int]) -> tuple[int, int]:
    """The cell with the most cells above it whose centre lies within `snap_m` of a point, else its own."""
    rows, cols = grid.window_of((point[0] - snap_m, point[1] - snap_m, point[0] + snap_m, point[1] + snap_m))
    if rows.stop <= rows.start or cols.stop <= cols.start:
        return own
    east, north = grid.window(rows, cols).centres()
    away = np.hypot(north[:, None] - point[1], east[None, :] - point[0])
    near = np.where(away <= snap_m, counts(rows, cols), 0)
    if not near.any():
        return own
    row, col = np.unravel_index(int(near.argmax()), near.shape)
    return rows.start + int(row), cols.start + int(col)
