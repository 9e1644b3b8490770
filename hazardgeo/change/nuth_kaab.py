"""How one elevation surface lies on another: shift, offset, tilt and dome by the slopes of the ground, robust to change.

Equation 1 of Nuth & Kääb (2011, doi 10.5194/tc-5-271-2011), dh = a cos(b - aspect) tan(slope) + mean dh, is a plane in the
two parts of the gradient. It is solved here in that form, by weighted least squares, together with a vertical tilt and dome;
flat cells, over whose tangent the paper divides, then keep their say in the vertical terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.change.resample import values_at
from hazardgeo.change.robust import shortest_half
from hazardgeo.change.weights import FINEST_M, Classes, Groups, Scales, bent_by_most, blocks, gentle, strict
from hazardgeo.kernel import kernel

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
TERMS = 6  # shift to east and to north, offset, tilt to east and to north, dome
SHIFT, TILT, DOME = slice(0, 2), slice(3, 5), slice(5, 6)
_STIFF = np.array([True, True, True, False, False, False])
_BLOCKS = 10  # along each side: errors of neighbours go together, those of blocks hardly
_TURNS, _ENOUGH = 40, 2e-4  # turns at most; cells of shift that no longer matter
_CHANCE = 9.0  # three sigma
_FOR_ANSWER = 30_000  # cells
_TRIED = 0.3  # of the spread: how far terms are moved to see how the fit answers
_SEARCH, _FOR_SEARCH = 6, 2000  # cells of the coarsest level; cells that are compared there


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the terms of tilt and dome are counted from: `half_m` is half of the longer side of the survey."""

    centre: tuple[float, float]
    half_m: float
    dome_level: float


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Cells of the fixed surface: elevation, rise to east and north per m, place in the moving surface and in the survey.

    `u` and `v` are metres from the centre of the frame over its half side; `dome` is u2 + v2 less its mean.
    """

    z: Numbers
    rise_east: Numbers
    rise_north: Numbers
    row: Numbers
    col: Numbers
    u: Numbers
    v: Numbers
    dome: Numbers

    def design(self) -> Numbers:
        """What each term adds to the elevation of each cell, per m."""
        return np.column_stack([-self.rise_east, -self.rise_north, np.ones(self.z.size), self.u, self.v, self.dome])

    def thinned(self, wanted: int) -> Samples:
        """Every so-manieth cell, about `wanted`."""
        thin = slice(None, None, max(1, self.z.size // wanted))
        return Samples(*(np.ascontiguousarray(getattr(self, name)[thin]) for name in Samples.__slots__))

    def groups(self) -> Groups:
        return Groups.of(np.hypot(self.rise_east, self.rise_north), self.u, self.v)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The six terms in m, which were free, the residuals of the cells and their weights (0: changed)."""

    terms: Numbers
    free: Mask
    residual: Numbers
    weight: Numbers


def residuals(moving: NDArray[Any], cell_m: tuple[float, float], s: Samples, terms: Numbers) -> Numbers:
    """Fixed less moved elevations at the cells; NaN where the moving surface is unknown."""
    moved = values_at(moving, s.row, s.col, -terms[1] / cell_m[1], terms[0] / cell_m[0])
    return np.asarray(s.z - moved - terms[2] - terms[3] * s.u - terms[4] * s.v - terms[5] * s.dome)


def fit(
    moving: NDArray[Any],
    cell_m: tuple[float, float],
    s: Samples,
    start: Numbers,
    *,
    free: Mask,
    gentle_turns: int = 0,
    scales: Scales | None = None,
) -> Fit:
    """The terms, from `start`, that leave no residual along the gradient of the fixed surface; those not `free` stay.

    Turn by turn the moving surface is read anew at the shift found so far, so that nothing is left of what noise in the
    gradient takes from a single turn. Weights are Tukey's with the spread of each class of slope, and of blocks as a whole: a
    wide area that moved by less than the noise of a cell still goes out. The first turns may take Huber's, which need no
    good start. Spreads are found anew in each turn unless `scales` holds them.
    """
    design, groups, terms = s.design(), s.groups(), start.astype(np.float64)
    small = _ENOUGH * min(cell_m)
    d = residuals(moving, cell_m, s, terms)
    for turn in range(_TURNS):
        weight = gentle(d) if turn < gentle_turns else strict(d, groups, scales or Scales.of(d, groups))
        step = _step(design, d, weight, free)
        terms += step
        d = residuals(moving, cell_m, s, terms)
        if turn >= gentle_turns and np.abs(step[SHIFT]).max() < small and np.abs(step[2:]).max() < small:
            break
    return Fit(terms, free, d, strict(d, groups, scales or Scales.of(d, groups)))


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """How the pull at each term answers to each term, how the pulls of blocks scatter, and the sum of weights of both."""

    slope: Numbers
    scatter: Numbers
    weight: float

    def covariance(self, free: Mask) -> Numbers:
        """Of the free terms, NaN for the others: from the scatter of blocks (Liang & Zeger 1986, doi 10.1093/biomet/73.1.13).

        What neighbours share counts once; weights that fall with the residuals and noise in the gradient are in the answer.
        """
        parts = np.ix_(free, free)
        inverse = np.linalg.pinv(self.slope[parts], rcond=1e-12)
        square = np.full((TERMS, TERMS), np.nan)
        square[parts] = inverse @ self.scatter[parts] @ inverse.T
        return square


def answered(moving: NDArray[Any], cell_m: tuple[float, float], s: Samples, found: Fit) -> Answer:
    """How the fit answers, tried out by moving each term a little both ways."""
    few = s.thinned(_FOR_ANSWER)
    design, groups = few.design(), few.groups()
    scales = Scales.of(residuals(moving, cell_m, few, found.terms), groups)
    block = np.zeros(few.z.size, np.int64)

    def pull(terms: Numbers) -> tuple[Numbers, float]:
        d = residuals(moving, cell_m, few, terms)
        weight = strict(d, groups, scales)
        return _sums(design, d, weight, block, 1)[1], float(weight.sum())

    steep = max(float(np.sqrt((few.rise_east**2 + few.rise_north**2).mean())), 1e-6)
    least = scales.cells.min() * min([1.0, *(among for among in scales.blocks if among > 0.0)])
    step = _TRIED * least * np.where(np.arange(TERMS) < 2, 1.0 / steep, 1.0)
    tried = [pull(found.terms + h)[0] - pull(found.terms - h)[0] for h in np.diag(step)]
    scatter, weight = scattered(s, found)
    return Answer(np.array(tried).T / (2 * step) * (weight / max(pull(found.terms)[1], 1e-300)), scatter, weight)


def scattered(s: Samples, found: Fit) -> tuple[Numbers, float]:
    """The scatter of the pulls of blocks at each term, and the sum of weights."""
    block = blocks(s.u, s.v, _BLOCKS)
    pulls = _sums(s.design(), found.residual, found.weight, block, int(block.max()) + 1)[2]
    used = int((np.abs(pulls).sum(axis=1) > 0).sum())
    return pulls.T @ pulls * (used / max(used - int(found.free.sum()), 1)), float(found.weight.sum())


def searched(moving: NDArray[Any], cell_m: tuple[float, float], s: Samples) -> Numbers:
    """The best of the shifts by whole cells up to `_SEARCH`, as terms; none unless one fits better by a fifth."""
    few = s.thinned(_FOR_SEARCH)
    best, start = np.zeros(TERMS), np.zeros(TERMS)
    d = residuals(moving, cell_m, few, start)
    needed, (best[2], least) = np.isfinite(d).sum() / 2, shortest_half(d)
    least *= 0.8
    for right in range(-_SEARCH, _SEARCH + 1):
        for up in range(-_SEARCH, _SEARCH + 1):
            start[SHIFT] = right * cell_m[0], up * cell_m[1]
            d = residuals(moving, cell_m, few, start)
            centre, spread = shortest_half(d)
            if np.isfinite(d).sum() >= needed and spread < least:
                best, least = start.copy(), spread
                best[2] = centre
    return best


def select(
    moving: NDArray[Any], cell_m: tuple[float, float], s: Samples, start: Numbers, *, horizontal: bool
) -> tuple[Fit, Answer]:
    """The fit with those of tilt and dome that the surfaces show, beyond three sigma, and how the fit with all answers.

    It starts from the tilt and dome that most blocks agree on, and first without letting them move: a tilt is quick to lean on
    what changed at one side. Spreads are held at what that leaves (an MM-estimate, Yohai 1987, doi 10.1214/aos/1176350366).
    """
    free = np.ones(TERMS, bool)
    free[SHIFT] = horizontal
    start = np.concatenate([start[SHIFT], np.zeros(TERMS - 2)])
    start[2:] = bent_by_most(residuals(moving, cell_m, s, start), s.design()[:, 2:], s.groups().block)
    stiff = fit(moving, cell_m, s, start, free=free & _STIFF)
    scales = Scales.of(stiff.residual, s.groups())
    found = fit(moving, cell_m, s, stiff.terms, free=free, scales=scales)
    answer = answered(moving, cell_m, s, found)
    for part in (DOME, TILT):
        if not _shown(found.terms[part], answer.covariance(free)[part, part]):
            free, terms = free.copy(), found.terms.copy()
            free[part], terms[part] = False, 0.0
            found = fit(moving, cell_m, s, terms, free=free, scales=scales)
    return found, answer


def _shown(values: Numbers, square: Numbers) -> bool:
    if not np.isfinite(square).all() or np.abs(values).max() < FINEST_M:
        return False
    return bool(values @ np.linalg.pinv(square, hermitian=True) @ values > _CHANCE * values.size)


def _step(design: Numbers, d: Numbers, weight: Numbers, free: Mask) -> Numbers:
    normal, right, _ = _sums(design, d, weight, np.zeros(d.size, np.int64), 1)
    step = np.zeros(TERMS)
    step[free] = np.linalg.lstsq(normal[np.ix_(free, free)], right[free], rcond=1e-12)[0]
    return step


@kernel
def _sums(design: Numbers, d: Numbers, weight: Numbers, block: Classes, many: int) -> tuple[Numbers, Numbers, Numbers]:
    """Normal matrix, right side, and the right side of each of `many` blocks; cells without weight may be unknown."""
    terms = design.shape[1]
    normal, scores = np.zeros((terms, terms)), np.zeros((many, terms))
    for k in range(d.size):
        w = weight[k]
        if w == 0.0:
            continue
        b = block[k]
        for i in range(terms):
            x = w * design[k, i]
            scores[b, i] += x * d[k]
            for j in range(i + 1):
                normal[i, j] += x * design[k, j]
    right = np.zeros(terms)
    for i in range(terms):
        right[i] = scores[:, i].sum()
        for j in range(i):
            normal[j, i] = normal[i, j]
    return normal, right, scores
