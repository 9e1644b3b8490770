"""Many machines: the same calls on Dask workers. The one module that imports Dask."""

from __future__ import annotations

import pickle
import platform
import pydoc
import queue
import secrets
import socket
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import chain
from typing import Any

from hazardgeo.errors import ConfigError, HazardGeoWarning, MissingPackageError, TileError
from hazardgeo.tiles import admission
from hazardgeo.tiles.admission import Papers
from hazardgeo.tiles.call import LARGEST_BYTES, Call, Outcome, outcome, perform

_SECONDS_TO_CONNECT = 10
_SECONDS_TO_ANSWER = 10
_SECONDS_WITHOUT_WORKERS = 60  # a worker that died is back within seconds, a machine that starts again within a minute
_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_TO_BE_ASKED_AGAIN = 30
_MOST_DEATHS = 3  # one more than in a pool: workers of other machines also leave for reasons of their own
_CONNECTION_ERRORS = (OSError, RuntimeError, AttributeError)  # what a Dask client raises whose scheduler is gone
_START = "start some with: dask worker ADDRESS --nthreads 1"


class Cluster:
    """The workers behind a Dask scheduler, such as "tcp://10.0.0.5:8786", or a `distributed.Client`.

    Scheduler and workers need the same version of hazardgeo and of Python, and the workers the same files under the same
    paths (a shared folder, or URLs): `dask worker tcp://10.0.0.5:8786 --nthreads 1 --nworkers 8`. Each worker has one call
    at a time, so that a worker that dies takes only that call with it, and the call is done again by another. A call
    whose worker died three times is given up and named. Workers may come and go; those that come later and do not fit
    are left out with a HazardGeoWarning. The connection is made when calls come and closed after the last.

    Raises MissingPackageError without Dask; ConfigError for a scheduler that does not answer or has no workers, for
    workers with another version or without the files, and when the scheduler ends or all workers have been gone for a
    minute.
    """

    def __init__(self, scheduler: str | Any) -> None:
        self._scheduler = scheduler
        with _connected(scheduler) as client:
            found = _Workers(client)
        self.workers = len(found.fit)
        if found.wide:
            text = f"{found.wide} Dask worker(s) have several threads, of which one is used; start them with --nthreads 1."
            warnings.warn(text, HazardGeoWarning, stacklevel=2)

    def run(self, calls: Iterable[Call]) -> Iterator[Outcome]:
        waiting = iter(calls)
        first = next(waiting, None)
        if first is None:
            return
        with _connected(self._scheduler) as client, admission.shared(admission.paths_in(first.arguments)) as files:
            yield from _Run(client, files, chain([first], waiting)).outcomes()


class _Run:
    """The calls of one run: those that wait, and the one that each worker is at."""

    def __init__(self, client: Any, files: Mapping[str, int], calls: Iterator[Call]) -> None:
        self._client, self._workers = client, _Workers(client, files)
        self._calls, self._next, self._again = calls, next(calls, None), deque[Call]()
        self._at: dict[str, tuple[Call, Any]] = {}
        self._lost: dict[str, list[str]] = {}
        self._news: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._looked = time.monotonic()

    def outcomes(self) -> Iterator[Outcome]:
        try:
            while self._at or self._next or self._again:
                self._hand_out()
                yield from self._received()
                if time.monotonic() - self._looked > _SECONDS_BETWEEN_LOOKS:
                    yield from self._look()
        finally:
            if self._at and self._client.status == "running":
                self._client.cancel([future for _, future in self._at.values()])

    def _hand_out(self) -> None:
        """Give each worker that is free a call; those that were lost come when there are no others."""
        for worker in self._workers.fit - self._at.keys():
            if self._next is not None:
                call, self._next = self._next, next(self._calls, None)
            elif self._again:
                call = self._again.popleft()
            else:
                return
            self._submit(worker, call)

    def _submit(self, worker: str, call: Call) -> None:
        future = self._client.submit(
            _performed,
            call.message(),
            key=f"{call.name}-{secrets.token_hex(4)}",
            workers=[worker],
            allow_other_workers=False,
            pure=False,
        )
        self._at[worker] = call, future
        future.add_done_callback(lambda _: self._news.put(worker))

    def _received(self) -> Iterator[Outcome]:
        """The outcome of the next call that ends, nothing where none does for a while."""
        try:
            worker = self._news.get(timeout=_SECONDS_BETWEEN_LOOKS)
        except queue.Empty:
            return
        if worker not in self._at or not self._at[worker][1].done():
            return  # news of an earlier call, which was taken for lost
        call, future = self._at[worker]
        if future.status not in ("finished", "error"):
            raise _gone()
        try:
            answer = future.result(timeout=_SECONDS_TO_ANSWER) if future.status == "finished" else None
        except TimeoutError:
            self._news.put(worker)  # asked again, unless the worker is gone at the next look
            return
        except (CancelledError, *_CONNECTION_ERRORS):
            raise _gone() from None
        if answer is None:
            yield from self._failed(worker, call, future.exception())
            return
        del self._at[worker]
        yield outcome(call.name, answer)

    def _failed(self, worker: str, call: Call, failure: BaseException) -> Iterator[Outcome]:
        """What Dask itself could not do; errors of the call are in its answer."""
        from distributed import KilledWorker

        if not isinstance(failure, KilledWorker):
            reason = f"{type(failure).__name__}: {' '.join(str(failure).split())}"
            raise ConfigError(f"Dask could not have tile {call.name} worked on by {worker} ({reason}); see what the worker says.")
        yield from self._lose(worker)

    def _lose(self, worker: str) -> Iterator[Outcome]:
        """Have the call of a worker that is gone done again, or give it up."""
        call, future = self._at.pop(worker)
        future.cancel()
        lost = self._lost.setdefault(call.name, [])
        lost.append(worker)
        if len(lost) < _MOST_DEATHS:
            self._again.append(call)
        else:
            yield Outcome(call.name, fatal=f"was lost {len(lost)} times, each time with its worker ({', '.join(lost)})")

    def _look(self) -> Iterator[Outcome]:
        """See which workers came and went."""
        if self._client.status != "running":
            raise _gone()
        try:
            self._workers.look()
        except _CONNECTION_ERRORS:
            raise _gone() from None
        for worker in self._at.keys() - self._workers.fit:
            yield from self._lose(worker)
        self._looked = time.monotonic()


def _gone() -> ConfigError:
    return ConfigError(
        "the connection to the Dask scheduler was lost, and what is done is kept; start the scheduler and its workers again "
        "where they ended, and run again."
    )


class _Workers:
    """Who is there, who of them may take part (`fit`), and how many began with several threads (`wide`)."""

    def __init__(self, client: Any, files: Mapping[str, int] | None = None) -> None:
        self._client, self._files = client, dict(files or {})
        self._answers: queue.SimpleQueue[dict[str, str | None]] = queue.SimpleQueue()
        self._last_fit = time.monotonic()
        try:
            client.wait_for_workers(1, timeout=_SECONDS_TO_CONNECT)  # they may be on their way
        except TimeoutError:
            raise ConfigError(f"the Dask scheduler has no workers; {_START}.") from None
        threads = client.nthreads()
        asked = _asked(client, sorted(threads), self._files)
        refused = {who: why for who, why in {"the scheduler": _scheduler_refusal(client), **asked}.items() if why}
        if refused:
            (who, reason), *others = refused.items()
            more = f" (and {len(others)} more)" if others else ""
            raise ConfigError(f"{_called(who)}{more} {reason}; make all machines alike, and start it again.")
        self.fit = {worker for worker, reason in asked.items() if reason is not None}
        self._judged, self._asked_at = set(self.fit), dict[str, float]()
        self.wide = sum(count > 1 for count in threads.values())

    def look(self) -> None:
        """Ask the scheduler who is there, and those who are new for their papers. ConfigError where nobody was fit for long."""
        now, here = time.monotonic(), set(self._client.nthreads())
        self._judged &= here
        self.fit &= here
        asked = {worker for worker, at in self._asked_at.items() if now - at < _SECONDS_TO_BE_ASKED_AGAIN}
        if new := here - self._judged - asked:
            self._asked_at |= dict.fromkeys(new, now)
            threading.Thread(target=self._ask, args=(sorted(new),), daemon=True).start()  # some do not answer for long
        while not self._answers.empty():
            for worker, reason in self._answers.get().items():
                if worker in here and worker not in self._judged:
                    self._admit(worker, reason)
        if self.fit:
            self._last_fit = now
        elif now - self._last_fit > _SECONDS_WITHOUT_WORKERS:
            raise ConfigError(f"no Dask worker is left to work with, and what is done is kept; {_START}, and run again.")

    def _ask(self, workers: list[str]) -> None:
        try:
            self._answers.put(_asked(self._client, workers, self._files))
        except _CONNECTION_ERRORS:
            self._answers.put(dict.fromkeys(workers))

    def _admit(self, worker: str, reason: str | None) -> None:
        if reason is None:
            self._asked_at.pop(worker, None)  # it did not answer, and is asked again
            return
        self._judged.add(worker)
        if reason:
            text = f"{_called(worker)} {reason}; it is left out until it is made like the others and started again."
            warnings.warn(text, HazardGeoWarning, stacklevel=2)
        else:
            self.fit.add(worker)


def _asked(client: Any, workers: list[str], files: Mapping[str, int]) -> dict[str, str | None]:
    """Why each worker may not take part: empty where it may, None where it does not answer."""
    own, found = admission.own_papers(), dict[str, str | None]()
    pythons = client.run(platform.python_version, workers=workers, on_error="return")  # what needs no hazardgeo comes first
    versions = client.run(pydoc.locate, "hazardgeo.__version__", workers=workers, on_error="return")
    for worker in workers:
        python, version = pythons.get(worker), versions.get(worker)
        if not isinstance(python, str) or isinstance(version, OSError):
            found[worker] = None
        else:
            found[worker] = admission.refusal(own, Papers(python, version if isinstance(version, str) else "", own.code))
    alike = [worker for worker, reason in found.items() if reason == ""]
    if not alike:
        return found
    papers = client.run(admission.admitted, workers=alike, on_error="return")
    sights = client.run(admission.seen, list(files), workers=alike, on_error="return")
    for worker in alike:
        found[worker] = _reason(own, papers.get(worker), files, sights.get(worker))
    return found


def _reason(own: Papers, papers: object, files: Mapping[str, int], sight: object) -> str | None:
    if isinstance(papers, Papers) and isinstance(sight, dict):
        return admission.refusal(own, papers) or admission.unseen(files, sight)
    if papers is None or isinstance(papers, OSError) or isinstance(sight, OSError):
        return None
    return f"cannot load its hazardgeo ({' '.join(str(papers).split())})"


def _scheduler_refusal(client: Any) -> str:
    """Why the scheduler cannot pass calls on: it unpacks them, and needs the package for it."""
    found = client.run_on_scheduler(pydoc.locate, "hazardgeo.__version__")
    return "" if found else "has no hazardgeo"


def _called(who: str) -> str:
    return who if who.startswith("the ") else f"the Dask worker {who}"


def _performed(message: bytes) -> bytes:
    """The answer to a call, on a worker; what is too large to go through the scheduler is an error."""
    answer = perform(message)
    if len(answer) <= LARGEST_BYTES:
        return answer
    return pickle.dumps((None, TileError(f"its answer takes {len(answer):,} bytes; write large things to files.")))


@contextmanager
def _connected(scheduler: str | Any) -> Iterator[Any]:
    """A client, closed after the block unless it was given."""
    try:
        import distributed
    except ImportError:
        raise MissingPackageError("a cluster needs Dask; install it with: pip install 'hazardgeo[cluster]'") from None
    if not isinstance(scheduler, str):
        yield scheduler
        return
    try:
        _require_listening(*distributed.comm.addressing.get_address_host_port(scheduler))
        client = distributed.Client(scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"the Dask scheduler {scheduler} does not answer: {reason}; check its address.") from None
    try:
        yield client
    finally:
        client.close()


def _require_listening(host: str, port: int) -> None:
    """OSError at once where nobody listens: a Dask client would try again and again."""
    with socket.create_connection((host, port), _SECONDS_TO_CONNECT):
        return
