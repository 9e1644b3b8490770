"""Kill `hazardgeo run` at random moments, run it again, and compare every byte with a run that nobody disturbed.

    python tests/chaos/kills.py --kills 50 --seed 1

Exit code 0 only where every rerun gives the same bytes and leaves nothing behind. The manifest is compared without its
times, its memory and whether a stage was done or reused. Moments are drawn from the computing time of the undisturbed run,
so that they fall evenly over its work however busy the machine is, with a moment of waiting for the disk on top.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

START = [sys.executable, "-m", "hazardgeo", "run"]
PACKAGE = Path(__file__).absolute().parents[2]
SURROUNDINGS = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")])}
POLL_S = 0.002
LONGEST_WAIT_S = 0.05


@dataclass
class Kill:
    """One kill and what came of it."""

    at_s: float
    doing: str
    reused: int
    faults: list[str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--in-a-row", type=int, default=1, help="kills before the rerun that is let through")
    given = parser.parse_args()
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="hazardgeo-kills-") as name:
        folder = Path(name)
        scenario = valley(folder / "valley")
        whole_s, whole = undisturbed(scenario, folder / "undisturbed")
        say(f"undisturbed: {whole_s:.1f} s of computing, {len(whole)} files")
        kills = []
        for i in range(given.kills):
            moments = [(rng.uniform(0.0, whole_s), rng.uniform(0.0, LONGEST_WAIT_S)) for _ in range(given.in_a_row)]
            kills.append(one(scenario, folder / f"kill-{i}", moments, whole))
            kill = kills[-1]
            verdict = "same bytes" if not kill.faults else "; ".join(kill.faults)
            say(f"{i + 1:3d}: killed at {kill.at_s:5.2f} s ({kill.doing}), {kill.reused} stages reused: {verdict}")
    return summary(kills)


def summary(kills: list[Kill]) -> int:
    bad = sum(bool(kill.faults) for kill in kills)
    doing = ", ".join(f"{what} {n}" for what, n in Counter(kill.doing for kill in kills).most_common())
    say(f"{len(kills)} kills, {len(kills) - bad} reruns with the same bytes, {bad} not; killed while: {doing}")
    return 1 if bad else 0


def valley(folder: Path) -> Path:
    """The scenario of the small demo valley."""
    code = "import sys; from hazardgeo import synthetic; print(synthetic.valley(sys.argv[1], seed=1, size='small'))"
    made = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env=SURROUNDINGS,
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(made.stdout.strip())


def undisturbed(scenario: Path, out: Path) -> tuple[float, dict[str, Any]]:
    """The computing time of a run where machine code is compiled already, and its files."""
    finished(scenario, out)
    shutil.rmtree(out)
    before = os.times()
    finished(scenario, out)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system, contents(out)


def finished(scenario: Path, out: Path) -> str:
    """Run to the end; the log."""
    run = subprocess.run(
        [*START, str(scenario), "--out", str(out)],
        env=SURROUNDINGS,
        cwd=scenario.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise SystemExit(f"the run failed: {run.stderr}")
    return run.stderr


def one(scenario: Path, out: Path, moments: list[tuple[float, float]], whole: dict[str, Any]) -> Kill:
    """Kill runs at `moments`, then let one through and compare."""
    doing = [killed(scenario, out, at_s, wait_s) for at_s, wait_s in moments]
    log = finished(scenario, out)
    faults = differences(whole, contents(out)) + leftovers(out)
    shutil.rmtree(out)
    return Kill(moments[-1][0], doing[-1], log.count("unchanged since the last run"), faults)


def killed(scenario: Path, out: Path, at_s: float, wait_s: float) -> str:
    """Kill the whole process group of a run after some computing and some waiting; what it said last."""
    with tempfile.TemporaryFile("w+") as log:
        run = subprocess.Popen(
            [*START, str(scenario), "--out", str(out)],
            env=SURROUNDINGS,
            cwd=scenario.parent,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
        while run.poll() is None and computed_s(run.pid) < at_s:
            time.sleep(POLL_S)
        time.sleep(wait_s)
        if run.poll() is not None:
            return "finished before"
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        log.seek(0)
        said = log.read().splitlines()
    return f"after {said[-1].split(':')[0]}" if said else "starting"


def computed_s(pid: int) -> float:
    try:
        return sum(psutil.Process(pid).cpu_times()[:2])
    except psutil.Error:
        return 0.0


def contents(out: Path) -> dict[str, Any]:
    """All files of the results by name: bytes, and of the manifest what does not tell of times."""
    files: dict[str, Any] = {
        p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file() and ".cache" not in p.parts
    }
    manifest = json.loads(files["manifest.json"])
    del manifest["finished"]
    for stage in manifest["stages"]:
        stage.update(seconds=0, peak_memory_mb=0, status="done" if stage["status"] == "reused" else stage["status"])
    return files | {"manifest.json": manifest}


def differences(whole: dict[str, Any], found: dict[str, Any]) -> list[str]:
    faults = [f"{name} is missing" for name in whole.keys() - found.keys()]
    faults += [f"{name} is left over" for name in found.keys() - whole.keys()]
    return faults + [f"{name} differs" for name in whole.keys() & found.keys() if whole[name] != found[name]]


def leftovers(out: Path) -> list[str]:
    """Temporary files, also in the store, and blobs that nothing needs."""
    hidden = [p for p in out.rglob(".*") if p.name != ".cache"]
    entries = "".join(p.read_text() for p in (out / ".cache" / "entries").iterdir())
    unused = [p for p in (out / ".cache" / "blobs").iterdir() if p.name not in entries]
    return [f"{p.relative_to(out)} is left over" for p in (*hidden, *unused, *(out / ".cache").glob("staging"))]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
