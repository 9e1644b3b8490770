from collections.abc import Callable
from pathlib import Path

import laspy
import numpy as np
import pytest

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import FormatError
from hazardgeo.io import read_cloud, salvage_laz, write_cloud

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
        with pytest.raises(FormatError, match="is not a cut LAZ file with readable points"):
            salvage_laz(path, tmp_path / "saved.laz")
    with pytest.raises(FormatError, match="cannot be read as LAS or LAZ"):
        read_cloud(tmp_path / "cut.laz")
    with pytest.raises(FormatError, match=r"must end in \.laz"):
        salvage_laz(tmp_path / "cut.laz", tmp_path / "saved.las")
    assert not (tmp_path / "saved.laz").exists()


def test_half_of_a_real_file_gives_the_points_of_its_first_half(data_case: Callable[[str], Path], tmp_path: Path) -> None:
    path = data_case("formats") / "truncated_half_topography.laz"
    original = laspy.read(data_case("lidr_als") / "Topography.laz").points.array
    saved = salvage_laz(path, tmp_path / "saved.laz")
    assert 0.48 * len(original) < saved < 0.52 * len(original)
    np.testing.assert_array_equal(laspy.read(tmp_path / "saved.laz").points.array, original[:saved])
    with pytest.raises(FormatError, match=f"{saved:,} of {len(original):,} points are readable"):
        read_cloud(path)
