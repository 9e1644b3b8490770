"""Pairing: which ground that rose came from which ground that sank, by gravity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from hazardgeo import terrain
from hazardgeo.change.shapes import Ids, Lobe
from hazardgeo.raster import Raster

GENTLEST_TAN = math.tan(
    math.radians(4.0)
)  # of the line from crown to toe; long loess flow slides are known to go below 8 degrees
_BESIDE_M = 4.0  # between the outlines of a source and of what lies against it
_FIRST_M = 30.0  # of a way down, along which its gradient is not yet asked for
_LIKE = 4.0  # times the area of the other: what may belong together without touching
_STEPS = {1: (0, 1), 2: (1, 1), 4: (1, 0), 8: (1, -1), 16: (0, -1), 32: (-1, -1), 64: (-1, 0), 128: (-1, 1)}
_STARTS = 16  # ways down that are followed from each source
Bodies = list[tuple[list[int], list[int]]]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Groups of lobes that make one body, as (sources, deposits) by number, and the lobes left over.

    `leaves_survey` names sources from which a way down runs out of what was surveyed.
    """

    bodies: Bodies
    alone: list[int]
    leaves_survey: frozenset[int]


def paired(ids: Ids, lobes: list[Lobe], before: Raster, *, strong: float) -> Pairs:
    """Sources with the deposits below them.

    A deposit belongs to a source when it lies against it (within 4 m) and its middle lies lower; or on a way of water down
    from it (over the surface before, with its hollows filled), at least 4 degrees lower, not farther than twice the width of the
    source and with volumes that could fit: what runs farther leaves a trace. Sources that share a deposit which lies against
    them make one body; other claims go to the largest source. Lobes whose score is below `strong` count only as the missing
    half of a strong one. What is left over and lies against one another, without a fall, is paired last, to be judged as
    earthworks.
    """
    z = before.values.astype(np.float64)
    cell_m = math.sqrt(math.prod(before.grid.cell_m))
    by_number = {lobe.number: lobe for lobe in lobes}
    field = _Field(ids, z, terrain.flow_direction(before).values, cell_m, by_number)
    sure = {lobe.number for lobe in lobes if lobe.score >= strong}
    beside = {n: _beside(ids, by_number[n], cell_m) for n in by_number}
    met = {n: _met(field, by_number[n]) for n in sure if by_number[n].sign < 0}
    leaves = frozenset(n for n, (_, left) in met.items() if left)
    links = {n: _deposits(field, n, beside[n] & sure, found & sure) for n, (found, _) in met.items()}
    bodies = _grouped({n: found for n, found in links.items() if found}, beside, by_number)
    taken = {n for sources, deposits in bodies for n in (*sources, *deposits)}
    for weak in (False, True):
        for one in sorted(sure - taken, key=lambda n: -by_number[n].cells):
            partner = _partner(field, one, beside[one] - taken, sure, weak=weak) if one not in taken else None
            if partner is not None:
                bodies.append(([one], [partner]) if by_number[one].sign < 0 else ([partner], [one]))
                taken |= {one, partner}
    return Pairs(bodies, sorted(sure - taken), leaves)


@dataclass(frozen=True, slots=True)
class _Field:
    """What pairing reads: ids of lobes, the surface before and its ways of water, and the lobes by number."""

    ids: Ids
    z: NDArray[np.float64]
    ways: NDArray[np.uint8]
    cell_m: float
    lobes: dict[int, Lobe]


def _deposits(field: _Field, source: int, against: set[int], below: set[int]) -> set[int]:
    """Which of the lobes that lie against a source or on its ways down came from it."""
    found = set()
    for number in against | below:
        lobe = field.lobes[number]
        if lobe.sign < 0:
            continue
        drop_m, away_m = fall(field.z, field.lobes[source], lobe, field.cell_m)
        steep = drop_m > GENTLEST_TAN * away_m
        if (number in against and drop_m > 0) or (steep and _in_reach(field, field.lobes[source], lobe)):
            found.add(number)
    return found


def _in_reach(field: _Field, source: Lobe, deposit: Lobe) -> bool:
    sizes = source.cells, deposit.cells
    gap_m = _gap_m(source, deposit) * field.cell_m
    return gap_m <= 2.0 * math.sqrt(sizes[0]) * field.cell_m and max(sizes) <= _LIKE * min(sizes)


def _gap_m(one: Lobe, other: Lobe) -> float:
    """Cells between the nearest cells of two lobes."""
    tree = KDTree(np.column_stack(one.places()))
    return float(np.min(tree.query(np.column_stack(other.places()))[0]))


def _partner(field: _Field, one: int, against: set[int], sure: set[int], *, weak: bool) -> int | None:
    """What an unpaired lobe lies against: first a strong lobe at any height, then a weak one on the right side of it."""
    lobe = field.lobes[one]
    best, most = None, 0
    for number in sorted(against):
        other = field.lobes[number]
        if other.sign == lobe.sign or (number not in sure) != weak:
            continue
        source, deposit = (lobe, other) if lobe.sign < 0 else (other, lobe)
        drop_m, away_m = fall(field.z, source, deposit, field.cell_m)
        if (not weak or drop_m > GENTLEST_TAN * away_m) and other.cells > most:
            best, most = number, other.cells
    return best


def _beside(ids: Ids, lobe: Lobe, cell_m: float) -> set[int]:
    """Numbers of the lobes whose outline lies within 4 m or two cells of that of this one."""
    grow = max(2, round(_BESIDE_M / cell_m)) + 1
    rows = slice(max(lobe.rows.start - grow, 0), lobe.rows.stop + grow)
    cols = slice(max(lobe.cols.start - grow, 0), lobe.cols.stop + grow)
    block = ids[rows, cols]
    around = ndimage.distance_transform_edt(block != lobe.number) <= grow
    return set(np.unique(block[around]).tolist()) - {0, lobe.number}


def fall(z: NDArray[np.float64], source: Lobe, deposit: Lobe, cell_m: float) -> tuple[float, float]:
    """How much lower the middle of the deposit lies on the surface before, and how far away, in m."""
    places = [np.array(lobe.places(), np.float64).mean(axis=1) for lobe in (source, deposit)]
    away_m = float(np.hypot(*(places[1] - places[0]))) * cell_m
    return float(np.nanmedian(source.of(z)) - np.nanmedian(deposit.of(z))), away_m


def _met(field: _Field, source: Lobe) -> tuple[set[int], bool]:
    """Lobes on the ways down from the source, above the gentlest line; and whether a way leaves what was surveyed."""
    row, col = source.places()
    start_m = float(np.nanmedian(source.of(field.z)))
    met: set[int] = set()
    seen: set[tuple[int, int]] = set()
    left = False
    lowest = np.argsort(np.nan_to_num(field.z[row, col], nan=np.inf), kind="stable")
    chosen = lowest[np.unique(np.linspace(0, len(lowest) - 1, min(_STARTS, len(lowest))).round().astype(int))]
    for first in zip(row[chosen].tolist(), col[chosen].tolist(), strict=True):
        length, (r, c) = 0.0, first
        while (r, c) not in seen:
            seen.add((r, c))
            code = int(field.ways[r, c])
            if code not in _STEPS:
                left = True
                break
            step = _STEPS[code]
            r, c = r + step[0], c + step[1]
            length += math.hypot(*step) * field.cell_m
            met.add(int(field.ids[r, c]))
            if length > _FIRST_M and start_m - field.z[r, c] < GENTLEST_TAN * length:
                break
    return met - {0, source.number}, left


def _grouped(links: dict[int, set[int]], beside: dict[int, set[int]], lobes: dict[int, Lobe]) -> Bodies:
    """Sources that touch one deposit are one body; other claims go to the largest source."""
    owner: dict[int, list[int]] = {}
    for source in sorted(links, key=lambda n: (-lobes[n].cells, n)):
        for deposit in links[source]:
            owner.setdefault(deposit, []).append(source)
    leader = {source: source for source in links}
    taken: dict[int, int] = {}
    for deposit, claims in sorted(owner.items()):
        against = [s for s in claims if deposit in beside[s]]
        kept = against or claims[:1]
        taken[deposit] = kept[0]
        for other in kept[1:]:
            _join(leader, kept[0], other)
    groups: dict[int, tuple[list[int], list[int]]] = {}
    for deposit, source in taken.items():
        groups.setdefault(_root(leader, source), ([], []))[1].append(deposit)
    for source in links:
        if _root(leader, source) in groups:
            groups[_root(leader, source)][0].append(source)
    return list(groups.values())


def _root(leader: dict[int, int], source: int) -> int:
    while leader[source] != source:
        source = leader[source]
    return source


def _join(leader: dict[int, int], one: int, other: int) -> None:
    first, second = sorted((_root(leader, one), _root(leader, other)))
    leader[second] = first
