"""From laser scans, drone photos and shaking maps to shelter gaps and offline maps after an earthquake.

    import hazardgeo as hg

    dem = hg.io.read_raster("dem.tif")
    slope_deg = hg.terrain.slope(dem)

The packages are loaded when they are first used; importing `hazardgeo` itself loads no heavy library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hazardgeo import (
        change,
        cloud,
        crs,
        errors,
        event,
        grid,
        hazard,
        io,
        levels,
        network,
        pipeline,
        raster,
        scan,
        shelter,
        synthetic,
        terrain,
        tiles,
        webmap,
    )

__version__ = "0.1.0"
__all__ = [
    "change",
    "cloud",
    "crs",
    "errors",
    "event",
    "grid",
    "hazard",
    "io",
    "levels",
    "network",
    "pipeline",
    "raster",
    "scan",
    "shelter",
    "synthetic",
    "terrain",
    "tiles",
    "webmap",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        return importlib.import_module(f"hazardgeo.{name}")
    raise AttributeError(f"module 'hazardgeo' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
