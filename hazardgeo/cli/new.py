"""hazardgeo new: a scenario for the files in a folder."""

from __future__ import annotations

from pathlib import Path

import click

from hazardgeo import pipeline
from hazardgeo.errors import FormatError
from hazardgeo.io.files import atomic


@click.command("new", help="Look at the files in a folder and write a scenario.")
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """The scenario is written beside the files, as scenario.toml; one that is there already is kept."""
    target = folder / "scenario.toml"
    if target.exists():
        raise FormatError(f"{target} is there already; move it away, or edit it and run: hazardgeo check {target}")
    proposal = pipeline.propose(folder)
    with atomic(target) as part:
        part.write_text(proposal.toml, encoding="utf-8")
    for note in proposal.notes:
        click.echo(note)
    click.echo(f"wrote {target}; next: hazardgeo check {target}")
