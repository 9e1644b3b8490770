"""Decoys: what changed the ground or its look between the epochs without being a slide."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.synthetic.events.slides import outline, table
from hazardgeo.synthetic.layout import Layout

Field = NDArray[np.float64]
Local = tuple[Field, Field]  # metres along and across the heading of a place, on its block of cells
SPOIL = 1.15  # loose volume of excavated loess over that of the pit; an assumption
FURROW_M = 0.12
CAUSES = {
    "excavation": "a pit dug for building; its loose spoil lies beside it",
    "ploughing": "a field was ploughed; soil moved from furrow to ridge",
    "terrace edit": "a farmer levelled a field; the cut fills its lower half",
    "snow": "drifted snow lies on the ground after the earthquake",
    "vegetation growth": "shrubs grew between the surveys",
}
_COLUMNS = {
    "decoy_id": "int32", "kind": "object", "changes": "object", "cut_m3": "float64", "fill_m3": "float64",
    "height_m": "float64", "area_m2": "float64", "cause": "object",
}  # fmt: skip
_COUNTS = {"excavation": (1, 4), "ploughing": (2, 8), "terrace edit": (2, 6), "snow": (6, 24), "vegetation growth": (4, 14)}
_REACH_M = {"excavation": 34.0, "ploughing": 36.0, "terrace edit": 24.0, "snow": 18.0, "vegetation growth": 26.0}


@dataclass(frozen=True, slots=True)
class Decoy:
    """A change in m on its own block of cells; `changes` says of what: ground, snow or crowns (height of plants)."""

    kind: str
    changes: str
    change: Raster


def decoys(plan: Layout, surface: Field, clear: shapely.Geometry, rng: np.random.Generator) -> list[Decoy]:
    """Pits with spoil, ploughed and levelled fields, snow and grown shrubs, apart from each other and from `clear`."""
    tree = shapely.STRtree(shapely.get_parts(clear))
    taken: list[shapely.Geometry] = []
    made = []
    for kind, build in _BUILDERS.items():
        for _ in range(_COUNTS[kind][plan.size_m > 2000]):
            spot = _place(plan, kind, surface, tree, taken, rng)
            if spot is None:
                continue
            grid = plan.grid.window(*plan.grid.window_of(spot.buffer(1.2 * _REACH_M[kind]).bounds))
            turn = rng.uniform(0, 2 * math.pi)
            east, north = np.meshgrid(*grid.centres())
            x, y = east - spot.x, north - spot.y
            local = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
            changes, values = build(local, rng)
            made.append(Decoy(kind, changes, Raster(values, grid, "change", "m")))
            taken.append(spot.buffer(_REACH_M[kind]))
    return made


def _place(
    plan: Layout, kind: str, surface: Field, tree: shapely.STRtree, taken: list[shapely.Geometry], rng: np.random.Generator
) -> shapely.Point | None:
    """A place on ground that suits: fields for pits and ploughs, slopes for levelled fields and shrubs, anything for snow."""
    reach = _REACH_M[kind]
    flattest, steepest = {"terrace edit": (0.14, 0.40), "snow": (0.0, 0.5), "vegetation growth": (0.03, 0.6)}.get(
        kind, (0.0, 0.06)
    )
    west, south, east, north = shapely.box(*plan.grid.bounds).buffer(-1.5 * reach).bounds
    near = 2 * round(8.0 / plan.cell_m)
    for _ in range(4000):
        spot = shapely.Point(rng.uniform(west, east), rng.uniform(south, north))
        (row,), (col,) = plan.grid.rowcol(np.array([spot.x]), np.array([spot.y]))
        around = surface[row - near : row + near + 1 : near, col - near : col + near + 1 : near]
        dip = math.hypot(around[:, 2].mean() - around[:, 0].mean(), around[2].mean() - around[0].mean()) / (
            2 * near * plan.cell_m
        )
        on_slope = kind != "terrace edit" or plan.floor_m < float(plan.across(spot.x, spot.y)) < plan.foot_m
        if not (on_slope and flattest <= dip <= steepest) or len(tree.query(spot, predicate="dwithin", distance=reach + 3.0)):
            continue
        if all(shapely.distance(spot, other) > reach + 3.0 for other in taken):
            return spot
    return None


def _excavation(local: Local, rng: np.random.Generator) -> tuple[str, Field]:
    along, across = local
    depth, half = rng.uniform(1.8, 3.2), rng.uniform(6.0, 8.5)
    inside = np.minimum(1.4 * half - np.abs(along), half - np.abs(across + half + 2.0))
    pit = np.clip(1.7 * inside, 0, depth)
    heap = np.maximum(1 - (along / (1.8 * half)) ** 2 - ((across - 1.5 * half) / (1.4 * half)) ** 2, 0) ** 0.6
    heap = np.where(pit > 0, 0.0, heap)
    return "ground", np.asarray(heap * (SPOIL * pit.sum() / heap.sum()) - pit)


def _ploughing(local: Local, rng: np.random.Generator) -> tuple[str, Field]:
    along, across = local
    field = (np.abs(along) < rng.uniform(18.0, 27.0)) & (np.abs(across) < rng.uniform(12.0, 20.0))
    cell_m = math.hypot(along[0, 1] - along[0, 0], across[0, 1] - across[0, 0])
    furrows = FURROW_M * np.sin(2 * math.pi * across / (2.6 * cell_m))
    return "ground", np.where(field, furrows - furrows[field].mean(), 0.0)


def _terrace_edit(local: Local, rng: np.random.Generator) -> tuple[str, Field]:
    along, across = local
    field = (np.abs(along) < rng.uniform(12.0, 18.0)) & (np.abs(across) < rng.uniform(5.0, 8.0))
    tilt = rng.uniform(0.06, 0.10) * across
    return "ground", np.where(field, tilt - tilt[field].mean(), 0.0)


def _snow(local: Local, rng: np.random.Generator) -> tuple[str, Field]:
    thickest = rng.uniform(0.25, 0.4)
    form = _patch(local, rng.uniform(7.0, 14.0), rng.uniform(4.0, 9.0), rng)
    return "snow", np.where(form > 0, 0.1 + (thickest - 0.1) * form**0.5, 0.0)


def _growth(local: Local, rng: np.random.Generator) -> tuple[str, Field]:
    form = _patch(local, rng.uniform(9.0, 18.0), rng.uniform(7.0, 14.0), rng)
    return "crowns", np.where(form > 0, rng.uniform(0.5, 1.6) * (0.4 + 0.6 * form), 0.0)


def _patch(local: Local, length_m: float, width_m: float, rng: np.random.Generator) -> Field:
    """1 in the middle of a patch with a ragged rim, 0 outside."""
    along, across = local
    turn = np.arctan2(across / width_m, along / length_m)
    rim = 1 + 0.15 * np.sin(3 * turn + rng.uniform(0, 6.28)) + 0.08 * np.sin(7 * turn + rng.uniform(0, 6.28))
    return np.asarray(np.maximum(1 - ((along / length_m) ** 2 + (across / width_m) ** 2) / rim**2, 0))


_BUILDERS: dict[str, Callable[[Local, np.random.Generator], tuple[str, Field]]] = {
    "excavation": _excavation,
    "ploughing": _ploughing,
    "terrace edit": _terrace_edit,
    "snow": _snow,
    "vegetation growth": _growth,
}


def decoy_table(made: list[Decoy], grid: Grid) -> geopandas.GeoDataFrame:
    """Decoys with outline: kind, changes (ground, snow or crowns), cut_m3 and fill_m3, height_m (largest), area_m2, cause."""
    rows = []
    cell_area = grid.cell[0] * grid.cell[1]
    for number, decoy in enumerate(made, start=1):
        values = decoy.change.values
        rows.append(
            {
                "decoy_id": number,
                "kind": decoy.kind,
                "changes": decoy.changes,
                "cut_m3": float(-values[values < 0].sum()) * cell_area,
                "fill_m3": float(values[values > 0].sum()) * cell_area,
                "height_m": float(np.abs(values).max()),
                "area_m2": float((values != 0).sum()) * cell_area,
                "cause": CAUSES[decoy.kind],
                "geometry": outline(values != 0, decoy.change.grid),
            }
        )
    return table(rows, _COLUMNS, grid)
