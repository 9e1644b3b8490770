"""How much memory there is, how much is used, and how many workers fit."""

from __future__ import annotations

import os
import threading
from pathlib import Path, PurePosixPath
from types import TracebackType

import psutil

from hazardgeo.errors import ConfigError

SAMPLE_EVERY_S = 0.05
_CGROUP = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")
_NO_LIMIT = 2**60
_SHARE = 0.8  # of what is free; the rest is for the system
WORKER_BYTES = 200_000_000  # Python with its libraries


def available_bytes(cgroup: Path = _CGROUP, own_group: Path = _OWN_GROUP) -> int:
    """Memory that this process may still take: what the machine has free, and no more than each of its control groups allows.

    A group's limit binds all that are nested in it. Files that were read and may be forgotten again do not count as used.
    """
    free = int(psutil.virtual_memory().available)
    for group in _groups(cgroup, own_group, "memory"):
        limits = [_number(group / name) for name in ("memory.max", "memory.high", "memory.limit_in_bytes")]
        used = _number(group / "memory.current") or _number(group / "memory.usage_in_bytes") or 0
        limit = min((value for value in limits if value is not None), default=_NO_LIMIT)
        if limit < _NO_LIMIT:
            free = min(free, max(limit - max(used - _forgettable(group), 0), 0))
    return free


def processors(cgroup: Path = _CGROUP, own_group: Path = _OWN_GROUP) -> int:
    """Processors that this process may use: its affinity, and the whole part of the quotas of its control groups."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _groups(cgroup, own_group, "cpu"):
        quota, period = _quota(group)
        if quota > 0 and period > 0:
            count = min(count, quota // period)
    return max(1, count)


def _groups(cgroup: Path, own_group: Path, controller: str) -> list[Path]:
    """The control groups that this process is in, innermost first, of version 2 and of version 1.

    In a container the path may be that of the host, which is not to be seen there: its own group is then the root.
    """
    try:
        lines = [line.split(":", 2) for line in own_group.read_text().splitlines()]
    except OSError:
        lines = [["0", "", "/"], ["1", controller, "/"]]
    found = []
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if controllers and controller not in controllers.split(","):
            continue
        inner = PurePosixPath(path.lstrip("/"))
        nested = [] if ".." in inner.parts else [inner, *inner.parents]
        roots = [cgroup / controller, cgroup / controllers] if controllers else [cgroup, cgroup / "unified"]
        found += [root / part for root in roots for part in nested or [PurePosixPath()]]
    return list(dict.fromkeys(found))


def _quota(group: Path) -> tuple[int, int]:
    """Microseconds of processor time in each period, and the period; (0, 0) for no limit."""
    try:
        quota, period = (group / "cpu.max").read_text().split()
        return (0, 0) if quota == "max" else (int(quota), int(period))
    except (OSError, ValueError):
        return _number(group / "cpu.cfs_quota_us") or 0, _number(group / "cpu.cfs_period_us") or 0


def _forgettable(group: Path) -> int:
    try:
        rows = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return int(rows.get("total_inactive_file", rows.get("inactive_file", 0)))
    except (OSError, ValueError):
        return 0


def jobs_that_fit(jobs: int | None, *, bytes_per_job: int) -> int:
    """How many workers to start: `jobs` (all processors when None), as far as memory reaches, at least 1.

    `bytes_per_job` is what the work on one tile takes; the worker itself is added. Raises ConfigError for less than one.
    """
    if jobs is not None and jobs < 1:
        raise ConfigError(f"the number of jobs must be at least 1, not {jobs}.")
    by_memory = int(available_bytes() * _SHARE) // (bytes_per_job + WORKER_BYTES)
    return max(1, min(processors() if jobs is None else jobs, by_memory))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return None


class PeakMemory:
    """Samples the memory of this process and its children while a block runs; `megabytes` holds the peak."""

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        own = psutil.Process()
        total = own.memory_info().rss
        for child in own.children(recursive=True):
            try:
                total += child.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        self.megabytes = max(self.megabytes, total / 1e6)
