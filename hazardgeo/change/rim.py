"""Rim: the surface before a slide, rebuilt from the ground around it, and how far that can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import RBFInterpolator

from hazardgeo.change.shapes import Field, Mask
from hazardgeo.raster import Raster
from hazardgeo.tiles import filled_holes

INTERPOLATORS = ("membrane", "thin plate", "quadratic")
_RIM_CELLS, _RIM_POINTS = 3, 150
_EIGHT = np.ones((3, 3), bool)
_TRIES = 4  # places beside the body where the same hole is cut into ground that did not move


@dataclass(frozen=True, slots=True, eq=False)
class Rebuilt:
    """Change since the rebuilt surface, by interpolator (cells of the block), and their mean; NaN outside the hole.

    `sigma_m` is the mean error of the rebuilt surface over half of the hole, found on the ground beside; NaN without such ground.
    """

    change_m: Field
    by_way: tuple[Field, ...]
    sigma_m: float


def rebuilt(dem: Raster, hole: Mask) -> Rebuilt | None:
    """Elevation less that of the surface carried over a hole from its rim; None where the rim is not known.

    Three ways: a membrane (Laplace), a thin plate (through up to 150 points of the rim) and a quadratic surface by least
    squares. None knows what stood there: a spur or a gully that went with the slide is lost. How much that costs is tried on
    the ground beside, where the answer is known: the same hole in up to four places around.
    """
    z = dem.values.astype(np.float64)
    ways = _ways(dem, z, hole)
    if ways is None:
        return None
    change = tuple(np.where(hole, z - surface, np.nan) for surface in ways)
    return Rebuilt(np.mean(change, axis=0), change, _error_beside(dem, z, hole))


def _ways(dem: Raster, z: Field, hole: Mask) -> tuple[Field, ...] | None:
    known = np.isfinite(z) & ~hole
    rim = ndimage.binary_dilation(hole, _EIGHT, iterations=_RIM_CELLS) & known
    if rim.sum() < 12:
        return None
    datum = float(z[rim].mean())
    flat = Raster(np.where(known, z - datum, np.nan).astype(np.float32), dem.grid, "rim", "m")
    membrane = filled_holes(flat).values.astype(np.float64) + datum
    row, col = np.nonzero(rim)
    places, heights = np.column_stack([row, col]).astype(np.float64), z[rim]
    thin = slice(None, None, max(1, len(row) // _RIM_POINTS))
    inside = np.column_stack(np.nonzero(hole)).astype(np.float64)
    plate = np.full(z.shape, np.nan)
    plate[hole] = RBFInterpolator(places[thin], heights[thin], kernel="thin_plate_spline", smoothing=1.0)(inside)
    middle, size = places.mean(axis=0), max(float(np.ptp(places, axis=0).max()), 1.0)
    found, *_ = np.linalg.lstsq(_quadratic((places - middle) / size), heights, rcond=None)
    bent = np.full(z.shape, np.nan)
    bent[hole] = _quadratic((inside - middle) / size) @ found
    return membrane, plate, bent


def _quadratic(places: Field) -> Field:
    x, y = places.T
    return np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])


def _error_beside(dem: Raster, z: Field, hole: Mask) -> float:
    """Root mean square error of the mean height over half of the hole, of the same hole in places around it."""
    row, col = np.nonzero(hole)
    reach = np.ptp(row) + 4, np.ptp(col) + 4
    errors: list[float] = []
    for turn in range(_TRIES):
        angle = 2 * np.pi * turn / _TRIES
        moved = row + round(reach[0] * np.sin(angle)), col + round(reach[1] * np.cos(angle))
        inside = (moved[0] >= 3) & (moved[0] < z.shape[0] - 3) & (moved[1] >= 3) & (moved[1] < z.shape[1] - 3)
        if not inside.all():
            continue
        other = np.zeros(hole.shape, bool)
        other[moved] = True
        if (other & (hole | ~np.isfinite(z))).sum() > 0.05 * row.size:
            continue
        other &= ~hole & np.isfinite(z)
        surfaces = _ways(dem, np.where(hole, np.nan, z), other)
        if surfaces is None:
            continue
        off = (z - np.mean(surfaces, axis=0))[other]
        upper = z[other] >= np.median(z[other])
        errors.extend((float(off[upper].mean()), float(off[~upper].mean())))
    return float(np.sqrt(np.mean(np.square(errors)))) if errors else float("nan")
