"""Single steps on elevation rasters of any size: tile by tile on any executor, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hazardgeo import io, terrain, tiles
from hazardgeo.pipeline.large import apart, target_of
from hazardgeo.raster import Raster
from hazardgeo.tiles import Executor
from hazardgeo.tiles.engine import Report

RASTER_JOB_BYTES = 300_000_000  # seen with tiles of 1024 x 1024 cells


def shape(
    function: Callable[..., Raster],
    dem: str | Path,
    *,
    out: str | Path,
    options: Mapping[str, Any] | None = None,
    executor: Executor | None = None,
    report: Report | None = None,
    **reading: Any,
) -> Path:
    """A shape of the ground, such as `terrain.curvature`, of a raster of any size, by path or URL, as a raster `out` (.tif).

    `options` are those of the function, `reading` those of `io.RasterFile`, the `executor` is one of `hazardgeo.tiles`
    (this process unless given), and `report` is called with a `tiles.Progress`. The result is that of the function on the
    whole, to the last bit. After an interruption the same call goes on from there. Raises InputError for a function that
    `terrain.reach` does not know, and what the function and `tiles.map` raise.
    """
    target, chosen = target_of(out), dict(options or {})
    source = io.RasterFile(apart([dem], target)[0], **reading)
    halo = terrain.reach(function.__name__, source.grid, chosen)
    corner = source.grid.window(slice(0, 1), slice(0, 1))
    function(Raster(np.full((1, 1), np.nan, np.float32), corner, "dem", "m"), **chosen)  # refuses wrong options before the work
    job: dict[str, Any] = {"executor": executor or tiles.InProcess(), "report": report, "options": chosen}
    tiles.map(function, {"dem": source}, io.RasterParts(target), halo=halo, **job)
    return target


def slope(dem: str | Path, *, out: str | Path, scale_m: float | None = None, method: str = "horn", **job: Any) -> Path:
    """`terrain.slope` of a raster of any size; `job` is that of `shape`."""
    return shape(terrain.slope, dem, out=out, options={"scale_m": scale_m, "method": method}, **job)


def aspect(dem: str | Path, *, out: str | Path, scale_m: float | None = None, method: str = "horn", **job: Any) -> Path:
    """`terrain.aspect` of a raster of any size; `job` is that of `shape`."""
    return shape(terrain.aspect, dem, out=out, options={"scale_m": scale_m, "method": method}, **job)


def hillshade(
    dem: str | Path,
    *,
    out: str | Path,
    azimuth_deg: float | Sequence[float] = 315.0,
    altitude_deg: float = 45.0,
    scale_m: float | None = None,
    **job: Any,
) -> Path:
    """`terrain.hillshade` of a raster of any size; `job` is that of `shape`."""
    options = {"azimuth_deg": azimuth_deg, "altitude_deg": altitude_deg, "scale_m": scale_m}
    return shape(terrain.hillshade, dem, out=out, options=options, **job)


def fill(
    dem: str | Path, *, out: str | Path, executor: Executor | None = None, report: Report | None = None, **reading: Any
) -> Path:
    """`terrain.fill` of a raster of any size, as `shape`."""
    return _flow(tiles.fill_depressions, dem, reading, out, executor, report)


def flow_direction(
    dem: str | Path, *, out: str | Path, executor: Executor | None = None, report: Report | None = None, **reading: Any
) -> Path:
    """`terrain.flow_direction` of a raster of any size, as `shape`."""
    return _flow(tiles.flow_direction, dem, reading, out, executor, report)


def flow_accumulation(
    directions: str | Path, *, out: str | Path, executor: Executor | None = None, report: Report | None = None, **reading: Any
) -> Path:
    """`terrain.flow_accumulation` of a raster of any size, from what `flow_direction` wrote, as `shape`."""
    return _flow(tiles.accumulate, directions, reading, out, executor, report)


def _flow(
    function: Callable[..., None],
    raster: str | Path,
    reading: dict[str, Any],
    out: str | Path,
    executor: Executor | None,
    report: Report | None,
) -> Path:
    target = target_of(out)
    source = io.RasterFile(apart([raster], target)[0], **reading)
    folder = target.with_name(f".{target.stem}.flow")
    function(source, io.RasterParts(target), work_folder=folder, executor=executor or tiles.InProcess(), report=report)
    return target
