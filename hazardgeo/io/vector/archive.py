"""Features in ZIP files: a Shapefile or another data set that was packed, and KMZ."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from hazardgeo.errors import InputError
from hazardgeo.io import archive

SUFFIXES = (".zip", ".kmz")
_DATA_SETS = (
    ".gpkg", ".shp", ".geojson", ".kml", ".kmz", ".fgb", ".gml", ".gpx", ".tab", ".mif", ".csv", ".xlsx", ".parquet",
    ".geoparquet", ".sqlite", ".dxf", ".osm", ".pbf", ".geojsonl", ".gdb",
)  # fmt: skip
Read = Callable[[Path, Path, str | None], gpd.GeoDataFrame]


def read(path: Path, label: Path, layer: str | None, reader: Read) -> gpd.GeoDataFrame:
    """The features of the data set in a ZIP file, or of all KML files in a KMZ file, read by `reader(place, label, layer)`.

    `layer` names the data set where there are several ("roads.shp", or "city.gpkg/roads" for a layer of one), else a layer
    of the only one. Raises InputError where there is none or one must be chosen.
    """
    with archive.unpacked(path) as folder:
        if path.suffix.lower() == ".kmz":
            return _keyhole(folder, label, layer, reader)
        found = {name: place for name, place in _data_sets(folder).items() if not _inside_database(name)}
        if not found:
            held = sorted({p.suffix for p in folder.rglob("*") if p.is_file()}) or ["nothing"]
            raise InputError(f"{label} holds no data set with features, only {', '.join(held)}; check the file.")
        if len(found) == 1:
            name, place = next(iter(found.items()))
            own = None if layer is None or layer in _names(name) else layer.removeprefix(f"{name}/")
            return reader(place, label / name, own)
        name, own = _chosen(list(found), layer, label)
        return reader(found[name], label / name, own)


def _data_sets(folder: Path) -> dict[str, Path]:
    """The data sets below a folder by their names in the archive."""
    places = (
        p for p in sorted(folder.rglob("*")) if p.suffix.lower() in _DATA_SETS and p.is_dir() == (p.suffix.lower() == ".gdb")
    )
    return {p.relative_to(folder).as_posix(): p for p in places}


def _inside_database(name: str) -> bool:
    return any(part.lower().endswith(".gdb") for part in name.split("/")[:-1])


def _names(name: str) -> tuple[str, ...]:
    """What a data set may be called: its name in the archive, that of its file, and that without suffix."""
    return name, Path(name).name, Path(name).stem


def _chosen(names: list[str], layer: str | None, label: Path) -> tuple[str, str | None]:
    """The data set that `layer` names, and the layer in it."""
    for name in names if layer is not None else []:
        if layer in _names(name) and sum(layer in _names(other) for other in names) == 1:
            return name, None
        if layer is not None and layer.startswith(f"{name}/"):
            return name, layer.removeprefix(f"{name}/")
    raise InputError(f"{label} holds several data sets; choose one with layer=: {', '.join(names)}.")


def _keyhole(folder: Path, label: Path, layer: str | None, reader: Read) -> gpd.GeoDataFrame:
    """All KML files of a KMZ, the main one first; what they link to elsewhere is not followed."""
    found = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.suffix.lower() == ".kml"}
    names = sorted(found, key=lambda name: (name != "doc.kml", name.count("/"), name))
    if not names:
        raise InputError(f"{label} holds no KML; check the file.")
    if len(names) == 1:
        return reader(found[names[0]], label, layer)
    if layer is not None:
        name, own = _chosen(names, layer, label)
        return reader(found[name], label / name, own)
    parts: list[Any] = []
    for name in names:
        features = reader(found[name], label / name, None)
        column = "folder" if "folder" in features.columns else features.columns[0]
        parts.append(features.assign(**{column: f"{name}: " + features[column].astype(str)}))
    together = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return gpd.GeoDataFrame(together, geometry="geometry", crs=parts[0].crs)
