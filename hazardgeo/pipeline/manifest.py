"""What a run did: inputs and outputs with their hashes, stages with time and memory, versions, warnings."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import psutil

import hazardgeo
from hazardgeo.io.files import atomic

VERSIONS = ("numpy", "scipy", "numba", "rasterio", "pyproj", "shapely", "geopandas", "laspy", "lazrs", "ortools", "folium")
SAMPLE_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file by its path relative to the run, its size and its sha256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StageRecord:
    """What became of a stage. `peak_memory_mb` is sampled over the process and its children."""

    name: str
    status: Literal["done", "skipped", "reused"]
    reason: str = ""
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    products: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """The record of one run, written to manifest.json beside its outputs. `finished` is in UTC."""

    title: str
    notice: str
    seed: int
    inputs: tuple[FileRecord, ...]
    outputs: tuple[FileRecord, ...]
    stages: tuple[StageRecord, ...]
    warnings: tuple[str, ...]
    headlines: dict[str, Any]
    finished: str
    versions: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """The manifest as JSON, complete or not at all."""
        with atomic(path) as part:
            part.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def versions() -> dict[str, str]:
    """Versions of Python, of hazardgeo and of the libraries that decide the numbers."""
    found = {"python": platform.python_version(), "hazardgeo": hazardgeo.__version__}
    for name in VERSIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def record(path: Path, *, name: str) -> FileRecord:
    """Size and hash of a file, under the name by which the run knows it."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileRecord(name, path.stat().st_size, digest)


class PeakMemory:
    """Samples the memory of this process and its children while a block runs; `megabytes` holds the peak."""

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        own = psutil.Process()
        total = own.memory_info().rss
        for child in own.children(recursive=True):
            try:
                total += child.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        self.megabytes = max(self.megabytes, total / 1e6)
