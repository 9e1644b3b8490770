"""Layers: the coarse maps that landslide and liquefaction models read beside the terrain."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.hazard import glim_codes
from hazardgeo.raster import ClassLabel, Raster, sample_xy
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.ground.saturation import saturation
from hazardgeo.synthetic.ground.terraces import slope_tan
from hazardgeo.synthetic.layout import FLOOR_LEVEL_M, Layout
from hazardgeo.synthetic.lines import Line
from hazardgeo.synthetic.noise import fractal

CELL_M = 30.0
FAR_M = 1e5
_IRRIGATED_M = 2.5  # depth to water under the winter-irrigated foot of the scarp
LAND_COVER = (  # GlobCover 2009 codes
    ClassLabel(14, "rainfed croplands", "#ffff64"),
    ClassLabel(20, "mosaic cropland and vegetation", "#cdcd66"),
    ClassLabel(30, "mosaic vegetation and cropland", "#aaaf37"),
    ClassLabel(130, "shrubland", "#966400"),
    ClassLabel(140, "grassland", "#ffb432"),
    ClassLabel(190, "artificial surfaces", "#c31400"),
    ClassLabel(200, "bare areas", "#fff5d7"),
)


def layers(
    plan: Layout, gully: Line, surface: Raster, settled: NDArray[np.bool_], rng: np.random.Generator
) -> Mapping[str, Raster]:
    """Lithology, land_cover, vs30 (m/s), precipitation (mm a year), water_table (m below ground), distances (km),
    saturation (share of the pores that holds water).

    All on cells of 30 m; `settled` marks the cells of `surface` that hold houses.
    """
    grid = Grid.from_bounds(plan.grid.bounds, cell=CELL_M, crs=plan.grid.crs)
    east, north = np.meshgrid(*grid.centres())
    west, south, far_east, far_north = plan.grid.bounds
    inside = np.clip(east, west + 1, far_east - 1).ravel(), np.clip(north, south + 1, far_north - 1).ravel()

    def on_coarse(values: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(sample_xy(surface.like(values, "", ""), *inside), np.float64).reshape(grid.shape)

    dip = np.degrees(np.arctan(on_coarse(slope_tan(surface.values.astype(float), plan.cell_m).astype(np.float32))))
    houses = on_coarse(settled.astype(np.float32)) > 0
    across = plan.across(east, north)
    river_m = lines.around(plan.river, grid, reach_m=FAR_M)[0]
    above_floor = on_coarse(surface.values) - FLOOR_LEVEL_M - 0.008 * (plan.east_of(1.0) - east)
    patches = fractal(rng, grid, wavelength_m=12 * CELL_M, octaves=2)
    wet = saturation(plan, gully, grid)
    irrigated = np.clip((wet.values - 0.6) / 0.3, 0, 1) * (plan.off_floor(east, north) > 0)
    water_table = _water_table(above_floor, river_m, plan) * (1 - irrigated) + _IRRIGATED_M * irrigated
    return {
        "lithology": _lithology(grid, dip, across, plan),
        "land_cover": Raster(_land_cover(dip, across, patches, houses, plan), grid, "land_cover", "class", classes=LAND_COVER),
        "vs30": Raster(_vs30(above_floor, river_m, plan).astype(np.float32), grid, "vs30", "m/s"),
        "precipitation": Raster((300 + 8 * patches).astype(np.float32), grid, "precipitation", "mm"),
        "saturation": wet,
        "water_table": Raster(water_table.astype(np.float32), grid, "water_table", "m"),
        "distance_to_river": Raster((river_m / 1000).astype(np.float32), grid, "distance_to_river", "km"),
        "distance_to_coast": Raster(np.full(grid.shape, 1500, np.float32), grid, "distance_to_coast", "km"),
    }


def _lithology(grid: Grid, dip: NDArray[np.float64], across: NDArray[np.float64], plan: Layout) -> Raster:
    """Loess and river deposits (GLiM su); red beds (GLiM sm) crop out on the steep southern hillside."""
    codes = glim_codes()
    values = np.where((across < -1.1 * plan.floor_m) & (dip > 35), codes["sm"], codes["su"]).astype(np.uint8)
    classes = (
        ClassLabel(codes["su"], "su: unconsolidated sediments (loess)", "#f2d388"),
        ClassLabel(codes["sm"], "sm: mixed sedimentary rocks", "#b5651d"),
    )
    return Raster(values, grid, "lithology", "class", classes=classes)


def _land_cover(
    dip: NDArray[np.float64], across: NDArray[np.float64], patches: NDArray[np.float64], houses: NDArray[np.bool_], plan: Layout
) -> NDArray[np.uint8]:
    terraces = (across > plan.floor_m) & (across < plan.foot_m)
    kinds = [houses, dip > 40, (dip > 22) & (patches > 0.5), dip > 22, terraces & (patches > 0.6), terraces]
    return np.select(kinds, [190, 200, 130, 140, 30, 20], 14).astype(np.uint8)


def _water_table(above_floor_m: NDArray[np.float64], river_m: NDArray[np.float64], plan: Layout) -> NDArray[np.float64]:
    """Depth to water: 1 to 3 m on the floor, deeper with the height above it, 20 m and more under the tableland."""
    floor = 1.0 + 2.0 * np.minimum(river_m / (1.5 * plan.floor_m), 1.0)
    drained = 24.0 * (1 - np.exp(-np.maximum(above_floor_m - 2.0, 0) / (0.35 * plan.slope_rise_m)))
    return np.asarray(np.minimum(floor + drained, 26.0 + math.log1p(plan.size_m / 1000)))


def _vs30(above_floor_m: NDArray[np.float64], river_m: NDArray[np.float64], plan: Layout) -> NDArray[np.float64]:
    """Shear-wave velocity: silt beside the river (270 m/s), gravel on the rest of the floor (470), loess above it (350)."""
    floor = 470.0 - 200.0 * np.exp(-((river_m / (0.35 * plan.floor_m)) ** 2))
    loess = np.clip((above_floor_m - 4.0) / 12.0, 0.0, 1.0)
    return np.asarray(floor + (350.0 - floor) * loess)
