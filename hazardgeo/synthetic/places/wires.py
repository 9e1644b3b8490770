"""Wires: a power line along the valley road and one across the valley, with their poles, in the same places in both epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.raster import Raster, sample_xy
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.layout import Layout
from hazardgeo.synthetic.lines import Line
from hazardgeo.synthetic.places.people import Building

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]
CLEARANCE_M = 4.5  # of every wire over the ground before the earthquake
SAG = 0.02  # of the span
_PIECE_M = 6.0
_HOUSE_CLEAR_M = 2.5


@dataclass(frozen=True, slots=True)
class Design:
    """A kind of line: height of its poles, lengths of its spans, and its wires as (aside, below the top), all in m."""

    pole_m: float
    shortest_m: float
    longest_m: float
    wires: tuple[tuple[float, float], ...]


LOCAL = Design(9.0, 20.0, 48.0, ((-0.8, 0.3), (0.0, 0.05), (0.8, 0.3)))
HIGH = Design(24.0, 60.0, 240.0, ((-3.6, 3.0), (3.6, 3.0), (-3.6, 6.0), (3.6, 6.0), (0.0, 0.0)))


@dataclass(frozen=True, slots=True)
class Wires:
    """Poles and pieces of wire as straight segments in m: (n, 6) east, north, height of one end and of the other.

    `span` is the number of the span of each piece of wire; `ends` the two poles of each span.
    """

    poles: Field
    pieces: Field
    span: NDArray[np.int32]
    ends: NDArray[np.int32]

    def on(self, steady: Mask) -> Wires:
        """What is left where only some poles still stand."""
        kept = np.asarray(steady[self.ends].all(axis=1))[self.span]
        return Wires(self.poles[steady], self.pieces[kept], self.span[kept], self.ends)


def strung(plan: Layout, roads: geopandas.GeoDataFrame, houses: list[Building], ground: Raster) -> Wires:
    """The local line beside the longest stretches of the valley road, and the high line from tableland to southern hillside."""
    footprints = shapely.union_all([h.footprint.buffer(_HOUSE_CLEAR_M) for h in houses])
    shapely.prepare(footprints)
    main = roads[(roads["highway"] == "secondary") & ~roads["bridge"].astype(bool)]
    merged = shapely.line_merge(shapely.union_all(main.geometry.to_numpy()))
    routes = [(LOCAL, _beside(shapely.get_coordinates(part), 6.2)) for part in shapely.get_parts(merged) if part.length > 100]
    share = 0.44
    routes.append((HIGH, np.array([plan.place(share, plan.edge_m + 0.12 * plan.size_m), plan.place(share + 0.03, _south(plan))])))
    poles: list[Field] = []
    pieces: list[Field] = []
    ends: list[tuple[int, int]] = []
    for design, route in routes:
        tops = _poles(design, route, ground, footprints)
        first = len(poles)
        poles += list(tops)
        for k, (a, b) in enumerate(pairwise(tops)):
            if np.hypot(*(b - a)[:2]) <= design.longest_m + 1.0 and _clearance(design, a, b, ground) >= CLEARANCE_M:
                ends.append((first + k, first + k + 1))
                pieces.append(np.vstack([_pieces(a, b, wire) for wire in design.wires]))
    span = np.repeat(np.arange(len(pieces), dtype=np.int32), [len(part) for part in pieces])
    upright = np.array([[*p[:2], p[3], *p[:3]] for p in (np.asarray(q) for q in poles)]).reshape(-1, 6)
    joined = np.vstack(pieces) if pieces else np.empty((0, 6))
    return Wires(upright, joined, span, np.array(ends, np.int32).reshape(-1, 2))


def _south(plan: Layout) -> float:
    return -plan.floor_m - 0.5 * (plan.axis_share * plan.size_m - plan.floor_m)


def _beside(line: Line, aside_m: float) -> Line:
    line = lines.resampled(line, step_m=12.0)
    ahead = np.gradient(line, axis=0)
    right = np.column_stack([ahead[:, 1], -ahead[:, 0]]) / np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]
    return np.asarray(line + aside_m * right)


def _poles(design: Design, route: Line, ground: Raster, footprints: shapely.Geometry) -> Field:
    """Poles along a route, (n, 4): east, north, top, foot; each as far on as the wires clear the ground."""
    step = 4.0 if design is LOCAL else 10.0
    places = lines.resampled(route, step_m=step)
    west, south, east, north = ground.grid.bounds
    inside = (places[:, 0] > west + 5) & (places[:, 0] < east - 5) & (places[:, 1] > south + 5) & (places[:, 1] < north - 5)
    places = places[inside & ~shapely.contains_xy(footprints, places[:, 0], places[:, 1])]
    foot = sample_xy(ground, places[:, 0], places[:, 1], how="bilinear").astype(np.float64)
    tops = np.column_stack([places, foot + design.pole_m, foot])
    chosen = [0]
    while chosen[-1] < len(tops) - 1:
        away = np.hypot(*(tops[chosen[-1] + 1 :, :2] - tops[chosen[-1], :2]).T)
        reach = chosen[-1] + 1 + np.flatnonzero((away >= design.shortest_m) & (away <= design.longest_m))
        clear = [j for j in reach[::-1].tolist() if _clearance(design, tops[chosen[-1]], tops[j], ground) >= CLEARANCE_M]
        beyond = chosen[-1] + 1 + int(np.argmax(away >= design.shortest_m)) if (away >= design.shortest_m).any() else len(tops)
        if not clear and beyond >= len(tops):
            break
        chosen.append(clear[0] if clear else beyond)
    return np.asarray(tops[chosen])


def _clearance(design: Design, a: Field, b: Field, ground: Raster) -> float:
    """Least height of any wire of a span over the ground."""
    least = math.inf
    for wire in design.wires:
        points = _hung(a, b, wire)
        inner = points[(points[:, :2] > 0).all(axis=1)]
        height = inner[:, 2] - sample_xy(ground, inner[:, 0], inner[:, 1], how="bilinear")
        least = min(least, float(height.min()))
    return least


def _hung(a: Field, b: Field, wire: tuple[float, float]) -> Field:
    """Points of a wire between two pole tops: a catenary that sags 2 % of the span."""
    length = float(np.hypot(*(b - a)[:2]))
    share = np.linspace(0.0, 1.0, max(math.ceil(length / _PIECE_M), 2) + 1)
    shape = SAG * 8 / 2  # half of the span over the parameter of a catenary with this sag, to first order
    form = (np.cosh(shape * (2 * share - 1)) - math.cosh(shape)) / (math.cosh(shape) - 1)
    right = np.array([b[1] - a[1], a[0] - b[0]]) / max(length, 1e-9)
    points = a[:3] + share[:, None] * (b - a)[:3]
    points[:, :2] += wire[0] * right
    points[:, 2] += SAG * length * form - wire[1]
    return np.asarray(points)


def _pieces(a: Field, b: Field, wire: tuple[float, float]) -> Field:
    points = _hung(a, b, wire)
    return np.hstack([points[:-1], points[1:]])
