"""Depressions filled across any number of tiles, the same as in the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.crs import Height
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.raster.elevation import elevations
from hazardgeo.tiles.drainage import COL, FLOOD, ROW, Cells, Surface, Ways, beside, flood
from hazardgeo.tiles.engine import Partial, RasterSink, RasterSource
from hazardgeo.tiles.plan import Tile
from hazardgeo.tiles.seams import EDGES, edges, root, touching
from hazardgeo.tiles.stitch import Parts, stitch

Numbers = NDArray[np.int32]
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
    wide = elevations(dem, "fill_depressions")
    z = np.ascontiguousarray(wide[inner])
    out = beside(np.isnan(wide))[inner]
    seams = np.zeros(z.shape, bool)
    seams[[0, -1], :] = seams[:, [0, -1]] = True
    seams &= ~np.isnan(z) & ~out
    numbers = np.where(out, _OUTSIDE, -1).astype(np.int32)
    count = int(np.count_nonzero(seams))
    numbers[seams] = np.arange(1, count + 1)
    filled, order, origin = flood(z, out | seams)
    watersheds, pairs, heights = _watersheds(filled, order, origin, numbers, count)
    filled = filled.astype(dem.values.dtype)
    return {
        "filled": filled,
        "watersheds": watersheds,
        "pairs": pairs,
        "heights": heights,
        "count": np.array(count),
        "height": np.array([] if dem.height is None else [dem.height.kind, dem.height.vertical or ""], str),
        **edges(watersheds),
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
def _watersheds(
    filled: Surface, order: Cells, origin: Ways, numbers: Numbers, count: int
) -> tuple[Numbers, Numbers, NDArray[np.float64]]:
    """The watershed of each cell (-1 unknown), and the lowest links that join watersheds, with their heights.

    `numbers` are those of the seeds of the flood, 0 to `count`. Cells come in the order of their levels, so that the first
    cell where two watersheds meet is their lowest; links that would join what is joined already are left out.
    """
    rows, cols = filled.shape
    found = numbers.copy()
    come = np.zeros((rows, cols), np.bool_)
    parents = np.arange(count + 1)
    pairs, heights = np.empty((count, 2), np.int32), np.empty(count, np.float64)
    links = 0
    for cell in order:
        i, j = cell // cols, cell % cols
        side = origin[i, j]
        if side >= 0:
            found[i, j] = found[i + ROW[side], j + COL[side]]
        come[i, j] = True
        for k in range(8):
            a, b = i + ROW[k], j + COL[k]
            if a < 0 or b < 0 or a >= rows or b >= cols or not come[a, b] or found[a, b] == found[i, j]:
                continue
            one, other = root(parents, found[i, j]), root(parents, found[a, b])
            if one != other:
                parents[max(one, other)] = min(one, other)
                pairs[links, 0], pairs[links, 1] = found[i, j], found[a, b]
                heights[links] = filled[i, j]
                links += 1
    return found, pairs[:links], heights[:links]


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
