"""A scenario proposed from the files that lie in a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import geopandas
import pyproj
import tomli_w

from hazardgeo import crs as _crs
from hazardgeo import io
from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.shelter import CAPACITY_COLUMNS

CLOUDS = (".las", ".laz")
RASTERS = (".tif", ".tiff", ".hgt", ".asc", ".img")
SHAPES = (".gpkg", ".shp", ".geojson", ".fgb", ".parquet", ".csv", ".pbf")
RASTER_WORDS = {  # the most specific first; words of a file name between its separators
    "distance_to_river": ("river", "dr"),
    "distance_to_coast": ("coast", "dc"),
    "precipitation": ("precip", "precipitation"),
    "water_table": ("wtd", "watertable"),
    "land_cover": ("landcover", "globcover", "cover"),
    "lithology": ("lithology", "litho", "glim"),
    "vs30": ("vs30",),
    "cti": ("cti", "twi", "wetness"),
    "slope": ("slope", "gradient"),
    "dem": ("dem", "dtm", "elevation", "srtm"),
}
AREA_WORDS = {
    "surveyed": ("surveyed", "survey", "flown"),
    "bodies": ("bodies", "slides", "landslides", "scars"),
    "zones": ("zones", "townships", "districts"),
}
PEOPLE_COLUMNS = ("people", "population", "residents", "pop", "人口")
NOT_INPUTS = ("truth", "results")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A scenario as TOML text, and what was made of each file in the folder."""

    toml: str
    notes: tuple[str, ...]


def propose(folder: Path | str) -> Proposal:
    """A scenario for the files in `folder`: which input each looks like, and the working CRS.

    Raises FormatError for a folder that is not there or that holds nothing known.
    """
    place = Path(folder)
    if not place.is_dir():
        raise FormatError(f"there is no folder {place}; give one that holds scans, rasters or shapes.")
    found: dict[str, dict[str, object]] = {}
    notes: list[str] = []
    places: list[str] = []
    for path in _files(place):
        try:
            name, crs, options = _recognise(path)
        except HazardGeoError as error:
            notes.append(f"{path.name}: left out, {error}")
            continue
        if name is None:
            continue
        if name in found:
            notes.append(f"{path.name}: left out, {found[name]['path']} is the {name} already")
            continue
        found[name] = {"path": path.relative_to(place).as_posix(), **options}
        notes.append(f"{path.name}: {name}")
        if crs is not None and name in ("scan", "dem"):
            places.insert(0 if name == "scan" else len(places), crs)
    for other in ("dem", "slope") if "scan" in found else ("slope",) if "dem" in found else ():
        if found.pop(other, None) is not None:
            notes.append(f"{other}: left out, the terrain comes from {'scan' if 'scan' in found else 'dem'}")
    if not found:
        raise FormatError(f"{place} holds no file that hazardgeo knows ({', '.join((*CLOUDS, *RASTERS, *SHAPES))}, grid.xml).")
    document: dict[str, object] = {"title": place.resolve().name}
    if places:
        document["crs"] = places[0]
    document["inputs"] = {name: entry["path"] if len(entry) == 1 else entry for name, entry in found.items()}
    return Proposal(tomli_w.dumps(document), tuple(notes))


def _files(place: Path) -> list[Path]:
    """The files of a folder and those below it, without results of a run, planted truth and hidden files."""

    def belongs(path: Path) -> bool:
        inside = path.relative_to(place).parts[:-1]
        folders = [place.joinpath(*inside[: i + 1]) for i in range(len(inside))]
        hidden = any(part.startswith(".") or part in NOT_INPUTS for part in (*inside, path.name))
        return not hidden and not any((folder / "manifest.json").exists() for folder in folders)

    return sorted(path for path in place.rglob("*") if path.is_file() and belongs(path))


def _words(path: Path) -> set[str]:
    """The words of a file name, and pairs of them without their separator."""
    words = [word for word in re.split(r"[^a-z0-9]+", path.stem.lower()) if word]
    return {*words, *(a + b for a, b in pairwise(words))}


def _crs_code(crs: pyproj.CRS) -> str | None:
    """The code of a metric CRS; one without a code is left to the files."""
    code = crs.to_authority(min_confidence=70)
    return ":".join(code) if code and _crs.is_metric(crs) else None


def _recognise(path: Path) -> tuple[str | None, str | None, dict[str, object]]:
    """The input that a file looks like (None when it looks like none), its CRS, and how it must be read."""
    kind = path.suffix.lower()
    if kind in CLOUDS:
        crs = io.cloud_info(path).crs
        return "scan", None if crs is None else _crs_code(_crs.horizontal(crs)), {}
    if kind == ".xml":
        io.read_shakemap(path)
        return "shakemap", None, {}
    if kind in RASTERS:
        words = {"dem"} if kind == ".hgt" else _words(path)
        key = next((key for key, known in RASTER_WORDS.items() if words & set(known)), None)
        return key, None if key is None else _raster_crs(path), {}
    if path.name.lower().endswith(".osm.pbf"):
        return "roads", None, {"layer": "lines", "where": "highway IS NOT NULL"}
    if kind in SHAPES:
        return _shape_input(io.read_vector(path), _words(path))
    return None, None, {}


def _raster_crs(path: Path) -> str | None:
    """The metric CRS of a raster, or the UTM zone of its centre where it is in degrees."""
    grid = io.read_raster(path).grid
    west, south, east, north = grid.bounds
    return _crs_code(_crs.utm((west + east) / 2, (south + north) / 2) if grid.crs.is_geographic else grid.crs)


def _shape_input(shapes: geopandas.GeoDataFrame, words: set[str]) -> tuple[str | None, str | None, dict[str, object]]:
    kinds = set(shapes.geom_type)
    if not kinds:
        return None, None, {}
    if kinds <= {"LineString", "MultiLineString"}:
        return "roads", None, {}
    if set(shapes.columns) & set(CAPACITY_COLUMNS):
        return "sites", None, {}
    people = next((c for c in PEOPLE_COLUMNS if c in shapes.columns), None)
    if people is not None and kinds <= {"Point"}:
        return "people", None, {} if people == "people" else {"columns": {people: "people"}}
    areas = AREA_WORDS.items() if kinds <= {"Polygon", "MultiPolygon"} else ()
    return next((key for key, known in areas if words & set(known)), None), None, {}
