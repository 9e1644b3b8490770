"""Elevation rasters from a scan: the ground, and what stands on it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.scan.penetration import hides_ground
from hazardgeo.scan.points import GROUND, cell_values, counted, grid_of, require_usable
from hazardgeo.tiles import filled_holes

RELATIVE_ONLY = "relative only: not checked against points of known height"
SWEEPS = 100  # of the membrane at each level
_ACROSS = 3.0  # cover is crossed along a row over at most so many times the reach, to each side
_DIAGONAL = math.sqrt(2.0)  # how much longer a row runs through a void that lies across it


def dtm(cloud: PointCloud, *, cell_m: float = 1.0, max_gap_m: float = 5.0, max_cover_m: float = 20.0) -> Raster:
    """Elevation of the bare ground in m, from the points of class 2.

    A cell with ground points holds their mean. A cell without is interpolated when a ground cell is within reach, centre
    to centre, and it lies between ground cells along its row or its column. Where nothing was measured (shadows of the
    scanner, water) the reach is `max_gap_m`, and these two lie at most 2.9 times as far from one another: a void is bridged,
    the rim of the survey is not carried outwards. Where something was measured, but not the ground (roofs, crowns), the reach
    is `max_cover_m` (20 m spans a school), and each of the two is at most three times the reach away. Where all points are
    flagged `synthetic` (made from photographs, see `classify_ground`) cells with points but without ground stay unknown,
    whatever the reach. All other cells are unknown. The interpolation is that of `tiles.fill_holes`, near a membrane
    (Laplace's equation) between the ground cells around the void: it stays within their range and knows no hollow or bump
    inside the void. The tag `interpolated_share` says how much of the known surface is interpolated; the tag `accuracy` that
    elevations are relative only, until `accuracy` has checked them.

    The grid has its edges at multiples of `cell_m`; heights keep their reference. Withheld points do not count. Raises
    InputError for a cloud without class 2 (see `classify_ground`), coordinates that are not finite, `cell_m` that is
    not positive or a negative gap, and CrsError unless the cloud is metric.
    """
    require_gaps(max_gap_m=max_gap_m, max_cover_m=max_cover_m)
    require_usable(cloud, "dtm")
    grid = grid_of(cloud, cell_m)
    ground_points(cloud)
    measured, seen = ground_means(cloud, grid), dsm_of(cloud, grid)
    spanned = filled_holes(measured, sweeps=SWEEPS)
    hidden = hides_ground(cloud)
    found = stretched(measured, seen, spanned, hidden=hidden, max_gap_m=max_gap_m, max_cover_m=max_cover_m)
    share = 1.0 - float((~measured.unknown).sum()) / float((~found.unknown).sum())
    return replace(found, tags=dtm_tags(share, hidden=hidden, max_gap_m=max_gap_m, max_cover_m=max_cover_m))


def require_gaps(**gaps_m: float) -> None:
    """Raise InputError for reaches of `dtm` that make no sense."""
    for name, gap_m in gaps_m.items():
        if not (math.isfinite(gap_m) and gap_m >= 0):
            raise InputError(f"{name} must be zero or a positive number of metres, not {gap_m}.")


def ground_means(cloud: PointCloud, grid: Grid) -> Raster:
    """The mean of the ground points of each cell."""
    ground = is_ground(cloud)
    return Raster(cell_values(cloud.xyz, grid, "mean", ground).astype(np.float32), grid, "dtm", "m", cloud.height)


def stretched(measured: Raster, seen: Raster, spanned: Raster, *, hidden: bool, max_gap_m: float, max_cover_m: float) -> Raster:
    """The ground and what may be interpolated of it. Needs a halo of `stretch_halo(max_gap_m, max_cover_m, cell_m)` cells.

    `seen` is the surface of all points, `spanned` the ground with all its holes filled. `hidden` says that
    what is covered was not measured: it stays unknown.
    """
    cell_m = measured.grid.cell[0]
    known, covered = ~measured.unknown, ~seen.unknown
    covered |= ndimage.binary_closing(covered, np.ones((3, 3), bool))
    reach_m = np.where(covered, max(max_cover_m, max_gap_m), max_gap_m)
    far = stretch_halo(max_gap_m, max_cover_m, cell_m)
    near = np.zeros(known.shape, bool)
    if known.any():
        near = ndimage.distance_transform_edt(~known) * cell_m <= reach_m + 1e-9
    width_m = np.minimum(_across(known, far), _across(known.T, far).T) * cell_m
    fillable = near & np.where(covered, np.isfinite(width_m), width_m <= _DIAGONAL * 2 * max_gap_m + cell_m)
    if hidden:
        fillable &= ~ndimage.binary_closing(~seen.unknown & ~known, np.ones((3, 3), bool))
    values = np.where(known, measured.values, np.where(fillable, spanned.values, np.float32(np.nan)))
    return Raster(values, measured.grid, "dtm", "m", measured.height)


def stretch_halo(max_gap_m: float, max_cover_m: float, cell_m: float) -> int:
    """How many cells around a cell decide whether it is interpolated."""
    return math.ceil(_ACROSS * max(max_gap_m, max_cover_m) / cell_m) + 2


def dtm_tags(share: float, *, hidden: bool, max_gap_m: float, max_cover_m: float) -> dict[str, str]:
    """What is said of a terrain model of which `share` is interpolated."""
    tags = {"method": "mean of ground points, membrane across voids", "accuracy": RELATIVE_ONLY}
    if hidden:
        tags["under_cover"] = "unknown: the points are not of a laser and do not see through plants"
    return tags | {"max_gap_m": f"{max_gap_m:g}", "max_cover_m": f"{max_cover_m:g}", "interpolated_share": f"{share:.3f}"}


def dsm(cloud: PointCloud, *, cell_m: float = 1.0) -> Raster:
    """Elevation of the highest point of each cell in m: roofs and crowns, and bare ground between them.

    Withheld points and noise (class 7 and 18) do not count. Cells without a point are unknown; nothing is filled. The
    grid has its edges at multiples of `cell_m`, the same as that of `dtm`; heights keep their reference. Raises
    InputError for a cloud without usable points or with coordinates that are not finite, and CrsError unless it is
    metric.
    """
    require_usable(cloud, "dsm")
    if not counted(cloud).any():
        raise InputError(f"all {len(cloud):,} points are withheld or noise, so there is no surface; check the flags.")
    return dsm_of(cloud, grid_of(cloud, cell_m))


def dsm_of(cloud: PointCloud, grid: Grid) -> Raster:
    """The highest point of each cell of a grid, of those that count."""
    highest = cell_values(cloud.xyz, grid, "highest", counted(cloud)).astype(np.float32)
    return Raster(highest, grid, "dsm", "m", cloud.height, tags={"method": "highest point per cell"})


def ground_points(cloud: PointCloud) -> NDArray[np.bool_]:
    """True for the points that count as ground; InputError where there are none."""
    if "classification" not in cloud.attributes:
        raise InputError("the cloud has no classification, so its ground is not known; call scan.classify_ground(cloud) first.")
    ground = is_ground(cloud)
    if not ground.any():
        raise InputError(
            f"none of the {len(cloud):,} points is ground (class 2); call scan.classify_ground(cloud) or check its parameters."
        )
    return ground


def is_ground(cloud: PointCloud) -> NDArray[np.bool_]:
    """True for the points of class 2 that count."""
    return np.asarray((np.asarray(cloud.attributes["classification"]) == GROUND) & counted(cloud))


def _across(known: NDArray[np.bool_], cells: int) -> NDArray[np.float64]:
    """Cells from the known cell before to the known cell after, along the row; infinite where one is over `cells` away."""
    place = np.arange(known.shape[1])
    before = np.maximum.accumulate(np.where(known, place, -cells - 1), axis=1)
    after = np.minimum.accumulate(np.where(known, place, known.shape[1] + cells)[:, ::-1], axis=1)[:, ::-1]
    return np.where((place - before <= cells) & (after - place <= cells), (after - before).astype(np.float64), np.inf)
