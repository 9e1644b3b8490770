"""Connected bodies across any number of tiles: each has one number, whatever the tiles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.tiles.engine import Partial, RasterSink, RasterSource
from hazardgeo.tiles.plan import Tile
from hazardgeo.tiles.seams import EDGES, edges, root, touching
from hazardgeo.tiles.stitch import Parts, stitch

Ids = NDArray[np.int64]
_EIGHT = np.ones((3, 3), bool)
_MOST_BODIES = np.iinfo(np.int32).max


def label(mask: RasterSource, bodies: RasterSink, *, work_folder: Path, **job: Any) -> None:
    """Number the connected bodies of a mask: 1, 2, ... in the order of their first cells, row by row; 0 elsewhere.

    Cells that touch at a side or a corner belong together. A cell belongs to a body where the mask is True, or is known
    and not zero. The result is an id raster (int32) and does not depend on the tiles. `job` and errors are those of
    `tiles.map`; InputError for more than 2^31 bodies.
    """
    stitch(_bodies_of_tiles, _exchange, _bodies_of_all, {"mask": mask}, bodies, work_folder=work_folder, **job)


def _bodies_of_tiles(mask: Raster, tile: Tile, inner: tuple[slice, slice]) -> Partial:
    """Bodies within the tile, their first cells, and the bodies along its edges."""
    inside = mask.values[inner]
    on = inside if inside.dtype == bool else ~mask.unknown[inner] & (inside != 0)
    numbers, count = ndimage.label(on, _EIGHT)
    numbers = np.asarray(numbers, np.int32)
    flat = numbers.ravel()
    cells = np.flatnonzero(flat)
    first = np.full(count + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, flat[cells], cells)
    row, col = np.divmod(first[1:], numbers.shape[1])
    places = np.column_stack([row + tile.core[0].start, col + tile.core[1].start])
    return {"numbers": numbers, "places": places, **edges(numbers)}


def _exchange(parts: Parts) -> Iterator[tuple[Tile, Partial]]:
    """One number for each body of each tile: bodies that touch across a seam are joined, then all are counted."""
    places, starts, count = [], {}, 0
    for tile in parts.tiles:
        starts[tile.row, tile.col] = count
        places.append(parts.read(tile, "places")["places"])
        count += len(places[-1])
    if count > _MOST_BODIES:
        raise InputError(f"the mask has over {_MOST_BODIES:,} bodies; close its small holes and drop its smallest bodies first.")
    parents = np.arange(count)
    lines = {(t.row, t.col): parts.read(t, *EDGES) for t in parts.tiles}
    for here, there, (edge, cells), (facing, others) in touching(lines):
        _join_lines(parents, lines[here][edge][cells], lines[there][facing][others], starts[here], starts[there])
    ids = _numbered(parents, np.concatenate(places) if places else np.empty((0, 2), np.int64))
    for tile in parts.tiles:
        start = starts[tile.row, tile.col]
        number = len(places[0])
        places = places[1:]
        yield tile, {"ids": np.concatenate([[0], ids[start : start + number]]).astype(np.int32)}


def _numbered(parents: Ids, places: Ids) -> Ids:
    """The number of each body: bodies are counted in the order of their first cells."""
    if not len(parents):
        return parents
    _flatten(parents)
    order = np.lexsort((places[:, 1], places[:, 0]))
    roots, first = np.unique(parents[order], return_index=True)
    rank = np.empty(len(parents), np.int64)
    rank[roots[np.argsort(first)]] = np.arange(1, len(roots) + 1)
    return np.asarray(rank[parents])


def _bodies_of_all(local: Partial, exchanged: Partial, grid: Grid) -> Raster:
    return Raster(exchanged["ids"][local["numbers"]], grid, "bodies", "")


@kernel
def _join_lines(parents: Ids, one: NDArray[np.int32], other: NDArray[np.int32], one_start: int, other_start: int) -> None:
    """Join the bodies that touch where two edges lie side by side; the smaller number becomes the root."""
    for i in range(len(one)):
        if one[i] == 0:
            continue
        for j in range(max(i - 1, 0), min(i + 2, len(other))):
            if other[j] == 0:
                continue
            a, b = root(parents, one_start + one[i] - 1), root(parents, other_start + other[j] - 1)
            parents[max(a, b)] = min(a, b)


@kernel
def _flatten(parents: Ids) -> None:
    for body in range(len(parents)):
        parents[body] = root(parents, body)
