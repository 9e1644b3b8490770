"""The files of a folder, as far as they concern a scenario: data, statements of their coordinates, and what is not read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hazardgeo.errors import HazardGeoError
from hazardgeo.io import products, signatures
from hazardgeo.io.products import Product

CLOUDS = (".las", ".laz", ".ply", ".pcd", ".e57", ".pts", ".ptx")
RASTERS = (".tif", ".tiff", ".hgt", ".asc", ".img", ".vrt", ".bil", ".flt", ".grd")
SHAPES = (
    ".gpkg", ".gdb", ".shp", ".geojson", ".json", ".fgb", ".parquet", ".geoparquet", ".kml", ".kmz", ".gml", ".tab", ".pbf",
    ".zip", ".csv", ".tsv", ".xlsx", ".xlsm", ".ods",
)  # fmt: skip
XML = (".xml", ".xml.gz", ".xml.zip")
KNOWN = (*CLOUDS, *RASTERS, *SHAPES, *XML)
NOT_INPUTS = ("truth", "results")
_ARCHIVES = (".7z", ".rar", ".tar", ".gz", ".tgz")
_SHAKEMAP_PRODUCTS = ("shake_result.hdf", "raster.zip", "shape.zip")
_PHOTOS = (".jpg", ".jpeg", ".dng", ".heic", ".mp4", ".mov")


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies in a folder: files that a door may read, statements of coordinates, and one line for each thing left out."""

    place: Path
    files: tuple[Path, ...]
    products: tuple[Product, ...]
    left_out: tuple[str, ...]

    def name_of(self, path: Path) -> str:
        """The path as a scenario in the folder writes it."""
        return path.relative_to(self.place).as_posix()


def look(place: Path) -> Folder:
    """The files below `place`, sorted; results of a run, planted truth and hidden files do not belong to it.

    Raw scans, models and drawings are counted by kind, with the export to make. Damaged statements of coordinates and those
    of local systems are named.
    """
    found: list[Path] = []
    stated: list[Product] = []
    lines: list[str] = []
    unread: Counter[str] = Counter()
    for path in _belonging(place):
        name = path.relative_to(place).as_posix()
        try:
            statement = products.statement(path)
        except HazardGeoError as error:
            lines.append(str(error).replace(str(path), name))
            continue
        if statement is not None:
            stated.append(statement)
        elif name.lower().endswith(KNOWN) and path.name.lower() not in _SHAKEMAP_PRODUCTS:
            found.append(path)
        else:
            unread[_not_read(path)] += 1
    for reason, count in sorted(unread.items()):
        if reason:
            lines.append(f"{count} file{'s' if count > 1 else ''} {reason}")
    return Folder(place, tuple(found), tuple(stated), tuple(lines))


def _belonging(place: Path) -> list[Path]:
    """The files of the folder and those below it; a file geodatabase (.gdb) is a folder that counts as one file."""

    def belongs(path: Path) -> bool:
        inside = path.relative_to(place).parts[:-1]
        folders = [place.joinpath(*inside[: i + 1]) for i in range(len(inside))]
        hidden = any(part.startswith(".") or part in NOT_INPUTS for part in (*inside, path.name))
        made = any((folder / "manifest.json").exists() or folder.suffix.lower() == ".gdb" for folder in folders)
        return not hidden and not made

    return sorted(path for path in place.rglob("*") if _is_one(path) and belongs(path))


def _is_one(path: Path) -> bool:
    return path.is_dir() if path.suffix.lower() == ".gdb" else path.is_file()


def _not_read(path: Path) -> str:
    """Why a file is not read, in words that are the same for all of its kind; nothing for files of no account."""
    kind = path.suffix.lower()
    raw = signatures.raw_scan(path)
    if raw is not None:
        return f"({kind or path.name}) left out: {raw.what}; {raw.export}"
    if path.name.lower() in _SHAKEMAP_PRODUCTS:
        return f"({path.name}) left out: another product of a ShakeMap; fetch its grid.xml"
    if kind == ".xyz":
        return f"({kind}) left out: points as text; io.read_xyz(path, layout=..., crs=...) and io.write_cloud make LAS of them"
    if kind in _ARCHIVES:
        return f"({kind}) left out: packed files; unpack them into this folder"
    if kind in _PHOTOS:
        return f"({kind}) left out: photos and films are not used by any stage yet"
    return ""
