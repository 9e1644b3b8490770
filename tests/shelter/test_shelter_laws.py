"""The first law and its kin, on a world of 4 x 4 cells: unknown is never safe."""

import datetime as dt

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Point, box

from hazardgeo import levels as lv
from hazardgeo import network, shelter
from hazardgeo.event import Earthquake, Shaking
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

GRID = Grid.from_bounds((500_000, 4_000_000, 500_400, 4_000_400), cell=100, crs=32648)
QUAKE = Earthquake(6.2, 102.8, 35.7, 10.0, dt.datetime(2023, 12, 18, 15, 59, tzinfo=dt.UTC))
CELL = st.sampled_from([(1, 1)] * 12 + [(2, 1), (3, 1), (4, 1), (0, 0), (0, 2), (0, 3)])
CELLS = st.lists(CELL, min_size=16, max_size=16)


def at(x, y):
    return Point(500_000 + x, 4_000_000 + y)


def lattice():
    """Two rows and two columns of road through a square of 400 m."""
    lines = [((20, 120), (380, 120)), ((20, 320), (380, 320)), ((120, 20), (120, 380)), ((320, 20), (320, 380))]
    cross = (120, 320)
    geometry = []
    for (x0, y0), (x1, y1) in lines:
        middle = [(c, y0) for c in cross] if y0 == y1 else [(x0, c) for c in cross]
        geometry.append(LineString([(500_000 + x, 4_000_000 + y) for x, y in [(x0, y0), *middle, (x1, y1)]]))
    return gpd.GeoDataFrame(geometry=geometry, crs=32648)


def hill(hidden=()):
    """Ground that rises 1 in 3 to the east, unknown in the cells that are hidden."""
    elevation = np.tile(np.arange(4) * 100 / 3, (4, 1)).astype(np.float32)
    elevation.ravel()[list(hidden)] = np.nan
    return Raster(elevation, GRID, "elevation", "m")


PLAIN = Raster(np.zeros(GRID.shape, np.float32), GRID, "elevation", "m")
ROADS = lattice()
NET = network.build(ROADS, dem=PLAIN)
HOMES = gpd.GeoDataFrame(
    {"people": [9, 4, 7, 3], "building_type": ["adobe", "brick", None, "wood"]},
    geometry=[at(30, 125), at(220, 330), at(330, 200), at(125, 370)],
    crs=32648,
)
SITES = gpd.GeoDataFrame(
    {"indoor_area_m2": [27.0, 22.5, 36.0], "heated_area_m2": 900.0, "toilets": 9.0, "water_l_day": 900.0},
    geometry=[at(370, 110), at(110, 240), at(310, 350)],
    index=["a", "b", "c"],
    crs=32648,
)
BODY = gpd.GeoDataFrame(geometry=[box(500_200, 4_000_300, 500_240, 4_000_340)], crs=32648)


def levels_of(cells):
    array = np.array(cells, np.uint8).reshape(4, 4, 2)
    level, state = array[..., 0].copy(), array[..., 1].copy()
    return lv.Levels(
        lv.level_raster(level, GRID, "l"), lv.state_raster(state, GRID, "s"), lv.single("x", level, state, GRID).reason
    )


def shaking_of(pga):
    return Shaking(QUAKE, pga_g=Raster(np.array(pga, np.float32).reshape(4, 4), GRID, "pga_g", "g"))


def safe(hazards, pga, sites=SITES, limit_min=4.0, roads=NET):
    """What is reported safe: people sheltered, people staying, open sites, open roads."""
    looked = {k: v for k, v in hazards.items() if v is None or isinstance(v, lv.Levels)}
    known = {k: lv.not_assessed(k, GRID) if v is None else v for k, v in looked.items()}
    homes = shelter.displaced(HOMES, shaking_of(pga), night_temp_c=-15, hazards=known)
    places = shelter.screen(shelter.capacity(sites, phase="emergency", climate="cold"), hazards)
    net = network.cut(roads, hazards)
    result = shelter.coverage(homes, places, net, limit_min=limit_min)
    parts = [result.totals[c] for c in shelter.CAUSES]
    assert sum(parts) == result.totals["displaced"] == homes["displaced_people"].sum()
    open_sites, open_roads = (int((table["status"] == "open").sum()) for table in (places, net.edges))
    return result.totals["sheltered"], int(homes["staying_people"].sum()), open_sites, open_roads


def test_a_world_without_hazard_has_something_to_lose():
    everything = safe({"landslide": levels_of([(1, 1)] * 16)}, [0.3] * 16)
    assert min(everything) > 0


@settings(deadline=None, max_examples=25)
@given(
    first=CELLS, second=CELLS, hidden=st.integers(0, 15), how=st.sampled_from([(0, 0), (0, 2), (0, 3), "layer", "all", "body"])
)
def test_knowing_less_of_a_hazard_never_raises_what_is_reported_safe(first, second, hidden, how):
    hazards = {"landslide": levels_of(first), "flood": levels_of(second), "mapped": BODY}
    before = safe(hazards, [0.3] * 16)
    if how == "layer":
        less = {**hazards, "landslide": None}
    elif how == "all":
        less = {}
    elif how == "body":
        less = {**hazards, "mapped": None}
    else:
        masked = [how if i == hidden else cell for i, cell in enumerate(first)]
        less = {**hazards, "landslide": levels_of(masked)}
    after = safe(less, [0.3] * 16)
    assert all(a <= b for a, b in zip(after, before, strict=True))


@settings(deadline=None, max_examples=12)
@given(pga=st.lists(st.floats(0.02, 1.0), min_size=16, max_size=16), hidden=st.sets(st.integers(0, 15)))
def test_knowing_less_of_the_shaking_never_raises_the_people_reported_as_staying(pga, hidden):
    hazards = {"landslide": levels_of([(1, 1)] * 16)}
    before = safe(hazards, pga)
    after = safe(hazards, [np.nan if i in hidden else p for i, p in enumerate(pga)])
    assert all(a <= b for a, b in zip(after, before, strict=True))


@settings(deadline=None, max_examples=15)
@given(hidden=st.sets(st.integers(0, 15)), cells=CELLS, limit_min=st.floats(1, 15))
def test_knowing_less_of_the_ground_never_raises_what_is_reported_safe(hidden, cells, limit_min):
    hazards = {"landslide": levels_of(cells)}
    before, after, without = (
        safe(hazards, [0.3] * 16, limit_min=limit_min, roads=network.build(ROADS, dem=dem))
        for dem in (hill(), hill(hidden), None)
    )
    assert all(a <= b for a, b in zip(after, before, strict=True))
    assert all(a <= b for a, b in zip(without, after, strict=True))


@settings(deadline=None, max_examples=25)
@given(
    cells=CELLS,
    pga=st.floats(0.05, 0.8),
    site=st.integers(0, 2),
    column=st.sampled_from(["indoor_area_m2", "heated_area_m2", "toilets", "water_l_day"]),
    whole=st.booleans(),
)
def test_knowing_less_of_the_sites_never_raises_what_is_reported_safe(cells, pga, site, column, whole):
    hazards = {"landslide": levels_of(cells)}
    emptied = SITES.assign(**{column: [np.nan if i == site else v for i, v in enumerate(SITES[column])]})
    after = safe(hazards, [pga] * 16, SITES.drop(columns=column) if whole else emptied)
    assert all(a <= b for a, b in zip(after, safe(hazards, [pga] * 16), strict=True))


@settings(deadline=None, max_examples=12)
@given(cells=CELLS, site=st.integers(0, 2), more=st.integers(1, 9), pga=st.floats(0.1, 0.6))
def test_more_places_never_widen_the_gap(cells, site, more, pga):
    hazards = {"landslide": levels_of(cells)}
    larger = SITES.assign(indoor_area_m2=SITES["indoor_area_m2"] + [4.5 * more if i == site else 0 for i in range(3)])
    assert safe(hazards, [pga] * 16, larger)[0] >= safe(hazards, [pga] * 16)[0]


@settings(deadline=None, max_examples=8)
@given(cells=CELLS, longer=st.floats(0, 5))
def test_more_time_never_widens_the_gap(cells, longer):
    hazards = {"landslide": levels_of(cells)}
    assert safe(hazards, [0.4] * 16, limit_min=3.0 + longer)[0] >= safe(hazards, [0.4] * 16, limit_min=3.0)[0]


@pytest.mark.parametrize("shift", [1e4, -2e5])
def test_shifting_the_origin_changes_nothing(shift):
    hazards = {"landslide": levels_of([(1, 1)] * 15 + [(3, 1)])}
    net = network.cut(NET, hazards)
    homes = HOMES.assign(displaced_people=HOMES["people"])
    sites = shelter.screen(shelter.capacity(SITES, phase="emergency", climate="cold"), hazards)
    here = shelter.coverage(homes, sites, net, limit_min=4)
    moved = network.RoadNetwork(
        net.nodes.set_geometry(net.nodes.translate(shift, shift)),
        net.edges.set_geometry(net.edges.translate(shift, shift)),
        net.crs,
    )
    there = shelter.coverage(
        homes.set_geometry(homes.translate(shift, shift)), sites.set_geometry(sites.translate(shift, shift)), moved, limit_min=4
    )
    assert here.totals == there.totals
