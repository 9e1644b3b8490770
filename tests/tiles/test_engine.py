from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import deadly
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hazardgeo import terrain, tiles
from hazardgeo.errors import ConfigError, FormatError, HazardGeoWarning, InputError, TileError
from hazardgeo.tiles import Pool, Progress, Scratch, plan

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
    import math

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
