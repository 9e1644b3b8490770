"""The code of this package as a number: an edited function is another version."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import psutil

import hazardgeo

_SUFFIXES = (".py", ".toml", ".js", ".css", ".json", ".md", ".png")
_CLOCK_S = 1.1  # the start of a process is known to the second, and may be given too early


@lru_cache(maxsize=1)
def code_hash() -> str:
    """A hash over the files of the package as they are at the first call, 16 hexadecimal digits.

    Where a file was edited after this process began, what runs may be older than what lies there: the hash is then one
    that no other process has.
    """
    package = Path(hazardgeo.__file__).parent
    paths = sorted(p for p in package.rglob("*") if p.suffix in _SUFFIXES and p.is_file())
    content = hashlib.sha256()
    if edited_since(psutil.Process().create_time() + _CLOCK_S, paths):
        content.update(secrets.token_bytes(16))
    for path in paths:
        content.update(path.relative_to(package).as_posix().encode())
        content.update(hashlib.sha256(path.read_bytes()).digest())
    return content.hexdigest()[:16]


def edited_since(began: float, paths: Iterable[Path]) -> bool:
    """True where a file was written between `began` and now; a date in the future says nothing."""
    return any(began < path.stat().st_mtime <= time.time() for path in paths)
