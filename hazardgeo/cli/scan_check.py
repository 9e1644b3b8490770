"""hazardgeo scan info and check: what scans hold, and how far terrain models are off."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from hazardgeo import pipeline
from hazardgeo.cli import workers
from hazardgeo.pipeline.large import GROUND_JOB_BYTES

_JSON = click.option("--json", "as_json", is_flag=True, help="Numbers for programs instead of a table.")


@click.command("info", help="Density, gaps, strips, flags, heights and references of scans, file by file.")
@click.argument("clouds", nargs=-1, required=True)
@click.option("--cell-m", type=float, default=1.0, show_default=True, help="Width of the cells that gaps are told by.")
@click.option("--crs", help="The CRS of files that state none, such as EPSG:32648.")
@_JSON
@workers.options
def info(clouds: tuple[str, ...], cell_m: float, crs: str | None, as_json: bool, workers: workers.Workers) -> None:
    """A table for each file, or a list of all with --json."""
    executor = workers.executor(bytes_per_job=GROUND_JOB_BYTES)
    told = []
    for cloud in clouds:
        found = pipeline.cloud_report(cloud, cell_m=cell_m, crs=crs, executor=executor, report=workers.report)
        told.append({"file": cloud, **asdict(found)})
        if not as_json:
            _table({"file": cloud, **dict(found.rows())})
    if as_json:
        click.echo(_json(told))


@click.command("check", help="How far a terrain model is off at POINTS of known height.")
@click.argument("dtm")
@click.argument("points")
@click.option("--column", help="The column with the heights. [default: the Z of the points]")
@click.option("--plot", type=click.Path(path_type=Path), help="Save a map of the errors to this picture (.png, .pdf, .svg).")
@click.option("--crs", help="The CRS of points whose file states none, such as EPSG:32648.")
@_JSON
def check(dtm: str, points: str, column: str | None, plot: Path | None, crs: str | None, as_json: bool) -> None:
    """The statistics, as a table or with --json."""
    found = pipeline.check_dtm(dtm, points, column=column, crs=crs)
    if plot is not None:
        found.plot().figure.savefig(plot, dpi=150)  # type: ignore[union-attr]
    if not as_json:
        _table(dict(found.rows()))
        return
    parts = {name: asdict(getattr(found, name)) for name in ("height", "east", "north")}
    click.echo(_json({**parts, "unknown": found.unknown, "without_height": found.without_height}))


def _table(rows: dict[str, str]) -> None:
    width = max(map(len, rows)) + 2
    for name, said in rows.items():
        click.echo(f"{name + ':':{width}}{said}")


def _json(told: Any) -> str:
    """The text; numbers that are unknown are null."""
    return json.dumps(_without_nan(told), indent=1)


def _without_nan(told: Any) -> Any:
    if isinstance(told, dict):
        return {name: _without_nan(value) for name, value in told.items()}
    if isinstance(told, list):
        return [_without_nan(value) for value in told]
    return None if isinstance(told, float) and not math.isfinite(told) else told
