"""Whether a file that was written is whole: GDAL and SQLite do not report every byte that a full disk refused."""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

from hazardgeo.errors import FormatError

_TIFF = (".tif", ".tiff")
_CACHE_MB = 16


def require_whole(part: Path, target: Path) -> None:
    """Raise FormatError, in the name of `target`, where `part` is a GeoTIFF or a GeoPackage that lacks something."""
    lacks = None
    if part.suffix.lower() in _TIFF:
        lacks = _tiff_lacks(part)
    elif part.suffix.lower() == ".gpkg":
        lacks = _geopackage_lacks(part)
    if lacks is not None:
        raise FormatError(f"cannot write {target}: {lacks} after writing; check the free space and the disk.")


def _tiff_lacks(path: Path) -> str | None:
    """What is missing of a GeoTIFF: all its blocks are read, those of the overviews too."""
    import rasterio
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=_CACHE_MB):  # nothing is read twice
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as whole:
                levels = len(whole.overviews(1))
            for level in (None, *range(levels)):
                options = {} if level is None else {"overview_level": level}
                with rasterio.open(path, **options) as dataset:
                    for _, window in dataset.block_windows(1):
                        dataset.read(window=window)
    except (RasterioError, CPLE_BaseError):
        return "it cannot be read back"
    return None


def _geopackage_lacks(path: Path) -> str | None:
    """What is missing of a GeoPackage: pages, or the spatial index that GDAL makes last and gives up silently."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            (state,) = database.execute("PRAGMA quick_check(1)").fetchone()
            (layers,) = database.execute("SELECT count(*) FROM gpkg_geometry_columns").fetchone()
            indexed = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'gpkg_extensions'").fetchone()
            count = "SELECT count(*) FROM gpkg_extensions WHERE extension_name = 'gpkg_rtree_index'"
            (indices,) = database.execute(count).fetchone() if indexed else (0,)
    except sqlite3.Error:
        return "it cannot be read back"
    if state != "ok":
        return "it is damaged"
    return None if indices == layers else "a spatial index is missing"
