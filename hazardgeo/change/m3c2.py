"""How far the surface moved between two clouds, along its own normal, and from what distance on that is more than noise."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.change.cell_rows import CellRows, Floats, cell_rows, over_cores
from hazardgeo.change.cylinders import fill_cylinders
from hazardgeo.change.multiscale import fit_normals
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import CrsError, HazardGeoWarning, InfeasibleError, InputError
from hazardgeo.kernel import in_bands
from hazardgeo.scan.gridding import extent
from hazardgeo.scan.normals import scanner_at
from hazardgeo.scan.points import counted, require_usable

Z95 = 1.96
MIN_POINTS = 5
NO, YES, UNKNOWN = 0, 1, 255
_BAND = 4096  # core points that a thread works on at a time
_FEW_KNOWN = 0.5


class Registration(Protocol):
    """What knows how uncertain the registration of two scans is, such as an Alignment."""

    def sigma_at(self, xyz: Floats, along: Floats | None = None) -> Floats:
        """Standard deviation at places (n, 3) along unit vectors (n, 3), in m."""


@dataclass(frozen=True, slots=True, eq=False)
class CloudChange:
    """Change between two clouds at core points, in the order of `core`; NaN where it is not known.

    `distance_m` is after minus before along `normal` (n, 3), so that what rose or bulged is positive. `lod95_m` is the
    distance from which on a change is more than the noise of 19 in 20 unchanged core points; `significant` is 1 where the
    distance is larger, 0 where not, 255 where either is unknown. `sigma_before_m` and `sigma_after_m` are the standard
    errors of the two mean positions, `registration_error_m` is the standard error of the registration, and `spread_*` are
    the sample standard deviations of the points along the normal: roughness and noise. `count_*` says how many points each
    cylinder held, `normal_radius_m` the radius that the normal is from. `tags` say how it was made.
    """

    core: PointCloud
    distance_m: Floats
    lod95_m: Floats
    sigma_before_m: Floats
    sigma_after_m: Floats
    registration_error_m: Floats
    spread_before_m: Floats
    spread_after_m: Floats
    count_before: NDArray[np.int32]
    count_after: NDArray[np.int32]
    normal: Floats
    normal_radius_m: Floats
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def significant(self) -> NDArray[np.uint8]:
        """1 where the surface moved by more than the level of detection, 0 where not, 255 where that is not known."""
        known = np.isfinite(self.distance_m) & np.isfinite(self.lod95_m)
        larger = np.abs(self.distance_m) > self.lod95_m
        return np.where(known, np.where(larger, YES, NO), UNKNOWN).astype(np.uint8)

    def as_cloud(self) -> PointCloud:
        """The core points with the change as attributes (float32), as LAS can hold them."""
        single: dict[str, NDArray[Any]] = {name: getattr(self, name).astype(np.float32) for name in SINGLES}
        axes = {f"normal_{axis}": self.normal[:, k].astype(np.float32) for k, axis in enumerate(("east", "north", "up"))}
        counts: dict[str, NDArray[Any]] = {
            "count_before": self.count_before,
            "count_after": self.count_after,
            "significant": self.significant,
        }
        return replace(self.core, attributes={**self.core.attributes, **(single | axes | counts)})


SINGLES = (
    "distance_m",
    "lod95_m",
    "sigma_before_m",
    "sigma_after_m",
    "registration_error_m",
    "spread_before_m",
    "spread_after_m",
    "normal_radius_m",
)


def m3c2(
    before: PointCloud,
    after: PointCloud,
    core: PointCloud,
    *,
    normal_radius_m: float | Sequence[float],
    cylinder_radius_m: float,
    max_depth_m: float,
    registration_error_m: float | NDArray[Any] | Registration = 0.0,
    orient: Literal["up"] | tuple[float, float, float] = "up",
) -> CloudChange:
    """How far the surface moved at each core point, in m along its normal, with the level of detection at 95 %.

    M3C2 of Lague et al. 2013 (doi 10.1016/j.isprsjprs.2013.04.009): the normal is that of the points of `before` within
    `normal_radius_m`; of several radii the one whose points are flattest counts (largest (l2 - l3) / l1 of the
    eigenvalues). Each epoch has its mean position in a cylinder of `cylinder_radius_m` about the normal, `max_depth_m`
    long to either side; the distance lies between the two means. Its level of detection is
    1.96 (sqrt(s1^2 / n1 + s2^2 / n2) + registration error), with the sample standard deviations s along the normal.

    Choose radii of normals 20 to 25 times the roughness of the surface, a cylinder that holds 20 points or more, and a
    depth larger than the change. The registration error is one number, one for each core point, or an Alignment, which
    knows it for each place and direction. `core` may be `before` itself. `orient` is that of `scan.normals`: give the scanner
    for walls, of which up says no side.

    The distance is NaN where a cylinder is empty in one epoch, and where `before` has fewer than five points for a normal;
    the level of detection also where an epoch has fewer than five points. Withheld points and noise do not count. What
    moved by more than the depth, or into the depth of another surface, is not measured right. Points within the reach of
    cylinder and normal only say what is found: tiles with such a halo give the same to the last bit.

    Warns (HazardGeoWarning) where more than half of the core points have no level of detection. Raises CrsError and
    HeightError for clouds with different or non-metric references; InputError for clouds without points and for sizes and
    errors that are none; InfeasibleError where no core point has a distance, as of clouds that do not overlap.

    >>> flat = np.array([[x * 0.5, y * 0.5, 0.0] for x in range(9) for y in range(9)])
    >>> before, after = PointCloud(flat, 32648), PointCloud(flat - [0.0, 0.0, 0.3], 32648)
    >>> found = m3c2(before, after, before.select([40]), normal_radius_m=1.0, cylinder_radius_m=0.8, max_depth_m=2.0)
    >>> found.distance_m.round(3).tolist(), found.lod95_m.tolist(), found.significant.tolist()
    ([-0.3], [0.0], [1])
    """
    sizes = Sizes.of(normal_radius_m, cylinder_radius_m, max_depth_m)
    scanner = scanner_at(orient)
    require_comparable(before, after, core)
    return judged(compared(before, after, core, sizes, registration_error_m, scanner))


def compared(
    before: PointCloud,
    after: PointCloud,
    core: PointCloud,
    sizes: Sizes,
    registration_error_m: float | NDArray[Any] | Registration,
    scanner: Floats,
) -> CloudChange:
    """As `m3c2`, of clouds that can be compared, some of them without points: nothing is then known, and nothing is said."""
    layouts, places, order = laid_out(before, after, core, sizes)
    normals, used = normals_at(layouts[0], places, sizes, scanner)
    means = [_filled(layout, places, normals, sizes) for layout in layouts]
    (one, spread_one, count_one), (two, spread_two, count_two) = means
    errors = [spread / np.sqrt(np.maximum(count, 1)) for _, spread, count in means]
    registered = registration_at(registration_error_m, places, normals, order, len(core))
    enough = (count_one >= MIN_POINTS) & (count_two >= MIN_POINTS)
    lod = np.where(enough, Z95 * (np.hypot(errors[0], errors[1]) + registered), np.nan)
    found: dict[str, NDArray[Any]] = {"distance_m": two - one, "lod95_m": lod, "sigma_before_m": errors[0]}
    found |= {"sigma_after_m": errors[1], "spread_before_m": spread_one, "spread_after_m": spread_two}
    found |= {"count_before": count_one, "count_after": count_two, "registration_error_m": registered}
    found |= {"normal": normals, "normal_radius_m": used}
    return in_order(core, order, found, {"method": "M3C2 (Lague et al. 2013, doi 10.1016/j.isprsjprs.2013.04.009)", **sizes.tags})


@dataclass(frozen=True, slots=True)
class Sizes:
    """The radii of normals and of the cylinder, its half-length, and the cells that points are sorted by."""

    radii_m: tuple[float, ...]
    cylinder_m: float
    depth_m: float

    @staticmethod
    def of(normal_radius_m: float | Sequence[float], cylinder_radius_m: float, max_depth_m: float) -> Sizes:
        """The sizes; InputError for what is none."""
        given = np.atleast_1d(np.asarray(normal_radius_m, np.float64))
        named = {"cylinder_radius_m": cylinder_radius_m, "max_depth_m": max_depth_m}
        if given.ndim != 1 or not given.size or not (np.isfinite(given).all() and (given > 0).all()):
            raise InputError(f"normal_radius_m must be a positive number or several, not {normal_radius_m}.")
        for name, size in named.items():
            if not (math.isfinite(size) and size > 0):
                raise InputError(f"{name} must be a positive number, not {size}.")
        return Sizes(tuple(sorted(set(given.tolist()))), float(cylinder_radius_m), float(max_depth_m))

    @property
    def cell_m(self) -> float:
        return min(self.cylinder_m, 2.0 * self.radii_m[0])

    @property
    def reach_m(self) -> float:
        """How far from a core point the points lie that say something of it."""
        return max(self.radii_m[-1], math.hypot(self.cylinder_m, self.depth_m))

    @property
    def tags(self) -> dict[str, str]:
        """How they are told."""
        radii = ", ".join(f"{radius:g}" for radius in self.radii_m)
        return {"normal_radius_m": radii, "cylinder_radius_m": f"{self.cylinder_m:g}", "max_depth_m": f"{self.depth_m:g}"}


def require_comparable(before: PointCloud, after: PointCloud, core: PointCloud) -> None:
    """Raise CrsError, HeightError or InputError unless the clouds can be compared."""
    for name, cloud in (("before", before), ("after", after), ("core points", core)):
        require_usable(cloud, f"m3c2 ({name})")
        if cloud.crs != before.crs:
            raise CrsError(
                f"the cloud before is in {_crs.label(before.crs)}, {name} in {_crs.label(cloud.crs)}; reproject one of them."
            )
        before.height.require_same(cloud.height)
    if not counted(core).any():
        raise InputError("all core points are withheld or noise; choose others.")


def laid_out(
    before: PointCloud, after: PointCloud, core: PointCloud, sizes: Sizes
) -> tuple[tuple[CellRows, CellRows], Floats, NDArray[np.int64]]:
    """Both clouds and the core points that count, sorted, and the numbers of these in the cloud of core points."""
    counts = counted(core)
    xyz, pad = core.xyz[counts] if not counts.all() else core.xyz, sizes.reach_m + sizes.cell_m
    (west, south, east, north), _ = extent(xyz) if len(xyz) else ((0.0, 0.0, 0.0, 0.0), 0)
    around = west - pad, south - pad, east + pad, north + pad
    clouds = [before, after] if core is before else [before, after, core]
    sort = lambda first, _: cell_rows(  # noqa: E731 - a band is one cloud
        clouds[first].xyz, sizes.cell_m, counted(clouds[first]), around
    )
    layouts = in_bands(sort, len(clouds), band_rows=1)
    centre = layouts[0] if core is before else layouts[2]
    return (layouts[0], layouts[1]), np.column_stack(centre.xyz), centre.order


def normals_at(before: CellRows, places: Floats, sizes: Sizes, scanner: Floats) -> tuple[Floats, Floats]:
    """The normal at each place, from the points of one epoch, and the radius that it is from."""
    normals, used = np.full((len(places), 3), np.nan), np.full(len(places), np.nan)
    radii, layout, outputs = np.array(sizes.radii_m), before.arrays, (normals, used)
    over_cores(lambda *band: fit_normals(layout, places, radii, scanner, outputs, *band), len(places))
    return normals, used


def _filled(cloud: CellRows, places: Floats, normals: Floats, sizes: Sizes) -> tuple[Floats, Floats, NDArray[np.int32]]:
    """Mean and spread along the normals of the points in the cylinders, and their number."""
    number, layout, size = len(places), cloud.arrays, (sizes.cylinder_m, sizes.depth_m)
    outputs = np.full(number, np.nan), np.full(number, np.nan), np.zeros(number, np.int32)
    over_cores(lambda *band: fill_cylinders(layout, places, normals, size, outputs, *band), number)
    return outputs


def registration_at(
    given: float | NDArray[Any] | Registration, places: Floats, normals: Floats, order: NDArray[np.int64], number: int
) -> Floats:
    """The registration error at each place; InputError for errors that are none."""
    if not isinstance(given, int | float | np.ndarray | Sequence):
        parts = in_bands(
            lambda first, last: given.sigma_at(places[first:last], normals[first:last]), len(places), band_rows=_BAND
        )
        return np.concatenate([np.asarray(part, np.float64) for part in parts])
    errors = np.asarray(given, np.float64)
    if errors.shape not in ((), (number,)):
        raise InputError(
            f"registration_error_m has shape {errors.shape}; give one number, or one for each of {number:,} core points."
        )
    if not (errors[np.isfinite(errors)] >= 0).all() or np.isinf(errors).any():
        raise InputError("registration_error_m must not be negative or infinite; NaN says that it is not known.")
    return np.full(len(places), float(errors)) if errors.shape == () else errors[order]


def in_order(
    core: PointCloud, order: NDArray[np.int64], found: Mapping[str, NDArray[Any]], tags: Mapping[str, str]
) -> CloudChange:
    """What was found at sorted core points, in the order of these."""
    return CloudChange(core, **{name: _spread(values, order, len(core)) for name, values in found.items()}, tags=tags)


def judged(found: CloudChange) -> CloudChange:
    """The same; InfeasibleError where nothing is known, and a HazardGeoWarning where little is."""
    if not np.isfinite(found.distance_m).any():
        raise InfeasibleError(
            f"none of {len(found.core):,} core points has points of both epochs in its cylinder; check that the clouds overlap "
            "in plan and height, or enlarge cylinder_radius_m and max_depth_m."
        )
    known = np.isfinite(found.lod95_m).sum() / counted(found.core).sum()
    if known < _FEW_KNOWN:
        warnings.warn(
            f"{1 - known:.0%} of the core points have no level of detection, since an epoch has fewer than {MIN_POINTS} "
            "points there, or the registration error is not known; enlarge cylinder_radius_m or choose core points that both "
            "scans cover.",
            HazardGeoWarning,
            stacklevel=3,
        )
    return found


def _spread(values: NDArray[Any], order: NDArray[np.int64], number: int) -> NDArray[Any]:
    out = np.full((number, *values.shape[1:]), np.nan if values.dtype.kind == "f" else 0, values.dtype)
    out[order] = values
    return out
