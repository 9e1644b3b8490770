"""The files that a scenario can name, and the door that each goes through."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, get_args

import geopandas
import numpy as np
import pyproj
import shapely

from hazardgeo import crs as _crs
from hazardgeo import io, raster
from hazardgeo.crs import Height
from hazardgeo.errors import ConfigError, CrsError, InputError, MissingColumnError
from hazardgeo.io.raster import unit as raster_unit
from hazardgeo.io.raster.turn import Resampling
from hazardgeo.io.reference import agreed_crs
from hazardgeo.raster import UNKNOWN_CLASS, Raster
from hazardgeo.scenario import InputFile, Scenario, require_local
from hazardgeo.shelter import CAPACITY_COLUMNS

RASTER_OPTIONS = ("crs", "band", "layer", "unit", "resampling")
VECTOR_OPTIONS = ("source_crs", "layer", "where", "columns", "axes")
RASTER_UNITS = {
    "dem": "m",
    "slope": "deg",
    "cti": "1",
    "vs30": "m/s",
    "precipitation": "mm",
    "water_table": "m",
    "saturation": "1",
    "distance_to_river": "km",
    "distance_to_coast": "km",
    "lithology": "class",
    "land_cover": "class",
}
UNITS_TO_STATE = {  # programs write several, and mostly do not say which
    "slope": "'deg' or 'm/m'",
    "distance_to_river": "'m' or 'km'",
    "distance_to_coast": "'m' or 'km'",
}
SHAPE_KINDS = {
    "roads": ("LineString", "MultiLineString"),
    "people": ("Point",),
    "sites": ("Point", "Polygon", "MultiPolygon"),
    "bodies": ("Polygon", "MultiPolygon"),
    "surveyed": ("Polygon", "MultiPolygon"),
    "zones": ("Polygon", "MultiPolygon"),
    "isoseismals": ("Polygon", "MultiPolygon", "LineString", "MultiLineString", "Point"),  # its door sorts them
}
INPUTS: dict[str, tuple[str, ...]] = {
    "scan": ("crs", "height", "offset", "tiles"),
    "shakemap": (),
    "shakemap_uncertainty": (),
    **dict.fromkeys(SHAPE_KINDS, VECTOR_OPTIONS),
    "isoseismals": ("source_crs", "layer", "where", "axes", "column", "scale"),
    **dict.fromkeys(RASTER_UNITS, RASTER_OPTIONS),
    "dem": (*RASTER_OPTIONS, "height", "bounds", "cell_m"),
}
SURFACES = ("scan", "dem")
HEADER_FORMATS = (".las", ".laz")  # clouds whose header says where they lie
MAY_BE_EMPTY = ("bodies",)  # a file without bodies says that people looked and found none
NONE_MAY_BE_LOST = ("bodies", "people")  # what nobody can place must not read as "not there"
NEEDED_COLUMNS = {"people": "people"}
TRANSLATED_COLUMNS = {"people": ("name", "people"), "sites": ("name", *CAPACITY_COLUMNS, "area_m2"), "zones": ("name",)}
_OPTION_KINDS: dict[str, tuple[type, ...]] = {
    "band": (int,),
    "bounds": (list,),
    "cell_m": (int, float),
    "columns": (dict,),
    "offset": (list,),
    "tiles": (list,),
}
_SETTLING = ("m", "km", "ft", "us-ft", "deg", "m/m")  # units that settle what a vertical CRS leaves open
_LAND_M = (-500.0, 9000.0)  # from below the shore of the Dead Sea to above Everest
_CONVERTED = {("m", "km"): 1e-3, ("km", "m"): 1e3, ("ft", "m"): 0.3048, ("us-ft", "m"): 1200 / 3937, ("%", "1"): 1e-2}


def load(scenario: Scenario, name: str, working: Any) -> Any:
    """What the input `name` holds, brought to the working CRS where that is known and the input is a DEM or shapes."""
    file = scenario.inputs[name]
    require_option_kinds(file)
    if name == "scan":
        return _scan(file, working)
    if name == "shakemap":
        uncertainty = scenario.inputs.get("shakemap_uncertainty")
        return io.read_shakemap(file.path, uncertainty_xml=None if uncertainty is None else uncertainty.path)
    if name == "shakemap_uncertainty":
        return file.path
    if name == "isoseismals":
        return io.read_isoseismals(file.path, crs=working, **file.options)
    if name in RASTER_UNITS:
        return _raster(file, working)
    return _shapes(file, working)


def require_compatible(scenario: Scenario) -> None:
    """Raise ConfigError where two inputs answer the same question, or one is there without what it belongs to."""
    given = set(scenario.inputs)
    surfaces = [name for name in ("scan", "dem", "slope") if name in given]
    if len(surfaces) > 1:
        raise ConfigError(f"[inputs] names {' and '.join(surfaces)}, and the terrain can come from one only; leave one out.")
    if "shakemap" in given and scenario.event is not None:
        raise ConfigError("the scenario has both inputs.shakemap and [event]; the shaking can come from one only, leave one out.")
    if {"shakemap", "isoseismals"} <= given:
        raise ConfigError("[inputs] names shakemap and isoseismals; the shaking can come from one only, leave one out.")
    if "isoseismals" in given and scenario.event is None:
        raise ConfigError("isoseismals give no magnitude and no time; add an [event] with magnitude, place, depth and time.")
    if "isoseismals" in given and scenario.options.get("shaking", {}).get("source") != "isoseismals":
        raise ConfigError(
            "[inputs] names isoseismals, but the shaking of [event] comes from a model; set source = 'isoseismals' in [shaking]."
        )
    if "shakemap_uncertainty" in given and "shakemap" not in given:
        raise ConfigError("[inputs] names shakemap_uncertainty without a shakemap; name both.")


def in_order(scenario: Scenario) -> list[str]:
    """The inputs to read, those first that can say the working CRS where the scenario does not."""
    return sorted(scenario.inputs, key=lambda name: name not in SURFACES)


def crs_of(surface: Any) -> pyproj.CRS | None:
    """The CRS that a scan or a DEM gives to the work, None where it does not measure in metres."""
    found = surface.grid.crs if isinstance(surface, Raster) else surface.crs
    return found if _crs.is_metric(found) else None


def require_option_kinds(file: InputFile) -> None:
    """Raise ConfigError for an option of the wrong type; options without a type of their own are texts."""
    for key, value in file.options.items():
        kinds = _OPTION_KINDS.get(key, (str,))
        if not isinstance(value, kinds) or isinstance(value, bool):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise ConfigError(f"[inputs] {file.name} {key} = {value!r} must be of type {names}.")
    resampling = file.options.get("resampling")
    if resampling is not None and resampling not in get_args(Resampling):
        raise ConfigError(f"[inputs] {file.name} resampling = {resampling!r} must be {' or '.join(get_args(Resampling))}.")
    height(file)


def raster_options(file: InputFile) -> dict[str, Any]:
    """What a scenario states of a raster, as `read_raster` takes it; a unit only where it is a length or a slope."""
    stated = {key: file.options[key] for key in ("crs", "band", "layer", "resampling") if key in file.options}
    unit = raster_unit.normal(file.options.get("unit", ""))
    return {**stated, "unit": unit} if unit in _SETTLING else stated


def height(file: InputFile) -> Height | None:
    """The height reference that the scenario states for a file."""
    kind = file.options.get("height")
    if kind is None:
        return None
    if kind not in ("ellipsoidal", "orthometric", "unknown"):
        raise ConfigError(f"[inputs] {file.name} height = {kind!r} must be ellipsoidal, orthometric or unknown.")
    return Height(kind)


def require_working(crs: pyproj.CRS, file: InputFile, working: Any) -> None:
    """Raise CrsError unless a scan is in the working CRS and in metres: clouds are not reprojected."""
    if working is not None and _crs.horizontal(working) != crs:
        raise CrsError(
            f"{file.path.name} is in {_crs.label(crs)}, the scenario works in {_crs.label(_crs.horizontal(working))}; "
            "set crs to that of the scan, which is the best survey."
        )
    _crs.require_metric(crs, what=file.path.name, fix="reproject the cloud to a projected metric CRS, for example UTM, first.")


def paths(file: InputFile) -> list[Path]:
    """All files of an input: its path and, for a scan in several files, its tiles, whose names start from the same folder."""
    tiles = file.options.get("tiles", [])
    if not all(isinstance(tile, str) and tile for tile in tiles):
        raise ConfigError(f"[inputs] {file.name} tiles = {tiles!r} must be the names of further files, for example ['b.laz'].")
    for tile in tiles:
        require_local(tile, f"{file.name} tiles")
    return [file.path, *(Path(os.path.normpath(file.path.parent / tile)) for tile in tiles)]


def offset(file: InputFile) -> tuple[float, float, float]:
    """What is added to the local coordinates of a scan: (east, north, height) in the units of its CRS."""
    given = file.options.get("offset", [0.0, 0.0, 0.0])
    numbers = [v for v in given if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)]
    if len(numbers) != 3 or len(given) != 3:
        raise ConfigError(f"[inputs] {file.name} offset = {given!r} must be [east, north, height] to add to its coordinates.")
    return float(numbers[0]), float(numbers[1]), float(numbers[2])


def scan_extent(file: InputFile, working: Any) -> tuple[tuple[float, float, float, float], pyproj.CRS]:
    """The bounds of a scan with its tiles and its CRS: LAS files by their headers, files of other formats are read."""
    require_option_kinds(file)
    read_whole = not all(path.suffix.lower() in HEADER_FORMATS for path in paths(file))
    infos = [] if read_whole else [io.cloud_info(path) for path in paths(file)]
    try:
        stored = [None if info.crs is None else _crs.horizontal(info.crs) for info in infos]
    except CrsError:  # a CRS without a code is known to the file alone
        read_whole = True
    if read_whole:
        cloud = _scan(file, working)
        return cloud.bounds, cloud.crs
    found = [agreed_crs(crs, file.options.get("crs"), path) for crs, path in zip(stored, paths(file), strict=True)]
    for crs in found:
        require_working(crs, file, working if working is not None else found[0])
    east, north, _ = offset(file)
    west, south, right, top = np.array([info.bounds for info in infos]).T
    return (west.min() + east, south.min() + north, right.max() + east, top.max() + north), found[0]


def _scan(file: InputFile, working: Any) -> Any:
    cloud = io.read_clouds(paths(file), crs=file.options.get("crs"), height=height(file), offset=offset(file))
    require_working(cloud.crs, file, working)
    return cloud


def _raster(file: InputFile, working: Any) -> Raster:
    options = file.options
    found = io.read_raster(file.path, window=_bounds(file), name=file.name, height=height(file), **raster_options(file))
    found = _in_unit(found, file)
    if file.name == "slope":
        _require_within(found, (-math.inf, 90.0), "as slopes; correct the unit ('deg' or 'm/m'), or convert it", file)
    if file.name != "dem":
        return found
    _require_within(found, _LAND_M, "as heights of land; declare fill values as nodata, or correct the unit", file)
    if working is not None and _crs.horizontal(working) != found.grid.crs:
        grid = raster.metric_grid(found.grid, crs=working, cell_m=options.get("cell_m"))
        return raster.align(found, to=grid, how="bilinear")
    if "cell_m" in options:
        raise ConfigError("[inputs] dem cell_m is for a DEM that is projected to another crs; this one is not, so leave it out.")
    if not found.grid.is_metric:
        target = _crs.label(raster.metric_grid(found.grid).crs)
        unit = found.grid.crs.axis_info[0].unit_name
        raise CrsError(f"the work needs metres, but {file.path.name} is in {unit}s; set crs = '{target}' in the scenario.")
    return found


def _in_unit(found: Raster, file: InputFile) -> Raster:
    """The raster in the unit that its models need, or with coefficients (unit "logit") in place of classes."""
    needed, stated = RASTER_UNITS[file.name], raster_unit.normal(file.options.get("unit", ""))
    if stated and found.unit and stated != found.unit:
        raise InputError(f"{file.path.name} says that it is in {found.unit}, the scenario says {stated}; correct one of them.")
    if file.name in UNITS_TO_STATE and not (stated or found.unit):
        raise InputError(f"{file.path.name} does not state its unit; set unit = {UNITS_TO_STATE[file.name]} in its table.")
    unit = stated or found.unit or needed
    if needed == "class":
        return found.like(found.values.astype(np.float32), file.name, "logit") if unit == "logit" else _classes(found, file)
    if (unit, needed) == ("m/m", "deg"):
        return found.like(np.degrees(np.arctan(found.values)).astype(np.float32), file.name, "deg")
    factor = 1.0 if unit == needed else _CONVERTED.get((unit, needed))
    if factor is None:
        raise InputError(
            f"{file.path.name} is in {unit}, but {file.name} is needed in {needed}; convert it, or set unit = ... in its table."
        )
    if found.values.dtype.kind != "f":
        raise InputError(f"{file.path.name} holds classes, but {file.name} is needed in {needed}; check which file this is.")
    values = (found.values * factor).astype(np.float32)
    in_feet = unit in ("ft", "us-ft") and found.height is not None
    height = Height(found.height.kind) if in_feet and found.height is not None else found.height  # its vertical CRS is in feet
    return Raster(values, found.grid, file.name, needed, height, tags=found.tags)


def _require_within(found: Raster, limits: tuple[float, float], wrong: str, file: InputFile) -> None:
    """Raise InputError where known values lie outside `limits`; names their share and the farthest of them."""
    known = found.values[~found.unknown]
    low, high = limits
    outside = known[(known < low) | (known > high)]
    if outside.size:
        worst = outside[np.argmax(np.abs(outside))]
        raise InputError(
            f"{file.path.name}: {outside.size / known.size:.2%} of the values are impossible {wrong}: {worst:.10g} {found.unit}."
        )


def _classes(found: Raster, file: InputFile) -> Raster:
    """Codes as a class raster, also where the file keeps them as numbers."""
    if found.values.dtype == np.uint8:
        return found
    numbers = np.where(found.unknown, UNKNOWN_CLASS, found.values.astype(np.float64))
    if ((numbers != np.rint(numbers)) | (numbers < 0) | (numbers > UNKNOWN_CLASS)).any():
        raise InputError(
            f"{file.path.name} does not hold class codes from 0 to 254; for coefficients of the model set unit = 'logit'."
        )
    return Raster(numbers.astype(np.uint8), found.grid, file.name, "class", tags=found.tags)


def _shapes(file: InputFile, working: Any) -> geopandas.GeoDataFrame:
    options = file.options
    stated = {key: options[key] for key in ("source_crs", "layer", "where", "axes") if key in options}
    shapes = io.read_vector(file.path, crs=working, **stated)
    _require_shapes(shapes, file)
    columns = options.get("columns", {})
    missing = [c for c in columns if c not in shapes.columns]
    if missing:
        raise MissingColumnError(f"{file.path.name} has no column {missing[0]!r}; it has {', '.join(map(str, shapes.columns))}.")
    shapes = shapes.rename(columns=dict(columns))
    shapes = io.standard_columns(shapes, TRANSLATED_COLUMNS.get(file.name, ()), path=file.path.name)
    needed = NEEDED_COLUMNS.get(file.name)
    if needed and needed not in shapes.columns:
        raise MissingColumnError(
            f"{file.path.name} has no column {needed!r}; name the one that holds it with "
            f"columns = {{ '...' = '{needed}' }} (it has {', '.join(map(str, shapes.columns))})."
        )
    return shapes


def _require_shapes(shapes: geopandas.GeoDataFrame, file: InputFile) -> None:
    """Shapes of the right kind, and none lost: a body without a place must not read as no body."""
    if shapes.empty and file.name not in MAY_BE_EMPTY:
        raise InputError(f"{file.path.name} holds no features; name the right layer, or leave inputs.{file.name} out.")
    kinds = set(shapes.geom_type) - set(SHAPE_KINDS[file.name])
    if kinds:
        known = " or ".join(SHAPE_KINDS[file.name])
        held = ", ".join(sorted(map(str, kinds)))
        raise InputError(f"{file.path.name} holds {held}, but {file.name} must be {known}; filter it with where = ...")
    xy = shapely.get_coordinates(shapes.geometry.to_numpy())
    if not np.isfinite(xy).all():
        raise InputError(f"{file.path.name} holds coordinates that are not finite; correct the file.")
    lost = int(shapes.attrs.get("features_left_out", 0))
    if lost and file.name in NONE_MAY_BE_LOST:
        raise InputError(
            f"{lost} features in {file.path.name} have no usable geometry; correct them, or remove them from the file."
        )


def _bounds(file: InputFile) -> tuple[float, float, float, float] | None:
    """The part of a DEM to read: (west, south, east, north) in the CRS of the file."""
    given = file.options.get("bounds")
    if given is None:
        return None
    if len(given) != 4 or not all(isinstance(v, int | float) for v in given):
        raise ConfigError(f"[inputs] {file.name} bounds = {given!r} must be [west, south, east, north] in the CRS of the file.")
    west, south, east, north = map(float, given)
    return west, south, east, north
