"""What a scan holds: how dense it is, where it has gaps, and what its points say of themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo import crs as _crs
from hazardgeo import tiles
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import require_metric
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.scan.points import GROUND, counted, require_usable
from hazardgeo.scan.returns import of_returns
from hazardgeo.scan.surface import RELATIVE_ONLY
from hazardgeo.tiles import CloudSource
from hazardgeo.tiles.plan import origin_cells
from hazardgeo.tiles.points import cells_of, grid_over

_MOST_CELLS = 4_000_000
Partial = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class CloudReport:
    """What a scan holds. Densities and gaps are of points that are neither withheld, noise nor flagged as overlap.

    The survey is the cells with points and the empty ones that lie between them along both their row and their column;
    densities are by its area. `first_per_m2` counts pulses, `last_per_m2` what reached farthest. `strips` are different
    point source numbers, None where points have none. `ground_share` is None for a cloud without classes. Heights are of
    points that are neither withheld nor noise, NaN without any. `accuracy` says what the positions were checked against.
    """

    points: int
    cell_m: float
    area_m2: float
    first_per_m2: float
    last_per_m2: float
    empty_share: float
    largest_void_m2: float
    strips: int | None
    withheld_share: float
    overlap_share: float
    noise_share: float
    ground_share: float | None
    lowest_m: float
    highest_m: float
    crs: str
    height: str
    accuracy: str = RELATIVE_ONLY

    def rows(self) -> Iterator[tuple[str, str]]:
        """What is said of each quantity, in words."""
        yield "points", f"{self.points:,}"
        yield "survey", f"{self.area_m2:,.0f} m2, by cells of {self.cell_m:g} m"
        yield "density", f"{self.first_per_m2:.2f} first and {self.last_per_m2:.2f} last returns per m2"
        yield "gaps", f"{self.empty_share:.1%} of the cells are empty, the largest void has {self.largest_void_m2:,.0f} m2"
        yield "strips", "unknown" if self.strips is None else f"{self.strips}"
        yield "ground", "not classified" if self.ground_share is None else f"{self.ground_share:.1%} of the points"
        flags = f"{self.withheld_share:.2%} withheld, {self.noise_share:.2%} noise, {self.overlap_share:.2%} overlap"
        yield "flags", flags
        yield "heights", f"{self.lowest_m:.2f} to {self.highest_m:.2f} m, {self.height}"
        yield "crs", self.crs
        yield "accuracy", self.accuracy


def report(cloud: PointCloud, *, cell_m: float = 1.0) -> CloudReport:
    """Density, gaps, strips, shares of flagged points, heights and references of a scan, by cells of `cell_m`.

    Cells are doubled in size until there are at most four million; the report names the size. Points with return
    numbers that make no sense (0, or more than there are returns) count as first and last. Raises CrsError unless the
    cloud is metric and InputError for a cloud without points or with coordinates that are not finite.
    """
    require_usable(cloud, "report")
    grid = _grid(cloud.bounds, cell_m, cloud.crs)
    return _told(tally(cloud, grid), grid, cloud.crs, cloud.height)


def report_of(cloud: CloudSource, *, work_folder: Path, cell_m: float = 1.0, **job: Any) -> CloudReport:
    """The `report` of a scan of any size, tile by tile. `job` and errors are those of `tiles.map_reduce` and `report`."""
    if not cloud.points:
        raise InputError("the report needs points, but the cloud has none; check the file.")
    require_metric(cloud.crs, what="report", fix="reproject the cloud to a projected metric CRS, for example UTM, first.")
    grid = _grid(cloud.bounds, cell_m, cloud.crs)
    found = tiles.map_reduce(tally, _joined, {"cloud": cloud}, work_folder=work_folder, grid=grid, **job)
    return _told(found, grid, cloud.crs, cloud.height)


def _grid(bounds: tuple[float, float, float, float], cell_m: float, crs: object) -> Grid:
    if not (math.isfinite(cell_m) and cell_m > 0):
        raise InputError(f"the cell size must be a positive number, not {cell_m}.")
    west, south, east, north = bounds
    while ((east - west) / cell_m + 1) * ((north - south) / cell_m + 1) > _MOST_CELLS:
        cell_m *= 2
    return grid_over(bounds, cell_m, crs)


def tally(cloud: PointCloud, grid: Grid) -> Partial:
    """Counts of the points in the cells of a grid, or of a part of one, that add up."""
    good = counted(cloud)
    none = np.zeros(len(cloud), bool)
    flags = {name: np.asarray(cloud.attributes.get(name, none)).astype(bool) for name in ("withheld", "overlap")}
    noise = ~good & ~flags["withheld"]
    once = good & ~flags["overlap"]
    codes = np.asarray(cloud.attributes.get("classification", none)).astype(np.uint8)
    rows, cols = cells_of(cloud.xyz, grid)
    place, size = rows * grid.shape[1] + cols, grid.shape[0] * grid.shape[1]
    number = np.bincount(place[once], minlength=size)
    held = np.flatnonzero(number)
    first_row, first_col = origin_cells(grid)
    sums = [len(cloud), flags["withheld"].sum(), noise.sum(), flags["overlap"].sum(), (good & (codes == GROUND)).sum()]
    sums += [(once & of_returns(cloud, which)).sum() for which in ("first", "last")]
    z = cloud.xyz[good, 2]
    source = cloud.attributes.get("point_source_id")
    return {
        "sums": np.array(sums, np.int64),
        "rows": held // grid.shape[1] + first_row,
        "cols": held % grid.shape[1] + first_col,
        "heights": np.array([z.min(), z.max()] if len(z) else [np.inf, -np.inf]),
        "strips": np.unique(np.asarray(source)) if source is not None else np.empty(0, np.int64),
        "known": np.array([source is not None, "classification" in cloud.attributes]),
    }


def _joined(one: Partial, other: Partial) -> Partial:
    (low, high), (lower, higher) = one["heights"], other["heights"]
    return {
        "sums": one["sums"] + other["sums"],
        "rows": np.concatenate([one["rows"], other["rows"]]),
        "cols": np.concatenate([one["cols"], other["cols"]]),
        "heights": np.array([min(low, lower), max(high, higher)]),
        "strips": np.union1d(one["strips"], other["strips"]),
        "known": one["known"] | other["known"],
    }


def _told(found: Partial, grid: Grid, crs: object, height: object) -> CloudReport:
    held = np.zeros(grid.shape, bool)
    row, col = origin_cells(grid)
    held[found["rows"] - row, found["cols"] - col] = True
    empty = ~held & between_all(held) & between_all(held.T).T
    bodies, count = ndimage.label(empty)
    largest = int(np.bincount(bodies.ravel())[1:].max()) if count else 0
    points, withheld, noise, overlap, ground, first, last = (int(n) for n in found["sums"])
    cells, cell_m = int(held.sum()) + int(empty.sum()), grid.cell[0]
    area = cells * cell_m**2
    heights = found["heights"] if found["heights"][0] <= found["heights"][1] else np.full(2, np.nan)
    has_strips, has_codes = (bool(k) for k in found["known"])
    return CloudReport(
        points=points,
        cell_m=cell_m,
        area_m2=area,
        first_per_m2=first / area if cells else 0.0,
        last_per_m2=last / area if cells else 0.0,
        empty_share=int(empty.sum()) / cells if cells else 1.0,
        largest_void_m2=largest * cell_m**2,
        strips=len(found["strips"]) if has_strips else None,
        withheld_share=withheld / points,
        overlap_share=overlap / points,
        noise_share=noise / points,
        ground_share=ground / points if has_codes else None,
        lowest_m=float(heights[0]),
        highest_m=float(heights[1]),
        crs=_crs.label(crs),  # type: ignore[arg-type]
        height=str(height),
    )


def between_all(held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells with a held one on both sides along their row."""
    before = np.logical_or.accumulate(held, axis=1)
    after = np.logical_or.accumulate(held[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(before & after)
