import itertools

import numpy as np
import pytest

from hazardgeo.raster import Raster
from hazardgeo.synthetic.places import grading


def _lattice(make_raster, rng: np.random.Generator) -> Raster:
    return make_raster((1800 + 6 * rng.random((30, 30))).tolist(), cell=2.0)


def _slow(lines, grades, roads_z):
    """Both envelopes by Floyd and Warshall over all vertices."""
    nodes = sorted({tuple(v) for line in lines for v in line.tolist()})
    at = {v: i for i, v in enumerate(nodes)}
    way = np.full((len(nodes), len(nodes)), np.inf)
    np.fill_diagonal(way, 0)
    for line, grade in zip(lines, grades, strict=True):
        for a, b in itertools.pairwise(map(tuple, line.tolist())):
            way[at[a], at[b]] = way[at[b], at[a]] = min(way[at[a], at[b]], grade * np.hypot(a[0] - b[0], a[1] - b[1]))
    for a, b in itertools.combinations(nodes, 2):  # neighbours on the ground have one level too
        if np.hypot(a[0] - b[0], a[1] - b[1]) <= 7.0:
            way[at[a], at[b]] = way[at[b], at[a]] = min(way[at[a], at[b]], 0.135 * np.hypot(a[0] - b[0], a[1] - b[1]))
    for k in range(len(nodes)):
        way = np.minimum(way, way[:, k : k + 1] + way[k : k + 1])
    z = np.array([roads_z[v] for v in nodes])
    low, high = (z[None] + way).min(axis=1), (z[None] - way).max(axis=1)
    return {v: 0.5 * low[i] + 0.5 * high[i] for v, i in at.items()}


def test_levels_are_the_blend_of_both_envelopes_over_the_whole_network(make_raster):
    rng = np.random.default_rng(3)
    ground = _lattice(make_raster, rng)
    west, south, _, _ = ground.grid.bounds
    x = np.arange(4.0, 56.0, 4.0)
    one = np.column_stack([west + x, np.full(len(x), south + 30.0)])
    other = np.column_stack([np.full(len(x), west + 28.0), south + x + 2.0])  # they meet in (28, 30)
    from hazardgeo.raster import sample_xy

    z = {tuple(v): float(sample_xy(ground, v[:1], v[1:], how="bilinear")[0]) for line in (one, other) for v in line}
    expected = _slow([one, other], [0.10, 0.13], z)
    made = grading.levels([one, other], [0.10, 0.13], ground)
    for line, grade, found in zip((one, other), (0.10, 0.13), made, strict=True):
        np.testing.assert_allclose(found, [expected[tuple(v)] for v in line.tolist()], atol=1e-9)
        assert np.abs(np.diff(found) / 4.0).max() <= grade + 1e-9


def test_no_other_level_of_this_grade_lies_nearer_to_the_ground(make_raster):
    """The greatest distance from the ground, against the least possible: half of what two stations lack to be joined."""
    rng = np.random.default_rng(5)
    ground = _lattice(make_raster, rng)
    west, south, _, _ = ground.grid.bounds
    line = np.column_stack([west + np.arange(2.0, 58.0, 8.0), np.full(7, south + 31.0)])
    from hazardgeo.raster import sample_xy

    z = sample_xy(ground, *line.T, how="bilinear").astype(float)
    lack = [abs(z[i] - z[j]) - 0.1 * 8.0 * abs(i - j) for i in range(7) for j in range(7)]
    (found,) = grading.levels([line], [0.1], ground)
    assert np.abs(found - z).max() == pytest.approx(max(lack) / 2, abs=1e-6)


def test_a_bridge_is_level_and_leaves_the_ground_under_it_alone(make_raster):
    z = 1800 + np.where(np.abs(np.arange(30) - 14.5) < 5, -9.0, 0.0) + 0.02 * np.arange(30)
    ground = make_raster(z[None].repeat(10, 0).tolist(), cell=2.0)
    west, south, _, _ = ground.grid.bounds
    x = np.arange(2.0, 59.0, 4.0)
    lines = [np.column_stack([west + part, np.full(len(part), south + 10.0)]) for part in (x[:4], x[3:11], x[10:])]
    left, deck, right = grading.levels(lines, [0.13, 0.0, 0.13], ground)
    assert deck[0] == pytest.approx(deck[-1]) == pytest.approx(left[-1]) == pytest.approx(right[0])
    assert abs(deck[0] - 1800.3) < 0.5


def test_the_bench_is_level_across_and_its_sides_are_no_steeper_than_loess_and_fill(make_raster):
    slope = make_raster((1800 + 0.5 * 2.0 * np.arange(40))[None].repeat(20, 0).tolist(), cell=2.0)
    west, south, _, _ = slope.grid.bounds
    line = np.column_stack([np.full(10, west + 40.0), south + np.linspace(1, 39, 10)])
    height = np.full(10, 1820.0)
    made = grading.benched(slope.values.astype(float), slope.grid, [line], [height])
    east, _ = slope.grid.centres()
    on_bench = np.abs(east - line[0, 0]) <= 3.2
    assert made[10, on_bench] == pytest.approx(1820.0)
    rise = np.diff(made[10]) / 2.0
    assert rise.max() <= 1.73 + 1e-9
    assert made[10, 0] == slope.values[10, 0]


def test_dense_keeps_all_vertices_and_leaves_no_long_piece():
    line = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 3.0]])
    found = grading.dense(line, step_m=4.0)
    assert np.hypot(*np.diff(found, axis=0).T).max() <= 4.0
    assert {(0.0, 0.0), (10.0, 0.0), (10.0, 3.0)} <= set(map(tuple, found.tolist()))
