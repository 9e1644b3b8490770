"""Openings of a surface with growing disks: what stands out, and by how much for its width."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import in_bands, kernel
from hazardgeo.terrain.window import disk_chords, disk_minimum_rows

Surface = NDArray[np.float32]
Chords = NDArray[np.int64]


def lowered(z: Surface, cell_m: float, radius: int) -> Surface:
    """By how much openings with a growing disk lower each cell, the most for their radius, in m/m, up to `radius` cells."""
    most, before, below = np.zeros_like(z), z.copy(), np.empty_like(z)
    for r in range(1, radius + 1):
        chords, step, bands = disk_chords(r, (1.0, 1.0)), np.float32(cell_m * r), max(64, 2 * r)

        def erode(first: int, last: int, chords: Chords = chords) -> None:
            _eroded(z, chords, below, first, last)

        def open_up(first: int, last: int, chords: Chords = chords, step: np.float32 = step) -> None:
            _opened(below, chords, step, before, most, first, last)

        in_bands(erode, len(z), band_rows=bands)
        in_bands(open_up, len(z), band_rows=bands)
    return most


@kernel
def _eroded(z: Surface, chords: Chords, below: Surface, first: int, last: int) -> None:
    """The rows of the lowest in the disk around each cell, upside down, so that the highest in a disk is a lowest too."""
    disk_minimum_rows(z, chords, below[first:last], first, last)
    for i in range(first, last):
        for j in range(z.shape[1]):
            below[i, j] = -below[i, j]


@kernel
def _opened(below: Surface, chords: Chords, step: np.float32, before: Surface, most: Surface, first: int, last: int) -> None:
    after = np.empty((last - first, below.shape[1]), below.dtype)
    disk_minimum_rows(below, chords, after, first, last)
    for i in range(first, last):
        for j in range(below.shape[1]):
            value = -after[i - first, j]
            lowered = (before[i, j] - value) / step
            most[i, j] = lowered if lowered > most[i, j] else most[i, j]
            before[i, j] = value
