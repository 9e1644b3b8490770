"""How well the elevation of the ground is known, cell by cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.cloud import PointCloud
from hazardgeo.raster import Raster
from hazardgeo.scan.ground import classify_ground
from hazardgeo.scan.points import GROUND, between_centres, counted
from hazardgeo.scan.surface import SWEEPS, dtm, ground_means
from hazardgeo.tiles import filled_holes
from hazardgeo.tiles.points import cells_of

_HELD_OUT, _EVERY = 5, 16  # cells: the side of the squares that are held out, and how far apart they begin


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
    away_m = ndimage.distance_transform_edt(measured.unknown) * cell_m
    squares = _spread(cloud, terrain) ** 2 + (_error_per_metre(measured) * away_m) ** 2
    other = classify_ground(cloud, cell_m=cell_m, window_m=max(window_m, cell_m))
    ground = filled_holes(ground_means(other, terrain.grid), sweeps=SWEEPS)
    squares += (terrain.values.astype(np.float64) - ground.values) ** 2
    tags = {"method": "spread, distance to ground points and disagreement of two windows; relative, 1 sigma"}
    return Raster(np.sqrt(squares).astype(np.float32), terrain.grid, "ground_uncertainty", "m", tags=tags)


def _spread(cloud: PointCloud, terrain: Raster) -> NDArray[np.float64]:
    """Root mean square distance of the ground points of each cell from the terrain, filled between them."""
    ground = counted(cloud) & (np.asarray(cloud.attributes["classification"]) == GROUND)
    xyz = cloud.xyz[ground]
    off = xyz[:, 2] - between_centres(filled_holes(terrain).values, terrain.grid, xyz)
    rows, cols = cells_of(xyz, terrain.grid)
    cells, size = rows * terrain.grid.shape[1] + cols, terrain.values.size
    count, total = np.bincount(cells, minlength=size), np.bincount(cells, off**2, minlength=size)
    mean = np.full(size, np.nan)
    mean[count > 0] = total[count > 0] / count[count > 0]
    known = Raster(np.sqrt(mean).reshape(terrain.grid.shape).astype(np.float32), terrain.grid)
    return filled_holes(known).values.astype(np.float64)


def _error_per_metre(measured: Raster) -> float:
    """Root mean square error of filled squares over that of the distance to their edge, in m/m; 0 where none can be filled."""
    rows, cols = np.indices(measured.grid.shape)
    out = (rows % _EVERY < _HELD_OUT) & (cols % _EVERY < _HELD_OUT)
    kept = np.where(out, np.float32(np.nan), measured.values)
    tried = out & ~measured.unknown
    if not tried.any() or np.isnan(kept).all():
        return 0.0
    filled = filled_holes(Raster(kept, measured.grid), sweeps=SWEEPS)
    off = filled.values[tried].astype(np.float64) - measured.values[tried]
    away_m = ndimage.distance_transform_edt(np.isnan(kept))[tried] * measured.grid.cell[0]
    return float(np.sqrt((off**2).mean() / (away_m**2).mean()))
