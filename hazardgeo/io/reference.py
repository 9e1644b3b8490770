"""What the coordinates and heights of a file refer to: what it says itself, against what the caller states."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pyproj
from pyproj.exceptions import CRSError as PyprojError

from hazardgeo import crs as _crs
from hazardgeo.crs import Height, HeightKind
from hazardgeo.errors import CrsError, HeightError

_LENIENT_CONFIDENCE = 25  # percent: enough to see that two spellings mean one EPSG code


def agreed_crs(stored: pyproj.CRS | None, stated: Any, path: Path, *, argument: str = "crs") -> pyproj.CRS:
    """The horizontal CRS of a file: what it stores, or what the caller states where it stores none.

    CrsError where neither is there, and where the two differ: a statement never overrules a file.
    """
    if stored is None and stated is None:
        raise CrsError(f"{path} has no coordinate reference system; state it with {argument}='EPSG:...'.")
    if stored is None:
        return _crs.horizontal(stated)
    if stated is None:
        return stored
    given = _crs.horizontal(stated)
    if not same_crs(stored, given):
        raise CrsError(
            f"{path} says that it is in {_crs.label(stored)}, but {argument}= says {_crs.label(given)}; leave {argument}= away, "
            "or correct the file if it is wrong."
        )
    return given if given.to_epsg() and not stored.to_epsg() else stored


def same_crs(stored: pyproj.CRS, given: pyproj.CRS) -> bool:
    """True when both mean the same system, whatever their spelling and axis order."""
    if stored == given or stored.equals(given, ignore_axis_order=True):
        return True
    code = stored.to_epsg(min_confidence=_LENIENT_CONFIDENCE)
    return code is not None and code == given.to_epsg()


def agreed_height(stored: Height | None, stated: Height | None, path: Path) -> Height | None:
    """The height reference of a file: the more exact of what it stores and what is stated; HeightError where they differ.

    Stating "unknown" sets aside what the file says.
    """
    if stored is None or stated is None or stated == Height():
        return stored if stated is None else stated
    if stored.kind == "unknown" and stored.vertical is None:
        return stated
    try:
        stored.require_same(stated)
    except HeightError:
        raise HeightError(
            f"{path} says that its heights are {stored}, but height= says {stated}; leave height= away, "
            "or read it with height=Height('unknown') and state the right reference with with_height(...)."
        ) from None
    return stored if stored.vertical is not None else stated


def recorded_height(record: Any) -> Height:
    """The height reference that a writer of ours has noted; ValueError for what none of them writes."""
    match record:
        case {"kind": kind, "vertical": None | str() as vertical} if len(record) == 2 and kind in get_args(HeightKind):
            return Height(kind, vertical)
    raise ValueError(f"{record!r} is no height reference")


def written_crs(crs: pyproj.CRS, height: Height | None) -> pyproj.CRS:
    """What a file says of both: `crs` joined with the vertical CRS of `height` where that is one, else `crs` alone."""
    vertical = height.vertical if height is not None else None
    try:
        known = vertical is not None and ":" in vertical and pyproj.CRS(vertical).is_vertical
    except PyprojError:
        known = False
    return _crs.compound(crs, height) if known else crs
