"""Depressions filled across any number of tiles, the same as in the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.crs import Height
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster, elevation
from hazardgeo.tiles.drainage import COL, ROW, beside
from hazardgeo.tiles.engine import Partial, RasterSink, RasterSource
from hazardgeo.tiles.flood import FLOOD, Cells, Numbers, Surface, flood, longer
from hazardgeo.tiles.plan import Tile
from hazardgeo.tiles.seams import EDGES, edges, root, touching
from hazardgeo.tiles.stitch import Parts, stitch

Links = tuple[Cells, Cells, NDArray[np.float64]]
_OUTSIDE = 0


def fill_depressions(source: RasterSource, sink: RasterSink, *, work_folder: Path, **job: Any) -> None:
    """Elevations in m with every depression filled level to its spill point, to the last bit those of `terrain.fill`.

    Outlets are the cells at the edge of the raster and beside unknown cells, wherever the tiles end. Each tile is flooded
    from its outlets and from its edges; how high the water stands where it crosses them is found from the lowest spills
    between the watersheds of all tiles, which is all that is held in memory at once. Barnes (2016),
    doi 10.1016/j.cageo.2016.07.001. Unknown cells stay unknown; the height reference is kept.

    `job` is that of `tiles.map`, without a halo. Raises InputError unless the raster is an elevation in m, CrsError
    unless the grid is metric, and what `tiles.map` raises.
    """
    source.grid.require_metric("fill_depressions")
    stitch(_flooded, _exchange, _raised, {"dem": source}, sink, work_folder=work_folder, halo=1, **job)


def _flooded(dem: Raster, inner: tuple[slice, slice]) -> Partial:
    """The tile flooded from its outlets and edges, its watersheds, where they spill, and what lies along its edges.

    Watershed 0 drains through outlets; the others are numbered from 1, one for each cell of the edges that is no outlet.
    """
    wide = elevation.heights(dem, "fill_depressions")
    elevation.require_possible(dem, wide)
    z = np.ascontiguousarray(wide[inner])
    out = beside(np.isnan(wide))[inner]
    seams = np.zeros(z.shape, bool)
    seams[[0, -1], :] = seams[:, [0, -1]] = True
    seams &= ~np.isnan(z) & ~out
    numbers = np.where(out, _OUTSIDE, -1).astype(np.int32)
    count = int(np.count_nonzero(seams))
    numbers[seams] = np.arange(1, count + 1)
    filled = flood(z, out | seams, numbers)
    meetings = _meetings(numbers)
    order = np.argsort(filled.reshape(-1)[meetings], kind="stable")
    pairs, heights = _links(filled, numbers, meetings[order], count)
    return {
        "filled": filled,
        "watersheds": numbers,
        "pairs": pairs,
        "heights": heights,
        "count": np.array(count),
        "height": np.array([] if dem.height is None else [dem.height.kind, dem.height.vertical or ""], str),
        **edges(numbers),
        **{f"level {edge}": line for edge, line in edges(filled).items()},
    }


def _exchange(parts: Parts) -> Iterator[tuple[Tile, Partial]]:
    """How high the water stands at the foot of each watershed: the lowest way to the outside, over all tiles."""
    lines, links, starts, nodes = {}, list[Links](), [], 1
    for tile in parts.tiles:
        part = parts.read(tile, "pairs", "heights", "count", *EDGES, *(f"level {edge}" for edge in EDGES))
        starts.append(nodes - 1)
        one, other = (_nodes(part["pairs"][:, side], nodes - 1) for side in (0, 1))
        links.append((one, other, part["heights"]))
        lines[tile.row, tile.col] = {edge: (_nodes(part[edge], nodes - 1), part[f"level {edge}"]) for edge in EDGES}
        nodes += int(part["count"])
    for here, there, (edge, cells), (facing, others) in touching(lines):
        (own, level), (far, far_level) = lines[here][edge], lines[there][facing]
        links.extend(_across((own[cells], level[cells]), (far[others], far_level[others])))
    lines.clear()
    one, other, heights = (np.concatenate(column) for column in zip(*links, strict=True))
    levels = _levels(one, other, heights, np.argsort(heights, kind="stable"), nodes)
    for tile, start, end in zip(parts.tiles, starts, [*starts[1:], nodes - 1], strict=True):
        yield tile, {"levels": np.concatenate([[-np.inf], levels[start + 1 : end + 1]])}


def _nodes(numbers: Numbers, start: int) -> Cells:
    """Watersheds of a tile as nodes of the whole: the outside is the same in all, -1 stays unknown."""
    return np.where(numbers > _OUTSIDE, numbers.astype(np.int64) + start, numbers)


def _across(one: tuple[Cells, Surface], other: tuple[Cells, Surface]) -> Iterator[Links]:
    """Links between the cells of two lines side by side; water spills at the higher of two cells."""
    (own, level), (far, far_level) = one, other
    for shift in (-1, 0, 1):
        here, there = slice(max(-shift, 0), len(own) - max(shift, 0)), slice(max(shift, 0), len(own) - max(-shift, 0))
        a, b = own[here], far[there]
        joined = (a >= 0) & (b >= 0) & (a != b)
        height = np.maximum(level[here], far_level[there]).astype(np.float64)
        yield a[joined], b[joined], height[joined]


def _raised(local: Partial, exchanged: Partial, grid: Any) -> Raster:
    """The tile, raised to where the water stands at the foot of each watershed."""
    filled = local["filled"]
    raised = np.where(np.isnan(filled), filled, np.maximum(filled, exchanged["levels"][local["watersheds"]])).astype(filled.dtype)
    height = Height(local["height"][0].item(), local["height"][1].item() or None) if len(local["height"]) else None
    return Raster(raised, grid, "filled", "m", height, tags={"method": FLOOD})


@kernel
def _meetings(watersheds: Numbers) -> Cells:
    """Known cells with a neighbour in another watershed, counted row by row."""
    rows, cols = watersheds.shape
    found = np.empty(64, np.int64)
    count = 0
    for i in range(rows):
        for j in range(cols):
            meets = False
            for a in range(max(i - 1, 0), min(i + 2, rows)):
                for b in range(max(j - 1, 0), min(j + 2, cols)):
                    meets |= watersheds[a, b] >= 0 and watersheds[a, b] != watersheds[i, j]
            if meets and watersheds[i, j] >= 0:
                found = longer(found, count + 1)
                found[count] = i * cols + j
                count += 1
    return found[:count]


@kernel
def _links(filled: Surface, watersheds: Numbers, order: Cells, count: int) -> tuple[Numbers, NDArray[np.float64]]:
    """The lowest links that join watersheds 0 to `count`, with their heights.

    The cells of `order`, where watersheds meet, come from the lowest on, so that the first cell where two of them meet is
    their lowest; links that would join what is joined already are left out.
    """
    rows, cols = filled.shape
    come = np.zeros((rows, cols), np.bool_)
    parents = np.arange(count + 1)
    pairs, heights = np.empty((count, 2), np.int32), np.empty(count, np.float64)
    links = 0
    for cell in order:
        i, j = cell // cols, cell % cols
        come[i, j] = True
        for k in range(8):
            a, b = i + ROW[k], j + COL[k]
            if a < 0 or b < 0 or a >= rows or b >= cols or not come[a, b] or watersheds[a, b] == watersheds[i, j]:
                continue
            one, other = root(parents, watersheds[i, j]), root(parents, watersheds[a, b])
            if one != other:
                parents[max(one, other)] = min(one, other)
                pairs[links, 0], pairs[links, 1] = watersheds[i, j], watersheds[a, b]
                heights[links] = filled[i, j]
                links += 1
    return pairs[:links], heights[:links]


@kernel
def _levels(one: Cells, other: Cells, heights: NDArray[np.float64], order: Cells, nodes: int) -> NDArray[np.float64]:
    """The lowest level at which water gets from each node to node 0, the outside; links are taken from the lowest on.

    Nodes that are joined already form a ring through `after`; when a ring meets that of the outside, all of it drains at
    the height of that link.
    """
    parents, after = np.arange(nodes), np.arange(nodes)
    level = np.full(nodes, np.inf)
    level[0] = -np.inf
    for link in order:
        a, b = root(parents, one[link]), root(parents, other[link])
        if a == b:
            continue
        low, high = min(a, b), max(a, b)
        if low == 0:
            node = high
            while True:
                level[node] = heights[link]
                node = after[node]
                if node == high:
                    break
        parents[high] = low
        after[low], after[high] = after[high], after[low]
    return level
