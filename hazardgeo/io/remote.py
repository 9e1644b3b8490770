"""Files elsewhere, by their address: read like local ones, as far as a door asks for their bytes, and no further."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
import threading
import weakref
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.io.bucket import SCHEMES, Bucket
from hazardgeo.io.web import Web

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # two letters: C:\\ and C:// are drives
_SCHEMES = ("http", "https", *SCHEMES)
_PART = 1 << 14
_MOST_BYTES = 1 << 23  # of one request
_WORTH_A_REQUEST = 4  # parts that are fetched along rather than asked around
_IN_MEMORY = 1 << 24


@dataclass(frozen=True, slots=True)
class About:
    """What a file system says of a file."""

    st_size: int


class Remote:
    """A file at an address (http, https, s3, gs, az), as it is during one read, with what the doors use of a Path.

    Each part of it is fetched once at most and kept in a temporary file as long as this object lives. All parts are of one
    version of the file: FormatError where it changes in between, as far as its server tells (ETag, Last-Modified, size).
    The first failure stays: `raise_failure` raises it again where libraries in between have swallowed it. As text it is the
    address without user, password and query, which may be secret. It travels to other processes as its address alone.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        parts = _parts_of(url)
        self._label = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._lock = threading.RLock()
        self._source: Web | Bucket | None = None
        self._kept: Any = None
        self._slots: dict[int, int] = {}
        self._size, self._version = -1, ""
        self._ahead, self._expected = 1, 1
        self._failure: HazardGeoError | None = None
        self._held = ExitStack()  # the connection and the temporary file, let go with this object
        weakref.finalize(self, self._held.close)

    def __str__(self) -> str:
        return self._label

    def __repr__(self) -> str:
        return f"Remote({self._label!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and other._url == self._url

    def __hash__(self) -> int:
        return hash(self._url)

    def __reduce__(self) -> tuple[type[Remote], tuple[str]]:
        return Remote, (self._url,)

    @property
    def name(self) -> str:
        """The last part of the path of the address."""
        return PurePosixPath(unquote(urlsplit(self._label).path)).name

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    def anew(self) -> Remote:
        """The file at this address as it is now: nothing that was fetched is kept."""
        return Remote(self._url)

    def stat(self) -> About:
        """The size in bytes."""
        self._require(0, 1)
        return About(self._size)

    @property
    def version(self) -> str:
        """What changes when the content does. Where the server says nothing of it, all that is known is the address."""
        self._require(0, 1)
        said = self._version or f"unknown {hashlib.sha256(self._url.encode()).hexdigest()}"
        return f"{self._size} {said}"

    def open(self, mode: str = "rb") -> BinaryIO:
        """The file as a stream of bytes."""
        assert mode == "rb"
        return cast(BinaryIO, io.BufferedReader(_Stream(self)))

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Have the bytes from `start` up to `stop` of each range here, in as few requests as make sense."""
        size = self.stat().st_size
        missing = sorted(
            {p for start, stop in ranges for p in range(start // _PART, -(-min(stop, size) // _PART)) if p not in self._slots}
        )
        first = last = -1
        for part in missing:
            if first >= 0 and (part - last > _WORTH_A_REQUEST or (part + 1 - first) * _PART > _MOST_BYTES):
                self._fetch(first, last + 1)
                first = -1
            first, last = part if first < 0 else first, part
        if first >= 0:
            self._fetch(first, last + 1)

    def bytes_at(self, start: int, stop: int) -> bytes:
        """The bytes from `start` up to `stop`, fewer at the end of the file."""
        with self._lock:
            self._require(start, stop)
            stop = min(stop, self._size)
            parts = [self._part(p) for p in range(start // _PART, -(-stop // _PART))] if start < stop else []
            return b"".join(parts)[start % _PART :][: max(stop - start, 0)]

    def raise_failure(self) -> None:
        """Raise the failure that reading has met, if any."""
        if self._failure is not None:
            raise self._failure

    def _part(self, part: int) -> bytes:
        self._kept.seek(self._slots[part])
        return bytes(self._kept.read(min(_PART, self._size - part * _PART)))

    def _require(self, start: int, stop: int) -> None:
        """Have the parts between the two here; further ones too where reading goes on from the last request."""
        with self._lock:
            if self._size < 0:
                self._fetch(0, 1)
            parts = range(start // _PART, -(-min(stop, self._size) // _PART))
            missing = [p for p in parts if p not in self._slots]
            if not missing:
                return
            self._ahead = min(self._ahead * 2, _MOST_BYTES // _PART) if missing[0] == self._expected else 1
            end = min(max(missing[-1] + 1, missing[0] + self._ahead), -(-self._size // _PART))
            self.fetch([(missing[0] * _PART, end * _PART)])
            self._expected = end

    def _fetch(self, first: int, stop: int) -> None:
        """Fetch the parts from `first` up to `stop`, and keep those that are not here yet."""
        with self._lock:
            self.raise_failure()
            try:
                if self._source is None:
                    self._source = _source(self._url, self._label)
                    self._held.callback(self._source.close)
                piece = self._source.fetch(first * _PART, stop * _PART)
                if self._size < 0:
                    self._size, self._version = piece.size, piece.version
                if (piece.size, piece.version) != (self._size, self._version):
                    raise FormatError(f"{self} has changed on its server while it was read; try again.")
                if len(piece.data) != max(min(stop * _PART, self._size) - first * _PART, 0):
                    raise FormatError(f"{self} was not sent as asked for; try again.")
                self._keep(first, piece.data)
            except HazardGeoError as error:
                self._failure = error
                raise
            except OSError as error:
                self._failure = FormatError(f"{self} cannot be kept: {error.strerror}; free some space for temporary files.")
                raise self._failure from None

    def _keep(self, first: int, data: bytes) -> None:
        if self._kept is None:
            self._kept = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed with `_held`
            self._held.callback(self._kept.close)
        for i in range(0, len(data), _PART):
            part = first + i // _PART
            if part not in self._slots:
                end = self._kept.seek(0, os.SEEK_END)
                self._kept.write(data[i : i + _PART])
                self._slots[part] = end


Place = Path | Remote


class _Stream(io.RawIOBase):
    def __init__(self, remote: Remote) -> None:
        self._remote, self._at = remote, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._remote.stat().st_size}[whence]
        if base + offset < 0:
            raise ValueError("a place before the beginning of the file")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._remote.bytes_at(self._at, self._at + len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def located(path: str | Place) -> Place:
    """Where a file is: an address as a Remote, anything else as a Path. `C:\\x` is a path.

    >>> located("https://user:secret@example.org/dem.tif?token=secret")
    Remote('https://example.org/dem.tif')
    """
    return Remote(path) if isinstance(path, str) and _ADDRESS.match(path) else path if isinstance(path, Remote) else Path(path)


def raise_failure(place: Place) -> None:
    """Raise what reading a remote file has met, which libraries take for damage; nothing for a Path."""
    if isinstance(place, Remote):
        place.raise_failure()


def _parts_of(url: str) -> Any:
    scheme = url.partition("://")[0].lower()
    if scheme not in _SCHEMES:
        raise FormatError(f"addresses of {scheme}:// are not read, only {', '.join(_SCHEMES)}; download the file first.")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        usable = bool(host) and (parts.port is None or parts.port > 0) and len(parts.path) > 1
    except ValueError:
        usable = False
    if not usable:
        raise FormatError(f"an address of {scheme}:// names no file; write it as {scheme}://place/folder/file.")
    return parts


def _source(url: str, label: str) -> Web | Bucket:
    return Web(url, label) if url.lower().startswith(("http://", "https://")) else Bucket(url, label)
