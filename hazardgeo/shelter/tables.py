"""The tables of published standards and assumptions that ship with the package."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib import resources
from typing import Any


@lru_cache(maxsize=16)
def load(name: str) -> dict[str, Any]:
    """The table `name`; not to be changed by the caller."""
    text = (resources.files("hazardgeo.shelter") / "standards" / f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
