"""The end of a run: files for what changed, headlines and the manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from hazardgeo import scenario as _scenario
from hazardgeo.io.files import atomic
from hazardgeo.pipeline import export, results, store
from hazardgeo.pipeline.manifest import FileRecord, Manifest, record, versions
from hazardgeo.pipeline.results import Group, Results
from hazardgeo.pipeline.resume import files_key, key_of
from hazardgeo.pipeline.stages import STAGES
from hazardgeo.pipeline.stages.report import headlines
from hazardgeo.pipeline.state import PAGE, Product, Run, collected, tell


def finish(state: Run, records: tuple[FileRecord, ...], only: str | None) -> Manifest:
    """Write what changed, put it in its place, and the manifest last."""
    products = {name: state.products[name] for name in state.made}
    whole = key_of("all products", {name: product.identity for name, product in products.items()})
    with results.staging(state.out, state.cache) as staged:

        def layers() -> list[Path]:
            return export.write_layers({name: p.value for name, p in products.items() if name != PAGE}, staged)

        groups = {
            name: _written(name, p.identity, partial(_write, name, p, staged), state, staged) for name, p in products.items()
        }
        page = groups.pop(PAGE, None)
        groups["layers"] = _written("layers", whole, layers, state, staged)
        groups |= {} if page is None else {PAGE: page}
        groups["scenario"] = _write_scenario(state, staged)
        outputs = tuple(file for group in groups.values() for file in group.files)
        figures = _headlines(whole, state)
        manifest = Manifest(
            title=state.scenario.title,
            notice=state.scenario.notice,
            seed=state.scenario.seed,
            inputs=records,
            outputs=outputs,
            stages=tuple(state.stages),
            warnings=tuple(state.warnings),
            headlines=figures,
            finished=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            versions=versions(),
            only=only,
        )
        manifest.write(staged / "manifest.json")
        written = {file.path for file in outputs}
        found = Results(groups, (whole, figures), tuple(sorted(written)))
        results.write(replace(found, known=tuple(sorted(written | set(state.earlier.known)))), state.cache)
        results.publish(staged, state.out, results.stale(state.earlier.known, written))
        results.write(found, state.cache)
    return manifest


def _written(name: str, identity: str, write: Callable[[], list[Path]], state: Run, staged: Path) -> Group:
    """The files of a group: those of an earlier run where they were made from the same and are there, else new ones."""
    group, made_from = state.earlier.groups.get(name) if state.resume else None, files_key(name, identity)
    if group is not None and group.made_from == made_from and results.is_current(group, state.out):
        tell(group.warnings, state)
        return group
    with collected(name, state) as said:
        paths = write()
    files = tuple(record(path, name=path.relative_to(staged).as_posix()) for path in paths)
    return Group(made_from, files, tuple(said))


def _write(name: str, product: Product, staged: Path) -> list[Path]:
    """The rasters and tables of a product, or the page of the map."""
    if name != PAGE:
        return export.write_product(name, product.value, staged)
    product.value.save(staged / "map.html")
    return [staged / "map.html"]


def _write_scenario(state: Run, staged: Path) -> Group:
    """The scenario with all its options, written anew where it says something else."""
    content = _scenario.dump(state.scenario, state.options, state.out).encode(errors="replace")
    path = state.out / "resolved.toml"
    if not (path.is_file() and path.read_bytes() == content):
        path = staged / "resolved.toml"
        with atomic(path) as part:
            part.write_bytes(content)
    return Group("", (record(path, name=path.name),))


def _headlines(made_from: str, state: Run) -> dict[str, Any]:
    """The figures that come first, computed where a product changed."""
    key, figures = state.earlier.headlines
    if state.resume and key == made_from:
        return figures
    found = headlines({name: state.products[name].value for name in state.made if name != PAGE})
    return {h.label: {"value": h.value, "note": h.note} for h in found}


def keep_store(state: Run, wanted: set[str]) -> None:
    """Keep what this run used, and of the stages that it was not asked for; remove all else."""
    if state.resume:
        others = {name for name in store.names(state.cache) if name in STAGES and name not in wanted}
        store.sweep(state.entries | others, state.cache)
    else:
        store.discard(state.cache)
