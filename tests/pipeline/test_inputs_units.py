"""What a scenario must state of a raster, and what it can: units and resampling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine

from hazardgeo.errors import ConfigError, InputError
from hazardgeo.pipeline import inputs
from hazardgeo.pipeline.place import _raw
from hazardgeo.scenario import InputFile, Scenario

UTM = Affine(10, 0, 300_000, 0, -10, 3_950_000)


def put(path: Path, values: list[float], *, unit: str = "", crs: str = "EPSG:32648", transform: Affine = UTM) -> Path:
    """A GeoTIFF as others write it."""
    cells = np.array([values], np.float32)
    profile: dict[str, Any] = {"driver": "GTiff", "dtype": "float32", "count": 1, "height": 1, "width": len(values)}
    with rasterio.open(path, "w", crs=crs, transform=transform, **profile) as out:
        out.write(cells, 1)
        if unit:
            out.set_band_unit(1, unit)
    return path


def load(name: str, path: Path, **options: Any) -> Any:
    file = InputFile(name, path, options)
    return inputs.load(Scenario("", {name: file}, {}, path.parent), name, None)


@pytest.mark.parametrize("name", ["distance_to_river", "distance_to_coast", "slope"])
def test_a_distance_or_a_slope_without_a_unit_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not state its unit; set unit = '(m|deg)' or '(km|m/m)'"):
        load(name, put(tmp_path / "r.tif", [0.0, 30.0]))


def test_distances_in_metres_become_kilometres_whoever_states_the_unit(tmp_path: Path) -> None:
    for path, options in (
        (put(tmp_path / "a.tif", [500.0]), {"unit": "m"}),
        (put(tmp_path / "b.tif", [500.0], unit="metre"), {}),
    ):
        found = load("distance_to_river", path, **options)
        assert (found.unit, found.values.tolist()) == ("km", [[0.5]])


def test_a_unit_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is in km, but unit= says m"):
        load("distance_to_river", put(tmp_path / "r.tif", [500.0], unit="kilometers"), unit="m")


def test_a_slope_above_90_degrees_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"50\.00% of the values are impossible as slopes; .*: 173 deg"):
        load("slope", put(tmp_path / "r.tif", [30.0, 173.0]), unit="deg")


@pytest.mark.parametrize("fill", [-3000.0, 9999.0])
def test_heights_that_no_land_has_are_refused(fill: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"25\.00% of the values are impossible as heights of land; .*: {fill:.10g} m"):
        load("dem", put(tmp_path / "r.tif", [1900.0, 1901.0, fill, 1902.0], unit="m"))


def test_heights_in_feet_are_judged_in_metres(tmp_path: Path) -> None:
    found = load("dem", put(tmp_path / "r.tif", [20_000.0]), unit="feet")
    assert (found.unit, found.values[0, 0]) == ("m", pytest.approx(6096.0))


def test_the_unit_settles_a_file_that_says_metres_and_feet(tmp_path: Path) -> None:
    text = pyproj.CRS("EPSG:32648+6360").to_wkt()
    path = put(tmp_path / "r.tif", [6900.0], unit="metre", crs=text)
    with pytest.raises(InputError, match="find out which is true"):
        load("dem", path)
    assert load("dem", path, unit="US survey feet").values[0, 0] == pytest.approx(6900 * 1200 / 3937)
    assert _raw(InputFile("dem", path, {"unit": "m"})) is not None


def test_a_turned_raster_is_read_with_resampling(tmp_path: Path) -> None:
    turned = Affine.translation(300_000, 3_950_000) * Affine.rotation(30) * Affine.scale(10, -10)
    path = put(tmp_path / "r.tif", [1900.0] * 4, unit="m", transform=turned)
    with pytest.raises(InputError, match="resampling='bilinear'"):
        load("dem", path)
    assert np.nanmax(load("dem", path, resampling="bilinear").values) == 1900.0
    with pytest.raises(ConfigError, match="resampling = 'cubic' must be nearest or bilinear"):
        load("dem", path, resampling="cubic")
