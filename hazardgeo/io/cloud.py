"""Laser scans and photogrammetric clouds from LAS, LAZ, COPC, PLY, PCD and E57 files, and to LAS and LAZ."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import laspy
import lazrs
import numpy as np
import pyproj
from laspy.errors import LaspyException
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoError, HazardGeoWarning, InputError
from hazardgeo.io import e57, files, laz_repair, pcd, ply
from hazardgeo.io.las_reference import LasReference, reference_of, state_reference
from hazardgeo.io.reference import agreed_crs, agreed_height
from hazardgeo.io.xyz import cloud_of

_COLUMN_DOORS = {".ply": ply.columns, ".pcd": pcd.columns, ".e57": e57.columns}
_CHUNK_POINTS = 1_000_000
_CHUNK_BYTES = 256_000_000
_SHORTEST_HEADER_BYTES, _LONGEST_HEADER_BYTES = 227, 375
_RECORD_BYTES, _EXTENDED_RECORD_BYTES = 54, 60  # of the header of a (extended) variable length record
_STANDARD = (
    "intensity", "return_number", "number_of_returns", "classification", "withheld", "synthetic", "overlap",
    "point_source_id", "user_data", "scan_angle_deg", "gps_time", "red", "green", "blue", "nir",
)  # fmt: skip
_FLAGS = ("withheld", "synthetic", "overlap")
_COLOURS = ("red", "green", "blue")
_ANGLE = "scan_angle_deg"
_DEGREES_PER_STEP = {"scan_angle": 0.006, "scan_angle_rank": 1.0}  # in point formats 6 to 10, and 0 to 5
_LARGEST_ANGLE_DEG = 180.0
_TAKEN = {n.lower() for i in range(11) for n in laspy.PointFormat(i).dimension_names} | {"x", "y", "z", _ANGLE}
_TOP = {"return_number": 15, "number_of_returns": 15, **dict.fromkeys(_FLAGS, 1), "classification": 255, "user_data": 255}
_DAMAGED = (LaspyException, lazrs.LazrsError, ValueError, OSError, EOFError, struct.error, ArithmeticError, MemoryError)
_SCALE_M, _SCALE_DEGREES = 0.001, 1e-7
_WRITTEN_ON = date(2000, 1, 1)  # the same cloud gives the same bytes
_LARGEST_NAME_BYTES = 32


@dataclass(frozen=True, slots=True)
class CloudInfo:
    """What the header of a cloud file says; heights and their range are in metres where the unit is known.

    `density_per_m2` is points by the area of the bounding rectangle, None where the CRS or the area is unknown.
    `notes` names what is odd about the file, each in a phrase.
    """

    name: str
    version: str
    point_format: int
    points: int
    bounds: tuple[float, float, float, float]
    z_range_m: tuple[float, float]
    crs: str | None
    height: Height
    density_per_m2: float | None
    dimensions: tuple[str, ...]
    notes: tuple[str, ...]


def cloud_info(path: str | Path) -> CloudInfo:
    """Points, bounds, CRS, density, dimensions and oddities of a LAS, LAZ or COPC file, from its header alone.

    Nothing is checked against the points. Raises FormatError for what is no such file.
    """
    source = files.existing(path)
    with _opened(source) as reader:
        header, names = reader.header, _attribute_names(reader.header)
        reference = reference_of(header)
        west, south, east, north = (float(v) for v in (*header.mins[:2], *header.maxs[:2]))
        factor = reference.metres_per_z or 1.0
        return CloudInfo(
            source.name,
            str(header.version),
            int(header.point_format.id),
            int(header.point_count),
            (west, south, east, north),
            (float(header.mins[2]) * factor, float(header.maxs[2]) * factor),
            None if reference.crs is None else _crs.label(reference.crs),
            reference.height,
            _density_per_m2(int(header.point_count), (west, south, east, north), reference.crs),
            tuple(names),
            _notes(header, reference),
        )


def read_cloud(
    path: str | Path,
    *,
    bounds: tuple[float, float, float, float] | None = None,
    classes: Collection[int] | None = None,
    crs: Any = None,
    height: Height | None = None,
) -> PointCloud:
    """The points of a LAS, LAZ, COPC, PLY, PCD or E57 file with attributes, heights in metres, scan angles in degrees.

    `bounds` is (west, south, east, north) in the CRS of the file, edges included; `classes` are ASPRS codes (2 ground).
    Points are filtered while reading, so memory follows the result. `crs` and `height` state what the file does not.
    Points marked withheld and noise classes are kept: their attributes say so. Heights in feet are converted and a
    HazardGeoWarning says so.

    Attributes are intensity, return_number, number_of_returns, classification, withheld, synthetic, overlap,
    point_source_id, user_data, scan_angle_deg, gps_time, red, green, blue and nir, as far as the point format has them,
    and the extra dimensions under their own names, with "_extra" behind one that is also a name of the standard. Scanner
    channel, scan direction, edge of flight line, key points and waveforms are not read.

    PLY, PCD and E57 state no CRS that is used: `crs` must be given, and heights are taken as metres. Their attributes are as
    stored, colours of 8 bits too. Points without coordinates are left out; a HazardGeoWarning counts them, and names the
    resolution that coordinates of float32 have lost. Scans of E57 are joined, with their number as scan_index.

    Of a LAZ file that was cut the refusal says how many points can be read; `salvage_laz` saves them.

    Raises FormatError for damaged, cut and empty files, CrsError where the CRS is missing, unusable or contradicts
    `crs`, HeightError where the height reference contradicts `height`, InputError where no point passes the filter.
    """
    source = files.existing(path)
    columns = _COLUMN_DOORS.get(source.suffix.lower())
    if columns is not None:
        agreed = agreed_crs(None, crs, source)
        return _filtered(cloud_of(columns(source), source, agreed, height), source, bounds, classes)
    with _opened(source) as reader:
        header = reader.header
        names = _attribute_names(header)
        reference = reference_of(header)
        if reference.crs is None and crs is None and reference.notes:
            raise CrsError(f"{source}: {'; '.join(reference.notes)}. State the CRS with crs='EPSG:...'.")
        agreed = agreed_crs(reference.crs, crs, source)
        agreed_heights = agreed_height(reference.height, height, source) or Height()
        xyz, attributes, seen = _collect(reader, names, bounds, classes)
    if seen < header.point_count:
        raise FormatError(f"{source} is cut: it holds {seen:,} of {header.point_count:,} points; copy or download it again.")
    if not len(xyz):
        extent = tuple(float(v) for v in (*header.mins[:2], *header.maxs[:2]))
        raise InputError(f"{source} has no point with bounds={bounds}, classes={classes}; it covers {extent}.")
    _warn_of(reference, agreed, source)
    xyz[:, 2] *= reference.metres_per_z or 1.0
    return PointCloud(xyz, agreed, attributes, agreed_heights)


@contextmanager
def _opened(path: Path) -> Iterator[laspy.LasReader]:
    """The open reader; whatever its libraries raise on damaged files becomes a FormatError of one line."""
    try:
        _require_plausible_header(path)
        with laspy.open(path) as reader:
            if reader.header.point_count == 0:
                raise FormatError(f"{path} has no points; export it again.")
            yield reader
    except HazardGeoError:
        raise
    except _DAMAGED as error:
        cut = laz_repair.found_cut(path)
        rest = (
            "" if cut is None else f"; {cut.readable:,} of {cut.points:,} points are readable: salvage_laz(path, out) saves them"
        )
        raise FormatError(
            f"{path} cannot be read as LAS or LAZ: {files.one_line(error)}; it is damaged, cut or another format, fetch it "
            f"again{rest}."
        ) from None


def _require_plausible_header(path: Path) -> None:
    """FormatError where a header of LAS counts more records than the file holds, which a reader would wait for in vain."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_LONGEST_HEADER_BYTES)
    if not head.startswith(b"LASF") or len(head) < _SHORTEST_HEADER_BYTES:
        raise FormatError(f"{path} is not a LAS or LAZ file; check which file this is.")
    header_bytes, points_at, records = struct.unpack_from("<HII", head, 94)
    room = min(points_at, size) - header_bytes
    extended_at, extended = struct.unpack_from("<QI", head, 235) if head[25] >= 4 and len(head) >= 247 else (size, 0)
    if records * _RECORD_BYTES > max(room, 0) or extended * _EXTENDED_RECORD_BYTES > max(size - extended_at, 0):
        raise FormatError(f"{path} has a damaged header or is cut; copy or download it again.")
    if head[104] & 0x80:
        _require_plausible_chunks(path, points_at, size)


def _require_plausible_chunks(path: Path, points_at: int, size: int) -> None:
    """FormatError where the table of a LAZ file counts more chunks than it has bytes: a reader makes room for all of them."""
    with path.open("rb") as stream:
        stream.seek(points_at)
        table_at = int.from_bytes(stream.read(8), "little", signed=True)
        if table_at == -1 and size >= 8:
            stream.seek(-8, 2)
            table_at = int.from_bytes(stream.read(8), "little", signed=True)
        if 0 < table_at <= size - 8:
            stream.seek(table_at + 4)
            if int.from_bytes(stream.read(4), "little") > size:
                raise FormatError(f"{path} has a damaged table of chunks; copy or download it again.")


def _attribute_names(header: laspy.LasHeader) -> list[str]:
    """The dimensions to read. Extra ones that shadow a standard name or one another are renamed in `header` first."""
    dimensions = header.point_format.dimensions
    extra: list[str] = []
    for i, dimension in enumerate(dimensions):
        if not dimension.is_standard:
            name = dimension.name
            while name.lower() in _TAKEN or name in extra:
                name += "_extra"
            dimensions[i] = dimension._replace(name=name)
            extra.append(name)
    present = set(header.point_format.standard_dimension_names)
    return [n for n in _STANDARD if n in present or n == _ANGLE] + extra


def _collect(
    reader: laspy.LasReader,
    names: list[str],
    bounds: tuple[float, float, float, float] | None,
    classes: Collection[int] | None,
) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]], int]:
    """Coordinates and attributes of the points that pass, and how many points were seen."""
    xyz: list[NDArray[np.float64]] = []
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    seen = 0
    chunk = max(1, min(_CHUNK_POINTS, _CHUNK_BYTES // reader.header.point_format.size))
    for points in reader.chunk_iterator(chunk):
        seen += len(points)
        keep = _passes(points, bounds, classes)
        if keep.any():
            xyz.append(np.column_stack([np.asarray(points[axis], np.float64)[keep] for axis in ("x", "y", "z")]))
            for name, parts in columns.items():
                parts.append(_attribute(points, name)[keep])
    if not xyz:
        return np.empty((0, 3)), {}, seen
    return np.concatenate(xyz), {name: np.concatenate(parts) for name, parts in columns.items()}, seen


def _attribute(points: laspy.ScaleAwarePointRecord, name: str) -> NDArray[Any]:
    if name == _ANGLE:
        stored = next(n for n in _DEGREES_PER_STEP if n in points.point_format.dimension_names)
        return np.asarray(np.asarray(points[stored]) * _DEGREES_PER_STEP[stored], np.float32)
    values = np.asarray(points[name])
    return values.astype(bool) if name in _FLAGS else values


def _passes(
    points: laspy.ScaleAwarePointRecord, bounds: tuple[float, float, float, float] | None, classes: Collection[int] | None
) -> NDArray[np.bool_]:
    keep = np.ones(len(points), bool)
    if bounds is not None:
        keep &= _within(np.asarray(points["x"]), np.asarray(points["y"]), bounds)
    if classes is not None:
        keep &= np.isin(np.asarray(points["classification"]), list(classes))
    return keep


def _within(x: NDArray[Any], y: NDArray[Any], bounds: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    west, south, east, north = bounds
    return np.asarray((x >= west) & (x <= east) & (y >= south) & (y <= north))


def _filtered(
    cloud: PointCloud, path: Path, bounds: tuple[float, float, float, float] | None, classes: Collection[int] | None
) -> PointCloud:
    """The points of a whole cloud that pass."""
    keep = np.ones(len(cloud), bool)
    if bounds is not None:
        keep &= _within(cloud.xyz[:, 0], cloud.xyz[:, 1], bounds)
    if classes is not None:
        if "classification" not in cloud.attributes:
            raise InputError(f"{path} has no classification to choose {classes=} by; leave classes= away.")
        keep &= np.isin(cloud.attributes["classification"], list(classes))
    if not keep.any():
        raise InputError(f"{path} has no point with bounds={bounds}, classes={classes}; it covers {cloud.bounds}.")
    return cloud if keep.all() else cloud.select(keep)


def _warn_of(reference: LasReference, crs: pyproj.CRS, path: Path) -> None:
    """One warning with all that is odd about the reference of the points that were read."""
    odd = list(reference.notes) if reference.crs is not None else []  # a statement has settled the others
    if reference.metres_per_z not in (None, 1.0):
        odd.append(f"its heights are in units of {reference.metres_per_z:.6g} m; they are converted to metres")
    if reference.metres_per_z is None and crs.is_projected and crs.axis_info[0].unit_conversion_factor != 1.0:
        odd.append("east and north are feet and the unit of the heights is not stated; they are taken as metres")
    if odd:
        warnings.warn(f"{path}: {'; '.join(odd)}.", HazardGeoWarning, stacklevel=3)


def _notes(header: laspy.LasHeader, reference: LasReference) -> tuple[str, ...]:
    notes = list(reference.notes)
    if reference.crs is None and not notes:
        notes.append("it states no CRS")
    if reference.crs is not None and (reference.crs.is_geographic or reference.crs.axis_info[0].unit_conversion_factor != 1.0):
        notes.append(f"the unit of east and north is the {reference.crs.axis_info[0].unit_name}")
    if reference.metres_per_z not in (None, 1.0):
        notes.append(f"heights are in units of {reference.metres_per_z:.6g} m")
    if header.point_format.id in (4, 5, 9, 10):
        notes.append("its waveforms are ignored")
    notes.extend(f"extra dimension {d.name} has no type" for d in header.point_format.extra_dimensions if d.num_elements > 3)
    if (header.maxs < header.mins).any() or not np.isfinite([header.mins, header.maxs]).all():
        notes.append("the bounds in its header make no sense")
    return tuple(notes)


def _density_per_m2(points: int, bounds: tuple[float, float, float, float], crs: pyproj.CRS | None) -> float | None:
    west, south, east, north = bounds
    if crs is None or not (west < east and south < north):
        return None
    if not crs.is_geographic:
        return points / ((east - west) * (north - south) * crs.axis_info[0].unit_conversion_factor ** 2)
    ellipsoid = crs.get_geod()
    if ellipsoid is None:
        return None
    area_m2 = abs(ellipsoid.polygon_area_perimeter([west, east, east, west], [south, south, north, north])[0])
    return points / area_m2 if area_m2 > 0 else None


def write_cloud(cloud: PointCloud, path: str | Path) -> None:
    """Write a cloud as LAS 1.4 (.las) or LAZ (.laz), point format 6, 7 where it has colours, or 8 where it has nir.

    Coordinates are kept to 0.001 m, or 1e-7 degrees, scan angles to 0.006 degrees; the CRS is written as WKT, with the
    vertical one where it is known. Attributes that LAS knows go to their place, others become extra dimensions. Clouds
    without return numbers say single returns. The same cloud gives the same bytes. The file appears whole or not at all.
    Raises InputError for clouds that LAS cannot hold as they are and FormatError where the file cannot be written.
    """
    target = files.require_suffix(path, (".las", ".laz"))
    _require_writable(cloud)
    header = _header(cloud)
    with files.atomic(target) as temporary:
        try:
            with laspy.open(temporary, mode="w", header=header) as writer:
                for first in range(0, len(cloud), _CHUNK_POINTS):
                    writer.write_points(_record(cloud, header, slice(first, first + _CHUNK_POINTS)))
        except (LaspyException, lazrs.LazrsError) as error:
            raise FormatError(f"cannot write {target}: {files.one_line(error)}; check the free space.") from None


def _require_writable(cloud: PointCloud) -> None:
    """InputError for clouds and attributes that LAS cannot hold without loss."""
    if not len(cloud):
        raise InputError("a cloud without points is not written; check the filter that left none.")
    if not np.isfinite(cloud.xyz).all():
        raise InputError("the cloud has coordinates that are not finite, which LAS cannot hold; select the finite ones first.")
    for name, values in cloud.attributes.items():
        if name == _ANGLE:
            if not (np.abs(values) <= _LARGEST_ANGLE_DEG).all():
                raise InputError(
                    f"attribute {name!r} must lie between -{_LARGEST_ANGLE_DEG:g} and {_LARGEST_ANGLE_DEG:g} in LAS."
                )
        elif name in _STANDARD:
            low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
            whole = name == "gps_time" or values.dtype.kind in "bui" or bool((values == np.floor(values)).all())
            top = float("inf") if name == "gps_time" else _TOP.get(name, 65535)
            if not whole or not (name == "gps_time" or 0 <= low <= high <= top):
                raise InputError(f"attribute {name!r} must hold whole numbers from 0 to {top:g} in LAS, not {low:g} to {high:g}.")
        elif name.lower() in _TAKEN or len(name.encode()) > _LARGEST_NAME_BYTES or not name:
            raise InputError(f"attribute {name!r} cannot be an extra dimension of LAS; rename it to another, short name.")
        elif values.dtype.kind not in "buif" or values.dtype.itemsize > 8 or values.dtype == np.float16 or values.ndim > 2:
            raise InputError(f"attribute {name!r} of {values.dtype} cannot be written to LAS; convert it to a number first.")


def _header(cloud: PointCloud) -> laspy.LasHeader:
    colour_format = 7 if set(_COLOURS) & set(cloud.attributes) else 6
    header = laspy.LasHeader(version="1.4", point_format=8 if "nir" in cloud.attributes else colour_format)
    header.creation_date, header.generating_software, header.system_identifier = _WRITTEN_ON, "hazardgeo", "hazardgeo"
    horizontal = _SCALE_DEGREES if cloud.crs.is_geographic else _SCALE_M
    header.scales = np.array([horizontal, horizontal, _SCALE_M])
    header.offsets = np.floor(cloud.xyz.min(axis=0))
    steps = (cloud.xyz.max(axis=0) - header.offsets) / header.scales
    if (steps > np.iinfo(np.int32).max).any():
        raise InputError(f"the cloud spans {np.ptp(cloud.xyz, axis=0)}, too far for LAS at {header.scales}; split it first.")
    for name, values in cloud.attributes.items():
        if name not in _STANDARD:
            base = np.dtype("u1") if values.dtype == bool else values.dtype
            kind = base if values.ndim == 1 else np.dtype((base, (values.shape[1],)))
            header.add_extra_dim(laspy.ExtraBytesParams(name, kind))
    state_reference(header, cloud.crs, cloud.height)
    return header


def _record(cloud: PointCloud, header: laspy.LasHeader, rows: slice) -> laspy.ScaleAwarePointRecord:
    xyz = cloud.xyz[rows]
    record = laspy.ScaleAwarePointRecord.zeros(len(xyz), header=header)
    steps = np.rint((xyz - header.offsets) / header.scales).astype(np.int32)
    for i, axis in enumerate(("X", "Y", "Z")):
        record[axis] = steps[:, i]
    for name in {"return_number", "number_of_returns"} - set(cloud.attributes):
        record[name] = np.ones(len(xyz), np.uint8)
    for name, values in cloud.attributes.items():
        part = values[rows]
        if name == _ANGLE:
            record["scan_angle"] = np.rint(part / _DEGREES_PER_STEP["scan_angle"]).astype(np.int16)
        else:
            record[name] = part.astype(np.uint8) if part.dtype == bool else part
    return record
