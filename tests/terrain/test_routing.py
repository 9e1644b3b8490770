"""Contributing areas where water takes one way down, two, or all."""

from __future__ import annotations

import heapq
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo import terrain
from hazardgeo.errors import InputError
from hazardgeo.terrain.flow import drained_surface

AROUND = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
ROUTINGS = ("d8", "dinf", "mfd")
FEW = settings(deadline=None, max_examples=15)


def slow_area(dem, routing, exponent=1.1):
    """Cells sorted from the highest filled level on, on flats from the farthest; shares by the definitions, with angles."""
    z = dem.values
    filled, towards = drained_surface(z, dem.grid.cell_m)
    width, height = dem.grid.cell_m
    rows, cols = z.shape
    area = np.where(np.isnan(z), np.nan, width * height)

    def level(i, j):
        return float(filled[i, j]) if 0 <= i < rows and 0 <= j < cols else math.nan

    def length(k):
        return math.hypot(AROUND[k][0] * height, AROUND[k][1] * width)

    def steps(i, j):
        found = 0
        while towards[i, j] >= 0:
            i, j = i + AROUND[towards[i, j]][0], j + AROUND[towards[i, j]][1]
            found += 1
        return found

    def shares(i, j):
        near = [level(i + a, j + b) for a, b in AROUND]
        drop = [(level(i, j) - e) / length(k) for k, e in enumerate(near)]
        if not any(d > 0 for d in drop):
            return {int(towards[i, j]): 1.0} if towards[i, j] >= 0 else {}
        if routing == "mfd":
            power = {k: d**exponent for k, d in enumerate(drop) if d > 0}
            return {k: p / sum(power.values()) for k, p in power.items()}
        best, found = 0.0, {}
        for side, corner in ((0, 1), (2, 1), (2, 3), (4, 3), (4, 5), (6, 5), (6, 7), (0, 7)):
            d1, d2 = length(side), length((side + 2) % 8)
            angle, most = None, math.atan2(d2, d1)
            if not math.isnan(near[side]) and not math.isnan(near[corner]):
                angle = math.atan2((near[side] - near[corner]) / d2, (level(i, j) - near[side]) / d1)
            if angle is not None and 0 < angle < most:
                slope, share = math.hypot((near[side] - near[corner]) / d2, drop[side]), angle / most
                ways = {side: 1 - share, corner: share}
            elif math.isnan(near[side]) or (angle is not None and angle >= most):
                slope, ways = drop[corner], {corner: 1.0}
            else:
                slope, ways = drop[side], {side: 1.0}
            if slope > best:
                best, found = slope, ways
        return found

    heap = [(-float(filled[i, j]), -steps(i, j), i, j) for i, j in np.argwhere(~np.isnan(z))]
    heapq.heapify(heap)
    while heap:
        _, _, i, j = heapq.heappop(heap)
        for k, share in shares(i, j).items():
            area[i + AROUND[k][0], j + AROUND[k][1]] += share * area[i, j]
    return area


@pytest.mark.parametrize("routing", ["dinf", "mfd"])
@FEW
@given(seed=st.integers(0, 999), rows=st.integers(1, 14), cols=st.integers(1, 14), holes=st.sampled_from([0.0, 0.1]))
def test_shared_areas_agree_with_a_slow_sum_from_the_top(rough_ground, routing, seed, rows, cols, holes):
    dem = rough_ground(rows, cols, seed, holes=holes, cell=(2.0, 3.0))
    untied = dem.values + np.random.default_rng(seed).random((rows, cols)).astype(np.float32)
    dem = dem.like(untied, "dem", "m")
    np.testing.assert_allclose(terrain.flow_accumulation(dem, routing=routing).values, slow_area(dem, routing), rtol=1e-9)


@pytest.mark.parametrize("routing", ROUTINGS)
@FEW
@given(seed=st.integers(0, 999), holes=st.sampled_from([0.0, 0.05]))
def test_the_areas_that_leave_add_up_to_the_known_area(rough_ground, routing, seed, holes):
    dem = rough_ground(20, 17, seed, holes=holes, cell=(2.0, 3.0))
    area = terrain.flow_accumulation(dem, routing=routing).values
    leaves = terrain.flow_direction(dem).values == 0
    assert area[leaves].sum() == pytest.approx(6.0 * np.count_nonzero(~np.isnan(dem.values)), rel=1e-9)


@pytest.mark.parametrize("routing", ROUTINGS)
def test_on_an_inclined_plane_the_area_grows_by_a_row_of_cells_with_each_step(surface_of, routing):
    dem, _, _ = surface_of(lambda east, north: 0.2 * north, rows=30, cols=21, cell=(2.0, 2.0))
    area = terrain.flow_accumulation(dem, routing=routing).values
    expected = 4.0 * (np.arange(30) + 1)
    tolerance = 1e-12 if routing != "mfd" else 0.02  # all ways spread to the sides, where edges have no neighbours
    np.testing.assert_allclose(area[:8, 10], expected[:8], rtol=tolerance)


def test_on_a_plane_that_falls_between_two_neighbours_d_infinity_shares_by_angle(surface_of):
    # 30 degrees from east towards south: 2/3 of the way to the diagonal, so that 1/3 goes east and 2/3 south-east.
    falls = math.radians(30)
    dem, _, _ = surface_of(lambda east, north: -0.3 * (east * math.cos(falls) - north * math.sin(falls)), rows=9, cols=9)
    area = terrain.flow_accumulation(dem, routing="dinf").values
    np.testing.assert_allclose(area[0, 0], 1.0)
    np.testing.assert_allclose(area[0, 1], 1.0 + 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(area[1, 1], 1.0 + 2 / 3 + 1 / 3, rtol=1e-6)


def test_on_a_cone_d_infinity_has_the_area_of_a_circle_over_its_circumference(surface_of):
    # Specific area of a cone is r / 2, whichever way the ground falls; D8 gathers it along eight lines instead.
    dem, east, north = surface_of(lambda east, north: 100 - 0.5 * np.hypot(east, north), rows=101, cols=101)
    r = np.maximum(np.hypot(east, north), 0.5)
    ring = (r > 25) & (r < 45)
    error = {}
    for routing in ROUTINGS:
        area = terrain.flow_accumulation(dem, routing=routing).values
        contour = np.maximum(np.abs(east), np.abs(north)) / r  # a cell's width across the flow is 1 / its larger cosine
        error[routing] = np.sqrt(np.mean((area[ring] * contour[ring] / (r[ring] / 2) - 1) ** 2))
    assert error["dinf"] < 0.5 * error["d8"]
    assert error["mfd"] < 0.5 * error["d8"]
    for routing in ("dinf", "mfd"):
        area = terrain.flow_accumulation(dem, routing=routing).values
        total = sum(area[50 + a * 40, 50 + b * 40] for a, b in ((0, 1), (1, 0), (0, -1), (-1, 0)))
        assert area[50, 90] == pytest.approx(total / 4, abs=1.0)  # the summit falls all ways alike: its cell goes one way


@pytest.mark.parametrize("routing", ROUTINGS)
def test_a_turned_surface_has_the_turned_areas(rough_ground, routing):
    dem = rough_ground(24, 24, 3, holes=0.0)
    z = dem.values + np.random.default_rng(0).random((24, 24)).astype(np.float32)  # no ties
    turned = dem.like(np.ascontiguousarray(np.rot90(z)), "dem", "m")
    filled = terrain.fill(dem.like(z, "dem", "m")).values
    area = terrain.flow_accumulation(dem.like(z, "dem", "m"), routing=routing).values
    again = terrain.flow_accumulation(turned, routing=routing).values
    if (filled == z).all():  # else flats, where the first of equal ways counts
        np.testing.assert_allclose(again, np.rot90(area), rtol=1e-9)
    else:
        assert again.max() == pytest.approx(area.max(), rel=0.2)


@pytest.mark.parametrize("routing", ROUTINGS)
def test_a_higher_datum_changes_no_area(rough_ground, routing):
    dem = rough_ground(20, 25, 8)
    higher = dem.like(dem.values + np.float32(64.0), "dem", "m")
    areas = [terrain.flow_accumulation(d, routing=routing).values for d in (dem, higher)]
    np.testing.assert_allclose(*areas, rtol=1e-12)


@pytest.mark.parametrize("routing", ROUTINGS)
@FEW
@given(seed=st.integers(0, 999))
def test_hiding_cells_lowers_areas_only_where_inflow_is_unknown(rough_ground, routing, seed):
    rng = np.random.default_rng(seed)
    z = np.add.outer(np.linspace(60, 0, 30), np.abs(np.linspace(-9, 9, 30))) + rng.random((30, 30)) * 0.05
    dem = rough_ground(30, 30).like(z.astype(np.float32), "dem", "m")
    whole = terrain.flow_accumulation(dem, routing=routing).values
    row, col = rng.integers(2, 26, 2)
    z[row : row + 2, col : col + 3] = np.nan
    holed = dem.like(z.astype(np.float32), "dem", "m")
    less = terrain.flow_accumulation(holed, routing=routing).values
    unknown = terrain.inflow_unknown(holed, routing=routing).values
    assert unknown[less < whole * (1 - 1e-9)].all()


def test_wetness_takes_the_routing_and_says_so(surface_of):
    dem, _, _ = surface_of(lambda east, north: 50 - 0.5 * np.hypot(east, north))
    for routing in ROUTINGS:
        found = terrain.wetness(dem, routing=routing)
        area, tan = terrain.flow_accumulation(dem, routing=routing), terrain.gradient(dem)
        np.testing.assert_allclose(found.values, np.log(area.values / np.maximum(tan.values, 0.001)), rtol=1e-5)
        assert found.tags["method"].endswith(area.tags["method"])


def test_a_large_exponent_sends_all_water_the_steepest_way(rough_ground):
    dem = rough_ground(25, 25, 4, holes=0.0)
    z = dem.values + np.random.default_rng(1).random((25, 25)).astype(np.float32)
    dem = dem.like(z, "dem", "m")
    many = terrain.flow_accumulation(dem, routing="mfd", exponent=3000.0).values
    np.testing.assert_allclose(np.median(many / terrain.flow_accumulation(dem).values), 1.0, rtol=1e-6)


def test_routings_that_are_none_are_refused(rough_ground):
    dem = rough_ground(4, 4)
    with pytest.raises(InputError, match="routing 'rho8' is unknown"):
        terrain.flow_accumulation(dem, routing="rho8")
    with pytest.raises(InputError, match="exponent is 0"):
        terrain.wetness(dem, routing="mfd", exponent=0.0)
