from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from hazardgeo.errors import InputError
from hazardgeo.event import Earthquake, Shaking
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

QUAKE = Earthquake(6.2, 102.8, 35.7, 10.0, datetime(2023, 12, 18, 15, 59, 30, tzinfo=UTC))


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InputError, match="no time zone"):
        Earthquake(6.2, 102.8, 35.7, 10.0, datetime(2023, 12, 18))


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="latitude of the earthquake is 135"):
        Earthquake(6.2, 102.8, 135.0, 10.0, QUAKE.time)
    with pytest.raises(InputError, match="magnitude"):
        Earthquake(float("nan"), 102.8, 35.0, 10.0, QUAKE.time)


def test_percent_g_taken_for_g_is_noticed(make_raster: Callable[..., Raster]) -> None:
    with pytest.raises(InputError, match="percent g"):
        Shaking(QUAKE, pga_g=make_raster([[18.0, 25.0]], unit="g"))


def test_shaking_on_a_finer_grid_is_unknown_outside(make_raster: Callable[..., Raster]) -> None:
    shaking = Shaking(QUAKE, pga_g=make_raster([[0.1, 0.3], [0.1, 0.3]], cell=10.0, unit="g"))
    west, south, east, north = shaking.grid.bounds
    local = shaking.on(Grid.from_bounds((west, south, east + 10, north), cell=5.0, crs=32648))
    assert local.pga_g is not None
    np.testing.assert_allclose(local.pga_g.values[1], [0.1, 0.15, 0.25, 0.3, np.nan, np.nan], rtol=1e-6)


def test_a_map_without_layers_is_refused() -> None:
    with pytest.raises(InputError, match="without any layer"):
        Shaking(QUAKE)
