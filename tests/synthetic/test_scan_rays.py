import math

import numpy as np
import pytest

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.synthetic.scans import objects
from hazardgeo.synthetic.scans.rays import MOST_HITS, box_hit, crown_hit, rod_hit, surface, trace

SIZE = 40
NONE = np.empty((0, 11)), np.empty((0, 9)), np.empty((0, 9))


def _ground(values: np.ndarray, cell: float = 1.0) -> Raster:
    grid = Grid.from_bounds((0.0, 0.0, values.shape[1] * cell, values.shape[0] * cell), cell=cell, crs="EPSG:32648")
    return Raster(values.astype(np.float32), grid, "ground", "m")


def _things(field, boxes=NONE[0], crowns=NONE[1], rods=NONE[2]) -> objects.Objects:
    return objects.indexed(boxes, crowns, rods, (field.west, field.north), field.cells * field.cell_m, field.top.shape)


def _cast(field, things, origin, direction):
    soft = np.empty((MOST_HITS, 3))
    found = trace(field, *things, tuple(map(float, origin)), tuple(map(float, direction)), soft)
    return found, soft[: found[3]]


def _bilinear(values: np.ndarray, cell: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The surface over cell centres written out by hand, level beyond the outermost ones."""
    rows, cols = values.shape
    u = np.clip(x / cell - 0.5, 0, cols - 1)
    v = np.clip((rows * cell - y) / cell - 0.5, 0, rows - 1)
    j, i = np.minimum(u.astype(int), cols - 2), np.minimum(v.astype(int), rows - 2)
    fu, fv = u - j, v - i
    return (
        values[i, j] * (1 - fu) * (1 - fv) + values[i, j + 1] * fu * (1 - fv)
        + values[i + 1, j] * (1 - fu) * fv + values[i + 1, j + 1] * fu * fv
    )  # fmt: skip


def _marched(values: np.ndarray, cell: float, origin, direction) -> tuple[float, float]:
    """The first distance at which a ray is under the ground in steps of 1 mm, and how near it came to it well before that."""
    t = np.arange(max((origin[2] - values.max()) / -direction[2] - 1, 0), (origin[2] - values.min()) / -direction[2] + 0.1, 0.001)
    x, y, z = (o + t * d for o, d in zip(origin, direction, strict=True))
    inside = (x >= 0) & (x <= values.shape[1] * cell) & (y >= 0) & (y <= values.shape[0] * cell)
    above = np.where(inside, z - _bilinear(values, cell, x, y), np.inf)
    under = np.flatnonzero(above <= 0)
    if not len(under) or np.isinf(above[under[0] - 1]):  # never, or already when it enters from the side
        return math.inf, float(above.min(where=above > 0, initial=math.inf))
    return float(t[under[0]]), float(above[: max(under[0] - 500, 1)].min())


def _rough(seed: int) -> np.ndarray:
    """A plain, a wall one cell thick, a cliff and noise."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0.0, 0.15, (SIZE, SIZE))
    values[:, 27:] += 14.0
    values[18, 4:20] += 7.0
    values[30:, :] -= 0.8 * np.arange(10)[:, None]
    return values.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("cell", [1.0, 2.0])
def test_rays_meet_the_ground_where_a_plain_march_meets_it(cell: float):
    values = _rough(5)
    field = surface(_ground(values, cell), block_m=8.0)
    things = _things(field)
    rng = np.random.default_rng(7)
    compared = behind = 0
    for _ in range(250):
        target = rng.uniform(0, SIZE * cell, 2)
        turn, off = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(0, 42))
        direction = np.array([math.sin(off) * math.cos(turn), math.sin(off) * math.sin(turn), -math.cos(off)])
        origin = np.array([*target, 0.0]) - 60.0 * direction
        (found, box, _, _), _ = _cast(field, things, origin, direction)
        expected, nearest = _marched(values, cell, origin, direction)
        if nearest < 0.03:
            continue  # it grazes a ridge: both answers are right
        compared += 1
        behind += expected < 59.0
        if math.isinf(expected):
            assert box == -2
        else:
            assert box == -1
            assert found == pytest.approx(expected, abs=0.03)
    assert compared > 200
    assert behind > 30


def test_ground_behind_a_wall_is_hidden_as_far_as_the_angle_says():
    values = np.zeros((SIZE, SIZE))
    values[:, 20:22] = 6.0  # crest between the centres at x = 20.5 and 21.5
    field = surface(_ground(values))
    direction = np.array([math.sin(math.radians(35)), 0.0, -math.cos(math.radians(35))])
    reached = []
    for x in np.arange(2.0, 38.0, 0.05):
        (t, box, _, _), _ = _cast(field, _things(field), np.array([x, 20.0, 0.0]) - 50 * direction, direction)
        if box == -1 and abs(50 - t) < 0.05:
            reached.append(x)
    shadow_end = 21.5 + 6.0 * math.tan(math.radians(35))

    reached = np.array(reached)
    assert ((reached > 22.6) & (reached < shadow_end - 0.06)).sum() == 0
    assert ((reached > shadow_end + 0.05) & (reached < 38)).sum() > 200
    assert (reached < 19.4).sum() > 300


def test_a_flat_roof_is_met_from_above_and_a_wall_from_the_side():
    house = np.array([10.0, 10.0, 1.0, 0.0, 4.0, 3.0, -1.0, 5.0, 5.0, 6, 0.3])
    s = math.sqrt(0.5)

    assert box_hit(house, 12.0, 11.0, 50.0, 0.0, 0.0, -1.0) == pytest.approx((45.0, 1.0))
    assert box_hit(house, 14.1, 10.0, 50.0, 0.0, 0.0, -1.0)[0] == math.inf
    # from the west at 45 degrees: it is at height 2 where it meets the wall at x = 6
    assert box_hit(house, -4.0, 10.0, 12.0, s, 0.0, -s) == pytest.approx((10.0 / s, s))
    # ... and passes over it when it starts 20 m higher
    assert box_hit(house, -4.0, 10.0, 32.0, s, 0.0, -s)[0] == math.inf


def test_a_pitched_roof_falls_from_ridge_to_eaves():
    house = np.array([0.0, 0.0, 0.0, 1.0, 6.0, 3.0, 0.0, 3.0, 4.5, 6, 0.3])  # ridge from south to north

    for x, height in ((0.0, 4.5), (1.5, 3.75), (-1.5, 3.75), (2.999, 3.0005)):
        at, slant = box_hit(house, x, 2.0, 20.0, 0.0, 0.0, -1.0)
        assert 20.0 - at == pytest.approx(height, abs=1e-6)
        assert slant == pytest.approx(math.cos(math.atan(0.5)))


def test_a_turned_box_is_met_where_a_march_enters_it():
    angle = 0.6
    house = np.array([20.0, 20.0, math.cos(angle), math.sin(angle), 5.0, 2.5, 0.0, 3.0, 4.0, 6, 0.3])
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        turn, off = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(0, 60))
        d = np.array([math.sin(off) * math.cos(turn), math.sin(off) * math.sin(turn), -math.cos(off)])
        origin = np.array([*rng.uniform(14, 26, 2), 2.0]) - 30 * d
        t = np.arange(0, 45, 0.002)
        x, y, z = (o + t * v for o, v in zip(origin, d, strict=True))
        along = (x - 20) * math.cos(angle) + (y - 20) * math.sin(angle)
        aside = (y - 20) * math.cos(angle) - (x - 20) * math.sin(angle)
        inside = (np.abs(along) <= 5) & (np.abs(aside) <= 2.5) & (z >= 0) & (z <= 4.0 - 0.4 * np.abs(aside))
        found = box_hit(house, *origin, *d)[0]
        if inside.sum() > 3:
            hits += 1
            assert found == pytest.approx(t[np.argmax(inside)], abs=0.003)
        elif not inside.any():
            assert found == math.inf or found > 0
    assert hits > 80


def test_a_ray_through_the_middle_of_a_crown_enters_and_leaves_at_its_ends():
    crown = np.array([5.0, 5.0, 10.0, 2.0, 3.0, 0.5, 0.3, 5, 0.3])

    assert crown_hit(crown, 5.0, 5.0, 30.0, 0.0, 0.0, -1.0) == pytest.approx((17.0, 23.0))
    assert crown_hit(crown, 0.0, 5.0, 10.0, 1.0, 0.0, 0.0) == pytest.approx((3.0, 7.0))
    assert crown_hit(crown, 7.1, 5.0, 30.0, 0.0, 0.0, -1.0)[0] == math.inf


def test_a_wire_is_met_within_its_reach_and_not_beyond_its_ends():
    wire = np.array([0.0, 0.0, 10.0, 10.0, 0.0, 10.0, 0.2, 14, 0.1])

    assert rod_hit(wire, 5.0, 0.15, 50.0, 0.0, 0.0, -1.0) == pytest.approx(40.0)
    assert rod_hit(wire, 5.0, 0.25, 50.0, 0.0, 0.0, -1.0) == math.inf
    assert rod_hit(wire, 10.3, 0.0, 50.0, 0.0, 0.0, -1.0) == math.inf


def test_a_house_hides_the_ground_behind_it_and_a_crown_does_not():
    field = surface(_ground(np.zeros((SIZE, SIZE))))
    house = np.array([[20.0, 20.0, 1.0, 0.0, 4.0, 4.0, -1.0, 6.0, 6.0, 6, 0.3]])
    tree = np.array([[30.0, 20.0, 5.0, 2.0, 4.0, 0.5, 0.3, 5, 0.3]])
    things = _things(field, house, tree)
    d = np.array([0.5, 0.0, -math.sqrt(0.75)])

    (_, box, _, _), _ = _cast(field, things, np.array([26.0, 20.0, 0.0]) - 40 * d, d)  # 2 m behind the wall
    assert box == 0
    (_, box, _, _), _ = _cast(field, things, np.array([28.5, 26.0, 0.0]) - 40 * d, d)
    assert box == -1
    (_, box, _, count), soft = _cast(field, things, np.array([31.0, 20.0, 0.0]) - 40 * d, d)
    assert (box, count, soft[0, 0]) == (-1, 1, 1)


def test_things_that_reach_over_the_highest_ground_are_met():
    field = surface(_ground(np.zeros((SIZE, SIZE))))
    wire = np.array([[0.0, 20.0, 35.0, 40.0, 20.0, 35.0, 0.2, 14, 0.1]])
    _, soft = _cast(field, _things(field, rods=wire), (7.0, 20.1, 90.0), (0.0, 0.0, -1.0))

    assert soft[0, 1] == pytest.approx(55.0)


def test_rays_that_pass_the_valley_by_meet_nothing():
    field = surface(_ground(np.zeros((SIZE, SIZE))))
    d = np.array([0.5, 0.0, -math.sqrt(0.75)])

    assert _cast(field, _things(field), (200.0, 20.0, 50.0), d)[0][1] == -2
    assert _cast(field, _things(field), (20.0, -1.0, 50.0), (0.0, 0.0, -1.0))[0][1] == -2
