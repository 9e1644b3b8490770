"""hazardgeo scan: single steps from laser scans of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hazardgeo import pipeline
from hazardgeo.cli import scan_check, scan_points, workers
from hazardgeo.pipeline.large import GROUND_JOB_BYTES
from hazardgeo.scan import STATISTICS

_CLOUDS = click.argument("clouds", nargs=-1, required=True)
_CELL = click.option("--cell-m", type=float, default=1.0, show_default=True, help="Width of a cell in metres.")
_CRS = click.option("--crs", help="The CRS of files that state none, such as EPSG:32648.")


@click.group("scan", help="Laser scans of any size: their ground, terrain and surface models.")
def command() -> None:
    """Files that are named together, or lie in a folder that is named, are one scan."""


@command.command("ground", help="Classify the ground: ground.laz, dtm.tif and dsm.tif.")
@_CLOUDS
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the results.")
@_CELL
@click.option("--window-m", type=float, default=24.0, show_default=True, help="Half the width of the largest building.")
@click.option(
    "--penetrates/--photographs", default=None, help="Whether the points see through plants; told from the points unless said."
)
@_CRS
@workers.options
def ground(
    clouds: tuple[str, ...],
    out: Path,
    cell_m: float,
    window_m: float,
    penetrates: bool | None,
    crs: str | None,
    workers: workers.Workers,
) -> None:
    """The files that were written, one to a line."""
    executor = workers.executor(bytes_per_job=GROUND_JOB_BYTES)
    options: dict[str, Any] = {"cell_m": cell_m, "window_m": window_m, "penetrates": penetrates, "crs": crs}
    made = pipeline.ground(clouds, out=out, executor=executor, report=workers.report, **options)
    for path in made.values():
        click.echo(str(path))


@command.command(
    "surface", help="A raster of one number per cell: highest, lowest or mean elevation, count, density, intensity or roughness."
)
@_CLOUDS
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The raster to write (.tif).")
@_CELL
@click.option("--statistic", type=click.Choice(STATISTICS), default="highest", show_default=True)
@_CRS
@workers.options
def surface(clouds: tuple[str, ...], out: Path, cell_m: float, statistic: str, crs: str | None, workers: workers.Workers) -> None:
    """The file that was written."""
    executor = workers.executor(bytes_per_job=GROUND_JOB_BYTES)
    made = pipeline.surface(
        clouds, out=out, cell_m=cell_m, statistic=statistic, crs=crs, executor=executor, report=workers.report
    )
    click.echo(str(made))


command.add_command(scan_check.info)
command.add_command(scan_check.check)
for _step in (scan_points.clean, scan_points.normals, scan_points.above, scan_points.layers):
    command.add_command(_step)
