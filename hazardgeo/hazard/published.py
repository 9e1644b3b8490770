"""Published coefficients, read from one TOML file per paper."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any


@lru_cache(maxsize=32)
def published(paper: str) -> Mapping[str, Any]:
    """The coefficients of `paper`, with its citation, validity and how they were checked."""
    text = files("hazardgeo.hazard").joinpath("coefficients", f"{paper}.toml").read_text("utf-8")
    return MappingProxyType(tomllib.loads(text))


def tags(coefficients: Mapping[str, Any], **more: str) -> dict[str, str]:
    """What a result must say of the paper behind it: model, citation, validity and, where unchecked, a warning."""
    said = {name: str(coefficients[name]) for name in ("model", "citation", "validity") if name in coefficients}
    if not coefficients["verified"]:
        said["unverified"] = str(coefficients["verification"])
    return said | more
