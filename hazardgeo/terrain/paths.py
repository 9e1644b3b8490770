"""Along the ways of water, on plain arrays: what is met first below, where streams begin, how far water has come."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel
from hazardgeo.tiles.drainage import Ways
from hazardgeo.tiles.flood import Cells, Flags, longer, ring_steps, within


@kernel
def met_below(towards: Ways, found: NDArray[Any], new: float, none: float) -> None:
    """Give each cell that is `new` in `found` what the first cell below it has that is not, or `none`, in place.

    Each cell is walked through twice at most.
    """
    way, value = towards.reshape(-1), found.reshape(-1)
    ring = ring_steps(towards.shape[1])
    for first in range(len(way)):
        cell = np.uint64(first)
        while value[cell] == new and way[cell] >= 0:
            cell += ring[way[cell]]
        last = none if value[cell] == new else value[cell]
        cell = np.uint64(first)
        while value[cell] == new:
            value[cell] = last
            if way[cell] < 0:
                break
            cell += ring[way[cell]]


@kernel
def beginnings(towards: Ways, stream: Flags) -> Cells:
    """Stream cells that no other drains to, or more than one, counted row by row."""
    way, inside = towards.reshape(-1), stream.reshape(-1)
    ring = ring_steps(towards.shape[1])
    donors = np.zeros(len(way), np.uint8)
    for cell in range(len(way)):
        if inside[cell] and way[cell] >= 0:
            donors[np.uint64(cell) + ring[way[cell]]] += 1
    found, count = np.empty(64, np.int64), 0
    for cell in range(len(way)):
        if inside[cell] and donors[cell] != 1:
            found = longer(found, count + 1)
            found[count] = cell
            count += 1
    return found[:count]


@kernel
def farthest(towards: Ways, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """The longest way in m that water has come to each cell; `lengths` are those to the eight neighbours."""
    way = towards.reshape(-1)
    ring = ring_steps(towards.shape[1])
    waits, far = np.zeros(len(way), np.uint8), np.zeros(towards.shape)
    longest = far.reshape(-1)
    for above in range(len(way)):
        if way[above] >= 0:
            waits[np.uint64(above) + ring[way[above]]] += 1
    for first in range(len(way)):
        cell = np.uint64(first)
        while waits[cell] == 0:
            waits[cell] = 255
            if way[cell] < 0:
                break
            below = cell + ring[way[cell]]
            longest[below] = max(longest[below], longest[cell] + lengths[way[cell]])
            waits[below] -= 1
            cell = below
    return far


@kernel
def way_up(towards: Ways, far: NDArray[np.float64], lengths: NDArray[np.float64], outlet: int) -> Cells:
    """The cells of the longest way to `outlet`, from below; of equal ways the first, clockwise from east."""
    rows, cols = towards.shape
    way, longest, ring = towards.reshape(-1), far.reshape(-1), ring_steps(cols)
    found, count = np.empty(64, np.int64), 1
    found[0] = outlet
    while True:
        cell = np.uint64(found[count - 1])
        above = np.int64(-1)
        for k in range(8):
            if not within(found[count - 1], k, rows, cols):
                continue
            other = cell + ring[k]
            to_here = (k + 4) % 8
            if above < 0 and way[other] == to_here and longest[other] + lengths[to_here] == longest[cell]:
                above = np.int64(other)
        if above < 0:
            return found[:count]
        found = longer(found, count + 1)
        found[count] = above
        count += 1
