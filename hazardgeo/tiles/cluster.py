"""Many machines: the same calls on Dask workers. The one module that imports Dask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hazardgeo.errors import ConfigError, MissingPackageError
from hazardgeo.tiles.call import Call, Outcome, outcome, perform

_CALLS_PER_WORKER = 2
_SECONDS_TO_CONNECT = 20


class Cluster:
    """The workers behind a Dask scheduler, such as "tcp://10.0.0.5:8786", or a `distributed.Client`.

    Workers need the same version of hazardgeo and the same paths (a shared folder, or URLs), and one thread each:
    `dask worker tcp://10.0.0.5:8786 --nthreads 1 --nworkers 8`. Raises MissingPackageError without Dask and ConfigError
    for a scheduler that does not answer or has no workers.
    """

    def __init__(self, scheduler: str | Any) -> None:
        try:
            import distributed
        except ImportError:
            raise MissingPackageError("a cluster needs Dask; install it with: pip install 'hazardgeo[cluster]'") from None
        self._client: Any = scheduler
        if isinstance(scheduler, str):
            try:
                self._client = distributed.Client(scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
            except (OSError, ValueError) as error:
                reason = " ".join(str(error).split())
                raise ConfigError(f"the Dask scheduler {scheduler} does not answer: {reason}; check its address.") from None
        if not self.workers:
            raise ConfigError(f"the Dask scheduler {scheduler} has no workers; start some with: dask worker ADDRESS --nthreads 1")

    @property
    def workers(self) -> int:
        return len(self._client.scheduler_info(n_workers=-1)["workers"])

    def run(self, calls: Iterable[Call]) -> Iterator[Outcome]:
        import distributed

        waiting = iter(calls)
        names: dict[Any, str] = {}
        done = distributed.as_completed(loop=self._client.loop)

        def submit(count: int) -> None:
            for _ in range(count):
                if (call := next(waiting, None)) is None:
                    return
                future = self._client.submit(perform, call.message(), pure=False)
                names[future] = call.name
                done.add(future)

        submit(_CALLS_PER_WORKER * max(self.workers, 1))
        try:
            for future in done:
                name = names.pop(future)
                failure = future.exception()
                if failure is None:
                    yield outcome(name, future.result())
                elif isinstance(failure, distributed.KilledWorker):
                    yield Outcome(name, fatal="ended every worker that it was given to")
                else:
                    raise failure
                future.release()
                submit(1)
        finally:
            for future in names:
                future.cancel()
