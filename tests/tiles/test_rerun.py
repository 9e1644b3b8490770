from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import deadly
import numpy as np
import pytest
from deadly import counts, more

from hazardgeo import tiles
from hazardgeo.errors import ConfigError, FormatError, HazardGeoWarning, TileError
from hazardgeo.raster import Raster
from hazardgeo.tiles import Call, Pool, Progress, Scratch, directions, engine, folder, plan
from hazardgeo.tiles.options import options_hash
from hazardgeo.tiles.stitch import Parts, _answer, _settle_tile, stitch

VALUES = np.random.default_rng(5).normal(1800, 5, (30, 30)).astype(np.float32)


def test_nobody_else_works_in_the_folder_of_flow_directions_at_any_step(keep: Any, tmp_path: Path) -> None:
    source = keep(VALUES)
    metres = Metres(source.folder, source.grid, source.tile_cells, "m")
    names, work = set(), tmp_path / "work"

    def second(progress: Progress) -> None:
        names.add(progress.what)
        with pytest.raises(FormatError, match="another run is at work"):
            tiles.flow_direction(metres, Scratch(tmp_path / "other", source.grid, 13), work_folder=work, tile_cells=13)

    sink = Scratch(tmp_path / "sink", source.grid, 13)
    tiles.flow_direction(metres, sink, work_folder=work, tile_cells=13, report=second)
    assert names == {"flooded", "raised", "steps on flats", "flow codes"}
    assert not work.exists()


class Metres(Scratch):
    """A raster that is an elevation."""


def test_steps_that_a_lost_worker_still_makes_are_refused(keep: Any, tmp_path: Path) -> None:
    source = keep(VALUES)
    steps, rims = Scratch(tmp_path / "steps", source.grid, 13), tmp_path / "rims"
    tile = plan(source.grid, tile_cells=13, halo=1)[0]
    folder.claim(rims, (doubled,), {}, "now")
    with pytest.raises(TileError, match="other work has begun"):
        directions._steps_on_flats(source, steps, (rims, "before"), tile, True)


def doubled(raster: Raster) -> Raster:
    return Raster(raster.values * 2, raster.grid)


@pytest.mark.parametrize("left", [0, 40, 200])
def test_a_part_that_a_crash_has_cut_is_done_again(keep: Any, tmp_path: Path, left: int) -> None:
    source = keep(VALUES)
    sink = Scratch(tmp_path / "sink", source.grid, 13)
    for _ in range(2):
        tiles.map(deadly.doubled, {"raster": source}, sink, tile_cells=13)
        for path in sink.folder.glob("*.npy"):
            path.write_bytes(path.read_bytes()[:left])
    tiles.map(deadly.doubled, {"raster": source}, sink, tile_cells=13)
    np.testing.assert_array_equal(sink.read(sink.grid).values, VALUES * 2)


def test_a_cut_part_of_a_reduction_is_done_again(keep: Any, tmp_path: Path) -> None:
    source, work = keep(VALUES), {"work_folder": tmp_path / "w", "tile_cells": 13}

    def stop(_progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiles.map_reduce(counts, more, {"raster": source}, report=stop, **work)
    (part,) = (tmp_path / "w").glob("*.npz")
    part.write_bytes(b"")
    assert tiles.map_reduce(counts, more, {"raster": source}, **work)["cells"] == VALUES.size


def test_the_death_of_a_process_that_waits_is_no_death_of_the_next_call(tmp_path: Path) -> None:
    (tmp_path / "killed").mkdir()
    with Pool(1) as pool:
        list(pool.run([Call("a", deadly.threads, ())]))
        idle = pool._idle[0]._process
        assert idle is not None
        idle.kill()
        idle.wait()
        tile = plan(Scratch(tmp_path, grid(), 13).grid, tile_cells=13)[0]
        raster = Raster(np.ones((2, 2), np.float32), grid().window(slice(0, 2), slice(0, 2)))
        (found,) = pool.run([Call("b", deadly.dies_alone_once, (raster, tile, str(tmp_path / "killed")))])
    assert found.fatal == ""
    assert found.value == 4.0


def grid() -> Any:
    from conftest import grid_at

    return grid_at((30, 30))


def test_a_full_disk_is_one_error(tmp_path: Path, keep: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_given: Any) -> None:
        raise OSError(28, "No space left on device")

    source = keep(VALUES > 1800)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FormatError, match=r"cannot write .*: No space left on device; check the free space"):
        folder.remember_said(tmp_path, ["weak."])
    with pytest.raises(FormatError, match="No space left"):
        engine.write_part(tmp_path, plan(source.grid)[0], {"a": np.zeros(3)})
    assert not list(tmp_path.glob("*.tmp"))
    monkeypatch.undo()

    def exchange(_parts: Parts) -> Any:
        full()

    with pytest.raises(FormatError, match=r"what tiles say to each other in .*: No space left"):
        _answer(exchange, Parts(tmp_path, source.grid, ()))


def test_options_that_cannot_travel_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the option 'lock' cannot be sent to another process"):
        folder.claim(tmp_path / "w", (doubled,), {"lock": threading.Lock()})


def test_equal_options_have_one_hash() -> None:
    name = "ab" * 9
    shared, apart = [(name, 1), (name, 1)], [("".join(["ab"] * 9), 1), ("".join(["ab"] * 9), 1)]
    assert options_hash({"x": shared, "s": {"a", "b", "c"}}) == options_hash({"s": {"c", "b", "a"}, "x": apart})
    differing = [1, 1.0, True, "1", [1], (1,), {1}, {1: 1}, {"1": 1}, None, Path("1"), np.ones(1), np.ones(1, np.float32)]
    assert len({options_hash({"x": value}) for value in differing}) == len(differing)


def test_warnings_of_two_files_are_two(keep: Any, tmp_path: Path) -> None:
    source = keep(VALUES)
    with pytest.warns(HazardGeoWarning, match="odd") as caught:
        tiles.map(deadly.names_its_file, {"raster": source}, Scratch(tmp_path / "s", source.grid, 13), tile_cells=13)
    columns = {tile.col for tile in plan(source.grid, tile_cells=13)}
    assert len(caught) == len(columns) > 2


def test_a_settled_tile_tells_its_warnings_once(keep: Any, tmp_path: Path) -> None:
    source = keep(VALUES)
    with pytest.warns(HazardGeoWarning) as caught:
        stitch(
            deadly.counts, deadly.nothing, deadly.settles_and_warns, {"raster": source},
            Scratch(tmp_path / "s", source.grid, 13), work_folder=tmp_path / "w", tile_cells=13,
        )  # fmt: skip
    assert [str(w.message) for w in caught] == ["settled in a weak way."]


def test_a_tile_is_not_settled_for_other_work(keep: Any, tmp_path: Path) -> None:
    source = keep(VALUES)
    folder.claim(tmp_path / "w", (doubled,), {}, "now")
    with pytest.raises(TileError, match="other work has begun"):
        _settle_tile(doubled, {}, (tmp_path / "w", "before"), {}, {}, source.grid, plan(source.grid)[0])
