"""Laying one elevation model on another by the ground that did not change."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.change import nuth_kaab
from hazardgeo.change.pyramid import Level, pyramid, sample
from hazardgeo.change.resample import HOW, resampled
from hazardgeo.change.robust import nmad
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HazardGeoWarning, HeightError, InfeasibleError, InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Surface = TypeVar("Surface", Raster, PointCloud)
SOURCE = "Nuth & Kääb (2011), doi:10.5194/tc-5-271-2011, equation 1, with tilt and dome, by robust weights"
MIN_CELLS = 200
FINE_CELLS, COARSE_CELLS = 250_000, 30_000  # compared at the finest level and at each coarser one
_GENTLE_TURNS = 3
_FEET = 0.3048
_LARGE_M, _ANTENNA_M, _GEOID_M = 0.5, 3.5, 8.0  # offsets of these sizes have their usual reasons
_LOOSE_CELLS = 0.5  # a shift that is known no better than that would be guessed
_STABLE_SHARE = 0.3  # less of the cells taken as stable is said


@dataclass(frozen=True, slots=True, eq=False)
class Coregistration:
    """How one elevation model must move to lie on another, and how well that is known.

    East and north by `east_m` and `north_m`, then up by `offset_m` + `tilt_east` x + `tilt_north` y + `dome_per_m` (x2 + y2 -
    `dome_level_m2`), where x and y are metres from `centre`; tilts are m per m. Sigmas are standard uncertainties from the
    scatter of blocks of the survey, without what interpolation does (some thousandths of a cell); NaN where the surfaces do
    not tell (flat ground has no horizontal position). Tilt and dome are 0 where the surfaces show none beyond three sigma.
    NMADs are those of the differences before and after, on the cells taken as stable: `stable_cells` of `compared_cells`,
    which are a sample where the models are large. `remarks` says what an offset or a dome may come from, and what could not be
    found.
    """

    east_m: float
    north_m: float
    offset_m: float
    tilt_east: float
    tilt_north: float
    dome_per_m: float
    dome_level_m2: float
    centre: tuple[float, float]
    covariance: Numbers
    nmad_before_m: float
    nmad_m: float
    stable_cells: int
    compared_cells: int
    grid: Grid
    moving_height: Height | None
    fixed_height: Height | None
    remarks: tuple[str, ...] = ()

    @property
    def stable_share(self) -> float:
        return self.stable_cells / max(self.compared_cells, 1)

    @property
    def horizontal(self) -> bool:
        """Whether the ground tells a horizontal shift."""
        return bool(np.isfinite(self.covariance[0, 0]))

    @property
    def sigma_east_m(self) -> float:
        return _root(self.covariance[0, 0])

    @property
    def sigma_north_m(self) -> float:
        return _root(self.covariance[1, 1])

    @property
    def sigma_offset_m(self) -> float:
        return _root(self.covariance[2, 2])

    @property
    def sigma_tilt(self) -> tuple[float, float]:
        """Of the tilt to east and to north, m per m."""
        return _root(self.covariance[3, 3]), _root(self.covariance[4, 4])

    @property
    def sigma_dome_per_m(self) -> float:
        return _root(self.covariance[5, 5])

    @property
    def tilt_deg(self) -> tuple[float, float]:
        """How far the surface is tipped, up towards east and up towards north, in degrees."""
        return math.degrees(math.atan(self.tilt_east)), math.degrees(math.atan(self.tilt_north))

    def rise_m(self, east: Numbers, north: Numbers) -> Numbers:
        """What is added to elevations at places in the CRS of both models."""
        x, y = east - self.centre[0], north - self.centre[1]
        bent = self.dome_per_m * (x * x + y * y - self.dome_level_m2)
        return np.asarray(self.offset_m + self.tilt_east * x + self.tilt_north * y + bent)

    def apply(self, moving: Surface, *, to: Grid | None = None) -> Surface:
        """The raster or cloud, moved. A raster comes on the grid `to`, else on its own.

        Rasters are resampled once, by cubic convolution (Catmull-Rom) and bilinear beside unknown cells; what lies half a cell
        within the edge or beside a void becomes unknown rather than extrapolated. Where places fall on centres, values stay
        as they are. Heights take the reference of the fixed model. CrsError for another CRS.
        """
        crs = moving.crs if isinstance(moving, PointCloud) else moving.grid.crs
        if crs != self.grid.crs:
            raise CrsError(f"the coregistration holds in {_crs.label(self.grid.crs)}, not in {_crs.label(crs)}; reproject first.")
        if isinstance(moving, PointCloud):
            xyz = moving.xyz + np.array([self.east_m, self.north_m, 0.0])
            xyz[:, 2] += self.rise_m(xyz[:, 0], xyz[:, 1])
            return replace(moving, xyz=xyz, height=self.fixed_height or moving.height)
        grid = to or moving.grid
        values = resampled(moving.values, moving.grid, grid, east_m=self.east_m, north_m=self.north_m)
        east, north = grid.centres()
        values += self.rise_m(east[None, :], north[:, None])
        tags = {**moving.tags, "coregistration": str(self), "resampling": HOW}
        return replace(moving, values=values.astype(np.float32), grid=grid, height=self.fixed_height or moving.height, tags=tags)

    def sigma_m(self, east: Numbers, north: Numbers, steepness: NDArray[Any]) -> Numbers:
        """Standard uncertainty in m of moved elevations at places where the ground rises by `steepness` (m per m).

        A horizontal shift that is not known counts nothing: on ground that does not tell it, it changes nothing.
        """
        x, y = east - self.centre[0], north - self.centre[1]
        square = np.nan_to_num(self.covariance)
        sideways = max(square[0, 0], square[1, 1]) * steepness**2
        bent = x * x + y * y - self.dome_level_m2
        upright = square[2, 2] + square[3, 3] * x * x + square[4, 4] * y * y + square[5, 5] * bent * bent
        upright = upright + 2 * (square[2, 3] * x + square[2, 4] * y + square[2, 5] * bent + square[3, 4] * x * y)
        upright = upright + 2 * bent * (square[3, 5] * x + square[4, 5] * y)
        return np.asarray(np.sqrt(np.maximum(upright, 0.0) + sideways))

    def __str__(self) -> str:
        tilt = f", tilt {self.tilt_deg[0]:+.4f} and {self.tilt_deg[1]:+.4f} degrees" if self.tilt_east or self.tilt_north else ""
        dome = f", dome {self.dome_per_m * self.dome_level_m2:+.3f} m" if self.dome_per_m else ""
        return f"east {self.east_m:+.3f} m, north {self.north_m:+.3f} m, up {self.offset_m:+.3f} m{tilt}{dome}"


def coregister(moving: Raster, fixed: Raster, *, stable: Raster | Mask | None = None) -> Coregistration:
    """How `moving` must be shifted, lifted, tipped and bent to lie on `fixed`, by the ground that did not change.

    Both are elevations in m in one metric CRS; grids may differ, and the finer one is averaged where cells differ by half or
    more. Equation 1 of Nuth & Kääb (2011, doi 10.5194/tc-5-271-2011) is solved by weighted least squares from coarse to fine
    levels, for shifts of up to an eighth of the shorter side. What changed is found by itself: cells far from the others, and
    blocks whose mean is (moved ground, snow), weigh nothing; more than half of the ground must be unchanged. `stable` (true
    where the ground may be used, on the grid of `fixed`) takes the rest out beforehand. Large models are compared on an even
    sample of some hundred thousand cells.

    Two height references may meet here, with a warning: the offset between them is what is estimated. Raises CrsError for
    different or non-metric CRS, InputError for other units, feet and `stable` without cells, InfeasibleError where fewer than
    200 cells of both are known. Warns where the ground is too flat to tell a horizontal shift or few cells are stable.
    """
    _require_comparable(moving, fixed)
    moving_part, fixed_part, allowed = _shared(moving, fixed, allowed_cells(stable, fixed))
    levels, frame = pyramid(moving_part, fixed_part, allowed), _frame(fixed_part.grid)
    samples = [sample(level, COARSE_CELLS if k else FINE_CELLS, frame) for k, level in enumerate(levels)]
    if samples[0].z.size < MIN_CELLS:
        raise InfeasibleError(
            f"only {samples[0].z.size} cells are known in both models with their neighbours, and {MIN_CELLS} are needed; check "
            "that they show the same place, and `stable` if it is given."
        )
    _require_same_unit(levels[0], samples[0])
    found, spread = _coarse_to_fine(levels, samples)
    before = nuth_kaab.residuals(levels[0].moving, levels[0].moving_grid.cell, samples[0], np.zeros(nuth_kaab.TERMS))
    result = _result(found, spread, before, frame, moving, fixed)
    remarks = _remarks(result)
    for remark in remarks[:1] if not result.horizontal or result.stable_share < _STABLE_SHARE else ():
        warnings.warn(remark, HazardGeoWarning, stacklevel=2)
    return replace(result, remarks=remarks)


def _require_comparable(moving: Raster, fixed: Raster) -> None:
    if moving.grid.crs != fixed.grid.crs:
        raise CrsError(
            f"the moving model is in {_crs.label(moving.grid.crs)}, the fixed one in {_crs.label(fixed.grid.crs)}; bring one "
            "over with raster.align(r, to=grid, how='cubic')."
        )
    try:
        (moving.height or Height()).require_same(fixed.height or Height())
    except HeightError:
        warnings.warn(
            f"the moving model has heights {moving.height}, the fixed one {fixed.height}: the offset between them is estimated "
            "from the ground, not transformed; a real uplift of the whole area would be taken for it.",
            HazardGeoWarning,
            stacklevel=3,
        )


def allowed_cells(stable: Raster | Mask | None, fixed: Raster) -> Mask:
    """Where the fixed model may be used; InputError for a mask that says nothing or lies elsewhere."""
    if stable is None:
        return np.ones(fixed.grid.shape, bool)
    if isinstance(stable, Raster):
        fixed.grid.require_same(stable.grid)
        mask = np.asarray((stable.values == 1) & ~stable.unknown, bool)
    else:
        mask = np.asarray(stable, bool)
    if mask.shape != fixed.grid.shape:
        raise InputError(
            f"stable has shape {mask.shape}, the fixed model {fixed.grid.shape}; give it on the grid of the fixed model."
        )
    if not mask.any():
        raise InputError("stable has no cell that is true, so nothing holds the models; leave it out to have it found.")
    return mask


def _shared(moving: Raster, fixed: Raster, allowed: Mask) -> tuple[Raster, Raster, Mask]:
    """The parts of both that lie near the other: within a quarter of the overlap, since shifts are not known yet."""
    west, south = (max(a, b) for a, b in zip(moving.grid.bounds[:2], fixed.grid.bounds[:2], strict=True))
    east, north = (min(a, b) for a, b in zip(moving.grid.bounds[2:], fixed.grid.bounds[2:], strict=True))
    if west >= east or south >= north:
        raise InfeasibleError(
            f"the models do not overlap: the moving one covers {_box(moving)}, the fixed one {_box(fixed)}; check their CRS."
        )
    reach = max(east - west, north - south) / 4
    parts = []
    for dem in (moving, fixed):
        rows, cols = dem.grid.window_of((west - reach, south - reach, east + reach, north + reach))
        parts.append(dem.window(rows, cols))
        cut = allowed[rows, cols]
    return parts[0], parts[1], cut


def _box(dem: Raster) -> str:
    return "({:.0f}, {:.0f}, {:.0f}, {:.0f})".format(*dem.grid.bounds)


def _frame(grid: Grid) -> nuth_kaab.Frame:
    west, south, east, north = grid.bounds
    half = max(east - west, north - south) / 2
    level = ((east - west) ** 2 + (north - south) ** 2) / 12 / half**2
    return nuth_kaab.Frame(((west + east) / 2, (south + north) / 2), half, level)


def _require_same_unit(level: Level, s: nuth_kaab.Samples) -> None:
    """InputError where one model is in feet: its relief is that of the other times 3.28."""
    moved = s.z - nuth_kaab.residuals(level.moving, level.moving_grid.cell, s, np.zeros(nuth_kaab.TERMS))
    known = np.isfinite(moved)
    relief = nmad(s.z[known]) / max(nmad(moved[known]), 1e-9) if known.any() else 1.0
    for name, times in (("fixed", relief), ("moving", 1 / max(relief, 1e-9))):
        if abs(times * _FEET - 1) < 0.03 and np.corrcoef(s.z[known], moved[known])[0, 1] > 0.9:
            raise InputError(
                f"the relief of the {name} model is {times:.2f} times that of the other, as feet are of metres; read it with the "
                "right unit, or multiply its elevations by 0.3048."
            )


def _coarse_to_fine(levels: list[Level], samples: list[nuth_kaab.Samples]) -> tuple[nuth_kaab.Fit, Numbers]:
    """The fit at the finest level, and the covariance of the terms; NaN where the ground tells no horizontal shift."""
    terms = nuth_kaab.searched(levels[-1].moving, levels[-1].moving_grid.cell, samples[-1])
    free, gentle_turns = np.array([True, True, True, True, True, False]), _GENTLE_TURNS
    for level, s in zip(levels[::-1], samples[::-1], strict=True):
        if s.z.size >= MIN_CELLS:
            cell_m, few = level.moving_grid.cell, s.thinned(COARSE_CELLS)
            terms = nuth_kaab.fit(level.moving, cell_m, few, terms, free=free, gentle_turns=gentle_turns).terms
            gentle_turns = 1
    found, answer = nuth_kaab.select(levels[0].moving, cell_m, few, terms, horizontal=True)
    if not np.sqrt(np.diag(answer.covariance(found.free))[:2]).max() < _LOOSE_CELLS * max(cell_m):
        found, answer = nuth_kaab.select(levels[0].moving, cell_m, few, np.zeros(nuth_kaab.TERMS), horizontal=False)
    if few.z.size < samples[0].z.size:
        found = nuth_kaab.fit(levels[0].moving, cell_m, samples[0], found.terms, free=found.free)
        scatter, weight = nuth_kaab.scattered(samples[0], found)
        answer = nuth_kaab.Answer(answer.slope * (weight / answer.weight), scatter, weight)
    every = np.array([found.free[0], found.free[1], True, True, True, True])
    return found, _filled(answer.covariance(found.free), answer.covariance(every))


def _filled(square: Numbers, otherwise: Numbers) -> Numbers:
    """Uncertainties of the terms that were not free are those that they had when they were."""
    fixed = np.isnan(np.diag(square))
    square[np.ix_(fixed, fixed)] = otherwise[np.ix_(fixed, fixed)]
    return square


def _result(
    found: nuth_kaab.Fit, spread: Numbers, before: Numbers, frame: nuth_kaab.Frame, moving: Raster, fixed: Raster
) -> Coregistration:
    scale = np.array([1, 1, 1, 1 / frame.half_m, 1 / frame.half_m, 1 / frame.half_m**2])
    terms = found.terms * scale
    used = found.weight > 0
    return Coregistration(
        east_m=float(terms[0]),
        north_m=float(terms[1]),
        offset_m=float(terms[2]),
        tilt_east=float(terms[3]),
        tilt_north=float(terms[4]),
        dome_per_m=float(terms[5]),
        dome_level_m2=frame.dome_level * frame.half_m**2,
        centre=frame.centre,
        covariance=spread * np.outer(scale, scale),
        nmad_before_m=nmad(before[used]),
        nmad_m=nmad(found.residual[used]),
        stable_cells=int(used.sum()),
        compared_cells=int(np.isfinite(found.residual).sum()),
        grid=fixed.grid,
        moving_height=moving.height,
        fixed_height=fixed.height,
    )


def _remarks(c: Coregistration) -> tuple[str, ...]:
    told = []
    if not c.horizontal:
        told.append("the ground is too flat or too rough to tell a horizontal shift: none is applied, and its size is unknown.")
    if c.stable_share < _STABLE_SHARE:
        told.append(
            f"only {c.stable_share:.0%} of the cells agree with one shift; if much of the area moved or grew, give `stable`."
        )
    size = abs(c.offset_m)
    if size >= _GEOID_M:
        told.append(
            f"a constant offset of {c.offset_m:+.2f} m: most likely two height references, such as ellipsoidal and above sea "
            "level; state both with with_height(...)."
        )
    elif size >= _ANTENNA_M:
        told.append(f"a constant offset of {c.offset_m:+.2f} m: two height references or an error at the base station.")
    elif size >= _LARGE_M:
        told.append(
            f"a constant offset of {c.offset_m:+.2f} m: an antenna or pole height left out, another geoid model, or a base "
            "station without known height; real uplift of the whole area would look the same."
        )
    if c.dome_per_m:
        told.append("a dome or bowl: as the lens of a camera leaves where photographs have no oblique views or control points.")
    return tuple(told)


def _root(variance: float) -> float:
    return float(math.sqrt(variance)) if variance >= 0 else float("nan")
