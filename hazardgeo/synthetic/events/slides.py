"""Slides: what every planted slide is, its balance of mass, and the tables of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import rasterio.features
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

Field = NDArray[np.float64]
FLOW_BULKING, COLLAPSE_BULKING, DAM_BULKING = 1.3, 1.2, 1.25  # volume of the deposit over that of its source
ASSUMPTION = "depth, volume and bulking are assumptions of the demo valley, not measurements"


@dataclass(frozen=True, slots=True)
class Scar:
    """The ellipse from which a slide broke loose: centre, direction of sliding, radii in m along and across it."""

    centre: tuple[float, float]
    heading: tuple[float, float]
    radii_m: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Slide:
    """One planted slide as change in m on its own block of cells: negative in its source, positive in its deposit.

    `setting` is the ground that it fell from, `scar` the outline of the source where cracks may stand behind it.
    """

    kind: str
    change: Raster
    setting: str
    cause: str
    scar: Scar | None = None


def ellipse(grid: Grid, scar: Scar) -> Field:
    """1 - r2 inside the ellipse of a scar, negative outside."""
    east, north = np.meshgrid(*grid.centres(), sparse=True)
    x, y = east - scar.centre[0], north - scar.centre[1]
    along, aside = x * scar.heading[0] + y * scar.heading[1], y * scar.heading[0] - x * scar.heading[1]
    return np.asarray(1 - (along / scar.radii_m[0]) ** 2 - (aside / scar.radii_m[1]) ** 2)


def source_depth(grid: Grid, scar: Scar, depth_m: float, ragged: Field) -> Field:
    """How deep the source lies under the old ground, in m: a bowl with a steep, ragged rim."""
    form = ellipse(grid, scar) + 0.16 * np.clip(ragged, -2, 2)
    bowl = depth_m * np.maximum(form, 0) ** 0.6 * (1 + 0.12 * np.clip(ragged, -2, 2))
    return np.where(form > 0.02, bowl, 0.0)


def settled(source: Field, deposit: Field, bulking: float) -> Field:
    """Change in m of a source and the relative thickness of its deposit, scaled to hold `bulking` times its volume."""
    deposit = np.where(source > 0, 0.0, deposit)
    return np.asarray(deposit * (bulking * source.sum() / deposit.sum()) - source)


def total_change(slides: list[Slide], grid: Grid) -> Field:
    """Change of the ground by all slides, in m: after minus before."""
    total = np.zeros(grid.shape)
    for slide in slides:
        add(total, grid, slide.change)
    return total


def add(total: Field, grid: Grid, change: Raster) -> None:
    """Adds a block of change to the change of the whole grid, in place."""
    total[block_of(grid, change.grid)] += change.values


def block_of(grid: Grid, part: Grid) -> tuple[slice, slice]:
    """The rows and columns of `grid` that its block `part` covers."""
    east, north = part.centres()
    (row,), (col,) = grid.rowcol(east[:1], north[:1])
    return slice(int(row), int(row) + len(north)), slice(int(col), int(col) + len(east))


def bodies(slides: list[Slide], grid: Grid) -> geopandas.GeoDataFrame:
    """Source and deposit of every slide: body_id (from 1), kind, part, area, volume, mean depth, bulking, where and why."""
    rows = []
    cell_area = grid.cell[0] * grid.cell[1]
    for number, slide in enumerate(slides, start=1):
        change = slide.change.values
        bulking = float(change[change > 0].sum() / -change[change < 0].sum())
        for part, mask in (("source", change < 0), ("deposit", change > 0)):
            area, volume = float(mask.sum()) * cell_area, float(np.abs(change[mask]).sum()) * cell_area
            rows.append(
                {
                    "body_id": number,
                    "kind": slide.kind,
                    "part": part,
                    "area_m2": area,
                    "volume_m3": volume,
                    "mean_depth_m": volume / area,
                    "bulking": bulking,
                    "setting": slide.setting,
                    "cause": slide.cause,
                    "assumption": ASSUMPTION,
                    "geometry": outline(mask, slide.change.grid),
                }
            )
    return table(rows, _BODY_COLUMNS, grid)


def table(rows: list[dict[str, Any]], columns: dict[str, str], grid: Grid) -> geopandas.GeoDataFrame:
    """Rows with a geometry as a GeoDataFrame with these columns and types, even where there are none."""
    frame = pd.DataFrame(rows, columns=[*columns, "geometry"]).astype(columns)
    return geopandas.GeoDataFrame(frame, geometry="geometry", crs=grid.crs)


_BODY_COLUMNS = {
    "body_id": "int32", "kind": "object", "part": "object", "area_m2": "float64", "volume_m3": "float64",
    "mean_depth_m": "float64", "bulking": "float64", "setting": "object", "cause": "object", "assumption": "object",
}  # fmt: skip
_MAPPED_COLUMNS = {"body_id": "int32", "kind": "object", "mapped_by": "object"}


def outline(mask: NDArray[np.bool_], grid: Grid) -> shapely.Geometry:
    """The cells of a mask as one shape, along the cell edges."""
    found = rasterio.features.shapes(mask.astype(np.uint8), mask=mask, transform=grid.transform)
    return shapely.unary_union([shapely.geometry.shape(geometry) for geometry, _ in found])


def mapped(
    truth: geopandas.GeoDataFrame, walked: geopandas.GeoDataFrame, grid: Grid, rng: np.random.Generator
) -> geopandas.GeoDataFrame:
    """What a field team drew: the two large slides and 70 % of the small ones, each whole as far as it lies where they `walked`.

    Source and deposit are one outline, generalised and a little too large.
    """
    large = truth["kind"].isin(["flow slide", "dam slide"])
    small = truth.loc[~large, "body_id"].unique()
    seen = set(rng.choice(small, size=round(0.7 * len(small)), replace=False).tolist()) | set(truth.loc[large, "body_id"])
    whole = truth[truth["body_id"].isin(seen)].dissolve("body_id", as_index=False)
    seen_from = walked.union_all()
    shapes = [_drawn(shape, math.sqrt(shape.area)).intersection(seen_from) for shape in whole.geometry]
    rows = [
        {"body_id": int(body), "kind": kind, "mapped_by": "field team (synthetic)", "geometry": shape}
        for body, kind, shape in zip(whole["body_id"], whole["kind"], shapes, strict=True)
        if not shape.is_empty
    ]
    return table(rows, _MAPPED_COLUMNS, grid)


def walked(covered: NDArray[np.bool_], grid: Grid) -> geopandas.GeoDataFrame:
    """The area in which the field team looked for slides: where the drone flew, drawn a little too small."""
    cell = grid.cell[0]
    shape = outline(covered, grid).buffer(-2.0 * cell).simplify(cell)
    return geopandas.GeoDataFrame({"surveyed_by": ["field team (synthetic)"]}, geometry=[shape], crs=grid.crs)


def _drawn(shape: shapely.Geometry, width_m: float) -> shapely.Geometry:
    """A shape as a hand draws it on an image: gaps and notches closed, corners cut, more so on a large slide."""
    step = min(max(0.03 * width_m, 1.5), 5.0)
    return shape.buffer(2 * step).buffer(-1.5 * step).simplify(0.5 * step)
