"""Which cells of a surface of differences did not move, found from the differences themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.change.robust import shortest_half

Mask = NDArray[np.bool_]
_BLOCK = 5  # cells along each side
_HELD = 3.0  # spreads: farther off a single cell says no more of its block
_CORE, _FRINGE = 6.0, 3.0  # spreads of blocks: an area that moved, and what beside it moved with it
_FEWEST = 8  # known cells of a block
_AREA = 2  # blocks of a core: one alone is an odd place, not an area


def stable_cells(ratio: NDArray[Any]) -> Mask:
    """True for known cells outside areas that moved as a whole; `ratio` is the difference over its usual spread.

    Means of blocks of 5 x 5 cells, with single far cells held to three spreads, are compared with the middle of most blocks.
    An area has at least two blocks, side by side, that lie six of their spreads off, and takes in what lies around them and is
    three off. Single cells stay in, however far off: they are what errors of neighbours do not share, and the uncertainty must
    know them. More than half of the blocks must be stable.
    """
    known = np.asarray(np.isfinite(ratio), np.bool_)
    held = np.clip(np.where(known, ratio, 0.0), -_HELD, _HELD)
    rows, cols = (-(-n // _BLOCK) * _BLOCK for n in ratio.shape)
    wide = np.zeros((2, rows, cols), np.float32)
    wide[0, : ratio.shape[0], : ratio.shape[1]], wide[1, : ratio.shape[0], : ratio.shape[1]] = held, known
    total, count = wide.reshape(2, rows // _BLOCK, _BLOCK, cols // _BLOCK, _BLOCK).sum(axis=(2, 4), dtype=np.float64)
    means = np.where(count >= _FEWEST, total / np.maximum(count, 1), np.nan)
    centre, spread = shortest_half(means.ravel())
    if not spread > 0:
        return known
    off = np.nan_to_num(np.abs(means - centre) / spread)
    labels, many = ndimage.label(off > _FRINGE, np.ones((3, 3)))
    cores = ndimage.sum_labels(off > _CORE, labels, np.arange(1, many + 1))
    moved = np.concatenate([[False], np.asarray(cores) >= _AREA])[labels]
    return np.asarray(known & ~np.repeat(np.repeat(moved, _BLOCK, 0), _BLOCK, 1)[: ratio.shape[0], : ratio.shape[1]])
