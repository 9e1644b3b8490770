"""From displacement or probability to hazard levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hazardgeo import levels
from hazardgeo.errors import ConfigError
from hazardgeo.hazard.published import published
from hazardgeo.hazard.result import Displacement, Probability
from hazardgeo.levels import Levels
from hazardgeo.raster import ClassLabel, Raster


def displacement_levels(displacement: Displacement[Raster]) -> Levels:
    """Hazard levels of the median displacement: low under 1 cm, moderate under 5 cm, high under 15 cm, else very high.

    Slopes that fail at rest are very high, also where the shaking is unknown ("at least"). Outside the range of the law,
    moderate or more reads "at least this level"; less is not assessed. Missing input is never a level.

    Source: classes of Jibson and Michael 2009, USGS SIM 3077, doi:10.3133/sim3077, quoted without the text at hand.
    """
    paper = published("jibson_michael_2009")
    found = _step(displacement.median_cm.values, paper["limits_cm"])
    unstable = displacement.unstable.values.astype(bool)
    level = np.where(unstable, levels.VERY_HIGH, found).astype(np.uint8)
    return _levels("newmark", level, displacement.state, certain=unstable, said=_said(displacement, paper))


def probability_levels(probability: Probability[Raster], *, kind: Literal["landslide", "liquefaction"]) -> Levels:
    """Hazard levels of the share of ground affected.

    Landslide: low under 0.002, moderate under 0.02, high under 0.1, else very high; liquefaction: 0.005, 0.02 and 0.1.
    The first limit is the share that the USGS leaves out of its maps as insignificant, all are edges of its colour bins;
    which bins bear which name is an assumption of hazardgeo. Masked cells are not assessed: "masked by the model".
    Outside the range of the model, moderate or more reads "at least this level" and less is not assessed. Raises
    ConfigError for another kind.

    Source: bins of the USGS ground failure product, Allstadt et al. 2022, doi:10.1177/87552930211032685.
    """
    paper = published("area_fraction_levels")
    if kind not in ("landslide", "liquefaction"):
        raise ConfigError(f"kind is {kind!r}; use 'landslide' or 'liquefaction'.")
    level = _step(probability.area_fraction.values, paper[kind])
    return _levels(kind, level, probability.state, certain=np.zeros(level.shape, bool), said=_said(probability, paper))


def _step(values: NDArray[Any], limits: Sequence[float]) -> NDArray[np.uint8]:
    """Low, and one level more at each limit that is reached. Limits are met in float32, as the surfaces are."""
    level = np.full(values.shape, levels.LOW, np.uint8)
    for limit in limits:
        level += values >= np.float32(limit)
    return level


def _levels(name: str, level: NDArray[np.uint8], state: Raster, *, certain: NDArray[np.bool_], said: Mapping[str, str]) -> Levels:
    codes = state.values
    at_least = (codes == levels.OUTSIDE_RANGE) & (level >= levels.MODERATE)
    shown = np.where((codes == levels.ASSESSED) | at_least | certain, level, levels.NOT_ASSESSED).astype(np.uint8)
    reason = np.where(shown > levels.NOT_ASSESSED, 0, 255).astype(np.uint8)
    return Levels(
        levels.level_raster(shown, state.grid, f"{name}_level", said),
        levels.state_raster(codes, state.grid, f"{name}_state"),
        Raster(reason, state.grid, f"{name}_reason", "indicator", classes=(ClassLabel(0, name, "#777777"),)),
    )


def _said(result: Displacement[Raster] | Probability[Raster], limits: Mapping[str, Any]) -> dict[str, str]:
    """What the level raster says of its model, and of where its limits come from."""
    source = result.median_cm if isinstance(result, Displacement) else result.area_fraction
    said = {"model": result.model, "citation": result.citation, "validity": result.validity, **source.tags}
    said["level_limits"] = limits["citation"]
    if not limits["verified"]:
        said["level_limits_unverified"] = limits["verification"]
    return said
