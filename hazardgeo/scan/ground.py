"""Which points of a scan lie on the ground."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.scan import clumps, labels, penetration, relief, walls
from hazardgeo.scan.lowest import lowest_of_cells
from hazardgeo.scan.opening import lowered
from hazardgeo.scan.points import NOT_GROUND, counted, grid_of, require_usable
from hazardgeo.scan.surface import dsm_of
from hazardgeo.tiles import filled_holes

MIN_POINTS = 10
NOISE_HALO, GROUND_HALO = 2, 2
_RIDGE = 3.0  # what an opening lowers by less than so many times `slope` may be a ridge
_LOW_SLOPE = 5.0  # m/m: how far a cell may lie below its neighbours before its lowest point is taken for noise


def classify_ground(
    cloud: PointCloud,
    *,
    cell_m: float = 1.0,
    slope: float = 0.05,
    window_m: float = 24.0,
    threshold_m: float = 0.3,
    scalar: float = 1.25,
    penetrates: bool | None = None,
) -> PointCloud:
    """The cloud with `classification`: 2 ground, 1 not ground, 7 low noise, 0 withheld.

    A morphological filter (SMRF) that is strict and then gives back. The lowest points per cell are opened with growing
    disks up to radius `window_m`; cells that stand out by more than `slope` (m/m) times the radius hold no ground for now.
    That removes plants and houses, and edges of terraces, cliff tops and ridges as well. Then ground grows: a lowest point
    within 0.4 m of a plane through the ground in one of nine windows of 6 m, around it or beside it, is ground. Past a
    terrace edge the windows on the terrace hold its plane; a wall ends the growth. It reaches 48 m. Last, cells that stand
    out by less than three times `slope` come back where they make up 30 % of all cells within 4 m: a ridge is lost as a
    whole, plants one by one. Points within `threshold_m` + `scalar` x its slope of the surface of the ground are ground.

    The filter is that of Pingel, Clarke & McBride (2013), doi 10.1016/j.isprsjprs.2012.12.002; growth and ridges are ours,
    checked on labelled scans only. `window_m` must exceed half the width of the largest building. The defaults are one set
    for all terrain: over eight samples of the ISPRS filter test (0.16 to 1 point per m2, towns and steep country) the mean
    total error is 3.1 % and the mean kappa 87 %; that of the filter alone is 3.9 % and 84 %.

    Withheld points get class 0, and points that come as noise (7 or 18) keep their class; neither counts. All other
    classes are replaced. Low noise is sought twice: points of a single cell more than five cells' width below the ground
    around it, and clumps up to 6 m wide and more than 0.8 m deep in which less than 30 % of the points lie low; where a
    cell holds a single point, clumps cannot be told from pits. Low plants within the threshold count as ground, roofs that
    continue a slope too, and narrow ridges of few points may be lost. Cells are anchored at multiples of `cell_m`.

    Clouds made from photographs do not see through plants: ground below a crown is not in them, and a wood wider than the
    window is taken for ground. Say `penetrates=False`: all points are then flagged `synthetic`, as LAS has it for points
    that no laser measured, and `dtm` leaves what they cover unknown instead of bridging it. Unless it is said, a cloud
    penetrates except where all points are flagged so, or all are single returns with colours (with a warning).

    Warns (HazardGeoWarning) of points that stand on each other twice as high as their place is wide, as on a wall.
    Raises CrsError unless the cloud is metric, and InputError for fewer than 10 usable points, coordinates that are not
    finite, stray points far outside the survey, and parameters that are not positive (`scalar` may be zero).
    """
    require_parameters(cell_m=cell_m, slope=slope, window_m=window_m, threshold_m=threshold_m, scalar=scalar)
    require_usable(cloud, "classify_ground")
    counts = counted(cloud)
    if counts.sum() < MIN_POINTS:
        raise InputError(
            f"classify_ground needs at least {MIN_POINTS} points that are not withheld or noise, not {counts.sum()}."
        )
    origin = penetration.origin_of(cloud)
    cloud = penetration.flagged(cloud, origin.flag(penetration.decided(origin, penetrates)))
    points = lowest_points(cloud, grid_of(cloud, cell_m))
    lowest = points["lowest"]
    if walls.is_narrow(lowest):
        walls.warn_of_wall(walls.stack_of(lowest, dsm_of(cloud, lowest.grid)), cell_m)
    thinned = without_low_noise(filled_holes(lowest))
    kind = without_objects(filled_holes(thinned), lowest, thinned, slope=slope, window_m=window_m)
    bare, allowances = with_relief(kind, **points), {"threshold_m": threshold_m, "scalar": scalar}
    firm = without_clumps(cloud, bare, filled_holes(bare), lowest, thinned, **allowances)
    return classified(cloud, filled_holes(firm["firm"]), firm["noise"], **allowances)


def require_parameters(*, scalar: float, **positive: float) -> None:
    """Raise InputError for options of `classify_ground` that make no sense."""
    for name, value in positive.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} of classify_ground must be a positive number, not {value}.")
    if not (math.isfinite(scalar) and scalar >= 0):
        raise InputError(f"scalar of classify_ground must be zero or a positive number, not {scalar}.")
    if positive["window_m"] < positive["cell_m"]:
        raise InputError(f"window_m ({positive['window_m']:g}) is smaller than a cell ({positive['cell_m']:g}); enlarge it.")


def _kept_codes(cloud: PointCloud) -> NDArray[np.uint8]:
    """The codes of points that do not count: their own where they come as noise, 0 where they are withheld."""
    if "classification" not in cloud.attributes:
        return np.zeros(len(cloud), np.uint8)
    codes = np.asarray(cloud.attributes["classification"]).astype(np.uint8)
    if "withheld" in cloud.attributes:
        codes[np.asarray(cloud.attributes["withheld"]).astype(bool)] = 0
    return codes


def lowest_points(cloud: PointCloud, grid: Grid) -> dict[str, Raster]:
    """The lowest point of each cell, of those that count: elevation, and its place east and north of the centre."""
    values = lowest_of_cells(cloud.xyz, counted(cloud), grid)
    return {name: Raster(values[k], grid, name, "m", cloud.height) for k, name in enumerate(("lowest", "east", "north"))}


def without_low_noise(filled: Raster) -> Raster:
    """The surface without cells that lie far below all around them. Needs a halo of `NOISE_HALO` cells."""
    noise = lowered(-filled.values, filled.grid.cell[0], 1) > _LOW_SLOPE
    return filled.like(np.where(noise, np.float32(np.nan), filled.values), "thinned", "m")


def without_objects(surface: Raster, lowest: Raster, thinned: Raster, *, slope: float, window_m: float) -> Raster:
    """Which lowest points are bare, of a ridge or of an object, unknown where there is none or it is noise.

    Needs a halo of `object_halo(window_m, cell_m)` cells.
    """
    cell_m = surface.grid.cell[0]
    out = lowered(surface.values, cell_m, _radius(window_m, cell_m))
    kind = np.where(out > _RIDGE * slope, relief.OBJECT, np.where(out > slope, relief.RIDGE, relief.BARE))
    gone = np.isnan(lowest.values) | np.isnan(thinned.values)
    return surface.like(np.where(gone, np.nan, kind).astype(np.float32), "kind", "")


def with_relief(kind: Raster, lowest: Raster, east: Raster, north: Raster) -> Raster:
    """The lowest points that are ground. Needs a halo of `relief.regrowth_halo(cell_m)` cells."""
    points = np.stack([lowest.values, east.values, north.values])
    ground = relief.regrown(kind.values, points, kind.grid.cell[0])
    return lowest.like(np.where(ground, lowest.values, np.float32(np.nan)), "bare", "m")


def without_clumps(
    cloud: PointCloud, bare: Raster, ground: Raster, lowest: Raster, thinned: Raster, *, threshold_m: float, scalar: float
) -> dict[str, Raster]:
    """The lowest points that are ground without clumps of low noise, as `firm`, and where low noise is, as `noise`.

    That is by how many metres noise lies below what may be ground, NaN where there is none. `ground` is `bare` with its
    holes filled. Needs a halo of `clumps.clump_halo(cell_m)` cells.
    """
    grid, allowances = bare.grid, {"threshold_m": threshold_m, "scalar": scalar}
    clump = clumps.low_clumps(cloud.xyz, counted(cloud), grid, ground.values, **allowances)
    alone = np.isnan(thinned.values) & ~np.isnan(lowest.values)
    unknown = np.float32(np.nan)
    noise = np.where(clump, np.float32(0.0), np.where(alone, np.float32(_LOW_SLOPE * grid.cell[0]), unknown))
    return {"firm": bare.like(np.where(clump, unknown, bare.values), "firm", "m"), "noise": bare.like(noise, "noise", "m")}


def classified(cloud: PointCloud, ground: Raster, noise: Raster, *, threshold_m: float, scalar: float) -> PointCloud:
    """The cloud with its classes, from the provisional ground. Needs a halo of `GROUND_HALO` cells.

    Where no ground is known a point is not ground.
    """
    codes = _kept_codes(cloud)
    codes[counted(cloud)] = NOT_GROUND
    labels.label(cloud.xyz, codes, ground.grid, ground.values, noise.values, threshold_m=threshold_m, scalar=scalar)
    return cloud.with_attribute("classification", codes)


def object_halo(window_m: float, cell_m: float) -> int:
    """How many cells around a cell decide whether it holds an object."""
    return 2 * _radius(window_m, cell_m)


def _radius(window_m: float, cell_m: float) -> int:
    return math.ceil(window_m / cell_m - 1e-9)
