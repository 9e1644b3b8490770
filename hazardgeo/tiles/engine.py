"""Work over tiles: what is read, done and written for each, on any executor, and gone on with after an interruption."""

from __future__ import annotations

import inspect
import re
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import pyproj
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import ConfigError, FormatError, HazardGeoError, HazardGeoWarning, TileError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.tiles.call import Call, Executor, InProcess
from hazardgeo.tiles.folder import claim, discard, held, key_of, remember_said, require_claimed, said_before, written
from hazardgeo.tiles.plan import DEFAULT_CELLS, Tile, plan
from hazardgeo.tiles.points import within

_MOST_ALIKE = 2
_AND_MORE = " (and alike with other numbers; these are not said)"
_NUMBERS = re.compile(r"-?\d[\d.,]*")
_NAME = re.compile(r"[^\W\d]|[/\\]")  # a letter, an underscore or what separates folders
Options = Mapping[str, Any]
Partial = dict[str, NDArray[Any]]
Part = Raster | PointCloud
Part_contra = TypeVar("Part_contra", contravariant=True)
Report = Callable[["Progress"], None]


class Source(Protocol):
    """Something large that is read by blocks, known by paths only, so that it travels: a raster file, a cloud file."""

    @property
    def key(self) -> str:
        """What changes when the content does."""

    def read(self, block: Grid) -> Any:
        """What lies in the block: a Raster on exactly this grid, or a PointCloud within its bounds."""


class RasterSource(Source, Protocol):
    """A source that has a grid of its own."""

    @property
    def grid(self) -> Grid:
        """The grid of the whole."""


class CloudSource(Source, Protocol):
    """A source of points."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) of all points."""

    @property
    def points(self) -> int:
        """How many there are."""

    def fullest(self, side: float) -> int:
        """About how many points the fullest square of this side holds."""

    @property
    def crs(self) -> pyproj.CRS: ...

    @property
    def height(self) -> Height: ...


class Sink(Protocol[Part_contra]):
    """A file that is written in parts, in any order and by any process, and put together at the end."""

    def work_folder(self) -> Path:
        """Where parts are kept until the file is whole."""

    def has(self, folder: Path, tile: Tile) -> bool:
        """True when the part of this tile is written."""

    def write(self, folder: Path, tile: Tile, part: Part_contra) -> None:
        """Write the part of a tile, whole or not at all."""

    def finish(self, folder: Path, grid: Grid, tiles: Iterable[Tile]) -> None:
        """Put the parts together into the file, and remove them."""


RasterSink: TypeAlias = Sink[Raster]
CloudSink: TypeAlias = Sink[PointCloud]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work is: tiles done of all, seconds since it began, and seconds that remain, None before the first."""

    what: str
    done: int
    tiles: int
    seconds: float
    remaining_s: float | None


@dataclass(frozen=True, slots=True)
class Job:
    """How tiles are worked on: with which function, options and halo, on which executor, and whom to tell."""

    function: Callable[..., Any]
    options: Options = field(default_factory=dict)
    halo: int = 0
    tile_cells: int = DEFAULT_CELLS
    executor: Executor = field(default_factory=InProcess)
    report: Report | None = None

    @property
    def name(self) -> str:
        """What the function does, in words: its own name."""
        return self.function.__name__.strip("_").replace("_", " ")


def map(  # noqa: A001 - tiles.map is what it is
    function: Callable[..., Part | Mapping[str, Part]],
    sources: Mapping[str, Source],
    sinks: Sink[Any] | Mapping[str, Sink[Any]],
    *,
    grid: Grid | None = None,
    **job: Any,
) -> None:
    """Call `function(**blocks, **options)` for each tile and write what it returns into the sinks.

    `function` takes a Raster or a PointCloud by the name of each source, and returns a Raster on the grid of its blocks or
    a PointCloud, or one for each sink by name; it may ask for the `grid` itself. It is called with the tile and a halo, and
    the core of its result is kept: with a halo as wide as its stencil, tiles equal the whole. `grid` is that of the first
    raster source unless it is given.

    `job` holds `options` for the function, `halo` and `tile_cells` in cells, the `executor` (this process unless given)
    and `report`, which is called with a Progress. Tiles that an interrupted call finished from the same sources and
    options are kept, beside the file that they are for, and not done again.

    Raises what `function` raises, with the tile; TileError where a tile ended its process twice or failed otherwise: all
    other tiles are then finished first.
    """
    work = Job(function, **job)
    named = dict(sinks) if isinstance(sinks, Mapping) else {"": sinks}
    whole = grid or grid_of(sources)
    tiles = plan(whole, tile_cells=work.tile_cells, halo=work.halo)
    with held(*(sink.work_folder() for sink in named.values())):
        folders = {name: work_in(sink.work_folder(), work, sources, whole, "tiles") for name, sink in named.items()}
        open_tiles = [t for t in tiles if not all(sink.has(folders[name], t) for name, sink in named.items())]
        places = {name: (folder, key_of(folder)) for name, folder in folders.items()}
        calls = (
            Call(t.name, _write_tile, (work.function, work.options, dict(sources), named, places, whole, t)) for t in open_tiles
        )
        keys = {name: source.key for name, source in sources.items()}
        perform_all(calls, work, next(iter(folders.values())), done=len(tiles) - len(open_tiles), tiles=len(tiles))
        require_unchanged(sources, keys)
        for name, sink in named.items():
            sink.finish(folders[name], whole, tiles)


def map_reduce(
    function: Callable[..., Partial],
    combine: Callable[[Partial, Partial], Partial],
    sources: Mapping[str, Source],
    *,
    work_folder: Path,
    grid: Grid | None = None,
    **job: Any,
) -> Partial:
    """The parts that `function(**blocks, **options)` returns for each tile, combined from the first tile to the last.

    A part is a dict of arrays; parts go through files in `work_folder`, which is removed at the end. For a result that
    does not depend on the tiles `combine` must be exact: whole numbers, extremes, or sums as in `statistics`. `job` and
    errors are those of `map`.
    """
    work = Job(function, **job)
    whole = grid or grid_of(sources)
    tiles = plan(whole, tile_cells=work.tile_cells, halo=work.halo)
    with held(work_folder):
        folder = work_in(work_folder, work, sources, whole, "parts", combine)
        compute_parts(work, sources, whole, tiles, folder)
        result: Partial | None = None
        for tile in tiles:
            part = read_part(folder, tile)
            result = part if result is None else combine(result, part)
        discard(folder)
    assert result is not None
    return result


def compute_parts(work: Job, sources: Mapping[str, Source], grid: Grid, tiles: list[Tile], folder: Path) -> None:
    """Have the parts of all tiles in `folder`, those that are there already as they are."""
    open_tiles = [t for t in tiles if not has_part(folder, t)]
    place = folder, key_of(folder)
    calls = (Call(t.name, _save_part, (work.function, work.options, dict(sources), place, grid, t)) for t in open_tiles)
    keys = {name: source.key for name, source in sources.items()}
    perform_all(calls, work, folder, done=len(tiles) - len(open_tiles), tiles=len(tiles))
    require_unchanged(sources, keys)


def grid_of(sources: Mapping[str, Source]) -> Grid:
    """The grid of the first source that has one."""
    for source in sources.values():
        found = getattr(source, "grid", None)
        if isinstance(found, Grid):
            return found
    raise ConfigError("none of the sources has a grid; pass grid= with the cells that the result should have.")


def perform_all(calls: Iterable[Call], work: Job, folder: Path, *, done: int, tiles: int) -> None:
    """Have all calls done, and raise for tiles that failed when all others are finished.

    Each warning is said once, and kept in `folder` for the call that goes on from there. Of those that differ in numbers
    only, the first two are said, the second with the words that there may be more.
    """
    began, first, dead, said = time.monotonic(), done, dict[str, str](), dict[str, list[str]]()

    def tell(texts: Iterable[str]) -> None:
        for text in texts:
            alike = said.setdefault(_without_numbers(text), [])
            if text not in alike and len(alike) < _MOST_ALIKE:
                alike.append(text)
                more = _AND_MORE if len(alike) == _MOST_ALIKE else ""
                warnings.warn(text + more, HazardGeoWarning, stacklevel=6)

    tell(said_before(folder))
    for outcome in work.executor.run(calls):
        if outcome.error is not None and not isinstance(outcome.error, TileError):
            raise _named(outcome.error, outcome.name)
        if outcome.error is not None or outcome.fatal:
            dead[outcome.name] = (outcome.fatal and f"its process {outcome.fatal}") or str(outcome.error)
            continue
        if outcome.value:
            tell(outcome.value)
            remember_said(folder, [text for alike in said.values() for text in alike])
        done += 1
        if work.report is not None:
            seconds = time.monotonic() - began
            work.report(Progress(work.name, done, tiles, seconds, seconds / (done - first) * (tiles - done)))
    if dead:
        name, reason = next(iter(dead.items()))
        more = f" (and {len(dead) - 1} more)" if len(dead) > 1 else ""
        raise TileError(
            f"{work.name}: tile {name}{more} of {tiles} failed: {reason.rstrip('.')}; the others are kept, so that the next "
            "call does only what is missing. Try smaller tiles or fewer jobs."
        )


def _without_numbers(text: str) -> str:
    """The text with its numbers as one sign; those in names of files and the like stay, since they say which is meant."""
    return " ".join(word if _NAME.search(word) else _NUMBERS.sub("#", word) for word in text.split())


def _named(error: HazardGeoError, tile: str) -> HazardGeoError:
    """The error with the tile in its message."""
    text = f"tile {tile}: {error}"
    try:
        return type(error)(text)
    except TypeError:  # a class of somebody else, made of more than a message
        return TileError(text)


def apply(
    function: Callable[..., Any], options: Options, sources: Mapping[str, Source], grid: Grid, tile: Tile
) -> tuple[Any, tuple[str, ...]]:
    """What the function makes of the tile with its halo, and the warnings that it gave."""
    block = grid.window(*tile.wide)
    extra: dict[str, Any] = {"grid": block, "inner": tile.inner, "tile": tile}
    asked = inspect.signature(function).parameters
    with heard() as said:
        blocks = {name: source.read(block) for name, source in sources.items()}
        result = function(**blocks, **options, **{name: value for name, value in extra.items() if name in asked})
    return result, tuple(said)


@contextmanager
def heard() -> Iterator[list[str]]:
    """The warnings that are given in the block, each once, in a list that is complete at its end."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", HazardGeoWarning)
        yield said
    said.extend(dict.fromkeys(str(w.message) for w in caught))


def _write_tile(
    function: Callable[..., Any],
    options: Options,
    sources: Mapping[str, Source],
    sinks: Mapping[str, Sink[Any]],
    places: Mapping[str, tuple[Path, str]],
    grid: Grid,
    tile: Tile,
) -> tuple[str, ...]:
    result, said = apply(function, options, sources, grid, tile)
    results = result if isinstance(result, Mapping) else {"": result}
    for name, sink in sinks.items():
        if name not in results:
            raise ConfigError(f"{function.__qualname__} returns {', '.join(results)}, but a sink is for {name!r}.")
        core, (folder, key) = _core(results[name], grid, tile), places[name]
        require_claimed(folder, key)
        sink.write(folder, tile, core)
    return said


def _core(result: Raster | PointCloud, grid: Grid, tile: Tile) -> Raster | PointCloud:
    """What of the result of a tile is its own."""
    if isinstance(result, PointCloud):
        return within(result, grid.window(*tile.core))
    result.grid.require_same(grid.window(*tile.wide))
    return result.window(*tile.inner)


def _save_part(
    function: Callable[..., Partial],
    options: Options,
    sources: Mapping[str, Source],
    place: tuple[Path, str],
    grid: Grid,
    tile: Tile,
) -> tuple[str, ...]:
    part, said = apply(function, options, sources, grid, tile)
    require_claimed(*place)
    write_part(place[0], tile, part)
    return said


def part_path(folder: Path, tile: Tile) -> Path:
    """Where the part of a tile is kept."""
    return folder / f"{tile.name}.npz"


def write_part(folder: Path, tile: Tile, part: Partial) -> None:
    """Write a dict of arrays, whole or not at all. FormatError where it cannot be written."""
    with written(part_path(folder, tile)) as stream:
        np.savez(stream, **part)  # type: ignore[arg-type]


def has_part(folder: Path, tile: Tile) -> bool:
    """True where the part of a tile is there and whole: one that a crash has cut is done again."""
    try:
        with zipfile.ZipFile(part_path(folder, tile)):
            return True
    except (OSError, zipfile.BadZipFile):
        return False


def read_part(folder: Path, tile: Tile) -> Partial:
    """The arrays that `write_part` has kept."""
    with np.load(part_path(folder, tile)) as stored:
        return {name: stored[name] for name in stored.files}


def work_in(
    folder: Path, work: Job, sources: Mapping[str, Source], grid: Grid, more: str, *functions: Callable[..., Any]
) -> Path:
    """The work folder for this job, emptied where it holds parts of another."""
    keys = {name: source.key for name, source in sources.items()}
    place = grid.shape, grid.transform[:6], grid.crs.to_wkt()
    return claim(folder, (work.function, *functions), work.options, place, work.halo, work.tile_cells, more, keys)


def require_unchanged(sources: Mapping[str, Source], keys: Mapping[str, str]) -> None:
    """Raise FormatError where a source changed while tiles were read from it."""
    for name, source in sources.items():
        if source.key != keys[name]:
            raise FormatError(f"the source {name!r} changed while its tiles were read; wait until it is written, and run again.")
