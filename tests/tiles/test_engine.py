from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deadly
import numpy as np
import pytest
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hazardgeo import terrain, tiles
from hazardgeo.errors import ConfigError, FormatError, HazardGeoWarning, InputError, TileError
from hazardgeo.grid import Grid
from hazardgeo.io import RasterFile, RasterParts, write_raster
from hazardgeo.raster import Raster
from hazardgeo.tiles import Pool, Progress, Scratch, folder, plan

Keep = Callable[..., Scratch]
VALUES = np.random.default_rng(5).normal(1800, 5, (61, 47)).astype(np.float32)


def sink_for(source: Scratch, folder: Path, tile_cells: int) -> Scratch:
    return Scratch(folder, source.grid, tile_cells)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tile_cells=st.integers(6, 70), row=st.integers(-99, 99), col=st.integers(-99, 99), holes=st.floats(0, 0.3))
def test_a_stencil_by_tiles_equals_the_stencil_on_the_whole(
    keep: Keep, tmp_path_factory: pytest.TempPathFactory, tile_cells: int, row: int, col: int, holes: float
) -> None:
    values = np.where(np.random.default_rng(abs(row)).random(VALUES.shape) < holes, np.nan, VALUES).astype(np.float32)
    source = keep(values, row=row, col=col, cell=2.0)
    sink = sink_for(source, tmp_path_factory.mktemp("sink"), tile_cells)
    tiles.map(in_metres, {"dem": source}, sink, halo=1, tile_cells=tile_cells)
    whole = in_metres(source.read(source.grid)).values
    np.testing.assert_array_equal(sink.read(sink.grid).values, whole)


def in_metres(dem: Any) -> Any:
    return terrain.slope(type(dem)(dem.values, dem.grid, "dem", "m"))


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_a_pool_gives_what_one_process_gives(keep: Keep, tmp_path: Path, jobs: int) -> None:
    source = keep(VALUES)
    sink = sink_for(source, tmp_path / "sink", 16)
    tiles.map(deadly.doubled, {"raster": source}, sink, tile_cells=16, executor=Pool(jobs))
    np.testing.assert_array_equal(sink.read(sink.grid).values, VALUES * 2)


def test_tiles_whose_worker_is_killed_are_done_again_and_nothing_is_lost(keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    sink = sink_for(source, tmp_path / "sink", 8)
    (tmp_path / "killed").mkdir()
    options = {"folder": str(tmp_path / "killed"), "every": 10}
    tiles.map(deadly.dies_once, {"raster": source}, sink, tile_cells=8, executor=Pool(2), options=options)
    np.testing.assert_array_equal(sink.read(sink.grid).values, VALUES * 2)
    killed, all_tiles = len(list((tmp_path / "killed").iterdir())), len(plan(source.grid, tile_cells=8))
    assert killed / all_tiles > 0.08


def test_a_tile_that_kills_its_worker_twice_is_named_and_the_others_are_kept(keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    sink = sink_for(source, tmp_path / "sink", 16)
    names = [t.name for t in plan(source.grid, tile_cells=16)]
    with pytest.raises(TileError, match=rf"tile {names[4].replace('+', '.')} of {len(names)} failed: .*SIGKILL"):
        tiles.map(deadly.dies_always, {"raster": source}, sink, tile_cells=16, executor=Pool(2), options={"name": names[4]})
    done = [t.name for t in plan(source.grid, tile_cells=16) if sink.has(sink.folder, t)]
    assert sorted(done) == sorted(set(names) - {names[4]})


def test_the_next_call_does_only_what_is_missing(keep: Keep, tmp_path: Path) -> None:
    source, seen = keep(VALUES), list[Progress]()
    sink = sink_for(source, tmp_path / "sink", 16)
    names = [t.name for t in plan(source.grid, tile_cells=16)]
    options = {"name": names[4]}
    with pytest.raises(TileError):
        tiles.map(deadly.breaks, {"raster": source}, sink, tile_cells=16, options=options, executor=Pool(1))
    with pytest.raises(TileError, match="AttributeError"):
        tiles.map(deadly.breaks, {"raster": source}, sink, tile_cells=16, options=options, executor=Pool(1), report=seen.append)
    assert seen == []  # all others were there already
    tiles.map(deadly.breaks, {"raster": source}, sink, tile_cells=16, options={"name": ""}, report=seen.append)
    assert [p.done for p in seen] == list(range(1, len(names) + 1))  # other options: nothing is taken over
    assert seen[-1].remaining_s == 0.0
    np.testing.assert_array_equal(sink.read(sink.grid).values, VALUES * 2)


def test_an_error_of_the_work_keeps_its_type_and_names_the_tile(keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    for executor in (tiles.InProcess(), Pool(2)):
        with pytest.raises(InputError, match=r"tile r.*: the ground is missing; bring it\."):
            tiles.map(deadly.refuses, {"raster": source}, sink_for(source, tmp_path / "s", 32), tile_cells=32, executor=executor)


def test_a_warning_of_many_tiles_is_said_once(keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    for number, executor in enumerate((tiles.InProcess(), Pool(2))):
        with pytest.warns(HazardGeoWarning, match="this is weak") as caught:
            tiles.map(
                deadly.warns, {"raster": source}, sink_for(source, tmp_path / f"{number}", 16), tile_cells=16, executor=executor
            )
        assert len(caught) == 1


def test_what_libraries_print_does_not_disturb_the_answers(keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    sink = sink_for(source, tmp_path / "sink", 16)
    tiles.map(deadly.talks, {"raster": source}, sink, tile_cells=16, executor=Pool(2))
    np.testing.assert_array_equal(sink.read(sink.grid).values, VALUES * 2)


def test_a_function_without_an_address_is_refused(keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    with pytest.raises(ConfigError, match="cannot be sent to another process"):
        tiles.map(
            lambda raster: raster, {"raster": source}, sink_for(source, tmp_path / "s", 16), tile_cells=16, executor=Pool(1)
        )


def test_a_call_that_carries_an_array_is_refused(keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    with pytest.raises(ConfigError, match=r"the call takes 8,\d+,\d+ bytes; pass paths"):
        tiles.map(
            deadly.breaks,
            {"raster": source},
            sink_for(source, tmp_path / "s", 16),
            tile_cells=16,
            executor=Pool(1),
            options={"name": np.zeros(1_000_000)},
        )


def test_parts_are_never_put_among_the_files_of_others(keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(FormatError, match="holds other files"):
        tiles.map(deadly.doubled, {"raster": source}, sink_for(source, tmp_path / "mine", 16), tile_cells=16)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_pool_needs_a_job() -> None:
    with pytest.raises(ConfigError, match="at least 1 job"):
        Pool(0)


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tile_cells=st.integers(7, 70))
def test_statistics_do_not_depend_on_the_tiles(keep: Keep, tmp_path_factory: pytest.TempPathFactory, tile_cells: int) -> None:
    values = np.where(VALUES > 1805, np.nan, VALUES).astype(np.float32)
    source = keep(values)
    found = tiles.statistics(source, work_folder=tmp_path_factory.mktemp("w") / "w", tile_cells=tile_cells)
    known = values[~np.isnan(values)].astype(np.float64)
    assert (found.cells, found.known) == (values.size, len(known))
    assert (found.minimum, found.maximum) == (known.min(), known.max())
    assert found.mean == math.fsum(known) / len(known)  # the exact sum, rounded once by each way
    assert found.std == pytest.approx(known.std(), rel=1e-9)


def test_a_reduction_over_processes_is_that_of_one(keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    for executor in (tiles.InProcess(), Pool(2)):
        found = tiles.map_reduce(
            deadly.counts, deadly.more, {"raster": source}, work_folder=tmp_path / "w", halo=3, tile_cells=10, executor=executor
        )
        assert found["cells"] == VALUES.size
    assert not (tmp_path / "w").exists()


def test_what_changed_is_done_again(keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    sink = sink_for(source, tmp_path / "sink", 16)
    name = plan(source.grid, tile_cells=16)[-1].name
    for factor in (2.0, 5.0):
        weights = np.zeros(3000)
        weights[1500] = factor
        options = {"weights": weights, "name": name if factor == 2.0 else ""}
        with contextlib.suppress(TileError):
            tiles.map(deadly.weighted, {"raster": source}, sink, tile_cells=16, options=options)
    np.testing.assert_array_equal(sink.read(sink.grid).values, VALUES * np.float32(5))


def test_warnings_over_kept_tiles_are_said_again_and_numbers_alone_make_one_more(keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    sink = sink_for(source, tmp_path / "sink", 16)
    for _ in range(2):
        with pytest.warns(HazardGeoWarning, match="of the cells are weak") as caught, pytest.raises(TileError):
            tiles.map(deadly.warns_and_breaks, {"raster": source}, sink, tile_cells=16)
        assert ["alike with other numbers" in str(w.message) for w in caught] == [False, True]


def test_half_a_removal_is_never_taken_for_parts(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a.npz").touch()
    folder.discard(tmp_path / "work")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_another_make_keeps_its_words(keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    for executor in (tiles.InProcess(), Pool(1)):
        with pytest.raises(TileError, match="the ground is missing"):
            tiles.map(
                deadly.refuses_twice, {"raster": source}, sink_for(source, tmp_path / "s", 64), tile_cells=64, executor=executor
            )


def test_a_worker_that_cannot_start_is_said_at_once(keep: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = keep(VALUES)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ConfigError, match=r"ended with code .* before it could work"):
        tiles.map(deadly.doubled, {"raster": source}, sink_for(source, tmp_path / "s", 8), tile_cells=8, executor=Pool(1))


def test_tiles_that_are_not_of_one_raster_are_refused(tmp_path: Path) -> None:
    grid = Grid(Affine(1, 0, 0, 0, -1, 40), (40, 40), 32648)  # type: ignore[arg-type]
    write_raster(Raster(np.ones((40, 40), np.float32), grid, "dem", "m"), tmp_path / "dem.tif")
    with pytest.raises(FormatError, match="one raster is all alike"):
        tiles.map(
            deadly.of_two_kinds, {"raster": RasterFile(tmp_path / "dem.tif")}, RasterParts(tmp_path / "out.tif"), tile_cells=16
        )
    assert not (tmp_path / "out.tif").exists()


def test_a_raster_by_tiles_has_the_bytes_of_the_whole(tmp_path: Path) -> None:
    grid = Grid(Affine(0.001, 0, 35_500_000.0, 0, -0.001, 3_950_000.0), (60, 45), 4523)  # type: ignore[arg-type]
    values = np.where(np.random.default_rng(1).random(grid.shape) < 0.1, np.nan, VALUES[:60, :45]).astype(np.float32)
    dem = Raster(values, grid, "dem", "m")
    write_raster(dem, tmp_path / "dem.tif")
    tiles.map(in_metres, {"dem": RasterFile(tmp_path / "dem.tif")}, RasterParts(tmp_path / "tiled.tif"), halo=1, tile_cells=7)
    write_raster(in_metres(dem), tmp_path / "whole.tif")
    assert (tmp_path / "tiled.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dem.tif", "tiled.tif", "whole.tif"]
