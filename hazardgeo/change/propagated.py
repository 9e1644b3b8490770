"""M3C2 with the errors of each point, carried through to the distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hazardgeo.change.cell_rows import CellRows, Floats, over_cores
from hazardgeo.change.cylinders import weigh_cylinders
from hazardgeo.change.m3c2 import (
    MIN_POINTS,
    Z95,
    CloudChange,
    Registration,
    Sizes,
    in_order,
    judged,
    laid_out,
    normals_at,
    registration_at,
    require_comparable,
)
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InputError
from hazardgeo.scan.normals import scanner_at

_AXES = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


@dataclass(frozen=True, slots=True)
class ScannerErrors:
    """Standard errors of a scanner at one place (east, north, height): of its ranges in m, and of its angles in degrees."""

    place: tuple[float, float, float]
    range_m: float
    angle_deg: float

    def covariances(self, xyz: Floats) -> Floats:
        """Covariances of points, (n, 6) in m2: east-east, east-north, east-up, north-north, north-up, up-up.

        The error of the range lies along the sight, that of the angles across it, the same to both sides.
        """
        if not (np.isfinite(self.place).all() and self.range_m > 0 and self.angle_deg > 0):
            raise InputError(f"the errors of a scanner must be positive and its place known, not {self}.")
        sight = xyz - np.array(self.place)
        length = np.linalg.norm(sight, axis=1)
        ahead = sight / np.maximum(length, 1e-9)[:, None]
        across = (length * math.radians(self.angle_deg)) ** 2
        more = self.range_m**2 - across
        return np.column_stack([more * ahead[:, i] * ahead[:, j] + (across if i == j else 0.0) for i, j in _AXES])


Errors = ScannerErrors | NDArray[Any]


def m3c2_ep(
    before: PointCloud,
    after: PointCloud,
    core: PointCloud,
    *,
    errors_before: Errors,
    errors_after: Errors,
    normal_radius_m: float | Sequence[float],
    cylinder_radius_m: float,
    max_depth_m: float,
    registration_error_m: float | NDArray[Any] | Registration = 0.0,
    orient: Literal["up"] | tuple[float, float, float] = "up",
) -> CloudChange:
    """As `m3c2`, with the level of detection from the errors of the points and of the registration, not from roughness.

    After Winiwarter et al. 2021 (doi 10.1016/j.isprsjprs.2021.06.011): each epoch's position is the mean weighted by the
    variances of its points along the normal; its error is theirs propagated; the three errors add as squares, and the level
    of detection is 1.96 times the root. Errors are those of a scanner, or (n, 6) covariances of the points in m2: east-east,
    east-north, east-up, north-north, north-up, up-up. Points whose errors are unknown make the result unknown.

    Errors of points are taken as independent of each other, and a rough surface as sampled at the same places in both epochs,
    as by scans from one station; otherwise roughness adds an error that this leaves out: compare with `m3c2`. The weights and
    the level for one direction were not checked against the paper, whose test is of three. Else as `m3c2`; InputError for
    errors that are none.
    """
    sizes = Sizes.of(normal_radius_m, cylinder_radius_m, max_depth_m)
    require_comparable(before, after, core)
    scanner = scanner_at(orient)
    covariances = [_covariances(errors, cloud) for errors, cloud in ((errors_before, before), (errors_after, after))]
    layouts, places, order = laid_out(before, after, core, sizes)
    normals, used = normals_at(layouts[0], places, sizes, scanner)
    one, two = (_weighed(layout, c, places, normals, sizes) for layout, c in zip(layouts, covariances, strict=True))
    registered = registration_at(registration_error_m, places, normals, order, len(core))
    enough = (one[3] >= MIN_POINTS) & (two[3] >= MIN_POINTS)
    lod = np.where(enough, Z95 * np.sqrt(one[2] ** 2 + two[2] ** 2 + registered**2), np.nan)
    found: dict[str, NDArray[Any]] = {"distance_m": two[0] - one[0], "lod95_m": lod, "sigma_before_m": one[2]}
    found |= {"sigma_after_m": two[2], "spread_before_m": one[1], "spread_after_m": two[1], "count_before": one[3]}
    found |= {"count_after": two[3], "registration_error_m": registered, "normal": normals, "normal_radius_m": used}
    tags = {"method": "M3C2 with propagated errors (after Winiwarter et al. 2021), unchecked against the paper", **sizes.tags}
    return judged(in_order(core, order, found, tags))


def _covariances(errors: Errors, cloud: PointCloud) -> Floats:
    """Covariances of all points; InputError where they are none."""
    if isinstance(errors, ScannerErrors):
        return errors.covariances(cloud.xyz)
    given = np.asarray(errors, np.float64)
    if given.shape != (len(cloud), 6):
        raise InputError(f"the errors have shape {given.shape}; give (n, 6) covariances for each of {len(cloud):,} points.")
    variances = given[:, [0, 3, 5]]
    if (variances[np.isfinite(variances)] <= 0).any():
        raise InputError("the variances of points must be larger than 0; NaN says that they are not known.")
    return given


def _weighed(
    cloud: CellRows, covariances: Floats, places: Floats, normals: Floats, sizes: Sizes
) -> tuple[Floats, Floats, Floats, NDArray[np.int32]]:
    """Weighted mean, spread, and error of the mean along the normals of the points in the cylinders, and their number."""
    number, layout, size = len(places), cloud.arrays, (sizes.cylinder_m, sizes.depth_m)
    outputs = np.full(number, np.nan), np.full(number, np.nan), np.full(number, np.nan), np.zeros(number, np.int32)
    errors = covariances[cloud.order]
    over_cores(lambda *band: weigh_cylinders(layout, errors, places, normals, size, outputs, *band), number)
    return outputs
