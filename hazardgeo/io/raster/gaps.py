"""Cells that a file does not hold and that GDAL would read as zeros."""

from __future__ import annotations

import math
import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from hazardgeo.errors import FormatError
from hazardgeo.io.remote import Place

_MAGIC, _HEAD = 512, 2**24
_NETCDF_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
_STREAMED = (2**32 - 1, 2**64 - 1)  # the number of records was never written
_PCRASTER_HEADER = 256
_READ_AS_0 = (
    "is a virtual raster whose empty cells read as 0, because it declares no nodata; build it again with "
    "gdalbuildvrt -vrtnodata (gdalwarp -dstnodata)."
)


def require_whole(path: Path) -> None:
    """Raise FormatError for a file that ends before its own header says it does, in formats that GDAL fills with zeros."""
    with path.open("rb") as stream:
        head = stream.read(_MAGIC)
        if head[:3] == b"CDF":
            head += stream.read(_HEAD)
    try:
        needed = _needed(head)
    except (struct.error, ValueError, KeyError, IndexError):
        if head[:3] == b"CDF":  # the netCDF library would take all memory that a damaged header asks for
            raise FormatError(f"{path} has a damaged netCDF header; fetch it again.") from None
        return
    _require_size(path, needed)


def require_whole_envi(dataset: DatasetReader, path: Path) -> None:
    """The same for ENVI files, whose header is a file of its own."""
    data, *others = (Path(name) for name in dataset.files)
    header = next((file for file in others if file.suffix.lower() == ".hdr" and file.is_file()), None)
    if header is None or not data.is_file():
        return
    try:
        needed = _envi_bytes(header.read_text("latin-1"))
    except (ValueError, KeyError):
        raise FormatError(f"{path} has a damaged header ({header.name}); fetch it again.") from None
    _require_size(data, needed)


def _require_size(path: Path, needed: int) -> None:
    size = path.stat().st_size
    if size < needed:
        raise FormatError(f"{path} has been cut: it holds {size:,} of {needed:,} bytes; fetch it again and compare the size.")


def _needed(head: bytes) -> int:
    """The bytes that a file must have by its header; 0 for formats that are not looked at."""
    if head.startswith(b"PCIDSK"):
        return int(head[16:32]) * 512
    if head.startswith(b"RUU CROSS SYSTEM MAP FORMAT"):
        order = "<" if struct.unpack_from("<I", head, 46)[0] == 1 else ">"
        rows, cols = struct.unpack_from(order + "II", head, 100)
        (numbers,) = struct.unpack_from(order + "H", head, 66)
        return _PCRASTER_HEADER + int(rows) * int(cols) * (1 << (int(numbers) & 3))
    if head[:3] == b"CDF" and head[3] in (1, 2, 5):
        return _NetcdfHeader(head).needed()
    return 0


def _envi_bytes(header: str) -> int:
    """The bytes of the file beside an ENVI header; 0 for other headers and compressed files."""
    fields = dict(re.findall(r"(?m)^\s*([a-z ]+?)\s*=\s*(\d+)\s*$", header.lower()))
    size = {"1": 1, "2": 2, "3": 4, "4": 4, "5": 8, "6": 8, "9": 16, "12": 2, "13": 4, "14": 8, "15": 8}
    if not header.startswith("ENVI") or fields.get("file compression", "0") != "0":
        return 0
    cells = math.prod(int(fields[key]) for key in ("samples", "lines", "bands"))
    return int(fields.get("header offset", "0")) + cells * size[fields["data type"]]


class _NetcdfHeader:
    """The header of a classic netCDF file (Unidata, NetCDF classic format specification), read for its sizes only."""

    def __init__(self, head: bytes) -> None:
        self.head, self.at = head, 4
        self.wide = head[3] == 5
        self.offset = ">I" if head[3] == 1 else ">Q"

    def _number(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self.head, self.at)
        self.at += struct.calcsize(form)
        return int(value)

    def _count(self) -> int:
        return self._number(">Q" if self.wide else ">I")

    def _skip(self, size: int) -> None:
        self.at += -(-size // 4) * 4

    def _attributes(self) -> None:
        self._number(">I")
        for _ in range(self._count()):
            self._skip(self._count())
            size = _NETCDF_BYTES[self._number(">I")]
            self._skip(self._count() * size)

    def needed(self) -> int:
        """The end of the last value; values along the open dimension count as often as the header says."""
        records = self._count()
        self._number(">I")
        lengths = []
        for _ in range(self._count()):
            self._skip(self._count())
            lengths.append(self._count())
        self._attributes()
        self._number(">I")
        variables = [self._variable(lengths) for _ in range(self._count())]
        fixed = [begin + size for begin, size, is_record in variables if not is_record]
        recorded = [(begin, size) for begin, size, is_record in variables if is_record]
        if not recorded or records in (0, *_STREAMED):
            return max(fixed, default=0)
        record = recorded[0][1] if len(recorded) == 1 else sum(-(-size // 4) * 4 for _, size in recorded)
        return max(*fixed, *(begin + (records - 1) * record + size for begin, size in recorded), 0)

    def _variable(self, lengths: list[int]) -> tuple[int, int, bool]:
        """Where a variable begins, its bytes (of one record), and whether it lies along the open dimension."""
        self._skip(self._count())
        shape = [lengths[self._count()] for _ in range(self._count())]
        self._attributes()
        size = _NETCDF_BYTES[self._number(">I")]
        self._count()
        begin = self._number(self.offset)
        is_record = bool(shape) and shape[0] == 0
        return begin, math.prod(shape[1:] if is_record else shape) * size, is_record


def unwritten(dataset: DatasetReader, band: int, window: Window, path: Place) -> NDArray[np.bool_] | None:
    """The cells of `window` that no block or source of the file holds, where nothing else says so; None for none."""
    says_unknown = dataset.nodata is not None or MaskFlags.all_valid not in dataset.mask_flag_enums[band - 1]
    if says_unknown or ColorInterp.alpha in dataset.colorinterp:
        return None
    shape = int(window.height), int(window.width)
    missing = np.zeros(shape, bool)
    if dataset.driver == "GTiff":
        _mark_empty_blocks(missing, dataset, band, window)
    elif dataset.driver == "VRT":
        _mark_uncovered(missing, dataset, band, window, path)
    return missing if missing.any() else None


def require_covered(root: ET.Element, path: Path) -> None:
    """Raise FormatError for a virtual raster, itself the source of another, that may have empty cells and no word for them."""
    says_unknown = root.find("MaskBand") is not None or any(band.findtext("ColorInterp") == "Alpha" for band in root)
    whole = (0.0, 0.0, float(root.get("rasterXSize", "nan")), float(root.get("rasterYSize", "nan")))
    for band in root.findall("VRTRasterBand"):
        sources = [s for s in band if s.find("SourceFilename") is not None]
        places = [_place(s) for s in sources]
        full = any(place is None or place == whole for place in places)
        if says_unknown or band.find("NoDataValue") is not None or not sources or (full and not _leaves_out(sources)):
            continue
        raise FormatError(f"{path} {_READ_AS_0}")


def _place(source: ET.Element) -> tuple[float, ...] | None:
    """Column, row, width and height of the cells that a source of a virtual raster fills; None for all."""
    place = source.find("DstRect")
    return None if place is None else tuple(float(place.get(key, "nan")) for key in ("xOff", "yOff", "xSize", "ySize"))


def _leaves_out(sources: list[ET.Element]) -> bool:
    """True where cells of a source may stay empty although it covers them."""
    return any(s.find("NODATA") is not None or s.findtext("UseMaskBand", "") not in ("", "0", "false") for s in sources)


def _mark_empty_blocks(missing: NDArray[np.bool_], dataset: DatasetReader, band: int, window: Window) -> None:
    tall, wide = dataset.block_shapes[band - 1]
    top, left = int(window.row_off), int(window.col_off)
    for row in range(top // tall, (top + missing.shape[0] - 1) // tall + 1):
        for col in range(left // wide, (left + missing.shape[1] - 1) // wide + 1):
            if dataset.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", bidx=band) is None:
                r, c = row * tall - top, col * wide - left
                missing[max(r, 0) : r + tall, max(c, 0) : c + wide] = True


def _mark_uncovered(missing: NDArray[np.bool_], dataset: DatasetReader, band: int, window: Window, path: Place) -> None:
    """Cells of a virtual raster under none of its sources; FormatError where its sources leave out cells of their own."""
    root = ET.fromstring(dataset.tags(ns="xml:VRT")["xml:VRT"])
    bands = root.findall("VRTRasterBand")
    sources = [s for s in bands[band - 1] if s.find("SourceFilename") is not None] if band <= len(bands) else []
    if _leaves_out(sources) or root.get("subClass") == "VRTWarpedDataset":
        raise FormatError(f"{path} {_READ_AS_0}")
    if not sources:
        return
    missing[:] = True
    for source in sources:
        place = _place(source)
        if place is None:
            missing[:] = False
            continue
        left, top, width, height = place[0] - window.col_off, place[1] - window.row_off, place[2], place[3]
        rows = slice(max(round(top), 0), max(round(top + height), 0))
        missing[rows, max(round(left), 0) : max(round(left + width), 0)] = False
