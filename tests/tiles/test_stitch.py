from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hazardgeo import tiles
from hazardgeo.grid import Grid
from hazardgeo.io import RasterFile, RasterParts, read_raster, write_raster
from hazardgeo.raster import Raster
from hazardgeo.tiles import Pool, Scratch

Keep = Callable[..., Scratch]
SHAPE = (53, 41)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tile_cells=st.integers(7, 60), share=st.floats(0, 1), seed=st.integers(0, 99), row=st.integers(-20, 20))
def test_bodies_by_tiles_are_those_of_the_whole(
    keep: Keep, tmp_path_factory: pytest.TempPathFactory, tile_cells: int, share: float, seed: int, row: int
) -> None:
    mask = np.random.default_rng(seed).random(SHAPE) < share
    source = keep(mask, row=row)
    folder = tmp_path_factory.mktemp("bodies")
    sink = Scratch(folder / "sink", source.grid, tile_cells)
    tiles.label(source, sink, work_folder=folder / "work", tile_cells=tile_cells)
    found = sink.read(sink.grid).values
    peer, count = ndimage.label(mask, np.ones((3, 3)))
    first = [np.flatnonzero(peer.ravel() == k)[0] for k in range(1, count + 1)]
    rank = np.concatenate([[0], np.argsort(np.argsort(first)) + 1]).astype(int)
    np.testing.assert_array_equal(found, rank[peer])
    assert not (folder / "work").exists()


def test_a_spiral_that_crosses_every_seam_is_one_body(keep: Keep, tmp_path: Path) -> None:
    mask = np.zeros((40, 40), bool)
    for ring in range(0, 20, 4):
        mask[ring, ring : 40 - ring] = mask[39 - ring, ring : 40 - ring] = True
        mask[ring : 40 - ring, ring] = mask[ring : 40 - ring, 39 - ring] = True
        mask[ring : ring + 5, ring + 4] = True
    source = keep(mask)
    sink = Scratch(tmp_path / "sink", source.grid, 7)
    tiles.label(source, sink, work_folder=tmp_path / "work", tile_cells=7, executor=Pool(2))
    assert set(np.unique(sink.read(sink.grid).values)) == {0, 1}


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tile_cells=st.integers(7, 60), share=st.floats(0.3, 0.99), seed=st.integers(0, 99), row=st.integers(-20, 20))
def test_holes_by_tiles_are_filled_as_in_the_whole(
    keep: Keep, tmp_path_factory: pytest.TempPathFactory, tile_cells: int, share: float, seed: int, row: int
) -> None:
    rng = np.random.default_rng(seed)
    known = rng.normal(1800, 5, SHAPE).astype(np.float32)
    values = np.where(rng.random(SHAPE) < share, np.nan, known).astype(np.float32)
    source = keep(values, row=row)
    folder = tmp_path_factory.mktemp("holes")
    results = []
    for size in (tile_cells, 4 * max(SHAPE)):
        sink = Scratch(folder / f"sink-{size}", source.grid, size)
        tiles.fill_holes(source, sink, work_folder=folder / f"work-{size}", sweeps=4, tile_cells=size)
        results.append(sink.read(sink.grid).values)
    np.testing.assert_array_equal(results[0], results[1])
    there = ~np.isnan(values)
    np.testing.assert_array_equal(results[0][there], values[there])
    if there.any():
        assert values[there].min() <= results[0].min() <= results[0].max() <= values[there].max()


def test_a_hole_in_a_plane_is_filled_close_to_the_plane(keep: Keep, tmp_path: Path) -> None:
    east, north = np.meshgrid(np.arange(64), np.arange(64))
    plane = (1800 + 0.1 * east - 0.2 * north).astype(np.float32)
    values = plane.copy()
    values[20:44, 20:44] = np.nan
    source = keep(values, row=0, col=0)
    sink = Scratch(tmp_path / "sink", source.grid, 16)
    tiles.fill_holes(source, sink, work_folder=tmp_path / "work", tile_cells=16)
    assert np.abs(sink.read(sink.grid).values - plane).max() < 0.15  # a quarter of what a level fill would miss


@pytest.mark.parametrize("origin", [0.5, -0.5, 500000.5])
def test_grids_registered_at_half_a_cell_are_filled_as_in_the_whole(tmp_path: Path, origin: float) -> None:
    rng = np.random.default_rng(3)
    values = np.where(rng.random((30, 26)) < 0.8, np.nan, rng.normal(0, 5, (30, 26))).astype(np.float32)
    grid = Grid(Affine(1, 0, origin, 0, -1, origin + 40), values.shape, 32648)  # type: ignore[arg-type]
    results = []
    for size in (200, 9):
        source = Scratch(tmp_path / f"source-{size}", grid, size)
        source.folder.mkdir()
        for tile in tiles.plan(grid, tile_cells=size):
            source.write(source.folder, tile, Raster(values[tile.core], grid.window(*tile.core)))
        sink = Scratch(tmp_path / f"sink-{size}", grid, size)
        tiles.fill_holes(source, sink, work_folder=tmp_path / f"work-{size}", sweeps=3, tile_cells=size)
        results.append(sink.read(grid).values)
    np.testing.assert_array_equal(results[0], results[1])


def test_holes_are_never_filled_with_another_surface(tmp_path: Path) -> None:
    found = []
    for level in (100.0, 1000.0):
        values = np.full((40, 40), level, np.float32)
        values[5:30, 5:30] = np.nan
        grid = Grid(Affine(1, 0, 0, 0, -1, 40), values.shape, 32648)  # type: ignore[arg-type]
        write_raster(Raster(values, grid, "dem", "m"), tmp_path / f"{level:g}.tif")
        source, sink = RasterFile(tmp_path / f"{level:g}.tif"), RasterParts(tmp_path / f"filled-{level:g}.tif")
        tiles.fill_holes(source, sink, work_folder=tmp_path / "work", tile_cells=16)
        found.append(read_raster(sink.path).values)
        assert not (tmp_path / "work").exists()
    assert (found[0] == 100.0).all()
    assert (found[1] == 1000.0).all()
