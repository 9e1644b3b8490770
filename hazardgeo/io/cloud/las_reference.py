"""What the header of a LAS file says its coordinates and heights refer to, and where it contradicts itself."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import laspy
import numpy as np
import pyproj
from laspy.header import Version
from laspy.vlrs.known import GeoAsciiParamsVlr, GeoDoubleParamsVlr, GeoKeyDirectoryVlr, WktCoordinateSystemVlr
from pyproj.exceptions import CRSError as PyprojError

from hazardgeo import crs as _crs
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError
from hazardgeo.io.cloud import geokeys
from hazardgeo.io.reference import recorded_height, same_crs, written_crs

_UNIT_KEY, _VERTICAL_KEY, _VERTICAL_UNIT_KEY = 3076, 4096, 4099
_METRES_PER_UNIT_CODE = {9001: 1.0, 9002: 0.3048, 9003: 1200 / 3937}
_IN_METRES = {"EPSG:6360": "EPSG:5703", "EPSG:8228": "EPSG:5703"}  # NAVD88 in US survey feet and in feet
_HORIZONTAL_WKT = ("PROJCS", "PROJCRS", "GEOGCS", "GEOGCRS")
_OUR_VLR = ("hazardgeo", 1)
_WKT_VLR = ("LASF_Projection", 2112)
_MODEL_KEY, _PROJECTED_KEY, _GEOGRAPHIC_KEY, _PROJECTED = 1024, 3072, 2048, 1
_DEGREE_LIMITS = (-360.5, -90.5, 360.5, 90.5)
_FIRST_WITH_ENCODING = Version(1, 2)  # older headers have reserved bytes there
_SAME_UNIT = 1e-7  # parts: the two feet differ by 2e-6


@dataclass(frozen=True, slots=True)
class LasReference:
    """`crs` is None where the file states none that can be used. `metres_per_z` is None where the unit is not stated."""

    crs: pyproj.CRS | None
    height: Height
    metres_per_z: float | None
    notes: tuple[str, ...]


def reference_of(header: laspy.LasHeader, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> LasReference:
    """The map CRS, the height reference (of heights once in metres) and the length of the height unit.

    Of a WKT and GeoTIFF keys that disagree, the one that the global encoding names is taken. Keys that define a system by its
    parameters count where there is no other. `offset` is what will be added to the coordinates.
    """
    records = [*header.vlrs, *(header.evlrs or [])]
    notes: list[str] = []
    wkt = next((text for v in records if (text := _wkt_text(v))), None)
    keys = next(({k.id: k.value_offset for k in v.geo_keys} for v in records if isinstance(v, GeoKeyDirectoryVlr)), {})
    found = {"WKT": _from_wkt(wkt, notes) if wkt else None, "GeoTIFF keys": _from_keys(keys, notes)}
    by_wkt = header.global_encoding.wkt and header.version >= _FIRST_WITH_ENCODING
    order = ("WKT", "GeoTIFF keys") if by_wkt else ("GeoTIFF keys", "WKT")
    first, second = (found[name] for name in order)
    if first is not None and second is not None and not same_crs(_crs.split(first)[0], _crs.split(second)[0]):
        labels = [_crs.label(_crs.split(c)[0]) for c in (first, second)]
        notes.append(f"its {order[0]} and {order[1]} disagree ({labels[0]} and {labels[1]}); the first is taken")
    chosen = first if first is not None else second
    if chosen is None and keys and not notes:
        chosen = _defined(records)
        if chosen is None:
            notes.append("its GeoTIFF keys name no EPSG code for the map CRS")
    elif chosen is not None and chosen is found["GeoTIFF keys"] and (fault := _unit_conflict(chosen, keys)):
        notes.append(fault)
        chosen = None
    ours = _our_height([v.record_data_bytes() for v in records if (v.user_id, v.record_id) == _OUR_VLR], notes)
    metres_per_z = 1.0 if ours is not None else _metres_per_z(chosen, keys)
    height = ours if ours is not None else _crs.split(chosen)[1] if chosen is not None else Height()
    crs = _crs.split(chosen)[0] if chosen is not None else None
    if crs is not None and crs.is_geographic and not _in_degrees(header, offset):
        notes.append(f"it says that it is in {_crs.label(crs)}, but its coordinates are not degrees")
        crs = None
    return LasReference(crs, _in_metres(height, metres_per_z), metres_per_z, tuple(notes))


def _wkt_text(record: Any) -> str:
    """The WKT that a record holds, empty for other records; what is no UTF-8 stands in names, and is lost."""
    if isinstance(record, WktCoordinateSystemVlr):
        return str(record.string).strip()
    if (record.user_id, record.record_id) == _WKT_VLR:
        return bytes(record.record_data_bytes()).decode("utf-8", errors="replace").strip("\0 ")
    return ""


def _defined(records: Sequence[Any]) -> pyproj.CRS | None:
    """The CRS that GeoTIFF keys define by its parameters."""
    directory = next(v.geo_keys for v in records if isinstance(v, GeoKeyDirectoryVlr))
    doubles: Sequence[Any] = next((v.doubles for v in records if isinstance(v, GeoDoubleParamsVlr)), [])
    text = next((v.record_data_bytes() for v in records if isinstance(v, GeoAsciiParamsVlr)), b"")
    entries = [(int(k.id), int(k.tiff_tag_location), int(k.count), int(k.value_offset)) for k in directory]
    return geokeys.defined_crs(entries, [float(d.value) for d in doubles], text)


def _unit_conflict(crs: pyproj.CRS, keys: dict[int, int]) -> str:
    """How the unit that the keys state contradicts the system that they name; empty where it does not."""
    stated = _METRES_PER_UNIT_CODE.get(keys.get(_UNIT_KEY, 0))
    horizontal = _crs.split(crs)[0]
    if stated is None or not horizontal.is_projected:
        return ""
    named = horizontal.axis_info[0].unit_conversion_factor
    if abs(stated - named) < _SAME_UNIT * named:
        return ""
    return f"its GeoTIFF keys name {_crs.label(horizontal)}, which has units of {named:.6g} m, and units of {stated:.6g} m"


def _our_height(records: list[bytes], notes: list[str]) -> Height | None:
    """What `state_reference` has noted; None in files of others, and where another program has damaged it."""
    try:
        return recorded_height(json.loads(records[0])) if records else None
    except (ValueError, RecursionError):
        notes.append("its note of the height reference is damaged and does not count")
        return None


def _from_wkt(wkt: str, notes: list[str]) -> pyproj.CRS | None:
    """The CRS that the WKT says; of one that is broken, its map part alone."""
    for text, remark in ((wkt, ""), (_horizontal_part(wkt), "the WKT of its CRS is damaged; only the map part is used")):
        try:
            crs = pyproj.CRS.from_wkt(text)
        except PyprojError:
            continue
        try:
            _crs.split(crs)
        except CrsError:
            notes.append(f"its CRS {crs.name!r} is a {crs.type_name}, not a map CRS")
            return None
        if remark:
            notes.append(remark)
        return crs
    notes.append("the WKT of its CRS is damaged")
    return None


def _horizontal_part(wkt: str) -> str:
    """The bracketed PROJCS or GEOGCS element inside `wkt`; empty without one."""
    start = next((m.start() for name in _HORIZONTAL_WKT if (m := re.search(rf"\b{name}\s*\[", wkt))), None)
    if start is None:
        return ""
    depth = 0
    for i, character in enumerate(wkt[start:], start):
        depth += (character == "[") - (character == "]")
        if depth == 0 and character == "]":
            return wkt[start : i + 1]
    return ""


def _from_keys(keys: dict[int, int], notes: list[str]) -> pyproj.CRS | None:
    """The CRS that the EPSG codes among the GeoTIFF keys say, with the vertical one where there is one."""
    projected = keys.get(_MODEL_KEY) == _PROJECTED or _PROJECTED_KEY in keys
    named = keys.get(_PROJECTED_KEY if projected else _GEOGRAPHIC_KEY, 0)
    code = named if 1024 <= named <= 32766 else None
    if code is None:
        return None
    vertical = keys.get(_VERTICAL_KEY, 0)
    try:
        crs = _crs.horizontal(code)
    except CrsError:
        notes.append(f"its GeoTIFF keys name EPSG:{code}, which is not a map CRS")
        return None
    return written_crs(crs, Height("orthometric", f"EPSG:{vertical}")) if 1024 <= vertical <= 32766 else crs


def _metres_per_z(crs: pyproj.CRS | None, keys: dict[int, int]) -> float | None:
    """Length of the height unit in metres: from the CRS where it has a third axis, else from the keys."""
    axes = crs.axis_info if crs is not None else []
    if crs is not None and crs.is_compound:
        axes = [a for part in crs.sub_crs_list for a in part.axis_info]
    if len(axes) == 3:
        return float(axes[2].unit_conversion_factor)
    return _METRES_PER_UNIT_CODE.get(keys.get(_VERTICAL_UNIT_KEY, 0))


def _in_metres(height: Height, metres_per_z: float | None) -> Height:
    """The reference of the same heights once they are in metres: a vertical CRS in feet gives way to its twin."""
    if metres_per_z in (None, 1.0) or height.vertical is None:
        return height
    return Height(height.kind, _IN_METRES.get(height.vertical))


def _in_degrees(header: laspy.LasHeader, offset: tuple[float, float, float]) -> bool:
    west, south, east, north = _DEGREE_LIMITS
    low, high = header.mins[:2] + np.array(offset[:2]), header.maxs[:2] + np.array(offset[:2])
    return bool(low[0] >= west and low[1] >= south and high[0] <= east and high[1] <= north)


def state_reference(header: laspy.LasHeader, crs: pyproj.CRS, height: Height) -> None:
    """Put the CRS (as WKT 1, which LAS asks for) and the exact height reference into a header that is to be written."""
    joined = written_crs(crs, height)
    try:
        wkt = joined.to_wkt("WKT1_GDAL")
    except PyprojError:
        wkt = joined.to_wkt()
    header.vlrs.append(WktCoordinateSystemVlr(wkt))
    header.global_encoding.wkt = True
    stated = json.dumps({"kind": height.kind, "vertical": height.vertical}).encode()
    header.vlrs.append(laspy.VLR(*_OUR_VLR, description="height reference", record_data=stated))
