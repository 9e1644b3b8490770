import numpy as np
import pytest
import shapely
from scipy import ndimage

from hazardgeo.raster import sample_xy
from hazardgeo.synthetic.ground.relief import relief
from hazardgeo.synthetic.layout import layout
from hazardgeo.synthetic.places import hamlets, people, roads, shelters, tracks
from hazardgeo.synthetic.places.settlement import settled

SEEDS = (2, 11)


@pytest.fixture(scope="module", params=SEEDS)
def made(request: pytest.FixtureRequest):
    rng = np.random.default_rng(request.param)
    plan = layout("small", rng)
    return plan, settled(plan, relief(plan, rng), rng)


def test_no_road_climbs_by_15_percent_on_the_benched_ground(made):
    _, place = made
    for road in place.roads[~place.roads["bridge"]].itertuples():
        along = np.arange(0.0, road.geometry.length + 0.01, 10.0)
        points = shapely.get_coordinates(road.geometry.interpolate(along))
        height = sample_xy(place.before, *points.T, how="bilinear").astype(float)
        grade = np.abs(np.diff(height)) / np.hypot(*np.diff(points, axis=0).T)
        known = grade[np.isfinite(grade)]
        assert (known < 0.15).all(), (road.name, known.max())


def test_bridges_cross_the_river_and_rest_on_both_banks(made):
    plan, place = made
    river = shapely.LineString(plan.river)
    bridges = place.roads[place.roads["bridge"]]
    assert len(bridges) == 2
    assert bridges.crosses(river).all()
    water = river.buffer(plan.river_m / 2)
    for line in bridges.geometry:
        assert not water.intersects(shapely.MultiPoint([line.coords[0], line.coords[-1]]))
        middle = sample_xy(place.before, *np.array(line.interpolate(0.5, normalized=True).coords).T)[0]
        assert sample_xy(place.before, *np.array(line.coords).T).min() - middle > 1.0
    others = place.roads[~place.roads["bridge"]]
    assert not others.intersects(water).any()


def test_no_house_stands_in_the_river_on_a_road_or_on_a_cliff(made):
    plan, place = made
    water = shapely.LineString(plan.river).buffer(plan.river_m / 2)
    houses = shapely.union_all([b.footprint for b in place.buildings])
    assert not houses.intersects(water)
    assert not houses.intersects(place.roads.union_all())
    by_row, by_col = np.gradient(place.before.values.astype(float), plan.cell_m)
    steep = place.before.like(np.degrees(np.arctan(np.hypot(by_row, by_col))).astype(np.float32), "dip", "deg")
    dip = sample_xy(steep, place.people.geometry.x.to_numpy(), place.people.geometry.y.to_numpy())
    assert dip.max() < 20.0
    assert 3 <= place.people["village"].nunique() <= 6


def test_residents_and_needs_add_up_in_whole_people(made):
    plan, place = made
    assert place.people["people"].sum() == plan.residents == 1200
    assert 4.0 < place.people["people"].mean() < 5.5  # 4.8 in a town of the founding case
    assert place.people["household_id"].tolist() == list(range(1, len(place.people) + 1))
    for need in ("elderly", "infants", "disabled"):
        assert (place.people[need] <= place.people["people"]).all()
        assert 0 < place.people[need].sum() < 0.3 * plan.residents
    assert set(place.people["structure"]) <= set(people.STRUCTURES)
    assert set(place.people["building_type"]) <= {"adobe", "brick", "rc"}


def test_the_register_is_short_of_places_and_holds_what_was_planted(made):
    plan, place = made
    sites = place.sites
    assert sites["capacity_people"].sum() < 0.5 * plan.residents
    assert (sites["capacity_people"] + sites["occupied_people"] == sites["design_people"]).all()
    assert (sites["occupied_people"] > 0).sum() >= 2
    assert ((sites["heated_area_m2"] == 0) & (sites["planted"] == "unheated")).sum() >= 2
    assert set(sites["kind"]) == set(shelters.KINDS_ZH)
    assert sites["toilets"].isna().any()
    assert sites["water_l_day"].isna().any()


def _plane(plan):
    """Blocks of a smooth plane that falls to the river by 5 % on both sides, with a cliff in the middle of the north."""
    rows = cols = 200
    west, _, _, north = plan.grid.bounds
    y, x = np.mgrid[0:rows, 0:cols] * 20.0 + 10.0
    height = 1850 + 0.05 * np.abs(plan.across(west + x, north - y) - plan.river_across(west + x))
    height += np.where((y > 1000) & (y < 1040), 80.0, 0.0)
    barred = np.abs(plan.across(west + x, north - y) - plan.river_across(west + x)) < plan.river_m / 2 + 20
    return tracks.Ground(height, np.where((y > 1000) & (y < 1040), 80.0, 0.5), barred, 20.0, west, north)


def test_hamlets_of_the_full_valley_keep_apart_and_off_the_floodplain_and_cliffs():
    plan = layout("full", np.random.default_rng(1))
    over = _plane(plan)
    planted = hamlets.planted(plan)
    keep_off = shapely.union_all([h.ground for h in planted])
    found = hamlets.scattered(plan, over, keep_off, np.random.default_rng(4))
    assert 25 <= len(found) + len(planted) <= 60
    assert sum(h.residents for h in [*planted, *found]) == pytest.approx(1.0)
    centres = np.array([h.centre for h in found])
    apart = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1))
    assert apart[~np.eye(len(found), dtype=bool)].min() >= 200.0
    river = shapely.LineString(plan.river)
    assert min(h.ground.distance(river) for h in found) > 0.29 * plan.floor_m
    assert not any(h.ground.intersects(keep_off) for h in found)
    cliff = plan.grid.bounds[3] - 1020.0
    assert np.abs(centres[:, 1] - cliff).min() > 20.0
    assert len({h.name for h in found}) == len(found)


def test_every_lane_to_a_hamlet_ends_on_the_network_and_crosses_no_other_road():
    plan = layout("full", np.random.default_rng(1))
    over = _plane(plan)
    wanted = hamlets.scattered(plan, over, shapely.Point(0, 0), np.random.default_rng(4))
    bounds = plan.grid.bounds
    main = roads.Road(
        "main",
        "secondary",
        np.array([[x, plan.place((x - bounds[0]) / 4000, 250.0)[1]] for x in np.arange(bounds[0], bounds[2], 25.0)]).round(2),
    )
    found, kept = roads.to_hamlets([main], wanted, over)
    wall = bounds[3] - 1040.0
    reachable = [h for h in wanted if plan.axis_north(h.centre[0]) < h.centre[1] < wall]
    assert {h.name for h in kept} == {h.name for h in reachable}  # nobody gets over the river or up a wall of 80 m
    assert 15 < len(kept) < len(wanted)
    vertices = {tuple(v) for v in found[0].line.tolist()}
    for lane in found[1:]:
        assert tuple(lane.line[-1].tolist()) in vertices
        vertices |= set(map(tuple, lane.line.tolist()))
    parts = roads.edges(found)
    table = roads.table(parts, plan.grid)
    tree = shapely.STRtree(table.geometry.to_numpy())
    a, b = tree.query(table.geometry.to_numpy(), predicate="crosses")
    assert len(a) == 0, [(table["name"].iloc[i], table["name"].iloc[j]) for i, j in zip(a[:3], b[:3], strict=True)]


def test_a_track_does_not_cross_itself():
    rng = np.random.default_rng(7)
    height = 1850 + ndimage.gaussian_filter(300 * rng.random((60, 60)), 3) + np.arange(60)[:, None] * 3.0
    over = tracks.Ground(height, np.ones((60, 60)), np.zeros((60, 60), bool), 10.0, 0.0, 600.0)
    line = tracks.climb(over, np.array([15.0, 20.0]), np.array([[580.0, 590.0]]), most_lag_m=30.0)
    assert line is not None
    assert shapely.LineString(line).is_simple
    assert line[0].tolist() == [15.0, 20.0]
    assert line[-1].tolist() == [580.0, 590.0]


def test_the_lag_of_a_road_is_half_of_what_two_places_lack_to_be_joined():
    height = np.repeat(np.where(np.arange(60) < 30, 1850.0, 1870.0)[None], 60, axis=0)  # a step of 20 m
    over = tracks.Ground(height, np.ones((60, 60)), np.zeros((60, 60), bool), 10.0, 0.0, 600.0)
    line = np.array([[5.0, 300.0], [595.0, 300.0]])
    # the blocks at 295 and 305 m are 20 m apart in height; 10 m of road climb 1 m
    assert tracks.lag_m(over, line, 0.1) == pytest.approx((20.0 - 1.0) / 2, abs=0.25)
    assert tracks.lag_m(over, line, 2.0) == pytest.approx(0.0, abs=1e-9)


def test_a_track_goes_round_a_hill_that_is_too_steep_and_over_one_that_is_not():
    y, x = np.mgrid[0:80, 0:80] * 10.0 + 5.0
    free = np.zeros((80, 80), bool)
    steep = 1850 + np.maximum(60.0 - 0.6 * np.hypot(x - 400, y - 400), 0)
    over = tracks.Ground(steep, np.full((80, 80), 2.0), free, 10.0, 0.0, 800.0)
    line = tracks.climb(over, np.array([205.0, 405.0]), np.array([[595.0, 405.0]]))
    assert line is not None
    top = np.hypot(*(line - 400.0).T).min()
    assert top > 80.0
    assert tracks.lag_m(over, line, 0.13) < 4.0
    gentle = tracks.climb(tracks.Ground(1850 + (steep - 1850) / 40, over.relief_m, free, 10.0, 0.0, 800.0), line[0], line[-1:])
    assert gentle is not None
    assert np.hypot(*np.diff(gentle, axis=0).T).sum() < 400.0  # 390 m straight
