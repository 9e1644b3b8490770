"""Streams as lines, from the cells that they run through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.tiles.drainage import COL, ROW, Ways
from hazardgeo.tiles.flood import Cells, Flags, longer


@dataclass(frozen=True, slots=True, eq=False)
class StreamCells:
    """The cells of streams, counted row by row, in that order: where each drains to, how many cells drain through it, and
    whether water may come in unseen."""

    cells: Cells
    towards: Ways
    counts: NDArray[Any]
    unseen: Flags


def stream_lines(found: StreamCells, grid: Grid) -> geopandas.GeoDataFrame:
    """Lines from source or confluence to the next one below, with the columns of `terrain.streams`."""
    width, height = grid.cell_m
    receiver = _receivers(found, grid.shape[1])
    begins = np.bincount(receiver[receiver >= 0], minlength=len(receiver)) != 1
    order = _orders(receiver)
    places, ends = _links(receiver, begins)
    lines = np.diff(ends, prepend=0) > 1
    firsts = np.concatenate([[0], ends[:-1]]).astype(np.int64)[lines]
    lasts = ends[lines] - 1
    number = np.zeros(len(receiver), np.int32)
    number[places[firsts]] = np.arange(1, len(firsts) + 1)
    lower = np.where(begins[places[lasts]], places[lasts - 1], places[lasts])
    xy = _centres(found.cells[places], grid)
    geometry = [shapely.LineString(xy[first : last + 1]) for first, last in zip(firsts, lasts, strict=True)]
    columns = {
        "stream": number[places[firsts]],
        "downstream": number[places[lasts]],
        "order": order[places[firsts]].astype(np.int32),
        "length_m": np.array([line.length for line in geometry], float),
        "upstream_area_m2": found.counts[lower] * (width * height),
        "inflow_unknown": found.unseen[lower],
    }
    return geopandas.GeoDataFrame(columns, geometry=geometry, crs=grid.crs)


def _receivers(found: StreamCells, cols: int) -> Cells:
    """The position of the stream cell that each drains to, -1 where water leaves."""
    step = (ROW * cols + COL)[found.towards]
    return np.where(found.towards < 0, -1, np.searchsorted(found.cells, found.cells + step))


def _centres(cells: Cells, grid: Grid) -> NDArray[np.float64]:
    """East and north of cells counted row by row."""
    east, north = grid.centres()
    rows, cols = np.divmod(cells, grid.shape[1])
    return np.column_stack([east[cols], north[rows]])


@kernel
def _orders(receiver: Cells) -> NDArray[np.uint8]:
    """Strahler's order: 1 at sources, one more where two of the highest meet."""
    waits, orders = np.zeros(len(receiver), np.uint8), np.zeros(len(receiver), np.uint8)
    twice = np.zeros(len(receiver), np.bool_)
    for below in receiver:
        if below >= 0:
            waits[below] += 1
    for first in range(len(receiver)):
        cell = first
        while waits[cell] == 0:
            waits[cell] = 255
            orders[cell] = max(orders[cell] + twice[cell], 1)
            below = receiver[cell]
            if below < 0:
                break
            waits[below] -= 1
            if orders[cell] >= orders[below]:
                twice[below] = orders[cell] == orders[below]
                orders[below] = orders[cell]
            cell = below
    return orders


@kernel
def _links(receiver: Cells, begins: Flags) -> tuple[Cells, Cells]:
    """The cells of each line, from its start to the next one below, one line after the other; and where each ends."""
    cells, count = np.empty(64, np.int64), 0
    ends, line = np.empty(np.count_nonzero(begins), np.int64), 0
    for start in range(len(receiver)):
        if not begins[start]:
            continue
        cell = start
        while True:
            cells = longer(cells, count + 1)
            cells[count] = cell
            count += 1
            if receiver[cell] < 0 or (begins[cell] and cell != start):
                break
            cell = receiver[cell]
        ends[line] = count
        line += 1
    return cells[:count], ends
