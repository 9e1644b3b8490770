"""Dam: the slide that closed the river in the gorge, and the lake behind it."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas
import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.events.slides import DAM_BULKING, Scar, Slide, block_of, outline, settled, source_depth, table
from hazardgeo.synthetic.layout import GORGE, HEIGHT, Layout
from hazardgeo.synthetic.noise import fractal
from hazardgeo.terrain import fill

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]
CAUSE = "the shaken hillside slid into the gorge of the river"
LAKE_ASSUMPTION = "the lake stands at its spill point; in truth it would take days to fill"
_COLUMNS = {
    "lake_id": "int32", "level_m": "float64", "area_m2": "float64", "volume_m3": "float64", "deepest_m": "float64",
    "dam_body_id": "int32", "assumption": "object",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lake:
    """Standing water: its level in m and the cells that it covers, on its own block of cells with its depth in m."""

    level_m: float
    depth: Raster

    @property
    def wet(self) -> Mask:
        return np.asarray(self.depth.values > 0)


def dam_slide(plan: Layout, ground: Field, rng: np.random.Generator) -> Slide:
    """A slide from the southern hillside that lies across the river from foot to far bank; its depth is an assumption."""
    radii = plan.dam_radii_m
    east, river_north = plan.place(GORGE, float(plan.river_across(plan.east_of(GORGE))))
    foot = float(plan.axis_north(east) + plan.south_foot(east))
    start = Scar((east, foot - 1.02 * radii[0]), (0.0, 1.0), radii)
    reach = 3.5 * radii[0] + plan.river_m
    grid = plan.grid.window(*plan.grid.window_of((east - reach, foot - 2.2 * radii[0], east + reach, river_north + reach)))
    below = ground[block_of(plan.grid, grid)]
    ragged = fractal(rng, grid, wavelength_m=0.9 * radii[1], octaves=3)
    source = source_depth(grid, start, plan.dam_depth_m, ragged)
    x, y = np.meshgrid(*grid.centres(), sparse=True)
    past = np.maximum(y - (river_north + plan.river_m / 2 + 0.05 * radii[0]), 0)
    past = np.hypot(past, 0.6 * radii[0]) - 0.6 * radii[0]  # without a crease
    beside = np.hypot(x - east, 0.6 * radii[1]) - 0.6 * radii[1]
    form = -0.04 * (y - foot) - 0.5 * beside - 0.5 * past + 0.018 * radii[1] * np.clip(ragged, -2, 2)
    form = np.where((source == 0) & (y > start.centre[1]), form, -np.inf)
    thickness = _poured(form, below, DAM_BULKING * float(source.sum()))
    return Slide("dam slide", Raster(settled(source, thickness, DAM_BULKING), grid, "change", "m"), "hillside", CAUSE, start)


def _poured(form: Field, ground: Field, wanted: float) -> Field:
    """Thickness of a deposit whose surface has this form and whose sum over the cells is `wanted`."""
    low, high = float(ground.min()) - 100.0, float(ground.max()) + 100.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.maximum(middle + form - ground, 0).sum() < wanted:
            low = middle
        else:
            high = middle
    return np.asarray(np.maximum(high + form - ground, 0))


def lake(plan: Layout, after: Field, dam: Slide) -> Lake:
    """The lake behind the dam, filled to the point where it would spill."""
    grid = _valley_block(plan)
    ground = after[block_of(plan.grid, grid)]
    datum = float(ground.min())
    filled = fill(Raster((ground - datum).astype(np.float32), grid, "ground", "m", HEIGHT)).values.astype(np.float64) + datum
    seed = _behind(plan, grid, dam)
    level = float(filled[seed])
    parts, _ = scipy.ndimage.label((filled > level - 1e-4) & (filled < level + 1e-4) & (ground < level - 1e-4), np.ones((3, 3)))
    wet = (parts == parts[seed]) & (parts[seed] > 0)
    return Lake(level, Raster(np.where(wet, level - ground, 0.0), grid, "depth", "m"))


def _valley_block(plan: Layout) -> Grid:
    """The floor from the middle of the valley to its eastern end."""
    _, south, east, north = plan.grid.bounds
    axis = plan.axis_north(np.array([plan.east_of(0.3), plan.east_of(0.6), plan.east_of(1.0)]))
    bounds = (plan.east_of(0.3), max(axis.min() - 1.3 * plan.floor_m, south), east, min(axis.max() + 1.3 * plan.floor_m, north))
    return plan.grid.window(*plan.grid.window_of(bounds))


def _behind(plan: Layout, grid: Grid, dam: Slide) -> tuple[int, int]:
    """The cell of the river just above the dam."""
    points = lines.resampled(plan.river, step_m=plan.cell_m)
    row, col = dam.change.grid.rowcol(points[:, 0], points[:, 1])
    inside = (row >= 0) & (row < dam.change.grid.shape[0]) & (col >= 0) & (col < dam.change.grid.shape[1])
    buried = np.zeros(len(points), bool)
    buried[inside] = dam.change.values[row[inside], col[inside]] > 0
    point = points[int(np.argmax(buried)) - 3]
    found = grid.rowcol(point[:1], point[1:])
    return int(found[0][0]), int(found[1][0])


def lakes(water: Lake | None, dam_body_id: int, grid: Grid) -> geopandas.GeoDataFrame:
    """The lake as a table: level_m, area_m2, volume_m3, deepest_m, the slide that dams it; empty without a lake."""
    if water is None:
        return table([], _COLUMNS, grid)
    depth = water.depth.values.astype(np.float64)
    cell_area = grid.cell[0] * grid.cell[1]
    row = {
        "lake_id": 1,
        "level_m": water.level_m,
        "area_m2": float(water.wet.sum()) * cell_area,
        "volume_m3": float(depth.sum()) * cell_area,
        "deepest_m": float(depth.max()),
        "dam_body_id": dam_body_id,
        "assumption": LAKE_ASSUMPTION,
        "geometry": outline(water.wet, water.depth.grid),
    }
    return table([row], _COLUMNS, grid)
