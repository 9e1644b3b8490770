import math

import numpy as np
import pytest
import shapely
from scipy.spatial import cKDTree

from hazardgeo.raster import sample_xy
from hazardgeo.synthetic.events import between
from hazardgeo.synthetic.places import plants
from hazardgeo.synthetic.scans import echoes, scan, views
from hazardgeo.synthetic.scans.echoes import GROUND, HIGH_NOISE, LOW_NOISE, SHRUBS, SNOW, WATER
from hazardgeo.synthetic.scans.objects import BRIDGE, BUILDING, POLE, TREES, VEHICLE, WIRE
from hazardgeo.synthetic.scene import scene

SEED = 11


@pytest.fixture(scope="module")
def valley():
    return scene(SEED, "small")


@pytest.fixture(scope="module")
def flights(valley):
    """For each epoch: its name, its survey, and the points as they truly lie."""
    surveys = {epoch: scan.flown(valley.plan, views.view(valley, epoch)) for epoch in views.EPOCHS}
    return {
        "before": ("before", surveys["before"], surveys["before"].cloud.xyz),
        "after": ("after", surveys["after"], valley.registration.undone(surveys["after"].cloud.xyz)),
    }


@pytest.fixture(params=views.EPOCHS)
def flight(flights, request):
    return flights[request.param]


def _bilinear(raster, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A slow and plain interpolation between cell centres, in float64."""
    west, _, _, north = raster.grid.bounds
    rows, cols = raster.grid.shape
    u = np.clip((x - west) / raster.grid.cell[0] - 0.5, 0, cols - 1)
    v = np.clip((north - y) / raster.grid.cell[1] - 0.5, 0, rows - 1)
    j, i = np.minimum(u.astype(int), cols - 2), np.minimum(v.astype(int), rows - 2)
    fu, fv = u - j, v - i
    z = raster.values.astype(np.float64)
    upper, lower = z[i, j] * (1 - fu) + z[i, j + 1] * fu, z[i + 1, j] * (1 - fu) + z[i + 1, j + 1] * fu
    return upper * (1 - fv) + lower * fv


def _cells(raster, xyz: np.ndarray) -> np.ndarray:
    row, col = raster.grid.rowcol(xyz[:, 0], xyz[:, 1])
    return raster.values[np.clip(row, 0, raster.grid.shape[0] - 1), np.clip(col, 0, raster.grid.shape[1] - 1)]


def test_ground_points_lie_on_the_ground_of_their_epoch(valley, flight):
    epoch, survey, xyz = flight
    ground = valley.after if epoch == "after" else valley.before
    points = xyz[survey.kinds == GROUND]
    error = points[:, 2] - _bilinear(ground, points[:, 0], points[:, 1])
    by_row, by_col = np.gradient(ground.values.astype(np.float64), valley.plan.cell_m)
    flat = _cells(ground.like(np.hypot(by_row, by_col).astype(np.float32), "rise", "1"), points) < 0.05

    assert abs(np.median(error)) < 0.015  # the strips lie up to a few centimetres apart
    assert 0.018 < error[flat].std() < 0.045  # 2 cm along the ray, and the strips
    assert np.percentile(np.abs(error), 99) < 0.35
    assert np.abs(error[flat]).max() < 0.35


def test_moved_points_do_not_lie_on_the_true_ground(valley, flights):
    _, survey, _ = flights["after"]
    points = survey.cloud.xyz[survey.kinds == GROUND]
    error = points[:, 2] - _bilinear(valley.after, points[:, 0], points[:, 1])

    assert np.median(error) == pytest.approx(valley.registration.shift_m[2], abs=0.04)


def test_every_pulse_has_the_returns_that_it_says(flight):
    _, survey, _ = flight
    a = survey.cloud.attributes
    _, first, count = np.unique(a["gps_time"], return_index=True, return_counts=True)

    assert (np.diff(first) > 0).all()  # in the order of time
    np.testing.assert_array_equal(np.repeat(count, count), a["number_of_returns"])
    place = np.arange(len(survey.kinds)) - np.repeat(first, count) + 1
    np.testing.assert_array_equal(place, a["return_number"])
    assert 0.01 < (count > 1).mean() < 0.2
    assert {1, 2, 3} <= set(count) <= {1, 2, 3, 4}
    later = survey.cloud.xyz[a["return_number"] > 1, 2]
    assert (later < survey.cloud.xyz[np.flatnonzero(a["return_number"] > 1) - 1, 2]).all()  # further down each time


def test_attributes_are_those_of_a_survey(valley, flight):
    epoch, survey, _ = flight
    a = survey.cloud.attributes

    assert not a["classification"].any()
    assert np.abs(a["scan_angle_deg"]).max() < 33.0
    assert np.percentile(np.abs(a["scan_angle_deg"]), 90) > 20.0
    lines = np.unique(a["point_source_id"])
    assert len(lines) >= 5
    for line in lines:  # flown one after the other
        mine = a["gps_time"][a["point_source_id"] == line]
        assert mine.max() < a["gps_time"][a["point_source_id"] > line].min(initial=math.inf)
    kinds = {GROUND, SHRUBS, TREES, BUILDING, LOW_NOISE, WATER, WIRE, POLE, BRIDGE, HIGH_NOISE, VEHICLE}
    assert set(np.unique(survey.kinds)) == (kinds | {SNOW} if epoch == "after" else kinds)
    bright = [np.median(a["intensity"][survey.kinds == kind]) for kind in (WATER, GROUND)]
    assert bright[0] < 0.6 * bright[1]


def test_there_are_a_million_points_or_more_and_strips_overlap(valley, flight):
    _, survey, xyz = flight
    assert 1.0e6 < len(survey.kinds) < 1.5e6
    grid = valley.plan.grid
    row, col = ((grid.bounds[3] - xyz[:, 1]) // 10).astype(int), ((xyz[:, 0] - grid.bounds[0]) // 10).astype(int)
    strips = np.zeros((101, 101, 64), bool)
    strips[np.clip(row, 0, 100), np.clip(col, 0, 100), survey.cloud.attributes["point_source_id"]] = True
    seen = strips[:100, :100].sum(axis=2)
    assert 0.25 < (seen >= 2).mean() < 0.95


def test_nothing_lies_where_nobody_flew(valley, flight):
    epoch, _, xyz = flight
    west, south, east, north = valley.plan.grid.bounds
    assert (xyz[:, 0] > west - 0.002).all()
    assert (xyz[:, 0] < east + 0.002).all()
    assert (xyz[:, 1] > south - 0.002).all()
    assert (xyz[:, 1] < north + 0.002).all()
    if epoch == "after":
        dark = _cells(valley.surveyed, xyz) == 0
        shapes = shapely.points(xyz[dark, 0], xyz[dark, 1])
        flown = shapely.union_all(shapely.box(*_squares(valley.surveyed.values == 1, valley.plan.grid, xyz[dark])))
        assert (shapely.distance(shapes, flown) < 0.002).all()  # coordinates are kept to the millimetre
        assert 0.9 < valley.surveyed.values.mean() < 0.98


def _squares(flown: np.ndarray, grid, xyz: np.ndarray) -> tuple[np.ndarray, ...]:
    """Flown cells beside the given points."""
    row, col = grid.rowcol(xyz[:, 0], xyz[:, 1])
    around = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    near = (np.column_stack([row, col])[:, None, :] + np.array(around)).reshape(-1, 2)
    near = np.clip(near, 0, np.array(grid.shape) - 1)
    near = near[flown[near[:, 0], near[:, 1]]]
    east, north = grid.centres()
    half = grid.cell[0] / 2
    x, y = east[near[:, 1]], north[near[:, 0]]
    return x - half, y - half, x + half, y + half


def test_the_same_view_gives_the_same_points_in_whatever_parts(valley, flights, monkeypatch):
    _, first, _ = flights["after"]
    monkeypatch.setattr(scan, "_PART_PULSES", 77_000)
    again = scan.flown(valley.plan, views.view(valley, "after"))

    assert first.cloud.xyz.tobytes() == again.cloud.xyz.tobytes()
    assert first.kinds.tobytes() == again.kinds.tobytes()
    for name, values in first.cloud.attributes.items():
        assert values.tobytes() == again.cloud.attributes[name].tobytes(), name


def test_water_answers_less_than_land(valley, flight):
    epoch, survey, xyz = flight
    river = shapely.LineString(valley.plan.river)
    shapely.prepare(river)
    pulses = shapely.points(xyz[:, 0], xyz[:, 1])
    water = shapely.dwithin(river, pulses, valley.plan.river_m / 2)
    if epoch == "after":
        water &= np.abs(_cells(valley.change, xyz)) < 0.2
    floor = shapely.dwithin(river, pulses, 4 * valley.plan.river_m) & (survey.kinds == GROUND)

    inside = shapely.box(*valley.plan.grid.bounds)
    area = [shapely.area(shapely.intersection(river.buffer(k * valley.plan.river_m), inside)) for k in (0.5, 4.0)]
    density = (water & (survey.kinds == WATER)).sum() / area[0], floor.sum() / (area[1] - area[0])
    assert 0.03 < density[0] / density[1] < 0.6
    oblique = np.abs(survey.cloud.attributes["scan_angle_deg"][survey.kinds == WATER])
    assert (oblique < 10).mean() > 0.5


def test_the_lake_is_level_and_dark_but_there(valley, flights):
    _, survey, xyz = flights["after"]
    covered = valley.surveyed.like(between.under_water(valley.plan.grid, valley.between.lake).astype(np.uint8), "lake", "1")
    inside = _cells(covered, xyz) == 1
    kinds = survey.kinds[inside]

    lit = xyz[inside][kinds == WATER]
    assert len(lit) > 50
    assert np.abs(lit[:, 2] - valley.between.lake.level_m).max() < 0.2
    below = (kinds == GROUND) & (xyz[inside][:, 2] < valley.between.lake.level_m - 0.2)
    assert not below.any()


def test_wires_hang_clear_of_the_ground_and_poles_stand_on_it(valley, flight):
    epoch, survey, xyz = flight
    ground = valley.after if epoch == "after" else valley.before
    wire, pole = xyz[survey.kinds == WIRE], xyz[survey.kinds == POLE]

    assert len(wire) > 300
    assert len(pole) > 10
    steady = np.abs(_cells(valley.change, wire)) < 0.2
    height = wire[:, 2] - _bilinear(ground, wire[:, 0], wire[:, 1])
    assert height[steady].min() > 4.0
    assert height.max() > 15.0
    feet = shapely.multipoints(valley.wires.poles[:, :2])
    assert shapely.distance(shapely.points(pole[:, 0], pole[:, 1]), feet).max() < 0.6
    above = pole[:, 2] - _bilinear(ground, pole[:, 0], pole[:, 1])
    assert -0.3 < above.min() < above.max() < 24.5


def test_returns_in_crowns_lie_within_a_crown(valley, flight):
    epoch, survey, xyz = flight
    growing = valley.plants
    ground = valley.before
    if epoch == "after":
        growing = plants.standing(growing, valley.change.values.astype(float), valley.plan.grid)
        ground = valley.after
    grown = valley.between.growth
    inside = (survey.kinds == TREES) | ((survey.kinds == SHRUBS) & (_cells(grown, xyz) == 0))
    points = xyz[inside]
    assert len(points) > 3000
    foot = _bilinear(ground, growing.east, growing.north)
    base = np.array([0.0, 0.28, 0.10])[growing.kind] * growing.height_m
    half = np.where(growing.kind == 0, growing.height_m, (growing.height_m - base) / 2)
    middle = foot + np.where(growing.kind == 0, 0.0, base + half)
    _, near = cKDTree(np.column_stack([growing.east, growing.north])).query(points[:, :2], k=40)
    out = np.hypot(points[:, None, 0] - growing.east[near], points[:, None, 1] - growing.north[near]) / (
        growing.radius_m[near] + 0.1
    )
    up = (points[:, None, 2] - middle[near]) / (half[near] + 0.15)
    assert ((out**2 + up**2).min(axis=1) <= 1.0).mean() > 0.999


def test_ground_is_seen_through_crowns(flight):
    _, survey, _ = flight
    a = survey.cloud.attributes
    trees = np.flatnonzero((survey.kinds == TREES) & (a["return_number"] == 1))
    last = trees + a["number_of_returns"][trees] - 1

    assert 0.2 < (survey.kinds[last] == GROUND).mean() < 0.95


def test_returns_of_houses_lie_on_their_shells(valley, flight):
    _, survey, xyz = flight
    points = xyz[survey.kinds == BUILDING]
    shapes = [b.footprint for b in valley.buildings]
    near = shapely.STRtree(shapes).nearest(shapely.points(points[:, 0], points[:, 1]))
    away = shapely.distance(shapely.points(points[:, 0], points[:, 1]), np.array(shapes)[near])
    foot = np.array([_bilinear(valley.before, *shapely.get_coordinates(s)[:4].T).mean() for s in shapes])
    tall = np.array([b.height_m for b in valley.buildings])

    assert len(points) > 5000
    assert np.percentile(away, 99.9) < 0.15
    assert (points[:, 2] - foot[near] - tall[near]).max() < 0.3


def test_buried_houses_are_not_seen_again(valley, flights):
    moved = valley.bodies.union_all()
    buried = [b.footprint.buffer(0.2) for b in valley.buildings if moved.intersects(b.footprint)]
    counts = []
    for _, survey, xyz in flights.values():
        points = xyz[survey.kinds == BUILDING]
        inside = shapely.STRtree(buried).query(shapely.points(points[:, 0], points[:, 1]), predicate="within")
        counts.append(inside.shape[1])

    assert buried
    assert counts[0] > 25 * len(buried)
    assert counts[1] == 0


def test_noise_lies_well_below_and_above_the_ground(valley, flight):
    epoch, survey, xyz = flight
    ground = valley.after if epoch == "after" else valley.before
    height = xyz[:, 2] - _bilinear(ground, xyz[:, 0], xyz[:, 1])

    low, high = height[survey.kinds == LOW_NOISE], height[survey.kinds == HIGH_NOISE]
    assert 10 < len(low) < 1000
    assert low.max() < -0.3
    assert 10 < len(high) < 200
    assert np.median(high) > 12.0
    tree = cKDTree(xyz[survey.kinds == LOW_NOISE, :2])
    assert max(len(found) for found in tree.query_ball_tree(tree, 2.5)) >= 8  # a dense clump


def test_snow_lies_on_the_ground_of_the_after_epoch(valley, flights):
    _, survey, xyz = flights["after"]
    points = xyz[survey.kinds == SNOW]
    lying = points[:, 2] - _bilinear(valley.after, points[:, 0], points[:, 1])

    assert len(points) > 100
    assert 0.1 < np.median(lying) < 0.4
    assert (_cells(valley.between.snow, points) > 0).mean() > 0.99


def test_vehicles_are_others_in_each_epoch(valley, flight):
    epoch, survey, xyz = flight
    cars = valley.between.vehicles
    points = shapely.points(*xyz[survey.kinds == VEHICLE, :2].T)

    mine, other = (cars[(cars["epoch"] == epoch) == same].union_all() for same in (True, False))
    assert len(points) > 20
    assert shapely.distance(points, mine).max() < 0.15
    assert (shapely.distance(points, other) < 0.15).mean() < 0.2


def test_the_two_flights_differ(valley):
    before, after = (views.view(valley, epoch) for epoch in views.EPOCHS)

    assert before.seed != after.seed
    assert after.taken > before.taken
    assert before.registration is None
    assert not np.array_equal(before.cover.cells[..., 0] == LOW_NOISE, after.cover.cells[..., 0] == LOW_NOISE)


def test_draws_of_a_pulse_are_even_and_normal():
    state = [echoes.state_of(5, pulse) for pulse in range(20_000)]
    flat = np.array([echoes.uniform(np.uint64(s), 3) for s in state])
    bell = np.array([echoes.normal(np.uint64(s), 8) for s in state])

    assert 0 <= flat.min() < flat.max() < 1
    np.testing.assert_allclose(np.histogram(flat, 10, (0, 1))[0], 2000, atol=6 * math.sqrt(1800))
    assert abs(np.corrcoef(flat[1:], flat[:-1])[0, 1]) < 0.03
    assert abs(bell.mean()) < 0.03
    assert bell.std() == pytest.approx(1.0, abs=0.03)


def test_the_first_draw_is_that_of_the_published_generator():
    """splitmix64 seeded with 1234567 begins with 6457827717110365317 and 3203168211198807973."""
    assert int(echoes.state_of(1234567, 1)) == 6457827717110365317
    assert int(echoes.state_of(1234567, 2)) == 3203168211198807973


def test_plants_stand_off_roads_and_houses(valley):
    points = shapely.points(valley.plants.east, valley.plants.north)
    built = shapely.union_all([*(b.footprint for b in valley.buildings), *valley.roads.buffer(2.0)])

    assert not shapely.intersects(built, points).any()
    assert {0, 1, 2} == set(valley.plants.kind)
    assert sample_xy(valley.before, valley.plants.east, valley.plants.north).min() > 1700
