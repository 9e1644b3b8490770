"""The one numba decorator: compiled loops over plain arrays, cached where a cache can be written; and bands of rows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")
BAND_ROWS = 64  # of a raster some thousand cells wide: what is read twice is still in the cache of the processor


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """`function` compiled by numba in nopython mode, on one thread and without fast-math, so that NaN stays NaN.
    Division by zero gives infinity or NaN, as in numpy.

    The machine code is cached beside the module or in the user's cache folder. On a read-only install without a
    writable home there is no such place: the kernel is then compiled in each process (a few seconds at first use).
    Kernels take arrays and numbers, check nothing and hold no strings; the interpreted version is `kernel.py_func`.
    They hold no lock of Python's, so that `in_bands` can run them side by side.
    """
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # numba found no folder that it can write its cache to
        return numba.njit(nogil=True, error_model="numpy")(function)


def threads() -> int:
    """How many threads `in_bands` may use. Asking numba itself would start its own, which warn beside other libraries."""
    return int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def in_bands(work: Callable[[int, int], R], rows: int, *, band_rows: int = BAND_ROWS) -> list[R]:
    """What `work(first, last)` returns for the bands of rows [first, last) that cover `rows`, from the first band on.

    Bands run side by side on NUMBA_NUM_THREADS threads: one for each processor, and one in the workers of tiles. `work` must
    write to its own rows only and give the same whatever the bands are.
    """
    bands = [(first, min(first + band_rows, rows)) for first in range(0, rows, band_rows)]
    workers = min(threads(), len(bands))
    if workers <= 1:
        return [work(*band) for band in bands]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda band: work(*band), bands))
