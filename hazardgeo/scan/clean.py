"""What does not belong into a scan: broken, doubled, withheld, stray and low points."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import HazardGeoWarning, InputError
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.raster import Raster
from hazardgeo.scan import cells
from hazardgeo.scan.cells import Floats, SortedCells, Whole, sorted_cells
from hazardgeo.scan.points import HIGH_NOISE, LOW_NOISE, NOT_GROUND, cell_values, counted, grid_of
from hazardgeo.tiles import filled_holes
from hazardgeo.tiles.points import cells_of

_THIN = 0.1  # of the points that a disk on the surface holds: low points with fewer around them are no ground
_AROUND = 7  # cells: how wide low points are counted
_STEP = math.sqrt(2.0)  # from one depth to the next at which they are
_MANY = 0.05  # of the points: where more are noise, the radius is in doubt
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CleaningReport:
    """How many points came, how many are left that count, and how many were found of each kind, in this order."""

    points: int
    kept: int
    not_finite: int
    withheld: int
    duplicates: int
    noise: int  # that came as noise
    isolated: int
    low: int


class Cleaned(NamedTuple):
    """The cloud without what does not belong, and what that was."""

    cloud: PointCloud
    report: CleaningReport


def clean(
    cloud: PointCloud,
    *,
    radius_m: float = 5.0,
    min_neighbours: int = 2,
    low_m: float = 1.0,
    noise: Literal["drop", "mark"] = "drop",
) -> Cleaned:
    """The cloud without broken, withheld, doubled and stray points, and a report of how many of each there were.

    Points without finite coordinates, withheld ones, and all but the first of points at exactly the same place are always
    dropped. Noise is dropped, or with `noise="mark"` gets class 7 (low) or 18 (high) and is left out by all of `scan`:

    - isolated: fewer than `min_neighbours` other points within `radius_m`, in space. The defaults let airborne scans of
      0.1 points per m2 pass, and most lone echoes from below a forest; they take birds and stray echoes one by one.
    - low: more than `low_m` below the lower surface, where all points at least two thirds as low within three times
      `radius_m` are fewer than a tenth of those that a disk of `radius_m` holds there. That takes groups of echoes from
      below the ground. The lower surface is that of the lowest points of cells of `radius_m`, in which pits up to two cells
      wide are closed; the floor of a gully and the ground of a forest lie below it too, but are many.

    Groups of high points (flocks, cables, cranes) stay. What came as noise (7 or 18) stays or goes with the noise. Points
    flagged as overlap stay. The order of points is kept.

    Warns (HazardGeoWarning) where more than 5 % are found to be isolated or low. Raises CrsError unless the cloud is
    metric, and InputError for a cloud of which nothing is left and for options that are not positive.

    >>> xyz = np.array([[x, y, 0.0] for x in range(9) for y in range(9)] + [[4.0, 4.0, 80.0], [0.0, 0.0, 0.0]])
    >>> clean(PointCloud(xyz, 32648)).report
    CleaningReport(points=83, kept=81, not_finite=0, withheld=0, duplicates=1, noise=0, isolated=1, low=0)
    """
    _require_options(radius_m=radius_m, min_neighbours=min_neighbours, low_m=low_m, noise=noise)
    cloud.require_metric("clean")
    finite = np.isfinite(cloud.xyz).all(axis=1)
    withheld = finite & _flag(cloud, "withheld")
    present = cloud.select(finite & ~withheld)
    ordered = sorted_cells(present.xyz, radius_m / cells.REACH)
    double = _doubles(ordered)
    left = present.select(~double)
    known = ~counted(left)
    isolated, low = _strays(left, known, radius_m=radius_m, min_neighbours=min_neighbours, low_m=low_m)
    counts = (~finite).sum(), withheld.sum(), double.sum(), known.sum(), isolated.sum(), low.sum()
    found = CleaningReport(len(cloud), len(left) - sum(map(int, counts[3:])), *map(int, counts))
    _require_left(found, radius_m)
    if noise == "drop":
        return Cleaned(left.select(~(known | isolated | low)), found)
    return Cleaned(_marked(left, isolated, low, radius_m), found)


def _require_options(*, radius_m: float, min_neighbours: int, low_m: float, noise: str) -> None:
    for name, value in {"radius_m": radius_m, "min_neighbours": min_neighbours, "low_m": low_m}.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} of clean must be a positive number, not {value}.")
    if noise not in ("drop", "mark"):
        raise InputError(f"noise={noise!r} is neither 'drop' nor 'mark'.")


def _require_left(found: CleaningReport, radius_m: float) -> None:
    if found.kept < 1:
        raise InputError(
            f"nothing is left of {found.points:,} points: {found.not_finite:,} are not finite, {found.withheld:,} withheld, "
            f"{found.duplicates:,} doubled, {found.noise:,} came as noise, {found.isolated:,} isolated and {found.low:,} low; "
            f"check the file, or enlarge radius_m ({radius_m:g})."
        )
    strays = found.isolated + found.low
    if strays > _MANY * found.points:
        warnings.warn(
            f"{strays / found.points:.0%} of {found.points:,} points are isolated or low; check radius_m ({radius_m:g}).",
            HazardGeoWarning,
            stacklevel=3,
        )


def _flag(cloud: PointCloud, name: str) -> Mask:
    return np.asarray(cloud.attributes.get(name, np.zeros(len(cloud), bool))).astype(bool)


def _doubles(ordered: SortedCells) -> Mask:
    """True for points at the place of an earlier one: sorted, they follow it."""
    same = np.zeros(len(ordered.xyz), bool)
    same[1:] = (ordered.xyz[1:] == ordered.xyz[:-1]).all(axis=1)
    out = np.zeros(len(same), bool)
    out[ordered.order[same]] = True
    return out


def _strays(cloud: PointCloud, known: Mask, *, radius_m: float, min_neighbours: int, low_m: float) -> tuple[Mask, Mask]:
    """Which points are isolated, and which of the others low. Known noise is nobody's neighbour."""
    counts = np.flatnonzero(~known)
    isolated, low = np.zeros(len(cloud), bool), np.zeros(len(cloud), bool)
    ordered = sorted_cells(cloud.xyz[counts], radius_m / cells.REACH)
    isolated[counts] = _neighbours(ordered, radius_m, np.full(len(counts), min_neighbours)) < min_neighbours
    counts = counts[~isolated[counts]]
    if len(counts):
        place = PointCloud(cloud.xyz[counts], cloud.crs)
        low[counts] = _low(place, radius_m=radius_m, low_m=low_m)
    return isolated, low


def _low(cloud: PointCloud, *, radius_m: float, low_m: float) -> Mask:
    grid = grid_of(cloud, radius_m)
    rows, cols = cells_of(cloud.xyz, grid)
    lowest = Raster(cell_values(cloud.xyz, grid, "lowest").astype(np.float32), grid, "lowest", "m")
    lower = ndimage.grey_closing(filled_holes(lowest).values, (3, 3), mode="nearest")
    depth = lower[rows, cols] - cloud.xyz[:, 2]
    low = np.zeros(len(depth), bool)
    many = _THIN * math.pi * _mean_around(rows, cols, grid.shape, 3)
    while (depth > low_m).any():
        alike = depth > low_m / _STEP
        few = _mean_around(rows[alike], cols[alike], grid.shape, _AROUND) * _AROUND**2 < many
        within = (depth > low_m) & (depth <= low_m * _STEP)
        low[within] = few[rows[within], cols[within]]
        low_m *= _STEP
    return low


def _mean_around(rows: Whole, cols: Whole, shape: tuple[int, int], width: int) -> Floats:
    """The mean number of points in the cells of a square around each cell; fewer cells count at the border."""
    number = np.bincount(rows * shape[1] + cols, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    total, cells = (ndimage.uniform_filter(n, width, mode="constant") for n in (number, np.ones(shape)))
    return np.asarray(total / cells)


def _marked(cloud: PointCloud, isolated: Mask, low: Mask, radius_m: float) -> PointCloud:
    """The cloud with the class of noise: low where it lies below the lowest other point of its cell, or has no other."""
    stay = ~(isolated | low)
    codes = np.full(len(cloud), NOT_GROUND, np.uint8)
    if "classification" in cloud.attributes:
        codes = np.asarray(cloud.attributes["classification"]).astype(np.uint8)
    codes[low] = LOW_NOISE
    middle = float(np.median(cloud.xyz[stay, 2]))
    near = cloud.select(stay & counted(cloud))
    grid = grid_of(near, radius_m)
    rows, cols = cells_of(cloud.xyz[isolated], grid)
    within = (rows >= 0) & (rows < grid.shape[0]) & (cols >= 0) & (cols < grid.shape[1])
    ground = np.full(len(rows), middle)
    lowest = filled_holes(Raster(cell_values(near.xyz, grid, "lowest").astype(np.float32), grid, "lowest", "m")).values
    ground[within] = lowest[rows[within], cols[within]]
    codes[isolated] = np.where(cloud.xyz[isolated, 2] < ground, LOW_NOISE, HIGH_NOISE)
    return cloud.with_attribute("classification", codes)


def _neighbours(ordered: SortedCells, radius_m: float, enough: NDArray[Any]) -> Whole:
    """How many other points lie within the radius of each, counted until there are `enough`."""
    out = np.zeros(len(ordered.xyz), np.int64)
    wanted = np.asarray(enough, np.int64)

    def count(first: int, last: int) -> None:
        _count_rows(ordered.arrays, ordered.order, radius_m, wanted, out, first, last)

    in_bands(count, len(ordered.rows), band_rows=cells.BAND_ROWS)
    return out


@kernel
def _count_rows(
    layout: tuple[Floats, Whole, Whole, Whole, Whole],
    order: Whole,
    radius: float,
    enough: Whole,
    out: Whole,
    first: int,
    last: int,
) -> None:
    xyz, rows, first_cell, cols, first_point = layout
    side = 2 * cells.REACH + 1
    spans, window = np.empty((side, 2), np.int64), np.empty((side, 2), np.int64)
    for row in range(first, last):
        count = cells.rows_near(rows, first_cell, row, spans)
        for k in range(count):
            window[k, 0] = window[k, 1] = spans[k, 0]
        for cell in range(first_cell[row], first_cell[row + 1]):
            cells.move_to(cols, cols[cell], spans, count, window)
            for point in range(first_point[cell], first_point[cell + 1]):
                wanted = enough[order[point]]
                if wanted == 0:
                    continue
                found = cells.count_near(xyz, point, first_point[cell], first_point[cell + 1], radius, wanted + 1) - 1
                for k in range(count):
                    for other in range(window[k, 0], window[k, 1]):
                        if found >= wanted:
                            break
                        if other != cell:
                            begin, end = first_point[other], first_point[other + 1]
                            found += cells.count_near(xyz, point, begin, end, radius, wanted - found)
                out[order[point]] = found
