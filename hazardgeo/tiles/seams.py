"""Where tiles touch: the edges of each, which lie side by side, and what is joined across them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel

Place = tuple[int, int]
Line = tuple[str, slice]
EDGES = ("north", "south", "west", "east")
_ALL, _FIRST, _LAST = slice(None), slice(0, 1), slice(-1, None)


def edges(values: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The outermost cells of a tile on each side, from west to east and from north to south."""
    return dict(zip(EDGES, (values[0], values[-1], values[:, 0], values[:, -1]), strict=True))


def touching(places: Collection[Place]) -> Iterator[tuple[Place, Place, Line, Line]]:
    """Pairs of tiles (row, column) that touch at a side or a corner, each pair once, and which part of which edge of each.

    Cells of the two lines touch where their positions differ by one at most.
    """
    for row, col in places:
        for there, own, other in (
            ((row + 1, col), ("south", _ALL), ("north", _ALL)),
            ((row, col + 1), ("east", _ALL), ("west", _ALL)),
            ((row + 1, col + 1), ("south", _LAST), ("north", _FIRST)),
            ((row + 1, col - 1), ("south", _FIRST), ("north", _LAST)),
        ):
            if there in places:
                yield (row, col), there, own, other


@kernel
def root(parents: NDArray[np.int64], member: int) -> int:
    """The smallest member of the set that `member` belongs to; ways to it become shorter on the way."""
    while parents[member] != member:
        parents[member] = parents[parents[member]]
        member = parents[member]
    return member
