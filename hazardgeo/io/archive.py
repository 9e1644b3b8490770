"""ZIP files: what they hold, unpacked into a temporary folder only where that is safe."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from hazardgeo.errors import FormatError
from hazardgeo.io import files

LARGEST_BYTES = 8_000_000_000
_MOST_ENTRIES = 100_000
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_RATIO = 500  # what deflate reaches on real tables and text stays far below
_HARMLESS_BYTES = 200_000_000


def entries(path: Path, *, largest_bytes: int = LARGEST_BYTES) -> list[zipfile.ZipInfo]:
    """The files in a ZIP, without unpacking. FormatError for damaged, protected and far too large ones."""
    try:
        with zipfile.ZipFile(path) as opened:
            listed = opened.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise FormatError(f"{path} is a damaged or cut ZIP file: {files.one_line(error)}; fetch it again.") from None
    if not all(entry.filename for entry in listed):
        raise FormatError(f"{path} is a damaged ZIP file: it holds a file without a name; fetch it again.")
    found = [entry for entry in listed if not entry.is_dir()]
    if any(entry.flag_bits & _ENCRYPTED for entry in found):
        raise FormatError(f"{path} is protected by a password; save it without one.")
    unpacked, packed = sum(e.file_size for e in found), sum(e.compress_size for e in found)
    if unpacked > largest_bytes or len(found) > _MOST_ENTRIES or (unpacked > _HARMLESS_BYTES and unpacked > _RATIO * packed):
        raise FormatError(
            f"{path} would unpack to {unpacked / 1e9:.1f} GB in {len(found):,} files, more than is reasonable for "
            f"{path.stat().st_size / 1e6:.1f} MB; unpack it yourself where you trust it."
        )
    return found


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A temporary folder with the files of a ZIP, below their own names; hidden files of other systems are left out."""
    found = {name: entry for entry in entries(path) if (name := _safe_name(entry)) is not None}
    free = shutil.disk_usage(tempfile.gettempdir()).free
    needed = sum(entry.file_size for entry in found.values())
    if needed > free:
        raise FormatError(f"{path} needs {needed / 1e9:.1f} GB to unpack, and {free / 1e9:.1f} GB are free; make room.")
    with tempfile.TemporaryDirectory(prefix="hazardgeo-") as folder:
        try:
            with zipfile.ZipFile(path) as opened:
                for name, entry in found.items():
                    target = Path(folder, name)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with opened.open(entry) as source, target.open("wb") as out:
                        shutil.copyfileobj(source, out)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
            reason = files.one_line(error)
            raise FormatError(f"{path} is a damaged or cut ZIP file: {reason}; fetch it again.") from None
        yield Path(folder)


def _safe_name(entry: zipfile.ZipInfo) -> str | None:
    """The name of an entry below the folder that it is unpacked to; None for what no reader needs.

    Names without the UTF-8 mark are decoded from the bytes that they are, which on Chinese systems are GB 18030.
    """
    name = entry.filename
    if not entry.flag_bits & _UTF8_NAME:
        raw = name.encode("cp437", errors="replace")
        try:
            name = raw.decode(files.encoding_of(raw))
        except (FormatError, UnicodeDecodeError):
            name = raw.decode("ascii", errors="replace")
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    parts = [part.replace(":", "_").replace("\0", "_") for part in parts]
    if not parts or parts[0] == "__MACOSX" or parts[-1].startswith("._") or parts[-1] in (".DS_Store", "Thumbs.db"):
        return None
    return "/".join(parts)
