"""Damages small valid files at random and reads them: every door must read or refuse, and never crash, hang or swell.

    python tests/fuzz/doors.py --files 1000 --seed 1 --keep found

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
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent))
from seeds import EPSG, Seed, with_checksums, write_seeds

ADDRESS_SPACE_BYTES = 4 * 2**30  # numba, GDAL and Arrow map much more than they use
RESIDENT_BYTES = 2**30
SECONDS_PER_FILE = 10.0  # of a processor: a busy machine is no hang
WAITING_SECONDS_PER_FILE = 120.0  # of the clock: waiting for ever is one
SECONDS_TO_START = 60.0
BATCH_FILES = 200
FAULTS = ("other exception", "crash", "hang", "memory")
HEAD_BYTES = 512
EXTREMES = (b"", b"nan", b"inf", b"-1", b"0", b"1e309", b"99999999999999999999", b"2147483648", b"x", b"\xff")
WHOLE_NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """The bytes with one to three random injuries, of which half lie near the beginning, where headers are."""
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
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


def _whole_number(data: bytes, at: int, rng: np.random.Generator) -> bytes:
    """An extreme, or a size near that of the file, in place of an aligned whole number of 2, 4 or 8 bytes."""
    n = int(rng.choice([2, 4, 8]))
    at -= at % (n if rng.random() < 0.5 else 1)
    sizes = (len(data) - at, len(data) - 1, len(data), len(data) + 1, len(data) * 3)
    number = [*WHOLE_NUMBERS, *sizes][int(rng.integers(len(WHOLE_NUMBERS) + len(sizes)))]
    return data[:at] + (number % 256**n).to_bytes(n, "little" if rng.random() < 0.8 else "big") + data[at + n :]


INJURIES: tuple[Callable[[bytes, int, np.random.Generator], bytes], ...] = (
    _flip_bit, _overwrite, _overwrite, _whole_number, _whole_number, _cut, _insert, _delete, _swap, _repeat, _other_number,
)  # fmt: skip


def write_damaged(seed: Seed, folder: Path, rng: np.random.Generator) -> Path:
    """A copy of the folder of the seed in which one file is damaged, mostly the seed itself."""
    parts = sorted(seed.path.parent.iterdir())
    hurt = seed.path if rng.random() < 0.5 else parts[int(rng.integers(len(parts)))]
    folder.mkdir()
    for part in parts:
        data = part.read_bytes()
        if part == hurt:
            data = damaged(data, rng)
            if part.suffix == ".e57" and rng.random() < 0.8:
                data = with_checksums(data)  # else its library looks no further
        (folder / part.name).write_bytes(data)
    return folder / seed.path.name


def read_by_name(path: Path) -> None:
    """Read the file through the door that its name asks for."""
    from hazardgeo import io as doors
    from hazardgeo.errors import HazardGeoError
    from hazardgeo.io import products
    from hazardgeo.pipeline import read_scenario

    match path.name, path.suffix:
        case _, ".las" | ".laz":
            with suppress(HazardGeoError):
                doors.cloud_info(path)
            with suppress(HazardGeoError):
                doors.salvage_laz(path, path.with_suffix(".saved.las"))
            doors.read_cloud(path)
        case _, ".e57":
            doors.e57_stations(path)
            doors.read_cloud(path, crs=EPSG)
        case _, ".ply" | ".pcd":
            doors.read_cloud(path, crs=EPSG)
        case _, ".xyz":
            doors.read_xyz(path, layout="x y z intensity", crs=EPSG)
        case _, ".tif" | ".vrt" | ".nc":
            doors.read_raster(path)
        case _, ".asc":
            doors.read_raster(path, crs=EPSG)
        case "grid.xml", _:
            doors.read_shakemap(path)
        case "uncertainty.xml", _:
            doors.read_shakemap(path.with_name("grid.xml"), uncertainty_xml=path)
        case "metadata.xml", _:
            products.statement(path)
        case _, ".toml":
            read_scenario(path)
        case _, ".pbf":
            doors.read_vector(path, layer="points")
        case _:
            doors.read_vector(path)


def outcome(path: Path) -> tuple[str, str]:
    """What the door does with the file, and the detail of what it must not do."""
    from hazardgeo.errors import HazardGeoError

    try:
        read_by_name(path)
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
            answer = self._answer(process, limit)
        except queue.Empty:
            self.stop()
            return "hang", f"no answer within {limit:g} s of a processor or {WAITING_SECONDS_PER_FILE:g} s of the clock"
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

    def _answer(self, process: subprocess.Popen[str], limit: float) -> str:
        """The next line of the child; queue.Empty when it has worked `limit` seconds on it, or waited too long."""
        began, before = time.monotonic(), _processor_seconds(process.pid)
        while True:
            try:
                return self._answers.get(timeout=1.0)
            except queue.Empty:
                worked = _processor_seconds(process.pid) - before
                if worked > limit or time.monotonic() - began > WAITING_SECONDS_PER_FILE:
                    raise

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
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    assert pipe is not None
                    pipe.close()
        self._process = None


def _processor_seconds(pid: int) -> float:
    """What a process and its children have worked; 0 for one that has ended."""
    with suppress(psutil.NoSuchProcess):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


def run(seeds: list[Seed], scratch: Path, *, seed: int, numbers: Iterator[int], keep: Path | None) -> dict[str, Counter[str]]:
    """Outcomes by kind of file."""
    reader, counts = Reader(), {s.kind: Counter[str]() for s in seeds}
    try:
        for i in numbers:
            original = seeds[i % len(seeds)]
            folder = scratch / f"{i:06d}"
            path = write_damaged(original, folder, np.random.default_rng([seed, i]))
            what, detail = reader.ask(path)
            counts[original.kind][what] += 1
            if what in FAULTS:
                sys.stdout.write(f"{what}: seed {seed}, file {i} ({original.kind}): {detail.strip().splitlines()[-1]}\n")
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
    parser.add_argument("--kinds", default="", help="only kinds that begin so or suffixes, such as laz,.tif")
    parser.add_argument("--keep", type=Path, help="folder for the files that bring a fault")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child()
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        (originals := Path(temporary) / "seeds").mkdir()
        (scratch := Path(temporary) / "damaged").mkdir()
        wanted = options.kinds.split(",")
        seeds = [s for s in write_seeds(originals) if any(s.kind.startswith(w) or s.path.suffix == w for w in wanted)]
        unread = unread_seeds(seeds)
        numbers = _numbers(options.seconds, options.files)
        counts = run(seeds, scratch, seed=options.seed, numbers=numbers, keep=options.keep)
    show(counts)
    return int(bool(unread) or any(of[fault] for of in counts.values() for fault in FAULTS))


def unread_seeds(seeds: list[Seed]) -> list[Seed]:
    """The seeds that no door reads even while they are whole, each of which is told."""
    reader, unread = Reader(), []
    for seed in seeds:
        what, detail = reader.ask(seed.path)
        if what != "read":
            sys.stdout.write(f"the whole seed {seed.kind} is not read: {what} {detail.strip()}\n")
            unread.append(seed)
    reader.stop()
    return unread


def show(counts: dict[str, Counter[str]]) -> None:
    """The outcomes as a table, kind by kind and for all."""
    total: Counter[str] = sum(counts.values(), Counter())
    width = max(map(len, counts))
    outcomes = ("read", "refused", *FAULTS)
    sys.stdout.write(f"{'kind':{width}} {'files':>7} " + " ".join(f"{o:>15}" for o in outcomes) + "\n")
    for kind, of in [*counts.items(), ("all", total)]:
        sys.stdout.write(f"{kind:{width}} {of.total():>7} " + " ".join(f"{of[o]:>15}" for o in outcomes) + "\n")


if __name__ == "__main__":
    sys.exit(main())
