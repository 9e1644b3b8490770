"""The difference of two surfaces: what it is, how sure, and that nothing unknown reads as unchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo import change, io, raster, scan
from hazardgeo.change.spread import spread_95
from hazardgeo.change.stable import stable_cells
from hazardgeo.crs import Height
from hazardgeo.errors import GridMismatchError, HazardGeoWarning, HeightError, InfeasibleError, InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

GRID = Grid(Affine(1, 0, 500_000, 0, -1, 4_000_000), (120, 150), 32648)


def dem(values: np.ndarray) -> Raster:
    return Raster(values.astype(np.float32), GRID, "dem", "m")


def slope(seed: int = 0, sigma: float = 0.05) -> np.ndarray:
    """A hillside that steepens to the east, with noise."""
    rng = np.random.default_rng(seed)
    cols = np.arange(150)
    return np.asarray(1000 + 0.004 * cols[None, :] ** 2 + rng.normal(0, sigma, (120, 150)))


def test_change_is_after_less_before_and_a_sunken_block_is_found() -> None:
    after = slope(1)
    after[20:40, 30:60] -= 3.0
    found = change.difference(dem(slope(0)), dem(after))
    assert found.change_m.values == pytest.approx(after - slope(0), abs=2e-4)
    assert np.nanmedian(found.change_m.values[22:38, 32:58]) == pytest.approx(-3.0, abs=0.05)
    assert found.significant.values[22:38, 32:58].all()
    assert not found.stable.values[22:38, 32:58].any()
    outside = np.ones(GRID.shape, bool)
    outside[14:46, 24:66] = False
    assert found.stable.values[outside].mean() > 0.95
    assert (found.significant.values[outside] == 1).mean() == pytest.approx(0.05, abs=0.015)
    assert np.nanmedian(found.sigma_m.values) == pytest.approx(0.05 * np.sqrt(2), rel=0.1)
    assert found.lod95_m.values == pytest.approx(1.959964 * found.sigma_m.values, rel=1e-4)


@pytest.mark.parametrize("tails", ["normal", "laplace", "t3"])
def test_one_in_twenty_stable_cells_passes_the_level_on_gentle_and_on_steep_ground(tails: str) -> None:
    rng = np.random.default_rng(4)
    draw = {"normal": rng.standard_normal, "laplace": lambda n: rng.laplace(size=n), "t3": lambda n: rng.standard_t(3, n)}
    cols = np.arange(150)
    wider = 0.02 + 0.06 * (0.008 * cols)[None, :]
    after = slope(1, 0.0) + wider * draw[tails](GRID.shape)
    found = change.difference(dem(slope(0, 0.001)), dem(after))
    for part in (slice(5, 45), slice(55, 95), slice(105, 145)):
        assert 0.03 < (found.significant.values[3:-3, part] == 1).mean() < 0.07


def test_what_tells_the_spread_is_learnt_and_unknown_of_it_is_the_widest() -> None:
    rng = np.random.default_rng(0)
    plants = np.where(np.indices(GRID.shape)[0] < 60, 0.0, 12.0) + rng.uniform(0, 1, GRID.shape)
    errors = rng.normal(0, 1, GRID.shape) * np.where(plants > 6, 0.4, 0.05)
    plants[100:, 120:] = np.nan
    spread = spread_95(errors, np.ones(GRID.shape, bool), [plants])
    assert np.median(spread[:55]) == pytest.approx(0.05, rel=0.15)
    assert np.median(spread[65:95]) == pytest.approx(0.4, rel=0.1)
    assert spread[110, 130] >= np.quantile(spread[65:95], 0.9)
    told = change.difference(dem(slope(0, 0.0)), dem(slope(0, 0.0) + errors), told_by=[dem(plants)])
    assert np.nanmedian(told.sigma_m.values[65:95]) > 4 * np.nanmedian(told.sigma_m.values[5:55])


def test_unknown_cells_are_not_unchanged() -> None:
    before, after = slope(0), slope(1)
    before[10:20, 10:20] = np.nan
    after[50:60, 50:60] = np.nan
    found = change.difference(dem(before), dem(after))
    for part in ((slice(10, 20), slice(10, 20)), (slice(50, 60), slice(50, 60))):
        assert (found.significant.values[part] == 255).all()
        for layer in (found.change_m, found.sigma_m, found.lod95_m):
            assert np.isnan(layer.values[part]).all()
    assert float(found.change_m.tags["not_surveyed_share"]) == pytest.approx(200 / (120 * 150), abs=1e-3)
    assert found.significant.classes[-1].hatched


@settings(max_examples=4)
@given(st.integers(0, 90), st.integers(0, 110), st.integers(1, 40))
def test_taking_cells_away_makes_none_of_them_read_unchanged(row: int, col: int, size: int) -> None:
    after = slope(1)
    after[row : row + size, col : col + size] = np.nan
    found = change.difference(dem(slope(0)), dem(after))
    assert (found.significant.values[row : row + size, col : col + size] == 255).all()
    assert (found.significant.values != 255).sum() == np.isfinite(after).sum()


def test_a_registration_is_applied_and_its_uncertainty_counts() -> None:
    rows, cols = np.indices(GRID.shape)
    z = 20 * np.sin(cols / 17) * np.cos(rows / 13) + 3 * np.sin((rows + 2 * cols) / 7)
    moved = replace(dem(z + 0.4), grid=Grid(Affine(1, 0, 500_000.3, 0, -1, 4_000_000.2), GRID.shape, 32648))
    registration = change.coregister(moved, dem(z))
    found = change.difference(dem(z), moved, registration=registration)
    assert np.nanmax(np.abs(found.change_m.values)) < 0.05
    assert found.change_m.grid.same_as(GRID)
    assert "east -0.300 m" in found.change_m.tags["registration"]
    with pytest.raises(GridMismatchError, match=r"raster\.align"):
        change.difference(dem(z), moved)
    known = change.difference(dem(slope(0)), dem(slope(1)))
    wider = change.difference(dem(slope(0)), dem(slope(1)), registration=0.3)
    assert wider.sigma_m.values == pytest.approx(np.sqrt(known.sigma_m.values.astype(float) ** 2 + 0.3**2), rel=1e-5)
    assert wider.correlation.sigma_of_mean(1e9) >= 0.3


def test_too_few_stable_cells_leave_the_uncertainty_given_or_unknown() -> None:
    stable = np.zeros(GRID.shape, bool)
    stable[:5, :5] = True
    with pytest.warns(HazardGeoWarning, match="taken as given"):
        found = change.difference(dem(slope(0)), dem(slope(1)), stable=stable, sigma_before_m=0.3, sigma_after_m=0.4)
    assert found.sigma_m.values == pytest.approx(0.5)
    with pytest.warns(HazardGeoWarning, match="unknown"):
        found = change.difference(dem(slope(0)), dem(slope(1)), stable=stable)
    assert (found.significant.values == 255).all()
    assert np.isnan(found.lod95_m.values).all()
    assert np.isfinite(found.change_m.values).all()


def test_given_uncertainties_tell_where_not_how_far() -> None:
    rng = np.random.default_rng(3)
    sigma = np.full(GRID.shape, 1.0)
    sigma[:, 75:] = 4.0  # in the right proportion, but ten times too large
    flat = dem(np.zeros(GRID.shape))
    found = change.difference(flat, dem(rng.normal(size=GRID.shape) * sigma / 10), sigma_after_m=dem(sigma))
    assert np.nanmedian(found.sigma_m.values[:, :70]) == pytest.approx(0.1, rel=0.2)
    assert np.nanmedian(found.sigma_m.values[:, 80:]) == pytest.approx(0.4, rel=0.2)


def test_one_file_twice_is_said_and_changes_nothing() -> None:
    with pytest.warns(HazardGeoWarning, match="equal in every cell"):
        found = change.difference(dem(slope(0)), dem(slope(0)))
    assert not found.change_m.values.any()
    assert not found.significant.values.any()
    assert (found.lod95_m.values > 0).all()


def test_what_cannot_be_compared_is_refused() -> None:
    before, after = dem(slope(0)), dem(slope(1))
    with pytest.raises(HeightError, match="different height references"):
        change.difference(before.with_height(Height("ellipsoidal")), after.with_height(Height("orthometric")))
    with pytest.raises(InfeasibleError, match="no cell is known in both"):
        change.difference(before, dem(np.full(GRID.shape, np.nan)))
    with pytest.raises(InputError, match="positive number of metres"):
        change.difference(before, after, sigma_after_m=-1.0)
    with pytest.raises(InputError, match="positive number of metres"):
        change.difference(before, after, registration=float("nan"))
    with pytest.raises(InputError, match="'m' is needed"):
        change.difference(replace(before, unit="ft"), replace(after, unit="ft"))


def test_areas_that_moved_go_out_and_single_far_cells_stay() -> None:
    ratio = np.random.default_rng(0).normal(size=(100, 100))
    ratio[20:50, 30:60] += 3.0
    ratio[80, 80] = 50.0
    ratio[0, 0] = np.nan
    found = stable_cells(ratio)
    assert not found[25:45, 35:55].any()
    assert found[80, 80]
    assert not found[0, 0]
    assert found[60:, :].mean() > 0.97


def test_two_strips_of_one_flight_differ_by_no_more_than_chance(data_case: Callable[[str], Path]) -> None:
    """Ground that nobody changed, seen by two strips: five per cent beyond the level, gentle or steep."""
    cloud = io.read_cloud(data_case("pozo") / "Blanca_in_Pozo_USGS_UTM11_NAD83_all_color_cl2_SC12.laz")
    strip = np.asarray(cloud.attributes["point_source_id"])
    before, after = (scan.dtm(cloud.select(strip == number), cell_m=2.0) for number in (8706, 8707))
    registration = change.coregister(after, before)
    after = raster.align(after, to=before.grid, how="nearest")
    for found in (change.difference(before, after), change.difference(before, after, registration=registration)):
        known = found.significant.values != 255
        assert 0.03 < (found.significant.values[known] == 1).mean() < 0.07
    assert registration.nmad_m < registration.nmad_before_m
