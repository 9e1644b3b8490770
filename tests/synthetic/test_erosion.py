import numpy as np

from hazardgeo.synthetic.ground.erosion import eroded, silted


def _ramp(rows: int = 30, cols: int = 20) -> np.ndarray:
    return np.repeat(np.arange(rows, dtype=float)[::-1, None], cols, axis=1)


def test_fixed_cells_stay_and_ground_never_rises_without_creep():
    fixed = np.zeros((30, 20), bool)
    fixed[-1] = True
    surface = _ramp() + np.random.default_rng(1).normal(0, 0.1, (30, 20))
    before = surface.copy()

    after = eroded(surface, cell_m=5.0, fixed=fixed, steps=5, strength=0.01, creep=0.0)

    np.testing.assert_array_equal(surface, before)
    np.testing.assert_array_equal(after[fixed], before[fixed])
    assert (after <= before).all()
    assert (after < before).any()


def test_one_step_down_a_ramp_of_two_cells_follows_the_implicit_formula():
    # area 1 cell of 4 m2, distance 2 m: factor = 0.5 * sqrt(4) / 2 = 0.5, so z = (3 + 0.5 * 0) / 1.5 = 2
    after = eroded(np.array([[3.0], [0.0]]), cell_m=2.0, fixed=np.array([[False], [True]]), steps=1, strength=0.5, creep=0.0)

    np.testing.assert_allclose(after, [[2.0], [0.0]])


def test_creep_alone_leaves_a_plane_as_it_is():
    plane = _ramp() * 0.3
    np.testing.assert_allclose(
        eroded(plane, cell_m=5.0, fixed=np.zeros(plane.shape, bool), steps=4, strength=0.0, creep=0.1), plane, atol=1e-12
    )


def test_hollows_are_silted_to_their_sill_less_what_may_stay():
    z = np.full((9, 9), 10.0)
    z[:, 0] = 5.0  # an edge to drain to
    z[4, 4] = 6.0  # a hole of 4 m
    z[4, 3] = 9.9  # in its rim, a notch that leads nowhere lower
    z[6, 6] = 9.8  # a shallow hollow stays
    found = silted(z, hollow_m=0.4)
    expected = z.copy()
    expected[4, 4] = 9.6
    np.testing.assert_allclose(found, expected)
    assert z[4, 4] == 6.0


def test_silting_leaves_what_drains_alone():
    rng = np.random.default_rng(2)
    z = np.add.outer(np.arange(30) * 0.5, np.zeros(20)) + 0.2 * rng.random((30, 20))
    np.testing.assert_array_equal(silted(z, hollow_m=0.4), z)
    z[15, 10] -= 7.0
    rim = np.sort(z[14:17, 9:12].ravel())[1]  # the lowest cell around the hole
    assert silted(z, hollow_m=0.4)[15, 10] == rim - 0.4
