"""Keys: what a stage, an input or a file was made from. Equal keys stand for equal results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from hazardgeo.pipeline.manifest import FileRecord, versions
from hazardgeo.scenario import Scenario


def key_of(*parts: object) -> str:
    """A key over texts, options and other keys; another version of the code or of a library is another key."""
    text = json.dumps([versions(), *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def input_key(name: str, files: Iterable[FileRecord], options: Mapping[str, Any], working: Any) -> str:
    """A key over an input by the content of its files, and how it is read; where the files lie does not count."""
    return key_of("input", name, [(file.path, file.sha256) for file in files], dict(options), str(working))


def scenario_key(scenario: Scenario) -> str:
    """A key over all that a scenario says, without the folders of its files."""
    files = {name: [file.path.name, dict(file.options)] for name, file in scenario.inputs.items()}
    times = [scenario.data_time, scenario.analysis_time, scenario.event]
    return key_of("scenario", scenario.title, scenario.notice, scenario.crs, scenario.seed, times, files, scenario.options)


def files_key(name: str, identity: str) -> str:
    """A key over the files that are written of a product, by its identity."""
    return key_of("files", name, identity)
