"""What can be seen of the sky: horizons around each cell, openness and the sky-view factor."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.raster.elevation import heights
from hazardgeo.terrain.gradient import Number, Rows, angle, by_rows

Side = Literal["positive", "negative"]
YOKOYAMA = (
    "Yokoyama, Shirasawa & Pike (2002), Photogrammetric Engineering & Remote Sensing 68:257-265; "
    "as commonly given, not read there"
)
ZAKSEK = "Zakšek, Oštir & Kokalj (2011), Remote Sensing 3:398-415, doi:10.3390/rs3020398; as commonly given, not read there"
SEEN = "within radius_m of unknown cells and of the edge at least what hides the sky there is unknown: an upper bound"
_F = np.float32
_ZERO, _ONE, _RIGHT = _F(0), _F(1), _F(90)
_LOWEST = _F(-np.inf)
Step = tuple[int, int, int, int, float, float]


def openness(dem: Raster, *, radius_m: float, directions: int = 16, kind: Side = "positive") -> Raster:
    """How wide the sky is open above a cell ("positive"), or the ground below it ("negative"), in degrees.

    The mean over `directions` of the angle from the zenith down to the horizon within `radius_m`, or from the nadir up to
    the steepest line to lower ground: 90 on a plane, more on ridges where positive and in valleys where negative
    (Yokoyama, Shirasawa & Pike 2002, who take 8 directions; as commonly given, not read in the source). Each direction is
    walked cell by cell; between two cells the elevation is interpolated. No step is left out, so that the time grows with
    `radius_m`.

    Unknown cells hide nothing, so that within `radius_m` of them and of the edge openness is an upper bound. A cell is
    unknown where it is unknown itself, or a direction has no known cell at all, as along the edge of the raster. Halo:
    `radius_m`. Raises InputError for a radius smaller than a cell and fewer than four directions, and for the reasons of
    `slope`.
    """
    if kind not in ("positive", "negative"):
        raise InputError(f"the openness {kind!r} is unknown; choose positive or negative.")
    values = by_rows(dem, heights(dem, "openness"), _horizon_rows, *_walks(dem, radius_m, directions), kind == "negative", False)
    return _seen(dem, values, f"{kind}_openness", "deg", YOKOYAMA, radius_m, directions)


def sky_view(dem: Raster, *, radius_m: float, directions: int = 16) -> Raster:
    """Share of the sky that is seen from a cell, 0 to 1: one less the mean sine of the horizon in all `directions`.

    Horizons below the level of the cell count as level (Zakšek, Oštir & Kokalj 2011, doi 10.3390/rs3020398; as commonly
    given, not read in the source). It is 1 on a plain and on summits, and light that comes from all of the sky in
    proportion. Horizons, unknown cells, halo and errors are those of `openness`.
    """
    values = by_rows(dem, heights(dem, "sky_view"), _horizon_rows, *_walks(dem, radius_m, directions), False, True)
    return _seen(dem, values, "sky_view", "1", ZAKSEK, radius_m, directions)


def _seen(dem: Raster, values: Rows, name: str, unit: str, method: str, radius_m: float, directions: int) -> Raster:
    tags = {"method": method, "radius_m": f"{radius_m:g}", "directions": str(directions), "validity": SEEN}
    return Raster(values, dem.grid, name, unit, tags=tags)


def _walks(dem: Raster, radius_m: float, directions: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The steps of each direction, nearest first: row and column of two cells, and the share of the second and 1 / distance.

    Directions begin at north. A step goes one cell further along the axis on which the direction advances faster. Where
    a direction has fewer steps, its distance is infinite and 1 / distance 0.
    """
    width, height = dem.grid.cell_m
    if not math.isfinite(radius_m) or radius_m < max(width, height):
        raise InputError(
            f"radius_m is {radius_m:g}, but a cell is {max(width, height):g} m wide; choose a radius of at least one cell."
        )
    if directions < 4:
        raise InputError(f"a horizon in {directions} directions says little; take at least 4.")
    walks = [_walk(2 * math.pi * k / directions, radius_m, width, height, max(dem.grid.shape)) for k in range(directions)]
    longest = max(len(walk) for walk in walks)
    cells, shares = np.zeros((directions, longest, 4), np.int64), np.zeros((directions, longest, 2), np.float32)
    for k, walk in enumerate(walks):
        cells[k, : len(walk)] = [step[:4] for step in walk]
        shares[k, : len(walk)] = [step[4:] for step in walk]
    return cells, shares


def _walk(azimuth: float, radius_m: float, width: float, height: float, most: int) -> list[Step]:
    down, right = -round(math.cos(azimuth), 12) / height, round(math.sin(azimuth), 12) / width
    steps, stride_m = [], 1 / max(abs(down), abs(right))
    for n in range(1, min(int(radius_m / stride_m + 1e-9), most) + 1):
        row, col = n * stride_m * down, n * stride_m * right
        near_row, near_col = math.floor(row + 1e-9), math.floor(col + 1e-9)
        share = (row - near_row) + (col - near_col)  # one of them is whole
        share = 0.0 if share < 1e-8 else share
        steps.append(
            (
                near_row,
                near_col,
                near_row + (row - near_row > 1e-8),
                near_col + (col - near_col > 1e-8),
                share,
                1 / (n * stride_m),
            )
        )
    return steps


@kernel
def _horizon_rows(
    z: Rows, out: Rows, first: int, last: int, cells: NDArray[np.int64], shares: Rows, below: bool, sky: bool
) -> None:
    """Mean over the directions of the angle to the horizon, or of what it leaves of the sky."""
    rows, cols = z.shape
    directions = cells.shape[0]
    highest, total = np.empty(cols, np.float32), np.empty(cols, np.float32)
    for i in range(first, last):
        total[:] = _ZERO
        for k in range(directions):
            highest[:] = _LOWEST
            for n in range(cells.shape[1]):
                r, a = i + cells[k, n, 0], i + cells[k, n, 2]
                if shares[k, n, 1] == _ZERO or min(r, a) < 0 or max(r, a) >= rows:
                    break
                _look(z[i], z[r], z[a], cells[k, n, 1], cells[k, n, 3], shares[k, n, 0], shares[k, n, 1], below, highest)
            for j in range(cols):
                if sky:
                    total[j] += _hidden(highest[j])
                else:
                    total[j] += _open_angle(highest[j])
        for j in range(cols):
            mean = total[j] / _F(directions) + _F(z[i, j] - z[i, j])
            out[i, j] = _ONE - mean if sky else mean


@kernel
def _look(
    here: Rows, one: Rows, other: Rows, to_one: int, to_other: int, share: float, per_metre: float, below: bool, highest: Rows
) -> None:
    """Raise the `highest` rise over run to what lies between the cells of two rows."""
    start = max(-to_one, -to_other, 0)
    cells = here.size - start - max(to_one, to_other, 0)
    if cells <= 0:
        return
    at, left, right = here[start:], one[start + to_one :], other[start + to_other :]
    highest = highest[start:]
    sign = -per_metre if below else per_metre
    for j in range(cells):
        rise = _F(left[j] - at[j]) + share * _F(right[j] - left[j])
        tangent = rise * sign
        highest[j] = tangent if tangent > highest[j] else highest[j]


@kernel
def _open_angle(tangent: Number) -> Number:
    """The angle between straight up and a horizon, in degrees; NaN where nothing is known of it."""
    found = angle(abs(tangent))
    found = _RIGHT - (found if tangent > _ZERO else -found)
    return _F(np.nan) if tangent == _LOWEST else found


@kernel
def _hidden(tangent: Number) -> Number:
    """The sine of a horizon, 0 where it lies below the level of the cell; NaN where nothing is known of it."""
    up = _ZERO if tangent < _ZERO else tangent
    return _F(np.nan) if tangent == _LOWEST else up / math.sqrt(_ONE + up * up)
