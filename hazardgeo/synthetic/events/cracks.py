"""Cracks: narrow open fissures behind the headscarps of the two large slides."""

from __future__ import annotations

import math

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.events.slides import Scar, Slide, outline, table

CAUSE = "the ground behind the headscarp was pulled towards the slide"
ASSUMPTION = "width and depth of the cracks are assumptions of the demo valley"
_COLUMNS = {
    "crack_id": "int32", "body_id": "int32", "length_m": "float64", "width_m": "float64", "depth_m": "float64",
    "volume_m3": "float64", "cause": "object", "assumption": "object",
}  # fmt: skip
_STEP_M = 0.1


def cracks(slides: list[Slide], grid: Grid, rng: np.random.Generator) -> geopandas.GeoDataFrame:
    """Three lines behind each scar: width_m (0.1 to 0.5 in the middle, closing to the ends), depth_m (1 to 2), volume_m3.

    `body_id` is the number of the slide, counted from 1 as in the table of bodies. Slides without a scar have no cracks.
    """
    rows: list[dict[str, object]] = []
    for body, slide in enumerate(slides, start=1):
        if slide.scar is None:
            continue
        for number in range(3):
            line = _behind(slide, slide.scar, grid.cell[0] + 2.0 + 3.5 * number + rng.uniform(0, 1.0), rng)
            width, depth = rng.uniform(0.2, 0.5), rng.uniform(1.0, 2.0)
            rows.append(
                {
                    "crack_id": len(rows) + 1,
                    "body_id": body,
                    "length_m": lines.length_m(line),
                    "width_m": width,
                    "depth_m": depth,
                    "volume_m3": float(_opening(line, width).sum()) * depth,
                    "cause": CAUSE,
                    "assumption": ASSUMPTION,
                    "geometry": shapely.LineString(line),
                }
            )
    return table(rows, _COLUMNS, grid)


def _behind(slide: Slide, scar: Scar, behind_m: float, rng: np.random.Generator) -> lines.Line:
    """A line that follows the upper rim of the source at this distance, over a part of its width."""
    source = outline(slide.change.values < 0, slide.change.grid)
    rim = shapely.get_coordinates(shapely.segmentize(source.convex_hull.buffer(behind_m).exterior, 1.0))
    heading, middle = np.array(scar.heading), rng.uniform(-0.3, 0.3)
    x, y = (rim - scar.centre) @ -heading, (rim - scar.centre) @ np.array([-heading[1], heading[0]])
    angle = np.arctan2(y / scar.radii_m[1], x / scar.radii_m[0])
    inside = (angle > middle - rng.uniform(0.35, 0.7)) & (angle < middle + rng.uniform(0.35, 0.7))
    return np.asarray(rim[inside][np.argsort(angle[inside])].round(2))


def _opening(line: lines.Line, width_m: float) -> NDArray[np.float64]:
    """Open area in m2 of each short piece of a crack: full width in the middle, a fifth of it at the ends."""
    count = max(round(lines.length_m(line) / _STEP_M), 1)
    share = (np.arange(count) + 0.5) / count
    width = np.maximum(width_m * np.sin(math.pi * share) ** 0.5, 0.1)
    return np.asarray(width * lines.length_m(line) / count)


def lowering(found: geopandas.GeoDataFrame, grid: Grid) -> NDArray[np.float64]:
    """How much the cracks lower the mean elevation of each cell, in m: a faint trench, for a crack is narrower than a cell."""
    total = np.zeros(grid.shape)
    for shape, width, depth in zip(found.geometry, found["width_m"], found["depth_m"], strict=True):
        line = shapely.get_coordinates(shape)
        opening = _opening(line, width)
        where = (np.arange(len(opening)) + 0.5) / len(opening) * lines.length_m(line)
        row, col = grid.rowcol(*lines.at(line, where).T)
        np.add.at(total, (row, col), opening * depth / (grid.cell[0] * grid.cell[1]))
    return total
