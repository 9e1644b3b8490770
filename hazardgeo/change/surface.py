"""The difference of two elevation models, how sure it is in each cell, and where it is more than chance."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.change.coregister import Coregistration, allowed_cells
from hazardgeo.change.robust import nmad, shortest_half
from hazardgeo.change.spread import OF_95, spread_95
from hazardgeo.change.stable import stable_cells
from hazardgeo.change.variogram import SOURCE as CORRELATION_SOURCE
from hazardgeo.change.variogram import Correlation, correlation
from hazardgeo.errors import HazardGeoWarning, InfeasibleError, InputError
from hazardgeo.kernel import in_bands
from hazardgeo.raster import UNKNOWN_CLASS, ClassLabel, Raster
from hazardgeo.raster.elevation import heights, require_possible
from hazardgeo.terrain import roughness, slope

Numbers = NDArray[np.float64]
Surface = NDArray[np.float32]
Mask = NDArray[np.bool_]
SIGNIFICANT = (
    ClassLabel(0, "no change beyond the level of detection", "#f7f7f7"),
    ClassLabel(1, "change beyond the level of detection", "#c51b7d"),
    ClassLabel(UNKNOWN_CLASS, "not surveyed in both epochs, or its error unknown", "#9e9e9e", hatched=True),
)
SPREAD_SOURCE = (
    "95 % quantiles on stable ground by slope and roughness, after Hugonnet et al. (2022), doi:10.1109/JSTARS.2022.3188922"
)
_WINDOW_CELLS = 5  # of roughness
_TURNS = 2


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceChange:
    """Change of the elevation from `before` to `after`, after less before, cell by cell.

    `change_m`, its standard uncertainty `sigma_m` and its level of detection `lod95_m` (95 %) in m; `significant`: 0 no change
    beyond that level, 1 change, 255 unknown. `stable` is true where ground was taken as unchanged. `correlation` says how
    errors of neighbours go together: ask it for the uncertainty of means and volumes over areas. NaN where one epoch is
    unknown: not surveyed is not unchanged.
    """

    change_m: Raster
    sigma_m: Raster
    lod95_m: Raster
    significant: Raster
    stable: Raster
    correlation: Correlation


def difference(
    before: Raster,
    after: Raster,
    *,
    sigma_before_m: Raster | float | None = None,
    sigma_after_m: Raster | float | None = None,
    registration: Coregistration | float | None = None,
    stable: Raster | Mask | None = None,
    told_by: Sequence[Raster] = (),
) -> SurfaceChange:
    """What changed between two elevation models in m, with the level of detection of each cell.

    `registration` is that of `coregister(after, before)`, which is applied here in one resampling, onto the grid of `before`;
    or the standard uncertainty in m of how the epochs lie on each other, where that is known otherwise. Without it both must
    lie on one grid and are taken as they are.

    The uncertainty is found on ground that did not change: `stable`, or else what `change` finds of itself (areas that moved
    as a whole go out, single far cells stay). It varies with slope and roughness (the larger of both epochs), with the
    uncertainties of both epochs where they are given, and with each of `told_by`, such as the density of points or the height
    of plants: `sigma_m` is the 95 % quantile of such stable cells over 1.96, about zero, so that a level of detection that is
    1.96 times as wide is passed by one in twenty of them whatever the shape of the tails. Given uncertainties tell where the
    differences spread, not how far; where fewer than 200 cells are stable they are taken as they are, with a warning, and
    without them the uncertainty is unknown.

    Unknown cells stay unknown. Raises CrsError, HeightError and GridMismatchError for models that may not meet, InputError for
    other units, InfeasibleError where no cell is known in both. Warns where both are the same in every cell.
    """
    moved = registration.apply(after, to=before.grid) if isinstance(registration, Coregistration) else after
    before.require_same(moved)
    old, new = (_elevations(dem) for dem in (before, moved))
    change = (new - old).astype(np.float32)
    known = np.isfinite(change)
    if not known.any():
        raise InfeasibleError("no cell is known in both epochs, so nothing can be compared; check that they show the same place.")
    if not np.any(change[known]):
        warnings.warn("both epochs are equal in every cell: most likely one file twice.", HazardGeoWarning, stacklevel=2)
    given = _given(before, sigma_before_m, sigma_after_m)
    told = [*_shape(before, moved), *([] if given is None else [given]), *(_beside(before, r) for r in told_by)]
    chosen = None if stable is None else allowed_cells(stable, before) & known
    spread, unmoved = _spread(change, told, given, chosen)
    spread = np.hypot(spread, _registration_sigma(before, moved, registration))
    least = float(np.spacing(np.float32(np.abs(old[known]).max())))
    return _result(change, np.maximum(spread, np.float32(least)), unmoved, before, registration)


def _elevations(dem: Raster) -> NDArray[Any]:
    values = heights(dem, "difference")
    require_possible(dem, values)
    return values


def _spread(change: Surface, told: list[Surface], given: Surface | None, chosen: Mask | None) -> tuple[Surface, Mask]:
    """The standard uncertainty of each cell and the cells that are stable; both depend on each other, so in turns."""
    if chosen is not None:
        unmoved, spread = chosen, spread_95(change, chosen, told)
    else:
        unmoved = np.isfinite(change)
        centre, wide = shortest_half(_some(change, unmoved))
        ratio = (change - np.float32(centre)) / np.float32(max(wide, 1e-6))
        for _ in range(_TURNS):
            unmoved = stable_cells(ratio)
            spread = spread_95(change, unmoved, told)
            ratio = (change - np.float32(centre)) / np.maximum(spread, np.float32(1e-6))
    if np.isfinite(spread).any():
        return np.where(np.isfinite(change), spread, np.float32(np.nan)), unmoved
    warnings.warn(
        f"only {int(unmoved.sum())} stable cells are known in both epochs, too few to find the uncertainty: "
        + ("that of the epochs is taken as given." if given is not None else "it is unknown, and so is what is significant."),
        HazardGeoWarning,
        stacklevel=3,
    )
    return (np.where(np.isfinite(change), given, np.float32(np.nan)) if given is not None else spread), unmoved


def _some(values: Surface, where: Mask) -> Numbers:
    """Up to a million or so of the values there, evenly spread."""
    return values[where][:: max(1, values.size // 1_000_000)].astype(np.float64)


def _shape(before: Raster, after: Raster) -> list[Surface]:
    """Slope and roughness, the larger of both epochs: a scarp that is new is as hard to measure as an old one."""
    if min(before.grid.shape) < _WINDOW_CELLS:
        return []
    window_m = _WINDOW_CELLS * max(before.grid.cell_m)
    rough = np.fmax(roughness(before, window_m=window_m).values, roughness(after, window_m=window_m).values)
    return [_steepness(before, after), rough]


def _steepness(before: Raster, after: Raster) -> Surface:
    steep = np.fmax(slope(before).values, slope(after).values)
    return np.asarray(np.tan(np.radians(steep)), np.float32)


def _given(before: Raster, *sigmas: Raster | float | None) -> Surface | None:
    if all(sigma is None for sigma in sigmas):
        return None
    square = np.zeros(before.grid.shape, np.float32)
    for sigma in sigmas:
        if isinstance(sigma, Raster):
            square += _beside(before, sigma) ** 2
        elif sigma is not None:
            if not (math.isfinite(sigma) and sigma >= 0):
                raise InputError(f"an uncertainty must be zero or a positive number of metres, not {sigma}.")
            square += np.float32(sigma**2)
    return np.sqrt(square)


def _beside(before: Raster, other: Raster) -> Surface:
    before.grid.require_same(other.grid)
    return other.values.astype(np.float32)


def _registration_sigma(before: Raster, after: Raster, registration: Coregistration | float | None) -> Surface:
    if isinstance(registration, Coregistration):
        (east, north), steep = before.grid.centres(), np.nan_to_num(_steepness(before, after))
        out = np.empty(before.grid.shape, np.float32)

        def work(first: int, last: int) -> None:
            out[first:last] = registration.sigma_m(east[None, :], north[first:last, None], steep[first:last])

        in_bands(work, out.shape[0])
        return out
    if registration is not None and not (math.isfinite(registration) and registration >= 0):
        raise InputError(f"registration must be zero or a positive number of metres, not {registration}.")
    return np.full((1, 1), float(registration or 0.0), np.float32)


def _result(
    change: Surface, sigma: Surface, stable: Mask, before: Raster, registration: Coregistration | float | None
) -> SurfaceChange:
    known = np.isfinite(change) & np.isfinite(sigma)
    sigma[~known] = np.nan
    level = np.float32(OF_95) * sigma
    still = stable & known
    tags = {
        "registration": str(registration) if registration is not None else "taken as given",
        "stable_share": f"{still.sum() / max(known.sum(), 1):.3f}",
        "stable_nmad_m": f"{nmad(_some(change, still)):.4f}",
        "uncertainty": SPREAD_SOURCE,
        "not_surveyed_share": f"{1 - np.isfinite(change).mean():.3f}",
    }
    codes = np.where(known, np.abs(change) > level, UNKNOWN_CLASS).astype(np.uint8)
    return SurfaceChange(
        Raster(change, before.grid, "change", "m", tags=tags),
        Raster(sigma, before.grid, "change_sigma", "m", tags=tags),
        Raster(level, before.grid, "lod95", "m", tags=tags),
        Raster(codes, before.grid, "significant_change", "class", classes=SIGNIFICANT, tags=tags),
        Raster(still, before.grid, "stable_ground", tags={**tags, "correlation": CORRELATION_SOURCE}),
        _correlation(change, sigma, still, before, registration),
    )


def _correlation(
    change: Surface, sigma: Surface, still: Mask, before: Raster, registration: Coregistration | float | None
) -> Correlation:
    common = abs(float(np.median(_some(change, still)))) if still.any() else 0.0
    if isinstance(registration, Coregistration):
        common = math.hypot(common, np.nan_to_num(registration.sigma_offset_m))
    elif registration is not None:
        common = math.hypot(common, registration)
    usual = float(np.sqrt((_some(sigma, still) ** 2).mean())) if still.any() else float("nan")
    return correlation(np.where(still, change / sigma, np.float32(np.nan)), before.grid, sigma_m=usual, common_m=common)
