from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hazardgeo import tiles
from hazardgeo.errors import FormatError
from hazardgeo.raster import Raster
from hazardgeo.tiles import Scratch, folder


def doubled(raster: Raster) -> Raster:
    return Raster(raster.values * 2, raster.grid)


def test_two_calls_for_one_file_do_not_meet(keep: object, tmp_path: Path) -> None:
    source = keep(np.ones((20, 20), np.float32))  # type: ignore[operator]
    sink = Scratch(tmp_path / "sink", source.grid, 8)

    def second(_: object) -> None:
        with pytest.raises(FormatError, match=r"another run is at work in .*sink \(process .*\); wait .*, or write to another"):
            tiles.map(doubled, {"raster": source}, sink, tile_cells=4)
        tiles.map(doubled, {"raster": source}, Scratch(tmp_path / "other", source.grid, 8), tile_cells=8)

    tiles.map(doubled, {"raster": source}, sink, tile_cells=8, report=second)
    np.testing.assert_array_equal(sink.read(source.grid).values, 2.0)
    assert list(tmp_path.glob(".*.lock")) == []


def test_a_reduction_and_a_stitch_hold_their_folders_too(keep: object, tmp_path: Path) -> None:
    source = keep(np.ones((20, 20), np.float32))  # type: ignore[operator]
    with folder.held(tmp_path / "w"):
        with pytest.raises(FormatError, match="another run is at work"):
            tiles.statistics(source, work_folder=tmp_path / "w")
        with pytest.raises(FormatError, match="another run is at work"):
            tiles.label(source, Scratch(tmp_path / "s", source.grid, 8), work_folder=tmp_path / "w")
    assert tiles.statistics(source, work_folder=tmp_path / "w").known == 400


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(FormatError, match=r"cannot write to .*file.*; choose another folder"),
        folder.held(tmp_path / "file" / "a"),
    ):
        pass
