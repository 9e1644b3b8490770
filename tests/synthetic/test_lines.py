import numpy as np

from hazardgeo.synthetic import lines

SQUARE = np.array([[500_000.5, 3_999_997.5], [500_003.5, 3_999_997.5], [500_003.5, 3_999_999.5]])


def test_distance_and_position_around_a_line_by_hand(make_grid):
    distance, along = lines.around(SQUARE, make_grid(3, 6), reach_m=10.0)

    # row 2 lies on the first leg; the cell at column 5 is 2 m east of the second leg
    np.testing.assert_allclose(distance[2], [0, 0, 0, 0, 1, 2])
    np.testing.assert_allclose(along[2, :4], [0, 1, 2, 3])
    np.testing.assert_allclose([distance[0, 5], along[0, 5]], [2, 5])


def test_beyond_the_reach_nothing_is_known(make_grid):
    distance, along = lines.around(SQUARE, make_grid(3, 40), reach_m=5.0)

    assert np.isinf(distance[:, 20:]).all()
    assert np.isnan(along[:, 20:]).all()


def test_resampling_keeps_ends_and_length():
    finer = lines.resampled(SQUARE, step_m=0.5)

    assert lines.length_m(SQUARE) == lines.length_m(finer) == 5.0
    np.testing.assert_array_equal(finer[[0, -1]], SQUARE[[0, -1]])


def test_rounded_corners_keep_the_ends():
    rounded = lines.rounded_corners(SQUARE, passes=2)

    np.testing.assert_array_equal(rounded[[0, -1]], SQUARE[[0, -1]])
    assert lines.length_m(rounded) < 5.0
