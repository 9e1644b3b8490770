"""Counts of people and places, checked at the door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hazardgeo.errors import InputError, MissingColumnError

LARGEST_COUNT = 2**31
_GOLDEN = (5**0.5 - 1) / 2


def counts(given: pd.DataFrame | pd.Series[Any] | Sequence[int], column: str, fix: str) -> pd.Series[int]:
    """Whole numbers from 0 to 2**31 from `column` of a table, a Series or a sequence.

    Raises MissingColumnError without the column (`fix` says where it comes from) and InputError for empty, negative,
    broken or larger numbers and for index labels that occur twice.
    """
    if isinstance(given, pd.DataFrame):
        if column not in given.columns:
            raise MissingColumnError(f"the table has no column {column!r}; {fix}")
        series = given[column]
    else:
        series = pd.Series(given)
    numbers = pd.to_numeric(series, errors="coerce").astype(float)
    bad = ~((numbers >= 0) & (numbers <= LARGEST_COUNT) & (numbers == np.floor(numbers)))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{column} is {series.iloc[row]} at index {series.index.tolist()[row]!r}; "
            f"it must be a whole number from 0 to {LARGEST_COUNT}."
        )
    if not series.index.is_unique:
        twice = series.index[series.index.duplicated()][0]
        raise InputError(f"index label {twice!r} occurs twice, so results could not be told apart; use .reset_index().")
    return numbers.astype(np.int64).rename(column)


def rounded(expected: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """`expected` in whole numbers, each rounded by itself, so that no row depends on what is known of another.

    Each row has a fixed threshold by its position, from which on a fraction is rounded up: one half for the first row, then
    steps of the golden ratio, which spread evenly over 0 to 1. The sum is without bias for rows in any order that has
    nothing to do with their fractions. For n equal rows it errs by less than 1.5 + 0.5 ln n; for n different ones by about
    0.4 times the root of n (1 in 100 of the sum or less from some thousand rows on). A single row may be off by up to 1.

    >>> rounded(np.full(10, 0.3)).sum()
    np.int64(3)
    """
    low = np.floor(expected)
    threshold = 1.0 - (0.5 + np.arange(len(expected)) * _GOLDEN) % 1.0
    return np.asarray(low + (expected - low >= threshold), np.int64)
