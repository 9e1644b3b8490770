"""The files of a run: written apart, then put in their places together, so that a failed run leaves the earlier results."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hazardgeo.errors import FormatError
from hazardgeo.io.files import remove_leftovers
from hazardgeo.pipeline import store
from hazardgeo.pipeline.manifest import FileRecord, record

MANIFEST = "manifest.json"
FILES = ("map.html", "layers.gpkg", MANIFEST, "resolved.toml")
FOLDERS = ("rasters", "tables")
_OURS = re.compile(r"(rasters|tables)/\w[\w.-]*")


@dataclass(frozen=True, slots=True)
class Group:
    """Files that are written together, the key over what they were made from, and the warnings of writing them."""

    made_from: str
    files: tuple[FileRecord, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """What a run left: groups of files by name, headlines with their key, and all paths that may lie in the folder."""

    groups: dict[str, Group] = field(default_factory=dict)
    headlines: tuple[str, dict[str, Any]] = ("", {})
    known: tuple[str, ...] = ()


def read(out: Path, cache: Path) -> Results:
    """What the last run left in `out`; as far as it is known."""
    known = set(_listed(out / MANIFEST))
    try:
        found = store.read_hashed(cache / "results.json")
        groups = {
            name: Group(g["made_from"], tuple(FileRecord(**file) for file in g["files"]), tuple(g["warnings"]))
            for name, g in found["groups"].items()
        }
        key, figures = found["headlines"]
        return Results(groups, (str(key), dict(figures)), tuple(sorted(known | set(map(str, found["known"])))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Results(known=tuple(sorted(known)))


def write(results: Results, cache: Path) -> None:
    """Keep what a run left, for the next one."""
    store.write_hashed(asdict(results), cache / "results.json")


def is_current(group: Group, out: Path) -> bool:
    """True where all files of the group lie in `out` as they were written."""
    try:
        return all(record(out / file.path, name=file.path) == file for file in group.files)
    except OSError:
        return False


@contextmanager
def staging(out: Path, cache: Path) -> Iterator[Path]:
    """An empty folder for files that will be put in place; removed after the block. Errors name the places in `out`."""
    folder = cache / "staging"
    shutil.rmtree(folder, ignore_errors=True)
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    try:
        yield folder
    except FormatError as error:
        raise FormatError(str(error).replace(str(folder), str(out))) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(staged: Path, out: Path, stale: set[str]) -> None:
    """Put the files under `staged` in their places in `out`, remove those that are `stale`, and the manifest comes last.

    Nothing is removed outside `out`, even where a folder in it is a link to another. While files are moved
    there is no manifest: a folder with a manifest holds the results of one run.
    """
    name = MANIFEST
    moved = sorted(p.relative_to(staged).as_posix() for p in staged.rglob("*") if p.is_file() and p.name != MANIFEST)
    try:
        if moved or stale:
            (out / MANIFEST).unlink(missing_ok=True)
        for name in moved:
            (staged / name).replace(out / name)
        for name in stale:
            if (out / name).parent.resolve().is_relative_to(out.resolve()):
                (out / name).unlink(missing_ok=True)
        name = MANIFEST
        (staged / name).replace(out / name)
    except OSError as error:
        raise FormatError(
            f"cannot put {out / name} in place: {error.strerror}; close it in other programs, check permissions and run again."
        ) from None


def stale(known: tuple[str, ...], written: set[str]) -> set[str]:
    """What earlier runs left and this one did not write, so that no result is taken for another's."""
    return {path for path in known if path in FILES or _OURS.fullmatch(path)} - written - {MANIFEST}


def tidy(out: Path, cache: Path) -> None:
    """Remove what killed writers left in the folders of the results."""
    for folder in (out, *(out / name for name in FOLDERS), cache, cache / "entries", cache / "blobs"):
        if folder.is_dir():
            remove_leftovers(folder)


def _listed(manifest: Path) -> Iterator[str]:
    """The outputs that a manifest names."""
    try:
        listed = [str(file["path"]) for file in json.loads(manifest.read_text(encoding="utf-8"))["outputs"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        listed = []
    yield from listed
