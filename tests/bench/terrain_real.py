"""Agreement on real DEMs with gdaldem, and with pyflwdir and whitebox where they can be imported.

    python tests/bench/terrain_real.py

Reads bigtujunga_srtm30 (30 m, whole metres) and pysheds_dem (3 arcsec, brought to metres) from HAZARDGEO_DATA. Differences are
told with the share of cells that have them, never judged.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from gdal_dem import gdaldem
from told import say

from hazardgeo import io, terrain
from hazardgeo.raster import Raster
from hazardgeo.raster.align import align, metric_grid

CASES = "bigtujunga_srtm30/bigtujunga.tif", "pysheds_dem/dem.tif"


def main() -> None:
    for case in CASES:
        dem = io.read_raster(Path(os.environ["HAZARDGEO_DATA"]) / case, unit="m")
        metres = align(dem, to=metric_grid(dem.grid), how="bilinear")
        say(f"{case}: {metres.grid.shape[0]} x {metres.grid.shape[1]} cells of {metres.grid.cell_m[0]:g} m")
        against_gdaldem(metres)
        if importlib.util.find_spec("pyflwdir") is not None:
            against_pyflwdir(metres)
        if importlib.util.find_spec("whitebox_workflows") is not None:
            against_whitebox(metres)


def against_gdaldem(dem: Raster) -> None:
    """The same definitions, but for tpi over eight neighbours, which has its own here."""
    ours: dict[str, tuple[Raster, tuple[str, ...]]] = {
        "slope": (terrain.slope(dem), ()),
        "slope, ZT": (terrain.slope(dem, method="zevenbergen_thorne"), ("-alg", "ZevenbergenThorne")),
        "aspect": (terrain.aspect(dem), ()),
        "hillshade": (terrain.hillshade(dem), ()),
        "TRI": (terrain.tri(dem), ("-alg", "Riley")),
        "TPI": (terrain.tpi(dem, radius_m=1.5 * dem.grid.cell_m[0]), ()),
    }
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "dem.tif", Path(name) / "peer.tif"
        io.write_raster(dem, source)
        for what, (found, options) in ours.items():
            target.unlink(missing_ok=True)
            gdaldem(what.split(",")[0], source, target, *options)
            peer = raw(target)
            if what == "hillshade":
                peer = np.where(peer == 0, np.nan, (peer - 1) / 254)
            differ(f"gdaldem {what}", found.values, peer, turn=360.0 if what == "aspect" else None)


def against_pyflwdir(dem: Raster) -> None:
    """It drains to the lowest neighbour, whichever is the steepest way down: so compared also where both are one."""
    import pyflwdir

    filled = terrain.fill(dem).values
    z = np.nan_to_num(filled, nan=-9999.0)
    peer = pyflwdir.from_dem(z, nodata=-9999.0, transform=dem.grid.transform, latlon=False, outlets="edge")
    codes, (steepest, lowest) = terrain.flow_direction(dem).values, ways(dem)
    same(
        "pyflwdir D8",
        codes,
        peer.to_array("d8"),
        (steepest >= 0) & (steepest == lowest),
        "whose one steepest way goes to the lowest",
    )
    differ("pyflwdir filled", filled, pyflwdir.dem.fill_depressions(np.nan_to_num(dem.values, nan=-9999.0), nodata=-9999.0)[0])


def against_whitebox(dem: Raster) -> None:
    """Filled without a gradient on flats; its directions are those of the filled surface, which we hand over."""
    import whitebox_workflows

    hydrology = whitebox_workflows.WbEnvironment().hydrology
    environment = whitebox_workflows.WbEnvironment()
    with tempfile.TemporaryDirectory() as name:
        path, out = Path(name) / "dem.tif", Path(name) / "out.tif"
        io.write_raster(dem, path, creation={"COMPRESS": "NONE"})
        filled = hydrology.fill_depressions(dem=environment.read_raster(str(path)), fix_flats=False)
        environment.write_raster(filled, str(out))
        differ("whitebox filled", terrain.fill(dem).values, raw(out))
        environment.write_raster(hydrology.d8_pointer(dem=filled, esri_pntr=True), str(out))
        same(
            "whitebox D8",
            terrain.flow_direction(dem).values,
            np.nan_to_num(raw(out), nan=255),
            ways(dem)[0] >= 0,
            "with one steepest way",
        )


def ways(dem: Raster) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The steepest way down and the lowest neighbour, -1 where there is none or more than one; inner cells only."""
    z = np.pad(terrain.fill(dem).values.astype(float), 1, constant_values=np.nan)
    width, height = dem.grid.cell_m
    steps = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
    drops = np.array([z - np.roll(z, (-a, -b), (0, 1)) for a, b in steps])[:, 1:-1, 1:-1]
    lengths = np.array([np.hypot(a * height, b * width) for a, b in steps])[:, None, None]
    found = []
    for fall in (drops / lengths, drops):
        ordered = np.sort(np.nan_to_num(fall, nan=-np.inf), axis=0)
        clear = (ordered[-1] > 0) & (ordered[-1] > ordered[-2] * (1 + 1e-6)) & ~np.isnan(fall).any(axis=0)
        found.append(np.where(clear, np.nan_to_num(fall, nan=-np.inf).argmax(axis=0), -1))
    return found[0], found[1]


def differ(what: str, ours: NDArray[Any], peer: NDArray[Any], *, turn: float | None = None) -> None:
    both = ~np.isnan(ours) & ~np.isnan(peer)
    away = np.abs(ours[both].astype(float) - peer[both])
    if turn:
        away = np.minimum(away, turn - away)
    only = np.count_nonzero(~np.isnan(ours) & ~both), np.count_nonzero(~np.isnan(peer) & ~both)
    say(
        f"  {what:22} median {np.median(away):.2g}, 99.9 % {np.quantile(away, 0.999):.2g}, largest {away.max():.2g}; "
        f"known here only {only[0]}, there only {only[1]} of {both.size}"
    )


def same(what: str, ours: NDArray[Any], peer: NDArray[Any], clear: NDArray[np.bool_], where: str) -> None:
    equal = ours == peer
    say(f"  {what:22} the same in {equal.mean():.2%} of all cells, {equal[clear].mean():.4%} of those {where}")


def raw(path: Path) -> NDArray[Any]:
    """The numbers of a file of another program, NaN where it says nodata."""
    import rasterio

    with rasterio.open(path) as dataset:
        return np.asarray(dataset.read(1, masked=True).astype(float).filled(np.nan))


if __name__ == "__main__":
    main()
