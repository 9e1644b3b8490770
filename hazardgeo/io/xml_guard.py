"""Guards before XML is handed to a library that would expand entities, fetch what it names, or lose itself in its depth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.parsers import expat

from hazardgeo.errors import FormatError

_DEEPEST = 200
_PART_BYTES = 1 << 20


def require_harmless(parts: Iterable[bytes], path: Path | str) -> None:
    """FormatError where the XML, given in parts, declares a DOCTYPE or nests elements more than 200 deep.

    Only these two are looked for, in one pass with little memory. What is not well formed passes up to the place where it
    is not: the library that reads it says so.
    """
    depth = 0

    def refuse_doctype(*_: object) -> None:
        raise FormatError(f"{path} declares a DOCTYPE, which can make a reader fetch or expand other things; remove it.")

    def begin(_name: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise FormatError(f"{path} has XML elements more than {_DEEPEST} deep, as no real file has; fetch the original.")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler, parser.StartElementHandler, parser.EndElementHandler = refuse_doctype, begin, end
    try:
        for part in parts:
            parser.Parse(part, False)
    except (expat.ExpatError, LookupError, ValueError):
        return


def require_harmless_file(path: Path) -> None:
    """`require_harmless` for a file that is XML as it stands."""
    with path.open("rb") as stream:
        require_harmless(iter(lambda: stream.read(_PART_BYTES), b""), path)
