"""What photogrammetry programs state of local coordinates."""

from __future__ import annotations

from pathlib import Path

import pyproj
import pytest

from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError
from hazardgeo.io import products

METADATA = """<?xml version="1.0" encoding="utf-8"?>
<ModelMetadata version="1">
  <!--Spatial Reference System-->
  <SRS>{}</SRS>
  <SRSOrigin>{}</SRSOrigin>
</ModelMetadata>
"""
UTM48 = "EPSG:32648"


def metadata(folder: Path, srs: str, origin: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "metadata.xml"
    path.write_text(METADATA.format(srs, origin), encoding="utf-8")
    return path


def test_metadata_states_crs_and_origin(tmp_path: Path) -> None:
    path = metadata(tmp_path / "Productions" / "Production_1", UTM48, "302000,3953000,1890.5")
    found = products.statement(path)
    assert found == products.Product(
        "ContextCapture", path.parent, pyproj.CRS(32648), Height(), (302000.0, 3953000.0, 1890.5), (path,)
    )


def test_terra_is_known_by_its_folders(tmp_path: Path) -> None:
    found = products.statement(metadata(tmp_path / "lidars" / "terra_point_ply", UTM48, "302000,3953000,0"))
    assert found is not None
    assert found.kind == "DJI Terra"


def test_a_compound_crs_gives_the_height_reference(tmp_path: Path) -> None:
    found = products.statement(metadata(tmp_path, "EPSG:32648+5773", "302000,3953000,0"))
    assert found is not None
    assert (found.crs, found.height) == (pyproj.CRS(32648), Height("orthometric", "EPSG:5773"))


def test_wkt_is_understood_and_an_origin_of_zero_is_none(tmp_path: Path) -> None:
    wkt = pyproj.CRS(32648).to_wkt("WKT1_GDAL").replace("&", "&amp;")
    found = products.statement(metadata(tmp_path, wkt, "0,0,0"))
    assert found is not None
    assert found.crs == pyproj.CRS(32648)
    assert found.offset is None


def test_a_tangent_plane_is_refused_with_the_crs_to_export_in(tmp_path: Path) -> None:
    with pytest.raises(CrsError, match=r"plane that touches the Earth at 35\.7 N, 102\.8 E .* for example EPSG:32648"):
        products.statement(metadata(tmp_path, "ENU:35.7,102.8", "0,0,0"))


@pytest.mark.parametrize("srs", ["local", "", 'LOCAL_CS["Local Coordinates (m)",UNIT["metre",1]]'])
def test_local_coordinates_are_refused(srs: str, tmp_path: Path) -> None:
    with pytest.raises(CrsError, match="coordinates are local, on no map; export again"):
        products.statement(metadata(tmp_path, srs, "0,0,0"))


@pytest.mark.parametrize("origin", ["1,2", "1,2,x", "1,nan,3", "1;2;3"])
def test_a_damaged_origin_is_refused_in_one_line(origin: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is damaged: SRSOrigin is") as caught:
        products.statement(metadata(tmp_path, UTM48, origin))
    assert "\n" not in str(caught.value)


def test_damaged_and_dangerous_xml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "metadata.xml"
    path.write_text("<ModelMetadata><SRS>EPSG:32648</SRS>", encoding="utf-8")
    with pytest.raises(FormatError, match="is not XML"):
        products.statement(path)
    path.write_text('<!DOCTYPE a [<!ENTITY b "bb">]><ModelMetadata><SRS>&b;</SRS></ModelMetadata>', encoding="utf-8")
    with pytest.raises(FormatError, match="declares a DOCTYPE"):
        products.statement(path)


def test_an_unknown_crs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CrsError, match="names no usable CRS"):
        products.statement(metadata(tmp_path, "EPSG:999999", "1,2,3"))


@pytest.mark.parametrize("srs", ["/etc/passwd", "+init=/tmp/x:1", "somewhere"])
def test_a_text_that_is_no_crs_is_not_handed_on(srs: str, tmp_path: Path) -> None:
    with pytest.raises(CrsError, match="is neither a code nor WKT"):
        products.statement(metadata(tmp_path, srs, "1,2,3"))


def test_an_origin_with_north_first_is_refused_not_turned(tmp_path: Path) -> None:
    with pytest.raises(CrsError, match=r"(?s)3953000.*export it again with east \(longitude\) as x"):
        products.statement(metadata(tmp_path, "EPSG:4543", "3953000,527000,0"))  # CGCS2000, central meridian 102 E


def test_an_offset_in_degrees_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CrsError, match="EPSG:4326, which is in degrees; export again in a map CRS"):
        products.statement(metadata(tmp_path, "EPSG:4326", "102.8,35.7,1900"))


def test_other_documents_are_no_statements(tmp_path: Path) -> None:
    (tmp_path / "metadata.xml").write_text("<gmd>EPSG:32648</gmd>", encoding="utf-8")
    assert products.statement(tmp_path / "metadata.xml") is None
    (tmp_path / "coords.txt").write_text("1 2 3\n", encoding="utf-8")
    assert products.statement(tmp_path / "coords.txt") is None
    assert products.statement(tmp_path / "cloud.las") is None


def test_pix4d_offset_and_prj_speak_of_the_whole_project(tmp_path: Path) -> None:
    params = tmp_path / "slope" / "1_initial" / "params"
    params.mkdir(parents=True)
    (params / "slope_offset.xyz").write_text("302000.000 3953000.000 1890.000\n", encoding="utf-8")
    (params / "slope_wkt.prj").write_text(pyproj.CRS(32648).to_wkt("WKT1_ESRI"), encoding="utf-8")
    (params / "a_wkt.prj").write_text(pyproj.CRS(32633).to_wkt("WKT1_ESRI"), encoding="utf-8")
    found = products.statement(params / "slope_offset.xyz")
    assert found is not None
    assert (found.kind, found.root, found.crs) == ("Pix4D", tmp_path / "slope", pyproj.CRS(32648))
    assert found.offset == (302000.0, 3953000.0, 1890.0)
    cloud = tmp_path / "slope" / "2_densification" / "point_cloud" / "a.ply"
    assert products.of_file(cloud, [found]) is found
    assert products.of_file(tmp_path / "other" / "a.ply", [found]) is None


def test_pix4d_without_a_prj_states_no_crs(tmp_path: Path) -> None:
    (tmp_path / "a_offset.xyz").write_text("302000 3953000 1890", encoding="utf-8")
    found = products.statement(tmp_path / "a_offset.xyz")
    assert found is not None
    assert found.crs is None


@pytest.mark.parametrize(("zone", "code"), [("48N", 32648), ("17S", 32717)])
def test_odm_states_a_zone_and_an_offset(zone: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "odm_georeferencing").mkdir()
    path = tmp_path / "odm_georeferencing" / "coords.txt"
    path.write_text(f"WGS84 UTM {zone}\n302000 3953000\n-12.5 33.1 95.2\n", encoding="utf-8")
    found = products.statement(path)
    assert found is not None
    assert (found.kind, found.root, found.crs) == ("OpenDroneMap", tmp_path, pyproj.CRS(code))
    assert found.offset == (302000.0, 3953000.0, 0.0)


def test_odm_with_a_damaged_offset_or_zone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "coords.txt"
    path.write_text("WGS84 UTM 48N\n", encoding="utf-8")
    with pytest.raises(FormatError, match="the offset is"):
        products.statement(path)
    path.write_text("WGS84 UTM 99N\n1 2\n", encoding="utf-8")
    with pytest.raises(FormatError, match="UTM zone 99, which does not exist"):
        products.statement(path)


def test_the_nearest_statement_speaks(tmp_path: Path) -> None:
    outer = products.statement(metadata(tmp_path / "a", UTM48, "302000,3953000,0"))
    inner = products.statement(metadata(tmp_path / "a" / "b", UTM48, "303000,3953000,0"))
    assert outer is not None
    assert inner is not None
    assert products.of_file(tmp_path / "a" / "b" / "c.ply", [outer, inner]) is inner
    assert products.of_file(tmp_path / "a" / "c.ply", [inner, outer]) is outer
