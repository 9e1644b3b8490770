from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from affine import Affine
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.tiles import Scratch, plan

sys.path.insert(0, str(Path(__file__).parent))  # workers import the functions of deadly.py by this path

Keep = Callable[..., Scratch]


def grid_at(shape: tuple[int, int], *, row: int = 0, col: int = 0, cell: float = 1.0) -> Grid:
    """A grid whose first cell is so many cells from the origin of the CRS."""
    return Grid(Affine(cell, 0, col * cell, 0, -cell, -row * cell), shape, 32648)  # type: ignore[arg-type]


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Keeps an array as a raster on disk that is read by blocks."""

    def kept(
        values: NDArray[Any], *, row: int = -4_000_123, col: int = 500_077, tile_cells: int = 13, cell: float = 1.0
    ) -> Scratch:
        folder = tmp_path / f"source-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        source = Scratch(folder, grid_at(values.shape, row=row, col=col, cell=cell), tile_cells)
        for tile in plan(source.grid, tile_cells=tile_cells):
            source.write(folder, tile, Raster(values[tile.core], source.grid.window(*tile.core), unit="m"))
        return source

    return kept
