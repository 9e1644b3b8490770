import warnings
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine

from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HazardGeoWarning, InputError
from hazardgeo.io import read_raster, write_raster
from hazardgeo.raster import Raster

# A place within each system (east, north), by its definition: UTM 48N around 105 E, Gauss-Krueger zones with their prefix.
PLACES = {
    32648: (300_000, 3_950_000), 4545: (500_000, 3_950_000), 4523: (35_500_000, 3_950_000), 4544: (500_000, 3_950_000),
    4511: (500_000, 3_950_000), 3857: (11_450_000, 4_250_000), 2381: (500_000, 3_950_000), 4490: (102.8, 35.7),
    4326: (102.8, 35.7),
}  # fmt: skip


def put(path: Path, crs: str | None, east: float, north: float, cell: float = 0.001) -> Path:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype="float32",
        count=1,
        height=1,
        width=2,
        transform=Affine(cell, 0, east, 0, -cell, north),
        crs=crs,
    ) as out:
        out.write(np.array([[[6900, 6901]]], np.float32))
    return path


@pytest.mark.parametrize("code", PLACES)
@pytest.mark.parametrize("spelling", ["WKT1_ESRI", "WKT1_GDAL", "WKT2_2019"])
def test_a_crs_is_the_same_in_every_spelling(tmp_path: Path, code: int, spelling: str) -> None:
    text = pyproj.CRS(code).to_wkt(spelling)
    assert read_raster(put(tmp_path / "r.tif", text, *PLACES[code])).grid.crs == pyproj.CRS(code)


@pytest.mark.parametrize("code", PLACES)
def test_a_prj_beside_an_asc_is_the_crs(tmp_path: Path, code: int) -> None:
    east, north = PLACES[code]
    (tmp_path / "r.asc").write_text(f"ncols 2\nnrows 1\nxllcorner {east}\nyllcorner {north}\ncellsize 0.001\n1 2\n")
    (tmp_path / "r.prj").write_text(pyproj.CRS(code).to_wkt("WKT1_ESRI"))
    assert read_raster(tmp_path / "r.asc").grid.crs == pyproj.CRS(code)
    (tmp_path / "r.prj").unlink()
    with pytest.raises(CrsError, match="state it with crs="):
        read_raster(tmp_path / "r.asc")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("+proj=utm +zone=48 +datum=WGS84", 32648),
        ("+proj=utm +zone=48 +ellps=WGS84 +towgs84=0,0,0,0,0,0,0 +units=m +no_defs", 32648),
        ("+proj=longlat +datum=WGS84 +no_defs", 4326),
        (
            "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m +nadgrids=@null +wktext +no_defs",
            3857,
        ),
    ],
)
def test_proj_texts_are_the_systems_that_they_describe(tmp_path: Path, text: str, code: int) -> None:
    assert read_raster(put(tmp_path / "r.tif", text, *PLACES[code])).grid.crs == pyproj.CRS(code)
    assert read_raster(put(tmp_path / "n.tif", None, *PLACES[code]), crs=text).grid.crs == pyproj.CRS(code)


def test_a_projection_without_a_datum_is_not_taken_for_one_with_it(tmp_path: Path) -> None:
    """Its ellipsoid is that of CGCS2000, and of a dozen other datums."""
    text = "+proj=tmerc +lat_0=0 +lon_0=105 +k=1 +x_0=35500000 +y_0=0 +ellps=GRS80 +units=m +no_defs"
    path = put(tmp_path / "r.tif", text, *PLACES[4523])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HazardGeoWarning)
        assert read_raster(path).grid.crs.to_epsg(min_confidence=100) is None
    assert read_raster(path, crs=4523).grid.crs == pyproj.CRS(4523)


def test_a_wrong_zone_prefix_is_named_with_the_right_system(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", None, *PLACES[4523])
    with pytest.raises(CrsError, match="EPSG:4523"):
        read_raster(path, crs=4544)


@pytest.mark.parametrize(("horizontal", "place"), [(4544, PLACES[4544]), (32648, PLACES[32648])])
@pytest.mark.parametrize("spelling", ["WKT1_ESRI", "WKT1_GDAL", "WKT2_2019"])
def test_chinese_heights_are_known_in_every_spelling(
    tmp_path: Path, horizontal: int, place: tuple[float, float], spelling: str
) -> None:
    text = pyproj.CRS(f"EPSG:{horizontal}+5737").to_wkt(spelling)
    read = read_raster(put(tmp_path / "r.tif", text, *place))
    assert read.grid.crs == pyproj.CRS(horizontal)
    assert read.height == Height("orthometric", "EPSG:5737")
    assert read.unit == "m"


NEW_MEXICO = 1_600_000, 1_500_000  # EPSG:2903, in US survey feet


@pytest.mark.parametrize(("vertical", "unit"), [(6360, "us-ft"), (8228, "ft")])
@pytest.mark.parametrize("spelling", ["WKT1_ESRI", "WKT1_GDAL"])
def test_a_vertical_crs_in_feet_gives_the_unit(tmp_path: Path, vertical: int, unit: str, spelling: str) -> None:
    east, north = NEW_MEXICO
    path = tmp_path / "r.asc"
    path.write_text(f"ncols 2\nnrows 1\nxllcorner {east}\nyllcorner {north}\ncellsize 1\n1 2\n")
    (tmp_path / "r.prj").write_text(pyproj.CRS(f"EPSG:2903+{vertical}").to_wkt(spelling))
    assert read_raster(path).unit == unit
    assert read_raster(path, unit=unit).unit == unit
    assert read_raster(path, unit="deg").unit == "deg"
    with pytest.raises(InputError, match=f"is in {unit}, but unit= says m; convert it"):
        read_raster(path, unit="m")


def test_a_geotiff_of_an_esri_text_with_a_vertical_crs_in_feet_is_refused_until_one_is_stated(tmp_path: Path) -> None:
    """GDAL writes the unit of such a vertical CRS as metres, and its name as it was."""
    path = put(tmp_path / "r.tif", pyproj.CRS("EPSG:2903+6360").to_wkt("WKT1_ESRI"), *NEW_MEXICO)
    with pytest.raises(InputError, match="values are in m, and its vertical CRS that they are in us-ft"):
        read_raster(path)
    assert read_raster(path, unit="us-ft").unit == "us-ft"


@pytest.mark.parametrize(("vertical", "unit"), [(6360, "us-ft"), (8228, "ft")])
def test_a_geotiff_with_a_vertical_crs_in_feet_is_in_feet(tmp_path: Path, vertical: int, unit: str) -> None:
    read = read_raster(put(tmp_path / "r.tif", f"EPSG:2903+{vertical}", *NEW_MEXICO))
    assert (read.unit, read.height) == (unit, Height("orthometric", f"EPSG:{vertical}"))


def test_a_file_that_says_metres_and_feet_is_refused_until_one_is_stated(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", "EPSG:2903+6360", *NEW_MEXICO)
    with rasterio.open(path, "r+") as out:
        out.set_band_unit(1, "metre")
    with pytest.raises(
        InputError, match=r"values are in m, and its vertical CRS that they are in us-ft; .* unit='m' or unit='us-ft'"
    ):
        read_raster(path)
    assert read_raster(path, unit="us-ft").unit == "us-ft"
    metres = read_raster(path, unit="m")
    assert (metres.unit, metres.height) == ("m", Height("orthometric"))
    with pytest.raises(InputError, match="find out which is true"):
        read_raster(path, unit="ft")


@pytest.mark.parametrize(
    ("said", "unit"), [("US survey foot", "us-ft"), ("foot", "ft"), ("Feet", "ft"), ("metre", "m"), (" m ", "m"), ("K", "K")]
)
def test_elevations_in_feet_are_never_taken_for_metres(tmp_path: Path, said: str, unit: str) -> None:
    path = put(tmp_path / "r.tif", "EPSG:32648", *PLACES[32648])
    with rasterio.open(path, "r+") as out:
        out.set_band_unit(1, said)
    assert read_raster(path).unit == unit
    if unit in ("ft", "us-ft"):
        with pytest.raises(InputError, match=f"is in {unit}, but unit= says m"):
            read_raster(path, unit="m")


def test_metres_are_not_written_under_a_vertical_crs_in_feet(tmp_path: Path) -> None:
    feet = read_raster(put(tmp_path / "r.tif", "EPSG:2903+6360", *NEW_MEXICO))
    for unit, compound in (("us-ft", True), ("m", False)):
        written = Raster(feet.values, feet.grid, "dem", unit, feet.height)
        write_raster(written, tmp_path / "w.tif")
        with rasterio.Env(GTIFF_REPORT_COMPD_CS=True), rasterio.open(tmp_path / "w.tif") as dataset:
            assert pyproj.CRS(dataset.crs.to_wkt()).is_compound is compound
        read = read_raster(tmp_path / "w.tif")
        assert (read.unit, read.height, read.grid) == (unit, feet.height, feet.grid)


def test_a_stated_vertical_crs_is_refused_and_never_dropped(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", None, 300_000, 3_950_000)
    with pytest.raises(CrsError, match=r"state the map CRS alone, the height with height= and the unit with unit="):
        read_raster(path, crs="EPSG:32648+6360")
