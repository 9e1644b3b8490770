from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.io import read_xyz

COLOURED = "x y z red green blue"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "500000.125 3950000.5 2100.001 1 2 255\n500010 3950010 2105 3 4 5\n",
        "# made by hand\r\n500000.125\t3950000.5\t2100.001\t1\t2\t255\r\n\r\n% half\r\n500010 3950010 2105 3 4 5",
        "500000.125,3950000.5,2100.001,1,2,255\n500010,3950010,2105,3,4,5\n",
        "500000.125, 3950000.5, 2100.001, 1, 2, 255\n500010, 3950010, 2105, 3, 4, 5\n",
        "\ufeffX;Y;Z;Red;Green;Blue\n500000.125;3950000.5;2100.001;1;2;255\n500010;3950010;2105;3;4;5\n",
        "//X Y Z R G B\nsurvey of the slope\n500000.125 3950000.5 2100.001 1 2 255\n5.0001e5 3950010 2105 3 4 5\n",
    ],
)
def test_each_delimiter_and_heading_gives_the_same_points(tmp_path: Path, text: str) -> None:
    cloud = read_xyz(write(tmp_path / "c.txt", text), layout=COLOURED, crs=32648, height=Height("ellipsoidal"))
    assert cloud.xyz.tolist() == [[500_000.125, 3_950_000.5, 2100.001], [500_010, 3_950_010, 2105]]
    assert {k: v.tolist() for k, v in cloud.attributes.items()} == {"red": [1, 3], "green": [2, 4], "blue": [255, 5]}
    assert (cloud.crs.to_epsg(), cloud.height) == (32648, Height("ellipsoidal"))
    assert cloud.attributes["red"].dtype == np.uint16


def test_columns_stand_in_any_order_and_can_be_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "c.xyz", "7 3 2 1 0.25\n8 6 5 4 0.5\n")
    cloud = read_xyz(path, layout="_, z, y, x, intensity", crs=32648)
    assert cloud.xyz.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert cloud.attributes["intensity"].tolist() == [0.25, 0.5]
    assert list(cloud.attributes) == ["intensity"]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(*[st.floats(-1e9, 1e9)] * 3), min_size=1, max_size=6), st.sampled_from([" ", ",", ";", ", ", "\t"]))
def test_any_coordinates_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[float, ...]], delimiter: str
) -> None:
    text = "\n".join(delimiter.join(repr(v) for v in p) for p in points)
    cloud = read_xyz(write(tmp_path_factory.mktemp("any") / "c.txt", text), layout="x y z", crs=32648)
    np.testing.assert_array_equal(cloud.xyz, points)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# nothing\nx y z\n", "has no points"),
        ("1 2 3\n\n# c\n4 5\n", "line 4 has 2 values where 3 are declared"),
        ("1 2 3 4\n5 6 7 8\n", "line 1 has 4 values where 3 are declared"),
        ("1.5,2,3,4,5,6\n", "line 1 has 6 values where 3 are declared"),
        ("1 2 3\n4 east 6\n", "line 2 has 'east' where a number is expected"),
        ("1 2 3\n4 1_0 6\n", "line 2 has '1_0'"),
        ("1,5 2,5 3,5\n", "line 1 has decimal commas"),
        ("x;y;z\n1;2;3\n1,5;2,5;3,5\n", "line 3 has decimal commas"),
        ("1,5,2,5,3,5\n", "line 1 has decimal commas"),
        ("y x z\n1 2 3\n", "line 1 names its columns 'y x z'; give layout= in that order"),
        ("1 2 \0\x01\n", "where a number is expected"),
    ],
)
def test_rows_that_do_not_fit_are_named_by_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        read_xyz(write(tmp_path / "c.txt", text), layout="x y z", crs=32648)
    assert "\n" not in str(caught.value)


def test_points_without_coordinates_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "c.txt", "1 2 nan\n1 2 3\n")
    with pytest.warns(HazardGeoWarning, match="1 of 2 points have no coordinates"):
        assert read_xyz(path, layout="x y z", crs=32648).xyz.tolist() == [[1, 2, 3]]


def test_a_crs_and_a_sensible_layout_are_needed(tmp_path: Path) -> None:
    path = write(tmp_path / "c.txt", "1 2 3\n")
    with pytest.raises(CrsError, match=r"crs='EPSG"):
        read_xyz(path, layout="x y z", crs=None)
    for layout in ("x y", "x y z red red", ""):
        with pytest.raises(InputError, match="must name x, y and z"):
            read_xyz(path, layout=layout, crs=32648)
