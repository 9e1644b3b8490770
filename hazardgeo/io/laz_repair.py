"""What can still be read of a LAZ file that was cut, as by a broken download: its points up to the cut."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import BinaryIO

import laspy
import lazrs
import numpy as np
from laspy.errors import LaspyException
from numpy.typing import NDArray

from hazardgeo.errors import FormatError
from hazardgeo.io import files

_TABLE_AT = 1 << 50  # where no file has data, so that what is missing reads as an end and not as the table
_STEP_POINTS = 1000
_DAMAGED = (LaspyException, lazrs.LazrsError, ValueError, OSError, EOFError, struct.error, OverflowError, MemoryError)


@dataclass(frozen=True, slots=True)
class Cut:
    """A LAZ file that ends before its table of chunks; `readable` of `points` points can be decoded."""

    points: int
    readable: int


def found_cut(path: Path) -> Cut | None:
    """How far a cut LAZ file can be read; None for what is none, for COPC, and where nothing can be read.

    The file is decoded up to the cut, which takes as long as reading it.
    """
    try:
        with path.open("rb") as stream:
            opened = _header(path, stream)
            if opened is None:
                return None
            header, record = opened
            readable = _readable(stream, header, record)
            return Cut(int(header.point_count), readable) if readable else None
    except _DAMAGED:
        return None


def salvage_laz(path: str | Path, out: str | Path) -> int:
    """Number of points saved: those of a cut LAZ file that lie before the cut are written to the new file `out` (.laz).

    The points are a part of the survey: what lay behind the cut is unknown, not empty. They keep their order, so that whole
    flight lines or tiles are missing. All dimensions, the CRS and the header come along, but not the extended records, which
    lie behind the points. The table of chunks is at the end of a LAZ file and lost with it; chunks of a fixed size can be
    decoded one after another without it. In point formats 6 to 10 only whole chunks can.

    Raises FormatError for files that are not cut or of which no point can be read.
    """
    source, target = files.existing(path), files.require_suffix(out, (".laz",))
    cut = found_cut(source)
    if cut is None:
        raise FormatError(f"{source} is not a cut LAZ file with readable points; read it with read_cloud, or fetch it again.")
    with source.open("rb") as stream, files.atomic(target) as temporary:
        opened = _header(source, stream)
        if opened is None:
            raise FormatError(f"{source} has changed while it was read; try again.")
        header, record = opened
        decoder = _decoder(stream, header, record)
        with laspy.open(temporary, mode="w", header=header) as writer:
            for first in range(0, cut.readable, _STEP_POINTS):
                rows = np.zeros(min(_STEP_POINTS, cut.readable - first) * header.point_format.size, np.uint8)
                decoder.decompress_many(rows)
                writer.write_points(_record(rows, header))
    return cut.readable


def _header(path: Path, stream: BinaryIO) -> tuple[laspy.LasHeader, bytes] | None:
    """The header without the LASzip record, and this record; None unless the table of chunks lies behind the end."""
    header = laspy.LasHeader.read_from(stream)
    records = header.vlrs.extract("LasZipVlr")
    stream.seek(header.offset_to_point_data)
    stated = stream.read(8)
    if not records or len(stated) < 8 or struct.unpack("<q", stated)[0] < path.stat().st_size:
        return None
    record = bytes(records[0].record_data)
    laszip = lazrs.LazVlr(record)
    usable = not laszip.uses_variable_size_chunks() and laszip.chunk_size() > 0
    return (header, record) if usable and laszip.item_size() == header.point_format.size else None


class _UpToTheCut(RawIOBase):
    """The point data of a cut file as a stream, with a table of chunks that the decoder asks for but does not use."""

    def __init__(self, stream: BinaryIO, start: int, table: bytes) -> None:
        self._stream, self._start, self._table = stream, start, table
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + (self._at if whence == os.SEEK_CUR else 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        size = len(buffer)
        if self._at >= _TABLE_AT:
            found = self._table[self._at - _TABLE_AT :][:size]
        elif self._at < 8:
            found = struct.pack("<q", _TABLE_AT)[self._at :][:size]
        else:
            self._stream.seek(self._start + self._at)
            found = self._stream.read(size)
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


def _decoder(stream: BinaryIO, header: laspy.LasHeader, record: bytes) -> lazrs.LasZipDecompressor:
    laszip = lazrs.LazVlr(record)
    size = os.fstat(stream.fileno()).st_size
    chunks = min(-(-int(header.point_count) // laszip.chunk_size()), size // laszip.item_size() + 1)
    table = BytesIO()
    lazrs.write_chunk_table(table, [(laszip.chunk_size(), 1)] * chunks, laszip)
    return lazrs.LasZipDecompressor(_UpToTheCut(stream, int(header.offset_to_point_data), table.getvalue()), record)


def _readable(stream: BinaryIO, header: laspy.LasHeader, record: bytes) -> int:
    points, size = int(header.point_count), int(header.point_format.size)
    rough = _decoded(_decoder(stream, header, record), points, size, _STEP_POINTS)
    decoder = _decoder(stream, header, record)
    _decoded(decoder, rough, size, _STEP_POINTS)
    return rough + _decoded(decoder, min(_STEP_POINTS, points - rough), size, 1)


def _decoded(decoder: lazrs.LasZipDecompressor, points: int, size: int, step: int) -> int:
    """How many of the next `points` points can be decoded, `step` at a time."""
    done = 0
    while done < points:
        wanted = min(step, points - done)
        try:
            decoder.decompress_many(np.zeros(wanted * size, np.uint8))
        except (lazrs.LazrsError, OSError):
            return done
        done += wanted
    return done


def _record(rows: NDArray[np.uint8], header: laspy.LasHeader) -> laspy.ScaleAwarePointRecord:
    return laspy.ScaleAwarePointRecord(rows.view(header.point_format.dtype()), header.point_format, header.scales, header.offsets)
