"""What hazards say about lines, areas and points: the gravest finding among all cells and mapped bodies that they touch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo import levels as lv
from hazardgeo.errors import CrsError, InputError
from hazardgeo.grid import Grid
from hazardgeo.levels import Levels
from hazardgeo.raster import rasterize, require_crs

Hazard: TypeAlias = "Levels | geopandas.GeoDataFrame | None"
Codes = NDArray[np.uint8]

OPEN, CONDITIONAL, UNKNOWN, CLOSED = range(4)
STATUSES = ("open", "conditional", "unknown", "closed")

# A finding below 20 is 5 x state + level of a cell; those above are what is no cell.
OUTSIDE_MAP, NOT_GIVEN, CLEAR, TOUCHED = 20, 21, 22, 23
_FINDINGS = 24
_EDGE_CELLS = 1e-6  # what lies on the edge between two cells touches both
_CHUNK = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """The status (a code of STATUSES) that each finding leads to, and the order from harmless to grave."""

    status: Codes
    rank: Codes
    by_rank: Codes


def rules(assessed: tuple[int, int, int, int], *, very_high_closes: bool) -> Rules:
    """Rules from the statuses of assessed levels low, moderate, high and very high.

    Masked by the model is conditional; input missing, outside the model's range or the map, and not given are unknown;
    a mapped body closes. With `very_high_closes`, "at least very high" closes in every state.
    """
    status = np.full(_FINDINGS, UNKNOWN, np.uint8)
    status[5 * lv.ASSESSED + 1 : 5 * lv.ASSESSED + 5] = assessed
    status[5 * lv.MASKED_BY_MODEL : 5 * lv.MASKED_BY_MODEL + 5] = CONDITIONAL
    if very_high_closes:
        status[[5 * state + lv.VERY_HIGH for state in range(4)]] = CLOSED
    status[TOUCHED], status[CLEAR] = CLOSED, OPEN
    by_rank = np.lexsort((np.arange(_FINDINGS) // 5, np.arange(_FINDINGS) % 5, status)).astype(np.uint8)
    rank = np.empty(_FINDINGS, np.uint8)
    rank[by_rank] = np.arange(_FINDINGS)
    return Rules(status, rank, by_rank)


def along_lines(lines: geopandas.GeoSeries, hazard: Hazard, by: Rules) -> Codes:
    """The gravest finding along each line; every cell that a line touches is read."""
    if not isinstance(hazard, Levels):
        return _bodies(lines, hazard)
    require_crs(lines, hazard.grid, "roads")
    return by.by_rank[_worst_met(lines.geometry.to_numpy(), np.arange(len(lines)), len(lines), hazard, by)]


def at_points(points: geopandas.GeoSeries, hazard: Hazard, by: Rules) -> Codes:
    """The finding in the cell of each point; a point on the edge of cells takes the gravest of them."""
    if not isinstance(hazard, Levels):
        return _bodies(points, hazard)
    require_crs(points, hazard.grid, "points")
    x, y = _in_cells(np.c_[points.x.to_numpy(), points.y.to_numpy()], hazard.grid)
    return by.by_rank[_touched_rank(hazard, by, x, y)]


def over_areas(areas: geopandas.GeoSeries, hazard: Hazard, by: Rules) -> Codes:
    """The gravest finding among the cells that each area touches; parts outside the map are a finding of their own.

    Areas are polygons of one or more parts; of anything else nothing is read, and it counts as outside the map.
    """
    if not isinstance(hazard, Levels):
        return _bodies(areas, hazard)
    require_crs(areas, hazard.grid, "sites")
    rims, area_of = shapely.get_parts(shapely.boundary(areas.to_numpy()), return_index=True)
    worst = _worst_met(rims, area_of, len(areas), hazard, by)
    for i, area in enumerate(areas):
        rows, cols = hazard.grid.window_of(area.bounds)
        if rows.stop > rows.start and cols.stop > cols.start:
            block = hazard.window(rows, cols)
            inside = rasterize(geopandas.GeoDataFrame(geometry=[area], crs=areas.crs), block.grid).values
            ranks = by.rank[5 * block.state.values[inside] + block.level.values[inside]]
            worst[i] = max(worst[i], ranks.max(initial=0))
    return by.by_rank[worst]


def require_coordinates(shapes: geopandas.GeoSeries, what: str) -> None:
    """Raise InputError for shapes without coordinates, or with some that are not finite (points made from empty cells)."""
    geometry = shapes.to_numpy()
    xy, owner = shapely.get_coordinates(geometry, return_index=True)
    lost = shapely.is_missing(geometry) | shapely.is_empty(geometry)
    lost[owner[~np.isfinite(xy).all(axis=1)]] = True
    if lost.any():
        first = shapes.index.tolist()[int(np.flatnonzero(lost)[0])]
        raise InputError(
            f"{int(lost.sum())} of {len(shapes)} {what} have no coordinates (the first at index {first!r}); "
            "give them a place or leave them out."
        )


def judge(findings: Mapping[str, Codes], hazards: Mapping[str, Hazard], by: Rules) -> tuple[NDArray[Any], NDArray[Any]]:
    """Status and reason of each shape: the gravest status over all hazards, and every hazard that leads to it.

    Mapped bodies say where a hazard is, not where none is: without any hazard level nothing is open.
    """
    table = dict(findings)
    if not any(isinstance(hazard, Levels) for hazard in hazards.values()):
        count = len(next(iter(findings.values())))
        table["hazard level"] = np.full(count, NOT_GIVEN, np.uint8)
    rows, which = np.unique(np.stack(list(table.values()), axis=1), axis=0, return_inverse=True)
    names = list(table)
    status = by.status[rows].max(axis=1) if len(rows) else np.zeros(0, np.uint8)
    reasons = [
        "; ".join(f"{names[i]}: {describe(int(f))}" for i, f in enumerate(row) if by.status[f] == top)
        for row, top in zip(rows, status, strict=True)
    ]
    texts = np.array(reasons, object)[which.ravel()] if len(rows) else np.zeros(0, object)
    return np.array(STATUSES, object)[status][which.ravel()], texts


def doubted(status: NDArray[Any], reason: NDArray[Any], doubts: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Status and reason where something besides the hazards is in doubt (a text per shape, "" for none).

    What is in doubt is conditional at best; the doubt is told wherever it is among the gravest things known.
    """
    ok, so_so = (np.asarray(status == STATUSES[code]) & (doubts != "") for code in (OPEN, CONDITIONAL))
    told = np.where(ok, doubts, np.where(so_so, reason + "; " + doubts, reason))
    return np.where(ok, STATUSES[CONDITIONAL], status).astype(object), told


def describe(finding: int) -> str:
    """The words for a finding."""
    special = {
        OUTSIDE_MAP: "outside the hazard map",
        NOT_GIVEN: "no layer was given",
        CLEAR: "none mapped here",
        TOUCHED: "mapped here",
    }
    if finding in special:
        return special[finding]
    state, level = divmod(finding, 5)
    words = lv.LEVELS[level].label
    if state == lv.ASSESSED:
        return words
    why = {
        lv.MISSING_INPUT: "input missing",
        lv.OUTSIDE_RANGE: "outside the model's range",
        lv.MASKED_BY_MODEL: "masked by the model",
    }
    return f"at least {words}, {why[state]}" if level else why[state]


def _bodies(shapes: geopandas.GeoSeries, bodies: geopandas.GeoDataFrame | None) -> Codes:
    """TOUCHED where a shape meets a mapped body, CLEAR elsewhere; NOT_GIVEN everywhere for None."""
    if bodies is None:
        return np.full(len(shapes), NOT_GIVEN, np.uint8)
    if bodies.crs is None or shapes.crs is None:
        raise CrsError("mapped hazard bodies and the shapes they meet need a CRS; state it with .set_crs('EPSG:...').")
    if _crs.horizontal(bodies.crs) != _crs.horizontal(shapes.crs):
        raise CrsError(
            f"hazard bodies are in {_crs.label(bodies.crs)}, the shapes in {_crs.label(shapes.crs)}; "
            "project them first with .to_crs(...)."
        )
    geometry = bodies.geometry.to_numpy()
    if (shapely.is_missing(geometry) | shapely.is_empty(geometry)).any() or (shapely.get_dimensions(geometry) != 2).any():
        raise InputError("hazard bodies must be polygons and none may be empty: nobody knows what they touch; repair the layer.")
    found = np.full(len(shapes), CLEAR, np.uint8)
    found[shapely.STRtree(shapes.to_numpy()).query(shapely.make_valid(geometry), predicate="intersects")[1]] = TOUCHED
    return found


def _worst_met(lines: NDArray[Any], owner: NDArray[np.int64], owners: int, hazard: Levels, by: Rules) -> Codes:
    """The gravest rank along the lines of each owner; of whom nothing is read counts as outside the map."""
    worst = np.zeros(owners, np.uint8)
    read = np.zeros(owners, bool)
    for line, x, y in _crossed(lines, hazard.grid):
        np.maximum.at(worst, owner[line], _touched_rank(hazard, by, x, y))
        read[owner[line]] = True
    worst[~read] = by.rank[OUTSIDE_MAP]
    return worst


def _touched_rank(hazard: Levels, by: Rules, x: NDArray[np.float64], y: NDArray[np.float64]) -> Codes:
    """The gravest rank of the cells that touch each place, given in cells from the north-west corner."""
    rows, cols = hazard.grid.shape
    state, level = hazard.state.values, hazard.level.values
    worst = np.zeros(len(x), np.uint8)
    inside = (x >= 0) & (x <= cols) & (y >= 0) & (y <= rows)
    for dx in (-_EDGE_CELLS, _EDGE_CELLS):
        for dy in (-_EDGE_CELLS, _EDGE_CELLS):
            row = np.clip(np.floor(y[inside] + dy).astype(np.int64), 0, rows - 1)
            col = np.clip(np.floor(x[inside] + dx).astype(np.int64), 0, cols - 1)
            worst[inside] = np.maximum(worst[inside], by.rank[5 * state[row, col] + level[row, col]])
    worst[~inside] = by.rank[OUTSIDE_MAP]
    return worst


def _in_cells(xy: NDArray[np.float64], grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    width, height = grid.cell
    return (xy[:, 0] - grid.transform.c) / width, (grid.transform.f - xy[:, 1]) / height


def _crossed(lines: NDArray[Any], grid: Grid) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
    """Places along the lines such that every cell met is hit, in blocks: number of the line, x and y in cells."""
    for begin in range(0, len(lines), _CHUNK):
        xy, line = shapely.get_coordinates(lines[begin : begin + _CHUNK], return_index=True)
        x, y = _in_cells(xy, grid)
        first = np.flatnonzero(line[1:] == line[:-1])
        x0, dx, y0, dy = x[first], x[first + 1] - x[first], y[first], y[first + 1] - y[first]
        segments = np.arange(len(first))
        parts = [(segments, np.zeros(len(first))), (segments, np.ones(len(first))), _grid_lines(x0, dx), _grid_lines(y0, dy)]
        segment, t = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((t, segment))
        segment, t = segment[order], t[order]
        same = segment[1:] == segment[:-1]
        segment = np.concatenate([segment, segment[1:][same]])
        t = np.concatenate([t, (0.5 * (t[1:] + t[:-1]))[same]])
        yield line[first[segment]] + begin, x0[segment] + t * dx[segment], y0[segment] + t * dy[segment]


def _grid_lines(start: NDArray[np.float64], step: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where segments cross whole numbers: the number of the segment, and the share of its length up to there."""
    low, high = np.minimum(start, start + step), np.maximum(start, start + step)
    lowest = np.floor(low).astype(np.int64) + 1
    count = np.maximum(np.ceil(high).astype(np.int64) - lowest, 0)
    segment = np.repeat(np.arange(len(start)), count)
    offset = np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
    return segment, (lowest[segment] + offset - start[segment]) / step[segment]
