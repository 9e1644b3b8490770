"""Bodies from change between two epochs: hand-made slides and decoys on slopes whose answers are known."""

from __future__ import annotations

import math

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine

from hazardgeo import change
from hazardgeo.change import decoys
from hazardgeo.change.surface import SurfaceChange
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, GridMismatchError, InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

SIGMA_M = 0.05
Field = np.ndarray


def _grid(rows: int, cols: int) -> Grid:
    return Grid(Affine(1, 0, 500_000, 0, -1, 4_000_000), (rows, cols), 32648)


def _slope(rows: int = 90, cols: int = 90, tan: float = 0.5) -> Raster:
    """A plane that falls to the south."""
    z = 1000.0 - tan * np.arange(rows)[:, None] + np.zeros((rows, cols))
    return Raster(z.astype(np.float32), _grid(rows, cols), "dem", "m", Height())


def _changed(moved: Field, seed: int = 3) -> SurfaceChange:
    """A change with independent errors of 5 cm in each cell."""
    noisy = moved + np.random.default_rng(seed).normal(0, SIGMA_M, moved.shape)
    grid = _grid(*moved.shape)
    sigma = np.where(np.isfinite(moved), SIGMA_M, np.nan).astype(np.float32)
    significant = np.where(np.isfinite(noisy), np.abs(noisy) > 1.96 * SIGMA_M, 255).astype(np.uint8)
    return SurfaceChange(
        change_m=Raster(noisy.astype(np.float32), grid, "change", "m"),
        sigma_m=Raster(sigma, grid, "sigma", "m"),
        lod95_m=Raster((1.96 * sigma).astype(np.float32), grid, "lod95", "m"),
        significant=Raster(significant, grid, "significant", "1"),
        stable=Raster(np.isfinite(noisy) & (moved == 0), grid, "stable", "1"),
        correlation=change.Correlation((), (), 1.0, 1.0, SIGMA_M),
    )


def _slide(rows: int = 90, cols: int = 90, *, row: int = 30, col: int = 45, radius: float = 8.0, depth: float = 2.0) -> Field:
    """Two half balls: the northern one missing, the southern one added, so of equal volume 2/3 pi r2 d / 2 each."""
    y, x = np.mgrid[:rows, :cols]
    dy, dx = y - row + 0.5, x - col + 0.5
    form = np.sqrt(np.maximum(1 - (dy**2 + dx**2) / radius**2, 0))
    return np.where(dy < 0, -depth * form, depth * form)


def _found(moved: Field, *, before: Raster | None = None, **options: object) -> geopandas.GeoDataFrame:
    return change.landslide_bodies(_changed(moved), before=before or _slope(*moved.shape), **options)  # type: ignore[arg-type]


def _bodies(table: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    return table[table["rejected_as"] == ""]


def test_a_slide_of_known_volume_is_one_body_that_goes_downhill() -> None:
    body = _bodies(_found(_slide()))
    assert len(body) == 1
    row = body.iloc[0]
    true = -np.minimum(_slide(), 0).sum()  # over cells of 1 m2
    assert true == pytest.approx(2 / 3 * math.pi * 8.0**2 * 2.0 / 2, rel=0.01)
    assert row["volume_low_m3"] <= true <= row["volume_high_m3"]
    assert row["volume_m3"] == pytest.approx(true, rel=0.05)
    assert row["deposit_volume_m3"] == pytest.approx(true, rel=0.05)
    assert row["direction_deg"] == pytest.approx(180.0, abs=5.0)
    assert row["area_m2"] == pytest.approx(math.pi * 8.0**2, rel=0.25)
    assert row["depth_max_m"] == pytest.approx(2.0, abs=0.2)
    assert row["height_m"] == pytest.approx(0.5 * row["length_m"], rel=0.25)
    assert row["confidence"] == "high"
    assert row["unknown_rim_share"] == 0
    assert shapely.from_wkt(row["source_wkt"]).area == pytest.approx(row["source_area_m2"])


def test_nothing_changed_gives_no_body() -> None:
    assert len(_bodies(_found(np.zeros((90, 90))))) == 0


def test_identical_epochs_with_errors_of_zero_give_an_empty_table_with_all_columns() -> None:
    still = _changed(np.zeros((40, 40)))
    zero = still.change_m.like(np.zeros((40, 40), np.float32), "change", "m")
    same = SurfaceChange(zero, still.sigma_m, still.lod95_m, still.significant, still.stable, still.correlation)
    table = change.landslide_bodies(same, before=_slope(40, 40))
    assert len(table) == 0
    assert {"body_id", "volume_m3", "rejected_as", "method"} <= set(table.columns)


def test_ground_that_went_uphill_is_no_slide() -> None:
    table = _found(-_slide())
    assert len(_bodies(table)) == 0
    assert len(table) > 0


def test_a_pit_with_its_heap_on_level_ground_is_an_excavation() -> None:
    moved = np.zeros((90, 90))
    moved[30:44, 20:40] = -2.0
    moved[30:44, 43:63] = 2.0
    table = _found(moved, before=_slope(tan=0.02))
    assert len(_bodies(table)) == 0
    assert (table["rejected_as"] == decoys.EXCAVATION).any()


def test_a_field_that_was_levelled_downslope_is_named_so() -> None:
    moved = np.zeros((90, 90))
    moved[30:46, 30:60] = np.linspace(-0.5, 0.5, 16)[:, None]
    table = _found(moved, before=_slope(tan=0.25))
    assert len(_bodies(table)) == 0
    assert (table["rejected_as"] == decoys.LEVELLED).any()


def test_a_block_that_turned_is_deep_and_stays_a_slide() -> None:
    moved = np.zeros((90, 90))
    moved[30:46, 30:60] = np.linspace(-2.5, 2.5, 16)[:, None]
    assert len(_bodies(_found(moved, before=_slope(tan=0.5)))) == 1


def test_snow_has_no_source_and_is_thin() -> None:
    moved = np.zeros((90, 90))
    moved[40:52, 40:56] = 0.3
    assert list(_found(moved)["rejected_as"]) == [decoys.SNOW]


def test_a_lorry_that_came_is_a_compact_tall_box() -> None:
    moved = np.zeros((90, 90))
    moved[40:48, 40:43] = 2.8
    table = _found(moved, min_area_m2=20.0)
    assert list(table["rejected_as"]) == [decoys.VEHICLE]


def test_crowns_that_grew_are_no_deposit() -> None:
    moved = np.zeros((90, 90))
    moved[40:52, 40:56] = 1.5
    canopy = Raster(moved > 0, _grid(90, 90), "canopy", "1")
    assert list(_found(moved, canopy=canopy)["rejected_as"]) == [decoys.CROWNS]


def test_a_lake_is_standing_water() -> None:
    before = _slope(tan=0.1)
    level = 995.0
    moved = np.maximum(level - before.values.astype(np.float64), 0.0)
    moved[:, :20] = moved[:, 70:] = 0.0
    table = _found(moved, before=before)
    assert len(_bodies(table)) == 0
    assert (table["rejected_as"] == decoys.LEVEL_SURFACE).any()


def test_a_deposit_far_too_large_for_its_source_does_not_fit() -> None:
    moved = _slide(row=20, radius=6.0, depth=1.0)
    moved[20:60, 38:52] = 3.0
    table = _found(moved)
    assert len(_bodies(table)) == 0
    assert (table["rejected_as"] == decoys.NO_BALANCE).any()


def test_a_source_beside_ground_that_nobody_surveyed_is_drawn_and_not_called_nothing() -> None:
    moved = _slide(row=60)
    moved[60:] = np.nan
    table = _found(moved)
    assert len(table) == 1
    assert table.iloc[0]["rejected_as"] == decoys.UNDECIDED
    assert table.iloc[0]["unknown_rim_share"] > 0.2
    assert table.attrs["unknown_share"] == pytest.approx(1 / 3, abs=0.01)


def test_a_large_source_whose_deposit_was_not_surveyed_stays_a_body_in_doubt() -> None:
    moved = _slide(row=60, radius=20.0, depth=5.0)
    moved[60:] = np.nan
    body = _bodies(_found(moved))
    assert list(body["kind"]) == ["source only"]
    assert list(body["confidence"]) == ["low"]


def test_change_where_the_ground_was_not_measured_is_not_claimed() -> None:
    measured = Raster(np.zeros((90, 90), bool), _grid(90, 90), "measured", "1")
    assert len(_found(_slide(), measured=measured)) == 0


def test_bodies_smaller_than_asked_for_are_kept_apart() -> None:
    table = _found(_slide(radius=3.5, depth=1.5), min_area_m2=60.0)
    assert list(table["rejected_as"]) == [decoys.SMALL]


def test_numbers_stay_when_a_body_appears_to_the_north() -> None:
    first = _found(_slide(row=60))
    both = _slide(row=60) + _slide(row=20)
    assert list(_bodies(first)["body_id"]) == [1]
    again = _bodies(_found(both, earlier=first)).sort_values("body_id")
    assert list(again["body_id"]) == [1, 2]
    assert again.iloc[0].geometry.intersects(_bodies(first).iloc[0].geometry)


def test_the_table_is_the_same_when_the_survey_is_wider() -> None:
    wide = np.zeros((120, 130))
    wide[10:100, 20:110] = _slide()
    shifted = _bodies(_found(wide, before=_slope(120, 130))).iloc[0]
    here = _bodies(_found(_slide())).iloc[0]
    assert shifted["volume_m3"] == pytest.approx(here["volume_m3"], rel=0.05)


def test_what_a_body_reached_is_listed() -> None:
    road = shapely.LineString([(500_000, 3_999_965), (500_090, 3_999_965)])
    roads = geopandas.GeoDataFrame(geometry=[road], crs=32648)
    assert list(_bodies(_found(_slide(), places={"roads": roads}))["reached"]) == ["roads 1"]
    with pytest.raises(CrsError, match="project them"):
        _found(_slide(), places={"roads": roads.to_crs(4326)})


def test_two_slides_apart_are_two_bodies_and_the_larger_comes_first() -> None:
    moved = _slide(row=20, col=25, radius=6.0) + _slide(row=60, col=60, radius=10.0)
    body = _bodies(_found(moved))
    assert len(body) == 2
    assert body["area_m2"].is_monotonic_decreasing
    assert list(body["body_id"]) == [2, 1]


@pytest.mark.parametrize("area", [0.0, -5.0, math.nan])
def test_an_area_that_is_not_positive_is_refused(area: float) -> None:
    with pytest.raises(InputError, match="min_area_m2"):
        _found(_slide(), min_area_m2=area)


def test_a_surface_on_another_grid_is_refused() -> None:
    with pytest.raises(GridMismatchError, match="different grids"):
        change.landslide_bodies(_changed(_slide()), before=_slope(50, 50))


def test_more_unknown_never_adds_a_body() -> None:
    counts = []
    for hidden in (0, 30, 60, 90):
        moved = _slide(row=30)
        moved[90 - hidden :] = np.nan
        counts.append(len(_bodies(_found(moved))))
    assert counts == sorted(counts, reverse=True)


def test_true_volumes_lie_in_their_intervals() -> None:
    inside = 0
    for seed in range(12):
        moved = _slide(radius=5.0 + seed % 6)
        table = _bodies(change.landslide_bodies(_changed(moved, seed), before=_slope()))
        true = -np.minimum(moved, 0).sum()
        inside += bool(len(table)) and bool(table.iloc[0]["volume_low_m3"] <= true <= table.iloc[0]["volume_high_m3"])
    assert inside >= 11
