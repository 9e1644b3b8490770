"""Laser scans and photogrammetric clouds from LAS, LAZ, COPC, PLY, PCD, E57, PTS and PTX files."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from typing import Any

import laspy
import numpy as np
import pyproj
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.io import files
from hazardgeo.io.cloud import copc, e57, las, las_guard, pcd, ply, ptx, xyz
from hazardgeo.io.cloud.las_reference import LasReference, reference_of
from hazardgeo.io.cloud.laz_layout import Chunk
from hazardgeo.io.cloud.points import Bounds, Part, Wanted, collect, lost_points, read_columns, require_some
from hazardgeo.io.reference import agreed_crs, agreed_height, require_plausible_place
from hazardgeo.io.remote import Place, Remote

COLUMN_DOORS = {
    ".ply": ply.columns, ".pcd": pcd.columns, ".e57": e57.columns, ".pts": ptx.columns, ".ptx": ptx.columns,
}  # fmt: skip


def read_cloud(
    path: str | Place,
    *,
    bounds: Bounds | None = None,
    classes: Collection[int] | None = None,
    resolution: float | None = None,
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
    crs: Any = None,
    height: Height | None = None,
) -> PointCloud:
    """The points of a LAS, LAZ, COPC, PLY, PCD, E57, PTS or PTX file: heights in metres, scan angles in degrees.

    `bounds` is (west, south, east, north) in the CRS of the file, edges included; `classes` are ASPRS codes (2 ground).
    Points are filtered while reading, so memory follows the result; of COPC files only the parts that `bounds` needs are read.
    `path` can be the address (http, https, s3, gs, az) of a LAS, LAZ or COPC file: of COPC only these parts are fetched, of
    others all of the file, into a temporary one.
    `resolution` is the spacing of points in metres that is enough: COPC files then give the levels of their octree that reach
    it, a thinned survey and not a measured surface; other files have no levels and refuse it. `offset` is added to the
    coordinates of the file, in its units, before anything else: for clouds in a local system whose origin is stated beside
    them. `crs` and `height` state what the file does not. Points marked withheld and noise classes are kept: their attributes
    say so. Heights in feet are converted and a HazardGeoWarning says so.

    Attributes are intensity, return_number, number_of_returns, classification, withheld, synthetic, key_point, overlap,
    point_source_id, user_data, scan_angle_deg, gps_time, red, green, blue and nir, as far as the point format has them, and
    the extra dimensions under their own names, with "_extra" behind one that is also a name of the standard, all
    as stored: a no_data that they declare is not looked at. Point formats 0 to 5 have no flag for overlap: `overlap`
    is their class 12, which stays in `classification`. Return numbers that make no sense (0, or above the number of returns)
    become single returns, with a HazardGeoWarning where only some points have them. GPS times are as stored; `cloud_info`
    says what they count. Colours of LAS are as stored: the standard asks for 16 bits, and files that hold 8 do not say so.
    Scanner channel, scan direction, edge of flight line and waveforms are not read.

    PLY, PCD, PTS, PTX and most E57 files state no CRS: `crs` must be given. Their heights are taken as metres; colours of 8
    bits of PLY, PCD and E57 become 16 bits as in LAS (times 257). Points without coordinates, whose height is a usual
    fill value (-9999, -10000, -32768, -99999), or marked invalid, are left out; a HazardGeoWarning counts them, and names the
    resolution that coordinates of float32 have lost. Scans are joined, with their number as scan_index and the normals of E57
    as nx, ny and nz. Other text is read by `read_xyz`.

    Points outside the bounds that a LAS header states are kept, and a HazardGeoWarning counts them. Of a LAZ file that was cut
    the refusal says how many points can be read; `salvage_laz` saves them.

    Raises FormatError for damaged, cut and empty files, CrsError where the CRS is missing, unusable or contradicts
    `crs`, HeightError where the height reference contradicts `height`, InputError where no point passes the filter.
    """
    return _read(path, Wanted(bounds, classes, offset), resolution, crs, height)


def read_range(
    path: str | Place, points: slice, *, offset: tuple[float, float, float] = (0.0, 0.0, 0.0), crs: Any, height: Height | None
) -> PointCloud:
    """Some of the points of a LAS or LAZ file, by their place in it; there may be none. Errors are those of `read_cloud`."""
    return _read(path, Wanted(offset=offset), None, crs, height, points)


def read_block(
    path: str | Place, bounds: Bounds, *, offset: tuple[float, float, float], crs: Any, height: Height | None
) -> PointCloud:
    """The points of a COPC file within bounds; there may be none. Errors are those of `read_cloud`."""
    return _read(path, Wanted(bounds, offset=offset), None, crs, height, slice(None))


def _read(
    path: str | Place, wanted: Wanted, resolution: float | None, crs: Any, height: Height | None, points: slice | None = None
) -> PointCloud:
    """The wanted points, of those that `points` names: without it, it is an error when there are none."""
    if resolution is not None and not (np.isfinite(resolution) and resolution > 0):
        raise InputError(f"resolution={resolution} must be a spacing of points in metres, above 0.")
    source = files.reachable(path)
    suffix = source.suffix.lower()
    if suffix in xyz.SUFFIXES:
        raise FormatError(f"{source} is text; read it with read_xyz(path, layout='x y z ...', crs='EPSG:...').")
    if suffix in COLUMN_DOORS:
        if resolution is not None:
            raise _no_levels(source)
        local = files.existing(source)
        return read_columns(COLUMN_DOORS[suffix](local), local, wanted, crs, height)
    return _read_las(source, wanted, resolution, crs, height, points)


def _read_las(
    source: Place, wanted: Wanted, resolution: float | None, crs: Any, height: Height | None, points: slice | None
) -> PointCloud:
    partly = isinstance(source, Remote) and (wanted.bounds is not None or resolution is not None)
    with las.opened(source, guard=las_guard.require_plausible_parts if partly else las_guard.require_plausible) as reader:
        header = reader.header
        las.require_usable(header, source)
        names = las.attribute_names(header)
        reference = reference_of(header, wanted.offset)
        if reference.crs is None and crs is None and reference.notes:
            raise CrsError(f"{source}: {'; '.join(reference.notes)}. State the CRS with crs='EPSG:...'.")
        agreed = agreed_crs(reference.crs, crs, source, bounds=_stated_bounds(header, wanted.offset))
        heights = agreed_height(reference.height, height, source) or Height()
        first, last, _ = (points or slice(None)).indices(header.point_count)
        if points and wanted.bounds is None:
            parts, whole = las.parts(reader, first, last), True
        else:
            parts, whole = _parts(reader, source, agreed, wanted, resolution)
        found = collect(parts, names, wanted, _stated_limits(header))
        if whole and found.seen < last - first:
            raise FormatError(
                f"{source} is cut: it holds {first + found.seen:,} of {header.point_count:,} points; copy or download it again."
            )
        if points and not len(found.xyz):
            none = las.part_of(laspy.ScaleAwarePointRecord.empty(header.point_format, header.scales, header.offsets))
            return PointCloud(found.xyz, agreed, {name: none.column(name) for name in names}, heights)
    require_some(found, source, wanted)
    odd = [*lost_points(found), *filter(None, [las.surplus(header, source)])]
    if found.outside:
        left = " and are left out" if points and wanted.bounds is not None else ""
        odd.append(f"{found.outside:,} of {found.seen:,} points lie outside the bounds that its header states{left}")
    odd.extend(_mend_returns(found.attributes))
    coordinates = found.xyz
    coordinates[:, 2] *= reference.metres_per_z or 1.0
    cloud = PointCloud(coordinates, agreed, found.attributes, heights)
    require_plausible_place(cloud.bounds, agreed, source)
    odd.extend(_odd_reference(reference, agreed))
    if odd:
        warnings.warn(f"{source}: {'; '.join(odd)}.", HazardGeoWarning, stacklevel=4)
    return cloud


def _no_levels(path: Place) -> InputError:
    return InputError(
        f"{path} is not COPC and has no levels to choose a resolution from; leave resolution= away and thin it later."
    )


def _parts(
    reader: laspy.LasReader, path: Place, crs: pyproj.CRS, wanted: Wanted, resolution: float | None
) -> tuple[Iterator[Part], bool]:
    """The points to look through, and whether these are all of the file."""
    header = reader.header
    tree = copc.octree_of(header)
    if tree is None and resolution is not None:
        raise _no_levels(path)
    if tree is None or (resolution is None and wanted.bounds is None):
        return las.parts(reader, 0, header.point_count), True
    if resolution is not None and crs.is_geographic:
        raise CrsError(f"{path} is in degrees, where a resolution in metres has no meaning; leave resolution= away.")
    spacing = None if resolution is None else resolution / crs.axis_info[0].unit_conversion_factor
    stored = None
    if wanted.bounds is not None:
        east, north, _ = wanted.offset
        stored = (wanted.bounds[0] - east, wanted.bounds[1] - north, wanted.bounds[2] - east, wanted.bounds[3] - north)
    nodes = copc.nodes_of(path, header, tree, stored, spacing)
    if isinstance(path, Remote):
        path.fetch((n.at, n.at + n.size) for n in nodes)
        las_guard.require_decodable(path, [Chunk(n.at, n.points, n.size) for n in nodes])
    laszip = bytes(header.vlrs.get("LasZipVlr")[0].record_data)
    return copc.parts(path, header, laszip, nodes), False


def _stated_bounds(header: laspy.LasHeader, offset: tuple[float, float, float]) -> Bounds | None:
    """The bounds of the header once `offset` is added, None where they make no sense."""
    low, high = np.asarray(header.mins)[:2] + np.array(offset[:2]), np.asarray(header.maxs)[:2] + np.array(offset[:2])
    if not (np.isfinite([low, high]).all() and (low <= high).all()):
        return None
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _stated_limits(header: laspy.LasHeader) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The bounds of the header, one step of the coordinates wider: writers round."""
    step = np.abs(header.scales)
    return np.asarray(header.mins) - step, np.asarray(header.maxs) + step


def _mend_returns(attributes: dict[str, NDArray[Any]]) -> list[str]:
    """Make single returns of return numbers that make no sense, and say where only some points have them."""
    number, total = attributes["return_number"], attributes["number_of_returns"]
    wrong = (number == 0) | (number > total)
    if wrong.any():
        attributes["return_number"], attributes["number_of_returns"] = np.where(wrong, 1, [number, total]).astype(np.uint8)
    if wrong.any() and not wrong.all():
        return [f"{np.count_nonzero(wrong):,} points have return numbers that make no sense; they count as single returns"]
    return []


def _odd_reference(reference: LasReference, crs: pyproj.CRS) -> Iterator[str]:
    """What is odd about the reference of the points that were read."""
    if reference.crs is not None:  # else a statement has settled it
        yield from reference.notes
    if reference.metres_per_z not in (None, 1.0):
        yield f"its heights are in units of {reference.metres_per_z:.6g} m; they are converted to metres"
    if reference.metres_per_z is None and crs.is_projected and crs.axis_info[0].unit_conversion_factor != 1.0:
        yield "east and north are feet and the unit of the heights is not stated; they are taken as metres"
