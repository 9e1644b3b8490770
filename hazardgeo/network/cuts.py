"""What hazards do to roads: open, conditional, unknown or closed, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import geopandas
import numpy as np

from hazardgeo.levels import Levels
from hazardgeo.network import exposure
from hazardgeo.network.exposure import CONDITIONAL, OPEN
from hazardgeo.network.roads import NOBODY_LOOKED, RoadNetwork

SLOPE_UNKNOWN = "slope unknown: no elevation"
_ROADS = exposure.rules((OPEN, OPEN, CONDITIONAL, CONDITIONAL), very_high_closes=False)


def cut(net: RoadNetwork, hazards: Mapping[str, Levels | geopandas.GeoDataFrame | None]) -> RoadNetwork:
    """The network with a status and a reason for each edge; the gravest finding wins.

    closed: touches a mapped body (GeoDataFrame of landslides, runout, collapsed bridges ...).
    unknown: touches a cell with input missing or outside the model's range, leaves the hazard map, or no layer is given.
    conditional: touches a cell that the model masks, or of level high or very high: to be looked at before use. Or the
    slope is unknown, so that the walking time is too: without an elevation model no road is open.
    open: every touched cell of every hazard is assessed as low or moderate, no mapped body is touched, the slope is known.

    Mapped bodies say where a hazard is, not where none is: with bodies alone, untouched edges stay unknown. None in place
    of a layer says that nobody looked at this hazard: all edges are then unknown or closed. A hazard that is left out
    of `hazards` is left out on purpose. Earlier statuses are replaced, so give all hazards in one call.

    Raises CrsError unless all layers are in the CRS of the network, and InputError for bodies that are empty or no polygons.
    """
    if not hazards:
        return replace(net, edges=net.edges.assign(status="unknown", reason=NOBODY_LOOKED))
    findings = {name: exposure.along_lines(net.edges.geometry, hazard, _ROADS) for name, hazard in hazards.items()}
    doubts = np.where(net.edges["slope_known"].to_numpy(bool), "", SLOPE_UNKNOWN).astype(object)
    status, reason = exposure.doubted(*exposure.judge(findings, hazards, _ROADS), doubts)
    return replace(net, edges=net.edges.assign(status=status, reason=reason))
