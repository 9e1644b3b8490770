"""Map systems that GeoTIFF keys define by their parameters, without a code."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pyproj
from pyproj.exceptions import CRSError as PyprojError
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

_FORMATS = {2: "B", 3: "H", 4: "I", 12: "d"}  # of the types of TIFF fields
_HEAD, _ENTRY = struct.Struct("<2sHIH"), struct.Struct("<HHI")
_Fields = dict[int, tuple[int, Sequence[float]]]
_ONE_PIXEL: _Fields = {
    256: (3, [1]), 257: (3, [1]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1]), 273: (4, [8]), 277: (3, [1]), 278: (3, [1]),
    279: (4, [1]), 33550: (12, [1.0, 1.0, 0.0]), 33922: (12, [0.0] * 6),
}  # fmt: skip
_USER_DEFINED = 32767
_GEOGRAPHIC, _DATUM, _PROJECTED = 2048, 2050, 3072


def defined_crs(directory: Sequence[tuple[int, int, int, int]], doubles: Sequence[float], text: bytes) -> pyproj.CRS | None:
    """The system that the keys (id, tag, count, value) define, as GDAL reads them; None where they do not.

    Systems on a datum that the keys do not name are None too: where they lie on Earth is not known.
    """
    keys = {number: value for number, tag, _, value in directory if tag == 0}
    on_known_datum = any(1024 <= keys.get(k, _USER_DEFINED) < _USER_DEFINED for k in (_GEOGRAPHIC, _DATUM))
    if keys.get(_PROJECTED) != _USER_DEFINED or not on_known_datum:
        return None
    try:
        with MemoryFile(_tiff(sorted(k for k in directory if k[0] > 0), doubles, text), ext=".tif") as file, file.open() as found:
            crs = pyproj.CRS.from_wkt(found.crs.to_wkt()) if found.crs else None
    except (RasterioError, PyprojError, ValueError, struct.error):
        return None
    return crs if crs is not None and crs.is_projected else None


def _tiff(directory: Sequence[tuple[int, int, int, int]], doubles: Sequence[float], text: bytes) -> bytes:
    """A TIFF file of one pixel with these keys, which GDAL understands (OGC 19-008r4)."""
    numbers = [1, 1, 0, len(directory), *(v for key in directory for v in key)]
    fields: _Fields = {**_ONE_PIXEL, 34735: (3, numbers)}
    fields |= {34736: (12, doubles)} if doubles else {}
    fields |= {34737: (2, list(text))} if text else {}
    data_at = _HEAD.size + 12 * len(fields) + 4
    entries, data = b"", b""
    for tag, (kind, values) in sorted(fields.items()):
        raw = struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)
        entries += _ENTRY.pack(tag, kind, len(values))
        entries += raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack("<I", data_at + len(data))
        data += raw + b"\0" * (len(raw) % 2) if len(raw) > 4 else b""
    return _HEAD.pack(b"II", 42, 8, len(fields)) + entries + bytes(4) + data
