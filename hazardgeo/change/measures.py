"""Measures of a body: areas, volumes with their uncertainty, depth, how far and which way it went, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from scipy import ndimage

from hazardgeo import terrain
from hazardgeo.change import decoys
from hazardgeo.change.shapes import Field, Ids, Lobe, Mask, core, outline, ramp, rectangularity, width_m
from hazardgeo.change.surface import SurfaceChange
from hazardgeo.raster import Raster

_EIGHT = np.ones((3, 3), bool)
_OF_95 = 1.96
_STEEP_TAN, _FLOW_RATIO = math.tan(math.radians(38.0)), 0.45
_USUAL_BALANCE = (0.7, 2.6)  # bulking of loess slides 1.05-2.53 (doi:10.1080/17499518.2023.2257201), and some lost on the way
_CLEAR = 2.0  # times the score beyond chance


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """The arrays that all steps read: change, its sigma, what is canopy or water, and the lobes."""

    change: SurfaceChange
    change_m: Field
    sigma_m: Field
    before: Raster
    canopy: Mask
    water: Mask
    ids: Ids
    lobes: dict[int, Lobe]
    cell_m: float
    certain: float
    least_m2: float

    def area_m2(self, cells: int) -> float:
        return cells * self.cell_m**2


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Source or deposit on a block of cells: its mask, that with a rim of one cell, and its volume with sigma."""

    rows: slice
    cols: slice
    inside: Mask
    area_m2: float
    volume_m3: float
    sigma_m3: float

    def of(self, values: Any) -> Field:
        return np.asarray(values[self.rows, self.cols][self.inside], np.float64)

    def centres(self, survey: Survey) -> tuple[Field, Field]:
        east, north = survey.before.grid.centres()
        row, col = np.nonzero(self.inside)
        return east[col + self.cols.start], north[row + self.rows.start]

    def core(self) -> _Part:
        return replace(self, inside=core(self.inside))


def _part(survey: Survey, numbers: list[int]) -> _Part | None:
    """Lobes as one part. The volume is that within the outline and two cells around; what the outer of these adds is doubted."""
    if not numbers:
        return None
    lobes = [survey.lobes[n] for n in numbers]
    rows = slice(max(min(x.rows.start for x in lobes) - 3, 0), max(x.rows.stop for x in lobes) + 3)
    cols = slice(max(min(x.cols.start for x in lobes) - 3, 0), max(x.cols.stop for x in lobes) + 3)
    ids = survey.ids[rows, cols]
    inside = np.isin(ids, numbers)
    free = (ids == 0) & np.isfinite(survey.change_m[rows, cols]) & ~survey.water[rows, cols]
    near = inside | ndimage.binary_dilation(inside, _EIGHT) & free
    wide = near | ndimage.binary_dilation(near, _EIGHT) & free
    change = survey.change_m[rows, cols] * lobes[0].sign
    wide = _along_other_lobes(wide, inside, ids, change / survey.sigma_m[rows, cols])
    cell = survey.cell_m**2
    outer_m3 = float(change[wide & ~near].sum()) * cell
    spread = survey.sigma_m[rows, cols][wide]
    rms = math.sqrt(float(np.nanmean(spread**2))) if np.isfinite(spread).any() else math.nan
    sigma = survey.change.correlation.sigma_of_volume(float(wide.sum()) * cell, sigma_m=rms)
    return _Part(rows, cols, inside, float(inside.sum()) * cell, float(change[wide].sum()) * cell, math.hypot(sigma, outer_m3))


def _along_other_lobes(wide: Mask, inside: Mask, ids: Ids, standard: Field) -> Mask:
    """Where lobes meet, cells count where their own change, beyond its error, says: smoothing has blurred the line."""
    other = (ids != 0) & ~inside
    gained = other & ndimage.binary_dilation(inside, _EIGHT) & (standard > _OF_95)
    lost = ndimage.binary_dilation(other, _EIGHT, iterations=2) & (standard < -_OF_95)
    return np.asarray((wide | gained) & ~lost)


def measured_body(survey: Survey, sources: list[int], deposits: list[int]) -> dict[str, Any]:
    """All columns of one body but its number, its places and why it is none. Either list may be empty, not both."""
    source, deposit = _part(survey, sources), _part(survey, deposits)
    shapes = [_outline(survey, part) if part else None for part in (source, deposit)]
    row: dict[str, Any] = {
        "source_area_m2": source.area_m2 if source else 0.0,
        "deposit_area_m2": deposit.area_m2 if deposit else 0.0,
        **_volume("volume", source),
        **_volume("deposit_volume", deposit),
        **_depth(survey, source),
        **_way(survey, source, deposit),
        "unknown_rim_share": _unknown_rim(survey, [p for p in (source, deposit) if p]),
        "score": max(survey.lobes[n].score for n in (*sources, *deposits)),
        "source_shape": shapes[0],
        "deposit_shape": shapes[1],
        "geometry": shapely.union_all([s for s in shapes if s is not None]),
        "method": "measured",
    }
    row["area_m2"] = row["source_area_m2"] + row["deposit_area_m2"]
    row["kind"] = _kind(survey, source, deposit, row)
    row["confidence"], row["reasons"] = _confidence(survey, row, source is not None and deposit is not None)
    return row


def _outline(survey: Survey, part: _Part) -> shapely.Geometry:
    return outline(part.inside, survey.before.grid.window(part.rows, part.cols))


def _volume(name: str, part: _Part | None) -> dict[str, float]:
    if part is None:
        return {f"{name}_m3": math.nan, f"{name}_low_m3": math.nan, f"{name}_high_m3": math.nan}
    off = _OF_95 * part.sigma_m3
    return {
        f"{name}_m3": part.volume_m3,
        f"{name}_low_m3": max(part.volume_m3 - off, 0.0),
        f"{name}_high_m3": part.volume_m3 + off,
    }


def _depth(survey: Survey, source: _Part | None) -> dict[str, float]:
    if source is None:
        return {"depth_mean_m": math.nan, "depth_max_m": math.nan}
    depth = -source.of(survey.change_m)
    return {"depth_mean_m": float(depth.mean()), "depth_max_m": float(np.percentile(depth, 99))}


def _way(survey: Survey, source: _Part | None, deposit: _Part | None) -> dict[str, float]:
    """From the crown (highest of the source before) to the toe (lowest of the deposit after), and the heading between middles."""
    names = ("height_m", "length_m", "h_over_l", "direction_deg")
    if source is None or deposit is None:
        return dict.fromkeys(names, math.nan)
    before = survey.before.values
    crown, toe = source.of(before), deposit.of(before) + deposit.of(survey.change_m)
    (x0, y0), (x1, y1) = source.centres(survey), deposit.centres(survey)
    heading = np.array([x1.mean() - x0.mean(), y1.mean() - y0.mean()])
    length = max(float(np.hypot(*heading)), survey.cell_m)
    top, bottom = int(np.argmax(crown)), int(np.argmin(toe))
    reach = max(math.hypot(x1[bottom] - x0[top], y1[bottom] - y0[top]), length)
    height = float(crown[top] - toe[bottom])
    azimuth = math.degrees(math.atan2(heading[0], heading[1])) % 360.0
    return dict(zip(names, (height, reach, height / reach, azimuth), strict=True))


def _unknown_rim(survey: Survey, parts: list[_Part]) -> float:
    """Share of the cells around that are not known or lie outside the grid."""
    rim = unknown = 0
    for part in parts:
        padded = np.pad(part.inside, 2)
        ring = ndimage.binary_dilation(padded, _EIGHT, iterations=2) & ~padded
        block = np.full(padded.shape, np.nan)
        r0, c0 = part.rows.start - 2, part.cols.start - 2
        rows = slice(max(r0, 0), r0 + padded.shape[0])
        cols = slice(max(c0, 0), c0 + padded.shape[1])
        values = survey.change_m[rows, cols]
        block[rows.start - r0 :, cols.start - c0 :][: values.shape[0], : values.shape[1]] = values
        rim += int(ring.sum())
        unknown += int(np.isnan(block[ring]).sum())
    return unknown / rim if rim else 0.0


def _kind(survey: Survey, source: _Part | None, deposit: _Part | None, row: dict[str, Any]) -> str:
    if source is None:
        return "deposit only"
    if deposit is None:
        return "source only"
    slope_tan = float(np.median(np.tan(np.radians(_slope(survey, source)))))
    if row["h_over_l"] < _FLOW_RATIO and row["length_m"] > 3.0 * math.sqrt(row["source_area_m2"] / math.pi):
        return "flow slide"
    return "collapse" if slope_tan > _STEEP_TAN else "slide"


def _slope(survey: Survey, part: _Part) -> Field:
    pad = 2
    rows = slice(max(part.rows.start - pad, 0), part.rows.stop + pad)
    cols = slice(max(part.cols.start - pad, 0), part.cols.stop + pad)
    block = terrain.slope(survey.before.window(rows, cols)).values
    inner = block[part.rows.start - rows.start :, part.cols.start - cols.start :]
    found = inner[: part.inside.shape[0], : part.inside.shape[1]][part.inside[: inner.shape[0], : inner.shape[1]]]
    return np.asarray(found[np.isfinite(found)] if np.isfinite(found).any() else np.zeros(1), np.float64)


def _confidence(survey: Survey, row: dict[str, Any], both: bool) -> tuple[str, str]:
    """High: source and deposit, clearly beyond chance, volumes that fit, all surveyed. Low: one part, or much unknown."""
    reasons = [f"change of {row['score']:.1f} sigma"]
    doubts = 0
    if both:
        ratio = row["deposit_volume_m3"] / row["volume_m3"] if row["volume_m3"] > 0 else math.nan
        reasons.append(f"deposit below its source, of {ratio:.2f} times its volume")
        if not _USUAL_BALANCE[0] <= ratio <= _USUAL_BALANCE[1]:
            doubts += 1
            reasons.append("a ratio that is unusual for loess")
    else:
        doubts += 2
        reasons.append("only one part seen")
    if row["score"] < _CLEAR * survey.certain:
        doubts += 1
    if row["unknown_rim_share"] > 0:
        doubts += row["unknown_rim_share"] > 0.1
        reasons.append(f"{row['unknown_rim_share']:.0%} of its rim was not surveyed: area and volume are what was seen")
    return ("high", "medium", "low")[min(doubts, 2)], "; ".join(reasons)


def pair_of(survey: Survey, sources: list[int], deposits: list[int], row: dict[str, Any]) -> decoys.Pair:
    """What the rules against decoys look at."""
    source, deposit = _part(survey, sources), _part(survey, deposits)
    if source is None or deposit is None:
        raise AssertionError("a pair has two parts")
    before = survey.before.values
    cut, fill = -source.of(survey.change_m), deposit.of(survey.change_m)
    (x0, y0), (x1, y1) = (tuple(axis.mean() for axis in part.centres(survey)) for part in (source, deposit))
    away = math.hypot(x1 - x0, y1 - y0)
    heading = ((x1 - x0) / away, (y1 - y0) / away) if away > 0 else (0.0, 0.0)
    cores = source.core(), deposit.core()
    return decoys.Pair(
        cut_m=cut,
        fill_m=fill,
        floor_m=-cores[0].of(survey.change_m),
        ramps=(_ramp(survey, cores[0], heading, -1.0), _ramp(survey, cores[1], heading, 1.0)),
        fall_m=float(np.median(source.of(before)) - np.median(deposit.of(before))),
        away_m=away,
        straight=rectangularity(row["source_shape"]),
        widths_m=(width_m(source.inside, survey.cell_m), width_m(deposit.inside, survey.cell_m)),
        volumes_m3=(source.volume_m3, deposit.volume_m3),
        source_area_m2=source.area_m2,
        cell_m=survey.cell_m,
        sure=is_sure(survey, row),
    )


def is_sure(survey: Survey, row: dict[str, Any]) -> bool:
    """True for a source that is far beyond chance, not small and as deep as slides are."""
    area = row["source_area_m2"]
    deep = area > 0 and row["depth_mean_m"] >= decoys.SHALLOW * decoys.usual_depth_m(area)
    return bool(deep and row["score"] >= decoys.SURE * survey.certain and area >= decoys.SURE * survey.least_m2)


def _ramp(survey: Survey, part: _Part, heading: tuple[float, float], sign: float) -> float:
    east, north = part.centres(survey)
    return ramp(sign * (east * heading[0] + north * heading[1]), sign * part.of(survey.change_m))


def water_rows(survey: Survey) -> list[dict[str, Any]]:
    """One rejected row for each standing water surface that is new."""
    parts, count = ndimage.label(survey.water, _EIGHT)
    rows = []
    for number, (r, c) in enumerate(ndimage.find_objects(parts), start=1):
        inside = parts[r, c] == number
        area = survey.area_m2(int(inside.sum()))
        if count and area < decoys.COMPACT_M2:
            continue
        part = _Part(r, c, inside, area, float(survey.change_m[r, c][inside].sum()) * survey.cell_m**2, math.nan)
        shape = _outline(survey, part)
        rows.append(
            {
                "kind": "water", "rejected_as": decoys.LEVEL_SURFACE, "confidence": "low", "reasons": "rose to one level",
                "area_m2": area, "deposit_area_m2": area, "deposit_volume_m3": part.volume_m3, "geometry": shape,
                "deposit_shape": shape, "unknown_rim_share": _unknown_rim(survey, [part]), "method": "measured",
            }
        )  # fmt: skip
    return rows
