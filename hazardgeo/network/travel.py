"""How long it takes to walk from homes to sites over the roads that may be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
import scipy.sparse
import shapely
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from hazardgeo import crs as _crs
from hazardgeo.errors import ConfigError, CrsError, InputError
from hazardgeo.network.exposure import STATUSES, require_coordinates
from hazardgeo.network.roads import RoadNetwork, tobler_kmh

OFF_ROAD_FACTOR = 0.6
_BLOCK = 64  # destinations solved at a time, which bounds memory
_AT_NODE_M = 1e-6
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TravelTimes:
    """Walking minutes from each origin (row) to each destination (column); inf where there is no way within the limit.

    `origin_snap_m` and `destination_snap_m`: distance to the nearest road. `origin_road` and `destination_road`: the status
    of that road, or "no road within ... m".
    """

    minutes: Floats
    origin_snap_m: Floats
    destination_snap_m: Floats
    origin_road: NDArray[Any]
    destination_road: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Anchors:
    """Where points meet the network: two nodes each, and the minutes to leave towards and to arrive from them."""

    snap_m: Floats
    road: NDArray[Any]
    off_road_min: Floats
    edge: NDArray[np.int64]
    share: Floats
    usable: NDArray[np.bool_]
    nodes: NDArray[np.int64]
    leave_min: Floats
    arrive_min: Floats


def travel_times(
    net: RoadNetwork,
    origins: geopandas.GeoDataFrame,
    destinations: geopandas.GeoDataFrame,
    *,
    limit_min: float,
    statuses: Sequence[str] = ("open",),
    snap_m: float = 500.0,
) -> TravelTimes:
    """Walking minutes from points to points over edges whose status is in `statuses`.

    Each point walks straight to the nearest place on the nearest road of the whole network, at 0.6 of the speed on flat
    paths (3.0 km/h; Tobler 1993), whatever its status: nobody jumps to another road. If that road may not be used, the
    point is unreachable, unless the place is a junction with a road that may. Beyond `snap_m` there is no way to the road
    (rivers and cliffs on the way are not seen). The way there and the way back differ on slopes: the minutes hold from
    origin to destination. `limit_min` is inclusive and may be inf.

    Raises CrsError unless all are in one CRS, InputError for geometries that are not points or have no
    coordinates, ConfigError for options that make no sense.
    """
    _require_options(limit_min, statuses, snap_m)
    _require_points(net, origins, "origins")
    _require_points(net, destinations, "destinations")
    passable = net.edges["status"].isin(list(statuses)).to_numpy(bool)
    tree = shapely.STRtree(net.edges.geometry.to_numpy())
    start = _anchors(net, tree, origins, passable, snap_m)
    goal = _anchors(net, tree, destinations, passable, snap_m)
    minutes = np.full((len(origins), len(destinations)), np.inf)
    for begin in range(0, len(destinations), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        minutes[:, block] = _block_minutes(net, passable, start, goal, block, limit_min)
    minutes[minutes > limit_min + 1e-9] = np.inf
    return TravelTimes(minutes, start.snap_m, goal.snap_m, start.road, goal.road)


def _require_options(limit_min: float, statuses: Sequence[str], snap_m: float) -> None:
    if not limit_min > 0:
        raise ConfigError(f"limit_min is {limit_min}; give a positive number of minutes, or math.inf for no limit.")
    if not (np.isfinite(snap_m) and snap_m >= 0):
        raise ConfigError(f"snap_m is {snap_m}; give the longest way to a road in metres, for example 500.")
    if isinstance(statuses, str) or not set(statuses) <= set(STATUSES):
        raise ConfigError(f"statuses are {statuses!r}; give a list from {', '.join(STATUSES)}.")


def _require_points(net: RoadNetwork, points: geopandas.GeoDataFrame, what: str) -> None:
    if points.crs is None:
        raise CrsError(f"the {what} have no CRS; state it with .set_crs('EPSG:...').")
    if _crs.horizontal(points.crs) != net.crs:
        raise CrsError(
            f"the {what} are in {_crs.label(points.crs)}, the roads in {_crs.label(net.crs)}; project them with .to_crs(net.crs)."
        )
    geometry = points.geometry.to_numpy()
    good = (shapely.get_type_id(geometry) == 0) & ~shapely.is_empty(geometry)
    if not good.all():
        where = points.index[int(np.flatnonzero(~good)[0])]
        raise InputError(f"the geometry at index {where!r} of the {what} is not a point; use .representative_point() for areas.")
    require_coordinates(points.geometry, what)


def _anchors(
    net: RoadNetwork, tree: shapely.STRtree, points: geopandas.GeoDataFrame, passable: NDArray[np.bool_], snap_m: float
) -> _Anchors:
    geometry = points.geometry.to_numpy()
    edge, distance = _nearest(tree, geometry)
    edges = net.edges
    length = edges["length_m"].to_numpy()[edge]
    along = shapely.line_locate_point(edges.geometry.to_numpy()[edge], geometry)
    share = np.clip(along / np.maximum(shapely.length(edges.geometry.to_numpy()[edge]), 1e-12), 0.0, 1.0)
    mid_edge = (share * length > _AT_NODE_M) & ((1 - share) * length > _AT_NODE_M)
    uv, vu = edges["minutes_uv"].to_numpy()[edge], edges["minutes_vu"].to_numpy()[edge]
    usable = passable[edge] & mid_edge
    at_u, at_v = ~mid_edge & (share < 0.5), ~mid_edge & (share >= 0.5)
    with np.errstate(invalid="ignore"):  # no share of an edge that cannot be walked in this direction
        leave = np.stack([_either(usable, share * vu, at_u), _either(usable, (1 - share) * uv, at_v)])
        arrive = np.stack([_either(usable, share * uv, at_u), _either(usable, (1 - share) * vu, at_v)])
    near = distance <= snap_m
    off_road_min = np.where(near, distance * 0.06 / (OFF_ROAD_FACTOR * float(tobler_kmh(0.0))), np.inf)
    road = np.where(near, edges["status"].astype("object").to_numpy()[edge], f"no road within {snap_m:g} m")
    nodes = np.stack([edges["u"].to_numpy()[edge], edges["v"].to_numpy()[edge]]).astype(np.int64)
    return _Anchors(distance, road, off_road_min, edge, share, usable, nodes, leave + off_road_min, arrive + off_road_min)


def _either(usable: NDArray[np.bool_], minutes: Floats, at_node: NDArray[np.bool_]) -> Floats:
    """`minutes` along a usable edge, nothing for a point that is at the node, and inf for one that cannot get there."""
    return np.where(at_node, 0.0, np.where(usable, minutes, np.inf))


def _nearest(tree: shapely.STRtree, points: NDArray[Any]) -> tuple[NDArray[np.int64], Floats]:
    """Number of the nearest edge of each point (the lowest of equally near ones) and the distance to it in m."""
    (point, edge), distance = tree.query_nearest(points, return_distance=True, all_matches=True)
    order = np.lexsort((edge, point))
    _, first = np.unique(point[order], return_index=True)
    return edge[order][first].astype(np.int64), distance[order][first]


def _block_minutes(
    net: RoadNetwork, passable: NDArray[np.bool_], start: _Anchors, goal: _Anchors, block: slice, limit_min: float
) -> Floats:
    """Minutes from all origins to a block of destinations: shortest ways from the destinations over the reversed graph."""
    arrive, nodes = goal.arrive_min[:, block], goal.nodes[:, block]
    count, n = nodes.shape[1], len(net.nodes)
    edges = net.edges[passable]
    u, v = edges["u"].to_numpy(), edges["v"].to_numpy()
    numbers = np.arange(n, n + count)
    tail = np.concatenate([v, u, numbers, numbers])
    head = np.concatenate([u, v, nodes[0], nodes[1]])
    minutes = np.concatenate([edges["minutes_uv"], edges["minutes_vu"], arrive[0], arrive[1]])
    graph = _graph(tail, head, minutes, n + count)
    reach = dijkstra(graph, indices=numbers, limit=limit_min + 1e-6)
    over_nodes = [reach[:, start.nodes[side]].T + start.leave_min[side][:, None] for side in (0, 1)]
    return np.asarray(np.minimum(np.minimum(*over_nodes), _same_edge(net, start, goal, block)))


def _graph(tail: NDArray[Any], head: NDArray[Any], minutes: Floats, count: int) -> scipy.sparse.csr_matrix:
    """The arcs as a sparse matrix; of parallel arcs the fastest counts (scipy would add them up)."""
    keep = np.isfinite(minutes)
    tail, head, minutes = tail[keep], head[keep], minutes[keep]
    order = np.lexsort((minutes, head, tail))
    tail, head, minutes = tail[order], head[order], minutes[order]
    first = np.r_[True, (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])] if len(tail) else np.zeros(0, bool)
    return scipy.sparse.csr_matrix((minutes[first], (tail[first], head[first])), shape=(count, count))


def _same_edge(net: RoadNetwork, start: _Anchors, goal: _Anchors, block: slice) -> Floats:
    """Minutes between points on one and the same edge, without passing a node; inf elsewhere."""
    uv, vu = net.edges["minutes_uv"].to_numpy(), net.edges["minutes_vu"].to_numpy()
    columns = []
    for j in range(*block.indices(len(goal.edge))):
        both = (start.edge == goal.edge[j]) & start.usable & goal.usable[j]
        step = np.where(both, goal.share[j] - start.share, 0.0)
        way = np.where(step > 0, uv[goal.edge[j]], vu[goal.edge[j]])
        minutes = np.where(step == 0, 0.0, np.abs(np.where(step == 0, 1.0, step)) * way)
        columns.append(np.where(both, minutes + start.off_road_min + goal.off_road_min[j], np.inf))
    return np.stack(columns, axis=1)
