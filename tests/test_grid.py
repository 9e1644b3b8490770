import pickle
from collections.abc import Callable

import numpy as np
import pytest
from affine import Affine

from hazardgeo.errors import CrsError, GridMismatchError, InputError
from hazardgeo.grid import Grid

GRID = Grid(Affine(0.5, 0, 350_000, 0, -0.5, 3_950_000), (400, 300), 32648)


def shifted(east: float, south: float = 0.0) -> Grid:
    return Grid(GRID.transform * Affine.translation(east, south), GRID.shape, GRID.crs)


def test_rounding_of_another_tool_is_the_same_grid() -> None:
    GRID.require_same(shifted(0.0002))


def test_half_a_cell_off_is_refused_and_said() -> None:
    with pytest.raises(GridMismatchError, match=r"\+0\.500 columns and \+0\.000 rows apart"):
        GRID.require_same(shifted(0.5))


def test_another_crs_is_refused_by_name() -> None:
    with pytest.raises(GridMismatchError, match="EPSG:32648 and EPSG:32647"):
        GRID.require_same(Grid(GRID.transform, GRID.shape, 32647))


@pytest.mark.parametrize("transform", [Affine(1, 0.2, 0, 0, -1, 0), Affine(1, 0, 0, 0, 1, 0), Affine(-1, 0, 0, 0, -1, 0)])
def test_rotated_and_south_up_grids_are_refused(transform: Affine) -> None:
    with pytest.raises(InputError, match="not north up"):
        Grid(transform, (2, 2), 32648)


def test_bounds_and_cell_of_a_known_grid() -> None:
    assert GRID.bounds == (350_000, 3_949_800, 350_150, 3_950_000)
    assert GRID.cell_m == (0.5, 0.5)


def test_a_grid_from_bounds_has_edges_at_multiples_of_the_cell() -> None:
    grid = Grid.from_bounds((10.2, 20.7, 12.9, 23.1), cell=0.5, crs=32648)
    assert grid.bounds == (10.0, 20.5, 13.0, 23.5)


def test_two_surveys_of_one_place_share_their_cells() -> None:
    one = Grid.from_bounds((100.3, 200.1, 140.0, 230.0), cell=2.0, crs=32648)
    two = Grid.from_bounds((101.9, 200.9, 139.5, 229.1), cell=2.0, crs=32648)
    one.require_same(two)


@pytest.mark.parametrize("cell", [0.0, -1.0, float("nan"), float("inf")])
def test_a_cell_size_that_is_not_positive_is_refused(cell: float) -> None:
    with pytest.raises(InputError, match="cell size must be a positive number"):
        Grid.from_bounds((0, 0, 1, 1), cell=cell, crs=32648)


def test_degrees_are_refused_where_metres_are_needed_with_the_call_that_fixes_it() -> None:
    with pytest.raises(CrsError, match=r"slope needs metres, .*raster\.align.*EPSG:32648"):
        Grid(Affine(0.001, 0, 102.8, 0, -0.001, 35.8), (10, 10), 4326).require_metric("slope")


def test_cells_shrink_towards_the_pole() -> None:
    grid = Grid(Affine(1, 0, 0, 0, -1, 60), (60, 1), 4326)
    areas = grid.cell_areas_m2()[:, 0]
    assert (np.diff(areas) > 0).all()
    # One degree square at the equator on WGS 84: 111.319 km by 110.574 km.
    assert areas[-1] == pytest.approx(111_319.5 * 110_574.4, rel=2e-4)


def test_the_crs_is_left_out_of_the_hash_but_not_of_equality() -> None:
    other = Grid(GRID.transform, GRID.shape, 32647)
    assert hash(GRID) == hash(other)
    assert other != GRID
    assert pickle.loads(pickle.dumps(GRID)) == GRID


def test_window_of_bounds_is_cut_to_the_grid() -> None:
    rows, cols = GRID.window_of((349_000, 3_949_999.2, 350_000.9, 3_960_000))
    assert (rows, cols) == (slice(0, 2), slice(0, 2))


def test_rows_and_columns_of_points(make_grid: Callable[..., Grid]) -> None:
    row, col = make_grid(3, 3, cell=10.0).rowcol(np.array([500_005.0, 499_999.0]), np.array([3_999_985.0, 4_000_001.0]))
    assert row.tolist() == [1, -1]
    assert col.tolist() == [0, -1]
