"""What crosses the seams of tiles: each tile says what it has at its edges, one process puts that together, each goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.tiles import engine
from hazardgeo.tiles.call import Call
from hazardgeo.tiles.engine import Job, Options, Partial, Sink, Source
from hazardgeo.tiles.folder import discard, held, key_of, require_claimed
from hazardgeo.tiles.plan import Tile, plan

_ANSWERS = "exchanged"


@dataclass(frozen=True, slots=True)
class Parts:
    """What every tile has left for the exchange, read when it is asked for."""

    folder: Path
    grid: Grid
    tiles: tuple[Tile, ...]

    def read(self, tile: Tile, *names: str) -> Partial:
        """Arrays of one tile; only those named are read."""
        with np.load(engine.part_path(self.folder, tile)) as stored:
            return {name: stored[name] for name in names}


class Exchange(Protocol):
    """Puts together what the tiles have at their edges; the answer for each tile, by its name."""

    def __call__(self, parts: Parts) -> Iterable[tuple[Tile, Partial]]: ...


def stitch(
    local: Callable[..., Partial],
    exchange: Exchange,
    settle: Callable[..., Raster | Mapping[str, Raster]],
    sources: Mapping[str, Source],
    sinks: Sink[Any] | Mapping[str, Sink[Any]],
    *,
    work_folder: Path,
    grid: Grid | None = None,
    **job: Any,
) -> None:
    """Work that no tile can finish alone, in three steps that give what the whole would give.

    `local(**blocks, **options)` returns a dict of arrays for each tile: what it could work out, and its edges.
    `exchange(parts)` runs once, here, and yields what each tile must know of the others. `settle(local=..., exchanged=...,
    grid=..., **options)` makes the result of each tile, which goes into the sinks. All that is large stays in files in
    `work_folder`, which is removed at the end. `job` and errors are those of `tiles.map`.
    """
    work = Job(local, **job)
    whole = grid or engine.grid_of(sources)
    tiles = plan(whole, tile_cells=work.tile_cells, halo=work.halo)
    named = dict(sinks) if isinstance(sinks, Mapping) else {"": sinks}
    with held(work_folder, *(sink.work_folder() for sink in named.values())):
        folder = engine.work_in(work_folder, work, sources, whole, "local", exchange, settle)
        engine.compute_parts(work, sources, whole, tiles, folder)
        _answer(exchange, Parts(folder, whole, tuple(tiles)))
        folders = {
            name: engine.work_in(sink.work_folder(), work, sources, whole, "tiles", exchange, settle)
            for name, sink in named.items()
        }
        open_tiles = [t for t in tiles if not all(sink.has(folders[name], t) for name, sink in named.items())]
        places = {name: (place, key_of(place)) for name, place in folders.items()}
        given = folder, key_of(folder)
        calls = (Call(t.name, _settle_tile, (settle, work.options, given, named, places, whole, t)) for t in open_tiles)
        last, first = replace(work, function=settle), next(iter(folders.values()))
        engine.perform_all(calls, last, first, done=len(tiles) - len(open_tiles), tiles=len(tiles))
        for name, sink in named.items():
            sink.finish(folders[name], whole, tiles)
        discard(folder)


def _answer(exchange: Exchange, parts: Parts) -> None:
    """Have the answers of the exchange beside the parts."""
    answers = parts.folder / _ANSWERS
    try:
        answers.mkdir(exist_ok=True)
        for tile, answer in exchange(parts):
            engine.write_part(answers, tile, answer)
    except HazardGeoError:
        raise
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise FormatError(f"cannot keep what tiles say to each other in {answers}: {reason}; check the free space.") from None


def _settle_tile(
    settle: Callable[..., Raster | Mapping[str, Raster]],
    options: Options,
    given: tuple[Path, str],
    sinks: Mapping[str, Sink[Any]],
    places: Mapping[str, tuple[Path, str]],
    grid: Grid,
    tile: Tile,
) -> tuple[str, ...]:
    core = grid.window(*tile.core)
    require_claimed(*given)
    local, exchanged = engine.read_part(given[0], tile), engine.read_part(given[0] / _ANSWERS, tile)
    with engine.heard() as said:
        result = settle(local=local, exchanged=exchanged, grid=core, **options)
    rasters = result if isinstance(result, Mapping) else {"": result}
    for name, sink in sinks.items():
        rasters[name].grid.require_same(core)
        require_claimed(*places[name])
        sink.write(places[name][0], tile, rasters[name])
    return tuple(said)
