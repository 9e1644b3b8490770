"""Streams, and heights above them, of rasters of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.terrain.paths import met_below
from hazardgeo.terrain.stream_lines import StreamCells, stream_lines
from hazardgeo.terrain.streams import TO_MEET, cells_of, hand_tags, levels_to_meet, require_area, require_mask
from hazardgeo.terrain.tiled.below import exchange, seen_within, told
from hazardgeo.terrain.tiled.drained import drained
from hazardgeo.tiles import engine
from hazardgeo.tiles.engine import Partial, RasterSink, RasterSource
from hazardgeo.tiles.folder import discard, held
from hazardgeo.tiles.plan import Tile, plan
from hazardgeo.tiles.rims import ways_of
from hazardgeo.tiles.stitch import stitch


def streams(source: RasterSource, *, work_folder: Path, min_area_m2: float, **job: Any) -> geopandas.GeoDataFrame:
    """`terrain.streams` of elevations of any size: the same lines in the same order.

    The cells of the streams, some 60 bytes each, and their lines are held in memory; nothing else of the raster is. `job` is
    that of `tiles.map`, without a halo. Errors are those of the function and of `tiles.map`.
    """
    require_area(min_area_m2)
    source.grid.require_metric("streams")
    with drained(source, work_folder, **job) as water:
        sources = {"codes": water.codes, "counts": water.counts(), "inflow": water.inflow()}
        options = {"min_cells": cells_of(min_area_m2, source.grid), "cols_in_all": source.grid.shape[1]}
        work = engine.Job(_stream_cells, options=options, **water.job)
        folder = work_folder / "cells"
        tiles = plan(source.grid, tile_cells=work.tile_cells)
        with held(folder):
            engine.work_in(folder, work, sources, source.grid, "parts")
            engine.compute_parts(work, sources, source.grid, tiles, folder)
            parts = [engine.read_part(folder, tile) for tile in tiles]
            discard(folder)
    columns = {name: np.concatenate([part[name] for part in parts]) for name in ("cells", "towards", "counts", "unseen")}
    parts.clear()
    order = np.argsort(columns["cells"])
    return stream_lines(StreamCells(**{name: column[order] for name, column in columns.items()}), source.grid)


def height_above_drainage(
    source: RasterSource,
    sink: RasterSink,
    *,
    work_folder: Path,
    min_area_m2: float | None = None,
    streams: RasterSource | None = None,
    **job: Any,
) -> None:
    """`terrain.height_above_drainage` of elevations of any size, to the last bit; given `streams` are a mask (bool raster).

    What water meets in other tiles is found in one pass, from the ways between the rims of tiles. `job` is that of
    `tiles.map`, without a halo. Errors are those of the function and of `tiles.map`.
    """
    if (min_area_m2 is None) == (streams is None):
        raise InputError("height_above_drainage needs streams: give either min_area_m2 or streams.")
    source.grid.require_metric("height_above_drainage")
    if streams is not None:
        source.grid.require_same(streams.grid)
    else:
        require_area(float(min_area_m2 or 0))
    with drained(source, work_folder, **job) as water:
        sources: dict[str, RasterSource] = {"dem": source, "filled": water.filled, "codes": water.codes}
        if streams is None:
            sources |= {"counts": water.counts(), "inflow": water.inflow()}
        else:
            sources |= {"given": streams}
        least = None if min_area_m2 is None else cells_of(min_area_m2, source.grid)
        options = {"min_cells": least, "min_area_m2": min_area_m2}
        folder = work_folder / "below"
        stitch(_levels, exchange, _heights, sources, sink, work_folder=folder, halo=1, options=options, **water.job)


def _stream_cells(codes: Raster, counts: Raster, inflow: Raster, tile: Tile, min_cells: float, cols_in_all: int) -> Partial:
    stream = counts.values >= min_cells
    rows, cols = np.nonzero(stream)
    return {
        "cells": (rows + tile.core[0].start) * cols_in_all + cols + tile.core[1].start,
        "towards": ways_of(codes)[stream],
        "counts": counts.values[stream].astype(np.int64),
        "unseen": inflow.values[stream],
    }


def _levels(
    dem: Raster,
    filled: Raster,
    codes: Raster,
    inner: tuple[slice, slice],
    min_cells: float | None,
    counts: Raster | None = None,
    inflow: Raster | None = None,
    given: Raster | None = None,
    **_: Any,
) -> Partial:
    if counts is not None and inflow is not None:
        level = levels_to_meet(filled.values, counts.values >= (min_cells or 0), inflow.values)
    else:
        assert given is not None
        level = levels_to_meet(filled.values, require_mask(given).values & ~filled.unknown, None)
    seen = seen_within(ways_of(codes), np.ascontiguousarray(level[inner]), inner, dem.grid.cell_m, TO_MEET)
    return {"dem": np.ascontiguousarray(dem.values[inner]), **seen}


def _heights(local: Partial, exchanged: Partial, grid: Grid, min_area_m2: float | None, **_: Any) -> Raster:
    towards, level, _far = told(local, exchanged, TO_MEET)
    met_below(towards, level, TO_MEET, np.nan)
    return Raster(local["dem"] - level, grid, "height_above_drainage", "m", tags=hand_tags(min_area_m2))
