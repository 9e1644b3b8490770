"""Which processes on other machines may take part: the same code, the same Python, the same files in the same places."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numba

import hazardgeo
from hazardgeo.errors import FormatError
from hazardgeo.tiles.code import code_hash
from hazardgeo.tiles.folder import MARKER
from hazardgeo.tiles.worker import ONE_THREAD

_ABSENT, _FOLDER, _READ_ONLY = -1, -2, -3


@dataclass(frozen=True, slots=True)
class Papers:
    """What a process runs: versions of Python and of hazardgeo, and a hash over the files of the package."""

    python: str
    version: str
    code: str


def own_papers() -> Papers:
    """The papers of this process."""
    return Papers(platform.python_version(), hazardgeo.__version__, code_hash())


def refusal(own: Papers, other: Papers) -> str:
    """Why a process with other papers may not take part, empty where it may."""
    if _minor(own.python) != _minor(other.python):
        return f"runs Python {other.python}, and this machine {own.python}"
    if not other.version:
        return "has no hazardgeo"
    if own.version != other.version:
        return f"has hazardgeo {other.version}, and this machine {own.version}"
    if own.code != other.code:
        return f"has other files in its hazardgeo {other.version}, or had them when it began"
    return ""


def _minor(python: str) -> list[str]:
    return python.split(".")[:2]


def paths_in(value: Any) -> set[Path]:
    """All paths that a call carries: in its arguments, and in the sources and sinks among them; of texts, absolute paths."""
    if isinstance(value, Path) or (isinstance(value, str) and Path(value).is_absolute()):
        return {Path(value)}
    parts: Iterable[Any] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        parts = value
    elif is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, f.name) for f in fields(value)]
    return set().union(*map(paths_in, parts))


@contextmanager
def shared(paths: Iterable[Path]) -> Iterator[dict[str, int]]:
    """What must be found elsewhere within the block: the paths that exist here, by what they are.

    A file of a new name is put into each work folder meanwhile: who sees it sees the same folder, and not one of his own
    that is called alike.
    """
    found = [path for path in paths if path.exists()]
    probes = [path / f"seen-{secrets.token_hex(8)}.tmp" for path in found if (path / MARKER).is_file()]
    try:
        for probe in probes:
            probe.touch()
        yield seen([str(path) for path in [*found, *probes]])
    except OSError as error:
        raise FormatError(f"cannot write to {probes[0].parent}: {error.strerror}; check the folder and the free space.") from None
    finally:
        for probe in probes:
            with suppress(OSError):
                probe.unlink(missing_ok=True)


def seen(paths: Iterable[str]) -> dict[str, int]:
    """For each path how many bytes the file has, or a negative number: absent, a folder, a work folder that is read-only."""
    return {path: _kind(Path(path)) for path in paths}


def unseen(own: Mapping[str, int], other: Mapping[str, int]) -> str:
    """What another process does not see as this one does, empty where it sees everything."""
    for path, kind in own.items():
        place = Path(path).parent if path.endswith(".tmp") else Path(path)
        if other[path] == _READ_ONLY:
            return f"may not write to {place}"
        if other[path] != kind:
            sees = "does not see" if other[path] == _ABSENT else "has another file at"
            return f"{sees} {place}" + ("" if place.is_absolute() else ", which is no whole path")
    return ""


def _kind(path: Path) -> int:
    try:
        if path.is_dir():
            return _FOLDER if os.access(path, os.W_OK) or not (path / MARKER).is_file() else _READ_ONLY
        return path.stat().st_size
    except OSError:
        return _ABSENT


def admitted() -> Papers:
    """The papers of the process that is asked; from then on its libraries take one thread each."""
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
    try:
        numba.config.reload_config()  # type: ignore[no-untyped-call]
    except RuntimeError:  # the threads of numba run already, and their number cannot change; kernels use one
        os.environ.pop("NUMBA_NUM_THREADS")
    return own_papers()
