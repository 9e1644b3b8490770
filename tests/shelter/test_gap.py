import geopandas as gpd
import numpy as np
import pytest
from shapely import LineString, Point, box

from hazardgeo import network, shelter
from hazardgeo.errors import CrsError, InputError, MissingColumnError
from hazardgeo.network import RoadNetwork

E0, N0 = 500_000.0, 4_000_000.0
MINUTES_PER_100_M = 6 / (6 * np.exp(-0.175))


def place(x, y=0.0):
    return Point(E0 + x, N0 + y)


def street(*roads):
    """Roads (from x, to x, status) along one line from west to east, without bends."""
    lines = [LineString([(E0 + a, N0), (E0 + b, N0)]) for a, b, _ in roads]
    net = network.build(gpd.GeoDataFrame({"given": [s for *_, s in roads]}, geometry=lines, crs=32648))
    return RoadNetwork(net.nodes, net.edges.assign(status=net.edges["given"]), net.crs)


def homes_at(*rows):
    table = {"displaced_people": [p for _, p in rows]}
    return gpd.GeoDataFrame(table, geometry=[place(x) for x, _ in rows], crs=32648)


def sites_at(*rows):
    table = {"capacity_places": [p for _, p, _ in rows], "status": [s for *_, s in rows]}
    return gpd.GeoDataFrame(table, geometry=[place(x) for x, *_ in rows], crs=32648)


def causes(result):
    return {c: n for c, n in result.totals.items() if n and c != "displaced"}


@pytest.mark.parametrize(
    ("site", "road", "cause"),
    [
        ("open", "open", "sheltered"),
        ("conditional", "open", "conditional"),
        ("open", "conditional", "conditional"),
        ("unknown", "open", "place not assessed"),
        ("conditional", "unknown", "place not assessed"),
        ("closed", "open", "site closed"),
        ("closed", "unknown", "site closed"),
        ("open", "closed", "road cut"),
        ("closed", "closed", "road cut"),
    ],
)
def test_the_gravest_thing_on_the_way_is_the_cause(site, road, cause):
    result = shelter.coverage(homes_at((10, 7)), sites_at((90, 9, site)), street((0, 100, road)), limit_min=30)
    assert causes(result) == {cause: 7}
    assert result.demand.loc[0, ["main_cause", shelter.cause_column(cause)]].tolist() == [cause, 7]
    assert result.sites.loc[0, shelter.cause_column(cause)] == 7
    assert result.sites.loc[0, "spare_places"] == (2 if cause == "sheltered" else 9)


def test_far_sites_missing_roads_and_missing_places_are_told_apart():
    net = street((0, 1000, "open"), (5000, 5100, "open"))
    homes = homes_at((0, 4), (5050, 3), (3000, 2), (990, 5))
    sites = sites_at((1000, 6, "open"))
    result = shelter.coverage(homes, sites, net, limit_min=5 * MINUTES_PER_100_M)
    assert result.demand["main_cause"].tolist() == ["no capacity", "no road", "no road", "sheltered"]
    assert causes(result) == {"sheltered": 5, "too far": 1, "no road": 5, "no capacity": 3}
    assert result.flows[["tier", "origin", "site", "people"]].to_numpy().tolist() == [
        ["sheltered", 3, 0, 5],
        ["too far", 0, 0, 1],
    ]
    assert result.flows["minutes"].tolist() == pytest.approx([0.1 * MINUTES_PER_100_M, 10 * MINUTES_PER_100_M])


def test_each_tier_keeps_what_earlier_ones_gave():
    net = street((0, 100, "open"), (100, 200, "closed"))
    homes = homes_at((10, 10))
    sites = sites_at((50, 4, "open"), (60, 3, "conditional"), (150, 2, "open"))
    result = shelter.coverage(homes, sites, net, limit_min=30)
    assert causes(result) == {"sheltered": 4, "conditional": 3, "road cut": 2, "no capacity": 1}
    assert result.demand.loc[0, "main_cause"] == "conditional"
    assert result.sites["sheltered_people"].tolist() == [4, 0, 0]
    assert result.sites["conditional_people"].tolist() == [0, 3, 0]
    assert result.sites["road_cut_people"].tolist() == [0, 0, 2]


def test_nothing_is_sheltered_over_roads_or_in_sites_that_nobody_looked_at():
    roads = gpd.GeoDataFrame(geometry=[LineString([(E0, N0), (E0 + 100, N0)])], crs=32648)
    net = network.build(roads)
    assert causes(shelter.coverage(homes_at((10, 7)), sites_at((90, 9, "open")), net, limit_min=30)) == {"place not assessed": 7}
    screened = shelter.screen(sites_at((90, 9, "open")), {})
    assert causes(shelter.coverage(homes_at((10, 7)), screened, street((0, 100, "open")), limit_min=30)) == {
        "place not assessed": 7
    }


def test_no_sites_no_homes_and_no_displaced_are_answers():
    net = street((0, 100, "open"))
    assert causes(shelter.coverage(homes_at((10, 7)), sites_at(), net, limit_min=30)) == {"no capacity": 7}
    assert causes(shelter.coverage(homes_at(), sites_at((90, 9, "open")), net, limit_min=30)) == {}
    nobody = shelter.coverage(homes_at((10, 0)), sites_at((90, 9, "open")), net, limit_min=30)
    assert nobody.demand["main_cause"].tolist() == ["nobody displaced"]


def test_areas_count_at_a_point_inside_them_and_indexes_and_columns_are_kept():
    net = street((0, 100, "open"))
    homes = homes_at((10, 7)).set_axis(["house 1"]).assign(owner="A")
    sites = sites_at((90, 9, "open")).set_axis(["school"])
    yard = sites.set_geometry([box(E0 + 80, N0 - 5, E0 + 100, N0 + 5)], crs=32648)
    result = shelter.coverage(homes, yard, net, limit_min=30)
    assert result.flows.loc[0, ["origin", "site", "people"]].tolist() == ["house 1", "school", 7]
    assert result.demand.loc["house 1", "owner"] == "A"
    assert result.sites.geometry["school"].geom_type == "Polygon"
    assert "sheltered_people" not in homes.columns


def test_the_gap_of_zones_adds_up_with_the_homes_outside_all_zones():
    net = street((0, 300, "open"))
    homes = homes_at((10, 4), (100, 5), (250, 6)).assign(people=[8, 8, 8])
    result = shelter.coverage(homes, sites_at((20, 7, "open")), net, limit_min=30)
    zones = gpd.GeoDataFrame(
        {"name": ["west", "middle"]},
        geometry=[box(E0, N0 - 9, E0 + 100, N0 + 9), box(E0 + 100, N0 - 9, E0 + 200, N0 + 9)],
        index=[3, 8],
        crs=32648,
    )
    gap = shelter.coverage_gap(result, zones)
    assert gap.index.tolist() == [3, 8, "outside all zones"]
    assert gap["people"].tolist() == [16, 0, 8]  # the home on the border counts in the first zone
    assert gap["displaced_people"].tolist() == [9, 0, 6]
    assert gap["gap_people"].tolist() == [2, 0, 6]
    assert gap["main_cause"].tolist() == ["no capacity", "nobody displaced", "no capacity"]
    assert gap[[shelter.cause_column(c) for c in shelter.CAUSES]].to_numpy().sum() == 15
    inside = shelter.coverage_gap(result, zones.set_geometry(zones.buffer(500)))
    assert inside.index.tolist() == [3, 8]
    assert isinstance(gap, gpd.GeoDataFrame)


def test_tables_that_are_not_ready_are_refused():
    net, homes, sites = street((0, 100, "open")), homes_at((10, 7)), sites_at((90, 9, "open"))
    with pytest.raises(MissingColumnError, match=r"no column 'displaced_people'; compute it with shelter.displaced"):
        shelter.coverage(homes.drop(columns="displaced_people"), sites, net, limit_min=30)
    with pytest.raises(MissingColumnError, match=r"shelter.capacity"):
        shelter.coverage(homes, sites.drop(columns="capacity_places"), net, limit_min=30)
    with pytest.raises(MissingColumnError, match=r"shelter.screen"):
        shelter.coverage(homes, sites.drop(columns="status"), net, limit_min=30)
    with pytest.raises(CrsError, match="EPSG:4326"):
        shelter.coverage(homes.to_crs(4326), sites, net, limit_min=30)
    result = shelter.coverage(homes, sites, net, limit_min=30)
    with pytest.raises(CrsError, match="not in the CRS of the homes"):
        shelter.coverage_gap(result, gpd.GeoDataFrame(geometry=[box(0, 0, 1, 1)], crs=4326))


def test_a_site_that_capacity_could_not_check_is_conditional_even_if_it_was_screened_before():
    sites = sites_at((90, 9, "open"), (95, 9, "open")).assign(unchecked=["", "toilets"])
    homes, net = homes_at((10, 12)), street((0, 100, "open"))
    assert causes(shelter.coverage(homes, sites, net, limit_min=30)) == {"sheltered": 9, "conditional": 3}


def test_homes_and_sites_without_coordinates_are_refused():
    net, homes, sites = street((0, 100, "open")), homes_at((10, 7), (20, 0)), sites_at((90, 9, "open"))
    nowhere = homes.set_geometry(gpd.points_from_xy([E0, np.nan], [N0, np.nan], crs=32648))
    with pytest.raises(InputError, match=r"1 of 2 homes have no coordinates \(the first at index 1\)"):
        shelter.coverage(nowhere, sites, net, limit_min=30)
    with pytest.raises(InputError, match="1 of 1 sites have no coordinates"):
        shelter.coverage(homes, sites.set_geometry([Point(np.nan, np.nan)], crs=32648), net, limit_min=30)


def test_a_home_that_nobody_assessed_is_not_one_where_nobody_is_displaced() -> None:
    import pandas as pd

    from hazardgeo.shelter import CAUSES, cause_column
    from hazardgeo.shelter.gap import _main_cause

    nobody = {cause_column(c): [0, 0] for c in CAUSES}
    table = pd.DataFrame({**nobody, "not_assessed_people": [5, 0]})
    assert _main_cause(table).tolist() == ["home not assessed", "nobody displaced"]
