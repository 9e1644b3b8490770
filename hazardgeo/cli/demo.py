"""hazardgeo demo: a synthetic valley, and everything run on it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from hazardgeo import pipeline, synthetic
from hazardgeo.cli.run import tell
from hazardgeo.io.files import remove_leftovers
from hazardgeo.pipeline import lock


@click.command("demo", help="Make a synthetic valley and run everything on it.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Another seed, another valley.")
@click.option(
    "--size", type=click.Choice(["small", "full"]), default="small", show_default=True, help="1 km at 2 m, or 4 km at 1 m."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("maps/demo"), show_default=True, help="Folder for all files."
)
def command(seed: int, size: Literal["small", "full"], out: Path) -> None:
    """The valley is fiction, and every map and file of it says so."""
    click.echo(f"making a synthetic valley (seed {seed}, {size}) in {out}", err=True)
    out.mkdir(parents=True, exist_ok=True)
    with lock.held(out):
        for folder in (out, out / "inputs", out / "truth"):
            remove_leftovers(folder)
        scenario = synthetic.valley(out, seed=seed, size=size)
        manifest = pipeline.run(scenario, out=out / "results", log=lambda text: click.echo(text, err=True))
    tell(manifest, out / "results")
