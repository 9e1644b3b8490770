"""Where water goes on elevation rasters of any size: from files to files, tile by tile on any executor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas

from hazardgeo import io, tiles
from hazardgeo.io import files
from hazardgeo.io.raster.tiled import RasterFile
from hazardgeo.pipeline.large import apart, folder_of, target_of
from hazardgeo.raster.sample import require_crs
from hazardgeo.terrain import tiled
from hazardgeo.terrain.routing import EXPONENT, Routing

FLOW_JOB_BYTES = 500_000_000  # seen with tiles of 1024 x 1024 cells


def flow(
    dem: str | Path,
    *,
    out: str | Path,
    routing: Routing = "d8",
    scale_m: float | None = None,
    exponent: float = EXPONENT,
    **job: Any,
) -> dict[str, Path]:
    """All of the flow of a raster of any size, by path or URL, into the folder `out`; the paths by name.

    `filled.tif`, `flow_direction.tif`, `flow_accumulation.tif`, `wetness.tif` and `inflow_unknown.tif` are, to the last
    bit, those of the functions of `terrain` on the whole, on the surface smoothed to `scale_m` where it is given. `job`
    takes an `executor` (this process unless given), a `report`, which is called with a `tiles.Progress`, and `tile_cells`;
    the rest is that of `io.RasterFile`. After an interruption the same call goes on from there. Errors are those of these
    functions and of `tiles.map`.
    """
    folder = folder_of(out)
    made = {name: folder / f"{name}.tif" for name in tiled.PRODUCTS}
    source, work = _opened(dem, job, *made.values())
    sinks = {name: io.RasterParts(path) for name, path in made.items()}
    options: dict[str, Any] = {"routing": routing, "scale_m": scale_m, "exponent": exponent}
    tiled.flow(source, sinks, work_folder=folder / ".flow", **options, **work)
    return made


def wetness(
    dem: str | Path,
    *,
    out: str | Path,
    routing: Routing = "d8",
    scale_m: float | None = None,
    exponent: float = EXPONENT,
    **job: Any,
) -> Path:
    """`terrain.wetness` of a raster of any size as a raster `out` (.tif); `job` is that of `flow`."""
    target = target_of(out)
    source, work = _opened(dem, job, target)
    options: dict[str, Any] = {"routing": routing, "scale_m": scale_m, "exponent": exponent}
    tiled.wetness(source, io.RasterParts(target), work_folder=_work(target), **options, **work)
    return target


def height_above_drainage(
    dem: str | Path, *, out: str | Path, min_area_m2: float | None = None, streams: str | Path | None = None, **job: Any
) -> Path:
    """`terrain.height_above_drainage` of a raster of any size as a raster `out` (.tif); `job` is that of `flow`.

    Given `streams` are a raster file with a mask on the same grid.
    """
    target = target_of(out)
    source, work = _opened(dem, job, target)
    given = None if streams is None else RasterFile(apart([streams], target)[0])
    options: dict[str, Any] = {"min_area_m2": min_area_m2, "streams": given}
    tiled.height_above_drainage(source, io.RasterParts(target), work_folder=_work(target), **options, **work)
    return target


def streams(dem: str | Path, *, out: str | Path, min_area_m2: float, **job: Any) -> Path:
    """`terrain.streams` of a raster of any size as layer "streams" of `out` (.gpkg); `job` is that of `flow`."""
    target = _lines_target(out)
    source, work = _opened(dem, job, target)
    lines = tiled.streams(source, work_folder=_work(target), min_area_m2=min_area_m2, **work)
    io.write_vectors({"streams": lines}, target)
    return target


def catchment(dem: str | Path, outlets: str | Path, *, out: str | Path, snap_m: float = 0.0, **job: Any) -> Path:
    """`terrain.catchment` of a raster of any size as a raster `out` (.tif); `outlets` are points, and `job` that of `flow`.

    Outlets are projected to the CRS of the raster.
    """
    target = target_of(out)
    source, work = _opened(dem, job, target)
    points = _outlets(outlets, source)
    tiled.catchment(source, points, io.RasterParts(target), work_folder=_work(target), snap_m=snap_m, **work)
    return target


def longest_flow_path(dem: str | Path, outlets: str | Path, *, out: str | Path, snap_m: float = 0.0, **job: Any) -> Path:
    """`terrain.longest_flow_path` as layer "longest_flow_path" of `out` (.gpkg); the rest as `catchment`."""
    target = _lines_target(out)
    source, work = _opened(dem, job, target)
    lines = tiled.longest_flow_path(source, _outlets(outlets, source), work_folder=_work(target), snap_m=snap_m, **work)
    io.write_vectors({"longest_flow_path": lines}, target)
    return target


def _opened(dem: str | Path, given: Mapping[str, Any], *targets: Path) -> tuple[RasterFile, dict[str, Any]]:
    """The raster to read, and how the work is done, from what the caller says of both."""
    reading = dict(given)
    work: dict[str, Any] = {name: reading.pop(name) for name in ("report", "tile_cells") if name in reading}
    work["executor"] = reading.pop("executor", None) or tiles.InProcess()
    return RasterFile(apart([dem], *targets)[0], **reading), work


def _outlets(path: str | Path, source: RasterFile) -> geopandas.GeoDataFrame:
    points = io.read_vector(path, crs=source.grid.crs)
    require_crs(points, source.grid, "outlets")
    return points


def _lines_target(out: str | Path) -> Path:
    target = files.require_suffix(out, (".gpkg",))
    folder_of(target.parent)
    return target.absolute()


def _work(target: Path) -> Path:
    return target.with_name(f".{target.stem}.flow")
