"""Fitting local coordinates onto those of a survey, by points that are known in both."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray
from scipy import stats

from hazardgeo import crs as _crs
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import HazardGeoWarning, InfeasibleError, InputError, MissingColumnError

Floats = NDArray[np.float64]
FROM = ("from_east_m", "from_north_m", "from_height_m")
TO = ("to_east_m", "to_north_m", "to_height_m")
_FLAT, _THIN = 1e-3, 1e-6  # spread of the points across their longest line, relative to along it
_ODD_SCALE = 0.002  # grids of one country differ by less than a thousandth
_FEET = {"feet": 0.3048, "US survey feet": 1200 / 3937}
_SURE = 0.001  # chance at which a good point is called a blunder


@dataclass(frozen=True, slots=True, eq=False)
class ControlFit:
    """A similarity that takes local coordinates to those of control points, with what each point says of it.

    `matrix` (4 x 4) takes (east, north, height, 1). `scale` is metres per local unit, `turn_deg` the turn about the vertical
    axis, anticlockwise. `residuals` has a row for each pair: `east_m`, `north_m`, `height_m` (fitted minus known), `left_out_m`
    (how far the point is off when the others are fitted without it), `studentised` (its residual over what it should be by the
    others) and `suspect`. `sigma_m` is the standard deviation of one coordinate, NaN where the points leave nothing to check.
    `covariance` is that of the parameters named in `parameters`, about `centre` of the local points.
    """

    matrix: Floats
    scale: float
    turn_deg: float
    residuals: pd.DataFrame
    sigma_m: float
    parameters: tuple[str, ...]
    covariance: Floats
    centre: Floats
    crs: pyproj.CRS
    height: Height

    def apply(self, cloud: PointCloud) -> PointCloud:
        """The cloud, whose coordinates are local whatever CRS it states, in the CRS and heights of the control points."""
        xyz = cloud.xyz @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return replace(cloud, xyz=xyz, crs=self.crs, height=self.height)


def fit_control(pairs: pd.DataFrame, *, crs: Any, height: Height | None = None, parameters: Literal[4, 7] = 4) -> ControlFit:
    """The 4- or 7-parameter fit from control points, with residuals for each: for local grids and scans without coordinates.

    `pairs` has a row for each point with the columns from_east_m, from_north_m, from_height_m (local) and to_east_m,
    to_north_m, to_height_m (known), in `crs` and `height`. Four parameters are two shifts, a turn and a scale in the
    plane, as cadastral surveys use them, from two points on, with heights shifted by their mean difference and never scaled
    (all heights may be left out: they then stay). Seven are three shifts, three turns and a scale in space (Umeyama 1991, doi
    10.1109/34.88573; least squares with equal weights), from three points on that do not lie on a line. Four suit level
    instruments and grids, and points of little relief; seven suit scans that do not stand upright.

    Blunders are looked for by what each point is off from the fit of all others, against Student's distribution (Cook &
    Weisberg 1982) at a thousandth for all points together; a suspect one is named in a HazardGeoWarning but kept: look at
    it, then drop its row. With two (four parameters) or three points nothing can be checked, and this is warned of.

    Raises MissingColumnError and InputError for a table that cannot be used; InputError where feet or swapped columns fit far
    better; InfeasibleError for too few points or points on one spot or, for seven parameters, on one line.

    >>> square = pd.DataFrame({"from_east_m": [0, 10, 10, 0.], "from_north_m": [0, 0, 10, 10.], "from_height_m": 0.,
    ...     "to_east_m": [500, 500, 490, 490.], "to_north_m": [0, 10, 10, 0.], "to_height_m": 1800.})
    >>> round(fit_control(square, crs=32648).turn_deg, 6)
    90.0
    """
    if parameters not in (4, 7):
        raise InputError(f"parameters must be 4 (in the plane) or 7 (in space), not {parameters}.")
    system = _crs.horizontal(crs)
    _crs.require_metric(system, what="fit_control", fix="give control points in a projected metric CRS, for example UTM.")
    source, target = _columns(pairs, FROM, parameters), _columns(pairs, TO, parameters)
    _require_points(source, target, parameters)
    solve = _in_plane if parameters == 4 else _in_space
    matrix, scale = solve(source, target)
    off = _after(source, matrix) - target
    _require_sense(source, target, off, scale, solve)
    rows, names, centre = _design(source, matrix, scale, bool(np.isfinite(off[:, 2]).any()), parameters)
    measured = np.isfinite(off).ravel()
    freedom = int(measured.sum()) - rows.shape[1]
    spare = freedom > 0
    sigma_m = math.sqrt(float(np.nansum(off**2)) / freedom) if spare else math.nan
    inverse = np.asarray(np.linalg.inv(rows[measured].T @ rows[measured]), np.float64)
    table = _told(off, rows, inverse, freedom, pairs.index)
    _warn(table, freedom)
    _warn_of_scale(scale, sigma_m * math.sqrt(inverse[-1, -1]))
    turn = math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))
    return ControlFit(matrix, scale, turn, table, sigma_m, names, inverse * sigma_m**2, centre, system, height or Height())


def _columns(pairs: pd.DataFrame, names: tuple[str, ...], parameters: int) -> Floats:
    """The coordinates (n, 3); heights are NaN where the table has none and they are not needed."""
    lacking = [n for n in names[: 3 if parameters == 7 else 2] if n not in pairs.columns]
    if lacking:
        raise MissingColumnError(
            f"the control points have no column {', '.join(lacking)}; they have {', '.join(map(str, pairs))}."
        )
    columns = [pairs[n] if n in pairs.columns else pd.Series(np.nan, pairs.index) for n in names]
    try:
        xyz = np.column_stack([np.asarray(column, np.float64) for column in columns])
    except (TypeError, ValueError):
        raise InputError(f"{', '.join(names)} of the control points must be numbers; look for texts among them.") from None
    broken = np.asarray(~np.isfinite(xyz if parameters == 7 else xyz[:, :2]).all(axis=1), bool)
    if broken.any():
        which = pairs.index[broken].tolist()
        raise InputError(f"control points {which[:5]} lack coordinates; fill them in or drop the rows.")
    return xyz


def _require_points(source: Floats, target: Floats, parameters: int) -> None:
    least = 2 if parameters == 4 else 3
    if len(source) < least:
        raise InfeasibleError(f"a fit with {parameters} parameters needs {least} control points, there are {len(source)}.")
    width = 2 if parameters == 4 else 3
    for name, xyz in (("local", source[:, :width]), ("known", target[:, :width])):
        spread = np.linalg.svd(xyz - xyz.mean(axis=0), compute_uv=False)
        if spread[0] < 1e-6 * max(1.0, float(np.abs(xyz).max()) * 1e-6):
            raise InfeasibleError(f"the {name} control points all lie on one spot; choose points far apart.")
        if parameters == 7 and spread[1] < _FLAT * spread[0]:
            raise InfeasibleError(
                f"the {name} control points lie on one line, about which nothing holds the scan; add one aside of it, or use 4."
            )


def _in_plane(source: Floats, target: Floats) -> tuple[Floats, float]:
    """The 4-parameter fit: complex regression of the plane, and the mean difference of heights."""
    a, b = source[:, 0] + 1j * source[:, 1], target[:, 0] + 1j * target[:, 1]
    ma, mb = a.mean(), b.mean()
    factor = complex(np.vdot(a - ma, b - mb) / np.vdot(a - ma, a - ma).real)
    matrix = np.eye(4)
    matrix[:2, :2] = [[factor.real, -factor.imag], [factor.imag, factor.real]]
    shift = mb - factor * ma
    matrix[:2, 3] = shift.real, shift.imag
    rise = (target[:, 2] - source[:, 2])[np.isfinite(target[:, 2] - source[:, 2])]
    matrix[2, 3] = float(rise.mean()) if len(rise) else 0.0
    return matrix, abs(factor)


def _in_space(source: Floats, target: Floats) -> tuple[Floats, float]:
    """The 7-parameter fit (Umeyama 1991, equations 40 to 43)."""
    ms, mt = source.mean(axis=0), target.mean(axis=0)
    u, size, vt = np.linalg.svd((target - mt).T @ (source - ms))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    turn = u @ np.diag(sign) @ vt
    scale = float((size * sign).sum() / ((source - ms) ** 2).sum())
    matrix = np.eye(4)
    matrix[:3, :3] = scale * turn
    matrix[:3, 3] = mt - scale * turn @ ms
    return matrix, scale


def _after(xyz: Floats, matrix: Floats) -> Floats:
    return np.asarray(xyz @ matrix[:3, :3].T + matrix[:3, 3]) if np.isfinite(xyz).all() else _after_plane(xyz, matrix)


def _after_plane(xyz: Floats, matrix: Floats) -> Floats:
    """The plane and heights on their own, so that an unknown height makes only the height unknown."""
    plane = xyz[:, :2] @ matrix[:2, :2].T + matrix[:2, 3]
    return np.column_stack([plane, xyz[:, 2] + matrix[2, 3]])


def _require_sense(source: Floats, target: Floats, off: Floats, scale: float, solve: Any) -> None:
    """Refuse scales of another unit, and columns of which the swapped order fits far better."""
    for unit, metres in _FEET.items():
        if abs(scale / metres - 1) < _ODD_SCALE:
            raise InputError(f"the local coordinates are {unit}: the scale is {scale:.6f}; turn them into metres first.")
    if len(source) > 2:
        swapped = source[:, [1, 0, 2]]
        other = _after(swapped, solve(swapped, target)[0]) - target
        span = float(np.ptp(target[:, :2], axis=0).max())
        if np.nansum(other**2) < 0.01 * np.nansum(off**2) and math.sqrt(float(np.nanmean(off**2))) > 0.01 * span:
            raise InputError("the control points fit far better with from_east_m and from_north_m swapped; swap these columns.")


def _design(
    source: Floats, matrix: Floats, scale: float, heights: bool, parameters: int
) -> tuple[Floats, tuple[str, ...], Floats]:
    """How the fitted coordinates (3 n) change with the parameters at the fit."""
    centre = np.array([np.nanmean(column) if np.isfinite(column).any() else 0.0 for column in source.T])
    arms = np.nan_to_num(source - centre) @ (matrix[:3, :3] / scale).T
    rows = np.zeros((len(source), 3, parameters + (parameters == 4)))
    rows[:, :, :3] = np.eye(3)
    shifts = ("east_m", "north_m", "height_m")
    if parameters == 4:
        rows[:, :2, 3] = np.column_stack([-arms[:, 1], arms[:, 0]]) * scale
        rows[:, :2, 4] = arms[:, :2]
        names: tuple[str, ...] = (*shifts, "turn_rad", "scale")
        if not heights:
            rows, names = rows[:, :, [0, 1, 3, 4]], ("east_m", "north_m", "turn_rad", "scale")
    else:
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            rows[:, i, 3 + j], rows[:, j, 3 + i] = arms[:, k] * scale, -arms[:, k] * scale
        rows[:, :, 6] = arms
        names = (*shifts, "turn_east_rad", "turn_north_rad", "turn_up_rad", "scale")
    return rows.reshape(-1, rows.shape[2]), names, centre


def _told(off: Floats, rows: Floats, inverse: Floats, freedom: int, index: pd.Index[Any]) -> pd.DataFrame:
    """What each point says: its residuals, how far it is off without it, and how odd that is."""
    table = pd.DataFrame(off, index, ["east_m", "north_m", "height_m"])
    left_out, odd = np.full(len(off), np.nan), np.full(len(off), np.nan)
    suspect = np.zeros(len(off), bool)
    total = float(np.nansum(off**2))
    for i, residual in enumerate(off):
        known = np.isfinite(residual)
        own = rows[3 * i : 3 * i + 3][known]
        rest = np.eye(int(known.sum())) - own @ inverse @ own.T  # share of an error that stays in the residual
        if np.linalg.eigvalsh(rest)[0] < _THIN:
            continue
        without = np.linalg.solve(rest, residual[known])
        left_out[i] = float(np.sqrt((without**2).sum()))
        explained, parts = float(residual[known] @ without), int(known.sum())
        others = freedom - parts
        if others > 0:
            ratio = explained / parts / max((total - explained) / others, 1e-18)
            odd[i] = math.sqrt(ratio)
            suspect[i] = bool(stats.f.sf(ratio, parts, others) < _SURE / len(off)) and explained > 1e-12
    return table.assign(left_out_m=left_out, studentised=odd, suspect=suspect)


def _warn(table: pd.DataFrame, freedom: int) -> None:
    if freedom <= 0 or table["left_out_m"].isna().all():
        warnings.warn(
            "the control points are so few that none checks the others: a blunder would not show; measure one more.",
            HazardGeoWarning,
            stacklevel=3,
        )
    if table["suspect"].any():
        worst = table.loc[table["suspect"], "left_out_m"].sort_values(ascending=False)
        named = ", ".join(f"{name} (off by {value:.3f} m)" for name, value in list(worst.items())[:5])
        warnings.warn(
            f"control points that do not agree with the others: {named}; check their names and coordinates, or drop them.",
            HazardGeoWarning,
            stacklevel=3,
        )


def _warn_of_scale(scale: float, sigma: float) -> None:
    """Warn of a scale that no grid in metres has, unless the points leave it that open."""
    if abs(scale - 1) > _ODD_SCALE and not abs(scale - 1) < 3 * sigma:
        warnings.warn(
            f"the scale of the control fit is {scale:.6f}, farther from 1 than grids in metres are; check units and points.",
            HazardGeoWarning,
            stacklevel=3,
        )
