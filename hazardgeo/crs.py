"""What coordinates and heights refer to: horizontal reference systems, and the height reference of elevations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import pyproj
from pyproj.crs.crs import CompoundCRS
from pyproj.exceptions import CRSError as PyprojError

from hazardgeo.errors import CrsError, HeightError

HeightKind = Literal["ellipsoidal", "orthometric", "unknown"]


@dataclass(frozen=True, slots=True)
class Height:
    """What elevations are measured from.

    `kind` is ellipsoidal (GNSS heights), orthometric (above a geoid or sea level) or unknown; `vertical` names the
    vertical CRS where it is known, such as "EPSG:5737" (Yellow Sea 1985). Heights with different references differ by
    tens of metres, so two kinds never meet silently.
    """

    kind: HeightKind = "unknown"
    vertical: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} ({self.vertical})" if self.vertical else self.kind

    def require_same(self, other: Height) -> None:
        """Raise HeightError unless both heights have the same, or the same unknown, reference."""
        same_kind = self.kind == other.kind
        same_vertical = self.vertical is None or other.vertical is None or self.vertical == other.vertical
        if not (same_kind and same_vertical):
            raise HeightError(
                f"elevations with different height references meet: {self} and {other}; they can differ by tens of "
                "metres. State the right one with with_height(...), or shift one of them by a known offset first."
            )


def horizontal(crs: Any) -> pyproj.CRS:
    """The horizontal part of `crs`, normalised to its EPSG code where it has one.

    Takes whatever pyproj takes: an EPSG number, "EPSG:32648", WKT, a PROJ text, a CRS. Raises CrsError for None, for
    texts that pyproj does not know, and for systems without a horizontal part (vertical, geocentric, local).
    """
    return split(crs)[0]


def split(crs: Any) -> tuple[pyproj.CRS, Height]:
    """The horizontal CRS and the height reference that `crs` states; heights are unknown when it states none."""
    if crs is None:
        raise CrsError("no coordinate reference system is given; state it, for example crs='EPSG:32648'.")
    try:
        parsed = pyproj.CRS.from_user_input(crs)
    except PyprojError as error:
        raise CrsError(f"{str(crs)[:80]!r} is not a coordinate reference system: {error}. Use an EPSG code.") from None
    return _split(parsed.to_wkt())


@lru_cache(maxsize=256)
def _split(wkt: str) -> tuple[pyproj.CRS, Height]:
    crs = pyproj.CRS.from_wkt(wkt)
    height = Height()
    if crs.is_compound:
        crs, vertical = crs.sub_crs_list[0], crs.sub_crs_list[1]
        code = vertical.to_authority(min_confidence=70)
        height = Height("orthometric", ":".join(code) if code else vertical.name)
    elif len(crs.axis_info) == 3 and not crs.is_geocentric:
        crs, height = crs.to_2d(), Height("ellipsoidal")
    if crs.is_bound and crs.source_crs is not None:
        crs = crs.source_crs
    if not (crs.is_geographic or crs.is_projected):
        raise CrsError(
            f"{crs.name!r} is a {crs.type_name}, not a map or longitude/latitude system. "
            "State the CRS in which east and north are measured, for example crs='EPSG:32648'."
        )
    epsg = crs.to_epsg(min_confidence=70)
    return (pyproj.CRS.from_epsg(epsg) if epsg else crs), height


def compound(crs: pyproj.CRS, height: Height | None) -> pyproj.CRS:
    """`crs` joined with the vertical CRS of `height` where that is known; otherwise `crs` alone."""
    if height is None or height.vertical is None or ":" not in height.vertical:
        return crs
    return CompoundCRS(name=f"{crs.name} + {height.vertical}", components=[crs, pyproj.CRS(height.vertical)])


def label(crs: pyproj.CRS) -> str:
    """A short name of `crs` for messages and tables: its code, else its name."""
    code = crs.to_authority(min_confidence=70)
    return ":".join(code) if code else crs.name


def is_metric(crs: pyproj.CRS) -> bool:
    """True when east and north of `crs` are metres on a map."""
    return bool(crs.is_projected) and all(axis.unit_conversion_factor == 1.0 for axis in crs.axis_info[:2])


def require_metric(crs: pyproj.CRS, *, what: str, fix: str) -> None:
    """Raise CrsError unless `crs` measures in metres; `what` needs it and `fix` is the call that helps."""
    if not is_metric(crs):
        unit = crs.axis_info[0].unit_name if crs.axis_info else "unknown units"
        raise CrsError(f"{what} needs metres, but {label(crs)} measures in {unit}s; {fix}")


def utm(longitude: float, latitude: float) -> pyproj.CRS:
    """The WGS 84 UTM zone around a place, the working CRS proposed where a survey does not give one.

    >>> utm(102.8, 35.7).to_epsg()
    32648
    """
    zone = int((longitude + 180.0) % 360.0 // 6.0) + 1
    return pyproj.CRS.from_epsg((32600 if latitude >= 0 else 32700) + zone)
