"""Elevations above another reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hazardgeo import crs as _crs
from hazardgeo.crs import Height
from hazardgeo.errors import InputError
from hazardgeo.raster.core import Raster

_BLOCK_CELLS = 1_000_000


def to_height(r: Raster, height: Height, *, offset_m: float | None = None) -> Raster:
    """The elevations `r`, in m, above another height reference.

    With `offset_m` that constant is added: what somebody has measured at a benchmark, such as the height of the geoid with
    its sign turned. Without it only operations count that the EPSG database publishes and whose grids are on this machine
    (see `crs.height_shift`); heights are never left as they are because no operation is known. The tag "height_shift" says
    what was done. Unknown cells stay unknown, and cells outside the grid of the operation become unknown.

    Raises InputError for rasters that are no elevations in m, HeightError where the references are not exactly known, no
    operation is known, or its grid is missing (the message names the file).
    """
    r.require(unit="m")
    if r.height is None or r.values.dtype.kind != "f":
        raise InputError(
            f"raster {r.name!r} has no height reference, so it holds no elevations; state one with with_height(...)."
        )
    if offset_m is None and r.height == height and height.kind != "unknown":
        return r
    rows, cols = r.grid.shape
    east, north = r.grid.centres()
    values = np.empty_like(r.values)
    step = max(1, _BLOCK_CELLS // cols)
    lowest, highest = np.inf, -np.inf
    for top in range(0, rows, step):
        block = slice(top, min(top + step, rows))
        x, y = np.meshgrid(east, north[block])
        shift = _crs.heights_apart(x, y, r.grid.crs, from_=r.height, to=height, offset_m=offset_m)
        values[block] = r.values[block] + shift
        lowest, highest = np.fmin(lowest, np.nanmin(shift, initial=np.inf)), np.fmax(highest, np.nanmax(shift, initial=-np.inf))
    source = "stated offset" if offset_m is not None else "EPSG operation by PROJ"
    amount = f"{lowest:+.3f} m" if lowest == highest else f"{lowest:+.3f} to {highest:+.3f} m"
    tag = (
        f"{r.height} to {height}: {amount} ({source})"
        if lowest <= highest
        else f"{r.height} to {height}: unknown here ({source})"
    )
    return replace(r, values=values, height=height, tags={**r.tags, "height_shift": tag})
