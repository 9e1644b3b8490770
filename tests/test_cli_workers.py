from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from hazardgeo.cli import workers
from hazardgeo.cli.workers import Bar, Lines, Workers
from hazardgeo.tiles import InProcess, Progress


@click.command()
@click.argument("name")
@workers.options
def command(name: str, workers: Workers) -> None:
    executor = workers.executor(bytes_per_job=1_000_000)
    workers.report(Progress("step", 1, 1, 1.0, 0.0))
    click.echo(f"{name} {type(executor).__name__} {executor.workers}")


@pytest.mark.parametrize(("jobs", "shown"), [("1", "dem InProcess 1"), ("2", "dem Pool 2")])
def test_a_command_gets_what_the_user_asked_for(jobs: str, shown: str) -> None:
    done = CliRunner().invoke(command, ["dem", "--jobs", jobs])
    assert done.output == f"{shown}\n"


def test_without_options_all_processors_that_fit_are_taken() -> None:
    done = CliRunner().invoke(command, ["dem"])
    assert done.exit_code == 0


def test_no_jobs_at_all_is_a_usage_error() -> None:
    assert CliRunner().invoke(command, ["dem", "--jobs", "0"]).exit_code == 2


def test_jobs_with_a_scheduler_are_refused() -> None:
    done = CliRunner().invoke(command, ["dem", "--jobs", "2", "--scheduler", "tcp://far:1"])
    assert "give one of the two" in str(done.exception)


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])
    report = Lines()
    for done in range(1, 21):  # a tile in 1.6 seconds, 32 seconds in all
        now[0] = 1.6 * done
        report(Progress("slope", done, 20, now[0], 1.6 * (20 - done)))
    assert capsys.readouterr().err.splitlines() == [
        "slope: 7 of 20 tiles, about 21 s left",
        "slope: 14 of 20 tiles, about 10 s left",
        "slope: 20 of 20 tiles, done in 32 s",
    ]


def test_short_steps_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    report = Lines()
    for what in ("one", "two"):
        for done in (1, 2):
            report(Progress(what, done, 2, 0.1, None))
    assert capsys.readouterr().err == ""


def test_a_bar_shows_the_step_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    bar: Any = Bar()
    with bar:
        for what in ("slope", "slope", "aspect"):
            for done in (1, 2):
                bar(Progress(what, done, 2, 1.0, 200.0))
        (task,) = bar._bars.tasks
        assert (task.description, task.completed, task.total, task.fields["left"]) == ("aspect", 2, 2, "done in 1 s")


def test_an_instance_of_one_job_is_this_process() -> None:
    assert isinstance(Workers(1, None, Lines()).executor(bytes_per_job=1), InProcess)
