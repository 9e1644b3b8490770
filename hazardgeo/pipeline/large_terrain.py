"""Single steps on elevation rasters of any size: tile by tile on any executor, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hazardgeo import io, terrain, tiles
from hazardgeo.io.raster.write import require_creation
from hazardgeo.pipeline.large import apart, target_of
from hazardgeo.raster import Raster
from hazardgeo.tiles import Executor
from hazardgeo.tiles.engine import RasterSource, Report

RASTER_JOB_BYTES = 300_000_000  # seen with tiles of 1024 x 1024 cells
_WHOLE_BYTES, _WHOLE_SHARE = 40, 0.5  # per cell; of the free memory
_MOST_CELLS = 100_000_000  # for a step that begins anew after an interruption


def shape(
    function: Callable[..., Raster],
    dem: str | Path,
    *,
    out: str | Path,
    options: Mapping[str, Any] | None = None,
    creation: Mapping[str, str] | None = None,
    executor: Executor | None = None,
    report: Report | None = None,
    **reading: Any,
) -> Path:
    """A shape of the ground, such as `terrain.curvature`, of a raster of any size, by path or URL, as a raster `out` (.tif).

    `options` are those of the function, `reading` those of `io.RasterFile`, and `creation` those of `io.write_raster`.
    The `executor` is one of `hazardgeo.tiles`: without one a raster that takes no more than half of the free memory is worked
    on as a whole, by all processors, and others tile by tile in this process. `report` is called with a `tiles.Progress`. The
    result is that of the function on the whole, to the last bit. After an interruption the same call goes on from there.
    Raises InputError for a function that `terrain.reach` does not know, and what the function and `tiles.map` raise.
    """
    target, chosen = target_of(out), dict(options or {})
    source = io.RasterFile(apart([dem], target)[0], **reading)
    halo = terrain.reach(function.__name__, source.grid, chosen)
    corner = source.grid.window(slice(0, 1), slice(0, 1))
    function(Raster(np.full((1, 1), np.nan, np.float32), corner, "dem", "m"), **chosen)  # refuses wrong options before the work
    if creation is not None:
        require_creation(creation)
    if executor is None and fits(source):
        io.write_raster(function(source.read(source.grid), **chosen), target, creation=creation)
        return target
    job: dict[str, Any] = {"executor": executor or tiles.InProcess(), "report": report, "options": chosen}
    tiles.map(function, {"dem": source}, io.RasterParts(target, creation), halo=halo, **job)
    return target


def fits(source: RasterSource) -> bool:
    """True where a shape of the whole raster is soon taken in memory, which is quicker than tile by tile."""
    cells = source.grid.shape[0] * source.grid.shape[1]
    return cells <= _MOST_CELLS and cells * _WHOLE_BYTES <= tiles.available_bytes() * _WHOLE_SHARE


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
