"""Features from Parquet: GeoParquet, and plain tables with coordinates or shapes in a column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from hazardgeo.errors import FormatError
from hazardgeo.io import files
from hazardgeo.io.vector.places import Axes, Cells, points

_ERRORS = (OSError, ValueError, KeyError, TypeError, NotImplementedError, shapely.errors.ShapelyError)


def read(place: Path, path: Path, source_crs: Any, axes: Axes) -> gpd.GeoDataFrame:
    """The features of a GeoParquet file (its first geometry column), or the places of a plain Parquet table."""
    try:
        if _is_geographic(place):
            return gpd.read_parquet(place)
        table = pd.read_parquet(place)
    except _ERRORS as error:
        raise FormatError(f"{path} cannot be read as GeoParquet: {files.one_line(error)}; fetch it again.") from None
    table = table.rename(columns=str).reset_index(drop=True)
    return points(Cells(table, lambda i: f"row {i + 1}"), path, source_crs, axes)


def _is_geographic(place: Path) -> bool:
    import pyarrow.parquet

    return b"geo" in (pyarrow.parquet.read_schema(place).metadata or {})
