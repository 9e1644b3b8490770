"""Pictures of many megapixels to GeoTIFF, block by block."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from hazardgeo.errors import FormatError
from hazardgeo.grid import Grid
from hazardgeo.io import files
from hazardgeo.kernel import threads

BLOCK_PX = 1024
_TILE_PX = 512
_SMALLEST_PX = 256  # of the last overview
_CACHE_MB = 128
Block = tuple[slice, slice]  # rows and columns
Draw = Callable[[slice, slice], NDArray[np.uint8]]


def write_image(draw: Draw, grid: Grid, path: str | Path, *, tags: dict[str, str]) -> None:
    """Write a picture as GeoTIFF with tiles and overviews: red, green, blue and alpha, lossless.

    `draw(rows, cols)` gives the pixels of a block of the grid, (4, rows, columns), 0 to 255; it is asked for blocks of at
    most 1024 x 1024, in several threads at once. The same picture gives the same bytes (ZSTD), with any number of threads.
    The file appears whole or not at all. Raises FormatError where it cannot be written.
    """
    target = files.require_suffix(path, (".tif", ".tiff"))
    with files.atomic(target) as temporary:
        try:
            with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB, PREDICTOR_OVERVIEW=2, GDAL_NUM_THREADS=threads()):
                with rasterio.open(temporary, "w", **_profile(grid)) as dataset:
                    dataset.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
                    dataset.update_tags(**tags)
                    for window, pixels in _ahead(draw, _blocks(grid)):
                        dataset.write(pixels, window=Window.from_slices(*window))
                with rasterio.open(temporary, "r+") as dataset:
                    dataset.build_overviews(_factors(max(grid.shape)), Resampling.average)
        except (RasterioError, CPLE_BaseError) as error:
            raise FormatError(f"cannot write {target}: {files.one_line(error)}; check the folder and the free space.") from None


def _blocks(grid: Grid) -> list[Block]:
    """Rows and columns of all blocks, row by row."""
    height, width = grid.shape
    tops, lefts = range(0, height, BLOCK_PX), range(0, width, BLOCK_PX)
    return [(slice(t, min(t + BLOCK_PX, height)), slice(x, min(x + BLOCK_PX, width))) for t in tops for x in lefts]


def _ahead(draw: Draw, blocks: list[Block]) -> Iterator[tuple[Block, NDArray[np.uint8]]]:
    """The blocks with their pixels, in order; the next ones are drawn while one is written."""
    with ThreadPoolExecutor(threads()) as pool:
        waiting = deque(pool.submit(draw, *block) for block in blocks[: threads()])
        for k, block in enumerate(blocks):
            pixels = waiting.popleft().result()
            if k + threads() < len(blocks):
                waiting.append(pool.submit(draw, *blocks[k + threads()]))
            yield block, pixels


def _profile(grid: Grid) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": 4,
        "height": grid.shape[0],
        "width": grid.shape[1],
        "transform": grid.transform,
        "crs": rasterio.CRS.from_wkt(grid.crs.to_wkt()),
        "photometric": "RGB",
        "alpha": "YES",
        "interleave": "band",
        "tiled": True,
        "blockxsize": _TILE_PX,
        "blockysize": _TILE_PX,
        "compress": "ZSTD",
        "zstd_level": 1,
        "predictor": 2,
        "bigtiff": "IF_SAFER",
    }


def _factors(longest: int) -> list[int]:
    """A quarter first (a half would cost a third of the file), then halves, until no side has more than 256 pixels."""
    factors = [4]
    while longest / factors[-1] > _SMALLEST_PX:
        factors.append(2 * factors[-1])
    return factors
