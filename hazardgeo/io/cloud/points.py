"""Points as plain columns of numbers, part by part, and the way from them to a cloud."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.io.reference import agreed_crs, agreed_height, require_plausible_place
from hazardgeo.io.remote import Place

PART_POINTS = 500_000
COARSE_BEYOND = 1e5  # float32 is coarser than 1/128 from here on
COLOURS = ("red", "green", "blue")
_AXES = ("x", "y", "z")
_FILL_HEIGHTS = (-9999.0, -10000.0, -32768.0, -99999.0)
_FILL_TOLERANCE = 1e-6  # heights of LAS are steps times a scale
_EIGHT_TO_SIXTEEN_BITS = 257  # 255 becomes 65535
_SAME = {
    "diffuse_red": "red", "diffuse_green": "green", "diffuse_blue": "blue",
    "normal_x": "nx", "normal_y": "ny", "normal_z": "nz",
    "scalar_intensity": "intensity", "scalar_classification": "classification",
}  # fmt: skip
_WHOLE: dict[str, np.dtype[Any]] = {
    **dict.fromkeys(("intensity", "red", "green", "blue", "nir"), np.dtype(np.uint16)),
    **dict.fromkeys(("classification", "return_number", "number_of_returns"), np.dtype(np.uint8)),
}
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Part:
    """Some points of a file in its own units, with their attributes by name, and how many others the file marks invalid."""

    xyz: NDArray[np.float64]
    column: Callable[[str], NDArray[Any]]
    invalid: int = 0


@dataclass(frozen=True, slots=True)
class Columns:
    """What a file says before its points, the `names` of their attributes, and the points part by part.

    `single` where a coordinate is kept as float32, `notes` what is odd and matters to who looks, `odd` what matters to who
    reads, `unusable` why the CRS that the file states cannot be used. Bounds are None where only the points know them.
    """

    kind: str
    version: str
    points: int
    names: tuple[str, ...]
    parts: Callable[[], Iterator[Part]]
    single: bool = False
    bounds: Bounds | None = None
    z_range: tuple[float, float] | None = None
    crs: pyproj.CRS | None = None
    height: Height = field(default_factory=Height)
    unusable: str = ""
    notes: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The points within `bounds`, edges included, and of `classes`, once `offset` is added to the coordinates of the file."""

    bounds: Bounds | None = None
    classes: Collection[int] | None = None
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if isinstance(self.classes, int | np.integer | str):
            raise InputError(f"classes={self.classes} must be a list of class numbers, for example classes=[2].")
        if len(self.offset) != 3 or not np.isfinite(self.offset).all():
            told = _plain(self.offset)
            raise InputError(f"offset={told} must be three finite numbers: what is added to east, north and height.")
        if self.bounds is not None:
            west, south, east, north = self.bounds if len(self.bounds) == 4 else (np.nan,) * 4
            if not (west <= east and south <= north):
                raise InputError(
                    f"bounds={_plain(self.bounds)} must be (west, south, east, north) with west <= east and south <= north."
                )

    def passing(self, xyz: NDArray[np.float64], column: Callable[[str], NDArray[Any]]) -> NDArray[np.bool_]:
        """True for the points to keep; `xyz` has the offset already."""
        keep = np.asarray(np.isfinite(xyz).all(axis=1))
        if self.bounds is not None:
            west, south, east, north = self.bounds
            x, y = xyz[:, 0], xyz[:, 1]
            keep &= (x >= west) & (x <= east) & (y >= south) & (y <= north)
        if self.classes is not None:
            keep &= np.isin(column("classification"), list(self.classes))
        return keep


@dataclass(frozen=True, slots=True)
class Collected:
    """The points that pass, and what was seen on the way: points, those without coordinates, marked invalid, outside `limits`."""

    xyz: NDArray[np.float64]
    attributes: dict[str, NDArray[Any]]
    seen: int
    lost: int
    invalid: int
    outside: int
    extent: Bounds | None
    largest: float


def collect(
    parts: Iterable[Part], names: Iterable[str], wanted: Wanted, limits: tuple[NDArray[Any], NDArray[Any]] | None = None
) -> Collected:
    """The points that are wanted. One part is held at a time besides them."""
    xyz: list[NDArray[np.float64]] = []
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    seen = lost = invalid = outside = 0
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for part in map(_without_fill, parts):
        finite = np.asarray(np.isfinite(part.xyz).all(axis=1))
        seen, invalid = seen + len(finite) + part.invalid, invalid + part.invalid
        lost += int(np.count_nonzero(~finite))
        if finite.any():
            there = part.xyz if finite.all() else part.xyz[finite]
            low, high = np.minimum(low, there.min(axis=0)), np.maximum(high, there.max(axis=0))
            if limits is not None and ((low < limits[0]) | (high > limits[1])).any():
                outside += int(np.count_nonzero(((there < limits[0]) | (there > limits[1])).any(axis=1)))
        moved = part.xyz + np.asarray(wanted.offset) if any(wanted.offset) else part.xyz
        keep = wanted.passing(moved, part.column)
        if keep.any():
            xyz.append(moved[keep])
            for name, found in columns.items():
                found.append(part.column(name)[keep])
    west, south, east, north = (float(v) for v in (*(low + wanted.offset)[:2], *(high + wanted.offset)[:2]))
    extent = None if low[0] > high[0] else (west, south, east, north)
    largest = float(np.abs([low, high]).max()) if extent else 0.0
    if not xyz:
        return Collected(np.empty((0, 3)), {}, seen, lost, invalid, outside, extent, largest)
    together = {name: np.concatenate(found) for name, found in columns.items()}
    return Collected(np.concatenate(xyz), together, seen, lost, invalid, outside, extent, largest)


def _without_fill(part: Part) -> Part:
    """The part with NaN for heights that are a usual fill value."""
    fill = (np.abs(part.xyz[:, 2, None] - np.array(_FILL_HEIGHTS)) <= _FILL_TOLERANCE).any(axis=1)
    if not fill.any():
        return part
    return replace(part, xyz=np.where(fill[:, None], np.nan, part.xyz))


def _plain(numbers: Iterable[float] | None) -> tuple[float, ...] | None:
    """Numbers for a message, without the names of their types."""
    return None if numbers is None else tuple(np.asarray(list(numbers)).tolist())


def part_of(columns: Mapping[str, NDArray[Any]], names: Mapping[str, str]) -> Part:
    """A part from columns by their stored names; `names` says which of them each attribute is."""
    xyz = np.column_stack([np.asarray(columns[axis], np.float64) for axis in _AXES])
    return Part(xyz, lambda name: columns[names[name]])


def from_named(columns: Mapping[str, NDArray[Any]], path: Path) -> Columns:
    """The table of a file whose columns are in memory already, by their stored names."""
    names = named(columns, path)
    count = len(columns["x"])

    def parts() -> Iterator[Part]:
        for first in range(0, count, PART_POINTS):
            yield part_of({n: v[first : first + PART_POINTS] for n, v in columns.items()}, names)

    return Columns(path.suffix[1:].upper(), "", count, tuple(names), parts)


def named(stored: Iterable[str], path: Path) -> dict[str, str]:
    """The stored name of each attribute, under the name that clouds use where the meaning is the same.

    FormatError where a coordinate is missing.
    """
    there = list(stored)
    missing = [axis for axis in _AXES if axis not in there]
    if missing:
        raise FormatError(f"{path} has no column {' and '.join(missing)} for its points; it has {', '.join(there) or 'none'}.")
    names: dict[str, str] = {}
    for name in there:
        if name not in _AXES:
            ours = _SAME.get(name.lower(), name)
            names[name if ours in there or ours in names else ours] = name
    return names


def read_columns(table: Columns, path: Path, wanted: Wanted, crs: Any, height: Height | None) -> PointCloud:
    """The cloud of the wanted points, with one HazardGeoWarning of all that the file has lost or leaves open."""
    if table.crs is None and crs is None and table.unusable:
        raise CrsError(f"{path}: {table.unusable}. State the CRS with crs='EPSG:...'.")
    agreed = agreed_crs(table.crs, crs, path)
    heights = agreed_height(table.height, height, path) or Height()
    if wanted.classes is not None and "classification" not in table.names:
        raise InputError(f"{path} has no classification to choose classes={wanted.classes} by; leave classes= away.")
    found = collect(table.parts(), table.names, wanted)
    require_some(found, path, wanted)
    odd = list(table.odd)
    if found.invalid:
        odd.append(f"{found.invalid:,} of {found.seen:,} points are marked invalid and are left out")
    odd.extend(lost_points(found))
    if table.single and found.largest > COARSE_BEYOND:
        odd.append(coarse(found.largest))
    cloud = PointCloud(found.xyz, agreed, {n: _finished(n, v) for n, v in found.attributes.items()}, heights)
    require_plausible_place(cloud.bounds, agreed, path)
    if odd:
        warnings.warn(f"{path}: {'; '.join(odd)}.", HazardGeoWarning, stacklevel=3)
    return cloud


def lost_points(found: Collected) -> list[str]:
    """How many points have no coordinates, for the warning of a reader."""
    if not found.lost:
        return []
    return [f"{found.lost:,} of {found.seen:,} points have no coordinates (or a fill value as height) and are left out"]


def require_some(found: Collected, path: Place, wanted: Wanted) -> None:
    """InputError where no point passes the filter, FormatError where no point has coordinates."""
    if len(found.xyz):
        return
    if found.extent is None and found.seen:
        raise FormatError(f"{path} has no point with finite coordinates; export it again.")
    bounds, classes = _plain(wanted.bounds), _plain(wanted.classes)
    raise InputError(f"{path} has no point with bounds={bounds}, classes={classes}; it covers {found.extent}.")


def coarse(largest: float) -> str:
    """What is lost where coordinates up to `largest` are kept as float32."""
    spacing = float(np.spacing(np.float32(min(largest, float(np.finfo(np.float32).max)))))
    return (
        f"its coordinates reach {largest:.0f} and are kept as float32, which is rounded to {spacing:g} m there; export it in "
        "double precision, or with a shift of the origin that offset= adds again"
    )


def _finished(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Colours of 8 bits as 16 bits; integers where LAS has integers and all values are whole; native byte order."""
    if name in COLOURS and values.dtype == np.uint8:
        return values.astype(np.uint16) * np.uint16(_EIGHT_TO_SIXTEEN_BITS)
    kind = _WHOLE.get(name)
    if kind is not None and values.dtype.kind == "f" and np.isfinite(values).all():
        limits = np.iinfo(kind)
        if (values == np.floor(values)).all() and values.min() >= limits.min and values.max() <= limits.max:
            return values.astype(kind)
    return np.array(values, dtype=values.dtype.newbyteorder("="))
