from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from hazardgeo import tiles
from hazardgeo.errors import ConfigError, HazardGeoWarning
from hazardgeo.tiles import InProcess, Pool, available_bytes, memory, processors
from hazardgeo.tiles.choose import executor

MB = 1_000_000


def groups(root: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A folder of control groups, and the file that names those of this process."""
    for name, text in files.items():
        (root / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "cgroup" / name).write_text(text)
    (root / "self").write_text(own)
    return root / "cgroup", root / "self"


def test_the_limit_of_a_nested_group_of_version_2_counts(tmp_path: Path) -> None:
    files = {
        "a/b/memory.max": f"{100 * MB}\n",
        "a/b/memory.current": f"{30 * MB}\n",
        "a/memory.max": "max\n",
        "a/memory.current": "5\n",
    }
    assert available_bytes(*groups(tmp_path, "0::/a/b\n", files)) == 70 * MB


def test_the_limit_of_a_parent_binds_too(tmp_path: Path) -> None:
    files = {
        "a/b/memory.max": f"{100 * MB}\n",
        "a/b/memory.current": f"{30 * MB}\n",
        "a/memory.max": f"{60 * MB}\n",
        "a/memory.high": f"{50 * MB}\n",
        "a/memory.current": f"{40 * MB}\n",
    }
    assert available_bytes(*groups(tmp_path, "0::/a/b\n", files)) == 10 * MB


def test_files_that_may_be_forgotten_are_not_used_memory(tmp_path: Path) -> None:
    files = {
        "memory.max": f"{100 * MB}\n",
        "memory.current": f"{99 * MB}\n",
        "memory.stat": f"anon {9 * MB}\ninactive_file {80 * MB}\nactive_file {10 * MB}\n",
    }
    assert available_bytes(*groups(tmp_path, "0::/\n", files)) == 81 * MB


def test_the_limit_of_a_nested_group_of_version_1_counts_and_no_limit_is_none(tmp_path: Path) -> None:
    own = "9:name=systemd:/\n4:memory:/jobs/7\n3:cpu,cpuacct:/jobs\n0::/\n"
    files = {
        "memory/jobs/7/memory.limit_in_bytes": "9223372036854771712\n",
        "memory/jobs/memory.limit_in_bytes": f"{100 * MB}\n",
        "memory/jobs/memory.usage_in_bytes": f"{40 * MB}\n",
        "cpu,cpuacct/jobs/cpu.cfs_quota_us": "100000\n",
        "cpu,cpuacct/jobs/cpu.cfs_period_us": "100000\n",
    }
    cgroup, own_group = groups(tmp_path, own, files)
    assert available_bytes(cgroup, own_group) == 60 * MB
    assert processors(cgroup, own_group) == 1


def test_a_container_that_sees_only_its_own_group_at_the_root_is_bound_by_it(tmp_path: Path) -> None:
    files = {"memory.max": f"{100 * MB}\n", "memory.current": "0\n", "cpu.max": "50000 100000\n"}
    for own in ("0::/docker/4f2a\n", "0::/../other\n"):
        cgroup, own_group = groups(tmp_path, own, files)
        assert available_bytes(cgroup, own_group) == 100 * MB
        assert processors(cgroup, own_group) == 1  # half a processor is one


def test_the_quota_of_a_parent_binds_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    files = {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "350000 100000\n", "cpu.max": "900000 100000\n"}
    assert processors(*groups(tmp_path, "0::/a/b\n", files)) == 3


def test_without_control_groups_the_machine_counts(tmp_path: Path) -> None:
    free = available_bytes(tmp_path, tmp_path / "self")
    assert free == pytest.approx(psutil.virtual_memory().available, rel=0.2)
    assert processors(tmp_path, tmp_path / "self") >= 1


def test_one_job_runs_here_and_several_in_a_pool() -> None:
    assert isinstance(executor(jobs=1, bytes_per_job=MB), InProcess)
    two = executor(jobs=2, bytes_per_job=MB)
    assert isinstance(two, Pool)
    assert two.workers == 2


def test_fewer_jobs_than_asked_are_said_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 GB is free, of which 800 MB may be taken; a job takes 150 MB and its process 200 MB: two fit."""
    for module in ("memory", "choose"):
        monkeypatch.setattr(f"hazardgeo.tiles.{module}.available_bytes", lambda: 1000 * MB)
    with pytest.warns(HazardGeoWarning, match=r"2 of 8 jobs are started: 1,000 MB of memory are free, and each job takes 350 MB"):
        assert executor(jobs=8, bytes_per_job=150 * MB).workers == 2
    monkeypatch.setattr(memory, "processors", lambda: 8)
    assert executor(bytes_per_job=150 * MB).workers == 2  # nobody asked for more


def test_jobs_and_a_scheduler_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"jobs \(2\) are for this machine and a scheduler \(tcp://far:1\) for others"):
        executor(jobs=2, scheduler="tcp://far:1", bytes_per_job=MB)
    with pytest.raises(ConfigError, match="at least 1, not 0"):
        executor(jobs=0, bytes_per_job=MB)


def test_what_is_chosen_is_a_public_name() -> None:
    assert tiles.executor is executor
