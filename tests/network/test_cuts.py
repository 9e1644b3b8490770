import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Point, Polygon, box

from hazardgeo import levels as lv
from hazardgeo import network
from hazardgeo.errors import CrsError, InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

E0, N0 = 500_000.0, 4_000_000.0
LOW, MISSING, OUTSIDE, MASKED = (1, 1), (0, 0), (0, 2), (0, 3)


def levels_of(make_grid, cells, cell=10.0):
    """Levels from rows of (level, state)."""
    array = np.array(cells, np.uint8)
    grid = make_grid(*array.shape[:2], cell=cell)
    return lv.Levels(
        lv.level_raster(array[..., 0].copy(), grid, "level"),
        lv.state_raster(array[..., 1].copy(), grid, "state"),
        lv.single("x", array[..., 0], array[..., 1], grid).reason,
    )


PLAIN_GRID = Grid.from_bounds((E0 - 100, N0 - 100, E0 + 100, N0 + 100), cell=10, crs=32648)
PLAIN = Raster(np.zeros(PLAIN_GRID.shape, np.float32), PLAIN_GRID, "elevation", "m")


def net_of(*lines, dem=PLAIN):
    geometry = [LineString([(E0 + x, N0 - y) for x, y in line]) for line in lines]
    return network.build(gpd.GeoDataFrame(geometry=geometry, crs=32648), dem=dem)


def only(net):
    assert len(net.edges) == 1
    return net.edges.loc[0, ["status", "reason"]].tolist()


def test_a_network_that_nobody_looked_at_is_unknown_throughout():
    net = net_of([(5, 5), (35, 5)])
    assert only(net) == only(network.cut(net, {})) == ["unknown", "no hazard layer was given"]


@pytest.mark.parametrize(
    ("cell", "status", "words"),
    [
        ((1, 1), "open", "low"),
        ((2, 1), "open", "moderate"),
        ((3, 1), "conditional", "high"),
        ((4, 1), "conditional", "very high"),
        (MASKED, "conditional", "masked by the model"),
        ((3, 3), "conditional", "at least high, masked by the model"),
        (OUTSIDE, "unknown", "outside the model's range"),
        (MISSING, "unknown", "input missing"),
        ((4, 0), "unknown", "at least very high, input missing"),
        ((0, 1), "unknown", "not assessed"),
    ],
)
def test_every_kind_of_cell_has_its_status(make_grid, cell, status, words):
    hazard = levels_of(make_grid, [[LOW, cell, LOW, LOW]])
    assert only(network.cut(net_of([(5, 5), (35, 5)]), {"landslide": hazard})) == [status, f"landslide: {words}"]


def test_a_road_that_leaves_the_map_is_unknown(make_grid):
    hazard = levels_of(make_grid, [[LOW] * 4])
    status, reason = only(network.cut(net_of([(5, 5), (45, 5)]), {"landslide": hazard}))
    assert (status, reason) == ("unknown", "landslide: outside the hazard map")


def test_a_cell_that_is_touched_at_a_corner_only_is_read(make_grid):
    hazard = levels_of(make_grid, [[LOW, (3, 1)], [LOW, LOW]])
    clipped = net_of([(1, 1), (19, 19)])  # passes the corner common to all four cells
    assert only(network.cut(clipped, {"a": hazard}))[0] == "conditional"
    along = net_of([(10, 1), (10, 9)])  # on the edge between a low and a high cell
    assert only(network.cut(along, {"a": hazard}))[0] == "conditional"
    narrow = net_of([(9.2, 0.9), (10.01, 0.1)])
    assert only(network.cut(narrow, {"a": hazard}))[0] == "conditional"


def test_mapped_bodies_close_and_the_gravest_finding_wins(make_grid):
    hazard = levels_of(make_grid, [[LOW, MISSING, LOW, LOW]])
    body = gpd.GeoDataFrame(geometry=[box(E0 + 30, N0 - 10, E0 + 40, N0)], crs=32648)
    net = network.cut(net_of([(1, 5), (5, 5)], [(12, 5), (18, 5)], [(15, 3), (35, 3)]), {"landslide": hazard, "slide": body})
    assert net.edges["status"].tolist() == ["open", "unknown", "closed"]
    assert net.edges["reason"].tolist() == [
        "landslide: low; slide: none mapped here",
        "landslide: input missing",
        "slide: mapped here",
    ]


def test_mapped_bodies_alone_open_no_road():
    body = gpd.GeoDataFrame(geometry=[box(E0 + 30, N0 - 10, E0 + 40, N0)], crs=32648)
    net = network.cut(net_of([(1, 5), (5, 5)], [(15, 3), (35, 3)]), {"slide": body})
    assert net.edges["status"].tolist() == ["unknown", "closed"]
    assert net.edges["reason"].tolist() == ["hazard level: no layer was given", "slide: mapped here"]


def test_a_hazard_that_could_not_be_computed_leaves_nothing_open(make_grid):
    hazard = levels_of(make_grid, [[LOW] * 4])
    status, reason = only(network.cut(net_of([(5, 5), (35, 5)]), {"landslide": hazard, "flood": None}))
    assert (status, reason) == ("unknown", "flood: no layer was given")


def test_a_road_whose_slope_is_unknown_is_conditional_at_best(make_grid):
    hazard = levels_of(make_grid, [[LOW, LOW, (3, 1), MISSING]])
    high = PLAIN.values.copy()
    high[:, 11:12] = np.nan  # 10 to 20 m east of the corner
    lines = [(1, 5), (4, 5)], [(6, 5), (18, 5)], [(15, 4), (25, 4)], [(15, 6), (35, 6)]
    holed = network.cut(net_of(*lines, dem=PLAIN.like(high, "elevation", "m")), {"landslide": hazard})
    assert holed.edges["slope_known"].tolist() == [True, False, False, False]
    assert holed.edges["status"].tolist() == ["open", "conditional", "conditional", "unknown"]
    assert holed.edges["reason"].tolist() == [
        "landslide: low",
        "slope unknown: no elevation",
        "landslide: high; slope unknown: no elevation",
        "landslide: input missing",
    ]


def test_without_an_elevation_model_no_road_is_open(make_grid):
    net = net_of([(1, 5), (4, 5)], dem=None)
    assert only(network.cut(net, {"landslide": levels_of(make_grid, [[LOW] * 4])})) == [
        "conditional",
        "slope unknown: no elevation",
    ]


def test_the_network_given_is_not_changed(make_grid):
    net = net_of([(5, 5), (35, 5)])
    before = net.edges.copy()
    network.cut(net, {"landslide": levels_of(make_grid, [[LOW] * 4])})
    assert net.edges.equals(before)


CELLS = st.sampled_from([(1, 1), (2, 1), (3, 1), (4, 1), (0, 0), (0, 2), (0, 3), (3, 3), (2, 0)])


@settings(deadline=None, max_examples=60)
@given(
    cells=st.lists(CELLS, min_size=16, max_size=16),
    ends=st.tuples(*[st.floats(0, 40) for _ in range(4)]),
)
def test_a_road_is_open_only_where_all_cells_that_it_meets_are_assessed_below_high(cells, ends):
    x0, y0, x1, y1 = ends
    if np.hypot(x1 - x0, y1 - y0) < 1.0:
        return
    hazard = levels_of(lambda r, c, cell: Grid(Affine(cell, 0, E0, 0, -cell, N0), (r, c), 32648), np.reshape(cells, (4, 4, 2)))
    net = net_of([(x0, y0), (x1, y1)])
    line = net.edges.geometry[0]
    met = [
        cells[4 * row + col]
        for row in range(4)
        for col in range(4)
        if line.intersects(box(E0 + 10 * col, N0 - 10 * row - 10, E0 + 10 * col + 10, N0 - 10 * row).buffer(-1e-4))
    ]
    if only(network.cut(net, {"a": hazard}))[0] == "open":
        assert all(cell in ((1, 1), (2, 1)) for cell in met)


@pytest.mark.parametrize(
    ("bodies", "error", "match"),
    [
        (gpd.GeoDataFrame(geometry=[Point(E0, N0)], crs=32648), InputError, "must be polygons"),
        (gpd.GeoDataFrame(geometry=[Polygon()], crs=32648), InputError, "none may be empty"),
        (gpd.GeoDataFrame(geometry=[None], crs=32648), InputError, "none may be empty"),
        (gpd.GeoDataFrame(geometry=[box(0, 0, 1, 1)]), CrsError, "need a CRS"),
        (gpd.GeoDataFrame(geometry=[box(0, 0, 1, 1)], crs=4326), CrsError, "EPSG:4326"),
    ],
)
def test_hazard_bodies_that_cannot_be_judged_are_refused(bodies, error, match):
    with pytest.raises(error, match=match):
        network.cut(net_of([(5, 5), (35, 5)]), {"slide": bodies})


def test_levels_in_another_crs_are_refused(make_grid):
    grid = make_grid(4, 4, crs=32647)
    with pytest.raises(CrsError, match="EPSG:32647"):
        network.cut(net_of([(5, 5), (35, 5)]), {"landslide": lv.not_assessed("landslide", grid)})
