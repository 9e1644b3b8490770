"""Options as a number: options that are equal have the same."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from hazardgeo.errors import ConfigError


def options_hash(options: Mapping[str, Any]) -> str:
    """A hash over the names and values of options; ConfigError for a value that cannot travel to another process.

    The order of mappings and sets, and whether two values are one object, make no other hash. Objects of classes that are
    no plain data count by what they are sent as.

    >>> options_hash({"a": {1, 2}, "b": 3}) == options_hash({"b": 3, "a": {2, 1}})
    True
    """
    plain = {name: _plain(value, name) for name, value in options.items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _plain(value: Any, name: str) -> Any:  # noqa: PLR0911 - one for each kind
    """The value as what JSON can hold, with its type where two types look alike."""
    kind = type(value).__qualname__
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, PurePath):
        return {kind: str(value)}
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return {kind: [str(value.dtype), value.shape, hashlib.sha256(value.tobytes()).hexdigest()]}
    if type(value) in (list, tuple):
        return {kind: [_plain(item, name) for item in value]}
    if type(value) in (set, frozenset):
        return {kind: sorted(json.dumps(_plain(item, name), sort_keys=True) for item in value)}
    if type(value) is dict:
        pairs = ([_plain(key, name), _plain(item, name)] for key, item in value.items())
        return {kind: sorted(json.dumps(pair, sort_keys=True) for pair in pairs)}
    if is_dataclass(value) and not isinstance(value, type):
        return {f"{type(value).__module__}.{kind}": {f.name: _plain(getattr(value, f.name), name) for f in fields(value)}}
    try:
        return {kind: hashlib.sha256(pickle.dumps(value)).hexdigest()}
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"the option {name!r} cannot be sent to another process ({' '.join(str(error).split())}); pass numbers, texts "
            "or paths."
        ) from None
