"""The demo where the surroundings are not those of a developer: threading layers, spawn, a read-only install, no open3d."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PACKAGE = Path(__file__).parents[1] / "hazardgeo"
SPAWNED = """
import multiprocessing, sys
from hazardgeo.cli import main
if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=main, args=(sys.argv[1:],))
    child.start()
    child.join()
    sys.exit(child.exitcode)
"""


def demo(
    out: Path, environment: Mapping[str, str] | None = None, start: Sequence[str] = (sys.executable, "-m", "hazardgeo")
) -> None:
    """The demo run in a process of its own, to its map."""
    surroundings = {"PYTHONPATH": str(PACKAGE.parent), **os.environ, **(environment or {})}
    run = subprocess.run(
        [*start, "demo", "--out", str(out)],
        env=surroundings,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (out / "results" / "map.html").stat().st_size > 100_000


@pytest.mark.parametrize("layer", ["tbb", "omp", "workqueue"])
def test_the_demo_runs_with_every_threading_layer_of_numba(layer: str, tmp_path: Path) -> None:
    demo(tmp_path, {"NUMBA_THREADING_LAYER": layer})


def test_the_demo_runs_in_a_spawned_process(tmp_path: Path) -> None:
    script = tmp_path / "spawned.py"
    script.write_text(SPAWNED, encoding="utf-8")
    demo(tmp_path / "out", start=(sys.executable, str(script)))


def test_the_demo_runs_without_open3d(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked" / "open3d"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')\n", encoding="utf-8")
    demo(tmp_path / "out", {"PYTHONPATH": f"{blocked.parent}{os.pathsep}{PACKAGE.parent}"})


def test_the_demo_runs_from_a_read_only_install_without_a_writable_home(tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(PACKAGE, site / "hazardgeo", ignore=shutil.ignore_patterns("__pycache__"))
    start: list[str] = [sys.executable, "-m", "hazardgeo"]
    if os.geteuid() == 0:  # root writes past permissions, but not to a read-only mount
        lock = f"mount --bind {site} {site} && mount -o remount,ro,bind {site} && "
        if subprocess.run(["unshare", "-m", "sh", "-c", f"{lock}true"], capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount, or a user who is not root")
        start = ["unshare", "-m", "sh", "-c", f'{lock}exec "$0" "$@"', *start]
    else:
        for folder in (site, *(p for p in site.rglob("*") if p.is_dir())):
            folder.chmod(0o555)
    (tmp_path / "out").mkdir()
    surroundings = {"PYTHONPATH": str(site), "HOME": str(site), "XDG_CACHE_HOME": str(site), "NUMBA_CACHE_DIR": ""}
    demo(tmp_path / "out", surroundings, start)
    assert not list(site.rglob("*.nbi"))


@pytest.mark.parametrize("spoken", [{"PYTHONIOENCODING": "cp1252"}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_the_demo_runs_in_a_folder_with_a_chinese_name_where_nobody_speaks_it(spoken: dict[str, str], tmp_path: Path) -> None:
    demo(tmp_path / "震区 数据", {"LC_ALL": "C", **spoken})
