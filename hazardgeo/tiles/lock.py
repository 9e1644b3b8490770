"""One at a time in a place: a lock of the operating system, which ends with the process that holds it."""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from hazardgeo.errors import FormatError, HazardGeoWarning

_BUSY = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
_FAR = 1 << 30  # Windows keeps others from reading the locked byte, so it lies beyond the text


@contextmanager
def held(path: Path, place: Path, *, otherwise: str) -> Iterator[None]:
    """Nobody else holds the lock file `path` within the block. FormatError at once where somebody does, naming the process.

    `place` is what the lock is for, and `otherwise` what to do where it is taken. A killed or crashed process loses its
    lock, also over a restart. On drives without locks the name of the process in the file counts, with a
    HazardGeoWarning: dead ones on this computer are passed over, those on others have to be removed.
    """
    stream = _taken(path, place, otherwise)
    try:
        _sign(stream)
        yield
    finally:
        if sys.platform != "win32":  # while the lock is held, so that nobody takes a file that is about to go
            path.unlink(missing_ok=True)
        os.close(stream)
        if sys.platform == "win32":
            with suppress(OSError):
                path.unlink()


def _taken(path: Path, place: Path, otherwise: str) -> int:
    """The open and locked file."""
    while True:
        try:
            stream = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            if path.is_symlink():  # what it points at would be written over
                raise FormatError(f"{path} is a link to another file; delete the link and run again.") from None
            raise FormatError(f"the folder {path.parent} cannot be written: {error.strerror}; choose another.") from None
        try:
            _lock(stream)
        except OSError as error:
            holder = _holder(path)
            if error.errno in _BUSY:
                os.close(stream)
                raise FormatError(_busy(place, holder, otherwise)) from None
            if not _is_dead(holder):
                os.close(stream)
                raise FormatError(f"{_busy(place, holder, otherwise)} If it no longer runs, delete {path}.") from None
            text = f"{place} is on a drive without locks ({error.strerror}); take care that nobody else runs there."
            warnings.warn(text, HazardGeoWarning, stacklevel=6)
            return stream
        if _is_at(path, stream):
            return stream
        os.close(stream)  # its holder removed it in between


def _lock(stream: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(stream, _FAR, os.SEEK_SET)
        msvcrt.locking(stream, msvcrt.LK_NBLCK, 1)
        os.lseek(stream, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(path: Path, stream: int) -> bool:
    try:
        return os.path.samestat(os.fstat(stream), path.lstat())
    except OSError:
        return False


def _sign(stream: int) -> None:
    """Write down who holds the lock; on a full disk it holds unsigned."""
    own = psutil.Process()
    who = {
        "pid": own.pid,
        "started": own.create_time(),
        "host": platform.node(),
        "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }
    with suppress(OSError):
        os.ftruncate(stream, 0)
        os.write(stream, json.dumps(who).encode())


def _holder(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _busy(place: Path, holder: dict[str, object], otherwise: str) -> str:
    who = f"process {holder['pid']} on {holder.get('host')}, since {holder.get('since')}" if "pid" in holder else "not signed yet"
    return f"another run is at work in {place} ({who}); wait until it is done, or {otherwise}."


def _is_dead(holder: dict[str, object]) -> bool:
    """True where the file is unsigned, or signed by a process of this computer that is gone."""
    if "pid" not in holder:
        return True
    if holder.get("host") != platform.node():
        return False
    try:
        return psutil.Process(int(str(holder["pid"]))).create_time() != holder.get("started")
    except (psutil.Error, ValueError):
        return True
