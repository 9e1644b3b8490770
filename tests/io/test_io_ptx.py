"""Text clouds of terrestrial scanners, with the pose of each scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hazardgeo import io
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import FormatError
from hazardgeo.io.cloud.ptx import columns

# the worked example of rapidlasso, "Matrix transformation in LAStools" (2022), with what las2txt and CloudCompare give for it
POSE = """0.000000 0.000000 0.000000
1.000000 0.000000 0.000000
0.000000 1.000000 0.000000
0.000000 0.000000 1.000000
-0.955179 0.296021 -0.002106 0.000000
-0.296023 -0.955180 0.001152 0.000000
-0.001670 0.001724 0.999997 0.000000
3.847211 12.235314 -0.425777 1.000000
"""
PTX = f"""3
2
{POSE}1.111111 2.111111 3.111 0.111
1.222222 2.222222 3.222 0.212
0 0 0 0
0 0 0 0
1.333333 2.333333 3.333 0.312
1.444444 2.444444 3.444 0.423
"""
PLACE = (302_000.0, 3_953_000.0, 1900.0)  # in UTM zone 48
MOVED = [[2.156, 10.553, 2.685], [2.017, 10.480, 2.796], [1.877, 10.407, 2.907], [1.738, 10.334, 3.018]]


def written(tmp_path: Path, name: str, text: str) -> Path:
    (tmp_path / name).write_text(text, encoding="ascii")
    return tmp_path / name


def read(path: Path) -> PointCloud:
    return io.read_cloud(path, crs=32648, offset=PLACE)


def test_points_of_a_ptx_are_moved_by_its_pose(tmp_path: Path) -> None:
    found = read(written(tmp_path, "a.ptx", PTX))
    np.testing.assert_allclose(found.xyz - PLACE, MOVED, atol=0.0011)
    np.testing.assert_array_equal(found.attributes["intensity"], [0.111, 0.212, 0.312, 0.423])


def test_several_scans_are_joined_with_their_number(tmp_path: Path) -> None:
    found = read(written(tmp_path, "a.ptx", PTX + PTX))
    assert found.attributes["scan_index"].tolist() == [0] * 4 + [1] * 4


def test_a_pts_has_counts_and_points(tmp_path: Path) -> None:
    found = read(written(tmp_path, "a.pts", "2\n1 2 3 -1200 10 20 30\n4 5 6 800 40 50 255\n1\n7 8 9 0 1 2 3\n"))
    np.testing.assert_allclose(found.xyz - PLACE, [[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    assert found.attributes["blue"].tolist() == [30 * 257, 65535, 3 * 257]
    assert found.attributes["blue"].dtype == np.uint16
    assert found.attributes["intensity"].tolist() == [-1200, 800, 0]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.pts", "3\n1 2 3\n", "1 points of 3 numbers where 3 are declared"),
        ("a.pts", "999999999999\n1 2 3\n", "where 999,999,999,999 are declared"),
        ("a.pts", "x y z\n1 2 3\n", "where a number of points is expected"),
        ("a.pts", "1\n1 2 a\n", "a line that is no point"),
        ("a.pts", "0\n", "a scan without points"),
        ("a.pts", "1\n1 2 3 0 1 2 300\n", "no whole number from 0 to 255"),
        ("a.pts", "1\n1 2\n", "points of 2 numbers"),
        ("a.ptx", "3\n2\n1 2 3\n", "without a whole pose"),
        ("a.ptx", PTX.replace("3.847211", "x"), "in the pose of a scan"),
        ("a.ptx", PTX[:-40], "a line that is no point"),
        ("a.ptx", PTX[: PTX.rindex("1.444")], "5 points of 4 numbers where 6 are declared"),
        ("a.ptx", "3\n2\n" + POSE, "0 points"),
        ("a.ptx", "1\n1\n" + POSE + "0 0 0 0\n", "has no points"),
        ("a.pts", "1" * 2000, "is no PTS or PTX file"),
        ("a.pts", "\n", "has no points"),
    ],
)
def test_damaged_files_are_refused_in_one_line(name: str, text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=said) as caught:
        columns(written(tmp_path, name, text))
    assert "\n" not in str(caught.value)
