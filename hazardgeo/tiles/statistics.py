"""Numbers over a raster of any size, the same to the last bit whatever the tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.raster import Raster
from hazardgeo.tiles.engine import Partial, RasterSource, map_reduce

_LOWEST, _HIGHEST = -1074, 1024  # exponents of a float64
_LIMB_BITS, _LIMBS = 18, 3  # a mantissa of 53 bits; 2^45 cells add up without overflow


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of all and of known cells, and extremes, mean and standard deviation of the known ones (NaN without any)."""

    cells: int
    known: int
    minimum: float
    maximum: float
    mean: float
    std: float


def statistics(source: RasterSource, *, work_folder: Path, **job: Any) -> Statistics:
    """Counts, extremes, mean and standard deviation of a raster. Sums are exact, so that no order of tiles changes them.

    `job` and errors are those of `tiles.map`; a tile may have up to 2^26 cells.
    """
    sums = map_reduce(_sums, _combine, {"raster": source}, work_folder=work_folder, **job)
    cells, known = (int(n) for n in sums["counts"])
    if not known:
        return Statistics(cells, 0, math.nan, math.nan, math.nan, math.nan)
    mean = exact_total(sums["values"]) / known
    variance = exact_total(sums["squares"]) / known - mean**2
    low, high = (float(v) for v in sums["extremes"])
    return Statistics(cells, known, low, high, float(mean), math.sqrt(max(float(variance), 0.0)))


def _sums(raster: Raster, inner: tuple[slice, slice]) -> Partial:
    part = raster.window(*inner)
    values = part.values[~part.unknown].astype(np.float64)
    extremes = [values.min(), values.max()] if len(values) else [math.inf, -math.inf]
    return {
        "counts": np.array([part.values.size, len(values)]),
        "extremes": np.array(extremes),
        "values": exact_sums(values),
        "squares": exact_sums(values * values),
    }


def _combine(one: Partial, other: Partial) -> Partial:
    (low, high), (lower, higher) = one["extremes"], other["extremes"]
    summed = {name: one[name] + other[name] for name in ("counts", "values", "squares")}
    return {**summed, "extremes": np.array([min(low, lower), max(high, higher)])}


def exact_sums(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The sum of finite values without rounding: whole sums of the limbs of their mantissas, by exponent."""
    mantissa, exponent = np.frexp(values)
    whole = (mantissa * 2.0**53).astype(np.int64)
    sign, size = np.sign(whole), np.abs(whole)
    place = (exponent - _LOWEST).astype(np.int64)
    out = np.zeros((_HIGHEST - _LOWEST + 1, _LIMBS), np.int64)
    for limb in range(_LIMBS):
        digits = (size >> (limb * _LIMB_BITS)) & (2**_LIMB_BITS - 1)
        out[:, limb] = np.bincount(place, weights=(sign * digits).astype(np.float64), minlength=len(out)).astype(np.int64)
    return out


def exact_total(sums: NDArray[np.int64]) -> Fraction:
    """The sum that `exact_sums` has kept, or several of them added."""
    total = 0
    for place in np.flatnonzero(sums.any(axis=1)):
        limbs = sum(int(sums[place, limb]) << (limb * _LIMB_BITS) for limb in range(_LIMBS))
        total += limbs << int(place)
    return Fraction(total, 1) * Fraction(2) ** (_LOWEST - 53)
