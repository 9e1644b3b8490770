from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.io import cloud_info, read_cloud, read_xyz
from hazardgeo.io.cloud import xyz

COLOURED = "x y z red green blue"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "500000.125 3950000.5 2100.001 1 2 255\n500010 3950010 2105 3 4 5\n",
        "# made by hand\r\n500000.125\t3950000.5\t2100.001\t1\t2\t255\r\n\r\n% half\r\n500010 3950010 2105 3 4 5\r\n",
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
@given(
    st.lists(st.tuples(st.floats(2e5, 8e5), st.floats(0, 9e6), st.floats(-9e3, 9e3)), min_size=1, max_size=6),
    st.sampled_from([" ", ",", ";", ", ", "\t"]),
)
def test_any_coordinates_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[float, ...]], delimiter: str
) -> None:
    text = "\n".join(delimiter.join(repr(v) for v in p) for p in points) + "\n"
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
        ("3\n1 2 3\n4 5 6\n", "says that it has 3 points, but holds 2; it is cut"),
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


@pytest.mark.parametrize(
    "text", ["1,5;2,25;-3,125\n1e1;2;3\n", "1,5 2,25 -3,125\n1e1 2 3\n", "x;y;z\n1,5; 2,25; -3,125\n10; 2; 3\n"]
)
def test_decimal_commas_are_read_when_they_are_declared(tmp_path: Path, text: str) -> None:
    cloud = read_xyz(write(tmp_path / "c.csv", text), layout="x y z", crs=32648, decimal=",")
    assert cloud.xyz.tolist() == [[1.5, 2.25, -3.125], [10, 2, 3]]
    with pytest.raises(FormatError, match=r"has decimal commas; say decimal=','"):
        read_xyz(tmp_path / "c.csv", layout="x y z", crs=32648)


def test_a_comma_cannot_part_columns_and_fractions_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", "1,5,2,5,3,5\n")
    for decimal in (".", ","):
        with pytest.raises(FormatError, match="line 1 has decimal commas"):
            read_xyz(path, layout="x y z", crs=32648, decimal=decimal)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"must be '\.' or ','"):
        read_xyz(path, layout="x y z", crs=32648, decimal=";")  # type: ignore[arg-type]


def test_colours_that_are_declared_as_8_bits_become_16(tmp_path: Path) -> None:
    path = write(tmp_path / "c.txt", "1 2 3 0 10 255\n")
    cloud = read_xyz(path, layout="x y z red8 green8 blue8", crs=32648)
    assert {k: v.tolist() for k, v in cloud.attributes.items()} == {"red": [0], "green": [2570], "blue": [65535]}
    path = write(tmp_path / "d.txt", "1 2 3 0 10 256\n")
    with pytest.raises(FormatError, match="declares 'blue8' as uint8, but it holds other values"):
        read_xyz(path, layout="x y z red8 green8 blue8", crs=32648)
    with pytest.raises(InputError, match="no column twice"):
        read_xyz(path, layout="x y z red8 red blue8", crs=32648)


def test_a_count_on_the_first_line_is_held_against_the_points(tmp_path: Path) -> None:
    assert len(read_xyz(write(tmp_path / "c.pts", "2\n1 2 3\n4 5 6\n"), layout="x y z", crs=32648)) == 2


def test_a_part_of_a_long_file_is_read_in_batches_with_an_offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xyz, "_BATCH_LINES", 3)
    path = write(tmp_path / "c.xyz", "".join(f"{i} {i} {i}\n" for i in range(10)))
    part = read_xyz(path, layout="x y z", crs=32648, offset=(500_000, 3_950_000, 2000), bounds=(500_002, 0, 500_007, 4_000_000))
    assert part.xyz.tolist() == [[500_000 + i, 3_950_000 + i, 2000 + i] for i in range(2, 8)]
    write(path, "".join(f"{i} {i} {i}\n" for i in range(10)) + "1 2\n")
    with pytest.raises(FormatError, match="line 11 has 2 values"):
        read_xyz(path, layout="x y z", crs=32648)


def test_the_first_lines_tell_columns_and_about_how_many_points(tmp_path: Path) -> None:
    info = cloud_info(write(tmp_path / "c.xyz", "//X Y Z I\nX Y Z I\n" + "100.5 200.5 300.5 7\n" * 500))
    assert (info.kind, info.crs, len(info.dimensions)) == ("text", None, 4)
    assert info.points == pytest.approx(500, abs=2)
    assert np.isnan(info.bounds).all()
    assert any("layout" in note for note in info.notes)
    assert any("'X Y Z I'" in note for note in info.notes)
    with pytest.raises(FormatError, match=r"is text; read it with read_xyz"):
        read_cloud(tmp_path / "c.xyz", crs=32648)


@pytest.mark.parametrize("fill", ["-9999", "-10000.0", "-32768", "-99999"])
def test_a_fill_value_is_no_height(tmp_path: Path, fill: str) -> None:
    path = write(tmp_path / "c.xyz", f"500000 3950000 2100\n500001 3950000 {fill}\n")
    with pytest.warns(HazardGeoWarning, match="1 of 2 points have no coordinates"):
        assert read_xyz(path, layout="x y z", crs=32648).xyz[:, 2].tolist() == [2100]
