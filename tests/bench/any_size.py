"""How work on files of any size grows: memory, time, and what the engine itself costs.

    python tests/bench/any_size.py raster --side 40000      1.6 Gpx through a stencil to a COG: peak memory
    python tests/bench/any_size.py flow --side 40000        1.6 Gpx: filled, directions, areas and wetness by tiles
    python tests/bench/any_size.py cloud --millions 200     a LAZ without order through gridding: peak memory
    python tests/bench/any_size.py ground --millions 10     ground, DTM of 1 m and COG, from memory and from a LAZ without order
    python tests/bench/any_size.py overhead                 the engine against a loop written by hand, 16 tiles per worker
    python tests/bench/any_size.py growth                   time against size, one and two workers, and its log-log slope

Inputs are made in --folder and kept there for the next time, or in a temporary folder. Clouds are copies of a real
scan: they need HAZARDGEO_DATA. Times are told, never judged.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import laspy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import hills
from told import say, timed

from hazardgeo import io, pipeline, scan, terrain, tiles
from hazardgeo.io import RasterFile, RasterParts
from hazardgeo.tiles import InProcess, PeakMemory, Pool, plan
from hazardgeo.tiles.points import grid_over

SCAN = "lidr_als/Topography.laz"
_MOST_IN_MEMORY = 30  # million points
TILE = tiles.DEFAULT_CELLS
_WEST, _NORTH = 488 * 1024, 3907 * 1024  # where tiles begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("raster", "flow", "cloud", "ground", "overhead", "growth"))
    parser.add_argument("--folder", type=Path, help="folder for inputs, which must exist, and results, which are removed")
    parser.add_argument("--side", type=int, default=40_000, help="cells of the side of the raster")
    parser.add_argument("--millions", type=int, default=200, help="points of the cloud")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--routing", choices=("d8", "dinf", "mfd"), default="d8")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        given.inputs = given.folder or Path(name)
        work = {"raster": raster, "flow": flow, "cloud": cloud, "ground": ground, "overhead": overhead, "growth": growth}
        work[given.what](Path(name), given)


def raster(folder: Path, given: argparse.Namespace) -> None:
    dem = made_raster(given.inputs / f"dem-{given.side}.tif", given.side, given.jobs)
    with Pool(given.jobs) as pool:
        seconds, megabytes = watched(lambda: pipeline.slope(dem, out=folder / "slope.tif", executor=pool))
    cells = given.side**2
    say(f"slope of {cells / 1e9:.2f} Gpx to a COG, {given.jobs} jobs: {seconds:.0f} s, peak {megabytes:.0f} MB of all processes")
    size = (folder / "slope.tif").stat().st_size / 1e9
    say(f"in {dem.stat().st_size / 1e9:.2f} GB, out {size:.2f} GB")


def flow(folder: Path, given: argparse.Namespace) -> None:
    dem = made_raster(given.inputs / f"dem-{given.side}.tif", given.side, given.jobs)
    with Pool(given.jobs) as pool:
        work: dict[str, Any] = {"out": folder / "water", "routing": given.routing, "executor": pool}
        seconds, megabytes = watched(lambda: pipeline.flow(dem, **work))
    say(f"flow ({given.routing}) of {given.side**2 / 1e6:.0f} Mpx, {given.jobs} jobs: {seconds:.0f} s, peak {megabytes:.0f} MB")


def cloud(folder: Path, given: argparse.Namespace) -> None:
    points = made_cloud(given.inputs / f"points-{given.millions}.laz", given.millions * 1_000_000)
    out = folder / "highest.tif"
    with Pool(given.jobs) as pool:
        seconds, megabytes = watched(lambda: pipeline.surface(points, out=out, cell_m=1.0, executor=pool))
    grid = RasterFile(out).grid
    say(
        f"{given.millions} million points of a {points.stat().st_size / 1e9:.2f} GB LAZ to {grid.shape[0]} x {grid.shape[1]} "
        f"cells, {given.jobs} jobs: {seconds:.0f} s, peak {megabytes:.0f} MB of all processes"
    )


def ground(folder: Path, given: argparse.Namespace) -> None:
    """From memory once to compile and once to tell; from the file with the points of the ground written too, as LAZ."""
    points = made_cloud(given.inputs / f"points-{given.millions}.laz", given.millions * 1_000_000)
    millions = given.millions

    def from_memory(scanned: Any) -> None:
        io.write_raster(scan.dtm(scan.classify_ground(scanned, penetrates=True)), folder / "dtm.tif")

    if millions <= _MOST_IN_MEMORY:
        whole = io.read_cloud(points)
        from_memory(whole.select(slice(0, 200_000)))
        seconds, used = min(busy(lambda: from_memory(whole)) for _ in range(2))
        say(
            f"{millions} million points in memory to a COG: {millions / seconds:.2f} million/s, "
            f"{used / millions:.2f} processor s each"
        )
        del whole
    with Pool(given.jobs) as pool:
        seconds, megabytes = watched(lambda: pipeline.ground(points, out=folder / "made", penetrates=True, executor=pool))
    say(f"the same from a LAZ without order, and ground.laz and dsm.tif, {given.jobs} jobs: {millions / seconds:.2f} million/s")
    say(f"{seconds:.0f} s, peak {megabytes:.0f} MB of all processes")


def busy(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds on the clock and on the processors."""
    before = time.process_time()
    return timed(work), time.process_time() - before


def overhead(folder: Path, given: argparse.Namespace) -> None:
    """Each way three times in turn, the best of each; the pool is measured with its processes already started."""
    dem = made_raster(given.inputs / f"dem-{4 * TILE}.tif", 4 * TILE, given.jobs)
    source, grid = RasterFile(dem), RasterFile(dem).grid
    cut = plan(grid, tile_cells=TILE, halo=1)

    def by_hand(out: Path) -> None:
        sink = RasterParts(out)
        (parts := out.with_suffix(".parts")).mkdir()
        for tile in cut:
            found = terrain.slope(source.read(grid.window(*tile.wide)))
            sink.write(parts, tile, found.window(*tile.inner))
        sink.finish(parts, grid, cut)

    def by_engine(executor: Any) -> Callable[[Path], None]:
        return lambda out: tiles.map(terrain.slope, {"dem": source}, RasterParts(out), halo=1, executor=executor)

    with Pool(1) as pool:
        ways = {"by hand": by_hand, "engine, this process": by_engine(InProcess()), "engine, a pool of one": by_engine(pool)}
        best = dict.fromkeys(ways, math.inf)
        for k in range(3):
            for name, way in ways.items():
                out = folder / f"{name}-{k}.tif"
                best[name] = min(best[name], timed(lambda way=way, out=out: way(out)))
                out.unlink()
    for name, seconds in best.items():
        say(f"{len(cut)} tiles of {TILE} x {TILE}, {name}: {seconds:.2f} s, {seconds / best['by hand'] - 1:+.1%}")


def growth(folder: Path, given: argparse.Namespace) -> None:
    for name, sizes, work in (
        ("slope to a COG, Mpx", (4, 16, 64), _slope_of),
        ("fill depressions to a COG, Mpx", (4, 16, 64), _fill_of),
        ("points to a raster, millions", (1, 4, 16), _surface_of),
    ):
        for jobs in (1, 2):
            with Pool(jobs) as pool:
                seconds = [work(given.inputs, folder / "out.tif", size, pool) for size in sizes]
            slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
            cells = ", ".join(f"{size}: {s:.1f} s" for size, s in zip(sizes, seconds, strict=True))
            say(f"{name}, {jobs} job(s): {cells}; log-log slope {slope:.3f}")


def _slope_of(inputs: Path, out: Path, size: int, pool: Pool) -> float:
    dem = made_raster(inputs / f"dem-{math.isqrt(size * 1_000_000)}.tif", math.isqrt(size * 1_000_000), 2)
    return timed(lambda: pipeline.slope(dem, out=out, executor=pool))


def _fill_of(inputs: Path, out: Path, size: int, pool: Pool) -> float:
    dem = made_raster(inputs / f"dem-{math.isqrt(size * 1_000_000)}.tif", math.isqrt(size * 1_000_000), 2)
    return timed(lambda: pipeline.fill(dem, out=out, executor=pool))


def _surface_of(inputs: Path, out: Path, size: int, pool: Pool) -> float:
    points = made_cloud(inputs / f"points-{size}.laz", size * 1_000_000)
    return timed(lambda: pipeline.surface(points, out=out, executor=pool))


def made_raster(path: Path, side: int, jobs: int) -> Path:
    """Hills with noise and holes, made tile by tile."""
    if not path.exists():
        grid = grid_over((_WEST + 0.5, _NORTH - side + 0.5, _WEST + side - 0.5, _NORTH - 0.5), 1.0, 32648)
        with Pool(jobs) as pool:
            tiles.map(hills.height, {}, RasterParts(path), grid=grid, executor=pool)
    return path


def made_cloud(path: Path, points: int) -> Path:
    """Copies of a real scan side by side, written in random order, the points of each in random order too."""
    if path.exists():
        return path
    scan = laspy.read(Path(os.environ["HAZARDGEO_DATA"]) / SCAN)
    rng = np.random.default_rng(1)
    east, north = np.ceil(np.ptp(scan.xyz[:, :2], axis=0))
    copies = -(-points // len(scan))
    columns = math.isqrt(copies) + 1
    header = laspy.LasHeader(version="1.4", point_format=6)
    header.scales, header.offsets = np.array([0.01, 0.01, 0.01]), np.floor(scan.header.mins)
    header.add_crs(io.read_cloud(Path(os.environ["HAZARDGEO_DATA"]) / SCAN).crs)
    with laspy.open(path, "w", header=header) as writer:
        for k in rng.permutation(copies):
            order = rng.permutation(len(scan))[: points - writer.header.point_count]
            record = laspy.ScaleAwarePointRecord.zeros(len(order), header=header)
            record.x = scan.x[order] + east * (k % columns)
            record.y = scan.y[order] + north * (k // columns)
            record.z, record.intensity = scan.z[order], scan.intensity[order]
            record.classification = np.asarray(scan.classification)[order]
            record.return_number = record.number_of_returns = np.ones(len(order), np.uint8)
            writer.write_points(record)
    return path


def watched(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds, and the peak memory of this process and its children in MB."""
    with PeakMemory() as memory:
        seconds = timed(work)
    return seconds, memory.megabytes


if __name__ == "__main__":
    main()
