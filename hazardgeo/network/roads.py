"""RoadNetwork: roads split where they meet, with the minutes it takes to walk each piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import geopandas
import numpy as np
import pandas as pd
import pyproj
import scipy.sparse
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from hazardgeo import crs as _crs
from hazardgeo.errors import ConfigError, CrsError, InputError
from hazardgeo.network.spans import spans
from hazardgeo.raster import Raster, require_crs, sample_xy

SNAP_M = 0.5
LONGEST_PIECE_M = 100.0
STEEPEST_SLOPE = 0.7
_NOT_WALKABLE = {"motorway", "motorway_link", "construction", "proposed"}
_OWN_COLUMNS = ("u", "v", "length_m", "minutes_uv", "minutes_vu", "slope_known", "status", "reason", "road")
NOBODY_LOOKED = "no hazard layer was given"


@dataclass(frozen=True, slots=True, eq=False)
class RoadNetwork:
    """Nodes and the straight pieces of road between them.

    `nodes`: points, indexed by node number, with `component` (pieces of the network that hang together share a number).
    `edges`: lines with `u`, `v` (node numbers), `length_m`, `minutes_uv`, `minutes_vu` (walking there and back),
    `slope_known` (else the minutes hold for flat ground), `status` (open, conditional, unknown or closed), `reason`, `road`
    (index of the original road) and the columns of the road.
    `notes` says in sentences what was assumed.
    """

    nodes: geopandas.GeoDataFrame
    edges: geopandas.GeoDataFrame
    crs: pyproj.CRS
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Vertices:
    """All vertices of all lines in order: place, node number, line and elevation of each."""

    xy: NDArray[np.float64]
    node: NDArray[np.int64]
    line: NDArray[np.int64]
    z_m: NDArray[np.float64]


def tobler_kmh(slope: ArrayLike) -> NDArray[np.float64]:
    """Walking speed on a path in km/h, from the slope in the direction of walking (rise over run, downhill negative).

    6 exp(-3.5 |slope + 0.05|): fastest (6 km/h) on a slight descent, 5.04 km/h on the flat; for a healthy adult by day.
    Children, the old, snow and night are slower: allow for them in the time limit. NaN stays NaN.
    Tobler (1993), Three presentations on geographical analysis and modeling, NCGIA Technical Report 93-1.

    >>> tobler_kmh([-0.05, 0.0]).round(2)
    array([6.  , 5.04])
    """
    return np.asarray(6.0 * np.exp(-3.5 * np.abs(np.asarray(slope, np.float64) + 0.05)))


def build(roads: geopandas.GeoDataFrame, *, dem: Raster | None = None, profile: Literal["walk"] = "walk") -> RoadNetwork:
    """The walking network of `roads`: one edge per straight piece, with walking minutes in both directions.

    Roads join where they share a vertex, as in OpenStreetMap (a bridge over a road does not join it), and where an end
    that no other road shares lies within 0.5 m of a vertex of another road: it moves there, and nothing moves further.
    Pieces are at most 100 m long, so that a cut closes no more than it must. Where a column `highway` is given, motorways
    and roads under construction are left out. Roads drawn twice count once.

    Speed follows `tobler_kmh` with the slope from `dem` (m, bilinear at the ends of each piece, at most 0.7 either way);
    bridges and tunnels (columns `bridge`, `tunnel`, or the `other_tags` of OpenStreetMap) rise evenly from end to end; a
    value that says neither yes nor no counts as no, with a HazardGeoWarning. Where the elevation is unknown the speed on
    the flat is taken, which is too fast on slopes: `slope_known` is then False, `cut` leaves the edge "conditional" at best,
    and the note says for what share of the network. So without `dem` no road is ever open.

    All edges are "unknown" until `cut` has looked at hazards. Raises CrsError unless `roads` are in a metric CRS (and
    that of `dem`), and InputError for geometries that are not lines or when nothing walkable is left.
    """
    crs = _require_roads(roads)
    if profile != "walk":
        raise ConfigError(f"unknown profile {profile!r}; only 'walk' is there.")
    if dem is not None:
        require_crs(roads, dem.grid, "roads")
    lines, road = _lines(roads)
    vertices = _vertices(lines, dem, spans(roads)[road])
    first = _segments(vertices)
    if not len(first):
        raise InputError("no walkable road is left; check the geometries and the column 'highway'.")
    edges = _edges(vertices, first, roads, road[vertices.line[first]])
    return RoadNetwork(_nodes(edges), edges, crs, _notes(edges, dem))


def _require_roads(roads: geopandas.GeoDataFrame) -> pyproj.CRS:
    if roads.crs is None:
        raise CrsError("the roads have no CRS; state it with .set_crs('EPSG:...').")
    crs = _crs.horizontal(roads.crs)
    _crs.require_metric(crs, what="a road network", fix="project the roads first with .to_crs(roads.estimate_utm_crs()).")
    kinds = set(roads.geom_type.dropna()) - {"LineString", "MultiLineString", "LinearRing"}
    if kinds:
        raise InputError(f"roads must be lines, not {', '.join(sorted(kinds))}; keep roads[roads.geom_type == 'LineString'].")
    return crs


def _lines(roads: geopandas.GeoDataFrame) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Single lines of walkable roads with short enough segments, and the position of the road of each."""
    geometry = roads.geometry.to_numpy().copy()
    walkable = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
    if "highway" in roads.columns:
        walkable &= ~roads["highway"].astype("object").isin(_NOT_WALKABLE).to_numpy(bool)
    positions = np.flatnonzero(walkable)
    parts, part_of = shapely.get_parts(shapely.force_2d(geometry[positions]), return_index=True)
    long = shapely.length(parts) > 0
    return shapely.segmentize(parts[long], LONGEST_PIECE_M), positions[part_of[long]]


def _vertices(lines: NDArray[Any], dem: Raster | None, on_span: NDArray[np.bool_]) -> _Vertices:
    xy, line = shapely.get_coordinates(lines, return_index=True)
    if not np.isfinite(xy).all():
        raise InputError("a road has coordinates that are not finite; repair or leave out that road.")
    if not len(xy):
        return _Vertices(xy, np.zeros(0, np.int64), line, np.zeros(0))
    _, first, place = np.unique(np.rint(xy * 1000.0).astype(np.int64), axis=0, return_index=True, return_inverse=True)
    node = _joined(xy[first], place.ravel(), line)[place.ravel()]
    xy = xy[first][node]
    return _Vertices(xy, node, line, _elevations(xy, line, dem, on_span))


def _joined(xy: NDArray[np.float64], place: NDArray[np.int64], line: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place that each place moves to, from the place and line of each vertex; most stay where they are.

    Loose ends move to the nearest vertex of another line, the closest pairs first, and take along the ends that already
    moved to them only where these stay within SNAP_M of their own place: chains of near ends do not run together.
    """
    root = np.arange(len(xy))
    loose, pairs = _near_misses(xy, place, line)
    moved: dict[int, list[int]] = {}
    for end, target in pairs.tolist():
        mine, goal = int(root[end]), int(root[target])
        group = moved.get(mine, [mine])
        if mine != goal and loose[mine] and (np.hypot(*(xy[group] - xy[goal]).T) <= SNAP_M).all():
            root[group] = goal
            moved[goal] = moved.get(goal, [goal]) + group
    return root


def _near_misses(
    xy: NDArray[np.float64], place: NDArray[np.int64], line: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which places are loose ends (of one line only), and each of them with the places of other lines near it, closest first."""
    is_end = np.r_[True, line[1:] != line[:-1]] | np.r_[line[1:] != line[:-1], True]
    lines = int(line.max()) + 1
    used = np.unique(place * lines + line)
    loose = np.bincount(used // lines, minlength=len(xy)) == 1
    loose[np.setdiff1d(place, place[is_end])] = False
    ends = np.flatnonzero(loose)
    near = cKDTree(xy[ends]).sparse_distance_matrix(cKDTree(xy), SNAP_M, output_type="coo_matrix")
    own_line = used[np.searchsorted(used, ends * lines)] % lines
    other = ~np.isin(near.col.astype(np.int64) * lines + own_line[near.row], used)
    end, target, distance = ends[near.row][other], near.col[other].astype(np.int64), near.data[other]
    return loose, np.c_[end, target][np.lexsort((target, end, distance))]


def _elevations(
    xy: NDArray[np.float64], line: NDArray[np.int64], dem: Raster | None, on_span: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Elevation at each vertex, in m; along bridges and tunnels between the elevations of their two ends."""
    if dem is None:
        return np.full(len(xy), np.nan)
    z = np.asarray(sample_xy(dem, xy[:, 0], xy[:, 1], how="bilinear"), np.float64)
    for number in np.flatnonzero(on_span):
        low, high = np.searchsorted(line, [number, number + 1])
        steps = np.hypot(*np.diff(xy[low:high], axis=0).T)
        along = np.r_[0.0, np.cumsum(steps)]
        z[low:high] = z[low] + (z[high - 1] - z[low]) * along / max(float(along[-1]), 1e-9)
    return z


def _segments(vertices: _Vertices) -> NDArray[np.int64]:
    """Position of the first vertex of each segment; without zero length and without repetitions."""
    first = np.flatnonzero(vertices.line[1:] == vertices.line[:-1])
    u, v = vertices.node[first], vertices.node[first + 1]
    first, u, v = first[u != v], u[u != v], v[u != v]
    pairs = np.c_[np.minimum(u, v), np.maximum(u, v)]
    return np.asarray(first[np.sort(np.unique(pairs, axis=0, return_index=True)[1])]) if len(pairs) else first


def _edges(
    vertices: _Vertices, first: NDArray[np.int64], roads: geopandas.GeoDataFrame, road: NDArray[np.int64]
) -> geopandas.GeoDataFrame:
    start, end = vertices.xy[first], vertices.xy[first + 1]
    length_m = np.hypot(*(end - start).T)
    slope = np.clip((vertices.z_m[first + 1] - vertices.z_m[first]) / length_m, -STEEPEST_SLOPE, STEEPEST_SLOPE)
    known = ~np.isnan(slope)
    slope = np.where(known, slope, 0.0)
    numbers = np.unique(np.r_[vertices.node[first], vertices.node[first + 1]], return_inverse=True)[1].astype(np.int32)
    columns = {
        "u": numbers[: len(first)],
        "v": numbers[len(first) :],
        "length_m": length_m,
        "minutes_uv": length_m * 0.06 / tobler_kmh(slope),
        "minutes_vu": length_m * 0.06 / tobler_kmh(-slope),
        "slope_known": known,
        "status": "unknown",
        "reason": NOBODY_LOOKED,
        "road": roads.index.to_numpy()[road],
    }
    own = pd.DataFrame(columns)
    kept = roads.drop(columns=roads.geometry.name).iloc[road].reset_index(drop=True)
    kept = kept.rename(columns={name: f"road_{name}" for name in _OWN_COLUMNS})
    geometry = shapely.linestrings(np.stack([start, end], axis=1))
    table = pd.concat([own, kept], axis=1)
    return geopandas.GeoDataFrame(table, geometry=geometry, crs=roads.crs)


def _nodes(edges: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    u, v = edges["u"].to_numpy(), edges["v"].to_numpy()
    ends = shapely.get_coordinates(edges.geometry.to_numpy()).reshape(-1, 2, 2)
    n = int(max(u.max(), v.max())) + 1
    xy = np.zeros((n, 2))
    xy[u], xy[v] = ends[:, 0], ends[:, 1]
    links = scipy.sparse.coo_matrix((np.ones(len(u), np.int8), (u, v)), shape=(n, n))
    component = connected_components(links, directed=False)[1].astype(np.int32)
    return geopandas.GeoDataFrame({"component": component}, geometry=shapely.points(xy), crs=edges.crs)


def _notes(edges: geopandas.GeoDataFrame, dem: Raster | None) -> tuple[str, ...]:
    follow = "walking times there hold for flat ground and are too short on slopes, so these roads are conditional at best."
    if dem is None:
        return (f"No elevation model was given, so the slope of all roads is unknown; {follow}",)
    length_m = edges["length_m"].to_numpy()
    share = float(length_m[~edges["slope_known"].to_numpy()].sum() / length_m.sum())
    return (f"The slope of {share:.1%} of the road length is unknown; {follow}",) if share else ()
