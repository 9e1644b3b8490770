"""Clouds to LAS and LAZ files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import laspy
import lazrs
import numpy as np
from laspy.errors import LaspyException
from laspy.header import GpsTimeType

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import FormatError, InputError
from hazardgeo.io import files
from hazardgeo.io.cloud.las import ANGLE, DEGREES_PER_STEP, FLAGS, STANDARD, TAKEN
from hazardgeo.io.cloud.las_reference import state_reference
from hazardgeo.io.cloud.points import COLOURS

_CHUNK_POINTS = 1_000_000
_LARGEST_ANGLE_DEG = 180.0
_TOP = {"return_number": 15, "number_of_returns": 15, **dict.fromkeys(FLAGS, 1), "classification": 255, "user_data": 255}
_SCALE_M, _SCALE_DEGREES = 0.001, 1e-7
_WRITTEN_ON = date(2000, 1, 1)  # the same cloud gives the same bytes
_LARGEST_NAME_BYTES = 32
_WEEK_S = 604_800.0


def write_cloud(cloud: PointCloud, path: str | Path) -> None:
    """Write a cloud as LAS 1.4 (.las) or LAZ (.laz), point format 6, 7 where it has colours, or 8 where it has nir.

    Coordinates are kept to 0.001 m, or 1e-7 degrees, scan angles to 0.006 degrees; the CRS is written as WKT, with the
    vertical one where it is known. Attributes that LAS knows go to their place, others become extra dimensions. Clouds
    without return numbers say single returns. GPS times beyond a week are marked as adjusted standard times, others as seconds
    of the week. Formats with waveforms are never written. The same cloud gives the same bytes. The file appears whole or not
    at all.
    Raises InputError for clouds that LAS cannot hold as they are and FormatError where the file cannot be written.
    """
    if not len(cloud):
        raise InputError("a cloud without points is not written; check the filter that left none.")
    write_parts(lambda: iter([cloud]), path)


def write_parts(parts: Callable[[], Iterator[PointCloud]], path: str | Path) -> None:
    """Write clouds one after the other into one file, as `write_cloud` writes one that holds all their points.

    `parts` is called twice; clouds without points are passed over. InputError where clouds differ in CRS, heights or
    attributes, or where none has a point.
    """
    target = files.require_suffix(path, (".las", ".laz"))
    header = _header(parts())
    with files.atomic(target) as temporary:
        try:
            with laspy.open(temporary, mode="w", header=header) as writer:
                for record in _records(parts(), header):
                    writer.write_points(record)
        except (LaspyException, lazrs.LazrsError) as error:
            raise FormatError(f"cannot write {target}: {files.one_line(error)}; check the free space.") from None


def _records(parts: Iterator[PointCloud], header: laspy.LasHeader) -> Iterator[laspy.ScaleAwarePointRecord]:
    for cloud in parts:
        for first in range(0, len(cloud), _CHUNK_POINTS):
            yield _record(cloud, header, slice(first, first + _CHUNK_POINTS))


def require_writable(cloud: PointCloud) -> None:
    """InputError for clouds and attributes that LAS cannot hold without loss."""
    if not np.isfinite(cloud.xyz).all():
        raise InputError("the cloud has coordinates that are not finite, which LAS cannot hold; select the finite ones first.")
    for name, values in cloud.attributes.items():
        if name == ANGLE:
            if not (np.abs(values) <= _LARGEST_ANGLE_DEG).all():
                raise InputError(
                    f"attribute {name!r} must lie between -{_LARGEST_ANGLE_DEG:g} and {_LARGEST_ANGLE_DEG:g} in LAS."
                )
        elif name in STANDARD:
            low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
            whole = name == "gps_time" or values.dtype.kind in "bui" or bool((values == np.floor(values)).all())
            top = float("inf") if name == "gps_time" else _TOP.get(name, 65535)
            if not whole or not (name == "gps_time" or 0 <= low <= high <= top):
                raise InputError(f"attribute {name!r} must hold whole numbers from 0 to {top:g} in LAS, not {low:g} to {high:g}.")
        elif name.lower() in TAKEN or len(name.encode()) > _LARGEST_NAME_BYTES or not name:
            raise InputError(f"attribute {name!r} cannot be an extra dimension of LAS; rename it to another, short name.")
        elif values.dtype.kind not in "buif" or values.dtype.itemsize > 8 or values.dtype == np.float16 or values.ndim > 2:
            raise InputError(f"attribute {name!r} of {values.dtype} cannot be written to LAS; convert it to a number first.")


def _header(parts: Iterator[PointCloud]) -> laspy.LasHeader:
    """The header for all parts; InputError where they cannot be in one file."""
    first: PointCloud | None = None
    low, high, long_times = np.full(3, np.inf), np.full(3, -np.inf), False
    for cloud in parts:
        if not len(cloud):
            continue
        require_writable(cloud)
        first = first or cloud
        _require_alike(first, cloud)
        low, high = np.minimum(low, cloud.xyz.min(axis=0)), np.maximum(high, cloud.xyz.max(axis=0))
        times = cloud.attributes.get("gps_time")
        long_times |= times is not None and bool(((times < 0) | (times > _WEEK_S)).any())
    if first is None:
        raise InputError("a cloud without points is not written; check the filter that left none.")
    colour_format = 7 if set(COLOURS) & set(first.attributes) else 6
    header = laspy.LasHeader(version="1.4", point_format=8 if "nir" in first.attributes else colour_format)
    header.creation_date, header.generating_software, header.system_identifier = _WRITTEN_ON, "hazardgeo", "hazardgeo"
    horizontal = _SCALE_DEGREES if first.crs.is_geographic else _SCALE_M
    header.scales, header.offsets = np.array([horizontal, horizontal, _SCALE_M]), np.floor(low)
    if ((high - header.offsets) / header.scales > np.iinfo(np.int32).max).any():
        raise InputError(f"the cloud spans {high - low}, too far for LAS at {header.scales}; split it first.")
    for name, values in first.attributes.items():
        if name not in STANDARD:
            base = np.dtype("u1") if values.dtype == bool else values.dtype
            kind = base if values.ndim == 1 else np.dtype((base, (values.shape[1],)))
            header.add_extra_dim(laspy.ExtraBytesParams(name, kind))
    if long_times:
        header.global_encoding.gps_time_type = GpsTimeType.STANDARD
    state_reference(header, first.crs, first.height)
    return header


def _require_alike(first: PointCloud, other: PointCloud) -> None:
    """InputError unless both can be in one file."""
    kinds = [{n: (v.dtype, v.shape[1:]) for n, v in cloud.attributes.items()} for cloud in (first, other)]
    if first.crs != other.crs or first.height != other.height or kinds[0] != kinds[1]:
        raise InputError("parts of one cloud differ in their CRS, heights or attributes, and cannot be one file.")


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
        if name == ANGLE:
            record["scan_angle"] = np.rint(part / DEGREES_PER_STEP["scan_angle"]).astype(np.int16)
        else:
            record[name] = part.astype(np.uint8) if part.dtype == bool else part
    return record
