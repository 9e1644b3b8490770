"""How far errors of a surface of differences go together, and what that leaves of the mean over an area."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid

Numbers = NDArray[np.float64]
SOURCE = (
    "robust variogram of Dowd (1984, doi:10.1007/978-94-009-3699-7_6), sum of spherical models, effective samples after "
    "Rolstad et al. (2009, doi:10.3189/002214309789470950) and Hugonnet et al. (2022, doi:10.1109/JSTARS.2022.3188922)"
)
_OF_MEDIAN = 2.198  # 1.4826 squared: from the square of the median difference to the variance of differences
_PAIRS, _FEWEST = 200_000, 100  # of cells at a lag and along an axis: at most; fewer say nothing
_CANDIDATES = 14  # ranges that are tried, evenly spaced in their logarithm
_PARTS = 2000  # of an integral
_BETTER = 0.8  # another range must take a fifth of what the model leaves


@dataclass(frozen=True, slots=True)
class Correlation:
    """The spatial correlation of errors of one cell: a part without any, and spherical parts up to `ranges_m`.

    `sills` are the shares (0-1) of the variance with each range, `alone` the share that neighbours do not have in common; all
    add up to 1. `sigma_m` is the usual standard uncertainty of one cell, `common_m` that of what all cells share and no
    variogram shows, such as the offset of the registration.
    """

    ranges_m: tuple[float, ...]
    sills: tuple[float, ...]
    alone: float
    cell_area_m2: float
    sigma_m: float
    common_m: float = 0.0

    def share(self, distance_m: float | Numbers) -> Numbers:
        """How much of the variance two cells have in common at a distance, 0-1."""
        h = np.asarray(distance_m, np.float64)
        total = np.where(h == 0.0, self.alone, 0.0)
        for reach, sill in zip(self.ranges_m, self.sills, strict=True):
            ratio = np.minimum(h / reach, 1.0)
            total = total + sill * (1.0 - 1.5 * ratio + 0.5 * ratio**3)
        return np.asarray(total)

    def effective_cells(self, area_m2: float) -> float:
        """How many independent cells say as much of the mean over `area_m2` as its cells, at least 1.

        The area is taken as a disk, and correlation is averaged over all pairs of its places. Rolstad et al. (2009) take
        distances from its centre, which for areas about as wide as the range makes errors a quarter too large; far beyond the
        range both are 5 A / (pi range2). A long strip has more independent cells than a disk.

        >>> Correlation((), (), 1.0, 1.0, 0.1).effective_cells(50.0)
        50.0
        """
        if not area_m2 > 0:
            raise InputError(f"an area must be a positive number of m2, not {area_m2}.")
        radius = math.sqrt(area_m2 / math.pi)
        kept = self.alone * min(1.0, self.cell_area_m2 / area_m2)
        for reach, sill in zip(self.ranges_m, self.sills, strict=True):
            kept += sill * _mean_in_disk(radius / reach)
        return 1.0 / kept

    def sigma_of_mean(self, area_m2: float, *, sigma_m: float | None = None) -> float:
        """Standard uncertainty in m of the mean change over an area, whose cells have `sigma_m` (root mean square)."""
        cell = self.sigma_m if sigma_m is None else sigma_m
        return math.sqrt(cell**2 / self.effective_cells(area_m2) + self.common_m**2)

    def sigma_of_volume(self, area_m2: float, *, sigma_m: float | None = None) -> float:
        """Standard uncertainty in m3 of the volume of change over an area, whose cells have `sigma_m` (root mean square)."""
        return area_m2 * self.sigma_of_mean(area_m2, sigma_m=sigma_m)


def _mean_in_disk(radius: float) -> float:
    """Mean of a spherical correlation of range 1 over all pairs of places in a disk (Solomon 1978, disk line picking)."""
    h = (np.arange(_PARTS) + 0.5) / _PARTS * min(1.0, 2.0 * radius)
    half = h / (2.0 * radius)
    density = 8.0 * half / (math.pi * radius) * (np.arccos(half) - half * np.sqrt(1.0 - half**2))
    return float(((1.0 - 1.5 * h + 0.5 * h**3) * density).mean() * min(1.0, 2.0 * radius))


def correlation(z: NDArray[Any], grid: Grid, *, sigma_m: float, common_m: float = 0.0) -> Correlation:
    """The correlation of the values `z`, in any unit; those that do not count are NaN."""
    area = grid.cell_m[0] * grid.cell_m[1]
    lags_m, half_squares, pairs = variogram(z, grid)
    if lags_m.size < 3 or not np.any(half_squares > 0):
        return Correlation((), (), 1.0, area, sigma_m, common_m)
    ranges, parts = fitted(lags_m, half_squares, pairs)
    total = parts.sum()
    kept = [(r, float(s / total)) for r, s in zip(ranges, parts[1:], strict=True) if s > 1e-3 * total]
    sills = tuple(s for _, s in kept)
    return Correlation(tuple(r for r, _ in kept), sills, max(1.0 - sum(sills), 0.0), area, sigma_m, common_m)


def variogram(z: NDArray[Any], grid: Grid) -> tuple[Numbers, Numbers, Numbers]:
    """Distances in m, half the robust variance of differences at them, and the pairs that it rests on.

    Pairs lie along rows and along columns, thinned evenly where there are many; distances grow by about a third, up to half of
    the shorter side.
    """
    width, height = grid.cell_m
    most = max(min(z.shape) // 2, 1)
    steps = np.unique(np.round(1.35 ** np.arange(0, math.log(most) / math.log(1.35) + 1e-9)).astype(int))
    told = []
    for step in steps[steps <= most]:
        apart = np.concatenate([_differences(z, step), _differences(z.T, max(1, round(step * width / height)))])
        if apart.size >= _FEWEST:
            told.append((step * width, _OF_MEDIAN * float(np.median(apart)) ** 2 / 2, apart.size))
    table = np.array(told, np.float64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _differences(z: NDArray[Any], step: int) -> Numbers:
    if step >= z.shape[1]:
        return np.empty(0)
    thin = max(1, z.size // _PAIRS)
    rows = slice(None, None, max(1, math.isqrt(thin)))
    cols = max(1, thin // math.isqrt(thin))
    apart = np.abs(z[rows, step::cols] - z[rows, : z.shape[1] - step : cols]).ravel()
    return np.asarray(apart[np.isfinite(apart)], np.float64)


def fitted(lags_m: Numbers, half_squares: Numbers, pairs: Numbers) -> tuple[tuple[float, ...], Numbers]:
    """Ranges, and the part without range followed by that of each range, with none, one or two spherical models.

    Relative misfits count, more where there are more pairs; parts are not negative (non-negative least squares).
    """
    scale = np.sqrt(pairs) / np.maximum(half_squares, half_squares.max() * 1e-3)
    candidates = np.geomspace(lags_m[0] * 1.5, lags_m[-1] * 2, _CANDIDATES)
    best: tuple[tuple[float, ...], Numbers] = ((), np.zeros(1))
    least = math.inf
    for many in range(3):
        tried = []
        for chosen in combinations(candidates.tolist(), many):
            model = np.column_stack([np.ones(lags_m.size), *(_spherical(lags_m / r) for r in chosen)])
            parts, left = nnls(model * scale[:, None], half_squares * scale)
            tried.append((float(left) ** 2, chosen, parts))
        found = min(tried, key=lambda t: t[0])
        if found[0] < _BETTER * least:
            least, best = found[0], (found[1], found[2])
    return best


def _spherical(ratio: Numbers) -> Numbers:
    r = np.minimum(ratio, 1.0)
    return np.asarray(1.5 * r - 0.5 * r**3)
