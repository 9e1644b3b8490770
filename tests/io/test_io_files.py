import errno
from pathlib import Path

import pytest

from hazardgeo.errors import FormatError, InputError
from hazardgeo.io import files


def test_what_is_written_appears_under_its_name_and_nothing_else(tmp_path: Path) -> None:
    with files.atomic(tmp_path / "a.txt") as temporary:
        assert temporary.suffix == ".txt"
        assert temporary.parent == tmp_path
        temporary.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_failed_write_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def half_write() -> None:
        with files.atomic(target) as temporary:
            temporary.write_text("half")
            temporary.with_name(temporary.name + "-journal").write_text("side file")
            raise InputError("bad")

    with pytest.raises(InputError, match="bad"):
        half_write()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert target.read_text() == "old"


def test_a_full_disk_becomes_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(FormatError, match="No space left on device; check the folder") as caught,
        files.atomic(tmp_path / "a.txt"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_writing_into_a_missing_folder_or_onto_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="there is no folder"), files.atomic(tmp_path / "no" / "a.txt"):
        pass
    with pytest.raises(FormatError, match="it is a folder"), files.atomic(tmp_path):
        pass


def test_missing_empty_and_saved_web_pages_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.tif").touch()
    (tmp_path / "page.tif").write_text("\n<!DOCTYPE html><html><body>404</body></html>")
    for name, words in {
        "no.tif": "does not exist",
        "empty.tif": "is empty",
        "page.tif": "is a web page",
        "": "is a folder",
    }.items():
        with pytest.raises(FormatError, match=words):
            files.existing(tmp_path / name)


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("utf-8-sig", "姓名,lon\n大河家镇,102.8"),
        ("gb18030", "名称,经度,纬度\n大河家镇中心小学,102.8,35.8\n石塬村村委会,102.9,35.7"),
        ("utf-16", "名称,经度"),
        (
            "cp932",
            "名称,経度,緯度\n矢田郷地区コミュニティセンター,136.9,37.0\n小丸山小学校の体育館,136.8,37.1\nまちの避難所です,1,2",
        ),
    ],
)
def test_the_encoding_of_chinese_and_japanese_text_is_recognised(codec: str, text: str) -> None:
    data = text.encode(codec)
    assert data.decode(files.encoding_of(data)) == text


def test_plain_text_is_utf8_and_binary_is_no_text() -> None:
    assert files.encoding_of(b"a,b\n1,2\n") == "utf-8-sig"
    with pytest.raises(FormatError, match="binary"):
        files.encoding_of(b"PK\x03\x04\0\0\0")


def test_a_name_as_long_as_a_folder_allows_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("灾" * 83 + ".txt")  # 253 bytes, of the usual 255
    with files.atomic(target) as temporary:
        assert len(temporary.name.encode()) < 60
        temporary.with_name(temporary.stem + ".plain.tif").touch()
        temporary.touch()
    assert [p.name for p in tmp_path.iterdir()] == [target.name]
