"""What the coordinates and heights of a file refer to: what it says itself, against what the caller states."""

from __future__ import annotations

import warnings
from typing import Any, get_args

import numpy as np
import pyproj
from pyproj.exceptions import CRSError as PyprojError

from hazardgeo import crs as _crs
from hazardgeo.crs import Height, HeightKind
from hazardgeo.errors import CrsError, HazardGeoWarning, HeightError
from hazardgeo.io.remote import Place

_WGS84 = pyproj.CRS.from_epsg(4326)


def agreed_crs(
    stored: pyproj.CRS | None,
    stated: Any,
    path: Place,
    *,
    argument: str = "crs",
    bounds: tuple[float, float, float, float] | None = None,
) -> pyproj.CRS:
    """The horizontal CRS of a file: what it stores, or what the caller states where it stores none.

    CrsError where neither is there, where a vertical part is stated that would be lost, and where the two differ: a
    statement never overrules a file, except where `bounds` are given and coordinates within them cannot be in what the file
    says (see `require_plausible_place`).
    """
    _require_map_alone(stated, path, argument)
    if stored is None and stated is None:
        raise CrsError(f"{path} has no coordinate reference system; state it with {argument}='EPSG:...'.")
    if stored is None:
        return _crs.horizontal(stated)
    if stated is None:
        return stored
    given = _crs.horizontal(stated)
    if not same_crs(stored, given):
        if bounds is not None and np.isfinite(bounds).all() and _crs.readings.doubt(bounds, stored) is not None:
            return given
        raise CrsError(
            f"{path} says that it is in {_crs.label(stored)}, but {argument}= says {_crs.label(given)}; leave {argument}= away, "
            "or correct the file if it is wrong."
        )
    return given if _crs.code(given) and not _crs.code(stored) else stored


def _require_map_alone(stated: Any, path: Place, argument: str) -> None:
    """Raise CrsError for a compound CRS that a caller states of rasters and clouds, whose heights have an argument."""
    if stated is None or argument != "crs":
        return
    try:
        is_compound = pyproj.CRS.from_user_input(stated).is_compound
    except PyprojError:
        return  # the door says what is wrong with it
    if is_compound:
        raise CrsError(
            f"{argument}= states a compound CRS for {path}; state the map CRS alone, the height with height= and the unit with "
            "unit=."
        )


def same_crs(stored: pyproj.CRS, given: pyproj.CRS) -> bool:
    """True when both mean the same system, whatever their spelling and axis order.

    A system that names no datum, or one that PROJ does not know, is the same as one with equal formulas.
    """
    if stored == given or stored.equals(given, ignore_axis_order=True):
        return True
    if _crs.code(stored) and _crs.code(given):
        return stored.datum == given.datum and _crs.same_formulas(stored, given)
    return not stored.is_bound and not given.is_bound and _crs.same_formulas(stored, given)


def require_plausible_place(
    bounds: tuple[float, float, float, float], crs: pyproj.CRS, path: Place, *, argument: str = "crs"
) -> None:
    """Raise CrsError where coordinates within `bounds` (west, south, east, north) cannot be in `crs`; names what they can be.

    Refused are coordinates that no place on Earth has in `crs`, those that carry another zone prefix, and those that would
    lie more than 1000 km outside its area of use while another reading puts them inside it: east and north exchanged,
    another zone prefix or none, degrees, feet. A HazardGeoWarning says so where they lie that far outside and no other
    reading is known, and where `crs` states an ellipsoid without a datum. A neighbouring zone, and places some hundred
    kilometres outside, are normal and pass.
    """
    if not np.isfinite(bounds).all():
        return
    doubt = _crs.readings.doubt(bounds, crs)
    if doubt is None:
        _warn_without_datum(crs, path, argument)
        return
    found = _crs.readings.others(bounds, crs)
    numbers = f"x {_span(bounds[0::2])} and y {_span(bounds[1::2])}"
    said = f"{path} is said to be in {_crs.label(crs)}, but holds {numbers}: {doubt.text}"
    if found:
        raise CrsError(f"{said}. They fit {_listed([r.text for r in found])}; {_remedy(found, crs, argument)}.")
    if doubt.kind == "impossible":
        raise CrsError(f"{said}; find out which system they are in and state it with {argument}='EPSG:...'.")
    if doubt.kind == "far":
        warnings.warn(f"{said}; check {argument}.", HazardGeoWarning, stacklevel=3)


def _remedy(found: list[_crs.readings.Reading], crs: pyproj.CRS, argument: str) -> str:
    """What to state; of systems on different datums the supplier must say which, since they lie 100 m and more apart."""
    if len({_crs.label(r.crs) for r in found}) > 1:
        return f"ask the supplier which, and state it with {argument}='EPSG:...'"
    reading = found[0]
    state = "" if reading.crs == crs else f"{argument}='{_crs.label(reading.crs)}'"
    if not reading.swapped:
        return f"state {state}, or correct the file"
    if argument == "source_crs":
        return "state " + ", ".join(filter(None, [state, "axes='north-east'"]))
    return "export it again with east (longitude) as x" + (f" and state {state}" if state else "")


def _listed(texts: list[str]) -> str:
    return " or ".join([*texts[:4], *(["others"] if len(texts) > 4 else [])])


def _span(pair: tuple[float, ...]) -> str:
    low, high = (f"{v:.10g}" if abs(v) < 1000 else f"{v:.0f}" for v in pair)
    return low if low == high else f"{low} to {high}"


def _warn_without_datum(crs: pyproj.CRS, path: Place, argument: str) -> None:
    if crs.is_bound or _crs.shift_is_known(crs, _WGS84):
        return
    if crs.datum is None or "unknown" in crs.datum.name.lower():
        warnings.warn(
            f"{path}: {_crs.label(crs)} names no datum, so its places can be off by 100 m and more; state its EPSG code with "
            f"{argument}=.",
            HazardGeoWarning,
            stacklevel=4,
        )


def agreed_height(stored: Height | None, stated: Height | None, path: Place) -> Height | None:
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
