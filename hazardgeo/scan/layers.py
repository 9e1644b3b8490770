"""Rasters of a scan besides elevations: heights above ground, intensity, density, roughness, and what a DTM rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo import crs as _crs
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import CrsError, InputError
from hazardgeo.grid import Grid
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.raster import Raster
from hazardgeo.scan.gridding import Floats, Mask, Place, gridded, numbers
from hazardgeo.scan.plane_fit import LINE, about_mean, axes_of
from hazardgeo.scan.points import BAND_POINTS, counted, grid_of, require_usable
from hazardgeo.scan.returns import Returns, of_returns
from hazardgeo.scan.surface import ground_points, is_ground
from hazardgeo.tiles.plan import origin_cells
from hazardgeo.tiles.points import cells_of, place_of

MIN_POINTS = 5
ABOVE = "height_above_ground_m"
Surface = TypeVar("Surface", Raster, PointCloud)


def height_above_ground(surface: Surface, dtm: Raster) -> Surface:
    """How high a surface model or the points of a cloud lie above the ground, in m.

    Of a raster, such as `dsm`, the difference of the two; of a cloud the same cloud with the attribute
    `height_above_ground_m`, where the ground is interpolated between the centres of its cells (bilinear). Unknown (NaN)
    where either is unknown. Negative heights stay: they are noise, or ground that the DTM has missed.

    Raises GridMismatchError or CrsError where the two do not lie on the same cells or in the same CRS, HeightError for
    two height references, and InputError for rasters that are not in m.
    """
    dtm.require(unit="m")
    if isinstance(surface, Raster):
        surface.require(unit="m")
        surface.require_same(dtm)
        return surface.like((surface.values - dtm.values).astype(np.float32), ABOVE.removesuffix("_m"), "m")
    require_usable(surface, "height_above_ground")
    if surface.crs != dtm.grid.crs:
        raise CrsError(
            f"the cloud is in {_crs.label(surface.crs)}, the ground in {_crs.label(dtm.grid.crs)}; bring both into one CRS."
        )
    if dtm.height is not None:
        surface.height.require_same(dtm.height)
    return heights_over(surface, dtm, own=cells_held(dtm.grid))


def heights_over(cloud: PointCloud, dtm: Raster, *, own: tuple[int, int, int, int]) -> PointCloud:
    """The cloud with its heights above the ground. Needs a halo of one cell; `own` are the `cells_held` by the whole DTM."""
    place, ground = place_of(dtm.grid), np.empty(len(cloud))
    values = np.asarray(dtm.values, np.float32)
    in_bands(
        lambda first, last: _ground_at(cloud.xyz, values, place, own, ground, first, last), len(cloud), band_rows=BAND_POINTS
    )
    return cloud.with_attribute(ABOVE, (cloud.xyz[:, 2] - ground).astype(np.float32))


def cells_held(grid: Grid) -> tuple[int, int, int, int]:
    """First row and column of a grid and those after the last, counted from the origin of the CRS."""
    row, col = origin_cells(grid)
    return row, col, row + grid.shape[0], col + grid.shape[1]


def intensity(cloud: PointCloud, *, cell_m: float = 1.0) -> Raster:
    """The mean intensity of the points in each cell, in the unit of the scanner (mostly 0-65535); NaN without a point.

    Intensities are as they come: not corrected for range, angle or gain, so strips may differ. Withheld points and noise
    do not count. Raises InputError for a cloud without intensities, and as `dsm` does.
    """
    require_usable(cloud, "intensity")
    return intensity_on(cloud, grid_of(cloud, cell_m))


def intensity_on(cloud: PointCloud, grid: Grid) -> Raster:
    """As `intensity`, on the cells of a grid that holds the cloud."""
    if "intensity" not in cloud.attributes:
        raise InputError(
            f"the cloud has no intensity, only {', '.join(cloud.attributes) or 'coordinates'}; bring a scan that has."
        )
    values = np.asarray(cloud.attributes["intensity"]).astype(np.float64)
    mean = gridded(cloud.xyz, values, grid, "mean", counted(cloud)).astype(np.float32)
    return Raster(mean, grid, "intensity", "", tags={"method": "mean intensity per cell, not corrected for range"})


def density(cloud: PointCloud, *, cell_m: float = 1.0, returns: Returns = "last") -> Raster:
    """How many last (or first, or all) returns per m2 lie in each cell; 0 where there is none.

    Withheld points, noise and points flagged as overlap do not count. First returns tell the density of pulses, last
    ones how many may have reached the ground; points without return numbers are both. Raises as `dsm` does, and
    InputError for other `returns`.
    """
    require_usable(cloud, "density")
    return density_on(cloud, grid_of(cloud, cell_m), returns=returns)


def density_on(cloud: PointCloud, grid: Grid, *, returns: Returns = "last") -> Raster:
    """As `density`, on the cells of a grid that holds the cloud."""
    counts = counted(cloud) & of_returns(cloud, returns)
    if "overlap" in cloud.attributes:
        counts &= ~np.asarray(cloud.attributes["overlap"]).astype(bool)
    per_m2 = (numbers(cloud.xyz, grid, counts) / (grid.cell[0] * grid.cell[1])).astype(np.float32)
    return Raster(per_m2, grid, "density", "1/m2", tags={"method": f"{returns} returns per m2, without overlap"})


def roughness(cloud: PointCloud, *, cell_m: float = 1.0) -> Raster:
    """The standard deviation of the distances of a cell's points from the plane that fits them best, in m.

    The plane may be steep: distances are taken across it. With n - 3 degrees of freedom, so that it estimates the noise of
    the scanner on a plane without bias. Unknown with fewer than five points, and where they lie on a line. Points on
    plants and roofs count: select the class first, for example `cloud.select(classification == 2)`. Withheld points and
    noise do not count. Raises as `dsm` does.
    """
    require_usable(cloud, "roughness")
    return roughness_on(cloud, grid_of(cloud, cell_m))


def roughness_on(cloud: PointCloud, grid: Grid) -> Raster:
    """As `roughness`, on the cells of a grid that holds the cloud."""
    values = _plane_residuals(cloud.xyz, grid, counted(cloud)).astype(np.float32)
    tags = {"method": "standard deviation across the plane of each cell, n - 3 degrees of freedom"}
    return Raster(values, grid, "roughness", "m", tags=tags)


@dataclass(frozen=True, slots=True, eq=False)
class DtmLayers:
    """What the elevations of `dtm` rest on, on the same grid.

    `count` of ground points in each cell, 0 where there is none. `spread`: the standard deviation of their elevations in
    m (n - 1), which holds the slope within the cell; unknown with fewer than two. `distance`: from the centre of the cell
    to that of the nearest cell with a ground point, in m; 0 where the cell has one.
    """

    count: Raster
    spread: Raster
    distance: Raster


def dtm_layers(cloud: PointCloud, *, cell_m: float = 1.0, max_distance_m: float = 100.0) -> DtmLayers:
    """Count, spread and distance of the ground points (class 2) that `dtm` with the same `cell_m` is made of.

    The distance is unknown (NaN) beyond `max_distance_m`: the default is five times as far as `dtm` interpolates. Raises as
    `dtm` does, and InputError for a distance that is not positive.
    """
    require_distance(max_distance_m)
    require_usable(cloud, "dtm_layers")
    ground_points(cloud)
    count, spread = count_and_spread(cloud, grid_of(cloud, cell_m))
    return DtmLayers(count, spread, ground_distance(count, max_distance_m=max_distance_m))


def require_distance(max_distance_m: float) -> None:
    """Raise InputError unless a distance is positive."""
    if not (math.isfinite(max_distance_m) and max_distance_m > 0):
        raise InputError(f"max_distance_m must be a positive number, not {max_distance_m}.")


def count_and_spread(cloud: PointCloud, grid: Grid) -> tuple[Raster, Raster]:
    """How many ground points lie in each cell of a grid, and the standard deviation of their elevations."""
    ground = is_ground(cloud)
    count = numbers(cloud.xyz, grid, ground)
    middle = np.nan_to_num(gridded(cloud.xyz, cloud.xyz[:, 2], grid, "mean", ground))
    off = cloud.xyz[:, 2] - middle[cells_of(cloud.xyz, grid)]
    square = gridded(cloud.xyz, off * off, grid, "mean", ground)
    spread = np.full(grid.shape, np.nan)
    many = count > 1
    spread[many] = np.sqrt(square[many] * count[many] / (count[many] - 1))
    tags = {"method": "standard deviation of the elevations of the ground points per cell"}
    return (
        Raster(count.astype(np.float32), grid, "ground_count", "1", tags={"method": "ground points per cell"}),
        Raster(spread.astype(np.float32), grid, "ground_spread", "m", tags=tags),
    )


def ground_distance(count: Raster, *, max_distance_m: float) -> Raster:
    """From each cell to the nearest with ground points, in m. Needs a halo of `distance_halo(max_distance_m, cell_m)`."""
    distance = np.full(count.grid.shape, np.inf)
    if count.values.any():
        distance = ndimage.distance_transform_edt(count.values == 0) * count.grid.cell[0]
    distance[distance > max_distance_m] = np.nan
    tags = {"method": f"distance to the nearest cell with ground points, up to {max_distance_m:g} m"}
    return Raster(distance.astype(np.float32), count.grid, "ground_distance", "m", tags=tags)


def distance_halo(max_distance_m: float, cell_m: float) -> int:
    """How many cells around a cell decide how far the nearest ground point is."""
    return math.ceil(max_distance_m / cell_m) + 1


def _plane_residuals(xyz: Floats, grid: Grid, counts: Mask) -> Floats:
    out, first_z = np.full(grid.shape, np.nan), np.full(grid.shape, np.nan)
    rows = grid.shape[0]

    def fit(first: int, last: int) -> None:
        _fit_cells(xyz, counts, place_of(grid), first_z, out, first, last)

    in_bands(fit, rows, band_rows=max(1, math.ceil(rows / 4)))
    return out


@kernel
def _ground_at(
    xyz: Floats, values: NDArray[np.float32], place: Place, own: tuple[int, int, int, int], out: Floats, first: int, last: int
) -> None:
    """Elevations between the centres of cells, NaN where one that counts is; those of the border are held for half a cell."""
    cell, origin, shift = place
    top, left, bottom, right = own
    for k in range(first, last):
        south, east = -xyz[k, 1] / cell[1] - shift[0] - 0.5, xyz[k, 0] / cell[0] - shift[1] - 0.5
        out[k] = np.nan
        if not (top - 0.5 <= south <= bottom - 0.5 and left - 0.5 <= east <= right - 0.5):
            continue
        south, east = min(max(south, float(top)), bottom - 1.0), min(max(east, float(left)), right - 1.0)
        row, col = int(np.floor(south)), int(np.floor(east))
        total = 0.0
        for i in (row, row + 1):
            for j in (col, col + 1):
                weight = (1.0 - abs(south - i)) * (1.0 - abs(east - j))
                if weight > 0.0:
                    a, b = i - origin[0], j - origin[1]
                    held = 0 <= a < values.shape[0] and 0 <= b < values.shape[1]
                    total += weight * values[a, b] if held else np.nan
        out[k] = total


@kernel
def _fit_cells(xyz: Floats, counts: Mask, place: Place, first_z: Floats, out: Floats, first: int, last: int) -> None:
    cell, origin, shift = place
    number = np.zeros((last - first, out.shape[1]), np.int64)
    sums = np.zeros((last - first, out.shape[1], 9))
    for k in range(len(xyz)):
        south = -xyz[k, 1] / cell[1] - shift[0]
        row = int(np.floor(south)) - origin[0]
        if row < first or row >= last or not counts[k]:
            continue
        east = xyz[k, 0] / cell[0] - shift[1]
        col = int(np.floor(east)) - origin[1]
        if number[row - first, col] == 0:
            first_z[row, col] = xyz[k, 2]
        number[row - first, col] += 1
        x, y = (east - np.floor(east) - 0.5) * cell[0], (np.floor(south) + 0.5 - south) * cell[1]
        z = xyz[k, 2] - first_z[row, col]
        total = sums[row - first, col]
        total[0], total[1], total[2] = total[0] + x, total[1] + y, total[2] + z
        total[3], total[4], total[5] = total[3] + x * x, total[4] + x * y, total[5] + x * z
        total[6], total[7], total[8] = total[6] + y * y, total[7] + y * z, total[8] + z * z
    for row in range(first, last):
        for col in range(out.shape[1]):
            n, s = number[row - first, col], sums[row - first, col]
            if n < MIN_POINTS:
                continue
            covariance = about_mean(n, (s[0], s[1], s[2]), (s[3], s[4], s[5], s[6], s[7], s[8]))
            largest, middle, smallest, _, _, _ = axes_of(*covariance)
            if middle > LINE * largest:
                out[row, col] = math.sqrt(max(smallest, 0.0) * n / (n - 3))
