"""A square kilometre to draw."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine

from hazardgeo.grid import Grid
from hazardgeo.raster import ClassLabel, Raster

LEVELS = (
    ClassLabel(1, "low", "#fef0d9"),
    ClassLabel(4, "very high", "#d7301f"),
    ClassLabel(10, "not assessed", "#b39ddb", hatched=True),
)


@pytest.fixture
def utm_grid() -> Grid:
    """A square kilometre in a corner of a UTM zone, where grid north is well off north."""
    return Grid(Affine(10, 0, 370_000, 0, -10, 4_710_000), (100, 100), 32631)  # type: ignore[arg-type]


@pytest.fixture
def levels(utm_grid: Grid) -> Raster:
    """Low in the west, very high in the east, a block unknown and a block not assessed."""
    codes = np.full(utm_grid.shape, 1, np.uint8)
    codes[:, 50:] = 4
    codes[20:40, 20:40] = 255
    codes[60:80, 60:80] = 10
    return Raster(codes, utm_grid, "levels", "level", classes=LEVELS)


@pytest.fixture
def places() -> geopandas.GeoDataFrame:
    """Three shelters in the square kilometre."""
    data = {"name": ["School", "Hall", "Gym"], "status": ["open", "closed", None], "capacity": [120, 45, 300]}
    xy = ([370_200, 370_500, 370_800], [4_709_300, 4_709_500, 4_709_700])
    return geopandas.GeoDataFrame(data, geometry=shapely.points(*xy), crs=32631)
