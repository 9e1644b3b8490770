"""Contributing areas and wetness of rasters of any size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hazardgeo.raster import Raster
from hazardgeo.terrain import routing as _routing
from hazardgeo.terrain.flow import direction_raster, filled_raster, index_of, wetness_tags
from hazardgeo.terrain.gradient import scale_tag
from hazardgeo.terrain.routing import EXPONENT, Routing
from hazardgeo.terrain.tiled.drained import Drained, drained
from hazardgeo.tiles import engine
from hazardgeo.tiles.drainage import LOWER_BOUND
from hazardgeo.tiles.engine import RasterSink, RasterSource

PRODUCTS = ("filled", "flow_direction", "flow_accumulation", "wetness", "inflow_unknown")


def flow_accumulation(
    source: RasterSource, sink: RasterSink, *, work_folder: Path, routing: Routing = "d8", exponent: float = EXPONENT, **job: Any
) -> None:
    """`terrain.flow_accumulation` of elevations of any size, to the last bit, whichever the routing.

    With "dinf" and "mfd" water goes from tile to tile in rounds, each over the tiles alone that wait for what has come: a
    tile takes a margin of an eighth of its width around it along, so that ways that cross a seam often cost few rounds.
    `job` is that of `tiles.map`, without a halo. Errors are those of the function and of `tiles.map`.
    """
    flow(source, {"flow_accumulation": sink}, work_folder=work_folder, routing=routing, exponent=exponent, **job)


def wetness(
    source: RasterSource,
    sink: RasterSink,
    *,
    work_folder: Path,
    routing: Routing = "d8",
    scale_m: float | None = None,
    exponent: float = EXPONENT,
    **job: Any,
) -> None:
    """`terrain.wetness` of elevations of any size, to the last bit; the rest as `flow_accumulation`."""
    options: dict[str, Any] = {"routing": routing, "scale_m": scale_m, "exponent": exponent}
    flow(source, {"wetness": sink}, work_folder=work_folder, **options, **job)


def inflow_unknown(
    source: RasterSource, sink: RasterSink, *, work_folder: Path, routing: Routing = "d8", exponent: float = EXPONENT, **job: Any
) -> None:
    """`terrain.inflow_unknown` of elevations of any size; the rest as `flow_accumulation`."""
    flow(source, {"inflow_unknown": sink}, work_folder=work_folder, routing=routing, exponent=exponent, **job)


def flow(
    source: RasterSource,
    sinks: Mapping[str, RasterSink],
    *,
    work_folder: Path,
    routing: Routing = "d8",
    scale_m: float | None = None,
    exponent: float = EXPONENT,
    **job: Any,
) -> None:
    """Several of PRODUCTS at once, each into its sink: "filled", "flow_direction", "flow_accumulation", "wetness" and
    "inflow_unknown", of the surface smoothed to `scale_m` where it is given. The rest as `flow_accumulation`.
    """
    _routing.require_routing(routing, exponent)
    assert set(sinks) <= set(PRODUCTS)
    source.grid.require_metric("flow")
    method = _routing.method(routing, exponent)
    with drained(source, work_folder, scale_m=scale_m, **job) as water:
        _keep_surface(water, source, sinks)
        if "inflow_unknown" in sinks:
            marks = water.inflow(routing, exponent)
            engine.map(_marked, {"marks": marks}, sinks["inflow_unknown"], options={"method": method}, **water.job)
        if not {"flow_accumulation", "wetness"} & set(sinks):
            return
        counts = water.counts(routing, exponent)
        if "flow_accumulation" in sinks:
            engine.map(_area, {"counts": counts}, sinks["flow_accumulation"], options={"method": method}, **water.job)
        if "wetness" in sinks:
            options = {"method": method, "scale_m": scale_m}
            engine.map(_wetness, {"dem": water.surface, "counts": counts}, sinks["wetness"], halo=1, options=options, **water.job)


def _keep_surface(water: Drained, source: RasterSource, sinks: Mapping[str, RasterSink]) -> None:
    """The filled surface and the directions, for those who want them."""
    if "filled" in sinks:
        engine.map(_filled, {"dem": source, "filled": water.filled}, sinks["filled"], **water.job)
    if "flow_direction" in sinks:
        engine.map(_directions, {"codes": water.codes}, sinks["flow_direction"], **water.job)


def _filled(dem: Raster, filled: Raster) -> Raster:
    return filled_raster(dem, filled.values)


def _directions(codes: Raster) -> Raster:
    return direction_raster(codes.values, codes.grid)


def _area(counts: Raster, method: str) -> Raster:
    width, height = counts.grid.cell_m
    tags = {"method": method, "validity": LOWER_BOUND}
    return Raster(counts.values * (width * height), counts.grid, "flow_accumulation", "m2", tags=tags)


def _marked(marks: Raster, method: str) -> Raster:
    return Raster(marks.values == 1, marks.grid, "inflow_unknown", "1", tags={"method": method})


def _wetness(dem: Raster, counts: Raster, method: str, scale_m: float | None) -> Raster:
    index = index_of(dem, np.ascontiguousarray(dem.values), counts.values)
    return Raster(index, dem.grid, "wetness", "1", tags=wetness_tags(method) | scale_tag(dem, scale_m))
