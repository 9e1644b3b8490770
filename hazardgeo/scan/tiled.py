"""From a scan of any size to the ground: the same steps as in memory, tile by tile, with the same result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, replace
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
from hazardgeo.scan import clumps, layers, relief, surface, walls
from hazardgeo.scan import ground as _ground
from hazardgeo.scan.penetration import Origin, decided, flagged, origin_of
from hazardgeo.scan.points import cell_values, counted, require_dense
from hazardgeo.tiles import CloudSink, CloudSource, RasterSink, RasterSource, Scratch, Tile
from hazardgeo.tiles.engine import Partial
from hazardgeo.tiles.folder import discard, held
from hazardgeo.tiles.points import cells_of, grid_over

_KNOWN = "some.known"
_TILE_POINTS = 1_000_000
_SMALLEST_TILE, _LARGEST_TILE = 32, 1024
_LAYERS = {"density": layers.density_on, "intensity": layers.intensity_on, "roughness": layers.roughness_on}
_COUNTS = ("count", "density")  # which are known without a point
STATISTICS = ("highest", "lowest", "mean", "count", *_LAYERS)


def grid_of(cloud: CloudSource, cell_m: float) -> Grid:
    """The grid of cells of `cell_m` over a cloud; errors are those of the functions for clouds in memory."""
    require_cell(cell_m)
    fix = "reproject the cloud to a projected metric CRS, for example UTM, first."
    require_metric_crs(cloud.crs, what="a scan by tiles", fix=fix)
    grid = grid_over(cloud.bounds, cell_m, cloud.crs)
    require_dense(grid, cloud.points)
    return grid


def tile_cells_for(cloud: CloudSource, grid: Grid) -> int:
    """The side in cells of the largest tiles of which none holds more than some million points."""
    cells = _LARGEST_TILE
    while cells > _SMALLEST_TILE and cloud.fullest(cells * grid.cell[0]) > _TILE_POINTS:
        cells //= 2
    return cells


def cell_statistic(cloud: CloudSource, sink: RasterSink, *, cell_m: float, statistic: str, **job: Any) -> None:
    """The "highest", "lowest" or "mean" elevation of the points in each cell, or their "count", of those that count.

    Or what the functions `density` (of last returns), `intensity` and `roughness` make of them. Cells without a point are
    unknown; their count and density is 0. `job` and errors are those of `tiles.map`; InputError for
    another statistic, and where no point counts.
    """
    require_statistic(statistic, cell_m=cell_m)
    grid = grid_of(cloud, cell_m)
    job.setdefault("tile_cells", tile_cells_for(cloud, grid))
    into = (
        sink if statistic in _COUNTS else SomeKnown(sink, f"all {cloud.points:,} points are withheld or noise; check the flags.")
    )
    tiles.map(_statistic, {"cloud": cloud}, into, grid=grid, options={"statistic": statistic}, **job)


def require_statistic(statistic: str, *, cell_m: float) -> None:
    """Raise InputError for options of `cell_statistic` that make no sense."""
    if statistic not in STATISTICS:
        raise InputError(f"statistic={statistic!r} is none of {', '.join(STATISTICS)}.")
    require_cell(cell_m)


def require_cell(cell_m: float) -> None:
    """Raise InputError unless a cell has a size."""
    if not (math.isfinite(cell_m) and cell_m > 0):
        raise InputError(f"the cell size must be a positive number, not {cell_m}.")


def _statistic(cloud: PointCloud, grid: Grid, *, statistic: str) -> Raster:
    if statistic in _LAYERS:
        return _LAYERS[statistic](cloud, grid)
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


def ground_and_surfaces(  # noqa: PLR0913 - all are options of the filter, named
    cloud: CloudSource,
    sinks: GroundSinks,
    *,
    work_folder: Path,
    cell_m: float = 1.0,
    slope: float = 0.05,
    window_m: float = 24.0,
    threshold_m: float = 0.3,
    scalar: float = 1.25,
    max_gap_m: float = 5.0,
    max_cover_m: float = 20.0,
    penetrates: bool | None = None,
    **job: Any,
) -> None:
    """What `classify_ground`, `dtm` and `dsm` give for the whole cloud, to the last bit, tile by tile.

    What lies between two steps is kept in `work_folder`, which is removed at the end; an interrupted call goes on from
    there. `job` is that of `tiles.map`; errors are those of the three functions.
    """
    filter_options = {"slope": slope, "window_m": window_m, "threshold_m": threshold_m, "scalar": scalar}
    gaps = {"max_gap_m": max_gap_m, "max_cover_m": max_cover_m}
    require_ground_options(cell_m=cell_m, **filter_options, **gaps)
    if cloud.points < _ground.MIN_POINTS:
        raise InputError(f"the ground needs at least {_ground.MIN_POINTS} points, not {cloud.points}.")
    grid = grid_of(cloud, cell_m)
    job.setdefault("tile_cells", tile_cells_for(cloud, grid))
    with held(work_folder):
        work = Work(work_folder, grid, job)
        synthetic = work.flag(cloud, penetrates)
        allowances = {"threshold_m": threshold_m, "scalar": scalar}
        ground = work.provisional_ground(cloud, allowances, slope=slope, window_m=window_m)
        later = [Later(sink) for sink in (sinks.cloud, sinks.dsm)]
        measured, seen = work.scratch("measured"), work.scratch("seen")
        parts: dict[str, Any] = {"cloud": later[0], "measured": measured, "dsm": later[1], "seen": seen}
        halo = _ground.GROUND_HALO
        options: dict[str, Any] = {**allowances, "synthetic": synthetic}
        tiles.map(_classified, {"cloud": cloud, **ground}, parts, grid=grid, halo=halo, options=options, **job)
        told = tiles.map_reduce(
            walls.stack_of,
            walls.joined,
            {"lowest": work.scratch("lowest"), "highest": seen},
            work_folder=work_folder / "walls",
            grid=grid,
            **job,
        )
        walls.warn_of_wall(told, cell_m)
        dtm = work.terrain(measured, seen, hidden=bool(synthetic), **gaps)
        known, from_ground = work.known_cells(dtm=dtm, measured=measured)
        if not from_ground:
            raise InputError(f"none of the {cloud.points:,} points is ground (class 2); check the parameters.")
        tags = surface.dtm_tags(1.0 - from_ground / known, hidden=bool(synthetic), **gaps)
        tiles.map(_named, {"dtm": dtm}, sinks.dtm, grid=grid, options={"tags": tags, "height": cloud.height}, **job)
        for sink in later:
            sink.finish_now(grid, int(job["tile_cells"]))
        discard(work_folder)


def require_ground_options(
    *, cell_m: float, slope: float, window_m: float, threshold_m: float, scalar: float, max_gap_m: float, max_cover_m: float
) -> None:
    """Raise InputError for options of `ground_and_surfaces` that make no sense."""
    _ground.require_parameters(cell_m=cell_m, slope=slope, window_m=window_m, threshold_m=threshold_m, scalar=scalar)
    surface.require_gaps(max_gap_m=max_gap_m, max_cover_m=max_cover_m)


@dataclass(frozen=True, slots=True)
class Later:
    """A sink whose file appears at the very end, so that a call that fails before leaves none."""

    sink: Any

    def work_folder(self) -> Path:
        return Path(self.sink.work_folder())

    def has(self, folder: Path, tile: Tile) -> bool:
        return bool(self.sink.has(folder, tile))

    def write(self, folder: Path, tile: Tile, part: Any) -> None:
        self.sink.write(folder, tile, part)

    def finish(self, folder: Path, grid: Grid, tiles: Iterable[Tile]) -> None:
        """Not yet."""

    def finish_now(self, grid: Grid, tile_cells: int) -> None:
        self.sink.finish(self.work_folder(), grid, tiles.plan(grid, tile_cells=tile_cells))


@dataclass(frozen=True, slots=True)
class SomeKnown:
    """A sink whose file is made only if a cell of it is known; else InputError says why."""

    sink: Any
    why: str

    def work_folder(self) -> Path:
        return Path(self.sink.work_folder())

    def has(self, folder: Path, tile: Tile) -> bool:
        return bool(self.sink.has(folder, tile))

    def write(self, folder: Path, tile: Tile, part: Raster) -> None:
        if not part.unknown.all():
            (folder / _KNOWN).touch()
        self.sink.write(folder, tile, part)

    def finish(self, folder: Path, grid: Grid, tiles: Iterable[Tile]) -> None:
        if not (folder / _KNOWN).exists():
            discard(folder)
            raise InputError(self.why)
        self.sink.finish(folder, grid, tiles)


@dataclass(frozen=True, slots=True)
class Work:
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

    def filled(self, name: str, holed: RasterSource, **options: int) -> Scratch:
        """The surface with its holes filled."""
        made = self.scratch(name)
        tiles.fill_holes(holed, made, work_folder=self.folder / f"{name}-levels", **options, **self.job)
        return made

    def provisional_ground(
        self, cloud: CloudSource, allowances: dict[str, float], *, slope: float, window_m: float
    ) -> dict[str, Scratch]:
        """The ground without objects and clumps of noise, and where noise is."""
        points: dict[str, Any] = {name: self.scratch(name) for name in ("lowest", "east", "north")}
        tiles.map(_ground.lowest_points, {"cloud": cloud}, points, grid=self.grid, **self.job)
        lowest = points["lowest"]
        if not self.known_cells(lowest=lowest)[0]:
            raise InputError(f"all {cloud.points:,} points are withheld or noise, so there is no ground; check the flags.")
        filled = self.filled("filled", lowest)
        thinned = self.step("thinned", _ground.without_low_noise, halo=_ground.NOISE_HALO, filled=filled)
        found = {"surface": self.filled("clean", thinned), "lowest": lowest, "thinned": thinned}
        cell_m, options = self.grid.cell[0], {"slope": slope, "window_m": window_m}
        halo = _ground.object_halo(window_m, cell_m)
        kind = self.step("kind", _ground.without_objects, halo=halo, options=options, **found)
        bare = self.step("bare", _ground.with_relief, halo=relief.regrowth_halo(cell_m), kind=kind, **points)
        spanned = {
            "cloud": cloud,
            "bare": bare,
            "ground": self.filled("spanned-bare", bare),
            "lowest": lowest,
            "thinned": thinned,
        }
        made = {name: self.scratch(name) for name in ("firm", "noise")}
        halo = clumps.clump_halo(cell_m)
        tiles.map(_ground.without_clumps, spanned, made, grid=self.grid, halo=halo, options=allowances, **self.job)
        return {"ground": self.filled("ground", made["firm"]), "noise": made["noise"]}

    def terrain(self, measured: Scratch, seen: Scratch, *, hidden: bool, **gaps_m: float) -> Scratch:
        """The ground and what may be interpolated of it, from the ground of cells and the surface of all points."""
        found = {"measured": measured, "seen": seen, "spanned": self.filled("spanned", measured, sweeps=surface.SWEEPS)}
        halo = surface.stretch_halo(gaps_m["max_gap_m"], gaps_m["max_cover_m"], self.grid.cell[0])
        return self.step("dtm", surface.stretched, halo=halo, options={**gaps_m, "hidden": hidden}, **found)

    def flag(self, cloud: CloudSource, penetrates: bool | None) -> bool | None:
        """What the points must be flagged as, so that they say whether they see through plants; None for as they are."""
        origin = self.origin(cloud)
        return origin.flag(decided(origin, penetrates))

    def origin(self, cloud: CloudSource) -> Origin:
        """What the points say of how they were made."""
        folder = self.folder / "origin"
        counted = tiles.map_reduce(_origin, _summed, {"cloud": cloud}, work_folder=folder, grid=self.grid, **self.job)
        return Origin(*(int(count) for count in counted["counts"]))

    def known_cells(self, **rasters: Scratch) -> list[int]:
        """How many cells of each raster are known."""
        folder = self.folder / f"known-{'-'.join(rasters)}"
        counted = tiles.map_reduce(_known, _added, dict(rasters), work_folder=folder, grid=self.grid, **self.job)
        return [int(count) for count in counted["cells"]]


def _classified(
    cloud: PointCloud, ground: Raster, noise: Raster, *, threshold_m: float, scalar: float, synthetic: bool | None
) -> dict[str, PointCloud | Raster]:
    found = flagged(_ground.classified(cloud, ground, noise, threshold_m=threshold_m, scalar=scalar), synthetic)
    seen = surface.dsm_of(found, ground.grid)
    return {"cloud": found, "measured": surface.ground_means(found, ground.grid), "dsm": seen, "seen": seen}


def _origin(cloud: PointCloud) -> Partial:
    return {"counts": np.array(astuple(origin_of(cloud)))}


def _summed(one: Partial, other: Partial) -> Partial:
    return {"counts": one["counts"] + other["counts"]}


def _known(inner: tuple[slice, slice], **rasters: Raster) -> Partial:
    return {"cells": np.array([np.count_nonzero(~raster.unknown[inner]) for raster in rasters.values()])}


def _added(one: Partial, other: Partial) -> Partial:
    return {"cells": one["cells"] + other["cells"]}


def _named(dtm: Raster, *, tags: dict[str, str], height: Height) -> Raster:
    return replace(dtm, name="dtm", unit="m", height=height, tags=tags)
