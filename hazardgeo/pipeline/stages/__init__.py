"""The stages of a run, in order: one explicit function each.

Positional parameters of a stage are products by name (inputs, or what earlier stages made); one with a default may be
absent. Keyword-only parameters are its options. A stage returns the products that it made, or raises Skip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hazardgeo.pipeline.stages.access import network, shelter
from hazardgeo.pipeline.stages.ground import ground, terrain
from hazardgeo.pipeline.stages.hazard import hazard, landslide, liquefaction, loess
from hazardgeo.pipeline.stages.people import demand
from hazardgeo.pipeline.stages.report import webmap
from hazardgeo.pipeline.stages.shaking import shaking


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage function and the products it makes."""

    function: Callable[..., dict[str, Any]]
    makes: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.function.__name__


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(ground, ("dem", "dsm")),
        Stage(terrain, ("slope", "aspect", "hillshade", "wetness")),
        Stage(shaking, ("shaking",)),
        Stage(landslide, ("displacement", "landslide_probability")),
        Stage(liquefaction, ("liquefaction_probability",)),
        Stage(loess, ("loess_flow",)),
        Stage(hazard, ("levels",)),
        Stage(network, ("road_network",)),
        Stage(demand, ("displaced",)),
        Stage(shelter, ("screened_sites", "coverage", "zone_gap")),
        Stage(webmap, ("map",)),
    )
}

__all__ = ["STAGES", "Stage"]
