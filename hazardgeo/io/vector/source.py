"""What GDAL may open: local files that hold their own data, where reading leaves no trace beside them."""

from __future__ import annotations

import codecs
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyogrio

from hazardgeo.errors import FormatError, InputError
from hazardgeo.io import files
from hazardgeo.io.xml_guard import require_harmless

_HEAD_BYTES = 65_536
_SQLITE = b"SQLite format 3\0"
_SHP_MAGIC = bytes.fromhex("0000270a")
_DBF_PARTS = (".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qix")
_ELSEWHERE = (b"<ogrvrtdatasource", b"<ogrwfsdatasource", b"gdal_streamed_alg", b"<vrtdataset", b"<gdal_wms", b"<gdal_wfs")
_XML_ROOTS = ("kml", "gpx", "osm", "rss", "feed", "jcsdatafile", "mapml-", "georss")
_GML = re.compile(rb"opengis\.net/(gml|citygml|wfs)", re.IGNORECASE)
_FENCE = {  # nothing is fetched, whatever a file says
    "GDAL_HTTP_PROXY": "http://127.0.0.1:9",
    "GDAL_HTTPS_PROXY": "http://127.0.0.1:9",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GDAL_HTTP_CONNECTTIMEOUT": "1",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".nothing",
    "GML_DOWNLOAD_SCHEMA": "NO",
    "OGR_SQLITE_ALLOW_EXTERNAL_ACCESS": "NO",
}


@contextmanager
def readable(place: Path, path: Path) -> Iterator[Path]:
    """The path under which GDAL can open the file at `place`, named `path` in messages, without network and without traces.

    Files beside which GDAL would write (.gml, Shapefiles without .shx) are linked into a temporary folder, databases that
    were not closed are copied there. Raises FormatError for files that describe data elsewhere, and for cut files.
    """
    place = place.absolute()
    if place.suffix.lower() in _DBF_PARTS:
        raise InputError(f"{path} is a part of a Shapefile without shapes; name the .shp that lies beside it.")
    head = b"" if place.is_dir() else _head(place)
    _require_own_data(head, place, path)
    _require_whole(head, place, path)
    with _fenced(restore_index=head.startswith(_SHP_MAGIC) and not _has_index(place)):
        if head.startswith(_SQLITE) and _is_open(head, place):
            with _beside([place, *_journals(place)], copy=True) as copied:
                yield copied
        elif place.is_dir() and "!" in str(place):  # pyogrio takes what stands before a ! for an archive
            with _beside([place], copy=False) as linked:
                yield linked
        elif "!" in str(place) or _leaves_traces(head, place):
            with _beside([place, *_siblings(place)], copy=False) as linked:
                yield linked
        else:
            yield place


def _head(place: Path) -> bytes:
    with place.open("rb") as stream:
        return stream.read(_HEAD_BYTES)


@contextmanager
def _fenced(*, restore_index: bool) -> Iterator[None]:
    """GDAL without network; it makes the index of a Shapefile that has none, in the folder that it is given."""
    options = {**_FENCE, "SHAPE_RESTORE_SHX": "YES" if restore_index else None}
    before = {key: pyogrio.get_gdal_config_option(key) for key in options}
    pyogrio.set_gdal_config_options(options)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)


def _require_own_data(head: bytes, place: Path, path: Path) -> None:
    """Raise FormatError for descriptions of data elsewhere, and for XML with entities or of no known kind."""
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff") or head[1:2] == b"\0"
    text = (head.replace(b"\0", b"") if wide else head).lower()
    text = text.removeprefix(codecs.BOM_UTF8).lstrip(b"\xff\xfe \t\r\n")
    root = _root(text) if text.startswith(b"<") else None
    if root == "!doctype":
        raise FormatError(f"{path} declares a DOCTYPE, which can make a reader fetch or expand other things; remove it.")
    described = text.startswith((b"<", b"{", b"[")) and any(marker in text for marker in _ELSEWHERE)
    if described or place.suffix.lower() == ".vrt" or (root is not None and root.endswith("capabilities")):
        raise FormatError(
            f"{path} holds no features but says where they lie (a service or another file), which is never followed; export "
            "them to a GeoPackage."
        )
    if root is not None and root.rpartition(":")[2] not in _XML_ROOTS and not _GML.search(text):
        raise FormatError(f"{path} is XML of no kind that holds features (its root is <{root}>); export it to a GeoPackage.")
    if root is not None:
        with place.open("rb") as stream:
            require_harmless(iter(partial(stream.read, _HEAD_BYTES), b""), path)


def _root(text: bytes) -> str:
    """The name of the root element of an XML text, or "!doctype" where one stands before it."""
    prolog = re.match(rb"(?:\s|<\?.*?\?>|<!--.*?-->)*", text, flags=re.DOTALL)
    match = re.match(rb"<([^\s<>/\[]+)", text[prolog.end() if prolog else 0 :])
    return match[1].decode("utf-8", errors="replace") if match else "?"


def _require_whole(head: bytes, place: Path, path: Path) -> None:
    """FormatError where the file is shorter than it says."""
    size = place.stat().st_size
    if head.startswith(_SQLITE) and len(head) >= 100:
        page = int.from_bytes(head[16:18], "big")
        page = 65_536 if page == 1 else page
        counted = head[24:28] == head[92:96]
        if counted and size < page * int.from_bytes(head[28:32], "big"):
            raise FormatError(f"{path} is shorter than it says, so it was cut; fetch it again.")
    elif head.startswith(_SHP_MAGIC) and len(head) >= 28:
        stated = 2 * int.from_bytes(head[24:28], "big")
        if size < stated:
            raise FormatError(f"{path} has {size:,} of {stated:,} bytes, so it was cut; fetch it again.")
    elif place.suffix.lower() == ".dxf" and not head.startswith(b"AutoCAD Binary DXF"):
        with place.open("rb") as stream:
            stream.seek(max(0, size - 4096))
            if b"EOF" not in stream.read():
                raise FormatError(f"{path} has no end mark, so it was cut; fetch it again.")


def _is_open(head: bytes, place: Path) -> bool:
    """True for a database whose last changes lie in files beside it, or beside which a reader would write."""
    return head[18:20] == b"\x02\x02" or any(p.stat().st_size > 0 for p in _journals(place))


def _journals(place: Path) -> list[Path]:
    beside = (place.with_name(place.name + end) for end in ("-wal", "-journal"))
    return [p for p in beside if p.is_file()]


def _leaves_traces(head: bytes, place: Path) -> bool:
    if head.startswith(_SHP_MAGIC):
        return not _has_index(place)
    return head.lstrip(codecs.BOM_UTF8).lstrip().startswith(b"<") and _GML.search(head) is not None


def _has_index(shp: Path) -> bool:
    return any(p.suffix.lower() == ".shx" for p in _siblings(shp))


def _siblings(place: Path) -> list[Path]:
    """The file and those beside it that have its name and another suffix."""
    return [p for p in place.parent.iterdir() if p.name.startswith(f"{place.stem}.") and p.is_file()]


@contextmanager
def _beside(parts: list[Path], *, copy: bool) -> Iterator[Path]:
    """The first of the files in a temporary folder with the others: copied, or linked where the system can."""
    with tempfile.TemporaryDirectory(prefix="hazardgeo-", ignore_cleanup_errors=True) as folder:
        targets = [Path(folder, part.name.replace("!", "_")) for part in parts]
        try:
            for part, target in dict(zip(parts, targets, strict=True)).items():
                _put(part, target, copy=copy)
        except OSError as error:
            reason = files.one_line(error)
            raise FormatError(f"{parts[0]} cannot be read: {reason}; check it and the temporary folder.") from None
        yield targets[0]


def _put(source: Path, target: Path, *, copy: bool) -> None:
    if not copy:
        try:
            target.symlink_to(source, target_is_directory=source.is_dir())
        except (OSError, NotImplementedError):  # Windows without the right to make links
            copy = True
    if copy and source.is_dir():
        shutil.copytree(source, target)
    elif copy:
        shutil.copyfile(source, target)
