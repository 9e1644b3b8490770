"""Decoys: changes of the ground that are no landslide, by named rules that an analyst can check on the map."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.change.shapes import Lobe, Mask, flat_share

Field = NDArray[np.float64]
THIN_M = 0.2  # mean thickness below which a sheet is snow, a plough's furrow, grown grass or a growing crop, not a landslide
DRIFT_M = 0.5  # mean thickness up to which a sheet without a source is snow
LEVEL_TAN = math.tan(math.radians(4.0))  # from the middle of the source down to that of the deposit
EARTHWORK_TAN = math.tan(math.radians(8.0))
PIT_FLAT, STRAIGHT = 0.5, 0.83  # shares: of a floor of one depth, of the rectangle around an outline
RAMP = 0.0  # correlation of thickness with the distance from the other part
SHALLOW = 0.6  # of the mean depth of slides of that area
SLIDE_A, SLIDE_B = 0.146, 1.332  # volume in m3 = 0.146 A^1.332, Larsen et al. (2010), doi:10.1038/ngeo776, all slides
TALL_M, COMPACT_M2 = 1.0, 45.0  # of a vehicle: lorries are 3 m high and stand on 30 m2
LEVEL_WATER_M, WATER_M2, LEVEL_WATER_TAN = 0.15, 100.0, math.tan(math.radians(2.0))
BALANCE = (0.3, 4.0)  # volume of the deposit over that of the source; loess loosens to 1.05-2.53 of its volume
SURE = 4.0  # times the score beyond chance, and the area asked for: a source that needs no deposit
_MANY_CELLS = 20  # an area of fewer has no shape

LEVEL_SURFACE = "level surface after: standing water"
EXCAVATION = "excavation: pit and spoil heap"
LEVELLED = "levelled field: shallow, and thickest at its outer edges"
THIN = "thin sheet: ploughing, crops or snow"
SNOW = "thin sheet without a source: snow"
NO_FALL = "no displacement downslope"
VEHICLE = "compact tall box: vehicle"
CROWNS = "crowns: the canopy changed, the ground was not seen to"
NO_BALANCE = "volumes of source and deposit do not fit"
NO_SOURCE = "no source above"
NO_DEPOSIT = "no deposit below"
EDGE = "thread along an edge: the epochs do not lie on each other"
CHANCE = "source and deposit together not beyond chance"
SMALL = "smaller than asked for"
UNDECIDED = "undecided: where its deposit would lie was not surveyed"


@dataclass(frozen=True, slots=True)
class Pair:
    """What the rules look at in a source with its deposit: thickness of both in m, and of their cores without the rim.

    `fall_m` over `away_m` from middle to middle; `ramps` the correlations of thickness with distance from the other part;
    `straight` the share of the rectangle around the source that it fills; `widths_m` at their widest.
    """

    cut_m: Field
    fill_m: Field
    floor_m: Field
    ramps: tuple[float, float]
    fall_m: float
    away_m: float
    straight: float
    widths_m: tuple[float, float]
    volumes_m3: tuple[float, float]
    source_area_m2: float
    cell_m: float
    sure: bool


def of_pair(pair: Pair) -> str:
    """Why a source with its deposit is no landslide; empty where no rule says so.

    The first that holds. Thin: less than 0.2 m on average. Levelled
    field: see `is_levelled`. Excavation: see `is_excavation`. No displacement: the middle of the deposit lies less than 4
    degrees below that of the source. Balance: the deposit is under 0.3 or over 4 times the source; a source that is sure
    beyond doubt may have lost its deposit to a river or to workers. Edge: narrower than two cells.
    """
    cut_m, both_m = float(pair.cut_m.mean()), float(pair.cut_m.mean() + pair.fill_m.mean()) / 2
    for reason, holds in (
        (THIN, min(cut_m, both_m) < THIN_M),
        (LEVELLED, is_levelled(pair)),
        (EXCAVATION, is_excavation(pair)),
    ):
        if holds:
            return reason
    if pair.fall_m < LEVEL_TAN * pair.away_m:
        return NO_FALL
    if not balanced(pair):
        return NO_BALANCE
    return EDGE if min(pair.widths_m) < 2.0 * pair.cell_m else ""


def usual_depth_m(area_m2: float) -> float:
    """Mean depth of landslides with a source of this area, in m (Larsen et al. 2010; they scatter by a factor of 2 to 3).

    >>> round(usual_depth_m(100.0), 2)
    0.67
    """
    return float(SLIDE_A * area_m2 ** (SLIDE_B - 1.0))


def is_levelled(pair: Pair) -> bool:
    """True where cut and fill are shallow for their area and get thicker away from each other: a slide thins out there.

    A block that turned as a whole does so too, but is deep.
    """
    if pair.cut_m.size < _MANY_CELLS or pair.cut_m.mean() > SHALLOW * usual_depth_m(pair.source_area_m2):
        return False
    return sum(pair.ramps) / 2 > RAMP


def is_excavation(pair: Pair) -> bool:
    """True for two of three: the heap lies hardly lower than the pit; the pit's floor is of one depth; its edges are straight."""
    if pair.cut_m.size < _MANY_CELLS:
        return False
    level = pair.fall_m < EARTHWORK_TAN * pair.away_m
    flat = flat_share(pair.floor_m if pair.floor_m.size >= _MANY_CELLS else pair.cut_m) >= PIT_FLAT
    return level + flat + (pair.straight >= STRAIGHT) >= 2


def balanced(pair: Pair) -> bool:
    """True unless the deposit is too small or too large for the source."""
    source, deposit = pair.volumes_m3
    return deposit <= BALANCE[1] * source and (pair.sure or deposit >= BALANCE[0] * source)


def of_lone_rise(rise_m: Field, cell_m: float, canopy: bool) -> str:
    """Why ground that rose without a source above is no landslide: snow, a vehicle, crowns, or no source."""
    if canopy:
        return CROWNS
    if is_vehicle(rise_m, cell_m):
        return VEHICLE
    if rise_m.mean() < DRIFT_M:
        return SNOW
    return NO_SOURCE


def is_vehicle(height_m: Field, cell_m: float) -> bool:
    """True where nearly all of a change is a metre high or more, with steep sides, on no more ground than a lorry takes."""
    tall = height_m >= TALL_M
    return bool(0 < tall.sum() * cell_m**2 <= COMPACT_M2 and height_m[tall].sum() >= 0.8 * height_m.sum())


def of_lone_fall(fall_m: Field, cell_m: float, straight: float) -> str:
    """Why ground that sank without a deposit below is no landslide: a thin sheet, a vehicle gone, a pit, or no deposit."""
    if fall_m.mean() < THIN_M:
        return THIN
    if is_vehicle(fall_m, cell_m):
        return VEHICLE
    if straight >= STRAIGHT and flat_share(fall_m) >= PIT_FLAT:
        return EXCAVATION
    return NO_DEPOSIT


def water(lobes: list[Lobe], after_m: Field, change_m: Field, cell_m: float) -> Mask:
    """Cells of ground that rose and became level, though it had been uneven: standing water.

    Parts of a lobe of 100 m2 and more on which the surface after falls less than 2 degrees (over 5 cells) and stays within
    0.3 m, with at least 0.75 m of relief before.
    """
    known = np.isfinite(after_m)
    share = ndimage.uniform_filter(known.astype(np.float64), 5)
    smooth = ndimage.uniform_filter(np.where(known, after_m, 0.0), 5) / np.where(share > 0.1, share, np.nan)
    by_row, by_col = np.gradient(smooth, cell_m)
    level = (np.hypot(by_row, by_col) < LEVEL_WATER_TAN) & known
    found = np.zeros(after_m.shape, bool)
    for lobe in (x for x in lobes if x.sign > 0 and x.cells * cell_m**2 >= WATER_M2):
        parts, count = ndimage.label(level[lobe.rows, lobe.cols] & lobe.inside)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:] * cell_m**2
        for number in (np.flatnonzero(sizes >= WATER_M2) + 1).tolist():
            wet = parts == number
            after = after_m[lobe.rows, lobe.cols][wet]
            if _relief(after) <= 2 * LEVEL_WATER_M and _relief(after - change_m[lobe.rows, lobe.cols][wet]) >= 5 * LEVEL_WATER_M:
                found[lobe.rows, lobe.cols] |= wet
    return np.asarray(ndimage.binary_closing(found, np.ones((3, 3), bool), iterations=2) & np.isfinite(change_m))


def _relief(values_m: Field) -> float:
    return float(np.ptp(np.percentile(values_m, [5, 95])))
