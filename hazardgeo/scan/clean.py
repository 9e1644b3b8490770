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
from hazardgeo.grid import Grid
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.raster import Raster
from hazardgeo.scan import cells
from hazardgeo.scan.cells import Floats, SortedCells, Whole, sorted_cells
from hazardgeo.scan.points import HIGH_NOISE, LOW_NOISE, NOT_GROUND, cell_values, counted, grid_of
from hazardgeo.scan.relief import in_box
from hazardgeo.tiles import filled_holes
from hazardgeo.tiles.points import cells_of, inside

_THIN = 0.1  # of the points that a disk on the surface holds: low points with fewer around them are no ground
_AROUND = 7  # cells: how wide low points are counted
_STEP = math.sqrt(2.0)  # from one depth to the next at which they are
_MANY = 0.05  # of the points: where more are noise, the radius is in doubt
KINDS = 6
STAYS, NOT_FINITE, WITHHELD, DOUBLE, NOISE, ISOLATED = range(KINDS)
LOWER_HALO, LOW_HALO = 2, 5  # cells of the radius: what decides on the lower surface, and on a point
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
    require_options(radius_m=radius_m, min_neighbours=min_neighbours, low_m=low_m, noise=noise)
    cloud.require_metric("clean")
    kind = kinds(cloud, radius_m=radius_m, min_neighbours=min_neighbours)
    counts = np.bincount(kind, minlength=KINDS)
    if not counts[STAYS]:
        require_left(reported(counts, 0), radius_m)
    lower = lower_surface(filled_holes(lowest(cloud, kind, grid_of(cloud.select(kind == STAYS), radius_m))))
    low = low_points(cloud, kind, lower, low_m=low_m)
    report = reported(counts, int(low.sum()))
    require_left(report, radius_m)
    return Cleaned(without(cloud, kind, low, lower, middle_m=middle_of(cloud, kind), noise=noise), report)


def require_options(*, radius_m: float, min_neighbours: int, low_m: float, noise: str) -> None:
    """Raise InputError for options of `clean` that make no sense."""
    for name, value in {"radius_m": radius_m, "min_neighbours": min_neighbours, "low_m": low_m}.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} of clean must be a positive number, not {value}.")
    if noise not in ("drop", "mark"):
        raise InputError(f"noise={noise!r} is neither 'drop' nor 'mark'.")


def reported(counts: Whole, low: int) -> CleaningReport:
    """The report for the number of points of each kind, and of those that stay otherwise but are low."""
    stays, not_finite, withheld, doubles, noise, isolated = (int(count) for count in counts)
    return CleaningReport(int(counts.sum()), stays - low, not_finite, withheld, doubles, noise, isolated, low)


def require_left(found: CleaningReport, radius_m: float) -> None:
    """Raise InputError where nothing is left, and warn where much went."""
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


def kinds(cloud: PointCloud, *, radius_m: float, min_neighbours: int) -> NDArray[np.uint8]:
    """What each point is: STAYS, NOT_FINITE, WITHHELD, DOUBLE, NOISE that came as such, or ISOLATED.

    Depends on what lies within `radius_m` only. Known noise is nobody's neighbour.
    """
    out = np.full(len(cloud), STAYS, np.uint8)
    out[~counted(cloud)] = NOISE
    out[np.asarray(cloud.attributes.get("withheld", np.zeros(len(cloud), bool))).astype(bool)] = WITHHELD
    out[~np.isfinite(cloud.xyz).all(axis=1)] = NOT_FINITE
    present = np.flatnonzero((out == STAYS) | (out == NOISE))
    out[present[_doubles(sorted_cells(cloud.xyz[present], radius_m / cells.REACH))]] = DOUBLE
    counts = np.flatnonzero(out == STAYS)
    ordered = sorted_cells(cloud.xyz[counts], radius_m / cells.REACH)
    near = _neighbours(ordered, radius_m, np.full(len(counts), min_neighbours))
    out[counts[near < min_neighbours]] = ISOLATED
    return out


def _doubles(ordered: SortedCells) -> Mask:
    """True for points at the place of an earlier one: sorted, they follow it."""
    same = np.zeros(len(ordered.xyz), bool)
    same[1:] = (ordered.xyz[1:] == ordered.xyz[:-1]).all(axis=1)
    out = np.zeros(len(same), bool)
    out[ordered.order[same]] = True
    return out


def middle_of(cloud: PointCloud, kind: NDArray[np.uint8]) -> float:
    """The height halfway between the lowest and the highest of the points that stay."""
    z = cloud.xyz[kind == STAYS, 2]
    return float(z.min() + z.max()) / 2


def lowest(cloud: PointCloud, kind: NDArray[np.uint8], grid: Grid) -> Raster:
    """The lowest point of each cell, of those that stay and lie in the grid."""
    stays = kind == STAYS
    there = cloud.xyz[stays][inside(cloud.xyz[stays], grid)]
    return Raster(cell_values(there, grid, "lowest").astype(np.float32), grid, "lowest", "m")


def lower_surface(lowest: Raster) -> Raster:
    """The lowest points, their holes filled, with pits up to two cells wide closed. Needs a halo of `LOWER_HALO` cells."""
    return lowest.like(ndimage.grey_closing(lowest.values, (3, 3), mode="nearest"), "lower", "m")


def low_points(cloud: PointCloud, kind: NDArray[np.uint8], lower: Raster, *, low_m: float) -> Mask:
    """Which of the points that stay lie in small groups below the lower surface, which is unknown where no survey is.

    Needs a halo of `LOW_HALO` cells.
    """
    rows, cols = cells_of(cloud.xyz, lower.grid)
    stays = np.flatnonzero((kind == STAYS) & _inside(rows, cols, lower.grid))
    rows, cols = rows[stays], cols[stays]
    depth = lower.values[rows, cols] - cloud.xyz[stays, 2]
    survey = (~lower.unknown).astype(np.int64)
    many = _THIN * math.pi * _mean_around(_number(rows, cols, lower.grid), survey, 3)
    low = np.zeros(len(cloud), bool)
    while (depth > low_m).any():
        alike = depth > low_m / _STEP
        few = _mean_around(_number(rows[alike], cols[alike], lower.grid), survey, _AROUND) * _AROUND**2 < many
        layer = (depth > low_m) & (depth <= low_m * _STEP)
        low[stays[layer]] = few[rows[layer], cols[layer]]
        low_m *= _STEP
    return low


def _inside(rows: Whole, cols: Whole, grid: Grid) -> Mask:
    return np.asarray((rows >= 0) & (rows < grid.shape[0]) & (cols >= 0) & (cols < grid.shape[1]))


def number_of(xyz: Floats, grid: Grid) -> Whole:
    """How many points lie in each cell; all must lie in the grid or do not count."""
    rows, cols = cells_of(xyz, grid)
    inside = _inside(rows, cols, grid)
    return _number(rows[inside], cols[inside], grid)


def _number(rows: Whole, cols: Whole, grid: Grid) -> Whole:
    return np.bincount(rows * grid.shape[1] + cols, minlength=grid.shape[0] * grid.shape[1]).reshape(grid.shape)


def _mean_around(number: Whole, survey: Whole, width: int) -> Floats:
    """The mean number of points in the cells of a square around each cell; fewer cells count at the border of the survey."""
    total, held = (in_box(counts, width // 2) for counts in (number, survey))
    return np.asarray(total / np.maximum(held, 1))


def without(cloud: PointCloud, kind: NDArray[np.uint8], low: Mask, lower: Raster, *, middle_m: float, noise: str) -> PointCloud:
    """The points that stay, and with noise="mark" the noise with its class.

    Isolated points are low where they lie below the lower surface, or beyond the survey below its middle.
    """
    if noise == "drop":
        return cloud.select((kind == STAYS) & ~low)
    left = (kind == STAYS) | (kind == NOISE) | (kind == ISOLATED)
    codes = np.full(len(cloud), NOT_GROUND, np.uint8)
    if "classification" in cloud.attributes:
        codes = np.asarray(cloud.attributes["classification"]).astype(np.uint8)
    codes[low] = LOW_NOISE
    isolated = np.flatnonzero(kind == ISOLATED)
    rows, cols = cells_of(cloud.xyz[isolated], lower.grid)
    inside = _inside(rows, cols, lower.grid)
    ground = np.full(len(rows), np.nan)
    ground[inside] = lower.values[rows[inside], cols[inside]]
    ground[np.isnan(ground)] = middle_m
    codes[isolated] = np.where(cloud.xyz[isolated, 2] < ground, LOW_NOISE, HIGH_NOISE)
    return cloud.with_attribute("classification", codes).select(left)


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
