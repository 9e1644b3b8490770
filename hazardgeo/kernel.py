"""The one numba decorator: compiled loops over plain arrays, cached where a cache can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """`function` compiled by numba in nopython mode, on one thread and without fast-math, so that NaN stays NaN.

    The machine code is cached beside the module or in the user's cache folder. On a read-only install without a
    writable home there is no such place: the kernel is then compiled in each process (a few seconds at first use).
    Kernels take arrays and numbers, check nothing and hold no strings; the interpreted version is `kernel.py_func`.
    """
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba found no folder that it can write its cache to
        return numba.njit(nogil=True)(function)
