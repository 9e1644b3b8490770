from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from hazardgeo.errors import FormatError
from hazardgeo.grid import Grid
from hazardgeo.io.raster.image import write_image


def _noise(rows: slice, cols: slice) -> np.ndarray:
    i, j = np.mgrid[rows, cols]
    block = np.stack([(i * 7 + j * 3 + b * 40) % 256 for b in range(4)]).astype(np.uint8)
    block[3] = np.where(i > 50, 255, 0)
    return block


def test_an_image_comes_back_as_it_was_drawn_with_the_same_bytes(tmp_path: Path):
    grid = Grid(Affine(0.5, 0, 300_000, 0, -0.5, 3_950_000), (1300, 1100), 32648)
    for name in ("first.tif", "second.tif"):
        write_image(_noise, grid, tmp_path / name, tags={"synthetic": "yes"})

    assert (tmp_path / "first.tif").read_bytes() == (tmp_path / "second.tif").read_bytes()
    with rasterio.open(tmp_path / "first.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), _noise(slice(0, 1300), slice(0, 1100)))


def test_an_image_that_cannot_be_written_leaves_nothing(tmp_path: Path):
    grid = Grid(Affine(0.5, 0, 300_000, 0, -0.5, 3_950_000), (10, 10), 32648)
    with pytest.raises(FormatError, match=r"must end in \.tif"):
        write_image(_noise, grid, tmp_path / "picture.png", tags={})
    with pytest.raises(FormatError, match="there is no folder"):
        write_image(_noise, grid, tmp_path / "nowhere" / "picture.tif", tags={})
    assert not list(tmp_path.iterdir())
