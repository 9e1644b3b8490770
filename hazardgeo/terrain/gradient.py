"""Gradients of rows of cells, and angles from them, in float32: what every shape of the ground begins with."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.raster import Raster
from hazardgeo.raster.elevation import heights, impossible, refusal, require_possible
from hazardgeo.terrain.window import odd_cells, smooth

Method = Literal["horn", "zevenbergen_thorne"]
Rows = NDArray[Any]
Number: TypeAlias = Any  # float32 in compiled loops
METHODS = {
    "horn": "Horn (1981), Proc. IEEE 69:14-47, doi:10.1109/PROC.1981.11918",
    "zevenbergen_thorne": "Zevenbergen & Thorne (1987), Earth Surf. Process. Landforms 12:47-56, doi:10.1002/esp.3290120107",
}
FLAT_TAN = 1e-7  # below the rounding of any survey

_F = np.float32
_ONE, _TWO, _RIGHT, _HALF_TURN, _TURN = _F(1), _F(2), _F(90), _F(180), _F(360)
_DEGREES = _F(180 / math.pi)
_FLAT_SQUARED = _F(FLAT_TAN**2)
# arctan x = x (1 + sum of a x^2i) for x from 0 to 1, to 2e-8: Abramowitz & Stegun (1964), equation 4.4.49
_A2, _A4, _A6, _A8 = _F(-0.3333314528), _F(0.1999355085), _F(-0.1420889944), _F(0.1065626393)
_A10, _A12, _A14, _A16 = _F(-0.0752896400), _F(0.0429096138), _F(-0.0161657367), _F(0.0028662257)


def surface(dem: Raster, what: str, *, scale_m: float | None) -> NDArray[Any]:
    """The elevations of `dem`, smoothed to `scale_m` where it is given, to be read only.

    Without `scale_m` they may hold fill values, which `by_rows` and `require_possible` refuse.
    """
    z = heights(dem, what)
    if scale_m is None:
        return z
    width, height = dem.grid.cell_m
    window = odd_cells(scale_m, height), odd_cells(scale_m, width)
    require_possible(dem, z)
    return smooth(z, *window)


def scale_tag(dem: Raster, scale_m: float | None) -> dict[str, str]:
    """The window that `surface` takes for `scale_m`, east x north in m, as a tag; none without smoothing."""
    if scale_m is None:
        return {}
    width, height = dem.grid.cell_m
    return {"scale_m": f"{odd_cells(scale_m, width) * width:g} x {odd_cells(scale_m, height) * height:g}"}


def by_rows(dem: Raster, z: NDArray[Any], rows_kernel: Any, *arguments: Any, band_rows: int = 64) -> NDArray[np.float32]:
    """What `rows_kernel(z, out, first, last, *arguments)` writes to all rows, in bands; refuses fill values on the way."""
    out = np.empty(z.shape, np.float32)

    def work(first: int, last: int) -> int:
        found = impossible(z, first, last)
        rows_kernel(z, out, first, last, *arguments)
        return found

    if any(in_bands(work, z.shape[0], band_rows=band_rows)):
        raise refusal(dem)
    return out


def weights(dem: Raster, method: str) -> tuple[bool, np.float32, np.float32]:
    """What `gradient_row` needs: whether the method is Horn's, and what differences to east and north are multiplied by."""
    if method not in METHODS:
        raise InputError(f"the method {method!r} is unknown; choose one of {', '.join(METHODS)}.")
    width, height = dem.grid.cell_m
    cells = 8.0 if method == "horn" else 2.0
    return method == "horn", np.float32(1 / (cells * width)), np.float32(1 / (cells * height))


def steepness(dem: Raster, z: NDArray[Any], *, method: Method = "horn", degrees: bool = False) -> NDArray[np.float32]:
    """Rise over run along the steepest way, or its angle in degrees, of the surface `z` on the grid of `dem`."""
    return by_rows(dem, z, steepness_rows, *weights(dem, method), degrees)


@kernel
def steepness_rows(
    z: Rows, out: Rows, first: int, last: int, horn: bool, per_east: float, per_north: float, degrees: bool
) -> None:
    """Rise over run along the steepest way, or its angle in degrees."""
    cells = max(z.shape[1] - 2, 0)
    east, north = np.empty(cells, np.float32), np.empty(cells, np.float32)
    for i in range(first, last):
        if not begun(out, i):
            continue
        gradient_row(z, i, horn, per_east, per_north, east, north)
        row = out[i, 1:-1]
        if degrees:
            for j in range(cells):
                row[j] = angle(math.sqrt(east[j] * east[j] + north[j] * north[j]))
        else:
            for j in range(cells):
                row[j] = math.sqrt(east[j] * east[j] + north[j] * north[j])


@kernel
def aspect_rows(z: Rows, out: Rows, first: int, last: int, horn: bool, per_east: float, per_north: float) -> None:
    """Direction in which the ground falls, clockwise from north, in degrees."""
    cells = max(z.shape[1] - 2, 0)
    east, north = np.empty(cells, np.float32), np.empty(cells, np.float32)
    for i in range(first, last):
        if not begun(out, i):
            continue
        gradient_row(z, i, horn, per_east, per_north, east, north)
        row = out[i, 1:-1]
        for j in range(cells):
            row[j] = bearing(east[j], north[j])


@kernel
def begun(out: Rows, i: int) -> bool:
    """Write unknown along the edge of the raster in row `i`; False where all of the row is edge."""
    rows, cols = out.shape
    if i == 0 or i == rows - 1 or cols < 3:
        out[i] = np.nan
        return False
    out[i, 0] = out[i, cols - 1] = np.nan
    return True


@kernel
def gradient_row(z: Rows, i: int, horn: bool, per_east: float, per_north: float, east: Rows, north: Rows) -> None:
    """Rise towards east and towards north of the inner cells of row `i`; both NaN where a cell of the stencil is unknown.

    Neighbours are subtracted before they are added: their difference is exact or nearly so, whatever the elevation. Sums
    are in an order that a turned surface keeps.
    """
    above, here, below = z[i - 1], z[i], z[i + 1]
    nw, n, ne = above[:-2], above[1:-1], above[2:]
    w, o, e = here[:-2], here[1:-1], here[2:]
    sw, s, se = below[:-2], below[1:-1], below[2:]
    for j in range(o.size):
        x, y = _F(e[j] - w[j]), _F(n[j] - s[j])
        if horn:
            x = (_F(ne[j] - nw[j]) + _F(se[j] - sw[j])) + _TWO * x
            y = (_F(nw[j] - sw[j]) + _F(ne[j] - se[j])) + _TWO * y
        unknown = ((x + y) - (x + y)) + _F(o[j] - o[j])
        east[j] = x * per_east + unknown
        north[j] = y * per_north + unknown


@kernel
def angle(rise: Number) -> Number:
    """The angle in degrees of a rise over run of zero or more, in float32; NaN stays NaN."""
    steep = rise > _ONE
    low = _ONE if steep else rise
    high = rise if steep else _ONE
    found = arctangent(low / high)
    return _RIGHT - found if steep else found


@kernel
def arctangent(x: Number) -> Number:
    """The angle in degrees whose tangent is `x`, from 0 to 1, in float32."""
    q = x * x
    series = _ONE + q * (_A2 + q * (_A4 + q * (_A6 + q * (_A8 + q * (_A10 + q * (_A12 + q * (_A14 + q * _A16)))))))
    return _DEGREES * (x * series)


@kernel
def bearing(east: Number, north: Number) -> Number:
    """Where ground falls to that rises so, in degrees clockwise from north, 0 to below 360; NaN on flat ground."""
    across, along = abs(east), abs(north)
    sideways = across > along
    low = along if sideways else across
    high = across if sideways else along
    found = arctangent(low / high)
    found = _RIGHT - found if sideways else found
    found = _HALF_TURN - found if north > 0 else found
    found = _TURN - found if east > 0 else found
    found = _F(0) if found >= _TURN else found
    return _F(np.nan) if east * east + north * north < _FLAT_SQUARED else found
