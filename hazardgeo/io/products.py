"""Folders as photogrammetry and laser scanning programs write them: the CRS and the offset that they state for local files.

DJI Terra, ContextCapture (iTwin Capture) and Metashape put a `metadata.xml` (ModelMetadata: SRS and SRSOrigin) beside local
coordinates; Pix4D a `*_offset.xyz` with a `*_wkt.prj`; OpenDroneMap a `coords.txt` with the UTM zone and the offset. Local
coordinates plus the offset are coordinates in the CRS. Georeferenced LAS and GeoTIFF files do without.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

import pyproj

from hazardgeo import crs as _crs
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError
from hazardgeo.io import files
from hazardgeo.io.reference import require_plausible_place

Offset = tuple[float, float, float]
_LARGEST_BYTES = 1_000_000  # these are small files; what is larger is something else
_UTM = re.compile(r"WGS ?84 UTM (\d{1,2})([NS])\b", re.IGNORECASE)
_ENU = re.compile(r"ENU:\s*([-+]?\d+\.?\d*)\s*,\s*([-+]?\d+\.?\d*)", re.IGNORECASE)
_CRS = re.compile(r"(EPSG|ESRI|IGNF|OGC):\w|[A-Z][A-Z_\d]*\s*\[|\+proj=\w", re.IGNORECASE)  # codes, WKT, PROJ without files
_TEXTS = {"SRS", "SRSOrigin"}


@dataclass(frozen=True, slots=True)
class Product:
    """What a program says of the coordinates of the files in the folder `root` and below it.

    `crs` is None where none is stated; `offset` (east, north, height) is to be added to local coordinates, None where the
    coordinates are complete. `height` is the height reference that the CRS states. `files` are those that said so.
    """

    kind: str
    root: Path
    crs: pyproj.CRS | None
    height: Height
    offset: Offset | None
    files: tuple[Path, ...]


def statement(path: Path | str) -> Product | None:
    """What the file `path` states of the coordinates of its folder, None for a file that is no such statement.

    Raises FormatError for damaged statements, CrsError for local systems that no map CRS belongs to (ENU tangent planes,
    LOCAL) and for offsets that cannot lie in the CRS that is stated with them; the message names the export to make.
    """
    source = Path(path)
    name = source.name.lower()
    if name == "metadata.xml":
        return _model_metadata(source)
    if name.endswith("offset.xyz"):
        return _pix4d(source)
    if name in ("coords.txt", "odm_georeferencing_model_geo.txt"):
        return _odm(source)
    return None


def of_file(path: Path, products: Iterable[Product]) -> Product | None:
    """The statement that speaks of `path`: that of the nearest folder above it."""
    above = [product for product in products if product.root in path.parents]
    return max(above, key=lambda product: len(product.root.parts), default=None)


def _model_metadata(path: Path) -> Product | None:
    """The SRS and SRSOrigin of a ModelMetadata document; None for another document of that name."""
    texts = _elements(path)
    if texts is None:
        return None
    srs = texts.get("SRS", "").strip()
    origin = texts.get("SRSOrigin", "").strip()
    enu = _ENU.match(srs)
    if enu is not None:
        raise CrsError(_tangent_plane(path, float(enu.group(1)), float(enu.group(2))))
    if not srs or srs.lower() in ("local", "local coordinates") or srs.startswith("LOCAL_CS"):
        raise CrsError(f"{path} says that the coordinates are local, on no map; export again in a map CRS (EPSG:...).")
    crs, height = _split(srs, path)
    offset = _numbers(origin.split(","), path, what="SRSOrigin") if origin else None
    return _product(_writer(path), path.parent, (crs, height), offset, (path,))


def _elements(path: Path) -> dict[str, str] | None:
    """The texts of the wanted elements of a ModelMetadata document, None where the root is another."""
    source = files.existing(path)
    texts: dict[str, str] = {}
    open_elements: list[str] = []
    parser = expat.ParserCreate()

    def start(tag: str, _attributes: dict[str, str]) -> None:
        if not open_elements:
            texts["root"] = tag
        open_elements.append(tag)

    def end(_tag: str) -> None:
        open_elements.pop()

    def text(content: str) -> None:
        if len(open_elements) == 2 and open_elements[1] in _TEXTS:
            texts[open_elements[1]] = texts.get(open_elements[1], "") + content

    def refuse(*_: object) -> None:
        raise FormatError(f"{path} declares a DOCTYPE, which such a file never has; it is not read. Fetch the original.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, refuse
    try:
        parser.Parse(_content(source), True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise FormatError(f"{path} is not XML: {files.one_line(error)}; export it again.") from None
    return texts if texts.get("root") == "ModelMetadata" else None


def _writer(path: Path) -> str:
    """The program by the folders around its metadata: three programs write the same document."""
    names = " ".join(part.lower() for part in path.parts[-6:-1])
    beside = [p.name.lower() for p in path.parent.iterdir()]
    if "terra_" in names or "lidars" in names or any(name.startswith("terra_") for name in beside):
        return "DJI Terra"
    if "production" in names or "data" in beside:
        return "ContextCapture"
    return "a 3D model program"


def _pix4d(path: Path) -> Product:
    """The offset of a Pix4D project, with the CRS of the `*_wkt.prj` beside it."""
    offset = _numbers(_text(path).split(), path, what="the offset")
    stem = path.name[: -len("offset.xyz")]
    beside = sorted(path.parent.glob("*_wkt.prj"), key=lambda prj: not prj.name.startswith(stem))
    said = _split(_text(beside[0]).strip(), beside[0]) if beside else (None, Height())
    root = path.parent.parent.parent if path.parent.name == "params" else path.parent
    return _product("Pix4D", root, said, offset, (path, *beside[:1]))


def _odm(path: Path) -> Product | None:
    """The UTM zone and the offset of OpenDroneMap; None for another text of that name."""
    lines = _text(path).splitlines()
    utm = _UTM.match(lines[0]) if lines else None
    if utm is None and not (lines and lines[0].upper().startswith("EPSG:")):
        return None
    if utm is not None and not 1 <= int(utm.group(1)) <= 60:
        raise FormatError(f"{path} names the UTM zone {utm.group(1)}, which does not exist; run the project again.")
    code = f"EPSG:{(32600 if utm.group(2).upper() == 'N' else 32700) + int(utm.group(1))}" if utm else lines[0].strip()
    east_north = lines[1].split() if len(lines) > 1 else []
    offset = _numbers([*east_north[:2], "0"], path, what="the offset")
    root = path.parent.parent if path.parent.name == "odm_georeferencing" else path.parent
    return _product("OpenDroneMap", root, _split(code, path), offset, (path,))


def _product(
    kind: str, root: Path, said: tuple[pyproj.CRS | None, Height], offset: Offset | None, sources: tuple[Path, ...]
) -> Product:
    """The product, when its offset can lie in its CRS; an offset of zero is none."""
    crs, height = said
    if offset is not None and offset[:2] == (0.0, 0.0):
        offset = None if offset[2] == 0.0 else offset
    if crs is not None and offset is not None and offset[:2] != (0.0, 0.0):
        if not crs.is_projected:
            raise CrsError(f"{sources[0]} adds an offset in {_crs.label(crs)}, which is in degrees; export again in a map CRS.")
        east, north = offset[:2]
        require_plausible_place((east, north, east, north), crs, sources[0])
    return Product(kind, root, crs, height, offset, sources)


def _tangent_plane(path: Path, latitude: float, longitude: float) -> str:
    return (
        f"{path} says that the coordinates are on a plane that touches the Earth at {latitude:g} N, {longitude:g} E (ENU), "
        f"which no map shares; export again in a map CRS, for example {_crs.label(_crs.utm(longitude, latitude))}."
    )


def _split(text: str, path: Path) -> tuple[pyproj.CRS, Height]:
    try:
        if _CRS.match(text) is None:
            raise CrsError(f"{text[:60]!r} is neither a code nor WKT")
        return _crs.split(text)
    except CrsError as error:
        raise CrsError(f"{path} names no usable CRS: {files.one_line(error)}; export again in a map CRS (EPSG:...).") from None


def _numbers(words: list[str], path: Path, *, what: str) -> Offset:
    try:
        values = tuple(float(word) for word in words)
    except ValueError:
        values = ()
    if len(values) != 3 or not all(map(math.isfinite, values)):
        raise FormatError(f"{path} is damaged: {what} is {' '.join(words)[:60]!r}, not three numbers; export it again.")
    return values


def _text(path: Path) -> str:
    data = _content(files.existing(path))
    return data.decode(files.encoding_of(data), errors="replace")


def _content(path: Path) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(_LARGEST_BYTES + 1)
    if len(data) > _LARGEST_BYTES:
        raise FormatError(f"{path} is too large for a file of its name; check which file this is.")
    return data
