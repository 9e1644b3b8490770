"""What a run has so far: products by identity, and what is said of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import HazardGeoWarning
from hazardgeo.pipeline import inputs, store
from hazardgeo.pipeline.codec_table import Unstorable
from hazardgeo.pipeline.manifest import StageRecord
from hazardgeo.pipeline.results import Results
from hazardgeo.pipeline.store import Entry
from hazardgeo.scenario import Scenario

PAGE = "map"  # the one product that is kept as its file, map.html, and not in the store
Log = Callable[[str], None]


@dataclass(frozen=True)
class Product:
    """An input or what a stage made, by its identity; read, or fetched from the store, when it is first needed."""

    identity: str
    load: Callable[[], Any]

    @cached_property
    def value(self) -> Any:
        return self.load()


@dataclass
class Run:
    """What a run has so far."""

    scenario: Scenario
    options: dict[str, dict[str, Any]]
    out: Path
    resume: bool
    say: Log
    earlier: Results
    products: dict[str, Product] = field(default_factory=dict)
    corners: dict[str, PointCloud] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    entries: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)
    stages: list[StageRecord] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return self.out / store.FOLDER


def hold(name: str, value: Any, identity: str, state: Run) -> None:
    """Adds a product that is in memory, and is no result of a stage."""
    state.products[name] = Product(identity, lambda: value)


def encoded(value: Any, state: Run) -> Any:
    """The value as plain data in the store; None for a kind that the store does not keep."""
    try:
        return store.encoded(value, state.cache)
    except Unstorable:
        return None


def identity(name: str, data: Any, key: str) -> str:
    """The identity of a product: its content, so that what is computed anew to the same spares what builds on it."""
    return f"{key}:{name}" if data is None else store.identity(data)


def add(name: str, data: Any, key: str, load: Callable[[], Any], state: Run) -> None:
    """Adds a product that a stage made from what `key` says; `data` is its form in the store, if it is there."""
    state.products[name] = Product(identity(name, data, key), load)
    state.made.append(name)


def save(name: str, entry: Entry, state: Run) -> None:
    """Keeps the entry for the next run, where this one may be resumed."""
    if state.resume:
        store.save(name, entry, state.cache)
        state.entries.add(name)


@contextmanager
def collected(where: str, state: Run) -> Iterator[list[str]]:
    """Collects the hazardgeo warnings of a block, also of one that fails, each once, into the run and the list that it gives."""
    said: list[str] = []
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", HazardGeoWarning)
            yield said
    finally:
        said += dict.fromkeys(f"{where}: {_without_folders(str(w.message), state.scenario)}" for w in caught)
        tell(said, state)


def tell(said: Iterable[str], state: Run) -> None:
    """Adds warnings to the run and to its log."""
    for text in said:
        state.warnings.append(text)
        state.say(f"warning: {text}")


def _without_folders(text: str, scenario: Scenario) -> str:
    """A message that names inputs without the folders of this machine, since it is written into the results."""
    for path in (p for file in scenario.inputs.values() for p in inputs.paths(file)):
        text = text.replace(str(path), path.name)
    return text
