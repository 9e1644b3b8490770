"""M3C2 against py4dgeo on the same clouds, in one run; and the memory of files of any size.

    python tests/bench/m3c2.py peer CLOUD [--peer PYTHON] [--repeat K]     CLOUD split at random, a scar in one half
    python tests/bench/m3c2.py large FOLDER [--points N] [--core N]        two made clouds of N points, by tiles

PYTHON is an interpreter that has py4dgeo (this one unless given). Threads are those of NUMBA_NUM_THREADS, for both. Times are
processor and wall seconds of the best of K turns, which alternate; trees and sorting are in both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from told import say

from hazardgeo import change, io
from hazardgeo.cloud import PointCloud
from hazardgeo.kernel import threads

SIZES = {"normal_radius_m": 2.0, "cylinder_radius_m": 1.0, "max_depth_m": 5.0}
PEER = """
import sys, time, numpy as np, py4dgeo
pair, out, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
py4dgeo.set_num_threads(threads)
given = np.load(pair)
cpu, wall = time.process_time(), time.perf_counter()
epochs = py4dgeo.Epoch(given["before"]), py4dgeo.Epoch(given["after"])
found, more = py4dgeo.M3C2(
    epochs=epochs, corepoints=given["core"], normal_radii=[2.0], cyl_radius=1.0, max_distance=5.0, registration_error=0.0
).run()
times = time.process_time() - cpu, time.perf_counter() - wall
np.savez(out, distance=found, lod=more["lodetection"], times=times, one=more["num_samples1"], two=more["num_samples2"])
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("peer", "large"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--peer", default=sys.executable)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--points", type=int, default=50_000_000)
    parser.add_argument("--core", type=int, default=10_000_000)
    given = parser.parse_args()
    if given.what == "peer":
        peer(given.path, given.peer, given.repeat)
    else:
        large(given.path, given.points, given.core)


def pair(path: Path) -> tuple[PointCloud, PointCloud, PointCloud]:
    """Two random halves of a cloud, a scar of 1 m in the second, and every third point of the first."""
    cloud = io.read_cloud(path)
    turn = np.random.default_rng(0).permutation(len(cloud))
    half = len(cloud) // 2
    before, after = (cloud.xyz[np.sort(part)] for part in (turn[:half], turn[half:]))
    middle = after[:, :2].mean(axis=0)
    after[:, 2] -= np.where(np.hypot(*(after[:, :2] - middle).T) < 30, 1.0, 0.0)
    return tuple(PointCloud(xyz, cloud.crs) for xyz in (before, after, before[::3]))  # type: ignore[return-value]


def peer(path: Path, python: str, repeat: int) -> None:
    before, after, core = pair(path)
    origin = np.floor(before.xyz.min(axis=0))
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "pair.npz", Path(folder) / "out.npz"
        np.savez(given, before=before.xyz - origin, after=after.xyz - origin, core=core.xyz - origin)
        found = change.m3c2(before, after, core, **SIZES)  # compiles
        for _ in range(repeat):
            cpu, wall = time.process_time(), time.perf_counter()
            found = change.m3c2(before, after, core, **SIZES)
            ours.append((time.process_time() - cpu, time.perf_counter() - wall))
            command = [python, "-c", PEER, str(given), str(out), str(threads())]
            subprocess.run(command, check=True, capture_output=True)
            with np.load(out) as made:
                theirs.append(made["times"])
                result = {name: made[name] for name in made.files}
    tell(found, result, np.min(ours, axis=0), np.min(theirs, axis=0))


def tell(found: change.CloudChange, result: dict[str, Any], ours: Any, theirs: Any) -> None:
    number = len(found.core)
    say(f"{number:,} core points, {threads()} threads, {found.count_before.mean():.0f} points in a cylinder")
    for kind, a, b in zip(("processor", "wall"), ours, theirs, strict=True):
        say(f"{kind:10} hazardgeo {number / a / 1e6:.3f} M/s, py4dgeo {number / b / 1e6:.3f} M/s, ratio {b / a:.1f}")
    apart = np.abs(found.distance_m - result["distance"])
    say("distance apart: p50, p99.9, largest " + ", ".join(f"{v:.2g}" for v in np.nanpercentile(apart, [50, 99.9, 100])))
    apart = np.abs(found.lod95_m - result["lod"])
    say("level of detection apart: " + ", ".join(f"{v:.2g}" for v in np.nanpercentile(apart, [50, 99.9, 100])))
    other = (found.count_before != result["one"]) | (found.count_after != result["two"])
    few = other & np.isnan(found.normal[:, 0])  # py4dgeo takes a plane through three points or four, and a line, for a normal
    say(f"{other.sum()} core points with another number of points, {few.sum()} of them with fewer than five for a normal")


def large(folder: Path, points: int, core: int) -> None:
    from hazardgeo import tiles
    from hazardgeo.io.cloud.write import write_parts
    from hazardgeo.pipeline import large_cloud_change

    folder.mkdir(parents=True, exist_ok=True)
    side = np.sqrt(points / 8.0)
    for seed, (name, number) in enumerate({"before": points, "after": points, "core": core}.items()):
        if not (folder / f"{name}.laz").exists():
            write_parts(lambda seed=seed, number=number: made(seed, number, side), folder / f"{name}.laz")
    began = time.perf_counter()
    with tiles.PeakMemory() as peak:
        clouds = (folder / f"{name}.laz" for name in ("before", "after", "core"))
        large_cloud_change.m3c2(*clouds, out=folder / "change.laz", **SIZES)
    say(f"{core:,} core points on 2 x {points:,}: {time.perf_counter() - began:.0f} s, peak {peak.megabytes / 1e3:.2f} GB")


def made(seed: int, points: int, side: float) -> Any:
    """Hills in strips of a million points."""
    rng = np.random.default_rng(seed)
    strips = -(-points // 1_000_000)
    for strip in range(strips):
        number = min(1_000_000, points - strip * 1_000_000)
        x, y = rng.uniform(0, side, number), (strip + rng.random(number)) / strips * side
        z = 1800 + 40 * np.sin(x / 90) * np.cos(y / 70) + rng.normal(0, 0.05, number)
        yield PointCloud(np.column_stack([x + 500_000, y + 4_000_000, z]), 32648)


if __name__ == "__main__":
    main()
