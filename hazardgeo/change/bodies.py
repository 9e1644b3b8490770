"""Bodies: from significant change between two epochs to landslides with source, deposit, volume and reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import geopandas
import numpy as np

from hazardgeo.change import decoys, shapes
from hazardgeo.change.measures import Survey, is_sure, measured_body, pair_of, water_rows
from hazardgeo.change.pairing import paired
from hazardgeo.change.records import body_table, kept_ids
from hazardgeo.change.shapes import Lobe
from hazardgeo.change.surface import SurfaceChange
from hazardgeo.errors import InputError
from hazardgeo.raster import Raster
from hazardgeo.raster.elevation import elevations

_LEAST_SHARE = 0.2  # of min_area_m2: what a lobe must have to be looked at
_TAILS = 1.25  # times the score beyond chance: errors on cliffs have longer tails than normal ones
_OPEN_RIM = 0.05  # share of the rim that nobody surveyed


def landslide_bodies(
    change: SurfaceChange,
    *,
    before: Raster,
    min_area_m2: float = 50.0,
    measured: Raster | None = None,
    canopy: Raster | None = None,
    places: Mapping[str, geopandas.GeoDataFrame] | None = None,
    earlier: geopandas.GeoDataFrame | None = None,
) -> geopandas.GeoDataFrame:
    """Landslides between two epochs, one row each, and what looked like one and was rejected.

    Where ground sank and rose beyond chance (means over 1 to 9 m, see `shapes.scores`) it is split into lobes by sign. A
    source is paired with the deposits below it; pairs and lone lobes go through the rules of `decoys`. Columns: `body_id`, `kind`
    ("flow slide", "collapse", "slide", "source only", or what was rejected), `confidence` ("high", "medium", "low"), `reasons`,
    `rejected_as` (empty for bodies), `area_m2`, `source_area_m2`, `deposit_area_m2`, `volume_m3` (of the source) with
    `volume_low_m3` and `volume_high_m3` (95 %), `deposit_volume_m3` with its interval, `depth_mean_m` and `depth_max_m` of the
    source, `height_m` and `length_m` from crown to toe, `h_over_l`, `direction_deg` (from source to deposit, clockwise from
    north), `reached` (the names of `places` that it touches, with how many), `unknown_rim_share`, `method` and two geometries
    in one: source and deposit as a multi-part shape; `source_wkt` says which part sank. Bodies come first, largest first.

    `before` is the surface of the first epoch on the grid of `change`. `measured` is True where both epochs measured the ground
    rather than filled a hole: elsewhere change is taken as unknown. `canopy` is True where plants changed. `min_area_m2` counts
    source and deposit together; 50 m2 is what one point per m2 can hold. With `earlier`, bodies that overlap one of that
    table keep its `body_id`; else they are numbered from the north-west. Beside ground that was not surveyed areas and volumes
    are what was seen: `unknown_rim_share` and the reasons say so, and `attrs["unknown_share"]` how much of the grid is unknown.

    Volumes are sums of change over the lobes and two cells around; their uncertainty is that of `change.correlation` and of
    the outline (one cell less). Where a source meets its deposit within a cell the two cancel, and no survey of that cell
    size shows it: small bodies that lie against their deposit come out some per cent too small. Valid for ground that moved
    by more than a cell: a slide that keeps its surface (slow deep creep) changes elevations little and is not seen. The rules
    are ours, tried on synthetic valleys; no inventory of real two-epoch slides was at hand.
    Raises InputError for areas that are not positive, and as `Raster.require_same` does.
    """
    if not (math.isfinite(min_area_m2) and min_area_m2 > 0):
        raise InputError(f"min_area_m2 must be a positive number, not {min_area_m2}.")
    survey = _survey(change, before, measured, canopy, min_area_m2)
    table = kept_ids(body_table(_judged(survey, min_area_m2), before.grid, places or {}), earlier)
    table.attrs["unknown_share"] = float(np.mean(~np.isfinite(survey.change_m)))
    return table


def _survey(change: SurfaceChange, before: Raster, measured: Raster | None, canopy: Raster | None, min_area_m2: float) -> Survey:
    for other in (change.sigma_m, before, *(r for r in (measured, canopy) if r is not None)):
        change.change_m.grid.require_same(other.grid)
    elevations(before, "landslide_bodies")
    cell_m = math.sqrt(math.prod(before.grid.cell_m))
    change_m, sigma_m = change.change_m.values.astype(np.float64), change.sigma_m.values.astype(np.float64)
    if measured is not None:
        change_m = np.where(measured.values.astype(bool), change_m, np.nan)
    best, near = shapes.scores(change_m, sigma_m, cell_m)
    least = max(4, math.ceil(_LEAST_SHARE * min_area_m2 / cell_m**2))
    ids, found = shapes.lobes(change_m, best, near, least)
    water = decoys.water(found, before.values + change_m, change_m, cell_m)
    if water.any():
        ids, found = shapes.lobes(np.where(water, np.nan, change_m), best, near, least)
    return Survey(
        change=change,
        change_m=change_m,
        sigma_m=sigma_m,
        before=before,
        canopy=np.zeros(change_m.shape, bool) if canopy is None else canopy.values.astype(bool),
        water=water,
        ids=ids,
        lobes={lobe.number: lobe for lobe in found},
        cell_m=cell_m,
        certain=shapes.beyond_chance(int(np.isfinite(change_m).sum())),
        least_m2=min_area_m2,
    )


def _judged(survey: Survey, min_area_m2: float) -> list[dict[str, Any]]:
    """One row for each pair, each lone lobe and each water surface, with why it is no landslide."""
    pairs = paired(survey.ids, list(survey.lobes.values()), survey.before, strong=shapes.STRONG)
    rows = []
    for sources, deposits in pairs.bodies:
        row = measured_body(survey, sources, deposits)
        row["rejected_as"] = _why_not(survey, sources, deposits, row, min_area_m2)
        rows.append(row)
    for number in pairs.alone:
        lobe = survey.lobes[number]
        if survey.area_m2(lobe.cells) < min_area_m2 / 2 or lobe.score < survey.certain:
            continue
        row = measured_body(survey, [number], []) if lobe.sign < 0 else measured_body(survey, [], [number])
        row["rejected_as"] = _why_not_alone(survey, lobe, row, number in pairs.leaves_survey)
        rows.append(row)
    rows.extend(water_rows(survey))
    return rows


def _why_not(survey: Survey, sources: list[int], deposits: list[int], row: dict[str, Any], min_area_m2: float) -> str:
    together = sum(max(survey.lobes[n].score for n in numbers) for numbers in (sources, deposits)) / math.sqrt(2)
    if together < _TAILS * survey.certain:
        return decoys.CHANCE
    reason = decoys.of_pair(pair_of(survey, sources, deposits, row))
    if not reason and row["area_m2"] < min_area_m2:
        return decoys.SMALL
    return reason


def _why_not_alone(survey: Survey, lobe: Lobe, row: dict[str, Any], leaves_survey: bool) -> str:
    """Lone ground that sank is a body only where its deposit may lie on ground that was not surveyed."""
    straight = shapes.rectangularity(row["geometry"])
    if lobe.sign > 0:
        return decoys.of_lone_rise(lobe.of(survey.change_m), survey.cell_m, bool(lobe.of(survey.canopy).mean() > 0.5))
    reason = decoys.of_lone_fall(-lobe.of(survey.change_m), survey.cell_m, straight)
    if reason == decoys.NO_DEPOSIT and (row["unknown_rim_share"] > _OPEN_RIM or leaves_survey):
        return "" if is_sure(survey, row) else decoys.UNDECIDED
    return reason
