"""Slope, aspect and shading of a surface."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hazardgeo.errors import InputError
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.terrain.gradient import (
    METHODS,
    Method,
    Number,
    Rows,
    aspect_rows,
    begun,
    by_rows,
    gradient_row,
    scale_tag,
    steepness,
    surface,
    weights,
)

MARK = (
    "weights after Mark (1992), U.S. Geological Survey Open-File Report 92-422, doi:10.3133/ofr92422; "
    "as commonly given, not read there"
)
_F = np.float32
_ZERO, _ONE, _EVEN = _F(0), _F(1), _F(1e-12)


def slope(dem: Raster, *, scale_m: float | None = None, method: Method = "horn") -> Raster:
    """Steepness of the ground in degrees, 0 to 90.

    The gradient is taken over 3 x 3 cells, which need not be square: after Horn (1981), doi 10.1109/PROC.1981.11918, from
    all eight neighbours, the better one of noisy ground; or after Zevenbergen & Thorne (1987), doi 10.1002/esp.3290120107,
    from the four beside the cell, the better one of smooth ground. With `scale_m` the surface is first smoothed over a
    square window whose odd number of cells is nearest to that width: use it to give a model the slope at which it was
    calibrated. Smoothing takes the mean of the known cells; where a window is cut by an edge or a void it takes the plane
    through them, so that slopes beside a void are not flattened.

    A cell is unknown where any cell that the gradient needs is unknown, and along the edge of the raster, where the window
    is incomplete. Smoothing makes no further cell unknown and fills none. Numbers are float32: differences of neighbours
    come first, so that the elevation itself costs no digits, and angles are good to 1e-5 degrees. Halo: one cell, and half
    of the window of `scale_m`; smoothing sums whole numbers, so that tiles equal the whole to the last bit.

    Raises InputError unless the raster is an elevation in m, within 100 km of zero, and `scale_m` is at least one cell,
    and CrsError unless the grid is metric.
    """
    return _shape(
        dem, steepness(dem, surface(dem, "slope", scale_m=scale_m), method=method, degrees=True), "slope", "deg", method, scale_m
    )


def gradient(dem: Raster, *, scale_m: float | None = None, method: Method = "horn") -> Raster:
    """Rise over run along the steepest way, in m/m: the tangent of `slope`, with its options, unknown cells and errors."""
    return _shape(dem, steepness(dem, surface(dem, "gradient", scale_m=scale_m), method=method), "gradient", "1", method, scale_m)


def aspect(dem: Raster, *, scale_m: float | None = None, method: Method = "horn") -> Raster:
    """Direction in which the ground falls, in degrees clockwise from north, 0 to below 360.

    NaN where the ground is flat, since it then has no aspect, and where `slope` is unknown. Gradient, options, halo and
    errors are those of `slope`.
    """
    z = surface(dem, "aspect", scale_m=scale_m)
    return _shape(dem, by_rows(dem, z, aspect_rows, *weights(dem, method)), "aspect", "deg", method, scale_m)


def hillshade(
    dem: Raster, *, azimuth_deg: float | Sequence[float] = 315.0, altitude_deg: float = 45.0, scale_m: float | None = None
) -> Raster:
    """Brightness of the ground, 0 (turned away from the light) to 1 (facing it), without cast shadows.

    The light comes from `azimuth_deg` clockwise from north, `altitude_deg` above the horizon; north-west at 45 degrees
    is what map readers expect. Cosine of the angle between the light and the surface normal, with the gradient of Horn,
    unknown cells, halo and errors of `slope`.

    With several azimuths the brightness is the mean of theirs, each weighted by the squared sine of the angle between its
    light and the aspect of the ground (Mark 1992, doi 10.3133/ofr92422, who takes 225, 270, 315 and 360; as commonly
    given, not read in the source): forms show whichever way they run. On flat ground all weigh the same.
    """
    azimuths = np.radians(np.atleast_1d(np.asarray(azimuth_deg, np.float64)))
    if azimuths.ndim != 1 or not azimuths.size or not (np.isfinite(azimuths).all() and 0.0 < altitude_deg <= 90.0):
        raise InputError(
            f"the light stands at azimuth {azimuth_deg} and altitude {altitude_deg:g} degrees; "
            "give finite azimuths and an altitude above 0 and up to 90."
        )
    sines, cosines = np.sin(azimuths).astype(_F), np.cos(azimuths).astype(_F)
    altitude = math.radians(altitude_deg)
    light = sines, cosines, _F(math.sin(altitude)), _F(math.cos(altitude))
    z = surface(dem, "hillshade", scale_m=scale_m)
    made = _shape(dem, by_rows(dem, z, _shade_rows, *weights(dem, "horn")[1:], *light), "hillshade", "1", "horn", scale_m)
    if azimuths.size > 1:
        return Raster(made.values, made.grid, made.name, made.unit, tags={**made.tags, "light": MARK})
    return made


@kernel
def _shade_rows(
    z: Rows, out: Rows, first: int, last: int, per_east: float, per_north: float,
    sines: Rows, cosines: Rows, up: float, level: float,
) -> None:  # fmt: skip
    """Brightness under one light or several."""
    cells = max(z.shape[1] - 2, 0)
    parts = np.empty((4, cells), np.float32)
    east, north, total, weight = parts[0], parts[1], parts[2], parts[3]
    for i in range(first, last):
        if not begun(out, i):
            continue
        gradient_row(z, i, True, per_east, per_north, east, north)
        row = out[i, 1:-1]
        if sines.size == 1:
            for j in range(cells):
                row[j] = _shade(east[j], north[j], sines[0], cosines[0], up, level)
            continue
        total[:], weight[:] = _ZERO, _ZERO
        for k in range(sines.size):
            sine, cosine = sines[k], cosines[k]
            for j in range(cells):
                aside = east[j] * cosine - north[j] * sine
                share = aside * aside + _EVEN
                total[j] += share * _shade(east[j], north[j], sine, cosine, up, level)
                weight[j] += share
        for j in range(cells):
            row[j] = total[j] / weight[j]


@kernel
def _shade(east: Number, north: Number, sine: Number, cosine: Number, up: Number, level: Number) -> Number:
    """Cosine of the angle between the light and the surface normal, no less than 0 and no more than 1."""
    found = (up - level * (east * sine + north * cosine)) / math.sqrt(_ONE + (east * east + north * north))
    found = _ZERO if found < _ZERO else found
    return _ONE if found > _ONE else found


def _shape(dem: Raster, values: Rows, name: str, unit: str, method: str, scale_m: float | None) -> Raster:
    return Raster(values, dem.grid, name, unit, tags={"method": METHODS[method], **scale_tag(dem, scale_m)})
