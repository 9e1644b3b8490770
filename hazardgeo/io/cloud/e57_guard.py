"""Guards before an E57 file is handed to its library, whose XML parser expands entities and fetches what they name."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from hazardgeo.errors import FormatError
from hazardgeo.io import xml_guard

_HEADER = struct.Struct("<8sIIQQQQ")  # signature, version, subversion, length, place and length of the XML, page
_SIGNATURE, _PAGE_BYTES, _CHECKSUM_BYTES = b"ASTM-E57", 1024, 4
_LARGEST_XML_BYTES = 200_000_000


def require_plausible(path: Path) -> None:
    """FormatError where the header does not fit the file, or its XML declares a DOCTYPE or is absurdly deep or long."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_HEADER.size)
    if len(head) < _HEADER.size or not head.startswith(_SIGNATURE):
        raise FormatError(f"{path} is not an E57 file; check which file this is.")
    _, _, _, length, at, xml_bytes, page = _HEADER.unpack(head)
    if page != _PAGE_BYTES or length > size or at + xml_bytes > size or xml_bytes > _LARGEST_XML_BYTES:
        raise FormatError(f"{path} has a damaged header or is cut; copy or download it again.")
    xml_guard.require_harmless(_xml(path, at, xml_bytes), path)


def _xml(path: Path, at: int, length: int) -> Iterator[bytes]:
    """The XML without the checksums that end each page."""
    with path.open("rb") as stream:
        stream.seek(at)
        left = length
        while left > 0:
            room = _PAGE_BYTES - _CHECKSUM_BYTES - stream.tell() % _PAGE_BYTES
            part = stream.read(min(max(room, 0), left))
            if room > 0 and not part:
                return
            yield part
            left -= len(part)
            stream.seek(-stream.tell() % _PAGE_BYTES, 1)
