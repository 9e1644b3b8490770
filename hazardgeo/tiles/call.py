"""The work of one tile as a message: what is called and with what, and what comes back; never an array."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
    try:
        function, arguments = pickle.loads(message)
        return pickle.dumps((function(*arguments), None))
    except HazardGeoError as error:
        return pickle.dumps((None, error))
    except MemoryError:
        return pickle.dumps((None, TileError("not enough memory; choose smaller tiles or fewer jobs.")))
    except Exception as error:  # noqa: BLE001 - whatever happens in a worker is told where the work was ordered
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.name} in {last.filename.rsplit('/', 1)[-1]}, line {last.lineno}"
        return pickle.dumps((None, TileError(f"{type(error).__name__}: {' '.join(str(error).split())} ({where}).")))


def outcome(name: str, answer: bytes) -> Outcome:
    """The outcome in the answer of `perform`."""
    value, error = pickle.loads(answer)
    return Outcome(name, value, error)


class InProcess:
    """Runs calls one after the other in this process."""

    workers = 1

    def run(self, calls: Iterable[Call]) -> Iterator[Outcome]:
        for call in calls:
            try:
                yield Outcome(call.name, call.function(*call.arguments))
            except HazardGeoError as error:
                yield Outcome(call.name, error=error)
