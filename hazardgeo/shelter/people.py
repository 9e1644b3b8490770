"""Counts of people and places, checked at the door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hazardgeo.errors import InputError, MissingColumnError


def counts(given: pd.DataFrame | pd.Series[Any] | Sequence[int], column: str, fix: str) -> pd.Series[int]:
    """Whole numbers of at least 0 from `column` of a table, a Series or a sequence.

    Raises MissingColumnError without the column (`fix` says where it comes from) and InputError for empty, negative or
    broken numbers and for index labels that occur twice.
    """
    if isinstance(given, pd.DataFrame):
        if column not in given.columns:
            raise MissingColumnError(f"the table has no column {column!r}; {fix}")
        series = given[column]
    else:
        series = pd.Series(given)
    numbers = pd.to_numeric(series, errors="coerce").astype(float)
    bad = ~(np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers)))
    if bad.any():
        where = series.index[int(np.flatnonzero(bad)[0])]
        raise InputError(f"{column} is {series.loc[where]} at index {where!r}; it must be a whole number of at least 0.")
    if not series.index.is_unique:
        twice = series.index[series.index.duplicated()][0]
        raise InputError(f"index label {twice!r} occurs twice, so results could not be told apart; use .reset_index().")
    return numbers.astype(np.int64).rename(column)


def rounded(expected: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Whole numbers whose sum is the rounded sum of `expected`: the largest fractions are rounded up, ties in order.

    >>> rounded(np.array([0.5, 0.5, 1.2]))
    array([1, 0, 1])
    """
    low = np.floor(expected + 1e-9)
    missing = int(np.floor(expected.sum() + 0.5 + 1e-9) - low.sum())
    fraction = expected - low
    up = np.argsort(-np.round(fraction, 9), kind="stable")[: max(missing, 0)]
    whole: np.ndarray[Any, np.dtype[np.int64]] = low.astype(np.int64)
    whole[up] += 1
    return whole
