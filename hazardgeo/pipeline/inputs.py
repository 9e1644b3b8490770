"""The files that a scenario can name, and the door that each goes through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyproj

from hazardgeo import crs as _crs
from hazardgeo import io, raster
from hazardgeo.crs import Height
from hazardgeo.errors import ConfigError, CrsError, MissingColumnError
from hazardgeo.raster import Raster
from hazardgeo.scenario import InputFile, Scenario

RASTER_OPTIONS = ("crs", "band", "unit")
VECTOR_OPTIONS = ("source_crs", "layer", "where", "columns")
RASTER_UNITS = {
    "dem": "m",
    "slope": "deg",
    "cti": "1",
    "vs30": "m/s",
    "precipitation": "mm",
    "water_table": "m",
    "distance_to_river": "km",
    "distance_to_coast": "km",
    "lithology": "class",
    "land_cover": "class",
}
INPUTS: dict[str, tuple[str, ...]] = {
    "scan": ("crs", "height"),
    "shakemap": (),
    "shakemap_uncertainty": (),
    "bodies": VECTOR_OPTIONS,
    "surveyed": VECTOR_OPTIONS,
    "roads": VECTOR_OPTIONS,
    "people": VECTOR_OPTIONS,
    "sites": VECTOR_OPTIONS,
    "zones": VECTOR_OPTIONS,
    **dict.fromkeys(RASTER_UNITS, RASTER_OPTIONS),
    "dem": (*RASTER_OPTIONS, "height", "bounds", "cell_m"),
}
SURFACES = ("scan", "dem")
NEEDED_COLUMNS = {"people": "people"}


def load(scenario: Scenario, name: str, working: Any) -> Any:
    """What the input `name` holds, brought to the working CRS where that is known and the input is a DEM or shapes."""
    file = scenario.inputs[name]
    if name == "scan":
        return _scan(file, working)
    if name == "shakemap":
        uncertainty = scenario.inputs.get("shakemap_uncertainty")
        return io.read_shakemap(file.path, uncertainty_xml=None if uncertainty is None else uncertainty.path)
    if name == "shakemap_uncertainty":
        return file.path
    if name in RASTER_UNITS:
        return _raster(file, working)
    return _shapes(file, working)


def in_order(scenario: Scenario) -> list[str]:
    """The inputs to read, those first that can say the working CRS where the scenario does not."""
    return sorted(scenario.inputs, key=lambda name: name not in SURFACES)


def crs_of(surface: Any) -> pyproj.CRS | None:
    """The CRS that a scan or a DEM gives to the work, None where it does not measure in metres."""
    found = surface.grid.crs if isinstance(surface, Raster) else surface.crs
    return found if _crs.is_metric(found) else None


def _scan(file: InputFile, working: Any) -> Any:
    cloud = io.read_cloud(file.path, **_stated(file, {"crs": str, "height": _height}))
    if working is not None and _crs.horizontal(working) != cloud.crs:
        raise CrsError(
            f"{file.path.name} is in {_crs.label(cloud.crs)}, the scenario works in {_crs.label(_crs.horizontal(working))}; "
            "set crs to that of the scan, which is the best survey."
        )
    return cloud


def _raster(file: InputFile, working: Any) -> Raster:
    stated = _stated(file, {"crs": str, "band": int, "height": _height})
    unit = str(file.options.get("unit", RASTER_UNITS[file.name]))
    found = io.read_raster(file.path, name=file.name, unit=unit, window=_bounds(file), **stated)
    if file.name == "slope" and unit == "m/m":
        return found.like(np.degrees(np.arctan(found.values)).astype(np.float32), "slope", "deg")
    if file.name == "dem" and working is not None and _crs.horizontal(working) != found.grid.crs:
        grid = raster.metric_grid(found.grid, crs=working, cell_m=file.options.get("cell_m"))
        return raster.align(found, to=grid, how="bilinear")
    if "cell_m" in file.options:
        raise ConfigError("[inputs] dem cell_m is for a DEM that is projected to another crs; this one is not, so leave it out.")
    return found


def _shapes(file: InputFile, working: Any) -> Any:
    columns = file.options.get("columns", {})
    shapes = io.read_vector(file.path, crs=working, **_stated(file, {"source_crs": str, "layer": str, "where": str}))
    missing = [c for c in columns if c not in shapes.columns]
    if missing:
        raise MissingColumnError(f"{file.path.name} has no column {missing[0]!r}; it has {', '.join(map(str, shapes.columns))}.")
    shapes = shapes.rename(columns=dict(columns))
    needed = NEEDED_COLUMNS.get(file.name)
    if needed and needed not in shapes.columns:
        raise MissingColumnError(
            f"{file.path.name} has no column {needed!r}; name the one that holds it with "
            f"columns = {{ '...' = '{needed}' }} (it has {', '.join(map(str, shapes.columns))})."
        )
    return shapes


def _stated(file: InputFile, kinds: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    return {key: kind(file.options[key]) for key, kind in kinds.items() if key in file.options}


def _bounds(file: InputFile) -> tuple[float, float, float, float] | None:
    """The part of a DEM to read: (west, south, east, north) in the CRS of the file."""
    given = file.options.get("bounds")
    if given is None:
        return None
    if not isinstance(given, list) or len(given) != 4 or not all(isinstance(v, int | float) for v in given):
        raise ConfigError(f"[inputs] {file.name} bounds = {given!r} must be [west, south, east, north] in the CRS of the file.")
    west, south, east, north = map(float, given)
    return west, south, east, north


def _height(kind: str) -> Height:
    if kind not in ("ellipsoidal", "orthometric", "unknown"):
        raise ConfigError(f"height = {kind!r} is not a height reference; use ellipsoidal, orthometric or unknown.")
    return Height(kind)  # type: ignore[arg-type]
