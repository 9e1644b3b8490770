"""Shaking: an invented earthquake, its ground motion by a published model with correlated residuals, and its isoseismals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import geopandas
import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from scipy import ndimage
from scipy.interpolate import RegularGridInterpolator

from hazardgeo.crs import horizontal
from hazardgeo.event import Earthquake, intensity_from_pgv, peaks_from_intensity
from hazardgeo.event.ground_motion import bssa_2014, epicentral_distance_km
from hazardgeo.grid import Grid
from hazardgeo.synthetic.events import residuals
from hazardgeo.synthetic.layout import CENTRE, CRS, Layout
from hazardgeo.synthetic.noise import fractal

Field = NDArray[np.float64]
TIME = "2022-12-18T15:59:30Z"  # a winter night, local time; no earthquake happened here then
DEPTH_KM = 10.0
MAGNITUDE, DISTANCE_KM = 6.2, 5.0
QUIET_MAGNITUDE, QUIET_DISTANCE_KM = 3.2, 40.0
HALF_WIDTH_DEG, NODES = 0.2, 49
SPACING_DEG = 2 * HALF_WIDTH_DEG / (NODES - 1)
KM_PER_DEG = 111.2
TAU_LN_PGA, TAU_LN_PGV = 0.348, 0.346
VALLEY_PGA_G = (0.30, 0.75)
MODEL = (
    "Scenario of the demo valley, not of any real place. Medians of Boore, Stewart, Seyhan and Atkinson (2014), "
    "doi:10.1193/070113EQS184M, point source, reverse; within-event residuals with " + residuals.SOURCES + ". "
    "The event term is 0. Of the fields drawn, the first with a mean of 0.30 to 0.75 g in the valley is taken. "
    "Intensity from PGV by Worden et al. (2012), doi:10.1785/0120110156."
)
_ROMAN = dict(enumerate(["Ⅳ", "Ⅴ", "Ⅵ", "Ⅶ", "Ⅷ", "Ⅸ", "Ⅹ"], start=4))
_TRIES = 60
_NEAR_KM = 5.0  # the motion levels off within about this distance
_FINER = 6


@dataclass(frozen=True, slots=True)
class Motion:
    """Shaking at the nodes of a map in degrees, rows from the north.

    `z_pga`, `z_pgv`: the standard residuals that are in the motions. `sigma_*`: total standard deviations of the model.
    """

    event: Earthquake
    grid: Grid
    pga_g: Field
    pgv_cm_s: Field
    mmi: Field
    vs30_m_s: Field
    sigma_ln_pga: Field
    sigma_ln_pgv: Field
    z_pga: Field
    z_pgv: Field


def earthquake(rng: np.random.Generator, *, happened: bool = True) -> Earthquake:
    """An earthquake 5 km from the valley in a random direction; a small one 40 km away where nothing `happened`."""
    longitude, latitude = _centre_degrees()
    angle, distance_deg = rng.uniform(0, 2 * math.pi), (DISTANCE_KM if happened else QUIET_DISTANCE_KM) / KM_PER_DEG
    east = distance_deg * math.sin(angle) / math.cos(math.radians(latitude))
    return Earthquake(
        magnitude=MAGNITUDE if happened else QUIET_MAGNITUDE,
        longitude=round(longitude + east, 4),
        latitude=round(latitude + distance_deg * math.cos(angle), 4),
        depth_km=DEPTH_KM,
        time=datetime.fromisoformat(TIME),
        name="Synthetic earthquake (demo valley)",
    )


def motion(plan: Layout, event: Earthquake, rng: np.random.Generator) -> Motion:
    """Shaking around the valley: medians of a published model (see MODEL) with spatially correlated residuals.

    Of the fields drawn, the first whose mean PGA in the valley lies within VALLEY_PGA_G is taken, so that the demo always has
    work; a quiet earthquake takes the first.
    """
    grid = node_grid()
    vs30 = _vs30(plan, grid, rng)
    median_pga, median_pgv, sigma_pga, sigma_pgv = medians(event, grid, vs30)
    middle = NODES // 2
    for _ in range(_TRIES):
        z_pga, z_pgv = residuals.pair(grid.shape, spacing_km=spacing_km(), rng=rng)
        pga_g = median_pga * np.exp(z_pga * np.sqrt(sigma_pga**2 - TAU_LN_PGA**2))
        if event.magnitude < MAGNITUDE or _within(pga_g[middle - 1 : middle + 2, middle - 1 : middle + 2]):
            break
    pgv_cm_s = median_pgv * np.exp(z_pgv * np.sqrt(sigma_pgv**2 - TAU_LN_PGV**2))
    mmi = intensity_from_pgv(pgv_cm_s)
    return Motion(event, grid, pga_g, pgv_cm_s, mmi, vs30, sigma_pga, sigma_pgv, z_pga, z_pgv)


def medians(event: Earthquake, grid: Grid, vs30_m_s: Field) -> tuple[Field, Field, Field, Field]:
    """Median PGA in g and PGV in cm/s of the model, and the total sigmas of their logarithms, from a small table."""
    distance = np.hypot(epicentral_distance_km(event, grid), _NEAR_KM)
    far = np.geomspace(distance.min() / 1.001, distance.max() * 1.001, 16)
    soft = np.unique([vs30_m_s.min() - 1.0, 300.0, 340.0, 390.0, 440.0, vs30_m_s.max() + 1.0])
    table = [
        [bssa_2014(event.magnitude, "reverse", math.sqrt(max(r * r - _NEAR_KM**2, 0.0)), v) for v in soft.tolist()]
        for r in far.tolist()
    ]
    look_up = RegularGridInterpolator((np.log(far), np.log(soft)), np.array(table))
    found = np.moveaxis(look_up((np.log(distance), np.log(vs30_m_s))), -1, 0)
    return np.exp(found[0]), np.exp(found[1]), found[2], found[3]


def _within(pga_g: Field) -> bool:
    low, high = VALLEY_PGA_G
    return bool(low <= pga_g.mean() <= high)


def node_grid() -> Grid:
    """Cells of 30 arc seconds around the nodes of the map."""
    longitude, latitude = _centre_degrees()
    west, north = longitude - HALF_WIDTH_DEG - SPACING_DEG / 2, latitude + HALF_WIDTH_DEG + SPACING_DEG / 2
    return Grid(Affine(SPACING_DEG, 0, west, 0, -SPACING_DEG, north), (NODES, NODES), horizontal(4326))


def spacing_km() -> tuple[float, float]:
    """Distance of the nodes along rows of latitude and of longitude."""
    return KM_PER_DEG * SPACING_DEG, KM_PER_DEG * SPACING_DEG * math.cos(math.radians(_centre_degrees()[1]))


def _centre_degrees() -> tuple[float, float]:
    longitude, latitude = Transformer.from_crs(CRS, 4326, always_xy=True).transform(*CENTRE)
    return round(longitude, 4), round(latitude, 4)


def _vs30(plan: Layout, grid: Grid, rng: np.random.Generator) -> Field:
    """Soft ground (250 to 400 m/s) near the valley axis, up to 500 m/s on the hills."""
    lon, lat = np.meshgrid(*grid.centres())
    _, north = Transformer.from_crs(4326, CRS, always_xy=True).transform(lon, lat)
    relief = Grid.from_bounds((0, 0, NODES, NODES), cell=1.0, crs=plan.grid.crs)
    hills = np.clip(0.5 + 0.25 * fractal(rng, relief, wavelength_m=9.0, octaves=3), 0, 1)
    off_axis = np.clip(np.abs(north - plan.axis_north(plan.east_of(0.5))) / 9000.0, 0, 1)
    return np.asarray(265.0 + 65.0 * hills + 170.0 * off_axis)


def isoseismals(m: Motion) -> geopandas.GeoDataFrame | None:
    """Nested zones of Chinese intensity from IV upwards as a survey would draw them (烈度), None where nothing was felt.

    The lowest PGA of a degree lies half a degree below the value of GB/T 17742-2020; the field is smoothed over some
    kilometres first. Assumptions of the demo.
    """
    smooth = ndimage.zoom(ndimage.gaussian_filter(np.log(m.pga_g), 2.0), _FINER, order=1, grid_mode=True, mode="nearest")
    west, _, _, north = m.grid.bounds
    finer = SPACING_DEG / _FINER
    fine = Grid(Affine(finer, 0, west, 0, -finer, north), smooth.shape, m.grid.crs)
    rows = []
    for degree, label in _ROMAN.items():
        inside = smooth >= math.log(peaks_from_intensity(np.array([degree - 0.5]), scale="csi").pga_g.item())
        if inside.any():
            rows.append({"烈度": label, "geometry": _zone(inside, fine)})
    return geopandas.GeoDataFrame(rows, geometry="geometry", crs=m.grid.crs) if rows else None


def _zone(inside: NDArray[np.bool_], grid: Grid) -> shapely.Geometry:
    found = rasterio.features.shapes(inside.astype(np.uint8), mask=inside, transform=grid.transform)
    zone = shapely.unary_union([shapely.geometry.shape(geometry) for geometry, _ in found])
    return zone.simplify(1.5 * grid.cell[0])
