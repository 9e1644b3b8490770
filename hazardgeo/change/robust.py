"""Where most of the numbers lie and how far they spread, whatever the rest does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
OF_NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation


def nmad(values: Numbers) -> float:
    """Normalised median absolute deviation; NaN values do not count, NaN where there is no other.

    >>> round(nmad(np.array([1.0, 2.0, 3.0, 4.0, 100.0])), 4)
    1.4826
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return float("nan")
    return float(OF_NORMAL * np.median(np.abs(known - np.median(known))))


def shortest_half(values: Numbers) -> tuple[float, float]:
    """The middle of the shortest interval that holds half of the numbers, and its width as a standard deviation.

    Up to half of the numbers may lie anywhere without moving it far: the least median of squares of a location
    (Rousseeuw 1984, doi 10.1080/01621459.1984.10477105). NaN where no number is known.

    >>> shortest_half(np.array([0.0, 1.0, 2.0, 50.0, 60.0]))[0]
    1.0
    """
    known = np.sort(values[np.isfinite(values)])
    if not known.size:
        return float("nan"), float("nan")
    half = known.size // 2 + 1
    width = known[half - 1 :] - known[: known.size - half + 1]
    at = int(width.argmin())
    return float((known[at] + known[at + half - 1]) / 2), float(width[at] / 2 * OF_NORMAL)
