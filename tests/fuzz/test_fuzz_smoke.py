"""A short run of the fuzzer over the doors, and XML that asks its reader to expand or to fetch something."""

import subprocess
import sys
from pathlib import Path

import pytest

from hazardgeo.errors import FormatError
from hazardgeo.io import read_shakemap

DOORS = Path(__file__).with_name("doors.py")
NUMBERS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "lol"}">' for i in range(10))
DECLARATIONS = {
    "an entity bomb": f"<!DOCTYPE shakemap_grid [{NUMBERS}]>",
    "an external entity": '<!DOCTYPE shakemap_grid [<!ENTITY l9 SYSTEM "file:///etc/hostname">]>',
    "an external document type": '<!DOCTYPE shakemap_grid SYSTEM "http://example.invalid/x.dtd">',
    "a parameter entity": '<!DOCTYPE shakemap_grid [<!ENTITY % p SYSTEM "http://example.invalid/x"> %p;]>',
}


def fuzz(kinds: str, files: int, keep: Path) -> None:
    options = ["--seed", "7", "--files", str(files), "--kinds", kinds, "--keep", str(keep)]
    done = subprocess.run([sys.executable, "-P", str(DOORS), *options], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"all: {files} files" in done.stdout


def test_damaged_rasters_vectors_tables_and_shakemaps_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    fuzz(".tif,.asc,.xml,.shp,.csv,.gpkg,.fgb,.geojson,.parquet", 200, tmp_path)


def test_damaged_clouds_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    fuzz(".las", 120, tmp_path)


@pytest.mark.parametrize("trick", DECLARATIONS)
def test_a_shakemap_that_declares_entities_is_refused(tmp_path: Path, trick: str) -> None:
    path = tmp_path / "grid.xml"
    path.write_text(f'<?xml version="1.0"?>{DECLARATIONS[trick]}<shakemap_grid event_id="&l9;">&l9;</shakemap_grid>')
    with pytest.raises(FormatError, match="declares a DOCTYPE"):
        read_shakemap(path)
