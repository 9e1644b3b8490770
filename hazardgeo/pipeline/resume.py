"""Going on where an earlier run stopped: surfaces are kept with a key over all that they were made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hazardgeo import io
from hazardgeo.cloud import PointCloud
from hazardgeo.io.files import atomic
from hazardgeo.pipeline.manifest import record, versions
from hazardgeo.raster import Raster

FILE = ".resume.json"


def key_of(*parts: object) -> str:
    """A key over texts, options and other keys; another version of any library that decides numbers is another key."""
    text = json.dumps([versions(), *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def input_key(product: Any, sha256: str, options: Mapping[str, Any], working: Any) -> str:
    """A key over an input as it was read: a file may lean on others (.vrt, .prj), so surfaces count by their content."""
    content = hashlib.sha256(sha256.encode())
    if isinstance(product, Raster):
        content.update(product.values.tobytes())
        content.update(repr((product.grid, product.unit, product.height)).encode())
    if isinstance(product, PointCloud):
        for values in (product.xyz, *(product.attributes[name] for name in sorted(product.attributes))):
            content.update(values.tobytes())
        content.update(repr(product).encode())
    return key_of(content.hexdigest(), dict(options), str(working))


def remember(stage: str, made: Mapping[str, Any], key: str, out: Path) -> None:
    """Write the surfaces of a stage at once, so that an interrupted run can go on from them."""
    if not made or not all(isinstance(product, Raster) for product in made.values()):
        return
    files = {}
    for name, product in made.items():
        path = out / "rasters" / f"{name}.tif"
        io.write_raster(product, path)
        files[name] = record(path, name=path.name).sha256
    with atomic(out / FILE) as part:
        part.write_text(json.dumps({**_remembered(out), stage: {"key": key, "files": files}}), encoding="utf-8")


def reuse(stage: str, key: str, out: Path) -> dict[str, Raster] | None:
    """The surfaces that an earlier run made from the same things, None where they are not there unchanged."""
    entry = _remembered(out).get(stage)
    if not isinstance(entry, dict) or entry.get("key") != key or not isinstance(entry.get("files"), dict):
        return None
    made = {}
    for name, sha256 in entry["files"].items():
        path = out / "rasters" / f"{name}.tif"
        if not path.is_file() or record(path, name=name).sha256 != sha256:
            return None
        made[name] = io.read_raster(path)
    return made


def _remembered(out: Path) -> dict[str, Any]:
    try:
        found = json.loads((out / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
