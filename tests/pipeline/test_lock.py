"""One run at a time in a folder."""

from __future__ import annotations

import errno
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hazardgeo.errors import FormatError, HazardGeoWarning
from hazardgeo.pipeline import lock

HOLDER = """
import sys, time
from pathlib import Path
from hazardgeo.pipeline import lock
with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def another(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of a folder."""
    surroundings = {**os.environ, "PYTHONPATH": str(Path(lock.__file__).parents[2])}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        cwd=folder,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_a_second_run_in_a_folder_is_refused_at_once_with_the_process_named(tmp_path: Path) -> None:
    with another(tmp_path) as holder:
        with (
            pytest.raises(FormatError, match=f"process {holder.pid} on {platform.node()}, since .* UTC") as refused,
            lock.held(tmp_path),
        ):
            pass
        assert "\n" not in str(refused.value)


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_died_holds_no_lock(kill: signal.Signals, tmp_path: Path) -> None:
    with another(tmp_path) as holder:
        holder.send_signal(kill)
        holder.wait()
        with lock.held(tmp_path):
            assert json.loads((tmp_path / lock.FILE).read_text())["pid"] == os.getpid()
    assert not (tmp_path / lock.FILE).exists()


def test_the_lock_ends_with_an_error_or_ctrl_c_in_the_block(tmp_path: Path) -> None:
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), lock.held(tmp_path):
            raise error
        with lock.held(tmp_path):
            pass


def test_the_same_process_cannot_run_twice_in_a_folder(tmp_path: Path) -> None:
    with lock.held(tmp_path), pytest.raises(FormatError, match="another run is at work"), lock.held(tmp_path):
        pass


def test_a_file_left_by_a_run_that_died_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / lock.FILE).write_text('{"pid": 1, "host": "elsewhere", "since": "yesterday"}', encoding="utf-8")
    with lock.held(tmp_path):
        pass


def test_a_link_in_place_of_the_lock_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim.txt").write_text("precious", encoding="utf-8")
    try:
        (tmp_path / lock.FILE).symlink_to(tmp_path / "victim.txt")
    except OSError:
        pytest.skip("needs the right to make links")
    if not hasattr(os, "O_NOFOLLOW"):
        pytest.skip("needs O_NOFOLLOW")
    with pytest.raises(FormatError, match=r"\.lock is a link to another file; delete"), lock.held(tmp_path):
        pass
    assert (tmp_path / "victim.txt").read_text(encoding="utf-8") == "precious"


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drive without locks, as some network drives are."""
    fcntl = pytest.importorskip("fcntl", reason="needs POSIX locks")

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize(
    ("holder", "dead"),
    [
        ({}, True),
        ({"pid": os.getpid(), "started": 1.0, "host": platform.node()}, True),  # another process had this number before
        ({"pid": 2**22 + 1, "started": 1.0, "host": platform.node()}, True),
        ({"pid": 1, "started": 1.0, "host": "elsewhere"}, False),
    ],
)
def test_on_a_drive_without_locks_the_named_process_counts(holder: dict[str, Any], dead: bool, tmp_path: Path) -> None:
    (tmp_path / lock.FILE).write_text(json.dumps(holder), encoding="utf-8")
    if dead:
        with pytest.warns(HazardGeoWarning, match="on a drive without locks"), lock.held(tmp_path):
            pass
    else:
        with (
            pytest.raises(FormatError, match=r"process 1 on elsewhere.* If it no longer runs, delete .*\.lock"),
            lock.held(tmp_path),
        ):
            pass


@pytest.mark.usefixtures("no_locks")
def test_on_a_drive_without_locks_a_living_run_is_respected(tmp_path: Path) -> None:
    with (
        pytest.warns(HazardGeoWarning, match="without locks"),
        lock.held(tmp_path),
        pytest.raises(FormatError, match=f"process {os.getpid()}"),
        lock.held(tmp_path),
    ):
        pass
