"""Where parts of work lie until it is whole: whose they are, what was said over them, and how they go."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hazardgeo.errors import FormatError, HazardGeoError, TileError
from hazardgeo.tiles import lock
from hazardgeo.tiles.code import code_hash
from hazardgeo.tiles.options import options_hash

MARKER = "work.key"
_WARNINGS = "warnings.json"


@contextmanager
def held(*folders: Path) -> Iterator[None]:
    """Nobody else works in these work folders within the block. Raises FormatError at once where somebody does.

    The locks lie beside the folders, which may come and go.
    """
    with ExitStack() as stack:
        for folder in sorted(set(folders)):
            try:
                folder.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise FormatError(f"cannot write to {folder.parent}: {error.strerror}; choose another folder.") from None
            path = folder.with_name(f".{folder.name.removeprefix('.')}.lock")
            stack.enter_context(lock.held(path, folder, otherwise="write to another file"))
        yield


def claim(folder: Path, functions: tuple[Callable[..., Any], ...], options: Mapping[str, Any], *more: Any) -> Path:
    """The work folder, emptied where it holds parts of other work: another grid, option, source or version of the code.

    Raises FormatError where it holds files that are no parts, or cannot be written, and ConfigError for an option that
    cannot travel.
    """
    what = [
        [(f.__module__, f.__qualname__, _code_of(f)) for f in functions],
        options_hash(options), code_hash(), *more,
    ]  # fmt: skip
    key = hashlib.sha256(json.dumps(what, sort_keys=True, default=repr).encode()).hexdigest()
    marker = folder / MARKER
    try:
        if folder.is_dir() and not marker.is_file() and any(folder.iterdir()):
            raise FormatError(f"{folder} holds other files, and parts of work would lie among them; name a new folder.")
        if not marker.is_file() or marker.read_text() != key:
            discard(folder)
            folder.mkdir(parents=True)
            marker.write_text(key)
    except HazardGeoError:
        raise
    except OSError as error:
        raise FormatError(f"cannot write to {folder}: {error.strerror}; check the folder and the free space.") from None
    return folder


def key_of(folder: Path) -> str:
    """The key of the work that a folder is claimed for; empty where there is none."""
    try:
        return (folder / MARKER).read_text()
    except OSError:
        return ""


def require_claimed(folder: Path, key: str) -> None:
    """Raise TileError where a folder has been claimed for other work since: what a lost worker still makes is not for it."""
    if key_of(folder) != key:
        raise TileError(f"other work has begun in {folder} since; this part is not wanted any more.")


def discard(folder: Path) -> None:
    """Remove a work folder; it is renamed first, so that half a removal is never taken for parts of work."""
    if not folder.exists():
        return
    gone = folder.with_name(f"{folder.name}.gone-{secrets.token_hex(4)}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


@contextmanager
def written(target: Path) -> Iterator[IO[bytes]]:
    """A stream whose bytes become the file at the end of the block, on the disk and whole, or not at all.

    Raises FormatError where it cannot be written.
    """
    temporary = target.with_suffix(f".{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())  # else a loss of power may leave a file of no bytes under the name
        temporary.replace(target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise FormatError(f"cannot write {target}: {error.strerror or error}; check the free space.") from None


def said_before(folder: Path) -> list[str]:
    """The warnings that were given over the parts in the folder."""
    try:
        return [str(text) for text in json.loads((folder / _WARNINGS).read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        return []


def remember_said(folder: Path, said: list[str]) -> None:
    """Keep the warnings with the parts, for the call that goes on from them; FormatError where there is no space for them."""
    if folder.is_dir():
        with written(folder / _WARNINGS) as stream:
            stream.write(json.dumps(said, ensure_ascii=False).encode())


def _code_of(function: Callable[..., Any]) -> str:
    """A hash of the file in which a function is written; empty where there is none."""
    try:
        source = inspect.getsourcefile(function)
        return hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else ""
    except (OSError, TypeError):
        return ""
