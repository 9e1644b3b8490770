"""Files and folders that may not be read or written: one line names them, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hazardgeo
from hazardgeo.pipeline import Manifest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs permissions of POSIX")

NOBODY = 65534
TYPED = """
import os, sys
from hazardgeo import cli, io, pipeline, synthetic
import hazardgeo.cli.run, hazardgeo.cli.demo, hazardgeo.cli.info, hazardgeo.cli.new, hazardgeo.cli.check
if os.geteuid() == 0:  # root may read and write everything, so the command is typed by somebody else
    os.setgroups([])
    os.setgid({nobody})
    os.setuid({nobody})
cli.main(sys.argv[1:])
"""


def typed(*arguments: str | Path, cwd: Path) -> tuple[int, list[str]]:
    """The exit code and the lines on standard error of a command that an ordinary user types."""
    surroundings = {**os.environ, "PYTHONPATH": str(Path(hazardgeo.__file__).parents[1]), "HOME": str(cwd)}
    run = subprocess.run(
        [sys.executable, "-c", TYPED.format(nobody=NOBODY), *map(str, arguments)],
        env=surroundings,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stderr.splitlines()


@pytest.fixture
def place(tmp_path: Path, demo: tuple[Path, Manifest]) -> Path:
    """A folder that everybody may read, with a scenario of one DEM and a folder where everybody may write."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path(folder.anchor):
            folder.chmod(folder.stat().st_mode | 0o055)
    (tmp_path / "dem.tif").write_bytes((demo[0] / "rasters" / "dem.tif").read_bytes())
    (tmp_path / "s.toml").write_text('[inputs]\ndem = "dem.tif"\n', encoding="utf-8")
    for name in ("dem.tif", "s.toml"):
        (tmp_path / name).chmod(0o644)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    return tmp_path


def require_refused(found: tuple[int, list[str]], *words: str) -> None:
    code, lines = found
    assert code == 1, lines
    assert lines[-1].startswith("error: ")
    assert not [line for line in lines if "Traceback" in line]
    for word in words:
        assert word in lines[-1]


def test_an_input_that_may_not_be_read_is_named(place: Path) -> None:
    (place / "dem.tif").chmod(0)
    arguments = ("run", place / "s.toml", "--out", place / "open" / "out", "--only", "terrain")
    require_refused(typed(*arguments, cwd=place), "dem.tif cannot be read", "permissions")
    code, lines = typed("info", place / "dem.tif", cwd=place)
    assert code in (1, 2)
    assert "dem.tif" in lines[-1]


def test_a_scenario_that_may_not_be_read_is_named(place: Path) -> None:
    (place / "s.toml").chmod(0)
    require_refused(typed("run", place / "s.toml", "--out", place / "open" / "out", cwd=place), "s.toml cannot be read")


def test_an_input_in_a_folder_that_may_not_be_entered_is_named(place: Path) -> None:
    (place / "locked").mkdir()
    (place / "dem.tif").rename(place / "locked" / "dem.tif")
    (place / "s.toml").write_text('[inputs]\ndem = "locked/dem.tif"\n', encoding="utf-8")
    (place / "locked").chmod(0o700)
    require_refused(typed("run", place / "s.toml", "--out", place / "open" / "out", cwd=place), "dem.tif")


def test_results_that_may_not_be_written_are_refused_before_anything_is_computed(place: Path) -> None:
    (place / "closed").mkdir()
    (place / "closed").chmod(0o555)
    found = typed("run", place / "s.toml", "--out", place / "closed" / "out", "--only", "terrain", cwd=place)
    require_refused(found, "closed/out cannot be written", "--out")
    assert len(found[1]) == 1
    found = typed("demo", "--out", place / "closed" / "demo", cwd=place)
    require_refused(found, "closed/demo")
    require_refused(typed("new", place / "closed", cwd=place))


def test_results_of_somebody_else_stay(place: Path) -> None:
    for name in ("", "rasters", "tables", ".cache"):
        (place / "theirs" / name).mkdir()
        (place / "theirs" / name).chmod(0o755)
    (place / "theirs" / "map.html").write_text("theirs", encoding="utf-8")
    found = typed("run", place / "s.toml", "--out", place / "theirs", "--only", "terrain", cwd=place)
    if os.geteuid() == 0:
        require_refused(found, "theirs", "cannot be written")
    assert (place / "theirs" / "map.html").read_text(encoding="utf-8") == "theirs" or os.geteuid() != 0


def test_results_on_a_disk_for_reading_can_be_verified(place: Path) -> None:
    code, lines = typed("run", place / "s.toml", "--out", place / "open" / "out", "--only", "terrain", cwd=place)
    assert code == 0, lines
    for folder in (place / "open" / "out", place / "open" / "out" / "rasters", place / "open"):
        folder.chmod(0o555)
    code, lines = typed("run", "--verify", place / "open" / "out" / "manifest.json", cwd=place)
    assert code == 0, lines
    (place / "open" / "out" / "rasters" / "slope.tif").chmod(0)
    code, _ = typed("run", "--verify", place / "open" / "out" / "manifest.json", "--quick", cwd=place)
    assert code == 1
