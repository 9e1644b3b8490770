"""Surfaces across voids: a membrane stretched between the known cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel

Surface = NDArray[np.float64]
_COARSE_SWEEPS = 30


def span(z: Surface, *, sweeps: int = 30, tolerance: float = 0.0) -> Surface:
    """`z` with every unknown cell filled by a membrane (Laplace's equation) held by the known cells.

    First guesses come from a pyramid of block means; then each filled cell is set to the mean of its neighbours, over
    and over, until no value moves by more than `tolerance` or `sweeps` are done. Every step is a weighted mean of known
    values, so nothing overshoots. At the outer edge the membrane is free and runs level. `z` holds at least one value.
    """
    unknown = np.isnan(z)
    if not unknown.any():
        return z.copy()
    guess = z.copy()
    if max(z.shape) > 1:
        coarse = span(_halve(z), sweeps=_COARSE_SWEEPS, tolerance=tolerance)
        _spread(coarse, guess)
    _relax(guess, np.flatnonzero(unknown), sweeps, tolerance)
    return guess


@kernel
def _halve(z: Surface) -> Surface:
    """Mean of the known cells of each block of 2 x 2."""
    rows, cols = z.shape
    out = np.full(((rows + 1) // 2, (cols + 1) // 2), np.nan)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            total, count = 0.0, 0
            for a in range(2 * i, min(2 * i + 2, rows)):
                for b in range(2 * j, min(2 * j + 2, cols)):
                    if not np.isnan(z[a, b]):
                        total += z[a, b]
                        count += 1
            if count > 0:
                out[i, j] = total / count
    return out


@kernel
def _spread(coarse: Surface, fine: Surface) -> None:
    """Fill the unknown cells of `fine` between the cell centres of `coarse`, which has half its resolution."""
    rows, cols = coarse.shape
    for i in range(fine.shape[0]):
        near_i = i // 2
        next_i = min(max(near_i + (1 if i % 2 else -1), 0), rows - 1)
        for j in range(fine.shape[1]):
            if not np.isnan(fine[i, j]):
                continue
            near_j = j // 2
            next_j = min(max(near_j + (1 if j % 2 else -1), 0), cols - 1)
            near = 0.75 * coarse[near_i, near_j] + 0.25 * coarse[near_i, next_j]
            beyond = 0.75 * coarse[next_i, near_j] + 0.25 * coarse[next_i, next_j]
            fine[i, j] = 0.75 * near + 0.25 * beyond


@kernel
def _relax(z: Surface, holes: NDArray[np.int64], sweeps: int, tolerance: float) -> None:
    """Set each hole to the mean of its neighbours in turn, `sweeps` times or until nothing moves by `tolerance`."""
    rows, cols = z.shape
    for _ in range(sweeps):
        largest = 0.0
        for hole in holes:
            i, j = hole // cols, hole % cols
            total, count = 0.0, 0
            if i > 0:
                total += z[i - 1, j]
                count += 1
            if i < rows - 1:
                total += z[i + 1, j]
                count += 1
            if j > 0:
                total += z[i, j - 1]
                count += 1
            if j < cols - 1:
                total += z[i, j + 1]
                count += 1
            if count > 0:
                largest = max(largest, abs(total / count - z[i, j]))
                z[i, j] = total / count
        if largest <= tolerance:
            break
