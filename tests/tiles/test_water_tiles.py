"""Areas of all routings, wetness, streams, heights above them and catchments by tiles are those of the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hazardgeo import terrain
from hazardgeo.errors import CrsError, GridMismatchError, InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.terrain import tiled
from hazardgeo.tiles import Pool, Scratch

Keep = Callable[..., Scratch]
Folders = pytest.TempPathFactory
MANY = settings(
    deadline=None, max_examples=6, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CASES: dict[str, Any] = {
    "shape": st.tuples(st.integers(1, 20), st.integers(1, 20)),
    "tile_cells": st.one_of(st.integers(3, 9), st.integers(3, 24)),
    "steps": st.sampled_from([1, 4, 64]),
    "holes": st.sampled_from([0.0, 0.0, 0.03, 0.3]),
    "seed": st.integers(0, 999),
    "row": st.integers(-20, 20),
}
ROUTINGS = ("d8", "dinf", "mfd")


def ground(shape: tuple[int, int], steps: int, holes: float, seed: int) -> NDArray[np.float32]:
    """Hills, in so many steps to the metre: flats and pits where there are few, ways of all kinds where there are many."""
    rng = np.random.default_rng(seed)
    rough = rng.normal(0, 1, shape).cumsum(rng.integers(0, 2)) + rng.normal(0, 1, shape).cumsum(1)
    z = np.round(rough * steps) / steps
    z[rng.random(shape) < holes] = np.nan
    return z.astype(np.float32)


def in_metres(kept: Scratch) -> Scratch:
    return replace(kept, unit="m")


def drained(work: Callable[..., Any], source: Scratch, folder: Path, tile_cells: int, **options: Any) -> NDArray[Any]:
    """What `work` makes of a source, tile by tile; nothing but the result is left."""
    sink = Scratch(folder / "sink", source.grid, tile_cells)
    work(source, sink, work_folder=folder / "work", tile_cells=tile_cells, **options)
    assert not (folder / "work").exists()
    return sink.read(sink.grid).values


def points(grid: Grid, cells: list[tuple[int, int]]) -> geopandas.GeoDataFrame:
    east, north = grid.centres()
    return geopandas.GeoDataFrame(geometry=[shapely.Point(east[col], north[row]) for row, col in cells], crs=grid.crs)


@pytest.mark.parametrize("routing", ROUTINGS)
@MANY
@given(**CASES)
def test_areas_wetness_and_unknown_inflow_by_tiles_are_those_of_the_whole(
    keep: Keep, tmp_path_factory: Folders, routing: str, tile_cells: int, row: int, **case: Any
) -> None:
    z = ground(**case)
    source = in_metres(keep(z, row=row, cell=0.3))
    dem, folder = Raster(z, source.grid, "dem", "m"), tmp_path_factory.mktemp("water")
    for name in ("flow_accumulation", "wetness", "inflow_unknown"):
        found = drained(getattr(tiled, name), source, folder / name, tile_cells, routing=routing)
        assert found.tobytes() == getattr(terrain, name)(dem, routing=routing).values.tobytes(), name


@MANY
@given(scale=st.sampled_from([0.9, 1.5, 3.3]), **CASES)
def test_wetness_of_a_smoothed_surface_by_tiles_is_that_of_the_whole(
    keep: Keep, tmp_path_factory: Folders, scale: float, tile_cells: int, row: int, **case: Any
) -> None:
    z = ground(**case)
    source = in_metres(keep(z, row=row, cell=0.3))
    found = drained(tiled.wetness, source, tmp_path_factory.mktemp("w"), tile_cells, routing="mfd", exponent=2.0, scale_m=scale)
    whole = terrain.wetness(Raster(z, source.grid, "dem", "m"), routing="mfd", exponent=2.0, scale_m=scale)
    assert found.tobytes() == whole.values.tobytes()


@pytest.mark.parametrize("routing", ["dinf", "mfd"])
def test_water_along_a_seam_and_back_and_forth_over_it_is_followed(keep: Keep, tmp_path: Path, routing: str) -> None:
    # Falls south along the seams between columns, in waves that cross them.
    rows, cols = np.mgrid[:32, :32]
    z = (200 - rows + 0.6 * np.abs((cols + 3 * np.sin(rows / 2.5)) % 16 - 8)).astype(np.float32)
    source = in_metres(keep(z, row=0, col=0))
    found = drained(tiled.flow_accumulation, source, tmp_path, 8, routing=routing)
    assert found.tobytes() == terrain.flow_accumulation(Raster(z, source.grid, "dem", "m"), routing=routing).values.tobytes()


@MANY
@given(cells=st.integers(1, 60), **CASES)
def test_heights_above_drainage_and_streams_by_tiles_are_those_of_the_whole(
    keep: Keep, tmp_path_factory: Folders, cells: int, tile_cells: int, row: int, **case: Any
) -> None:
    z = ground(**case)
    source = in_metres(keep(z, row=row, cell=2.0))
    dem, folder = Raster(z, source.grid, "dem", "m"), tmp_path_factory.mktemp("streams")
    found = drained(tiled.height_above_drainage, source, folder / "hand", tile_cells, min_area_m2=4.0 * cells)
    assert found.tobytes() == terrain.height_above_drainage(dem, min_area_m2=4.0 * cells).values.tobytes()
    lines = tiled.streams(source, work_folder=folder / "work", min_area_m2=4.0 * cells, tile_cells=tile_cells)
    assert not (folder / "work").exists()
    assert_geodataframe_equal(lines, terrain.streams(dem, min_area_m2=4.0 * cells), check_dtype=False)


@MANY
@given(**CASES)
def test_heights_above_given_streams_by_tiles_are_those_of_the_whole(
    keep: Keep, tmp_path_factory: Folders, tile_cells: int, row: int, **case: Any
) -> None:
    z = ground(**case)
    mask = np.random.default_rng(case["seed"]).random(z.shape) < 0.05
    source, given_streams = in_metres(keep(z, row=row)), keep(mask, row=row)
    dem = Raster(z, source.grid, "dem", "m")
    found = drained(tiled.height_above_drainage, source, tmp_path_factory.mktemp("hand"), tile_cells, streams=given_streams)
    whole = terrain.height_above_drainage(dem, streams=dem.like(mask, "streams", "1"))
    assert found.tobytes() == whole.values.tobytes()


@MANY
@given(outlets=st.integers(0, 9), snap_m=st.sampled_from([0.0, 5.0]), **CASES)
def test_catchments_and_longest_ways_by_tiles_are_those_of_the_whole(
    keep: Keep, tmp_path_factory: Folders, outlets: int, snap_m: float, tile_cells: int, row: int, **case: Any
) -> None:
    z = ground(**case)
    source = in_metres(keep(z, row=row, cell=2.0))
    dem, folder = Raster(z, source.grid, "dem", "m"), tmp_path_factory.mktemp("catchment")
    rng = np.random.default_rng(case["seed"])
    known = [(int(i), int(j)) for i, j in rng.permutation(np.argwhere(~np.isnan(z)))[:outlets]]
    where = points(source.grid, known)
    try:
        whole = terrain.catchment(dem, where, snap_m=snap_m).values
    except InputError as refused:  # two outlets that snap to one cell
        with pytest.raises(InputError, match=str(refused)[:20]):
            tiled.longest_flow_path(source, where, work_folder=folder / "a", tile_cells=tile_cells, snap_m=snap_m)
        return
    sink = Scratch(folder / "sink", source.grid, tile_cells)
    job: dict[str, Any] = {"work_folder": folder / "work", "tile_cells": tile_cells, "snap_m": snap_m}
    tiled.catchment(source, where, sink, **job)
    np.testing.assert_array_equal(sink.read(sink.grid).values, whole)
    lines = tiled.longest_flow_path(source, where, **job)
    assert not (folder / "work").exists()
    assert_geodataframe_equal(lines, terrain.longest_flow_path(dem, where, snap_m=snap_m))


def test_two_processes_give_what_one_gives_and_an_interrupted_call_is_gone_on_with(keep: Keep, tmp_path: Path) -> None:
    z = ground((40, 40), 64, 0.02, 4)
    source = in_metres(keep(z))
    whole = terrain.wetness(Raster(z, source.grid, "dem", "m"), routing="dinf").values
    found = drained(tiled.wetness, source, tmp_path / "pool", 13, routing="dinf", executor=Pool(2))
    assert found.tobytes() == whole.tobytes()
    told = 0

    def report(_progress: Any) -> None:
        nonlocal told
        told += 1
        if told == 60:
            raise KeyboardInterrupt

    sink = Scratch(tmp_path / "sink", source.grid, 13)
    job: dict[str, Any] = {"work_folder": tmp_path / "work", "tile_cells": 13, "routing": "dinf"}
    with pytest.raises(KeyboardInterrupt):
        tiled.wetness(source, sink, report=report, **job)
    tiled.wetness(source, sink, **job)
    assert sink.read(sink.grid).values.tobytes() == whole.tobytes()
    assert not (tmp_path / "work").exists()


def test_what_the_whole_refuses_is_refused_before_the_work(keep: Keep, tmp_path: Path) -> None:
    source = in_metres(keep(np.ones((6, 6), np.float32)))
    sink, job = Scratch(tmp_path / "sink", source.grid, 4), {"work_folder": tmp_path / "work", "tile_cells": 4}
    with pytest.raises(InputError, match="routing 'rho8' is unknown"):
        tiled.flow_accumulation(source, sink, routing="rho8", **job)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="either min_area_m2 or streams"):
        tiled.height_above_drainage(source, sink, **job)
    with pytest.raises(InputError, match="min_area_m2 is 0"):
        tiled.streams(source, min_area_m2=0.0, **job)
    with pytest.raises(GridMismatchError):
        tiled.height_above_drainage(source, sink, streams=keep(np.ones((5, 6), bool)), **job)
    with pytest.raises(CrsError, match="project them first"):
        tiled.catchment(source, points(source.grid, [(2, 2)]).to_crs(4326), sink, **job)
    assert not (tmp_path / "work").exists()
