"""What stages made, kept beside the results by content, so that a rerun computes only what has changed.

    out/.cache/entries/ground.json     what the stage was made from (its key), its products and its warnings
    out/.cache/blobs/3f2a...           one array: its bytes sorted by place, then compressed; named by the hash of the file
    out/.cache/results.json            what each file of the results was made from, and its hash

The folder may be deleted at any time. Entries and blobs carry their hash: one that is damaged counts as absent.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.io.files import atomic, one_line
from hazardgeo.pipeline import codec

FOLDER = ".cache"
_BLOB = re.compile(r"[0-9a-f]{64}\Z")
_WITHIN = "="  # begins the text of an array that is small enough to stand in the entry
_SMALL_BYTES = 4096
_DAMAGED = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, MemoryError)
_LEVEL = 1  # of zstd: a third of the size at 250 MB/s; higher levels gain 2 %


@dataclass(frozen=True, slots=True)
class Entry:
    """What a stage, or an input that was read, left: products as plain data by name, and its warnings.

    `skipped` is the reason of a stage that could not run.
    """

    key: str
    products: dict[str, Any]
    warnings: tuple[str, ...] = ()
    skipped: str = ""


def identity(data: Any) -> str:
    """A hash over plain data, arrays included by the names of their blobs: equal products have equal identities."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def encoded(value: Any, cache: Path) -> Any:
    """`value` as plain data, with its arrays written to the store. Raises codec.Unstorable."""
    return codec.encode(value, lambda data, size: _keep(data, size, cache))


def value_of(data: Any, cache: Path) -> Any:
    """The value behind plain data. Raises FormatError where the store was damaged since it was checked."""
    try:
        return codec.decode(data, lambda name, count, size: _fetch(name, count, size, cache))
    except (*_DAMAGED, HazardGeoError, shapely.errors.ShapelyError) as error:
        raise FormatError(f"{cache} is damaged ({one_line(error)}); delete it and run again.") from error


def save(name: str, entry: Entry, cache: Path) -> None:
    """Keep the entry of a stage in place of its last one."""
    path = _entry_path(name, cache)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_hashed(asdict(entry), path)


def write_hashed(data: Any, path: Path) -> None:
    """Plain data as JSON below its hash."""
    body = json.dumps(data, ensure_ascii=True)
    with atomic(path) as part:
        part.write_text(f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}\n", encoding="utf-8")


def read_hashed(path: Path) -> Any:
    """What `write_hashed` left in a file; ValueError where it is not as it was written, OSError where there is none."""
    digest, _, body = path.read_text(encoding="utf-8").partition("\n")
    if hashlib.sha256(body.strip().encode()).hexdigest() != digest:
        raise ValueError(f"{path.name} is not as it was written")
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None


def find(name: str, key: str, cache: Path) -> Entry | None:
    """The entry of a stage, where it was made from the same things and is whole with all its blobs."""
    entry = _read(_entry_path(name, cache))
    if entry is None or entry.key != key or not all(_is_whole(cache / "blobs" / blob) for blob in set(_blobs(entry.products))):
        return None
    return entry


def sweep(names: set[str], cache: Path) -> None:
    """Remove the entries that are not among `names`, and the blobs that no entry needs."""
    needed: set[str] = set()
    for path in (cache / "entries").glob("*.json"):
        entry = _read(path) if path.stem in names else None
        if entry is None:
            path.unlink(missing_ok=True)
        else:
            needed |= set(_blobs(entry.products))
    for path in (cache / "blobs").glob("*"):
        if path.name not in needed:
            path.unlink(missing_ok=True)


def names(cache: Path) -> set[str]:
    """The names of all entries."""
    return {path.stem for path in (cache / "entries").glob("*.json")}


def discard(cache: Path) -> None:
    """Remove the whole store."""
    shutil.rmtree(cache, ignore_errors=True)


def _entry_path(name: str, cache: Path) -> Path:
    return cache / "entries" / f"{name}.json"


def _read(path: Path) -> Entry | None:
    """The entry in a file, None where there is none, or not as it was written."""
    try:
        found: Mapping[str, Any] = read_hashed(path)
        entry = Entry(found["key"], dict(found["products"].items()), tuple(found["warnings"]), found["skipped"])
        texts = (entry.key, *entry.products, *entry.warnings, entry.skipped, *_blobs(entry.products))
        return entry if all(isinstance(text, str) for text in texts) else None
    except _DAMAGED:
        return None


def _blobs(data: Any) -> Iterator[str]:
    """The names of all blobs in plain data."""
    if isinstance(data, dict) and "array" in data:
        _, _, name = data["array"]
        if not name.startswith(_WITHIN):
            yield name
    elif isinstance(data, dict | list):
        for part in data.values() if isinstance(data, dict) else data:
            yield from _blobs(part)


def _keep(data: bytes, size: int, cache: Path) -> str:
    """Write an array as a blob, unless it is there; returns its name, or for a small array its bytes as text."""
    if len(data) <= _SMALL_BYTES:
        return _WITHIN + base64.b64encode(data).decode()
    planes = np.frombuffer(data, np.uint8).reshape(-1, size).T.tobytes()
    packed = pa.Codec("zstd", compression_level=_LEVEL).compress(planes, asbytes=True)
    path = cache / "blobs" / hashlib.sha256(packed).hexdigest()
    if not _is_whole(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as part:
            part.write_bytes(packed)
    return path.name


def _fetch(name: str, count: int, size: int, cache: Path) -> bytes:
    if name.startswith(_WITHIN):
        return base64.b64decode(name.removeprefix(_WITHIN))
    if not _BLOB.match(name):
        raise ValueError(f"{name[:80]!r} is not the name of a blob")
    packed = (cache / "blobs" / name).read_bytes()
    planes = pa.Codec("zstd").decompress(packed, decompressed_size=count, asbytes=True)
    return np.frombuffer(planes, np.uint8).reshape(size, -1).T.tobytes()


def _is_whole(path: Path) -> bool:
    """True for a blob whose content has the hash that is its name."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == path.name
    except OSError:
        return False
