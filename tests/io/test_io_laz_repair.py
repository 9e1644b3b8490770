import io
import sys
from collections.abc import Callable
from pathlib import Path

import laspy
import numpy as np
import pytest

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import FormatError
from hazardgeo.io import read_cloud, salvage_laz, write_cloud

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))
from seeds import in_chunks

POINTS = 120_000  # chunks of 50,000


def whole(path: Path, point_format: int) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(5)
    xyz = rng.uniform([500_000, 3_950_000, 2000], [500_300, 3_950_300, 2100], (POINTS, 3))
    if point_format == 6:
        write_cloud(PointCloud(xyz, 32648, {"intensity": rng.integers(0, 999, POINTS)}), path)  # type: ignore[arg-type]
    else:
        header = laspy.LasHeader(version="1.2", point_format=point_format)
        header.scales, header.offsets = np.full(3, 0.001), np.floor(xyz.min(axis=0))
        las = laspy.LasData(header)
        las.xyz, las.intensity = xyz, rng.integers(0, 999, POINTS)
        las.write(path)
    return laspy.read(path).points.array


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    shorter = path.with_name("cut.laz")
    shorter.write_bytes(data[: int(len(data) * share)])
    return shorter


def test_of_a_cut_file_all_whole_chunks_of_layered_points_are_saved(tmp_path: Path) -> None:
    before = whole(tmp_path / "whole.laz", 6)
    path = cut(tmp_path / "whole.laz", 0.9)
    with pytest.raises(FormatError, match=r"100,000 of 120,000 points are readable: salvage_laz\(path, out\)"):
        read_cloud(path)
    assert salvage_laz(path, tmp_path / "saved.laz") == 100_000
    np.testing.assert_array_equal(laspy.read(tmp_path / "saved.laz").points.array, before[:100_000])
    assert read_cloud(tmp_path / "saved.laz").crs.to_epsg() == 32648


def test_of_a_cut_file_points_of_older_formats_are_saved_up_to_the_cut(tmp_path: Path) -> None:
    before = whole(tmp_path / "whole.laz", 1)
    saved = salvage_laz(cut(tmp_path / "whole.laz", 0.7), tmp_path / "saved.laz")
    assert saved == pytest.approx(0.7 * POINTS, rel=0.02)
    np.testing.assert_array_equal(laspy.read(tmp_path / "saved.laz").points.array, before[:saved])


def test_a_file_that_has_lost_its_table_alone_is_saved_whole(tmp_path: Path) -> None:
    before = whole(tmp_path / "whole.laz", 6)
    data = (tmp_path / "whole.laz").read_bytes()
    with laspy.open(tmp_path / "whole.laz") as reader:
        start = reader.header.offset_to_point_data
    table = int.from_bytes(data[start : start + 8], "little")
    (tmp_path / "cut.laz").write_bytes(data[:table])
    assert salvage_laz(tmp_path / "cut.laz", tmp_path / "saved.laz") == POINTS
    np.testing.assert_array_equal(laspy.read(tmp_path / "saved.laz").points.array, before)


def test_files_that_are_whole_or_have_nothing_left_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    whole(tmp_path / "whole.laz", 6)
    (tmp_path / "text.laz").write_text("no laser scan")
    for path in (tmp_path / "whole.laz", cut(tmp_path / "whole.laz", 0.1), tmp_path / "text.laz"):
        with pytest.raises(FormatError, match="is not a cut LAS or LAZ file with readable points"):
            salvage_laz(path, tmp_path / "saved.laz")
    with pytest.raises(FormatError, match="cannot be read as LAS or LAZ"):
        read_cloud(tmp_path / "cut.laz")
    with pytest.raises(FormatError, match=r"must end in .las or .laz"):
        salvage_laz(tmp_path / "cut.laz", tmp_path / "saved.txt")
    assert not (tmp_path / "saved.laz").exists()


def las(point_format: int) -> tuple[bytes, np.ndarray]:  # type: ignore[type-arg]
    """A LAS file of 300 points, and their records; every bit of a point is random, as far as LAZ keeps it."""
    version = "1.4" if point_format > 5 else "1.3"
    header = laspy.LasHeader(version=version, point_format=point_format)
    rows = np.random.default_rng(4).integers(0, 256, (300, header.point_format.size), np.uint8)
    rows[:, -20:] = 0 if point_format in (9, 10) else rows[:, -20:]
    cloud = laspy.LasData(
        header, laspy.PackedPointRecord(rows.reshape(-1).view(header.point_format.dtype()), header.point_format)
    )
    cloud.write(out := io.BytesIO(), do_compress=False)
    return out.getvalue(), rows


def records(path: Path) -> np.ndarray:  # type: ignore[type-arg]
    points = laspy.read(path).points
    return np.frombuffer(points.array.tobytes(), np.uint8).reshape(len(points), -1)


def points_at(data: bytes) -> int:
    return int.from_bytes(data[96:100], "little")


@pytest.mark.parametrize("point_format", range(11))
def test_of_a_cut_las_file_whole_records_are_saved(tmp_path: Path, point_format: int) -> None:
    data, rows = las(point_format)
    for kept in (0, 1, 150, 299):
        (path := tmp_path / "cut.las").write_bytes(data[: points_at(data) + kept * rows.shape[1] + rows.shape[1] // 2])
        if not kept:
            with pytest.raises(FormatError, match="is not a cut LAS or LAZ file with readable points"):
                salvage_laz(path, tmp_path / "saved.las")
            continue
        assert salvage_laz(path, tmp_path / "saved.las") == kept
        np.testing.assert_array_equal(records(tmp_path / "saved.las"), rows[:kept])


@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize("point_format", range(6, 11))
def test_of_layered_chunks_all_that_are_whole_are_saved_with_any_numbers_of_points(
    tmp_path: Path, point_format: int, varying: bool
) -> None:
    data, rows = las(point_format)
    packed = in_chunks(data, 70, varying=varying)
    start = points_at(packed)
    table_at = int.from_bytes(packed[start : start + 8], "little")
    (path := tmp_path / "cut.laz").write_bytes(packed[: table_at - 1])
    assert salvage_laz(path, tmp_path / "saved.las") == 280
    np.testing.assert_array_equal(records(tmp_path / "saved.las"), rows[:280])
    path.write_bytes(packed[:table_at])
    assert salvage_laz(path, tmp_path / "saved.las") == 300
    np.testing.assert_array_equal(records(tmp_path / "saved.las"), rows)


@pytest.mark.parametrize("point_format", range(6))
def test_of_older_formats_with_fixed_chunks_points_up_to_the_cut_are_saved(tmp_path: Path, point_format: int) -> None:
    data, rows = las(point_format)
    packed = in_chunks(data, 70)
    start = points_at(packed)
    table_at = int.from_bytes(packed[start : start + 8], "little")
    (path := tmp_path / "cut.laz").write_bytes(packed[: (start + table_at) // 2])
    saved = salvage_laz(path, tmp_path / "saved.laz")
    assert 140 <= saved <= 160
    np.testing.assert_array_equal(records(tmp_path / "saved.laz"), rows[:saved])


def test_chunks_of_varying_numbers_of_points_in_older_formats_are_refused(tmp_path: Path) -> None:
    packed = in_chunks(las(1)[0], 70, varying=True)
    (path := tmp_path / "cut.laz").write_bytes(packed[:-100])
    with pytest.raises(FormatError, match="is not a cut LAS or LAZ file with readable points"):
        salvage_laz(path, tmp_path / "saved.laz")


def test_point_formats_with_layered_waveforms_are_saved_as_las_only(tmp_path: Path) -> None:
    packed = in_chunks(las(9)[0], 70)
    (path := tmp_path / "cut.laz").write_bytes(packed[:-100])
    with pytest.raises(FormatError, match=r"point format 9 is written as LAS only; name it \.las"):
        salvage_laz(path, tmp_path / "saved.laz")
    assert not (tmp_path / "saved.laz").exists()


def test_a_cut_copc_file_gives_its_first_nodes_as_a_plain_file(data_case: Callable[[str], Path], tmp_path: Path) -> None:
    path = data_case("formats") / "laspy" / "simple.copc.laz"
    before = records(path)
    for share in (0.5, 0.8):
        saved = salvage_laz(cut(path_in(tmp_path, path), share), tmp_path / "saved.laz")
        assert share - 0.1 < saved / len(before) < share + 0.1
        np.testing.assert_array_equal(records(tmp_path / "saved.laz"), before[:saved])
    assert "copc" not in [vlr.user_id for vlr in laspy.read(tmp_path / "saved.laz").header.vlrs]


def path_in(folder: Path, path: Path) -> Path:
    (folder / path.name).write_bytes(path.read_bytes())
    return folder / path.name


def test_half_of_a_real_file_gives_the_points_of_its_first_half(data_case: Callable[[str], Path], tmp_path: Path) -> None:
    path = data_case("formats") / "truncated_half_topography.laz"
    original = laspy.read(data_case("lidr_als") / "Topography.laz").points.array
    saved = salvage_laz(path, tmp_path / "saved.laz")
    assert 0.48 * len(original) < saved < 0.52 * len(original)
    np.testing.assert_array_equal(laspy.read(tmp_path / "saved.laz").points.array, original[:saved])
    with pytest.raises(FormatError, match=f"{saved:,} of {len(original):,} points are readable"):
        read_cloud(path)
