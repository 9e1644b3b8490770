"""Who has lost a home, or must leave it."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Le

from hazardgeo import shelter as _shelter
from hazardgeo.event import Shaking
from hazardgeo.levels import Levels


def demand(
    people: Any, shaking: Shaking, levels: dict[str, Levels], *, night_temp_c: Annotated[float, Ge(-60), Le(50)] = -15.0
) -> dict[str, Any]:
    """People displaced by damage or by hazard, those who stay, and those whose homes nobody assessed."""
    return {"displaced": _shelter.displaced(people, shaking, night_temp_c=night_temp_c, hazards=levels)}
