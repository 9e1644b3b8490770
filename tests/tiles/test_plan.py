from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardgeo.errors import ConfigError
from hazardgeo.grid import Grid
from hazardgeo.tiles import plan


def grid_at(row: int, col: int, shape: tuple[int, int], cell: float = 2.0) -> Grid:
    return Grid(Affine(cell, 0, col * cell, 0, -cell, -row * cell), shape, 32648)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 17), st.integers(0, 5), st.integers(-99, 99))
def test_tiles_cover_every_cell_once(rows: int, cols: int, size: int, halo: int, first: int) -> None:
    seen = np.zeros((rows, cols), int)
    tiles = plan(grid_at(first, -first, (rows, cols)), tile_cells=size, halo=halo)
    for tile in tiles:
        seen[tile.core] += 1
        assert all(w.start <= c.start and w.stop >= c.stop for c, w in zip(tile.core, tile.wide, strict=True))
        wide = np.zeros((rows, cols), int)[tile.wide]
        assert wide[tile.inner].shape == seen[tile.core].shape
    assert (seen == 1).all()
    assert len({t.name for t in tiles}) == len(tiles)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(0, 30), st.integers(0, 30))
def test_two_surveys_of_one_place_share_their_tiles(size: int, down: int, right: int) -> None:
    whole = {t.name: t for t in plan(grid_at(-50, 70, (60, 60)), tile_cells=size)}
    for tile in plan(grid_at(-50 + down, 70 + right, (20, 20)), tile_cells=size):
        same = whole[tile.name].core
        assert same[0].start <= tile.core[0].start + down < tile.core[0].stop + down <= same[0].stop
        assert same[1].start <= tile.core[1].start + right < tile.core[1].stop + right <= same[1].stop


@pytest.mark.parametrize("size", [{"tile_cells": 0}, {"halo": -1}])
def test_sizes_that_make_no_tile_are_refused(size: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="make no sense"):
        plan(grid_at(0, 0, (3, 3)), **size)
