from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo import scan
from hazardgeo.cloud import PointCloud
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.scan import ground, relief
from hazardgeo.scan.lowest import lowest_of_cells

NAMES = ("lowest", "east", "north")


def scattered(seed, shape, height, *, density=1.5):
    """Points at random places over `shape` cells of 1 m; their heights are those of `height(x, y)`."""
    rng = np.random.default_rng(seed)
    count = int(density * shape[0] * shape[1])
    x, y = rng.uniform(0, shape[1], count), rng.uniform(0, shape[0], count)
    z = height(x, y) + rng.normal(0, 0.03, count)
    return PointCloud(np.column_stack([500_000 + x, 4_000_000 + y, z]), 32648)


def test_the_lowest_point_of_a_cell_has_its_place_and_ties_go_west_then_south():
    grid = Grid(Affine(2, 0, 0, 0, -2, 4), (2, 1), 32648)
    xyz = np.array([[0.5, 3.5, 7.0], [1.5, 3.0, 5.0], [0.5, 2.25, 5.0], [0.5, 2.5, 5.0]])
    found = lowest_of_cells(xyz, np.ones(len(xyz), bool), grid)
    np.testing.assert_array_equal(found[:, 0, 0], [5.0, -0.5, -0.75])
    assert np.isnan(found[:, 1, 0]).all()


def slow_plane(inside):
    """Middle and rise of the least-squares plane by another solver, None where there is none."""
    if len(inside) < 4:
        return None
    spread = np.cov(inside[:, :2].T, bias=True)
    if np.linalg.det(spread) <= 0.1 * (np.trace(spread) / 2) ** 2:
        return None
    middle = inside.mean(axis=0)
    fit = np.linalg.lstsq(inside[:, :2] - middle[:2], inside[:, 2] - middle[2], rcond=None)[0]
    left = inside[:, 2] - middle[2] - (inside[:, :2] - middle[:2]) @ fit
    return (middle, fit) if np.sqrt((left**2).sum() / (len(inside) - 3)) <= 0.3 else None


def near(cells, at, reach):
    return [c for c in sorted(cells) if abs(c[0] - at[0]) <= reach and abs(c[1] - at[1]) <= reach]


def slowly_regrown(kind, points, cell_m):
    """Ground grown window by window with lists of points, and ridges counted cell by cell."""
    place = {
        (i, j): np.array([j * cell_m + points[1, i, j], -i * cell_m + points[2, i, j], points[0, i, j]], np.float64)
        for i, j in np.argwhere(kind >= 0)
    }
    on = {cell for cell in place if kind[cell] == relief.BARE}
    reach, box = max(1, round(3.0 / cell_m)), round(4.0 / cell_m)
    for _ in range(8):
        planes = {at: slow_plane(np.array([place[c] for c in near(on, at, reach)])) for at in np.ndindex(kind.shape)}
        new = set()
        for (i, j), point in place.items():
            beside = [planes.get((i + a, j + b)) for a in (-reach, 0, reach) for b in (-reach, 0, reach)]
            off = [abs(point[2] - p[0][2] - (point[:2] - p[0][:2]) @ p[1]) for p in beside if p is not None]
            if off and min(off) <= 0.4:
                new.add((i, j))
        on |= new
    doubtful = {c for c in place if c not in on and kind[c] == relief.RIDGE}
    on |= {c for c in doubtful if len(near(doubtful, c, box)) >= 0.3 * len(near(place, c, box))}
    out = np.zeros(kind.shape, bool)
    out[tuple(np.array(sorted(on), int).reshape(-1, 2).T)] = True
    return out


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 9999), cell_m=st.sampled_from([1.0, 1.5]))
def test_ground_grows_as_least_squares_window_by_window_say(seed, cell_m):
    rng = np.random.default_rng(seed)
    shape = (13, 16)
    i, j = np.indices(shape)
    z = 1800 + 0.3 * j - 0.2 * i + np.where(j > 8, 3.0, 0.0) + rng.normal(0, 0.25, shape)
    points = np.stack([z, *rng.uniform(-0.5, 0.5, (2, *shape)) * cell_m]).astype(np.float32)
    kind = rng.choice([0, 1, 2, np.nan], shape, p=[0.3, 0.2, 0.3, 0.2]).astype(np.float32)
    np.testing.assert_array_equal(relief.regrown(kind, points, cell_m), slowly_regrown(kind, points, cell_m))


def test_a_terrace_is_ground_up_to_its_winding_edge_and_its_bushes_are_not():
    def height(x, y):
        return 1800 + 0.05 * x + np.where(y > 30 + 6 * np.sin(x / 6), 4.0, 0.0)

    cloud = scattered(1, (70, 90), height)
    bushes = cloud.xyz[::40] + np.array([0, 0, 1.5])
    both = PointCloud(np.vstack([cloud.xyz, bushes]), cloud.crs)
    codes = scan.classify_ground(both).attributes["classification"]
    assert (codes[: len(cloud)] == 2).mean() > 0.99
    assert (codes[len(cloud) :] == 1).mean() > 0.95


def test_a_ridge_with_flanks_of_forty_degrees_is_ground():
    cloud = scattered(2, (80, 80), lambda x, y: 1800 + np.maximum(0.0, 7.0 - 0.84 * np.abs(x - 40)) + 0 * y)
    assert (scan.classify_ground(cloud).attributes["classification"] == 2).mean() > 0.97


def test_a_house_at_the_foot_of_a_terrace_does_not_let_the_ground_grow_on_its_roof():
    def height(x, y):
        return 1800 + np.where(y > 40, 4.0, 0.0) + np.where((x > 20) & (x < 34) & (y > 22) & (y < 34), 6.5, 0.0)

    cloud = scattered(3, (70, 60), height)
    x, y = (cloud.xyz[:, :2] - [500_000, 4_000_000]).T
    roof = (x > 20) & (x < 34) & (y > 22) & (y < 34)
    codes = scan.classify_ground(cloud).attributes["classification"]
    assert (codes[roof] == 1).all()
    assert (codes[~roof] == 2).mean() > 0.99


@pytest.mark.parametrize(
    "tile", [(slice(0, 40), slice(150, 190)), (slice(30, 60), slice(290, 320)), (slice(5, 6), slice(0, 300))]
)
def test_a_window_with_the_stated_halo_gives_what_the_whole_gives(tile):
    def height(x, y):
        return 1800 + 0.3 * x + np.where(np.sin(x / 9) + np.sin(y / 7) > 0.8, 3.0, 0.0)

    grid = Grid(Affine(1, 0, 500_000, 0, -1, 4_000_060), (60, 320), 32648)
    cloud = scattered(4, grid.shape, height, density=3.0)
    points = ground.lowest_points(cloud, grid)
    full = Raster(np.nan_to_num(points["lowest"].values, nan=1800.0), grid)
    kind = ground.without_objects(full, points["lowest"], full, slope=0.05, window_m=6.0)
    whole = ground.with_relief(kind, **points)

    def cut(raster, halo):
        rows, cols = (slice(max(s.start - halo, 0), s.stop + halo) for s in tile)
        rows, cols = slice(rows.start, min(rows.stop, 60)), slice(cols.start, min(cols.stop, 320))
        inner = tuple(slice(s.start - o.start, s.stop - o.start) for s, o in zip(tile, (rows, cols), strict=True))
        return Raster(raster.values[rows, cols], grid.window(rows, cols)), inner

    halo = ground.object_halo(6.0, 1.0)
    (surface, inner), (lowest, _) = cut(full, halo), cut(points["lowest"], halo)
    part = ground.without_objects(surface, lowest, surface, slope=0.05, window_m=6.0)
    np.testing.assert_array_equal(part.values[inner], kind.values[tile])
    halo = relief.regrowth_halo(1.0)
    (near, inner), parts = cut(kind, halo), {name: cut(points[name], halo)[0] for name in NAMES}
    np.testing.assert_array_equal(ground.with_relief(near, **parts).values[inner], whole.values[tile])
