"""Clouds in the Stanford polygon format (PLY), as text and in binary of both byte orders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import FormatError
from hazardgeo.io.cloud.points import PART_POINTS, Columns, Part, named, part_of
from hazardgeo.io.cloud.xyz import as_declared, rows_of
from hazardgeo.kernel import kernel

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4", "double": "f8",
    "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
_LONGEST_HEADER_BYTES = 1_000_000
_AXES = ("x", "y", "z")
_AGAIN = "it is cut or damaged, copy or export it again"
_TELLING = re.compile(r"offset|shift|origin|crs|epsg|utm|proj", re.IGNORECASE)  # of comments that a reader should know
_LONGEST_COMMENT = 100


@dataclass(frozen=True, slots=True)
class _Property:
    """`counted_by` is the type of the length before a list, None for a single number."""

    name: str
    kind: np.dtype[Any]
    counted_by: np.dtype[Any] | None = None

    @property
    def least_bytes(self) -> int:
        return (self.counted_by or self.kind).itemsize


@dataclass(frozen=True, slots=True)
class _Element:
    name: str
    count: int
    properties: tuple[_Property, ...]

    @property
    def has_lists(self) -> bool:
        return any(p.counted_by is not None for p in self.properties)


@dataclass(frozen=True, slots=True)
class _Header:
    form: str
    order: str
    elements: tuple[_Element, ...]
    comments: tuple[str, ...]
    lines: int
    size: int


def columns(path: Path) -> Columns:
    """The single numbers of the element "vertex"; its lists and the other elements (faces, edges) are skipped.

    Comments that seem to tell an offset or a CRS are noted, not used. Raises FormatError for damaged and cut files.
    """
    header = _header(path)
    vertex = next((e for e in header.elements if e.name == "vertex"), None)
    if vertex is None or vertex.count == 0:
        raise FormatError(f"{path} has no points; export it again.")
    read = _text_parts if header.order == "=" else _binary_parts
    singles = {p.name: p for p in vertex.properties if p.counted_by is None}
    names = named(singles, path)

    def parts() -> Iterator[Part]:
        return (part_of(found, names) for found in read(path, header, vertex))

    single = any(p.kind.itemsize == 4 and p.kind.kind == "f" for n, p in singles.items() if n in _AXES)
    notes = tuple(f"its header says {c[:_LONGEST_COMMENT]!r}, which is not used" for c in header.comments if _TELLING.search(c))
    return Columns("PLY", header.form, vertex.count, tuple(names), parts, single=single, notes=notes)


def _header(path: Path) -> _Header:
    with path.open("rb") as stream:
        head = stream.read(_LONGEST_HEADER_BYTES)
    ending = b"\r\n" if head[3:5] == b"\r\n" else head[3:4]
    if not head.startswith(b"ply") or ending not in (b"\n", b"\r", b"\r\n"):
        raise FormatError(f"{path} is not a PLY file; check which file this is.")
    end = head.find(ending + b"end_header" + ending)
    if end < 0:
        raise FormatError(f"{path} has a header without an end; {_AGAIN}.")
    lines = head[:end].decode("latin-1").split(ending.decode())
    form = ""
    elements: list[_Element] = []
    comments: list[str] = []
    for number, line in enumerate(lines[1:], 2):
        match line.split():
            case [] | ["comment" | "obj_info"]:
                continue
            case ["comment" | "obj_info", *words]:
                comments.append(" ".join(words))
            case ["format", name, _] if name in _ORDERS and not form:
                form = name
            case ["element", name, count] if count.isascii() and count.isdigit() and len(count) < 19:
                elements.append(_Element(name, int(count), ()))
            case ["property", *words] if elements and (found := _property(words, _ORDERS.get(form, "="))) is not None:
                last = elements[-1]
                if found.name in {p.name for p in last.properties}:
                    raise FormatError(f"{path} line {number} names the property {found.name!r} twice; export it again.")
                elements[-1] = _Element(last.name, last.count, (*last.properties, found))
            case _:
                raise FormatError(f"{path} line {number} is no line of a PLY header: {line[:60]!r}; {_AGAIN}.")
    if not form:
        raise FormatError(f"{path} does not say its format; {_AGAIN}.")
    size = end + 2 * len(ending) + len(b"end_header")
    return _Header(form, _ORDERS[form], tuple(elements), tuple(comments), len(lines) + 1, size)


def _property(words: list[str], order: str) -> _Property | None:
    match words:
        case ["list", counted_by, kind, name] if kind in _TYPES and _TYPES.get(counted_by, "f")[0] != "f":
            return _Property(name, np.dtype(order + _TYPES[kind]), np.dtype(order + _TYPES[counted_by]))
        case [kind, name] if kind in _TYPES:
            return _Property(name, np.dtype(order + _TYPES[kind]))
    return None


def _binary_parts(path: Path, header: _Header, vertex: _Element) -> Iterator[dict[str, NDArray[Any]]]:
    data = np.asarray(np.memmap(path, np.uint8, "r"))
    position = header.size
    for element in header.elements:
        least = element.count * sum(p.least_bytes for p in element.properties)
        if least > len(data) - position:
            raise FormatError(
                f"{path} counts {element.count:,} of {element.name!r}, at least {least:,} bytes, where {len(data) - position:,} "
                f"bytes follow; {_AGAIN}."
            )
        for first in range(0, element.count, PART_POINTS) if element is vertex or element.has_lists else ():
            count = min(PART_POINTS, element.count - first)
            found, position = _records(path, data, position, element, count, header.order == ">")
            if element is vertex:
                yield found
        if element is vertex:
            return
        if not element.has_lists:
            position += least


def _records(
    path: Path, data: NDArray[np.uint8], start: int, element: _Element, count: int, big: bool
) -> tuple[dict[str, NDArray[Any]], int]:
    """The single numbers of the next `count` records, and where these end."""
    if not element.has_lists:
        record = np.dtype([(p.name, p.kind) for p in element.properties])
        end = start + count * record.itemsize
        rows = data[start:end].view(record)
        return {p.name: rows[p.name] for p in element.properties}, end
    offsets = np.empty((count, len(element.properties)), np.int64)
    sizes = np.array([p.kind.itemsize for p in element.properties], np.int64)
    length_sizes = np.array([0 if p.counted_by is None else p.counted_by.itemsize for p in element.properties], np.int64)
    end = int(_walk_kernel(data, start, sizes, length_sizes, big, offsets))
    if end < 0:
        raise FormatError(f"{path} ends within its {element.name!r} records; {_AGAIN}.")
    singles = [(i, p) for i, p in enumerate(element.properties) if p.counted_by is None]
    return {p.name: _gathered(data, offsets[:, i], p) for i, p in singles}, end


@kernel
def _walk_kernel(
    data: NDArray[np.uint8],
    position: int,
    sizes: NDArray[np.int64],
    length_sizes: NDArray[np.int64],
    big: bool,
    offsets: NDArray[np.int64],
) -> int:
    for i in range(offsets.shape[0]):
        for j in range(offsets.shape[1]):
            offsets[i, j] = position
            bytes_of_length = length_sizes[j]
            items = 1
            if bytes_of_length > 0:
                if position + bytes_of_length > data.shape[0]:
                    return -1
                items = 0
                for k in range(bytes_of_length):
                    place = bytes_of_length - 1 - k if big else k
                    items += int(data[position + k]) << (8 * place)
            position += bytes_of_length + items * sizes[j]
            if position > data.shape[0]:
                return -1
    return position


def _gathered(data: NDArray[np.uint8], offsets: NDArray[np.int64], stored: _Property) -> NDArray[Any]:
    picked = data[offsets[:, None] + np.arange(stored.kind.itemsize)]
    return np.ascontiguousarray(picked).view(stored.kind)[:, 0]


def _text_parts(path: Path, header: _Header, vertex: _Element) -> Iterator[dict[str, NDArray[Any]]]:
    before = sum(e.count for e in header.elements[: header.elements.index(vertex)])
    follow = path.stat().st_size - header.size
    if 2 * (before + vertex.count * max(1, len(vertex.properties))) > follow + 1:
        raise FormatError(f"{path} counts {vertex.count:,} points, more than its {follow:,} bytes can hold; {_AGAIN}.")

    def rows() -> Iterator[tuple[int, str]]:
        with path.open(encoding="latin-1") as stream:
            lines = ((n, line) for n, line in enumerate(stream, 1) if n > header.lines and line.strip())
            for n, line in islice(lines, before, before + vertex.count):
                yield n, _without_lists(line, vertex) if vertex.has_lists else line

    single = [p for p in vertex.properties if p.counted_by is None]
    seen = 0
    for table in rows_of(rows, len(single), path):
        seen += len(table)
        yield {
            p.name: table[:, i] if p.name in _AXES else as_declared(table[:, i], p.kind, p.name, path)
            for i, p in enumerate(single)
        }
    if seen < vertex.count:
        raise FormatError(f"{path} holds {seen:,} of {vertex.count:,} points; {_AGAIN}.")


def _without_lists(line: str, element: _Element) -> str:
    """The single numbers of a line; fewer of them where a list has no sensible length."""
    words = line.split()
    kept: list[str] = []
    at = 0
    for p in element.properties:
        if p.counted_by is None:
            kept.extend(words[at : at + 1])
            at += 1
        else:
            length = words[at] if at < len(words) else ""
            at += 1 + int(length) if length.isascii() and length.isdigit() and len(length) < 10 else len(words)
    return " ".join(kept)
