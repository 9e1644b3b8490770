import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo.synthetic.scans.registration import Registration, drawn, from_answer

CENTRE = (300_900.0, 3_952_900.0, 1850.0)


def test_a_shift_without_tilt_moves_every_point_alike():
    moved = Registration((0.4, -0.3, 0.15), (0.0, 0.0), CENTRE).applied(np.array([[1.0, 2.0, 3.0], CENTRE]))

    np.testing.assert_allclose(moved, [[1.4, 1.7, 3.15], [300_900.4, 3_952_899.7, 1850.15]])


def test_tilt_about_east_lifts_the_north_and_tilt_about_north_sinks_the_east():
    points = np.array(CENTRE) + np.array([[0, 1000, 0], [1000, 0, 0]])
    rise = 1000 * math.sin(math.radians(0.003))  # 5.2 cm

    about_east = Registration((0, 0, 0), (0.003, 0.0), CENTRE).applied(points)
    np.testing.assert_allclose(about_east[:, 2] - 1850.0, [rise, 0.0], atol=1e-9)
    about_north = Registration((0, 0, 0), (0.0, 0.003), CENTRE).applied(points)
    np.testing.assert_allclose(about_north[:, 2] - 1850.0, [0.0, -rise], atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_undone_is_as_before_and_keeps_its_form(seed: int):
    rng = np.random.default_rng(seed)
    moved = drawn(rng)
    points = np.array(CENTRE) + rng.uniform(-2000, 2000, (20, 3))
    there = moved.applied(points)

    np.testing.assert_allclose(moved.undone(there), points, atol=1e-6)
    np.testing.assert_allclose(np.diff(there, axis=0) ** 2 @ np.ones(3), np.diff(points, axis=0) ** 2 @ np.ones(3), rtol=1e-9)
    assert 0.24 < math.hypot(*moved.shift_m[:2]) < 0.56
    assert 0.1 <= abs(moved.shift_m[2]) <= 0.2
    assert all(0.001 <= abs(angle) <= 0.003 for angle in moved.tilt_deg)


def test_the_answer_says_all_that_is_needed_to_undo_it():
    moved = drawn(np.random.default_rng(4))

    assert from_answer(moved.as_answer()) == moved
    assert "after = R (true - centre) + centre + shift" in moved.as_answer()["rule"]
    assert np.linalg.det(moved.rotation) == pytest.approx(1.0)
