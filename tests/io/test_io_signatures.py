"""Raw scans, models and drawings are named with the export to make; what can be read is never taken for one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from hazardgeo import cli, io
from hazardgeo.errors import FormatError
from hazardgeo.io.signatures import raw_scan

BINARY = bytes(range(256))


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"RIEGL LMS RDB 2 POINTCLOUD FILE\0", "RIEGL"),  # GDAL, rdbdataset.cpp
        (b"livox_tech\0\0\0\0\0\0\x01\x01\0\0", "Livox"),  # LVX specification 1.1
        (b"#ROSBAG V2.0\n", "ROS"),
        (b"\x89MCAP0\r\n", "ROS"),
        (b"\xd4\xc3\xb2\xa1\x02\0\x04\0", "packets"),
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a", "packets"),  # pcapng, little-endian section header
        (b"pnts\x01\0\0\0", "3D Tiles"),
        (b"\xa1\x0e\x91\x6cEE\xfb\x1a", "3D model"),
        (b"AC1032\0\0", "drawing"),
    ],
)
def test_a_signature_counts_whatever_the_name(head: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "scan.bin").write_bytes(head + BINARY)
    found = raw_scan(tmp_path / "scan.bin")
    assert found is not None
    assert found.by_content
    assert said in found.what


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("ScanPos001.rxp", "RiSCAN PRO"),
        ("Scan_001.FLS", "FARO SCENE"),
        ("site.lgsx", "Cyclone REGISTER 360"),
        ("a.tzf", "Trimble"),
        ("a.rcs", "ReCap"),
        ("a.zfs", "LaserControl"),
        ("a.cl3", "MAGNET"),
        ("DJI_20231220101010_0001.LDR", "DJI Terra"),
        ("DJI_20231220101010_0001.IMU", "DJI Terra"),
        ("a.geoslam", "GeoSLAM"),
        ("a.pod", "Bentley"),
        ("octree.bin", "Potree"),
        ("picture.ecw", "GeoTIFF"),
    ],
)
def test_what_is_not_published_is_known_by_name_and_says_so(name: str, program: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(BINARY)
    found = raw_scan(tmp_path / name)
    assert found is not None
    assert not found.by_content
    assert program in found.advice
    assert found.advice.startswith("is, by its name, ")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("colours.clr", b"1 255 0 0\n2 0 255 0\n"),  # a colour table of Esri
        ("grid.bag", b"\x89HDF\r\n\x1a\n" + BINARY),  # a bathymetric grid, which GDAL reads
        ("survey.rcs", b"II*\0" + BINARY),
        ("notes.rtk", BINARY),
        ("AC1015.csv", b"AC1015,1,2\n"),
        ("cloud.las", b"LASF" + BINARY),
        ("unknown.xyz1", BINARY),
    ],
)
def test_readable_content_and_names_of_others_go_on(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert raw_scan(tmp_path / name) is None


def test_a_file_that_is_not_there_is_no_raw_scan(tmp_path: Path) -> None:
    assert raw_scan(tmp_path / "no.rxp") is None


@pytest.mark.parametrize("door", [io.read_cloud, io.cloud_info, io.read_raster, io.read_vector, io.read_shakemap])
def test_every_door_answers_with_the_export(door: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "scan.rxp").write_bytes(BINARY)
    with pytest.raises(FormatError, match=r"scan\.rxp is, by its name, a raw scan of a RIEGL scanner; export LAS 1\.4") as caught:
        door(tmp_path / "scan.rxp")
    assert "\n" not in str(caught.value)


def test_info_answers_too(tmp_path: Path) -> None:
    (tmp_path / "a.lvx").write_bytes(b"livox_tech\0" + BINARY)
    outcome = CliRunner().invoke(cli.group, ["info", str(tmp_path / "a.lvx")], standalone_mode=False)
    assert isinstance(outcome.exception, FormatError)
    assert "export LAS from Livox Viewer" in str(outcome.exception)


def test_none_of_the_real_files_is_taken_for_a_raw_scan(data_case: Callable[[str], Path]) -> None:
    data_case("formats")
    files = [path for path in Path(os.environ["HAZARDGEO_DATA"]).rglob("*") if path.is_file()]
    assert len(files) > 300
    assert [path.name for path in files if raw_scan(path) is not None] == []
