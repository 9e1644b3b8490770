"""How far a terrain model is off, told by points whose height somebody has measured."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import geopandas
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazardgeo.crs import Height
from hazardgeo.errors import HazardGeoWarning, InputError, MissingColumnError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster, require_crs, sample_xy
from hazardgeo.tiles import RasterSource

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEW = 20  # check points: with fewer, what is said of accuracy is itself uncertain
_FAR_M, _FAR_SPREADS = 2.0, 5.0  # a bias beyond both is rather another height reference than an error
_PART_CELLS = 256  # of the side of the parts that are read
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Statistics of errors in m: their number, mean (bias), root mean square, robust spread and what 95 % do not exceed.

    `nmad_m` is 1.4826 times the median distance from the median (Höhle & Höhle 2009, doi
    10.1016/j.isprsjprs.2009.02.003): the standard deviation without blunders. `p95_m` is the 95th percentile of the sizes.
    All are NaN where there are no errors to speak of.
    """

    n: int
    bias_m: float
    rmse_m: float
    nmad_m: float
    p95_m: float

    @classmethod
    def of(cls, errors_m: Floats) -> Errors:
        """The statistics of the errors that are known."""
        known = errors_m[np.isfinite(errors_m)]
        if not len(known):
            return cls(0, math.nan, math.nan, math.nan, math.nan)
        nmad = 1.4826 * float(np.median(np.abs(known - np.median(known))))
        rmse = float(np.sqrt(np.mean(known**2)))
        return cls(len(known), float(known.mean()), rmse, nmad, float(np.percentile(np.abs(known), 95)))

    def __str__(self) -> str:
        return (
            f"RMSE {self.rmse_m:.3f} m, bias {self.bias_m:+.3f} m, NMAD {self.nmad_m:.3f} m, "
            f"95 % within {self.p95_m:.3f} m (n = {self.n})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Accuracy:
    """How far a terrain model is off at check points, terrain minus check point.

    `residuals` are the check points with the columns `height_error_m`, `east_error_m` and `north_error_m` (NaN where
    unknown) and `state`: "checked", "unknown ground" or "no height". `unknown` points lie where the terrain is unknown or
    beyond its edge, `without_height` have none; neither is in the statistics.
    """

    residuals: geopandas.GeoDataFrame
    height: Errors
    east: Errors
    north: Errors
    unknown: int
    without_height: int

    def rows(self) -> Iterator[tuple[str, str]]:
        """What is said of each quantity, in words."""
        yield (
            "check points",
            f"{len(self.residuals)}: {self.height.n} checked, {self.unknown} on unknown ground, {self._heightless}",
        )
        yield "height", str(self.height)
        for name, errors in (("east", self.east), ("north", self.north)):
            yield name, str(errors) if errors.n else "not checked: no measured positions given"

    @property
    def _heightless(self) -> str:
        return f"{self.without_height} without a height"

    def tagged(self, dtm: Raster) -> Raster:
        """The terrain model with the tag `accuracy`, which says how it was checked instead of "relative only"."""
        return replace(dtm, tags={**dtm.tags, "accuracy": f"checked at {self.height.n} points: {self.height}"})

    def plot(self, ax: Axes | None = None) -> Axes:
        """A map of the height errors at the check points, in m; crosses where they are unknown, arrows for east and north."""
        from matplotlib import pyplot as plt

        axes = ax if ax is not None else plt.subplots(layout="constrained")[1]
        east, north = self.residuals.geometry.x.to_numpy(), self.residuals.geometry.y.to_numpy()
        errors = self.residuals["height_error_m"].to_numpy()
        known = np.isfinite(errors)
        most = max(float(np.abs(errors[known]).max()), 1e-3)
        dots = axes.scatter(east[known], north[known], c=errors[known], cmap="RdBu_r", vmin=-most, vmax=most, edgecolors="k")
        axes.scatter(east[~known], north[~known], c="k", marker="x", label="unknown")
        axes.figure.colorbar(dots, ax=axes, label="terrain minus check point (m)")
        if self.east.n:
            shift = self.residuals[["east_error_m", "north_error_m"]].to_numpy()
            arrows = axes.quiver(east, north, shift[:, 0], shift[:, 1], angles="xy")
            axes.quiverkey(arrows, 0.85, 1.03, self.east.rmse_m, f"{self.east.rmse_m:.2f} m")
        axes.set(title=str(self.height), xlabel="east (m)", ylabel="north (m)", aspect="equal")
        return axes


def accuracy(
    dtm: Raster,
    checkpoints: geopandas.GeoDataFrame,
    *,
    column: str | None = None,
    height: Height | None = None,
    measured: geopandas.GeoDataFrame | None = None,
) -> Accuracy:
    """How far a terrain model is off at points of known height, which took no part in making it.

    The height of a check point is that in `column`, else its Z; the terrain is interpolated between the centres of cells
    (bilinear). `height` says what the heights of the check points refer to, when that is known. For errors in position give
    `measured`: the same points as they were found in the scan, with the same index.

    Points where the terrain is unknown are counted apart: an error there is not zero. Warns (HazardGeoWarning) with fewer
    than 20 checked points, and where the bias is so much larger than the spread that another height reference is likely.
    Raises CrsError where the CRS differ or the model is not metric, HeightError for two height references, MissingColumnError
    without heights, and InputError for rasters that are not in m, geometries that are not points and where nothing could
    be checked.
    """
    _require_comparable(dtm, dtm.grid, checkpoints, height)
    east, north = checkpoints.geometry.x.to_numpy(), checkpoints.geometry.y.to_numpy()
    return _compared(sample_xy(dtm, east, north, how="bilinear"), dtm.grid, checkpoints, column, measured)


def accuracy_of(
    dtm: RasterSource,
    checkpoints: geopandas.GeoDataFrame,
    *,
    column: str | None = None,
    height: Height | None = None,
    measured: geopandas.GeoDataFrame | None = None,
) -> Accuracy:
    """As `accuracy`, of a terrain model of any size: only the parts around check points are read."""
    _require_comparable(dtm.read(dtm.grid.window(slice(0, 1), slice(0, 1))), dtm.grid, checkpoints, height)
    return _compared(_sampled(dtm, checkpoints), dtm.grid, checkpoints, column, measured)


def _sampled(dtm: RasterSource, points: geopandas.GeoDataFrame) -> Floats:
    """The terrain at the points, part by part."""
    (rows, cols), out = dtm.grid.shape, np.full(len(points), np.nan)
    east, north = points.geometry.x.to_numpy(), points.geometry.y.to_numpy()
    row, col = dtm.grid.rowcol(np.nan_to_num(east), np.nan_to_num(north))
    row, col = (np.clip(place, 0, last - 1) // _PART_CELLS for place, last in ((row, rows), (col, cols)))  # edges belong, too
    for part in np.unique(np.column_stack([row, col]), axis=0):
        held = (row == part[0]) & (col == part[1])
        first_row, first_col = (part * _PART_CELLS).tolist()
        around = (
            slice(max(first - 1, 0), min(first + _PART_CELLS + 1, last)) for first, last in ((first_row, rows), (first_col, cols))
        )
        out[held] = sample_xy(dtm.read(dtm.grid.window(*around)), east[held], north[held], how="bilinear")
    return out


def _require_comparable(dtm: Raster, grid: Grid, checkpoints: geopandas.GeoDataFrame, height: Height | None) -> None:
    dtm.require(unit="m")
    grid.require_metric("accuracy")
    _require_points(grid, checkpoints, "check points")
    if height is not None and dtm.height is not None:
        dtm.height.require_same(height)


def _compared(
    terrain_m: Floats,
    grid: Grid,
    checkpoints: geopandas.GeoDataFrame,
    column: str | None,
    measured: geopandas.GeoDataFrame | None,
) -> Accuracy:
    """The statistics of the terrain at the check points less their heights."""
    known_m = _heights(checkpoints, column)
    errors = terrain_m - known_m
    shifts = _shifts(grid, checkpoints, measured)
    state = np.where(np.isnan(known_m), "no height", np.where(np.isnan(terrain_m), "unknown ground", "checked"))
    residuals = checkpoints.assign(height_error_m=errors, east_error_m=shifts[0], north_error_m=shifts[1], state=state)
    unknown, heightless = (int((state == name).sum()) for name in ("unknown ground", "no height"))
    found = Accuracy(residuals, Errors.of(errors), Errors.of(shifts[0]), Errors.of(shifts[1]), unknown, heightless)
    _require_checked(found, len(checkpoints))
    return found


def _require_points(grid: Grid, points: geopandas.GeoDataFrame, what: str) -> None:
    require_crs(points, grid, what)
    if not len(points):
        raise InputError(f"there are no {what}; check the file.")
    if not (points.geometry.geom_type == "Point").all():
        raise InputError(f"{what} must be points; use .representative_point() or drop the others.")


def _heights(checkpoints: geopandas.GeoDataFrame, column: str | None) -> Floats:
    if column is not None:
        if column not in checkpoints.columns:
            names = ", ".join(str(c) for c in checkpoints.columns if c != checkpoints.geometry.name)
            raise MissingColumnError(
                f"the check points have no column {column!r}, only {names or 'none'}; name that of the heights."
            )
        return np.asarray(pd.to_numeric(checkpoints[column], errors="coerce"), np.float64)
    if not checkpoints.geometry.has_z.any():
        raise MissingColumnError("the check points have no Z, so their heights are not known; name their column with column=.")
    return np.where(checkpoints.geometry.has_z, checkpoints.geometry.z, np.nan)


def _shifts(grid: Grid, checkpoints: geopandas.GeoDataFrame, measured: geopandas.GeoDataFrame | None) -> tuple[Floats, Floats]:
    """Measured minus known positions east and north, NaN for points that were not measured."""
    if measured is None:
        return np.full(len(checkpoints), np.nan), np.full(len(checkpoints), np.nan)
    _require_points(grid, measured, "measured points")
    if not (measured.index.is_unique and checkpoints.index.is_unique):
        raise InputError("check points and measured points are paired by their index, which has doubles; make it unique.")
    if not measured.index.isin(checkpoints.index).any():
        raise InputError("no measured point has the index of a check point; give both the same names with set_index(...).")
    places = [(frame.geometry.x, frame.geometry.y) for frame in (measured, checkpoints)]
    found = [m.reindex(checkpoints.index).to_numpy() - known.to_numpy() for m, known in zip(*places, strict=True)]
    return found[0], found[1]


def _require_checked(found: Accuracy, points: int) -> None:
    errors = found.height
    if not errors.n:
        raise InputError(
            f"none of {points} check points could be compared: {found.unknown} lie on unknown ground or beyond the terrain, "
            f"{found.without_height} have no height; check their CRS and place."
        )
    said: list[Any] = []
    if errors.n < _FEW:
        said.append(f"only {errors.n} of {points} check points could be compared; fewer than {_FEW} say little.")
    if abs(errors.bias_m) > max(_FAR_M, _FAR_SPREADS * errors.nmad_m) and errors.n > 1:
        said.append(
            f"the terrain is {errors.bias_m:+.2f} m off with a spread of {errors.nmad_m:.2f} m only; "
            "check that both heights have the same reference."
        )
    for text in said:
        warnings.warn(text, HazardGeoWarning, stacklevel=4)
