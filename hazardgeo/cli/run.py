"""hazardgeo run: scenarios to results."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from hazardgeo import pipeline
from hazardgeo.errors import ConfigError
from hazardgeo.pipeline import Manifest


@click.command("run", help="Run scenarios: results and a map that opens offline.")
@click.argument("scenarios", nargs=-1, type=click.Path(path_type=Path, readable=False))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results. [default: maps/NAME]")
@click.option("--only", metavar="STAGE", help="Run one stage and those that it builds on.")
@click.option("--set", "overrides", multiple=True, metavar="TABLE.KEY=VALUE", help="Change one value of the scenario.")
@click.option("--no-resume", is_flag=True, help="Compute everything anew, and keep nothing to resume from.")
@click.option(
    "--verify",
    "manifest",
    type=click.Path(path_type=Path, readable=False),
    help="Run again what a manifest.json says, and compare.",
)
@click.option("--quick", is_flag=True, help="With --verify: compare hashes only.")
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON on standard output.")
def command(
    scenarios: tuple[Path, ...],
    out: Path | None,
    only: str | None,
    overrides: tuple[str, ...],
    no_resume: bool,
    manifest: Path | None,
    quick: bool,
    strict: bool,
    as_json: bool,
) -> int:
    """Several scenarios go to one folder each, and --json prints one line for each."""
    if (manifest is None) == (not scenarios):
        raise click.UsageError("name a scenario to run, or --verify the manifest.json of a run.")
    if quick and manifest is None:
        raise click.UsageError("--quick belongs to --verify.")
    if manifest is not None:
        if strict or no_resume or overrides or only is not None or out is not None:
            raise click.UsageError("--verify does what the manifest says; leave out --out, --only, --set, --no-resume, --strict.")
        return _verify(manifest, quick=quick, as_json=as_json)
    if only is not None and only not in pipeline.STAGES:
        raise click.BadParameter(f"there is no stage {only!r}; the stages are {', '.join(pipeline.STAGES)}.", param_hint="--only")
    count = 0
    for path, folder in zip(scenarios, _folders(scenarios, out), strict=True):
        checked = pipeline.read_scenario(path, overrides=overrides)
        done = pipeline.run(checked, out=folder, only=only, resume=not no_resume, log=_log)
        count += len(done.warnings)
        if as_json:
            click.echo(json.dumps(asdict(done)))
        else:
            tell(done, folder)
    if count and strict:
        click.echo(f"error: {count} warning(s), and --strict counts them as errors.", err=True)
        return 1
    return 0


def _log(text: str) -> None:
    click.echo(text, err=True)


def _verify(manifest: Path, *, quick: bool, as_json: bool) -> int:
    """One line for each input, output and version that changed; 0 only when all bytes are the same."""
    found = pipeline.verify(manifest, rerun=not quick, log=_log)
    if as_json:
        click.echo(json.dumps({**asdict(found), "same": found.same}))
        return 0 if found.same else 1
    for line in found.lines:
        click.echo(line)
    if found.versions and found.rerun:
        click.echo("versions changed since the run, so bytes may differ")
    how = "run again" if found.rerun else "hashes compared, not run again"
    click.echo(f"{'all the same' if found.same else 'not the same'} ({how})")
    return 0 if found.same else 1


def _folders(scenarios: tuple[Path, ...], out: Path | None) -> list[Path]:
    """Where the results of each scenario go: named after its file, or after its folder where the file is scenario.toml."""
    if out is not None and len(scenarios) == 1:
        return [out]
    names = [path.resolve().parent.name if path.stem == "scenario" else path.stem for path in scenarios]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two scenarios would write to one folder, {twice[0]}; run them one by one with --out.")
    return [(Path("maps") if out is None else out) / name for name in names]


def tell(manifest: Manifest, folder: Path) -> None:
    """The headlines of a run, where its map is, and how many warnings it left."""
    for label, figure in manifest.headlines.items():
        click.echo(f"{label}: {figure['value']}" + (f" ({figure['note']})" if figure["note"] else ""))
    if any(file.path == "map.html" for file in manifest.outputs):
        click.echo(f"map: {folder / 'map.html'}")
    click.echo(f"done, results in {folder}, {len(manifest.warnings)} warning(s)")
