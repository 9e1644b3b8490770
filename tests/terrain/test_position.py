from __future__ import annotations

import numpy as np
import pytest

from hazardgeo import terrain
from hazardgeo.errors import InputError


def around(dem, i, j, radius):
    """Known elevations of the other cells within the radius."""
    width, height = dem.grid.cell_m
    row, col = np.mgrid[: dem.grid.shape[0], : dem.grid.shape[1]]
    near = np.hypot((row - i) * height, (col - j) * width) <= radius + 1e-9
    near[i, j] = False
    return dem.values[near & ~np.isnan(dem.values)].astype(np.float64)


def slowly(dem, radius, of):
    out = np.full(dem.grid.shape, np.nan)
    for i, j in np.argwhere(~np.isnan(dem.values)):
        others = around(dem, i, j, radius)
        if others.size:
            out[i, j] = of(float(dem.values[i, j]), others)
    return out


@pytest.mark.parametrize("cell", [(1.0, 1.0), (2.0, 0.75)])
@pytest.mark.parametrize("radius", [2.0, 4.7, 500.0])
def test_positions_agree_with_slow_ones(rough_ground, cell, radius):
    dem = rough_ground(13, 17, holes=0.3, cell=cell)
    for made, of, atol in (
        (terrain.tpi, lambda z, others: z - others.mean(), 1e-6),
        (terrain.tri, lambda z, others: np.sqrt(8 * ((others - z) ** 2).mean()), 1e-5),
        (terrain.percentile, lambda z, others: ((others < z) + 0.5 * (others == z)).mean(), 1e-6),
    ):
        np.testing.assert_allclose(made(dem, radius_m=radius).values, slowly(dem, radius, of), rtol=1e-6, atol=atol)


def test_ruggedness_is_that_of_riley(make_raster):
    dem = make_raster([[1, 2, 3], [4, 5, 6], [7, 8, 10]])
    assert terrain.tri(dem).values[1, 1] == pytest.approx(np.sqrt(16 + 9 + 4 + 1 + 1 + 4 + 9 + 25))


def test_a_lone_cell_has_no_position(make_raster):
    dem = make_raster([[np.nan, np.nan, np.nan], [np.nan, 5.0, np.nan], [np.nan, np.nan, np.nan]])
    for found in (terrain.tpi(dem, radius_m=1.0), terrain.tri(dem), terrain.percentile(dem, radius_m=1.0)):
        assert found.unknown.all()


def test_ridges_stand_above_and_hollows_below_what_is_around(surface_of):
    dem, _, _ = surface_of(lambda x, y: -np.abs(x))
    assert terrain.tpi(dem, radius_m=5.0).values[15, 17] > 2
    assert terrain.percentile(dem, radius_m=5.0).values[15, 17] == pytest.approx(1 - 0.5 * 10 / 80)  # 80 others, 10 on the ridge
    np.testing.assert_allclose(terrain.tpi(dem, radius_m=5.0).values[15, 28], 0, atol=1e-6)


def test_radii_smaller_than_a_cell_are_refused(make_raster):
    for made in (terrain.tpi, terrain.tri, terrain.percentile, terrain.openness, terrain.sky_view):
        with pytest.raises(InputError, match="radius of at least one cell"):
            made(make_raster([[1.0]]), radius_m=0.5)
