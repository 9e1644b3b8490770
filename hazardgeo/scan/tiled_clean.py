"""Cleaning a scan of any size: what `clean` gives for the whole, tile by tile."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from hazardgeo import tiles
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.scan.clean import (
    KINDS,
    LOW_HALO,
    LOWER_HALO,
    STAYS,
    CleaningReport,
    kinds,
    low_points,
    lower_surface,
    lowest,
    number_of,
    reported,
    require_left,
    require_options,
    without,
)
from hazardgeo.scan.gridding import extent
from hazardgeo.scan.points import require_dense
from hazardgeo.scan.tiled import Later, Work, grid_of, tile_cells_for
from hazardgeo.tiles import CloudSink, CloudSource, Framed, Scratch
from hazardgeo.tiles.engine import Partial
from hazardgeo.tiles.folder import discard, held
from hazardgeo.tiles.framed import grown
from hazardgeo.tiles.points import grid_over, inside

_NEAR = 2  # cells of the radius that hold all neighbours, rounding included


def clean_of(
    cloud: CloudSource,
    sink: CloudSink,
    *,
    work_folder: Path,
    radius_m: float = 5.0,
    min_neighbours: int = 2,
    low_m: float = 1.0,
    noise: Literal["drop", "mark"] = "drop",
    **job: Any,
) -> CleaningReport:
    """What `clean` gives for the whole cloud, tile by tile: the points go to `sink`, the report is returned.

    The points are read three times. What lies between is kept in `work_folder`, which is removed at the end. `job` is that of
    `tiles.map`; errors are those of `clean`, and InputError where stray points lie so far away that cells of `radius_m` over
    all of them are mostly empty: drop these first.
    """
    require_options(radius_m=radius_m, min_neighbours=min_neighbours, low_m=low_m, noise=noise)
    if not cloud.points:
        raise InputError("clean needs points, but the cloud has none; check the file.")
    grid = grid_of(cloud, radius_m)
    job.setdefault("tile_cells", tile_cells_for(cloud, grid))
    near: dict[str, Any] = {"radius_m": radius_m, "min_neighbours": min_neighbours}
    with held(work_folder):
        told = {"work_folder": work_folder / "kinds", "grid": grid, "halo": _NEAR, "options": near, **job}
        found = tiles.map_reduce(_kinds, _joined, {"cloud": cloud}, **told)
        if not found["counts"][STAYS]:
            require_left(reported(found["counts"], 0), radius_m)
        lower = _lower_surface(cloud, work_folder, found, near, job)
        bottom, top = found["heights"]
        options = {**near, "low_m": low_m, "noise": noise, "middle_m": float(bottom + top) / 2}
        later, low = Later(sink), Scratch(work_folder / "low", grid, int(job["tile_cells"]))
        sources: dict[str, Any] = {"cloud": cloud, "lower": Framed(lower, grid)}
        parts: dict[str, Any] = {"cloud": later, "low": low}
        tiles.map(_cleaned, sources, parts, grid=grid, halo=LOW_HALO, options=options, **job)
        number = tiles.map_reduce(_number, _added, {"low": low}, work_folder=work_folder / "number", grid=grid, **job)
        report = reported(found["counts"], int(number["low"][0]))
        require_left(report, radius_m)
        later.finish_now(grid, int(job["tile_cells"]))
        discard(work_folder)
    return report


def _lower_surface(cloud: CloudSource, folder: Path, found: Partial, near: dict[str, Any], job: dict[str, Any]) -> Scratch:
    """The surface of the lowest of the points that stay, on the grid over these alone: strays do not widen it."""
    west, south, east, north = found["bounds"]
    survey = grid_over((-west, -south, east, north), near["radius_m"], cloud.crs)
    require_dense(survey, int(found["counts"][STAYS]))
    work = Work(folder, survey, job)
    wide = grown(survey, top=_NEAR, left=_NEAR, bottom=_NEAR, right=_NEAR)
    lowest = Scratch(folder / "lowest", wide, int(job["tile_cells"]))
    tiles.map(_lowest, {"cloud": cloud}, lowest, grid=wide, halo=_NEAR, options=near, **job)
    filled = work.filled("filled", Framed(lowest, survey))
    return work.step("lower", lower_surface, halo=LOWER_HALO, lowest=filled)


def _kinds(cloud: PointCloud, grid: Grid, inner: tuple[slice, slice], *, radius_m: float, min_neighbours: int) -> Partial:
    kind = kinds(cloud, radius_m=radius_m, min_neighbours=min_neighbours)
    core = inside(cloud.xyz, grid.window(*inner))
    stays = cloud.xyz[core & (kind == STAYS)]
    west, south, east, north = extent(stays)[0]
    heights = [stays[:, 2].min(), stays[:, 2].max()] if len(stays) else [np.inf, -np.inf]
    return {
        "counts": np.bincount(kind[core], minlength=KINDS),
        "bounds": np.array([-west, -south, east, north]),
        "heights": np.array(heights),
    }


def _joined(one: Partial, other: Partial) -> Partial:
    (low, high), (lower, higher) = one["heights"], other["heights"]
    return {
        "counts": one["counts"] + other["counts"],
        "bounds": np.maximum(one["bounds"], other["bounds"]),
        "heights": np.array([min(low, lower), max(high, higher)]),
    }


def _lowest(cloud: PointCloud, grid: Grid, *, radius_m: float, min_neighbours: int) -> Raster:
    return lowest(cloud, kinds(cloud, radius_m=radius_m, min_neighbours=min_neighbours), grid)


def _cleaned(
    cloud: PointCloud, lower: Raster, *, radius_m: float, min_neighbours: int, low_m: float, noise: str, middle_m: float
) -> dict[str, PointCloud | Raster]:
    kind = kinds(cloud, radius_m=radius_m, min_neighbours=min_neighbours)
    low = low_points(cloud, kind, lower, low_m=low_m)
    number = number_of(cloud.xyz[low], lower.grid).astype(np.float32)
    left = without(cloud, kind, low, lower, middle_m=middle_m, noise=noise)
    return {"cloud": left, "low": Raster(number, lower.grid)}


def _number(low: Raster, inner: tuple[slice, slice]) -> Partial:
    return {"low": np.array([int(low.values[inner].astype(np.int64).sum())])}


def _added(one: Partial, other: Partial) -> Partial:
    return {"low": one["low"] + other["low"]}
