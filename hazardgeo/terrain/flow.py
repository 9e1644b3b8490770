"""Where water goes: filled surfaces, flow directions, contributing areas and wetness."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.kernel import kernel
from hazardgeo.raster import UNKNOWN_CLASS, ClassLabel, Raster
from hazardgeo.terrain.shape import elevations, horn, scale_tag, surface
from hazardgeo.terrain.window import Surface

FLOOD = "priority flood, Barnes et al. (2014), Computers & Geosciences 62:117-127, doi:10.1016/j.cageo.2013.04.024"
LOWER_BOUND = (
    "a lower bound in and below cells that lie at the edge or beside unknown cells: what drains in from there is not known"
)
MIN_TAN = 0.001

# The eight neighbours, clockwise from east: row step, column step; ESRI code 2 ** position
_ROW = np.array([0, 1, 1, 1, 0, -1, -1, -1])
_COL = np.array([1, 1, 0, -1, -1, -1, 0, 1])
_DIRECTIONS = (
    ClassLabel(0, "outlet", "#ffffff"),
    ClassLabel(1, "east", "#4477aa"),
    ClassLabel(2, "south-east", "#66ccee"),
    ClassLabel(4, "south", "#228833"),
    ClassLabel(8, "south-west", "#bbcc33"),
    ClassLabel(16, "west", "#ccbb44"),
    ClassLabel(32, "north-west", "#ee6677"),
    ClassLabel(64, "north", "#aa3377"),
    ClassLabel(128, "north-east", "#777777"),
)


def fill(dem: Raster) -> Raster:
    """Elevations in m with every depression filled level to its spill point.

    Cells at the edge of the raster and beside unknown cells are outlets, since water may leave there; a pit that drains
    only into the unknown is therefore not filled. Unknown cells stay unknown; the height reference is kept. No gradient
    is added to the filled flats (`flow_direction` drains them all the same). Priority flood of Barnes, Lehman & Mulla
    (2014), doi 10.1016/j.cageo.2013.04.024. Raises InputError unless the raster is an elevation in m, and CrsError
    unless the grid is metric.
    """
    filled = flood(elevations(dem, "fill"))[0]
    return replace(dem, values=filled.astype(dem.values.dtype), name="filled", tags={"method": FLOOD})


def flow_direction(dem: Raster) -> Raster:
    """The neighbour that each cell drains to, as the codes 1 E, 2 SE, 4 S, 8 SW, 16 W, 32 NW, 64 N, 128 NE.

    Depressions are filled first (see `fill`). Water takes the steepest way down to one neighbour (D8); on flats it goes
    back the way the flood came, so that every cell reaches an outlet. 0 marks an outlet: a cell at the edge or beside an
    unknown cell with no lower neighbour. 255 is unknown. Errors are those of `fill`.
    """
    z = elevations(dem, "flow_direction")
    filled, order, origin = flood(z)
    codes = _codes(directions(filled, order, origin, *dem.grid.cell_m))
    codes[np.isnan(z)] = UNKNOWN_CLASS
    return Raster(codes, dem.grid, "flow_direction", "", classes=_DIRECTIONS, tags={"method": f"D8 after {FLOOD}"})


def flow_accumulation(dem: Raster) -> Raster:
    """Area that drains through each cell, its own included, in m2, along `flow_direction`.

    The area is a lower bound in cells at the edge or beside unknown cells, and in every cell below them, because what
    drains in from there is not known. The areas at the outlets add up to the known area. Unknown cells stay unknown.
    Errors are those of `fill`.
    """
    area = contributing_area(elevations(dem, "flow_accumulation"), dem.grid.cell_m)
    return Raster(area, dem.grid, "flow_accumulation", "m2", tags={"method": f"D8 after {FLOOD}", "validity": LOWER_BOUND})


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
    tags = {"method": f"ln(a / tan b), D8 after {FLOOD}", "min_tan_slope": f"{MIN_TAN:g}", "validity": LOWER_BOUND}
    tags |= scale_tag(dem, scale_m)
    return Raster(index.astype(np.float32), dem.grid, "wetness", "1", tags=tags)


def inflow_unknown(dem: Raster) -> Raster:
    """True where water may come in from beyond the edge of the raster or from unknown cells.

    There and only there `flow_accumulation` and `wetness` are lower bounds. A hole within a closed depression also
    changes where the depression spills, which this does not see. Errors are those of `fill`.
    """
    z = elevations(dem, "inflow_unknown")
    filled, order, origin = flood(z)
    doors = np.zeros(z.shape, bool)
    doors[[0, -1], :] = doors[:, [0, -1]] = True
    doors |= ndimage.binary_dilation(np.isnan(z), np.ones((3, 3), bool))
    received = _accumulate(directions(filled, order, origin, *dem.grid.cell_m), order, doors.astype(np.float64))
    return Raster((received > 0) & ~np.isnan(z), dem.grid, "inflow_unknown", "1", tags={"method": f"D8 after {FLOOD}"})


def contributing_area(z: Surface, cell_m: tuple[float, float]) -> NDArray[np.float64]:
    """Area in m2 that drains through each cell of a surface; NaN where the surface is unknown."""
    width, height = cell_m
    filled, order, origin = flood(z)
    area = _accumulate(directions(filled, order, origin, width, height), order, np.full(z.shape, width * height))
    area[np.isnan(z)] = np.nan
    return area


def _codes(towards: NDArray[np.int8]) -> NDArray[np.uint8]:
    return np.where(towards < 0, 0, 1 << np.maximum(towards, 0).astype(np.int64)).astype(np.uint8)


@kernel
def flood(z: Surface) -> tuple[Surface, NDArray[np.int64], NDArray[np.int8]]:
    """The filled surface, the known cells in the order the flood reached them, and the side it came from.

    The flood starts from all outlets and always goes on from its lowest cell; of equal cells the first reached comes
    first, so flats are crossed on shortest ways. Sides are positions in the ring of neighbours, -1 at outlets.
    """
    rows, cols = z.shape
    filled = z.copy()
    level = filled.reshape(-1)
    origin = np.full((rows, cols), -1, np.int8)
    reached = np.zeros((rows, cols), np.bool_)
    turn = np.zeros(rows * cols, np.int64)
    heap = np.empty(rows * cols, np.int64)
    order = np.empty(rows * cols, np.int64)
    size = count = turns = 0
    for i in range(rows):
        for j in range(cols):
            if not np.isnan(z[i, j]) and _is_outlet(z, i, j):
                reached[i, j] = True
                turn[i * cols + j] = turns
                turns += 1
                _push(heap, size, i * cols + j, level, turn)
                size += 1
    while size > 0:
        cell = _pop(heap, size, level, turn)
        size -= 1
        order[count] = cell
        count += 1
        for k in range(8):
            i, j = cell // cols + _ROW[k], cell % cols + _COL[k]
            if i < 0 or j < 0 or i >= rows or j >= cols or reached[i, j] or np.isnan(z[i, j]):
                continue
            reached[i, j] = True
            filled[i, j] = max(z[i, j], level[cell])
            origin[i, j] = (k + 4) % 8
            turn[i * cols + j] = turns
            turns += 1
            _push(heap, size, i * cols + j, level, turn)
            size += 1
    return filled, order[:count], origin


@kernel
def _is_outlet(z: Surface, i: int, j: int) -> bool:
    rows, cols = z.shape
    if i == 0 or j == 0 or i == rows - 1 or j == cols - 1:
        return True
    return bool(np.isnan(z[i - 1 : i + 2, j - 1 : j + 2]).any())


@kernel
def _before(a: int, b: int, level: NDArray[Any], turn: NDArray[Any]) -> bool:
    return bool(level[a] < level[b] or (level[a] == level[b] and turn[a] < turn[b]))


@kernel
def _push(heap: NDArray[Any], size: int, cell: int, level: NDArray[Any], turn: NDArray[Any]) -> None:
    """Put `cell` into a binary heap that holds `size` cells."""
    at = size
    while at > 0:
        above = (at - 1) // 2
        if not _before(cell, heap[above], level, turn):
            break
        heap[at] = heap[above]
        at = above
    heap[at] = cell


@kernel
def _pop(heap: NDArray[Any], size: int, level: NDArray[Any], turn: NDArray[Any]) -> int:
    """Take the lowest cell out of a binary heap that holds `size` cells."""
    top, last = heap[0], heap[size - 1]
    at, below = 0, 1
    while below < size - 1:
        if below + 1 < size - 1 and _before(heap[below + 1], heap[below], level, turn):
            below += 1
        if not _before(heap[below], last, level, turn):
            break
        heap[at] = heap[below]
        at, below = below, 2 * below + 1
    heap[at] = last
    return int(top)


@kernel
def directions(
    filled: Surface, order: NDArray[np.int64], origin: NDArray[np.int8], width: float, height: float
) -> NDArray[np.int8]:
    """Position in the ring of neighbours that each cell drains to: steepest down, else where the flood came from."""
    rows, cols = filled.shape
    towards = np.full((rows, cols), -1, np.int8)
    for cell in order:
        i, j = cell // cols, cell % cols
        steepest, best = 0.0, origin[i, j]
        for k in range(8):
            a, b = i + _ROW[k], j + _COL[k]
            if a < 0 or b < 0 or a >= rows or b >= cols or np.isnan(filled[a, b]):
                continue
            distance = math.hypot(_ROW[k] * height, _COL[k] * width)
            drop = (filled[i, j] - filled[a, b]) / distance
            if drop > steepest:
                steepest, best = drop, k
        towards[i, j] = best
    return towards


@kernel
def _accumulate(towards: NDArray[np.int8], order: NDArray[np.int64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each cell has of its `own` and receives; receivers were always flooded before the cells that drain to them."""
    cols = towards.shape[1]
    total = own.copy()
    for position in range(len(order) - 1, -1, -1):
        i, j = order[position] // cols, order[position] % cols
        k = towards[i, j]
        if k >= 0:
            total[i + _ROW[k], j + _COL[k]] += total[i, j]
    return total
