"""Whether the results of a run are what they say, and whether the run gives the same bytes again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hazardgeo.errors import FormatError
from hazardgeo.pipeline import inputs, source
from hazardgeo.pipeline.manifest import FileRecord, Manifest, record, versions
from hazardgeo.pipeline.run import read_scenario, run
from hazardgeo.scenario import Scenario

SAME = "same bytes"
_RESOLVED = "resolved.toml"
Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of each input and output by its path, "same bytes" or how it differs, and of each version that changed.

    `rerun` says whether the scenario was run again; without, outputs are only held against the hashes of the manifest.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    versions: Mapping[str, str]
    rerun: bool

    @property
    def same(self) -> bool:
        """True when every input and output has the same bytes."""
        return all(state == SAME for state in (*self.inputs.values(), *self.outputs.values()))

    @property
    def lines(self) -> list[str]:
        """The findings, one line each."""
        found = [f"input {path}: {state}" for path, state in self.inputs.items()]
        found += [f"version of {name}: {state}" for name, state in self.versions.items()]
        return found + [f"output {path}: {state}" for path, state in self.outputs.items()]


def verify(manifest: Path | str, *, rerun: bool = True, log: Log | None = None) -> Verification:
    """Holds the results beside `manifest` against it, runs their scenario again in a temporary folder, and compares bytes.

    Nothing is taken from the earlier run, and nothing is written beside it. Bytes are promised for the same machine,
    versions and seed; where a version changed they may differ, and `versions` says which. Where an input changed the
    scenario is not run again. With `rerun` false only hashes are compared, which tells whether files were changed since,
    not whether they follow from the inputs. Raises FormatError where there is no manifest or no resolved.toml beside it.
    """
    path = Path(manifest)
    said, out = Manifest.read(path), path.parent
    if not (out / _RESOLVED).is_file():
        raise FormatError(f"there is no {_RESOLVED} beside {path}; copy the whole folder of the results.")
    scenario = read_scenario(out / _RESOLVED)
    given, now = _inputs(scenario, said), versions()
    other = {
        name: f"{said.versions.get(name, 'not stated')} then, {now.get(name, 'not installed')} now"
        for name in dict.fromkeys((*said.versions, *now))
        if said.versions.get(name) != now.get(name)
    }
    outputs = {file.path: _on_disk(file, out) for file in said.outputs} | _forged(scenario, said)
    again = rerun and all(state == SAME for state in given.values())
    if again:
        with tempfile.TemporaryDirectory(prefix="hazardgeo-verify-") as folder:
            made = run(scenario, out=folder, only=said.only, resume=False, log=log)
        outputs |= _compared(said, made, outputs)
    return Verification(given, outputs, other, again)


def _inputs(scenario: Scenario, said: Manifest) -> dict[str, str]:
    """What became of the inputs: a file counts by the name under which the run knew it."""
    there: list[FileRecord] = []
    lost: set[str] = set()
    for name, file in scenario.inputs.items():
        paths = [path for path in inputs.paths(file) if path.is_file()]
        lost |= {f"{name}: {path.name}" for path in set(inputs.paths(file)) - set(paths)}
        try:
            there += source.records(name, paths)
        except FormatError:  # one that may not be read
            lost |= {f"{name}: {path.name}" for path in paths}
    found, listed = _by_path(there), _by_path(said.inputs)
    states = {path: SAME if found.get(path) == files else "changed" for path, files in listed.items()}
    states |= {path: "missing" for path in listed if path not in found or path in lost}
    return states | {path: "was not there" for path in found if path not in listed}


def _by_path(files: Iterable[FileRecord]) -> dict[str, list[FileRecord]]:
    """Files by their path; tiles of one name from several folders share it."""
    found: dict[str, list[FileRecord]] = {}
    for file in files:
        found.setdefault(file.path, []).append(file)
    return found


def _forged(scenario: Scenario, said: Manifest) -> dict[str, str]:
    """Whether the manifest says of the scenario what the scenario says."""
    pairs = {name: (getattr(scenario, name), getattr(said, name)) for name in ("title", "notice", "seed")}
    other = [name for name, (ours, theirs) in pairs.items() if ours != theirs]
    return {"manifest.json": f"{', '.join(other)} not as in {_RESOLVED}"} if other else {}


def _on_disk(file: FileRecord, out: Path) -> str:
    try:
        return SAME if record(out / file.path, name=file.path) == file else "changed since the run"
    except OSError:
        return "missing"


def _compared(said: Manifest, made: Manifest, outputs: Mapping[str, str]) -> dict[str, str]:
    """What the second run says of outputs that are as the first one left them."""
    anew = {file.path: file for file in made.outputs}
    found = {}
    for file in said.outputs:
        if file.path == _RESOLVED or outputs[file.path] != SAME:
            continue  # its paths start from the folder of the results
        if file.path not in anew:
            found[file.path] = "not made when run again"
        elif anew[file.path] != file:
            found[file.path] = "differs when run again"
    found |= {path: "made only when run again" for path in anew if path not in outputs}
    if (said.headlines, said.warnings) != (made.headlines, made.warnings):
        found["manifest.json"] = "headlines or warnings differ when run again"
    return found
