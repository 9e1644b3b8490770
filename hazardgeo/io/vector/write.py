"""Vectors to GeoPackage, which QGIS opens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from hazardgeo.errors import CrsError, FormatError, InputError
from hazardgeo.io import files
from hazardgeo.io.vector.ogr import OGR_ERRORS
from hazardgeo.io.vector.table import with_index

_WRITTEN_AT = "2000-01-01T00:00:00.000Z"  # the same layers give the same bytes


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
            except (*OGR_ERRORS, ValueError, OverflowError) as error:
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
