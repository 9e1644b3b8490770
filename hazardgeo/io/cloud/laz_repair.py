"""What can still be read of a LAS or LAZ file that was cut, as by a broken download: its points up to the cut."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import BinaryIO

import laspy
import lazrs
import numpy as np
from laspy.copc import CopcHierarchyVlr, CopcInfoVlr
from numpy.typing import NDArray

from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.io import files
from hazardgeo.io.cloud import laz_layout
from hazardgeo.io.cloud.laz_layout import Chunk, Layout
from hazardgeo.io.remote import Place, Remote

_TABLE_AT = 1 << 50  # where no file has data, so that what is missing reads as an end and not as the table
_STEP_POINTS = 1000
_WAVEFORMS, _LAYERED_WAVEFORMS = (4, 5, 9, 10), (9, 10)


@dataclass(frozen=True, slots=True)
class Cut:
    """A LAS or LAZ file that ends too early; `readable` of `points` points can be decoded."""

    points: int
    readable: int


def found_cut(path: Place) -> Cut | None:
    """How far a cut LAS or LAZ file can be read; None for what is none, and where nothing can be read.

    A LAZ file is decoded up to the cut, which takes as long as reading it. Files elsewhere are not looked at.
    """
    if isinstance(path, Remote):
        return None
    try:
        with path.open("rb") as stream:
            layout = laz_layout.layout_of(stream)
            if not _is_cut(stream, layout):
                return None
            readable = sum(len(rows) for rows in _readable_rows(stream, layout))
            return Cut(layout.points, readable) if readable else None
    except laz_layout.DAMAGED:
        return None


def salvage_laz(path: str | Path, out: str | Path) -> int:
    """Number of points saved: those of a cut LAS, LAZ or COPC file before the cut are written to the new file `out`.

    The points are a part of the survey: what lay behind the cut is unknown, not empty. They keep their order, so that whole
    flight lines or tiles are missing; of COPC the fine detail of some places is. All dimensions, the CRS and the header come
    along, but not the extended records and waveforms, which lie behind the points. `out` (.las or .laz) is no COPC file.

    The table of chunks is at the end of a LAZ file and lost with it. In point formats 6 to 10, those of COPC too, each chunk
    tells its own length, and whole chunks are saved. In older formats points are saved up to the cut, where all chunks have
    one number of points; chunks of varying numbers (rare in them) cannot be told apart without the table. Of LAS, whole
    records are saved. Point formats 9 and 10 can only be saved as .las.

    Raises FormatError for files that are not cut or of which no point can be read.
    """
    source, target = files.existing(path), files.require_suffix(out, (".las", ".laz"))
    cut = found_cut(source)
    if cut is None:
        raise FormatError(
            f"{source} is not a cut LAS or LAZ file with readable points; read it with read_cloud, or fetch it again."
        )
    try:
        with source.open("rb") as stream:
            layout = laz_layout.layout_of(stream)
            header = _header_to_write(layout, target)
            with files.atomic(target) as temporary, laspy.open(temporary, mode="w", header=header) as writer:
                saved = sum(_written(writer, rows) for rows in _readable_rows(stream, layout))
                if saved != cut.readable:
                    raise FormatError(f"{source} has changed while it was read; try again.")
    except HazardGeoError:
        raise
    except laz_layout.DAMAGED as error:
        raise FormatError(f"{source} cannot be saved to {target}: {files.one_line(error)}; check the free space.") from None
    return saved


def _is_cut(stream: BinaryIO, layout: Layout) -> bool:
    """Whether the file ends before its points, its table of chunks or its extended records do."""
    if not layout.record:
        return layout.points_at + layout.points * layout.point_bytes > layout.file_bytes
    if laz_layout.chunks_of_table(stream, layout) is None:
        return True
    first, count = int(layout.header.start_of_first_evlr or 0), int(layout.header.number_of_evlrs or 0)
    return laz_layout.end_of_extended_records(stream, first, count, layout.file_bytes) is None


def _header_to_write(layout: Layout, target: Path) -> laspy.LasHeader:
    """The header without what points to lost parts of the file."""
    header = layout.header
    if header.point_format.id in _LAYERED_WAVEFORMS and target.suffix.lower() == ".laz":
        raise FormatError(f"cannot write {target}: point format {header.point_format.id} is written as LAS only; name it .las.")
    header.vlrs[:] = [v for v in header.vlrs if not isinstance(v, (CopcInfoVlr, CopcHierarchyVlr))]
    header.evlrs = None
    if header.point_format.id in _WAVEFORMS:
        header.start_of_waveform_data_packet_record = 0
        header.global_encoding.waveform_data_packets_internal = False
    return header


def _written(writer: laspy.LasWriter, rows: NDArray[np.uint8]) -> int:
    header = writer.header
    values = rows.reshape(-1).view(header.point_format.dtype())
    writer.write_points(laspy.ScaleAwarePointRecord(values, header.point_format, header.scales, header.offsets))
    return len(rows)


def _readable_rows(stream: BinaryIO, layout: Layout) -> Iterator[NDArray[np.uint8]]:
    """The records of the points up to the cut or the first damage, in order, one row for each point."""
    if not layout.record:
        return _rows_of_las(stream, layout)
    chunks = laz_layout.chunks_of_table(stream, layout)
    if chunks is not None:
        return _rows_of_chunks(stream, layout, iter(chunks))
    if layout.layers:
        return _rows_of_chunks(stream, layout, laz_layout.layered_chunks(stream, layout))
    return _rows_in_sequence(stream, layout) if layout.chunk_points else iter(())


def _rows_of_las(stream: BinaryIO, layout: Layout) -> Iterator[NDArray[np.uint8]]:
    whole = min(layout.points, max(layout.file_bytes - layout.points_at, 0) // layout.point_bytes)
    stream.seek(layout.points_at)
    for first in range(0, whole, _STEP_POINTS):
        data = stream.read(min(_STEP_POINTS, whole - first) * layout.point_bytes)
        yield np.frombuffer(data, np.uint8).reshape(-1, layout.point_bytes)


def _rows_of_chunks(stream: BinaryIO, layout: Layout, chunks: Iterator[Chunk]) -> Iterator[NDArray[np.uint8]]:
    try:
        for chunk in chunks:
            if chunk.points:
                laz_layout.require_decodable(stream, layout, chunk)
                stream.seek(chunk.at)
                rows = np.zeros((chunk.points, layout.point_bytes), np.uint8)
                table = [(chunk.points, chunk.size)]
                with laz_layout.panics_as_errors():
                    lazrs.decompress_points_with_chunk_table(stream.read(chunk.size), layout.record, rows.reshape(-1), table)
                yield rows
    except (FormatError, lazrs.LazrsError):
        return


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


def _decoder(stream: BinaryIO, layout: Layout) -> lazrs.LasZipDecompressor:
    chunks = min(-(-layout.points // layout.chunk_points), layout.file_bytes // layout.point_bytes + 1)
    table = BytesIO()
    lazrs.write_chunk_table(table, [(layout.chunk_points, 1)] * chunks, lazrs.LazVlr(layout.record))
    return lazrs.LasZipDecompressor(_UpToTheCut(stream, layout.points_at, table.getvalue()), layout.record)


def _decode(decoder: lazrs.LasZipDecompressor, rows: NDArray[np.uint8]) -> None:
    with laz_layout.panics_as_errors():
        decoder.decompress_many(rows.reshape(-1))


def _rows_in_sequence(stream: BinaryIO, layout: Layout) -> Iterator[NDArray[np.uint8]]:
    """The points of an older format, one after another: in steps up to the one that fails, and this one point by point."""
    decoder, done = _decoder(stream, layout), 0
    try:
        while done < layout.points:
            rows = np.zeros((min(_STEP_POINTS, layout.points - done), layout.point_bytes), np.uint8)
            _decode(decoder, rows)
            yield rows
            done += len(rows)
    except (lazrs.LazrsError, OSError):
        decoder = _decoder(stream, layout)
        for first in range(0, done, _STEP_POINTS):
            _decode(decoder, np.zeros((min(_STEP_POINTS, done - first), layout.point_bytes), np.uint8))
    left = min(_STEP_POINTS, layout.points - done)
    yield from _single_rows(decoder, left, layout.point_bytes)


def _single_rows(decoder: lazrs.LasZipDecompressor, points: int, point_bytes: int) -> Iterator[NDArray[np.uint8]]:
    try:
        for _ in range(points):
            row = np.zeros((1, point_bytes), np.uint8)
            _decode(decoder, row)
            yield row
    except (lazrs.LazrsError, OSError):
        return
