from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hazardgeo import terrain, tiles
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, InputError
from hazardgeo.grid import Grid
from hazardgeo.io import RasterFile, RasterParts, read_raster, write_raster
from hazardgeo.raster import Raster
from hazardgeo.tiles import Pool, Scratch

Keep = Callable[..., Scratch]
Folders = pytest.TempPathFactory
STEP = {1: (0, 1), 2: (1, 1), 4: (1, 0), 8: (1, -1), 16: (0, -1), 32: (-1, -1), 64: (-1, 0), 128: (-1, 1)}
MANY = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
CASES: dict[str, Any] = {
    "shape": st.tuples(st.integers(1, 22), st.integers(1, 22)),
    "tile_cells": st.one_of(st.integers(3, 9), st.integers(3, 24)),
    "levels": st.integers(1, 12),
    "holes": st.sampled_from([0.0, 0.0, 0.03, 0.3]),
    "seed": st.integers(0, 999),
    "row": st.integers(-20, 20),
}


@dataclass(frozen=True)
class Metres:
    """A source whose numbers are metres, read from one that does not say so."""

    of: Scratch
    height: Height | None = None

    @property
    def grid(self) -> Grid:
        return self.of.grid

    @property
    def key(self) -> str:
        return self.of.key

    def read(self, block: Grid) -> Raster:
        return replace(self.of.read(block), name="dem", unit="m", height=self.height)


def ground(shape: tuple[int, int], levels: int, holes: float, seed: int) -> NDArray[np.float32]:
    """Rough ground in whole metres: plateaus, pits within pits, ties everywhere, both zeros, and holes."""
    rng = np.random.default_rng(seed)
    rough = rng.normal(0, 1, shape)
    for axis in (0, 1):  # neighbours alike, so that basins are larger than a cell
        rough = rough + rng.integers(0, 3) * np.roll(rough, 1, axis)
    z = np.round(levels * (rough - rough.min()) / (np.ptp(rough) or 1.0)) - levels // 2
    z[rng.random(shape) < holes] = np.nan
    return z.astype(np.float32)


def slow_fill(z: NDArray[np.float32]) -> NDArray[np.float32]:
    """The lowest highest point on any way out, found by relaxing until nothing changes."""
    wide = np.pad(z, 1, constant_values=np.nan)
    shifts = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    outlet = np.isnan([np.roll(wide, s, (0, 1)) for s in shifts]).any(axis=0)
    level = np.where(np.isnan(wide) | outlet, wide, np.inf)
    while True:
        around = np.fmin.reduce([np.roll(level, s, (0, 1)) for s in shifts])
        lower = np.where(np.isnan(wide) | outlet, wide, np.maximum(wide, np.minimum(level, around)))
        if np.array_equal(lower, level, equal_nan=True):
            return level[1:-1, 1:-1].astype(np.float32)
        level = lower


def way_down(codes: NDArray[np.uint8], cell: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The cells that water from `cell` runs through; it leaves the raster at its edge and at unknown cells."""
    rows, cols = codes.shape
    row, col = cell
    while 0 <= row < rows and 0 <= col < cols and codes[row, col] != 255:
        yield row, col
        if codes[row, col] == 0:
            return
        row, col = row + STEP[int(codes[row, col])][0], col + STEP[int(codes[row, col])][1]


def slow_counts(codes: NDArray[np.uint8], own: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many of the cells `own` drain through each cell: every one is followed down by itself."""
    counts = np.zeros(codes.shape, np.int64)
    for row, col in np.argwhere(own & (codes != 255)):
        for cell in way_down(codes, (int(row), int(col))):
            counts[cell] += 1
    return counts


def doors(unknown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Known cells at the edge or beside an unknown cell."""
    wide = np.pad(unknown, 1, constant_values=True)
    near = [np.roll(wide, (a, b), (0, 1)) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    return np.any(near, axis=0)[1:-1, 1:-1] & ~unknown


def drained(source: Any, folder: Path, tile_cells: int, work: Callable[..., None], **job: Any) -> NDArray[Any]:
    """What `work` makes of a source, tile by tile; nothing but the result is left."""
    sink = Scratch(folder / "sink", source.grid, tile_cells)
    work(source, sink, work_folder=folder / "work", tile_cells=tile_cells, **job)
    assert not (folder / "work").exists()
    return sink.read(sink.grid).values


def codes_of(source: Scratch, values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return terrain.flow_direction(Raster(values, source.grid, "dem", "m")).values


@MANY
@given(**CASES)
def test_depressions_by_tiles_are_filled_as_in_the_whole(
    keep: Keep,
    tmp_path_factory: Folders,
    shape: tuple[int, int],
    tile_cells: int,
    levels: int,
    holes: float,
    seed: int,
    row: int,
) -> None:
    z = ground(shape, levels, holes, seed)
    source = keep(z, row=row)
    found = drained(Metres(source), tmp_path_factory.mktemp("fill"), tile_cells, tiles.fill_depressions)
    np.testing.assert_array_equal(found, slow_fill(z))
    assert found.tobytes() == terrain.fill(Raster(z, source.grid, "dem", "m")).values.tobytes()


@MANY
@given(**CASES)
def test_areas_and_unknown_inflow_by_tiles_are_those_of_the_whole(
    keep: Keep,
    tmp_path_factory: Folders,
    shape: tuple[int, int],
    tile_cells: int,
    levels: int,
    holes: float,
    seed: int,
    row: int,
) -> None:
    z = ground(shape, levels, holes, seed)
    heights = keep(z, row=row, cell=0.3)
    dem = Raster(z, heights.grid, "dem", "m")
    codes = terrain.flow_direction(dem).values
    source = keep(codes, row=row, cell=0.3)
    area = drained(source, tmp_path_factory.mktemp("area"), tile_cells, tiles.accumulate)
    assert area.tobytes() == terrain.flow_accumulation(dem).values.tobytes()
    expected = np.where(np.isnan(z), np.nan, slow_counts(codes, ~np.isnan(z)) * (0.3 * 0.3))
    np.testing.assert_array_equal(area, expected)
    assert area[codes == 0].sum() == pytest.approx(np.count_nonzero(~np.isnan(z)) * 0.09)
    inflow = drained(source, tmp_path_factory.mktemp("inflow"), tile_cells, tiles.inflow_unknown)
    np.testing.assert_array_equal(inflow, slow_counts(codes, doors(np.isnan(z))) > 0)
    np.testing.assert_array_equal(inflow, terrain.inflow_unknown(dem).values)


def test_a_pit_that_spills_over_a_seam_into_a_pit_that_spills_over_another(keep: Keep, tmp_path: Path) -> None:
    # One valley in a row between walls of 9, tiles of 3 columns: it drains to the east edge over sills of 6, then 7.
    valley = [9, 1, 2, 6, 3, 2, 4, 7, 5, 1, 1, 0]
    z = np.full((5, 12), 9, np.float32)
    z[2] = valley
    found = drained(Metres(keep(z, row=0, col=0)), tmp_path, 3, tiles.fill_depressions)
    assert found[2].tolist() == [9, 7, 7, 7, 7, 7, 7, 7, 5, 1, 1, 0]
    assert (found[[0, 1, 3, 4]] == 9).all()


def test_a_lake_over_many_tiles_drains_through_a_hole_in_one_of_them(keep: Keep, tmp_path: Path) -> None:
    z = np.full((40, 40), 5, np.float32)
    z[1:-1, 1:-1] = 1
    z[30, 7] = np.nan
    z[20, 20] = 2
    found = drained(Metres(keep(z)), tmp_path, 7, tiles.fill_depressions)
    np.testing.assert_array_equal(found, z)  # all water finds the hole
    z[30, 7] = 3
    full = drained(Metres(keep(z)), tmp_path, 7, tiles.fill_depressions)
    assert (full == 5).all()


def test_a_hole_beside_a_seam_is_an_outlet_to_the_tile_across(keep: Keep, tmp_path: Path) -> None:
    z = np.full((8, 8), 9, np.float32)
    z[3, 3], z[4, 4] = 1, np.nan  # the corner where four tiles of four cells meet
    found = drained(Metres(keep(z, row=0, col=0)), tmp_path, 4, tiles.fill_depressions)
    np.testing.assert_array_equal(found, z)


def test_filling_on_two_processes_gives_the_file_that_the_whole_gives(tmp_path: Path) -> None:
    z = ground((90, 70), 40, 0.01, 5)
    grid = Grid(Affine(2, 0, 500_002, 0, -2, 4_000_010), z.shape, 32648)  # type: ignore[arg-type]
    dem = Raster(z, grid, "dem", "m", Height("orthometric", "EPSG:5737"))
    write_raster(dem, tmp_path / "dem.tif")
    sink = RasterParts(tmp_path / "filled.tif")
    tiles.fill_depressions(RasterFile(tmp_path / "dem.tif"), sink, work_folder=tmp_path / "work", tile_cells=32, executor=Pool(2))
    found, whole = read_raster(sink.path), terrain.fill(dem)
    assert found.values.tobytes() == whole.values.tobytes()
    assert (found.name, found.unit, found.height) == (whole.name, whole.unit, whole.height)
    assert found.tags == whole.tags
    write_raster(terrain.flow_direction(dem), tmp_path / "codes.tif")
    area = RasterParts(tmp_path / "area.tif")
    tiles.accumulate(RasterFile(tmp_path / "codes.tif"), area, work_folder=tmp_path / "work", tile_cells=32, executor=Pool(2))
    found, whole = read_raster(area.path), terrain.flow_accumulation(dem)
    assert found.values.tobytes() == whole.values.tobytes()
    assert (found.name, found.unit, found.tags["validity"]) == (whole.name, whole.unit, whole.tags["validity"])


def test_what_is_no_elevation_in_metres_is_not_filled(keep: Keep, tmp_path: Path) -> None:
    z = np.full((6, 6), 3, np.float32)
    work = {"work_folder": tmp_path / "work", "tile_cells": 3}
    source = keep(z)
    sink = Scratch(tmp_path / "sink", source.grid, 3)
    with pytest.raises(InputError, match="'m' is needed"):
        tiles.fill_depressions(source, sink, **work)
    z[4, 4] = -9.9e5
    with pytest.raises(InputError, match=r"tile r.*nodata"):
        tiles.fill_depressions(Metres(keep(z)), sink, **work)
    degrees = Grid(Affine(0.001, 0, 102.8, 0, -0.001, 35.7), (6, 6), 4326)  # type: ignore[arg-type]
    with pytest.raises(CrsError, match="fill_depressions needs metres"):
        tiles.fill_depressions(Scratch(tmp_path, degrees, 3), sink, **work)
    with pytest.raises(CrsError, match="accumulate needs metres"):
        tiles.accumulate(Scratch(tmp_path, degrees, 3), sink, **work)


def test_unknown_tiles_stay_unknown(keep: Keep, tmp_path: Path) -> None:
    z = np.full((9, 9), np.nan, np.float32)
    assert np.isnan(drained(Metres(keep(z)), tmp_path / "fill", 4, tiles.fill_depressions)).all()
    codes = keep(np.full((9, 9), 255, np.uint8))
    assert np.isnan(drained(codes, tmp_path / "area", 4, tiles.accumulate)).all()
    assert not drained(codes, tmp_path / "inflow", 4, tiles.inflow_unknown).any()


def test_water_that_crosses_seams_back_and_forth_counts_every_cell_once(keep: Keep, tmp_path: Path) -> None:
    # Two rows over tiles of two columns; water runs east along the north row, turns, and comes back west along the south.
    codes = np.array([[1, 1, 1, 1, 1, 4], [0, 16, 16, 16, 16, 16]], np.uint8)
    area = drained(keep(codes, row=0, col=0, cell=10.0), tmp_path, 2, tiles.accumulate)
    assert area.tolist() == [[100, 200, 300, 400, 500, 600], [1200, 1100, 1000, 900, 800, 700]]


def test_water_that_zigzags_over_a_seam_between_rows_is_followed(keep: Keep, tmp_path: Path) -> None:
    # The seam lies between the columns: every step down crosses it by a diagonal, at tile corners too.
    codes = np.array([[2, 0], [0, 8], [2, 0], [0, 8], [0, 0]], np.uint8)
    codes[1, 0], codes[3, 0], codes[2, 1] = 1, 64, 4
    counts = drained(keep(codes, row=0, col=0), tmp_path, 1, tiles.accumulate)
    # (0,0) and (1,0) meet in (1,1), go to (2,0), which with (3,0) goes to (3,1), as does (2,1); (4,0) takes all
    assert counts.tolist() == [[1, 1], [1, 3], [5, 1], [1, 7], [8, 1]]


def test_ways_off_the_raster_and_into_unknown_cells_leave_it(keep: Keep, tmp_path: Path) -> None:
    codes = np.array([[64, 1, 255, 16], [4, 2, 16, 128]], np.uint8)
    area = drained(keep(codes, row=0, col=0), tmp_path / "area", 2, tiles.accumulate)
    assert area[1].tolist() == [1, 2, 1, 1]
    assert area[0, [0, 1, 3]].tolist() == [1, 1, 1]
    assert np.isnan(area[0, 2])
    assert drained(keep(codes, row=0, col=0), tmp_path / "inflow", 2, tiles.inflow_unknown)[codes != 255].all()


@pytest.mark.parametrize("tile_cells", [1, 2, 3, 50])
def test_water_that_runs_in_a_circle_is_refused_and_named(keep: Keep, tmp_path: Path, tile_cells: int) -> None:
    codes = np.full((8, 8), 1, np.uint8)
    codes[4, 2:5], codes[5, 2:5] = [1, 1, 4], [64, 16, 16]
    codes[2] = [1, 1, 1, 4, 4, 4, 4, 4]  # much drains into the circle
    source = keep(codes, row=0, col=0)
    sink = Scratch(tmp_path / "sink", source.grid, tile_cells)
    with pytest.raises(InputError, match="circle") as refused:
        tiles.accumulate(source, sink, work_folder=tmp_path / "work", tile_cells=tile_cells)
    named = [int(word.strip(";,")) for word in str(refused.value).split("at row")[1].split() if word.strip(";,").isdigit()]
    assert named[0] in (4, 5)
    assert named[1] in (2, 3, 4)


def test_codes_of_other_makers_are_refused(keep: Keep, tmp_path: Path) -> None:
    for values, message in (
        (np.full((4, 4), 3, np.uint8), "holds 3 in .* no D8 code"),
        (np.ones((4, 4), np.float32), "holds float32, not D8 codes"),
    ):
        source = keep(values)
        sink = Scratch(tmp_path / "sink", source.grid, 4)
        with pytest.raises(InputError, match=message):
            tiles.accumulate(source, sink, work_folder=tmp_path / "work", tile_cells=4)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 9999), tile_cells=st.integers(2, 12), share=st.floats(0, 1), rows=st.integers(1, 14))
def test_random_codes_give_the_slow_counts_or_are_refused_where_water_runs_in_a_circle(
    keep: Keep, tmp_path_factory: Folders, seed: int, tile_cells: int, share: float, rows: int
) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.choice([0, 1, 2, 4, 8, 255], (rows, 11)).astype(np.uint8)
    back = rng.random(codes.shape) < share / 5
    codes[back] = rng.choice([16, 32, 64, 128], codes.shape)[back]
    circle = any(len(set(way)) < len(way) for way in (walked(codes, (i, j)) for i, j in np.ndindex(codes.shape)))
    source, folder = keep(codes), tmp_path_factory.mktemp("codes")
    if circle:
        with pytest.raises(InputError, match="runs in a circle"):
            drained(source, folder, tile_cells, tiles.accumulate)
    else:
        area = drained(source, folder, tile_cells, tiles.accumulate)
        np.testing.assert_array_equal(area, np.where(codes == 255, np.nan, slow_counts(codes, codes != 255)))


def walked(codes: NDArray[np.uint8], cell: tuple[int, int]) -> list[tuple[int, int]]:
    """The first steps of the way down, one more than there are cells: it then has come back to one."""
    return [at for at, _ in zip(way_down(codes, cell), range(codes.size + 1), strict=False)]


def slow_codes(filled: NDArray[np.float32], out: NDArray[np.bool_], cell: tuple[float, float]) -> NDArray[np.uint8]:
    """Steepest way down; on flats the first of the ways with the fewest steps, found by relaxing until nothing changes."""
    level = np.pad(filled.astype(float), 1, constant_values=np.nan)

    def beside(array: NDArray[Any], step: tuple[int, int]) -> NDArray[Any]:
        return np.roll(array, (-step[0], -step[1]), (0, 1))

    lower = np.any([beside(level, s) < level for s in STEP.values()], axis=0)
    steps = np.where(lower | np.pad(out, 1), 0, np.inf)
    while True:
        ways = [np.where(beside(level, s) == level, beside(steps, s) + 1, np.inf) for s in STEP.values()]
        fewer = np.minimum(steps, np.min(ways, axis=0))
        if np.array_equal(fewer, steps):
            break
        steps = fewer
    drops = [(level - beside(level, s)) / np.hypot(s[0] * cell[1], s[1] * cell[0]) for s in STEP.values()]
    drops = [np.where(np.isnan(d), 0, d) for d in drops]
    code, best = np.zeros(level.shape, np.uint8), np.zeros(level.shape)
    for (number, step), drop in zip(STEP.items(), drops, strict=True):
        nearer = (best == 0) & (code == 0) & (beside(level, step) == level) & (beside(steps, step) == steps - 1)
        code = np.where((drop > best) | (nearer & ~lower), number, code)
        best = np.maximum(best, drop)
    return np.where(np.isnan(level), 255, code)[1:-1, 1:-1].astype(np.uint8)


@MANY
@given(**CASES)
def test_directions_by_tiles_are_those_of_the_whole(
    keep: Keep,
    tmp_path_factory: Folders,
    shape: tuple[int, int],
    tile_cells: int,
    levels: int,
    holes: float,
    seed: int,
    row: int,
) -> None:
    z = ground(shape, levels, holes, seed)
    source = keep(z, row=row)
    found = drained(Metres(source), tmp_path_factory.mktemp("codes"), tile_cells, tiles.flow_direction)
    whole = terrain.flow_direction(Raster(z, source.grid, "dem", "m")).values
    np.testing.assert_array_equal(whole, slow_codes(slow_fill(z), doors(np.isnan(z)), (1, 1)))
    assert found.tobytes() == whole.tobytes()


def test_a_flat_that_winds_through_all_tiles_drains_along_its_whole_length(keep: Keep, tmp_path: Path) -> None:
    # A channel at level 1 between walls of 9: along row 1 to the east, down, back along row 3, down, ... out at the end.
    z = np.full((13, 12), 9, np.float32)
    for turn, row in enumerate(range(1, 12, 2)):
        z[row, 1:-1] = 1
        z[row + 1, -2 if turn % 2 == 0 else 1] = 1
    z[12, 1] = 0.5
    found = drained(Metres(keep(z, row=0, col=0)), tmp_path, 2, tiles.flow_direction)
    way = list(way_down(found, (1, 1)))
    assert way[-1] == (12, 1)
    assert [cell for cell in way if cell[0] % 2 and 3 <= cell[1] <= 8] == [
        (row, col) for row in range(1, 12, 2) for col in (range(3, 9) if row % 4 == 1 else range(8, 2, -1))
    ]


@pytest.mark.parametrize("stop", [5, 20, 36, 60])
def test_directions_that_were_interrupted_anywhere_are_gone_on_with(keep: Keep, tmp_path: Path, stop: int) -> None:
    z = ground((16, 16), 5, 0.02, 3)
    source = keep(z)
    whole = codes_of(source, z)
    told = 0

    def report(_progress: Any) -> None:
        nonlocal told
        told += 1
        if told == stop:
            raise KeyboardInterrupt

    work: Any = {"work_folder": tmp_path / "work", "tile_cells": 5}
    sink = Scratch(tmp_path / "sink", source.grid, 5)
    with pytest.raises(KeyboardInterrupt):
        tiles.flow_direction(Metres(source), sink, report=report, **work)
    tiles.flow_direction(Metres(source), sink, **work)
    np.testing.assert_array_equal(sink.read(sink.grid).values, whole)
    assert not (tmp_path / "work").exists()
