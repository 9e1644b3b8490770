"""Why a stage does not run."""

from __future__ import annotations


class Skip(Exception):  # noqa: N818 - a reason, not an error
    """A stage that cannot run with what it was given; the text says in one line what it needs."""
