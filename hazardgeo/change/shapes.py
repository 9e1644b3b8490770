"""Shapes: connected areas that rose or sank beyond chance, and what their outline and their depth look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio.features
import scipy.stats
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.grid import Grid

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]
Ids = NDArray[np.int32]
WINDOWS_M = (0.0, 3.0, 5.0, 9.0)  # sides of the squares over which change is averaged; the first is the cell itself
STRONG, SEED, GROWN = 4.0, 2.5, 2.0  # in standard deviations: what begins a lobe, what may be the other half of one, its reach
LEAST_M = 0.08  # mean over 3 x 3 cells: thinner is a drift of the survey, grass or dust, whatever its errors
RIM_SHARE = 0.2  # of the thickness two cells farther in, over 3 x 3 cells: less is what averaging carries outwards
_EIGHT = np.ones((3, 3), bool)
_LEAST_KNOWN = 0.5  # share of a window
_NMAD = 1.4826
BY_CHANCE = 0.05  # lobes expected in the whole survey where nothing changed


@dataclass(frozen=True, slots=True)
class Lobe:
    """One connected area of one sign: its number in the id raster, its block of cells and its mask on them.

    `rows` and `cols` frame the block; `score` is the largest mean change within it over its standard deviation.
    """

    number: int
    sign: int
    rows: slice
    cols: slice
    inside: Mask
    score: float

    @property
    def cells(self) -> int:
        return int(self.inside.sum())

    def of(self, values: NDArray[np.generic]) -> Field:
        """The values of its cells."""
        return np.asarray(values[self.rows, self.cols][self.inside], np.float64)

    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of its cells in the whole raster."""
        row, col = np.nonzero(self.inside)
        return row + self.rows.start, col + self.cols.start


def scores(change_m: Field, sigma_m: Field, cell_m: float) -> tuple[Field, Field]:
    """The largest mean change of any window around each cell, over its standard deviation, and that of the 3 m window.

    Change is taken over its own standard deviation first. That of the mean of a window is measured on the survey itself, as
    the NMAD of all its windows: errors of neighbouring cells go together, and nothing has to be assumed of how. It holds as
    long as less than about a third of the survey changed, and it is never taken below that of independent errors.
    """
    known = np.isfinite(change_m) & np.isfinite(sigma_m) & (sigma_m > 0)
    standard = np.where(known, change_m / np.where(known, sigma_m, 1.0), 0.0)
    sizes = sorted({2 * round((side / cell_m - 1) / 2) + 1 if side > cell_m else 1 for side in WINDOWS_M})
    best = np.zeros(change_m.shape)
    near = best
    for size in sizes:
        share = ndimage.uniform_filter(known.astype(np.float64), size, mode="constant") if size > 1 else known.astype(np.float64)
        enough = known & (share >= _LEAST_KNOWN)
        mean = ndimage.uniform_filter(standard, size, mode="constant") if size > 1 else standard
        mean = np.divide(mean, share, out=np.zeros_like(best), where=enough)
        score = mean / max(_spread(mean[enough]), 1.0 / size)
        best = np.where(np.abs(score) > np.abs(best), score, best)
        if size <= max(3, round(3.0 / cell_m)):
            near = score
    return best, near


def _spread(values: Field) -> float:
    return _NMAD * float(np.median(np.abs(values))) if values.size else 0.0


def beyond_chance(cells: int) -> float:
    """The score that fewer than one in twenty surveys of so many cells reaches where nothing changed (Bonferroni)."""
    return float(scipy.stats.norm.isf(BY_CHANCE / 2 / max(cells, 1)))


def lobes(change_m: Field, best: Field, near: Field, least_cells: int) -> tuple[Ids, list[Lobe]]:
    """Lobes of at least so many cells, numbered row by row from the north, those that sank before those that rose."""
    numbers = np.zeros(change_m.shape, np.int32)
    found: list[Lobe] = []
    thick_m = ndimage.uniform_filter(np.nan_to_num(change_m), 3)
    for sign in (-1, 1):
        reach = (sign * near >= GROWN) | (sign * best >= SEED) & (sign * near > 1.0)
        around_m = ndimage.maximum_filter(sign * thick_m, 5)
        reach &= sign * thick_m >= np.maximum(LEAST_M, RIM_SHARE * around_m)
        parts, count = ndimage.label(rounded(reach) & (sign * near > 0) & np.isfinite(change_m), _EIGHT)
        if not count:
            continue
        strongest = ndimage.maximum(sign * best, parts, np.arange(1, count + 1))
        for part, frame in enumerate(ndimage.find_objects(parts), start=1):
            inside = parts[frame] == part
            if strongest[part - 1] < SEED or inside.sum() < least_cells:
                continue
            number = len(found) + 1
            numbers[frame][inside] = number
            found.append(Lobe(number, sign, frame[0], frame[1], inside, float(strongest[part - 1])))
    return numbers, found


def rounded(mask: Mask) -> Mask:
    """Without threads of single cells, with pinholes closed."""
    opened = ndimage.binary_opening(mask, np.ones((2, 2), bool))
    return np.asarray(ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(opened, 1), _EIGHT)[1:-1, 1:-1]))


def outline(mask: Mask, grid: Grid) -> shapely.Geometry:
    """The cells of a mask as one shape along the cell edges."""
    found = rasterio.features.shapes(mask.astype(np.uint8), mask=mask, transform=grid.transform, connectivity=8)
    return shapely.unary_union([shapely.make_valid(shapely.geometry.shape(shape)) for shape, _ in found])


def rectangularity(shape: shapely.Geometry) -> float:
    """Its area over that of the smallest rectangle around it: 1 a rectangle, 0.79 an ellipse or its half."""
    around = shapely.minimum_rotated_rectangle(shape).area
    return float(shape.area / around) if around > 0 else 0.0


def flat_share(depth_m: Field) -> float:
    """Share of an area where depth is within 15 % of its largest (90th percentile): 0.35 in a bowl, 0.6 and more in a pit."""
    most = np.percentile(depth_m, 90)
    return float(np.mean(depth_m >= 0.85 * most)) if most > 0 else 0.0


def width_m(inside: Mask, cell_m: float) -> float:
    """Width of an area at its widest: twice the largest distance to its edge."""
    away = ndimage.distance_transform_edt(np.pad(inside, 1))
    return float(2.0 * away.max() - 1.0) * cell_m


def ramp(along_m: Field, thickness_m: Field) -> float:
    """Correlation of thickness with the distance from the other part: 1 where it grows outwards, negative where it thins out."""
    if along_m.size < 3 or along_m.std() == 0 or thickness_m.std() == 0:
        return 0.0
    return float(np.corrcoef(along_m, thickness_m)[0, 1])


def core(inside: Mask) -> Mask:
    """The cells of a mask that no cell outside touches: those at the rim hold a part of what lies beside it."""
    return np.asarray(ndimage.binary_erosion(inside, _EIGHT))
