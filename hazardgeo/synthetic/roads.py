"""Roads: one connected network of valley road, lanes, bridges and the track up to the tableland."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster, sample_xy
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.layout import Layout
from hazardgeo.synthetic.lines import Line
from hazardgeo.synthetic.relief import Relief

Field = NDArray[np.float64]
VALLEY_ROAD, SOUTH_LANE = 0.36, -0.64  # across the valley, as shares of the half-width of the floor
BRIDGES = (0.20, 0.80)
PLATFORM_LANE = (0.64, 0.76)  # along the valley
_TRACK_START = 0.40
_TERRACE_START = 0.72


@dataclass(frozen=True, slots=True)
class Road:
    """A named line between two ends; `bridge` roads do not touch the ground."""

    name: str
    highway: str
    line: Line
    bridge: bool = False


def network(plan: Layout, ground: Relief) -> list[Road]:
    """All roads of the valley; where two meet they share a vertex."""
    floor = plan.floor_m
    valley = _along(plan, 0.0, 1.0, VALLEY_ROAD * floor, at=(*BRIDGES, 0.30, _TRACK_START, _TERRACE_START))
    south = _along(plan, *BRIDGES, SOUTH_LANE * floor, at=(0.45, 0.65))
    return [
        Road("Valley Road", "secondary", valley),
        Road("South Lane", "unclassified", south),
        *(road for share in BRIDGES for road in _crossing(plan, share)),
        *_gully_mouth_lanes(plan),
        *_slope_roads(plan, ground),
    ]


def _gully_mouth_lanes(plan: Layout) -> list[Road]:
    floor = plan.floor_m
    start, middle, end = VALLEY_ROAD * floor, 0.62 * floor, 0.85 * floor
    lanes = [_line(plan, [(share, start), (share, middle), (share, end)]) for share in (0.30, _TRACK_START)]
    cross = _along(plan, 0.25, 0.43, middle, at=(0.30, _TRACK_START))
    return [Road("Mouth Lane", "residential", line) for line in (*lanes, cross)]


def _slope_roads(plan: Layout, ground: Relief) -> list[Road]:
    """The track across the gully up to the tableland, and the lane to the terraces: least-cost paths over the slope."""
    across = plan.across(ground.gully[:, 0], ground.gully[:, 1])
    ford = ground.gully[int(np.argmin(np.abs(across - 1.12 * plan.floor_m)))]
    platform = plan.edge_m + 0.11 * plan.size_m
    terrace = plan.floor_m + 0.38 * (plan.foot_m - plan.floor_m)
    foot = _line(plan, [(_TRACK_START, 0.85 * plan.floor_m)])
    climb = _climb(ground, plan, ford, np.array(plan.place(PLATFORM_LANE[0], platform)), (0.505, 0.675))
    start = np.array(plan.place(_TERRACE_START, VALLEY_ROAD * plan.floor_m))
    to_terrace = _climb(ground, plan, start, np.array(plan.place(0.77, terrace)), (0.69, 0.86))
    return [
        Road("Platform Track", "track", np.vstack([lines.resampled(np.vstack([foot, ford]), step_m=20.0)[:-1], climb]).round(2)),
        Road("Platform Lane", "residential", _along(plan, *PLATFORM_LANE, platform, at=())),
        Road("Terrace Lane", "unclassified", to_terrace),
        Road("Terrace Lane", "residential", _along(plan, 0.70, 0.85, terrace, at=(0.77,))),
    ]


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


def _climb(ground: Relief, plan: Layout, start: Line, stop: Line, shares: tuple[float, float]) -> Line:
    """A track that avoids steep ground, between two shares of the valley's length."""
    size = round((10.0 if plan.size_m < 2000 else 20.0) / plan.cell_m)
    rows, cols = (n // size for n in plan.grid.shape)
    blocks = ground.elevation_m[: rows * size, : cols * size].reshape(rows, size, cols, size).mean(axis=(1, 3))
    cell = size * plan.cell_m
    west, _, _, north = plan.grid.bounds
    ends = [(int((north - p[1]) / cell), int((p[0] - west) / cell)) for p in (start, stop)]
    limits = [int(share * cols) for share in shares]
    path = np.array(_least_cost_kernel(blocks, cell, ends[0], ends[1], limits[0], limits[1]))
    middle = np.column_stack([west + (path[1:-1, 1] + 0.5) * cell, north - (path[1:-1, 0] + 0.5) * cell])
    corners = np.vstack([start, middle, stop])
    return lines.resampled(lines.rounded_corners(corners, passes=2), step_m=12.0).round(2)


@kernel
def _least_cost_kernel(z, cell, start, goal, first_col, last_col):  # type: ignore[no-untyped-def]
    rows, cols = z.shape
    cost = np.full(z.size, np.inf)
    source = np.full(z.size, -1)
    begin, target = start[0] * cols + start[1], goal[0] * cols + goal[1]
    cost[begin] = 0.0
    queue = [(0.0, begin)]
    while len(queue) > 0:
        reached, here = heapq.heappop(queue)
        if here == target:
            break
        if reached > cost[here]:
            continue
        r, c = here // cols, here % cols
        for dr in range(-2, 3):
            for dc in range(-2, 3):
                i, j = r + dr, c + dc
                direct = abs(dr) == 1 or abs(dc) == 1  # eight neighbours and the knight's moves
                if not direct or i < 0 or i >= rows or j < max(first_col, 0) or j > min(last_col, cols - 1):
                    continue
                run = cell * math.sqrt(dr * dr + dc * dc)
                grade = abs(z[i, j] - z[r, c]) / run
                total = reached + run * (1.0 + (grade / 0.11) ** 2)
                if total < cost[i * cols + j]:
                    cost[i * cols + j] = total
                    source[i * cols + j] = here
                    heapq.heappush(queue, (total, i * cols + j))
    path = [(target // cols, target % cols)]
    while target != begin and source[target] >= 0:
        target = source[target]
        path.append((target // cols, target % cols))
    return path[::-1]


def benched(surface: Field, grid: Grid, roads: list[Road]) -> Field:
    """The surface with a level bench of 6 m for every road, cut into the slope at 60 degrees and filled at 34 degrees."""
    raster = Raster(surface, grid, "elevation", "m")
    result = surface.copy()
    for road in roads:
        if road.bridge:
            continue
        distance, along = lines.around(road.line, grid, reach_m=15.0)
        near = np.isfinite(distance)
        where = np.arange(0.0, lines.length_m(road.line) + 2.0, 2.0)
        profile = _smoothed(sample_xy(raster, *lines.at(road.line, where).T, how="bilinear"))
        level = np.interp(along[near], where, profile)
        beside = np.maximum(distance[near] - 3.0, 0)
        result[near] = np.clip(result[near], level - 0.67 * beside, level + 1.73 * beside)
    return result


def _smoothed(profile: Field) -> Field:
    window = min(21, len(profile) // 2 * 2 - 1)
    if window < 3:
        return profile
    padded = np.pad(profile, window // 2, mode="reflect", reflect_type="odd")
    return np.convolve(padded, np.full(window, 1 / window), mode="valid")


def edges(roads: list[Road]) -> list[Road]:
    """The roads split wherever they share a vertex."""
    uses = Counter(vertex for road in roads for vertex in map(tuple, road.line.tolist()))
    parts = []
    for road in roads:
        inner = [i for i, v in enumerate(map(tuple, road.line.tolist())) if uses[v] > 1 and 0 < i < len(road.line) - 1]
        stops = [0, *inner, len(road.line) - 1]
        parts += [replace(road, line=road.line[a : b + 1]) for a, b in pairwise(stops)]
    return parts


def table(parts: list[Road], grid: Grid) -> geopandas.GeoDataFrame:
    """Edges as LineStrings with road_id (from 1), name, highway and bridge."""
    columns = {
        "road_id": np.arange(1, len(parts) + 1, dtype=np.int32),
        "name": [p.name for p in parts],
        "highway": [p.highway for p in parts],
        "bridge": [p.bridge for p in parts],
    }
    return geopandas.GeoDataFrame(columns, geometry=[shapely.LineString(p.line) for p in parts], crs=grid.crs)
