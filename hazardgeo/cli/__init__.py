"""The command line: hazardgeo demo | new | check | run | scan | terrain | change | info | doctor."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import click

import hazardgeo
from hazardgeo.errors import HazardGeoError, HazardGeoWarning

COMMANDS = {
    "demo": "Make a synthetic valley and run everything on it.",
    "new": "Look at the files in a folder and write a scenario.",
    "check": "Say all that is wrong with a scenario, without running it.",
    "run": "Run scenarios: results and a map that opens offline.",
    "scan": "Laser scans of any size: their ground, terrain and surface models.",
    "terrain": "Elevation rasters of any size: slope, aspect, shading, and where water goes.",
    "change": "What moved between two surveys, how much, and how sure.",
    "info": "Say what a file holds, and what is odd about it.",
    "doctor": "Versions, threading, optional packages, missing system libraries.",
}


class _Lazy(click.Group):
    """Commands loaded when they are called, so that help and errors come at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"hazardgeo.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(hazardgeo.__version__, prog_name="hazardgeo")
def group() -> None:
    """After an earthquake: from laser scans and shaking maps to hazard, shelter gaps and maps that open offline."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. Exit codes: 0 done, 1 error, 2 usage. SIGTERM stops it as Ctrl-C does."""
    if arguments is None:
        _require_utf8_names()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Chinese shows their codes
    for name in ("SIGTERM", "SIGBREAK"):
        if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
            signal.signal(getattr(signal, name), _stop)
    sys.exit(_guarded(lambda: group.main(args=arguments, prog_name="hazardgeo", standalone_mode=False)))


def _require_utf8_names() -> None:
    """Start again in Python's UTF-8 mode where the locale would keep it from opening files with Chinese names."""
    if os.name != "posix" or sys.getfilesystemencoding().lower() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    spoken = os.environ.get("PYTHONIOENCODING") or f"{sys.stdout.encoding}:backslashreplace"
    os.execve(sys.executable, sys.orig_argv, {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": spoken})


def _stop(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _guarded(work: Callable[[], Any]) -> int:
    """The exit code of `work`; every error that can be foreseen is one line, and so is every warning."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", HazardGeoWarning)
            warnings.showwarning = lambda message, *_details, **_more: click.echo(f"warning: {message}", err=True)
            outcome = work()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; what is finished is kept, and the next run goes on from there.", err=True)
        return 1
    except HazardGeoError as error:
        click.echo(f"error: {error}", err=True)
        return 1
    except (OSError, MemoryError, UnicodeError) as error:
        click.echo(f"error: {' '.join(str(error).split()) or 'not enough memory'}; check paths, names and free memory.", err=True)
        return 1
    return outcome if isinstance(outcome, int) else 0
