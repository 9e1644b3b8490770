"""Roads that are open, cut or not looked at, and who finds a place over them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Gt

from hazardgeo import network as _network
from hazardgeo import shelter as _shelter
from hazardgeo.levels import Levels
from hazardgeo.network import RoadNetwork
from hazardgeo.raster import Raster


def network(roads: Any, levels: dict[str, Levels], dem: Raster | None = None, bodies: Any = None) -> dict[str, RoadNetwork]:
    """The walking graph, with what cuts and threatens it.

    Roads are judged by landslides. Liquefaction under roads and bridges is not, and the map says so.
    """
    intact = _network.build(roads, dem=dem)
    hazards: dict[str, Any] = {k: v for k, v in levels.items() if k != "liquefaction"}
    if bodies is not None and "mapped landslides" in levels:
        hazards["mapped landslide"] = bodies
    return {"road_network": _network.cut(intact, hazards)}


def shelter(
    sites: Any,
    displaced: Any,
    road_network: RoadNetwork,
    levels: dict[str, Levels],
    bodies: Any = None,
    zones: Any = None,
    *,
    standard: Literal["sphere_2018", "gb51143_2015"] = "sphere_2018",
    phase: Literal["emergency", "short"] = "emergency",
    climate: Literal["cold", "temperate"] = "cold",
    limit_min: Annotated[float, Gt(0)] = 60.0,
    radius_m: Annotated[float, Gt(0)] = 30.0,
) -> dict[str, Any]:
    """Places by standard, sites screened against the hazards, people assigned over the roads, and the gap by cause."""
    hazards: dict[str, Any] = dict(levels)
    if bodies is not None and "mapped landslides" in levels:
        hazards["mapped landslide"] = bodies
    places = _shelter.capacity(sites, standard=standard, phase=phase, climate=climate)
    screened = _shelter.screen(places, hazards, radius_m=radius_m)
    coverage = _shelter.coverage(displaced, screened, road_network, limit_min=limit_min)
    made = {"screened_sites": screened, "coverage": coverage}
    return made if zones is None else {**made, "zone_gap": _shelter.coverage_gap(coverage, zones)}
