"""Opening a raster file: without a network, from archives, by layer, and never with code that a file brings along."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from hazardgeo.errors import FormatError, HazardGeoWarning, InputError
from hazardgeo.io import files
from hazardgeo.io.raster import gaps as raster_gaps
from hazardgeo.io.raster import ranges as raster_ranges
from hazardgeo.io.raster import reference as raster_reference
from hazardgeo.io.remote import Place, Remote, raise_failure

_REMOTE_DRIVERS = frozenset((
    "WMS", "WMTS", "WCS", "OGCAPI", "STACTA", "STACIT", "GTI", "HTTP", "EEDA", "EEDAI", "PLMOSAIC", "DAAS", "MRF",
    "KMLSUPEROVERLAY", "PostGISRaster", "NGW",
))  # fmt: skip
_NO_PROXY_SCHEME = "offline://"  # libcurl refuses an unknown scheme before it opens a socket
_SETTINGS = {
    "GTIFF_REPORT_COMPD_CS": "YES",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",  # a cut JPEG is an error, not grey cells
    "GDAL_HTTP_PROXY": _NO_PROXY_SCHEME,
    "GDAL_HTTPS_PROXY": _NO_PROXY_SCHEME,
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "-",
    "CPL_VSIL_GZIP_WRITE_PROPERTIES": "NO",
    "GDAL_PAM_ENABLED": "YES",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "VRT_NUM_THREADS": "1",  # settings do not reach other threads
    "GDAL_NUM_THREADS": "1",
}
_IN_ARCHIVES = frozenset((".tif", ".tiff", ".asc", ".img", ".hgt", ".bil", ".flt", ".grd", ".nc", ".jp2", ".dem", ".dt2"))
_MAX_INFLATED = 2**31
_SHOWN = 8


@contextmanager
def opened(path: Place, layer: str | None) -> Iterator[DatasetReader]:
    """The open dataset; GDAL's own errors, there and while reading, become a FormatError of one line."""
    try:
        with rasterio.Env(**_SETTINGS):
            with _elsewhere(path, layer) if isinstance(path, Remote) else _here(path, layer) as dataset:
                yield dataset
            raise_failure(path)
    except (RasterioError, CRSError, CPLE_BaseError) as error:
        raise_failure(path)
        reason = files.one_line(error.__cause__ or error)
        raise FormatError(f"{path} cannot be read as a raster: {reason}; check or fetch it again.") from None
    except MemoryError:
        raise InputError(f"{path} does not fit into the memory; read a part of it with window=.") from None


@contextmanager
def _here(path: Path, layer: str | None) -> Iterator[DatasetReader]:
    raster_reference.require_local(path)
    with _chosen(_name(path), layer, path) as dataset:
        _require_local_whole(dataset, path)
        yield dataset


@contextmanager
def _elsewhere(remote: Remote, layer: str | None) -> Iterator[DatasetReader]:
    if layer is not None:
        raise FormatError(f"{remote}: layers are not read from an address; download it first.")
    with _quietly(), raster_ranges.opened(remote) as dataset:
        yield dataset


@contextmanager
def _chosen(name: str, layer: str | None, path: Path) -> Iterator[DatasetReader]:
    with _open(name) as dataset:
        layers = {_label(found, name): found for found in dataset.subdatasets}
        if layer is None and dataset.count == 0:
            raise FormatError(f"{path} {_holds(layers)}; choose one with layer='...'." if layers else f"{path} holds no raster.")
        if layer is None or (dataset.count == 1 and not layers and dataset.tags(1).get("NETCDF_VARNAME") == layer):
            if len(layers) > 1:
                message = f"{path} {_holds(layers)}; the first is read: choose another with layer=."
                warnings.warn(message, HazardGeoWarning, stacklevel=7)
            yield dataset
            return
        if layer not in layers:
            raise FormatError(f"{path} has no layer {layer!r}; it {_holds(layers) if layers else 'has no layers to choose'}.")
    with _open(layers[layer]) as dataset:
        if dataset.count == 0:
            raise FormatError(f"{path} holds no raster in layer {layer!r}.")
        yield dataset


def _require_local_whole(dataset: DatasetReader, path: Path) -> None:
    if dataset.driver in _REMOTE_DRIVERS:
        raise FormatError(f"{path} is a {dataset.driver} file, which takes its data from elsewhere; write it as a GeoTIFF first.")
    raster_reference.require_local_overviews(dataset.tags(ns="OVERVIEWS"), path)
    if dataset.driver == "ENVI":
        raster_gaps.require_whole_envi(dataset, path)


def _open(name: str) -> DatasetReader:
    with _quietly():
        return rasterio.open(name)


@contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # read_raster says it better
        warnings.simplefilter("ignore", RuntimeWarning)  # nodata beyond the type, which rasterio compares in that type
        yield


def _label(subdataset: str, name: str) -> str:
    """The name of a layer in what GDAL calls it: 'NETCDF:"dem.nc":height' is "height"."""
    return subdataset.partition(":")[2].replace(name, "").replace('"', "").strip(":/")


def _holds(layers: dict[str, str]) -> str:
    names = ", ".join(list(layers)[:_SHOWN]) + (", ..." if len(layers) > _SHOWN else "")
    return f"holds {len(layers)} layers ({names})"


def _name(path: Path) -> str:
    """What GDAL opens for `path`: the file, or the one raster in an archive."""
    absolute = str(path.absolute())
    with path.open("rb") as stream:
        head = stream.read(4)
    if head.startswith(b"\x1f\x8b"):
        return f"/vsigzip/{absolute}"
    return f"/vsizip/{{{absolute}}}/{_member(path)}" if head == b"PK\x03\x04" else absolute


def _member(path: Path) -> str:
    """The one raster in a zip file; FormatError where there is none, a choice, or one that cannot be read in place."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {e.filename: e for e in archive.infolist() if not e.filename.startswith("__MACOSX/")}
            rasters = [n for n in entries if Path(n).suffix.lower() in _IN_ARCHIVES and not Path(n).name.startswith(".")]
            if len(rasters) != 1:
                found = f"{len(rasters)} rasters ({', '.join(rasters[:_SHOWN])})" if rasters else "no raster"
                raise FormatError(f"{path} is an archive with {found}; unpack it and name one file.")
            entry = entries[rasters[0]]
            if entry.flag_bits & 1 or (entry.compress_type != zipfile.ZIP_STORED and entry.file_size > _MAX_INFLATED):
                raise FormatError(f"{path} holds {entry.filename} encrypted or too large to be read in place; unpack it first.")
            for beside in raster_reference.beside(entry.filename):
                if beside in entries:
                    raster_reference.require_local_text(archive.read(beside), path)
            return entry.filename
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FormatError(f"{path} is a damaged archive: {files.one_line(error)}; fetch it again.") from None
