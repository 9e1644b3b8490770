"""The octree of COPC files: which parts of the file a place and a resolution need."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import laspy
import lazrs
import numpy as np
from laspy.copc import CopcInfoVlr
from numpy.typing import NDArray

from hazardgeo.errors import FormatError
from hazardgeo.io.cloud.las import part_of
from hazardgeo.io.cloud.points import PART_POINTS, Bounds, Part
from hazardgeo.io.remote import Place

_ENTRY_BYTES = 32
_DEEPEST = 30
_ELSEWHERE = -1  # the count of an entry that stands on another page


@dataclass(frozen=True, slots=True)
class Octree:
    """The cube of the root, in the units of the file, the spacing of its points, and where its hierarchy begins."""

    centre: tuple[float, float, float]
    half: float
    spacing: float
    root_at: int
    root_bytes: int


@dataclass(frozen=True, slots=True)
class Node:
    """A chunk of points: where it is and how many points it holds."""

    at: int
    size: int
    points: int


def octree_of(header: laspy.LasHeader) -> Octree | None:
    """The octree that the first record of the header describes; None for files that are not COPC."""
    info = header.vlrs[0] if len(header.vlrs) else None
    if not isinstance(info, CopcInfoVlr):
        return None
    x, y, z = (float(v) for v in info.center)
    return Octree(
        (x, y, z), float(info.halfsize), float(info.spacing), int(info.hierarchy_root_offset), int(info.hierarchy_root_size)
    )


def nodes_of(path: Place, header: laspy.LasHeader, tree: Octree, bounds: Bounds | None, spacing: float | None) -> list[Node]:
    """The nodes that can hold points within `bounds`, down to the level with at most `spacing`, in the order of the file.

    Both are in the units of the file. Only the pages of the hierarchy that are needed are read. FormatError where the
    hierarchy contradicts itself or the file.
    """
    if not (np.isfinite([*tree.centre, tree.half, tree.spacing]).all() and tree.half > 0 and tree.spacing > 0):
        raise FormatError(f"{path} has a damaged octree: its cube or its spacing makes no sense; fetch it again.")
    deepest = _DEEPEST if spacing is None else max(0, math.ceil(math.log2(tree.spacing / spacing)))
    size = path.stat().st_size
    slack = float(np.abs(header.scales[:2]).max())
    found: list[Node] = []
    with path.open("rb") as stream:

        def page(at: int, length: int) -> dict[tuple[int, int, int, int], tuple[int, int, int]]:
            if at <= 0 or length <= 0 or at + length > size or length % _ENTRY_BYTES:
                raise FormatError(f"{path} has a damaged octree: its hierarchy lies outside the file; fetch it again.")
            stream.seek(at)
            return {(e[0], e[1], e[2], e[3]): (e[4], e[5], e[6]) for e in struct.iter_unpack("<iiiiQii", stream.read(length))}

        entries = page(tree.root_at, tree.root_bytes)
        read = tree.root_bytes
        todo = [(0, 0, 0, 0)]
        while todo:
            key = todo.pop()
            if key not in entries or key[0] > deepest or not _meets(tree, key, bounds, slack):
                continue
            at, length, points = entries[key]
            if points == _ELSEWHERE:
                read += max(length, _ENTRY_BYTES)
                if read > size:
                    raise FormatError(f"{path} has a damaged octree: its hierarchy goes round in a circle; fetch it again.")
                del entries[key]
                entries.update(page(at, length))
                todo.append(key)
                continue
            if points < 0 or (points and (length <= 0 or at < header.offset_to_point_data or at + length > size)):
                raise FormatError(f"{path} has a damaged octree: its hierarchy names points outside the file; fetch it again.")
            if points:
                found.append(Node(at, length, points))
            level, x, y, z = key
            todo.extend((level + 1, 2 * x + i, 2 * y + j, 2 * z + k) for i in (0, 1) for j in (0, 1) for k in (0, 1))
    if sum(n.points for n in found) > header.point_count:
        raise FormatError(f"{path} has a damaged octree: its hierarchy counts more points than the file; fetch it again.")
    return sorted(found, key=lambda n: n.at)


def _meets(tree: Octree, key: tuple[int, int, int, int], bounds: Bounds | None, slack: float) -> bool:
    """Whether the cube of a node touches the bounds."""
    if bounds is None:
        return True
    side = math.ldexp(tree.half, 1 - key[0])
    west, south = (float(tree.centre[i] - tree.half + key[1 + i] * side) for i in (0, 1))
    east, north = west + side + slack, south + side + slack
    return west - slack <= bounds[2] and east >= bounds[0] and south - slack <= bounds[3] and north >= bounds[1]


def parts(path: Place, header: laspy.LasHeader, laszip: bytes, nodes: list[Node]) -> Iterator[Part]:
    """The points of the nodes, some nodes at a time."""
    with path.open("rb") as stream:
        batch: list[Node] = []
        for node in nodes:
            if batch and sum(n.points for n in batch) + node.points > PART_POINTS:
                yield _part(stream, batch, header, laszip)
                batch = []
            batch.append(node)
        if batch:
            yield _part(stream, batch, header, laszip)


def _part(stream: BinaryIO, batch: list[Node], header: laspy.LasHeader, laszip: bytes) -> Part:
    packed = bytearray()
    for node in batch:
        stream.seek(node.at)
        packed += stream.read(node.size)
    rows: NDArray[np.uint8] = np.zeros(sum(n.points for n in batch) * header.point_format.size, np.uint8)
    lazrs.decompress_points_with_chunk_table(packed, laszip, rows, [(n.points, n.size) for n in batch])
    record = rows.view(header.point_format.dtype())
    return part_of(laspy.ScaleAwarePointRecord(record, header.point_format, header.scales, header.offsets))
