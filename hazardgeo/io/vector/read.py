"""Features from files: GeoPackage, Shapefile, GeoJSON, KML, OpenStreetMap, GeoParquet, CSV, Excel and what else GDAL reads."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, get_args

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.errors import CrsError, HazardGeoWarning, InputError
from hazardgeo.io import china, files
from hazardgeo.io.reference import agreed_crs, require_plausible_place
from hazardgeo.io.vector import archive as vector_archive
from hazardgeo.io.vector import excel, places, table
from hazardgeo.io.vector import ogr as vector_ogr
from hazardgeo.io.vector import parquet as vector_parquet
from hazardgeo.io.vector.places import Axes
from hazardgeo.io.vector.write import write_vectors

__all__ = ["read_vector", "write_vectors"]

_TEXT_TABLES = (".csv", ".tsv", ".txt")
_PARQUET = (".parquet", ".geoparquet")
_DATUMS: dict[china.Datum, str] = {"gcj02": "GCJ-02", "bd09": "BD-09"}
_DEGREE_LIMITS = (-360.5, -90.5, 360.5, 90.5)


def read_vector(
    path: str | Path,
    *,
    crs: Any = None,
    source_crs: Any = None,
    layer: str | None = None,
    where: str | None = None,
    axes: Axes = "east-north",
) -> gpd.GeoDataFrame:
    """The features of one layer as a GeoDataFrame with index 0..n-1, brought to `crs` where that is given.

    Reads what GDAL reads (GeoPackage, Shapefile, GeoJSON, FlatGeobuf, File Geodatabase, GML, GPX, MapInfo, DXF, SQLite, .osm
    and .osm.pbf with layer "points", "lines" or "multipolygons"), KML and KMZ (all folders, named in a column "folder"),
    GeoParquet, these in a ZIP file, and tables with columns of coordinates: CSV, Excel (.xlsx, .xlsm), .ods, Parquet.
    Coordinates in tables are decimal degrees, degrees with minutes and seconds, WKT, or numbers on a map; longitude and
    latitude are EPSG:4326 where nothing else is stated.

    `source_crs` states the CRS of a file that has none; "GCJ-02" and "BD-09" are converted to EPSG:4326. `axes` is
    "north-east" where x of the file is north. `layer` names a layer, a sheet, or a data set in a ZIP file. `where` is an SQL
    condition, for formats that GDAL reads.

    Z and M are dropped, curves become lines. Invalid geometries are mended, features without geometry and rows without
    coordinates are left out: a HazardGeoWarning says how many, and so does attrs["features_left_out"]. Text in Chinese
    Shapefiles and tables without a stated encoding is recognised. Nothing is fetched from a network, and nothing is written
    beside the file.

    Raises FormatError for files that cannot be read, or not to their end, CrsError for a CRS that is missing or does not fit,
    InputError for a layer that is not there or must be chosen, for a wrong `where`, and for coordinates that are none.
    """
    if axes not in get_args(Axes):
        raise InputError(f"axes={axes!r} is not known; use {' or '.join(get_args(Axes))}.")
    source = Path(path)
    if not (source.is_dir() and source.suffix.lower() == ".gdb"):
        source = files.existing(path)
    datum = china.datum_of(source_crs)
    stated = "EPSG:4326" if datum else source_crs
    features = _turned(_read(source, source, stated, layer, where, axes), axes)
    if datum:
        features = _in_datum(features, datum, source)
    features = _usable(_in_stated_crs(features, stated, source), source)
    if len(features):
        require_plausible_place(_bounds(features), features.crs, source, argument="source_crs")
    if datum:
        features = _from_chinese_datum(features, datum, source)
    return features if crs is None else _projected(features, _crs.horizontal(crs), source)


def _bounds(features: gpd.GeoDataFrame) -> tuple[float, float, float, float]:
    west, south, east, north = map(float, features.total_bounds)
    return west, south, east, north


def _read(place: Path, path: Path, source_crs: Any, layer: str | None, where: str | None, axes: Axes) -> gpd.GeoDataFrame:
    """The features of the file at `place`, which messages call `path`, by what it is."""
    suffix = place.suffix.lower()
    if suffix in vector_archive.SUFFIXES:

        def inner(unpacked: Path, label: Path, own: str | None) -> gpd.GeoDataFrame:
            return _read(unpacked, label, source_crs, own, where, axes)

        return vector_archive.read(place, path, layer, inner)
    if suffix in (*_TEXT_TABLES, *_PARQUET) and (where is not None or layer is not None):
        raise InputError(f"{path} has no layers and takes no SQL; leave layer= and where= away and select rows afterwards.")
    if suffix in _TEXT_TABLES:
        return places.points(table.read_cells(place, path), path, source_crs, axes)
    if suffix in _PARQUET:
        return vector_parquet.read(place, path, source_crs, axes)
    if suffix in excel.SUFFIXES:
        if where is not None:
            raise InputError(f"{path} takes no SQL; leave where= away and select rows afterwards.")
        return places.points(excel.read_cells(place, path, layer), path, source_crs, axes)
    return vector_ogr.read(place, path, layer, where)


def _turned(features: gpd.GeoDataFrame, axes: Axes) -> gpd.GeoDataFrame:
    """The features with x as east, where x of the file is north."""
    if axes == "east-north":
        return features
    flat = shapely.force_2d(features.geometry.to_numpy())
    return features.set_geometry(gpd.GeoSeries(shapely.transform(flat, lambda xy: xy[:, ::-1]), features.index, crs=features.crs))


def _in_datum(features: gpd.GeoDataFrame, datum: china.Datum, path: Path) -> gpd.GeoDataFrame:
    """The features as degrees of a Chinese map service, for which no file can state a code; CrsError for a map CRS that fits."""
    if features.crs is None:
        return features
    if features.crs.is_geographic:
        return features.set_crs("EPSG:4326", allow_override=True)
    if not len(features) or _crs.readings.doubt(_bounds(features), _crs.horizontal(features.crs)) is None:
        stored = _crs.label(_crs.horizontal(features.crs))
        raise CrsError(
            f"{path} says that it is in {stored}, but source_crs= says {_DATUMS[datum]}; leave source_crs= away, or correct the "
            "file if it is wrong."
        )
    return features


def _from_chinese_datum(features: gpd.GeoDataFrame, datum: china.Datum, path: Path) -> gpd.GeoDataFrame:
    """The features in EPSG:4326, from coordinates of a Chinese map service."""

    def true(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(china.to_wgs84(xy[:, 0], xy[:, 1], datum))

    shapes = shapely.transform(features.geometry.to_numpy(), true)
    moved = int((~shapely.equals_identical(shapes, features.geometry.to_numpy())).sum())
    if not moved:  # these systems shift places in and around China only
        return features
    message = f"{path}: {moved} features are converted from {_DATUMS[datum]} to EPSG:4326, as stated; allow for some metres."
    warnings.warn(message, HazardGeoWarning, stacklevel=3)
    converted = features.set_geometry(gpd.GeoSeries(shapes, features.index, crs="EPSG:4326"))
    converted.attrs = {**features.attrs, "converted_from": datum}
    return converted


def _in_stated_crs(features: gpd.GeoDataFrame, source_crs: Any, path: Path) -> gpd.GeoDataFrame:
    """The features with their horizontal CRS: what the file says, checked against its coordinates, or what is stated."""
    stored = None if features.crs is None else _crs.horizontal(features.crs)
    if stored is not None and stored.is_geographic and len(features):
        west, south, east, north = features.total_bounds
        limits = _DEGREE_LIMITS
        if west < limits[0] or south < limits[1] or east > limits[2] or north > limits[3]:
            if source_crs is None:
                raise CrsError(
                    f"{path} says that it is in {_crs.label(stored)}, but its coordinates reach {east:g}, {north:g}, which are "
                    "not degrees; state the right CRS with source_crs='EPSG:...'."
                )
            stored = None
    bounds = _bounds(features) if len(features) else None
    agreed = agreed_crs(stored, source_crs, path, argument="source_crs", bounds=bounds)
    return features.set_crs(agreed, allow_override=True)


def _usable(features: gpd.GeoDataFrame, path: Path) -> gpd.GeoDataFrame:
    """The features with flat, valid geometries in a column "geometry"; says how many were mended or left out."""
    shapes = shapely.force_2d(features.geometry.to_numpy())
    single = (shapely.get_type_id(shapes) == shapely.GeometryType.MULTIPOINT) & (shapely.get_num_geometries(shapes) == 1)
    shapes[single] = shapely.get_geometry(shapes[single], 0)
    before = int(features.attrs.get("features_left_out", 0))
    present = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes)) & _finite(shapes)
    if features.crs is not None and features.crs.is_geographic:  # 0, 0 is how programs write a place that is not known
        present &= ~((shapely.get_x(shapes) == 0) & (shapely.get_y(shapes) == 0))
    broken = present & ~shapely.is_valid(shapes)
    if broken.any():
        shapes[broken] = shapely.make_valid(shapes[broken], method="structure", keep_collapsed=False)
        present &= ~shapely.is_empty(shapes)
    remarks = []
    if broken.any():
        remarks.append(f"{int(broken.sum())} of {len(shapes)} geometries were invalid and are mended")
    if not present.all():
        remarks.append(f"{int((~present).sum())} of {len(shapes)} features have no usable geometry and are left out")
    if not present.any():
        remarks.append("no feature is left" if len(shapes) else "the layer has no features")
    if remarks:
        warnings.warn(f"{path}: {'; '.join(remarks)}.", HazardGeoWarning, stacklevel=3)
    others = pd.DataFrame(features.drop(columns=features.geometry.name)).loc[present].reset_index(drop=True)
    kept = gpd.GeoDataFrame(others, geometry=shapes[present], crs=features.crs)
    kept.attrs["features_left_out"] = before + int((~present).sum())
    return kept


def _finite(shapes: NDArray[Any]) -> NDArray[np.bool_]:
    """False for shapes with a coordinate that is infinite or not a number; True for missing and empty ones."""
    coordinates, owner = shapely.get_coordinates(shapes, return_index=True)
    result = np.ones(len(shapes), bool)
    result[owner[~np.isfinite(coordinates).all(axis=1)]] = False
    return result


def _projected(features: gpd.GeoDataFrame, crs: pyproj.CRS, path: Path) -> gpd.GeoDataFrame:
    if features.crs == crs:
        return features
    if not _crs.shift_is_known(features.crs, crs):
        named = _crs.label(features.crs)
        warnings.warn(
            f"{path} is in {named}; no transformation to {_crs.label(crs)} is published, so its places can be off by 100 m and "
            "more; ask for them in CGCS2000.",
            HazardGeoWarning,
            stacklevel=3,
        )
    projected = features.to_crs(crs)
    projected.attrs = dict(features.attrs)
    outside = ~_finite(projected.geometry.to_numpy())
    if outside.any():
        raise CrsError(
            f"{path}: {int(outside.sum())} of {len(features)} features lie where {_crs.label(crs)} is not defined; "
            "choose another crs, or cut the file first."
        )
    return projected
