"""From a scan of any size to the ground: the same steps as in memory, tile by tile, with the same result."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hazardgeo import tiles
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.crs import require_metric as require_metric_crs
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.scan import ground as _ground
from hazardgeo.scan import surface
from hazardgeo.scan.points import cell_values, counted, require_dense
from hazardgeo.tiles import CloudSink, CloudSource, RasterSink, Scratch
from hazardgeo.tiles.engine import Partial
from hazardgeo.tiles.folder import discard
from hazardgeo.tiles.points import cells_of, grid_over

_TILE_POINTS = 1_000_000
_SMALLEST_TILE, _LARGEST_TILE = 128, 2048
STATISTICS = ("highest", "lowest", "mean", "count")


def grid_of(cloud: CloudSource, cell_m: float) -> Grid:
    """The grid of cells of `cell_m` over a cloud; errors are those of the functions for clouds in memory."""
    if not (math.isfinite(cell_m) and cell_m > 0):
        raise InputError(f"the cell size must be a positive number, not {cell_m}.")
    fix = "reproject the cloud to a projected metric CRS, for example UTM, first."
    require_metric_crs(cloud.crs, what="a scan by tiles", fix=fix)
    grid = grid_over(cloud.bounds, cell_m, cloud.crs)
    require_dense(grid, cloud.points)
    return grid


def tile_cells_for(cloud: CloudSource, grid: Grid) -> int:
    """The side of tiles that hold some million points, in cells."""
    cells = grid.shape[0] * grid.shape[1]
    side = math.sqrt(_TILE_POINTS * cells / max(cloud.points, 1))
    return int(min(max(2 ** round(math.log2(side)), _SMALLEST_TILE), _LARGEST_TILE))


def cell_statistic(cloud: CloudSource, sink: RasterSink, *, cell_m: float, statistic: str, **job: Any) -> None:
    """The "highest", "lowest" or "mean" elevation of the points in each cell, or their "count", of those that count.

    Cells without a point are unknown; their count is 0. `job` and errors are those of `tiles.map`; InputError for
    another statistic.
    """
    if statistic not in STATISTICS:
        raise InputError(f"statistic={statistic!r} is none of {', '.join(STATISTICS)}.")
    grid = grid_of(cloud, cell_m)
    job.setdefault("tile_cells", tile_cells_for(cloud, grid))
    tiles.map(_statistic, {"cloud": cloud}, sink, grid=grid, options={"statistic": statistic}, **job)


def _statistic(cloud: PointCloud, grid: Grid, *, statistic: str) -> Raster:
    xyz = cloud.xyz[counted(cloud)]
    tags = {"method": f"{statistic} of the points per cell, without noise and withheld ones"}
    if statistic == "count":
        rows, cols = cells_of(xyz, grid)
        number = np.bincount(rows * grid.shape[1] + cols, minlength=grid.shape[0] * grid.shape[1]).reshape(grid.shape)
        return Raster(number.astype(np.float32), grid, "count", "1", tags=tags)
    return Raster(cell_values(xyz, grid, statistic).astype(np.float32), grid, statistic, "m", cloud.height, tags=tags)


@dataclass(frozen=True, slots=True)
class GroundSinks:
    """Where the classified cloud, the terrain model and the surface model go."""

    cloud: CloudSink
    dtm: RasterSink
    dsm: RasterSink


def ground_and_surfaces(
    cloud: CloudSource,
    sinks: GroundSinks,
    *,
    work_folder: Path,
    cell_m: float = 1.0,
    slope: float = 0.15,
    window_m: float = 18.0,
    threshold_m: float = 0.5,
    scalar: float = 1.25,
    max_gap_m: float = 5.0,
    max_cover_m: float = 20.0,
    **job: Any,
) -> None:
    """What `classify_ground`, `dtm` and `dsm` give for the whole cloud, to the last bit, tile by tile.

    What lies between two steps is kept in `work_folder`, which is removed at the end; an interrupted call goes on from
    there. `job` is that of `tiles.map`; errors are those of the three functions.
    """
    _ground.require_parameters(cell_m=cell_m, slope=slope, window_m=window_m, threshold_m=threshold_m, scalar=scalar)
    surface.require_gaps(max_gap_m=max_gap_m, max_cover_m=max_cover_m)
    if cloud.points < _ground.MIN_POINTS:
        raise InputError(f"the ground needs at least {_ground.MIN_POINTS} points, not {cloud.points}.")
    grid = grid_of(cloud, cell_m)
    job.setdefault("tile_cells", tile_cells_for(cloud, grid))
    work = _Work(work_folder, grid, job)
    lowest = work.step("lowest", _ground.lowest_points, cloud=cloud)
    thinned = work.step("thinned", _ground.without_low_noise, halo=_ground.NOISE_HALO, filled=work.filled("filled", lowest))
    bare = work.step(
        "bare",
        _ground.without_objects,
        halo=_ground.object_halo(window_m, cell_m),
        options={"slope": slope, "window_m": window_m},
        surface=work.filled("clean", thinned),
        lowest=lowest,
        thinned=thinned,
    )
    measured = work.scratch("measured")
    given: dict[str, Any] = {"cloud": cloud, "ground": work.filled("ground", bare), "lowest": lowest, "thinned": thinned}
    options = {"threshold_m": threshold_m, "scalar": scalar}
    parts: dict[str, Any] = {"cloud": sinks.cloud, "measured": measured, "dsm": sinks.dsm, "seen": work.scratch("seen")}
    tiles.map(_classified, given, parts, grid=grid, halo=_ground.GROUND_HALO, options=options, **job)
    gaps = {"max_gap_m": max_gap_m, "max_cover_m": max_cover_m}
    dtm = work.step(
        "dtm",
        surface.stretched,
        halo=surface.stretch_halo(max_gap_m, max_cover_m, cell_m),
        options=gaps,
        measured=measured,
        seen=work.scratch("seen"),
        spanned=work.filled("spanned", measured, sweeps=surface.SWEEPS),
    )
    known = tiles.map_reduce(
        _known, _added, {"dtm": dtm, "measured": measured}, work_folder=work_folder / "known", grid=grid, **job
    )["cells"]
    if not known[1]:
        raise InputError(f"none of the {cloud.points:,} points is ground (class 2); check the parameters.")
    tags = surface.dtm_tags(1.0 - float(known[1]) / float(known[0]), **gaps)
    tiles.map(_named, {"dtm": dtm}, sinks.dtm, grid=grid, options={"tags": tags, "height": cloud.height}, **job)
    work.discard()


@dataclass(frozen=True, slots=True)
class _Work:
    """The steps of one call: their grid, and where each keeps what it has made."""

    folder: Path
    grid: Grid
    job: dict[str, Any]

    def scratch(self, name: str) -> Scratch:
        return Scratch(self.folder / name, self.grid, int(self.job["tile_cells"]))

    def step(
        self, name: str, function: Callable[..., Raster], *, halo: int = 0, options: dict[str, Any] | None = None, **sources: Any
    ) -> Scratch:
        """What the function makes of the sources."""
        made = self.scratch(name)
        tiles.map(function, sources, made, grid=self.grid, halo=halo, options=options or {}, **self.job)
        return made

    def filled(self, name: str, holed: Scratch, **options: int) -> Scratch:
        """The surface with its holes filled."""
        made = self.scratch(name)
        tiles.fill_holes(holed, made, work_folder=self.folder / f"{name}-levels", **options, **self.job)
        return made

    def discard(self) -> None:
        discard(self.folder)


def _classified(
    cloud: PointCloud, ground: Raster, lowest: Raster, thinned: Raster, *, threshold_m: float, scalar: float
) -> dict[str, PointCloud | Raster]:
    found = _ground.classified(cloud, ground, lowest, thinned, threshold_m=threshold_m, scalar=scalar)
    seen = surface.dsm_of(found, ground.grid)
    return {"cloud": found, "measured": surface.ground_means(found, ground.grid), "dsm": seen, "seen": seen}


def _known(dtm: Raster, measured: Raster, inner: tuple[slice, slice]) -> Partial:
    return {"cells": np.array([np.count_nonzero(~r.unknown[inner]) for r in (dtm, measured)])}


def _added(one: Partial, other: Partial) -> Partial:
    return {"cells": one["cells"] + other["cells"]}


def _named(dtm: Raster, *, tags: dict[str, str], height: Height) -> Raster:
    return replace(dtm, name="dtm", unit="m", height=height, tags=tags)
