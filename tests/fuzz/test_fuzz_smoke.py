"""A short run of the fuzzer over all doors; `make fuzz` is the long one."""

import subprocess
import sys
from pathlib import Path

DOORS = Path(__file__).with_name("doors.py")
FILES = 132


def test_damaged_files_of_all_kinds_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    options = ["--seed", "7", "--files", str(FILES), "--keep", str(tmp_path)]
    done = subprocess.run([sys.executable, "-P", str(DOORS), *options], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1].split()
    assert last[:2] == ["all", str(FILES)]
    for kind in ("laz-6", "e57", "pcd-binary", "geotiff-tiled", "vector-gpkg", "table-excel", "shakemap", "scenario"):
        assert any(line.split()[0] == kind for line in done.stdout.splitlines()), kind
