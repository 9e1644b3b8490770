"""Steps beside the ground on clouds of any size: cleaning, normals, heights above ground, and what a terrain rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from hazardgeo import io, scan, tiles
from hazardgeo.io import files
from hazardgeo.pipeline.large import Clouds, apart, folder_of, points_of
from hazardgeo.tiles import Executor
from hazardgeo.tiles.engine import Report

_ALL = None
_FOR_GROUND = ("classification", "withheld", "synthetic", "number_of_returns")


def clean(
    clouds: Clouds,
    *,
    out: str | Path,
    radius_m: float = 5.0,
    min_neighbours: int = 2,
    low_m: float = 1.0,
    noise: Literal["drop", "mark"] = "drop",
    executor: Executor | None = None,
    report: Report | None = None,
    **reading: Any,
) -> scan.CleaningReport:
    """A cloud of any size without what does not belong, as `out` (.laz or .las), and the report of `scan.clean`.

    The result is that of `scan.clean` on the whole; other arguments and errors are those of `ground` and `scan.clean_of`.
    """
    target, job = _target(out), _job(executor, report)
    options: dict[str, Any] = {"radius_m": radius_m, "min_neighbours": min_neighbours, "low_m": low_m, "noise": noise}
    with points_of(apart(clouds, target), target.parent, _ALL, reading, job, name=target.stem) as source:
        work = target.with_name(f".{target.stem}.clean")
        return scan.clean_of(source, io.CloudParts(target), work_folder=work, **options, **job)


def normals(
    clouds: Clouds,
    *,
    out: str | Path,
    radius_m: float,
    orient: Literal["up"] | tuple[float, float, float] = "up",
    executor: Executor | None = None,
    report: Report | None = None,
    **reading: Any,
) -> Path:
    """A cloud of any size with its normals as `out` (.laz or .las), with the attributes of `scan.normals_of`.

    The result is that of `scan.normals` on the whole, to the last bit; other arguments and errors are those of `ground`.
    """
    target, job = _target(out), _job(executor, report)
    with points_of(apart(clouds, target), target.parent, _ALL, reading, job, name=target.stem) as source:
        scan.normals_of(source, io.CloudParts(target), radius_m=radius_m, orient=orient, **job)
    return target


def height_above_ground(
    surface: Clouds,
    dtm: str | Path,
    *,
    out: str | Path,
    executor: Executor | None = None,
    report: Report | None = None,
    **reading: Any,
) -> Path:
    """How high a surface model (.tif) or a cloud lies above a terrain model, as `out` (.tif, or .laz and .las for a cloud).

    The result is that of `scan.height_above_ground` on the whole; other arguments and errors are those of `ground`.
    """
    job, ground = _job(executor, report), io.RasterFile(apart([dtm])[0], unit="m")
    if Path(out).suffix.lower() in (".tif", ".tiff"):
        target = files.require_suffix(out, (".tif", ".tiff")).absolute()
        folder_of(target.parent)
        rasters = {"surface": io.RasterFile(apart(surface, target)[0], unit="m", **reading), "dtm": ground}
        rasters["surface"].grid.require_same(ground.grid)
        tiles.map(scan.height_above_ground, rasters, io.RasterParts(target), **job)
        return target
    target = _target(out)
    with points_of(apart(surface, target), target.parent, _ALL, reading, job, name=target.stem) as source:
        scan.height_above_ground_of(source, ground, io.CloudParts(target), **job)
    return target


def dtm_layers(
    clouds: Clouds,
    *,
    out: str | Path,
    cell_m: float = 1.0,
    max_distance_m: float = 100.0,
    window_m: float = 12.0,
    max_gap_m: float = 5.0,
    max_cover_m: float = 20.0,
    executor: Executor | None = None,
    report: Report | None = None,
    **reading: Any,
) -> dict[str, Path]:
    """What the terrain of a classified cloud of any size rests on, as rasters in the folder `out`, and their paths.

    `ground_count.tif`, `ground_spread.tif` and `ground_distance.tif` are those of `scan.dtm_layers`,
    `ground_uncertainty.tif` is that of `scan.ground_uncertainty`, to the last bit. Other arguments and errors are those of
    `ground` and of these functions.
    """
    folder, job = folder_of(out), _job(executor, report)
    made = {name: folder / f"ground_{name}.tif" for name in ("count", "spread", "distance", "uncertainty")}
    sinks = scan.LayerSinks(*(io.RasterParts(made[name]) for name in ("count", "spread", "distance")))
    options = {"window_m": window_m, "max_gap_m": max_gap_m, "max_cover_m": max_cover_m}
    with points_of(apart(clouds), folder, _FOR_GROUND, reading, job) as source:
        work = folder / ".layers"
        scan.dtm_layers_of(source, sinks, work_folder=work, cell_m=cell_m, max_distance_m=max_distance_m, **job)
        sink = io.RasterParts(made["uncertainty"])
        scan.ground_uncertainty_of(source, sink, work_folder=folder / ".uncertainty", cell_m=cell_m, **options, **job)
    return made


def _target(out: str | Path) -> Path:
    """Where a cloud is written; its folder is made."""
    target = files.require_suffix(out, (".las", ".laz"))
    folder_of(target.parent)
    return target.absolute()


def _job(executor: Executor | None, report: Report | None) -> dict[str, Any]:
    return {"executor": executor or tiles.InProcess(), "report": report}
