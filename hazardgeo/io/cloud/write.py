"""Clouds to LAS and LAZ files."""

from __future__ import annotations

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


def _header(cloud: PointCloud) -> laspy.LasHeader:
    colour_format = 7 if set(COLOURS) & set(cloud.attributes) else 6
    header = laspy.LasHeader(version="1.4", point_format=8 if "nir" in cloud.attributes else colour_format)
    header.creation_date, header.generating_software, header.system_identifier = _WRITTEN_ON, "hazardgeo", "hazardgeo"
    horizontal = _SCALE_DEGREES if cloud.crs.is_geographic else _SCALE_M
    header.scales = np.array([horizontal, horizontal, _SCALE_M])
    header.offsets = np.floor(cloud.xyz.min(axis=0))
    steps = (cloud.xyz.max(axis=0) - header.offsets) / header.scales
    if (steps > np.iinfo(np.int32).max).any():
        raise InputError(f"the cloud spans {np.ptp(cloud.xyz, axis=0)}, too far for LAS at {header.scales}; split it first.")
    for name, values in cloud.attributes.items():
        if name not in STANDARD:
            base = np.dtype("u1") if values.dtype == bool else values.dtype
            kind = base if values.ndim == 1 else np.dtype((base, (values.shape[1],)))
            header.add_extra_dim(laspy.ExtraBytesParams(name, kind))
    times = cloud.attributes.get("gps_time")
    if times is not None and ((times < 0) | (times > _WEEK_S)).any():
        header.global_encoding.gps_time_type = GpsTimeType.STANDARD
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
        if name == ANGLE:
            record["scan_angle"] = np.rint(part / DEGREES_PER_STEP["scan_angle"]).astype(np.int16)
        else:
            record[name] = part.astype(np.uint8) if part.dtype == bool else part
    return record
