"""Clouds of any size: points asked for by the cells that they lie in, and clouds written tile by tile."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj

from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import ConfigError, FormatError, InputError
from hazardgeo.grid import Grid
from hazardgeo.io import files
from hazardgeo.io.cloud import copc, las, las_guard
from hazardgeo.io.cloud.points import Bounds
from hazardgeo.io.cloud.read import COLUMN_DOORS, read_block, read_range
from hazardgeo.io.cloud.runs import Run, gathered, is_sorted, sort_run
from hazardgeo.io.cloud.several import require_each_once
from hazardgeo.io.cloud.write import require_writable, write_parts
from hazardgeo.io.remote import Place, Remote, located
from hazardgeo.tiles import Call, CloudSource, Executor, InProcess, Tile
from hazardgeo.tiles.engine import Job, Report, perform_all
from hazardgeo.tiles.folder import claim, discard, held, key_of
from hazardgeo.tiles.points import within

RUN_POINTS = 1_000_000
_SQUARE_POINTS = 20_000
_LOOKED_AT = 100_000
_USUAL_SIDE = 32.0
_UNEVEN = 4.0
_SLACK = 1e-6  # of a block's side: its edges as numbers are not exact


@dataclass(frozen=True)
class CopcFile:
    """A COPC file as a source of tiles: of each block only the part of the file that it needs is read."""

    path: str | Place
    bounds: Bounds
    points: int
    crs: pyproj.CRS
    height: Height
    attributes: tuple[str, ...]
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def key(self) -> str:
        return json.dumps([files.identity(located(self.path)), self.offset, self.attributes])

    def fullest(self, side: float) -> int:
        """About how many points the fullest square of this side holds: more than the mean, by how uneven surveys are."""
        west, south, east, north = self.bounds
        area = max(east - west, side) * max(north - south, side)
        return min(math.ceil(_UNEVEN * self.points * side**2 / area), self.points)

    def read(self, block: Grid) -> PointCloud:
        """The points in the cells of the block, in the order of the file."""
        west, south, east, north = block.bounds
        wide, tall = (east - west) * _SLACK, (north - south) * _SLACK
        bounds = (west - wide, south - tall, east + wide, north + tall)
        found = read_block(self.path, bounds, crs=self.crs, height=self.height, offset=self.offset)
        kept = {name: found.attributes[name] for name in self.attributes}
        return within(PointCloud(found.xyz, self.crs, kept, self.height), block)


@dataclass(frozen=True, slots=True)
class CloudParts:
    """A LAS or LAZ file as a sink of tiles: their points one tile after the other, in rows from the north."""

    path: Path

    def work_folder(self) -> Path:
        target = files.require_suffix(self.path, (".las", ".laz"))
        return target.with_name(f".{target.name}.tiles")

    def has(self, folder: Path, tile: Tile) -> bool:
        return (folder / f"{tile.name}.npz").exists()

    def write(self, folder: Path, tile: Tile, part: PointCloud) -> None:
        require_writable(part)
        with files.atomic(folder / f"{tile.name}.npz") as temporary:
            said = json.dumps([part.crs.to_wkt(), part.height.kind, part.height.vertical])
            attributes = {f"attribute {name}": values for name, values in part.attributes.items()}
            np.savez(temporary, allow_pickle=False, xyz=part.xyz, said=np.array(said), **attributes)

    def finish(self, folder: Path, grid: Grid, tiles: Iterable[Tile]) -> None:  # noqa: ARG002
        paths = [folder / f"{tile.name}.npz" for tile in tiles]
        write_parts(lambda: map(_stored, paths), self.path)
        shutil.rmtree(folder, ignore_errors=True)


def _stored(path: Path) -> PointCloud:
    with np.load(path) as stored:
        wkt, kind, vertical = json.loads(str(stored["said"]))
        attributes = {name.partition(" ")[2]: stored[name] for name in stored.files if name.startswith("attribute ")}
        return PointCloud(stored["xyz"], pyproj.CRS.from_wkt(wkt), attributes, Height(kind, vertical))


@contextmanager
def cloud_source(
    paths: str | Place | Sequence[str | Place],
    *,
    work_folder: Path,
    attributes: Collection[str] | None = None,
    crs: Any = None,
    height: Height | None = None,
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
    executor: Executor | None = None,
    report: Report | None = None,
) -> Iterator[CloudSource]:
    """The points of one or more files as a source of tiles; files may be larger than the memory.

    A COPC file is asked for each block directly; points outside the bounds of its header are left out, with a warning. All
    other points are sorted once, by the `executor`, into `work_folder`, which takes some 60 bytes for each point and
    attributes of their own (fewer with only those named in `attributes`) and is removed at the end. An interrupted call
    goes on from there.
    Files of LAS and LAZ are read in parts of a million points; those of other formats, and from addresses, must fit into
    memory one by one. `crs`, `height`, `offset` and errors are those of `read_cloud`; FormatError where there is not
    enough space.
    """
    several = [paths] if isinstance(paths, str | Path | Remote) else list(paths)
    places = [files.reachable(path) for path in several]
    require_each_once(places)
    options = {"crs": crs, "height": height, "offset": offset}
    if len(places) == 1 and (found := _copc(places[0], attributes, options)) is not None:
        yield found
        return
    keys = [files.identity(place) for place in places]
    runs, side, size = _planned(places, attributes, options)
    kept = None if attributes is None else tuple(sorted(attributes))
    with held(work_folder):
        folder = claim(work_folder, (sort_run,), {**options, "attributes": kept}, side, keys)
        work = Job(sort_run, executor=executor or InProcess(), report=report)
        missing = [run for run in runs if not is_sorted(run, folder)]
        _require_space(folder, size * len(missing) // len(runs))
        calls = (Call(run.name, sort_run, (run, folder, side, kept, options)) for run in missing)
        try:
            perform_all(calls, work, folder, done=len(runs) - len(missing), tiles=len(runs))
            for place, key in zip(places, keys, strict=True):
                if files.identity(place) != key:
                    raise FormatError(f"{place} changed while it was read; wait until it is written, and run again.")
            yield gathered(runs, folder, side, key_of(folder))
        except (InputError, ConfigError):  # the same call would end the same way
            discard(folder)
            raise
        discard(folder)


def _planned(places: list[Place], attributes: Collection[str] | None, options: dict[str, Any]) -> tuple[list[Run], float, int]:
    """The runs that make the cloud, the side of the squares they are sorted by, and the bytes that they take."""
    runs: list[Run] = []
    points, area, size = 0, 0.0, 0
    first: PointCloud | None = None
    for place in places:
        if place.suffix.lower() in COLUMN_DOORS:
            runs.append(Run(len(runs), place, None))
            size += place.stat().st_size
            continue
        with las.opened(place, guard=las_guard.require_plausible_header) as reader:
            header = reader.header
            count, record = int(header.point_count), int(header.point_format.size)
            wide, tall = (np.asarray(header.maxs) - np.asarray(header.mins))[:2]
        if isinstance(place, Remote):  # each part would fetch all of it anew
            runs.append(Run(len(runs), place, None))
        else:
            first = first or read_range(place, slice(0, _LOOKED_AT), **options)
            for start in range(0, count, RUN_POINTS):
                runs.append(Run(len(runs), place, slice(start, min(start + RUN_POINTS, count))))
        points, area = points + count, area + float(wide * tall)
        size += count * (32 + (record if attributes is None else 2 * len(attributes)))
    return runs, _side(points, area, first), size


def _side(points: int, area: float, first: PointCloud | None) -> float:
    """The side of squares with some `_SQUARE_POINTS` points, a power of two; what headers say is held against some points."""
    if not points:
        return _USUAL_SIDE
    side = math.sqrt(area / points * _SQUARE_POINTS) if math.isfinite(area) and area > 0 else _USUAL_SIDE
    if first is not None and len(first):
        west, south, east, north = first.bounds
        least = math.sqrt((east - west) * (north - south) / points * _SQUARE_POINTS)
        side = min(max(side, least), max(east - west, north - south))
    return 2.0 ** round(math.log2(max(side, 1e-6)))


def _copc(place: Place, attributes: Collection[str] | None, options: dict[str, Any]) -> CopcFile | None:
    """The file as a source where it is COPC."""
    if place.suffix.lower() in COLUMN_DOORS:
        return None
    with las.opened(place, guard=las_guard.require_plausible_header) as reader:
        header = reader.header
        if copc.octree_of(header) is None:
            return None
        (west, south), (east, north) = np.asarray(header.mins)[:2].tolist(), np.asarray(header.maxs)[:2].tolist()
        count = int(header.point_count)
    dx, dy, _ = options["offset"]
    bounds = (west + dx, south + dy, east + dx, north + dy)
    corner = read_block(place, (bounds[0], bounds[1], bounds[0], bounds[1]), **options)
    kept = tuple(name for name in corner.attributes if attributes is None or name in attributes)
    return CopcFile(place, bounds, count, corner.crs, corner.height, kept, options["offset"])


def _require_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise FormatError(
            f"sorting the points takes some {size / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB are free; "
            "free some space, choose another folder for the results, or bring the points as COPC."
        )
