"""What water on a raster costs in memory: filling, directions, areas and wetness, beside a plain copy in the same run.

    python tests/bench/terrain_flow.py                 16 Mpx float32, best of three each
    python tests/bench/terrain_flow.py --side 16384    256 Mpx, and the peak memory
    python tests/bench/terrain_flow.py --dem dem.tif   a raster of yours
    python tests/bench/terrain_flow.py --all           breaching, other routings, streams and heights above them too

pyflwdir is measured where it can be imported. Times are told, never judged.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from terrain import ground
from told import say, timed

from hazardgeo import io
from hazardgeo import terrain as shapes
from hazardgeo.raster import Raster
from hazardgeo.terrain.flow import drained_surface
from hazardgeo.tiles import PeakMemory
from hazardgeo.tiles.drainage import gather_down

Ways = dict[str, Callable[[Raster], Any]]
USUAL: Ways = {
    "copy": lambda dem: dem.values.copy(),
    "fill": shapes.fill,
    "fill and D8": shapes.flow_direction,
    "fill, D8 and areas": shapes.flow_accumulation,
    "fill, D8, areas and wetness": shapes.wetness,
}
OTHERS: Ways = {
    "breach": shapes.breach,
    "areas, D-infinity": lambda dem: shapes.flow_accumulation(dem, routing="dinf"),
    "areas, multiple ways": lambda dem: shapes.flow_accumulation(dem, routing="mfd"),
    "streams from 1 ha": lambda dem: shapes.streams(dem, min_area_m2=1e4),
    "height above drainage, 1 ha": lambda dem: shapes.height_above_drainage(dem, min_area_m2=1e4),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4000, help="cells of the side of the raster")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dem", help="a raster of elevations instead of the hills of this folder")
    parser.add_argument("--all", action="store_true")
    given = parser.parse_args()
    dem = io.read_raster(given.dem, unit="m") if given.dem else ground(given.side)
    ways = {**USUAL, **areas_alone(dem), **(OTHERS if given.all else {}), **peers()}
    small = dem.window(slice(0, 200), slice(0, 200))
    for way in ways.values():
        way(Raster(small.values.copy(), small.grid, "dem", "m"))  # compiles
    best = dict.fromkeys(ways, math.inf)
    with PeakMemory() as memory:
        for _ in range(given.rounds):
            for name, way in ways.items():
                best[name] = min(best[name], timed(lambda way=way: way(dem)))
    say(f"{dem.values.size / 1e6:.0f} Mpx {dem.values.dtype}, peak {memory.megabytes:.0f} MB; seconds and times a copy")
    for name, seconds in best.items():
        say(f"{name:32} {seconds:7.3f}  {seconds / best['copy']:6.1f}")


def areas_alone(dem: Raster) -> Ways:
    """What gathers along directions that are there already: of the raster, or of the small one that comes first."""
    kept: dict[int, Any] = {}

    def work(of: Raster) -> Any:
        if of.values.size not in kept:
            kept[of.values.size] = drained_surface(of.values, of.grid.cell_m)[1], ~np.isnan(of.values)
        return gather_down(*kept[of.values.size])

    return {"areas alone": work} if dem.values.size < 1e8 else {}


def peers() -> Ways:
    found: Ways = {}
    if importlib.util.find_spec("pyflwdir") is not None:
        import pyflwdir

        def flw(dem: Raster) -> Any:
            filled = np.nan_to_num(dem.values, nan=-9999.0)
            return pyflwdir.from_dem(filled, nodata=-9999.0, transform=dem.grid.transform, latlon=False).upstream_area("m2")

        found["pyflwdir, fill, D8 and areas"] = flw
    return found


if __name__ == "__main__":
    main()
