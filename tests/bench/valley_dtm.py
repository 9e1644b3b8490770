"""How far the terrain model is off on the demo valley: on open ground, under plants and at cliffs. Truth only scores.

    python tests/bench/valley_dtm.py [--seeds 1 2 3] [--cell-m 1] [--folder FOLDER]

Told are cells that did not change, were flown and are neither lake nor snow. Under plants: a point that is no ground lies in
the cell or beside it. Cliff: steeper than 45 degrees within two cells; there the terrain is right where it lies between the
lowest and the highest of the truth within two of its cells, 0.15 m either way. Open: all other. Valleys are made in --folder and
kept there, or in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))
from told import say

from hazardgeo import io, scan, synthetic
from hazardgeo.raster import Raster, rasterize, sample_xy
from hazardgeo.synthetic.scans.registration import from_answer

GROUND, WATER, SNOW = 2, 9, 21
CLIFF_DEG, CLIFF_CELLS, SLACK_M = 45.0, 2, 0.15
Mask = NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--cell-m", type=float, default=1.0)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for seed in given.seeds:
            valley = (given.folder or Path(name)) / f"valley{seed}"
            if not (valley / "scenario.toml").exists():
                synthetic.valley(valley, seed=seed, size="small")
            for line in told(valley, given.cell_m):
                say(f"seed {seed}: {line}")


def told(valley: Path, cell_m: float) -> Iterator[str]:
    """The errors by kind of ground, in words."""
    truth = io.read_raster(valley / "truth" / "dem_after.tif", unit="m")
    cloud = io.read_cloud(valley / "inputs" / "scan_after.laz")
    answers = json.loads((valley / "truth" / "answers.json").read_text(encoding="utf-8"))
    east, north = (a.ravel() for a in np.meshgrid(*truth.grid.centres()))
    there = from_answer(answers["registration"]).applied(np.column_stack([east, north, truth.values.ravel()]))
    dtm = scan.dtm(scan.classify_ground(cloud), cell_m=cell_m)
    height = sample_xy(dtm, there[:, 0], there[:, 1], how="bilinear").reshape(truth.grid.shape)
    true = there[:, 2].reshape(truth.grid.shape)
    error, told = height - true, stable(valley, truth)
    kinds = kinds_of(valley, truth, cloud)
    yield f"known on {np.isfinite(error[told]).mean():.1%} of {told.sum():,} cells"
    for name, kind in kinds.items():
        here = error[told & kind & np.isfinite(error)]
        rmse, spread = math.sqrt(np.mean(here**2)), 1.4826 * np.median(np.abs(here - np.median(here)))
        size = f"{here.size:,} cells"
        most = np.percentile(np.abs(here), 99)
        yield f"{name}: RMSE {rmse:.3f} m, NMAD {spread:.3f} m, bias {here.mean():+.3f} m, 99 % within {most:.2f} m, {size}"
    low, high = (f(true, size=2 * CLIFF_CELLS + 1) for f in (ndimage.minimum_filter, ndimage.maximum_filter))
    cliff = told & kinds["cliff"] & np.isfinite(error)
    right = (height >= low - SLACK_M) & (height <= high + SLACK_M)
    yield f"cliff: within two cells of the truth on {right[cliff].mean():.2%}"


def stable(valley: Path, truth: Raster) -> Mask:
    """Cells that were flown, did not change, and are neither lake nor snow."""
    folder = valley / "truth"
    change, flown = io.read_raster(folder / "change_m.tif", unit="m"), io.read_raster(folder / "surveyed.tif")
    lake = io.read_vector(folder / "lake.gpkg").buffer(truth.grid.cell[0]).to_frame("geometry")
    covered = rasterize(lake, truth.grid).values | (io.read_raster(folder / "snow_m.tif", unit="m").values > 0)
    return np.asarray((change.values == 0) & (flown.values == 1) & ~covered)


def kinds_of(valley: Path, truth: Raster, cloud: Any) -> dict[str, Mask]:
    """Which cells are open ground, under plants or other things, and at a cliff."""
    codes = np.load(valley / "truth" / "scan_after_class.npy")
    above = cloud.xyz[~np.isin(codes, (GROUND, WATER, SNOW))]
    rows, cols = truth.grid.rowcol(above[:, 0], above[:, 1])
    inside = (rows >= 0) & (rows < truth.grid.shape[0]) & (cols >= 0) & (cols < truth.grid.shape[1])
    under = np.zeros(truth.grid.shape, bool)
    under[rows[inside], cols[inside]] = True
    under = ndimage.binary_dilation(under, np.ones((3, 3), bool))
    by_row, by_col = np.gradient(truth.values.astype(np.float64), truth.grid.cell[0])
    steep = np.hypot(by_row, by_col) > math.tan(math.radians(CLIFF_DEG))
    cliff = ndimage.binary_dilation(steep, np.ones((2 * CLIFF_CELLS + 1,) * 2, bool))
    return {"open": ~under & ~cliff, "under plants": under & ~cliff, "cliff": cliff}


if __name__ == "__main__":
    main()
