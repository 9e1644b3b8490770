"""Vectors from GeoPackage, Shapefile, GeoJSON, FlatGeobuf, KML, OpenStreetMap, GeoParquet and CSV, and to GeoPackage."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import shapely
from numpy.typing import NDArray
from pyogrio import errors as ogr

from hazardgeo import crs as _crs
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.io import files
from hazardgeo.io.reference import agreed_crs
from hazardgeo.io.table import read_places, with_index

_TABLES = (".csv", ".tsv", ".txt")
_PARQUET = (".parquet", ".geoparquet")
_OGR_ERRORS = (
    ogr.DataSourceError, ogr.DataLayerError, ogr.FeatureError, ogr.FieldError, ogr.GeometryError, ogr.CRSError,
    shapely.errors.ShapelyError,
)  # fmt: skip
_DEGREE_LIMITS = (-360.5, -90.5, 360.5, 90.5)
_DBF_SAMPLE_BYTES = 4_000_000
_DBF_LANGUAGES_THAT_SAY_NOTHING = (0x00, 0x03, 0x57)
_CUT_CHARACTERS = 0.05  # share of damaged characters in DBF fields, which may end within a character
_WRITTEN_AT = "2000-01-01T00:00:00.000Z"  # the same layers give the same bytes


def read_vector(
    path: str | Path, *, crs: Any = None, source_crs: Any = None, layer: str | None = None, where: str | None = None
) -> gpd.GeoDataFrame:
    """The features of one layer as a GeoDataFrame with index 0..n-1, brought to `crs` where that is given.

    Reads what GDAL reads (GeoPackage, Shapefile, GeoJSON, FlatGeobuf, KML, .osm.pbf with layer "points", "lines" or
    "multipolygons"), GeoParquet, and CSV tables with columns of coordinates (longitude and latitude are EPSG:4326).
    `source_crs` states the CRS of a file that has none. `where` is an SQL condition, for formats that GDAL reads.

    Z and M are dropped. Invalid geometries are mended, features without geometry are left out: a HazardGeoWarning says
    how many, and so does attrs["features_left_out"]. Text in Chinese Shapefiles and tables without a stated encoding is
    recognised.

    Raises FormatError for files that cannot be read, CrsError for a CRS that is missing or does not fit, InputError for
    a layer that is not there or must be chosen, and for a wrong `where`.
    """
    source = Path(path)
    if not (source.is_dir() and source.suffix.lower() == ".gdb"):
        source = files.existing(path)
    suffix = source.suffix.lower()
    if suffix in (*_TABLES, *_PARQUET) and (where is not None or layer is not None):
        raise InputError(f"{source} has no layers and takes no SQL; leave layer= and where= away and select rows afterwards.")
    if suffix in _TABLES:
        features = read_places(source, source_crs)
    elif suffix in _PARQUET:
        features = _read_parquet(source)
    else:
        features = _read_ogr(source, layer, where)
    features = _usable(_in_stated_crs(features, source_crs, source), source)
    return features if crs is None else _projected(features, _crs.horizontal(crs), source)


def _read_parquet(path: Path) -> gpd.GeoDataFrame:
    try:
        return gpd.read_parquet(path)
    except (OSError, ValueError, KeyError, shapely.errors.ShapelyError) as error:
        raise FormatError(f"{path} cannot be read as GeoParquet: {files.one_line(error)}; fetch it again.") from None


def _read_ogr(path: Path, layer: str | None, where: str | None) -> gpd.GeoDataFrame:
    with _one_line_errors(path), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chosen = _chosen_layer(path, layer)
        encoding = _dbf_encoding(path) if path.suffix.lower() == ".shp" else None
        try:
            features = _features(path, chosen, where, encoding)
        except (ValueError, *_OGR_ERRORS) as error:
            if where is None:
                raise FormatError(f"{path} cannot be read as vectors: {files.one_line(error)}; fetch it again.") from None
            raise InputError(f"{path}: where={where!r} is not understood: {files.one_line(error)}; check its columns.") from None
    _pass_on(caught, path)
    if not isinstance(features, gpd.GeoDataFrame):
        raise InputError(f"layer {chosen!r} of {path} has no geometry; choose another layer.")
    return features


def _features(path: Path, layer: str, where: str | None, encoding: str | None) -> pd.DataFrame:
    """The features of the layer, without geometry where the stored one is none, such as a ring of two points."""
    options = {"layer": layer, "where": where, "encoding": encoding}
    features: pd.DataFrame
    try:
        features = pyogrio.read_dataframe(path, **options)
    except shapely.errors.ShapelyError:
        table = pyogrio.read_dataframe(path, read_geometry=False, **options)
        meta, _, stored, _ = pyogrio.raw.read(path, columns=[], **options)
        features = gpd.GeoDataFrame(table, geometry=shapely.from_wkb(stored, on_invalid="ignore"), crs=meta["crs"])
    return features


def _pass_on(caught: list[warnings.WarningMessage], path: Path) -> None:
    """What GDAL has warned of, as one warning; dropped M values are expected."""
    said = {files.one_line(w.message) for w in caught if isinstance(w.message, Warning)}
    said = {text for text in said if "Measured" not in text}
    if said:
        warnings.warn(f"{path}: {'; '.join(sorted(said))}.", HazardGeoWarning, stacklevel=4)


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (UnicodeDecodeError, *_OGR_ERRORS) as error:
        raise FormatError(f"{path} cannot be read as vectors: {files.one_line(error)}; check or fetch it again.") from None
    except UnboundLocalError:  # how pyogrio fails on a CRS that GDAL reads but cannot write as WKT
        raise CrsError(
            f"{path} has a damaged coordinate reference system; fetch it again, or its .prj where it has one."
        ) from None


def _chosen_layer(path: Path, layer: str | None) -> str:
    """The named layer, else the only one with geometries."""
    listed = pyogrio.list_layers(path)
    spatial = [str(name) for name, kind in listed if kind is not None]
    if layer is not None and layer not in [str(name) for name, _ in listed]:
        raise InputError(f"{path} has no layer {layer!r}; it has {', '.join(map(str, listed[:, 0]))}.")
    if layer is not None:
        return layer
    if not spatial:
        raise InputError(f"{path} has no layer with geometries; check the file.")
    if len(spatial) > 1:
        raise InputError(f"{path} has several layers; choose one with layer=: {', '.join(spatial)}.")
    return spatial[0]


def _dbf_encoding(shp: Path) -> str | None:
    """The encoding of the attributes of a Shapefile that does not state it; None where it does, or has no table."""
    beside = {p.suffix.lower(): p for p in shp.parent.iterdir() if p.stem == shp.stem}
    if ".dbf" not in beside or ".cpg" in beside:
        return None
    with beside[".dbf"].open("rb") as stream:
        head = stream.read(32)
        if len(head) < 32 or head[29] not in _DBF_LANGUAGES_THAT_SAY_NOTHING:
            return None
        stream.seek(0)
        whole = stream.read(_DBF_SAMPLE_BYTES)
    header_bytes, record_bytes = int.from_bytes(head[8:10], "little"), int.from_bytes(head[10:12], "little")
    names = b" ".join(whole[i : i + 11].split(b"\0")[0] for i in range(32, header_bytes - 32, 32))
    records = whole[header_bytes:]
    records = records[: len(records) // max(record_bytes, 1) * record_bytes]
    return files.encoding_of((names + b" " + records).replace(b"\0", b" "), bad_share=_CUT_CHARACTERS).replace("-sig", "")


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
    agreed = agreed_crs(stored, source_crs, path, argument="source_crs")
    return features.set_crs(agreed, allow_override=True)


def _usable(features: gpd.GeoDataFrame, path: Path) -> gpd.GeoDataFrame:
    """The features with flat, valid geometries in a column "geometry"; says how many were mended or left out."""
    shapes = shapely.force_2d(features.geometry.to_numpy())
    present = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes)) & _finite(shapes)
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
    kept.attrs["features_left_out"] = int((~present).sum())
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
    projected = features.to_crs(crs)
    projected.attrs = dict(features.attrs)
    outside = ~_finite(projected.geometry.to_numpy())
    if outside.any():
        raise CrsError(
            f"{path}: {int(outside.sum())} of {len(features)} features lie where {_crs.label(crs)} is not defined; "
            "choose another crs, or cut the file first."
        )
    return projected


def write_vectors(layers: Mapping[str, gpd.GeoDataFrame], path: str | Path) -> None:
    """Write layers into one GeoPackage (.gpkg), which QGIS opens.

    An index with a meaning becomes a column; cells that a GeoPackage cannot hold (lists, mappings, further geometries)
    become text. The same layers give the same bytes. The file appears whole or not at all. Raises CrsError for a layer
    without CRS, InputError for no layers or names that differ in case only, FormatError where it cannot be written.
    """
    target = files.require_suffix(path, (".gpkg",))
    if not layers:
        raise InputError(f"there is no layer to write to {target}; give at least one.")
    _require_distinct("layers", list(layers), target)
    prepared = {name: _storable(name, features, target) for name, features in layers.items()}
    with files.atomic(target) as temporary, _fixed_time():
        for name, features in prepared.items():
            try:
                pyogrio.write_dataframe(features, temporary, layer=name, driver="GPKG", append=temporary.exists())
            except (*_OGR_ERRORS, ValueError, OverflowError) as error:
                reason = files.one_line(error)
                raise FormatError(f"cannot write layer {name!r} to {target}: {reason}; check its columns.") from None


@contextmanager
def _fixed_time() -> Iterator[None]:
    """GDAL's clock stands still within the block."""
    key = "OGR_CURRENT_DATE"
    before = pyogrio.get_gdal_config_option(key)
    pyogrio.set_gdal_config_options({key: _WRITTEN_AT})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({key: before})


def _storable(name: str, features: gpd.GeoDataFrame, path: Path) -> gpd.GeoDataFrame:
    """The layer with columns that a GeoPackage holds."""
    if not isinstance(features, gpd.GeoDataFrame) or features.active_geometry_name is None:
        raise InputError(f"layer {name!r} for {path} is not a GeoDataFrame with geometries; write tables with write_table.")
    if features.crs is None:
        raise CrsError(f"layer {name!r} for {path} has no CRS; state it with set_crs(...) first.")
    table = with_index(features)
    geometry = features.active_geometry_name
    columns = {str(c): _storable_column(table[c]) for c in table.columns if c != geometry}
    columns = {("fid_" if c.lower() in ("fid", "geom") else "") + c: values for c, values in columns.items()}
    _require_distinct(f"columns of layer {name!r}", list(columns), path)
    shapes = table[geometry].to_numpy()
    return gpd.GeoDataFrame(pd.DataFrame(columns, index=table.index), geometry=shapes, crs=features.crs)


def _storable_column(column: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers, truth values, times and text as they are; everything else as text, with nothing where nothing is."""
    kind = column.dtype
    if isinstance(kind, np.dtype) and kind.kind in "biufM" and kind != np.float16:
        return column
    if isinstance(kind, pd.DatetimeTZDtype) or (
        pd.api.types.is_extension_array_dtype(kind) and pd.api.types.is_numeric_dtype(kind)
    ):
        return column
    return column.map(lambda v: v if isinstance(v, str) else None if _is_nothing(v) else str(v)).astype(object)


def _is_nothing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _require_distinct(what: str, names: list[str], path: Path) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            raise InputError(f"{what} {seen[name.lower()]!r} and {name!r} for {path} differ in case only; rename one.")
        seen[name.lower()] = name
