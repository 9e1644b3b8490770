"""How the ground bends: curvatures of the quadratic through 3 x 3 cells."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from hazardgeo.errors import InputError
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.terrain.gradient import FLAT_TAN, Rows, begun, by_rows, scale_tag, surface

Kind = Literal["profile", "plan", "tangential", "mean", "gaussian", "maximal", "minimal"]
CURVATURES = ("profile", "plan", "tangential", "mean", "gaussian", "maximal", "minimal")
EVANS = (
    "quadratic of Evans (1972) and Young (1978); names after Minár, Evans & Jenčo (2020), Earth-Science Reviews 211:103414, "
    "doi:10.1016/j.earscirev.2020.103414; derived from the geometry of surfaces, not read there"
)
_PROFILE, _PLAN, _TANGENTIAL, _MEAN, _GAUSSIAN, _MAXIMAL, _MINIMAL = range(len(CURVATURES))
_F = np.float32
_ZERO, _ONE, _TWO, _FOUR = _F(0), _F(1), _F(2), _F(4)
_FLAT_SQUARED = _F(FLAT_TAN**2)


def curvature(dem: Raster, *, kind: Kind = "profile", scale_m: float | None = None) -> Raster:
    """How the ground bends, in 1/m (1/m2 for "gaussian"): above 0 where it is convex, as on a ridge or a summit.

    - "profile" (normal slope line curvature): along the way down; below 0 where water slows down.
    - "tangential" (normal contour curvature): across the way down, in the plane upright to the ground; below 0 in hollows.
    - "plan" (projected contour curvature): of the contour line on the map; "tangential" divided by the sine of the slope.
    - "maximal" and "minimal" (principal curvatures), "mean", half of their sum, and "gaussian", their product.

    Derivatives are those of the quadratic of Evans (1972), fitted to 3 x 3 cells by least squares; cells need not be
    square. Names after Minár, Evans & Jenčo (2020), doi 10.1016/j.earscirev.2020.103414; formulas are derived from the
    geometry of surfaces. A curvature without a scale is that of the noise: give `scale_m`, which smooths as in `slope`;
    smoothing over a window adds a small part of it to the derivatives, which are exact on planes and quadratics.

    The first three are unknown where the ground is flat, since there is no way down. Unknown cells, edges, halo and errors
    are those of `slope` with Horn's gradient.
    """
    if kind not in CURVATURES:
        raise InputError(f"the curvature {kind!r} is unknown; choose one of {', '.join(CURVATURES)}.")
    z = surface(dem, "curvature", scale_m=scale_m)
    width, height = dem.grid.cell_m
    scales = np.array([1 / (6 * width), 1 / (6 * height), 1 / (3 * width**2), 1 / (3 * height**2), 1 / (4 * width * height)], _F)
    values = by_rows(dem, z, _curvature_rows, scales, CURVATURES.index(kind))
    unit = "1/m2" if kind == "gaussian" else "1/m"
    return Raster(values, dem.grid, f"{kind}_curvature", unit, tags={"method": EVANS, **scale_tag(dem, scale_m)})


@kernel
def _curvature_rows(z: Rows, out: Rows, first: int, last: int, scales: Rows, kind: int) -> None:
    """The curvature of a kind, row by row."""
    cells = max(z.shape[1] - 2, 0)
    d = np.empty((5, cells), np.float32)
    for i in range(first, last):
        if not begun(out, i):
            continue
        _derivatives(z, i, scales, d)
        row = out[i, 1:-1]
        if kind <= _TANGENTIAL:
            _along_slope(d, kind, row)
        else:
            _of_surface(d, kind, row)


@kernel
def _derivatives(z: Rows, i: int, scales: Rows, d: Rows) -> None:
    """Of the inner cells of row `i`: rise to east and north, and how it grows to east, to north, and of one along the other.

    Sums are in an order that a turned surface keeps; all five are NaN where one of the nine cells is unknown.
    """
    above, here, below = z[i - 1], z[i], z[i + 1]
    nw, n, ne = above[:-2], above[1:-1], above[2:]
    w, o, e = here[:-2], here[1:-1], here[2:]
    sw, s, se = below[:-2], below[1:-1], below[2:]
    to_east, to_north, east_east, north_north, east_north = d[0], d[1], d[2], d[3], d[4]
    for j in range(o.size):
        x = (_F(ne[j] - nw[j]) + _F(se[j] - sw[j])) + _F(e[j] - w[j])
        y = (_F(nw[j] - sw[j]) + _F(ne[j] - se[j])) + _F(n[j] - s[j])
        xx = (_F(nw[j] - n[j]) + _F(ne[j] - n[j])) + (_F(sw[j] - s[j]) + _F(se[j] - s[j])) + (_F(w[j] - o[j]) + _F(e[j] - o[j]))
        yy = (_F(nw[j] - w[j]) + _F(sw[j] - w[j])) + (_F(ne[j] - e[j]) + _F(se[j] - e[j])) + (_F(n[j] - o[j]) + _F(s[j] - o[j]))
        xy = (_F(ne[j] - o[j]) + _F(sw[j] - o[j])) - (_F(nw[j] - o[j]) + _F(se[j] - o[j]))
        unknown = (xx + yy) - (xx + yy)
        to_east[j] = x * scales[0] + unknown
        to_north[j] = y * scales[1] + unknown
        east_east[j] = xx * scales[2]
        north_north[j] = yy * scales[3]
        east_north[j] = xy * scales[4]


@kernel
def _along_slope(d: Rows, kind: int, row: Rows) -> None:
    """Curvatures that need a way down."""
    p, q, r, t, s = d[0], d[1], d[2], d[3], d[4]
    if kind == _PROFILE:
        for j in range(row.size):
            steep = p[j] * p[j] + q[j] * q[j]
            long = _ONE + steep
            bent = (r[j] * (p[j] * p[j]) + t[j] * (q[j] * q[j])) + _TWO * (s[j] * (p[j] * q[j]))
            row[j] = _F(np.nan) if steep < _FLAT_SQUARED else -bent / (steep * (long * math.sqrt(long)))
        return
    for j in range(row.size):
        steep = p[j] * p[j] + q[j] * q[j]
        bent = (r[j] * (q[j] * q[j]) + t[j] * (p[j] * p[j])) - _TWO * (s[j] * (p[j] * q[j]))
        long = steep if kind == _PLAN else _ONE + steep
        row[j] = _F(np.nan) if steep < _FLAT_SQUARED else -bent / (steep * math.sqrt(long))


@kernel
def _of_surface(d: Rows, kind: int, row: Rows) -> None:
    """Curvatures of the surface itself, whichever way it falls."""
    p, q, r, t, s = d[0], d[1], d[2], d[3], d[4]
    way = _ONE if kind == _MAXIMAL else (-_ONE if kind == _MINIMAL else _ZERO)
    for j in range(row.size):
        pp, qq, pq = _ONE + p[j] * p[j], _ONE + q[j] * q[j], p[j] * q[j]
        long = pp + q[j] * q[j]
        gauss = (r[j] * t[j] - s[j] * s[j]) / (long * long)
        bent = (qq * r[j] + pp * t[j]) - _TWO * (s[j] * pq)
        twist = (pp * s[j] - pq * r[j]) / pp
        spread = (pp * t[j] - qq * r[j]) - _TWO * (pq * twist)
        apart = math.sqrt(spread * spread + _FOUR * (long * (twist * twist)))  # squares only: exact where all ways bend alike
        row[j] = gauss + (p[j] - p[j]) if kind == _GAUSSIAN else (way * apart - bent) / (_TWO * (long * math.sqrt(long)))
