"""A disk that is full, at every moment of writing: one line says so, nothing half is left, earlier results stay."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from affine import Affine

from hazardgeo import io, pipeline
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import FormatError
from hazardgeo.grid import Grid
from hazardgeo.io import written
from hazardgeo.pipeline import Manifest
from hazardgeo.raster import Raster

DISK_MB = 12
STEPS = 14
PAGE = 4096
GRID = Grid(Affine(1, 0, 500_000, 0, -1, 4e6), (600, 600), 32648)
RNG = np.random.default_rng(1)
NOISE = Raster(RNG.random(GRID.shape).astype(np.float32), GRID, "noise", "m")
POINTS = geopandas.GeoDataFrame(
    {"text": [f"a{i}" * 20 for i in range(12_000)]}, geometry=shapely.points(RNG.random((12_000, 2)) * 1000), crs=32648
)
CLOUD = PointCloud(
    RNG.random((200_000, 3)) * 1000 + 5e5, GRID.crs, {"intensity": RNG.integers(0, 60_000, 200_000).astype(np.uint16)}
)
WRITERS: dict[str, Callable[[Path], object]] = {
    "noise.tif": lambda path: io.write_raster(NOISE, path),
    "points.gpkg": lambda path: io.write_vectors({"points": POINTS}, path),
    "cloud.laz": lambda path: io.write_cloud(CLOUD, path),
    "table.csv": lambda path: io.write_table(pd.DataFrame(POINTS.drop(columns="geometry")), path),
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def leave(free: int, disk: Path) -> None:
    """Fill the disk but for `free` bytes."""
    (disk / "filler").unlink(missing_ok=True)
    state = os.statvfs(disk)
    (disk / "filler").write_bytes(b"x" * max(state.f_bavail * state.f_frsize - free, 0))


def refusal(write: Callable[[Path], object], path: Path) -> str | None:
    """What the writer says when it refuses; None where it writes."""
    try:
        write(path)
    except FormatError as error:
        return str(error)
    return None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # laspy leaves a file open that it cannot end
@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_whole_or_refused_however_full_the_disk_is(name: str, disk: Path, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    outcomes: set[bool] = set()
    for step in range(STEPS):
        leave(int(len(whole) * (0.05 + 3.4 * step / (STEPS - 1))), disk)
        said = refusal(WRITERS[name], disk / name)
        outcomes.add(said is None)
        if said is None:
            assert (disk / name).read_bytes() == whole
            (disk / name).unlink()
        else:
            assert said.startswith(f"cannot write {disk / name}: the disk is full (")
            assert "\n" not in said
        assert [p.name for p in disk.iterdir()] == ["filler"]
    assert outcomes == {True, False}


def test_what_stood_there_before_stays(disk: Path) -> None:
    (disk / "noise.tif").write_bytes(b"earlier")
    leave(100_000, disk)
    with pytest.raises(FormatError, match=r"noise\.tif: the disk is full \(0\.\d MB left\); free some space"):
        io.write_raster(NOISE, disk / "noise.tif")
    assert (disk / "noise.tif").read_bytes() == b"earlier"


def test_a_run_on_a_full_disk_leaves_the_earlier_results_and_goes_on_later(
    disk: Path, demo: tuple[Path, Manifest], tmp_path: Path
) -> None:
    scenario = tmp_path / "s.toml"
    scenario.write_text(f'[inputs]\ndem = "{(demo[0] / "rasters" / "dem.tif").as_posix()}"\n', encoding="utf-8")
    changed = pipeline.read_scenario(scenario, overrides=["terrain.slope_scale_m=30.0"])
    out, fresh = disk / "out", pipeline.run(changed, out=tmp_path / "fresh", only="terrain")
    pipeline.run(scenario, out=out, only="terrain")
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file() and ".cache" not in p.parts}
    for free in (0, 8_000, 300_000, 700_000, 750_000):
        leave(free, disk)
        with pytest.raises(FormatError, match=r"cannot write .*: the disk is full \(\d\.\d MB left\)") as refused:
            pipeline.run(changed, out=out, only="terrain")
        assert "\n" not in str(refused.value)
        assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file() and ".cache" not in p.parts} == before
        assert not [p for p in out.rglob(".*") if p.name != ".cache"]
    (disk / "filler").unlink()
    again = pipeline.run(changed, out=out, only="terrain")
    assert {f.path: f.sha256 for f in again.outputs if f.path != "resolved.toml"} == {
        f.path: f.sha256 for f in fresh.outputs if f.path != "resolved.toml"
    }


LIMITED = """
import resource, signal, sys
from pathlib import Path
from hazardgeo import io
from hazardgeo.errors import FormatError
raster = io.read_raster(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    io.write_raster(raster, sys.argv[2])
except FormatError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs limits of POSIX")
@pytest.mark.parametrize("limit", [1000, 300_000, 1_300_000])
def test_a_quota_is_one_line_too(limit: int, tmp_path: Path) -> None:
    io.write_raster(NOISE, tmp_path / "noise.tif")
    (tmp_path / "out").mkdir()
    surroundings = {**os.environ, "PYTHONPATH": str(Path(io.__file__).parents[2])}
    arguments = [str(tmp_path / "noise.tif"), str(tmp_path / "out" / "noise.tif"), str(limit)]
    found = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments], env=surroundings, capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith(f"cannot write {tmp_path / 'out' / 'noise.tif'}: ")
    assert len(found.stdout.splitlines()) == 1
    assert not list((tmp_path / "out").iterdir())


def test_a_geotiff_or_geopackage_that_lost_something_is_not_taken_for_whole(tmp_path: Path) -> None:
    for name in ("noise.tif", "points.gpkg"):
        WRITERS[name](tmp_path / name)
        written.require_whole(tmp_path / name, tmp_path / name)
        content = (tmp_path / name).read_bytes()
        for end in (len(content) - 2 * PAGE, len(content) // 2 // PAGE * PAGE, PAGE, 0):
            (tmp_path / name).write_bytes(content[:end])
            with pytest.raises(FormatError, match="after writing; check the free space and the disk"):
                written.require_whole(tmp_path / name, tmp_path / name)
