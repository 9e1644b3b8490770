"""A run: stages in order, each when what it needs is there, with resume and a manifest."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from hazardgeo import scenario as _scenario
from hazardgeo.errors import ConfigError, FormatError
from hazardgeo.pipeline import inputs, lock, results, store
from hazardgeo.pipeline.finish import finish, keep_store
from hazardgeo.pipeline.gather import load_inputs
from hazardgeo.pipeline.manifest import Manifest, StageRecord
from hazardgeo.pipeline.resume import files_key, key_of
from hazardgeo.pipeline.skip import Skip
from hazardgeo.pipeline.stages import STAGES, Stage
from hazardgeo.pipeline.state import PAGE, Log, Run, add, collected, encoded, hold, identity, save, tell
from hazardgeo.pipeline.store import Entry
from hazardgeo.scenario import Scenario
from hazardgeo.tiles import PeakMemory


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
    on. With `resume`, what an earlier run made from the same inputs, options and code is taken from out/.cache, which
    may be deleted at any time; without, everything is computed and nothing is kept there. Raises a HazardGeoError at the
    first thing that is wrong, also where another run is at work in `out`; the results of an earlier run then stay.
    """
    checked = scenario if isinstance(scenario, Scenario) else read_scenario(scenario)
    if only is not None and only not in STAGES:
        raise ConfigError(f"there is no stage {only!r}; the stages are {', '.join(STAGES)}.")
    options = {n: _scenario.check_options(s.function, checked.options.get(n, {}), section=n) for n, s in STAGES.items()}
    folder, wanted = _folder(Path(out)), set(STAGES) if only is None else _builds_on(only)
    _require_apart(checked, folder)
    with lock.held(folder):
        cache = folder / store.FOLDER
        results.tidy(folder, cache)
        state = Run(checked, options, folder, resume, log or (lambda _text: None), results.read(folder, cache))
        records = load_inputs(state)
        for name, stage in STAGES.items():
            if name in wanted:
                _run_stage(stage, state)
        manifest = finish(state, records, only)
        keep_store(state, wanted)
    return manifest


def _folder(out: Path) -> Path:
    try:
        for name in (*results.FOLDERS, store.FOLDER):
            (out / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(f"the output folder {out} cannot be written: {error.strerror}; choose another with --out.") from None
    return out


def _require_apart(scenario: Scenario, folder: Path) -> None:
    """Raise ConfigError where writing the results would write over an input."""
    out = folder.resolve()
    for name, file in scenario.inputs.items():
        for path in (p.resolve() for p in inputs.paths(file)):
            if path.parent in [out / part for part in results.FOLDERS] or path in [out / result for result in results.FILES]:
                raise ConfigError(
                    f"[inputs] {name} lies among the results in {folder}, which would be written over; choose another --out."
                )


def _run_stage(stage: Stage, state: Run) -> None:
    needs = _needs(stage)
    missing = [name for name, needed in needs.items() if needed and name not in state.products and name != "skipped"]
    if missing:
        _skip(stage, state, f"needs {', '.join(_origin(name) for name in missing)}")
        return
    if "skipped" in needs:
        hold("skipped", dict(state.skipped), key_of(state.skipped), state)
    arguments = {name: state.products[name] for name in needs if name in state.products}
    key = key_of(stage.name, state.options[stage.name], {name: product.identity for name, product in arguments.items()})

    def make() -> dict[str, Any]:
        return stage.function(**{n: p.value for n, p in arguments.items()}, **state.options[stage.name])

    if not _reused(stage, key, make, state):
        _compute(stage, key, make, state)


def _reused(stage: Stage, key: str, make: Callable[[], dict[str, Any]], state: Run) -> bool:
    """Takes what the stage made at an earlier run, where that was from the same things and is still there."""
    entry = store.find(stage.name, key, state.cache) if state.resume else None
    if entry is None or not set(entry.products) <= set(stage.makes):
        return False
    if not all(_is_there(name, data, key, state) for name, data in entry.products.items()):
        return False
    state.entries.add(stage.name)
    tell(entry.warnings, state)
    if entry.skipped:
        _skip(stage, state, entry.skipped)
        return True
    for name, data in entry.products.items():
        load = partial(_only, name, make) if name == PAGE else partial(_fetched, name, data, make, state)
        add(name, data, key, load, state)
    state.stages.append(StageRecord(stage.name, "reused", products=tuple(entry.products)))
    state.say(f"{stage.name}: unchanged since the last run")
    return True


def _same(value: Any) -> Any:
    return value


def _only(name: str, make: Callable[[], dict[str, Any]]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its warnings are in the entry
        return make()[name]


def _fetched(name: str, data: Any, make: Callable[[], dict[str, Any]], state: Run) -> Any:
    """A product from the store; made anew where it turns out that it does not come back."""
    try:
        return store.value_of(data, state.cache)
    except FormatError:
        return _only(name, make)


def _is_there(name: str, data: Any, key: str, state: Run) -> bool:
    """True for a product in the store, and for the map where its file is as it was written."""
    if data is not None:
        return True
    group = state.earlier.groups.get(name)
    return (
        name == PAGE
        and group is not None
        and group.made_from == files_key(name, identity(name, data, key))
        and results.is_current(group, state.out)
    )


def _compute(stage: Stage, key: str, make: Callable[[], dict[str, Any]], state: Run) -> None:
    began = time.perf_counter()
    said: list[str] = []
    try:
        with PeakMemory() as memory, collected(stage.name, state) as said:
            made = make()
    except Skip as reason:
        _skip(stage, state, str(reason))
        save(stage.name, Entry(key, {}, tuple(said), str(reason)), state)
        return
    kept = {}
    for name, value in made.items():
        kept[name] = None if name == PAGE or not state.resume else encoded(value, state)
        add(name, kept[name], key, partial(_same, value), state)
    save(stage.name, Entry(key, kept, tuple(said)), state)
    seconds = time.perf_counter() - began
    state.stages.append(StageRecord(stage.name, "done", "", round(seconds, 3), round(memory.megabytes, 1), tuple(made)))
    state.say(f"{stage.name}: {', '.join(made)} ({seconds:.1f} s)")


def _skip(stage: Stage, state: Run, reason: str) -> None:
    state.stages.append(StageRecord(stage.name, "skipped", reason))
    state.skipped[stage.name] = reason
    state.say(f"{stage.name}: skipped, {reason}")


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
