"""Writing pages."""

from __future__ import annotations

import os
from pathlib import Path

from hazardgeo.errors import FormatError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears complete or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
        part.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise FormatError(f"page {path.name!r} cannot be written: {reason}; check the folder and the free space.") from error
    finally:
        part.unlink(missing_ok=True)
