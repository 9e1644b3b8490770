"""Chinese names, spaces and long paths under locales and terminals that cannot say them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hazardgeo
from hazardgeo.pipeline import Manifest

FOLDER = "震区 数据 (été) & 2023 'a'"
LONG = "很长的名字" * 15 + " end"  # 229 bytes of the 255 that a name may have
SURROUNDINGS = {
    "C locale": {"LC_ALL": "C"},
    "C locale without UTF-8 mode": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "strict ASCII": {"PYTHONIOENCODING": "ascii:strict", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "GBK": {"PYTHONIOENCODING": "gbk"},
}
QUICK = ("C locale without UTF-8 mode", "cp1252")
EACH = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in SURROUNDINGS]
UNSET = ("PYTHONIOENCODING", "PYTHONUTF8", "PYTHONCOERCECLOCALE", "LC_ALL", "LANG", "LC_CTYPE")


def typed(surroundings: str, *arguments: str | Path, cwd: Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, as ASCII with what a terminal cannot say escaped."""
    clean = {key: value for key, value in os.environ.items() if key not in UNSET}
    package = {"PYTHONPATH": str(Path(hazardgeo.__file__).parents[1])}
    run = subprocess.run(
        [sys.executable, "-m", "hazardgeo", *map(str, arguments)],
        env={**clean, **package, **SURROUNDINGS[surroundings]},
        cwd=cwd,
        capture_output=True,
        check=False,
    )
    out, err = (text.decode("ascii", "backslashreplace") for text in (run.stdout, run.stderr))
    for word in ("Traceback", "UnicodeEncodeError", "UnicodeDecodeError", "codec"):
        assert word not in err, err
    return run.returncode, out, err


@pytest.fixture
def place(tmp_path: Path, demo: tuple[Path, Manifest]) -> Path:
    """A folder with a difficult name, with a scenario of one DEM whose name is difficult too."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    shutil.copy(demo[0] / "rasters" / "dem.tif", folder / "高程 模型.tif")
    (folder / "场景.toml").write_text('title = "积石山 震后"\n[inputs]\ndem = "高程 模型.tif"\n', encoding="utf-8")
    return folder


@pytest.mark.parametrize("surroundings", EACH)
def test_a_scenario_with_chinese_names_runs_anywhere(surroundings: str, place: Path) -> None:
    code, out, err = typed(surroundings, "run", "场景.toml", "--out", "结果 1", "--only", "terrain", cwd=place)
    assert code == 0, err
    assert "done, results in" in out
    manifest = json.loads((place / "结果 1" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["title"] == "积石山 震后"
    assert [file["path"] for file in manifest["inputs"]] == ["dem: 高程 模型.tif"]
    assert "高程 模型.tif" in (place / "结果 1" / "resolved.toml").read_text(encoding="utf-8")
    code, out, _ = typed(surroundings, "run", "场景.toml", "--out", "结果 1", "--only", "terrain", "--json", cwd=place)
    assert code == 0
    assert json.loads(out)["title"] == "积石山 震后"


@pytest.mark.parametrize("surroundings", EACH)
def test_every_command_says_its_errors_in_one_line_anywhere(surroundings: str, place: Path) -> None:
    for arguments in (["run", "没有.toml"], ["check", "没有.toml"], ["info", "没有.tif"], ["new", "没有"]):
        code, _, err = typed(surroundings, *arguments, cwd=place)
        assert code == 1, arguments
        assert len(err.splitlines()) == 1
        assert err.startswith("error: ")
    assert typed(surroundings, "--help", cwd=place)[0] == 0
    assert typed(surroundings, "运行", cwd=place)[0] == 2


@pytest.mark.parametrize("surroundings", QUICK)
def test_looking_at_files_with_chinese_names_works_anywhere(surroundings: str, place: Path) -> None:
    code, out, err = typed(surroundings, "info", "高程 模型.tif", cwd=place)
    assert (code, err) == (0, "")
    assert "cells" in out
    assert typed(surroundings, "check", "场景.toml", cwd=place)[0] == 0
    assert typed(surroundings, "new", ".", cwd=place)[0] == 0
    assert "高程 模型.tif" in (place / "scenario.toml").read_text(encoding="utf-8")


def test_names_as_long_as_a_disk_allows_are_read_and_written(place: Path) -> None:
    (place / LONG).mkdir()
    (place / LONG / f"{LONG}.toml").write_text('[inputs]\ndem = "../高程 模型.tif"\n', encoding="utf-8")
    code, _, err = typed("C locale", "run", place / LONG / f"{LONG}.toml", "--only", "terrain", cwd=place)
    assert code == 0, err
    assert (place / "maps" / LONG / "manifest.json").exists()
    code, _, err = typed("C locale", "run", "x" * 300 + ".toml", cwd=place)
    assert code == 1
    assert len(err.splitlines()) == 1
