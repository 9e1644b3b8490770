"""A run that is stopped: it says so, leaves nothing half, and the next one goes on from there."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hazardgeo
from hazardgeo import pipeline
from hazardgeo.pipeline import Manifest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
PACKAGE = str(Path(hazardgeo.__file__).parents[1])
LISTENING = """if True:  # what runs in the background of a shell was told not to listen to SIGINT
    import os, signal, sys
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
"""
KILLS = Path(__file__).with_name("kills.py")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_says_so_and_the_next_goes_on(stop: signal.Signals, valley: Path, tmp_path: Path) -> None:
    run = [sys.executable, "-m", "hazardgeo", "run", str(valley), "--out", str(tmp_path), "--only", "terrain"]
    start = [sys.executable, "-c", LISTENING, *run]
    surroundings = {**os.environ, "PYTHONPATH": PACKAGE}
    with subprocess.Popen(start, env=surroundings, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        while not (line := running.stderr.readline()).startswith("ground: "):
            assert line, "the run ended before it was stopped"
        running.send_signal(stop)
        said = running.stderr.read()
    assert running.returncode == 1, said
    assert said.splitlines()[-1] == "stopped; what is finished is kept, and the next run goes on from there."
    assert "Traceback" not in said
    assert not [p for p in tmp_path.rglob(".*") if p.name != ".cache"]
    assert not (tmp_path / "manifest.json").exists()
    manifest = pipeline.run(valley, out=tmp_path, only="terrain")
    assert {stage.name: stage.status for stage in manifest.stages}["ground"] == "reused"


def test_a_second_run_beside_the_first_is_one_line(demo: tuple[Path, Manifest], valley: Path) -> None:
    from hazardgeo.pipeline import lock

    start = [sys.executable, "-m", "hazardgeo", "run", str(valley), "--out", str(demo[0]), "--only", "terrain"]
    with lock.held(demo[0]):
        began = time.monotonic()
        surroundings = {**os.environ, "PYTHONPATH": PACKAGE}
        second = subprocess.run(start, env=surroundings, cwd=demo[0], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert second.stderr.splitlines() == [second.stderr.strip()]
    assert f"another run is at work in {demo[0]} (process {os.getpid()} on " in second.stderr
    assert time.monotonic() - began < 60  # at once, and no waiting for the lock


@pytest.mark.slow
def test_a_killed_run_and_its_rerun_give_the_bytes_of_an_undisturbed_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [str(KILLS), "--kills", "3", "--seed", "7", "--in-a-row", "2"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(KILLS), run_name="__main__")
    assert end.value.code == 0, capsys.readouterr().out
