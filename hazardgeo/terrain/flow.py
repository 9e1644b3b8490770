"""Where water goes: filled surfaces, flow directions, contributing areas and wetness."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hazardgeo.raster import Raster
from hazardgeo.raster.elevation import elevations
from hazardgeo.terrain.shape import horn, scale_tag, surface
from hazardgeo.terrain.window import Surface
from hazardgeo.tiles.drainage import (
    D8,
    DIRECTIONS,
    FLOOD,
    LOWER_BOUND,
    Flags,
    Ways,
    beside,
    codes,
    directions,
    draining,
    flood,
    gather,
    receivers,
    spread,
)

MIN_TAN = 0.001


def fill(dem: Raster) -> Raster:
    """Elevations in m with every depression filled level to its spill point.

    Cells at the edge of the raster and beside unknown cells are outlets, since water may leave there; a pit that drains
    only into the unknown is therefore not filled. Unknown cells stay unknown; the height reference is kept. No gradient
    is added to the filled flats (`flow_direction` drains them all the same). Priority flood of Barnes, Lehman & Mulla
    (2014), doi 10.1016/j.cageo.2013.04.024. Raises InputError unless the raster is an elevation in m, and CrsError
    unless the grid is metric.
    """
    z = elevations(dem, "fill")
    filled = flood(z, beside(np.isnan(z)))[0]
    return replace(dem, values=filled.astype(dem.values.dtype), name="filled", tags={"method": FLOOD})


def flow_direction(dem: Raster) -> Raster:
    """The neighbour that each cell drains to, as the codes 1 E, 2 SE, 4 S, 8 SW, 16 W, 32 NW, 64 N, 128 NE.

    Depressions are filled first (see `fill`). Water takes the steepest way down to one neighbour (D8). On flats it takes
    the fewest steps over cells of the same level to one that has a lower neighbour or is an outlet, so that every cell
    reaches an outlet; of equal ways the first counts, clockwise from east. That is the way towards lower ground of Barnes,
    Lehman & Mulla (2014), doi 10.1016/j.cageo.2013.01.009, without their way off higher ground. 0 marks an outlet: a cell
    at the edge or beside an unknown cell with no lower neighbour. 255 is unknown. Errors are those of `fill`.
    """
    z = elevations(dem, "flow_direction")
    found = codes(_towards(z, dem.grid.cell_m), np.isnan(z))
    return Raster(found, dem.grid, "flow_direction", "", classes=DIRECTIONS, tags={"method": D8})


def flow_accumulation(dem: Raster) -> Raster:
    """Area that drains through each cell, its own included, in m2, along `flow_direction`.

    The area is a lower bound in cells at the edge or beside unknown cells, and in every cell below them, because what
    drains in from there is not known. The areas at the outlets add up to the known area. Unknown cells stay unknown.
    Cells are counted as whole numbers and multiplied by the area of a cell once. Errors are those of `fill`.
    """
    area = contributing_area(elevations(dem, "flow_accumulation"), dem.grid.cell_m)
    return Raster(area, dem.grid, "flow_accumulation", "m2", tags={"method": D8, "validity": LOWER_BOUND})


def wetness(dem: Raster, *, scale_m: float | None = None) -> Raster:
    """Compound topographic index ln(a / tan b): where water gathers and the ground is flat it is high.

    a is the contributing area per width of contour, the width being the side of a square of the cell's area; b is the
    slope of Horn (1981), with tan b of at least 0.001, so that flats stay finite. Beven & Kirkby (1979),
    doi 10.1080/02626667909491834. With `scale_m` the surface is smoothed first, as in `slope`, before water is routed
    and slope is taken. a follows one steepest way (D8): values differ from those of maps made with other routing.

    A lower bound at the edge, beside unknown cells and downstream of both, as `flow_accumulation`; unknown where
    `slope` is unknown. Errors are those of `slope`.
    """
    z = surface(dem, "wetness", scale_m=scale_m)
    width, height = dem.grid.cell_m
    east, north = horn(z, width, height)
    specific = contributing_area(z, dem.grid.cell_m) / math.sqrt(width * height)
    index = np.log(specific / np.maximum(np.hypot(east, north), MIN_TAN))
    tags = {"method": f"ln(a / tan b), {D8}", "min_tan_slope": f"{MIN_TAN:g}", "validity": LOWER_BOUND}
    tags |= scale_tag(dem, scale_m)
    return Raster(index.astype(np.float32), dem.grid, "wetness", "1", tags=tags)


def inflow_unknown(dem: Raster) -> Raster:
    """True where water may come in from beyond the edge of the raster or from unknown cells.

    There and only there `flow_accumulation` and `wetness` are lower bounds. A hole within a closed depression also
    changes where the depression spills, which this does not see. Errors are those of `fill`.
    """
    z = elevations(dem, "inflow_unknown")
    received = _gathered(_towards(z, dem.grid.cell_m), beside(np.isnan(z)))
    return Raster((received > 0) & ~np.isnan(z), dem.grid, "inflow_unknown", "1", tags={"method": D8})


def contributing_area(z: Surface, cell_m: tuple[float, float]) -> NDArray[np.float64]:
    """Area in m2 that drains through each cell of a surface; NaN where the surface is unknown."""
    width, height = cell_m
    area = _gathered(_towards(z, cell_m), ~np.isnan(z)).astype(np.float64) * (width * height)
    area[np.isnan(z)] = np.nan
    return area


def _towards(z: Surface, cell_m: tuple[float, float]) -> Ways:
    """Position in the ring of neighbours that each cell drains to once depressions are filled."""
    out = beside(np.isnan(z))
    filled = flood(z, out)[0]
    return directions(filled, spread(filled, draining(filled, out)), *cell_m)


def _gathered(towards: Ways, own: Flags) -> NDArray[np.int64]:
    """How many cells that are True in `own` drain through each cell, itself included."""
    total, _ = gather(receivers(towards), own.ravel().astype(np.int64))
    return total.reshape(towards.shape)
