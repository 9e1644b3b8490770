"""Morphology: scars and deposits in the shape of the ground of one epoch alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hazardgeo.change import shapes
from hazardgeo.change.pairing import paired
from hazardgeo.change.shapes import Field, Lobe, Mask
from hazardgeo.raster import Raster

SCALES = (2.0, 4.0, 8.0)  # of the smoothing: times the radius of the smallest body, and larger ones up to the survey's fifth
_SEED, _GROWN = 1.6, 0.7  # residuals over their usual size nearby
_ROUND = 0.35  # area over that of the square of the longest side: less is a terrace or the bank of a stream
_LARGEST = 0.15  # of the survey


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A hollow with a mound below it, as masks on the whole grid, the scale at which it was seen and how clear it is."""

    hollow: Mask
    mound: Mask
    scale_m: float
    clearness: float


def candidates(dem: Raster, min_area_m2: float) -> list[Candidate]:
    """Hollows with a mound against their lower side, at several scales, the clearest first and none over another.

    A slide leaves a scar where ground is missing and, below, the ground that is too much: seen against the smoothed surface
    the first is a hollow and the second a mound. Farm terraces do the same along whole slopes: both must be compact.
    """
    cell_m = math.sqrt(math.prod(dem.grid.cell_m))
    radius_m = math.sqrt(min_area_m2 / math.pi)
    widest = 0.2 * min(dem.grid.shape) * cell_m
    scales = []
    scale = SCALES[0] * radius_m / 2
    while scale <= max(widest / 2, SCALES[0] * radius_m / 2):
        scales.append(scale)
        scale *= 1.7
    found = [c for scale_m in scales for c in _at_scale(dem, scale_m, cell_m, min_area_m2)]
    found.sort(key=lambda c: -c.clearness)
    return found


def _at_scale(dem: Raster, scale_m: float, cell_m: float, min_area_m2: float) -> list[Candidate]:
    z = dem.values.astype(np.float64)
    known = np.isfinite(z)
    datum = float(np.nanmean(z))
    away = np.where(known, z - datum, 0.0)
    residual = np.where(known, away - _smoothed(away, known, scale_m / cell_m), np.nan)
    usual = np.sqrt(_smoothed(np.nan_to_num(residual) ** 2, known, 3.0 * scale_m / cell_m))
    clear = np.nan_to_num(residual / np.where(usual > 0, usual, np.nan))
    clear = ndimage.uniform_filter(clear, max(1, 2 * round(0.15 * scale_m / cell_m) + 1))
    least = max(4, math.ceil(0.2 * min_area_m2 / cell_m**2))
    ids, lobes = _lobes(clear, known, least)
    pairs = paired(ids, lobes, dem, strong=_SEED)
    by_number = {lobe.number: lobe for lobe in lobes}
    made = []
    for sources, deposits in pairs.bodies:
        one = max((by_number[n] for n in sources), key=lambda x: x.cells)
        other = max((by_number[n] for n in deposits), key=lambda x: x.cells)
        area = (one.cells + other.cells) * cell_m**2
        if min_area_m2 <= area <= _LARGEST * known.sum() * cell_m**2 and _compact(one) and _compact(other):
            made.append(Candidate(ids == one.number, ids == other.number, scale_m, min(one.score, other.score)))
    return made


def _smoothed(values: Field, known: Mask, sigma: float) -> Field:
    weight = ndimage.gaussian_filter(known.astype(np.float64), sigma, truncate=3.0)
    total = ndimage.gaussian_filter(np.where(known, values, 0.0), sigma, truncate=3.0)
    return np.asarray(total / np.maximum(weight, 1e-6))


def _lobes(clear: Field, known: Mask, least: int) -> tuple[shapes.Ids, list[Lobe]]:
    ids = np.zeros(clear.shape, np.int32)
    found: list[Lobe] = []
    for sign in (-1, 1):
        parts, _ = ndimage.label((sign * clear >= _GROWN) & known)
        for part, frame in enumerate(ndimage.find_objects(parts), start=1):
            inside = parts[frame] == part
            top = float((sign * clear[frame][inside]).max())
            if top < _SEED or inside.sum() < least:
                continue
            ids[frame][inside] = len(found) + 1
            found.append(Lobe(len(found) + 1, sign, frame[0], frame[1], inside, top))
    return ids, found


def _compact(lobe: Lobe) -> bool:
    row, col = lobe.places()
    if row.size < 3:
        return False
    spread = np.linalg.eigvalsh(np.cov(np.vstack([row, col])))
    return bool(math.sqrt(max(spread[0], 0.0) / spread[1]) >= _ROUND)
