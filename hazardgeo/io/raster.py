"""Rasters from any GDAL format, and to cloud-optimised GeoTIFF."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from hazardgeo import crs as _crs
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.grid import Grid
from hazardgeo.io import files
from hazardgeo.io.reference import agreed_crs, agreed_height, recorded_height, written_crs
from hazardgeo.raster import UNKNOWN_CLASS, UNKNOWN_ID, ClassLabel, Raster

_KIND, _RECORD = "HAZARDGEO_KIND", "HAZARDGEO_RASTER"
_KINDS = {"float32": "value", "float64": "value", "uint8": "class", "int32": "id", "bool": "mask"}
_STORED_AS = {"value": ("float32", "float64"), "class": ("uint8",), "id": ("int32",), "mask": ("uint8",)}
_HUGE = 1e30  # no quantity of ours is as large: fill values of netCDF, Arc and GDAL are
_SENTINELS = (-9999.0, -32768.0, -99999.0)
_ISOLATED = 1000.0
_EXACT_IN_FLOAT32 = 2**24
_EDGE_SLACK_CELLS = 1e-6
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")
_UNIT_NAMES = {
    "metre": "m", "meter": "m", "metres": "m", "meters": "m", "m": "m",
    "foot": "ft", "feet": "ft", "ft": "ft", "international foot": "ft",
    "us survey foot": "US ft", "us-ft": "US ft", "ftus": "US ft", "us ft": "US ft",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Record:
    """What `write_raster` notes of a raster beyond its cells."""

    name: str
    unit: str
    height: Height | None
    classes: tuple[ClassLabel, ...]
    tags: dict[str, str]


def read_raster(
    path: str | Path,
    *,
    band: int = 1,
    window: tuple[float, float, float, float] | None = None,
    crs: Any = None,
    name: str | None = None,
    unit: str = "",
    height: Height | None = None,
) -> Raster:
    """One band of a raster file, with unknown cells as NaN (255 in class rasters, 0 in id rasters).

    Reads any GDAL format. `window` is (west, south, east, north) in the CRS of the file: the cells that overlap it are
    read, cut to the file. `crs`, `unit` and `height` state what the file does not say; `name` defaults to its own name.

    Files written by `write_raster` come back as they were. Others become float32 surfaces, with scale and offset
    applied; one-byte files with a colour table become class rasters. Unknown are declared nodata, masked cells, numbers
    beyond 1e30, and undeclared -9999, -32768, -99999 (32767 in 16-bit files) where they lie alone, more than 1000 from
    all other values: then a HazardGeoWarning names their share. Compound CRS are split into map CRS and height.
    A raster stored south up is turned.

    Raises FormatError for files that cannot be read, CrsError for a CRS that is missing, contradicts `crs`, or says
    degrees where the edges are none (`crs` then says what they are), HeightError for a contradictory height reference,
    InputError for a window outside the file, another length unit than `unit`, and rotated or ungeoreferenced rasters.
    """
    source = files.existing(path)
    with _opened(source) as dataset:
        _require_band(dataset, band, source)
        record = _record(dataset)
        stored_crs, stored_height = _reference(dataset, record, crs, source)
        grid, flipped = _grid(dataset, stored_crs, source)
        rows, cols = (slice(0, grid.shape[0]), slice(0, grid.shape[1])) if window is None else _overlap(grid, window, source)
        kind = _kind(dataset, band)
        values = _values(dataset, band, _stored_window(rows, cols, grid.shape[0], flipped), kind, source)
        return Raster(
            values[::-1].copy() if flipped else values,
            grid.window(rows, cols),
            name if name is not None else record.name if record else dataset.descriptions[band - 1] or source.stem,
            _unit(record.unit if record else dataset.units[band - 1] or "", unit, source),
            agreed_height(stored_height, height, source),
            _classes(dataset, record, band, kind),
            record.tags if record else {},
        )


@contextmanager
def _opened(path: Path) -> Iterator[DatasetReader]:
    """The open dataset; GDAL's own errors, there and while reading, become a FormatError of one line."""
    try:
        with rasterio.Env(GTIFF_REPORT_COMPD_CS=True):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)  # read_raster says it better
                dataset = rasterio.open(path)
            with dataset:
                yield dataset
    except RasterioError as error:
        raise FormatError(f"{path} cannot be read as a raster: {files.one_line(error)}; check or fetch it again.") from None


def _require_band(dataset: DatasetReader, band: int, path: Path) -> None:
    if not 1 <= band <= dataset.count:
        raise FormatError(f"{path} has no band {band}; it has {dataset.count} (the first is 1).")
    if dataset.dtypes[band - 1].startswith("complex"):
        raise FormatError(f"{path} holds complex numbers; convert it to real values first.")


def _reference(dataset: DatasetReader, record: _Record | None, stated: Any, path: Path) -> tuple[pyproj.CRS, Height | None]:
    """The agreed CRS, and the height reference that the file says, None where it says none."""
    stored, height = None, None
    if dataset.crs is not None:
        try:
            stored, height = _crs.split(dataset.crs.to_wkt())
        except CrsError as error:
            if stated is None:
                raise CrsError(f"{path} has no usable CRS: {error} Pass it as crs=.") from None
    if stored is not None and stored.is_geographic and not _in_degrees(dataset):
        if stated is None:
            raise CrsError(
                f"{path} says that it is in {_crs.label(stored)}, but its edges reach {dataset.bounds.right:g}, "
                f"{dataset.bounds.top:g}, which are not degrees; state the right CRS with crs='EPSG:...'."
            )
        stored, height = None, None
    if height == Height():
        height = None
    return agreed_crs(stored, stated, path), height if record is None or record.height is None else record.height


def _in_degrees(dataset: DatasetReader) -> bool:
    """False where the edges lie more than one cell beyond what longitudes (as far as 360) and latitudes can be."""
    west, south, east, north = dataset.bounds
    width, tall = dataset.res
    return bool(max(abs(west), abs(east)) <= 360.5 + abs(width) and max(abs(south), abs(north)) <= 90.5 + abs(tall))


def _record(dataset: DatasetReader) -> _Record | None:
    """What `write_raster` has noted of the raster; None in files of others, and where another program has damaged it."""
    try:
        match json.loads(dataset.tags().get(_RECORD, "null")):
            case {"name": str(name), "unit": str(unit), "height": height, "classes": [*classes], "tags": {**tags}}:
                texts = {str(key): value for key, value in tags.items() if isinstance(value, str)}
                if len(texts) == len(tags):
                    labels = tuple(_recorded_class(entry) for entry in classes)
                    return _Record(name, unit, None if height is None else recorded_height(height), labels, texts)
    except (ValueError, RecursionError):
        return None
    return None


def _recorded_class(entry: Any) -> ClassLabel:
    """A class as `write_raster` notes it; ValueError for what it never writes."""
    match entry:
        case {"code": int(code), "label": str(label), "colour": str(colour), "hatched": bool(hatched)}:
            if 0 <= code <= UNKNOWN_CLASS and _COLOUR.match(colour):
                return ClassLabel(code, label, colour, hatched)
    raise ValueError(f"{entry!r} is no class")


def _grid(dataset: DatasetReader, crs: pyproj.CRS, path: Path) -> tuple[Grid, bool]:
    """The grid, north up, and whether the rows are stored from the south."""
    transform = dataset.transform
    if transform == Affine.identity():
        raise InputError(f"{path} has no georeference (only rows and columns); georeference it first, or add its world file.")
    flipped = transform.e > 0 and transform.b == transform.d == 0
    if flipped:
        transform = Affine(transform.a, 0, transform.c, 0, -transform.e, transform.f + transform.e * dataset.height)
    return Grid(transform, dataset.shape, crs), flipped


def _overlap(grid: Grid, bounds: tuple[float, float, float, float], path: Path) -> tuple[slice, slice]:
    """Rows and columns of the cells that overlap `bounds` with more than an edge."""
    west, south, east, north = bounds
    if not (all(map(math.isfinite, bounds)) and west < east and south < north):
        raise InputError(f"window must be finite (west, south, east, north) with west < east, not {bounds}.")
    width, tall = grid.cell
    c0, c1 = (west - grid.transform.c) / width, (east - grid.transform.c) / width
    r0, r1 = (grid.transform.f - north) / tall, (grid.transform.f - south) / tall
    rows = slice(max(math.floor(r0 + _EDGE_SLACK_CELLS), 0), min(math.ceil(r1 - _EDGE_SLACK_CELLS), grid.shape[0]))
    cols = slice(max(math.floor(c0 + _EDGE_SLACK_CELLS), 0), min(math.ceil(c1 - _EDGE_SLACK_CELLS), grid.shape[1]))
    if rows.start >= rows.stop or cols.start >= cols.stop:
        raise InputError(
            f"window {bounds} lies outside {path}, which covers {grid.bounds} in {_crs.label(grid.crs)}; "
            "give it as (west, south, east, north) in that CRS."
        )
    return rows, cols


def _stored_window(rows: slice, cols: slice, height: int, flipped: bool) -> Window:
    first = height - rows.stop if flipped else rows.start
    return Window(cols.start, first, cols.stop - cols.start, rows.stop - rows.start)


def _kind(dataset: DatasetReader, band: int) -> str:
    """What the numbers are: value, class, id or mask. A tag of ours counts only with the type that it was written with."""
    stored, kind = dataset.dtypes[band - 1], dataset.tags().get(_KIND, "")
    if stored in _STORED_AS.get(kind, ()):
        return str(kind)
    return "class" if stored == "uint8" and _colours(dataset, band) else "foreign"


def _values(dataset: DatasetReader, band: int, window: Window, kind: str, path: Path) -> NDArray[Any]:
    raw: NDArray[Any] = dataset.read(band, window=window)
    if kind == "mask":
        return np.asarray(raw == 1)
    unknown: NDArray[np.bool_] = dataset.read_masks(band, window=window) == 0
    if kind == "id":
        return np.where(unknown, UNKNOWN_ID, raw).astype(np.int32)
    if kind == "class":
        return np.where(unknown, UNKNOWN_CLASS, raw).astype(np.uint8)
    if raw.dtype.kind == "f":
        unknown |= ~(np.abs(raw) < _HUGE)
    if kind == "value":
        return np.asarray(np.where(unknown, raw.dtype.type(np.nan), raw))
    unknown |= _sentinels(raw, unknown, path)
    scale, offset = dataset.scales[band - 1], dataset.offsets[band - 1]
    values = raw if (scale, offset) == (1.0, 0.0) else raw * np.float64(scale) + offset
    largest = 0 if raw.dtype.kind == "f" or not raw.size else max(abs(int(raw.min())), abs(int(raw.max())))
    values = np.asarray(values, np.float64 if largest > _EXACT_IN_FLOAT32 else np.float32)
    return np.asarray(np.where(unknown, values.dtype.type(np.nan), values))


def _sentinels(raw: NDArray[Any], unknown: NDArray[np.bool_], path: Path) -> NDArray[np.bool_]:
    """Cells with an undeclared fill value: the lowest (or highest) of all, and far from the next one."""
    found = np.zeros(raw.shape, bool)
    if raw.dtype == np.uint8:
        return found
    candidates = [(s, True) for s in _SENTINELS] + ([(32767.0, False)] if raw.dtype == np.int16 else [])
    for sentinel, is_low in candidates:
        rest = ~(unknown | found)
        here = rest & (raw == sentinel)
        if not here.any():
            continue
        others = raw[rest & ~here]
        gap = (float(others.min()) - sentinel if is_low else sentinel - float(others.max())) if others.size else math.inf
        if gap > _ISOLATED:
            found |= here
            message = f"{path}: {here.mean():.1%} of the cells hold {sentinel:g}, which the file does not declare as nodata; "
            warnings.warn(message + "they are taken as unknown.", HazardGeoWarning, stacklevel=6)
    return found


def _unit(stored: str, stated: str, path: Path) -> str:
    """The stated unit, else that of the file; two different units of length are an error, not a choice."""
    stored = _UNIT_NAMES.get(stored.lower(), stored)
    lengths = set(_UNIT_NAMES.values())
    if stated in lengths and stored in lengths and stated != stored:
        raise InputError(f"{path} is in {stored}, but unit= says {stated}; convert it, for example with gdal_calc.py, first.")
    return stated or stored


def _colours(dataset: DatasetReader, band: int) -> dict[int, tuple[int, ...]]:
    try:
        return dict(dataset.colormap(band))
    except ValueError:  # rasterio's way to say that there is none
        return {}


def _classes(dataset: DatasetReader, record: _Record | None, band: int, kind: str) -> tuple[ClassLabel, ...]:
    """The labels that `write_raster` stored, else the coloured codes of the colour table."""
    if record is not None and kind != "foreign":
        return record.classes
    if kind != "class":
        return ()
    coloured = {code: rgba[:3] for code, rgba in _colours(dataset, band).items() if code != UNKNOWN_CLASS and any(rgba[:3])}
    return tuple(ClassLabel(code, str(code), "#{:02x}{:02x}{:02x}".format(*rgb)) for code, rgb in sorted(coloured.items()))


def write_raster(raster: Raster, path: str | Path) -> None:
    """Write a raster as a cloud-optimised GeoTIFF (.tif) that QGIS and `read_raster` open with all that it says.

    DEFLATE, tiles of 512 cells, overviews (mean of the known cells for surfaces, nearest for classes, ids and masks);
    nodata is NaN, 255 or 0; class rasters carry a colour table; name, unit, height, classes and tags are metadata. A
    known vertical CRS is written as a compound CRS. The same raster gives the same bytes. The file appears whole or not
    at all. Raises FormatError where it cannot be written, InputError for tags that a GeoTIFF cannot hold.
    """
    target = files.require_suffix(path, (".tif", ".tiff"))
    kind = _KINDS[str(raster.values.dtype)]
    tags = _tags(raster, kind)
    with files.atomic(target) as temporary:
        plain = temporary.with_name(temporary.stem + ".plain.tif")
        try:
            _write_plain(raster, plain, tags)
            rasterio.shutil.copy(
                plain,
                temporary,
                driver="COG",
                compress="DEFLATE",
                predictor="YES" if kind == "value" else "NO",
                resampling="AVERAGE" if kind == "value" else "NEAREST",
                bigtiff="IF_SAFER",
                num_threads="1",
            )
        except RasterioError as error:
            raise FormatError(f"cannot write {target}: {files.one_line(error)}; check the folder and the free space.") from None


def _write_plain(raster: Raster, path: Path, tags: dict[str, str]) -> None:
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
        "crs": rasterio.CRS.from_wkt(written_crs(raster.grid.crs, raster.height).to_wkt()),
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


def _tags(raster: Raster, kind: str) -> dict[str, str]:
    """The metadata of a raster: its tags as other programs show them, and all that it says as one exact record."""
    for key, value in raster.tags.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise InputError(f"tag {key!r}: {value!r} of raster {raster.name!r} cannot be written; tags are texts.")
    record = {
        "name": raster.name,
        "unit": raster.unit,
        "height": None if raster.height is None else asdict(raster.height),
        "classes": [asdict(c) for c in raster.classes],
        "tags": dict(raster.tags),
    }
    shown = {k: v for k, v in raster.tags.items() if k.isidentifier() and k.upper() != "AREA_OR_POINT"}
    return {**shown, _KIND: kind, _RECORD: json.dumps(record)}
