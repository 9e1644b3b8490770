"""All versions and point formats of LAS, built with laspy or byte by byte."""

import struct
from collections.abc import Callable
from pathlib import Path

import laspy
import numpy as np
import pytest

from hazardgeo.errors import FormatError, HazardGeoWarning, InputError
from hazardgeo.io import cloud_info, read_cloud, write_cloud

XYZ = np.array([[500_000.12, 3_950_000.5, 2100.01], [500_010.0, 3_950_010.0, 2105.0], [500_005.0, 3_950_002.0, 2090.25]])
VERSIONS = {"1.1": range(2), "1.2": range(4), "1.3": range(6), "1.4": range(11)}
COLOURED, INFRARED, TIMED, WAVES = {2, 3, 5, 7, 8, 10}, {8, 10}, set(range(11)) - {0, 2}, {4, 5, 9, 10}


def las_of(version: str, point_format: int) -> laspy.LasData:
    header = laspy.LasHeader(version=version, point_format=point_format)
    header.scales, header.offsets = np.full(3, 0.01), np.floor(XYZ.min(axis=0))
    las = laspy.LasData(header)
    las.x, las.y, las.z = XYZ.T
    las.return_number, las.number_of_returns = np.array([1, 2, 3], np.uint8), np.array([3, 3, 3], np.uint8)
    return las


@pytest.mark.parametrize(("version", "point_format"), [(v, f) for v, formats in VERSIONS.items() for f in formats])
@pytest.mark.parametrize("suffix", [".las", ".laz"])
def test_every_version_and_point_format_is_read(tmp_path: Path, version: str, point_format: int, suffix: str) -> None:
    las = las_of(version, point_format)
    las.classification = np.array([2, 12, 31], np.uint8)
    las.withheld, las.synthetic, las.key_point = (np.roll([1, 0, 0], i).astype(bool) for i in range(3))
    if point_format > 5:
        las.overlap = np.array([False, True, False])
    if point_format in COLOURED:
        las.red = np.array([0, 1, 65535], np.uint16)
    if point_format in INFRARED:
        las.nir = np.array([5, 6, 7], np.uint16)
    if point_format in TIMED:
        las.gps_time = np.array([1.5, 2.5, 3.5])
    if suffix == ".laz" and point_format in WAVES:
        pytest.skip("laspy writes no waveforms into LAZ")
    path = tmp_path / f"c{suffix}"
    las.write(path)
    read = read_cloud(path, crs=32648)
    np.testing.assert_allclose(read.xyz, XYZ, atol=0.0051)
    found = read.attributes
    assert found["classification"].tolist() == [2, 12, 31]
    flags = [found[n].tolist() for n in ("withheld", "synthetic", "key_point", "overlap")]
    assert flags == [[True, False, False], [False, True, False], [False, False, True], [False, True, False]]
    assert ("red" in found, "nir" in found, "gps_time" in found) == (
        point_format in COLOURED, point_format in INFRARED, point_format in TIMED,
    )  # fmt: skip
    assert not any(name.startswith("wavepacket") for name in found)
    info = cloud_info(path)
    assert (info.version, info.point_format, info.kind) == (version, point_format, suffix[1:].upper())
    assert ("its waveforms are ignored" in info.notes) == (point_format in WAVES)
    write_cloud(read, tmp_path / "again.laz")
    again = read_cloud(tmp_path / "again.laz")
    with laspy.open(tmp_path / "again.laz") as reader:
        assert reader.header.point_format.id == (8 if point_format in INFRARED else 7 if point_format in COLOURED else 6)
    for name, values in found.items():
        np.testing.assert_array_equal(again.attributes[name], values)


def test_a_file_of_las_1_0_is_read_whatever_its_reserved_bytes_say(tmp_path: Path) -> None:
    """LAS 1.0: four reserved bytes after the signature, records that begin with 0xAABB, two bytes 0xCCDD before the points."""
    keys = struct.pack("<16H", 1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32648)
    record = struct.pack("<H16sHH32s", 0xAABB, b"LASF_Projection", 34735, len(keys), b"GeoTIFF") + keys
    points_at = 227 + len(record) + 2
    head = b"LASF" + b"\xff" * 4 + struct.pack("<IHH8s", 0, 0, 0, b"") + bytes([1, 0]) + b"scanner".ljust(32, b"\0")
    head += b"program".ljust(32, b"\0") + struct.pack("<HHHIIBHI5I", 45, 2004, 227, points_at, 1, 1, 28, 2, 2, 0, 0, 0, 0)
    head += struct.pack("<12d", 0.01, 0.01, 0.01, 500_000, 3_950_000, 0, 500_010, 500_000, 3_950_010, 3_950_000, 2105, 2100)
    assert len(head) == 227
    points = b"".join(
        struct.pack("<3iHBBbBHd", *p, 7, 0b00_001_001, 2, -15, 0, 9, 3.5) for p in ((0, 0, 210_000), (1000, 1000, 210_500))
    )
    path = tmp_path / "old.las"
    path.write_bytes(head + record + b"\xdd\xcc" + points)
    read = read_cloud(path)
    np.testing.assert_allclose(read.xyz, [(500_000, 3_950_000, 2100), (500_010, 3_950_010, 2105)])
    assert (read.crs.to_epsg(), read.attributes["scan_angle_deg"].tolist()) == (32648, [-15, -15])
    info = cloud_info(path)
    assert (info.version, info.gps_time, info.notes) == ("1.0", "seconds of the GPS week", ())


def test_real_waveforms_are_left_out_and_never_written(data_case: Callable[[str], Path], tmp_path: Path) -> None:
    read = read_cloud(data_case("formats") / "laspy" / "fullwave.laz")
    assert len(read) == 10_750
    write_cloud(read.select(slice(0, 50)), tmp_path / "c.laz")
    with laspy.open(tmp_path / "c.laz") as reader:
        assert reader.header.point_format.id == 8


@pytest.mark.parametrize(
    ("number", "total", "counted"),
    [([0, 1, 1], [0, 1, 1], "1 points"), ([3, 1, 2], [2, 1, 0], "2 points"), ([0, 0, 0], [0, 0, 0], "")],
)
def test_returns_that_make_no_sense_are_single_ones(tmp_path: Path, number: list[int], total: list[int], counted: str) -> None:
    las = las_of("1.2", 1)
    las.return_number, las.number_of_returns = np.array(number, np.uint8), np.array(total, np.uint8)
    las.write(tmp_path / "c.las")
    if counted:
        with pytest.warns(HazardGeoWarning, match=f"{counted} have return numbers that make no sense; they count as single"):
            read = read_cloud(tmp_path / "c.las", crs=32648)
    else:  # no point has any: a photogrammetric cloud
        read = read_cloud(tmp_path / "c.las", crs=32648)
    bad = (np.array(number) == 0) | (np.array(number) > np.array(total))
    assert read.attributes["return_number"][bad].tolist() == [1] * bad.sum()
    assert read.attributes["number_of_returns"][bad].tolist() == [1] * bad.sum()
    assert read.attributes["return_number"][~bad].tolist() == np.array(number)[~bad].tolist()


@pytest.mark.parametrize(("times", "kind"), [([1.0, 2, 604_800], "seconds of the GPS week"), ([1, 2, 3.8e8], "adjusted")])
def test_the_kind_of_gps_time_is_told_and_kept(tmp_path: Path, times: list[float], kind: str) -> None:
    las = las_of("1.2", 1)
    las.gps_time = np.array(times)
    las.header.global_encoding.value = int(kind == "adjusted")
    las.write(tmp_path / "c.las")
    assert str(cloud_info(tmp_path / "c.las").gps_time).startswith(kind)
    write_cloud(read_cloud(tmp_path / "c.las", crs=32648), tmp_path / "d.laz")
    assert str(cloud_info(tmp_path / "d.laz").gps_time).startswith(kind)


def test_an_offset_moves_local_coordinates_before_they_are_filtered(tmp_path: Path) -> None:
    las = las_of("1.2", 1)
    las.header.offsets = np.zeros(3)
    las.x, las.y, las.z = (XYZ - [500_000, 3_950_000, 2000]).T
    las.write(tmp_path / "c.las")
    moved = (500_000, 3_950_000, 2000)
    np.testing.assert_allclose(read_cloud(tmp_path / "c.las", crs=32648, offset=moved).xyz, XYZ, atol=0.0051)
    part = read_cloud(tmp_path / "c.las", crs=32648, offset=moved, bounds=(500_004, 3_950_000, 500_006, 3_950_005))
    np.testing.assert_allclose(part.xyz, XYZ[2:], atol=0.0051)
    for wrong in ((1, 2), (1, 2, np.nan)):
        with pytest.raises(InputError, match="must be three finite numbers"):
            read_cloud(tmp_path / "c.las", crs=32648, offset=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="west <= east"):
        read_cloud(tmp_path / "c.las", crs=32648, bounds=(3, 0, 1, 1))


def test_colours_of_las_stay_as_they_are_stored(data_case: Callable[[str], Path]) -> None:
    path = data_case("formats") / "pdal" / "1.2-with-color.las"
    read = read_cloud(path, crs=32610)
    np.testing.assert_array_equal(read.attributes["red"], laspy.read(path).red)


def test_files_without_points_say_what_is_there(tmp_path: Path) -> None:
    las_of("1.2", 1).write(tmp_path / "c.las")
    data = bytearray((tmp_path / "c.las").read_bytes())
    data[107:111] = bytes(4)  # a writer that was stopped before it counted
    (tmp_path / "stopped.las").write_bytes(data)
    with pytest.raises(FormatError, match="counts no points in its header, but has room for 3: its writer was stopped"):
        read_cloud(tmp_path / "stopped.las", crs=32648)
