"""Whether the layers of a scenario lie where the others do, and what a layer that does not may have been meant as."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo import io
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import readings, zones
from hazardgeo.crs.readings import Bounds, Reading
from hazardgeo.errors import CrsError, HazardGeoWarning
from hazardgeo.event import Shaking
from hazardgeo.io import china
from hazardgeo.raster import Raster
from hazardgeo.scenario import InputFile, Scenario

FAR_M = 20_000.0
_ANCHORS = ("scan", "dem", "slope", "shakemap")
_EVENT_FAR_M = 1_000_000.0
_SAMPLES = 5
_WGS84_GEOD = pyproj.Geod(ellps="WGS84")
_WINDS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")

_CHINA = (73.62, 16.70, 134.77, 53.56)  # area of use of CGCS2000, EPSG:4490
_FEWEST_PLACES = 10
_MOST_PLACES = 2000
_OFF_ROADS_M = 80.0
_FALLS_BY = 4.0


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a layer lies: (west, south, east, north) in WGS 84 degrees, the west edge within -180 and 180."""

    box: Bounds

    @property
    def centre(self) -> tuple[float, float]:
        west, south, east, north = self.box
        return (west + east) / 2, (south + north) / 2

    def distance_m(self, other: Extent) -> float:
        """Metres between the nearest edges of two extents on the ellipsoid, 0 where they meet."""
        (west, south, east, north), (w, s, e, n) = self.box, other.box
        turn = 360.0 * round(((west + east) - (w + e)) / 720.0)
        w, e = w + turn, e + turn
        lon = (east, w) if w > east else (west, e) if e < west else (max(west, w),) * 2
        lat = (north, s) if s > north else (south, n) if n < south else (max(south, s),) * 2
        return float(_WGS84_GEOD.inv(lon[0], lat[0], lon[1], lat[1])[2])


def check_places(products: Mapping[str, Any], scenario: Scenario) -> None:
    """Compare where the inputs of a scenario lie; raises CrsError or warns where one lies nowhere near the others.

    The scan or the DEM is what the others are held against, else the ShakeMap, else the place that most inputs share. A
    layer more than 20 km away is read again in every other zone of its mapping, with and without a zone prefix, and with
    its axes exchanged. Where exactly one reading puts it in place, CrsError names it. Otherwise a HazardGeoWarning says how
    far off it is: what lies elsewhere counts as not there. Warnings also name an earthquake more than 1000 km away and,
    in China, sites and people whose distances to roads say that one of the layers is in GCJ-02 or BD-09.
    """
    extents = {n: extent_of(products[n]) for n in scenario.inputs if n in products}
    known = {name: extent for name, extent in extents.items() if extent is not None}
    anchor = _anchor(known)
    if anchor is None:
        return
    for name, extent in known.items():
        apart = extent.distance_m(known[anchor])
        if name != anchor and apart > FAR_M:
            _name_the_displaced(scenario.inputs[name], extent, scenario.inputs[anchor], known[anchor])
    _warn_of_uncovered(scenario, known, anchor)
    _warn_of_far_event(scenario, known[anchor], anchor)
    for text in _distorted(products):
        warnings.warn(text, HazardGeoWarning, stacklevel=2)


def extent_of(product: Any) -> Extent | None:
    """Where a product lies; None for what has no place, and where its system cannot say it."""
    if isinstance(product, Shaking):
        return _extent(product.grid.bounds, product.grid.crs)
    if isinstance(product, Raster):
        return _extent(product.grid.bounds, product.grid.crs)
    if isinstance(product, PointCloud):
        return _extent(product.bounds, product.crs) if len(product) else None
    if isinstance(product, geopandas.GeoDataFrame) and product.crs is not None and len(product):
        west, south, east, north = map(float, product.total_bounds)
        return _extent((west, south, east, north), _crs.horizontal(product.crs))
    return None


def _extent(bounds: Bounds, crs: pyproj.CRS) -> Extent | None:
    place = readings.places(bounds, crs)
    if place is None:
        return None
    (west, south), (east, north) = place.min(axis=0), place.max(axis=0)
    turn = 360.0 * np.floor((west + 180.0) / 360.0)
    return Extent((float(west - turn), float(south), float(east - turn), float(north)))


def _anchor(extents: Mapping[str, Extent]) -> str | None:
    """The input that the others are held against: a survey, else a ShakeMap, else the one that most others lie near to."""
    if len(extents) < 2:
        return None
    for name in _ANCHORS:
        if name in extents:
            return name
    near = {n: sum(e.distance_m(other) <= FAR_M for other in extents.values()) for n, e in extents.items()}
    best = max(near, key=lambda name: near[name])
    return best if near[best] > len(extents) / 2 else None


def _name_the_displaced(file: InputFile, extent: Extent, anchor: InputFile, there: Extent) -> None:
    said = f"{file.path.name} lies {_way(there, extent)} of {anchor.path.name}"
    fitting = [r for r in _readings(file) if (e := _extent(r.numbers, r.crs)) is not None and e.distance_m(there) == 0.0]
    if len(fitting) == 1:
        reading, option = fitting[0], "source_crs" if "source_crs" in _stated(file) or _is_vector(file) else "crs"
        axes = ", axes = 'north-east'" if reading.swapped else ""
        raise CrsError(f"{said}; read in {reading.text} it would lie on it: set {option} = '{_crs.label(reading.crs)}'{axes}.")
    several = f" It would fit when read in {' or '.join(r.text for r in fitting[:4])}." if fitting else ""
    warnings.warn(
        f"{said}, so it counts as not there.{several} Check its CRS and its coordinates, or leave inputs.{file.name} out.",
        HazardGeoWarning,
        stacklevel=3,
    )


def _way(start: Extent, end: Extent) -> str:
    """How far and in which direction `end` lies from `start`, as "278 km west"."""
    azimuth, _, metres = _WGS84_GEOD.inv(*start.centre, *end.centre)
    return f"{metres / 1000:,.0f} km {_WINDS[round(azimuth / 45.0) % 8]}"


def _readings(file: InputFile) -> Iterator[Reading]:
    """The other systems that the numbers of a file can be in."""
    found = _raw(file)
    if found is None:
        return
    bounds, crs = found
    turned = readings.exchanged(bounds)
    exchanged = "with its axes exchanged"
    yield Reading(crs, True, turned, f"{_crs.label(crs)} {exchanged}")
    for zone in zones.family(crs):
        text = f"{_crs.label(zone.crs)} (central meridian {_meridian(zone.central_meridian)})"
        yield Reading(zone.crs, False, bounds, text)
        yield Reading(zone.crs, True, turned, f"{text} {exchanged}")


def _meridian(degrees: float) -> str:
    return f"{abs(degrees):g}{'E' if degrees >= 0 else 'W'}"


def _raw(file: InputFile) -> tuple[Bounds, pyproj.CRS] | None:
    """The bounds of a file in its own coordinates, and what they are said to be in; None where it cannot be read by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HazardGeoWarning)
        if _is_vector(file):
            shapes = io.read_vector(file.path, **_stated(file))
            west, south, east, north = map(float, shapes.total_bounds)
            return (west, south, east, north), _crs.horizontal(shapes.crs)
        if file.name.startswith("shakemap"):
            return None
        from hazardgeo.pipeline.inputs import raster_options

        grid = io.read_raster(file.path, **{"band": 1, **raster_options(file)}).grid
        return grid.bounds, grid.crs


def _is_vector(file: InputFile) -> bool:
    from hazardgeo.pipeline.inputs import SHAPE_KINDS

    return file.name in SHAPE_KINDS


def _stated(file: InputFile) -> dict[str, Any]:
    return {key: file.options[key] for key in ("source_crs", "layer", "where", "axes") if key in file.options}


def _warn_of_uncovered(scenario: Scenario, known: Mapping[str, Extent], anchor: str) -> None:
    """A ShakeMap that ends within the survey: beyond it the shaking is unknown."""
    if "shakemap" not in known or anchor == "shakemap" or known["shakemap"].distance_m(known[anchor]) > FAR_M:
        return
    (west, south, east, north), (w, s, e, n) = known["shakemap"].box, known[anchor].box
    if w < west or s < south or e > east or n > north:
        names = scenario.inputs["shakemap"].path.name, scenario.inputs[anchor].path.name
        text = f"{names[0]} does not cover all of {names[1]}; where it ends the shaking is unknown: fetch one of a larger area."
        warnings.warn(text, HazardGeoWarning, stacklevel=3)


def _warn_of_far_event(scenario: Scenario, there: Extent, anchor: str) -> None:
    event = scenario.event
    if event is None:
        return
    place = Extent((event.longitude, event.latitude, event.longitude, event.latitude))
    if place.distance_m(there) > _EVENT_FAR_M:
        warnings.warn(
            f"the earthquake in [event] lies {_way(there, place)} of {anchor}; check its longitude and latitude.",
            HazardGeoWarning,
            stacklevel=3,
        )


def _distorted(products: Mapping[str, Any]) -> Iterator[str]:
    """Layers of places that fit the roads far better once the distortion of a Chinese map service is taken out, or put in."""
    roads = products.get("roads")
    if not isinstance(roads, geopandas.GeoDataFrame) or not len(roads):
        return
    tree = shapely.STRtree(roads.geometry.to_numpy())
    for name in ("sites", "people"):
        shapes = products.get(name)
        if isinstance(shapes, geopandas.GeoDataFrame) and len(shapes) >= _FEWEST_PLACES and shapes.crs == roads.crs:
            yield from _suspicion(name, shapes, tree)


def _suspicion(name: str, shapes: geopandas.GeoDataFrame, roads: shapely.STRtree) -> Iterator[str]:
    points = shapely.get_coordinates(shapely.centroid(shapes.geometry.to_numpy()))
    points = points[:: max(1, len(points) // _MOST_PLACES)]
    crs = _crs.horizontal(shapes.crs)
    there = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lon, lat = there.transform(points[:, 0], points[:, 1])
    west, south, east, north = _CHINA
    if not ((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)).all() or not crs.is_projected:
        return
    unit = float(crs.axis_info[0].unit_conversion_factor)
    given = _median_m(points, roads) * unit
    if given < _OFF_ROADS_M:
        return
    tried = {
        ("GCJ-02", name): china.to_wgs84(lon, lat, "gcj02"),
        ("BD-09", name): china.to_wgs84(lon, lat, "bd09"),
        ("GCJ-02", "roads"): china.from_wgs84(lon, lat, "gcj02"),
        ("BD-09", "roads"): china.from_wgs84(lon, lat, "bd09"),
    }
    medians = {
        key: _median_m(np.column_stack(there.transform(*place, direction="INVERSE")), roads) * unit
        for key, place in tried.items()
    }
    (datum, layer), best = min(medians.items(), key=lambda item: item[1])
    if best * _FALLS_BY < given:
        yield (
            f"{name} lie {given:.0f} m (median) off the nearest road, and {best:.0f} m if {layer} are in {datum}, the distorted "
            f"system of Chinese map services; if they are, set source_crs = '{datum}' for inputs.{layer}. Nothing was converted."
        )


def _median_m(points: NDArray[np.float64], roads: shapely.STRtree) -> float:
    _, distance = roads.query_nearest(shapely.points(points), return_distance=True, all_matches=False)
    return float(np.median(distance))
