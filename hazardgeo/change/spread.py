"""How far differences of unchanged ground spread, by what tells where they spread more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import in_bands

Numbers = NDArray[np.float64]
Surface = NDArray[np.float32]
OF_95 = 1.959963984540054  # standard deviations of a normal distribution that hold 95 %
_BINS, _PER_BIN, _MOST = 20, 200, 300_000
_ROUNDS = 4


def spread_95(differences: Surface, stable: NDArray[np.bool_], told_by: Sequence[Surface]) -> Surface:
    """For each cell half of the width about zero that holds 95 % of the differences of stable cells like it, over 1.96.

    The spread is a product of one factor for each of `told_by` (slope, roughness, ...), piecewise linear between the medians
    of up to twenty classes with equally many stable cells, fitted in turns as the additive model of the logarithm is. After
    Hugonnet et al. (2022, doi 10.1109/JSTARS.2022.3188922), who take the NMAD of classes: the 95 % quantile is used here since
    tails are wider than normal ones wherever plants grow. Where something is unknown that tells the spread, the widest of its
    factors is taken. NaN where there are fewer than 200 stable cells.
    """
    at = np.flatnonzero(stable.ravel())
    if at.size < _PER_BIN:
        return np.full(differences.shape, np.nan, np.float32)
    at = at[:: max(1, at.size // _MOST)]
    size = np.abs(differences.ravel()[at]).astype(np.float64)
    level = _quantile(size)
    if level == 0.0:
        return np.zeros(differences.shape, np.float32)
    seen = [values.ravel()[at].astype(np.float64) for values in told_by]
    curves = [_Curve.flat() for _ in told_by]
    for _ in range(_ROUNDS if len(told_by) > 1 else 1):
        for k in range(len(told_by)):
            others = np.prod([curves[o].at(seen[o]) for o in range(len(told_by)) if o != k], axis=0) * level
            curves[k] = _Curve.through(seen[k], size / others)
    factor = np.prod([curve.at(s) for curve, s in zip(curves, seen, strict=True)], axis=0) if told_by else 1.0
    level = _quantile(size / np.asarray(factor))
    result = np.full(differences.shape, level, np.float32)

    def work(first: int, last: int) -> None:
        for curve, values in zip(curves, told_by, strict=True):
            result[first:last] *= curve.at(values[first:last])

    in_bands(work, len(result))
    return result


class _Curve:
    """A factor that depends on one number."""

    def __init__(self, places: Numbers, factors: Numbers, unknown: float) -> None:
        self.places, self.factors, self.unknown = places, factors, unknown

    @classmethod
    def flat(cls) -> _Curve:
        return cls(np.zeros(1), np.ones(1), 1.0)

    @classmethod
    def through(cls, values: Numbers, size: Numbers) -> _Curve:
        """The factors that the sizes of differences need where `values` lie."""
        known = np.isfinite(values)
        bins = int(np.clip(known.sum() // _PER_BIN, 1, _BINS))
        if not known.any():
            return cls.flat()
        edges = np.unique(np.quantile(values[known], np.linspace(0, 1, bins + 1)[1:-1]))
        which = np.searchsorted(edges, values[known])
        order = np.argsort(which, kind="stable")
        cuts = np.searchsorted(which[order], np.arange(1, edges.size + 1))
        parts = [part for part in np.split(order, cuts) if part.size >= _PER_BIN // 4]
        places = [float(np.median(values[known][part])) for part in parts]
        factors = [_quantile(size[known][part]) for part in parts]
        if not places or min(factors) <= 0.0:
            return cls.flat()
        away = (~known).sum()
        unknown = max(*factors, _quantile(size[~known]) if away >= _PER_BIN else 0.0)
        return cls(np.array(places), np.array(factors), unknown)

    def at(self, values: Numbers | Surface) -> Numbers:
        found = np.interp(values, self.places, self.factors)
        return np.asarray(np.where(np.isfinite(values), found, self.unknown))


def _quantile(size: Numbers) -> float:
    return float(np.quantile(size, 0.95)) / OF_95
