"""hazardgeo check: what is wrong with a scenario."""

from __future__ import annotations

from pathlib import Path

import click

from hazardgeo import pipeline


@click.command("check", help="Say all that is wrong with a scenario, without running it.")
@click.argument("scenario", type=click.Path(path_type=Path))
def command(scenario: Path) -> int:
    """One line for each thing that is wrong, gravest first."""
    found = pipeline.check(scenario)
    for line in found:
        click.echo(line)
    click.echo(f"{len(found)} problem(s)" if found else "ready to run: hazardgeo run " + str(scenario))
    return 1 if found else 0
