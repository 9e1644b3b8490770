"""The points of LAS and LAZ files, part by part, and what their headers get wrong."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import laspy
import lazrs
import numpy as np
from laspy.errors import LaspyException
from laspy.vlrs.known import WktCoordinateSystemVlr
from numpy.typing import NDArray

from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.io import files
from hazardgeo.io.cloud import las_guard, laz_layout, laz_repair
from hazardgeo.io.cloud.points import COLOURS, PART_POINTS, Part
from hazardgeo.io.remote import Place, raise_failure

FLAGS = ("withheld", "synthetic", "key_point", "overlap")
STANDARD = (
    "intensity", "return_number", "number_of_returns", "classification", *FLAGS,
    "point_source_id", "user_data", "scan_angle_deg", "gps_time", *COLOURS, "nir",
)  # fmt: skip
ANGLE = "scan_angle_deg"
DEGREES_PER_STEP = {"scan_angle": 0.006, "scan_angle_rank": 1.0}  # in point formats 6 to 10, and 0 to 5
TAKEN = {n.lower() for i in range(11) for n in laspy.PointFormat(i).dimension_names} | {"x", "y", "z", ANGLE, "overlap"}
WAVEFORMS = (4, 5, 9, 10)
_OVERLAP_CLASS = 12  # of point formats 0 to 5, which have no flag for it
_PART_BYTES = 256_000_000
_DAMAGED = (LaspyException, lazrs.LazrsError, ValueError, OSError, EOFError, struct.error, ArithmeticError, MemoryError)
_EXTENDED_RECORD_BYTES = 60
_LONGEST_WKT_BYTES, _MOST_EXTENDED_RECORDS = 1_000_000, 1000


@contextmanager
def opened(path: Place, *, guard: Callable[[Place], None] = las_guard.require_plausible) -> Iterator[laspy.LasReader]:
    """The open reader; whatever its libraries raise on damaged files becomes a FormatError of one line.

    `guard` refuses what the libraries must not see. Of the extended records only the WKT of the CRS is read: others can be
    larger than the memory.
    """
    try:
        guard(path)
        with laz_layout.panics_as_errors(), path.open("rb") as stream, laspy.open(stream, read_evlrs=False) as reader:
            reader.header.evlrs = _extended_wkt(path, reader.header)
            _require_points(reader.header, path)
            yield reader
    except HazardGeoError:
        raise
    except _DAMAGED as error:
        raise_failure(path)
        cut = laz_repair.found_cut(path)
        rest = (
            "" if cut is None else f"; {cut.readable:,} of {cut.points:,} points are readable: salvage_laz(path, out) saves them"
        )
        raise FormatError(
            f"{path} cannot be read as LAS or LAZ: {files.one_line(error)}; it is damaged, cut or another format, fetch it "
            f"again{rest}."
        ) from None


def _extended_wkt(path: Place, header: laspy.LasHeader) -> list[WktCoordinateSystemVlr]:
    """The WKT of the CRS among the extended records, as far as these lie within the file."""
    found: list[WktCoordinateSystemVlr] = []
    if header.version.minor < 4:
        return found
    size = path.stat().st_size
    at = int(header.start_of_first_evlr)
    with path.open("rb") as stream:
        for _ in range(min(int(header.number_of_evlrs), _MOST_EXTENDED_RECORDS)):
            stream.seek(at)
            head = stream.read(_EXTENDED_RECORD_BYTES) if at <= size else b""
            if len(head) < _EXTENDED_RECORD_BYTES:
                break
            user, number, length = struct.unpack_from("<16sHQ", head, 2)
            if user.startswith(b"LASF_Projection") and number == 2112 and length <= _LONGEST_WKT_BYTES:
                text = stream.read(length).decode("utf-8", errors="replace").rstrip("\0")
                found.append(WktCoordinateSystemVlr(text))
            at += _EXTENDED_RECORD_BYTES + length
    return found


def _require_points(header: laspy.LasHeader, path: Place) -> None:
    if header.point_count:
        return
    there = (path.stat().st_size - int(header.offset_to_point_data)) // int(header.point_format.size)
    if there > 0 and not header.are_points_compressed and not header.number_of_evlrs:
        raise FormatError(
            f"{path} counts no points in its header, but has room for {there:,}: its writer was stopped; export it again."
        )
    raise FormatError(f"{path} has no points; export it again.")


def require_usable(header: laspy.LasHeader, path: Place) -> None:
    """FormatError for coordinates that cannot be computed, and for a LAS file that is shorter than its points."""
    wrong = unusable_scale(header)
    if wrong:
        raise FormatError(f"{path} has a damaged header: {wrong}; export it again.")
    missing = shortage(header, path)
    if missing and not header.are_points_compressed:
        raise FormatError(f"{path} {missing}; copy or download it again.")


def surplus(header: laspy.LasHeader, path: Place) -> str:
    """How many more records a LAS file has room for than its header counts; empty where it has none, or other records follow."""
    if header.are_points_compressed or header.number_of_evlrs or header.version.minor == 3:
        return ""
    there = (path.stat().st_size - int(header.offset_to_point_data)) // int(header.point_format.size)
    if there <= header.point_count:
        return ""
    return f"its header counts {header.point_count:,} points, but it has room for {there:,}: the others are left out"


def unusable_scale(header: laspy.LasHeader) -> str:
    """Why coordinates cannot be computed; empty where they can."""
    if not np.isfinite(header.scales).all() or (np.asarray(header.scales) == 0).any():
        return f"the scale of its coordinates is {', '.join(f'{v:g}' for v in header.scales)}"
    if not np.isfinite(header.offsets).all():
        return f"the offset of its coordinates is {', '.join(f'{v:g}' for v in header.offsets)}"
    return ""


def shortage(header: laspy.LasHeader, path: Place) -> str:
    """How far a file is too short for its points, by its length alone; empty where it is not."""
    size, start = path.stat().st_size, int(header.offset_to_point_data)
    if not header.are_points_compressed:
        there = max(0, size - start) // int(header.point_format.size)
        if there < header.point_count:
            return f"is cut: it holds {there:,} of {header.point_count:,} points"
        return ""
    with path.open("rb") as stream:
        stream.seek(start)
        table_at = int.from_bytes(stream.read(8), "little", signed=True)
        if table_at == -1 and size >= 8:
            stream.seek(-8, os.SEEK_END)
            table_at = int.from_bytes(stream.read(8), "little", signed=True)
    return "" if start < table_at <= size - 8 else "is cut: its table of chunks lies beyond its end"


def attribute_names(header: laspy.LasHeader) -> list[str]:
    """The dimensions to read. Extra ones that shadow a standard name or one another are renamed in `header` first."""
    dimensions = header.point_format.dimensions
    extra: list[str] = []
    for i, dimension in enumerate(dimensions):
        if not dimension.is_standard:
            name = dimension.name or "extra"
            while name.lower() in TAKEN or name in extra:
                name += "_extra"
            dimensions[i] = dimension._replace(name=name)
            extra.append(name)
    present = {*header.point_format.standard_dimension_names, ANGLE, "overlap"}
    return [n for n in STANDARD if n in present] + extra


def parts(reader: laspy.LasReader, first: int, last: int) -> Iterator[Part]:
    """The points from `first` up to before `last`, in the order of the file."""
    step = max(1, min(PART_POINTS, _PART_BYTES // reader.header.point_format.size))
    if first:
        reader.seek(first)
    for at in range(first, last, step):
        points = reader.read_points(min(step, last - at))
        if len(points):
            yield part_of(points)


def part_of(points: laspy.ScaleAwarePointRecord) -> Part:
    """A part from decoded points."""
    xyz = np.column_stack([np.asarray(points[axis], np.float64) for axis in ("x", "y", "z")])
    return Part(xyz, lambda name: _attribute(points, name))


def _attribute(points: laspy.ScaleAwarePointRecord, name: str) -> NDArray[Any]:
    if name == ANGLE:
        stored = next(n for n in DEGREES_PER_STEP if n in points.point_format.dimension_names)
        return np.asarray(np.asarray(points[stored]) * DEGREES_PER_STEP[stored], np.float32)
    if name == "overlap" and points.point_format.id < 6:
        return np.asarray(np.asarray(points["classification"]) == _OVERLAP_CLASS)
    values = np.asarray(points[name])
    return values.astype(bool) if name in FLAGS else values
