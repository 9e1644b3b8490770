"""Scans of terrestrial scanners in E57 files, joined, and where the scanner stood."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazardgeo.errors import FormatError, HazardGeoError, HazardGeoWarning, MissingPackageError
from hazardgeo.io import files
from hazardgeo.io.xyz import Columns, from_named

_CARTESIAN = {"cartesianX", "cartesianY", "cartesianZ"}
_SPHERICAL = {"sphericalRange", "sphericalAzimuth", "sphericalElevation"}
_NAMES = {
    "cartesianX": "x", "cartesianY": "y", "cartesianZ": "z",
    "intensity": "intensity", "colorRed": "red", "colorGreen": "green", "colorBlue": "blue",
}  # fmt: skip


def columns(path: Path) -> Columns:
    """The valid points of all scans in the system of the file (the pose of each scan applied), with `scan_index` from 0.

    Intensity and colours come along where all scans have them; a HazardGeoWarning names them where only some do. Normals
    and rows and columns of the scanner's grid are not read. Raises FormatError for damaged files.
    """
    scans: list[dict[str, NDArray[Any]]] = []
    with _opened(path) as opened:
        for index in range(opened.scan_count):
            count = _plausible_count(path, opened, index)
            if count:
                found = opened.read_scan(index, intensity=True, colors=True, ignore_missing_fields=True)
                scan = {ours: found[theirs] for theirs, ours in _NAMES.items() if theirs in found}
                scan["scan_index"] = np.full(len(scan["x"]), index, np.int32)
                scans.append(scan)
    if not scans:
        raise FormatError(f"{path} has no points; export it again.")
    shared = [n for n in scans[0] if all(n in s for s in scans)]
    partial = sorted({n for s in scans for n in s} - set(shared))
    if partial:
        warnings.warn(f"{path}: only some of its scans have {', '.join(partial)}; left out.", HazardGeoWarning, stacklevel=3)
    return from_named({n: np.concatenate([s[n] for s in scans]) for n in shared}, path)


def e57_stations(path: str | Path) -> pd.DataFrame:
    """Where the scanner stood: columns scan (the scan_index of the points), x, y and z in the system of the file.

    NaN where a scan states no pose: its points may have been moved since, so that its origin need not be the scanner.
    Raises FormatError for damaged files and MissingPackageError without pye57.
    """
    source = files.existing(path)
    places = []
    with _opened(source) as opened:
        for index in range(opened.scan_count):
            header = opened.get_header(index)
            places.append(header.translation if header.has_pose() else np.full(3, np.nan))
    table = pd.DataFrame(np.array(places, np.float64).reshape(-1, 3), columns=["x", "y", "z"])
    table.insert(0, "scan", np.arange(len(table), dtype=np.int32))
    return table


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The open file; whatever its library raises on damaged files becomes a FormatError of one line."""
    try:
        library = importlib.import_module("pye57")
    except ImportError as error:
        raise MissingPackageError("E57 files are read with pye57; install it: pip install 'hazardgeo[e57]'.") from error
    try:
        with library.E57(str(path)) as opened:
            yield opened
    except HazardGeoError:
        raise
    except (library.libe57.E57Exception, RuntimeError, ValueError, TypeError, OSError, OverflowError, MemoryError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise FormatError(
            f"{path} cannot be read as E57: {reason}; it is damaged, cut or another format, fetch it again."
        ) from None


def _plausible_count(path: Path, opened: Any, index: int) -> int:
    """How many points a scan has; FormatError for more than the file can hold at a bit each, and without coordinates."""
    header = opened.get_header(index)
    fields, count = set(header.point_fields), int(header.point_count)
    if not (fields >= _CARTESIAN or fields >= _SPHERICAL):
        raise FormatError(f"{path} scan {index} has no coordinates; it has {', '.join(sorted(fields))}.")
    if count > 8 * path.stat().st_size:
        raise FormatError(f"{path} scan {index} counts {count:,} points, more than the file can hold; fetch it again.")
    return count
