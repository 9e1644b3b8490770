import math

import numpy as np
import pytest

from hazardgeo.synthetic.pictures import texture
from hazardgeo.synthetic.pictures.shade import SHADE_PER_M, Sun, light, shade


def test_a_wall_shades_the_ground_behind_it_as_far_as_the_sun_stands_low():
    ground = np.zeros((60, 80), np.float32)
    ground[40] = 10.0
    sun = Sun(180.0 + 25.0, 30.0)
    deep = shade(ground, 2.0, sun) / SHADE_PER_M

    for rows_north in (3, 6):  # the way of the rays from the wall is longer than that straight north
        expected = 10.0 - rows_north * 2.0 / math.cos(math.radians(25.0)) * math.tan(math.radians(30.0))
        assert deep[40 - rows_north, 10:40] == pytest.approx(np.clip(expected, -127 / 32, 127 / 32), abs=0.02)
    assert (deep[41:] < 0).all()


def test_slopes_that_face_the_sun_are_brighter_by_the_law_of_the_cosine():
    sun = Sun(180.0, 30.0)
    rows = np.arange(20, dtype=np.float32)[:, None] * np.ones((1, 20), np.float32)
    level, facing, averted = (light(k * rows, 1.0, sun)[5, 5] for k in (0.0, -math.sqrt(3.0), 1.0))

    assert level == pytest.approx(1.0)
    assert facing == pytest.approx(1 / math.sin(math.radians(30.0)), rel=1e-4)  # a slope of 60 degrees across the rays
    assert averted == 0.0  # a slope of 45 degrees away from a sun at 30


def test_a_sun_in_the_north_is_refused():
    with pytest.raises(AssertionError, match="south to north"):
        Sun(0.0, 30.0)


def test_textures_move_with_the_shift_and_have_unit_spread():
    still = texture.textures(7, epoch=1, shift_m=(0.0, 0.0))
    moved = texture.textures(7, epoch=1, shift_m=(0.6, -0.4))  # three pixels to the east, two to the south

    for a, b in ((still.fine, moved.fine), (still.coarse, moved.coarse)):
        assert np.abs(np.roll(a.astype(int), (2, 3), axis=(0, 1)) - b).max() <= 1
        assert a.astype(float).std() / texture.UNIT == pytest.approx(1.0, abs=0.02)


def test_cellular_noise_finds_the_two_nearest_points():
    rng = np.random.default_rng(5)
    for y, x in rng.uniform(-20, 20, (50, 2)):
        i, j = math.floor(y), math.floor(x)
        points = [
            (a + texture.hash_kernel(a, b, 9), b + texture.hash_kernel(a, b, 10), texture.hash_kernel(a, b, 11))
            for a in range(i - 1, i + 2)
            for b in range(j - 1, j + 2)
        ]
        away = sorted((math.hypot(p - y, q - x), own) for p, q, own in points)
        inside, own = texture.blocks_kernel(y, x, 9)
        assert inside == pytest.approx(away[1][0] - away[0][0])
        assert own == away[0][1]
