"""What gathers where water takes more than one way down from a cell."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.kernel import kernel
from hazardgeo.tiles.drainage import COL, D8, ROW, Ways, gather_down
from hazardgeo.tiles.flood import FLOOD, Cells, Flags, Surface

Routing = Literal["d8", "dinf", "mfd"]
Shares = NDArray[np.float64]
States = NDArray[np.uint8]
EXPONENT = 1.1
BLOCKED, BEYOND, GIVEN, DONE = 252, 253, 254, 255  # up to 8: how many neighbours a cell waits for
MARKS = 0.0
_FLATS = f"not checked against the paper; flats by D8; filled by {FLOOD}"
METHODS = {
    "d8": D8,
    "dinf": f"D-infinity, Tarboton (1997), Water Resources Research 33:309-319, doi:10.1029/96WR03137; {_FLATS}",
    "mfd": f"multiple ways, Freeman (1991), Computers & Geosciences 17:413-422, doi:10.1016/0098-3004(91)90048-I; {_FLATS}",
}


def require_routing(routing: str, exponent: float) -> None:
    """Raise InputError unless water can be routed so."""
    if routing not in METHODS:
        raise InputError(f"the routing {routing!r} is unknown; choose one of {', '.join(METHODS)}.")
    if not (math.isfinite(exponent) and exponent > 0):
        raise InputError(f"the exponent is {exponent:g}; choose a number above 0, such as {EXPONENT:g}.")


def method(routing: str, exponent: float) -> str:
    """The tag of a result."""
    return METHODS[routing] + (f"; exponent {exponent:g}" if routing == "mfd" else "")


def gather(
    filled: Surface, towards: Ways, own: Flags, cell_m: tuple[float, float], *, routing: str, exponent: float
) -> NDArray[Any]:
    """How many cells that are True in `own` drain through each cell, itself included; with parts of cells unless "d8"."""
    if routing == "d8":
        return gather_down(towards, own)
    total = own.astype(np.float64)
    settle(filled, towards, total, np.zeros(filled.shape, np.uint8), (cell_m, routing, exponent, unit_of(filled.size)))
    return total


def reached(filled: Surface, towards: Ways, own: Flags, cell_m: tuple[float, float], *, routing: str, exponent: float) -> Flags:
    """True where any water comes from a cell that is True in `own`, or the cell is one."""
    if routing == "d8":
        return np.asarray(gather_down(towards, own) > 0)
    total = own.astype(np.float64)
    settle(filled, towards, total, np.zeros(filled.shape, np.uint8), (cell_m, routing, exponent, MARKS))
    return total > 0


def unit_of(cells: int) -> float:
    """What parts of cells are whole numbers of, on a raster of so many cells, so that no order of adding changes a sum.

    >>> unit_of(16_000_000) == 2.0**-28
    True
    """
    return float(2.0 ** (cells.bit_length() - 52))


def settle(
    filled: Surface, towards: Ways, total: Shares, state: States, how: tuple[tuple[float, float], str, float, float]
) -> None:
    """Share the water of the cells out in place, from the highest on.

    `total` has what each cell has of its own, or all that drains through it where it is known already. `state` is 0 in
    cells to settle, GIVEN in those that are known, BLOCKED in those that cannot be, since water comes in from beyond the
    array, and BEYOND in those that are there as neighbours only; it is DONE afterwards in those that are settled.
    `how` is the size of the cells, the routing, its exponent, and the unit of the sums (`unit_of`), or MARKS: then it is
    1 wherever any water comes from a cell that has 1.
    """
    cell_m, routing, exponent, unit = how
    lengths = np.array([math.hypot(row * cell_m[1], col * cell_m[0]) for row, col in zip(ROW, COL, strict=True)])
    power = 0.0 if routing == "dinf" else exponent
    _count_donors(filled, towards, state, lengths, power)
    _run_down(filled, towards, state, total, np.empty(filled.size + 8, np.int64), lengths, power, unit)


@kernel
def _share(filled: Surface, towards: Ways, i: int, j: int, lengths: Shares, exponent: float, parts: Shares) -> None:
    """What part of the water of a cell goes to each neighbour: by D-infinity where the exponent is 0, else to all lower ones."""
    parts[:] = 0.0
    k = towards[i, j]
    if k < 0:
        return
    if filled[i + ROW[k], j + COL[k]] == filled[i, j]:  # no neighbour is lower: over the flat
        parts[k] = 1.0
    elif exponent > 0:
        _slope_shares(filled, towards, i, j, lengths, exponent, parts)
    else:
        _facet_shares(filled, i, j, lengths, parts)


@kernel
def _waits_beside(state: States, i: int, j: int) -> bool:
    """True where a neighbour is still to be settled."""
    for k in range(8):
        a, b = i + ROW[k], j + COL[k]
        if a >= 0 and b >= 0 and a < state.shape[0] and b < state.shape[1] and state[a, b] <= 8:
            return True
    return False


@kernel
def _count_donors(filled: Surface, towards: Ways, state: States, lengths: Shares, exponent: float) -> None:
    """How many neighbours each cell that is to be settled receives from; those that have nothing to give are DONE."""
    parts = np.empty(8)
    for i in range(filled.shape[0]):
        for j in range(filled.shape[1]):
            if state[i, j] == BEYOND:
                continue
            if state[i, j] == GIVEN and not _waits_beside(state, i, j):
                state[i, j] = DONE
                continue
            _share(filled, towards, i, j, lengths, exponent, parts)
            for k in range(8):
                if parts[k] > 0 and state[i + ROW[k], j + COL[k]] <= 8:
                    state[i + ROW[k], j + COL[k]] += 1


@kernel
def _run_down(
    filled: Surface, towards: Ways, state: States, total: Shares, ready: Cells, lengths: Shares, exponent: float, unit: float
) -> None:
    """Share out what each cell has once it waits for no other. All ways lead to lower cells, or over flats as D8."""
    rows, cols = filled.shape
    parts = np.empty(8)
    for first in range(rows * cols):
        start = state[first // cols, first % cols]
        if start not in (0, GIVEN):
            continue
        ready[0], count = first, 1
        state[first // cols, first % cols] = DONE
        while count > 0:
            count -= 1
            i, j = ready[count] // cols, ready[count] % cols
            _share(filled, towards, i, j, lengths, exponent, parts)
            _in_units(parts, total[i, j], unit)
            for k in range(8):
                if parts[k] >= 0:
                    a, b = i + ROW[k], j + COL[k]
                    if state[a, b] > 8:
                        continue
                    total[a, b] = max(total[a, b], parts[k]) if unit == MARKS else total[a, b] + parts[k]
                    state[a, b] -= 1
                    if state[a, b] == 0:
                        state[a, b] = DONE
                        ready[count] = a * cols + b
                        count += 1


@kernel
def _in_units(parts: Shares, total: float, unit: float) -> None:
    """Each part of a total in whole units, the last one all that is left; -1 where there is no part."""
    last, left = -1, total
    for k in range(8):
        if parts[k] > 0:
            last = k
    for k in range(8):
        if parts[k] <= 0:
            parts[k] = -1.0
        elif unit == MARKS:
            parts[k] = total
        elif k == last:
            parts[k] = left
        else:
            parts[k] = math.floor(parts[k] * total / unit) * unit
            left -= parts[k]


@kernel
def _slope_shares(filled: Surface, towards: Ways, i: int, j: int, lengths: Shares, exponent: float, parts: Shares) -> None:
    """The share of each lower neighbour grows with the slope towards it, to the power of `exponent`."""
    rows, cols = filled.shape
    steepest = (np.float64(filled[i, j]) - filled[i + ROW[towards[i, j]], j + COL[towards[i, j]]]) / lengths[towards[i, j]]
    total = 0.0
    for k in range(8):
        a, b = i + ROW[k], j + COL[k]
        if a >= 0 and b >= 0 and a < rows and b < cols and filled[a, b] < filled[i, j]:
            parts[k] = ((np.float64(filled[i, j]) - filled[a, b]) / lengths[k] / steepest) ** exponent
            total += parts[k]
    for k in range(8):
        parts[k] /= total


@kernel
def _facet_shares(filled: Surface, i: int, j: int, lengths: Shares, parts: Shares) -> None:
    """Down the steepest of the eight triangles between neighbours, shared by angle between the two that it lies between.

    A triangle with an unknown corner counts as the one way along its other side.
    """
    here, steepest = np.float64(filled[i, j]), 0.0
    straight, oblique, beyond = 0, 0, 0.0
    for k in range(8):
        side, corner = k + k % 2 & 7, k | 1
        e1, e2 = _height(filled, i + ROW[side], j + COL[side]), _height(filled, i + ROW[corner], j + COL[corner])
        d1, d2 = lengths[side], lengths[(side + 2) & 7]
        s1, s2 = (here - e1) / d1, (e1 - e2) / d2
        slope, share = s1, 0.0
        if np.isnan(s1) or s2 * d1 >= s1 * d2:
            slope, share = (here - e2) / lengths[corner], 1.0
        elif s2 > 0:
            slope, share = math.hypot(s1, s2), math.atan2(s2, s1) / math.atan2(d2, d1)
        if slope > steepest:
            steepest, straight, oblique, beyond = slope, side, corner, share
    parts[straight] = 1.0 - beyond
    parts[oblique] = beyond


@kernel
def _height(filled: Surface, i: int, j: int) -> float:
    """The elevation of a cell, NaN beyond the edge."""
    rows, cols = filled.shape
    return np.float64(filled[i, j]) if i >= 0 and j >= 0 and i < rows and j < cols else np.nan
