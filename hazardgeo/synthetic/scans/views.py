"""Views: what each laser flight over the demo valley could see."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import geopandas
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.raster import rasterize, sample_xy
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.events import between, shaking
from hazardgeo.synthetic.layout import Layout
from hazardgeo.synthetic.noise import fractal
from hazardgeo.synthetic.places import people, plants
from hazardgeo.synthetic.scans import objects
from hazardgeo.synthetic.scans.echoes import FLOWN, GROUND, GROWTH_STEP_M, LAKE, LOW_NOISE, SNOW, WATER, Cover
from hazardgeo.synthetic.scans.scan import View, late
from hazardgeo.synthetic.scene import Scene

Field = NDArray[np.float64]
EPOCHS = ("before", "after")
_BEFORE = timedelta(days=431)  # a flight of the land survey, in the autumn of the year before
_AFTER = timedelta(hours=17)
_BLOCK_M = 16.0
_BEAM_M = {True: 0.10, False: 0.24}  # half the width of the beam on the ground: drone, aeroplane
_LOW_SHRUBS_M = 0.3  # where shrubs grow up between the epochs there are low ones before
_STEADY_M = 0.2
_ROADS = {"secondary": (3.5, 0.14), "unclassified": (2.2, 0.17), "residential": (2.0, 0.20), "track": (1.6, 0.46)}


def view(s: Scene, epoch: str) -> View:
    """What the flight of an epoch, "before" or "after", could see. Each call gives the same."""
    later = EPOCHS.index(epoch) == 1
    seed = np.random.SeedSequence(s.scan_seed).spawn(2)[later]
    rng = np.random.default_rng(seed)
    ground = between.seen_ground(s.after, s.between.snow) if later else s.before
    cover = _cover(s, later, rng)
    shot = datetime.fromisoformat(shaking.TIME)
    return View(
        epoch=epoch,
        ground=ground,
        cover=cover,
        objects=_objects(s, later),
        taken=shot + _AFTER if later else shot - _BEFORE,
        seed=int(rng.integers(2**62)),
        registration=s.registration if later else None,
    )


def _objects(s: Scene, later: bool) -> objects.Objects:
    """Everything that stands on the ground: all before, what the slides left standing after."""
    rng = np.random.default_rng(s.scan_seed)
    houses = objects.houses(s.buildings, s.before, rng)
    change = s.change.values.astype(np.float64)
    if later:
        left = {id(b) for b in people.standing(s.buildings, change, s.plan.grid)}
        houses = houses[[id(b) in left for b in s.buildings]]
    vehicles = s.between.vehicles[s.between.vehicles["epoch"] == ("after" if later else "before")]
    ground = s.after if later else s.before
    boxes = [houses, objects.decks(s.roads, s.before), objects.parked(vehicles, ground, rng)]
    growing = plants.standing(s.plants, change, s.plan.grid) if later else s.plants
    steady = np.ones(len(s.wires.poles), bool)
    if later:
        poles = s.wires.poles
        steady = np.abs(sample_xy(s.change, poles[:, 0], poles[:, 1])) < _STEADY_M
    rods = objects.rods(s.wires.on(steady), _BEAM_M[s.plan.size_m < 2000])
    west, _, _, north = s.plan.grid.bounds
    width = max(round(_BLOCK_M / s.plan.cell_m), 1) * s.plan.cell_m
    blocks = -(-round(s.plan.size_m) // round(width))
    return objects.indexed(np.vstack(boxes), objects.crowns(growing, ground), rods, (west, north), width, (blocks, blocks))


def _cover(s: Scene, later: bool, rng: np.random.Generator) -> Cover:
    grid = s.plan.grid
    kind = np.full(grid.shape, GROUND, np.uint8)
    flown = s.surveyed.values.astype(bool) if later else np.ones(grid.shape, bool)
    river = lines.around(s.plan.river, grid, reach_m=s.plan.river_m / 2)[0] < s.plan.river_m / 2
    bright = _brightness(s.plan, s.before.values, s.roads, np.random.default_rng(s.scan_seed))
    grown = s.between.growth.values
    growth = np.where(grown > 0, _LOW_SHRUBS_M + (grown if later else 0), 0).astype(np.float32)
    if later:
        moved = np.abs(s.change.values) > _STEADY_M
        river &= ~moved
        bright[moved] = np.where(s.change.values[moved] > 0, 62, 112)
        growth[moved] = 0
        snow = s.between.snow.values > 0
        kind[snow], bright[snow] = SNOW, 190
    flags = np.where(flown, np.uint8(FLOWN), np.uint8(0))
    level = -math.inf
    if later and s.between.lake is not None:
        wet, level = between.under_water(grid, s.between.lake), s.between.lake.level_m
        river &= ~wet
        flags[ndimage.binary_dilation(wet, np.ones((3, 3), bool))] |= np.uint8(LAKE)
    kind[river] = WATER
    kind[late(s.plan, flown & (kind == GROUND), rng)] = LOW_NOISE
    steps = np.rint(growth / GROWTH_STEP_M).astype(np.uint8)
    return Cover(np.dstack([kind, bright, steps, flags]), float(rng.uniform(2.0, 5.0)), level)


def _brightness(
    plan: Layout, ground: NDArray[np.float32], roads: geopandas.GeoDataFrame, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Reflectance of the ground in 1/255: fields with edges, a darker floor, roads."""
    grid = plan.grid
    east, north = np.meshgrid(*grid.centres(), sparse=True)
    sway = fractal(rng, grid, wavelength_m=220.0, octaves=2).astype(np.float32)
    across = plan.across(east, north)
    on_floor = plan.off_floor(east, north) < 0
    along = np.floor((east + 9 * sway) / 47.0).astype(np.int64)
    strip = np.where(on_floor, np.floor((across + 7 * sway) / 21.0), 1000 + np.floor((ground + 0.6 * sway) / 4.0)).astype(
        np.int64
    )
    drawn = rng.random(4096, np.float32)
    field = drawn[(along * 73_856_093 ^ strip * 19_349_663) & 4095]
    shade = (0.33 - 0.05 * on_floor + 0.09 * field + 0.012 * sway).astype(np.float32)
    for highway, (half, value) in _ROADS.items():
        some = roads.loc[roads["highway"] == highway]
        if len(some):
            shade[rasterize(some.assign(geometry=some.buffer(half)), grid, all_touched=False).values] = value
    return np.asarray(np.clip(np.rint(255 * shade), 1, 255), np.uint8)
