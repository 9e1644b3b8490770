from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import deadly
import numpy as np
import pytest

import hazardgeo
from hazardgeo import tiles
from hazardgeo.errors import ConfigError, HazardGeoWarning, TileError
from hazardgeo.tiles import Call, Cluster, Scratch, cluster, plan

distributed = pytest.importorskip("distributed", reason="needs distributed: pip install 'hazardgeo[cluster]'")

Keep = Callable[..., Scratch]
VALUES = np.random.default_rng(5).normal(1800, 5, (61, 47)).astype(np.float32)
ROOTS = (Path(hazardgeo.__file__).parents[1], Path(deadly.__file__).parent)
PRELUDE = "import sys; sys.path[:0] = {paths!r}; {before}; from distributed.cli.{program} import main; main()"


@contextmanager
def program(name: str, *arguments: str, before: str = "pass", cwd: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler or a worker as a program of its own, ended with all that it started."""
    code = PRELUDE.format(paths=[str(root) for root in ROOTS], before=before, program=name)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], start_new_session=True, cwd=cwd, **quiet)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def worker(address: str, *more: str, before: str = "pass", cwd: Path | None = None) -> Any:
    return program("dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", *more, before=before, cwd=cwd)


@contextmanager
def scheduler() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with program("dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard") as process:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"tcp://127.0.0.1:{port}", process


def wait_for_workers(address: str, count: int) -> None:
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=20)


@pytest.fixture
def local(two_workers: Any) -> Any:
    """Two workers with nannies, which have started them again where an earlier test killed them."""
    with distributed.Client(two_workers.scheduler_address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=20)
    return two_workers


@pytest.fixture(scope="module")
def two_workers() -> Iterator[Any]:
    import dask

    forgiving = {"distributed.deploy.lost-worker-timeout": "1h"}  # else a LocalCluster drops workers that died twice in 15 s
    with pytest.MonkeyPatch.context() as patch, dask.config.set(forgiving):
        patch.setenv("PYTHONPATH", os.pathsep.join(str(root) for root in ROOTS))
        with distributed.LocalCluster(
            processes=True, threads_per_worker=1, n_workers=2, dashboard_address=None, silence_logs=50
        ) as cluster:
            yield cluster


def sink_for(source: Scratch, folder: Path, tile_cells: int) -> Scratch:
    return Scratch(folder, source.grid, tile_cells)


def test_a_cluster_gives_what_one_process_gives(local: Any, keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    sink = sink_for(source, tmp_path / "sink", 16)
    tiles.map(deadly.doubled, {"raster": source}, sink, tile_cells=16, executor=Cluster(local.scheduler_address))
    np.testing.assert_array_equal(sink.read(sink.grid).values, VALUES * 2)


def test_tiles_whose_worker_is_killed_are_done_again_and_nothing_is_lost(local: Any, keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    sink = sink_for(source, tmp_path / "sink", 13)
    (tmp_path / "killed").mkdir()
    options = {"folder": str(tmp_path / "killed"), "every": 10}
    tiles.map(
        deadly.dies_once, {"raster": source}, sink, tile_cells=13, executor=Cluster(local.scheduler_address), options=options
    )
    np.testing.assert_array_equal(sink.read(sink.grid).values, VALUES * 2)
    killed, all_tiles = len(list((tmp_path / "killed").iterdir())), len(plan(source.grid, tile_cells=13))
    assert killed / all_tiles > 0.08


def test_a_tile_that_always_kills_its_worker_is_named_and_the_others_are_kept(local: Any, keep: Keep, tmp_path: Path) -> None:
    source = keep(VALUES)
    sink = sink_for(source, tmp_path / "sink", 16)
    names = [t.name for t in plan(source.grid, tile_cells=16)]
    with pytest.raises(TileError, match=rf"tile {names[4].replace('+', '.')} of {len(names)} failed: .* lost 3 times"):
        tiles.map(
            deadly.dies_always,
            {"raster": source},
            sink,
            tile_cells=16,
            executor=Cluster(local.scheduler_address),
            options={"name": names[4]},
        )
    done = [t.name for t in plan(source.grid, tile_cells=16) if sink.has(sink.folder, t)]
    assert sorted(done) == sorted(set(names) - {names[4]})


def test_no_worker_has_more_than_two_calls_and_no_message_is_large(
    local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed.comm.tcp import TCP

    sizes, most, write = list[int](), list[int](), TCP.write

    async def weighed(self: Any, *arguments: Any, **more: Any) -> Any:
        sizes.append(await write(self, *arguments, **more) or 0)
        most.append(max((len(state.processing) for state in local.scheduler.workers.values()), default=0))
        return sizes[-1]

    monkeypatch.setattr(TCP, "write", weighed)  # all that this process sends: as the client, and as the scheduler
    calls = (Call(f"t{i}", os.path.basename, (f"{'x' * 100_000}/{i}",)) for i in range(60))
    found = list(Cluster(local.scheduler_address).run(calls))
    assert sorted(int(o.value) for o in found) == list(range(60))
    assert len(sizes) > 60
    assert max(sizes) > 100_000  # the calls were among them
    assert max(sizes) < 1_000_000
    assert max(most) <= 2


def test_an_answer_that_is_too_large_is_an_error_and_not_sent(local: Any) -> None:
    (found,) = Cluster(local.scheduler_address).run([Call("t", bytes, (2_000_000,))])
    assert found.value is None
    assert "its answer takes 2,000,0" in str(found.error)


def test_workers_take_one_thread_of_each_library(local: Any) -> None:
    (found,) = Cluster(local.scheduler_address).run([Call("t", deadly.threads, ())])
    assert found.value == (1, "1", "1")


def test_a_client_that_is_given_stays_open(local: Any) -> None:
    with distributed.Client(local.scheduler_address, set_as_default=False) as client:
        for _ in range(2):
            assert [o.value for o in Cluster(client).run([Call("t", len, ("four",))])] == [4]
        assert client.status == "running"


def test_what_is_pending_ends_with_the_block(local: Any) -> None:
    calls = (Call(f"t{i}", time.sleep, (0.3,)) for i in range(1000))
    found = Cluster(local.scheduler_address).run(calls)
    next(found)
    found.close()  # type: ignore[attr-defined]
    time.sleep(0.5)
    assert local.scheduler.tasks == {}


def test_a_scheduler_that_does_not_answer_or_has_no_workers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_SECONDS_TO_CONNECT", 0.5)
    for address in ("tcp://127.0.0.1:1", "nonsense", "foo://host:1", "tcp://127.0.0.1"):
        with pytest.raises(ConfigError, match="does not answer") as refused:
            Cluster(address)
        assert "\n" not in str(refused.value)
    with scheduler() as (address, _), pytest.raises(ConfigError, match="has no workers; start some with: dask worker"):
        Cluster(address)


def test_workers_that_run_other_code_or_lack_files_are_refused_before_the_work(tmp_path: Path) -> None:
    other = "import hazardgeo; hazardgeo.__version__ = '0.0.9'"
    lacking = "sys.modules['hazardgeo'] = None"
    edited = "import hazardgeo.tiles.admission as a; a.code_hash = lambda: 'edited'"
    older = "import platform; platform.python_version = lambda: '3.9.1'"
    reasons = {other: "has hazardgeo 0.0.9", lacking: "has no hazardgeo", edited: "has other files", older: "runs Python 3.9.1"}
    with scheduler() as (address, _):
        for before, reason in reasons.items():
            with worker(address, before=before):
                wait_for_workers(address, 1)
                with pytest.raises(ConfigError, match=f"the Dask worker tcp://.* {reason}") as refused:
                    Cluster(address)
                assert "\n" not in str(refused.value)


def test_a_worker_that_does_not_see_the_files_is_refused_before_the_work(
    keep: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = keep(VALUES)
    with scheduler() as (address, _), worker(address, "--nthreads", "3", cwd=tmp_path):
        wait_for_workers(address, 1)
        with pytest.warns(HazardGeoWarning, match="several threads, of which one is used"):
            executor = Cluster(address)
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        sink = sink_for(source, Path("sink"), 32)
        with pytest.raises(ConfigError, match="does not see sink, which is no whole path"):
            tiles.map(deadly.doubled, {"raster": source}, sink, tile_cells=32, executor=executor)
        assert [p.name for p in (tmp_path / "here" / "sink").iterdir()] == ["work.key"]


@pytest.mark.slow
def test_workers_may_come_and_go_and_a_scheduler_that_ends_is_said() -> None:
    calls = (Call(f"t{i}", time.sleep, (0.05,)) for i in range(10_000))
    with scheduler() as (address, process), worker(address) as first:
        wait_for_workers(address, 1)
        found = Cluster(address).run(calls)
        next(found)
        with worker(address):
            wait_for_workers(address, 2)
            os.killpg(first.pid, signal.SIGKILL)
            assert [next(found).fatal for _ in range(40)] == [""] * 40
            process.kill()
            with pytest.raises(ConfigError, match="connection to the Dask scheduler was lost, and what is done is kept") as said:
                list(found)
            assert "\n" not in str(said.value)


def test_work_without_any_worker_left_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_SECONDS_WITHOUT_WORKERS", 1.0)
    with scheduler() as (address, _):
        with worker(address):
            wait_for_workers(address, 1)
            found = Cluster(address).run(Call(f"t{i}", time.sleep, (0.05,)) for i in range(10_000))
            next(found)
        with pytest.raises(ConfigError, match="no Dask worker is left to work with, and what is done is kept"):
            list(found)


@pytest.mark.slow
def test_a_later_worker_that_does_not_fit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with scheduler() as (address, _), worker(address):
        wait_for_workers(address, 1)
        found = Cluster(address).run(Call(f"t{i}", time.sleep, (0.05,)) for i in range(60))
        next(found)
        with worker(address, before="import hazardgeo; hazardgeo.__version__ = '0.0.9'"):
            wait_for_workers(address, 2)
            with pytest.warns(HazardGeoWarning, match=r"has hazardgeo 0\.0\.9, .*; it is left out"):
                assert len(list(found)) == 59


@pytest.mark.slow
def test_ctrl_c_ends_the_work_at_once_and_leaves_nothing_pending(local: Any, keep: Keep, tmp_path: Path) -> None:
    code = (
        f"import signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # also below a shell's &
        f"sys.path[:0] = {[str(root) for root in ROOTS]!r}\n"
        f"from hazardgeo.tiles import Call, Cluster\n"
        f"for _ in Cluster({local.scheduler_address!r}).run(Call(str(i), time.sleep, (0.2,)) for i in range(1000)):\n"
        f"    print('one', flush=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    with process, process.stdout as lines:
        lines.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
    time.sleep(0.5)
    assert local.scheduler.tasks == {}
