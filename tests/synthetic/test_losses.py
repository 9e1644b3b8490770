import geopandas
import numpy as np
import pytest
import shapely

from hazardgeo.raster import Raster
from hazardgeo.synthetic.places import losses

CRS = "EPSG:32648"
X, Y = 500_000.0, 3_999_000.0
OUT = np.array([[X, Y], [X + 400, Y]])


def _line(*places):
    return shapely.LineString([(X + x, Y + y) for x, y in places])


@pytest.fixture
def roads():
    # a main road of two edges along y = 0, and a lane from (100, 0) up to (100, 100)
    shapes = [_line((0, 0), (50, 0), (100, 0)), _line((100, 0), (200, 0), (400, 0)), _line((100, 0), (100, 40), (100, 100))]
    return geopandas.GeoDataFrame({"road_id": [1, 2, 3], "name": ["main", "main", "lane"]}, geometry=shapes, crs=CRS)


@pytest.fixture
def bodies():
    box = shapely.box(X + 95, Y + 60, X + 110, Y + 70)  # over the lane between (100, 40) and (100, 100)
    return geopandas.GeoDataFrame({"body_id": [7], "kind": ["collapse"], "part": ["deposit"]}, geometry=[box], crs=CRS)


def test_only_the_edge_that_a_body_crosses_is_cut(roads, bodies):
    cut = losses.cut_edges(roads, bodies)
    assert cut[["road_id", "cause", "body_id", "length_m"]].to_numpy().tolist() == [[3, "slide", 7, 10.0]]


def test_who_lives_beyond_the_cut_is_cut_off(roads, bodies):
    homes = geopandas.GeoDataFrame(
        geometry=[shapely.Point(X + 105, Y + 95), shapely.Point(X + 105, Y + 38), shapely.Point(X + 10, Y + 5)], crs=CRS
    )
    assert losses.cut_off(roads, homes, bodies.union_all(), ways_out=OUT).tolist() == [True, False, False]


def _water(shape):
    return geopandas.GeoDataFrame({"lake_id": [1]}, geometry=[shape], crs=CRS)


def test_a_lake_cuts_the_edges_under_water_but_no_bridge_above_it(roads, bodies):
    roads = roads.assign(bridge=[False, True, False])
    pool = _water(shapely.box(X + 150, Y - 20, X + 250, Y + 20))  # under the bridge from 100 to 400
    assert losses.cut_edges(roads, bodies, pool)["road_id"].tolist() == [3]
    wide = _water(shapely.box(X + 90, Y - 20, X + 250, Y + 20))  # over the end of the bridge, the lane and the road before it
    cut = losses.cut_edges(roads, bodies, wide)
    under = cut[cut["cause"] == "lake"]
    assert under[["road_id", "kind", "part", "body_id", "length_m"]].to_numpy().tolist() == [
        [1, "lake", "water", 0, 10.0], [2, "lake", "water", 0, 150.0], [3, "lake", "water", 0, 20.0],
    ]  # fmt: skip


def test_who_lives_beyond_the_water_is_cut_off(roads):
    homes = geopandas.GeoDataFrame(geometry=[shapely.Point(X + 105, Y + 95), shapely.Point(X + 10, Y + 5)], crs=CRS)
    pool = shapely.box(X + 90, Y + 50, X + 110, Y + 60)
    assert losses.cut_off(roads, homes, shapely.Polygon(), water=pool, ways_out=OUT).tolist() == [True, False]
    assert losses.cut_off(roads, homes, shapely.Polygon(), ways_out=OUT).tolist() == [False, False]


def test_who_lives_in_the_lake_leaves_a_house_that_stands(make_grid):
    homes = _homes(["rc"] * 50, make_grid)
    grid = make_grid(1000, 1000)
    pga_g = Raster(np.full(grid.shape, 0.001, np.float32), grid, "pga", "g")
    found = losses.displaced(homes, pga_g, shapely.Polygon(), np.random.default_rng(1), water=homes.geometry.iloc[5].buffer(0.1))
    assert found["flooded"].tolist() == [i == 5 for i in range(50)]
    assert found["displaced_people"].tolist() == [4 if i == 5 else 0 for i in range(50)]
    assert set(found["damage"]) == {"none"}


def test_two_pieces_that_both_lead_out_of_the_valley_cut_nobody_off(roads):
    homes = geopandas.GeoDataFrame(geometry=[shapely.Point(X + 5, Y + 5), shapely.Point(X + 390, Y + 5)], crs=CRS)
    fall = shapely.box(X + 150, Y - 5, X + 160, Y + 5)
    assert losses.cut_off(roads, homes, fall, ways_out=OUT).tolist() == [False, False]
    assert losses.cut_off(roads, homes, fall, ways_out=OUT[:1]).tolist() == [False, True]


def test_roads_lead_out_where_they_end_on_the_edge(roads, make_grid):
    grid = make_grid(2000, 400)
    assert losses.ways_out(roads, grid).tolist() == [[X, Y], [X + 400, Y]]


def _homes(kinds, make_grid):
    points = [shapely.Point(X + 100 + i % 40, Y + 900 - i // 40) for i in range(len(kinds))]
    columns = {"household_id": range(len(kinds)), "village": "v", "structure": kinds, "building_type": kinds, "people": 4}
    return geopandas.GeoDataFrame(columns, geometry=points, crs=CRS)


def test_damage_follows_the_fragility_and_whole_households_leave(make_grid):
    homes = _homes(["adobe"] * 4000, make_grid)
    grid = make_grid(1000, 1000)
    pga_g = Raster(np.full(grid.shape, 0.26, np.float32), grid, "pga", "g")
    found = losses.displaced(homes, pga_g, shapely.Polygon(), np.random.default_rng(1))
    # Hazus URML pre-code: extensive at a median of 0.26 g, so half of the houses; moderate (0.17 g) or worse 0.746
    heavy = found["damage"].isin(["extensive", "complete"])
    assert heavy.mean() == pytest.approx(0.5, abs=0.025)
    assert (heavy | (found["damage"] == "moderate")).mean() == pytest.approx(0.7466, abs=0.025)
    assert set(found["displaced_people"].unique()) == {0, 4}
    assert (found.loc[heavy, "displaced_people"] == 4).all()
    assert (found.loc[found["damage"].isin(["none", "slight"]), "displaced_people"] == 0).all()


def test_a_house_in_a_body_is_lost_however_little_it_shook(make_grid):
    homes = _homes(["rc"] * 50, make_grid)
    grid = make_grid(1000, 1000)
    pga_g = Raster(np.full(grid.shape, 0.001, np.float32), grid, "pga", "g")
    found = losses.displaced(homes, pga_g, homes.geometry.iloc[3].buffer(0.1), np.random.default_rng(1))
    assert found["buried"].tolist() == [i == 3 for i in range(50)]
    assert found["displaced_people"].tolist() == [4 if i == 3 else 0 for i in range(50)]
