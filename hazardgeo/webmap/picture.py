"""A raster as a picture in web mercator: unknown cells are hatched, cells outside the grid are clear."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyproj
import rasterio.warp
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import ClassLabel, Raster, align
from hazardgeo.webmap.legend import UNKNOWN_COLOUR, ramp_colours, rgb

MIN_PX, MAX_PX = 1024, 2048
MERCATOR = 3857
_MAX_LATITUDE = 85.05
_QUALITY = 80
_WARP_TOLERANCE_CELLS = 0.01
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
    """The colours of a class raster on a mercator grid; unknown cells and hatched classes are hatched and opaque.

    Where the picture is fine enough to show every cell of the raster, each of its cells shows the nearest one. Where it
    `merges` them, each shows the gravest of those that it touches, so that no grave cell is lost: the last of the plain
    classes, if there are two or more; else what is unknown or hatched, the earlier class before the later; else the
    later of the other classes.
    """
    if merges(r.grid, to):
        codes, inside = _gravest(r, classes, to)
    else:
        codes, inside = align(r, to=to, how="nearest").values.astype(np.uint8), _inside(r.grid, to)
    plain, lines = np.full((2, 256, 3), rgb(UNKNOWN.colour), np.uint8)
    for c in (*classes, UNKNOWN):
        plain[c.code] = _paper(c.colour) if c.hatched else rgb(c.colour)
        lines[c.code] = rgb(c.colour)
    colours = np.where(_hatch(to.shape)[..., None], lines[codes], plain[codes])
    return _framed(colours, inside)


def merges(grid: Grid, to: Grid) -> bool:
    """True where some cell of `grid` may hold the centre of no cell of the mercator grid `to`."""
    east, south = _cell_sides(grid)
    return bool(to.cell[0] * math.sqrt(2) > min(east.min(), south.min()))


def _cell_sides(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Width and height in mercator of nine cells of `grid`, in its corners, in its middle and along its edges."""
    rows, cols = (np.unique([0, n // 2, n - 1]) for n in grid.shape)
    col, row = (a.ravel() for a in np.meshgrid(cols, rows))
    transformer = pyproj.Transformer.from_crs(grid.crs, MERCATOR, always_xy=True)
    x, y = transformer.transform(*(grid.transform * np.array([[col, col + 1, col], [row, row, row + 1]])))
    return np.hypot(x[1] - x[0], y[1] - y[0]), np.hypot(x[2] - x[0], y[2] - y[0])


def _gravest(r: Raster, classes: tuple[ClassLabel, ...], to: Grid) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The code of the gravest cell that each cell of `to` touches, and whether it touches any."""
    order = _by_gravity(classes)
    rank = np.full(256, order.index(UNKNOWN.code) + 1, np.uint16)  # 0 is outside
    rank[order] = np.arange(1, len(order) + 1)
    ranks, grid = _blocks(r, rank, to.cell[0])
    found = np.zeros(to.shape, np.uint16)
    rasterio.warp.reproject(
        ranks,
        found,
        src_transform=grid.transform,
        src_crs=grid.crs.to_wkt(),
        src_nodata=0,
        dst_transform=to.transform,
        dst_crs=to.crs.to_wkt(),
        dst_nodata=0,
        resampling=Resampling.max,
        tolerance=_WARP_TOLERANCE_CELLS,
    )
    return np.array([UNKNOWN.code, *order], np.uint8)[found], found > 0


def _by_gravity(classes: tuple[ClassLabel, ...]) -> list[int]:
    """The codes, the gravest last; see `class_rgba`."""
    named = [c for c in classes if c.code != UNKNOWN.code]
    plain, hatched = ([c.code for c in named if c.hatched == wanted] for wanted in (False, True))
    top = plain[-1:] if len(plain) > 1 else []
    return [*plain[: len(plain) - len(top)], *reversed(hatched), UNKNOWN.code, *top]


def _blocks(r: Raster, rank: NDArray[np.uint16], width: float) -> tuple[NDArray[np.uint16], Grid]:
    """The highest rank in blocks of whole cells that are at most `width` wide and high in mercator, and their grid."""
    per_row, per_col = (max(1, int(width / sides.max())) for sides in _cell_sides(r.grid))
    rows, cols = r.grid.shape
    starts = np.arange(0, cols, per_row)
    strips = (rank[r.values[i : i + per_col].astype(np.uint8)].max(axis=0) for i in range(0, rows, per_col))
    ranks = np.stack([np.maximum.reduceat(strip, starts) for strip in strips])
    return ranks, Grid(r.grid.transform * Affine.scale(per_row, per_col), ranks.shape, r.grid.crs)


def ramp_rgba(r: Raster, ramp: str, limits: tuple[float, float], to: Grid) -> NDArray[np.uint8]:
    """The colours of a continuous raster on a mercator grid; unknown cells are hatched and opaque.

    Values beyond `limits`, infinite ones too, have the colour of the limit.
    """
    values = align(replace(r, values=np.clip(r.values, *limits)), to=to, how="bilinear").values
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
