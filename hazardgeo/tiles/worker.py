"""A process that performs calls: messages come on standard input, answers go where standard output went.

It is started as a program of its own, so that a script needs no `if __name__ == "__main__"` around it, and so that the pool
knows which call a process was at when it died.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from typing import IO

ONE_THREAD = {
    "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1", "GDAL_NUM_THREADS": "1", "GDAL_CACHEMAX": "64",
}  # fmt: skip
HELLO = b"ready"
_LENGTH_BYTES = 8


def send(stream: IO[bytes], message: bytes) -> None:
    """Write a message with its length before it."""
    stream.write(len(message).to_bytes(_LENGTH_BYTES, "little") + message)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """The next message; None where the other side has ended."""
    head = stream.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "little")
    message = stream.read(length)
    return message if len(message) == length else None


def main() -> None:
    """Perform calls until the input ends; what libraries print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who orders the work ends it
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.path[:] = pickle.loads(receive(sys.stdin.buffer) or pickle.dumps(sys.path))
    from hazardgeo.tiles.call import perform

    send(answers, HELLO)
    while (message := receive(sys.stdin.buffer)) is not None:
        send(answers, perform(message))
