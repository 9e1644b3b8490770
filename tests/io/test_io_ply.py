import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.io import read_cloud

XYZ = [(500_000.125, 3_950_000.5, 2100.001), (500_010.0, 3_950_010.0, 2105.0), (500_005.0, 3_950_002.0, 2090.25)]
DOUBLES = ("double x", "double y", "double z")
FORMS = {"<": "binary_little_endian", ">": "binary_big_endian"}


def header(form: str, *elements: tuple[str, int, tuple[str, ...]], ending: str = "\n") -> bytes:
    lines = ["ply", f"format {form} 1.0", "comment made by hand"]
    for name, count, properties in elements:
        lines += [f"element {name} {count}", *(f"property {p}" for p in properties)]
    return (ending.join([*lines, "end_header"]) + ending).encode()


def write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize("order", FORMS)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_binary_points_come_with_colours_intensity_normals_and_class(tmp_path: Path, order: str, ending: str) -> None:
    properties = (*DOUBLES, "uchar red", "uchar green", "uchar blue", "ushort intensity", "float nx", "float ny", "float nz",
                  "float scalar_Classification")  # fmt: skip
    rows = [struct.pack(order + "3d3BH4f", *p, 1, 2, 255, 40_000, 0, 0.5, 1, i) for i, p in enumerate(XYZ)]
    face = struct.pack(order + "B3i", 3, 0, 1, 2)
    elements = (("vertex", 3, properties), ("face", 1, ("list uchar int vertex_indices",)))
    path = write(tmp_path / "c.ply", header(FORMS[order], *elements, ending=ending), *rows, face)
    cloud = read_cloud(path, crs=32648, height=Height("ellipsoidal"))
    np.testing.assert_array_equal(cloud.xyz, XYZ)
    assert (cloud.crs.to_epsg(), cloud.height) == (32648, Height("ellipsoidal"))
    assert {k: v[2].item() for k, v in cloud.attributes.items()} == {
        "red": 257, "green": 514, "blue": 65535, "intensity": 40_000, "nx": 0, "ny": 0.5, "nz": 1, "classification": 2,
    }  # fmt: skip
    assert cloud.attributes["classification"].dtype == np.uint8
    assert read_cloud(path, crs=32648, classes=(1,)).xyz[:, 2].tolist() == [2105.0]
    assert len(read_cloud(path, crs=32648, bounds=(500_004, 3_950_000, 500_010, 3_950_010))) == 2


def test_text_is_read_with_elements_before_and_lists_within_skipped(tmp_path: Path) -> None:
    camera = ("camera", 2, ("float focal",))
    vertex = ("vertex", 2, ("double x", "list uchar float views", "double y", "double z", "uchar red"))
    path = write(tmp_path / "c.ply", header("ascii", camera, vertex), b"1\n2\n1.5 2 9 9 2.5 3.5 7\n\n4 0 5 6 8\n")
    cloud = read_cloud(path, crs=32648)
    assert cloud.xyz.tolist() == [[1.5, 2.5, 3.5], [4, 5, 6]]
    assert cloud.attributes["red"].tolist() == [7 * 257, 8 * 257]
    assert list(cloud.attributes) == ["red"]


@pytest.mark.parametrize("order", FORMS)
def test_lists_in_binary_records_are_skipped_before_and_within_the_points(tmp_path: Path, order: str) -> None:
    face = ("face", 2, ("list ushort int vertex_indices",))
    vertex = ("vertex", 2, ("double x", "list uchar short views", "double y", "double z", "ushort red"))
    parts = [struct.pack(order + "H3iH1i", 3, 0, 1, 2, 1, 0)]
    parts += [struct.pack(order + "dB2h2dH", 1, 2, 7, 7, 2, 3, 300), struct.pack(order + "dB2dH", 4, 0, 5, 6, 1)]
    path = write(tmp_path / "c.ply", header(FORMS[order], face, vertex), *parts)
    cloud = read_cloud(path, crs=32648)
    assert cloud.xyz.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert cloud.attributes["red"].tolist() == [300, 1]


def test_a_crs_must_be_stated(tmp_path: Path) -> None:
    path = write(tmp_path / "c.ply", header("ascii", ("vertex", 1, DOUBLES)), b"1 2 3\n")
    with pytest.raises(CrsError, match=r"crs='EPSG"):
        read_cloud(path)
    with pytest.raises(InputError, match="no classification"):
        read_cloud(path, crs=32648, classes=(2,))
    with pytest.raises(InputError, match="no point with bounds"):
        read_cloud(path, crs=32648, bounds=(5, 5, 6, 6))


def test_the_resolution_that_float32_has_lost_is_named(tmp_path: Path) -> None:
    body = struct.pack("<3f", 500_000.3, 5_403_547.2, 300)
    path = write(tmp_path / "c.ply", header(FORMS["<"], ("vertex", 1, ("float x", "float y", "float z"))), body)
    with pytest.warns(HazardGeoWarning, match=r"reach 5403547 and are kept as float32, which is rounded to 0\.5 m"):
        read_cloud(path, crs=32648)
    path = write(tmp_path / "d.ply", header("ascii", ("vertex", 1, ("float x", "float y", "float z"))), b"10 99999 30\n")
    assert len(read_cloud(path, crs=32648)) == 1  # no warning: 1/128 m


def test_points_without_coordinates_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "c.ply", header("ascii", ("vertex", 3, DOUBLES)), b"1 2 3\nnan 2 3\n4 5 inf\n")
    with pytest.warns(HazardGeoWarning, match="2 of 3 points have no coordinates"):
        assert read_cloud(path, crs=32648).xyz.tolist() == [[1, 2, 3]]
    path = write(tmp_path / "d.ply", header("ascii", ("vertex", 1, DOUBLES)), b"nan nan nan\n")
    with pytest.raises(FormatError, match="no point with finite coordinates"):
        read_cloud(path, crs=32648)


LIST = ("list uint double views", *DOUBLES)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"LASF", "is not a PLY file"),
        (b"ply\nformat ascii 1.0\n", "header without an end"),
        (b"ply\nformat ebcdic 1.0\nend_header\n", "line 2 is no line of a PLY header"),
        (b"ply\nformat ascii 1.0\nelement vertex -3\nend_header\n", "line 3"),
        (b"ply\nformat ascii 1.0\nproperty float x\nend_header\n", "line 3"),
        (b"ply\nelement vertex 1\nproperty float x\nend_header\n1\n", "does not say its format"),
        (header("ascii", ("vertex", 1, ("float x", "float x"))), "names the property 'x' twice"),
        (header("ascii", ("vertex", 0, DOUBLES)), "has no points"),
        (header("ascii", ("face", 1, DOUBLES)), "has no points"),
        (header("ascii", ("vertex", 1, ("float x", "float y"))) + b"1 2\n", "has no column z"),
        (header("ascii", ("vertex", 10**17, DOUBLES)) + b"1 2 3\n", "more than its 6 bytes can hold"),
        (header("ascii", ("vertex", 2, DOUBLES)) + b"1.25 2.25 3.25\n", "holds 1 of 2 points"),
        (header("ascii", ("vertex", 2, DOUBLES)) + b"1 2 3\n4 5\n6\n", "line 10 has 2 values where 3 are declared"),
        (header("ascii", ("vertex", 1, DOUBLES)) + b"1 2 east\n", "line 9 has 'east'"),
        (header("ascii", ("vertex", 1, (*DOUBLES, "uchar red"))) + b"1 2 3 256\n", "declares 'red' as uint8"),
        (header(FORMS["<"], ("vertex", 10**17, DOUBLES)) + bytes(24), "counts 100,000,000,000,000,000 of 'vertex'"),
        (header(FORMS["<"], ("vertex", 2, DOUBLES)) + bytes(47), "at least 48 bytes, where 47 bytes follow"),
        (header(FORMS["<"], ("vertex", 1, LIST)) + struct.pack("<I3d", 2**32 - 1, 1, 2, 3), "ends within its 'vertex' records"),
    ],
)
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        read_cloud(write(tmp_path / "c.ply", content), crs=32648)
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 400), st.binary(max_size=4))
def test_no_cut_or_changed_file_does_worse_than_a_format_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, patch: bytes
) -> None:
    whole = header(FORMS["<"], ("vertex", 2, LIST)) + struct.pack("<Id3dI3d", 1, 9, 1, 2, 3, 0, 4, 5, 6)
    damaged = whole[:at] + patch + (whole[at + len(patch) :] if patch else b"")
    with suppress(FormatError, HazardGeoWarning):
        assert len(read_cloud(write(tmp_path_factory.mktemp("any") / "c.ply", damaged), crs=32648)) <= 2
