"""How well the ground is found, and how fast: errors on the labelled samples of the ISPRS filter test, one set of parameters
for all; and the time for a large cloud beside other filters.

    python tests/bench/ground.py                    the errors per sample and their means, with the defaults
    python tests/bench/ground.py slope=0.2 ...      the same with other parameters of `scan.classify_ground`
    python tests/bench/ground.py held-out           the same for each sample with what is best on the seven others
    python tests/bench/ground.py speed [points=N]   million points per second in memory, for ten million points or N

Type I is the share of the ground that is lost, type II the share of the objects that is taken for ground, total the share
of all points with the wrong class, kappa what the agreement is above chance; all in per cent (Sithole & Vosselman 2004,
doi 10.1016/j.isprsjprs.2004.05.004). Speed is the best of three turns; peers run once, those that can be imported. Processor
seconds are those of all threads: on a machine that others use they say more than the time. Needs HAZARDGEO_DATA.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from told import say

from hazardgeo import io, scan
from hazardgeo.cloud import PointCloud

CRS = "EPSG:32632"
TRIED = {"slope": (0.04, 0.05, 0.07), "threshold_m": (0.25, 0.3, 0.4), "scalar": (1.0, 1.25, 1.5)}


def main() -> None:
    words = [given for given in sys.argv[1:] if "=" not in given]
    parameters = {name: float(value) for name, value in (given.split("=") for given in sys.argv[1:] if "=" in given)}
    if "speed" in words:
        speed(int(parameters.get("points", 10_000_000)))
        return
    files = sorted((Path(os.environ["HAZARDGEO_DATA"]) / "isprs_filter").glob("samp*.laz"))
    say(f"{'sample':8}{'type I':>8}{'type II':>9}{'total':>8}{'kappa':>8}")
    if "held-out" in words:
        held_out(files)
        return
    table = np.array([told(path, parameters) for path in files])
    say(f"{'mean':8}" + figures(table.mean(axis=0)))


def held_out(files: list[Path]) -> None:
    """The errors for each file with the parameters, of `TRIED`, whose mean total error on the others is least, said."""
    choices = [dict(zip(TRIED, values, strict=True)) for values in itertools.product(*TRIED.values())]
    clouds = [io.read_cloud(path, crs=CRS) for path in files]
    table = np.array([[found(cloud, choice) for cloud in clouds] for choice in choices])  # choice, sample, figure
    rows = []
    for k, path in enumerate(files):
        others = np.delete(table[:, :, 2], k, axis=1).mean(axis=1)
        best = int(others.argmin())
        rows.append(table[best, k])
        chosen = ", ".join(f"{name} {value:g}" for name, value in choices[best].items())
        say(f"{path.stem:8}{figures(table[best, k])}   {chosen}")
    say(f"{'mean':8}" + figures(np.mean(rows, axis=0)))


def told(path: Path, parameters: dict[str, float]) -> tuple[float, float, float, float]:
    """The errors for one file, said."""
    row = found(io.read_cloud(path, crs=CRS), parameters)
    say(f"{path.stem:8}" + figures(np.array(row)))
    return row


def found(cloud: PointCloud, parameters: dict[str, float]) -> tuple[float, float, float, float]:
    """The errors for one labelled cloud."""
    truth = np.asarray(cloud.attributes["classification"]) == 2
    bare = cloud.with_attribute("classification", np.zeros(len(cloud), np.uint8))
    ground = np.asarray(scan.classify_ground(bare, **parameters).attributes["classification"]) == 2
    return errors(truth, ground)


def errors(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Type I, type II, total error and kappa in per cent.

    >>> errors(np.array([True, True, True, False]), np.array([True, True, False, False]))
    (33.333333333333336, 0.0, 25.0, 50.0)
    """
    ground, objects = int(truth.sum()), int((~truth).sum())
    lost, kept = int((truth & ~found).sum()), int((~truth & found).sum())
    points = len(truth)
    called_ground = ground - lost + kept
    agreement = 1 - (lost + kept) / points
    chance = (ground * called_ground + objects * (points - called_ground)) / points**2
    return 100 * lost / ground, 100 * kept / objects, 100 * (lost + kept) / points, 100 * (agreement - chance) / (1 - chance)


def speed(points: int) -> None:
    """The time that each filter takes for the same cloud, said."""
    cloud = wide(io.read_cloud(Path(os.environ["HAZARDGEO_DATA"]) / "autzen_crop" / "autzen_crop_330m.laz"), points)
    say(f"{len(cloud):,} points, {numba.get_num_threads()} threads")
    scan.classify_ground(cloud.select(slice(0, 100_000)))
    taken: dict[str, tuple[float, float]] = {"hazardgeo": min(timed(lambda: scan.classify_ground(cloud)) for _ in range(3))}
    if find_spec("CSF") is not None:
        taken["cloth-simulation-filter"] = timed(lambda: cloth(cloud))
    if find_spec("pdal") is not None:
        taken["pdal filters.smrf"] = timed(lambda: pdal_smrf(cloud))
    say(f"{'filter':26}{'M points/s':>12}{'processor s per M points':>26}{'ratio':>8}")
    for name, (wall_s, processor_s) in taken.items():
        rate = len(cloud) / 1e6 / wall_s
        say(f"{name:26}{rate:12.2f}{processor_s / len(cloud) * 1e6:26.3f}{wall_s / taken['hazardgeo'][0]:8.1f}")


def wide(cloud: PointCloud, points: int) -> PointCloud:
    """Copies of a cloud side by side, every other one mirrored so that seams fit, until there are as many points."""
    copies = max(1, -(-points // len(cloud)))
    across = int(np.ceil(np.sqrt(copies)))
    (west, south, east, north), parts = cloud.bounds, []
    for copy in range(copies):
        part = cloud.xyz.copy()
        for axis, place, low, high in ((0, copy % across, west, east), (1, copy // across, south, north)):
            part[:, axis] = (low + high - part[:, axis] if place % 2 else part[:, axis]) + place * (high - low)
        parts.append(part)
    return PointCloud(np.vstack(parts), cloud.crs)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and on the processors."""
    clock, processors = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processors


def cloth(cloud: PointCloud) -> None:
    """The filter of Zhang et al. (2016), in its authors' implementation, with a cloth of 1 m."""
    import CSF  # type: ignore[import-not-found,unused-ignore]

    csf = CSF.CSF()
    csf.params.cloth_resolution, csf.params.rigidness = 1.0, 2
    csf.setPointCloud(cloud.xyz)
    csf.do_filtering(CSF.VecInt(), CSF.VecInt())


def pdal_smrf(cloud: PointCloud) -> None:
    import pdal  # type: ignore[import-not-found,unused-ignore]

    points = np.rec.fromarrays(cloud.xyz.T, names="X,Y,Z")
    pdal.Filter.smrf().pipeline(np.asarray(points)).execute()


def figures(row: NDArray[np.float64]) -> str:
    return f"{row[0]:8.2f}{row[1]:9.2f}{row[2]:8.2f}{row[3]:8.1f}"


if __name__ == "__main__":
    main()
