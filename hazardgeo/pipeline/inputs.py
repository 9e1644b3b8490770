"""The files that a scenario can name, and the door that each goes through."""

from __future__ import annotations

from typing import Any

import geopandas
import numpy as np
import pyproj
import shapely

from hazardgeo import crs as _crs
from hazardgeo import io, raster
from hazardgeo.crs import Height
from hazardgeo.errors import ConfigError, CrsError, InputError, MissingColumnError
from hazardgeo.raster import UNKNOWN_CLASS, Raster
from hazardgeo.scenario import InputFile, Scenario

RASTER_OPTIONS = ("crs", "band", "unit")
VECTOR_OPTIONS = ("source_crs", "layer", "where", "columns")
RASTER_UNITS = {
    "dem": "m",
    "slope": "deg",
    "cti": "1",
    "vs30": "m/s",
    "precipitation": "mm",
    "water_table": "m",
    "distance_to_river": "km",
    "distance_to_coast": "km",
    "lithology": "class",
    "land_cover": "class",
}
SHAPE_KINDS = {
    "roads": ("LineString", "MultiLineString"),
    "people": ("Point",),
    "sites": ("Point", "Polygon", "MultiPolygon"),
    "bodies": ("Polygon", "MultiPolygon"),
    "surveyed": ("Polygon", "MultiPolygon"),
    "zones": ("Polygon", "MultiPolygon"),
}
INPUTS: dict[str, tuple[str, ...]] = {
    "scan": ("crs", "height"),
    "shakemap": (),
    "shakemap_uncertainty": (),
    **dict.fromkeys(SHAPE_KINDS, VECTOR_OPTIONS),
    **dict.fromkeys(RASTER_UNITS, RASTER_OPTIONS),
    "dem": (*RASTER_OPTIONS, "height", "bounds", "cell_m"),
}
SURFACES = ("scan", "dem")
MAY_BE_EMPTY = ("bodies",)  # a file without bodies says that people looked and found none
NONE_MAY_BE_LOST = ("bodies", "people")  # what nobody can place must not read as "not there"
NEEDED_COLUMNS = {"people": "people"}
_OPTION_KINDS: dict[str, tuple[type, ...]] = {
    "band": (int,),
    "bounds": (list,),
    "cell_m": (int, float),
    "columns": (dict,),
}
_CONVERTED = {("m", "km"): 1e-3, ("km", "m"): 1e3}


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
    height(file)


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


def _scan(file: InputFile, working: Any) -> Any:
    cloud = io.read_cloud(file.path, crs=file.options.get("crs"), height=height(file))
    require_working(cloud.crs, file, working)
    return cloud


def _raster(file: InputFile, working: Any) -> Raster:
    options = file.options
    found = io.read_raster(
        file.path,
        band=options.get("band", 1),
        window=_bounds(file),
        crs=options.get("crs"),
        name=file.name,
        height=height(file),
    )
    found = _in_unit(found, file)
    if file.name != "dem":
        return found
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
    needed, stated = RASTER_UNITS[file.name], file.options.get("unit", "")
    if stated and found.unit and stated != found.unit:
        raise InputError(f"{file.path.name} says that it is in {found.unit}, the scenario says {stated}; correct one of them.")
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
    scaled = found.like((found.values * factor).astype(np.float32), file.name, needed)
    return Raster(scaled.values, scaled.grid, scaled.name, scaled.unit, found.height, tags=found.tags)


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
    stated = {key: options[key] for key in ("source_crs", "layer", "where") if key in options}
    shapes = io.read_vector(file.path, crs=working, **stated)
    _require_shapes(shapes, file)
    columns = options.get("columns", {})
    missing = [c for c in columns if c not in shapes.columns]
    if missing:
        raise MissingColumnError(f"{file.path.name} has no column {missing[0]!r}; it has {', '.join(map(str, shapes.columns))}.")
    shapes = shapes.rename(columns=dict(columns))
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
            f"{lost} features in {file.path.name} have no usable geometry; correct them, or leave them out with where = ..."
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
