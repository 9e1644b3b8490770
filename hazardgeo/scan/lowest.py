"""The lowest point of each cell: its elevation and its place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import in_bands, kernel, threads
from hazardgeo.scan.gridding import Place
from hazardgeo.tiles.points import cell_of, place_of

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_NARROW = 2**31 - 1  # so many points have numbers of 32 bits, which stay in the cache longer


def lowest_of_cells(xyz: Floats, counts: Mask, grid: Grid) -> NDArray[np.float32]:
    """Elevation of the lowest point of each cell and its place east and north of the centre, in m; NaN without a point.

    Only points that count are looked at; they must lie in cells of the grid. Of points at the same height the one farthest
    west counts, then the one farthest south.
    """
    rows = grid.shape[0]
    out = np.full((3, *grid.shape), np.nan, np.float32)
    height = np.full(grid.shape, np.inf)
    point = np.empty(grid.shape, np.int32 if len(xyz) <= _NARROW else np.int64)
    in_bands(
        lambda first, last: _lowest_of_rows(xyz, counts, place_of(grid), height, point, out, first, last),
        rows,
        band_rows=-(-rows // threads()),  # each looks at all points
    )
    return out


@kernel
def _lowest_of_rows(
    xyz: Floats,
    counts: Mask,
    place: Place,
    height: Floats,
    point: NDArray[np.signedinteger],
    out: NDArray[np.float32],
    first: int,
    last: int,
) -> None:
    cell, origin, shift = place
    for k in range(len(xyz)):
        i, j = cell_of(xyz[k, 0], xyz[k, 1], cell, origin, shift)
        if i < first or i >= last or not counts[k]:
            continue
        z = xyz[k, 2]
        if z > height[i, j]:
            continue
        if z < height[i, j] or _is_before(xyz, k, point[i, j]):
            height[i, j], point[i, j] = z, k
    for i in range(first, last):
        for j in range(out.shape[2]):
            if height[i, j] < np.inf:
                k = point[i, j]
                south, east = -xyz[k, 1] / cell[1] - shift[0], xyz[k, 0] / cell[0] - shift[1]
                out[0, i, j] = xyz[k, 2]
                out[1, i, j] = (east - np.floor(east) - 0.5) * cell[0]
                out[2, i, j] = (0.5 - south + np.floor(south)) * cell[1]


@kernel
def _is_before(xyz: Floats, one: int, other: int) -> bool:
    return bool(xyz[one, 0] < xyz[other, 0] or (xyz[one, 0] == xyz[other, 0] and xyz[one, 1] < xyz[other, 1]))
