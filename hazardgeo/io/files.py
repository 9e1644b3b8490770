"""What all doors share: whether a file is there, which encoding its text has, and writing it whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from charset_normalizer import from_bytes

from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.io import signatures, written
from hazardgeo.io.remote import Place, Remote, located

_SNIFFED_BYTES = 512
_MADE_OF_ADDRESS = re.compile(r"(https?|s3|gs|az):[/\\]+", re.IGNORECASE)  # as a Path, which makes two slashes one
_FULL_BYTES = 4_000_000  # with less than this left, a failure to write is put down to the disk
_TEMPORARY = re.compile(r"\.[0-9a-f]{12}\.[0-9a-f]{8}(?![0-9a-z])")
_COMMON_HAN_SHARE = 0.9  # of the non-ASCII characters, in text that really is Chinese


def existing(path: str | Place) -> Path:
    """`path`, when there is a file with content; FormatError for what is missing, empty, a folder or a saved web page.

    Raw scans, models and drawings that no door reads are refused too, with the export to ask for.
    """
    found = located(path)
    if isinstance(found, Remote):
        raise _elsewhere(found)
    try:
        if not found.exists():
            if is_address(found):
                raise _elsewhere(Remote(_MADE_OF_ADDRESS.sub(r"\1://", str(found))))
            raise FormatError(f"{found} does not exist; check the path.")
        if found.is_dir():
            raise FormatError(f"{found} is a folder; name a file in it.")
        if found.stat().st_size == 0:
            raise FormatError(f"{found} is empty (0 bytes); copy or download it again.")
        with found.open("rb") as stream:
            head = stream.read(_SNIFFED_BYTES)
    except HazardGeoError:
        raise
    except (OSError, ValueError) as error:
        raise FormatError(f"{found} cannot be read: {one_line(error)}; check the path and its permissions.") from None
    _require_data(found, head)
    return found


def _elsewhere(remote: Remote) -> FormatError:
    return FormatError(f"{remote} is an address; only GeoTIFF, LAS, LAZ and COPC are read from there: download it first.")


def is_address(path: str | Path) -> bool:
    """True for an address, also for one that was made a Path of."""
    return bool(_MADE_OF_ADDRESS.match(str(path)))


def reachable(path: str | Place) -> Place:
    """`existing` for doors that read addresses too: a file with content, here or elsewhere, and as it is now.

    FormatError, with the address, also for what cannot be reached, or only as a whole.
    """
    found = located(path)
    if not isinstance(found, Remote):
        return existing(found)
    found = found.anew()
    if found.stat().st_size == 0:
        raise FormatError(f"{found} is empty (0 bytes); ask its owner for it again.")
    _require_data(found, found.bytes_at(0, _SNIFFED_BYTES))
    return found


def identity(place: Place) -> list[Any]:
    """What changes when the content of a file does: its size and times, or what its server says of its version just now."""
    if isinstance(place, Remote):
        return [str(place), place.anew().version]
    about = place.stat()
    return [str(place.absolute()), about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]


def _require_data(found: Place, head: bytes) -> None:
    """FormatError for a saved web page and for what only its maker's program opens."""
    if signatures.is_web_page(head):
        raise FormatError(f"{found} is a web page, not data; the download has failed: fetch the file itself.")
    raw = signatures.recognised(found.name, head)
    if raw is not None:
        raise FormatError(f"{found} {raw.advice}.")


def require_suffix(path: str | Path, suffixes: tuple[str, ...]) -> Path:
    """`path`, when its name ends in one of `suffixes`; FormatError otherwise."""
    target = Path(path)
    if target.suffix.lower() not in suffixes:
        raise FormatError(f"{target} cannot be written: its name must end in {' or '.join(suffixes)}.")
    return target


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` with the same suffix, which takes its place when the block succeeds.

    Its name is short, whatever the length of the target's, so that there is room for more files whose names begin like it.
    When the block fails nothing is left, and what stood at `path` before stays as it was. Files that the block puts
    beside the temporary one and whose names begin like it are removed in any case. What is written is checked (GeoTIFF,
    GeoPackage) and on the disk before it takes its place. Operating system errors (no such folder, no permission, disk
    full) become a FormatError of one line. Only a killed process leaves its temporary files: see `remove_leftovers`.
    """
    target = Path(path)
    stem = f".{hashlib.sha256(target.name.encode(errors='surrogateescape')).hexdigest()[:12]}.{secrets.token_hex(4)}"
    temporary = target.with_name(stem + target.suffix)
    began = False
    try:
        _require_place(target)
        began = True
        yield temporary
        written.require_whole(temporary, target)
        _put_on_disk(temporary)
        temporary.replace(target)
    except FormatError as error:
        raise (_full(target) if began else None) or error from None
    except HazardGeoError:
        raise
    except OSError as error:
        reason = error.strerror or one_line(error)
        otherwise = FormatError(f"cannot write {target}: {reason}; check the folder, its permissions and the free space.")
        raise (_full(target) if error.errno == errno.ENOSPC else None) or otherwise from error
    finally:
        _remove_beginning_with(target.parent, stem)


def _require_place(target: Path) -> None:
    if not target.parent.is_dir():
        raise FormatError(f"cannot write {target}: there is no folder {target.parent}; create it first.")
    if target.is_dir():
        raise FormatError(f"cannot write {target}: it is a folder; name a file.")


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed writers left in `folder`; nobody else may be writing there."""
    try:
        for path in folder.iterdir():
            if _TEMPORARY.match(path.name) and not path.is_dir():
                path.unlink(missing_ok=True)
    except OSError:
        return


def _put_on_disk(path: Path) -> None:
    """Wait until the content is on the disk: network drives and sticks say only then that they are full."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _full(target: Path) -> FormatError | None:
    """The error that says how much space is left, where next to none is."""
    try:
        free = shutil.disk_usage(target.parent).free
    except OSError:
        return None
    if free > _FULL_BYTES:
        return None
    return FormatError(f"cannot write {target}: the disk is full ({free / 1e6:.1f} MB left); free some space and try again.")


def _remove_beginning_with(folder: Path, stem: str) -> None:
    """Remove the files in `folder` whose names begin with `stem`; a file that cannot be removed stays."""
    try:
        leftovers = [p for p in folder.iterdir() if p.name.startswith(stem)]
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)
    except OSError:
        return


def one_line(error: BaseException) -> str:
    """The message of a foreign error on one line of at most 200 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.rstrip(". ") if len(text) <= 200 else text[:197] + "..."


def encoding_of(data: bytes, *, bad_share: float = 0.0) -> str:
    """The Python codec of a text, by looking at it: UTF-8, UTF-16 with a mark, GB18030, else the best guess.

    UTF-8 is taken where it fits, GB18030 where the text then holds mostly common Chinese characters (those of GB 2312);
    other texts (Shift-JIS, Latin-1) are left to charset-normalizer. `bad_share` is the share of characters beyond ASCII
    that may be damaged, for fields that were cut within a character. Raises FormatError for what is no text.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if bad_share == 0.0 and b"\0" in data[:4096]:
        raise FormatError("the file holds binary data where text is expected; check which file this is.")
    if _damaged(data, "utf-8") <= bad_share:
        return "utf-8-sig"
    if _damaged(data, "gb18030") <= bad_share and _common_han_share(data) >= _COMMON_HAN_SHARE:
        return "gb18030"
    best = from_bytes(data).best()
    if best is None:
        raise FormatError("the encoding of the text is not recognised; save it as UTF-8.")
    return best.encoding


def _damaged(data: bytes, codec: str) -> float:
    """Share of the characters beyond ASCII that `codec` cannot decode."""
    beyond = [c for c in data.decode(codec, errors="replace") if ord(c) > 127]
    return beyond.count("\ufffd") / len(beyond) if beyond else 0.0


def _common_han_share(data: bytes) -> float:
    beyond = [c for c in data.decode("gb18030", errors="replace") if ord(c) > 127 and c != "\ufffd"]
    common = sum(bool(c.encode("gb2312", errors="ignore")) for c in beyond)
    return common / len(beyond) if beyond else 0.0
