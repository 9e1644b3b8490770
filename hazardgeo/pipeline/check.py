"""All that is wrong with a scenario, found without running it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas
import shapely

from hazardgeo import crs as _crs
from hazardgeo import scenario as _scenario
from hazardgeo.errors import FormatError, HazardGeoError, MissingColumnError
from hazardgeo.pipeline import inputs
from hazardgeo.pipeline.run import known
from hazardgeo.raster import Raster
from hazardgeo.scenario import InputFile, Scenario
from hazardgeo.shelter import CAPACITY_COLUMNS

WGS84 = "EPSG:4326"


def check(path: Path | str) -> list[str]:
    """What is wrong with a scenario file, gravest first: the file itself, then its inputs, then how they fit together.

    Empty when it can run. Rasters and shapes are read; LAS clouds by their header only. Raises ConfigError where there is
    no such file or its TOML cannot be parsed.
    """
    scenario, found = _scenario.problems(path, **known())
    return [*found, *_input_problems(scenario)]


def _input_problems(scenario: Scenario) -> Iterator[str]:
    try:
        inputs.require_compatible(scenario)
    except HazardGeoError as error:
        yield str(error)
    working: Any = scenario.crs
    extents: dict[str, Any] = {}
    for name in inputs.in_order(scenario):
        file = scenario.inputs[name]
        try:
            missing = next((path for path in inputs.paths(file) if not path.is_file()), None)
            if missing is not None:
                raise FormatError(f"there is no file {missing}; correct the path.")
            if name == "shakemap_uncertainty":
                continue
            if name == "scan":
                extents[name], found = _scan_extent(file, working)
            else:
                product = inputs.load(scenario, name, working)
                extents[name], found = _extent(product), inputs.crs_of(product) if name == "dem" else None
                if name == "sites":
                    _require_capacity(product, file)
            working = working if working is not None else found
        except HazardGeoError as error:
            yield f"[inputs] {name}: {error}"
    yield from _apart(extents)


def _scan_extent(file: InputFile, working: Any) -> tuple[Any, Any]:
    """The extent of a scan and its CRS."""
    bounds, crs = inputs.scan_extent(file, working)
    return _box(bounds, crs), crs


def _require_capacity(sites: geopandas.GeoDataFrame, file: InputFile) -> None:
    if not set(sites.columns) & set(CAPACITY_COLUMNS):
        raise MissingColumnError(f"{file.path.name} gives no capacity; it needs one of {', '.join(CAPACITY_COLUMNS)}.")


def _extent(product: Any) -> Any:
    if isinstance(product, Raster):
        return _box(product.grid.bounds, product.grid.crs)
    if isinstance(product, geopandas.GeoDataFrame):
        return None if product.empty else _box(tuple(product.total_bounds), product.crs)
    return _box(product.grid.bounds, product.grid.crs)


def _box(bounds: Any, crs: Any) -> Any:
    return geopandas.GeoSeries([shapely.box(*bounds)], crs=_crs.horizontal(crs)).to_crs(WGS84).iloc[0]


def _apart(extents: dict[str, Any]) -> Iterator[str]:
    """Inputs that lie nowhere near the terrain."""
    extents = {name: box for name, box in extents.items() if box is not None and not box.is_empty}
    surface = next((n for n in ("scan", "dem", "slope", "shakemap") if n in extents), None)
    if surface is None:
        return
    for name, box in extents.items():
        if not box.intersects(extents[surface]):
            km = 111.0 * box.distance(extents[surface])
            yield f"[inputs] {name} lies about {km:,.0f} km away from {surface}; check its CRS and its coordinates."
