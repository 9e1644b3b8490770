"""Laying one elevation model on another: known shifts, tilts and domes, changed ground, and what must be refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from hazardgeo import change, io
from hazardgeo.change.resample import resampled
from hazardgeo.change.robust import nmad, shortest_half
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HazardGeoWarning, InfeasibleError, InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

WEST, NORTH = 500_000.0, 4_000_000.0


def hills(east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """An invented landscape without a period: its value is known between cells too."""
    x, y = (east - WEST) / 10, (NORTH - north) / 10
    z = 12 * np.sin(x / 2.3 + 0.2) * np.cos(y / 3.1) + 7 * np.sin((x + 1.7 * y) / 5.3) + 5 * np.cos((y - 0.6 * x) / 1.9)
    return np.asarray(1500 + z + 0.3 * x)


def landscape(
    rows: int = 160, cols: int = 200, *, moved: tuple[float, float, float] = (0, 0, 0), cell: float = 1.0, noise: float = 0.0
) -> Raster:
    """The hills as a survey sees them that lies `moved` to east, north and up of where it should."""
    grid = Grid(Affine(cell, 0, WEST, 0, -cell, NORTH), (rows, cols), 32648)
    east, north = grid.centres()
    z = hills(east[None, :] - moved[0], north[:, None] - moved[1]) + moved[2]
    z += np.random.default_rng(7).normal(0, noise, z.shape) if noise else 0.0
    return Raster(z.astype(np.float32), grid, "dem", "m")


def from_centre(dem: Raster) -> tuple[np.ndarray, np.ndarray]:
    east, north = dem.grid.centres()
    west, south, right, top = dem.grid.bounds
    return east[None, :] - (west + right) / 2, north[:, None] - (south + top) / 2


def plus(dem: Raster, more: np.ndarray | float) -> Raster:
    return replace(dem, values=(dem.values + more).astype(np.float32))


def relabelled(dem: Raster, east_m: float, north_m: float) -> Raster:
    """The same numbers, said to lie elsewhere."""
    t = dem.grid.transform
    return replace(dem, grid=Grid(Affine(t.a, 0, t.c + east_m, 0, t.e, t.f + north_m), dem.grid.shape, dem.grid.crs))


@pytest.mark.parametrize("shift", [(0.37, -0.62), (-2.5, 1.25), (7.3, 4.4)])
def test_a_shift_between_cells_is_found_to_a_hundredth_of_a_cell(shift: tuple[float, float]) -> None:
    found = change.coregister(landscape(moved=(*shift, 0.8)), landscape())
    assert (found.east_m, found.north_m, found.offset_m) == pytest.approx((-shift[0], -shift[1], -0.8), abs=0.01)
    assert found.nmad_m < 0.1 * found.nmad_before_m


def test_noise_and_a_fifth_of_changed_ground_leave_the_shift_within_a_fiftieth_of_a_cell() -> None:
    moved = landscape(moved=(1.3, -0.7, 0.15), noise=0.05)
    after = moved.values.copy()
    after[30:110, 20:100] -= 2.0
    found = change.coregister(replace(moved, values=after), landscape())
    assert (found.east_m, found.north_m) == pytest.approx((-1.3, 0.7), abs=0.02)
    assert found.offset_m == pytest.approx(-0.15, abs=0.01)
    assert 0.7 < found.stable_share < 0.85


def test_wide_ground_that_sank_by_less_than_the_noise_of_two_cells_is_left_out() -> None:
    moved = landscape(moved=(0.4, 0.3, 0.0), noise=0.1)
    after = moved.values.copy()
    after[:, :50] -= 0.15  # as snow that melts on a quarter of the area
    found = change.coregister(replace(moved, values=after), landscape())
    assert found.offset_m == pytest.approx(0.0, abs=0.01)
    assert found.tilt_deg == pytest.approx((0.0, 0.0), abs=0.002)


@pytest.mark.parametrize("case", ["bigtujunga_srtm30/bigtujunga.tif"])
def test_a_real_model_with_noise_and_changed_ground_comes_back(case: str, data_case: Callable[..., object]) -> None:
    data_case("bigtujunga_srtm30")
    dem = io.read_raster(data_case(case), unit="m").window(slice(100, 420), slice(300, 700))  # type: ignore[arg-type]
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 2.0, dem.values.shape)
    noise[60:200, 80:260] += 15.0
    found = change.coregister(relabelled(plus(dem, noise + 1.5), 0.37 * 30, -1.62 * 30), dem)
    assert (found.east_m / 30, found.north_m / 30) == pytest.approx((-0.37, 1.62), abs=0.02)
    assert found.offset_m == pytest.approx(-1.5, abs=0.1)


def test_equal_models_lie_on_each_other_exactly() -> None:
    dem = landscape()
    found = change.coregister(dem, dem)
    assert (found.east_m, found.north_m, found.offset_m, found.tilt_east, found.tilt_north, found.dome_per_m) == (0,) * 6
    assert np.array_equal(found.apply(dem).values, dem.values)


def test_a_tilt_is_found_to_a_thousandth_of_a_degree_and_a_dome_to_a_centimetre() -> None:
    moved = landscape(moved=(0.6, 0.2, 0.0), noise=0.03)
    x, y = from_centre(moved)
    tipped = plus(moved, np.tan(np.radians(0.02)) * x - np.tan(np.radians(0.03)) * y)
    found = change.coregister(tipped, landscape())
    assert found.tilt_deg == pytest.approx((-0.02, 0.03), abs=0.001)
    domed = plus(moved, 0.3 * (x**2 + y**2) / 100**2)
    found = change.coregister(domed, landscape())
    assert found.dome_per_m * 100**2 == pytest.approx(-0.3, abs=0.01)
    left = found.apply(domed).values - landscape().values
    assert abs(np.nanmedian(left[:30, :30])) < 0.02
    assert any("dome" in remark for remark in found.remarks)


def test_no_tilt_and_no_dome_are_found_where_there_is_none() -> None:
    found = change.coregister(landscape(moved=(0.5, 0.5, 0.1), noise=0.05), landscape())
    assert (found.tilt_east, found.tilt_north, found.dome_per_m) == (0.0, 0.0, 0.0)
    assert found.sigma_tilt[0] > 0


def test_stated_sigmas_are_those_of_the_errors() -> None:
    """Sigmas over surveys with errors that neighbours share; the root mean square of errors over sigma is near one."""
    ratios = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        white = rng.normal(size=(163, 203))
        shared = sum(white[i : i + 160, j : j + 200] for i in range(4) for j in range(4)) / 4 * 0.1  # of one m: 4 cells
        found = change.coregister(plus(landscape(moved=(0.3, 0.6, 0.0)), shared), landscape())
        ratios += [(found.east_m + 0.3) / found.sigma_east_m, (found.north_m + 0.6) / found.sigma_north_m]
        ratios.append(found.offset_m / found.sigma_offset_m)
    assert 0.6 < np.sqrt(np.mean(np.square(ratios))) < 1.6


def test_models_of_other_cells_meet_on_the_coarser_ones() -> None:
    for cell, shape in ((0.5, (320, 400)), (2.5, (64, 80))):
        moving = landscape(*shape, moved=(1.2, 0.4, 0.0), cell=cell)
        found = change.coregister(moving, landscape())
        assert (found.east_m, found.north_m) == pytest.approx((-1.2, -0.4), abs=0.05)
        assert found.apply(moving, to=landscape().grid).grid.shape == (160, 200)


def test_elevation_above_sea_level_changes_nothing() -> None:
    low = change.coregister(landscape(moved=(1.3, 0.4, 0.2), noise=0.05), landscape())
    high = change.coregister(plus(landscape(moved=(1.3, 0.4, 0.2), noise=0.05), 2048), plus(landscape(), 2048))
    assert (low.east_m, low.north_m, low.offset_m) == pytest.approx((high.east_m, high.north_m, high.offset_m), abs=1e-3)


def test_a_cloud_moves_as_the_raster_does() -> None:
    moved = landscape(moved=(1.3, -0.7, 0.4))
    x, y = from_centre(moved)
    found = change.coregister(plus(moved, 2e-4 * x + 0 * y), landscape())
    point = np.array([[500_100.0, 3_999_920.0, 1500.0]])
    east, north, up = found.apply(PointCloud(point, moved.grid.crs)).xyz[0]
    assert (east, north) == pytest.approx((500_100 + found.east_m, 3_999_920 + found.north_m))
    at = east - found.centre[0]
    assert up == pytest.approx(1500 + found.offset_m + found.tilt_east * at + found.tilt_north * (north - found.centre[1]))
    assert found.tilt_east == pytest.approx(-2e-4, abs=2e-5)


@pytest.mark.parametrize(("up", "said"), [(1.8, "antenna"), (-6.0, "base station"), (-42.0, "ellipsoidal")])
def test_constant_offsets_of_metres_are_named(up: float, said: str) -> None:
    found = change.coregister(landscape(moved=(0.3, 0.2, up)), landscape())
    assert found.offset_m == pytest.approx(-up, abs=0.01)
    assert said in found.remarks[0]
    assert change.coregister(landscape(moved=(0.3, 0.2, 0.1)), landscape()).remarks == ()


def test_flat_ground_tells_no_shift_and_says_so() -> None:
    grid = landscape().grid
    rng = np.random.default_rng(0)
    first, second = (Raster(rng.normal(100, 0.05, grid.shape).astype(np.float32), grid, "dem", "m") for _ in range(2))
    with pytest.warns(HazardGeoWarning, match="too flat"):
        found = change.coregister(plus(second, 0.3), first)
    assert (found.east_m, found.north_m) == (0.0, 0.0)
    assert np.isnan(found.sigma_east_m)
    assert found.offset_m == pytest.approx(-0.3, abs=0.01)


def test_only_ground_that_is_said_to_be_stable_counts() -> None:
    moved = landscape(moved=(0.5, 0.5, 0.0))
    after = moved.values.copy()
    after[:, 60:] += 1.0  # most of the area rose
    stable = np.zeros(after.shape, bool)
    stable[:, :60] = True
    found = change.coregister(replace(moved, values=after), landscape(), stable=stable)
    assert found.offset_m == pytest.approx(0.0, abs=0.01)
    as_raster = change.coregister(replace(moved, values=after), landscape(), stable=Raster(stable, moved.grid))
    assert as_raster.offset_m == found.offset_m
    with pytest.raises(InputError, match="no cell that is true"):
        change.coregister(moved, landscape(), stable=np.zeros(after.shape, bool))
    with pytest.raises(InputError, match="has shape"):
        change.coregister(moved, landscape(), stable=np.ones((3, 3), bool))


def test_unknown_cells_have_no_say_and_stay_unknown() -> None:
    moved = landscape(moved=(0.4, 0.3, 0.2))
    holes = moved.values.copy()
    holes[40:90, 50:120] = np.nan
    holes[::7, ::5] = np.nan
    found = change.coregister(replace(moved, values=holes), landscape())
    assert (found.east_m, found.north_m, found.offset_m) == pytest.approx((-0.4, -0.3, -0.2), abs=0.02)
    placed = found.apply(replace(moved, values=holes), to=landscape().grid)
    assert np.isnan(placed.values[45:85, 55:115]).all()


def test_what_cannot_meet_is_refused_in_one_line() -> None:
    dem = landscape()
    other = replace(dem, grid=Grid(dem.grid.transform, dem.grid.shape, 32649))
    with pytest.raises(CrsError, match="EPSG:32649"):
        change.coregister(other, dem)
    with pytest.raises(CrsError, match="reproject first"):
        change.coregister(dem, dem).apply(other)
    with pytest.raises(InfeasibleError, match="do not overlap"):
        change.coregister(relabelled(dem, 5000, 0), dem)
    with pytest.raises(InputError, match="feet"):
        change.coregister(replace(dem, values=(dem.values / 0.3048).astype(np.float32)), dem)
    with pytest.raises(InfeasibleError, match="200 are needed"):
        change.coregister(dem.window(slice(0, 10), slice(0, 10)), dem)
    with pytest.raises(InputError, match="'m' is needed"):
        change.coregister(replace(dem, unit=""), dem)


def test_two_height_references_meet_only_with_a_warning() -> None:
    dem = landscape().with_height(Height("orthometric", "EPSG:5737"))
    with pytest.warns(HazardGeoWarning, match="estimated from the ground"):
        found = change.coregister(landscape(moved=(0, 0, -41.0)).with_height(Height("ellipsoidal")), dem)
    assert found.apply(landscape()).height == dem.height
    assert found.offset_m == pytest.approx(41.0, abs=0.01)


def test_inputs_are_not_touched() -> None:
    moving, fixed = landscape(moved=(0.4, 0, 0)), landscape()
    kept = moving.values.copy(), fixed.values.copy()
    change.coregister(moving, fixed).apply(moving)
    assert np.array_equal(moving.values, kept[0])
    assert np.array_equal(fixed.values, kept[1])


def test_interpolation_is_exact_on_quadratics_and_straight_beside_voids() -> None:
    grid = Grid(Affine(1, 0, 0, 0, -1, 6), (6, 6), 32648)
    rows, cols = np.indices((6, 6), dtype=np.float64)
    bowl = rows**2 + 2 * cols**2 - rows * cols
    at = Grid(Affine(1, 0, 2.3, 0, -1, 3.4), (1, 1), 32648)  # centre at column 2.3, row 2.6
    assert resampled(bowl, grid, at)[0, 0] == pytest.approx(2.6**2 + 2 * 2.3**2 - 2.6 * 2.3)
    bowl[1, 1] = np.nan
    straight = 0.4 * (0.7 * bowl[2, 2] + 0.3 * bowl[2, 3]) + 0.6 * (0.7 * bowl[3, 2] + 0.3 * bowl[3, 3])
    assert resampled(bowl, grid, at)[0, 0] == pytest.approx(straight)
    bowl[3, 3] = np.nan
    assert np.isnan(resampled(bowl, grid, at)[0, 0])
    assert np.array_equal(resampled(bowl, grid, grid), bowl, equal_nan=True)
    assert np.isnan(resampled(bowl, grid, grid, east_m=0.5)[:, 0]).all()  # nothing beyond the outermost centres


def test_the_middle_of_most_does_not_follow_the_rest() -> None:
    values = np.concatenate([np.linspace(-1, 1, 60), np.linspace(50, 60, 40)])
    assert abs(shortest_half(values)[0]) < 0.3
    assert nmad(np.array([0.0, 2.0, 4.0, np.nan])) == pytest.approx(2 * 1.4826)
    assert np.isnan(nmad(np.array([np.nan])))
    assert np.isnan(shortest_half(np.array([np.nan]))[0])
