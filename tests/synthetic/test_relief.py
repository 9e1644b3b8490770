import math

import numpy as np
import pytest

from hazardgeo.raster import Raster
from hazardgeo.synthetic.ground.channels import along_line, carved
from hazardgeo.synthetic.ground.relief import relief
from hazardgeo.synthetic.layout import layout
from hazardgeo.terrain import fill

SEEDS = (1, 2, 3, 4, 5, 11)


@pytest.fixture(scope="module", params=SEEDS)
def ground(request):
    streams = np.random.default_rng(request.param).spawn(2)
    plan = layout("small", streams[0])
    return plan, relief(plan, streams[1])


def _falls(z: np.ndarray, cell_m: float, steepness: float) -> np.ndarray:
    """Row, column and height of every run of steps down one column of cells that are all steeper than `steepness`."""
    found = []
    down = np.diff(z, axis=0)
    for col in range(z.shape[1]):
        start = None
        for row, step in enumerate([*down[:, col], 0.0]):
            steep = abs(step) > steepness * cell_m
            if start is not None and (not steep or np.sign(step) != np.sign(down[start, col])):
                found.append((start, col, abs(z[row, col] - z[start, col])))
                start = None
            if start is None and steep:
                start = row
    return np.array(found)


def _across(plan, falls: np.ndarray) -> np.ndarray:
    east, north = plan.grid.centres()
    return plan.across(east[falls[:, 1].astype(int)], north[falls[:, 0].astype(int)])


def test_gullies_drain(ground):
    plan, form = ground
    raised = fill(Raster(form.elevation_m - form.elevation_m.min(), plan.grid, "ground", "m")).values
    raised -= form.elevation_m - form.elevation_m.min()
    reaches = form.channels.reaches
    points = np.vstack([reaches[:, :2], reaches[:, 3:5], (reaches[:, :2] + reaches[:, 3:5]) / 2])
    row, col = plan.grid.rowcol(points[:, 0], points[:, 1])
    inside = (row >= 0) & (row < plan.grid.shape[0]) & (col >= 0) & (col < plan.grid.shape[1])
    along = raised[row[inside], col[inside]]

    assert inside.sum() > 1500
    assert np.mean(along < 0.05) > 0.88  # the rest are shallow hollows where gullies leave the slope
    assert along.max() < 0.45
    assert (reaches[:, 2] > reaches[:, 5]).mean() > 0.99  # beds fall


def test_gullies_end_in_headcuts(ground):
    plan, form = ground
    heads = form.channels.reaches[form.channels.head]
    back = heads[:, :2] - heads[:, 3:5]
    above = heads[:, :2] + 14.0 * back / np.hypot(*back.T)[:, None]
    row, col = plan.grid.rowcol(above[:, 0], above[:, 1])
    inside = (row >= 0) & (row < plan.grid.shape[0]) & (col >= 0) & (col < plan.grid.shape[1])
    step = form.elevation_m[row[inside], col[inside]] - heads[inside, 2]

    assert inside.sum() > 20
    assert np.quantile(step, 0.1) > 3.5
    assert 6.0 < np.median(step) < 20.0


def test_terraces_have_risers_of_two_to_five_metres(ground):
    plan, form = ground
    falls = _falls(form.elevation_m, plan.cell_m, 0.7)
    across = _across(plan, falls)
    heights = falls[(across > 1.1 * plan.floor_m) & (across < 0.9 * plan.foot_m), 2]

    assert len(heights) > 1500
    assert 2.0 < np.median(heights) < 5.0
    assert np.mean((heights > 1.4) & (heights < 5.0)) > 0.7  # the others are walls of gullies


def test_cliffs_are_five_to_forty_metres_high(ground):
    plan, form = ground
    falls = _falls(form.elevation_m, plan.cell_m, math.tan(math.radians(56)))
    heights = falls[_across(plan, falls) > plan.floor_m, 2]

    assert (heights > 5.0).sum() > 200
    assert ((heights > 15.0) & (heights < 40.0)).sum() > 50
    assert np.quantile(heights, 0.98) < 45.0  # a few more where a gully cuts through the scarp


def test_the_platform_is_gentle_between_scarp_and_slope(ground):
    plan, form = ground
    east, north = np.meshgrid(*plan.grid.centres())
    across = plan.across(east, north)
    by_row, by_col = np.gradient(form.elevation_m, plan.cell_m)
    dip = np.degrees(np.arctan(np.hypot(by_row, by_col)))
    middle = plan.bench(east) == 1.0
    platform = dip[middle & (np.abs(across - plan.foot_m + 0.5 * plan.bench_m) < 0.2 * plan.bench_m)]
    scarp = np.where(middle & (np.abs(across - plan.edge_m) < 2 * plan.scarp_m), dip, 0.0).max(axis=0)

    assert np.median(platform) < 6.0
    assert np.median(scarp[scarp > 0]) > 50.0  # every column of cells meets a cliff


def test_the_river_flows_east_and_is_the_lowest_ground_around_it(ground):
    plan, form = ground
    line = plan.river[(plan.river[:, 0] > plan.grid.bounds[0] + 5) & (plan.river[:, 0] < plan.grid.bounds[2] - 5)]
    row, col = plan.grid.rowcol(line[:, 0], line[:, 1])
    bed = form.elevation_m[row, col]
    aside = form.elevation_m[row - round(30 / plan.cell_m), col]

    assert (np.diff(bed) <= 0.02).all()
    assert bed[0] - bed[-1] == pytest.approx(0.008 * (line[-1, 0] - line[0, 0]), abs=0.1)
    assert (aside > bed + 1.0).all()


def test_a_carved_gully_has_the_bed_and_walls_of_its_formula(make_grid):
    grid = make_grid(61, 61)
    line = np.array([[500_030.5, 4_000_010.0], [500_030.5, 3_999_900.0]])  # due south through the middle column
    plain = np.full(grid.shape, 50.0)
    cut = carved(
        plain, grid, along_line(line, np.array([42.0, 42.0]), half_width_m=1.0), depth_m=20.0, ragged=np.zeros(grid.shape)
    )

    # bed to 1 m; talus of 0.75 for 4 m (3 m up), then 2.75 a metre
    np.testing.assert_allclose(cut[30, 30:38], [42.0, 42.0, 42.75, 43.5, 44.25, 45.0, 47.75, 50.0])
    np.testing.assert_allclose(cut[30, 22:31], cut[30, 38:29:-1])
    assert (plain == 50.0).all()


def test_the_full_valley_is_four_kilometres_in_cells_of_one_metre():
    assert layout("full", np.random.default_rng(1)).grid.shape == (4000, 4000)
    assert layout("small", np.random.default_rng(1)).grid.shape == (500, 500)


def test_the_same_seed_gives_the_same_ground_and_another_seed_another():
    def made(seed: int) -> np.ndarray:
        streams = np.random.default_rng(seed).spawn(2)
        return relief(layout("small", streams[0]), streams[1]).elevation_m

    first = made(5)
    np.testing.assert_array_equal(first, made(5))
    assert np.abs(first - made(6)).max() > 10.0
