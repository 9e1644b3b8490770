"""The values of a band: which cells are unknown, and what the numbers are."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader
from rasterio.windows import Window

from hazardgeo.errors import FormatError, HazardGeoWarning, InputError
from hazardgeo.io.raster import gaps as raster_gaps
from hazardgeo.io.raster import record as raster_record
from hazardgeo.io.remote import Place
from hazardgeo.raster import UNKNOWN_CLASS, UNKNOWN_ID

_HUGE = 1e30  # no quantity of ours is as large: fill values of netCDF, Arc and GDAL are
_SENTINELS = (-9999, -32767, -32768, -99999, -999999)
_FLOAT_SENTINELS = (*_SENTINELS, -10000, -9999.9, -99999.99, 1e20)
_EXACT_IN_FLOAT32, _EXACT_IN_FLOAT64 = 2**24, 2**53
_BYTES_BESIDES = 16  # per cell: the masks, the surface that is made, and the copy that is turned


def require_memory(dataset: DatasetReader, band: int, cells: int, path: Place) -> None:
    """Raise InputError where so many cells, or one stored block of them, do not fit into the free memory."""
    size = np.dtype(dataset.dtypes[band - 1]).itemsize
    tall, wide = dataset.block_shapes[band - 1]
    needed = cells * (2 * size + _BYTES_BESIDES) + 2 * tall * wide * size
    free = psutil.virtual_memory().available
    if needed > free:
        raise InputError(
            f"{path} has {dataset.height:,} x {dataset.width:,} cells in blocks of {tall:,} x {wide:,}; reading it takes about "
            f"{needed / 1e9:,.1f} GB and {free / 1e9:,.1f} GB are free: read a part with window=(west, south, east, north)."
        )


def data_bands(dataset: DatasetReader) -> list[int]:
    """The bands that hold data, counted from 1; an alpha band says which cells do."""
    return [band for band, meaning in enumerate(dataset.colorinterp, 1) if meaning != ColorInterp.alpha]


def kind_of(dataset: DatasetReader, band: int) -> str:
    """What the numbers are: value, class, id or mask. A tag of ours counts only with the type that it was written with."""
    stored, kind = dataset.dtypes[band - 1], dataset.tags().get(raster_record.KIND, "")
    if stored in raster_record.STORED_AS.get(kind, ()):
        return str(kind)
    return "class" if stored == "uint8" and colours(dataset, band) else "foreign"


def colours(dataset: DatasetReader, band: int) -> dict[int, tuple[int, ...]]:
    """The colour table of a band; empty where there is none."""
    try:
        return dict(dataset.colormap(band))
    except ValueError:  # rasterio's way to say that there is none
        return {}


def read(dataset: DatasetReader, band: int, window: Window | None, kind: str, path: Place) -> NDArray[Any]:
    """The cells of `window`, unknown ones as NaN in surfaces, 255 in classes and 0 in ids; none without a window."""
    if window is None:
        return np.empty((0, 0), {"class": np.uint8, "id": np.int32, "mask": np.bool_}.get(kind, np.float32))
    raw: NDArray[Any] = dataset.read(band, window=window)
    if kind == "mask":
        return _mask(raw, dataset.nodatavals[band - 1], path)
    unknown = _unknown(dataset, band, window, raw, path)
    if kind == "id":
        return np.where(unknown, UNKNOWN_ID, raw).astype(np.int32)
    if kind == "class":
        clear = [code for code, rgba in colours(dataset, band).items() if len(rgba) > 3 and rgba[3] == 0]
        return np.where(unknown | np.isin(raw, clear), UNKNOWN_CLASS, raw).astype(np.uint8)
    unknown |= _fills(raw, unknown, data_bands(dataset) == [band], path)
    return _surface(raw, unknown, dataset.scales[band - 1], dataset.offsets[band - 1], path, exact=kind == "value")


def _mask(raw: NDArray[Any], nodata: float | None, path: Place) -> NDArray[np.bool_]:
    """A mask as `write_raster` stores it; FormatError for what it never writes, since a mask knows no unknown cells."""
    if nodata is not None or (raw > 1).any():
        said = f"declares {nodata:g} as nodata" if nodata is not None else f"holds the code {raw.max()}"
        raise FormatError(
            f"{path} is a mask of 0 and 1 by its tags, but {said}: it was changed by another program; write it again."
        )
    return np.asarray(raw == 1)


def _unknown(dataset: DatasetReader, band: int, window: Window, raw: NDArray[Any], path: Place) -> NDArray[np.bool_]:
    """Cells that any of nodata, mask, alpha band or missing blocks says are empty: GDAL itself asks only the first of them."""
    unknown: NDArray[np.bool_] = dataset.read_masks(band, window=window) == 0
    unknown |= _equals(raw, dataset.nodatavals[band - 1])
    for index, meaning in enumerate(dataset.colorinterp, 1):
        if meaning == ColorInterp.alpha and index != band:
            unknown |= dataset.read(index, window=window) == 0
    if raw.dtype.kind == "f":
        unknown |= ~(np.abs(raw) < _HUGE)
    missing = raster_gaps.unwritten(dataset, band, window, path)
    if missing is not None:
        message = f"{path}: {missing.mean():.1%} of the cells were never written to the file; they are taken as unknown."
        warnings.warn(message, HazardGeoWarning, stacklevel=4)
        unknown |= missing
    return unknown


def _equals(raw: NDArray[Any], nodata: float | None) -> NDArray[np.bool_] | bool:
    """Cells that hold the declared nodata, where the type of the cells can hold it at all."""
    if nodata is None or not abs(nodata) < _HUGE:
        return False
    if raw.dtype.kind == "f":
        return np.asarray(raw == raw.dtype.type(nodata))
    limits = np.iinfo(raw.dtype)
    return np.asarray(raw == int(nodata)) if nodata == int(nodata) and limits.min <= nodata <= limits.max else False


def _fills(raw: NDArray[Any], unknown: NDArray[np.bool_], alone: bool, path: Place) -> NDArray[np.bool_]:
    """Cells that hold a usual fill value which the file does not declare.

    The value alone decides, and not its neighbours: so each cell reads the same in every window.
    """
    found = np.zeros(raw.shape, bool)
    if raw.dtype.itemsize == 1:
        return found
    candidates: set[float] = set(_FLOAT_SENTINELS)
    if raw.dtype.kind in "iu":
        limits = np.iinfo(raw.dtype)
        candidates = {c for c in (*_SENTINELS, int(limits.min)) if 0 > c >= limits.min}
        if raw.dtype != np.uint16 or alone:  # white in a picture of several bands
            candidates |= {int(limits.max)}
    held = []
    for candidate in sorted(candidates):
        here = raw == raw.dtype.type(candidate)
        if raw.dtype == np.float64:  # often written in single precision first
            here |= raw == np.float64(np.float32(candidate))
        here &= ~unknown
        if here.any():
            held.append(f"{here.mean():.1%} of the cells hold {candidate}")
            found |= here
    if held:
        message = f"{path}: {' and '.join(held)}, which the file does not declare as nodata; they are taken as unknown."
        warnings.warn(message, HazardGeoWarning, stacklevel=4)
    return found


def _surface(
    raw: NDArray[Any], unknown: NDArray[np.bool_], scale: float, offset: float, path: Place, *, exact: bool
) -> NDArray[Any]:
    """Numbers as single precision, double where integers need it, or `exact` in the precision that they are stored in."""
    if not (np.isfinite(scale) and np.isfinite(offset) and scale != 0):
        raise FormatError(
            f"{path} has a scale of {scale} and an offset of {offset}; correct them, for example with gdal_edit.py."
        )
    known = raw[~unknown] if raw.dtype.kind in "iu" and raw.dtype.itemsize >= 4 else raw[:0]
    largest = max(abs(int(known.min())), abs(int(known.max()))) if known.size else 0
    if largest > _EXACT_IN_FLOAT64:
        raise InputError(f"{path} holds {largest:,}, which no surface can hold exactly; convert the numbers first.")
    values = raw if (scale, offset) == (1.0, 0.0) else raw * np.float64(scale) + offset
    double = largest > _EXACT_IN_FLOAT32 or (exact and raw.dtype == np.float64)
    values = np.asarray(values, np.float64 if double else np.float32)
    return np.asarray(np.where(unknown, values.dtype.type(np.nan), values))
