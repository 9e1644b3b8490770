"""hazardgeo terrain: single steps on elevation rasters of any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hazardgeo import pipeline
from hazardgeo.cli import workers
from hazardgeo.pipeline.large import RASTER_JOB_BYTES


@click.group("terrain", help="Elevation rasters of any size: slope, aspect, shading, and where water goes.")
def command() -> None:
    """One raster in, one raster out."""


def _add(name: str, help_text: str, function: Callable[..., Path], *options: Callable[..., Any]) -> None:
    """A command that makes one raster of another."""

    @workers.options
    def work(raster: str, out: Path, crs: str | None, unit: str, workers: workers.Workers, **more: Any) -> None:
        executor = workers.executor(bytes_per_job=RASTER_JOB_BYTES)
        click.echo(str(function(raster, out=out, crs=crs, unit=unit, executor=executor, report=workers.report, **more)))

    for option in (
        *options,
        click.option("--unit", default="", help="The unit of elevations in files that state none: m or ft."),
        click.option("--crs", help="The CRS of files that state none, such as EPSG:32648."),
        click.option("--out", type=click.Path(path_type=Path), required=True, help="The raster to write (.tif)."),
        click.argument("raster"),
    ):
        work = option(work)
    command.command(name, help=help_text)(work)


_add("slope", "Steepness in degrees.", pipeline.slope)
_add("aspect", "Direction in which the ground falls, in degrees from north.", pipeline.aspect)
_add(
    "hillshade",
    "Brightness of the ground under a light.",
    pipeline.hillshade,
    click.option("--azimuth-deg", type=float, default=315.0, show_default=True),
    click.option("--altitude-deg", type=float, default=45.0, show_default=True),
)
_add("fill", "Depressions filled, as water would.", pipeline.fill)
_add("flow-direction", "The neighbour that each cell drains to (D8 codes).", pipeline.flow_direction)
_add("flow-accumulation", "Area that drains through each cell in m2, along flow-direction.", pipeline.flow_accumulation)
