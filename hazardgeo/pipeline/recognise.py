"""Which input of a scenario a file looks like: by what it holds, by its name, and by what its program says of it."""

from __future__ import annotations

import math
import re
import unicodedata
import warnings
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas
import pyogrio
import pyproj
import rasterio
from pyogrio.errors import DataSourceError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from hazardgeo import crs as _crs
from hazardgeo import io
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.io import files, products
from hazardgeo.io.products import Product
from hazardgeo.io.shaking import isoseismal, packed
from hazardgeo.pipeline.folders import CLOUDS, RASTERS, SHAPES, XML
from hazardgeo.pipeline.inputs import UNITS_TO_STATE
from hazardgeo.shelter import CAPACITY_COLUMNS

Bounds = tuple[float, float, float, float]
RASTER_WORDS = {  # the most specific first; words of a file name between its separators, Chinese ones anywhere in it
    "distance_to_river": ("river", "dr"),
    "distance_to_coast": ("coast", "dc"),
    "precipitation": ("precip", "precipitation", "降水", "降雨"),
    "water_table": ("wtd", "watertable", "地下水"),
    "saturation": ("saturation", "饱和度"),
    "land_cover": ("landcover", "globcover", "cover", "地表覆盖"),
    "lithology": ("lithology", "litho", "glim", "岩性"),
    "vs30": ("vs30",),
    "cti": ("cti", "twi", "wetness"),
    "slope": ("slope", "gradient", "坡度"),
    "dem": ("dem", "dtm", "dsm", "gsddsm", "elevation", "srtm", "高程", "地形"),
}
SURFACE_WORDS = ("dsm", "gsddsm", "地表模型")
GROUND_WORDS = ("dtm", "ground", "bare", "地面")
NO_VALUES = (  # pictures, and what is derived from terrain and is none
    "hillshade", "shaded", "preview", "thumb", "mask", "euclideand", "unfilled", "diff", "difference", "dod", "change", "error",
    "std", "stdev", "sigma", "aspect", "curvature", "geoid", "undulation", "roughness", "tri", "tpi", "flow",
    "山体阴影", "差值", "差分", "变化", "误差", "坡向", "曲率", "高程异常", "大地水准面", "起伏", "粗糙",
)  # fmt: skip
AREA_WORDS = {
    "surveyed": ("surveyed", "survey", "flown", "调查范围", "测区", "航飞范围"),
    "bodies": ("bodies", "slides", "landslides", "landslide", "scars", "滑坡", "崩塌"),
    "zones": ("zones", "townships", "districts", "乡镇", "行政区", "村界"),
}
ROAD_WORDS = ("road", "roads", "street", "streets", "highway", "highways", "ways", "道路", "公路")
OTHER_LINES = (
    "river", "rivers", "stream", "streams", "contour", "contours", "fault", "faults", "rupture", "railway", "trajectory",
    "boundary", "boundaries", "cont", "mmi", "pga", "pgv", "intensity", "isoseismal", "isoseismals",
    "烈度", "等高线", "河流", "水系", "断层", "断裂", "边界", "铁路", "航迹",
)  # fmt: skip
BUILDING_WORDS = ("building", "buildings", "footprints", "houses", "建筑", "房屋")
INTENSITY_WORDS = ("isoseismal", "isoseismals", "intensity", "烈度")
SHELTER_WORDS = ("shelter", "shelters", "sites", "避难场所", "安置点", "避难所")
NEWER_WORDS = ("after", "post", "震后", "灾后")
OLDER_WORDS = ("before", "pre", "震前", "灾前")
SURFACE_NOTICE = "The terrain is a surface model with trees and houses, not the bare ground."
_NEAR_M = 100_000.0  # a scan lies this near to the origin that its program states
_HEAD_BYTES = 65_536
_NO_CRS = "it states no CRS; set crs = 'EPSG:...' in its table"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that can be the input `name`, how it is read, and why.

    Lower `rank` is better. `crs` is the code of its metric CRS, or of the UTM zone for degrees; `bounds` are in its own CRS.
    `lacks` says what is missing before it can be used, `warning` what must be said of the data wherever they are shown.
    """

    name: str
    path: Path
    why: str
    rank: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    crs: str | None = None
    bounds: Bounds | None = None
    lacks: str = ""
    warning: str = ""


def recognise(path: Path, stated: tuple[Product, ...]) -> list[Candidate]:
    """The inputs that a file can be: none for a file that says nothing, several for a file of several layers.

    Of rasters and LAS clouds only the header is read. Raises what the door of its kind raises for files that it refuses.
    """
    kind = path.suffix.lower()
    if kind in CLOUDS:
        return [_cloud(path, products.of_file(path, stated))]
    if path.name.lower().endswith(XML):
        return _shaking(path)
    if kind in RASTERS:
        return _raster(path)
    if path.name.lower().endswith(".osm.pbf"):
        options = {"layer": "lines", "where": "highway IS NOT NULL"}
        return [Candidate("roads", path, "OpenStreetMap extract, its highways", options=options)]
    return _shapes(path) if kind in SHAPES else []


def says(path: Path | str, words: tuple[str, ...]) -> bool:
    """True where the name of a file or layer holds one of `words`: between separators, or anywhere for Chinese ones."""
    stem = (path.stem if isinstance(path, Path) else path).lower()
    parts = [part for part in re.split(r"[^a-z0-9]+", stem) if part]
    known = {*parts, *(a + b for a, b in pairwise(parts))}
    return any(word in known if word.isascii() else word in stem for word in words)


def code_of(crs: pyproj.CRS) -> str | None:
    """The code of a metric CRS; None for one without a code, or in other units."""
    code = crs.to_authority(min_confidence=70)
    return ":".join(code) if code and _crs.is_metric(crs) else None


def _cloud(path: Path, product: Product | None) -> Candidate:
    if path.suffix.lower() in (".las", ".laz"):
        return _las(path, product)
    if path.suffix.lower() == ".ply" and _has_faces(path):
        raise FormatError("it is a 3D model of surfaces, not a cloud; export the point cloud as LAS.")
    stored = io.cloud_info(path).crs if path.suffix.lower() == ".e57" else None
    if stored is not None:
        crs = _understood(stored)
        return Candidate("scan", path, "cloud", 3, {}, None if crs is None else code_of(crs))
    if product is None or product.crs is None:
        return Candidate("scan", path, "cloud", 3, lacks=_NO_CRS)
    options, said = _stated(product), f"CRS of {product.kind} ({product.files[-1].name})"
    if product.offset is not None:
        options["offset"] = list(product.offset)
        said = f"local cloud, CRS and offset of {product.kind} ({product.files[0].name})"
    return Candidate("scan", path, said, 3, options, code_of(product.crs))


def _las(path: Path, product: Product | None) -> Candidate:
    """A LAS or LAZ cloud with its own CRS, else with what its program or the .prj beside it states."""
    info = io.cloud_info(path)
    plain = Candidate("scan", path, f"cloud, {info.points:,} points", -1 if says(path, ("merged",)) else 0, bounds=info.bounds)
    cut = next((note for note in info.notes if "cut" in note), "")
    if cut:
        return replace(plain, lacks=cut)
    options: dict[str, Any] = {}
    if info.crs is not None:
        crs = _understood(info.crs)
        if crs is not None and not _crs.is_metric(crs):
            return replace(plain, lacks="it is not in metres on a map; reproject it, for example to UTM")
    elif product is not None and product.crs is not None:
        crs, options = product.crs, _stated(product)
        plain = replace(plain, why=f"{plain.why}, CRS of {product.kind} ({product.files[-1].name})")
    else:
        crs = _prj_beside(path)
        if crs is None:
            return replace(plain, lacks=_NO_CRS)
        options, plain = {"crs": _text_of(crs)}, replace(plain, why=f"{plain.why}, CRS of the .prj beside it")
    code = None if crs is None else code_of(crs)
    if product is None or product.offset is None or not _is_local(info.bounds, product.offset):
        return replace(plain, crs=code, options=options)
    east, north, _ = product.offset
    west, south, right, top = info.bounds
    moved = (west + east, south + north, right + east, top + north)
    why = f"{plain.why}, local coordinates with the offset of {product.kind} ({product.files[0].name})"
    return replace(plain, why=why, crs=code, bounds=moved, options={**options, "offset": list(product.offset)})


def _understood(label: str) -> pyproj.CRS | None:
    """The CRS of a label; None for one that is known by its WKT alone, which the file keeps."""
    try:
        return _crs.horizontal(label)
    except CrsError:
        return None


def _is_local(bounds: Bounds, origin: tuple[float, float, float]) -> bool:
    """True where the middle of a cloud lies near zero, and the origin that its program states far from it."""
    x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    return math.hypot(x, y) < _NEAR_M < math.hypot(*origin[:2]) - _NEAR_M


def _stated(product: Product) -> dict[str, Any]:
    """The options by which a scenario says what a program states of its files."""
    options: dict[str, Any] = {} if product.crs is None else {"crs": _text_of(product.crs)}
    if product.height.kind != "unknown":
        options["height"] = product.height.kind
    return options


def _text_of(crs: pyproj.CRS) -> str:
    code = crs.to_authority(min_confidence=70)
    return ":".join(code) if code else str(crs.to_wkt())


def _prj_beside(path: Path) -> pyproj.CRS | None:
    """The CRS in the .prj file of the same name; None where there is none, or none that is understood."""
    prj = path.with_suffix(".prj")
    if not prj.is_file() or prj.stat().st_size > _HEAD_BYTES:
        return None
    try:
        return _crs.horizontal(prj.read_text(encoding="utf-8", errors="replace").strip())
    except CrsError:
        return None


def _has_faces(path: Path) -> bool:
    with files.existing(path).open("rb") as stream:
        faces = re.search(rb"\nelement face (\d+)", stream.read(_HEAD_BYTES).partition(b"end_header")[0])
    return faces is not None and int(faces.group(1)) > 0


def _raster(path: Path) -> list[Candidate]:
    words = "dem" if path.suffix.lower() == ".hgt" else next((k for k, known in RASTER_WORDS.items() if says(path, known)), None)
    bands, dtype, crs, bounds, unit = _raster_header(files.existing(path))
    if bands >= 3 and dtype == "uint8":
        raise FormatError("it is a picture, which is not used by any stage yet.")
    if words is None or says(path, NO_VALUES):
        return []
    options: dict[str, Any] = {}
    if crs is None:
        crs = _prj_beside(path)
        options = {} if crs is None else {"crs": _text_of(crs)}
    no_unit = f"it does not state its unit; set unit = {UNITS_TO_STATE[words]} in its table" if words in UNITS_TO_STATE else ""
    lacks = "; ".join(text for text in (_NO_CRS if crs is None else "", "" if unit else no_unit) if text)
    code = None if crs is None else _working_code(crs, bounds)
    if words != "dem":
        return [Candidate(words, path, words.replace("_", " "), 5, options, code, bounds, lacks)]
    if says(path, SURFACE_WORDS):
        return [Candidate("dem", path, "surface model (DSM)", 4, options, code, bounds, lacks, SURFACE_NOTICE)]
    ground = says(path, GROUND_WORDS)
    return [Candidate("dem", path, "terrain model", 1 if ground else 2, options, code, bounds, lacks)]


def _raster_header(path: Path) -> tuple[int, str, pyproj.CRS | None, Bounds, str]:
    """Bands, type, CRS (None where none is stated or understood), bounds and unit of a raster, without reading its cells."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as dataset:
                crs = None if dataset.crs is None else _crs.horizontal(dataset.crs.to_wkt())
                return dataset.count, str(dataset.dtypes[0]), crs, tuple(dataset.bounds), dataset.units[0] or ""
    except CrsError:
        return 1, "", None, (0.0, 0.0, 0.0, 0.0), ""
    except RasterioError as error:
        raise FormatError(f"it cannot be read as a raster: {files.one_line(error)}; check or fetch it again.") from None


def _working_code(crs: pyproj.CRS, bounds: Bounds) -> str | None:
    """The code of a metric CRS, or of the UTM zone around the middle of a raster that really is in degrees."""
    west, south, east, north = bounds
    if not crs.is_geographic:
        return code_of(crs)
    inside = max(abs(west), abs(east)) <= 360.5 and max(abs(south), abs(north)) <= 90.5
    return code_of(_crs.utm((west + east) / 2, (south + north) / 2)) if inside else None


def _shaking(path: Path) -> list[Candidate]:
    """A ShakeMap grid or its uncertainties; nothing for XML of other kinds."""
    if path.suffix.lower() == ".xml":
        with files.existing(path).open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    else:
        head = packed.xml_of(path, wanted="grid.xml")[:_HEAD_BYTES]
    if b"shakemap_grid" not in head:
        return []
    fields = {name.upper() for name in re.findall(rb"<grid_field[^>]*\bname=[\"'](\w+)", head)}
    if fields & {b"STDPGA", b"STDPGV"} and not fields & {b"PGA", b"PGV", b"MMI"}:
        return [Candidate("shakemap_uncertainty", path, "uncertainty of a ShakeMap")]
    source = io.read_shakemap(path).source
    return [Candidate("shakemap", path, source, int("SCENARIO" in source))]


def _shapes(path: Path) -> list[Candidate]:
    found: list[Candidate] = []
    if not _has_features(path):
        return found
    for layer in _layers(path):
        try:
            shapes = io.read_vector(path, layer=layer)
        except InputError:
            if path.suffix.lower() != ".zip":
                raise
            raise FormatError("it holds packed files; unpack them into this folder.") from None
        candidate = _intensity(shapes, path, layer) or _shape_input(shapes, path, layer)
        if candidate is not None:
            found.append(candidate)
    return found


def _has_features(path: Path) -> bool:
    """False for JSON whose beginning names no features or geometries: programs keep much else in such files."""
    if path.suffix.lower() != ".json":
        return True
    with files.existing(path).open("rb") as stream:
        return re.search(rb'"(Feature|FeatureCollection|Topology|geometr|esriGeometry)', stream.read(_HEAD_BYTES)) is not None


def _layers(path: Path) -> list[str | None]:
    """The layers with geometries of a file that has several, None for the only one."""
    if path.suffix.lower() not in (".gpkg", ".gdb"):
        return [None]
    try:
        listed = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    except DataSourceError:
        return [None]  # the door says what is wrong
    return [*listed] if len(listed) > 1 else [None]


def _intensity(shapes: geopandas.GeoDataFrame, path: Path, layer: str | None) -> Candidate | None:
    """An intensity map; None for shapes whose name and columns say nothing of one."""
    columns = {unicodedata.normalize("NFKC", str(c)).lower() for c in shapes.columns}
    named = {*isoseismal.COLUMNS["csi"], *isoseismal.COLUMNS["mmi"]}
    if not (columns & named or says(path.stem if layer is None else layer, INTENSITY_WORDS)):
        return None
    options: dict[str, Any] = {} if layer is None else {"layer": layer}
    try:
        zones = io.read_isoseismals(path, layer=layer)
    except InputError as error:
        if "scale=" not in str(error):
            raise
        lacks = "state scale = 'csi' (Chinese) or 'mmi' in its table"
        return Candidate("isoseismals", path, "intensity map", 0, options, lacks=lacks)
    return Candidate("isoseismals", path, f"intensity map ({zones['scale'].iloc[0]}), {len(zones)} zones", 0, options)


def _shape_input(shapes: geopandas.GeoDataFrame, path: Path, layer: str | None) -> Candidate | None:
    kinds, columns = set(shapes.geom_type), _known_columns(shapes, path)
    name = path.stem if layer is None else layer
    options: dict[str, Any] = {} if layer is None else {"layer": layer}
    if not kinds:
        return None
    if kinds <= {"LineString", "MultiLineString"}:
        is_road = says(name, ROAD_WORDS) or "highway" in columns
        road = Candidate("roads", path, f"{len(shapes):,} lines", 0 if is_road else 1, options)
        return road if is_road or not says(name, OTHER_LINES) else None
    called = says(name, SHELTER_WORDS)
    has_capacity = bool(columns & set(CAPACITY_COLUMNS))
    if "people" in columns and kinds <= {"Point"} and not has_capacity:
        return Candidate("people", path, f"{len(shapes):,} places with people", 0, options)
    if called or has_capacity:
        lacks = "" if has_capacity else f"it gives no capacity; add one of {', '.join(CAPACITY_COLUMNS)}"
        return Candidate("sites", path, f"{len(shapes):,} places", 0 if called else 1, options, lacks=lacks)
    return _area(shapes, path, name, options) if kinds <= {"Polygon", "MultiPolygon"} else None


def _known_columns(shapes: geopandas.GeoDataFrame, path: Path) -> set[str]:
    """The names of the columns, those of people and capacity as this package calls them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HazardGeoWarning)  # a run says which column it takes for which
        known = io.standard_columns(shapes, ("people", *CAPACITY_COLUMNS), path=path.name)
    return {str(column) for column in known.columns}


def _area(shapes: geopandas.GeoDataFrame, path: Path, name: str, options: dict[str, Any]) -> Candidate | None:
    """Polygons by the words of their name."""
    area = next((key for key, known in AREA_WORDS.items() if says(name, known)), None)
    if area is None and (says(name, BUILDING_WORDS) or "building" in shapes.columns):
        raise FormatError("it holds building footprints, which are not used by any stage yet.")
    return None if area is None else Candidate(area, path, f"{len(shapes):,} areas", 0, options)
