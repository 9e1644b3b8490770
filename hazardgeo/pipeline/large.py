"""Single steps on clouds of any size: read by parts, worked on tile by tile on any executor, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hazardgeo import io, scan, tiles
from hazardgeo.errors import FormatError, InputError
from hazardgeo.io import files
from hazardgeo.io.remote import Place, located
from hazardgeo.tiles import CloudSource, Executor
from hazardgeo.tiles.engine import Report

Clouds = str | Path | Sequence[str | Path]
_ALL = None
_SCANS = (".las", ".laz")
_FOR_CELLS = ("classification", "withheld")
_FOR_LAYERS = {"intensity": ("intensity",), "density": ("overlap", "return_number", "number_of_returns")}
GROUND_JOB_BYTES = 700_000_000  # seen with tiles of a million points


def ground(  # noqa: PLR0913 - all are options of the filter, named
    clouds: Clouds,
    *,
    out: str | Path,
    cell_m: float = 1.0,
    slope: float = 0.05,
    window_m: float = 24.0,
    threshold_m: float = 0.3,
    scalar: float = 1.25,
    max_gap_m: float = 5.0,
    max_cover_m: float = 20.0,
    penetrates: bool | None = None,
    executor: Executor | None = None,
    report: Report | None = None,
    **reading: Any,
) -> dict[str, Path]:
    """The ground of a scan of any size: `ground.laz`, `dtm.tif` and `dsm.tif` in the folder `out`, and their paths.

    `clouds` is one file or several that are one scan, by path or URL, larger than the memory where they are LAS, LAZ or
    COPC. The result is that of `scan.classify_ground`, `scan.dtm` and `scan.dsm` on the whole, to the last bit, and their
    options are these; points are written tile by tile, to the millimetre. `reading` takes `crs`, `height` and `offset` of
    `read_cloud`, the `executor` is one of `hazardgeo.tiles` (this process unless given), and `report` is called with a
    `tiles.Progress`. Work lies in `out` until all is done: after an interruption the same call goes on from there. Errors
    are those of these functions and of `tiles.map`.
    """
    options = {"slope": slope, "window_m": window_m, "threshold_m": threshold_m, "scalar": scalar}
    options |= {"max_gap_m": max_gap_m, "max_cover_m": max_cover_m}
    scan.require_ground_options(cell_m=cell_m, **options)
    folder = folder_of(out)
    made = {"cloud": folder / "ground.laz", "dtm": folder / "dtm.tif", "dsm": folder / "dsm.tif"}
    sinks = scan.GroundSinks(io.CloudParts(made["cloud"]), io.RasterParts(made["dtm"]), io.RasterParts(made["dsm"]))
    job: dict[str, Any] = {"executor": executor or tiles.InProcess(), "report": report}
    with points_of(apart(clouds, *made.values()), folder, _ALL, reading, job) as source:
        work = folder / ".ground"
        scan.ground_and_surfaces(source, sinks, work_folder=work, cell_m=cell_m, penetrates=penetrates, **options, **job)
    return made


def surface(
    clouds: Clouds,
    *,
    out: str | Path,
    cell_m: float = 1.0,
    statistic: str = "highest",
    executor: Executor | None = None,
    report: Report | None = None,
    **reading: Any,
) -> Path:
    """A cloud of any size as a raster `out` (.tif): the "highest", "lowest" or "mean" elevation of each cell, or the "count".

    Or its "density", "intensity" or "roughness", as `scan` has them. Points that are withheld or noise do not count.
    Arguments and errors are those of `ground` and `scan.cell_statistic`.
    """
    scan.require_statistic(statistic, cell_m=cell_m)
    target = target_of(out)
    job: dict[str, Any] = {"executor": executor or tiles.InProcess(), "report": report}
    attributes = *_FOR_CELLS, *_FOR_LAYERS.get(statistic, ())
    with points_of(apart(clouds, target), target.parent, attributes, reading, job, name=target.stem) as source:
        scan.cell_statistic(source, io.RasterParts(target), cell_m=cell_m, statistic=statistic, **job)
    return target


def folder_of(out: str | Path) -> Path:
    """The folder, made where it is not there, by its whole path: workers start in folders of their own."""
    if files.is_address(out):
        raise FormatError(f"{out} is an address; results are written to folders: name one here, or one that is shared.")
    folder = Path(out).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(f"cannot make the folder {folder}: {error.strerror}; choose another.") from None
    return folder


def target_of(out: str | Path) -> Path:
    """Where a raster is written; its folder is made."""
    target = files.require_suffix(out, (".tif", ".tiff"))
    folder_of(out if files.is_address(out) else target.parent)
    return target.absolute()


def apart(sources: Clouds, *targets: Path) -> list[Place]:
    """Whole paths and addresses of the files, those in a folder or of a pattern too; InputError for one that is written to."""
    several = [sources] if isinstance(sources, str | Path) else sources
    places = [place for source in several for place in _files(source)]
    for target in targets:
        if any(isinstance(place, Path) and place.resolve() == target.resolve() for place in places):
            raise InputError(f"{target} would be written over while it is read; name another result.")
    return places


def _files(source: str | Path) -> list[Place]:
    place = located(source)
    if not isinstance(place, Path):
        return [place]
    if place.is_dir():
        found = sorted(p for p in place.iterdir() if p.suffix.lower() in _SCANS)
        if not found:
            raise InputError(f"{place} is a folder without {' or '.join(_SCANS)} files; name the files.")
        return [p.absolute() for p in found]
    if "*" in place.name and not place.exists():  # a shell that does not look names up leaves that to the program
        return [p.absolute() for p in sorted(place.parent.glob(place.name))] or [place]
    return [place.absolute()]


@contextmanager
def points_of(
    places: Sequence[Place],
    folder: Path,
    attributes: Sequence[str] | None,
    reading: dict[str, Any],
    job: dict[str, Any],
    *,
    name: str = "points",
) -> Iterator[CloudSource]:
    """The points of the files as a source of tiles; what is sorted lies in `folder` until the end."""
    work = folder / f".{name}.points"
    with io.cloud_source(places, work_folder=work, attributes=attributes, **reading, **job) as source:
        yield source
