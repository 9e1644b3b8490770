"""Rasters to cloud-optimised GeoTIFF."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError, RasterioIOError

from hazardgeo.errors import FormatError, InputError
from hazardgeo.io import files
from hazardgeo.io.raster import record as raster_record
from hazardgeo.io.raster import unit as raster_unit
from hazardgeo.io.reference import written_crs
from hazardgeo.raster import UNKNOWN_CLASS, UNKNOWN_ID, Raster

_CREATION = (
    "BIGTIFF", "BLOCKXSIZE", "BLOCKYSIZE", "COMPRESS", "DISCARD_LSB", "INTERLEAVE", "MAX_Z_ERROR", "NUM_THREADS", "PREDICTOR",
    "TILED", "ZLEVEL", "ZSTD_LEVEL",
)  # fmt: skip


def write_raster(raster: Raster, path: str | Path, *, creation: Mapping[str, str] | None = None) -> None:
    """Write a raster as a cloud-optimised GeoTIFF (.tif) that QGIS and `read_raster` open with all that it says.

    DEFLATE, tiles of 512 cells, overviews (mean of the known cells for surfaces, nearest for classes, ids and masks);
    nodata is NaN, 255 or 0; class rasters carry a colour table; name, unit, height, classes and tags are metadata. A
    known vertical CRS is written as a compound CRS where its unit is that of the values. The same raster gives the same
    bytes. The file appears whole or not at all.

    With `creation`, options of GDAL's GTiff driver such as {"COMPRESS": "DEFLATE", "PREDICTOR": "3"}, it is a plain tiled
    GeoTIFF with them and without overviews instead: in half the time, and with no second file beside it on the way.

    Raises FormatError where it cannot be written so, InputError for tags that a GeoTIFF cannot hold.
    """
    target = files.require_suffix(path, (".tif", ".tiff"))
    kind = raster_record.KINDS[str(raster.values.dtype)]
    tags = raster_record.tags(raster, kind)
    with files.atomic(target) as temporary:
        plain = temporary.with_name(temporary.stem + ".plain.tif")
        try:
            if creation is not None:
                write_plain(raster, temporary, tags, require_creation(creation))
                return
            write_plain(raster, plain, tags)
            to_cog(plain, temporary, kind)
        except (RasterioError, CPLE_BaseError) as error:
            raise FormatError(f"cannot write {target}: {files.one_line(error)}; check the folder and the free space.") from None


def require_creation(creation: Mapping[str, str]) -> dict[str, str]:
    """Creation options of a GeoTIFF in capitals, with threads for compression; InputError for others."""
    chosen = {"NUM_THREADS": "ALL_CPUS"} | {name.upper(): str(value) for name, value in creation.items()}
    for name in chosen:
        if name not in _CREATION:
            raise InputError(f"{name} is no creation option that is taken here; choose from {', '.join(_CREATION)}.")
    return chosen


def to_plain(source: Path, target: Path, creation: Mapping[str, str]) -> None:
    """Copy what GDAL opens at `source` into a plain GeoTIFF."""
    options = {"TILED": "YES", "BIGTIFF": "IF_SAFER", **require_creation(creation)}
    rasterio.shutil.copy(source, target, driver="GTiff", **options)


def to_cog(source: Path, target: Path, kind: str) -> None:
    """Copy what GDAL opens at `source` into a cloud-optimised GeoTIFF with overviews that suit the kind of numbers."""
    try:
        rasterio.shutil.copy(
            source,
            target,
            driver="COG",
            compress="DEFLATE",
            predictor="YES" if kind == "value" else "NO",
            resampling="AVERAGE" if kind == "value" else "NEAREST",
            bigtiff="IF_SAFER",
            num_threads="ALL_CPUS",  # the bytes are the same with any number
        )
    except SystemError as error:  # GDAL's threads fail without a reason, as on a full disk
        raise RasterioIOError("GDAL could not write all of it") from error


def write_plain(raster: Raster, path: Path, tags: dict[str, str], creation: Mapping[str, str] | None = None) -> None:
    """A tiled, uncompressed GeoTIFF: writing a COG directly would hold a second copy in memory."""
    is_mask = raster.values.dtype == bool
    values = raster.values.astype(np.uint8) if is_mask else raster.values
    if values.dtype.kind == "f":  # NaN has many bit patterns; one of them makes the same raster the same bytes
        values = np.where(np.isnan(values), values.dtype.type(np.nan), values)
    nodata = {"f": math.nan, "u": UNKNOWN_CLASS, "i": UNKNOWN_ID}[values.dtype.kind]
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": values.dtype,
        "count": 1,
        "height": raster.grid.shape[0],
        "width": raster.grid.shape[1],
        "transform": raster.grid.transform,
        "crs": rasterio.CRS.from_wkt(_crs_of(raster).to_wkt()),
        "nodata": None if is_mask else nodata,
        "tiled": True,
        "bigtiff": "IF_SAFER",
        **{name.lower(): value for name, value in (creation or {}).items()},
    }
    with rasterio.open(path, "w", **profile) as dataset:
        if raster.classes and values.dtype == np.uint8:
            dataset.write_colormap(1, {c.code: (*bytes.fromhex(c.colour.lstrip("#")), 255) for c in raster.classes})
        dataset.update_tags(**tags)
        dataset.set_band_description(1, raster.name)
        dataset.set_band_unit(1, raster.unit)
        dataset.write(values, 1)


def _crs_of(raster: Raster) -> pyproj.CRS:
    """The CRS as other programs read it: with the vertical one, unless that would call metres feet."""
    joined = written_crs(raster.grid.crs, raster.height)
    return raster.grid.crs if raster_unit.contradict(raster.unit, raster_unit.of_vertical(joined)) else joined
