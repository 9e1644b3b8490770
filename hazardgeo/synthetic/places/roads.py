"""Roads: one connected network of valley road, lanes, bridges and tracks to every hamlet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import geopandas
import numpy as np
import shapely

from hazardgeo.grid import Grid
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.ground.relief import Relief
from hazardgeo.synthetic.layout import TERRACES, WEST_SPUR, Layout
from hazardgeo.synthetic.lines import Line
from hazardgeo.synthetic.places import tracks
from hazardgeo.synthetic.places.grading import dense
from hazardgeo.synthetic.places.hamlets import PLATFORM_LANE, Hamlet

VALLEY_ROAD, SOUTH_LANE = 0.36, -0.64  # across the valley, as shares of the half-width of the floor
BRIDGES = (0.20, 0.80)
FORD = 0.95  # where the track to the platform crosses the main gully, in half-widths of the floor: at its mouth
HANGING = ("Platform Track", "Platform Lane")
MOST_HANGING = 2
LONGEST_M = 250.0  # of an edge
APART_M = 100.0  # between a lane and roads that it may not join
MAIN_ROADS = ("secondary", "tertiary")
MAIN_GRADE, LANE_GRADE = 0.105, 0.13  # steepest of the design, m/m
MAIN_SEARCH_GRADE = 0.09
_WEST_START, _TRACK_START, _TERRACE_START = 0.13, 0.40, 0.83


@dataclass(frozen=True, slots=True)
class Road:
    """A named line between two ends; `bridge` roads do not touch the ground."""

    name: str
    highway: str
    line: Line
    bridge: bool = False

    @property
    def steepest(self) -> float:
        """The steepest grade of its design, in m/m: bridges are level."""
        if self.bridge:
            return 0.0
        return MAIN_GRADE if self.highway in MAIN_ROADS else LANE_GRADE


def network(plan: Layout, form: Relief, over: tracks.Ground) -> list[Road]:
    """The roads of the planted villages; where two meet they share a vertex."""
    floor = plan.floor_m
    valley = _along(plan, 0.0, 1.0, VALLEY_ROAD * floor, at=(*BRIDGES, _WEST_START, 0.30, _TRACK_START, _TERRACE_START))
    south = _along(plan, *BRIDGES, SOUTH_LANE * floor, at=(0.45, 0.65))
    return [
        Road("Valley Road", "secondary", valley),
        Road("South Lane", "unclassified", south),
        *(road for share in BRIDGES for road in _crossing(plan, share)),
        *_gully_mouth_lanes(plan),
        *_terrace_roads(plan, over),
        *_platform_roads(plan, form, over),
        *_tableland_road(plan, over),
    ]


def to_hamlets(roads: Sequence[Road], scattered: Sequence[Hamlet], over: tracks.Ground) -> tuple[list[Road], list[Hamlet]]:
    """The roads with a lane to every scattered hamlet from the cheapest road, the nearest hamlets first; and the hamlets.

    No more than MOST_HANGING of them hang on the track that the flow slide will cut. A hamlet that no lane reaches is given
    up.
    """
    found = [replace(road, line=dense(road.line, step_m=9.0).round(2)) if scattered else road for road in roads]
    hanging = [road.name in HANGING for road in found]
    most = sum(hanging) + MOST_HANGING
    vertices = np.vstack([road.line for road in found if not road.bridge])
    kept: list[Hamlet] = []
    for hamlet in sorted(scattered, key=lambda h: float(np.hypot(*(vertices - h.centre).T).min())):
        lane = _lane(hamlet, found, over, [hangs and sum(hanging) >= most for hangs in hanging])
        if lane is None:
            continue
        end = lane[-1]
        meets = [hangs and bool((road.line == end).all(axis=1).any()) for road, hangs in zip(found, hanging, strict=True)]
        hanging.append(any(meets))
        found.append(Road(f"{hamlet.name} Lane", "track", lane))
        kept.append(hamlet)
    return found, kept


def _lane(hamlet: Hamlet, roads: Sequence[Road], over: tracks.Ground, closed: Sequence[bool]) -> Line | None:
    """The cheapest lane from a hamlet to the roads that are not `closed`; it keeps off those."""
    goals = np.vstack([road.line for road, shut in zip(roads, closed, strict=True) if not (shut or road.bridge)])
    shut = [shapely.LineString(road.line) for road, shut in zip(roads, closed, strict=True) if shut]
    free = over.without(shapely.union_all(shut).buffer(APART_M)) if shut else over
    lane = tracks.climb(free, hamlet.centre, goals)
    if lane is None or len(lane) < 2 or tracks.lag_m(over, lane, LANE_GRADE) > tracks.FOLLOWS_M:
        return None
    open_roads = [road.line for road, shut in zip(roads, closed, strict=True) if not shut]
    return dense(_up_to(lane, open_roads, goals), step_m=9.0).round(2)


def _up_to(lane: Line, others: Sequence[Line], vertices: Line) -> Line:
    """The lane up to where it first meets another road, ending on a vertex of the network."""
    whole = shapely.LineString(lane)
    tree = shapely.STRtree([shapely.LineString(line) for line in others])
    met = [shapely.intersection(whole, tree.geometries[i]) for i in tree.query(whole, predicate="intersects")]
    where = np.array([whole.project(shapely.Point(xy)) for geometry in met for xy in shapely.get_coordinates(geometry)])
    first = where.min() if len(where) else whole.length
    kept = lane[lines.positions_m(lane) < first - 6.0]
    end = shapely.get_coordinates(whole.interpolate(first))[0]
    return np.vstack([kept if len(kept) else lane[:1], vertices[np.hypot(*(vertices - end).T).argmin()]])


def _gully_mouth_lanes(plan: Layout) -> list[Road]:
    floor = plan.floor_m
    start, middle, end = VALLEY_ROAD * floor, 0.62 * floor, 0.85 * floor
    lanes = [_line(plan, [(share, start), (share, middle), (share, end)]) for share in (0.30, _TRACK_START)]
    cross = _along(plan, 0.25, 0.43, middle, at=(0.30, _TRACK_START))
    return [Road("Mouth Lane", "residential", line) for line in (*lanes, cross)]


def _terrace_roads(plan: Layout, over: tracks.Ground) -> list[Road]:
    """The lane up to the village on the terraces, and its street along the slope."""
    terrace = plan.floor_m + 0.38 * (plan.foot_m - plan.floor_m)
    within = _columns(over, TERRACES[0] - 0.005, TERRACES[1] + 0.06)
    start = np.array(plan.place(_TERRACE_START, VALLEY_ROAD * plan.floor_m))
    heights = terrace + 0.03 * plan.size_m * np.linspace(-1, 1, 9)
    west, middle, east = (
        np.array([plan.place(share, height) for height in heights]) for share in (TERRACES[0] + 0.01, 0.77, TERRACES[1] - 0.01)
    )
    lane = tracks.surely(within, start, middle)
    streets = [tracks.surely(within, lane[-1], ends) for ends in (west, east)]
    return [Road("Terrace Lane", "unclassified", lane), *(Road("Terrace Lane", "residential", line) for line in streets)]


def _platform_roads(plan: Layout, form: Relief, over: tracks.Ground) -> list[Road]:
    """The track through the mouth of the gully and up the spur to the tableland, and the street of the hamlet there."""
    across = plan.across(form.gully[:, 0], form.gully[:, 1])
    ford = form.gully[int(np.argmin(np.abs(across - FORD * plan.floor_m)))].round(2)
    foot = _line(plan, [(_TRACK_START, 0.85 * plan.floor_m)])
    platform = plan.edge_m + 0.11 * plan.size_m
    west, east = (np.array(plan.place(share, platform)) for share in PLATFORM_LANE)
    gully = shapely.LineString(form.gully[across > FORD * plan.floor_m + 2 * over.block_m]).buffer(0.008 * plan.size_m)
    beyond = _columns(over, 0.51, TERRACES[0] - 0.006).without(gully)
    to_ford = lines.resampled(np.vstack([foot, ford]), step_m=20.0)[:-1]
    track = tracks.surely(beyond, ford, west[None])
    return [
        Road("Platform Track", "track", np.vstack([to_ford, track]).round(2)),
        Road("Platform Lane", "residential", tracks.surely(over, west, east[None])),
    ]


def _tableland_road(plan: Layout, over: tracks.Ground) -> list[Road]:
    """The road up the western spur and over the tableland out of the valley, which only a full valley has."""
    if WEST_SPUR not in plan.spurs:
        return []
    east = np.arange(plan.east_of(0.05), plan.east_of(0.45), over.block_m)
    edge = np.column_stack([east, np.full(len(east), plan.grid.bounds[3])]).round(2)
    start = np.array(plan.place(_WEST_START, VALLEY_ROAD * plan.floor_m))
    top = np.array(plan.place(WEST_SPUR, plan.edge_m + 0.09 * plan.size_m))
    up = tracks.surely(_columns(over, 0.01, 0.36), start, top[None], steepest=MAIN_SEARCH_GRADE)
    out = tracks.surely(over, top, edge, steepest=MAIN_SEARCH_GRADE)
    return [Road("Tableland Road", "tertiary", line) for line in (up, out)]


def _columns(over: tracks.Ground, first: float, last: float) -> tracks.Ground:
    """The ground between two shares of the valley's length."""
    barred = over.barred.copy()
    cols = barred.shape[1]
    barred[:, : int(first * cols)] = True
    barred[:, int(last * cols) :] = True
    return replace(over, barred=barred)


def _line(plan: Layout, places: list[tuple[float, float]]) -> Line:
    return np.array([plan.place(share, across) for share, across in places])


def _along(plan: Layout, start: float, stop: float, across_m: float, *, at: tuple[float, ...]) -> Line:
    """A road at one distance across the valley, with vertices at the shares `at` (its junctions)."""
    step = 25.0 / plan.size_m
    even = np.linspace(start, stop, max(round((stop - start) / step), 1) + 1)
    kept = [share for share in even[1:-1] if all(abs(share - junction) > step / 2 for junction in at)]
    return _line(plan, [(share, across_m) for share in sorted({start, stop, *kept, *at})])


def _crossing(plan: Layout, share: float) -> list[Road]:
    """A lane from the valley road over the river to the south lane, the bridge as a road of its own."""
    river = float(plan.river_across(plan.east_of(share)))
    half = plan.river_m / 2 + 5.0
    stops = [VALLEY_ROAD * plan.floor_m, river + half, river - half, SOUTH_LANE * plan.floor_m]
    parts = [_line(plan, [(share, a), (share, b)]) for a, b in pairwise(stops)]
    return [Road("Bridge Lane", "unclassified", line, bridge=i == 1) for i, line in enumerate(parts)]


def edges(roads: Sequence[Road]) -> list[Road]:
    """The roads split wherever they share a vertex, and where they would be longer than LONGEST_M."""
    uses = Counter(vertex for road in roads for vertex in map(tuple, road.line.tolist()))
    parts = []
    for road in roads:
        inner = [i for i, v in enumerate(map(tuple, road.line.tolist())) if uses[v] > 1 and 0 < i < len(road.line) - 1]
        stops = [0, *inner, len(road.line) - 1]
        parts += [replace(road, line=line) for a, b in pairwise(stops) for line in _pieces(road.line[a : b + 1])]
    return parts


def _pieces(line: Line) -> list[Line]:
    """A line in pieces of about equal length, split at vertices."""
    along = lines.positions_m(line)
    count = int(np.ceil(along[-1] / LONGEST_M))
    stops = np.unique([int(np.argmin(np.abs(along - along[-1] * k / count))) for k in range(count + 1)]).tolist()
    return [line[a : b + 1] for a, b in pairwise(stops)]


def table(parts: Sequence[Road], grid: Grid) -> geopandas.GeoDataFrame:
    """Edges as LineStrings with road_id (from 1), name, highway and bridge."""
    columns = {
        "road_id": np.arange(1, len(parts) + 1, dtype=np.int32),
        "name": [p.name for p in parts],
        "highway": [p.highway for p in parts],
        "bridge": [p.bridge for p in parts],
    }
    return geopandas.GeoDataFrame(columns, geometry=[shapely.LineString(p.line) for p in parts], crs=grid.crs)
