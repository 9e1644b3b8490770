"""One epoch: bodies from the ground after a slide alone, where nobody surveyed it before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
import shapely
from scipy import ndimage

from hazardgeo.change import decoys, picture
from hazardgeo.change.morphology import candidates
from hazardgeo.change.picture import Seen
from hazardgeo.change.records import body_table
from hazardgeo.change.rim import INTERPOLATORS, Rebuilt, rebuilt
from hazardgeo.change.rubble import heaps
from hazardgeo.change.shapes import Field, Mask, outline
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster, align, rasterize
from hazardgeo.raster.elevation import elevations

_OF_95, _NMAD = 1.96, 1.4826
_SCALED_FACTOR = 3.0  # volumes of slides of one area scatter by so much about the scaling, both ways
_MARGIN = 2.5  # times the width of the body: the block on which its surface is rebuilt
_COARSE_CELLS = 4.0  # that a body must cover before a coarse model says anything of it
_EIGHT = np.ones((3, 3), bool)
_MOST_HOLE_CELLS = 900  # rebuilt; larger bodies are thinned, their surface is smooth
_MOST_CANDIDATES = 60
_TOO_SMALL = 0.7  # of min_area_m2: outlines from a picture scatter by so much


def bodies_from_one_epoch(
    dem: Raster,
    *,
    outlines: geopandas.GeoDataFrame | None = None,
    ortho: Raster | Sequence[Raster] | None = None,
    min_area_m2: float = 200.0,
    coarse_before: Raster | None = None,
) -> geopandas.GeoDataFrame:
    """Landslides in the shape of one surface, with the columns of `landslide_bodies` and `method` "reconstructed".

    Where `outlines` are given (drawn by a field team or found on pictures) these are the bodies. Without, but with a picture,
    heaps of fresh rubble are looked for whose scar lies steep above them (`rubble.heaps`): `ortho` is red, green and blue, or
    one brightness, of pixels up to 0.5 m, in the CRS of `dem` on any grid. Bodies from 0.7 of `min_area_m2` are given: their
    outlines are that vague. Without either, hollows with a mound against their lower side (`morphology.candidates`, the 60
    clearest): a screening that misses most and finds much that is none, as terraces and gullies look alike. What was looked
    for has confidence "low": on synthetic valleys seven heaps of ten were no landslide. The reasons name the evidence.

    The surface before is rebuilt from the rim by three interpolators (`rim.rebuilt`); what lies below it is the source, what
    lies above it the deposit. `volume_m3` is the mean of the three; its interval (95 %) holds their spread, the error of the
    same hole beside the body, and the volume that slides of this area usually have: 0.146 A^1.332 (Larsen et al. 2010,
    doi 10.1038/ngeo776), a third to three times.
    Where the outline is not drawn, the source may be a quarter to the whole of it: the interval is that wide, a factor of
    about fifty, and the volume is kept within it. The reasons name the scaled volume. A spur or a gully that went with the
    slide cannot be known. Of drawn outlines the picture raises the confidence where its texture is at least half again that
    of the ground around.

    `coarse_before` is an older model of any cell size and height offset: it confirms a body only where that covers four of
    its cells and sinks by more than the model's own level of detection (1.96 NMAD of all differences, over the root of the
    cells); else the reasons say that it cannot tell.

    Raises InputError for areas that are not positive and surfaces that are no elevations in m, CrsError where CRS differ.
    """
    if not (math.isfinite(min_area_m2) and min_area_m2 > 0):
        raise InputError(f"min_area_m2 must be a positive number, not {min_area_m2}.")
    elevations(dem, "bodies_from_one_epoch")
    sunk = None if coarse_before is None else _since_coarse(dem, coarse_before)
    shown = None if ortho is None else picture.seen(ortho, dem.grid)
    rows: list[dict[str, Any]] = []
    taken = np.zeros(dem.grid.shape, bool)
    for place in _places(dem, outlines, shown, min_area_m2):
        there = taken[place.block]
        if (place.inside & there).sum() > 0.3 * place.inside.sum():
            continue
        row = _body(dem, place, min_area_m2)
        if row is None:
            continue
        there |= place.inside
        _confirmed(row, place, None if outlines is None else shown, sunk)
        rows.append(row)
    table = body_table(rows, dem.grid, {})
    table.attrs["unknown_share"] = float(dem.unknown.mean())
    return table


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Where a body is thought to lie: its mask on a block, how that was found, how surely, and the least share of the area."""

    block: tuple[slice, slice]
    inside: Mask
    found_by: str
    confidence: str
    least: float = 1.0
    must_fall: bool = False
    drawn: bool = False


def _places(dem: Raster, outlines: geopandas.GeoDataFrame | None, shown: Seen | None, min_area_m2: float) -> list[_Place]:
    """Footprints, the clearest first: drawn outlines, heaps of rubble, or hollow and mound with what lies between."""
    if outlines is not None:
        drawn = (rasterize(outlines.iloc[[k]], dem.grid).values for k in range(len(outlines)))
        return [_place(mask, "outline as drawn", "medium", drawn=True) for mask in drawn if mask.any()]
    if shown is not None:
        made = []
        for heap in heaps(dem, shown, min_area_m2):
            told = ", ".join(f"{name} {value:.2f}" for name, value in heap.evidence.items())
            made.append(_Place((heap.rows, heap.cols), _whole(heap.inside), f"rubble below a scar: {told}", "low", _TOO_SMALL))
        return made
    found = candidates(dem, min_area_m2)[:_MOST_CANDIDATES]
    return [_place(_whole(c.hollow | c.mound), "hollow above a mound", "low", drawn=False) for c in found]


def _place(mask: Mask, found_by: str, confidence: str, *, drawn: bool) -> _Place:
    (rows, cols), *_ = ndimage.find_objects(mask.astype(np.uint8))
    return _Place((rows, cols), mask[rows, cols], found_by, confidence, must_fall=not drawn, drawn=drawn)


def _whole(mask: Mask) -> Mask:
    """Without gaps of up to four cells and holes."""
    closed = ndimage.binary_closing(np.pad(mask, 2), _EIGHT, iterations=2)
    return np.asarray(ndimage.binary_fill_holes(closed)[2:-2, 2:-2])


def _body(dem: Raster, place: _Place, min_area_m2: float) -> dict[str, Any] | None:
    cell2 = math.prod(dem.grid.cell_m)
    if not place.inside.any() or place.inside.sum() * cell2 < place.least * min_area_m2:
        return None
    row, col = (np.nonzero(place.inside)[k] + place.block[k].start for k in (0, 1))
    margin = round(_MARGIN * max(np.ptp(row), np.ptp(col)) / 2) + 6
    rows, cols = (
        slice(max(int(p.min()) - margin, 0), min(int(p.max()) + 1 + margin, n))
        for p, n in zip((row, col), dem.grid.shape, strict=True)
    )
    hole = np.zeros((rows.stop - rows.start, cols.stop - cols.start), bool)
    hole[row - rows.start, col - cols.start] = True
    step = max(1, math.ceil(math.sqrt(len(row) / _MOST_HOLE_CELLS)))
    part, inside = _thinned(dem.window(rows, cols), hole, step)
    found = rebuilt(part, inside)
    return None if found is None else _row(part, inside, found, place)


def _thinned(part: Raster, inside: Mask, step: int) -> tuple[Raster, Mask]:
    """Every `step`-th cell of a large body: its rebuilt surface is smooth."""
    if step == 1:
        return part, inside
    values = part.values[step // 2 :: step, step // 2 :: step]
    transform = part.grid.transform @ part.grid.transform.scale(step)
    return Raster(values, Grid(transform, values.shape, part.grid.crs), part.name, "m", part.height), inside[
        step // 2 :: step, step // 2 :: step
    ]


def _row(part: Raster, inside: Mask, found: Rebuilt, place: _Place) -> dict[str, Any]:
    """Columns of a body on its block. Source and deposit are where the ground lies below and above the rebuilt surface."""
    cell2 = math.prod(part.grid.cell_m)
    change = np.nan_to_num(found.change_m)
    source, deposit = (change < 0) & inside, (change > 0) & inside
    volumes = [float(-np.minimum(np.nan_to_num(c), 0).sum()) * cell2 for c in found.by_way]
    area = float(source.sum()) * cell2
    whole = float(inside.sum()) * cell2
    least, usual, most = (_usual_m3(a) for a in ((area, area, area) if place.drawn else (whole / 4, whole / 2, whole)))
    least, most = least / _SCALED_FACTOR, most * _SCALED_FACTOR
    volume = float(np.mean(volumes))
    if not place.drawn:
        volume = min(max(volume, least), most)
        volumes = [min(max(v, least), most) for v in volumes]
    sigma = math.hypot(float(np.std(volumes)), 0.0 if math.isnan(found.sigma_m) else found.sigma_m * area)
    low = max(min(volume - _OF_95 * sigma, *volumes, least), 0.0)
    high = max(volume + _OF_95 * sigma, *volumes, most)
    raised = float(np.maximum(change, 0).sum()) * cell2
    spread = ", ".join(f"{name} {v:,.0f}" for name, v in zip(INTERPOLATORS, volumes, strict=True))
    shapes = [outline(m, part.grid) for m in (source, deposit)]
    return {
        "kind": "slide",
        "confidence": place.confidence,
        "reasons": f"reconstructed: {spread} m3; usual for its area {usual:,.0f} m3" + f"; {place.found_by}",
        "rejected_as": "" if not place.must_fall or _falls(part.values - change, source, deposit) else decoys.NO_FALL,
        "area_m2": whole,
        "source_area_m2": area,
        "deposit_area_m2": float(deposit.sum()) * cell2,
        "volume_m3": volume,
        "volume_low_m3": low,
        "volume_high_m3": high,
        "deposit_volume_m3": raised,
        "depth_mean_m": volume / area if area else math.nan,
        "depth_max_m": float(-change.min()),
        **_way(part, source, deposit),
        "unknown_rim_share": _unknown_rim(part, inside),
        "source_shape": shapes[0],
        "geometry": shapely.union_all(shapes),
        "method": "reconstructed",
    }


def _usual_m3(area_m2: float) -> float:
    return float(decoys.SLIDE_A * area_m2**decoys.SLIDE_B)


def _falls(rebuilt_m: Field, source: Mask, deposit: Mask) -> bool:
    """Whether the middle of the deposit lies lower than that of the source on the rebuilt surface."""
    if not (source.any() and deposit.any()):
        return False
    return bool(np.median(rebuilt_m[source]) > np.median(rebuilt_m[deposit]))


def _way(part: Raster, source: Mask, deposit: Mask) -> dict[str, float]:
    names = ("height_m", "length_m", "h_over_l", "direction_deg")
    if not (source.any() and deposit.any()):
        return dict.fromkeys(names, math.nan)
    east, north = part.grid.centres()
    (r0, c0), (r1, c1) = np.nonzero(source), np.nonzero(deposit)
    heading = east[c1].mean() - east[c0].mean(), north[r1].mean() - north[r0].mean()
    top, bottom = int(np.argmax(part.values[source])), int(np.argmin(part.values[deposit]))
    reach = math.hypot(east[c1[bottom]] - east[c0[top]], north[r1[bottom]] - north[r0[top]])
    reach = max(reach, math.hypot(*heading), part.grid.cell_m[0])
    height = float(part.values[source].max()) - float(part.values[deposit].min())
    azimuth = math.degrees(math.atan2(*heading)) % 360.0
    return dict(zip(names, (height, reach, height / reach, azimuth), strict=True))


def _unknown_rim(part: Raster, inside: Mask) -> float:
    ring = ndimage.binary_dilation(inside, _EIGHT, iterations=2) & ~inside
    return float(part.unknown[ring].mean()) if ring.any() else 1.0


def _since_coarse(dem: Raster, coarse: Raster) -> tuple[Field, float, float]:
    """Change since a coarse model less its median, the NMAD of that, and the area of a coarse cell in m2."""
    old = align(coarse, to=dem.grid, how="bilinear").values.astype(np.float64)
    change = dem.values - old
    change -= np.nanmedian(change)
    return change, _NMAD * float(np.nanmedian(np.abs(change))), math.prod(coarse.grid.cell_m)


def _confirmed(row: dict[str, Any], place: _Place, shown: Seen | None, sunk: tuple[Field, float, float] | None) -> None:
    """Add what a picture and a coarse model say of a body to its reasons."""
    ratio = math.nan if shown is None else _rougher(shown.near, place)
    if ratio >= 1.5:
        row["reasons"] += f"; texture {ratio:.1f} times that of the ground around"
        row["confidence"] = {"low": "medium", "medium": "high"}[row["confidence"]]
    if sunk is not None:
        change, nmad, cell2 = sunk
        cells = row["source_area_m2"] / cell2
        lowest = _OF_95 * nmad / math.sqrt(max(cells, 1.0))
        if cells < _COARSE_CELLS or not row["depth_mean_m"] > lowest:
            row["reasons"] += (
                f"; the coarse model cannot tell: it sees {lowest:.1f} m over {_COARSE_CELLS:.0f} of its cells and more"
            )
        else:
            fell = float(-np.nanmean(np.minimum(change[place.block], 0)[place.inside]))
            row["reasons"] += f"; the coarse model shows {fell:.1f} m of lowering on average"


def _rougher(texture: Field, place: _Place) -> float:
    """Median texture within a place over that of the ground two to six cells around."""
    rows, cols = (slice(max(s.start - 8, 0), s.stop + 8) for s in place.block)
    block = texture[rows, cols]
    row, col = np.nonzero(place.inside)
    hole = np.zeros(block.shape, bool)
    hole[row + place.block[0].start - rows.start, col + place.block[1].start - cols.start] = True
    ring = ndimage.binary_dilation(hole, _EIGHT, iterations=6) & ~ndimage.binary_dilation(hole, _EIGHT)
    inside, around = (float(np.nanmedian(block[m])) if np.isfinite(block[m]).any() else math.nan for m in (hole, ring))
    return inside / around if around > 0 else math.nan
