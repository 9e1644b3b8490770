"""hazardgeo demo: a synthetic valley, and everything run on it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click

from hazardgeo import pipeline, synthetic
from hazardgeo.cli.run import tell
from hazardgeo.io.files import remove_leftovers
from hazardgeo.pipeline import lock
from hazardgeo.synthetic import Metric

_NAME_WIDTH, _VALUE_WIDTH, _GOAL_WIDTH = 64, 14, 44


@click.command("demo", help="Make a synthetic valley and run everything on it.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Another seed, another valley.")
@click.option(
    "--size", type=click.Choice(["small", "full"]), default="small", show_default=True, help="1 km at 2 m, or 4 km at 1 m."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("maps/demo"), show_default=True, help="Folder for all files."
)
@click.option("--no-event", is_flag=True, help="A valley where nothing happened: no slides, and an earthquake nobody felt.")
@click.option("--score", "scored", is_flag=True, help="Hold the results against the planted truth, with the goal of each figure.")
@click.option("--json", "as_json", is_flag=True, help="With --score: print the figures as JSON on standard output.")
def command(seed: int, size: Literal["small", "full"], out: Path, no_event: bool, scored: bool, as_json: bool) -> None:
    """The valley is fiction, and every map and file of it says so."""
    if as_json and not scored:
        raise click.UsageError("--json belongs to --score.")
    click.echo(f"making a synthetic valley (seed {seed}, {size}) in {out}", err=True)
    out.mkdir(parents=True, exist_ok=True)
    with lock.held(out):
        for folder in (out, out / "inputs", out / "truth"):
            remove_leftovers(folder)
        scenario = synthetic.valley(out, seed=seed, size=size, event=not no_event)
        manifest = pipeline.run(scenario, out=out / "results", log=lambda text: click.echo(text, err=True))
        metrics = synthetic.score(out, out / "results") if scored else []
    if as_json:
        click.echo(json.dumps({"seed": seed, "size": size, "event": not no_event, "metrics": [asdict(m) for m in metrics]}))
        return
    tell(manifest, out / "results")
    for line in _table(metrics):
        click.echo(line)


def _table(metrics: list[Metric]) -> list[str]:
    """One line for each figure, and how many goals were met; nothing without figures."""
    if not metrics:
        return []
    lines = ["", f"{'figure':{_NAME_WIDTH}}{'value':>{_VALUE_WIDTH}}  {'goal':{_GOAL_WIDTH}}met"]
    for m in metrics:
        value = "-" if m.value is None else f"{m.value:g} {m.unit}".strip()
        met = "not built" if m.met is None else "yes" if m.met else "NO"
        lines.append(f"{m.name:{_NAME_WIDTH}}{value:>{_VALUE_WIDTH}}  {m.goal:{_GOAL_WIDTH}}{met}" + _noted(m))
    built = [m for m in metrics if m.met is not None]
    lines.append(f"{sum(bool(m.met) for m in built)} of {len(built)} goals met, {len(metrics) - len(built)} not built yet")
    return lines


def _noted(metric: Metric) -> str:
    return f"  ({metric.note})" if metric.note and metric.met is not None else ""
