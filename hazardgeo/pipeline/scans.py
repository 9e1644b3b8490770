"""Several clouds in one folder: tiles of one scan, or scans of the same ground of which one must be chosen."""

from __future__ import annotations

from collections.abc import Sequence

from hazardgeo.pipeline.recognise import NEWER_WORDS, OLDER_WORDS, Bounds, Candidate, says

_SAME_GROUND = 0.5  # share of the smaller rectangle; strips of one flight overlap less, two epochs more


def in_order(clouds: Sequence[Candidate]) -> list[Candidate]:
    """The clouds, the best first: what can be used, what is merged, what was taken after the event."""

    def key(cloud: Candidate) -> tuple[bool, int, int, str]:
        epoch = -1 if says(cloud.path, NEWER_WORDS) else int(says(cloud.path, OLDER_WORDS))
        return bool(cloud.lacks), cloud.rank, epoch, str(cloud.path)

    return sorted(clouds, key=key)


def tiles_of(first: Candidate, others: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate], list[Candidate]]:
    """Which of `others` are tiles of the same scan as `first`, which cover the same ground, and which lie elsewhere.

    Tiles are read in the same way and lie next to one another: not farther than the longer side of one of them. Epochs are
    never joined: a cloud that shares more than half of its rectangle with one that is taken covers the same ground.
    """
    tiles: list[Candidate] = []
    same: list[Candidate] = []
    rest = list(others)
    taken = [first]
    found = True
    while found:
        found = False
        for cloud in list(rest):
            if any(_overlap(cloud.bounds, tile.bounds) > _SAME_GROUND for tile in taken):
                same.append(cloud)
            elif _read_alike(first, cloud) and any(_adjacent(cloud.bounds, tile.bounds) for tile in taken):
                tiles.append(cloud)
                taken.append(cloud)
            else:
                continue
            rest.remove(cloud)
            found = True
    return sorted(tiles, key=lambda tile: str(tile.path)), same, rest


def _read_alike(first: Candidate, other: Candidate) -> bool:
    return (first.options, first.crs, first.lacks) == (other.options, other.crs, other.lacks)


def _overlap(a: Bounds | None, b: Bounds | None) -> float:
    """The common area as a share of the smaller rectangle; 0 where a rectangle is not known or has no area."""
    if a is None or b is None:
        return 0.0
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    width, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return width * tall / smaller if smaller > 0 and width > 0 and tall > 0 else 0.0


def _adjacent(a: Bounds | None, b: Bounds | None) -> bool:
    if a is None or b is None:
        return False
    gap = max(max(a[0], b[0]) - min(a[2], b[2]), max(a[1], b[1]) - min(a[3], b[3]))
    return gap <= max(a[2] - a[0], a[3] - a[1], b[2] - b[0], b[3] - b[1])
