"""What LAS headers say of their CRS: keys without a code, units that contradict, WKT of other makers."""

from pathlib import Path

import laspy
import numpy as np
import pyproj
import pytest
from laspy.vlrs.known import GeoAsciiParamsVlr, GeoDoubleParamsVlr, GeoKeyDirectoryVlr, GeoKeyEntryStruct, WktCoordinateSystemVlr
from laspy.vlrs.vlrlist import VLRList

from hazardgeo.errors import CrsError, HazardGeoWarning
from hazardgeo.io import cloud_info, read_cloud


def las_with(path: Path, *records: object, xyz: tuple[float, float, float] = (500_000.0, 3_950_000.0, 2000.0)) -> Path:
    header = laspy.LasHeader(version="1.2", point_format=1)
    header.scales, header.offsets = np.full(3, 0.001), np.array(xyz)
    header.vlrs.extend(records)
    las = laspy.LasData(header)
    las.x, las.y, las.z = (np.array([v, v + 1]) for v in xyz)
    las.return_number = las.number_of_returns = np.ones(2, np.uint8)
    las.write(path)
    return path


def keys_of(*entries: tuple[int, int, int, int], doubles: tuple[float, ...] = (), text: str = "") -> list[object]:
    directory = GeoKeyDirectoryVlr()
    directory.geo_keys_header.number_of_keys = len(entries)
    directory.geo_keys = [GeoKeyEntryStruct(*e) for e in entries]
    records: list[object] = [directory]
    if doubles:
        params = GeoDoubleParamsVlr()
        import ctypes

        params.doubles = [ctypes.c_double(v) for v in doubles]
        records.append(params)
    if text:
        ascii_params = GeoAsciiParamsVlr()
        ascii_params.strings = [text]
        records.append(ascii_params)
    return records


def transverse_mercator(geographic: int, unit: int = 9001) -> list[object]:
    """CGCS2000 with a central meridian of its own, as surveys of one county use it."""
    entries = [(1024, 0, 1, 1), (2048, 0, 1, geographic), (3072, 0, 1, 32767), (3074, 0, 1, 32767), (3075, 0, 1, 1),
               (3076, 0, 1, unit), (3080, 34736, 1, 0), (3081, 34736, 1, 1), (3082, 34736, 1, 2), (3083, 34736, 1, 3),
               (3092, 34736, 1, 4)]  # fmt: skip
    return keys_of(*entries, doubles=(103.25, 0.0, 500_000.0, 0.0, 1.0))


def test_keys_that_define_a_system_by_its_parameters_are_understood(tmp_path: Path) -> None:
    path = las_with(tmp_path / "c.las", *transverse_mercator(4490))
    read = read_cloud(path)
    expected = pyproj.CRS("+proj=tmerc +lat_0=0 +lon_0=103.25 +k=1 +x_0=500000 +y_0=0 +ellps=GRS80 +units=m")
    found = pyproj.Transformer.from_crs(read.crs, read.crs.geodetic_crs, always_xy=True).transform(500_000, 3_950_000)
    wanted = pyproj.Transformer.from_crs(expected, expected.geodetic_crs, always_xy=True).transform(500_000, 3_950_000)
    np.testing.assert_allclose(found, wanted, atol=1e-8)  # the ellipsoids of CGCS2000 and GRS 80 differ by 0.1 mm
    assert read.crs.geodetic_crs is not None
    assert "2000" in read.crs.geodetic_crs.name
    assert cloud_info(path).notes == ()


def test_a_defined_system_in_feet_is_in_feet(tmp_path: Path) -> None:
    with pytest.warns(HazardGeoWarning, match="unit of the heights is not stated"):
        read = read_cloud(las_with(tmp_path / "c.las", *transverse_mercator(4269, 9002)))
    assert read.crs.axis_info[0].unit_conversion_factor == pytest.approx(0.3048)


@pytest.mark.parametrize("geographic", [32767, 0])
def test_a_defined_system_on_an_unknown_datum_asks_for_a_statement(tmp_path: Path, geographic: int) -> None:
    path = las_with(tmp_path / "c.las", *transverse_mercator(geographic))
    with pytest.raises(CrsError, match="name no EPSG code for the map CRS"):
        read_cloud(path)
    assert read_cloud(path, crs=4544).crs.to_epsg() == 4544


def test_a_code_and_a_unit_that_contradict_ask_for_a_statement(tmp_path: Path) -> None:
    path = las_with(tmp_path / "c.las", *keys_of((1024, 0, 1, 1), (3072, 0, 1, 32648), (3076, 0, 1, 9002)))
    with pytest.raises(CrsError, match=r"name EPSG:32648, which has units of 1 m, and units of 0\.3048 m"):
        read_cloud(path)
    path = las_with(tmp_path / "d.las", *keys_of((1024, 0, 1, 1), (3072, 0, 1, 32648), (3076, 0, 1, 9001)))
    assert read_cloud(path).crs.to_epsg() == 32648


def test_keys_that_point_nowhere_are_no_crs(tmp_path: Path) -> None:
    for entries in ([(3072, 0, 1, 32767), (2048, 0, 1, 4490)], [(3072, 34736, 1, 99)], [(0, 0, 0, 0)]):
        with pytest.raises(CrsError, match="GeoTIFF keys"):
            read_cloud(las_with(tmp_path / "c.las", *keys_of(*entries)))


@pytest.mark.parametrize("form", ["WKT1_ESRI", "WKT1_GDAL", "WKT2_2019"])
def test_every_kind_of_wkt_is_understood(tmp_path: Path, form: str) -> None:
    read = read_cloud(las_with(tmp_path / "c.las", WktCoordinateSystemVlr(pyproj.CRS(32648).to_wkt(form))))
    assert read.crs.to_epsg() == 32648


def test_wkt_that_is_none_asks_for_a_statement(tmp_path: Path) -> None:
    for text in ("PROJCS[", "nonsense", 'LOCAL_CS["site",UNIT["metre",1]]'):
        path = las_with(tmp_path / "c.las", WktCoordinateSystemVlr(text))
        with pytest.raises(CrsError, match="State the CRS with crs="):
            read_cloud(path)
        assert len(read_cloud(path, crs=32648)) == 2


def test_a_wkt_behind_the_points_is_found_and_other_extended_records_are_not_read(tmp_path: Path) -> None:
    header = laspy.LasHeader(version="1.4", point_format=6)
    header.scales, header.offsets = np.full(3, 0.001), np.array([500_000.0, 3_950_000, 2000])
    header.global_encoding.wkt = True
    las = laspy.LasData(header)
    las.x, las.y, las.z = (np.array([v, v + 1]) for v in (500_000.0, 3_950_000.0, 2000.0))
    las.return_number = las.number_of_returns = np.ones(2, np.uint8)
    las.evlrs = VLRList([laspy.VLR("other", 7, "", bytes(100_000)), WktCoordinateSystemVlr(pyproj.CRS(32648).to_wkt())])
    las.write(tmp_path / "c.las")
    assert read_cloud(tmp_path / "c.las").crs.to_epsg() == 32648


def test_a_statement_of_degrees_over_local_numbers_is_settled_by_the_offset_only_where_it_fits(tmp_path: Path) -> None:
    path = las_with(tmp_path / "c.las", WktCoordinateSystemVlr(pyproj.CRS(4326).to_wkt()), xyz=(0.5, 0.5, 10.0))
    assert read_cloud(path, offset=(102, 35, 0)).bounds == pytest.approx((102.5, 35.5, 103.5, 36.5))
    with pytest.raises(CrsError, match="are not degrees"):
        read_cloud(path, offset=(500_000, 3_950_000, 0))
