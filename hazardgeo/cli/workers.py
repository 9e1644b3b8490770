"""What commands for files of any size have in common: --jobs, --scheduler, and how far the work is."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from hazardgeo.tiles import Executor, Progress
from hazardgeo.tiles.choose import executor

_SECONDS_BETWEEN_LINES = 10.0
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Workers:
    """What the user said of --jobs and --scheduler, and `report`, which shows how far the work is."""

    jobs: int | None
    scheduler: str | None
    report: Callable[[Progress], None]

    def executor(self, *, bytes_per_job: int) -> Executor:
        """What the work is run on; see `tiles.executor`."""
        return executor(jobs=self.jobs, scheduler=self.scheduler, bytes_per_job=bytes_per_job)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options --jobs and --scheduler; it is called with `workers`, a Workers, in their place.

    @click.command("ground")
    @click.argument("cloud", type=click.Path(path_type=Path))
    @workers.options
    def command(cloud: Path, workers: Workers) -> None:
        run_on = workers.executor(bytes_per_job=500_000_000)
        pipeline.ground(cloud, executor=run_on, report=workers.report)
    """

    @click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes. [default: all processors that fit]")
    @click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler, such as tcp://10.0.0.5:8786, instead of --jobs.")
    @functools.wraps(command)
    def with_workers(*arguments: Any, jobs: int | None, scheduler: str | None, **more: Any) -> Any:
        report = reporter()
        with report:
            return command(*arguments, workers=Workers(jobs, scheduler, report), **more)

    return with_workers


def reporter() -> Bar | Lines:
    """A bar where standard error is a terminal, else a line every ten seconds."""
    if sys.stderr.isatty():
        return Bar()
    return Lines()


class Lines:
    """Says in a line how far the work is, ten seconds after the one before, and when a step that was shown is done."""

    def __init__(self) -> None:
        self._said, self._shown = time.monotonic(), ""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return

    def __call__(self, progress: Progress) -> None:
        now, last = time.monotonic(), progress.done == progress.tiles
        if now - self._said < _SECONDS_BETWEEN_LINES and not (last and self._shown == progress.what):
            return
        self._said, self._shown = now, "" if last else progress.what
        click.echo(f"{progress.what}: {progress.done} of {progress.tiles} tiles, {_time_left(progress)}", err=True)


class Bar:
    """Shows a bar for the step at work."""

    def __init__(self) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}")
        self._bars = Bars(*columns, console=Console(stderr=True), transient=True)
        self._step: TaskID | None = None
        self._done = 0

    def __enter__(self) -> None:
        self._bars.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def __call__(self, progress: Progress) -> None:
        if self._step is not None and progress.done <= self._done:  # another step has begun
            self._bars.remove_task(self._step)
            self._step = None
        left = _time_left(progress)
        if self._step is None:
            self._step = self._bars.add_task(progress.what, total=progress.tiles, left=left)
        self._bars.update(self._step, description=progress.what, total=progress.tiles, completed=progress.done, left=left)
        self._done = progress.done


def _time_left(progress: Progress) -> str:
    """The time that is left, in words; that taken where nothing is left."""
    if progress.done == progress.tiles:
        return f"done in {_words(progress.seconds)}"
    return "" if progress.remaining_s is None else f"about {_words(progress.remaining_s)} left"


def _words(seconds: float) -> str:
    """A time as one reads it: seconds below a minute, minutes below an hour, hours and minutes from there.

    >>> _words(41.7), _words(200), _words(7500)
    ('42 s', '3 min', '2 h 5 min')
    """
    if round(seconds) < _MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / _MINUTE)
    return f"{minutes} min" if seconds < _HOUR else f"{minutes // 60} h {minutes % 60} min"
