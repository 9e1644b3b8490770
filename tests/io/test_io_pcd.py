import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning
from hazardgeo.io import read_cloud
from hazardgeo.io.cloud.pcd import _unpack_lzf_kernel

FIELDS = (("x", 8, "F", 1), ("y", 8, "F", 1), ("z", 8, "F", 1))
FULL = (*FIELDS, ("_", 1, "U", 3), ("rgb", 4, "F", 1), ("intensity", 4, "F", 1), ("normal_x", 4, "F", 1), ("tag", 2, "I", 2))
RGB = 0x00_0A_14_FF  # red 10, green 20, blue 255
ROWS = [(500_000.125, 3_950_000.5, 2100.001), (500_010.0, 3_950_010.0, 2105.0)]


def header(form: str, fields: tuple[tuple[str, int, str, int], ...] = FIELDS, points: int = 2, width: int | None = None) -> bytes:
    columns = list(zip(*fields, strict=True))
    lines = ["# .PCD v0.7", "VERSION 0.7"]
    lines += [f"{key} {' '.join(map(str, c))}" for key, c in zip(("FIELDS", "SIZE", "TYPE", "COUNT"), columns, strict=True)]
    lines += [f"WIDTH {points if width is None else width}", "HEIGHT 1", "VIEWPOINT 9 9 9 1 0 0 0", f"POINTS {points}"]
    return "\n".join([*lines, f"DATA {form}", ""]).encode()


def write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def literal(data: bytes) -> bytes:
    """LZF without any reference: runs of up to 32 bytes as they are."""
    runs = [data[i : i + 32] for i in range(0, len(data), 32)]
    return b"".join(bytes([len(r) - 1]) + r for r in runs)


def compressed(packed: bytes, size: int) -> bytes:
    return struct.pack("<II", len(packed), size) + packed


def require_full(path: Path) -> None:
    cloud = read_cloud(path, crs=32648)
    np.testing.assert_array_equal(cloud.xyz, ROWS)
    assert {k: v[1].tolist() for k, v in cloud.attributes.items()} == {
        "red": 2570, "green": 5140, "blue": 65535, "intensity": 4, "nx": 0.5, "tag": [-7, 8],
    }  # fmt: skip


def test_binary_points_come_with_colours_padding_left_out_and_vectors_kept(tmp_path: Path) -> None:
    rows = [struct.pack("<3d3xI2f2h", *p, RGB, 4, 0.5, -7, 8) for p in ROWS]
    require_full(write(tmp_path / "c.pcd", header("binary", FULL), *rows))


def test_compressed_points_are_the_same(tmp_path: Path) -> None:
    east, north, up = zip(*ROWS, strict=True)
    block = struct.pack("<2d2d2d6x2I2f2f4h", *east, *north, *up, RGB, RGB, 4, 4, 0.5, 0.5, -7, 8, -7, 8)
    require_full(write(tmp_path / "c.pcd", header("binary_compressed", FULL), compressed(literal(block), len(block))))


def test_text_points_are_the_same(tmp_path: Path) -> None:
    colours = float(np.array([RGB], np.uint32).view(np.float32)[0])
    rows = [f"{x!r} {y!r} {z!r} 0 0 0 {colours!r} 4 0.5 -7 8\n".encode() for x, y, z in ROWS]
    require_full(write(tmp_path / "c.pcd", header("ascii", FULL), *rows))


def test_references_of_lzf_repeat_what_was_unpacked_also_where_they_overlap() -> None:
    block = np.empty(14, np.uint8)
    packed = bytes([2, *b"abc", 1 << 5, 2, 6 << 5, 1])
    # "abc", then 3 bytes from 3 back ("abc"), then 8 bytes from 2 back ("bcbcbcbc")
    assert _unpack_lzf_kernel(np.frombuffer(packed, np.uint8), block)
    assert block.tobytes() == b"abcabcbcbcbcbc"
    long = np.empty(1 + 7 + 2 + 5, np.uint8)
    assert _unpack_lzf_kernel(np.frombuffer(bytes([0, 65, 7 << 5, 5, 0]), np.uint8), long)
    assert long.tobytes() == b"A" * 15


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=40), st.integers(0, 60))
def test_any_bytes_are_unpacked_or_refused_as_by_the_interpreted_kernel(packed: bytes, size: int) -> None:
    data = np.frombuffer(packed, np.uint8)
    block, slow = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    interpreted = getattr(_unpack_lzf_kernel, "py_func", _unpack_lzf_kernel)
    assert _unpack_lzf_kernel(data, block) == interpreted(data, slow)
    np.testing.assert_array_equal(block, slow)


def test_points_that_the_sensor_did_not_see_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "c.pcd", header("binary"), struct.pack("<6d", 1, 2, 3, np.nan, np.nan, np.nan))
    with pytest.warns(HazardGeoWarning, match="1 of 2 points have no coordinates"):
        assert read_cloud(path, crs=32648).xyz.tolist() == [[1, 2, 3]]


def test_the_crs_must_be_stated_and_the_lost_resolution_is_named(tmp_path: Path) -> None:
    fields = (("x", 4, "F", 1), ("y", 4, "F", 1), ("z", 4, "F", 1))
    path = write(tmp_path / "c.pcd", header("binary", fields, 1), struct.pack("<3f", 500_000.3, 5_403_547.2, 300))
    with pytest.raises(CrsError, match=r"crs='EPSG"):
        read_cloud(path)
    with pytest.warns(HazardGeoWarning, match=r"rounded to 0\.5 m there"):
        assert read_cloud(path, crs=32648).xyz.tolist() == [[500_000.3125, 5_403_547.0, 300]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"LASF" + bytes(100), "is not a PCD file"),
        (b"# .PCD v0.7\nVERSION 0.7\nFIELDS x y z\nSIZE 8 8 8\n", "line 5 is no line of a PCD header"),
        (header("binary_brotli"), "DATA 'binary_brotli'"),
        (header("binary").replace(b"SIZE 8 8 8", b"SIZE 8 8"), "of different length"),
        (header("binary").replace(b"SIZE 8 8 8", b"SIZE 8 8 -8"), "of different length"),
        (header("binary").replace(b"SIZE 8 8 8", b"SIZE 8 8 2"), "unknown type 'F2'"),
        (header("binary").replace(b"FIELDS x y z", b"FIELDS x y y"), "names a field twice"),
        (header("binary", width=3), "WIDTH, HEIGHT and POINTS"),
        (header("binary", points=0), "has no points"),
        (header("binary", (("x", 8, "F", 2), *FIELDS[1:])) + bytes(64), "several numbers of 'x'"),
        (header("binary", FIELDS[:2]) + bytes(32), "has no column z"),
        (header("binary", points=10**17) + bytes(48), "2,400,000,000,000,000,000 bytes, where 48 bytes follow"),
        (header("binary") + bytes(47), "48 bytes, where 47 bytes follow"),
        (header("binary_compressed") + bytes(5), "ends after its header"),
        (header("binary_compressed") + struct.pack("<II", 99, 48) + bytes(48), "99 bytes, where 48 bytes follow"),
        (header("binary_compressed") + compressed(b"\0a", 2**32 - 1), "does not fit its 2 points"),
        (header("binary_compressed", points=10**8) + compressed(b"\0a", 24 * 10**8), "does not fit its 100,000,000 points"),
        (header("binary_compressed") + compressed(literal(bytes(47)), 48), "block that is damaged"),
        (header("binary_compressed") + compressed(b"\x20\x00", 48), "block that is damaged"),
        (header("ascii", points=10**17) + b"1 2 3\n", "where 6 bytes follow"),
        (header("ascii") + b"1.125 2.125 3.125\n", "holds 1 of 2 points"),
        (header("ascii") + b"1 2 3\n4 5,5 6\n", "line 13 has decimal commas"),
    ],
)
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        read_cloud(write(tmp_path / "c.pcd", content), crs=32648)
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 400), st.binary(max_size=4))
def test_no_cut_or_changed_file_does_worse_than_a_format_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, patch: bytes
) -> None:
    block = struct.pack("<6d", 1, 2, 3, 4, 5, 6)
    whole = header("binary_compressed") + compressed(literal(block), len(block))
    damaged = whole[:at] + patch + (whole[at + len(patch) :] if patch else b"")
    with suppress(FormatError, HazardGeoWarning):
        assert len(read_cloud(write(tmp_path_factory.mktemp("any") / "c.pcd", damaged), crs=32648)) <= 2
