from collections.abc import Callable
from pathlib import Path

import laspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, HeightError, InputError
from hazardgeo.io import cloud_info, read_cloud, write_cloud

XYZ = np.array([[500_000.125, 3_950_000.5, 2100.001], [500_010.0, 3_950_010.0, 2105.0], [500_005.0, 3_950_002.0, 2090.25]])


def cloud(**attributes: object) -> PointCloud:
    return PointCloud(XYZ, 32648, {k: np.asarray(v) for k, v in attributes.items()}, Height("orthometric", "EPSG:5737"))  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".las", ".laz"])
def test_a_cloud_comes_back_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    before = cloud(
        classification=np.array([2, 143, 1], np.uint8),
        withheld=[False, True, False],
        gps_time=[1.5, 2.5, -3.5],
        red=np.array([0, 65535, 7], np.uint16),
        change_m=np.array([0.5, np.nan, -1], np.float32),
        significant=[True, False, True],
        normal=np.eye(3),
    )
    path = tmp_path / f"c{suffix}"
    write_cloud(before, path)
    after = read_cloud(path)
    np.testing.assert_allclose(after.xyz, XYZ, atol=0.0005)
    assert (after.crs, after.height) == (before.crs, before.height)
    for name, values in before.attributes.items():
        np.testing.assert_array_equal(after.attributes[name], values)
    assert after.attributes["withheld"].dtype == bool
    assert after.attributes["return_number"].tolist() == [1, 1, 1]
    assert after.attributes["green"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("height", [Height(), Height("ellipsoidal"), Height("orthometric"), Height("orthometric", "my own")])
def test_every_height_reference_comes_back(tmp_path: Path, height: Height) -> None:
    write_cloud(cloud().with_height(height), tmp_path / "c.laz")
    assert read_cloud(tmp_path / "c.laz").height == height


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.floats(2e4, 1e6), st.floats(-1e6, 1e6), st.floats(-9e3, 9e3)), min_size=1, max_size=8))
def test_any_coordinates_come_back_to_half_a_millimetre(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[float]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "c.laz"
    before = PointCloud(np.array(points), 32648)  # type: ignore[arg-type]
    write_cloud(before, path)
    np.testing.assert_allclose(read_cloud(path).xyz, before.xyz, atol=0.000501, rtol=0)


def test_degrees_keep_a_centimetre_and_the_same_cloud_gives_the_same_bytes(tmp_path: Path) -> None:
    before = PointCloud(np.array([[102.81234567, 35.71234567, 2000.0], [102.9, 35.8, 1.0]]), 4490)  # type: ignore[arg-type]
    for name in ("a.laz", "b.laz"):
        write_cloud(before, tmp_path / name)
    assert (tmp_path / "a.laz").read_bytes() == (tmp_path / "b.laz").read_bytes()
    after = read_cloud(tmp_path / "a.laz")
    assert after.crs.to_epsg() == 4490
    np.testing.assert_allclose(after.xyz, before.xyz, atol=5.1e-8)


def test_points_are_filtered_by_bounds_with_their_edges_and_by_class(tmp_path: Path) -> None:
    write_cloud(cloud(classification=np.array([2, 2, 6], np.uint8)), tmp_path / "c.laz")
    ground = read_cloud(tmp_path / "c.laz", bounds=(500_000, 3_950_000, 500_010, 3_950_010), classes=(2,))
    np.testing.assert_allclose(ground.xyz[:, 2], [2100.001, 2105.0])
    assert len(read_cloud(tmp_path / "c.laz", bounds=(500_004, 3_950_000, 500_006, 3_950_005))) == 1
    with pytest.raises(InputError, match=r"has no point with bounds=None, classes=\(9,\); it covers"):
        read_cloud(tmp_path / "c.laz", classes=(9,))


def test_the_header_tells_points_density_and_reference(tmp_path: Path) -> None:
    write_cloud(cloud(), tmp_path / "c.laz")
    info = cloud_info(tmp_path / "c.laz")
    assert (info.name, info.version, info.point_format, info.points, info.crs) == ("c.laz", "1.4", 6, 3, "EPSG:32648")
    assert info.density_per_m2 == pytest.approx(3 / (9.875 * 9.5))
    assert info.z_range_m == pytest.approx((2090.25, 2105.0))
    assert info.height == Height("orthometric", "EPSG:5737")
    assert info.notes == ()


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"return_number": [1, 2, 16]}, "whole numbers from 0 to 15"),
        ({"intensity": [0.5, 1, 2]}, "whole numbers from 0 to 65535"),
        ({"classification": [-1, 1, 2]}, "whole numbers from 0 to 255"),
        ({"Intensity": [1, 2, 3]}, "cannot be an extra dimension"),
        ({"a" * 33: [1, 2, 3]}, "cannot be an extra dimension"),
        ({"word": ["a", "b", "c"]}, "cannot be written to LAS"),
    ],
)
def test_attributes_that_las_cannot_hold_are_refused(tmp_path: Path, attributes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        write_cloud(cloud(**attributes), tmp_path / "c.laz")
    assert not list(tmp_path.iterdir())


def test_clouds_that_las_cannot_hold_are_refused(tmp_path: Path) -> None:
    for xyz, words in (
        (np.empty((0, 3)), "without points"),
        (np.array([[0, 0, np.nan]]), "not finite"),
        (np.array([[0, 0, 0], [1e7, 0, 0.0]]), "too far"),
    ):
        with pytest.raises(InputError, match=words):
            write_cloud(PointCloud(xyz, 32648), tmp_path / "c.laz")  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=r"must end in \.las or \.laz"):
        write_cloud(cloud(), tmp_path / "c.ply")


def test_a_stated_crs_or_height_must_not_contradict_the_file(tmp_path: Path) -> None:
    write_cloud(cloud(), tmp_path / "c.laz")
    assert read_cloud(tmp_path / "c.laz", crs=32648, height=Height("orthometric")).height.vertical == "EPSG:5737"
    with pytest.raises(CrsError, match="but crs= says EPSG:32647"):
        read_cloud(tmp_path / "c.laz", crs=32647)
    with pytest.raises(HeightError, match="but height= says ellipsoidal"):
        read_cloud(tmp_path / "c.laz", height=Height("ellipsoidal"))


def test_an_extra_dimension_with_the_name_of_a_standard_one_is_kept_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "c.las"
    write_cloud(cloud(intensity=np.array([1, 2, 3], np.uint16), intensitx=np.array([7.5, 8.5, 9.5])), path)
    path.write_bytes(path.read_bytes().replace(b"intensitx", b"intensity"))
    read = read_cloud(path)
    assert read.attributes["intensity"].tolist() == [1, 2, 3]
    assert read.attributes["intensity_extra"].tolist() == [7.5, 8.5, 9.5]


def test_damaged_cut_and_empty_files_are_named_in_one_line(tmp_path: Path) -> None:
    for suffix in (".las", ".laz"):
        write_cloud(cloud(), tmp_path / f"c{suffix}")
        data = (tmp_path / f"c{suffix}").read_bytes()
        (tmp_path / f"cut{suffix}").write_bytes(data[:-10])
        (tmp_path / f"head{suffix}").write_bytes(data[:300])
    with laspy.open(tmp_path / "none.las", mode="w", header=laspy.LasHeader()):
        pass
    (tmp_path / "text.laz").write_text("no cloud" * 100)
    many = bytearray((tmp_path / "c.las").read_bytes())
    many[100:104] = b"\xff\xff\xff\xff"  # four billion records in the header
    (tmp_path / "many.las").write_bytes(many)
    for name in ("cut.las", "cut.laz", "head.las", "head.laz", "none.las", "text.laz", "many.las"):
        with pytest.raises(FormatError) as caught:
            read_cloud(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def test_half_a_laz_file_is_no_cloud(data_case: Callable[[str], Path]) -> None:
    with pytest.raises(FormatError, match="damaged, cut or another format"):
        read_cloud(data_case("formats") / "truncated_half_topography.laz")


def test_heights_in_feet_become_metres_with_a_warning(data_case: Callable[[str], Path]) -> None:
    path = data_case("formats") / "laspy" / "simple.copc.laz"
    with pytest.warns(HazardGeoWarning, match=r"heights are in units of 0\.304801 m"):
        read = read_cloud(path)
    with laspy.open(path) as reader:
        low, high = reader.header.mins[2], reader.header.maxs[2]
    np.testing.assert_allclose([read.xyz[:, 2].min(), read.xyz[:, 2].max()], [low * 1200 / 3937, high * 1200 / 3937])
    assert read.crs.to_epsg() == 2991
    assert read.height == Height("orthometric", "EPSG:5703")  # NAVD88 in metres, where the file says EPSG:6360 in feet


def test_wkt_and_keys_that_disagree_are_named(data_case: Callable[[str], Path]) -> None:
    path = data_case("formats") / "laspy" / "file_with_both_wkt_and_geotiff_vlrs.las"
    with pytest.warns(HazardGeoWarning, match=r"disagree \(EPSG:6880 and EPSG:32104\)"):
        assert read_cloud(path).crs.to_epsg() == 6880
    assert any("disagree" in note for note in cloud_info(path).notes)


def test_a_geocentric_header_over_map_coordinates_needs_a_statement(data_case: Callable[[str], Path]) -> None:
    path = data_case("formats") / "pdal" / "lone-star.copc.laz"
    assert cloud_info(path).crs is None
    with pytest.raises(CrsError, match=r"is a Geocentric CRS, not a map CRS\. State the CRS with crs="):
        read_cloud(path)
    some = read_cloud(path, crs=32613, bounds=(515_368, 4_918_340, 515_380, 4_918_360))
    assert 0 < len(some) < 518_862


def test_a_damaged_compound_wkt_still_gives_its_map_part(data_case: Callable[[str], Path]) -> None:
    with pytest.warns(HazardGeoWarning, match="only the map part is used"):
        read = read_cloud(data_case("lasr_bcts") / "las14_pdrf6.laz")
    assert read.crs.is_projected
    assert set(np.unique(read.attributes["classification"])) >= {129, 143}


def test_odd_extra_dimensions_and_missing_crs_are_read_as_they_are(data_case: Callable[[str], Path], tmp_path: Path) -> None:
    path = data_case("formats") / "laspy" / "extrabytes.las"
    with pytest.raises(CrsError, match="state it with crs="):
        read_cloud(path)
    read = read_cloud(path, crs=32610)
    assert read.attributes["Colors"].shape == (1065, 3)
    write_cloud(read, tmp_path / "again.laz")
    again = read_cloud(tmp_path / "again.laz")
    for name in ("Colors", "Reserved", "Flags", "Intensity_extra", "Time"):
        np.testing.assert_array_equal(again.attributes[name], read.attributes[name])


@pytest.mark.parametrize(
    "record", [b'{"kindx": 1}', b"[1]", b"5", b'{"kind": "high", "vertical": null}', b"\xff\xfe", b"[" * 9999]
)
def test_a_damaged_note_of_the_heights_does_not_count_and_is_named(tmp_path: Path, record: bytes) -> None:
    write_cloud(cloud(), tmp_path / "c.las")
    las = laspy.read(tmp_path / "c.las")
    next(v for v in las.header.vlrs if v.user_id == "hazardgeo").record_data = record
    las.write(tmp_path / "d.las")
    assert "its note of the height reference is damaged and does not count" in cloud_info(tmp_path / "d.las").notes
    with pytest.warns(HazardGeoWarning, match="note of the height reference is damaged"):
        read = read_cloud(tmp_path / "d.las")
    assert read.height == Height("orthometric", "EPSG:5737")  # of the compound CRS, which is whole


@pytest.mark.parametrize(
    ("point_format", "stored", "steps"), [(8, "scan_angle", [2500, -15000, 1]), (3, "scan_angle_rank", [15, -90, 0])]
)
def test_scan_angle_user_data_and_infrared_are_kept(tmp_path: Path, point_format: int, stored: str, steps: list[int]) -> None:
    header = laspy.LasHeader(version="1.4" if point_format > 5 else "1.2", point_format=point_format)
    header.scales, header.offsets = np.full(3, 0.001), XYZ.min(axis=0)
    las = laspy.LasData(header)
    las.x, las.y, las.z = XYZ.T
    las.user_data, las[stored] = np.array([0, 7, 255], np.uint8), np.array(steps)
    if point_format == 8:
        las.nir = np.array([0, 300, 65535], np.uint16)
    las.write(tmp_path / "c.las")
    read = read_cloud(tmp_path / "c.las", crs=32648)
    assert read.attributes["user_data"].tolist() == [0, 7, 255]
    np.testing.assert_allclose(read.attributes["scan_angle_deg"], [15, -90, 0.006 if point_format == 8 else 0], rtol=1e-6)
    write_cloud(read, tmp_path / "d.laz")
    again = read_cloud(tmp_path / "d.laz")
    assert ("nir" in again.attributes) == (point_format == 8)
    for name in set(read.attributes):
        np.testing.assert_array_equal(again.attributes[name], read.attributes[name])
    with pytest.raises(InputError, match="'scan_angle_deg' must lie between -180 and 180"):
        write_cloud(cloud(scan_angle_deg=[0, np.nan, 0]), tmp_path / "e.laz")


def test_points_with_a_fill_value_as_height_are_left_out_and_classes_must_be_a_list(tmp_path: Path) -> None:
    header = laspy.LasHeader(version="1.4", point_format=6)
    header.scales, header.offsets = np.full(3, 0.001), np.array([500_000.0, 3_950_000.0, 0.0])
    header.add_extra_dim(laspy.ExtraBytesParams("depth_m", np.float32))
    data = laspy.LasData(header)
    data.x, data.y, data.z = XYZ[:, 0], XYZ[:, 1], np.array([2100.0, -9999.0, 2101.0])
    data["depth_m"] = np.array([-1.0, 2.0, 3.0], np.float32)
    data.write(tmp_path / "c.las")
    with pytest.warns(HazardGeoWarning, match="1 of 3 points have no coordinates"):
        found = read_cloud(tmp_path / "c.las", crs=32648)
    assert found.attributes["depth_m"].tolist() == [-1.0, 3.0]
    with pytest.raises(InputError, match=r"classes=2 must be a list"):
        read_cloud(tmp_path / "c.las", crs=32648, classes=2)  # type: ignore[arg-type]
