from collections.abc import Callable
from dataclasses import replace

import geopandas
import matplotlib as mpl
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo import raster
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, GridMismatchError, HeightError, InputError, MissingColumnError
from hazardgeo.grid import Grid
from hazardgeo.raster import ClassLabel, Raster

MakeRaster = Callable[..., Raster]
MakeGrid = Callable[..., Grid]


def test_each_kind_of_raster_has_its_way_to_say_unknown(make_raster: MakeRaster) -> None:
    assert make_raster([[1.0, np.nan]]).unknown.tolist() == [[False, True]]
    assert make_raster([[0, 255]], dtype="uint8").unknown.tolist() == [[False, True]]
    assert make_raster([[0, 255]], dtype="int32").unknown.tolist() == [[True, False]]
    assert make_raster([[0, 1]], dtype="bool").unknown.tolist() == [[False, False]]


def test_types_without_an_unknown_are_refused(make_raster: MakeRaster) -> None:
    with pytest.raises(InputError, match="no way to say unknown"):
        make_raster([[1, 2]], dtype="int16")


def test_values_that_do_not_fit_the_grid_are_refused(make_grid: MakeGrid) -> None:
    with pytest.raises(GridMismatchError, match=r"\(2, 2\) do not fit"):
        Raster(np.zeros((2, 2), np.float32), make_grid(2, 3))


def test_two_height_references_do_not_meet(make_raster: MakeRaster) -> None:
    dem = make_raster([[1.0]])
    with pytest.raises(HeightError):
        dem.with_height(Height("ellipsoidal")).require_same(dem.with_height(Height("orthometric")))


def test_a_finer_grid_interpolates_and_a_coarser_one_averages(make_raster: MakeRaster) -> None:
    r = make_raster([[0.0, 2.0], [4.0, 6.0]], cell=2.0)
    fine = raster.align(r, to=Grid.from_bounds(r.grid.bounds, cell=1.0, crs=32648), how="bilinear")
    # Between the centres of the four cells the surface is the plane 1 + (x - x0) / 1 + 2 (y0 - y): 1.5, 2.5, 3.5, 4.5.
    assert fine.values[1:3, 1:3].tolist() == [[1.5, 2.5], [3.5, 4.5]]
    coarse = raster.align(r, to=Grid.from_bounds(r.grid.bounds, cell=4.0, crs=32648), how="mean")
    assert coarse.values.tolist() == [[3.0]]


def test_unknown_cells_neither_spread_nor_fill(make_raster: MakeRaster) -> None:
    r = make_raster([[0.0, np.nan], [4.0, 6.0]], cell=2.0)
    fine = raster.align(r, to=Grid.from_bounds(r.grid.bounds, cell=1.0, crs=32648), how="bilinear")
    expected = np.zeros((4, 4), bool)
    expected[:2, 2:] = True
    assert (fine.unknown == expected).all()


def test_a_coarse_cell_is_known_where_half_of_it_is(make_raster: MakeRaster) -> None:
    r = make_raster([[1.0, np.nan, np.nan, np.nan], [1.0, np.nan, np.nan, 1.0]])
    coarse = raster.align(r, to=Grid.from_bounds(r.grid.bounds, cell=2.0, crs=32648), how="mean")
    assert coarse.values[0, 0] == 1.0
    assert np.isnan(coarse.values[0, 1])


def test_nothing_is_extrapolated_beyond_the_edge(make_raster: MakeRaster) -> None:
    r = make_raster(np.ones((3, 3)))
    west, south, east, north = r.grid.bounds
    wide = raster.align(r, to=Grid.from_bounds((west - 2, south, east, north), cell=1.0, crs=32648), how="bilinear")
    assert np.isnan(wide.values[:, :2]).all()
    assert (wide.values[:, 2:] == 1.0).all()


def test_codes_are_not_averaged(make_raster: MakeRaster) -> None:
    with pytest.raises(InputError, match="cannot be averaged"):
        raster.align(make_raster([[1, 2]], dtype="uint8"), to=Grid.from_bounds((0, 0, 1, 1), cell=1.0, crs=32648), how="mean")


def test_class_and_height_travel_to_another_crs(make_grid: MakeGrid) -> None:
    classes = (ClassLabel(1, "loess", "#aa8844"),)
    r = Raster(np.ones((20, 20), np.uint8), make_grid(20, 20, cell=100.0), "rock", "class", classes=classes)
    moved = raster.align(r, to=Grid.from_bounds((105.0, 36.13, 105.02, 36.14), cell=0.001, crs=4326), how="nearest")
    assert moved.classes == classes
    assert set(np.unique(moved.values)) <= {1, 255}


def test_a_degree_grid_becomes_a_metric_one_of_the_same_place() -> None:
    grid = Grid(Affine(0.001, 0, 102.8, 0, -0.001, 35.8), (100, 100), 4326)
    metric = raster.metric_grid(grid)
    assert metric.crs.to_epsg() == 32648
    assert metric.cell == (100.0, 100.0)
    with pytest.raises(CrsError, match="needs metres"):
        raster.metric_grid(grid, crs=2903)


def points(*pairs: tuple[float, float], crs: int = 32648) -> geopandas.GeoDataFrame:
    return geopandas.GeoDataFrame(geometry=[shapely.Point(500_000 + e, 4_000_000 - s) for e, s in pairs], crs=crs)


def test_sampling_takes_the_cell_that_holds_the_point(make_raster: MakeRaster) -> None:
    r = make_raster([[1.0, 2.0], [3.0, np.nan]])
    found = raster.sample(r, points((0.5, 0.5), (1.9, 0.1), (1.5, 1.5), (-1, 0.5)))
    np.testing.assert_array_equal(found, [1.0, 2.0, np.nan, np.nan])


def test_bilinear_sampling_is_exact_on_a_plane_and_unknown_beside_unknown(make_raster: MakeRaster) -> None:
    r = make_raster([[0.0, 1.0, 2.0], [10.0, 11.0, np.nan]])
    found = raster.sample(r, points((1.0, 1.0), (0.5, 0.75), (1.75, 0.75)), how="bilinear")
    np.testing.assert_allclose(found, [5.5, 2.5, np.nan])


def test_shapes_without_or_with_another_crs_are_refused(make_raster: MakeRaster) -> None:
    r = make_raster([[1.0]])
    with pytest.raises(CrsError, match="no CRS"):
        raster.sample(r, geopandas.GeoDataFrame(geometry=[shapely.Point(0, 0)]))
    with pytest.raises(CrsError, match=r"EPSG:4326.*EPSG:32648.*to_crs"):
        raster.sample(r, points((0, 0), crs=4326))


def box(east: float, south: float, size: float) -> shapely.Geometry:
    return shapely.box(500_000 + east, 4_000_000 - south - size, 500_000 + east + size, 4_000_000 - south)


def test_rasterize_takes_centres_or_all_that_is_touched(make_grid: MakeGrid) -> None:
    shapes = geopandas.GeoDataFrame(geometry=[box(0.1, 0.1, 1.0)], crs=32648)
    assert raster.rasterize(shapes, make_grid(2, 2)).values.sum() == 1
    assert raster.rasterize(shapes, make_grid(2, 2), all_touched=True).values.sum() == 4


def test_where_shapes_overlap_the_largest_number_is_burnt(make_grid: MakeGrid) -> None:
    shapes = geopandas.GeoDataFrame({"depth": [3.0, 1.0, None]}, geometry=[box(0, 0, 1), box(0, 0, 2), box(0, 0, 2)], crs=32648)
    assert raster.burn(shapes, make_grid(2, 2), column="depth").values.tolist() == [[3.0, 1.0], [1.0, 1.0]]
    with pytest.raises(MissingColumnError, match="no column 'height'"):
        raster.burn(shapes, make_grid(2, 2), column="height")


def test_shapes_without_geometry_are_passed_over(make_grid: MakeGrid) -> None:
    shapes = geopandas.GeoDataFrame({"depth": [3.0, 1.0, 2.0]}, geometry=[box(0, 0, 1), None, shapely.Polygon()], crs=32648)
    assert np.nansum(raster.burn(shapes, make_grid(2, 2), column="depth").values) == 3.0
    assert raster.rasterize(shapes, make_grid(2, 2)).values.sum() == 1


def test_zonal_counts_what_is_known_and_keeps_the_index(make_raster: MakeRaster) -> None:
    r = make_raster([[1.0, 3.0], [np.nan, 5.0]])
    zones = geopandas.GeoDataFrame(
        geometry=[box(0.1, 0.1, 1.8), box(1.1, 0.1, 0.5), box(10, 10, 1)], crs=32648, index=["a", "b", "c"]
    )
    found = raster.zonal(r, zones)
    assert found.index.tolist() == ["a", "b", "c"]
    assert found.loc["a"].tolist() == [4, 0.75, 3.0, 1.0, 5.0]
    assert found.loc["b", "max"] == 3.0
    assert found.loc["c", "cells"] == 0
    assert np.isnan(found.loc["c", "max"])


def test_the_part_of_a_zone_outside_the_raster_is_unknown(make_raster: MakeRaster) -> None:
    zone = geopandas.GeoDataFrame(geometry=[box(1.0, 0.0, 2.0)], crs=32648)
    assert raster.zonal(make_raster(np.ones((2, 2))), zone).loc[0, "known_share"] == pytest.approx(0.5)


def test_a_raster_survives_the_way_to_xarray_and_back(make_raster: MakeRaster) -> None:
    r = replace(make_raster([[1.0, np.nan], [3.0, 4.0]], cell=5.0), name="dem")
    back = Raster.from_xarray(r.to_xarray())
    back.grid.require_same(r.grid)
    np.testing.assert_array_equal(back.values, r.values)
    assert (back.name, back.unit) == ("dem", "m")


def test_an_xarray_that_counts_north_upwards_is_turned(make_raster: MakeRaster) -> None:
    r = make_raster([[1.0, 2.0], [3.0, 4.0]])
    turned = Raster.from_xarray(r.to_xarray()[::-1, ::-1])
    np.testing.assert_array_equal(turned.values, r.values)
    turned.grid.require_same(r.grid)


def test_an_xarray_without_a_crs_is_refused(make_raster: MakeRaster) -> None:
    array = make_raster([[1.0, 2.0], [3.0, 4.0]]).to_xarray()
    del array.attrs["crs_wkt"]
    with pytest.raises(CrsError, match="no CRS"):
        Raster.from_xarray(array)


def test_the_notebook_picture_hatches_what_is_unknown_and_escapes_names(make_raster: MakeRaster) -> None:
    r = replace(make_raster(np.full((40, 40), np.nan)), name="<script>")
    shown = raster.picture.thumbnail(r)
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) == 2
    assert "<script>" not in r._repr_html_()


def test_a_plot_carries_the_unit(make_raster: MakeRaster) -> None:
    mpl.use("Agg")
    axes = make_raster([[1.0, 2.0]], name="slope", unit="deg").plot()
    assert axes.figure.axes[1].get_ylabel() == "slope [deg]"
    mpl.pyplot.close("all")


@settings(max_examples=25, deadline=None)
@given(st.integers(-500, 500), st.integers(-500, 500))
def test_shifting_the_origin_changes_nothing(east: int, north: int) -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)

    def coarse(dx: float, dy: float) -> np.ndarray:
        r = Raster(values, Grid(Affine(1, 0, dx, 0, -1, dy), (3, 4), 32648))
        return raster.align(r, to=Grid(Affine(2, 0, dx, 0, -1.5, dy), (2, 2), 32648), how="mean").values

    np.testing.assert_allclose(coarse(500_000, 4_000_000), coarse(500_000 + east, 4_000_000 + north), rtol=1e-5)
