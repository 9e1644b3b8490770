"""Site conditions: the shear-wave velocity of the upper 30 m."""

from __future__ import annotations

from typing import Literal

import numpy as np

from hazardgeo.errors import ConfigError
from hazardgeo.hazard.field import Field, unwrap
from hazardgeo.hazard.published import published, tags


def vs30_from_slope(slope_deg: Field | float, *, tectonics: Literal["active", "stable"] = "active") -> Field:
    """Vs30 in m/s of the class that the topographic slope falls in (Wald and Allen 2007).

    Made for the slope of 30 arcsec cells (about 900 m): the slope of a drone survey gives nonsense. The default suits
    active tectonic regions such as the margin of the Tibetan Plateau. Steps from class to class (90 to 760 m/s), without
    interpolation; the scatter is large, and loess is not one of its classes. NaN where the slope is unknown. Raises
    ConfigError for other tectonics. The values were compared with a public implementation, not with the printed table.

    Source: Wald and Allen 2007, table 2, doi:10.1785/0120060267.

    >>> float(vs30_from_slope(2.0))
    425.0
    """
    paper = published("wald_allen_2007")
    if tectonics not in paper["upper_gradient"]:
        raise ConfigError(f"tectonics is {tectonics!r}; use 'active' or 'stable'.")
    cells = unwrap(slope_deg=slope_deg)
    gradient = np.tan(np.radians(cells["slope_deg"]))
    steps = np.searchsorted(np.array(paper["upper_gradient"][tectonics]), gradient, side="right")
    values = np.array(paper["vs30_m_s"])[np.minimum(steps, len(paper["vs30_m_s"]) - 1)]
    return cells.wrap(np.where(cells.missing, np.nan, values), "vs30", "m/s", tags(paper))
