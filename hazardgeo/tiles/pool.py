"""Processes of this machine that share the work; one that dies is replaced, and what it was at is done again."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType

from hazardgeo.errors import ConfigError
from hazardgeo.tiles.call import Call, Outcome, outcome
from hazardgeo.tiles.worker import HELLO, ONE_THREAD, receive, send

_MOST_DEATHS = 2
_SECONDS_TO_END = 5.0


class Pool:
    """`jobs` processes, each with one thread, started when the first call comes and kept for the next ones.

    They end with the pool: at the end of a `with` block, with `close`, or when nobody holds the pool any more. A process
    that dies takes only its own call with it: that call is done again by a new process. A call whose process dies twice is
    given up and named, and all others go on. Raises ConfigError for less than one job.
    """

    def __init__(self, jobs: int) -> None:
        self._idle: list[_Process] = []
        if jobs < 1:
            raise ConfigError(f"a pool needs at least 1 job, not {jobs}.")
        self.workers = jobs

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """End the processes that wait for work."""
        while self._idle:
            self._idle.pop().end()

    def run(self, calls: Iterable[Call]) -> Iterator[Outcome]:
        feed = _Feed(calls)
        outcomes: queue.Queue[Outcome | BaseException | None] = queue.Queue()
        processes = [self._idle.pop() if self._idle else _Process() for _ in range(self.workers)]
        threads = [threading.Thread(target=_serve, args=(p, feed, outcomes), daemon=True) for p in processes]
        try:
            for thread in threads:
                thread.start()
            left = len(threads)
            while left:
                item = outcomes.get()
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    left -= 1
                else:
                    yield item
        except BaseException:
            feed.stop()
            for process in processes:
                process.stop()
            for thread in threads:
                if thread.ident is not None:
                    thread.join(_SECONDS_TO_END)
            for process in processes:
                process.end()
            raise
        self._idle.extend(processes)


class _Feed:
    """The calls that are still to be done, handed out one by one to several threads."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self._calls, self._lock, self._stopped = iter(calls), threading.Lock(), False

    def take(self) -> Call | None:
        with self._lock:
            return None if self._stopped else next(self._calls, None)

    def stop(self) -> None:
        self._stopped = True


class _Process:
    """One worker process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def ask(self, message: bytes) -> tuple[bytes | None, str]:
        """The answer, or None and how the process ended."""
        try:
            if self._stopped:
                return None, "was stopped"
            process = self._given(message)
            assert process.stdout is not None
            answer = receive(process.stdout)
        except OSError:
            answer = None
        if answer is not None:
            return answer, ""
        return None, self.end()

    def _given(self, message: bytes) -> subprocess.Popen[bytes]:
        """The process, which has been sent the message; one that ended while it waited for work is replaced."""
        process = self._process
        if process is not None and process.poll() is None:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                send(process.stdin, message)
                return process
        if process is not None:
            self.end()
        process = self._start()
        assert process.stdin is not None
        send(process.stdin, message)
        return process

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-c", "from hazardgeo.tiles.worker import main; main()"]
        paths = [path or os.getcwd() for path in sys.path]  # noqa: PTH109
        environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(paths)}
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        if self._stopped:
            process.kill()
        send(process.stdin, pickle.dumps(paths))
        if receive(process.stdout) != HELLO and not self._stopped:
            raise ConfigError(f"a worker process {self.end()} before it could work; see what it says above, and free memory.")
        return process

    def end(self) -> str:
        """Wait for the process to end, as it does when nothing more comes; how it ended."""
        process, self._process = self._process, None
        if process is None:
            return "could not start"
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                _close(stream)
        try:
            code = process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def stop(self) -> None:
        """End the process at once where it works, or as it waits."""
        self._stopped = True
        process = self._process
        if process is not None:
            process.kill()


def _close(stream: object) -> None:
    try:
        stream.close()  # type: ignore[attr-defined]
    except OSError:
        return


def _serve(process: _Process, feed: _Feed, outcomes: queue.Queue[Outcome | BaseException | None]) -> None:
    """Give a process calls until there are none; all that happens goes into `outcomes`, None when there is no more."""
    try:
        while (call := feed.take()) is not None:
            outcomes.put(_settled(process, call))
    except BaseException as error:  # noqa: BLE001 - raised again by the thread that asked
        outcomes.put(error)
    finally:
        outcomes.put(None)


def _settled(process: _Process, call: Call) -> Outcome:
    message, ends = call.message(), list[str]()
    while len(ends) < _MOST_DEATHS:
        answer, end = process.ask(message)
        if answer is not None:
            return outcome(call.name, answer)
        ends.append(end)
    return Outcome(call.name, fatal=", then ".join(ends))
