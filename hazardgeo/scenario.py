"""A scenario file (TOML): what to compute, from which files, with which options.

    title = "Jishishan, first night"
    crs = "EPSG:32648"

    [inputs]
    scan = "scan.laz"
    roads = { path = "roads.gpkg", layer = "roads" }

    [shelter]
    night_temp_c = -15.0

Paths are relative to the file; ${NAME} takes an environment variable. A table per stage holds its options.
"""

from __future__ import annotations

import copy
import difflib
import inspect
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, get_type_hints

import pydantic
import tomli_w

from hazardgeo import crs as _crs
from hazardgeo.errors import ConfigError, HazardGeoError
from hazardgeo.event import Earthquake

_TOP = ("title", "crs", "notice", "seed", "data_time", "analysis_time", "event", "inputs")
_EVENT = ("magnitude", "longitude", "latitude", "depth_km", "time", "name")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # two letters: C:// is a drive
Options = dict[str, Any]


@dataclass(frozen=True, slots=True)
class InputFile:
    """One entry of [inputs]: a file, and how its door is told to read it (crs, layer, where, columns, cell_m ...)."""

    name: str
    path: Path
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A checked scenario. `crs` is the working CRS, None to stay on the grids of the inputs.

    `notice` is what every map and sentence must say of the data (synthetic, assumed, an exercise). `data_time` says when
    the ground was looked at, `analysis_time` when the results are of; both are aware. `options` holds, per stage, the
    values that the file sets; what it leaves out keeps the default of the stage.
    """

    title: str
    inputs: Mapping[str, InputFile]
    options: Mapping[str, Options]
    folder: Path
    crs: str | None = None
    notice: str = ""
    seed: int = 0
    event: Earthquake | None = None
    data_time: datetime | None = None
    analysis_time: datetime | None = None


def read(path: Path | str, *, stages: Mapping[str, Callable[..., Any]], inputs: Mapping[str, tuple[str, ...]]) -> Scenario:
    """The scenario in the file `path`, checked against the `stages` and the `inputs` (name -> reading options) known.

    Raises ConfigError for TOML that cannot be parsed and for the first thing that makes no sense; `problems` lists all.
    """
    source = Path(path)
    scenario, errors = _parse(load(source), source.resolve().parent, stages, inputs)
    if errors:
        raise ConfigError(f"{source.name}: {errors[0]}")
    return scenario


def problems(
    path: Path | str, *, stages: Mapping[str, Callable[..., Any]], inputs: Mapping[str, tuple[str, ...]]
) -> tuple[Scenario, list[str]]:
    """The scenario as far as it can be understood, and all that is wrong with the file."""
    source = Path(path)
    return _parse(load(source), source.resolve().parent, stages, inputs)


def load(path: Path) -> dict[str, Any]:
    """The TOML document in `path`; ConfigError where there is none or its syntax is wrong."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no scenario file {path}; write one with: hazardgeo new {path.parent}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder, not a scenario file; write one with: hazardgeo new {path}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path.name} is not valid TOML: {error}.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None


def override(document: dict[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """A copy of `document` with each "table.key=value" set; values are written as in TOML, bare words are texts."""
    changed = copy.deepcopy(document)
    for text in assignments:
        key, separator, value = text.partition("=")
        if not separator or not key.strip():
            raise ConfigError(f"--set takes table.key=value, not {text!r}; for example --set shelter.limit_min=30.")
        *tables, name = key.strip().split(".")
        target = changed
        for table in tables:
            if tables[0] == "inputs" and isinstance(target.get(table), str):
                target[table] = {"path": target[table]}
            target = target.setdefault(table, {})
            if not isinstance(target, dict):
                raise ConfigError(f"--set {text}: {table!r} is a value, not a table.")
        try:
            read = tomllib.loads(f"value = {value}")
        except tomllib.TOMLDecodeError:
            read = {"value": value.strip()}
        if len(read) > 1 or "\n" in value:
            raise ConfigError(f"--set takes one value at a time, not {text!r}; write --set again for another.")
        target[name] = read["value"]
    return changed


def from_document(
    document: dict[str, Any], folder: Path, *, stages: Mapping[str, Callable[..., Any]], inputs: Mapping[str, tuple[str, ...]]
) -> Scenario:
    """The scenario that a parsed TOML document states; paths are relative to `folder`."""
    scenario, errors = _parse(document, folder, stages, inputs)
    if errors:
        raise ConfigError(errors[0])
    return scenario


def check_options(stage: Callable[..., Any], values: Mapping[str, Any], *, section: str) -> Options:
    """`values` as the keyword-only options of `stage`, complete with defaults.

    Types and ranges are those of the signature. Raises ConfigError for an unknown name, a wrong type, a number that is
    not finite or out of range.
    """
    model = _model(stage)
    for key in values:
        _require_known(key, model.model_fields, f"option of [{section}]")
    try:
        return model.model_validate(dict(values)).model_dump()
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:1]) or "?"
        given = f" = {values[where]!r}" if where in values else ""
        raise ConfigError(f"[{section}] {where}{given}: {_lower(first['msg'])}.") from None


def dump(scenario: Scenario, options: Mapping[str, Options], to: Path) -> str:
    """The scenario as TOML with every option written out and paths relative to the folder `to`."""
    document: dict[str, Any] = {"title": scenario.title}
    if scenario.crs is not None:
        document["crs"] = scenario.crs
    if scenario.notice:
        document["notice"] = scenario.notice
    document["seed"] = scenario.seed
    times = {"data_time": scenario.data_time, "analysis_time": scenario.analysis_time}
    document |= {key: value for key, value in times.items() if value is not None}
    if scenario.event is not None:
        document["event"] = {name: getattr(scenario.event, name) for name in _EVENT}
    document["inputs"] = {
        name: {"path": Path(os.path.relpath(file.path, to)).as_posix(), **file.options} for name, file in scenario.inputs.items()
    }
    kept = {name: {k: v for k, v in table.items() if v is not None} for name, table in options.items()}
    return tomli_w.dumps({**document, **{name: table for name, table in kept.items() if table}})


def _parse(
    document: dict[str, Any], folder: Path, stages: Mapping[str, Callable[..., Any]], inputs: Mapping[str, tuple[str, ...]]
) -> tuple[Scenario, list[str]]:
    errors: list[str] = []

    def attempt(work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return work(*arguments)
        except HazardGeoError as error:
            errors.append(str(error))
            return None

    for key in document:
        attempt(_require_known, key, [*_TOP, *stages], "key or section")
    top = {key: attempt(_typed, document, key, kind) for key, kind in _TOP_TYPES.items()}
    if top["crs"] is not None:
        attempt(_crs.horizontal, top["crs"])
    event = attempt(_event, top["event"]) if top["event"] is not None else None
    read_as = {name: attempt(_input, name, entry, folder, inputs) for name, entry in (top["inputs"] or {}).items()}
    files = {name: file for name, file in read_as.items() if file is not None}
    options = {name: attempt(_stated_options, name, stages[name], document[name]) or {} for name in stages if name in document}
    if not files and event is None and not errors:
        errors.append("the scenario has no [inputs]; name at least one file, for example scan = 'scan.laz'.")
    times = {key: attempt(_time, document[key], key) for key in ("data_time", "analysis_time") if key in document}
    title = top["title"] or folder.name.encode("utf-8", "replace").decode()
    found = Scenario(title, files, options, folder, top["crs"], top["notice"] or "", top["seed"] or 0, event, **times)
    return found, errors


def _stated_options(name: str, stage: Callable[..., Any], table: object) -> Options:
    """The options that the file states for a stage, checked; defaults are left to the stage."""
    if not isinstance(table, dict):
        raise ConfigError(f"{name!r} must be a table of options, [{name}].")
    checked = check_options(stage, table, section=name)
    return {key: checked[key] for key in table}


_TOP_TYPES: dict[str, type] = {"title": str, "crs": str, "notice": str, "seed": int, "event": dict, "inputs": dict}


def _typed(document: Mapping[str, Any], key: str, kind: type) -> Any:
    value = document.get(key)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        words = {str: "a text", int: "a whole number", dict: f"a table, [{key}]"}
        raise ConfigError(f"{key} must be {words[kind]}, not {value!r}.")
    return value


def _event(table: Mapping[str, Any]) -> Earthquake:
    for key in table:
        _require_known(key, _EVENT, "key of [event]")
    missing = [key for key in _EVENT[:5] if key not in table]
    if missing:
        raise ConfigError(f"[event] needs {', '.join(missing)}; it states an earthquake where there is no ShakeMap.")
    time = _time(table["time"], "[event] time")
    magnitude, longitude, latitude, depth_km = (_number(table[key], f"[event] {key}") for key in _EVENT[:4])
    return Earthquake(magnitude, longitude, latitude, depth_km, time, str(table.get("name", "")))


def _time(value: object, what: str) -> datetime:
    """An aware time from a TOML time or an ISO text."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        time = None
    if not isinstance(time, datetime) or time.tzinfo is None:
        raise ConfigError(f"{what} = {value!s} needs a day, an hour and a time zone; write it as 2023-12-18T15:59:30Z.")
    return time


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{what} = {value!r} must be a number.")
    return float(value)


def _input(name: str, entry: object, folder: Path, inputs: Mapping[str, tuple[str, ...]]) -> InputFile:
    _require_known(name, inputs, "input")
    table = {"path": entry} if isinstance(entry, str) else entry
    if not isinstance(table, dict) or not isinstance(table.get("path"), str):
        raise ConfigError(f"[inputs] {name} must be a path or a table with a path, not {entry!r}.")
    for key in table:
        _require_known(key, ("path", *inputs[name]), f"key of [inputs] {name}")
    path = _expand(table["path"], name)
    require_local(path, name)
    return InputFile(name, Path(os.path.normpath(folder / path)), {k: v for k, v in table.items() if k != "path"})


def require_local(path: str, name: str) -> None:
    """Raise ConfigError for an address: a run can only be checked again while its inputs stay what they were."""
    if _ADDRESS.match(path):
        raise ConfigError(f"[inputs] {name} names an address, and a run keeps to files that are here; download it first.")


def _expand(text: str, name: str) -> str:
    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match.group(1))
        if found is None:
            raise ConfigError(
                f"[inputs] {name}: the environment variable {match.group(1)} is not set; "
                f"set it to the folder that {text!r} starts from."
            )
        return found

    return re.sub(r"\$\{(\w+)\}", value, text)


def _require_known(word: str, words: Iterable[str], what: str) -> None:
    known = list(words)
    if word in known:
        return
    near = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
    raise ConfigError(f"unknown {what} {word!r}; {hint}")


@lru_cache(maxsize=64)
def _model(stage: Callable[..., Any]) -> type[pydantic.BaseModel]:
    hints = get_type_hints(stage, include_extras=True)
    fields: dict[str, Any] = {
        p.name: (hints[p.name], ... if p.default is p.empty else p.default)
        for p in inspect.signature(stage).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    }
    config = pydantic.ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return pydantic.create_model(f"{stage.__name__}_options", __config__=config, **fields)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
