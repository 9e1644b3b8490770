"""Who has lost a home, or must leave it."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le

from hazardgeo import crs as _crs
from hazardgeo import shelter as _shelter
from hazardgeo.event import Shaking
from hazardgeo.levels import Levels
from hazardgeo.raster import metric_grid

SUBDIVISION = 4  # cells per node spacing of a ShakeMap in degrees, when it is brought to the CRS of the people


def demand(
    people: Any, shaking: Shaking, levels: dict[str, Levels], *, night_temp_c: Annotated[float, Ge(-60), Le(50)] = -15.0
) -> dict[str, Any]:
    """People displaced by damage or by hazard, those who stay, and those whose homes nobody assessed."""
    local = shaking
    if shaking.grid.crs != _crs.horizontal(people.crs):
        node_m = float(np.sqrt(np.median(shaking.grid.cell_areas_m2())))
        local = shaking.on(metric_grid(shaking.grid, crs=people.crs, cell_m=node_m / SUBDIVISION))
    return {"displaced": _shelter.displaced(people, local, night_temp_c=night_temp_c, hazards=levels)}
