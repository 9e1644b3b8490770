"""The shapes of a real DEM and the water on it, as one picture: docs/pictures/terrain-gallery.png.

    python tests/bench/terrain_gallery.py [--dem dem.tif] [--out picture.png]

The San Gabriel Mountains (SRTM, 30 m, public domain) from HAZARDGEO_DATA unless another is given; reprojected where its
grid is geographic.
"""

from __future__ import annotations

import argparse
import io as bytes_io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image

from hazardgeo import io, terrain
from hazardgeo.raster import Raster
from hazardgeo.raster.align import align, metric_grid

mpl.use("Agg")
from matplotlib import pyplot

REAL = "bigtujunga_srtm30/bigtujunga.tif"
PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "terrain-gallery.png"
PART = slice(150, 530), slice(560, 940)
STREAM_M2 = 1e6
PANELS: dict[str, tuple[Callable[[Raster], Raster], str, tuple[float, float]]] = {
    "hillshade, four lights": (lambda dem: terrain.hillshade(dem, azimuth_deg=(225, 270, 315, 360)), "gray", (1, 99)),
    "slope, degrees": (terrain.slope, "inferno", (0, 99)),
    "curvature over 150 m, 1/m": (lambda dem: terrain.curvature(dem, kind="mean", scale_m=150.0), "RdBu_r", (2, 98)),
    "openness within 600 m, degrees": (lambda dem: terrain.openness(dem, radius_m=600.0), "gray", (1, 99)),
    "sky view within 600 m": (lambda dem: terrain.sky_view(dem, radius_m=600.0), "gray", (1, 99)),
    "position within 600 m, m": (lambda dem: terrain.tpi(dem, radius_m=600.0), "PuOr_r", (1, 99)),
    "wetness, D-infinity": (lambda dem: terrain.wetness(dem, routing="dinf"), "YlGnBu", (1, 99)),
    "height above streams of 1 km², m": (
        lambda dem: terrain.height_above_drainage(dem, min_area_m2=STREAM_M2), "viridis_r", (0, 98),
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dem", type=Path)
    parser.add_argument("--out", type=Path, default=PICTURE)
    given = parser.parse_args()
    if given.dem:
        dem = io.read_raster(given.dem, unit="m")
    else:
        dem = io.read_raster(Path(os.environ["HAZARDGEO_DATA"]) / REAL, unit="m").window(*PART)
    draw(align(dem, to=metric_grid(dem.grid), how="bilinear"), given.out)


def draw(dem: Raster, out: Path) -> None:
    """All panels, unknown cells hatched in pink, and the streams over the last."""
    figure, axes = pyplot.subplots(2, 4, figsize=(12, 6.2), layout="constrained")
    for axis, (title, (work, colours, share)) in zip(axes.flat, PANELS.items(), strict=True):
        values = work(dem).values.astype(float)
        low, high = np.nanpercentile(values, share)
        if colours.startswith(("RdBu", "PuOr")):
            low, high = -max(-low, high), max(-low, high)
        west, south, east, north = dem.grid.bounds
        axis.set_facecolor("#f4c6d8")
        shown = axis.imshow(values, cmap=colours, vmin=low, vmax=high, extent=(west, east, south, north), interpolation="nearest")
        figure.colorbar(shown, ax=axis, shrink=0.7, pad=0.01).ax.tick_params(labelsize=6)
        axis.set_title(title, fontsize=8)
        axis.set_xticks([])
        axis.set_yticks([])
    _streams(dem, axes.flat[-1])
    out.parent.mkdir(parents=True, exist_ok=True)
    _save(figure, out)


def _streams(dem: Raster, axis: Any) -> None:
    lines = terrain.streams(dem, min_area_m2=STREAM_M2)
    for line, order in zip(lines.geometry, lines.order, strict=True):
        axis.plot(*line.xy, color="#0b2a6b", linewidth=0.25 * order)


def _save(figure: Any, out: Path) -> None:
    """In 64 colours, which is what keeps it small."""
    with bytes_io.BytesIO() as stream:
        figure.savefig(stream, dpi=80)
        with Image.open(stream) as picture:
            picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(out, optimize=True)


if __name__ == "__main__":
    main()
