import io
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import laspy
import lazrs
import numpy as np
import pytest

from hazardgeo.errors import FormatError
from hazardgeo.io import read_cloud
from hazardgeo.io.cloud import las_guard, laz_layout

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))
from seeds import in_chunks


def las(point_format: int, points: int = 300) -> bytes:
    header = laspy.LasHeader(version="1.4", point_format=point_format)
    header.scales, header.offsets = np.full(3, 0.001), np.array([500_000.0, 4e6, 0])
    cloud = laspy.LasData(header)
    rng = np.random.default_rng(3)
    cloud.xyz = rng.uniform([500_000, 4e6, 0], [500_100, 4_000_100, 50], (points, 3))
    cloud.intensity = rng.integers(0, 9999, points)
    cloud.write(out := io.BytesIO(), do_compress=False)
    return out.getvalue()


def put(data: bytes, at: int, form: str, number: int) -> bytes:
    new = struct.pack(form, number)
    return data[:at] + new + data[at + len(new) :]


def refusal(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(FormatError) as caught:
        las_guard.require_plausible(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


POINTS_AT, RECORDS, POINTS, EXTENDED, EXTENDED_AT = 96, 100, 247, 243, 235


def test_files_of_all_point_formats_with_fixed_and_varying_chunks_pass(tmp_path: Path) -> None:
    for point_format in range(11):
        plain = las(point_format)
        for data in (plain, in_chunks(plain, 128), in_chunks(plain, 300), in_chunks(plain, 70, varying=True)):
            (path := tmp_path / "cloud.laz").write_bytes(data)
            las_guard.require_plausible(path)
            las_guard.require_plausible_header(path)


def test_the_heads_of_layered_chunks_say_what_the_table_says(tmp_path: Path) -> None:
    for point_format in (6, 7, 8):
        (path := tmp_path / "cloud.laz").write_bytes(in_chunks(las(point_format), 128))
        with path.open("rb") as stream:
            layout = laz_layout.layout_of(stream)
            listed = laz_layout.chunks_of_table(stream, layout)
            assert listed == list(laz_layout.layered_chunks(stream, layout))
        assert [chunk.points for chunk in listed or []] == [128, 128, 44]


@pytest.mark.parametrize(
    ("at", "form", "number", "reason"),
    [
        (RECORDS, "<I", 2**32 - 1, "its header counts 4,294,967,295 records, more than there is room for"),
        (EXTENDED, "<I", 5, "its extended records end behind the file"),
        (POINTS, "<Q", 2**40, "its chunks hold fewer than the 1,099,511,627,776 points"),
    ],
)
def test_a_header_that_counts_more_than_there_is_is_refused(tmp_path: Path, at: int, form: str, number: int, reason: str) -> None:
    data = put(put(in_chunks(las(6), 128), EXTENDED_AT, "<Q", 10**6), at, form, number)
    assert reason in refusal(tmp_path / "cloud.laz", data)


def test_a_las_file_that_counts_more_points_than_it_holds_is_refused_and_says_how_many_are_readable(tmp_path: Path) -> None:
    said = refusal(tmp_path / "cloud.las", las(6)[:-15])
    assert "it ends before its last point" in said
    assert "299 of 300 points are readable: salvage_laz(path, out)" in said


def test_a_layer_that_says_that_it_is_longer_than_its_chunk_is_refused(tmp_path: Path) -> None:
    data = in_chunks(las(6), 128)
    first = int.from_bytes(data[POINTS_AT : POINTS_AT + 4], "little") + 8
    sizes_at = first + 30 + 4
    for layer in range(9):
        assert f"the chunk at byte {first:,} is damaged" in refusal(
            tmp_path / "cloud.laz", put(data, sizes_at + 4 * layer, "<I", 2**32 - 1)
        )


def test_a_table_of_chunks_that_cannot_be_is_refused(tmp_path: Path) -> None:
    data = in_chunks(las(3), 128)
    table_at = int.from_bytes(data[int.from_bytes(data[POINTS_AT : POINTS_AT + 4], "little") :][:8], "little")
    assert "its table lists 4,294,967,295 chunks" in refusal(tmp_path / "cloud.laz", put(data, table_at + 4, "<I", 2**32 - 1))
    laszip = lazrs.LazVlr.new_for_compression(3, 0)
    for sizes in ([10**9, 10, 10], [1, 1, 1]):
        lazrs.write_chunk_table(table := io.BytesIO(), [(128, size) for size in sizes], laszip)
        assert "its table of chunks is damaged" in refusal(tmp_path / "cloud.laz", data[:table_at] + table.getvalue())


@pytest.mark.parametrize(
    ("at", "form", "number", "reason"),
    [
        (12, "<I", 2**32 - 2, "its chunks have 4,294,967,294 points, which cannot be decompressed at once"),
        (0, "<H", 7, "its LASzip record is damaged"),
        (32, "<H", 9, "its LASzip record is damaged"),
        (36, "<H", 31, "its LASzip record does not fit its points"),
        (38, "<H", 1, "its LASzip record does not fit its points"),
    ],
)
def test_a_laszip_record_that_does_not_fit_the_points_is_refused(
    tmp_path: Path, at: int, form: str, number: int, reason: str
) -> None:
    data = in_chunks(las(6), 128)
    record = data.index(b"laszip encoded") + 52
    assert reason in refusal(tmp_path / "cloud.laz", put(data, record + at, form, number))


def hierarchy(data: bytes) -> tuple[int, int]:
    """Where the root page of the small COPC file is, and how long: the second record of its info."""
    info = 375 + 54
    at, size = struct.unpack_from("<QQ", data, info + 40)
    return at, size


def test_a_copc_hierarchy_that_cannot_be_followed_is_refused(data_case: Callable[[str], Path], tmp_path: Path) -> None:
    data = (data_case("formats") / "laspy" / "simple.copc.laz").read_bytes()
    at, size = hierarchy(data)
    (path := tmp_path / "cloud.copc.laz").write_bytes(data)
    las_guard.require_plausible(path)
    loop = put(put(put(data, at + 16, "<Q", at), at + 24, "<i", size), at + 28, "<i", -1)
    for name, damaged in {
        "not where it should be": put(data, 375 + 54 + 40, "<Q", 2**60),
        "is not where": loop,
        "counts more than": put(data, at + 28, "<i", 2**30),
        "is none": put(data, at + 16, "<Q", len(data) - 3),
    }.items():
        said = refusal(path, damaged)
        assert name in said or "which cannot be decompressed" in said or "is damaged" in said


def test_a_panic_of_the_decoder_is_an_error_that_doors_know() -> None:
    class PanicException(BaseException):
        pass

    with pytest.raises(lazrs.LazrsError, match="its decoder has failed: index out of bounds"), laz_layout.panics_as_errors():
        raise PanicException("index out of bounds")
    with pytest.raises(KeyboardInterrupt), laz_layout.panics_as_errors():
        raise KeyboardInterrupt


def test_every_whole_file_of_the_shared_data_passes(data_case: Callable[[str], Path]) -> None:
    shared = data_case("formats").parent
    refused = []
    for path in sorted((*shared.rglob("*.las"), *shared.rglob("*.laz"))):
        try:
            las_guard.require_plausible(path)
        except FormatError:
            refused.append(path.name)
    assert refused == ["truncated_half_topography.laz"]


def test_damaged_layers_are_refused_by_the_door(tmp_path: Path) -> None:
    data = in_chunks(las(6), 128)
    first = int.from_bytes(data[POINTS_AT : POINTS_AT + 4], "little") + 8
    (path := tmp_path / "cloud.laz").write_bytes(put(data, first + 34, "<I", 2**31))
    with pytest.raises(FormatError, match=r"the chunk at byte [\d,]+ is damaged"):
        read_cloud(path, crs=32648)
