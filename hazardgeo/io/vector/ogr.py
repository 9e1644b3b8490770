"""The features of one file as GDAL reads them: which layer, in which encoding, and whether all of them."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyogrio import errors as ogr

from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.io import files
from hazardgeo.io.vector.source import readable

OGR_ERRORS = (
    ogr.DataSourceError, ogr.DataLayerError, ogr.FeatureError, ogr.FieldError, ogr.GeometryError, ogr.CRSError,
    shapely.errors.ShapelyError,
)  # fmt: skip
_KML = (".kml", ".kmz")
_SEQUENCES = (".geojsonl", ".geojsons", ".ndjson", ".jsonl", ".ndgeojson")
_GPX_OWN = ("waypoints", "routes", "tracks")  # the others repeat these point by point
_DBF_SAMPLE_BYTES = 4_000_000
_DBF_LANGUAGES_THAT_SAY_NOTHING = (0x00, 0x03, 0x57)
_DBF_LANGUAGES_OF_WIDE_TEXT = (0x13, 0x4D, 0x4E, 0x4F, 0x78, 0x79, 0x7A, 0x7B)
_WIDE_TEXT = re.compile(r"GB|936|BIG|950|JIS|932|949|EUC|KR", re.IGNORECASE)
_UTF_8 = re.compile(r"(UTF|CP)?[-_ ]?(8|65001)", re.IGNORECASE)
_CUT_CHARACTERS = 0.05  # share of damaged characters in DBF fields, which may end within a character
_PART_ONLY = re.compile(r'"exceededTransferLimit"\s*:\s*true')
_MATCHED = re.compile(r'"?numberMatched"?\s*[:=]\s*"?(\d+)')
_RETURNED = re.compile(r'"?numberReturned"?\s*[:=]\s*"?(\d+)')
_ENDS_BYTES = 65_536


def read(place: Path, path: Path, layer: str | None, where: str | None) -> gpd.GeoDataFrame:
    """The features of the file at `place`, which messages call `path`: of one layer, or of all folders of a KML file.

    Raises FormatError for files that GDAL cannot read, that were cut, or that hold a part of what their source has.
    """
    _require_all_sent(place, path)
    with readable(place, path) as source, _one_line_errors(source, path), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if path.suffix.lower() in _KML and layer is None:
            features = _folders(source, path, where)
        else:
            features = _layer(source, path, _chosen_layer(source, path, layer), where)
    _pass_on(caught, source, path)
    _say_bare(place, path)
    return features


def _layer(source: Path, path: Path, layer: str, where: str | None) -> gpd.GeoDataFrame:
    encoding = None
    if source.suffix.lower() == ".shp":
        encoding = _dbf_encoding(source)
        _require_matching_table(source, path)
    try:
        features = _features(source, layer, where, encoding)
    except (ValueError, *OGR_ERRORS) as error:
        if where is None:
            raise FormatError(f"{path} cannot be read as vectors: {_reason(error, source, path)}; fetch it again.") from None
        raise InputError(f"{path}: where={where!r} is not understood: {files.one_line(error)}; check its columns.") from None
    if not isinstance(features, gpd.GeoDataFrame):
        raise InputError(f"layer {layer!r} of {path} has no geometry; choose another layer.")
    if where is None:
        _require_all(features, source, path, layer)
    return features


def _features(source: Path, layer: str, where: str | None, encoding: str | None) -> pd.DataFrame:
    """The features of the layer, without geometry where the stored one is none, such as a ring of two points."""
    options = {"layer": layer, "where": where, "encoding": encoding}
    features: pd.DataFrame
    try:
        features = pyogrio.read_dataframe(source, **options)
    except shapely.errors.ShapelyError:
        table = pyogrio.read_dataframe(source, read_geometry=False, **options)
        meta, _, stored, _ = pyogrio.raw.read(source, columns=[], **options)
        features = gpd.GeoDataFrame(table, geometry=shapely.from_wkb(stored, on_invalid="ignore"), crs=meta["crs"])
    return features


def _folders(source: Path, path: Path, where: str | None) -> gpd.GeoDataFrame:
    """The features of all folders of a KML file, with the folder of each; boxes of images laid over the ground are none."""
    found = []
    for name, _ in pyogrio.list_layers(source):
        features = _layer(source, path, str(name), where)
        column = "folder" if "folder" not in features.columns else "kml_folder"
        features.insert(0, column, str(name))
        found.append(features)
    found = [features for features in found if len(features)] or found[:1]
    if not found:
        raise InputError(f"{path} has no layer with geometries; check the file.")
    crs = found[0].crs
    together = pd.concat([pd.DataFrame(features) for features in found], ignore_index=True) if len(found) > 1 else found[0]
    features = gpd.GeoDataFrame(together, geometry="geometry", crs=crs)
    overlays = features["icon"].notna().to_numpy(bool) if "icon" in features.columns else np.zeros(len(features), bool)
    if overlays.any():
        message = f"{path}: {int(overlays.sum())} images laid over the ground are no features and are left out."
        warnings.warn(message, HazardGeoWarning, stacklevel=2)
    return features.loc[~overlays].reset_index(drop=True)


def _pass_on(caught: list[warnings.WarningMessage], source: Path, path: Path) -> None:
    """What GDAL has warned of, as one warning; dropped M values are expected."""
    said = {files.one_line(w.message) for w in caught if isinstance(w.message, Warning)}
    said = {text.replace(f"{path}: ", "").replace(str(source), path.name) for text in said if "Measured" not in text}
    if said:
        warnings.warn(f"{path}: {'; '.join(sorted(said))}.", HazardGeoWarning, stacklevel=5)


@contextmanager
def _one_line_errors(source: Path, path: Path) -> Iterator[None]:
    try:
        yield
    except (UnicodeDecodeError, *OGR_ERRORS) as error:
        reason = _reason(error, source, path)
        raise FormatError(f"{path} cannot be read as vectors: {reason}; check or fetch it again.") from None
    except UnboundLocalError:  # how pyogrio fails on a CRS that GDAL reads but cannot write as WKT
        raise CrsError(
            f"{path} has a damaged coordinate reference system; fetch it again, or its .prj where it has one."
        ) from None


def _reason(error: BaseException, source: Path, path: Path) -> str:
    return files.one_line(Exception(str(error).replace(str(source), path.name)))


def _chosen_layer(source: Path, path: Path, layer: str | None) -> str:
    """The named layer, else the only one with geometries."""
    listed = pyogrio.list_layers(source)
    spatial = [str(name) for name, kind in listed if kind is not None]
    if layer is not None and layer not in [str(name) for name, _ in listed]:
        raise InputError(f"{path} has no layer {layer!r}; it has {', '.join(map(str, listed[:, 0]))}.")
    if layer is not None:
        return layer
    if not spatial:
        raise InputError(f"{path} has no layer with geometries; check the file.")
    if path.suffix.lower() == ".gpx":
        filled = [name for name in _GPX_OWN if name in spatial and _count(source, name) > 0]
        spatial = filled or spatial
    if len(spatial) > 1:
        raise InputError(f"{path} has several layers; choose one with layer=: {', '.join(spatial)}.")
    return spatial[0]


def _count(source: Path, layer: str) -> int:
    return int(pyogrio.read_info(source, layer=layer, force_feature_count=True)["features"])


def _require_all(features: gpd.GeoDataFrame, source: Path, path: Path, layer: str) -> None:
    """Raise FormatError where fewer features were read than the file lists, so that no part passes for the whole."""
    suffix = source.suffix.lower()
    listed = -1  # unknown
    if suffix == ".fgb":
        listed = int(pyogrio.read_info(source, layer=layer)["features"])
    elif suffix == ".shp":
        listed = _shapes_listed(source)
    elif suffix in _SEQUENCES:
        listed = _records(source)
    elif suffix == ".mif":
        listed = _lines(source, ".mid")
    if len(features) < listed:
        raise FormatError(
            f"{path} lists {listed:,} features, but {len(features):,} can be read; it was cut or damaged: fetch it again."
        )


def _records(source: Path) -> int:
    """The number of features that a sequence of JSON texts lists, damaged ones counted too."""
    text = source.read_text(encoding="utf-8", errors="replace").strip("\x1e \t\r\n")
    if "\x1e" in text:
        return len([part for part in text.split("\x1e") if part.strip()])
    lines = [line for line in text.splitlines() if line.strip()]
    last = lines[-1] if lines else "{}"
    try:
        json.loads(last)
    except ValueError:
        return len(lines)
    return len(lines) if all(line.lstrip().startswith("{") for line in lines) else -1


def _beside(source: Path, suffix: str) -> Path | None:
    return next((p for p in source.parent.iterdir() if p.stem == source.stem and p.suffix.lower() == suffix), None)


def _lines(source: Path, suffix: str) -> int:
    table = _beside(source, suffix)
    return 0 if table is None else sum(1 for line in table.read_bytes().splitlines() if line.strip())


def _require_all_sent(place: Path, path: Path) -> None:
    """Raise FormatError where the file says that a service has sent a part of its features only."""
    if place.suffix.lower() not in (".json", ".geojson", ".gml", ".xml"):
        return
    with place.open("rb") as stream:
        head = stream.read(_ENDS_BYTES)
        stream.seek(max(len(head), place.stat().st_size - _ENDS_BYTES))
        text = (head + b"\n" + stream.read()).decode("utf-8", errors="replace")
    matched, returned = _MATCHED.search(text), _RETURNED.search(text)
    fewer = matched is not None and returned is not None and int(returned[1]) < int(matched[1])
    if fewer or _PART_ONLY.search(text):
        raise FormatError(f"{path} holds only a part of what its service has (it says so itself); fetch all pages, as one file.")


def _say_bare(place: Path, path: Path) -> None:
    table = {".shp": ".dbf", ".mif": ".mid"}.get(place.suffix.lower())
    if table is not None and _beside(place, table) is None:
        message = f"{path} has no {table} beside it, so its shapes have no names or other columns."
        warnings.warn(message, HazardGeoWarning, stacklevel=5)


def _require_matching_table(shp: Path, path: Path) -> None:
    """Raise FormatError where the table of a Shapefile has another number of rows than there are shapes."""
    shx, dbf = _beside(shp, ".shx"), _beside(shp, ".dbf")
    if shx is None or dbf is None:
        return
    rows, shapes = _dbf_size(dbf)[0], (shx.stat().st_size - 100) // 8
    if rows != shapes:
        raise FormatError(
            f"{path} has {shapes:,} shapes, but its .dbf has {rows:,} rows; they do not belong together: fetch both again."
        )


def _dbf_size(dbf: Path) -> tuple[int, int, int]:
    """The number of rows of a DBF table, the bytes of its header, and those of a row."""
    with dbf.open("rb") as stream:
        head = stream.read(12)
    return int.from_bytes(head[4:8], "little"), int.from_bytes(head[8:10], "little"), int.from_bytes(head[10:12], "little")


def _shapes_listed(shp: Path) -> int:
    """The shapes of a Shapefile without those whose rows are marked as deleted."""
    shx, dbf = _beside(shp, ".shx"), _beside(shp, ".dbf")
    if shx is None:
        return -1
    shapes = max(0, (shx.stat().st_size - 100) // 8)
    if dbf is None:
        return shapes
    rows, header_bytes, row_bytes = _dbf_size(dbf)
    whole = np.frombuffer(dbf.read_bytes(), np.uint8)[header_bytes:]
    marks = whole[: rows * row_bytes : row_bytes] if row_bytes else whole[:0]
    return shapes - int((marks == ord("*")).sum())


def _dbf_encoding(shp: Path) -> str | None:
    """The encoding of the attributes of a Shapefile that does not state it, or states another than its bytes show.

    None where what it states is to be taken, or it has no table.
    """
    dbf, cpg = _beside(shp, ".dbf"), _beside(shp, ".cpg")
    if dbf is None:
        return None
    with dbf.open("rb") as stream:
        whole = stream.read(_DBF_SAMPLE_BYTES)
    if len(whole) < 32:
        return None
    stated = "" if cpg is None else cpg.read_bytes()[:100].decode("ascii", errors="replace").strip()
    text = _dbf_text(whole)
    if not stated and whole[29] in _DBF_LANGUAGES_THAT_SAY_NOTHING:
        return files.encoding_of(text, bad_share=_CUT_CHARACTERS).replace("-sig", "")
    wide = _WIDE_TEXT.search(stated) is not None if stated else whole[29] in _DBF_LANGUAGES_OF_WIDE_TEXT
    if _UTF_8.fullmatch(stated):
        seen = None if _is_utf_8(text) else files.encoding_of(text, bad_share=_CUT_CHARACTERS).replace("-sig", "")
    else:
        seen = "utf-8" if _is_utf_8(text) and not text.isascii() and (not wide or _is_wide(text)) else None
    if seen is not None:
        said = stated or f"the code page of its .dbf (0x{whole[29]:02x})"
        message = f"its attributes are said to be in {said}, but their bytes are {seen}, which is taken"
        warnings.warn(message, HazardGeoWarning, stacklevel=2)
    return seen


def _is_utf_8(text: bytes) -> bool:
    beyond = [c for c in text.decode("utf-8", errors="replace") if ord(c) > 127]
    return beyond.count("\ufffd") <= _CUT_CHARACTERS * len(beyond)


def _is_wide(text: bytes) -> bool:
    """True where most characters beyond ASCII have three bytes in UTF-8: pairs of two, as of 学校 in GBK, also pass for UTF-8."""
    beyond = [c for c in text.decode("utf-8", errors="replace") if ord(c) > 127]
    return sum(c >= "\u0800" for c in beyond) > len(beyond) / 2


def _dbf_text(whole: bytes) -> bytes:
    """The names of the columns and the rows of a DBF table, whole rows only."""
    head = whole[:32]
    header_bytes, record_bytes = int.from_bytes(head[8:10], "little"), int.from_bytes(head[10:12], "little")
    names = b" ".join(whole[i : i + 11].split(b"\0")[0] for i in range(32, header_bytes - 32, 32))
    records = whole[header_bytes:]
    records = records[: len(records) // max(record_bytes, 1) * record_bytes]
    return (names + b" " + records).replace(b"\0", b" ")
