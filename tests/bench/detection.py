"""Is the level of detection honest on real ground? Strips of one flight as two epochs between which nothing changed.

    python tests/bench/detection.py [cell_m=1.0]

Each pair is compared as it is and after coregistration, without and with the height of plants told, and once more with the
uncertainty found on one half of the area and tried on the other ("other half"): what a survey gets that has changed ground in its
midst. Told are the known cells, the NMAD of their difference, and which share of them lies beyond the level of detection of 95 %:
of all, and by class of slope (degrees) and of the height of plants (m, highest point over the ground of both strips); 3 to 7 % is
what one may ask. Since the level is found on the same cells, only "other half" is a trial of it on ground that it has not seen.
Means of squares of cells are held against their stated uncertainty, which knows how errors of neighbours go together. "largest"
is the area of the largest connected patch beyond the level, in m2. Classes of less than 300 cells are left out. Needs
HAZARDGEO_DATA.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))
from told import say

from hazardgeo import change, io, raster, scan, terrain
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import HazardGeoWarning
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

Mask = NDArray[np.bool_]
FILES = ("pozo/Blanca_in_Pozo_USGS_UTM11_NAD83_all_color_cl2_SC12.laz", *(f"lasr_bcts/bcts_{k}.laz" for k in (1, 2, 3)))
SLOPES, PLANTS = (0, 10, 20, 30, 40, 90), (-5, 0.5, 3, 10, 60)
FEWEST = 300


def main() -> None:
    given = dict(part.split("=") for part in sys.argv[1:])
    warnings.simplefilter("ignore", HazardGeoWarning)
    for name, one, other in pairs():
        told(name, one, other, float(given.get("cell_m", 1.0)))


def pairs() -> Iterator[tuple[str, PointCloud, PointCloud]]:
    """The two strips with most points of each file."""
    for file in FILES:
        cloud = io.read_cloud(Path(os.environ["HAZARDGEO_DATA"]) / file)
        strip = np.asarray(cloud.attributes["point_source_id"])
        numbers, counts = np.unique(strip, return_counts=True)
        first, second = sorted(numbers[np.argsort(counts)[-2:]].tolist())
        yield f"{Path(file).stem[:12]} {first}/{second}", cloud.select(strip == first), cloud.select(strip == second)


def told(name: str, one: PointCloud, other: PointCloud, cell_m: float) -> None:
    before, after = (scan.dtm(cloud, cell_m=cell_m) for cloud in (one, other))
    grid = before.grid
    after = on(after, grid)
    registration = change.coregister(after, before)
    say(
        f"{name}: {registration}; sigma {registration.sigma_east_m:.3f} {registration.sigma_north_m:.3f} "
        f"{registration.sigma_offset_m:.3f} m"
    )
    ground = np.fmin(before.values, after.values)
    plants = np.fmax(*(on(scan.dsm(cloud, cell_m=cell_m), grid).values for cloud in (one, other))) - ground
    classes = [("slope", terrain.slope(before).values, SLOPES), ("plants", plants, PLANTS)]
    cover = Raster(plants.astype(np.float32), grid, "plants", "m")
    half = np.indices(grid.shape)[1] < np.median(np.nonzero(~before.unknown & ~after.unknown)[1])
    tries = {
        "as it is": change.difference(before, after),
        "  told plants": change.difference(before, after, told_by=[cover]),
        "coregistered": change.difference(before, after, registration=registration),
        "  told plants ": change.difference(before, after, registration=registration, told_by=[cover]),
        "  other half": change.difference(before, after, registration=registration, stable=half, told_by=[cover]),
    }
    for what, found in tries.items():
        line(what, found, ~half if "half" in what else np.ones(grid.shape, bool), classes)
        squares(found)


def squares(found: change.SurfaceChange) -> None:
    """How often the mean change of squares of ground, which is none, lies beyond 1.96 of its stated sigma."""
    parts = []
    for side in (5, 10, 20):
        rows, cols = (n // side for n in found.change_m.grid.shape)
        cut = (slice(0, rows * side), slice(0, cols * side))
        d, sigma = (r.values[cut].astype(np.float64).reshape(rows, side, cols, side) for r in (found.change_m, found.sigma_m))
        d, sigma = (np.moveaxis(v, 1, 2).reshape(-1, side * side) for v in (d, sigma))
        whole = np.isfinite(d).mean(axis=1) > 0.9
        usual, mean = np.sqrt(np.nanmean(sigma[whole] ** 2, axis=1)), np.nanmean(d[whole], axis=1)
        area = side**2 * found.change_m.grid.cell[0] ** 2
        ratio = mean / [found.correlation.sigma_of_mean(area, sigma_m=float(one)) for one in usual]
        parts.append(
            f"{side} x {side}: {(np.abs(ratio) > 1.96).mean():.1%} of {ratio.size}, rms {np.sqrt((ratio**2).mean()):.2f}"
        )
    say(f"    means beyond 1.96 sigma: {'; '.join(parts)}; {found.correlation}")


def on(r: Raster, grid: Grid) -> Raster:
    """The raster on another grid of the same cells."""
    return raster.align(r, to=grid, how="nearest")


def line(
    what: str, found: change.SurfaceChange, where: Mask, classes: list[tuple[str, NDArray[np.float32], tuple[float, ...]]]
) -> None:
    codes = found.significant.values
    known = (codes != 255) & where
    d = found.change_m.values[known]
    nmad = 1.4826 * np.median(np.abs(d - np.median(d)))
    labels, _ = ndimage.label((codes == 1) & where, np.ones((3, 3)))
    largest = np.bincount(labels.ravel())[1:].max(initial=0) * found.change_m.grid.cell[0] ** 2
    parts = [
        f"{what:14} {known.sum():7d} cells, NMAD {nmad:.3f} m, largest {largest:4.0f} m2: all {(codes[known] == 1).mean():5.1%}"
    ]
    for name, values, edges in classes:
        for low, high in pairwise(edges):
            inside = known & (values >= low) & (values < high)
            if inside.sum() >= FEWEST:
                parts.append(f"{name} {low:g}-{high:g} {(codes[inside] == 1).mean():.1%}")
    say("  " + "; ".join(parts))


if __name__ == "__main__":
    main()
