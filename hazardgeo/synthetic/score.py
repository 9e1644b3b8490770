"""Score: what a run on the demo valley found, held against what was planted there."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo import io, scan, shelter
from hazardgeo.errors import FormatError
from hazardgeo.raster import Raster, rasterize, sample_xy
from hazardgeo.synthetic.scans.registration import Registration, from_answer
from hazardgeo.synthetic.tiny import minutes_or_inf

Mask = NDArray[np.bool_]
GROUND = 2
WATER, SNOW = 9, 21  # neither ground nor above it: left out of the errors of the ground filter
_LOW = 1
_BELOW_HIGH, _HIGH_OR_MORE = (1, 2, 22), (3, 4, 23, 24)  # assessed, and "at least"
SOURCE_LOW = "first law: cells of the flow slide's source called low"
SOURCE_SEEN = "first law: share of the flow slide's source that the loess indicator calls high or does not assess"
_GENTLE_DEG, _NEAR_STEEP_M = 20.0, 10.0
NOT_BUILT = (
    ("change: shift and tilt of the after epoch", "recovered within 0.05 m and 0.002 degrees"),
    ("change: RMSE of the change on stable ground", "<= 0.15 m"),
    ("change: bodies found (IoU, missed)", "IoU >= 0.6"),
    ("change: volume of the flow slide", "within 15 %"),
    ("change: false alarms where nothing happened", "0"),
    ("lake: area and level behind the dam", "IoU >= 0.8"),
)


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure with its goal. `met` is None where the stage is not built yet or has not run: never a pass."""

    name: str
    value: float | None
    unit: str
    goal: str
    met: bool | None
    note: str = ""


def score(valley: Path, results: Path) -> list[Metric]:
    """Each metric of a run on the demo valley in the folder `valley`, whose results are in `results`.

    The goals are ours: what a field office could work with. The valley can flatter the methods: its damage is drawn from the
    curves that the analysis uses, and its ground and trees are simpler than real ones. Raises FormatError without truth/.
    """
    truth = valley / "truth"
    if not (truth / "answers.json").is_file():
        raise FormatError(f"{truth} holds no answers.json; a score needs the truth of the valley, so make the demo again.")
    answers = json.loads((truth / "answers.json").read_text(encoding="utf-8"))
    bodies = io.read_vector(truth / "landslides.gpkg")
    return [
        *_ground_filter(valley),
        *_terrain(truth, results, from_answer(answers["registration"])),
        _roads(results, bodies),
        _displaced(results, answers),
        _tiny(answers["tiny"]),
        _infeasible(results),
        *_first_law(truth, results, bodies),
        *(Metric(name, None, "", goal, None, "not built") for name, goal in NOT_BUILT),
    ]


def _at_most(name: str, value: float, limit: float, unit: str, note: str = "") -> Metric:
    return Metric(name, round(value, 4), unit, f"<= {limit:g}", bool(value <= limit), note)


def _ground_filter(valley: Path) -> list[Metric]:
    """Errors of the ground filter point by point, in the scan after the event; points on water and snow are left out."""
    found = scan.classify_ground(io.read_cloud(valley / "inputs" / "scan_after.laz")).attributes["classification"] == GROUND
    kind = np.load(valley / "truth" / "scan_after_class.npy")
    if len(kind) != len(found):
        raise FormatError(f"the scan has {len(found):,} points, its truth {len(kind):,}; make the demo again.")
    ground, other = kind == GROUND, ~np.isin(kind, (GROUND, WATER, SNOW))
    lost, false = int((ground & ~found).sum()), int((other & found).sum())
    return [
        _at_most("ground filter: type I error", lost / max(int(ground.sum()), 1), 0.05, "", "ground points rejected"),
        _at_most("ground filter: type II error", false / max(int(other.sum()), 1), 0.10, "", "other points accepted"),
        _at_most("ground filter: total error", (lost + false) / max(int((ground | other).sum()), 1), 0.05, ""),
    ]


def _terrain(truth: Path, results: Path, moved: Registration) -> list[Metric]:
    """Errors of the terrain model where nothing changed, in all and on gentle ground, away from cliffs and terraces.

    The shift and tilt of the scan are undone first, and ground under the lake and under snow is left out: these are planted,
    and not errors of the terrain.
    """
    dem, after = (io.read_raster(path, unit="m") for path in (results / "rasters" / "dem.tif", truth / "dem_after.tif"))
    change, flown = io.read_raster(truth / "change_m.tif", unit="m"), io.read_raster(truth / "surveyed.tif")
    error = _error(dem, after, moved)
    by_row, by_col = np.gradient(after.values.astype(np.float64), after.grid.cell[0])
    rise = np.hypot(by_row, by_col)
    steepest = ndimage.maximum_filter(rise, size=2 * round(_NEAR_STEEP_M / after.grid.cell[0]) + 1)
    covered = rasterize(io.read_vector(truth / "lake.gpkg").buffer(after.grid.cell[0]).to_frame("geometry"), after.grid).values
    covered |= io.read_raster(truth / "snow_m.tif", unit="m").values > 0
    stable = (change.values == 0) & (flown.values == 1) & ~covered & np.isfinite(error)
    gentle = stable & (steepest < math.tan(math.radians(_GENTLE_DEG)))
    known = float(np.isfinite(error[flown.values == 1]).mean())
    said = f"known on {known:.1%} of the ground that was flown"
    far = f"no slope above {_GENTLE_DEG:g} degrees within {_NEAR_STEEP_M:g} m"
    return [
        _at_most("terrain: RMSE on stable ground", _rmse(error[stable]), 0.20, "m", said),
        _at_most("terrain: RMSE on gentle stable ground", _rmse(error[gentle]), 0.10, "m", far),
    ]


def _rmse(error: NDArray[np.float64]) -> float:
    return math.sqrt(float(np.mean(error**2))) if error.size else math.inf


def _error(dem: Raster, after: Raster, moved: Registration) -> NDArray[np.float64]:
    """Height of a terrain model over the true ground, at each true cell centre and where the scan has it."""
    east, north = (a.ravel() for a in np.meshgrid(*after.grid.centres()))
    there = moved.applied(np.column_stack([east, north, after.values.ravel()]))
    error = sample_xy(dem, there[:, 0], there[:, 1], how="bilinear") - there[:, 2]
    return error.reshape(after.grid.shape)


def _on(raster: Raster, grid: Any) -> NDArray[np.float64]:
    """Values of a raster at the cell centres of a grid, NaN outside it."""
    row, col = raster.grid.rowcol(*(a.ravel() for a in np.meshgrid(*grid.centres())))
    inside = (row >= 0) & (row < raster.grid.shape[0]) & (col >= 0) & (col < raster.grid.shape[1])
    values = np.full(row.shape, np.nan)
    values[inside] = raster.values[row[inside], col[inside]].astype(np.float64)
    return values.reshape(grid.shape)


def _roads(results: Path, bodies: geopandas.GeoDataFrame) -> Metric:
    """Pieces of road that the run closed against those that planted bodies touch."""
    roads = geopandas.read_file(results / "layers.gpkg", layer="roads")
    cut = np.asarray(shapely.intersects(bodies.union_all(), roads.geometry.to_numpy())) & (len(bodies) > 0)
    closed = (roads["status"] == "closed").to_numpy()
    hits, total = int((cut & closed).sum()), int(cut.sum() + closed.sum())
    f1 = 2 * hits / total if total else 1.0
    note = f"{int(cut.sum())} cut, {int(closed.sum())} closed by the run, {hits} of them rightly"
    return Metric("roads: F1 of cut edges", round(f1, 4), "", ">= 0.9", f1 >= 0.9, note)


def _displaced(results: Path, answers: dict[str, Any]) -> Metric:
    people = pd.read_csv(results / "tables" / "people.csv")
    found, true = int(people["displaced_people"].sum()), int(answers["displaced_people"])
    low, high = int(people["displaced_p10"].sum()), int(people["displaced_p90"].sum())
    note = f"{found:,} found ({low:,} to {high:,}), {true:,} planted"
    return _at_most("people: error of the displaced, of all residents", abs(found - true) / answers["residents"], 0.1, "", note)


def _tiny(case: dict[str, Any]) -> Metric:
    found = shelter.assign(case["people"], case["places"], minutes_or_inf(case))
    uncovered = int(found.unserved.sum())
    off = abs(uncovered - case["uncovered_people"])
    note = f"{uncovered} found, {case['uncovered_people']} by trying all ways"
    return Metric("shelter: uncovered people of the tiny case, error", off, "people", "0", off == 0, note)


def _infeasible(results: Path) -> Metric:
    """Flows that no one could follow: to closed sites, over capacity, from nobody, or not by the rules of their tier."""
    flows = pd.read_csv(results / "tables" / "flows.csv")
    sites, homes = (pd.read_csv(results / "tables" / f"{name}.csv") for name in ("sites", "people"))
    limit = 60.0
    sure = flows[flows["tier"] == "sheltered"]
    wrong = int((sites["status"].reindex(sure["site"]) != "open").sum()) + int((sure["minutes"] > limit).sum())
    over = flows.groupby("site")["people"].sum()
    wrong += int((over > sites["capacity_places"].reindex(over.index)).sum())
    sent = flows.groupby("origin")["people"].sum()
    wrong += int((sent > homes["displaced_people"].reindex(sent.index)).sum()) + int((flows["people"] <= 0).sum())
    return Metric("shelter: infeasible assignments", wrong, "", "0", wrong == 0, f"{len(flows):,} flows looked at")


def _first_law(truth: Path, results: Path, bodies: geopandas.GeoDataFrame) -> list[Metric]:
    """Unknown is never safe: cells and people that must not be called safe, and are.

    The outermost cells that nobody flew are counted apart: a cell of the terrain holds points of flown ground beside them.
    """
    flown = io.read_raster(truth / "surveyed.tif")
    layers = [io.read_raster(path) for path in level_files(results)]
    dark = flown.values != 1
    rim = dark & ndimage.binary_dilation(~dark, np.ones((3, 3), bool))
    unseen, beside = (_cells(layers, flown.grid, mask, every=False) for mask in (dark & ~rim, rim))
    source = bodies[(bodies["kind"] == "flow slide") & (bodies["part"] == "source")]
    wet = rasterize(source, flown.grid).values if len(source) else np.zeros(flown.grid.shape, bool)
    slid = _cells(layers, flown.grid, wet, every=True)
    people = geopandas.read_file(results / "layers.gpkg", layer="people")
    row, col = flown.grid.rowcol(people.geometry.x.to_numpy(), people.geometry.y.to_numpy())
    staying = int(people.loc[dark[row, col] & (people["staying_people"] > 0), "staying_people"].sum())
    found = f"of {int(wet.sum()):,} cells, low in every hazard"
    at_source = [Metric(SOURCE_LOW, slid, "cells", "0", slid == 0, found), _source_seen(results, wet, flown.grid)]
    note = f"of {int((dark & ~rim).sum()):,} cells, each hazard by itself; {beside} more on the rim of flown ground"
    return [
        Metric("first law: cells that nobody flew and that are called low", unseen, "cells", "0", unseen == 0, note),
        *(at_source if len(source) else []),
        Metric("first law: people who stay where nobody flew", staying, "people", "0", staying == 0),
    ]  # fmt: skip


def _source_seen(results: Path, source: Mask, grid: Any) -> Metric:
    """How much of the source the indicator that was made for it calls high, or leaves open."""
    path = results / "rasters" / "level_loess_flow_slide.tif"
    if not path.is_file():
        return Metric(SOURCE_SEEN, None, "", ">= 0.95", None, "the scenario leaves the indicator out")
    shown = _on(io.read_raster(path), grid)[source]
    share, high = (float(np.isin(shown, codes).mean()) if shown.size else 0.0 for codes in (_BELOW_HIGH, _HIGH_OR_MORE))
    return Metric(SOURCE_SEEN, round(1 - share, 4), "", ">= 0.95", share <= 0.05, f"high, or at least high, on {high:.1%} of it")


def level_files(results: Path) -> list[Path]:
    """The rasters of hazard levels as a map shows them, one for each hazard."""
    files = sorted((results / "rasters").glob("level_*.tif"))
    return [path for path in files if not path.stem.endswith(("_state", "_reason"))]


def _cells(layers: list[Raster], grid: Any, where: Mask, *, every: bool) -> int:
    """Cells of a mask that come out as low: in `every` layer, or in any."""
    low = [_on(layer, grid) == _LOW for layer in layers]
    if not low:
        return 0
    return int(((np.all if every else np.any)(low, axis=0) & where).sum())
