"""Rubble: fresh heaps of earth in a picture, joined with the scar above them in the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hazardgeo.change.picture import Seen
from hazardgeo.change.shapes import Field, Mask
from hazardgeo.raster import Raster
from hazardgeo.raster.elevation import elevations

_ROUGH, _ROUGH_WIDE = 2.6, 2.0  # texture over the usual one, in squares of 3 m and of 7 m
_LARGE_M2 = 1500.0  # from which a heap is looked for in squares of 7 m
_HEAP_SHARE = 0.3  # of min_area_m2: the least heap
_SCAR_LENGTH = 1.6  # radii of the heap: above it, as wide as it
_RING = 0.6  # radii: the ground around, for comparison
_STEEP_TAN = math.tan(math.radians(35.0))  # loess does not stay steeper for long but in walls that are fresh
_SAME = 0.3
_COMPACT, _FRESH_HUE, _TWICE = 0.7, 0.02, 2.0
LEAST_SCORE = 0.2
_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True, slots=True, eq=False)
class Heap:
    """A heap with the ground above it where its scar would be, as one mask on a block, and the evidence, 0 to 1 by name."""

    rows: slice
    cols: slice
    inside: Mask
    large: bool
    evidence: dict[str, float]

    @property
    def score(self) -> float:
        return math.prod(self.evidence.values())


def heaps(dem: Raster, picture: Seen, min_area_m2: float) -> list[Heap]:
    """Heaps of rubble with the place of their scar, the the most evident first and none over another.

    Rough earth (2.6 times the usual texture in 3 m, or twice in 7 m for bodies from 1500 m2) makes heaps. The scar is looked
    for up the fall line, as wide as the heap and 1.6 of its radii long: slides of loess leave a source about as large as what
    lies below. A heap of 1500 m2 and more that is steep at its top holds its own scar. Evidence, each 0 to 1: rougher
    than the ground around (full at twice); less green than it (full at 2 %); steepest in the scar (full at 35 degrees);
    compact (area over that of its ellipse, full at 0.7; not asked of large ones). The score is their product.
    """
    cell_m = math.sqrt(math.prod(dem.grid.cell_m))
    z = elevations(dem, "heaps").astype(np.float64)
    known = np.isfinite(z)
    if not known.any():
        return []
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = z[tuple(nearest)]
    smooth = {s: ndimage.gaussian_filter(filled, s / cell_m, truncate=3.0) for s in (2.0, 4.0, 8.0, 16.0)}
    made = []
    for texture, limit, least_m2, most_m2, width_m in (
        (picture.wide, _ROUGH_WIDE, _LARGE_M2, math.inf, 3),
        (picture.near, _ROUGH, _HEAP_SHARE * min_area_m2, 2 * _LARGE_M2, 1),
    ):
        steps = max(1, round(width_m / cell_m))
        rough = np.nan_to_num(texture) > limit
        rough = ndimage.binary_closing(np.pad(rough, steps), _EIGHT, iterations=steps)[steps:-steps, steps:-steps]
        parts, _ = ndimage.label(ndimage.binary_opening(rough, _EIGHT, iterations=steps))
        for number, (r, c) in enumerate(ndimage.find_objects(parts), start=1):
            heap = parts[r, c] == number
            if least_m2 <= heap.sum() * cell_m**2 <= most_m2:
                found = _with_scar((z, smooth, picture), (r, c), ndimage.binary_fill_holes(heap), cell_m)
                if found is not None and found.score >= LEAST_SCORE:
                    made.append(found)
    return _apart(sorted(made, key=lambda h: (-h.score, -h.inside.sum())), z.shape)


def _apart(ordered: list[Heap], shape: tuple[int, ...]) -> list[Heap]:
    """Without heaps that a more evident one covers by 30 %; a large one gives way only where 30 % of it are covered."""
    covered = np.zeros(shape, bool)
    kept: list[Heap] = []
    for heap in ordered:
        there = covered[heap.rows, heap.cols]
        if (there & heap.inside).sum() <= _SAME * heap.inside.sum():
            kept.append(heap)
            there |= heap.inside
    return kept


def _with_scar(
    fields: tuple[Field, dict[float, Field], Seen], frame: tuple[slice, slice], heap: Mask, cell_m: float
) -> Heap | None:
    z, smooth, picture = fields
    area_m2 = float(heap.sum()) * cell_m**2
    radius = math.sqrt(float(heap.sum()) / math.pi)
    pad = int(3 * radius) + 3
    rows, cols = (slice(max(s.start - pad, 0), min(s.stop + pad, n)) for s, n in zip(frame, z.shape, strict=True))
    low = np.zeros((rows.stop - rows.start, cols.stop - cols.start), bool)
    low[frame[0].start - rows.start :, frame[1].start - cols.start :][: heap.shape[0], : heap.shape[1]] = heap
    scale = min(smooth, key=lambda s: abs(s - radius * cell_m / 2))
    by_row, by_col = (np.asarray(g) for g in np.gradient(smooth[scale][rows, cols], cell_m))
    down: Field = np.array([-by_row[low].mean(), -by_col[low].mean()], np.float64)
    if not math.hypot(*down) > 1e-6:
        return None
    down = np.asarray(down / math.hypot(*down))
    row, col = np.nonzero(low)
    y, x = np.mgrid[: low.shape[0], : low.shape[1]]
    y, x = y - row.mean(), x - col.mean()
    along, aside = y * down[0] + x * down[1], x * down[0] - y * down[1]
    top = float(np.percentile(along[low], 10))
    rise_row, rise_col = np.gradient(smooth[2.0][rows, cols], cell_m)
    steep = np.asarray(np.hypot(rise_row, rise_col))
    large = area_m2 >= _LARGE_M2
    width = max(2.0 * float(np.std(aside[low])), 2.0 / cell_m)
    scar = (
        (np.abs(aside) < 0.9 * width) & (along < top) & (along > top - _SCAR_LENGTH * radius) & ~low & np.isfinite(z[rows, cols])
    )
    upper = low & (along < 0)
    if large and upper.any() and np.percentile(steep[upper], 98) >= _STEEP_TAN:
        scar = upper
    if scar.sum() * cell_m**2 < 5.0:
        return None
    both = low | scar
    evidence = {
        **_looks(picture, (rows, cols), low, _ring(both, radius)),
        "steep": min(float(np.percentile(steep[scar], 98 if scar is upper else 90)) / _STEEP_TAN, 1.0),
        "compact": 1.0 if large else min(_ellipse_share(along[low], aside[low]) / _COMPACT, 1.0),
    }
    return Heap(rows, cols, both, large, evidence)


def _ring(both: Mask, radius: float) -> Mask:
    away = ndimage.distance_transform_edt(~both)
    return np.asarray((away > 2.0) & (away <= _RING * radius + 3.0))


def _looks(picture: Seen, block: tuple[slice, slice], heap: Mask, ring: Mask) -> dict[str, float]:
    """How much rougher and less green the heap is than the ground around; hue counts only where the picture has it."""
    rough = _mean(picture.near[block], heap) / _mean(picture.near[block], ring)
    paler = _mean(picture.green[block], ring) - _mean(picture.green[block], heap)
    made = {"rough": _clipped((rough - 1.0) / (_TWICE - 1.0))}
    return made if math.isnan(paler) else {**made, "bare": _clipped(paler / _FRESH_HUE)}


def _clipped(value: float) -> float:
    return 0.0 if math.isnan(value) else min(max(value, 0.0), 1.0)


def _mean(values: Field, where: Mask) -> float:
    chosen = values[where]
    chosen = chosen[np.isfinite(chosen)]
    return float(chosen.mean()) if chosen.size else math.nan


def _ellipse_share(along: Field, aside: Field) -> float:
    """Area over that of the ellipse with the same spread along and across: near 1 for a heap, less for threads."""
    spread = 2.0 * (float(np.var(along)) + float(np.var(aside)))
    return along.size / (math.pi * spread) if spread > 0 else 0.0
