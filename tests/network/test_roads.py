import json

import geopandas as gpd
import numpy as np
import pytest
from shapely import LineString, MultiLineString, Point

from hazardgeo import network
from hazardgeo.errors import ConfigError, CrsError, HazardGeoWarning, InputError

E0, N0 = 500_000.0, 4_000_000.0


def roads_of(*lines, **columns):
    geometry = [LineString([(E0 + x, N0 + y) for x, y in line]) for line in lines]
    return gpd.GeoDataFrame(columns, geometry=geometry, crs=32648)


def test_a_crossing_with_a_shared_vertex_joins_four_pieces():
    net = network.build(roads_of([(-50, 0), (0, 0), (50, 0)], [(0, -50), (0, 0), (0, 50)]))
    assert (len(net.nodes), len(net.edges)) == (5, 4)
    assert net.nodes["component"].nunique() == 1
    assert net.edges["road"].tolist() == [0, 0, 1, 1]


def test_a_bridge_over_a_road_without_a_shared_vertex_does_not_join_it():
    net = network.build(roads_of([(-50, 0), (50, 0)], [(0, -50), (0, 50)]))
    assert len(net.edges) == 2
    assert net.nodes["component"].nunique() == 2


def test_ends_within_half_a_metre_are_joined_and_wider_gaps_are_not():
    joined = network.build(roads_of([(0, 0), (50, 0)], [(50.4, 0), (90, 0)]))
    apart = network.build(roads_of([(0, 0), (50, 0)], [(50.6, 0), (90, 0)]))
    assert joined.nodes["component"].nunique() == 1
    assert apart.nodes["component"].nunique() == 2


def test_a_chain_of_short_pieces_keeps_its_length():
    for piece_m in (0.1, 0.2, 0.45):
        net = network.build(roads_of(*[[(i * piece_m, 0), ((i + 1) * piece_m, 0)] for i in range(400)]))
        assert net.nodes["component"].nunique() == 1
        assert net.edges["length_m"].sum() == pytest.approx(400 * piece_m, abs=1.0)  # only its two ends may have snapped


def test_ends_side_by_side_do_not_pull_one_another_along():
    comb = network.build(roads_of(*[[(i * 0.45, 0), (i * 0.45, 60)] for i in range(40)]))
    tops = comb.nodes.geometry.x.to_numpy() - E0
    assert tops.max() - tops.min() > 16.5  # 39 x 0.45 m, less half a metre at either side
    assert len(comb.edges) >= 12  # teeth within half a metre of one another share ends, the comb does not become one line


def test_ends_that_meet_almost_join_whatever_their_order():
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]):
        arms = [[(0.1, 0), (50, 0)], [(-0.1, 0), (-50, 0)], [(0, 0.15), (0, 50)], [(0, -0.1), (0, -50)]]
        assert network.build(roads_of(*[arms[i] for i in order])).nodes["component"].nunique() == 1


def test_zero_length_and_repeated_pieces_are_dropped_and_columns_kept():
    drawn_back = [(50, 0), (0, 0)]
    net = network.build(
        roads_of([(0, 0), (0, 0), (50, 0)], drawn_back, [(5, 5), (5, 5)], name=["a", "b", "c"], status=["x", "y", "z"])
    )
    assert len(net.edges) == 1
    assert net.edges.loc[0, ["name", "road_status", "status", "reason"]].tolist() == [
        "a", "x", "unknown", "no hazard layer was given"
    ]  # fmt: skip


def test_long_roads_are_cut_into_pieces_of_at_most_100_m():
    net = network.build(roads_of([(0, 0), (950, 0)]))
    assert len(net.edges) == 10
    assert net.edges["length_m"].to_numpy() == pytest.approx(np.full(10, 95.0))


def test_multilines_are_taken_and_motorways_are_left_out():
    roads = gpd.GeoDataFrame(
        {"highway": ["track", "motorway", "construction", None]},
        geometry=[
            MultiLineString([[(0, 0), (10, 0)], [(10, 0), (20, 0)]]),
            LineString([(0, 5), (10, 5)]),
            LineString([(0, 6), (10, 6)]),
            LineString([(0, 7), (10, 7)]),
        ],
        crs=32648,
    )
    assert network.build(roads).edges["road"].tolist() == [0, 0, 3]


def test_walking_speed_agrees_with_peers(vectors):
    peer = json.loads(vectors("shelter/network/walking_speed.json").read_text())
    assert network.tobler_kmh(peer["slope"]) == pytest.approx(peer["tobler_kmh"], rel=1e-12)
    assert 0.6 * network.tobler_kmh(peer["slope"]) == pytest.approx(peer["tobler_offpath_kmh"], rel=1e-12)


def test_minutes_follow_the_slope_in_both_directions_and_steep_slopes_are_clamped(make_raster):
    slope = 0.1
    dem = make_raster([[slope * x for x in range(100)]] * 20)  # rises 1 in 10 to the east
    net = network.build(roads_of([(10.5, -10), (60.5, -10)]), dem=dem)
    up = 50 / (6 * np.exp(-3.5 * 0.15) * 1000 / 60)
    down = 50 / (6 * np.exp(-3.5 * 0.05) * 1000 / 60)
    assert net.edges.loc[0, ["minutes_uv", "minutes_vu"]].tolist() == pytest.approx(
        [up, down] if net.edges.geometry[0].coords[0][0] < net.edges.geometry[0].coords[1][0] else [down, up], rel=1e-6
    )
    cliff = network.build(roads_of([(10.5, -10), (20.5, -10)]), dem=dem.like(dem.values * 100, "elevation", "m"))
    slowest = max(cliff.edges.loc[0, ["minutes_uv", "minutes_vu"]])
    assert slowest == pytest.approx(10 / (0.43463854220550874 * 1000 / 60))  # Tobler at slope 0.7
    assert net.notes == ()


def test_a_bridge_rises_evenly_over_the_valley(make_raster):
    valley = [abs(x - 50) * 0.5 for x in range(101)]
    dem = make_raster([valley] * 20)
    line = [(10.5, -10), (50.5, -10), (90.5, -10)]
    over = network.build(roads_of(line, bridge=["yes"]), dem=dem).edges
    through = network.build(roads_of(line, bridge=["no"]), dem=dem).edges
    flat = 0.06 / (6 * np.exp(-0.175))
    assert over["minutes_uv"].sum() == pytest.approx(80 * flat)
    assert through["minutes_uv"].sum() > 1.5 * 80 * flat


FLAGS = [
    ("yes", True), ("True", True), (True, True), ("T", True), ("y", True), (1, True), (1.0, True), ("viaduct", True),
    ("building_passage", True), (" Covered ", True), ("no", False), ("F", False), ("f", False), ("n", False),
    (False, False), (0, False), (0.0, False), ("0.0", False), (np.nan, False), (None, False), ("", False),
]  # fmt: skip


@pytest.mark.parametrize("column", ["bridge", "tunnel"])
@pytest.mark.parametrize(("flag", "spans"), FLAGS)
def test_every_way_of_saying_yes_and_no_to_a_bridge_is_understood(make_raster, column, flag, spans):
    dem = make_raster([[abs(x - 50) * 0.5 for x in range(101)]] * 20)
    roads = roads_of([(10.5, -10), (50.5, -10), (90.5, -10)])
    roads[column] = np.array([flag], object)
    level = network.build(roads, dem=dem).edges["minutes_uv"].sum() < 1.01 * 80 * 0.06 / (6 * np.exp(-0.175))
    assert level == spans


def test_a_flag_that_says_neither_yes_nor_no_is_no_bridge_and_warned_of(make_raster):
    dem = make_raster([[abs(x - 50) * 0.5 for x in range(101)]] * 20)
    line = [(10.5, -10), (50.5, -10), (90.5, -10)]
    with pytest.warns(HazardGeoWarning, match=r"column 'bridge' says neither yes nor no for 2 of 3 roads \(such as 'maybe'\)"):
        net = network.build(roads_of(line, line, line, bridge=["maybe", "no", "11"]), dem=dem)
    assert net.edges["minutes_uv"].sum() > 1.5 * 80 * 0.06 / (6 * np.exp(-0.175))


def test_bridges_and_tunnels_are_read_from_the_other_tags_of_openstreetmap(make_raster):
    dem = make_raster([[abs(x - 50) * 0.5 for x in range(101)]] * 20)
    line = [(10.5, -10), (50.5, -10), (90.5, -10)]
    flat = 80 * 0.06 / (6 * np.exp(-0.175))
    for tags in ('"bridge"=>"yes","layer"=>"1"', '"surface"=>"asphalt","tunnel"=>"building_passage"'):
        assert network.build(roads_of(line, other_tags=[tags]), dem=dem).edges["minutes_uv"].sum() == pytest.approx(flat)
    for tags in ('"bridge"=>"no"', '"old_bridge"=>"yes"', None):
        assert network.build(roads_of(line, other_tags=[tags]), dem=dem).edges["minutes_uv"].sum() > 1.5 * flat
    told = roads_of(line, bridge=["no"], tunnel=["no"], other_tags=['"bridge"=>"yes"'])
    assert network.build(told, dem=dem).edges["minutes_uv"].sum() > 1.5 * flat


def test_unknown_elevation_is_walked_as_flat_and_counted_in_the_notes(make_raster):
    values = np.zeros((20, 100))
    values[:, 50:] = np.nan
    net = network.build(roads_of([(0.5, -10), (45.5, -10)], [(60.5, -10), (75.5, -10)]), dem=make_raster(values))
    assert len(net.notes) == 1
    assert "slope of 25.0% of the road length is unknown" in net.notes[0]
    assert net.edges.groupby("road")["slope_known"].all().tolist() == [True, False]
    assert net.edges["minutes_uv"].sum() == pytest.approx(60 * 0.06 / (6 * np.exp(-0.175)))
    assert "No elevation model" in network.build(roads_of([(0, 0), (9, 0)])).notes[0]


def test_real_roads_have_the_lengths_and_minutes_of_peers(vectors):
    peer = np.load(vectors("shelter/network/andorra_walk.npz"))
    rise = (peer["z"][peer["v"]] - peer["z"][peer["u"]]).astype(float)
    length = peer["length_m"].astype(float)
    sure = length > 5  # z and length are stored as float32
    slope = np.clip(rise / length, -0.7, 0.7)
    minutes = length * 0.06 / network.tobler_kmh(slope)
    assert minutes[sure] == pytest.approx(peer["t_uv_min"][sure], rel=1e-3)


@pytest.mark.parametrize(
    ("roads", "error", "match"),
    [
        (gpd.GeoDataFrame(geometry=[LineString([(0, 0), (1, 1)])]), CrsError, "no CRS"),
        (gpd.GeoDataFrame(geometry=[LineString([(0, 0), (1, 1)])], crs=4326), CrsError, "needs metres"),
        (gpd.GeoDataFrame(geometry=[Point(0, 0)], crs=32648), InputError, "must be lines"),
        (gpd.GeoDataFrame(geometry=[LineString([(0, 0), (0, 0)])], crs=32648), InputError, "no walkable road"),
        (gpd.GeoDataFrame(geometry=[None], crs=32648), InputError, "no walkable road"),
    ],
)
def test_roads_that_make_no_network_are_refused(roads, error, match):
    with pytest.raises(error, match=match):
        network.build(roads)


def test_an_unknown_profile_is_refused():
    with pytest.raises(ConfigError, match="'truck'"):
        network.build(roads_of([(0, 0), (9, 0)]), profile="truck")


def test_a_dem_in_another_crs_is_refused(make_grid, make_raster):
    dem = make_raster(np.zeros((5, 5)))
    roads = roads_of([(0, 0), (9, 0)]).set_crs(32647, allow_override=True)
    with pytest.raises(CrsError, match="EPSG:32647"):
        network.build(roads, dem=dem)
