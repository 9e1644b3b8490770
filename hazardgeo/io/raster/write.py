"""Rasters to cloud-optimised GeoTIFF."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError, RasterioIOError

from hazardgeo.errors import FormatError
from hazardgeo.io import files
from hazardgeo.io.raster import record as raster_record
from hazardgeo.io.raster import unit as raster_unit
from hazardgeo.io.reference import written_crs
from hazardgeo.raster import UNKNOWN_CLASS, UNKNOWN_ID, Raster


def write_raster(raster: Raster, path: str | Path) -> None:
    """Write a raster as a cloud-optimised GeoTIFF (.tif) that QGIS and `read_raster` open with all that it says.

    DEFLATE, tiles of 512 cells, overviews (mean of the known cells for surfaces, nearest for classes, ids and masks);
    nodata is NaN, 255 or 0; class rasters carry a colour table; name, unit, height, classes and tags are metadata. A
    known vertical CRS is written as a compound CRS where its unit is that of the values. The same raster gives the same
    bytes. The file appears whole or not at all. Raises FormatError where it cannot be written, InputError for tags that
    a GeoTIFF cannot hold.
    """
    target = files.require_suffix(path, (".tif", ".tiff"))
    kind = raster_record.KINDS[str(raster.values.dtype)]
    tags = raster_record.tags(raster, kind)
    with files.atomic(target) as temporary:
        plain = temporary.with_name(temporary.stem + ".plain.tif")
        try:
            write_plain(raster, plain, tags)
            to_cog(plain, temporary, kind)
        except (RasterioError, CPLE_BaseError) as error:
            raise FormatError(f"cannot write {target}: {files.one_line(error)}; check the folder and the free space.") from None


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


def write_plain(raster: Raster, path: Path, tags: dict[str, str]) -> None:
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
