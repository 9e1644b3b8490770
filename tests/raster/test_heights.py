"""Elevations above another reference: by a published operation, by a stated offset, or not at all."""

from collections.abc import Callable

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from hazardgeo import raster
from hazardgeo.crs import Height, heights_apart
from hazardgeo.errors import HeightError, InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

BALTIC, CASPIAN = Height("orthometric", "EPSG:5705"), Height("orthometric", "EPSG:5611")
CASPIAN_COAST = Grid(Affine(30, 0, 400_000, 0, -30, 4_650_000), (2, 2), 32639)  # type: ignore[arg-type]


def dem(height: Height | None) -> Raster:
    return Raster(np.array([[10.0, np.nan], [-28.0, 0.0]], np.float32), CASPIAN_COAST, "dem", "m", height)


def test_a_published_offset_is_added_and_unknown_cells_stay_unknown() -> None:
    moved = raster.to_height(dem(BALTIC), CASPIAN)
    np.testing.assert_allclose(moved.values, [[38.0, np.nan], [0.0, 28.0]], atol=1e-4)
    assert moved.height == CASPIAN
    assert "+28.000 m (EPSG operation by PROJ)" in moved.tags["height_shift"]
    np.testing.assert_allclose(raster.to_height(moved, BALTIC).values, dem(BALTIC).values, atol=1e-4)


@given(st.floats(-100.0, 100.0))
def test_a_stated_offset_moves_every_known_cell_by_itself(offset_m: float) -> None:
    moved = raster.to_height(dem(Height("ellipsoidal")), Height("orthometric", "EPSG:5737"), offset_m=offset_m)
    np.testing.assert_allclose(moved.values, dem(None).values + np.float32(offset_m), atol=1e-3)
    assert "stated offset" in moved.tags["height_shift"]
    assert str(moved.height) == "orthometric (EPSG:5737)"


def test_the_same_reference_changes_nothing() -> None:
    given_dem = dem(BALTIC)
    assert raster.to_height(given_dem, BALTIC) is given_dem


@pytest.mark.parametrize(
    ("from_", "to", "match"),
    [
        (Height(), BALTIC, "with_height"),
        (BALTIC, Height(), "unknown reference"),
        (Height("orthometric"), Height("ellipsoidal"), "above which level"),
        (Height("orthometric", "EPSG:5737"), Height("ellipsoidal"), "tens of metres"),
    ],
)
def test_heights_without_a_known_operation_are_refused(from_: Height, to: Height, match: str) -> None:
    with pytest.raises(HeightError, match=match):
        raster.to_height(dem(from_), to)


def test_what_is_no_elevation_is_refused() -> None:
    with pytest.raises(InputError, match="no height reference"):
        raster.to_height(dem(None), BALTIC)
    with pytest.raises(InputError, match="'m' is needed"):
        raster.to_height(dem(BALTIC).like(dem(BALTIC).values, "slope", "deg"), CASPIAN)
    with pytest.raises(InputError, match="unit='m', or --unit m"):
        raster.to_height(dem(BALTIC).like(dem(BALTIC).values, "elevation", ""), CASPIAN)
    with pytest.raises(HeightError, match="number of metres"):
        raster.to_height(dem(BALTIC), CASPIAN, offset_m=float("nan"))


def test_points_take_the_same_shift_as_cells(make_grid: Callable[..., Grid]) -> None:
    east, north = np.array([400_015.0, 400_045.0]), np.array([4_649_985.0, 4_649_985.0])
    shift = heights_apart(east, north, CASPIAN_COAST.crs, from_=BALTIC, to=CASPIAN)
    np.testing.assert_allclose(shift, 28.0, atol=1e-6)
    assert heights_apart(east, north, make_grid(1, 1).crs, from_=Height(), to=BALTIC, offset_m=1.5).tolist() == [1.5, 1.5]
