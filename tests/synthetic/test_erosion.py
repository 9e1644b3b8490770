import numpy as np

from hazardgeo.synthetic.erosion import eroded


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
