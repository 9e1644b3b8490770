"""Pictures of the ground, shaded from the north-west, for the documents.

python tests/bench/hillshades.py CLOUD OUT.png [--cell-m 1] [--pixels 700]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from hazardgeo import io, scan, terrain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cloud", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cell-m", type=float, default=1.0)
    parser.add_argument("--pixels", type=int, default=700)
    given = parser.parse_args()
    ground = scan.classify_ground(io.read_cloud(given.cloud))
    shade = terrain.hillshade(scan.dtm(ground, cell_m=given.cell_m)).values
    grey = np.where(np.isnan(shade), 255, np.nan_to_num(shade) * 254).astype(np.uint8)
    picture = Image.fromarray(grey)
    picture.thumbnail((given.pixels, given.pixels))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    picture.save(given.out, optimize=True)


if __name__ == "__main__":
    main()
