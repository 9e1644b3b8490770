"""Bodies from one epoch: scars cut into surfaces whose shape before is known."""

from __future__ import annotations

import math

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine

from hazardgeo import change
from hazardgeo.change import picture, rim
from hazardgeo.crs import Height
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

RADIUS_M, DEPTH_M, MIDDLE = 14.0, 3.0, (60.5, 60.5)


def _grid(rows: int = 120, cols: int = 120) -> Grid:
    return Grid(Affine(1, 0, 500_000, 0, -1, 4_000_000), (rows, cols), 32648)


def _before(*, bend: float = 0.001, rough_m: float = 0.03) -> np.ndarray:
    """A slope of 0.4 to the south, slightly hollow, with a little relief."""
    y, _x = np.mgrid[:120, :120].astype(float)
    noise = np.random.default_rng(5).normal(0, rough_m, (120, 120))
    return 900.0 - 0.4 * y + bend * (y - 60) ** 2 / 2 + noise


def _moved() -> np.ndarray:
    y, x = np.mgrid[:120, :120] + 0.5
    form = np.sqrt(np.maximum(1 - ((y - MIDDLE[0]) ** 2 + (x - MIDDLE[1]) ** 2) / RADIUS_M**2, 0))
    return np.where(y < MIDDLE[0], -DEPTH_M, 1.2 * DEPTH_M) * form


def _after() -> Raster:
    return Raster((_before() + _moved()).astype(np.float32), _grid(), "dem", "m", Height())


def _outline() -> geopandas.GeoDataFrame:
    middle = shapely.Point(500_000 + MIDDLE[1], 4_000_000 - MIDDLE[0])
    return geopandas.GeoDataFrame(geometry=[middle.buffer(RADIUS_M + 1.0)], crs=32648)


def test_the_volume_of_a_drawn_slide_is_rebuilt_from_its_rim() -> None:
    table = change.bodies_from_one_epoch(_after(), outlines=_outline())
    assert len(table) == 1
    row = table.iloc[0]
    true = -np.minimum(_moved(), 0).sum()
    assert row["volume_low_m3"] <= true <= row["volume_high_m3"]
    assert row["volume_m3"] == pytest.approx(true, rel=0.15)
    assert row["method"] == "reconstructed"
    assert "reconstructed" in row["reasons"]
    assert row["direction_deg"] == pytest.approx(180.0, abs=10.0)
    assert row["rejected_as"] == ""


def test_a_clear_slide_on_an_even_slope_is_found_without_an_outline() -> None:
    table = change.bodies_from_one_epoch(_after())
    true = shapely.Point(500_000 + MIDDLE[1], 4_000_000 - MIDDLE[0]).buffer(RADIUS_M)
    over = table[table["rejected_as"] == ""].geometry
    shares = over.intersection(true).area / over.union(true).area
    assert shares.max() > 0.4
    assert set(table["confidence"]) == {"low"}


def test_a_plane_is_rebuilt_by_every_interpolator() -> None:
    y, x = np.mgrid[:60, :60].astype(float)
    dem = Raster((500 - 0.3 * y + 0.1 * x).astype(np.float32), Grid(_grid().transform, (60, 60), 32648), "dem", "m", Height())
    hole = (np.hypot(y - 30, x - 30) < 8).astype(bool)
    found = rim.rebuilt(dem, hole)
    assert found is not None
    for change_m in found.by_way:
        assert np.nanmax(np.abs(change_m)) < 0.05  # 1 % of what the plane falls across the hole
    assert np.isnan(found.change_m[~hole]).all()
    assert found.sigma_m < 0.05


def test_a_hole_without_a_known_rim_is_not_rebuilt() -> None:
    values = np.full((30, 30), np.nan, np.float32)
    values[10:20, 10:20] = 5.0
    dem = Raster(values, Grid(_grid().transform, (30, 30), 32648), "dem", "m", Height())
    assert rim.rebuilt(dem, np.isfinite(values)) is None


def test_a_coarse_model_says_that_it_cannot_tell_of_a_small_body() -> None:
    coarse_grid = Grid(Affine(30, 0, 500_000, 0, -30, 4_000_000), (4, 4), 32648)
    coarse = Raster(
        (880.0 - 12.0 * np.arange(4)[:, None] + np.zeros((4, 4))).astype(np.float32), coarse_grid, "old", "m", Height()
    )
    table = change.bodies_from_one_epoch(_after(), outlines=_outline(), coarse_before=coarse)
    assert "the coarse model cannot tell" in table.iloc[0]["reasons"]


def test_rubble_on_a_picture_raises_the_confidence() -> None:
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:480, :480] / 4.0
    inside = np.hypot(y - MIDDLE[0], x - MIDDLE[1]) < RADIUS_M
    bright = 120 + np.where(inside, rng.normal(0, 30, inside.shape), rng.normal(0, 5, inside.shape))
    grid = Grid(Affine(0.25, 0, 500_000, 0, -0.25, 4_000_000), (480, 480), 32648)
    picture = Raster(bright.astype(np.float32), grid, "brightness", "")
    plain = change.bodies_from_one_epoch(_after(), outlines=_outline()).iloc[0]
    seen = change.bodies_from_one_epoch(_after(), outlines=_outline(), ortho=picture).iloc[0]
    assert (plain["confidence"], seen["confidence"]) == ("medium", "high")


def _picture(inside: np.ndarray) -> list[Raster]:
    """Even earth with grain, and rubble, a little less green, where `inside` holds (pixels of 0.2 m)."""
    rng = np.random.default_rng(3)
    tone = 1.0 + np.where(inside, rng.normal(0, 0.12, inside.shape), rng.normal(0, 0.01, inside.shape))
    grid = Grid(Affine(0.2, 0, 500_000, 0, -0.2, 4_000_000), inside.shape, 32648)
    colours = (("red", 190.0), ("green", np.where(inside, 160.0, 166.0)), ("blue", 130.0))
    return [Raster((tone * colour).astype(np.float32), grid, name, "") for name, colour in colours]


def test_rubble_below_a_scar_is_found_on_a_picture() -> None:
    y, x = np.mgrid[:600, :600] / 5.0
    heap = (np.hypot(y - MIDDLE[0], x - MIDDLE[1]) < RADIUS_M) & (y > MIDDLE[0])
    table = change.bodies_from_one_epoch(_after(), ortho=_picture(heap))
    true = shapely.Point(500_000 + MIDDLE[1], 4_000_000 - MIDDLE[0]).buffer(RADIUS_M)
    assert len(table) == 1
    assert table.geometry.iloc[0].intersection(true).area / table.geometry.iloc[0].union(true).area > 0.5
    assert "rubble below a scar" in table["reasons"].iloc[0]


def test_an_even_picture_shows_no_rubble() -> None:
    table = change.bodies_from_one_epoch(_after(), ortho=_picture(np.zeros((600, 600), bool)))
    assert len(table) == 0


def test_rows_of_a_field_are_not_rough_every_way() -> None:
    stripes = 1.0 + 0.2 * np.sin(np.arange(600) * 1.3)[:, None] * np.ones((1, 600))
    noise = 1.0 + np.random.default_rng(4).normal(0, 0.01, (600, 600))
    values = (150 * noise * np.where(np.arange(600) < 300, stripes, 1.0)).astype(np.float32)
    grid = Grid(Affine(0.2, 0, 500_000, 0, -0.2, 4_000_000), (600, 600), 32648)
    found = picture.seen(Raster(values, grid, "brightness", ""), _grid())
    assert np.nanmedian(found.near[10:110, 10:50]) < 2.0


def test_a_picture_that_is_too_coarse_is_refused() -> None:
    coarse = Raster(np.ones((120, 120), np.float32), _grid(), "brightness", "")
    with pytest.raises(InputError, match="pixels of 1 m"):
        change.bodies_from_one_epoch(_after(), ortho=coarse)


def test_an_area_that_is_not_positive_is_refused() -> None:
    with pytest.raises(InputError, match="min_area_m2"):
        change.bodies_from_one_epoch(_after(), min_area_m2=math.nan)
