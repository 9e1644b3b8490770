import numpy as np

from hazardgeo.synthetic.noise import fractal


def test_noise_is_about_standard_smooth_and_repeatable(make_grid):
    grid = make_grid(300, 300, cell=2.0)
    first, second = (fractal(np.random.default_rng(3), grid, wavelength_m=60.0, octaves=3) for _ in range(2))

    np.testing.assert_array_equal(first, second)
    assert abs(first.mean()) < 0.2
    assert 0.7 < first.std() < 1.3
    assert np.abs(np.diff(first, axis=0)).max() < first.std()


def test_noise_has_no_stripes(make_grid):
    field = fractal(np.random.default_rng(4), make_grid(400, 400, cell=2.0), wavelength_m=40.0, octaves=4)

    # in stripes, rows or columns would share one value and their means would vary as much as single cells do
    for axis in (0, 1):
        assert field.mean(axis=axis).std() < 0.4 * field.std()
