"""All that is wrong with a scenario, found without running it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas
import shapely

from hazardgeo import crs as _crs
from hazardgeo import io
from hazardgeo import scenario as _scenario
from hazardgeo.errors import HazardGeoError
from hazardgeo.pipeline import inputs
from hazardgeo.pipeline.run import known
from hazardgeo.raster import Raster
from hazardgeo.scenario import Scenario
from hazardgeo.shelter import CAPACITY_COLUMNS

WGS84 = "EPSG:4326"


def check(path: Path | str) -> list[str]:
    """What is wrong with a scenario file, gravest first: the file itself, then its inputs, then how they fit together.

    Empty when it can run. Rasters and shapes are read, clouds by their header only. Raises ConfigError where there is
    no such file or its TOML cannot be parsed.
    """
    scenario, found = _scenario.problems(path, **known())
    return [*found, *_input_problems(scenario)]


def _input_problems(scenario: Scenario) -> Iterator[str]:
    if {"scan", "dem"} <= set(scenario.inputs):
        yield "[inputs] names both a scan and a dem, and the terrain can come from one only; leave one out."
    try:
        working = inputs.working_crs(scenario)
    except HazardGeoError as error:
        yield str(error)
        return
    extents: dict[str, Any] = {}
    for name, file in scenario.inputs.items():
        if not file.path.exists():
            yield f"[inputs] {name}: there is no file {file.path}; correct the path."
            continue
        try:
            if name == "scan":
                info = io.cloud_info(file.path)
                crs = file.options.get("crs") or info.crs
                if crs is None:
                    yield f"[inputs] scan: {file.path.name} states no CRS; set crs = 'EPSG:...' in its table."
                else:
                    extents[name] = _box(info.bounds, crs)
                continue
            product = inputs.load(scenario, name, working)
            if name == "shakemap_uncertainty":
                continue
            extents[name] = _extent(product)
            if name == "sites" and not set(product.columns) & set(CAPACITY_COLUMNS):
                yield f"[inputs] sites: {file.path.name} gives no capacity; it needs one of {', '.join(CAPACITY_COLUMNS)}."
        except HazardGeoError as error:
            yield f"[inputs] {name}: {error}"
    yield from _apart(extents)


def _extent(product: Any) -> Any:
    if isinstance(product, Raster):
        return _box(product.grid.bounds, product.grid.crs)
    if isinstance(product, geopandas.GeoDataFrame):
        return _box(tuple(product.total_bounds), product.crs)
    return _box(product.grid.bounds, product.grid.crs)


def _box(bounds: Any, crs: Any) -> Any:
    return geopandas.GeoSeries([shapely.box(*bounds)], crs=_crs.horizontal(crs)).to_crs(WGS84).iloc[0]


def _apart(extents: dict[str, Any]) -> Iterator[str]:
    """Inputs that lie nowhere near the terrain."""
    surface = next((n for n in ("scan", "dem", "slope", "shakemap") if n in extents), None)
    if surface is None:
        return
    for name, box in extents.items():
        if not box.intersects(extents[surface]):
            km = 111.0 * box.distance(extents[surface])
            yield f"[inputs] {name} lies about {km:,.0f} km away from {surface}; check its CRS and its coordinates."
