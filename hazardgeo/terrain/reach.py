"""How far the shape of a cell looks around: the halo that a block needs to give the same as the whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.terrain.window import odd_cells

_STENCILS = {  # cells around the cell, besides scale_m, window_m and radius_m
    "slope": 1, "gradient": 1, "aspect": 1, "hillshade": 1, "curvature": 1, "roughness": 1, "tri": 1,
    "relief": 0, "tpi": 0, "percentile": 0, "openness": 0, "sky_view": 0,
}  # fmt: skip


def reach(shape: str, grid: Grid, options: Mapping[str, Any]) -> int:
    """How many cells around a cell the function of this name takes with these `options`: the halo for `tiles.map`.

    >>> from affine import Affine
    >>> reach("slope", Grid(Affine(2, 0, 0, 0, -2, 0), (90, 90), 32648), {"scale_m": 10.0})
    3

    Raises InputError for names of functions that no halo serves, such as those of flow, and CrsError unless the grid is
    metric.
    """
    if shape not in _STENCILS:
        raise InputError(f"{shape!r} is no shape of the ground; choose one of {', '.join(_STENCILS)}.")
    grid.require_metric(shape)
    cells = _STENCILS[shape]
    for cell in {*grid.cell_m}:
        around = [odd_cells(options[name], cell) // 2 for name in ("scale_m", "window_m") if options.get(name) is not None]
        radius_m = options.get("radius_m")
        if radius_m is not None and math.isfinite(radius_m):
            around.append(math.ceil(radius_m / cell))
        cells = max(cells, _STENCILS[shape] + sum(around))
    return min(cells, max(grid.shape))
