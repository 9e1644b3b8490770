"""Streams as lines, and the height of the ground above them."""

from __future__ import annotations

import math

import geopandas
import numpy as np

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster, rasterize
from hazardgeo.terrain.flow import drained_surface, known_surface
from hazardgeo.terrain.paths import met_below
from hazardgeo.terrain.stream_lines import StreamCells, stream_lines
from hazardgeo.tiles.drainage import D8, beside, gather_down
from hazardgeo.tiles.flood import Flags, Surface

TO_MEET = np.inf
HAND = "Rennó et al. (2008), Remote Sensing of Environment 112:3469-3481, doi:10.1016/j.rse.2008.03.018 (not checked)"


def streams(dem: Raster, *, min_area_m2: float) -> geopandas.GeoDataFrame:
    """Streams where at least `min_area_m2` drains through a cell, as lines from source or confluence to the next one below.

    Columns: `stream` (numbers from 1), `downstream` (that of the next one, 0 where water leaves), `order` of Strahler (1957,
    doi 10.1029/TR038i006p00913), `length_m`, `upstream_area_m2` at the lower end (before the confluence), and
    `inflow_unknown`: True where water may come in unseen, so that area and order are lower bounds and a stream may be
    missing above. Lines run from centre to centre along `flow_direction`, downstream. Errors are those of `fill`, and
    InputError for an area that is no positive number.
    """
    require_area(min_area_m2)
    z = known_surface(dem, "streams")
    known = ~np.isnan(z)
    _, towards = drained_surface(z, dem.grid.cell_m)
    count = gather_down(towards, known).reshape(-1)
    cells = np.flatnonzero(count >= cells_of(min_area_m2, dem.grid))
    unseen = gather_down(towards, beside(~known)).reshape(-1)[cells] > 0
    return stream_lines(StreamCells(cells, towards.reshape(-1)[cells], count[cells], unseen), dem.grid)


def height_above_drainage(
    dem: Raster, *, min_area_m2: float | None = None, streams: Raster | geopandas.GeoDataFrame | None = None
) -> Raster:
    """Height in m of each cell above the stream that its water comes to first, along `flow_direction` (HAND).

    Streams are the cells through which at least `min_area_m2` drains, or those given: a mask on the grid of `dem`, or
    shapes, which take every cell that they touch. The height is that of the ground above the filled surface in the
    stream: below 0 in depressions that lie lower than the water they spill to. Rennó et al. (2008),
    doi 10.1016/j.rse.2008.03.018; not checked against the paper.

    Unknown where water leaves the raster or runs into unknown cells before it comes to a stream; with `min_area_m2` also
    where it runs through a cell that may be a stream, since water may come in there unseen (`inflow_unknown`): the
    height would be too large. With given streams, what is no stream in them counts as none. Unknown cells stay unknown. No
    halo serves. Errors are those of `fill`, GridMismatchError for a mask on another grid, CrsError for shapes in another
    CRS, and InputError unless one of the two is given.
    """
    if (min_area_m2 is None) == (streams is None):
        raise InputError("height_above_drainage needs streams: give either min_area_m2 or streams.")
    if min_area_m2 is not None:
        require_area(min_area_m2)
    given = None if streams is None else _mask(streams, dem.grid)
    z = known_surface(dem, "height_above_drainage")
    filled, towards = drained_surface(z, dem.grid.cell_m)
    known = ~np.isnan(z)
    if given is None:
        stream = known & (gather_down(towards, known) >= cells_of(float(min_area_m2 or 0), dem.grid))
        level = levels_to_meet(filled, stream, gather_down(towards, beside(~known)) > 0)
    else:
        level = levels_to_meet(filled, known & given, None)
    met_below(towards, level, TO_MEET, np.nan)
    return Raster(z - level, dem.grid, "height_above_drainage", "m", tags=hand_tags(min_area_m2))


def levels_to_meet(filled: Surface, stream: Flags, unseen: Flags | None) -> Surface:
    """What water meets: the level in streams, unknown where it runs through a cell that may be one, TO_MEET elsewhere."""
    level = np.full(filled.shape, TO_MEET, filled.dtype)
    if unseen is not None:
        level[unseen] = np.nan
    level[stream] = filled[stream]
    return level


def hand_tags(min_area_m2: float | None) -> dict[str, str]:
    """What is said of heights above drainage."""
    return {
        "method": f"height above the nearest drainage, {HAND}; {D8}",
        "streams": "given" if min_area_m2 is None else f"from {min_area_m2:g} m2",
    }


def require_area(min_area_m2: float) -> None:
    """Raise InputError for an area above which no stream can begin."""
    if not (math.isfinite(min_area_m2) and min_area_m2 > 0):
        raise InputError(f"min_area_m2 is {min_area_m2:g}; give the area in m2 above which a stream begins.")


def cells_of(area_m2: float, grid: Grid) -> float:
    """The number of cells of an area; a whole number of cells is not missed by rounding."""
    width, height = grid.cell_m
    return area_m2 / (width * height) * (1 - 1e-12)


def _mask(streams: Raster | geopandas.GeoDataFrame, grid: Grid) -> Flags:
    if not isinstance(streams, Raster):
        return np.asarray(rasterize(streams, grid, all_touched=True).values, np.bool_)
    grid.require_same(streams.grid)
    return np.asarray(require_mask(streams).values, np.bool_)


def require_mask(streams: Raster) -> Raster:
    """The raster, where it is a mask; InputError for others."""
    if streams.values.dtype != np.bool_:
        raise InputError(f"raster {streams.name!r} holds {streams.values.dtype}, not a mask; compare it with a limit first.")
    return streams
