"""Clouds in the format of the Point Cloud Library (PCD), as text, in binary and compressed with LZF."""

from __future__ import annotations

import struct
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

_SIZES = {"I": (1, 2, 4, 8), "U": (1, 2, 4, 8), "F": (4, 8)}
_KEYS = ("VERSION", "FIELDS", "SIZE", "TYPE", "COUNT", "WIDTH", "HEIGHT", "VIEWPOINT", "POINTS", "DATA")
_FORMS = ("ascii", "binary", "binary_compressed")
_LONGEST_LINE_BYTES, _MOST_LINES = 65_536, 200
_PADDING, _PACKED_COLOURS = "_", ("rgb", "rgba")
_PACKED = ("blue", "green", "red")  # from the lowest byte
_NO_VIEWPOINT = ("0", "0", "0", "1", "0", "0", "0")
_MOST_LZF_GAIN = 264  # bytes that one reference of LZF can stand for
_AXES = ("x", "y", "z")
_AGAIN = "it is cut or damaged, copy or export it again"


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    kind: np.dtype[Any]
    count: int

    @property
    def size(self) -> int:
        return self.kind.itemsize * self.count


@dataclass(frozen=True, slots=True)
class _Header:
    fields: tuple[_Field, ...]
    points: int
    form: str
    viewpoint: tuple[str, ...]
    lines: int
    size: int

    @property
    def row_bytes(self) -> int:
        return sum(f.size for f in self.fields)


def columns(path: Path) -> Columns:
    """All fields but padding; packed colours (rgb, rgba) become red, green and blue of 8 bits.

    The viewpoint is where the sensor stood and moves no point; one that is not the origin is noted. Raises FormatError for
    damaged and cut files.
    """
    header = _header(path)
    if header.points == 0:
        raise FormatError(f"{path} has no points; export it again.")
    flat = next((f.name for f in header.fields if f.name in _AXES and f.count > 1), None)
    if flat is not None:
        raise FormatError(f"{path} has several numbers of {flat!r} to a point; export it again.")
    read = {"ascii": _text_parts, "binary": _binary_parts, "binary_compressed": _compressed_parts}[header.form]
    stored = [n for f in header.fields if f.name != _PADDING for n in (_PACKED if _is_packed(f) else (f.name,))]
    names = named(dict.fromkeys(stored), path)

    def parts() -> Iterator[Part]:
        return (part_of(_unpacked(found, header), names) for found in read(path, header))

    single = any(f.name in _AXES and f.kind == np.dtype("<f4") for f in header.fields)
    notes = () if header.viewpoint in ((), _NO_VIEWPOINT) else (f"its viewpoint {' '.join(header.viewpoint)} moves no point",)
    return Columns("PCD", header.form, header.points, tuple(names), parts, single=single, notes=notes)


def _is_packed(field: _Field) -> bool:
    return field.name in _PACKED_COLOURS and field.count == 1 and field.kind.itemsize == 4


def _unpacked(columns: dict[str, NDArray[Any]], header: _Header) -> dict[str, NDArray[Any]]:
    values = dict(columns)
    for field in header.fields:
        if _is_packed(field):
            packed = np.ascontiguousarray(values.pop(field.name)).view(np.uint32)
            for i, colour in enumerate(_PACKED):
                values[colour] = ((packed >> (8 * i)) & 0xFF).astype(np.uint8)
    return values


def _header(path: Path) -> _Header:
    said: dict[str, list[str]] = {}
    with path.open("rb") as stream:
        for number in range(1, _MOST_LINES + 1):
            line = stream.readline(_LONGEST_LINE_BYTES).decode("latin-1")
            words = line.split()
            if not line or (words and not words[0].startswith("#") and words[0] not in _KEYS):
                break
            if words and not words[0].startswith("#"):
                said[words[0]] = words[1:]
            if "DATA" in said:
                return _understood(path, said, number, stream.tell())
    if not said:
        raise FormatError(f"{path} is not a PCD file; check which file this is.")
    raise FormatError(f"{path} line {number} is no line of a PCD header: {line[:60].strip()!r}; {_AGAIN}.")


def _understood(path: Path, said: dict[str, list[str]], lines: int, size: int) -> _Header:
    names, form = said.get("FIELDS", []), " ".join(said["DATA"])
    sizes, counts = _whole(said.get("SIZE", [])), _whole(said.get("COUNT", ["1"] * len(names)))
    kinds = said.get("TYPE", [])
    if form not in _FORMS:
        raise FormatError(f"{path} has DATA {form[:40]!r}, which is none of {', '.join(_FORMS)}; {_AGAIN}.")
    if not names or not len(names) == len(sizes) == len(kinds) == len(counts) or 0 in counts:
        raise FormatError(f"{path} has FIELDS, SIZE, TYPE and COUNT of different length; {_AGAIN}.")
    wrong = next((f"{k}{s}" for k, s in zip(kinds, sizes, strict=True) if s not in _SIZES.get(k, ())), None)
    kept = [n for n in names if n != _PADDING]
    if wrong is not None or len(set(kept)) < len(kept):
        fault = "names a field twice" if wrong is None else f"has a field of the unknown type {wrong[:20]!r}"
        raise FormatError(f"{path} {fault}; {_AGAIN}.")
    extent = _whole([*said.get("WIDTH", ["?"])[:1], *said.get("HEIGHT", ["1"])[:1]])
    points = _whole(said.get("POINTS", []) or [str(extent[0] * extent[1]) if len(extent) == 2 else "?"])
    if len(points) != 1 or (len(extent) == 2 and extent[0] * extent[1] != points[0]):
        raise FormatError(f"{path} has WIDTH, HEIGHT and POINTS that do not fit together; {_AGAIN}.")
    fields = zip(names, kinds, sizes, counts, strict=True)
    kept_fields = tuple(_Field(n, np.dtype(f"<{k.lower()}{s}"), c) for n, k, s, c in fields)
    return _Header(kept_fields, points[0], form, tuple(said.get("VIEWPOINT", ())), lines, size)


def _whole(words: list[str]) -> list[int]:
    """The whole numbers that the words are; nothing at all where one is none."""
    fine = all(w.isascii() and w.isdigit() and len(w) < 19 for w in words)
    return [int(w) for w in words] if fine else []


def _require_room(path: Path, header: _Header, needed: int, there: int) -> None:
    if needed > there:
        raise FormatError(
            f"{path} counts {header.points:,} points, {needed:,} bytes, where {max(there, 0):,} bytes follow; {_AGAIN}."
        )


def _binary_parts(path: Path, header: _Header) -> Iterator[dict[str, NDArray[Any]]]:
    needed = header.points * header.row_bytes
    _require_room(path, header, needed, path.stat().st_size - header.size)
    data = np.asarray(np.memmap(path, np.uint8, "r"))[header.size : header.size + needed]
    for first in range(0, header.points, PART_POINTS):
        rows = data.reshape(header.points, header.row_bytes)[first : first + PART_POINTS]
        found: dict[str, NDArray[Any]] = {}
        at = 0
        for field in header.fields:
            if field.name != _PADDING:
                values = np.ascontiguousarray(rows[:, at : at + field.size]).view(field.kind)
                found[field.name] = values[:, 0] if field.count == 1 else values
            at += field.size
        yield found


def _compressed_parts(path: Path, header: _Header) -> Iterator[dict[str, NDArray[Any]]]:
    """The fields one after another, as they lie in the block that LZF compressed."""
    with path.open("rb") as stream:
        stream.seek(header.size)
        lengths = stream.read(8)
        if len(lengths) < 8:
            raise FormatError(f"{path} ends after its header; {_AGAIN}.")
        packed_bytes, unpacked_bytes = struct.unpack("<II", lengths)
        _require_room(path, header, packed_bytes, path.stat().st_size - header.size - 8)
        packed = np.frombuffer(stream.read(packed_bytes), np.uint8)
    if unpacked_bytes != header.points * header.row_bytes or unpacked_bytes > packed_bytes * _MOST_LZF_GAIN:
        raise FormatError(f"{path} has a compressed block that does not fit its {header.points:,} points; {_AGAIN}.")
    block = np.empty(unpacked_bytes, np.uint8)
    if not _unpack_lzf_kernel(packed, block):
        raise FormatError(f"{path} has a compressed block that is damaged; {_AGAIN}.")
    for first in range(0, header.points, PART_POINTS):
        count = min(PART_POINTS, header.points - first)
        found: dict[str, NDArray[Any]] = {}
        at = 0
        for field in header.fields:
            if field.name != _PADDING:
                begin = at + first * field.size
                values = block[begin : begin + count * field.size].copy().view(field.kind)
                found[field.name] = values if field.count == 1 else values.reshape(count, field.count)
            at += header.points * field.size
        yield found


@kernel
def _unpack_lzf_kernel(packed: NDArray[np.uint8], block: NDArray[np.uint8]) -> bool:
    """Fill `block` with what `packed` stands for; false unless both are used up exactly (LZF of M. Lehmann's liblzf)."""
    i, o = 0, 0
    while i < packed.shape[0]:
        control = int(packed[i])
        i += 1
        if control < 32:
            length = control + 1
            if i + length > packed.shape[0] or o + length > block.shape[0]:
                return False
            for k in range(length):
                block[o + k] = packed[i + k]
            i += length
        else:
            length = control >> 5
            if length == 7 and i < packed.shape[0]:
                length += int(packed[i])
                i += 1
            length += 2
            if i >= packed.shape[0]:
                return False
            source = o - ((control & 31) << 8) - int(packed[i]) - 1
            i += 1
            if source < 0 or o + length > block.shape[0]:
                return False
            for k in range(length):
                block[o + k] = block[source + k]
        o += length
    return bool(o == block.shape[0])


def _text_parts(path: Path, header: _Header) -> Iterator[dict[str, NDArray[Any]]]:
    width = sum(f.count for f in header.fields)
    _require_room(path, header, 2 * header.points * width - 1, path.stat().st_size - header.size)

    def rows() -> Iterator[tuple[int, str]]:
        with path.open(encoding="latin-1") as stream:
            lines = ((n, line) for n, line in enumerate(stream, 1) if n > header.lines and line.strip())
            yield from islice(lines, header.points)

    seen = 0
    for table in rows_of(rows, width, path):
        seen += len(table)
        found: dict[str, NDArray[Any]] = {}
        at = 0
        for field in header.fields:
            values = table[:, at] if field.count == 1 else table[:, at : at + field.count]
            if field.name in _AXES:
                found[field.name] = values
            elif field.name != _PADDING:
                found[field.name] = as_declared(values, field.kind, field.name, path)
            at += field.count
        yield found
    if seen < header.points:
        raise FormatError(f"{path} holds {seen:,} of {header.points:,} points; {_AGAIN}.")
