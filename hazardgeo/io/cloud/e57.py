"""Scans of terrestrial scanners in E57 files, joined, and where the scanner stood."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoError, MissingPackageError
from hazardgeo.io import files
from hazardgeo.io.cloud import e57_guard
from hazardgeo.io.cloud.points import COARSE_BEYOND, COLOURS, PART_POINTS, Columns, Part, coarse

_CARTESIAN = ("cartesianX", "cartesianY", "cartesianZ")
_SPHERICAL = ("sphericalRange", "sphericalAzimuth", "sphericalElevation")
_NORMAL = ("nor:normalX", "nor:normalY", "nor:normalZ")
_NAMES = {
    "intensity": ("intensity",), "red": ("colorRed",), "green": ("colorGreen",), "blue": ("colorBlue",),
    "nx": _NORMAL, "ny": _NORMAL, "nz": _NORMAL,
}  # fmt: skip
_INVALID = {"intensity": "isIntensityInvalid", **dict.fromkeys(COLOURS, "isColorInvalid")}
_STATES = ("cartesianInvalidState", "sphericalInvalidState", "isIntensityInvalid", "isColorInvalid")
_FULL = 65535
_DEPTHS = (255, 65535)  # largest values of colours that need no statement of their limits
_CODE = re.compile(r"(?i)^(urn:ogc:def:crs:)?(EPSG|ESRI|IGNF):[\w.]*:?\w+(\+\w+)?$")
_WKT = re.compile(r"^[A-Z_]+\s*\[", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Scan:
    """One scan: its number, what its points have, the pose that they are moved by, and the limits of its colours."""

    index: int
    points: int
    fields: frozenset[str]
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    moved: bool
    bounds: NDArray[np.float64] | None
    limits: dict[str, tuple[float, float]]
    coarse: str

    @property
    def names(self) -> tuple[str, ...]:
        return (*(n for n, needed in _NAMES.items() if self.fields.issuperset(needed)), "scan_index")


def columns(path: Path) -> Columns:
    """The valid points of all scans in the system of the file (the pose of each scan applied), with `scan_index` from 0.

    Intensity, colours and normals (turned with the pose) come along where all scans have them. Intensity that the scanner
    marked invalid is NaN, such colours are 0. Rows and columns of the scanner's grid are not read. The CRS is that of the
    coordinateMetadata of the file where this is WKT or a code. Raises FormatError for damaged files.
    """
    with _opened(path) as opened:
        scans = [s for s in (_scan(path, opened, i) for i in range(opened.scan_count)) if s.points]
        crs, height, unusable = _reference(opened)
        several = opened.scan_count
    if not scans:
        raise FormatError(f"{path} has no points; export it again.")
    names = tuple(n for n in scans[0].names if all(n in s.names for s in scans))
    partial = sorted({n for s in scans for n in s.names} - set(names))
    odd = [f"only some of its scans have {', '.join(partial)}; left out"] if partial else []
    odd.extend(sorted({s.coarse for s in scans if s.coarse}))
    notes = [] if several == 1 else [f"it joins {several} scans"]
    where = np.array([s.bounds for s in scans]) if all(s.bounds is not None and not s.moved for s in scans) else None
    if where is None:
        notes.append("its bounds are known once its points are read: scans are moved by their poses, or state none")
    if unusable:
        notes.append(unusable)

    def parts() -> Iterator[Part]:
        with _opened(path) as again:
            for scan in scans:
                yield from _parts(path, again, scan, names)

    low, high = (where[:, 0].min(axis=0), where[:, 1].max(axis=0)) if where is not None else (None, None)
    return Columns(
        "E57",
        "",
        sum(s.points for s in scans),
        names,
        parts,
        bounds=None if low is None or high is None else (float(low[0]), float(low[1]), float(high[0]), float(high[1])),
        z_range=None if low is None or high is None else (float(low[2]), float(high[2])),
        crs=crs,
        height=height,
        unusable=unusable,
        notes=tuple(notes),
        odd=tuple(odd),
    )


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
    e57_guard.require_plausible(path)
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


def _reference(opened: Any) -> tuple[pyproj.CRS | None, Height, str]:
    """The CRS and height that the file states, and why a statement cannot be used."""
    root = opened.root
    text = str(root["coordinateMetadata"].value()).strip() if root.isDefined("coordinateMetadata") else ""
    if not text:
        return None, Height(), ""
    try:
        if not (_WKT.match(text) or _CODE.match(text)):
            raise CrsError("neither WKT nor a code")
        crs, height = _crs.split(text)
    except CrsError:
        return None, Height(), f"its coordinateMetadata {' '.join(text.split())[:60]!r} is no map CRS that can be used"
    if crs.is_projected and not _crs.is_metric(crs):
        return None, Height(), f"its coordinateMetadata says {_crs.label(crs)}, which is not in metres as E57 is"
    return crs, height, ""


def _scan(path: Path, opened: Any, index: int) -> _Scan:
    """What the header of a scan says; FormatError for more points than the file can hold at a bit each, and for none to read."""
    header = opened.get_header(index)
    fields, count = frozenset(header.point_fields), int(header.point_count)
    if not (fields >= set(_CARTESIAN) or fields >= set(_SPHERICAL)):
        raise FormatError(f"{path} scan {index} has no coordinates; it has {', '.join(sorted(fields))}.")
    if count > 8 * path.stat().st_size:
        raise FormatError(f"{path} scan {index} counts {count:,} points, more than the file can hold; fetch it again.")
    rotation, translation = np.asarray(header.rotation_matrix, np.float64), np.asarray(header.translation, np.float64)
    if not (np.isfinite(rotation).all() and np.isfinite(translation).all()):
        raise FormatError(f"{path} scan {index} has a pose that is not finite; export it again.")
    box = None
    if "cartesianBounds" in header.scan_fields:
        box = np.array([[getattr(header, a + end) for a in "xyz"] for end in ("Minimum", "Maximum")], np.float64)
        box = box if np.isfinite(box).all() and (box[0] <= box[1]).all() else None
    return _Scan(
        index,
        count,
        fields,
        rotation,
        translation,
        not (np.array_equal(rotation, np.eye(3)) and not translation.any()),
        box,
        _colour_limits(header),
        _coarse(header, fields),
    )


def _prototype(header: Any) -> Any:
    return importlib.import_module("pye57").libe57.StructureNode(header.points.prototype())


def _colour_limits(header: Any) -> dict[str, tuple[float, float]]:
    """The smallest and largest value that each colour can have, as the scan states it or the type of its points tells."""
    found: dict[str, tuple[float, float]] = {}
    prototype = _prototype(header)
    for name in COLOURS:
        field = _NAMES[name][0]
        if field not in header.point_fields:
            continue
        if "colorLimits" in header.scan_fields and header["colorLimits"].isDefined(field + "Maximum"):
            low, high = (float(header["colorLimits"][field + end].value()) for end in ("Minimum", "Maximum"))
        else:
            node = prototype[field]
            low, high = (float(node.minimum()), float(node.maximum())) if hasattr(node, "minimum") else (0.0, 0.0)
            low, high = (low, high) if high in _DEPTHS else (0.0, 0.0)
        if low < high:
            found[name] = low, high
    return found


def _coarse(header: Any, fields: frozenset[str]) -> str:
    """What float32 coordinates have lost, by the limits that the points state for themselves."""
    library = importlib.import_module("pye57").libe57
    if not fields.issuperset(_CARTESIAN):
        return ""
    prototype = _prototype(header)
    largest = 0.0
    for axis in _CARTESIAN:
        node = prototype[axis]
        if isinstance(node, library.FloatNode) and node.precision() == library.FloatPrecision.E57_SINGLE:
            ends = [abs(v) for v in (node.minimum(), node.maximum()) if abs(v) < library.E57_FLOAT_MAX]
            largest = max([largest, *ends])
    return coarse(largest) if largest > COARSE_BEYOND else ""


def _parts(path: Path, opened: Any, scan: _Scan, names: tuple[str, ...]) -> Iterator[Part]:
    """The valid points of one scan in the system of the file."""
    library = importlib.import_module("pye57").libe57
    place = _CARTESIAN if scan.fields.issuperset(_CARTESIAN) else _SPHERICAL
    stored = [f for n in names if n != "scan_index" for f in _NAMES[n]]
    wanted = [*place, *dict.fromkeys(stored), *(s for s in _STATES if s in scan.fields)]
    capacity = min(scan.points, PART_POINTS)
    buffers, arrays = library.VectorSourceDestBuffer(), {}
    for name in wanted:
        arrays[name] = np.empty(capacity, np.int8 if name in _STATES else np.float64)
        buffers.append(library.SourceDestBuffer(opened.image_file, name, arrays[name], capacity, True, True))
    reader = opened.get_header(scan.index).points.reader(buffers)
    seen = 0
    while count := int(reader.read()):
        seen += count
        yield _part({k: v[:count].copy() for k, v in arrays.items()}, scan, place)
    reader.close()
    if seen < scan.points:
        raise FormatError(f"{path} scan {scan.index} holds {seen:,} of {scan.points:,} points; it is cut, fetch it again.")


def _part(found: dict[str, NDArray[Any]], scan: _Scan, place: tuple[str, ...]) -> Part:
    state = found.get(place[0][:9] + "InvalidState")
    valid = np.ones(len(found[place[0]]), bool) if state is None else state == 0
    held = {name: values[valid] for name, values in found.items()}
    first, second, third = (held[name] for name in place)
    if place == _SPHERICAL:  # ASTM E2807: azimuth from x towards y, elevation from the xy plane
        flat = first * np.cos(third)
        first, second, third = flat * np.cos(second), flat * np.sin(second), first * np.sin(third)
    xyz = np.column_stack([first, second, third]) @ scan.rotation.T + scan.translation

    def column(name: str) -> NDArray[Any]:
        if name == "scan_index":
            return np.full(len(xyz), scan.index, np.int32)
        if name in ("nx", "ny", "nz"):
            return np.asarray(np.column_stack([held[n] for n in _NORMAL]) @ scan.rotation["xyz".index(name[1])], np.float32)
        values = held[_NAMES[name][0]]
        unsure = held.get(_INVALID[name], np.zeros(len(values), np.int8)) != 0
        if name == "intensity":
            return np.where(unsure, np.nan, values).astype(np.float32)
        if name not in scan.limits:
            return np.where(unsure, 0.0, values)
        low, high = scan.limits[name]
        return np.where(unsure, 0, np.rint(np.clip((values - low) / (high - low), 0, 1) * _FULL)).astype(np.uint16)

    return Part(xyz, column, int(np.count_nonzero(~valid)))
