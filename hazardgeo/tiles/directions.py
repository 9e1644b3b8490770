"""Flow directions across any number of tiles, the same as in the whole."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import numpy as np

from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.tiles import engine
from hazardgeo.tiles.call import Call
from hazardgeo.tiles.depressions import fill_depressions
from hazardgeo.tiles.drainage import D8, DIRECTIONS, FAR, Steps, beside, codes, directions, draining, spread
from hazardgeo.tiles.engine import Job, Partial, RasterSink, RasterSource
from hazardgeo.tiles.flood import Surface
from hazardgeo.tiles.folder import claim, discard, held, key_of, require_claimed
from hazardgeo.tiles.plan import DEFAULT_CELLS, Tile, plan
from hazardgeo.tiles.scratch import Scratch
from hazardgeo.tiles.seams import Place, edges, touching

Rims = dict[Place, Partial]


def flow_direction(
    source: RasterSource, sink: RasterSink, *, work_folder: Path, tile_cells: int = DEFAULT_CELLS, **job: Any
) -> None:
    """The neighbour that each cell drains to, as the D8 codes of `terrain.flow_direction`, cell for cell.

    Depressions are filled first (see `fill_depressions`). On flats that lie in several tiles the number of steps to where
    they drain goes from tile to tile along the seams, in rounds, until none becomes less: the more tiles a flat winds
    through, the more rounds, each over those tiles only. Unknown cells stay unknown. `job` and errors are those of
    `fill_depressions`.
    """
    shared = {"tile_cells": tile_cells, **job}
    filled = Scratch(work_folder / "filled", source.grid, tile_cells)
    with held(work_folder):
        fill_depressions(source, filled, work_folder=work_folder / "flood", **shared)
        directions_on(filled, sink, work_folder=work_folder / "ways", **job)
        discard(filled.folder)
        if work_folder.is_dir() and not any(work_folder.iterdir()):
            work_folder.rmdir()


def directions_on(filled: Scratch, sink: RasterSink, *, work_folder: Path, **job: Any) -> None:
    """`flow_direction` on a surface without depressions, as `fill_depressions` makes it, in tiles as it has them."""
    shared = {"tile_cells": filled.tile_cells, **job}
    steps = Scratch(work_folder / "steps", filled.grid, filled.tile_cells)
    with held(work_folder):
        _spread_all(filled, steps, work_folder / "rims", Job(_steps_on_flats, **shared))
        engine.map(_flow_codes, {"filled": filled, "steps": steps}, sink, halo=1, **shared)
        discard(work_folder)


def _spread_all(filled: Scratch, steps: Scratch, folder: Path, work: Job) -> None:
    """Have the steps of all tiles in `steps`: first each tile by itself, then those again that a neighbour can lower.

    Every call begins anew. The key of the steps is that of the levels they follow from; `folder` has a key of this call
    alone, so that what a lost worker of another still makes is refused.
    """
    for made, key in ((steps.folder, filled.key), (folder, secrets.token_hex())):
        discard(made)
        claim(made, (_steps_on_flats,), {}, key)
    place = folder, key_of(folder)
    tiles = {(t.row, t.col): t for t in plan(filled.grid, tile_cells=filled.tile_cells, halo=1)}
    rims: Rims = {}
    again = set(tiles)
    while again:
        chosen = [tiles[place] for place in sorted(again)]
        calls = (Call(t.name, _steps_on_flats, (filled, steps, place, t, not rims)) for t in chosen)
        engine.perform_all(calls, work, folder, done=0, tiles=len(chosen))
        rims = {**rims, **{(t.row, t.col): engine.read_part(folder, t) for t in chosen}}
        again = _unsettled(rims, again)


def _steps_on_flats(filled: Scratch, steps: Scratch, rims: tuple[Path, str], tile: Tile, first: bool) -> tuple[str, ...]:
    """Lower the steps of a tile by its own cells and, after the `first` round, by those around it; keep its rim too.

    Tiles around it may be at work: their older steps are too many, never too few, and lead to another round.
    """
    block = filled.grid.window(*tile.wide)
    levels = filled.read(block).values
    known = np.full(levels.shape, FAR, np.int32)
    known[tile.inner] = draining(levels, beside(np.isnan(levels)))[tile.inner]
    if not first:
        known = np.minimum(known, steps.read(block).values)
    lowered = np.ascontiguousarray(spread(levels, known)[tile.inner])
    require_claimed(*rims)
    steps.write(steps.folder, tile, Raster(lowered, filled.grid.window(*tile.core)))
    sides = edges(levels[tile.inner])
    engine.write_part(rims[0], tile, {**sides, **{f"steps {side}": line for side, line in edges(lowered).items()}})
    return ()


def _unsettled(rims: Rims, changed: set[Place]) -> set[Place]:
    """The tiles with a cell that a neighbour across a seam brings nearer; only seams of `changed` tiles can have one."""
    found = set[Place]()
    for here, there, (side, cells), (facing, others) in touching(rims):
        if here not in changed and there not in changed:
            continue
        own = rims[here][side][cells], rims[here][f"steps {side}"][cells]
        far = rims[there][facing][others], rims[there][f"steps {facing}"][others]
        found |= {place for place, one, other in ((here, own, far), (there, far, own)) if _nearer(*one, *other)}
    return found


def _flow_codes(filled: Raster, steps: Raster, grid: Grid) -> Raster:
    """The codes of a tile; those of its halo are not right, and not kept."""
    levels = filled.values.astype(np.float64)
    towards = directions(levels, steps.values, *grid.cell_m)
    return Raster(codes(towards, filled.unknown), grid, "flow_direction", "", classes=DIRECTIONS, tags={"method": D8})


@kernel
def _nearer(level: Surface, steps: Steps, far_level: Surface, far_steps: Steps) -> bool:
    """True where a cell of one line gets nearer by way of the other, which lies beside it."""
    for i in range(len(level)):
        for j in range(max(i - 1, 0), min(i + 2, len(far_level))):
            if far_steps[j] < FAR and level[i] == far_level[j] and far_steps[j] + 1 < steps[i]:
                return True
    return False
