"""A run: stages in order, each when what it needs is there, with resume and a manifest."""

from __future__ import annotations

import inspect
import json
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hazardgeo import scenario as _scenario
from hazardgeo.errors import ConfigError, FormatError, HazardGeoWarning
from hazardgeo.io.files import atomic
from hazardgeo.pipeline import export, inputs, resume
from hazardgeo.pipeline.manifest import FileRecord, Manifest, PeakMemory, StageRecord, record, versions
from hazardgeo.pipeline.skip import Skip
from hazardgeo.pipeline.stages import STAGES, Stage
from hazardgeo.pipeline.stages.report import headlines
from hazardgeo.scenario import Scenario

OUTPUTS = ("map.html", "layers.gpkg", "manifest.json", "resolved.toml")
Log = Callable[[str], None]


@dataclass
class _Run:
    """What a run has so far: products by name with the keys that say what they were made from."""

    scenario: Scenario
    options: dict[str, dict[str, Any]]
    out: Path
    resume: bool
    products: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    stages: list[StageRecord] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_scenario(path: Path | str, *, overrides: Iterable[str] = ()) -> Scenario:
    """The scenario in a TOML file, checked against the stages and inputs that exist; `overrides` are "table.key=value"."""
    source = Path(path)
    document = _scenario.override(_scenario.load(source), overrides)
    try:
        return _scenario.from_document(document, source.resolve().parent, **known())
    except ConfigError as error:
        raise ConfigError(f"{source.name}: {error}") from None


def known() -> dict[str, Any]:
    """The stages and inputs that a scenario may name."""
    return {"stages": {name: stage.function for name, stage in STAGES.items()}, "inputs": inputs.INPUTS}


def run(
    scenario: Scenario | Path | str, *, out: Path | str, only: str | None = None, resume: bool = True, log: Log | None = None
) -> Manifest:
    """Run a scenario and write all its results under the folder `out`; returns the manifest, also in out/manifest.json.

    Stages run when what they need is there and otherwise say why not. `only` runs one stage and those that it builds
    on. With `resume`, surfaces that an earlier, interrupted run finished from the same inputs and options are read
    back. Raises a HazardGeoError at the first thing that is wrong; no partial file is left.
    """
    checked = scenario if isinstance(scenario, Scenario) else read_scenario(scenario)
    say = log or (lambda _text: None)
    if only is not None and only not in STAGES:
        raise ConfigError(f"there is no stage {only!r}; the stages are {', '.join(STAGES)}.")
    options = {n: _scenario.check_options(s.function, checked.options.get(n, {}), section=n) for n, s in STAGES.items()}
    state = _Run(checked, options, _folder(Path(out)), resume)
    _require_apart(state)
    records = _load_inputs(state, say)
    wanted = set(STAGES) if only is None else _builds_on(only)
    for name, stage in STAGES.items():
        if name in wanted:
            _run_stage(stage, state, say)
    return _finish(state, records)


def _folder(out: Path) -> Path:
    try:
        for name in ("rasters", "tables"):
            (out / name).mkdir(parents=True, exist_ok=True)
        probe = out / ".write-test"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise FormatError(f"the output folder {out} cannot be written: {error.strerror}; choose another with --out.") from None
    return out


def _require_apart(state: _Run) -> None:
    """Raise ConfigError where writing the results would write over an input."""
    out = state.out.resolve()
    for name, file in state.scenario.inputs.items():
        path = file.path.resolve()
        if path.parent in (out / "rasters", out / "tables") or path in [out / output for output in OUTPUTS]:
            raise ConfigError(
                f"[inputs] {name} lies among the results in {state.out}, which would be written over; choose another --out."
            )


def _load_inputs(state: _Run, say: Log) -> list[FileRecord]:
    scenario = state.scenario
    inputs.require_compatible(scenario)
    records = {}
    for name, file in scenario.inputs.items():
        if not file.path.is_file():
            raise FormatError(f"[inputs] {name}: there is no file {file.path}; correct the path in the scenario.")
        records[name] = record(file.path, name=f"{name}: {file.path.name}")
    working: Any = scenario.crs
    for name in inputs.in_order(scenario):
        file = scenario.inputs[name]
        say(f"read {name}: {file.path.name}")
        with _collected(state, name, say):
            state.products[name] = inputs.load(scenario, name, working)
        state.keys[name] = resume.input_key(state.products[name], records[name].sha256, file.options, working)
        if working is None and name in inputs.SURFACES:
            working = inputs.crs_of(state.products[name])
    if scenario.event is not None:
        state.products["event"] = scenario.event
        state.keys["event"] = resume.key_of(repr(scenario.event))
    state.products["scenario"] = scenario
    state.products["skipped"] = state.skipped
    return list(records.values())


def _run_stage(stage: Stage, state: _Run, say: Log) -> None:
    arguments, missing = {}, []
    for name, needed in _needs(stage).items():
        if name in state.products:
            arguments[name] = state.products[name]
        elif needed:
            missing.append(name)
    if missing:
        _skip(stage, state, f"needs {', '.join(_origin(name) for name in missing)}", say)
        return
    key = resume.key_of(stage.name, state.options[stage.name], {n: state.keys.get(n, "") for n in arguments})
    reused = resume.reuse(stage.name, key, state.out) if state.resume else None
    if reused is not None:
        _keep(reused, key, state)
        state.stages.append(StageRecord(stage.name, "reused", products=tuple(reused)))
        say(f"{stage.name}: unchanged since the last run, read back")
        return
    began = time.perf_counter()
    try:
        with PeakMemory() as memory, _collected(state, stage.name, say):
            made = stage.function(**arguments, **state.options[stage.name])
    except Skip as reason:
        _skip(stage, state, str(reason), say)
        return
    _keep(made, key, state)
    resume.remember(stage.name, made, key, state.out)
    seconds = time.perf_counter() - began
    state.stages.append(StageRecord(stage.name, "done", "", round(seconds, 3), round(memory.megabytes, 1), tuple(made)))
    say(f"{stage.name}: {', '.join(made)} ({seconds:.1f} s)")


def _skip(stage: Stage, state: _Run, reason: str, say: Log) -> None:
    state.stages.append(StageRecord(stage.name, "skipped", reason))
    state.skipped[stage.name] = reason
    say(f"{stage.name}: skipped, {reason}")


def _keep(made: dict[str, Any], key: str, state: _Run) -> None:
    state.products.update(made)
    state.made.update(made)
    state.keys.update({name: f"{key}:{name}" for name in made})


def _needs(stage: Stage) -> dict[str, bool]:
    """Products that a stage takes, with whether it cannot do without."""
    parameters = inspect.signature(stage.function).parameters.values()
    return {p.name: p.default is p.empty for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}


def _origin(product: str) -> str:
    """Where a missing product would come from, in the words of a scenario."""
    for stage in STAGES.values():
        if product in stage.makes:
            alternative = f", or inputs.{product}" if product in inputs.INPUTS else ""
            return f"{product} (from stage {stage.name}{alternative})"
    return f"inputs.{product}"


def _builds_on(name: str) -> set[str]:
    wanted, todo = set(), [name]
    while todo:
        stage = todo.pop()
        wanted.add(stage)
        needs = set(_needs(STAGES[stage]))
        todo += [other for other, s in STAGES.items() if needs & set(s.makes) and other not in wanted]
    return wanted


@contextmanager
def _collected(state: _Run, where: str, say: Log) -> Iterator[None]:
    """Collects the hazardgeo warnings of a block into the run, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", HazardGeoWarning)
        yield
    for text in dict.fromkeys(f"{where}: {_without_folders(str(w.message), state.scenario)}" for w in caught):
        state.warnings.append(text)
        say(f"warning: {text}")


def _without_folders(text: str, scenario: Scenario) -> str:
    """A message that names inputs without the folders of this machine, since it is written into the results."""
    for file in scenario.inputs.values():
        text = text.replace(str(file.path), file.path.name)
    return text


def _finish(state: _Run, records: list[FileRecord]) -> Manifest:
    out = state.out
    page = state.made.pop("map", None)
    written = export.write(state.made, out)
    if page is not None:
        written.append(out / "map.html")
        page.save(written[-1])
    written.append(out / "resolved.toml")
    with atomic(written[-1]) as part:
        part.write_text(_scenario.dump(state.scenario, state.options, out), encoding="utf-8")
    outputs = tuple(record(path, name=path.relative_to(out).as_posix()) for path in written)
    _remove_stale(out, {file.path for file in outputs})
    manifest = Manifest(
        title=state.scenario.title,
        notice=state.scenario.notice,
        seed=state.scenario.seed,
        inputs=tuple(records),
        outputs=outputs,
        stages=tuple(state.stages),
        warnings=tuple(state.warnings),
        headlines={h.label: {"value": h.value, "note": h.note} for h in headlines(state.products)},
        finished=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        versions=versions(),
    )
    manifest.write(out / "manifest.json")
    return manifest


def _remove_stale(out: Path, written: set[str]) -> None:
    """Remove what an earlier run left in the folder and this one did not write, so that no result is taken for another's."""
    try:
        listed = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["outputs"]
        earlier = {str(file["path"]) for file in listed}
    except (OSError, ValueError, KeyError, TypeError):
        return
    known = {path for path in earlier if path in OUTPUTS or re.fullmatch(r"(rasters|tables)/[\w.-]+", path)}
    for path in known - written:
        (out / path).unlink(missing_ok=True)
