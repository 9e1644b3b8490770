"""Slides: the planted change, a flow slide and small collapses, with known volumes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import geopandas
import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.layout import Layout
from hazardgeo.synthetic.lines import Line
from hazardgeo.synthetic.noise import fractal
from hazardgeo.synthetic.relief import slope_tan

Field = NDArray[np.float64]
FLOW_BULKING, COLLAPSE_BULKING = 1.3, 1.2  # volume of the deposit over that of its source
MEAN_COLLAPSE_M2 = 180.0  # close to the mean of mapped collapses after an earthquake in loess
ASSUMPTION = "depth, volume and bulking are assumptions of the demo valley, not measurements"


@dataclass(frozen=True, slots=True)
class Slide:
    """One planted slide as change in m on its own block of cells: negative in its source, positive in its deposit."""

    kind: str
    change: Raster


def flow_slide(plan: Layout, gully: Line, rng: np.random.Generator) -> Slide:
    """Loess from the foot of the platform that ran down the gully and spread on the valley floor, over the road."""
    grid = plan.grid
    ragged = fractal(rng, grid, wavelength_m=0.045 * plan.size_m, octaves=3)
    across = plan.across(gully[:, 0], gully[:, 1])
    top = float(np.interp(-(plan.foot_m - 0.1 * plan.scarp_m), -across, lines.positions_m(gully)))
    depth = _ellipse(grid, lines.at(gully, np.array([top]))[0], _heading(gully, top), plan.source_radii_m)
    source = plan.source_depth_m * depth**0.6 * (1 + 0.12 * ragged)
    source = np.where(depth > 0.02, source, 0.0)
    deposit = _tongue(plan, gully, top, ragged)
    deposit = np.where(source > 0, 0.0, deposit)
    deposit *= FLOW_BULKING * source.sum() / deposit.sum()
    return Slide("flow slide", Raster(deposit - source, grid, "change", "m"))


def _tongue(plan: Layout, gully: Line, top_m: float, ragged: Field) -> Field:
    """Relative thickness of the mud: narrow in the gully, a lobe on the floor, thin at its rim."""
    path = np.vstack([gully, np.column_stack([np.full(20, gully[-1, 0]), np.linspace(gully[-1, 1], _lobe_end(plan, gully), 20)])])
    distance, along = lines.around(path, plan.grid, reach_m=1.6 * plan.fan_m)
    mouth, end = lines.length_m(gully), lines.length_m(path)
    channel = 0.21 * plan.fan_m
    stops = [0.0, mouth - channel, mouth + 0.35 * (end - mouth), end]
    width = np.interp(np.nan_to_num(along), stops, [channel, 1.3 * channel, plan.fan_m, 0.62 * plan.fan_m])
    share = distance / (width * (1 + 0.11 * ragged))
    inside = (share < 1) & (along > top_m)
    thickness = np.clip(1 - np.where(inside, share, 1) ** 2, 0, 1) ** 0.55 + 0.08
    return np.where(inside, thickness, 0.0)


def _lobe_end(plan: Layout, gully: Line) -> float:
    return float(plan.axis_north(gully[-1, 0])) + 0.45 * plan.floor_m


def _heading(line: Line, along_m: float) -> tuple[float, float]:
    (x0, y0), (x1, y1) = lines.at(line, np.array([along_m - 10.0, along_m + 10.0]))
    length = math.hypot(x1 - x0, y1 - y0)
    return (x1 - x0) / length, (y1 - y0) / length


def _ellipse(grid: Grid, centre: Line, heading: tuple[float, float], radii_m: tuple[float, float]) -> Field:
    """1 - r2 inside an ellipse whose first radius lies along `heading`, 0 outside."""
    east, north = np.meshgrid(*grid.centres())
    x, y = east - centre[0], north - centre[1]
    along, aside = x * heading[0] + y * heading[1], y * heading[0] - x * heading[1]
    return np.asarray(np.maximum(1 - (along / radii_m[0]) ** 2 - (aside / radii_m[1]) ** 2, 0))


def collapses(plan: Layout, surface: Field, keep_clear: shapely.Geometry, rng: np.random.Generator) -> list[Slide]:
    """Small falls from steep faces, mean area 180 m2, none of them touching `keep_clear` (roads, houses, other slides)."""
    grid = plan.grid
    areas = rng.lognormal(0.0, 0.35, plan.collapses)
    areas *= MEAN_COLLAPSE_M2 / areas.mean()
    steep = slope_tan(surface, plan.cell_m) > math.tan(math.radians(38))
    margin = round(20.0 / plan.cell_m)
    steep[:margin] = steep[-margin:] = steep[:, :margin] = steep[:, -margin:] = False
    candidates = np.argwhere(steep)
    by_row, by_col = (np.asarray(g) for g in np.gradient(surface, plan.cell_m))
    east, north = grid.centres()
    taken: list[shapely.Geometry] = [keep_clear]
    slides: list[Slide] = []
    for row, col in candidates[rng.permutation(len(candidates))]:
        if len(slides) == plan.collapses:
            break
        spot = shapely.Point(east[col], north[row])
        if min(shapely.distance(spot, g) for g in taken) < 24.0:
            continue
        down_east, down_north = float(-by_col[row, col]), float(by_row[row, col])
        steepness = math.hypot(down_east, down_north)
        heading = down_east / steepness, down_north / steepness
        block = grid.window(*grid.window_of(spot.buffer(20.0).bounds))
        slides.append(_collapse(block, (float(spot.x), float(spot.y)), heading, float(areas[len(slides)])))
        taken.append(spot.buffer(20.0))
    return slides


def _collapse(grid: Grid, centre: tuple[float, float], heading: tuple[float, float], area_m2: float) -> Slide:
    """The upper half of an ellipse fell onto its lower half."""
    radius = math.sqrt(area_m2 / math.pi)
    form = _ellipse(grid, np.array(centre), heading, (1.3 * radius, radius / 1.3))
    east, north = np.meshgrid(*grid.centres())
    upper = (east - centre[0]) * heading[0] + (north - centre[1]) * heading[1] < 0
    source = np.where(upper, 2.0 * np.sqrt(form), 0.0)
    deposit = np.where(upper, 0.0, np.sqrt(form))
    deposit *= COLLAPSE_BULKING * source.sum() / deposit.sum()
    return Slide("collapse", Raster(deposit - source, grid, "change", "m"))


def total_change(slides: list[Slide], grid: Grid) -> Field:
    """Change of the ground by all slides, in m: after minus before."""
    total = np.zeros(grid.shape)
    for slide in slides:
        east, north = slide.change.grid.centres()
        (row,), (col,) = grid.rowcol(east[:1], north[:1])
        total[row : row + len(north), col : col + len(east)] += slide.change.values
    return total


def bodies(slides: list[Slide], grid: Grid) -> geopandas.GeoDataFrame:
    """Source and deposit of every slide: body_id (from 1), kind, part, area_m2, volume_m3, mean_depth_m, assumption."""
    rows = []
    cell_area = grid.cell[0] * grid.cell[1]
    for number, slide in enumerate(slides, start=1):
        change = slide.change.values
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
                    "assumption": ASSUMPTION,
                    "geometry": outline(mask, slide.change.grid),
                }
            )
    return geopandas.GeoDataFrame(rows, geometry="geometry", crs=grid.crs).astype({"body_id": np.int32})


def outline(mask: NDArray[np.bool_], grid: Grid) -> shapely.Geometry:
    """The cells of a mask as one shape, along the cell edges."""
    found = rasterio.features.shapes(mask.astype(np.uint8), mask=mask, transform=grid.transform)
    return shapely.unary_union([shapely.geometry.shape(geometry) for geometry, _ in found])


def mapped(truth: geopandas.GeoDataFrame, grid: Grid, rng: np.random.Generator) -> geopandas.GeoDataFrame:
    """What a field team drew: the deposit of the flow slide and 70 % of the collapses, outlines slightly generalised."""
    small = truth.loc[truth["kind"] == "collapse", "body_id"].unique()
    seen = set(rng.choice(small, size=round(0.7 * len(small)), replace=False).tolist())
    flow = truth[(truth["kind"] == "flow slide") & (truth["part"] == "deposit")]
    found = truth[truth["body_id"].isin(seen)].dissolve("body_id", as_index=False)
    cell = grid.cell[0]
    rows = [
        {"body_id": int(body), "kind": kind, "mapped_by": "field team (synthetic)", "geometry": _drawn(shape, cell)}
        for body, kind, shape in [
            *zip(flow["body_id"], flow["kind"], flow.geometry, strict=True),
            *zip(found["body_id"], found["kind"], found.geometry, strict=True),
        ]
    ]
    return geopandas.GeoDataFrame(rows, geometry="geometry", crs=grid.crs).astype({"body_id": np.int32})


def walked(covered: NDArray[np.bool_], grid: Grid) -> geopandas.GeoDataFrame:
    """The area in which the field team looked for slides: where the drone flew, drawn a little too small."""
    cell = grid.cell[0]
    shape = outline(covered, grid).buffer(-2.0 * cell).simplify(cell)
    return geopandas.GeoDataFrame({"surveyed_by": ["field team (synthetic)"]}, geometry=[shape], crs=grid.crs)


def _drawn(shape: shapely.Geometry, cell_m: float) -> shapely.Geometry:
    return shape.buffer(1.5 * cell_m).simplify(1.2 * cell_m)
