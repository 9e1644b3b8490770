"""Headers that lie, records that do not fit, and texts that are none: a cloud opens, or says in one line why not."""

import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import FormatError, HazardGeoError, HazardGeoWarning
from hazardgeo.io import cloud_info, read_cloud, write_cloud

XYZ = np.array([[500_000.12, 3_950_000.5, 2100.01], [500_010.0, 3_950_010.0, 2105.0], [500_005.0, 3_950_002.0, 2090.25]])
SCALE, OFFSET, BOUNDS, LEGACY = 131, 155, 179, 107


def good(path: Path) -> bytes:
    write_cloud(PointCloud(XYZ, 32648, {"red": np.array([1, 2, 3], np.uint16), "roughness": np.array([0.5, 1, 2])}), path)  # type: ignore[arg-type]
    return path.read_bytes()


def patched(path: Path, at: int, patch: bytes) -> Path:
    data = good(path)
    path.write_bytes(data[:at] + patch + data[at + len(patch) :])
    return path


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_scale_without_sense_is_refused_and_told(tmp_path: Path, value: float) -> None:
    path = patched(tmp_path / "c.las", SCALE, struct.pack("<d", value))
    with pytest.raises(FormatError, match="damaged header: the scale of its coordinates"):
        read_cloud(path)
    assert any("scale of its coordinates" in note for note in cloud_info(path).notes)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_an_offset_without_sense_is_refused_and_told(tmp_path: Path, value: float) -> None:
    path = patched(tmp_path / "c.las", OFFSET, struct.pack("<d", value))
    with pytest.raises(FormatError, match="damaged header: the offset of its coordinates"):
        read_cloud(path)
    assert any("offset of its coordinates" in note for note in cloud_info(path).notes)


@pytest.mark.parametrize(
    ("values", "note"),
    [((0, 5), "make no sense"), ((np.nan, 5), "make no sense"), ((1e12, 0), "further from its offset than its scale can reach")],
)
def test_bounds_without_sense_are_told(tmp_path: Path, values: tuple[float, float], note: str) -> None:
    path = patched(tmp_path / "c.las", BOUNDS, struct.pack("<2d", *values))
    info = cloud_info(path)
    assert any(note in n for n in info.notes)
    if note == "make no sense":
        assert info.density_per_m2 is None


def test_points_outside_the_stated_bounds_are_kept_and_counted(tmp_path: Path) -> None:
    path = patched(tmp_path / "c.las", BOUNDS, struct.pack("<2d", 500_006.0, 500_000.0))
    with pytest.warns(HazardGeoWarning, match="1 of 3 points lie outside the bounds that its header states"):
        assert len(read_cloud(path)) == 3


def test_coarse_and_overfine_scales_and_a_second_count_are_told(tmp_path: Path) -> None:
    path = patched(tmp_path / "c.las", SCALE, struct.pack("<3d", 1.0, 1.0, 0.01))
    assert any("which is coarse" in note for note in cloud_info(path).notes)
    path = patched(tmp_path / "d.las", SCALE, struct.pack("<3d", 1e-9, 1e-9, 1e-9))
    assert any("finer than any survey" in note for note in cloud_info(path).notes)
    path = patched(tmp_path / "e.las", LEGACY, struct.pack("<I", 2))
    assert any("counts 3 points, and 2 where older programs look" in note for note in cloud_info(path).notes)


def test_a_cut_file_tells_it_by_its_length_alone(tmp_path: Path) -> None:
    for suffix, words in (
        (".las", "the file is cut: it holds 2 of 3 points"),
        (".laz", "its table of chunks lies beyond its end"),
    ):
        data = good(tmp_path / f"c{suffix}")
        (tmp_path / f"cut{suffix}").write_bytes(data[:-20])
        assert any(words in note for note in cloud_info(tmp_path / f"cut{suffix}").notes)
        with pytest.raises(FormatError, match="damaged, cut"):
            read_cloud(tmp_path / f"cut{suffix}")


@pytest.mark.parametrize(
    "damage",
    [
        (100, struct.pack("<I", 2**32 - 1)),  # the number of records
        (375 + 20, struct.pack("<H", 65535)),  # the length of the first record
        (96, struct.pack("<I", 2**32 - 1)),  # where the points begin
        (235, struct.pack("<QI", 2**60, 7)),  # extended records beyond the end
        (247, struct.pack("<Q", 2**62)),  # the number of points
        (105, struct.pack("<H", 1)),  # the length of a point
        (104, b"\x3f"),  # a point format that is none
        (94, struct.pack("<H", 9)),  # the length of the header
    ],
)
def test_absurd_counts_and_lengths_are_refused_or_told_in_one_line(tmp_path: Path, damage: tuple[int, bytes]) -> None:
    for suffix in (".las", ".laz"):
        path = patched(tmp_path / f"c{suffix}", *damage)
        with pytest.raises(HazardGeoError) as caught:
            read_cloud(path)
        assert "\n" not in str(caught.value)
        if damage[0] == 247 and suffix == ".laz":
            continue  # only decoding tells how many points there are
        with suppress(HazardGeoError):
            assert cloud_info(path).notes


def extra_bytes_at(data: bytes) -> int:
    return data.index(b"roughness") - 4


@pytest.mark.parametrize(
    ("at", "patch"), [(2, b"\xff"), (3, b"\xff"), (2, b"\0"), (4, b"X" * 32), (4, b"intensity\0"), (4, bytes(32))]
)
def test_wrong_descriptions_of_extra_dimensions_lose_no_point(tmp_path: Path, at: int, patch: bytes) -> None:
    data = good(tmp_path / "c.las")
    first = extra_bytes_at(data) + at
    (tmp_path / "d.las").write_bytes(data[:first] + patch + data[first + len(patch) :])
    with suppress(FormatError):
        read = read_cloud(tmp_path / "d.las")
        np.testing.assert_allclose(read.xyz, XYZ, atol=0.0006)
        assert read.attributes["intensity"].tolist() == [0, 0, 0]


def test_dimensions_with_the_same_name_are_both_kept(tmp_path: Path) -> None:
    cloud = PointCloud(XYZ, 32648, {"depth_a": np.array([1.0, 2, 3]), "depth_b": np.array([4.0, 5, 6])})  # type: ignore[arg-type]
    write_cloud(cloud, tmp_path / "c.las")
    data = (tmp_path / "c.las").read_bytes()
    (tmp_path / "d.las").write_bytes(data.replace(b"depth_b", b"depth_a"))
    read = read_cloud(tmp_path / "d.las")
    assert (read.attributes["depth_a"].tolist(), read.attributes["depth_a_extra"].tolist()) == ([1, 2, 3], [4, 5, 6])


def test_a_path_with_spaces_and_chinese_is_read_and_written(tmp_path: Path) -> None:
    folder = tmp_path / "积石山 扫描 (1)"
    folder.mkdir()
    for name in ("滑坡 北.las", "滑坡 北.laz"):
        good(folder / name)
        assert len(read_cloud(folder / name)) == 3
        assert cloud_info(folder / name).name == name


def test_a_single_point_and_points_on_one_spot_are_clouds(tmp_path: Path) -> None:
    for xyz in (XYZ[:1], np.repeat(XYZ[:1], 5, axis=0)):
        write_cloud(PointCloud(xyz, 32648), tmp_path / "c.laz")  # type: ignore[arg-type]
        assert len(read_cloud(tmp_path / "c.laz")) == len(xyz)
        assert cloud_info(tmp_path / "c.laz").density_per_m2 is None


def test_a_filtered_part_holds_only_its_own_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hazardgeo.io.cloud import las

    monkeypatch.setattr(las, "PART_POINTS", 1000)
    sizes: list[int] = []
    original = las.part_of
    monkeypatch.setattr(las, "part_of", lambda points: sizes.append(len(points)) or original(points))
    xyz = np.column_stack([np.arange(10_000) * 0.1 + 500_000, np.full(10_000, 3_950_000.0), np.zeros(10_000)])
    write_cloud(PointCloud(xyz, 32648), tmp_path / "c.laz")  # type: ignore[arg-type]
    assert len(read_cloud(tmp_path / "c.laz", bounds=(500_100, 0, 500_101, 4e6))) == 11
    assert max(sizes) == 1000
    assert sum(sizes) == 10_000


def test_a_name_in_another_encoding_within_the_wkt_does_not_hide_the_crs(tmp_path: Path) -> None:
    data = good(tmp_path / "c.las")
    first = data.index(b"UTM zone")
    (tmp_path / "d.las").write_bytes(data[:first] + "积石山".encode("gb18030") + data[first + 6 :])
    read = read_cloud(tmp_path / "d.las")
    assert read.crs.is_projected
    assert read.crs.to_epsg() == 32648


def test_names_of_dimensions_in_another_encoding_are_refused_in_one_line(tmp_path: Path) -> None:
    data = good(tmp_path / "c.las").replace(b"roughness", "强度".encode("gb18030").ljust(9, b"_"))
    (tmp_path / "d.las").write_bytes(data)
    with pytest.raises(FormatError, match="codec can't decode"):
        read_cloud(tmp_path / "d.las")
