"""Parts of a file on a web server, by HTTP range requests: nothing but the file that was named is asked for."""

from __future__ import annotations

import re
import ssl
import time
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

from requests import PreparedRequest, Response, Session
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError

from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.io import signatures

TIMEOUT_S = 30.0  # without any answer
LONGEST_S = 300.0  # for one request, however slowly it answers
PAUSES_S = (0.5, 1.0, 2.0)  # before each further attempt

_MOST_REDIRECTS = 5
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_STEP_BYTES = 1 << 18
_SNIFFED_BYTES = 512
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)\s*$")
_REASONS = {
    401: "asks for a password or token; check the address",
    403: "refuses access; check the address, its rights and whether its token has expired",
    404: "has no such file; check the address",
    407: "is behind a proxy that asks for a password; set it in the proxy's address",
    410: "has no such file any more; check the address",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a file, with the size of the whole and what changes when its content does, as far as its keeper says so."""

    data: bytes
    size: int
    version: str


class _TransientError(Exception):
    """A failure that may be gone at the next attempt."""


class _Unmoved(Session):
    """Leaves redirects to `Web`, and reads nothing of such an answer, however long it is."""

    def get_redirect_target(self, resp: Response) -> None:  # noqa: ARG002
        return None


class Web:
    """A file on a web server. One connection is kept open between requests; it is for one thread at a time."""

    def __init__(self, url: str, label: str) -> None:
        self._url, self._label = url, label
        self._target = url  # where redirects have led
        self._session = _Unmoved()

    def fetch(self, start: int, stop: int) -> Piece:
        """The bytes from `start` up to `stop`, fewer where the file ends before; FormatError where there is no way to them."""
        reason = ""
        for pause in (0.0, *PAUSES_S):
            time.sleep(pause)
            try:
                return self._asked(start, stop)
            except HazardGeoError:
                raise
            except ValueError as error:
                wrong = f"its address, a redirect or the proxy of this system is not understood ({type(error).__name__})"
                raise FormatError(f"{self._label} cannot be asked for: {wrong}; download it first.") from None
            except (_TransientError, OSError, HTTPError) as error:
                reason = self._reason(error)
            self.close()
            self._target = self._url
        raise FormatError(f"{self._label} cannot be reached: {reason}; check the address and the network, and try again.")

    def close(self) -> None:
        """Let go of the connection; the next request opens another."""
        self._session.close()

    def _asked(self, start: int, stop: int) -> Piece:
        asked = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity", "User-Agent": "hazardgeo"}
        deadline = time.monotonic() + LONGEST_S
        for _ in range(_MOST_REDIRECTS + 1):
            with self._session.get(self._target, headers=asked, auth=self._auth, timeout=TIMEOUT_S, stream=True) as response:
                if response.is_redirect:
                    self._target = self._redirected(response.headers["Location"].encode("latin-1").decode())
                    continue
                if response.status_code == 206:
                    return self._piece(response, start, stop, deadline)
                if response.status_code == 416 and start == 0:  # of an empty file no range can be had
                    return Piece(b"", 0, _version(response))
                self._refuse(response)
        raise FormatError(f"{self._label} is redirected more than {_MOST_REDIRECTS} times; use the address of the file itself.")

    def _auth(self, request: PreparedRequest) -> PreparedRequest:
        """Give the user and password of the address to its own server, and to no other; those of a netrc file to none."""
        owner = urlsplit(self._url)
        if owner.username is None or self._session.should_strip_auth(self._url, self._target):
            return request
        return HTTPBasicAuth(unquote(owner.username).encode(), unquote(owner.password or "").encode())(request)

    def _redirected(self, location: str) -> str:
        """Where a redirect leads; FormatError for another scheme, and from a secured connection to an open one."""
        target = urljoin(self._target, location)
        before, after = urlsplit(self._target).scheme, urlsplit(target).scheme
        if location and after in ("http", "https") and (before, after) != ("https", "http"):
            return target
        there = f"{after}://" if location else "nowhere"
        raise FormatError(f"{self._label} is redirected to {there}, which is not followed; use the address of the file itself.")

    def _refuse(self, response: Response) -> None:
        status, answer = response.status_code, f"answers {response.status_code} {response.reason}".rstrip()
        if status in _TRY_AGAIN:
            raise _TransientError(f"its server {answer}")
        if status == 200 and signatures.is_web_page(response.raw.read1(_SNIFFED_BYTES, decode_content=False)):
            raise FormatError(f"{self._label} is a web page, not data; use the address of the file itself.")
        if status == 200:  # what else it sends is not read
            raise FormatError(f"{self._label}: its server sends whole files only (no range requests); download it first.")
        if status == 416:
            raise FormatError(f"{self._label} has become shorter while it was read; try again.")
        said = _REASONS.get(status, f"{answer}; check the address")
        raise FormatError(f"{self._label} cannot be read: its server {said} ({status}).")

    def _piece(self, response: Response, start: int, stop: int, deadline: float) -> Piece:
        found = _RANGE.match(response.headers.get("Content-Range", ""))
        first, last, size = map(int, found.groups()) if found else (-1, -1, -1)
        wrong = (
            first != start or last != min(stop, size) - 1 or response.headers.get("Content-Encoding", "identity") != "identity"
        )
        data, length = bytearray(), last + 1 - first
        while not wrong and (step := response.raw.read1(min(_STEP_BYTES, length + 1 - len(data)), decode_content=False)):
            data += step
            wrong = len(data) > length
            if time.monotonic() > deadline:
                raise _TransientError(f"it sent only {len(data):,} bytes in {LONGEST_S:g} s")
        if wrong:
            raise FormatError(f"{self._label}: its server answers range requests wrongly; download it first.")
        if len(data) < length:
            raise _TransientError("its server broke off")
        return Piece(bytes(data), size, _version(response))

    def _reason(self, error: BaseException | None) -> str:
        """Why a request failed, without its address, which may hold a password; FormatError for what will not change."""
        while error is not None:
            if isinstance(error, ssl.SSLCertVerificationError):
                advice = "check the address, or name a file of certificates to trust in REQUESTS_CA_BUNDLE"
                why = f"its certificate is not trusted ({error.verify_message.rstrip('.')})"
                raise FormatError(f"{self._label} cannot be reached: {why}; {advice}.") from None
            if isinstance(error, TimeoutError):
                return f"no answer within {TIMEOUT_S:g} s"
            if isinstance(error, OSError) and error.strerror:
                return error.strerror
            if isinstance(error, _TransientError) or type(error) is OSError:
                return str(error)
            error = error.__cause__ or error.__context__
        return "its server broke off"


def _version(response: Response) -> str:
    return " ".join(response.headers.get(key, "").strip() for key in ("ETag", "Last-Modified")).strip()
