"""A scenario proposed from the files that lie in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas
import tomli_w

from hazardgeo import crs as _crs
from hazardgeo import io
from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.shelter import CAPACITY_COLUMNS

CLOUDS = (".las", ".laz")
RASTERS = (".tif", ".tiff", ".hgt", ".asc", ".img")
SHAPES = (".gpkg", ".shp", ".geojson", ".fgb", ".parquet", ".csv", ".pbf")
RASTER_WORDS = {
    "dem": ("dem", "dtm", "elevation", "srtm", "hgt", "height"),
    "slope": ("slope", "grad"),
    "vs30": ("vs30",),
    "precipitation": ("precip",),
    "water_table": ("wtd", "water_table", "watertable"),
    "distance_to_river": ("river", "_dr_"),
    "distance_to_coast": ("coast", "_dc_"),
    "lithology": ("litho", "glim"),
    "land_cover": ("land_cover", "landcover", "globcover"),
    "cti": ("cti", "wetness"),
}
AREA_WORDS = {"surveyed": ("survey", "flown"), "bodies": ("slide", "bod", "scar"), "zones": ("zone", "township", "district")}
PEOPLE_COLUMNS = ("people", "population", "residents", "pop", "人口")


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
    notes, places = [], []
    for path in sorted(p for p in place.rglob("*") if p.is_file() and not p.name.startswith(".")):
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
            places.append(crs)
    if not found:
        raise FormatError(f"{place} holds no file that hazardgeo knows ({', '.join((*CLOUDS, *RASTERS, *SHAPES))}, grid.xml).")
    document: dict[str, object] = {"title": place.resolve().name}
    if places:
        document["crs"] = places[0]
    document["inputs"] = {name: entry["path"] if len(entry) == 1 else entry for name, entry in found.items()}
    return Proposal(tomli_w.dumps(document), tuple(notes))


def _recognise(path: Path) -> tuple[str | None, str | None, dict[str, object]]:
    """The input that a file looks like (None when it looks like none), its CRS, and how it must be read."""
    kind, name = path.suffix.lower(), path.name.lower()
    if kind in CLOUDS:
        return "scan", io.cloud_info(path).crs, {}
    if kind == ".xml":
        io.read_shakemap(path)
        return "shakemap", None, {}
    if kind in RASTERS:
        for key, words in RASTER_WORDS.items():
            if any(word in name for word in words):
                grid = io.read_raster(path).grid
                west, south, east, north = grid.bounds
                crs = _crs.utm((west + east) / 2, (south + north) / 2) if grid.crs.is_geographic else grid.crs
                return key, _crs.label(crs), {}
        return None, None, {}
    if kind in SHAPES and not name.endswith(".osm.pbf"):
        return _shape_input(io.read_vector(path), name)
    return None, None, {}


def _shape_input(shapes: geopandas.GeoDataFrame, name: str) -> tuple[str | None, str | None, dict[str, object]]:
    kinds = set(shapes.geom_type)
    if kinds <= {"LineString", "MultiLineString"}:
        return "roads", None, {}
    if set(shapes.columns) & set(CAPACITY_COLUMNS):
        return "sites", None, {}
    people = next((c for c in PEOPLE_COLUMNS if c in shapes.columns), None)
    if people is not None and kinds <= {"Point"}:
        return "people", None, {} if people == "people" else {"columns": {people: "people"}}
    words = AREA_WORDS.items() if kinds <= {"Polygon", "MultiPolygon"} else ()
    return next((key for key, known in words if any(word in name for word in known)), None), None, {}
