"""Elevation rasters from a scan: the ground, and what stands on it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InputError
from hazardgeo.raster import Raster
from hazardgeo.scan.points import GROUND, cell_values, counted, grid_of, require_usable
from hazardgeo.scan.voids import span

_SWEEPS = 200
_TOLERANCE_M = 1e-4


def dtm(cloud: PointCloud, *, cell_m: float = 1.0, max_gap_m: float = 5.0, max_cover_m: float = 20.0) -> Raster:
    """Elevation of the bare ground in m, from the points of class 2.

    A cell with ground points holds their mean. A cell without is interpolated when it lies between ground cells along
    its row or its column and a ground cell is near, centre to centre: within `max_gap_m` where nothing was measured
    (shadows of the scanner, water), within `max_cover_m` where something was, but not the ground (roofs, crowns; 20 m
    spans a school). All other cells are unknown. The interpolation
    is a membrane (Laplace's equation) between the ground cells around the void, so it stays within their range, follows
    a plane, and knows no hollow or bump inside the void. The tag `interpolated_share` says how much of the known
    surface is interpolated.

    The grid has its edges at multiples of `cell_m`; heights keep their reference. Withheld points do not count. Raises
    InputError for a cloud without class 2 (see `classify_ground`), coordinates that are not finite, `cell_m` that is
    not positive or a negative gap, and CrsError unless the cloud is metric.
    """
    for name, gap_m in (("max_gap_m", max_gap_m), ("max_cover_m", max_cover_m)):
        if not (math.isfinite(gap_m) and gap_m >= 0):
            raise InputError(f"{name} must be zero or a positive number of metres, not {gap_m}.")
    require_usable(cloud, "dtm")
    grid = grid_of(cloud, cell_m)
    measured = cell_values(_ground_points(cloud), grid, "mean")
    known = ~np.isnan(measured)
    covered = ~np.isnan(cell_values(cloud.xyz[counted(cloud)], grid, "highest"))
    seen = covered | ndimage.binary_closing(covered, np.ones((3, 3), bool))
    reach_m = np.where(seen, max(max_cover_m, max_gap_m), max_gap_m)
    fillable = _between(known) & (ndimage.distance_transform_edt(~known) * cell_m <= reach_m + 1e-9)
    level = float(measured[known].mean())
    stretched = span(measured - level, sweeps=_SWEEPS, tolerance=_TOLERANCE_M) + level
    values = np.where(known, measured, np.where(fillable, stretched, np.nan)).astype(np.float32)
    share = float((fillable & ~known).sum() / max(int((fillable | known).sum()), 1))
    tags = {"method": "mean of ground points, membrane across voids"}
    tags |= {"max_gap_m": f"{max_gap_m:g}", "max_cover_m": f"{max_cover_m:g}", "interpolated_share": f"{share:.3f}"}
    return Raster(values, grid, "dtm", "m", cloud.height, tags=tags)


def dsm(cloud: PointCloud, *, cell_m: float = 1.0) -> Raster:
    """Elevation of the highest point of each cell in m: roofs and crowns, and bare ground between them.

    Withheld points and noise (class 7 and 18) do not count. Cells without a point are unknown; nothing is filled. The
    grid has its edges at multiples of `cell_m`, the same as that of `dtm`; heights keep their reference. Raises
    InputError for a cloud without usable points or with coordinates that are not finite, and CrsError unless it is
    metric.
    """
    require_usable(cloud, "dsm")
    grid = grid_of(cloud, cell_m)
    counts = counted(cloud)
    if not counts.any():
        raise InputError(f"all {len(cloud):,} points are withheld or noise, so there is no surface; check the flags.")
    highest = cell_values(cloud.xyz[counts], grid, "highest")
    return Raster(highest.astype(np.float32), grid, "dsm", "m", cloud.height, tags={"method": "highest point per cell"})


def _ground_points(cloud: PointCloud) -> NDArray[np.float64]:
    if "classification" not in cloud.attributes:
        raise InputError("the cloud has no classification, so its ground is not known; call scan.classify_ground(cloud) first.")
    ground = (np.asarray(cloud.attributes["classification"]) == GROUND) & counted(cloud)
    if not ground.any():
        raise InputError(
            f"none of the {len(cloud):,} points is ground (class 2); call scan.classify_ground(cloud) or check its parameters."
        )
    return np.ascontiguousarray(cloud.xyz[ground])


def _between(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells with a known cell on both sides along their row, or along their column."""

    def both_sides(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        seen = np.logical_or.accumulate
        return np.asarray(seen(mask, axis=1) & seen(mask[:, ::-1], axis=1)[:, ::-1])

    return both_sides(known) | both_sides(known.T).T
