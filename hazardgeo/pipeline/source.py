"""The files behind an input: what they hold, and whether they held still while they were read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.io.raster import source as raster_source
from hazardgeo.pipeline.manifest import FileRecord, record

_BESIDE = (
    *(".prj", ".qpj", ".cpg", ".dbf", ".shx", ".dat", ".map", ".id", ".mid", ".csvt", ".vrt", ".gml", ".gfs", ".xsd"),
    *(".aux.xml", ".hdr", ".wld", ".tfw", ".tifw", ".tiffw", ".jgw", ".jpgw", ".pgw", ".pngw", ".bpw", ".blw", ".gfw"),
    *(".ovr", ".msk", ".clr", ".stx", ".rrd", ".aux", ".tab"),
    *(".sgrd", ".sdat", ".mgrd", ".rdc", ".rde", ".ref", ".ige", ".j2w", ".ers"),
)
_NO_RASTERS = frozenset((  # GDAL need not be asked what else it reads, and takes long over large texts
    ".las", ".laz", ".e57", ".ply", ".pcd", ".pts", ".xyz", ".asc", ".txt", ".csv", ".zip", ".gz",
    ".shp", ".gpkg", ".geojson", ".json", ".fgb", ".kml", ".kmz", ".gml", ".tab", ".mif", ".dxf", ".gpx", ".parquet", ".xlsx",
))  # fmt: skip
_LEANS = (b"<vrtdataset", b"<ogrvrtdatasource", b"<gdal_wms", b"<gdalmultidomain", b"gtitileindex")
_HEAD_BYTES = 4096


def companions(path: Path) -> list[Path]:
    """The files beside `path` that belong to it by their names, such as .prj, and those that GDAL reads with it."""
    stem, name = path.stem.lower(), path.name.lower()
    wanted = {f"{start}{end}" for start in (stem, name) for end in _BESIDE} | {f"{name}-wal", f"{name}-journal"}
    wanted |= {stem} if path.suffix.lower() == ".ers" else set()
    try:
        found = [p for p in path.parent.iterdir() if p.name.lower() in wanted and p.name != path.name]
    except PermissionError:  # a folder that may be entered but not listed
        found = []
    found += [p for p in _read_with(path) if p != path.absolute() and p not in {f.absolute() for f in found}]
    return sorted(p for p in found if p.is_file() and p.stat().st_size)


def _read_with(path: Path) -> list[Path]:
    """The files that GDAL reads with a raster, such as the data of a header; none for what is no raster."""
    if path.suffix.lower() in _NO_RASTERS:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with raster_source.opened(path, None) as dataset:
                return [Path(name) for name in dataset.files]
    except (HazardGeoError, OSError):
        return []


def leans_on_others(path: Path) -> bool:
    """True for a file that names other files to read, anywhere, such as a .vrt: it can change without changing."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES).lower()
    return any(mark in head for mark in _LEANS)


def records(name: str, paths: Sequence[Path]) -> tuple[FileRecord, ...]:
    """Size and hash of the files of an input and of their companions. FormatError for one that cannot be read."""
    found: dict[Path, FileRecord] = {}
    for path in paths:
        if not path.is_file():
            raise FormatError(f"[inputs] {name}: there is no file {path}; correct the path in the scenario.")
        try:
            found |= {p: record(p, name=f"{name}: {p.name}") for p in (path, *companions(path)) if p not in found}
        except OSError as error:
            raise FormatError(f"[inputs] {name}: {path} cannot be read: {error.strerror}; check its permissions.") from None
    return tuple(found.values())


@contextmanager
def held_still(name: str, paths: Sequence[Path], before: tuple[FileRecord, ...]) -> Iterator[None]:
    """Raise FormatError where a file of the input is not, after the block, what it was in `before`.

    That goes before any error of the block itself: half a file that is being copied looks damaged.
    """
    try:
        yield
    except HazardGeoError:
        _require_same(name, paths, before)
        raise
    _require_same(name, paths, before)


def _require_same(name: str, paths: Sequence[Path], before: tuple[FileRecord, ...]) -> None:
    try:
        changed = sorted({file.path for file in set(before) ^ set(records(name, paths))})
    except FormatError:
        changed = [f"{name}: {paths[0].name}"]
    if changed:
        raise FormatError(f"[inputs] {changed[0]} changed while it was read; wait until the copy is finished, then run again.")
