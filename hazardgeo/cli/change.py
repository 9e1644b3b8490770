"""hazardgeo change: what moved between two surveys."""

from __future__ import annotations

from pathlib import Path

import click

from hazardgeo import pipeline
from hazardgeo.cli import workers
from hazardgeo.pipeline.large import GROUND_JOB_BYTES


@click.command("change", help="What moved from BEFORE to AFTER: scans (files or folders) and elevation models, in any mix.")
@click.argument("before")
@click.argument("after")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the results.")
@click.option("--cell-m", type=float, help="Width of the cells of scans. [default: that of a model they meet, else 1]")
@click.option("--min-area-m2", type=float, default=50.0, show_default=True, help="The smallest landslide to report.")
@click.option("--before-date", default="", help="The day of the first survey, such as 2023-11-02.")
@click.option("--after-date", default="", help="The day of the second survey.")
@click.option("--before-sensor", default="", help="What measured first, such as 'drone laser'.")
@click.option("--after-sensor", default="", help="What measured then.")
@click.option("--places", multiple=True, help="Shapes, such as roads: landslides say which they reached. Several times.")
@click.option("--earlier", help="The bodies.gpkg of an earlier run, whose numbers landslides keep.")
@click.option("--crs", help="The CRS of files that state none, such as EPSG:32648.")
@click.option("--unit", default="", help="The unit of elevation models that state none: m or ft.")
@workers.options
def command(  # noqa: PLR0913, PLR0917 - one for each option
    before: str,
    after: str,
    out: Path,
    cell_m: float | None,
    min_area_m2: float,
    before_date: str,
    after_date: str,
    before_sensor: str,
    after_sensor: str,
    places: tuple[str, ...],
    earlier: str | None,
    crs: str | None,
    unit: str,
    workers: workers.Workers,
) -> None:
    """The files that were written, one to a line."""
    made = pipeline.change(
        pipeline.Survey(before, before_date, before_sensor),
        pipeline.Survey(after, after_date, after_sensor),
        out=out,
        cell_m=cell_m,
        min_area_m2=min_area_m2,
        places=places,
        earlier=earlier,
        unit=unit,
        executor=workers.executor(bytes_per_job=GROUND_JOB_BYTES),
        report=workers.report,
        **({} if crs is None else {"crs": crs}),
    )
    for path in made.values():
        click.echo(str(path))
