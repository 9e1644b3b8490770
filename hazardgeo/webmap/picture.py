"""A raster as a picture in web mercator: unknown cells are hatched, cells outside the grid are clear."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import ClassLabel, Raster, align
from hazardgeo.webmap.legend import UNKNOWN_COLOUR, ramp_colours, rgb

MIN_PX, MAX_PX = 1024, 2048
MERCATOR = 3857
_MAX_LATITUDE = 85.05
_QUALITY = 80
UNKNOWN = ClassLabel(255, "unknown", UNKNOWN_COLOUR, hatched=True)


@dataclass(frozen=True, slots=True)
class Picture:
    """A data address and where it lies: ((south, west), (north, east)) in degrees; `coarser` where cells were merged."""

    address: str
    corners: tuple[tuple[float, float], tuple[float, float]]
    coarser: bool


def geographic_bounds(grid: Grid) -> tuple[float, float, float, float]:
    """(west, south, east, north) in degrees; InputError where web mercator cannot show the area in one piece."""
    transformer = pyproj.Transformer.from_crs(grid.crs, 4326, always_xy=True)
    west, south, east, north = transformer.transform_bounds(*grid.bounds)
    return require_mercator((west, south, east, north), "the raster")


def require_mercator(bounds: tuple[float, float, float, float], what: str) -> tuple[float, float, float, float]:
    """`bounds` in degrees, if a web map can show them: finite, not across the antimeridian, not at a pole."""
    west, south, east, north = bounds
    where = f"{what} (west {west:g}, south {south:g}, east {east:g}, north {north:g})"
    if not all(map(math.isfinite, bounds)):
        raise InputError(f"{where} cannot be placed on the globe; check coordinates and CRS.")
    if west > east or west < -180 or east > 180:
        raise InputError(f"{where} crosses the antimeridian, which the map cannot show; split it at 180 degrees.")
    if south < -_MAX_LATITUDE or north > _MAX_LATITUDE:
        raise InputError(f"{where} reaches beyond latitude {_MAX_LATITUDE}, where web mercator ends; cut it there.")
    return bounds


def mercator_grid(grid: Grid, max_px: int) -> Grid:
    """The web mercator grid of the picture of `grid`, at most `max_px` a side.

    Small rasters get several picture cells per cell, so that edges and hatching stay crisp.
    """
    geographic_bounds(grid)
    transformer = pyproj.Transformer.from_crs(grid.crs, MERCATOR, always_xy=True)
    west, south, east, north = transformer.transform_bounds(*grid.bounds)
    width, height = east - west, north - south
    native = min(width / grid.shape[1], height / grid.shape[0])
    finer = max(1, int(MIN_PX * native / max(width, height)))
    cell = max(native / finer, max(width, height) / max_px)
    shape = max(1, math.ceil(height / cell - 1e-6)), max(1, math.ceil(width / cell - 1e-6))
    return Grid(Affine(cell, 0, west, 0, -cell, north), shape, pyproj.CRS.from_epsg(MERCATOR))


def class_rgba(r: Raster, classes: tuple[ClassLabel, ...], to: Grid) -> NDArray[np.uint8]:
    """The colours of a class raster on a mercator grid; unknown cells and hatched classes are hatched and opaque."""
    codes = align(r, to=to, how="nearest").values.astype(np.uint8)
    plain, lines = np.full((2, 256, 3), rgb(UNKNOWN.colour), np.uint8)
    for c in (*classes, UNKNOWN):
        plain[c.code] = _paper(c.colour) if c.hatched else rgb(c.colour)
        lines[c.code] = rgb(c.colour)
    colours = np.where(_hatch(to.shape)[..., None], lines[codes], plain[codes])
    return _framed(colours, _inside(r.grid, to))


def ramp_rgba(r: Raster, ramp: str, limits: tuple[float, float], to: Grid) -> NDArray[np.uint8]:
    """The colours of a continuous raster on a mercator grid; unknown cells are hatched and opaque."""
    values = align(r, to=to, how="bilinear").values
    unknown = np.isnan(values)
    share = (np.where(unknown, limits[0], values) - limits[0]) / (limits[1] - limits[0])
    colours = ramp_colours(share, ramp)
    sign = np.where(_hatch(to.shape)[..., None], rgb(UNKNOWN.colour), _paper(UNKNOWN.colour)).astype(np.uint8)
    return _framed(np.where(unknown[..., None], sign, colours), _inside(r.grid, to))


def encode(rgba: NDArray[np.uint8], grid: Grid, to: Grid, *, lossless: bool) -> Picture:
    """`rgba` on the mercator grid `to` as WebP; `grid` is where its values come from."""
    from PIL import Image

    out = io.BytesIO()
    options: dict[str, Any] = {"lossless": True} if lossless else {"quality": _QUALITY}
    Image.fromarray(rgba).save(out, "WEBP", method=4, **options)
    back = pyproj.Transformer.from_crs(MERCATOR, 4326, always_xy=True)
    west, south, east, north = to.bounds
    (west, east), (south, north) = back.transform([west, east], [south, north])
    address = "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()
    corners = ((round(south, 9), round(west, 9)), (round(north, 9), round(east, 9)))
    cells = max(to.shape[0] / grid.shape[0], to.shape[1] / grid.shape[1])
    return Picture(address, corners, coarser=cells < 0.9)


def _inside(grid: Grid, to: Grid) -> NDArray[np.bool_]:
    everywhere = Raster(np.ones(grid.shape, bool), grid)
    return np.asarray(align(everywhere, to=to, how="nearest").values)


def _hatch(shape: tuple[int, int]) -> NDArray[np.bool_]:
    period = int(np.clip(max(shape) // 100, 6, 24))
    diagonal = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) % period
    return np.asarray(diagonal < max(2, period // 3))


def _paper(colour: str) -> tuple[int, int, int]:
    red, green, blue = (round(0.3 * part + 0.7 * 255) for part in rgb(colour))
    return red, green, blue


def _framed(colours: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    alpha = np.where(inside, 255, 0).astype(np.uint8)
    return np.dstack([np.where(inside[..., None], colours, 0).astype(np.uint8), alpha])
