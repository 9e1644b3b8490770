"""Streams as lines, and the height of the ground above them."""

from __future__ import annotations

import math

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster, rasterize
from hazardgeo.terrain.flow import drained_surface, known_surface
from hazardgeo.terrain.paths import beginnings, met_below
from hazardgeo.tiles.drainage import D8, Ways, beside, gather_down
from hazardgeo.tiles.flood import Cells, Flags, longer, ring_steps

Orders = NDArray[np.uint8]
HAND = "Rennó et al. (2008), Remote Sensing of Environment 112:3469-3481, doi:10.1016/j.rse.2008.03.018 (not checked)"


def streams(dem: Raster, *, min_area_m2: float) -> geopandas.GeoDataFrame:
    """Streams where at least `min_area_m2` drains through a cell, as lines from source or confluence to the next one below.

    Columns: `stream` (numbers from 1), `downstream` (that of the next one, 0 where water leaves), `order` of Strahler (1957,
    doi 10.1029/TR038i006p00913), `length_m`, `upstream_area_m2` at the lower end (before the confluence), and
    `inflow_unknown`: True where water may come in unseen, so that area and order are lower bounds and a stream may be
    missing above. Lines run from centre to centre along `flow_direction`, downstream. Errors are those of `fill`, and
    InputError for an area that is no positive number.
    """
    _require_area(min_area_m2)
    z = known_surface(dem, "streams")
    width, height = dem.grid.cell_m
    known = ~np.isnan(z)
    _, towards = drained_surface(z, (width, height))
    count = gather_down(towards, known)
    stream = known & (count >= _cells_of(min_area_m2, dem.grid))
    order = _orders(towards, stream)
    starts = beginnings(towards, stream)
    cells, ends = _links(towards, starts)
    number = np.zeros(z.size, np.int32)
    lines = np.diff(ends, prepend=0) > 1
    firsts = np.concatenate([[0], ends[:-1]]).astype(np.int64)[lines]
    number[cells[firsts]] = np.arange(1, len(firsts) + 1)
    lasts = ends[lines] - 1
    downstream = number[cells[lasts]]
    lower = np.where(np.isin(cells[lasts], starts), cells[lasts - 1], cells[lasts])
    unseen = gather_down(towards, beside(~known)).reshape(-1)
    xy = _centres(cells, dem.grid)
    geometry = [shapely.LineString(xy[first : last + 1]) for first, last in zip(firsts, lasts, strict=True)]
    columns = {
        "stream": number[cells[firsts]],
        "downstream": downstream,
        "order": order.reshape(-1)[cells[firsts]].astype(np.int32),
        "length_m": np.array([line.length for line in geometry], float),
        "upstream_area_m2": count.reshape(-1)[lower] * (width * height),
        "inflow_unknown": unseen[lower] > 0,
    }
    return geopandas.GeoDataFrame(columns, geometry=geometry, crs=dem.grid.crs)


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
        _require_area(min_area_m2)
    given = None if streams is None else _mask(streams, dem.grid)
    z = known_surface(dem, "height_above_drainage")
    filled, towards = drained_surface(z, dem.grid.cell_m)
    known = ~np.isnan(z)
    level = np.full(z.shape, np.inf, z.dtype)
    if given is None:
        stream = known & (gather_down(towards, known) >= _cells_of(float(min_area_m2 or 0), dem.grid))
        level[gather_down(towards, beside(~known)) > 0] = np.nan
    else:
        stream = known & given
    level[stream] = filled[stream]
    met_below(towards, level, np.inf, np.nan)
    tags = {"method": f"height above the nearest drainage, {HAND}; {D8}"}
    tags |= {"streams": "given" if min_area_m2 is None else f"from {min_area_m2:g} m2"}
    return Raster(z - level, dem.grid, "height_above_drainage", "m", tags=tags)


def _require_area(min_area_m2: float) -> None:
    if not (math.isfinite(min_area_m2) and min_area_m2 > 0):
        raise InputError(f"min_area_m2 is {min_area_m2:g}; give the area in m2 above which a stream begins.")


def _cells_of(area_m2: float, grid: Grid) -> float:
    """The number of cells of an area; a whole number of cells is not missed by rounding."""
    width, height = grid.cell_m
    return area_m2 / (width * height) * (1 - 1e-12)


def _mask(streams: Raster | geopandas.GeoDataFrame, grid: Grid) -> Flags:
    if not isinstance(streams, Raster):
        return np.asarray(rasterize(streams, grid, all_touched=True).values, np.bool_)
    grid.require_same(streams.grid)
    if streams.values.dtype != np.bool_:
        raise InputError(f"raster {streams.name!r} holds {streams.values.dtype}, not a mask; compare it with a limit first.")
    return np.asarray(streams.values, np.bool_)


def _centres(cells: Cells, grid: Grid) -> NDArray[np.float64]:
    """East and north of cells counted row by row."""
    east, north = grid.centres()
    rows, cols = np.divmod(cells, grid.shape[1])
    return np.column_stack([east[cols], north[rows]])


@kernel
def _orders(towards: Ways, stream: Flags) -> Orders:
    """Strahler's order of the stream cells: 1 at sources, one more where two of the highest meet; 0 elsewhere."""
    way, inside = towards.reshape(-1), stream.reshape(-1)
    ring = ring_steps(towards.shape[1])
    waits, order = np.zeros(len(way), np.uint8), np.zeros(towards.shape, np.uint8)
    orders, twice = order.reshape(-1), np.zeros(len(way), np.bool_)
    for above in range(len(way)):
        if inside[above] and way[above] >= 0:
            waits[np.uint64(above) + ring[way[above]]] += 1
    for first in range(len(way)):
        cell = np.uint64(first)
        while inside[cell] and waits[cell] == 0:
            waits[cell] = 255
            orders[cell] = max(orders[cell] + twice[cell], 1)
            if way[cell] < 0:
                break
            below = cell + ring[way[cell]]
            waits[below] -= 1
            if orders[cell] >= orders[below]:
                twice[below] = orders[cell] == orders[below]
                orders[below] = orders[cell]
            cell = below
    return order


@kernel
def _links(towards: Ways, starts: Cells) -> tuple[Cells, Cells]:
    """The cells of each line, from its start to the next one below, one line after the other; and where each ends."""
    way = towards.reshape(-1)
    ring = ring_steps(towards.shape[1])
    begins = np.zeros(len(way), np.bool_)
    for start in starts:
        begins[start] = True
    cells, ends, count = np.empty(64, np.int64), np.empty(len(starts), np.int64), 0
    for n in range(len(starts)):
        cell = starts[n]
        while True:
            cells = longer(cells, count + 1)
            cells[count] = cell
            count += 1
            if way[cell] < 0 or (begins[cell] and cell != starts[n]):
                break
            cell = np.int64(np.uint64(cell) + ring[way[cell]])
        ends[n] = count
    return cells[:count], ends
