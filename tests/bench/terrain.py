"""What the shapes of the ground cost in memory, beside a plain copy of the same bytes in the same run.

    python tests/bench/terrain.py                  16 Mpx float32, best of seven each, in turn
    python tests/bench/terrain.py --side 16384     256 Mpx, and the peak memory
    python tests/bench/terrain.py --files          GTiff to GTiff, and gdaldem or the same code in rasterio's GDAL

A copy is that of numpy, on one thread. xarray-spatial is measured where it can be imported. Times are told, never judged.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import hills
from gdal_dem import gdaldem
from told import say, timed

from hazardgeo import io, pipeline, terrain
from hazardgeo.raster import Raster
from hazardgeo.tiles import PeakMemory
from hazardgeo.tiles.points import grid_over

FAST = {
    "gradient": terrain.gradient,
    "slope": terrain.slope,
    "slope, Zevenbergen-Thorne": lambda dem: terrain.slope(dem, method="zevenbergen_thorne"),
    "aspect": terrain.aspect,
    "hillshade": terrain.hillshade,
    "hillshade, four lights": lambda dem: terrain.hillshade(dem, azimuth_deg=(225, 270, 315, 360)),
    **{f"curvature, {kind}": lambda dem, kind=kind: terrain.curvature(dem, kind=kind) for kind in terrain.CURVATURES},
}
SLOW = {
    "slope over 11 m": lambda dem: terrain.slope(dem, scale_m=11.0),
    "slope over 101 m": lambda dem: terrain.slope(dem, scale_m=101.0),
    "roughness, residual, 11 m": lambda dem: terrain.roughness(dem, window_m=11.0),
    "roughness, vrm, 11 m": lambda dem: terrain.roughness(dem, window_m=11.0, kind="vrm"),
    "relief, 10 m": lambda dem: terrain.relief(dem, radius_m=10.0),
    "tpi, 10 m": lambda dem: terrain.tpi(dem, radius_m=10.0),
    "tpi, 100 m": lambda dem: terrain.tpi(dem, radius_m=100.0),
    "tri": terrain.tri,
    "percentile, 10 m": lambda dem: terrain.percentile(dem, radius_m=10.0),
    "openness, 10 m, 16 directions": lambda dem: terrain.openness(dem, radius_m=10.0),
    "sky view, 50 m, 16 directions": lambda dem: terrain.sky_view(dem, radius_m=50.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4000, help="cells of the side of the raster")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--files", action="store_true", help="from file to file instead")
    given = parser.parse_args()
    dem = ground(given.side)
    if given.files:
        from_file_to_file(dem, given.rounds)
        return
    with PeakMemory() as memory:
        fast = {"copy": lambda dem: dem.values.copy(), **FAST, **peers()}
        times = in_turn(fast, dem, given.rounds) | in_turn(SLOW, dem, 2)
    say(f"{given.side**2 / 1e6:.0f} Mpx float32, peak {memory.megabytes:.0f} MB; seconds and times a copy")
    for name, seconds in times.items():
        say(f"{name:32} {seconds:7.3f}  {seconds / times['copy']:6.1f}")


def ground(side: int) -> Raster:
    """The hills of this folder, in blocks: the whole at once would need ten times its memory."""
    grid = grid_over((500_000.5, 4_000_000.5 - side, 499_999.5 + side, 3_999_999.5), 1.0, 32648)
    z = np.empty(grid.shape, np.float32)
    for first in range(0, grid.shape[0], 512):
        rows = slice(first, min(first + 512, grid.shape[0]))
        z[rows] = hills.height(grid.window(rows, slice(0, grid.shape[1]))).values
    return Raster(z, grid, "dem", "m")


def peers() -> dict[str, Callable[[Raster], Any]]:
    if importlib.util.find_spec("xrspatial") is None:
        return {}
    import xrspatial

    return {"xarray-spatial slope": lambda dem: xrspatial.slope(dem.to_xarray())}


def in_turn(ways: dict[str, Callable[[Raster], Any]], dem: Raster, rounds: int) -> dict[str, float]:
    """Each way in turn, the best of its times; one round before, which compiles."""
    best = dict.fromkeys(ways, math.inf)
    small = dem.window(slice(0, 200), slice(0, 200))
    for way in ways.values():
        way(Raster(small.values.copy(), small.grid, "dem", "m"))
    for _ in range(rounds):
        for name, way in ways.items():
            best[name] = min(best[name], timed(lambda way=way: way(dem)))
    return best


def from_file_to_file(dem: Raster, rounds: int) -> None:
    """The same creation options; seconds of processor too, with those of GDAL's threads, since others may be at work."""
    with tempfile.TemporaryDirectory() as name:
        cog, plain, target = (Path(name) / file for file in ("dem.tif", "plain.tif", "slope.tif"))
        io.write_raster(dem, cog)
        io.write_raster(dem, plain, creation={"COMPRESS": "NONE"})
        ways = {"from a COG to a COG with overviews": lambda: pipeline.slope(cog, out=target)}
        deflate = {"COMPRESS": "DEFLATE", "PREDICTOR": "3", "NUM_THREADS": "ALL_CPUS"}
        for source, creation in ((cog, {}), (cog, deflate), (plain, {}), (plain, deflate)):
            options = {"TILED": "YES", **creation}
            words = [f"{key}={value}" for key, value in options.items()]
            what = f"from {source.stem} to {creation.get('COMPRESS', 'uncompressed')}"
            ways[what] = lambda source=source, options=options: pipeline.slope(source, out=target, creation=options)
            ways[f"gdaldem, {what}"] = lambda source=source, words=words: gdaldem("slope", source, target, creation=words)
        best = dict.fromkeys(ways, (math.inf, math.inf))
        for _ in range(rounds):
            for way, work in ways.items():
                target.unlink(missing_ok=True)
                began = sum(os.times()[:4])
                seconds = timed(work)
                best[way] = min(best[way][0], seconds), min(best[way][1], sum(os.times()[:4]) - began)
        for way, (seconds, processor) in best.items():
            say(f"{way:40} {seconds:7.3f} s, {processor:7.3f} s of processor")


if __name__ == "__main__":
    main()
