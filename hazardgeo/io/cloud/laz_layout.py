"""Where the points of a LAS or LAZ file lie: its header, LASzip record, table of chunks, and the layers of a chunk.

The libraries that decompress LAZ make room for what these numbers say before they look at the data. What is told here has
been held against the bytes that the file really has.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import laspy
import lazrs
from laspy.errors import LaspyException

from hazardgeo.errors import FormatError

DAMAGED = (LaspyException, lazrs.LazrsError, ValueError, OSError, EOFError, struct.error, ArithmeticError, MemoryError)

_LAYERS = {10: 9, 11: 1, 12: 2, 13: 1}  # by type of item: point, colour, colour and infrared, wave packet
_EXTRA_BYTES_ITEM, _FIRST_LAYERED_ITEM, _FIRST_LAYERED_VERSION = 14, 10, 3
_SHORTEST_HEADER_BYTES, _LONGEST_HEADER_BYTES = 227, 375
_RECORD_BYTES = 54  # of the header of a variable length record
_EXTENDED_RECORD_BYTES, _LENGTH_AT = 60, 20  # of its header, and where that says how long the data are
_ITEMS_AT, _ITEM = 32, struct.Struct("<HHH")
_LAYERED, _CHUNKED = 3, 2  # kinds of compressor
_FEW_CHUNKS = 100_000
_LARGEST_CHUNK_BYTES = 2**28  # of decompressed points; those of common writers hold 2 MB
_LARGEST_POINT_BYTES = 2**13  # the decoder keeps some 10 kB of statistics for each


@dataclass(frozen=True, slots=True)
class Chunk:
    """`size` bytes from `at` that hold `points` points, decoded without any other part of the file."""

    at: int
    points: int
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """`header` is without the LASzip record, which is `record`; it is empty where the points are not compressed.

    `chunk_points` is 0 where each chunk has its own number of points. `layers` is how many a chunk of point formats 6 to 10
    has, and 0 in older ones.
    """

    header: laspy.LasHeader
    record: bytes
    chunk_points: int
    layers: int
    file_bytes: int

    @property
    def points_at(self) -> int:
        return int(self.header.offset_to_point_data)

    @property
    def point_bytes(self) -> int:
        return int(self.header.point_format.size)

    @property
    def points(self) -> int:
        return int(self.header.point_count)


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """A panic of the decoder, which stops itself where damaged data lead it astray, becomes a LazrsError.

    Python gives such a panic a type that is not an Exception and has no name to import.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise lazrs.LazrsError(f"its decoder has failed: {error}") from None


def size_of(stream: BinaryIO) -> int:
    """The size of what the stream reads, in bytes."""
    return stream.seek(0, os.SEEK_END)


def require_header(stream: BinaryIO) -> bytes:
    """The first bytes of a LAS file; FormatError for what is none, or counts more records than it has room for."""
    stream.seek(0)
    head = stream.read(_LONGEST_HEADER_BYTES)
    if not head.startswith(b"LASF") or len(head) < _SHORTEST_HEADER_BYTES:
        raise FormatError("it has no header of LAS")
    header_bytes, points_at, records = struct.unpack_from("<HII", head, 94)
    if records * _RECORD_BYTES > max(min(points_at, size_of(stream)) - header_bytes, 0):
        raise FormatError(f"its header counts {records:,} records, more than there is room for")
    return head


def layout_of(stream: BinaryIO) -> Layout:
    """The layout that the header and the LASzip record state; FormatError for what cannot be.

    Raises one of DAMAGED where the header is none.
    """
    require_header(stream)
    stream.seek(0)
    header = laspy.LasHeader.read_from(stream)
    file_bytes = size_of(stream)
    if not header.are_points_compressed:
        return Layout(header, b"", 0, 0, file_bytes)
    records = header.vlrs.extract("LasZipVlr")
    record = bytes(records[0].record_data) if records else b""
    if len(record) < _ITEMS_AT + 2:
        raise FormatError("it has no LASzip record")
    layers = _layers(record, header.point_format)
    with panics_as_errors():
        laszip = lazrs.LazVlr(record)
    fixed = not laszip.uses_variable_size_chunks()
    layout = Layout(header, record, int(laszip.chunk_size()) if fixed else 0, layers, file_bytes)
    if fixed and not 0 < layout.chunk_points * layout.point_bytes <= _LARGEST_CHUNK_BYTES:
        raise FormatError(f"its chunks have {layout.chunk_points:,} points, which cannot be decompressed at once")
    return layout


def _layers(record: bytes, points: laspy.PointFormat) -> int:
    """How many layers a chunk has; FormatError where the items are not those of the point format, compressed in one way."""
    compressor = int.from_bytes(record[:2], "little")
    items = _items(record)
    if not items or compressor not in (_CHUNKED, _LAYERED):
        raise FormatError("its LASzip record is damaged")
    extra = sum(d.num_bytes for d in points.extra_dimensions)
    expected = _items(bytes(lazrs.LazVlr.new_for_compression(points.id, extra).record_data()))
    layered = items[0][0] >= _FIRST_LAYERED_ITEM
    versions = {version >= _FIRST_LAYERED_VERSION for _, _, version in items}
    if [item[:2] for item in items] != [item[:2] for item in expected] or versions != {layered}:
        raise FormatError("its LASzip record does not fit its points")
    if points.size > _LARGEST_POINT_BYTES:
        raise FormatError(f"its points have {points.size:,} bytes each, more than can be decompressed")
    return sum(size if kind == _EXTRA_BYTES_ITEM else _LAYERS.get(kind, 0) for kind, size, _ in items)


def _items(record: bytes) -> list[tuple[int, int, int]]:
    """Kind, bytes and version of each part of a point; empty where the record ends before its last."""
    end = _ITEMS_AT + 2 + int.from_bytes(record[_ITEMS_AT : _ITEMS_AT + 2], "little") * _ITEM.size
    return [(k, s, v) for k, s, v in _ITEM.iter_unpack(record[_ITEMS_AT + 2 : end])] if len(record) >= end else []


def end_of_extended_records(stream: BinaryIO, at: int, count: int, file_bytes: int) -> int | None:
    """Where the last of `count` extended records from `at` ends; None where that is behind the end of the file."""
    for _ in range(count):
        if at + _EXTENDED_RECORD_BYTES > file_bytes:
            return None
        stream.seek(at + _LENGTH_AT)
        at += _EXTENDED_RECORD_BYTES + int.from_bytes(stream.read(8), "little")
        if at > file_bytes:
            return None
    return at


def table_at(stream: BinaryIO, layout: Layout) -> int | None:
    """Where the table of chunks is; None where the file ends before it, or was never finished."""
    stream.seek(layout.points_at)
    at = int.from_bytes(stream.read(8), "little", signed=True)
    if at == -1 and layout.file_bytes >= layout.points_at + 16:
        stream.seek(-8, os.SEEK_END)
        at = int.from_bytes(stream.read(8), "little", signed=True)
    return at if layout.points_at + 8 <= at <= layout.file_bytes - 8 else None


def chunks_of_table(stream: BinaryIO, layout: Layout) -> list[Chunk] | None:
    """The chunks that the table lists; None where the file was cut before or in the table.

    Raises FormatError for a table that lists more bytes or fewer points than there are.
    """
    at = table_at(stream, layout)
    if at is None:
        return None
    room = at - layout.points_at - 8
    stream.seek(at + 4)
    count = int.from_bytes(stream.read(4), "little")
    if count > max(room // layout.point_bytes + 1, _FEW_CHUNKS):
        raise FormatError(f"its table lists {count:,} chunks, more than the file can hold")
    stream.seek(at)
    try:
        with panics_as_errors():
            read = lazrs.read_chunk_table_only(stream, lazrs.LazVlr(layout.record))
    except (lazrs.LazrsError, OSError):
        return None
    listed = [(layout.chunk_points or int(points), int(size)) for points, size in read]
    if sum(size for _, size in listed) > room or any(size < layout.point_bytes for points, size in listed if points):
        raise FormatError("its table of chunks is damaged")
    if sum(points for points, _ in listed) < layout.points:
        raise FormatError(f"its chunks hold fewer than the {layout.points:,} points of its header")
    chunks, start, left = [], layout.points_at + 8, layout.points
    for points, size in listed:
        chunks.append(Chunk(start, min(points, left), size))
        start, left = start + size, left - min(points, left)
    return chunks


def layered_chunk(stream: BinaryIO, layout: Layout, at: int) -> Chunk | None:
    """The chunk of layers that begins at `at`, as its own head says; None where it does not lie whole in the file."""
    stream.seek(at + layout.point_bytes)
    head = stream.read(4 + 4 * layout.layers)
    if len(head) < 4 + 4 * layout.layers:
        return None
    points, *sizes = struct.unpack(f"<{1 + layout.layers}I", head)
    size = layout.point_bytes + len(head) + sum(sizes)
    return Chunk(at, points, size) if points and at + size <= layout.file_bytes else None


def layered_chunks(stream: BinaryIO, layout: Layout) -> Iterator[Chunk]:
    """The chunks of layers from the first, one behind the other, found without their table, as far as they are whole.

    No more points than the header counts.
    """
    at, left = layout.points_at + 8, layout.points
    while left > 0:
        chunk = layered_chunk(stream, layout, at)
        if chunk is None or chunk.points > left:
            return
        require_decodable(stream, layout, chunk)
        yield chunk
        at, left = at + chunk.size, left - chunk.points


def require_decodable(stream: BinaryIO, layout: Layout, chunk: Chunk) -> None:
    """FormatError for a chunk that does not hold what is said of it, for which its decoder would make room."""
    if chunk.points * layout.point_bytes > _LARGEST_CHUNK_BYTES:
        raise FormatError(f"a chunk of it has {chunk.points:,} points, which cannot be decompressed at once")
    if chunk.at < layout.points_at or chunk.size < layout.point_bytes or chunk.at + chunk.size > layout.file_bytes:
        raise FormatError(f"a chunk of it at byte {chunk.at:,} is none")
    if layout.layers:
        found = layered_chunk(stream, layout, chunk.at)
        if found is None or found.size > chunk.size or found.points < chunk.points:
            raise FormatError(f"the chunk at byte {chunk.at:,} is damaged")
