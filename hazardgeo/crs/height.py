"""Height: what elevations are measured from, and how far two such references lie apart."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pyproj
from numpy.typing import NDArray
from pyproj.crs.crs import CompoundCRS
from pyproj.database import query_crs_info
from pyproj.enums import PJType
from pyproj.exceptions import CRSError as PyprojError
from pyproj.exceptions import ProjError
from pyproj.transformer import AreaOfInterest, TransformerGroup

from hazardgeo.errors import CrsError, HeightError

HeightKind = Literal["ellipsoidal", "orthometric", "unknown"]
_GEOID_GRIDS = {"egm96": "EPSG:5773", "egm08": "EPSG:3855", "egm2008": "EPSG:3855"}
_CHINESE_LEVELS = {
    "EPSG:5737": ("1985国家高程基准", "国家85高程基准", "85高程", "1985高程"),
    "EPSG:5736": ("1956年黄海高程系", "1956黄海高程系", "黄海高程"),
}
_TO_FIX = "State the shift between them as offset_m=, measured at a benchmark, or leave the heights as they are."


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


def vertical_of(crs: pyproj.CRS) -> Height:
    """The height reference that the vertical part of a compound CRS states; CrsError for depths, which grow downwards."""
    if crs.axis_info and crs.axis_info[0].direction.lower() == "down":
        raise CrsError(f"{crs.name!r} counts downwards (depths); turn the values into heights and state a height system.")
    if crs.is_bound and crs.coordinate_operation is not None:
        names = " ".join(grid.short_name.lower() for grid in crs.coordinate_operation.grids)
        known = next((code for text, code in _GEOID_GRIDS.items() if text in names), None)
        return Height("orthometric", known or (names or crs.name))
    code = crs.to_authority(min_confidence=100)
    return Height("orthometric", ":".join(code) if code else _named(crs) or crs.name)


def _named(crs: pyproj.CRS) -> str | None:
    """The EPSG code of the vertical system with the name, the datum and the unit of `crs`, for texts that state none."""
    key = _key(crs.name)
    stated = next((code for code, names in _CHINESE_LEVELS.items() if key in names), None)
    codes = [stated] if stated else [f"EPSG:{n}" for k, n in _vertical_names() if key in (k, k.removesuffix("height"))]
    for code in codes:
        found = pyproj.CRS.from_user_input(code)
        same_unit = [(a.direction, a.unit_conversion_factor) for a in (crs.axis_info[0], found.axis_info[0])]
        datums = [_key(c.datum.name) if c.datum is not None else "" for c in (crs, found)]
        if same_unit[0] == same_unit[1] and (stated or datums[0] in (datums[1], key)):
            return code
    return None


@lru_cache(maxsize=1)
def _vertical_names() -> tuple[tuple[str, str], ...]:
    return tuple((_key(i.name), i.code) for i in query_crs_info("EPSG", PJType.VERTICAL_CRS))


def _key(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def height_shift(
    longitude: NDArray[np.float64], latitude: NDArray[np.float64], *, from_: Height, to: Height
) -> NDArray[np.float64]:
    """What to add to heights above `from_` to get heights above `to`, in metres, at places in WGS 84 degrees.

    Only operations that PROJ's database publishes are used, with their grids on this machine; nothing is fetched.
    Ellipsoidal heights are taken on WGS 84. NaN outside the grid of the operation. EPSG publishes no operation between
    Yellow Sea 1985 (EPSG:5737) and ellipsoidal heights.

    Raises HeightError where a reference is not exactly known, where a grid is missing (it names the file), and where no
    operation is known: PROJ would then leave heights as they are ("ballpark"), which can be tens of metres wrong.

    >>> bool(abs(height_shift(np.array([50.0]), np.array([42.0]), from_=Height("orthometric", "EPSG:5705"),
    ...     to=Height("orthometric", "EPSG:5611"))[0] - 28.0) < 1e-6)
    True
    """
    if from_ == to and from_.kind != "unknown":
        return np.zeros(np.shape(longitude))
    source, target = (_geographic(height) for height in (from_, to))
    longitude, latitude = np.asarray(longitude, float), np.asarray(latitude, float)
    placed = np.isfinite(longitude) & np.isfinite(latitude)
    if not placed.any():
        return np.full(np.shape(longitude), np.nan)
    lon, lat = longitude[placed], latitude[placed]
    area = AreaOfInterest(float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max()))
    operation = _operation(source, target, area, f"{from_} to {to}")
    shift = np.asarray(operation.transform(lon, lat, np.zeros(lon.shape))[2], float)
    result = np.full(np.shape(longitude), np.nan)
    result[placed] = np.where(np.isfinite(shift), shift, np.nan)
    return result


def heights_apart(
    east: NDArray[np.float64],
    north: NDArray[np.float64],
    crs: pyproj.CRS,
    *,
    from_: Height,
    to: Height,
    offset_m: float | None = None,
) -> NDArray[np.float64]:
    """What to add to heights at places in `crs`: the stated `offset_m` where it is given, else what `height_shift` knows.

    Raises HeightError where `to` is unknown, for an offset that is not finite, and as `height_shift` does.
    """
    if to.kind == "unknown":
        raise HeightError("heights cannot be taken to an unknown reference; use with_height(Height('unknown')) to set it aside.")
    if offset_m is not None:
        if not np.isfinite(offset_m):
            raise HeightError(f"offset_m must be a number of metres, not {offset_m}.")
        return np.full(np.shape(east), float(offset_m))
    there = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lon, lat = there.transform(np.asarray(east, float), np.asarray(north, float))
    return height_shift(np.asarray(lon), np.asarray(lat), from_=from_, to=to)


def _operation(source: pyproj.CRS, target: pyproj.CRS, area: AreaOfInterest, what: str) -> Any:
    """The best operation of the database, with all its grids at hand."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a grid is missing, which the error below says
            group = TransformerGroup(source, target, always_xy=True, allow_ballpark=False, area_of_interest=area)
    except (ProjError, PyprojError) as error:
        raise HeightError(f"heights cannot be taken from {what}: {error}. {_TO_FIX}") from None
    if group.transformers and group.best_available:
        return group.transformers[0]
    missing = [grid for o in group.unavailable_operations[:1] for grid in o.grids if not grid.available]
    if missing:
        files = " and ".join(grid.short_name for grid in missing)
        commands = " and ".join(f"'projsync --file {grid.short_name}'" for grid in missing)
        raise HeightError(
            f"heights cannot be taken from {what} without the grid {files}, which is not in the PROJ data folder "
            f"{pyproj.datadir.get_data_dir()}; put it there (on a machine with a network: {commands})."
        )
    if group.transformers:
        return group.transformers[0]
    raise HeightError(
        f"no operation from {what} is known here, and leaving the heights as they are can be tens of metres wrong. {_TO_FIX}"
    )


def _geographic(height: Height) -> pyproj.CRS:
    """A CRS of longitude, latitude (WGS 84) and heights in metres above the reference; HeightError where that is not exact."""
    if height.kind == "ellipsoidal":
        return pyproj.CRS.from_epsg(4979)
    if height.kind == "unknown":
        raise HeightError(
            "heights of unknown reference cannot be shifted; state what they are with with_height(...), or give offset_m=."
        )
    try:
        vertical = pyproj.CRS.from_user_input(height.vertical) if height.vertical and ":" in height.vertical else None
    except PyprojError:
        vertical = None
    if vertical is None or not vertical.is_vertical or vertical.is_compound:
        raise HeightError(
            f"heights that are {height} do not say above which level; state the vertical system with "
            "with_height(Height('orthometric', 'EPSG:...')), for example EPSG:5737 for Yellow Sea 1985."
        )
    axis = vertical.axis_info[0]
    if axis.direction.lower() != "up" or axis.unit_conversion_factor != 1.0:
        raise HeightError(
            f"{height.vertical} ({vertical.name}) counts {axis.direction} in {axis.unit_name}s, but heights here are metres "
            "upwards; state the system in metres."
        )
    return CompoundCRS(name=f"WGS 84 + {vertical.name}", components=[pyproj.CRS.from_epsg(4326), vertical])
