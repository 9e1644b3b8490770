"""Vehicles: boxes parked beside the roads, other ones in each epoch."""

from __future__ import annotations

import math

import geopandas
import numpy as np
import shapely

from hazardgeo.grid import Grid
from hazardgeo.synthetic.events.slides import table

SIZES_M = {"car": (4.4, 1.8, 1.5), "van": (5.3, 2.0, 2.3), "truck": (8.0, 2.4, 3.0)}
_SHARES = (0.6, 0.25, 0.15)
_COLUMNS = {
    "vehicle_id": "int32", "kind": "object", "epoch": "object", "length_m": "float64", "width_m": "float64",
    "height_m": "float64", "azimuth_deg": "float64",
}  # fmt: skip


def vehicles(
    roads: geopandas.GeoDataFrame, moved: shapely.Geometry, grid: Grid, count: int, rng: np.random.Generator
) -> geopandas.GeoDataFrame:
    """`count` boxes on the ground in each `epoch` (before, after): footprint, size in m, azimuth_deg of the long side.

    They stand at the side of roads that are not bridges, in the after epoch not on ground that `moved`.
    """
    lines = roads.loc[~roads["bridge"].astype(bool)].geometry.to_numpy()
    lengths = shapely.length(lines)
    shapely.prepare(moved)
    inner = shapely.box(*grid.bounds).buffer(-8.0)
    rows: list[dict[str, object]] = []
    for epoch in ("before", "after"):
        placed: list[shapely.Geometry] = []
        for _ in range(40 * count):
            if len(placed) == count:
                break
            line = lines[rng.choice(len(lines), p=lengths / lengths.sum())]
            kind = str(rng.choice(list(SIZES_M), p=_SHARES))
            box, azimuth = _parked(line, SIZES_M[kind], rng)
            moved_off = epoch == "after" and moved.intersects(box)
            if moved_off or not inner.contains(box) or any(box.distance(other) < 1.0 for other in placed):
                continue
            placed.append(box)
            length, width, height = SIZES_M[kind]
            row = {"vehicle_id": len(rows) + 1, "kind": kind, "epoch": epoch, "length_m": length, "width_m": width}
            rows.append({**row, "height_m": height, "azimuth_deg": azimuth, "geometry": box})
    return table(rows, _COLUMNS, grid)


def _parked(
    line: shapely.LineString, size_m: tuple[float, float, float], rng: np.random.Generator
) -> tuple[shapely.Polygon, float]:
    """A box 2 m beside the middle of a road, in its direction."""
    where = rng.uniform(0.0, line.length)
    ends = shapely.get_coordinates([line.interpolate(max(where - 1.0, 0.0)), line.interpolate(min(where + 1.0, line.length))])
    forward = (ends[1] - ends[0]) / max(float(np.hypot(*(ends[1] - ends[0]))), 1e-9)
    right = np.array([forward[1], -forward[0]])
    centre = ends.mean(axis=0) + rng.choice([-1.0, 1.0]) * 2.0 * right
    along, aside = forward * size_m[0] / 2, right * size_m[1] / 2
    corners = np.array([centre + along + aside, centre + along - aside, centre - along - aside, centre - along + aside])
    return shapely.Polygon(corners.round(2)), round(math.degrees(math.atan2(forward[0], forward[1])) % 360, 1)
