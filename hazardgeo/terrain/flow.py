"""Where water goes: filled surfaces, flow directions, contributing areas and wetness."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.raster import Raster
from hazardgeo.raster.elevation import heights, require_possible
from hazardgeo.terrain import routing as _routing
from hazardgeo.terrain.gradient import scale_tag, steepness, surface
from hazardgeo.terrain.routing import EXPONENT, Routing
from hazardgeo.tiles.drainage import D8, DIRECTIONS, LOWER_BOUND, Ways, beside, codes, ways_down
from hazardgeo.tiles.flood import FLOOD, Flags, Surface, flood

MIN_TAN = 0.001


def fill(dem: Raster) -> Raster:
    """Elevations in m with every depression filled level to its spill point.

    Cells at the edge of the raster and beside unknown cells are outlets, since water may leave there; a pit that drains
    only into the unknown is therefore not filled. Unknown cells stay unknown; the height reference is kept. No gradient
    is added to the filled flats (`flow_direction` drains them all the same). Priority flood of Barnes, Lehman & Mulla
    (2014), doi 10.1016/j.cageo.2013.04.024. Raises InputError unless the raster is an elevation in m, and CrsError
    unless the grid is metric.
    """
    return filled_raster(dem, filled_surface(known_surface(dem, "fill")))


def flow_direction(dem: Raster) -> Raster:
    """The neighbour that each cell drains to, as the codes 1 E, 2 SE, 4 S, 8 SW, 16 W, 32 NW, 64 N, 128 NE.

    Depressions are filled first (see `fill`). Water takes the steepest way down to one neighbour (D8). On flats it takes
    the fewest steps over cells of the same level to one that has a lower neighbour or is an outlet, so that every cell
    reaches an outlet; of equal ways the first counts, clockwise from east. That is the way towards lower ground of Barnes,
    Lehman & Mulla (2014), doi 10.1016/j.cageo.2013.01.009, without their way off higher ground. 0 marks an outlet: a cell
    at the edge or beside an unknown cell with no lower neighbour. 255 is unknown. Errors are those of `fill`.
    """
    z = known_surface(dem, "flow_direction")
    return direction_raster(codes(ways_down(filled_surface(z), *dem.grid.cell_m), np.isnan(z)), dem.grid)


def flow_accumulation(dem: Raster, *, routing: Routing = "d8", exponent: float = EXPONENT) -> Raster:
    """Area that drains through each cell, its own included, in m2.

    All routings run over the filled surface (see `fill`) and cross its flats as `flow_direction` does.

    - "d8": all along `flow_direction`. Cells are counted as whole numbers and multiplied by the area of a cell once.
    - "dinf": down the steepest of eight triangles, between two neighbours by angle. Tarboton (1997), doi 10.1029/96WR03137.
    - "mfd": to all lower neighbours, by their slope to the power of `exponent`; 1.1 suits cones, larger ones gather more.
      Freeman (1991), doi 10.1016/0098-3004(91)90048-I, where slopes are not weighted by lengths of contour (as in
      Quinn et al. 1991).

    The last two are not checked against their papers.

    The area is a lower bound in cells at the edge or beside unknown cells, and in every cell below them, because what
    drains in from there is not known (`inflow_unknown`). The areas at the outlets add up to the known area. Unknown cells
    stay unknown. No halo serves: files of any size take `tiles.accumulate`, with D8. Errors are those of `fill`, and
    InputError for another routing.
    """
    _routing.require_routing(routing, exponent)
    z = known_surface(dem, "flow_accumulation")
    width, height = dem.grid.cell_m
    area = _gathered(z, ~np.isnan(z), (width, height), routing, exponent).astype(np.float64)
    area *= width * height
    area[np.isnan(z)] = np.nan
    tags = {"method": _routing.method(routing, exponent), "validity": LOWER_BOUND}
    return Raster(area, dem.grid, "flow_accumulation", "m2", tags=tags)


def wetness(dem: Raster, *, routing: Routing = "d8", scale_m: float | None = None, exponent: float = EXPONENT) -> Raster:
    """Compound topographic index ln(a / tan b): where water gathers and the ground is flat it is high.

    a is the contributing area per width of contour, the width being the side of a square of the cell's area; b is the
    slope of Horn (1981), with tan b of at least 0.001, so that flats stay finite. Beven & Kirkby (1979),
    doi 10.1080/02626667909491834. With `scale_m` the surface is smoothed first, as in `slope`, before water is routed
    and slope is taken. `routing` is that of `flow_accumulation`: values differ from those of maps made with another, and
    grow with the logarithm of the cell: hazard models of cells of 230 m want the index of such cells.

    The index is not cut to a range: models that are fitted to one, such as 0 to 19, cut it themselves and say where.
    A lower bound at the edge, beside unknown cells and downstream of both, as `flow_accumulation`; unknown where
    `slope` is unknown. No halo serves. Errors are those of `slope` and `flow_accumulation`.
    """
    _routing.require_routing(routing, exponent)
    z = surface(dem, "wetness", scale_m=scale_m)
    gathered = _gathered(z, ~np.isnan(z), dem.grid.cell_m, routing, exponent)
    tags = wetness_tags(_routing.method(routing, exponent)) | scale_tag(dem, scale_m)
    return Raster(index_of(dem, z, gathered), dem.grid, "wetness", "1", tags=tags)


def inflow_unknown(dem: Raster, *, routing: Routing = "d8", exponent: float = EXPONENT) -> Raster:
    """True where water may come in from beyond the edge of the raster or from unknown cells.

    There and only there `flow_accumulation` and `wetness` with the same `routing` are lower bounds. A hole within a closed
    depression also changes where the depression spills, which this does not see. Errors are those of `flow_accumulation`.
    """
    _routing.require_routing(routing, exponent)
    z = known_surface(dem, "inflow_unknown")
    filled, towards = drained_surface(z, dem.grid.cell_m)
    found = _routing.reached(filled, towards, beside(np.isnan(z)), dem.grid.cell_m, routing=routing, exponent=exponent)
    return Raster(found, dem.grid, "inflow_unknown", "1", tags={"method": _routing.method(routing, exponent)})


def filled_raster(dem: Raster, filled: Surface) -> Raster:
    """The filled surface of `dem` as a raster."""
    return replace(dem, values=filled, name="filled", unit="m", classes=(), tags={"method": FLOOD})


def direction_raster(found: NDArray[np.uint8], grid: Grid) -> Raster:
    """Codes as a raster."""
    return Raster(found, grid, "flow_direction", "", classes=DIRECTIONS, tags={"method": D8})


def index_of(dem: Raster, z: Surface, gathered: NDArray[Any]) -> NDArray[np.float32]:
    """ln(a / tan b) of the surface `z` on the grid of `dem`, where so many cells have gathered."""
    width, height = dem.grid.cell_m
    index = steepness(dem, z)
    cell_width = width * height / math.sqrt(width * height)
    in_bands(lambda first, last: _wetness_rows(gathered, index, first, last, cell_width), len(index))
    return index


def wetness_tags(method: str) -> dict[str, str]:
    """What is said of a wetness index, but for its scale."""
    return {"method": f"ln(a / tan b), {method}", "min_tan_slope": f"{MIN_TAN:g}", "validity": LOWER_BOUND}


def known_surface(dem: Raster, what: str) -> Surface:
    """The elevations of `dem` in m, to be read only; refuses other units, grids and fill values."""
    z = heights(dem, what)
    require_possible(dem, z)
    return z


def filled_surface(z: Surface) -> Surface:
    """The surface with every depression filled to its spill point."""
    return flood(z, beside(np.isnan(z)))


def drained_surface(z: Surface, cell_m: tuple[float, float]) -> tuple[Surface, Ways]:
    """The filled surface, and the position in the ring of neighbours that each cell drains to."""
    filled = filled_surface(z)
    return filled, ways_down(filled, *cell_m)


def _gathered(z: Surface, own: Flags, cell_m: tuple[float, float], routing: str, exponent: float) -> NDArray[Any]:
    """How many cells that are True in `own` drain through each cell, itself included."""
    filled, towards = drained_surface(z, cell_m)
    return _routing.gather(filled, towards, own, cell_m, routing=routing, exponent=exponent)


@kernel
def _wetness_rows(gathered: NDArray[Any], index: NDArray[np.float32], first: int, last: int, cell_width: float) -> None:
    """The index of the cells gathered and the rise over run, which `index` holds at first."""
    for i in range(first, last):
        for j in range(index.shape[1]):
            tan = np.float64(index[i, j])
            specific = gathered[i, j] * cell_width
            index[i, j] = math.log(specific / max(tan, MIN_TAN)) if not np.isnan(tan) else np.nan
