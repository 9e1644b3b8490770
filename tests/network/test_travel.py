import json
import math

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Point

from hazardgeo import network
from hazardgeo.errors import ConfigError, CrsError, InputError
from hazardgeo.network import RoadNetwork

FLAT_MIN_PER_M = 0.06 / (6 * math.exp(-0.175))
E0, N0 = 500_000.0, 4_000_000.0
ALL = ("open", "conditional", "unknown", "closed")


def points_of(*places):
    return gpd.GeoDataFrame(geometry=[Point(E0 + x, N0 + y) for x, y in places], crs=32648)


def street(*lines, status="open"):
    roads = gpd.GeoDataFrame(geometry=[LineString([(E0 + x, N0 + y) for x, y in line]) for line in lines], crs=32648)
    net = network.build(roads)
    return RoadNetwork(net.nodes, net.edges.assign(status=status), net.crs)


def graph_of(xy, u, v, uv, vu, status):
    crs = pyproj.CRS(32648)
    lines = shapely.linestrings(np.stack([xy[u], xy[v]], axis=1))
    table = {
        "u": u,
        "v": v,
        "length_m": shapely.length(lines),
        "minutes_uv": uv,
        "minutes_vu": vu,
        "status": status,
        "reason": "",
    }
    nodes = gpd.GeoDataFrame({"component": np.zeros(len(xy), np.int32)}, geometry=shapely.points(xy), crs=crs)
    return RoadNetwork(nodes, gpd.GeoDataFrame(table, geometry=lines, crs=crs), crs)


def test_a_walk_from_mid_road_to_mid_road_takes_the_flat_time():
    net = street([(0, 0), (100, 0)], [(100, 0), (100, 100)])
    times = network.travel_times(net, points_of((30, 0)), points_of((100, 50)), limit_min=60)
    assert times.minutes[0, 0] == pytest.approx(120 * FLAT_MIN_PER_M)
    assert (times.origin_snap_m[0], times.destination_snap_m[0]) == (0, 0)


def test_points_on_one_edge_walk_straight_and_off_road_is_slower():
    net = street([(0, 0), (100, 0)])
    times = network.travel_times(net, points_of((20, 30), (80, 0)), points_of((60, 0)), limit_min=60)
    assert times.minutes[:, 0] == pytest.approx([40 * FLAT_MIN_PER_M + 30 * FLAT_MIN_PER_M / 0.6, 20 * FLAT_MIN_PER_M])
    assert times.origin_snap_m.tolist() == [30, 0]


def test_uphill_to_the_site_is_not_the_way_back():
    xy = np.array([[E0, N0], [E0 + 100, N0]])
    net = graph_of(xy, np.array([0]), np.array([1]), np.array([10.0]), np.array([2.0]), ["open"])
    there = network.travel_times(net, points_of((25, 0)), points_of((100, 0)), limit_min=60).minutes
    back = network.travel_times(net, points_of((100, 0)), points_of((25, 0)), limit_min=60).minutes
    assert (there[0, 0], back[0, 0]) == pytest.approx((7.5, 1.5))


def test_the_limit_is_inclusive_and_may_be_infinite():
    net = street([(0, 0), (100, 0)])
    exact = 100 * FLAT_MIN_PER_M
    for limit, reached in ((exact, True), (exact - 1e-6, False), (math.inf, True)):
        times = network.travel_times(net, points_of((0, 0)), points_of((100, 0)), limit_min=limit)
        assert np.isfinite(times.minutes[0, 0]) == reached


def test_nobody_jumps_from_a_closed_road_to_another_one():
    xy = np.array([[E0, N0], [E0 + 100, N0], [E0, N0 + 50], [E0 + 100, N0 + 50]])
    u, v, minutes = np.array([0, 2, 1]), np.array([1, 3, 3]), np.array([1.0, 1.0, 1.0])
    net = graph_of(xy, u, v, minutes, minutes, ["closed", "open", "open"])
    home, site = points_of((50, 10)), points_of((50, 50))
    blocked = network.travel_times(net, home, site, limit_min=60)
    assert np.isinf(blocked.minutes[0, 0])
    assert (blocked.origin_road[0], blocked.destination_road[0]) == ("closed", "open")
    assert np.isfinite(network.travel_times(net, home, site, limit_min=60, statuses=ALL).minutes[0, 0])
    at_junction = network.travel_times(net, points_of((100, 0)), site, limit_min=60)
    assert at_junction.minutes[0, 0] == pytest.approx(1.5)


def test_homes_far_from_any_road_are_reported_as_such():
    net = street([(0, 0), (100, 0)])
    times = network.travel_times(net, points_of((50, 501), (50, 500)), points_of((0, 0)), limit_min=math.inf)
    assert np.isfinite(times.minutes[:, 0]).tolist() == [False, True]
    assert times.origin_road.tolist() == ["no road within 500 m", "open"]
    assert times.origin_snap_m.tolist() == [501, 500]


def test_separate_pieces_of_network_are_unreachable_and_empty_tables_are_fine():
    net = street([(0, 0), (100, 0)], [(0, 200), (100, 200)])
    assert np.isinf(network.travel_times(net, points_of((0, 0)), points_of((0, 200)), limit_min=math.inf).minutes[0, 0])
    assert network.travel_times(net, points_of(), points_of((0, 0)), limit_min=60).minutes.shape == (0, 1)
    assert network.travel_times(net, points_of((0, 0)), points_of(), limit_min=60).minutes.shape == (1, 0)


@pytest.mark.parametrize("blocked", [False, True])
def test_a_small_directed_graph_agrees_with_a_peer(vectors, blocked):
    """One-way, parallel and zero-minute arcs, and an island (networkx on the reversed graph)."""
    peer = json.loads(vectors("shelter/network/tiny.json").read_text())
    arcs = np.array(peer["arcs"], float)
    u, v = arcs[:, 0].astype(int), arcs[:, 1].astype(int)
    cut = [[int(a), int(b)] in peer["blocked"] if blocked else False for a, b in zip(u, v, strict=True)]
    angle = 2 * np.pi * np.arange(7) / 7
    xy = np.c_[E0 + 100 * np.cos(angle), N0 + 100 * np.sin(angle)]
    net = graph_of(xy, u, v, arcs[:, 2], np.full(len(u), np.inf), np.where(cut, "closed", "open"))
    everywhere = gpd.GeoDataFrame(geometry=shapely.points(xy), crs=32648)
    times = network.travel_times(net, everywhere, everywhere.iloc[peer["shelters"]], limit_min=math.inf).minutes
    expected = np.full((7, 2), np.inf)
    table = peer["time_to_shelter_blocked" if blocked else "time_to_shelter_intact"]
    for column, shelter in enumerate(peer["shelters"]):
        for node, minutes in table[str(shelter)].items():
            expected[int(node), column] = minutes
    assert np.array_equal(times, expected)


def test_real_mountain_roads_agree_with_a_peer(vectors):
    peer = np.load(vectors("shelter/network/andorra_walk.npz"))
    to_metric = pyproj.Transformer.from_crs(4326, 32631, always_xy=True)
    xy = np.stack(to_metric.transform(*peer["lonlat"].T), axis=1)
    status = np.where(peer["blocked"], "closed", "open")
    net = graph_of(xy, peer["u"], peer["v"], peer["t_uv_min"], peer["t_vu_min"], status)
    homes = gpd.GeoDataFrame(geometry=shapely.points(xy[peer["expected_node"]]), crs=32648)
    sites = gpd.GeoDataFrame(geometry=shapely.points(xy[peer["shelter_nodes"]]), crs=32648)
    times = network.travel_times(net, homes, sites, limit_min=math.inf)
    place = np.unique(xy.round(3), axis=0, return_inverse=True)[1].ravel()
    alone = np.bincount(place)[place] == 1  # where two nodes share a place, either of them is the nearest
    assert alone[peer["shelter_nodes"]].all()
    sure = alone[peer["expected_node"]]
    assert sure.mean() > 0.99
    assert times.minutes.min(axis=1)[sure] == pytest.approx(peer["nearest_min"][sure], abs=1e-9)
    some = peer["D_from_shelter"][:, peer["expected_node"]]
    assert pytest.approx(some[:, sure], abs=1e-9) == times.minutes[sure][:, peer["D_row"]].T


@settings(deadline=None, max_examples=25)
@given(closed=st.sets(st.integers(0, 11)), x=st.floats(0, 200), y=st.floats(0, 200))
def test_closing_roads_never_shortens_a_walk(closed, x, y):
    lines = [[(100 * i, 100 * j), (100 * i + 100, 100 * j)] for i in range(2) for j in range(3)]
    lines += [[(100 * i, 100 * j), (100 * i, 100 * j + 100)] for i in range(3) for j in range(2)]
    net = street(*lines)
    cut = RoadNetwork(net.nodes, net.edges.assign(status=["closed" if i in closed else "open" for i in range(12)]), net.crs)
    home, site = points_of((x, y)), points_of((130, 100))
    before = network.travel_times(net, home, site, limit_min=math.inf).minutes
    assert (network.travel_times(cut, home, site, limit_min=math.inf).minutes >= before - 1e-9).all()


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"limit_min": 0}, ConfigError, "limit_min is 0"),
        ({"limit_min": math.nan}, ConfigError, "limit_min is nan"),
        ({"limit_min": 5, "statuses": ("opne",)}, ConfigError, "opne"),
        ({"limit_min": 5, "statuses": "open"}, ConfigError, "give a list"),
        ({"limit_min": 5, "snap_m": -1}, ConfigError, "snap_m is -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, error, match):
    with pytest.raises(error, match=match):
        network.travel_times(street([(0, 0), (100, 0)]), points_of((0, 0)), points_of((9, 0)), **options)


def test_places_that_are_no_points_or_elsewhere_are_refused():
    net, good = street([(0, 0), (100, 0)]), points_of((0, 0))
    area = gpd.GeoDataFrame(geometry=[Point(E0, N0).buffer(3)], index=["school"], crs=32648)
    with pytest.raises(InputError, match="'school' of the destinations is not a point"):
        network.travel_times(net, good, area, limit_min=5)
    nowhere = gpd.GeoDataFrame(geometry=gpd.points_from_xy([E0, np.nan, np.inf], [N0, np.nan, 5.0]), index=[3, 4, 5], crs=32648)
    with pytest.raises(InputError, match=r"2 of 3 origins have no coordinates \(the first at index 4\); give them"):
        network.travel_times(net, nowhere, good, limit_min=5)
    with pytest.raises(CrsError, match="EPSG:4326"):
        network.travel_times(net, good.to_crs(4326), good, limit_min=5)
    with pytest.raises(CrsError, match="origins have no CRS"):
        network.travel_times(net, gpd.GeoDataFrame(geometry=[Point(0, 0)]), good, limit_min=5)
