"""Damages small valid files at random and reads them: every door must read or refuse, and never crash, hang or swell.

    python tests/fuzz/doors.py --seconds 30 --seed 1 --keep found

The same seed and number of files give the same damage. Files are read in a child process with limits on memory and time.
Exit code 1 where a file brings another exception than a HazardGeoError of one line, a crash, a hang or too much memory;
such files go to the folder of --keep, each with its reason beside it.
"""

from __future__ import annotations

import argparse
import io
import json
import queue
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ADDRESS_SPACE_BYTES = 4 * 2**30  # numba, GDAL and Arrow map much more than they use
RESIDENT_BYTES = 2**30
SECONDS_PER_FILE = 10.0
SECONDS_TO_START = 60.0
BATCH_FILES = 200
FAULTS = ("other exception", "crash", "hang", "memory")
HEAD_BYTES = 512
EXTREMES = (b"", b"nan", b"inf", b"-1", b"0", b"1e309", b"99999999999999999999", b"2147483648", b"x", b"\xff")
SIDE_FILES = (".shx", ".dbf", ".prj", ".cpg")


def write_seeds(folder: Path) -> list[Path]:
    """One small valid file of each kind, most by our own writers."""
    import geopandas as gpd
    from affine import Affine
    from shapely.geometry import LineString, Point, box

    from hazardgeo.cloud import PointCloud
    from hazardgeo.crs import Height
    from hazardgeo.grid import Grid
    from hazardgeo.io import write_cloud, write_raster, write_vectors
    from hazardgeo.raster import ClassLabel, Raster

    rng = np.random.default_rng(0)
    xyz = np.column_stack([rng.uniform(500_000, 500_050, 200), rng.uniform(4e6, 4_000_050, 200), rng.uniform(1800, 1830, 200)])
    cloud = PointCloud(xyz, 32648, {"classification": np.full(200, 2, np.uint8), "echo": np.arange(200.0)}, Height("ellipsoidal"))
    for suffix in (".las", ".laz"):
        write_cloud(cloud, folder / f"cloud{suffix}")
    grid = Grid(Affine(10, 0, 500_000, 0, -10, 4_000_000), (20, 30), 32648)  # type: ignore[arg-type]
    write_raster(
        Raster(rng.normal(1800, 30, (20, 30)).astype(np.float32), grid, "elevation", "m", Height()), folder / "surface.tif"
    )
    classes = (ClassLabel(1, "low", "#00ff00"), ClassLabel(2, "high", "#ff0000"))
    write_raster(Raster(rng.integers(1, 3, (20, 30), np.uint8), grid, "level", "", classes=classes), folder / "classes.tif")
    sites = gpd.GeoDataFrame({"name": ["学校", "hall"], "people": [30, 4]}, geometry=[Point(5, 4), Point(6, 4)], crs=4326)
    zones = gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=[box(0, 0, 2, 2), box(3, 3, 4, 5)], crs=4326)
    roads = gpd.GeoDataFrame({"name": ["a"]}, geometry=[LineString([(0, 0), (1, 1), (2, 0)])], crs=4326)
    write_vectors({"sites": sites}, folder / "sites.gpkg")
    zones.to_file(folder / "zones.geojson", driver="GeoJSON")
    zones.to_file(folder / "zones.fgb", driver="FlatGeobuf")
    zones.to_parquet(folder / "zones.parquet")
    roads.to_file(folder / "roads.shp", encoding="UTF-8")
    (folder / "sites.csv").write_text("name,longitude,latitude,people\n学校,105.1,35.5,30\nhall,105.2,35.6,4\n", "utf-8")
    (folder / "dem.asc").write_text(
        "ncols 3\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 10\nNODATA_value -9999\n1 2 3\n4 -9999 6\n"
    )
    (folder / "grid.xml").write_text(_shakemap(), "utf-8")
    return sorted(p for p in folder.iterdir() if p.suffix not in SIDE_FILES)


def _shakemap() -> str:
    nodes = "\n".join(
        f"{lon} {lat} {10 + lon} {12.5} 6.1 400" for lat in (36.0, 35.5, 35.0) for lon in (102.0, 102.5, 103.0, 103.5)
    )
    names = ("LON", "dd"), ("LAT", "dd"), ("PGA", "pctg"), ("PGV", "cms"), ("MMI", "intensity"), ("SVEL", "ms")
    fields = "\n".join(f'<grid_field index="{i}" name="{n}" units="{u}" />' for i, (n, u) in enumerate(names, 1))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<shakemap_grid xmlns="http://earthquake.usgs.gov/eqcenter/shakemap" event_id="x" shakemap_version="1">
<event event_id="x" magnitude="6.2" depth="10" lat="35.7" lon="102.8" event_timestamp="2023-12-18T15:59:30Z" />
<grid_specification lon_min="102" lat_min="35" lon_max="103.5" lat_max="36" nominal_lon_spacing="0.5"
 nominal_lat_spacing="0.5" nlon="4" nlat="3" />
{fields}
<grid_data>
{nodes}
</grid_data>
</shakemap_grid>
"""


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """The bytes with one to four random injuries, of which half lie near the beginning, where headers are."""
    for _ in range(int(rng.integers(1, 5))):
        if not data:
            return data
        at = int(rng.integers(min(len(data), HEAD_BYTES) if rng.random() < 0.5 else len(data)))
        data = INJURIES[int(rng.integers(len(INJURIES)))](data, at, rng)
    return data


def _flip_bit(data: bytes, at: int, rng: np.random.Generator) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]


def _overwrite(data: bytes, at: int, rng: np.random.Generator) -> bytes:
    n = int(rng.choice([1, 2, 4, 8]))
    new = (bytes(n), b"\xff" * n, b"\x7f" * n, rng.bytes(n))[int(rng.integers(4))]
    return data[:at] + new + data[at + n :]


def _cut(data: bytes, at: int, rng: np.random.Generator) -> bytes:
    return data[:at]


def _insert(data: bytes, at: int, rng: np.random.Generator) -> bytes:
    return data[:at] + rng.bytes(int(rng.integers(1, 64))) + data[at:]


def _delete(data: bytes, at: int, rng: np.random.Generator) -> bytes:
    return data[:at] + data[at + int(rng.integers(1, 64)) :]


def _swap(data: bytes, at: int, rng: np.random.Generator) -> bytes:
    n = int(rng.integers(1, 64))
    return data[:at] + data[at + n : at + 2 * n] + data[at : at + n] + data[at + 2 * n :]


def _repeat(data: bytes, at: int, rng: np.random.Generator) -> bytes:
    n = int(rng.integers(1, 64))
    return data[: at + n] + data[at : at + n] * int(rng.integers(1, 20)) + data[at + n :]


def _other_number(data: bytes, at: int, rng: np.random.Generator) -> bytes:
    """Another text for the next number that is written in digits."""
    number = re.compile(rb"-?\d+(\.\d+)?").search(data, at)
    if number is None:
        return data
    return data[: number.start()] + EXTREMES[int(rng.integers(len(EXTREMES)))] + data[number.end() :]


INJURIES: tuple[Callable[[bytes, int, np.random.Generator], bytes], ...] = (
    _flip_bit, _overwrite, _overwrite, _cut, _insert, _delete, _swap, _repeat, _other_number,
)  # fmt: skip


def write_damaged(seed: Path, folder: Path, rng: np.random.Generator) -> Path:
    """A damaged copy of the file, or of one of the files beside it that belong to it, in a folder of its own."""
    folder.mkdir()
    parts = sorted(p for p in seed.parent.iterdir() if p.stem == seed.stem and p.suffix in (seed.suffix, *SIDE_FILES))
    hurt = parts[int(rng.integers(len(parts)))]
    for part in parts:
        data = part.read_bytes()
        (folder / part.name).write_bytes(damaged(data, rng) if part == hurt else data)
    return folder / seed.name


def read_by_suffix(path: Path) -> None:
    """Read the file through the door that its name asks for."""
    from hazardgeo.io import cloud_info, read_cloud, read_raster, read_shakemap, read_vector

    match path.suffix:
        case ".las" | ".laz":
            cloud_info(path)
            read_cloud(path)
        case ".tif":
            read_raster(path)
        case ".asc":
            read_raster(path, crs=32648)
        case ".xml":
            read_shakemap(path)
        case _:
            read_vector(path)


def outcome(path: Path) -> tuple[str, str]:
    """What the door does with the file, and the detail of what it must not do."""
    from hazardgeo.errors import HazardGeoError

    try:
        read_by_suffix(path)
    except HazardGeoError as error:
        return ("refused", "") if "\n" not in str(error) else ("other exception", f"more than one line: {error}")
    except BaseException:  # noqa: BLE001 - the question is whether anything else comes
        return "other exception", traceback.format_exc()
    return "read", ""


def child() -> None:
    """Read each file named on standard input, and answer each with one line."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, io.StringIO()
    for line in sys.stdin:
        what, detail = outcome(Path(line.rstrip("\n")))
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if resident > RESIDENT_BYTES and what in ("read", "refused"):
            what, detail = "memory", f"{resident / 2**20:.0f} MiB resident"
        answers.write(json.dumps([what, detail]) + "\n")
        answers.flush()


class Reader:
    """A child process that reads files, replaced by a new one when it dies, hangs or has swollen."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str] = queue.Queue()
        self._reads = 0

    def ask(self, path: Path) -> tuple[str, str]:
        if self._process is None or self._reads >= BATCH_FILES:
            self.stop()
            self._start()
        process, limit = self._process, SECONDS_PER_FILE + (SECONDS_TO_START if self._reads == 0 else 0)
        assert process is not None
        assert process.stdin is not None
        self._reads += 1
        try:
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
            answer = self._answers.get(timeout=limit)
        except queue.Empty:
            self.stop()
            return "hang", f"no answer within {limit:g} s"
        except BrokenPipeError:
            answer = ""
        if not answer:
            code = process.wait()
            self.stop()
            return "crash", f"the child ended with code {code}"
        what, detail = json.loads(answer)
        if what == "memory":
            self.stop()
        return what, detail

    def _start(self) -> None:
        command = [sys.executable, "-P", __file__, "--child"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        answers: queue.Queue[str] = queue.Queue()

        def pump() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                answers.put(line)
            answers.put("")

        threading.Thread(target=pump, daemon=True).start()
        self._process, self._answers, self._reads = process, answers, 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


def run(seeds: list[Path], scratch: Path, *, seed: int, numbers: Iterator[int], keep: Path | None) -> dict[str, Counter[str]]:
    """Outcomes by kind of file."""
    reader, counts = Reader(), {p.name: Counter[str]() for p in seeds}
    try:
        for i in numbers:
            original = seeds[i % len(seeds)]
            folder = scratch / f"{i:06d}"
            path = write_damaged(original, folder, np.random.default_rng([seed, i]))
            what, detail = reader.ask(path)
            counts[original.name][what] += 1
            if what in FAULTS:
                sys.stdout.write(f"{what}: seed {seed}, file {i} ({original.name}): {detail.strip().splitlines()[-1]}\n")
                if keep is not None:
                    kept = keep / f"{seed}-{i:06d}"
                    shutil.copytree(folder, kept, dirs_exist_ok=True)
                    (kept / "reason.txt").write_text(f"{what}\n{detail}\n", "utf-8")
            shutil.rmtree(folder)
    finally:
        reader.stop()
    return counts


def _numbers(seconds: float | None, files: int) -> Iterator[int]:
    until = None if seconds is None else time.monotonic() + seconds
    i = 0
    while (i < files) if until is None else (time.monotonic() < until):
        yield i
        i += 1


def main() -> int:
    """Run, show the outcomes and say 1 where there is a fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, help="how long to go on; else --files decides")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default="", help="only seeds with these suffixes, such as .laz,.tif")
    parser.add_argument("--keep", type=Path, help="folder for the files that bring a fault")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child()
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        (originals := Path(temporary) / "seeds").mkdir()
        (scratch := Path(temporary) / "damaged").mkdir()
        seeds = [p for p in write_seeds(originals) if not options.kinds or p.suffix in options.kinds.split(",")]
        numbers = _numbers(options.seconds, options.files)
        counts = run(seeds, scratch, seed=options.seed, numbers=numbers, keep=options.keep)
    total: Counter[Any] = sum(counts.values(), Counter())
    for name, of in [*counts.items(), ("all", total)]:
        said = ", ".join(f"{n} {what}" for what, n in sorted(of.items()))
        sys.stdout.write(f"{name}: {of.total()} files: {said}\n")
    return int(any(total[fault] for fault in FAULTS))


if __name__ == "__main__":
    sys.exit(main())
