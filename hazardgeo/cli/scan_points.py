"""hazardgeo scan clean, normals, above and layers: steps beside the ground."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from hazardgeo import pipeline
from hazardgeo.cli import workers
from hazardgeo.pipeline.large import GROUND_JOB_BYTES

_CLOUDS = click.argument("clouds", nargs=-1, required=True)
_OUT = click.option("--out", type=click.Path(path_type=Path), required=True, help="The cloud to write (.laz or .las).")
_CRS = click.option("--crs", help="The CRS of files that state none, such as EPSG:32648.")


@click.command("clean", help="Drop broken, withheld, doubled, isolated and low points, or mark noise with its class.")
@_CLOUDS
@_OUT
@click.option("--radius-m", type=float, default=5.0, show_default=True, help="How far neighbours may be.")
@click.option("--min-neighbours", type=int, default=2, show_default=True, help="Points with fewer are isolated.")
@click.option("--low-m", type=float, default=1.0, show_default=True, help="How far below the ground small groups are low.")
@click.option("--mark", is_flag=True, help="Keep noise, as class 7 (low) or 18 (high), instead of dropping it.")
@_CRS
@workers.options
def clean(clouds: tuple[str, ...], out: Path, mark: bool, workers: workers.Workers, **options: Any) -> None:
    """The file that was written, and how many points of each kind there were."""
    executor = workers.executor(bytes_per_job=GROUND_JOB_BYTES)
    noise: Literal["drop", "mark"] = "mark" if mark else "drop"
    found = pipeline.clean(clouds, out=out, noise=noise, executor=executor, report=workers.report, **options)
    click.echo(str(out))
    click.echo(", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in asdict(found).items()))


@click.command("normals", help="Add normals, roughness and verticality to the points.")
@_CLOUDS
@_OUT
@click.option("--radius-m", type=float, required=True, help="Planes are fitted to the points within this distance.")
@click.option("--scanner", type=float, nargs=3, help="Turn normals to this east, north and height instead of up.")
@_CRS
@workers.options
def normals(
    clouds: tuple[str, ...],
    out: Path,
    radius_m: float,
    scanner: tuple[float, float, float] | None,
    crs: str | None,
    workers: workers.Workers,
) -> None:
    """The file that was written."""
    executor = workers.executor(bytes_per_job=GROUND_JOB_BYTES)
    options: dict[str, Any] = {"radius_m": radius_m, "orient": scanner or "up", "crs": crs}
    click.echo(str(pipeline.normals(clouds, out=out, executor=executor, report=workers.report, **options)))


@click.command("above", help="How high SURFACE, a surface model (.tif) or a cloud, lies above the terrain DTM.")
@click.argument("surface")
@click.argument("dtm")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The raster (.tif) or cloud (.laz, .las) to write.")
@_CRS
@workers.options
def above(surface: str, dtm: str, out: Path, crs: str | None, workers: workers.Workers) -> None:
    """The file that was written."""
    executor = workers.executor(bytes_per_job=GROUND_JOB_BYTES)
    click.echo(str(pipeline.height_above_ground(surface, dtm, out=out, crs=crs, executor=executor, report=workers.report)))


@click.command("layers", help="What the terrain of classified CLOUDS rests on: count, spread, distance and uncertainty.")
@_CLOUDS
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the results.")
@click.option("--cell-m", type=float, default=1.0, show_default=True, help="Width of a cell in metres.")
@_CRS
@workers.options
def layers(clouds: tuple[str, ...], out: Path, cell_m: float, crs: str | None, workers: workers.Workers) -> None:
    """The files that were written, one to a line."""
    executor = workers.executor(bytes_per_job=GROUND_JOB_BYTES)
    made = pipeline.dtm_layers(clouds, out=out, cell_m=cell_m, crs=crs, executor=executor, report=workers.report)
    for path in made.values():
        click.echo(str(path))
