"""How well the elevation of the ground is known, cell by cell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.cloud import PointCloud
from hazardgeo.raster import Raster
from hazardgeo.scan.ground import classify_ground
from hazardgeo.scan.points import between_centres
from hazardgeo.scan.surface import SWEEPS, dtm, ground_means, is_ground
from hazardgeo.tiles import filled_holes
from hazardgeo.tiles.plan import origin_cells
from hazardgeo.tiles.points import cells_of
from hazardgeo.tiles.statistics import exact_sums, exact_total

_HELD_OUT, _EVERY = 5, 16  # cells: the side of the squares that are held out, and how far apart they begin
HELD_OUT_HALO = 16
EVERYWHERE = (slice(None), slice(None))


def ground_uncertainty(
    cloud: PointCloud, *, cell_m: float = 1.0, window_m: float = 12.0, max_gap_m: float = 5.0, max_cover_m: float = 20.0
) -> Raster:
    """Standard uncertainty (1 sigma) of the elevations of `dtm` with the same options, in m; unknown where that is unknown.

    The root of the sum of three squares. Spread: the root mean square distance of the ground points of a cell from the
    terrain between the centres of cells; a cell without ground points has that of the cells around it. Distance: the metres
    to the nearest cell with ground points times the error per metre, found by holding out squares of 5 cells, filling
    them like a void and looking. Disagreement: how far the terrain lies from that of the ground found with another
    window, of radius `window_m`; half that of `classify_ground` unless given, so wide roofs and narrow ridges show.

    Errors of the scanner and of its position, the same for all points of a cell, are not seen: the uncertainty is relative.
    The three are taken as independent, which was not checked. Errors are those of `dtm` and `classify_ground`.
    """
    gaps = {"max_gap_m": max_gap_m, "max_cover_m": max_cover_m}
    terrain = dtm(cloud, cell_m=cell_m, **gaps)
    measured = ground_means(cloud, terrain.grid)
    spread = filled_holes(spread_about(cloud, filled_holes(terrain)))
    kept = held_out(measured)
    slope = error_per_metre(errors_held_out(measured, kept, filled_holes(kept, sweeps=SWEEPS)))
    other = classify_ground(cloud, cell_m=cell_m, window_m=max(window_m, cell_m))
    ground = filled_holes(ground_means(other, terrain.grid), sweeps=SWEEPS)
    return uncertainty_of_cells(terrain, measured, spread, ground, error_m_per_m=slope)


def uncertainty_of_cells(terrain: Raster, measured: Raster, spread: Raster, other: Raster, *, error_m_per_m: float) -> Raster:
    """The root of the sum of the three squares. Needs a halo as wide as `dtm` interpolates, and one cell."""
    away_m = np.zeros(terrain.grid.shape)
    if not measured.unknown.all():
        away_m = ndimage.distance_transform_edt(measured.unknown) * terrain.grid.cell[0]
    squares = spread.values.astype(np.float64) ** 2 + (error_m_per_m * away_m) ** 2
    squares += (terrain.values.astype(np.float64) - other.values) ** 2
    tags = {"method": "spread, distance to ground points and disagreement of two windows; relative, 1 sigma"}
    return Raster(np.sqrt(squares).astype(np.float32), terrain.grid, "ground_uncertainty", "m", tags=tags)


def spread_about(cloud: PointCloud, terrain: Raster) -> Raster:
    """Root mean square distance of the ground points of each cell from a terrain without holes. Needs a halo of one cell."""
    xyz = cloud.xyz[is_ground(cloud)]
    off = xyz[:, 2] - between_centres(terrain.values, terrain.grid, xyz)
    rows, cols = cells_of(xyz, terrain.grid)
    cells, size = rows * terrain.grid.shape[1] + cols, terrain.values.size
    count, total = np.bincount(cells, minlength=size), np.bincount(cells, off**2, minlength=size)
    mean = np.full(size, np.nan)
    mean[count > 0] = total[count > 0] / count[count > 0]
    return Raster(np.sqrt(mean).reshape(terrain.grid.shape).astype(np.float32), terrain.grid, "spread", "m")


def held_out(measured: Raster) -> Raster:
    """The ground of cells without squares that are left out to see how well they would be filled."""
    (top, left), (rows, cols) = origin_cells(measured.grid), np.indices(measured.grid.shape)
    out = ((rows + top) % _EVERY < _HELD_OUT) & ((cols + left) % _EVERY < _HELD_OUT)
    return measured.like(np.where(out, np.float32(np.nan), measured.values), "kept", "m")


def errors_held_out(
    measured: Raster, kept: Raster, filled: Raster, inner: tuple[slice, slice] = EVERYWHERE
) -> dict[str, NDArray[np.int64]]:
    """Exact sums over the cells that were left out and filled: of the squared errors, and of the squared cells to the edge.

    Cells farther than `HELD_OUT_HALO` from what was kept do not count. Needs a halo as wide.
    """
    away = np.full(kept.grid.shape, np.inf)
    if not kept.unknown.all():
        away = ndimage.distance_transform_edt(kept.unknown)
    tried = (kept.unknown & ~measured.unknown & (away <= HELD_OUT_HALO))[inner]
    off = filled.values[inner][tried].astype(np.float64) - measured.values[inner][tried]
    cells2 = np.rint(away[inner][tried] ** 2).astype(np.int64).sum()
    return {"errors": exact_sums(off**2), "cells2": np.array([cells2]), "cell_m": np.array([measured.grid.cell[0]])}


def error_per_metre(sums: dict[str, NDArray[Any]]) -> float:
    """Root mean square error over that of the distance, in m/m; 0 where nothing could be filled."""
    cells2 = int(sums["cells2"][0])
    return math.sqrt(float(exact_total(sums["errors"]) / cells2)) / float(sums["cell_m"][0]) if cells2 else 0.0
