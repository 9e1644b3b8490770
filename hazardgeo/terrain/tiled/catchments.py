"""Catchments and the longest ways to outlets, on rasters of any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.terrain.catchments import TO_MEET, outlet_cells, path_lines, require_points
from hazardgeo.terrain.paths import far_below, farthest, step_lengths
from hazardgeo.terrain.tiled.below import exchange, seen_within, told
from hazardgeo.terrain.tiled.drained import Drained, drained
from hazardgeo.tiles import engine
from hazardgeo.tiles.drainage import D8, Ways
from hazardgeo.tiles.engine import Partial, RasterSink, RasterSource
from hazardgeo.tiles.flood import Cells
from hazardgeo.tiles.plan import Tile, plan
from hazardgeo.tiles.rims import ways_of
from hazardgeo.tiles.stitch import stitch


def catchment(
    source: RasterSource,
    outlets: geopandas.GeoDataFrame,
    sink: RasterSink,
    *,
    work_folder: Path,
    snap_m: float = 0.0,
    **job: Any,
) -> None:
    """`terrain.catchment` of elevations of any size, cell for cell, in one pass over the ways between the rims of tiles.

    `job` is that of `tiles.map`, without a halo. Errors are those of the function and of `tiles.map`.
    """
    require_points(outlets, source.grid, snap_m)
    source.grid.require_metric("catchment")
    with drained(source, work_folder, **job) as water:
        cells = outlet_cells(outlets, source.grid, snap_m, _counts(water, snap_m))
        _number(water, cells, {"catchment": sink}, snap_m)


def longest_flow_path(
    source: RasterSource, outlets: geopandas.GeoDataFrame, *, work_folder: Path, snap_m: float = 0.0, **job: Any
) -> geopandas.GeoDataFrame:
    """`terrain.longest_flow_path` of elevations of any size: the same lines. `job` and errors are those of `catchment`."""
    require_points(outlets, source.grid, snap_m)
    source.grid.require_metric("longest_flow_path")
    with drained(source, work_folder, **job) as water:
        cells = outlet_cells(outlets, source.grid, snap_m, _counts(water, snap_m))
        number, far, inflow = water.scratch("number"), water.scratch("far"), water.inflow()
        _number(water, cells, {"catchment": number, "far": far}, snap_m)
        options = {"count": len(cells), "cols_in_all": source.grid.shape[1]}
        work = {"options": options, "work_folder": work_folder / "heads", **water.job}
        heads = engine.map_reduce(_heads, _farther, {"number": number, "far": far}, **work)
        lines = path_lines(outlets, cells, (heads["most"], heads["cell"]), _block_of(water), source.grid)
        at = _reader(inflow.grid, inflow.read)
        return lines.assign(inflow_unknown=np.array([at(*divmod(int(c), source.grid.shape[1])) > 0 for c in cells], bool))


def _number(water: Drained, cells: Cells, sinks: dict[str, RasterSink], snap_m: float) -> None:
    """The outlet that each cell drains to first, and how far away it is."""
    options = {"cells": cells, "cols_in_all": water.filled.grid.shape[1], "snap_m": snap_m}
    job = {"work_folder": water.folder / "below", "options": options, **water.job}
    stitch(_outlets, exchange, _numbers, {"codes": water.codes}, sinks, halo=1, **job)


def _outlets(codes: Raster, tile: Tile, inner: tuple[slice, slice], cells: Cells, cols_in_all: int, **_: Any) -> Partial:
    (top, bottom), (west, east) = ((axis.start, axis.stop) for axis in tile.core)
    rows, cols = np.divmod(cells, cols_in_all)
    here = (rows >= top) & (rows < bottom) & (cols >= west) & (cols < east)
    found = np.full((bottom - top, east - west), TO_MEET, np.int32)
    found[rows[here] - top, cols[here] - west] = np.flatnonzero(here) + 1
    return seen_within(ways_of(codes), found, inner, codes.grid.cell_m, TO_MEET)


def _numbers(local: Partial, exchanged: Partial, grid: Grid, snap_m: float, **_: Any) -> dict[str, Raster]:
    towards, found, far = told(local, exchanged, TO_MEET)
    far_below(towards, found, far, step_lengths(grid.cell_m), TO_MEET, 0)
    tags = {"method": D8, "snap_m": f"{snap_m:g}"}
    return {"catchment": Raster(found, grid, "catchment", "", tags=tags), "far": Raster(far, grid, "far", "1")}


def _heads(number: Raster, far: Raster, tile: Tile, count: int, cols_in_all: int) -> Partial:
    """How far the farthest cell of each outlet in the tile is, and which it is."""
    most, cell = farthest(number.values, far.values, count)
    rows, cols = np.divmod(cell, number.values.shape[1])
    at = (rows + tile.core[0].start) * cols_in_all + cols + tile.core[1].start
    return {"most": most, "cell": np.where(cell < 0, -1, at)}


def _farther(one: Partial, other: Partial) -> Partial:
    """The farther ones; of equal ones the first, row by row."""
    better = (other["most"] > one["most"]) | ((other["most"] == one["most"]) & (other["cell"] < one["cell"]))
    return {name: np.where(better, other[name], one[name]) for name in ("most", "cell")}


def _counts(water: Drained, snap_m: float) -> Callable[[slice, slice], NDArray[Any]]:
    """How many cells drain through those of a block, 0 in unknown ones; 1 in others where nothing is moved."""
    counts = water.counts() if snap_m > 0 else water.filled
    return lambda rows, cols: _known(counts.read(counts.grid.window(rows, cols)).values, counted=snap_m > 0)


def _known(values: NDArray[Any], *, counted: bool) -> NDArray[Any]:
    return np.asarray(np.nan_to_num(values) if counted else ~np.isnan(values))


def _block_of(water: Drained) -> Callable[[int, int], tuple[Ways, int, int]]:
    """The ways of the tile in which a cell lies, and the first row and column of the tile."""

    def block(row: int, col: int) -> tuple[Ways, int, int]:
        at = slice(row, row + 1), slice(col, col + 1)
        tile = plan(water.codes.grid, tile_cells=water.codes.tile_cells, within=at)[0]
        core = water.codes.grid.window(*tile.core)
        return ways_of(water.codes.read(core)), tile.core[0].start, tile.core[1].start

    return block


def _reader(grid: Grid, read: Callable[[Grid], Raster]) -> Callable[[int, int], Any]:
    """The value of one cell."""
    return lambda row, col: read(grid.window(slice(row, row + 1), slice(col, col + 1))).values[0, 0]
