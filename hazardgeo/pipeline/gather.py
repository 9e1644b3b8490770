"""The inputs of a run: read through their doors, or only when they are needed where they did not change."""

from __future__ import annotations

import secrets
import warnings
from typing import Any

import numpy as np
import pyproj
from pyproj.exceptions import CRSError

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import FormatError
from hazardgeo.pipeline import inputs, place, source, store
from hazardgeo.pipeline.manifest import FileRecord
from hazardgeo.pipeline.resume import input_key, key_of, scenario_key
from hazardgeo.pipeline.state import Product, Run, collected, encoded, hold, save, tell
from hazardgeo.pipeline.store import Entry


def load_inputs(state: Run) -> tuple[FileRecord, ...]:
    """All inputs as products; those that were read before and did not change are read again only when they are needed."""
    scenario = state.scenario
    inputs.require_compatible(scenario)
    records = {name: source.records(name, inputs.paths(file)) for name, file in scenario.inputs.items()}
    working: Any = scenario.crs
    for name in inputs.in_order(scenario):
        crs = _load_input(name, working, records, state)
        if working is None and name in inputs.SURFACES:
            working = crs
    _check_places(state)
    if scenario.event is not None:
        hold("event", scenario.event, repr(scenario.event), state)
    hold("scenario", scenario, scenario_key(scenario), state)
    return tuple(file for name in scenario.inputs for file in records[name])


def _check_places(state: Run) -> None:
    """Whether the inputs lie where the others do; where all are as they were, what was said of that is said again."""
    given = dict(state.products)
    key = key_of("places", {name: product.identity for name, product in given.items()}, repr(state.scenario.event))
    entry = store.find("places", key, state.cache) if state.resume else None
    if entry is None:
        with collected("inputs", state) as said:
            values = {name: state.corners.get(name) or product.value for name, product in given.items()}
            place.check_places(values, state.scenario)
        entry = Entry(key, {}, tuple(said))
        save("places", entry, state)
    else:
        tell(entry.warnings, state)
    state.entries.add("places")


def _load_input(name: str, working: Any, records: dict[str, tuple[FileRecord, ...]], state: Run) -> pyproj.CRS | None:
    """Adds the input to the products; returns the working CRS that it gives."""
    file = state.scenario.inputs[name]
    paths = inputs.paths(file)
    related = [r for other in records if other == name or other.startswith(f"{name}_") for r in records[other]]
    key = input_key(name, related, file.options, working)

    def read() -> Any:
        state.say(f"read {name}: {', '.join(path.name for path in paths)}")
        with source.held_still(name, paths, records[name]):
            return inputs.load(state.scenario, name, working)

    def read_again() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its warnings are in the entry
            return read()

    leans = any(source.leans_on_others(path) for path in paths)
    earlier = _earlier(name, key, state) if state.resume and not leans else None
    if earlier is not None:
        said, found, bounds = earlier
        tell(said, state)
        state.products[name] = Product(key, read_again)
    else:
        with collected(name, state) as noted:
            value = read()
        found, bounds = inputs.crs_of(value) if name in inputs.SURFACES else None, _corners(value)
        wkt = None if found is None else found.to_wkt()
        hold(name, value, _content(value, state) if leans else key, state)
        save(f"input-{name}", Entry(key, {"crs": wkt, "corners": encoded(bounds, state)}, tuple(noted)), state)
    state.entries.add(f"input-{name}")
    if bounds is not None:
        state.corners[name] = bounds
    return found


def _earlier(name: str, key: str, state: Run) -> tuple[tuple[str, ...], pyproj.CRS | None, PointCloud | None] | None:
    """Warnings, CRS and corners of an input that was read before; None where the store does not hold them as they were."""
    entry = store.find(f"input-{name}", key, state.cache)
    if entry is None or set(entry.products) != {"crs", "corners"}:
        return None
    wkt = entry.products["crs"]
    try:
        crs = None if wkt is None else pyproj.CRS.from_wkt(wkt)
        bounds = store.value_of(entry.products["corners"], state.cache)
    except (FormatError, CRSError, TypeError, ValueError):
        return None
    return (entry.warnings, crs, bounds) if bounds is None or isinstance(bounds, PointCloud) else None


def _content(value: Any, state: Run) -> str:
    """The identity of an input by what was read; one that nothing else has where that cannot be kept."""
    data = encoded(value, state)
    return secrets.token_hex(32) if data is None else store.identity(data)


def _corners(value: Any) -> PointCloud | None:
    """A cloud of two points with the bounds of a scan: to see where it lies, a scan is not read again."""
    if not isinstance(value, PointCloud) or not len(value):
        return None
    return PointCloud(np.array([value.xyz.min(axis=0), value.xyz.max(axis=0)]), value.crs, height=value.height)
