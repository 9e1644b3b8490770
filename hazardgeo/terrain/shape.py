"""Slope, aspect, shading and relief of a surface."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster
from hazardgeo.raster.elevation import elevations
from hazardgeo.terrain.window import Surface, disk_chords, disk_minimum, odd_cells, smooth

HORN = "Horn (1981), Proc. IEEE 69:14-47, doi:10.1109/PROC.1981.11918"
FLAT_TAN = 1e-7  # below the rounding of any survey


def slope(dem: Raster, *, scale_m: float | None = None) -> Raster:
    """Steepness of the ground in degrees, 0 to 90.

    The gradient is that of Horn (1981), doi 10.1109/PROC.1981.11918, over 3 x 3 cells, which need not be square. With
    `scale_m` the surface is first smoothed over a square window whose odd number of cells is nearest to that width: use
    it to give a model the slope at which it was calibrated. Smoothing takes the mean of the known cells; where a window
    is cut by an edge or a void it takes the plane through them, so that slopes beside a void are not flattened.

    A cell is unknown where any cell of its 3 x 3 window is unknown, and along the edge of the raster, where the window
    is incomplete. Smoothing makes no further cell unknown and fills none. Raises InputError unless the raster is an
    elevation in m, within 100 km of zero, and `scale_m` is at least one cell, and CrsError unless the grid is metric.
    """
    east, north = gradient(dem, "slope", scale_m=scale_m)
    return _shape(dem, np.degrees(np.arctan(np.hypot(east, north))), "slope", "deg", scale_m)


def aspect(dem: Raster, *, scale_m: float | None = None) -> Raster:
    """Direction in which the ground falls, in degrees clockwise from north, 0 to below 360.

    NaN where the ground is flat, since it then has no aspect, and where `slope` is unknown. Gradient, `scale_m` and
    errors are those of `slope`.
    """
    east, north = gradient(dem, "aspect", scale_m=scale_m)
    direction = np.mod(np.degrees(np.arctan2(-east, -north)), 360.0).astype(np.float32)
    direction[direction >= 360.0] = 0.0
    direction[np.hypot(east, north) < FLAT_TAN] = np.nan
    return _shape(dem, direction, "aspect", "deg", scale_m)


def hillshade(dem: Raster, *, azimuth_deg: float = 315.0, altitude_deg: float = 45.0) -> Raster:
    """Brightness of the ground, 0 (turned away from the light) to 1 (facing it), without cast shadows.

    The light comes from `azimuth_deg` clockwise from north, `altitude_deg` above the horizon; north-west at 45 degrees
    is what map readers expect. Cosine of the angle between the light and the surface normal, with the gradient, unknown
    cells and errors of `slope`.
    """
    if not (math.isfinite(azimuth_deg) and 0.0 < altitude_deg <= 90.0):
        raise InputError(
            f"the light stands at azimuth {azimuth_deg:g} and altitude {altitude_deg:g} degrees; "
            "give a finite azimuth and an altitude above 0 and up to 90."
        )
    east, north = gradient(dem, "hillshade")
    azimuth, altitude = math.radians(azimuth_deg), math.radians(altitude_deg)
    towards_light = -east * math.sin(azimuth) - north * math.cos(azimuth)
    cosine = (math.sin(altitude) + math.cos(altitude) * towards_light) / np.sqrt(1.0 + east**2 + north**2)
    return _shape(dem, np.clip(cosine, 0.0, 1.0), "hillshade", "1", None)


def relief(dem: Raster, *, radius_m: float) -> Raster:
    """Highest minus lowest elevation within `radius_m` of the cell centre, in m.

    Only known cells count, so next to unknown cells and the edge of the raster the relief is a lower bound; unknown
    cells stay unknown. Raises InputError for a radius smaller than a cell, and for the reasons of `slope`.
    """
    z = elevations(dem, "relief")
    if not math.isfinite(radius_m) or radius_m < max(dem.grid.cell_m):
        raise InputError(
            f"radius_m is {radius_m:g}, but a cell is {max(dem.grid.cell_m):g} m wide; choose a radius of at least one cell."
        )
    diagonal_m = math.hypot(*(n * cell for n, cell in zip(z.shape[::-1], dem.grid.cell_m, strict=True)))
    chords = disk_chords(min(radius_m, diagonal_m), dem.grid.cell_m)
    span = -disk_minimum(-z, chords) - disk_minimum(z, chords)
    span[np.isnan(z)] = np.nan
    tags = {"radius_m": f"{radius_m:g}", "validity": "a lower bound within radius_m of unknown cells and of the edge"}
    return Raster(span.astype(np.float32), dem.grid, "relief", "m", tags=tags)


def surface(dem: Raster, what: str, *, scale_m: float | None) -> Surface:
    """The elevations of `dem`, smoothed to `scale_m` where it is given."""
    z = elevations(dem, what)
    if scale_m is None:
        return z
    width, height = dem.grid.cell_m
    return smooth(z, odd_cells(scale_m, height), odd_cells(scale_m, width))


def gradient(dem: Raster, what: str, *, scale_m: float | None = None) -> tuple[Surface, Surface]:
    """Rise towards east and towards north, in m/m; NaN where the 3 x 3 window is not wholly known."""
    width, height = dem.grid.cell_m
    parts = horn(surface(dem, what, scale_m=scale_m), width, height)
    return parts[0], parts[1]


@kernel
def horn(z: Surface, width: float, height: float) -> NDArray[Any]:
    """Horn's weighted differences over 3 x 3 cells: rise towards east, rise towards north."""
    rows, cols = z.shape
    out = np.full((2, rows, cols), np.nan)
    for i in range(1, rows - 1):
        for j in range(1, cols - 1):
            if np.isnan(z[i, j]):
                continue
            east = z[i - 1, j + 1] + 2.0 * z[i, j + 1] + z[i + 1, j + 1]
            west = z[i - 1, j - 1] + 2.0 * z[i, j - 1] + z[i + 1, j - 1]
            north = z[i - 1, j - 1] + 2.0 * z[i - 1, j] + z[i - 1, j + 1]
            south = z[i + 1, j - 1] + 2.0 * z[i + 1, j] + z[i + 1, j + 1]
            if np.isnan(east + west + north + south):
                continue
            out[0, i, j] = (east - west) / (8.0 * width)
            out[1, i, j] = (north - south) / (8.0 * height)
    return out


def _shape(dem: Raster, values: NDArray[Any], name: str, unit: str, scale_m: float | None) -> Raster:
    return Raster(values.astype(np.float32), dem.grid, name, unit, tags={"method": HORN, **scale_tag(dem, scale_m)})


def scale_tag(dem: Raster, scale_m: float | None) -> dict[str, str]:
    """The window that `surface` takes for `scale_m`, east x north in m, as a tag; none without smoothing."""
    if scale_m is None:
        return {}
    width, height = dem.grid.cell_m
    return {"scale_m": f"{odd_cells(scale_m, width) * width:g} x {odd_cells(scale_m, height) * height:g}"}
