"""How much each compared cell counts: less the farther it lies off, by its slope, alone and with its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hazardgeo.change.robust import nmad, shortest_half

Numbers = NDArray[np.float64]
Classes = NDArray[np.int64]
FINEST_M = 1e-4  # elevations in float32 are no finer
_HUBER, _TUKEY = 1.345, 4.685  # times the spread: 95 % efficient on normal errors
_HELD = 3.0  # spreads: farther off a single cell says no more of its block
_SLOPES, _PER_BLOCK = 8, 40  # classes; cells of a small block
_FOR_SPREAD = 20_000  # cells are enough to find a spread
_SETS, _BLOCKS_PER_TERM, _TAKES = 300, 10, 0.9
_SPREAD_OUT = np.array([0.8566748839, 0.7338918566, 0.6287067211, 0.5385972572])  # powers of the root of x^5 = x + 1, inverted


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The class of slope, the small block and the large block of each cell."""

    slope: Classes
    block: Classes
    district: Classes

    @classmethod
    def of(cls, steepness: Numbers, u: Numbers, v: Numbers) -> Groups:
        edges = np.unique(np.quantile(steepness, np.linspace(0, 1, _SLOPES + 1)[1:-1]))
        small = int(np.clip(np.sqrt(u.size / _PER_BLOCK), 4, 48))
        large = int(np.clip(small // 2.5, 4, 16))
        return cls(np.searchsorted(edges, steepness).astype(np.int64), blocks(u, v, small), blocks(u, v, large))


def blocks(u: Numbers, v: Numbers, side: int) -> Classes:
    """In which of the blocks, `side` along each side of the area, each place lies."""
    total = np.zeros(u.size, np.int64)
    for place in (v, u):
        low, high = place.min(), place.max()
        along = ((place - low) / max(high - low, 1e-12) * side).astype(np.int64)
        total = total * side + np.clip(along, 0, side - 1)
    return total


def gentle(d: Numbers) -> Numbers:
    """Huber's weights about the middle of most residuals: far ones count less, and no start is needed."""
    centre, spread = shortest_half(d[:: max(1, d.size // _FOR_SPREAD)])
    reach = _HUBER * max(spread, FINEST_M)
    off = np.abs(d - centre)
    return np.where(np.isfinite(d), np.minimum(1.0, reach / np.maximum(off, reach)), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """How far residuals spread: of cells in each class of slope, and means of small and of large blocks over that."""

    cells: Numbers
    blocks: tuple[float, float]

    @classmethod
    def of(cls, d: Numbers, groups: Groups) -> Scales:
        cells = spreads(d, groups.slope)
        held, known = _held(d, cells, groups)
        return cls(cells, (_among(held, known, groups.block), _among(held, known, groups.district)))


def strict(d: Numbers, groups: Groups, scales: Scales) -> Numbers:
    """Tukey's weights about zero over the variance of the class of slope, less where a block as a whole lies off."""
    held, known = _held(d, scales.cells, groups)
    ratio = np.where(known, d, 0.0) / scales.cells[groups.slope]
    weight = _falling(ratio, _TUKEY) * ((scales.cells.min() / scales.cells) ** 2)[groups.slope]
    for block, among in zip((groups.block, groups.district), scales.blocks, strict=True):
        if among > 0.0:
            weight = weight * _falling(np.nan_to_num(_means(held, known, block)[0]) / among, _TUKEY)[block]
    return np.asarray(np.where(known, weight, 0.0))


def _held(d: Numbers, cells: Numbers, groups: Groups) -> tuple[Numbers, NDArray[np.bool_]]:
    """Residuals over the spread of their class, far ones drawn near, and which are known."""
    known = np.isfinite(d)
    return np.clip(np.where(known, d, 0.0) / cells[groups.slope], -_HELD, _HELD), known


def _means(held: Numbers, known: NDArray[np.bool_], block: Classes) -> tuple[Numbers, Numbers]:
    count = np.bincount(block, known).astype(np.float64)
    return np.divide(np.bincount(block, held), count, out=np.full(count.size, np.nan), where=count > 0), count


def _among(held: Numbers, known: NDArray[np.bool_], block: Classes) -> float:
    means, count = _means(held, known, block)
    return shortest_half(means[count >= min(_PER_BLOCK / 4, count.max())])[1]


def _falling(ratio: Numbers, none: float) -> Numbers:
    """Tukey's biweight: 1 at zero, 0 from `none`."""
    return np.asarray((1.0 - np.clip(ratio / none, -1.0, 1.0) ** 2) ** 2)


def spreads(d: Numbers, classes: Classes) -> Numbers:
    """The spread of the residuals of each class; that of all where it is next to nothing or unknown."""
    thin = slice(None, None, max(1, d.size // _FOR_SPREAD))
    few, which = d[thin], classes[thin]
    every = max(shortest_half(few)[1], FINEST_M)
    found = np.full(int(classes.max()) + 1, every)
    for k in range(found.size):
        own = nmad(few[which == k])
        found[k] = own if own > 0.05 * every else every
    return found


def bent_by_most(d: Numbers, columns: Numbers, block: Classes) -> Numbers:
    """Offset, tilt to east and north and dome on which most blocks agree; a tilt or dome that takes a tenth of the spread.

    `columns` are 1, u, v and dome of each cell. Least median of squares (Rousseeuw 1984, doi 10.1080/01621459.1984.10477105)
    of the medians of blocks, tried through sets of as few blocks as there are terms, which spread evenly over all sets.
    """
    order = np.argsort(block, kind="stable")
    cuts = np.flatnonzero(np.diff(block[order])) + 1
    parts = [part[np.isfinite(d[part])] for part in np.split(order, cuts)]
    parts = [part for part in parts if part.size]
    medians = np.array([np.median(d[part]) for part in parts])
    places = np.array([columns[part].mean(axis=0) for part in parts])
    best = np.zeros(4)
    best[0], least = shortest_half(medians)
    for terms in (3, 4):
        if medians.size < _BLOCKS_PER_TERM * terms:
            break
        tried, spread = _through_few(medians, places[:, :terms])
        if spread < _TAKES * least:
            best[:], least = 0.0, spread
            best[:terms] = tried
    return best


def _through_few(medians: Numbers, places: Numbers) -> tuple[Numbers, float]:
    terms = places.shape[1]
    chosen = ((np.arange(1, _SETS + 1)[:, None] * _SPREAD_OUT[:terms]) % 1.0 * medians.size).astype(np.int64)
    square = places[chosen]
    apart = np.abs(np.linalg.det(square)) > 1e-3
    tried = np.linalg.solve(square[apart], medians[chosen][apart][:, :, None])[:, :, 0]
    best, least = np.zeros(terms), float("inf")
    for solution in tried:
        centre, spread = shortest_half(medians - places @ solution)
        if spread < least:
            best, least = solution.copy(), spread
            best[0] += centre
    return best, least
