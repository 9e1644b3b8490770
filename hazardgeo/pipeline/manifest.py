"""What a run did: inputs and outputs with their hashes, stages with time and memory, versions, warnings."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import pyproj
import rasterio
import shapely

import hazardgeo
from hazardgeo.errors import FormatError
from hazardgeo.io.files import atomic
from hazardgeo.tiles.code import code_hash

VERSIONS = (
    *("numpy", "scipy", "numba", "rasterio", "pyproj", "shapely", "pandas", "geopandas", "pyogrio", "pyarrow", "laspy", "lazrs"),
    *("ortools", "pygmm", "pillow", "folium"),
)


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
    """The record of one run, written to manifest.json beside its outputs. `finished` is in UTC.

    `only` is the stage that the run was told to stop at, None for all.
    """

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
    only: str | None = None

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """The manifest in a file. Raises FormatError where there is none."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            files = {key: tuple(FileRecord(**file) for file in found.pop(key)) for key in ("inputs", "outputs")}
            stages = tuple(StageRecord(**{**s, "products": tuple(s["products"])}) for s in found.pop("stages"))
            return cls(**{**found, **files, "stages": stages, "warnings": tuple(found["warnings"])})
        except OSError as error:
            raise FormatError(f"{path} cannot be read: {error.strerror}; name the manifest.json of a run.") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise FormatError(f"{path} is not the manifest of a run; name the manifest.json beside its map.") from None

    def write(self, path: Path) -> None:
        """The manifest as JSON, complete or not at all."""
        with atomic(path) as part:
            part.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8", errors="replace")


def versions() -> dict[str, str]:
    """Versions of Python, of hazardgeo (and a hash of its code) and of the libraries that decide the numbers."""
    return dict(_versions())


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    found = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "hazardgeo": hazardgeo.__version__,
        "code": code_hash(),
    }
    for name in VERSIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found | {
        "gdal": rasterio.__gdal_version__,
        "proj": pyproj.proj_version_str,
        "geos": shapely.geos_version_string,
    }


def record(path: Path, *, name: str) -> FileRecord:
    """Size and hash of a file, under the name by which the run knows it."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileRecord(name, path.stat().st_size, digest)
