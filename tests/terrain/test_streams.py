"""Channels through dams, streams, heights above them, catchments and longest ways."""

from __future__ import annotations

import itertools
import math

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo import terrain
from hazardgeo.errors import CrsError, InputError

STEP = {1: (0, 1), 2: (1, 1), 4: (1, 0), 8: (1, -1), 16: (0, -1), 32: (-1, -1), 64: (-1, 0), 128: (-1, 1)}
FEW = settings(deadline=None, max_examples=25)
# A valley that falls south between slopes; a side valley comes in from the west in row 3.
VALLEY = [
    [19, 17, 15, 10, 15, 17, 19],
    [18, 16, 14, 9, 14, 16, 18],
    [17, 15, 13, 8, 13, 15, 17],
    [12, 11, 10, 7, 12, 14, 16],
    [17, 15, 11, 6, 11, 13, 15],
    [18, 16, 10, 5, 10, 12, 14],
]


def way_down(codes, cell):
    """The cells from one down to where water leaves."""
    found = [cell]
    while codes[found[-1]] not in {0, 255}:
        row, col = STEP[int(codes[found[-1]])]
        found.append((found[-1][0] + row, found[-1][1] + col))
    return found


def points(dem, *cells):
    east, north = dem.grid.centres()
    return geopandas.GeoDataFrame(geometry=[shapely.Point(east[col], north[row]) for row, col in cells], crs=dem.grid.crs)


@pytest.fixture
def valley(rough_ground):
    return rough_ground(6, 7, cell=(10.0, 10.0)).like(np.array(VALLEY, np.float32), "dem", "m")


def test_a_dam_is_cut_level_with_the_lowest_cell_above_it(rough_ground):
    z = np.full((5, 9), 20.0, np.float32)
    z[2] = [20, 8, 7, 5, 12, 13, 4, 3, 2]
    found = terrain.breach(rough_ground(5, 9).like(z, "dem", "m"))
    assert found.values[2].tolist() == [20, 8, 7, 5, 5, 5, 4, 3, 2]
    assert (found.values[[0, 1, 3, 4]] == 20).all()


@pytest.mark.parametrize("limit", [{"max_depth_m": 7.9}, {"max_length_m": 2.9}])
def test_what_is_beyond_the_limits_is_filled(rough_ground, limit):
    z = np.full((5, 9), 20.0, np.float32)
    z[2] = [20, 8, 7, 5, 12, 13, 4, 3, 2]
    dem = rough_ground(5, 9).like(z, "dem", "m")
    np.testing.assert_array_equal(terrain.breach(dem, **limit).values, terrain.fill(dem).values)
    name, most = next(iter(limit.items()))
    wider = terrain.breach(dem, **{name: most + 0.1})
    assert wider.values[2, 4] == 5
    assert wider.tags[name] == f"{most + 0.1:g}"


@FEW
@given(seed=st.integers(0, 9999), rows=st.integers(1, 25), cols=st.integers(1, 25), holes=st.sampled_from([0.0, 0.05]))
def test_without_limits_no_depression_is_left_and_no_cell_rises(rough_ground, seed, rows, cols, holes):
    dem = rough_ground(rows, cols, seed, holes=holes)
    found = terrain.breach(dem)
    assert not (found.values > dem.values).any()
    np.testing.assert_array_equal(terrain.fill(found).values, found.values)
    np.testing.assert_array_equal(np.isnan(found.values), np.isnan(dem.values))
    some = terrain.breach(dem, max_depth_m=1.0, max_length_m=3.0)
    np.testing.assert_array_equal(terrain.fill(some).values, some.values)
    assert np.nanmin(some.values - dem.values, initial=0) >= -1.0


def test_streams_of_a_valley_join_where_the_side_valley_comes_in(valley):
    found = terrain.streams(valley, min_area_m2=400.0)
    assert found.crs == valley.grid.crs
    area = terrain.flow_accumulation(valley).values
    main = found.loc[found.upstream_area_m2.idxmax()]
    assert main.downstream == 0
    assert main.upstream_area_m2 == area[4, 3]  # above the outlet, where a stream from the east comes in too
    assert main.order == 2
    above = found[found.downstream == main.stream]
    assert sorted(above.upstream_area_m2) == [area[3, 2], area[2, 3]]
    assert (above.order == 1).all()
    east, north = valley.grid.centres()
    for line in above.geometry:
        assert line.coords[-1] == main.geometry.coords[0]
    assert main.geometry.coords[-1] == (east[3], north[5])
    assert found.length_m.tolist() == found.geometry.length.tolist()
    assert main.inflow_unknown


@FEW
@given(seed=st.integers(0, 9999), size=st.integers(1, 25), cells=st.integers(1, 20))
def test_streams_cover_the_cells_above_the_area_and_orders_follow_from_those_above(rough_ground, seed, size, cells):
    dem = rough_ground(size, 20, seed, cell=(2.0, 3.0))
    area, codes = terrain.flow_accumulation(dem).values, terrain.flow_direction(dem).values
    found = terrain.streams(dem, min_area_m2=6.0 * cells).set_index("stream")
    ways = {(i, j) for i, j in np.argwhere(area >= 6.0 * cells - 1e-9) if codes[i, j] != 0}
    assert sum(len(line.coords) - 1 for line in found.geometry) == len(ways)
    for number, line in found.iterrows():
        above = sorted(found.order[found.downstream == number], reverse=True)
        expected = 1 if not above else above[0] + (above[:2].count(above[0]) > 1)
        assert line.order == expected
        below = line.downstream
        assert below == 0 or found.upstream_area_m2[below] > line.upstream_area_m2


@FEW
@given(seed=st.integers(0, 9999), holes=st.sampled_from([0.0, 0.03]), cells=st.integers(2, 60))
def test_height_above_drainage_is_that_above_the_first_stream_on_the_way_down(rough_ground, seed, holes, cells):
    dem = rough_ground(22, 19, seed, holes=holes)
    found = terrain.height_above_drainage(dem, min_area_m2=float(cells)).values
    codes, filled = terrain.flow_direction(dem).values, terrain.fill(dem).values
    stream, unseen = terrain.flow_accumulation(dem).values >= cells, terrain.inflow_unknown(dem).values
    for cell in zip(*np.nonzero(~np.isnan(dem.values)), strict=True):
        way = way_down(codes, (int(cell[0]), int(cell[1])))
        first = next((c for c in way if stream[c] or unseen[c]), None)
        expected = dem.values[cell] - filled[first] if first is not None and stream[first] else math.nan
        np.testing.assert_equal(found[cell], np.float32(expected))
    assert np.isnan(found[np.isnan(dem.values)]).all()


def test_height_above_given_streams_is_unknown_only_where_water_leaves_without_one(valley):
    line = geopandas.GeoDataFrame(
        geometry=[shapely.LineString(points(valley, (3, 3), (5, 3)).geometry.tolist())], crs=valley.grid.crs
    )
    found = terrain.height_above_drainage(valley, streams=line)
    assert found.values[3:, 3].tolist() == [0, 0, 0]
    assert found.values[1, 3] == 2  # 9 m above the stream at 7 m
    mask = valley.like(valley.values == 7, "stream", "1")
    masked = terrain.height_above_drainage(valley, streams=mask).values
    assert masked[1, 3] == 2
    assert np.isnan(masked[5, 3])  # leaves without a stream


def test_catchments_of_outlets_above_one_another_are_apart(valley):
    found = terrain.catchment(valley, points(valley, (5, 3), (2, 3)))
    codes = terrain.flow_direction(valley).values
    for cell in np.ndindex(*found.values.shape):
        way = way_down(codes, cell)
        expected = 2 if (2, 3) in way else (1 if (5, 3) in way else 0)
        assert found.values[cell] == expected


def test_an_outlet_beside_a_stream_is_moved_into_it(valley):
    beside = terrain.catchment(valley, points(valley, (4, 4)))
    moved = terrain.catchment(valley, points(valley, (4, 4)), snap_m=11.0)
    assert np.count_nonzero(beside.values) < np.count_nonzero(moved.values)
    np.testing.assert_array_equal(moved.values, terrain.catchment(valley, points(valley, (4, 3))).values)


@FEW
@given(seed=st.integers(0, 9999), row=st.integers(0, 14), col=st.integers(0, 11))
def test_the_longest_flow_path_is_the_longest_of_all_ways_to_the_outlet(rough_ground, seed, row, col):
    dem = rough_ground(15, 12, seed, holes=0.0, cell=(2.0, 3.0))
    codes = terrain.flow_direction(dem).values
    longest = 0.0
    for cell in np.ndindex(15, 12):
        way = way_down(codes, cell)
        if (row, col) in way:
            way = way[: way.index((row, col)) + 1]
            steps = [(3.0 * (a[0] - b[0]), 2.0 * (a[1] - b[1])) for a, b in itertools.pairwise(way)]
            longest = max(longest, sum(math.hypot(*s) for s in steps))
    found = terrain.longest_flow_path(dem, points(dem, (row, col)))
    assert found.length_m[0] == pytest.approx(longest)
    assert found.geometry[0].length == pytest.approx(longest)
    if longest:
        assert found.geometry[0].coords[-1] == points(dem, (row, col)).geometry[0].coords[0]


def test_wrong_outlets_streams_and_limits_are_refused(valley):
    with pytest.raises(InputError, match=r"outlet 0 .* outside the known cells"):
        terrain.catchment(valley, points(valley, (0, 0)).translate(-100).to_frame("geometry"))
    with pytest.raises(InputError, match="outlets 0, 1 lie in one cell"):
        terrain.catchment(valley, points(valley, (2, 3), (2, 3)))
    with pytest.raises(CrsError, match="project them first"):
        terrain.longest_flow_path(valley, points(valley, (2, 3)).to_crs(4326))
    with pytest.raises(InputError, match="must be points"):
        terrain.catchment(valley, points(valley, (2, 3)).buffer(1).to_frame("geometry"))
    with pytest.raises(InputError, match="either min_area_m2 or streams"):
        terrain.height_above_drainage(valley)
    with pytest.raises(InputError, match="min_area_m2 is 0"):
        terrain.streams(valley, min_area_m2=0.0)
    with pytest.raises(InputError, match="not a mask"):
        terrain.height_above_drainage(valley, streams=valley)
    with pytest.raises(InputError, match="max_depth_m is 0"):
        terrain.breach(valley, max_depth_m=0.0)


def test_ground_without_a_stream_or_an_outlet_gives_nothing(valley):
    assert len(terrain.streams(valley, min_area_m2=1e9)) == 0
    assert np.isnan(terrain.height_above_drainage(valley, min_area_m2=1e9).values).all()
    none = points(valley)
    assert not terrain.catchment(valley, none.set_crs(valley.grid.crs)).values.any()
