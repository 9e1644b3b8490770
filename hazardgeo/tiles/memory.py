"""How much memory there is, how much is used, and how many workers fit."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

import psutil

from hazardgeo.errors import ConfigError

SAMPLE_EVERY_S = 0.05
_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # version 2, version 1
_USED = ("memory.current", "memory/memory.usage_in_bytes")
_NO_LIMIT = 2**60
_SHARE = 0.8  # of what is free; the rest is for the system
_WORKER_BYTES = 200_000_000  # Python with its libraries


def available_bytes(cgroup: Path = _CGROUP) -> int:
    """Memory that this process may still take: what the machine has free, and no more than its control group allows."""
    free = int(psutil.virtual_memory().available)
    for limit_file, used_file in zip(_LIMITS, _USED, strict=True):
        limit, used = _number(cgroup / limit_file), _number(cgroup / used_file)
        if limit is not None and limit < _NO_LIMIT:
            free = min(free, max(limit - (used or 0), 0))
    return free


def processors(cgroup: Path = _CGROUP) -> int:
    """Processors that this process may use: its affinity, and the whole part of its control group's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return count if quota == "max" else max(1, min(count, int(quota) // int(period)))
    except (OSError, ValueError):
        return count


def jobs_that_fit(jobs: int | None, *, bytes_per_job: int) -> int:
    """How many workers to start: `jobs` (all processors when None), as far as memory reaches, at least 1.

    `bytes_per_job` is what the work on one tile takes; the worker itself is added. Raises ConfigError for less than one.
    """
    if jobs is not None and jobs < 1:
        raise ConfigError(f"the number of jobs must be at least 1, not {jobs}.")
    by_memory = int(available_bytes() * _SHARE) // (bytes_per_job + _WORKER_BYTES)
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
