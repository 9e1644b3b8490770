"""Guards before a LAS or LAZ file is handed to its libraries, which trust what it says and can end the whole process."""

from __future__ import annotations

import struct
from typing import BinaryIO

from laspy.copc import CopcInfoVlr

from hazardgeo.errors import FormatError
from hazardgeo.io import files
from hazardgeo.io.cloud import laz_layout, laz_repair
from hazardgeo.io.cloud.laz_layout import Chunk, Layout
from hazardgeo.io.remote import Place, Remote, raise_failure

_NODE = struct.Struct("<iiiiQii")  # level, x, y, z, offset, bytes, points


def require_plausible_header(path: Place) -> None:
    """FormatError where the header counts more records than the file holds, which a reader would wait for in vain."""
    try:
        with path.open("rb") as stream:
            _require_header(stream)
    except OSError as error:
        raise _refusal(path, error) from None


def require_plausible(path: Place) -> None:
    """FormatError unless every number by which a reader of the points makes room for something fits what the file holds.

    These are the records of the header, the number of points, the table of chunks, the layers of every chunk, and the nodes of
    a COPC file. Only the heads of chunks are read, so that it takes far less time than reading. What passes can still be
    damaged: then its decoder says so, or its points are wrong. Of a file that was cut the message says how many of its points
    `salvage_laz` can save. A file elsewhere is fetched whole, for it will be read whole.
    """
    if isinstance(path, Remote):
        path.fetch([(0, path.stat().st_size)])
    try:
        with path.open("rb") as stream:
            _require_header(stream)
            layout = laz_layout.layout_of(stream)
            if layout.record:
                _require_chunks(stream, layout)
            elif layout.points_at + layout.points * layout.point_bytes > layout.file_bytes:
                raise FormatError("it ends before its last point")
    except laz_layout.DAMAGED as error:
        raise _refusal(path, error) from None


def require_plausible_parts(path: Place) -> None:
    """`require_plausible`, but for a COPC file its header alone: for reading nodes that `require_decodable` has looked at."""
    try:
        with path.open("rb") as stream:
            _require_header(stream)
            layout = laz_layout.layout_of(stream)
    except laz_layout.DAMAGED as error:
        raise _refusal(path, error) from None
    if not (layout.record and layout.header.vlrs and isinstance(layout.header.vlrs[0], CopcInfoVlr)):
        require_plausible(path)


def require_decodable(path: Place, chunks: list[Chunk]) -> None:
    """FormatError where a chunk does not hold what is said of it."""
    try:
        with path.open("rb") as stream:
            layout = laz_layout.layout_of(stream)
            for chunk in chunks:
                laz_layout.require_decodable(stream, layout, chunk)
    except laz_layout.DAMAGED as error:
        raise _refusal(path, error) from None


def _refusal(path: Place, error: BaseException) -> FormatError:
    raise_failure(path)
    cut = laz_repair.found_cut(path)
    rest = "" if cut is None else f"; {cut.readable:,} of {cut.points:,} points are readable: salvage_laz(path, out) saves them"
    return FormatError(
        f"{path} cannot be read as LAS or LAZ: {files.one_line(error)}; it is damaged, cut or another format, fetch it "
        f"again{rest}."
    )


def _require_header(stream: BinaryIO) -> None:
    head = laz_layout.require_header(stream)
    if head[25] >= 4 and len(head) >= 247:
        at, extended = struct.unpack_from("<QI", head, 235)
        if laz_layout.end_of_extended_records(stream, at, extended, laz_layout.size_of(stream)) is None:
            raise FormatError("its extended records end behind the file")


def _require_chunks(stream: BinaryIO, layout: Layout) -> None:
    chunks = laz_layout.chunks_of_table(stream, layout)
    if chunks is None:
        raise FormatError("it ends before its table of chunks")
    for chunk in chunks:
        if chunk.points:
            laz_layout.require_decodable(stream, layout, chunk)
    if layout.header.vlrs and isinstance(layout.header.vlrs[0], CopcInfoVlr):
        _require_hierarchy(stream, layout, set(chunks))


def _require_hierarchy(stream: BinaryIO, layout: Layout, known: set[Chunk]) -> None:
    """FormatError unless the pages of a COPC file can be followed to an end, and name chunks that can be decoded."""
    info = layout.header.vlrs[0]
    pages: list[tuple[int, int, tuple[int, ...] | None]] = [
        (int(info.hierarchy_root_offset), int(info.hierarchy_root_size), None)
    ]
    seen, points = set[int](), 0
    while pages:
        at, size, of = pages.pop()
        if at in seen or not layout.points_at <= at <= at + size <= layout.file_bytes or size < _NODE.size:
            raise FormatError("a page of its hierarchy is not where it should be")
        seen.add(at)
        stream.seek(at)
        nodes = {node[:4]: node[4:] for node in _NODE.iter_unpack(stream.read(size // _NODE.size * _NODE.size))}
        if of is not None and (of not in nodes or nodes[of][2] < 0):
            raise FormatError("a page of its hierarchy lacks the node that it is for")
        for key, (start, length, count) in nodes.items():
            if count == -1:
                pages.append((start, length, key))
            elif count != 0 and Chunk(start, count, length) not in known:
                laz_layout.require_decodable(stream, layout, Chunk(start, count, length))
            points += max(count, 0)
        if points > layout.points:
            raise FormatError(f"its hierarchy counts more than the {layout.points:,} points of its header")
