"""What all tests share: where real data are, and small grids that can be seen at a glance."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster


@pytest.fixture
def data_case() -> Callable[[str], Path]:
    """The folder of one case of real data; skips the test where it is not there."""

    def find(case: str) -> Path:
        root = os.environ.get("HAZARDGEO_DATA")
        if not root or not (Path(root) / case).exists():
            pytest.skip(f"needs HAZARDGEO_DATA: {case}")
        return Path(root) / case

    return find


@pytest.fixture
def vectors(data_case: Callable[[str], Path]) -> Callable[[str], Path]:
    """A file or folder of peers' inputs and outputs, which lie beside the real data."""
    return lambda name: data_case(f"../vectors/{name}")


@pytest.fixture
def make_grid() -> Callable[..., Grid]:
    """A metric grid with its north-west corner at (500000, 4000000)."""

    def make(rows: int, cols: int, cell: float = 1.0, crs: object = 32648) -> Grid:
        return Grid(Affine(cell, 0, 500_000, 0, -cell, 4_000_000), (rows, cols), crs)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_raster(make_grid: Callable[..., Grid]) -> Callable[..., Raster]:
    """A raster from a nested list, on a metric grid."""

    def make(values: object, cell: float = 1.0, name: str = "test", unit: str = "m", dtype: str = "float32") -> Raster:
        array = np.array(values, dtype=dtype)
        return Raster(array, make_grid(*array.shape, cell=cell), name, unit)

    return make
