"""One run at a time in a folder: a lock of the operating system, which ends with the process that holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hazardgeo.tiles import lock

FILE = ".lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Nobody else runs in `folder` within the block; else, and on drives without locks, as `tiles.lock.held` says."""
    with lock.held(folder / FILE, folder, otherwise="choose another folder with --out"):
        yield
