"""What a cloud file says of itself before its points are read, and what is odd about it."""

from __future__ import annotations

from dataclasses import dataclass

import laspy
import numpy as np
import pyproj
from laspy.header import GpsTimeType, Version

from hazardgeo import crs as _crs
from hazardgeo.crs import Height
from hazardgeo.io import files
from hazardgeo.io.cloud import copc, las, las_guard, xyz
from hazardgeo.io.cloud.las_reference import LasReference, reference_of
from hazardgeo.io.cloud.points import Bounds, Columns
from hazardgeo.io.cloud.read import COLUMN_DOORS
from hazardgeo.io.remote import Place

_LEGACY_COUNT_AT = 107
_COARSE_M, _COARSE_DEGREES = 0.1, 1e-6
_FINE_M, _FINE_DEGREES = 1e-5, 1e-10
_SECONDS_OF_WEEK, _ADJUSTED = "seconds of the GPS week", "adjusted standard GPS time (seconds since 1980 minus 1e9)"


@dataclass(frozen=True, slots=True)
class CloudInfo:
    """What the header of a cloud file says; heights and their range are in metres where the unit is known.

    `kind` is LAS, LAZ, COPC, PLY, PCD, E57 or text. `bounds` and `z_range_m` are NaN where only the points know them.
    `density_per_m2` is points by the area of the bounding rectangle, None where the CRS or the area is unknown.
    `gps_time` says what GPS times count, `spacing` is that of the root of a COPC octree in the unit of the file: it halves with
    each level. `notes` names what is odd about the file, each in a phrase.
    """

    name: str
    kind: str
    version: str
    point_format: int | None
    points: int
    bounds: Bounds
    z_range_m: tuple[float, float]
    crs: str | None
    height: Height
    density_per_m2: float | None
    dimensions: tuple[str, ...]
    notes: tuple[str, ...]
    gps_time: str | None = None
    spacing: float | None = None


def cloud_info(path: str | Place) -> CloudInfo:
    """Points, bounds, CRS, density, dimensions and oddities of a cloud file, from what stands before its points.

    Takes LAS, LAZ, COPC, PLY, PCD and E57 files, and the first lines of text; LAS, LAZ and COPC also by their
    address, of which little is fetched. Nothing is checked against the points: whether
    they keep the bounds, and how many bits their colours have, shows when they are read. Files that are cut say so in the
    notes as far as their length tells. Raises FormatError for what is no such file.
    """
    source = files.reachable(path)
    suffix = source.suffix.lower()
    if suffix in xyz.SUFFIXES:
        return _of_columns(source, xyz.glance(files.existing(source)))
    if suffix in COLUMN_DOORS:
        return _of_columns(source, COLUMN_DOORS[suffix](files.existing(source)))
    with las.opened(source, guard=las_guard.require_plausible_header) as reader:
        return _of_las(source, reader.header)


def _of_columns(path: Place, table: Columns) -> CloudInfo:
    notes = [*table.notes, *table.odd]
    if table.crs is None and table.kind != "text" and not table.unusable:
        notes.append("it states no CRS")
    if table.single:
        notes.append("its coordinates are kept as float32, which is coarser than 1/128 beyond 100,000")
    density = None if table.bounds is None else _density_per_m2(table.points, table.bounds, table.crs)
    label = None if table.crs is None else _crs.label(table.crs)
    names = tuple(table.names)
    where = table.bounds or (np.nan,) * 4, table.z_range or (np.nan,) * 2
    return CloudInfo(
        path.name, table.kind, table.version, None, table.points, *where, label, table.height, density, names, tuple(notes)
    )


def _of_las(path: Place, header: laspy.LasHeader) -> CloudInfo:
    names = las.attribute_names(header)
    reference = reference_of(header)
    tree = copc.octree_of(header)
    west, south, east, north = bounds = tuple(float(v) for v in (*header.mins[:2], *header.maxs[:2]))
    factor = reference.metres_per_z or 1.0
    count = int(header.point_count)
    gps_time = None
    if "gps_time" in names:
        adjusted = header.version >= Version(1, 2) and header.global_encoding.gps_time_type == GpsTimeType.STANDARD
        gps_time = _ADJUSTED if adjusted else _SECONDS_OF_WEEK
    return CloudInfo(
        path.name,
        "COPC" if tree is not None else "LAZ" if header.are_points_compressed else "LAS",
        str(header.version),
        int(header.point_format.id),
        count,
        (west, south, east, north),
        (float(header.mins[2]) * factor, float(header.maxs[2]) * factor),
        None if reference.crs is None else _crs.label(reference.crs),
        reference.height,
        _density_per_m2(count, (west, south, east, north), reference.crs) if np.isfinite(bounds).all() else None,
        tuple(names),
        (*_reference_notes(reference), *_header_notes(path, header, reference.crs)),
        gps_time,
        None if tree is None else tree.spacing,
    )


def _reference_notes(reference: LasReference) -> list[str]:
    notes = list(reference.notes)
    if reference.crs is None and not notes:
        notes.append("it states no CRS")
    if reference.crs is not None and (reference.crs.is_geographic or reference.crs.axis_info[0].unit_conversion_factor != 1.0):
        notes.append(f"the unit of east and north is the {reference.crs.axis_info[0].unit_name}")
    if reference.metres_per_z not in (None, 1.0):
        notes.append(f"heights are in units of {reference.metres_per_z:.6g} m")
    return notes


def _header_notes(path: Place, header: laspy.LasHeader, crs: pyproj.CRS | None) -> list[str]:
    notes = []
    missing = las.shortage(header, path)
    if missing:
        saves = "; salvage_laz saves what can be read" if header.are_points_compressed else ""
        notes.append(f"the file {missing}{saves}")
    legacy = _legacy_count(path)
    if header.version >= Version(1, 4) and legacy not in (0, int(header.point_count)):
        notes.append(f"its header counts {int(header.point_count):,} points, and {legacy:,} where older programs look")
    if header.point_format.id in las.WAVEFORMS:
        notes.append("its waveforms are ignored")
    notes.extend(f"extra dimension {d.name} has no type" for d in header.point_format.extra_dimensions if d.num_elements > 3)
    return [*notes, *_coordinate_notes(header, crs)]


def _coordinate_notes(header: laspy.LasHeader, crs: pyproj.CRS | None) -> list[str]:
    """Scale, offset and bounds that make no sense, alone or together."""
    wrong = las.unusable_scale(header)
    bounds = np.array([header.mins, header.maxs], np.float64)
    notes = [wrong] if wrong else []
    if not np.isfinite(bounds).all() or (bounds[1] < bounds[0]).any():
        return [*notes, "the bounds in its header make no sense"]
    if wrong:
        return notes
    scales = np.abs(header.scales)
    coarse, fine = (_COARSE_DEGREES, _FINE_DEGREES) if crs is not None and crs.is_geographic else (_COARSE_M, _FINE_M)
    if (scales[:2] > coarse).any() or scales[2] > _COARSE_M:
        notes.append(f"its coordinates are rounded to {', '.join(f'{v:g}' for v in scales)}, which is coarse")
    if (scales[:2] < fine).any():
        notes.append(f"the scale of its coordinates is {', '.join(f'{v:g}' for v in scales)}, finer than any survey")
    steps = np.abs(bounds - header.offsets) / scales
    if (steps > np.iinfo(np.int32).max + 1.0).any():
        notes.append("the bounds in its header are further from its offset than its scale can reach")
    return notes


def _legacy_count(path: Place) -> int:
    with path.open("rb") as stream:
        stream.seek(_LEGACY_COUNT_AT)
        return int.from_bytes(stream.read(4), "little")


def _density_per_m2(points: int, bounds: Bounds, crs: pyproj.CRS | None) -> float | None:
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
