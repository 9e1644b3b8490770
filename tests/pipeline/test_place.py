"""Layers that lie elsewhere, and what they may have been meant as."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine

from hazardgeo import pipeline
from hazardgeo.errors import CrsError, HazardGeoWarning
from hazardgeo.event import Earthquake, Shaking
from hazardgeo.grid import Grid
from hazardgeo.io import china
from hazardgeo.pipeline import inputs
from hazardgeo.pipeline.place import Extent, check_places
from hazardgeo.raster import Raster
from hazardgeo.scenario import InputFile, Scenario

WORKING = 4543
LON, LAT = 102.8, 35.7
Make = Callable[..., Any]


def xy(code: int, lon: float = LON, lat: float = LAT) -> tuple[float, float]:
    east, north = pyproj.Transformer.from_crs(4326, code, always_xy=True).transform(lon, lat)
    return east, north


def dem(lon: float = LON, lat: float = LAT) -> Raster:
    east, north = xy(WORKING, lon, lat)
    grid = Grid(Affine(100, 0, east - 5000, 0, -100, north + 5000), (100, 100), WORKING)  # type: ignore[arg-type]
    return Raster(np.zeros((100, 100), np.float32), grid, "dem", "m")


@pytest.fixture
def scene(tmp_path: Path) -> Make:
    """A DEM, and roads written with the numbers of one system under the label of another."""

    def make(numbers: int, label: int, *, lon: float = LON) -> tuple[dict[str, Any], Scenario]:
        east, north = xy(numbers, lon)
        line = np.array([[east - 1000, north], [east + 1000, north + 500]])
        shapes = gpd.GeoDataFrame({"name": ["road"]}, geometry=[shapely.LineString(line)], crs=label)
        path = tmp_path / "roads.gpkg"
        shapes.to_file(path, driver="GPKG")
        files = {"dem": InputFile("dem", tmp_path / "dem.tif"), "roads": InputFile("roads", path)}
        products = {"dem": dem(), "roads": shapes.to_crs(WORKING)}
        return products, Scenario("test", files, {}, tmp_path)

    return make


def test_layers_that_lie_together_pass_without_a_word(scene: Make) -> None:
    check_places(*scene(WORKING, WORKING))
    check_places(*scene(4544, 4544))


def test_a_wrong_central_meridian_is_named_with_the_right_one(scene: Make) -> None:
    products, scenario = scene(4544, 4543)  # numbers of 105 E under the label of 102 E
    with pytest.raises(CrsError, match=r"roads.gpkg lies 27\d km west of dem.tif") as caught:
        check_places(products, scenario)
    assert "EPSG:4544 (central meridian 105E)" in str(caught.value)
    assert "source_crs = 'EPSG:4544'" in str(caught.value)


def test_a_wrong_utm_zone_is_named(scene: Make) -> None:
    with pytest.raises(CrsError, match=r"EPSG:32648 \(central meridian 105E\).*source_crs = 'EPSG:32648'"):
        check_places(*scene(32648, 32647))


def test_the_wrong_hemisphere_is_named(scene: Make) -> None:
    with pytest.raises(CrsError, match=r"EPSG:32648 \(central meridian 105E\)"):
        check_places(*scene(32648, 32748))


def test_exchanged_axes_are_named_where_one_file_could_not_show_them(tmp_path: Path) -> None:
    with pytest.raises(CrsError, match=r"with its axes exchanged.*axes = 'north-east'"):
        check_places(*_swapped_degrees(tmp_path))


def _swapped_degrees(folder: Path) -> tuple[dict[str, Any], Scenario]:
    """Sites at 80 E 36 N, written latitude first: 36 E 80 N is a place, too."""
    sites = gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=gpd.points_from_xy([35.99, 36.01], [79.99, 80.01]), crs=4326)
    path = folder / "sites.gpkg"
    sites.to_file(path, driver="GPKG")
    files = {"dem": InputFile("dem", folder / "dem.tif"), "sites": InputFile("sites", path)}
    return {"dem": dem(80.0, 36.0), "sites": sites}, Scenario("test", files, {}, folder)


def test_a_layer_elsewhere_that_no_reading_brings_back_is_warned_of(scene: Make) -> None:
    with pytest.warns(HazardGeoWarning, match=r"lies \d+ km east of dem.tif, so it counts as not there"):
        check_places(*scene(32648, 32648, lon=103.7))


def test_without_a_survey_the_majority_decides(scene: Make) -> None:
    products, scenario = scene(WORKING, WORKING)
    places = {}
    for name, lon in (("people", LON), ("sites", LON), ("bodies", 20.0)):
        path = scenario.folder / f"{name}.gpkg"
        layer = gpd.GeoDataFrame({"name": [name]}, geometry=[shapely.Point(lon, LAT)], crs=4326)
        layer.to_file(path, driver="GPKG")
        products[name], places[name] = layer, InputFile(name, path)
    del products["dem"]
    files = {"roads": scenario.inputs["roads"], **places}
    with pytest.warns(HazardGeoWarning, match="bodies.gpkg lies .* north-west"):
        check_places(products, Scenario("test", files, {}, scenario.folder))


def shaking(half: float) -> Shaking:
    grid = Grid(Affine(half / 5, 0, LON - half, 0, -half / 5, LAT + half), (10, 10), 4326)  # type: ignore[arg-type]
    quake = Earthquake(6.2, LON, LAT, 10.0, datetime(2023, 12, 18, tzinfo=UTC))
    return Shaking(quake, pga_g=Raster(np.full((10, 10), 0.2, np.float32), grid, "pga", "g"))


def test_a_shakemap_that_ends_within_the_survey_is_warned_of(scene: Make) -> None:
    products, scenario = scene(WORKING, WORKING)
    files = {**scenario.inputs, "shakemap": InputFile("shakemap", scenario.folder / "grid.xml")}
    check_places({**products, "shakemap": shaking(1.0)}, Scenario("test", files, {}, scenario.folder))
    with pytest.warns(HazardGeoWarning, match="does not cover all of dem.tif"):
        check_places({**products, "shakemap": shaking(0.02)}, Scenario("test", files, {}, scenario.folder))


def test_an_earthquake_on_the_other_side_of_the_earth_is_warned_of(scene: Make) -> None:
    products, scenario = scene(WORKING, WORKING)
    quake = Earthquake(6.2, -102.8, 35.7, 10.0, datetime(2023, 12, 18, tzinfo=UTC))
    with pytest.warns(HazardGeoWarning, match=r"earthquake in \[event\] lies"):
        check_places(products, Scenario("test", scenario.inputs, {}, scenario.folder, event=quake))


def town(datum: china.Datum | None, distorted: str, lon: float = LON) -> tuple[dict[str, Any], Scenario]:
    """Sites beside roads 1.5 km apart; the sites or the roads are moved as a map service would."""
    rng = np.random.default_rng(1)
    east, north = xy(WORKING, lon)
    lines = [shapely.LineString([(east - 9000, north + d), (east + 9000, north + d)]) for d in range(-9000, 9001, 1500)]
    lines += [shapely.LineString([(east + d, north - 9000), (east + d, north + 9000)]) for d in range(-9000, 9001, 1500)]
    along, beside = rng.uniform(-7000, 7000, 60), rng.choice(np.arange(-7500, 7501, 1500), 60) + rng.normal(0, 10, 60)
    places = [(a, b) if i % 3 == 0 else (b, a) for i, (a, b) in enumerate(zip(along, beside, strict=True))]
    points = np.add(places, (east, north))
    there = pyproj.Transformer.from_crs(WORKING, 4326, always_xy=True)

    def move(coordinates: Any) -> Any:
        if datum is None:
            return coordinates
        place = china.from_wgs84(*there.transform(coordinates[:, 0], coordinates[:, 1]), datum)
        return np.column_stack(there.transform(*place, direction="INVERSE"))

    roads = shapely.transform(shapely.segmentize(lines, 500.0), move) if distorted == "roads" else lines
    sites = move(points) if distorted == "sites" else points
    products = {
        "roads": gpd.GeoDataFrame(geometry=roads, crs=WORKING),
        "sites": gpd.GeoDataFrame(geometry=gpd.points_from_xy(*sites.T), crs=WORKING),
    }
    files = {name: InputFile(name, Path(f"{name}.gpkg")) for name in products}
    return products, Scenario("test", files, {}, Path())


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
@pytest.mark.parametrize("layer", ["sites", "roads"])
def test_sites_that_a_map_service_has_moved_raise_a_suspicion_with_numbers(datum: china.Datum, layer: str) -> None:
    name = {"gcj02": "GCJ-02", "bd09": "BD-09"}[datum]
    with pytest.warns(HazardGeoWarning, match=rf"if {layer} are in {name}.*source_crs = '{name}'.*Nothing was converted"):
        check_places(*town(datum, layer))


def test_sites_beside_their_roads_raise_none() -> None:
    check_places(*town(None, "sites"))


def test_nothing_is_suspected_outside_china() -> None:
    check_places(*town("gcj02", "sites", lon=140.0))


def test_the_distance_between_extents_is_that_of_their_edges() -> None:
    # one degree of longitude on the equator of WGS 84 is 111319.49 m
    one = Extent((0.0, -1.0, 1.0, 1.0))
    assert one.distance_m(Extent((2.0, -1.0, 3.0, 1.0))) == pytest.approx(111_319.49, rel=1e-3)
    assert one.distance_m(Extent((0.5, 0.0, 9.0, 2.0))) == 0.0
    assert Extent((179.5, 0.0, 180.5, 1.0)).distance_m(Extent((-179.8, 0.0, -179.0, 1.0))) == 0.0


def test_the_inputs_of_the_demo_lie_together(valley: Path) -> None:
    scenario = pipeline.read_scenario(valley)
    products: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HazardGeoWarning)
        for name in inputs.in_order(scenario):
            products[name] = inputs.load(scenario, name, scenario.crs)
    check_places(products, scenario)
