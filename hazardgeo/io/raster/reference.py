"""What a raster file points to: other files are followed, addresses in a network and code are refused unopened."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path

from hazardgeo.errors import FormatError
from hazardgeo.io.raster import gaps as raster_gaps
from hazardgeo.io.xml_guard import require_harmless

_HEAD = 4096
_BESIDE = (".msk", ".ovr", ".aux.xml")
_SERVICES = (
    b"<gdal_wms", b"<wcs_gdal", b"<gdal_wmts", b"<tilemap", b"<wms_tile_service", b"<gdaltileindexdataset", b"<mrf_meta",
    b"<capabilities", b"<wmt_ms_capabilities", b"<wms_capabilities", b"<wcs_capabilities", b"<networklink",
)  # fmt: skip
_STAC = (b'"stac_version"', b'"tiled-assets"', b'"asset_templates"')
_REMOTE = re.compile(
    r"(?:https?|ftp|s3|gs|az|dap4?|wss?)://|/vsi(?:curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs|stdin)"
    r"|^\s*(?:WMS|WMTS|WCS|EEDAI?|PLMOSAIC|DAAS|STACTA|STACIT|OGCAPI|PG|GTI|HTTP):",
    re.IGNORECASE,
)
_NAMES_NOTHING = frozenset(("srs", "gcpprojection", "description", "sourcesrs", "targetsrs"))
_OPENED_BY_METADATA = frozenset(("geolocation", "overviews", "rpc"))
_MAX_DEPTH = 8


def beside(name: str) -> tuple[str, ...]:
    """The names of the files that GDAL opens beside a raster: its mask, overviews and notes."""
    return tuple(name + suffix for suffix in _BESIDE)


def require_local(path: Path, *, depth: int = 0, seen: set[Path] | None = None) -> None:
    """Raise FormatError where `path`, or a file that it names, would reach into a network, run code, or ends too early."""
    seen = set() if seen is None else seen
    if path.absolute() in seen:
        return
    seen.add(path.absolute())
    if depth > _MAX_DEPTH:
        raise FormatError(f"{path} is a mosaic of mosaics of more than {_MAX_DEPTH} floors; build it of the rasters themselves.")
    raster_gaps.require_whole(path)
    for file in (path, *(Path(name) for name in beside(str(path)))):
        if file.is_file():
            for source in _sources(file, depth):
                require_local(source, depth=depth + 1, seen=seen)


def _sources(path: Path, depth: int) -> list[Path]:
    """The local files that a virtual raster is made of; none for other files."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        if not _is_text(head):
            return []
        text = head + stream.read()
    root = require_local_text(text, path)
    if root is None:
        return []
    if depth:
        raster_gaps.require_covered(root, path)
    return list(_named(root, path))


def _is_text(head: bytes) -> bool:
    """True for XML and JSON, the only texts by which a raster names others."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start[:1] in (b"<", b"{") or b"<vrtdataset" in head.lower()


def require_local_text(text: bytes, path: Path) -> ET.Element | None:
    """The root of a virtual raster or of notes, None for other texts; FormatError where it names a network or code."""
    head = text[:_HEAD].lower()
    if not _is_text(head):
        return None
    if any(mark in head for mark in _SERVICES) or (head.lstrip()[:1] == b"{" and any(mark in text for mark in _STAC)):
        raise FormatError(f"{path} describes a map service or a catalogue, not data; download the raster that it names.")
    if not (b"<vrtdataset" in head or b"<pamdataset" in head):
        return None
    require_harmless([text], path)
    try:
        root = ET.fromstring(text)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise FormatError(f"{path} is a damaged virtual raster: {error}; build or fetch it again.") from None
    for name in _texts(root):
        if _REMOTE.search(name):
            raise FormatError(f"{path} takes data from a network ({name.strip()[:80]}); download the raster first.")
    if any(_tag(e) == "pixelfunctionlanguage" and (e.text or "").strip().lower() == "python" for e in root.iter()):
        raise FormatError(f"{path} brings Python code along, which is never run; write it as a GeoTIFF first.")
    return root


def require_local_overviews(tags: Mapping[str, str], path: Path) -> None:
    """Raise FormatError where the overviews that a file names lie in a network."""
    for name in tags.values():
        if _REMOTE.search(name):
            raise FormatError(f"{path} takes overviews from a network ({name.strip()[:80]}); write it again without them.")


def _tag(element: ET.Element) -> str:
    return element.tag.lower() if isinstance(element.tag, str) else ""


def _texts(element: ET.Element) -> Iterator[str]:
    """All texts and attributes that can name a source; GDAL does not tell upper from lower case."""
    if _tag(element) in _NAMES_NOTHING:
        return
    if _tag(element) == "metadata" and not _OPENED_BY_METADATA & {v.lower() for v in element.attrib.values()}:
        return
    yield from (text for text in (element.text, element.tail, *element.attrib.values()) if text)
    for child in element:
        yield from _texts(child)


def _named(root: ET.Element, path: Path) -> Iterator[Path]:
    """The files that a virtual raster names; FormatError for one that is missing."""
    for element in root.iter():
        name = (element.text or "").strip()
        if _tag(element) not in ("sourcefilename", "sourcedataset") or not name or name.startswith("<"):
            continue
        options = {key.lower(): value for key, value in element.attrib.items()}
        source = path.parent / name if options.get("relativetovrt") == "1" else Path(name)
        if source.is_file():
            yield source
        elif source.exists() or not (":" in name[2:] or name.startswith("/vsi")):
            raise FormatError(f"{path} is made of {name}, which is not a file here; copy it there, or build the mosaic again.")
