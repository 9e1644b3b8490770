"""The work of one tile as a message: what is called and with what, and what comes back; never an array."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from hazardgeo.errors import ConfigError, HazardGeoError, TileError

LARGEST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """`function(*arguments)` for the tile `name`. The function must be importable, and arguments small: paths, not arrays."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def message(self) -> bytes:
        """The call as bytes for another process; ConfigError where it cannot travel."""
        for function in (self.function, *self.arguments[:1]):
            if getattr(function, "__module__", "") == "__main__" and callable(function):
                raise ConfigError(
                    f"tile {self.name}: {function.__qualname__} is written in a script or a notebook, where other processes "
                    "cannot find it; put it into a module and import it."
                )
        try:
            packed = pickle.dumps((self.function, self.arguments))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            what = getattr(self.function, "__qualname__", str(self.function))
            raise ConfigError(
                f"tile {self.name}: {what} cannot be sent to another process ({error}); define it at the top of a module "
                "that can be imported, and pass paths and numbers."
            ) from None
        if len(packed) > LARGEST_BYTES:
            raise ConfigError(
                f"tile {self.name}: the call takes {len(packed):,} bytes; pass paths to large things, not the things themselves."
            )
        return packed


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: `value`, or the `error` it raised, or `fatal`: how its process ended, and ended again alone."""

    name: str
    value: Any = None
    error: HazardGeoError | None = None
    fatal: str = ""


class Executor(Protocol):
    """Runs calls, each in any order, on one or many processes; holds no more than two calls per worker at a time."""

    @property
    def workers(self) -> int:
        """How many calls run at the same time."""

    def run(self, calls: Iterable[Call]) -> Iterator[Outcome]:
        """The outcomes as they come; raises only what is not the fault of a single call."""


def perform(message: bytes) -> bytes:
    """Run the call in `message`, here; the value or the error as bytes."""
    value, error = _guarded(lambda: _called(message))
    try:
        answer = pickle.dumps((value, error))
        pickle.loads(answer)
    except Exception as failure:  # noqa: BLE001 - of whatever kind, it cannot travel: its text can
        answer = pickle.dumps((None, TileError(" ".join(str(error or failure).split()))))
    return answer


def _called(message: bytes) -> Any:
    function, arguments = pickle.loads(message)
    return function(*arguments)


def _guarded(work: Callable[[], Any]) -> tuple[Any, HazardGeoError | None]:
    """The value of `work`, or its error; errors of other kinds become a TileError that says where they arose."""
    try:
        return work(), None
    except HazardGeoError as error:
        return None, error
    except MemoryError:
        return None, TileError("not enough memory; choose smaller tiles or fewer jobs.")
    except Exception as error:  # noqa: BLE001 - whatever happens to a tile is told where the work was ordered
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.name} in {last.filename.rsplit('/', 1)[-1]}, line {last.lineno}"
        return None, TileError(f"{type(error).__name__}: {' '.join(str(error).split())} ({where}).")


def outcome(name: str, answer: bytes) -> Outcome:
    """The outcome in the answer of `perform`."""
    value, error = pickle.loads(answer)
    return Outcome(name, value, error)


class InProcess:
    """Runs calls one after the other in this process."""

    workers = 1

    def run(self, calls: Iterable[Call]) -> Iterator[Outcome]:
        for call in calls:
            value, error = _guarded(partial(call.function, *call.arguments))
            yield Outcome(call.name, value, error)
