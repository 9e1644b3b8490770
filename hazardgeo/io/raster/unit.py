"""The unit of the values of a raster: what its band, its vertical CRS and the caller say."""

from __future__ import annotations

import re

import pyproj
from pyproj.exceptions import CRSError as PyprojError

from hazardgeo.errors import InputError
from hazardgeo.io.remote import Place

_NAMES = {
    "metre": "m", "meter": "m", "metres": "m", "meters": "m", "m": "m",
    "foot": "ft", "feet": "ft", "ft": "ft", "international foot": "ft",
    "kilometre": "km", "kilometres": "km", "kilometer": "km", "kilometers": "km", "km": "km",
    "degree": "deg", "degrees": "deg", "deg": "deg",
    "us survey foot": "us-ft", "us survey feet": "us-ft", "us-ft": "us-ft", "ftus": "us-ft", "us ft": "us-ft",
}  # fmt: skip
_LENGTHS = frozenset(("m", "ft", "us-ft"))
_KNOWN = _LENGTHS | {"km", "cm", "mm", "deg", "m/m", "m/s"}
_IN_NAME = re.compile(r"\((ft|ftUS)\)\Z", re.IGNORECASE)


def normal(unit: str) -> str:
    """`unit` in our spelling where it is a length or an angle: "m", "km", "ft", "us-ft" or "deg"; else as it is."""
    return _NAMES.get(unit.strip().lower(), unit)


def of_vertical(crs: pyproj.CRS | str) -> str:
    """The unit of the vertical axis of `crs` in our spelling; empty where it has none.

    The name counts where it ends in "(ft)" or "(ftUS)": GDAL writes the unit "metre" beside it from Esri spellings.
    """
    try:
        parsed = pyproj.CRS.from_user_input(crs)
    except PyprojError:
        return ""
    if parsed.is_geocentric:
        return ""
    part = parsed.sub_crs_list[-1] if parsed.is_compound else parsed
    axes = part.axis_info if part.is_vertical else part.axis_info[2:]
    named = _IN_NAME.search(part.name) if part.is_vertical else None
    return normal(named[1]) if named else normal(axes[0].unit_name) if axes else ""


def contradict(a: str, b: str) -> bool:
    """True for two different units of length."""
    return a in _LENGTHS and b in _LENGTHS and a != b


def agreed(band: str, vertical: str, stated: str, path: Place) -> str:
    """The stated unit, else that of the band, else feet where the vertical CRS is in feet.

    Two different units of length are an error and not a choice, but for a file that contradicts itself: there the
    caller may state which one is right.
    """
    band, stated = normal(band), normal(stated)
    if contradict(band, vertical):
        if stated in (band, vertical):
            return stated
        raise InputError(
            f"{path} says that its values are in {band}, and its vertical CRS that they are in {vertical}; "
            f"find out which is true and state it with unit='{band}' or unit='{vertical}'."
        )
    inside = band or (vertical if vertical != "m" else "")
    if contradict(stated, inside) or (stated != band and {stated, band} <= _KNOWN):
        raise InputError(f"{path} is in {inside}, but unit= says {stated}; convert it, for example with gdal_calc.py, first.")
    return stated or inside
