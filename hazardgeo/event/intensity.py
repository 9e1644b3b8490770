"""Macroseismic intensity: what it means in ground motion, and maps of it as fields of shaking."""

from __future__ import annotations

import tomllib
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import geopandas
import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import HazardGeoWarning, InputError, MissingColumnError
from hazardgeo.event.shaking import Earthquake, Shaking
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster, burn, rasterize

SCALES = {"csi": "Chinese seismic intensity", "mmi": "Modified Mercalli intensity"}
_RELATIONS = {"csi": "gbt_17742_2020", "mmi": "worden_2012"}
_G_CM_S2 = 980.665
_COLUMNS = ("intensity", "intensity_low", "intensity_high", "scale")
_ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Median peak motion at an intensity, and the standard deviation of its natural logarithm; NaN outside the relation."""

    pga_g: Floats
    pgv_cm_s: Floats
    sigma_ln_pga: Floats
    sigma_ln_pgv: Floats


def intensity_from_pgv(pgv_cm_s: Floats) -> Floats:
    """Modified Mercalli intensity, 1 to 10, from PGV in cm/s (Worden et al. 2012, without the distance term).

    NaN where PGV is NaN. Source: doi:10.1785/0120110156; the coefficients are those of the USGS ShakeMap software.
    """
    return _worden_intensity(pgv_cm_s, "pgv")


def intensity_from_pga(pga_g: Floats) -> Floats:
    """Modified Mercalli intensity, 1 to 10, from PGA in g (Worden et al. 2012, without the distance term).

    NaN where PGA is NaN. Source: doi:10.1785/0120110156; the coefficients are those of the USGS ShakeMap software.
    """
    return _worden_intensity(np.asarray(pga_g, np.float64) * _G_CM_S2, "pga")


def peaks_from_intensity(intensity: Floats, *, scale: str, degrees: Floats | float = 1.0) -> Peaks:
    """Median PGA in g and PGV in cm/s at an intensity of the scale "csi" (Chinese) or "mmi", with wide sigmas.

    "csi": the values that table A.1 of GB/T 17742-2020 gives for the degrees I to XI, log-linear between them. They are
    peaks of the three components combined, somewhat above the larger horizontal one. The standard gives no scatter: that
    of Worden et al. (2012) is taken in its place. "mmi": Worden et al. (2012) without the distance term, 1 to 10.
    Neither the standard nor the paper was read in print (see the coefficient files). `degrees` is how many degrees of the
    scale one value stands for: sigma holds the scatter of the relation and an even spread over that width.

    NaN outside the degrees of the relation. Raises InputError for another scale.
    Source: GB/T 17742-2020 table A.1; doi:10.1785/0120110156.

    >>> peaks_from_intensity(np.array([8.0]), scale="csi").pga_g.round(4)
    array([0.2845])
    """
    if scale not in SCALES:
        raise InputError(f"the intensity scale {scale!r} is not known; use one of {', '.join(SCALES)}.")
    value = np.asarray(intensity, np.float64)
    found = [*(_motion(value, scale, kind) for kind in ("pga", "pgv"))]
    sigmas = [*(_sigma(value, scale, kind, np.asarray(degrees, np.float64)) for kind in ("pga", "pgv"))]
    return Peaks(np.exp(found[0]), np.exp(found[1]), *sigmas)


def intensity_shaking(isoseismals: geopandas.GeoDataFrame, grid: Grid, *, earthquake: Earthquake) -> Shaking:
    """Shaking on `grid` from zones of equal intensity: PGA in g, PGV in cm/s and their sigmas, stepwise and rough.

    `isoseismals` are polygons as `io.read_isoseismals` gives them (intensity, intensity_low, intensity_high, scale), nested
    or as rings: the highest intensity that touches a cell counts, also over an island of lower intensity. Cells whose
    centre lies outside all polygons are unknown: below the lowest zone or not mapped, nobody can tell. Each zone has the
    motion of its degree (see `peaks_from_intensity`), not interpolated, and sigmas of 0.8 to 0.9 (a factor of more than 2).

    `mmi` is filled for the scale "mmi" only: Chinese intensity is a scale of its own, and no conversion is made.
    Degrees outside the relation (XII; MMI above 10) are unknown, with a HazardGeoWarning. Raises MissingColumnError,
    CrsError for polygons in another CRS than `grid`, InputError for no polygons, unknown intensities or mixed scales.
    """
    zones = _zones(isoseismals)
    scale = str(zones["scale"].iloc[0])
    steps = zones[["intensity", "width"]].drop_duplicates().sort_values(["intensity", "width"], ignore_index=True)
    rank = zones[["intensity", "width"]].merge(steps.reset_index(names="rank"), how="left")["rank"].to_numpy(float)
    burnt = burn(zones.assign(rank=rank), grid, column="rank", all_touched=True).values
    inside = rasterize(zones, grid).values & np.isfinite(burnt)
    step = np.where(inside, burnt, 0).astype(np.int64)
    peaks = peaks_from_intensity(steps["intensity"].to_numpy(), scale=scale, degrees=steps["width"].to_numpy())
    beyond = steps.loc[np.isnan(peaks.pga_g), "intensity"]
    if len(beyond):
        words = ", ".join(f"{v:g}" for v in beyond)
        message = f"intensity {words} lies outside {_coefficients(_RELATIONS[scale])['model']}; the shaking there is unknown."
        warnings.warn(message, HazardGeoWarning, stacklevel=2)
    said = _tags(scale)

    def field(values: Floats, name: str, unit: str) -> Raster:
        return Raster(np.where(inside, values[step], np.nan).astype(np.float32), grid, name, unit, tags=said)

    return Shaking(
        event=earthquake,
        pga_g=field(peaks.pga_g, "pga", "g"),
        pgv_cm_s=field(peaks.pgv_cm_s, "pgv", "cm/s"),
        mmi=field(steps["intensity"].to_numpy(), "mmi", "MMI") if scale == "mmi" else None,
        sigma_ln_pga=field(peaks.sigma_ln_pga, "sigma_ln_pga", "1"),
        sigma_ln_pgv=field(peaks.sigma_ln_pgv, "sigma_ln_pgv", "1"),
        source=_source(scale, zones),
    )


def _zones(isoseismals: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """The polygons with the width of their class in degrees, checked."""
    missing = [c for c in _COLUMNS if c not in isoseismals.columns]
    if missing:
        raise MissingColumnError(f"the isoseismals have no column {missing[0]!r}; read them with io.read_isoseismals.")
    if isoseismals.empty:
        raise InputError("there are no isoseismals, so nothing is known of the shaking; check the file.")
    kinds = sorted(set(isoseismals.geom_type.astype(str)) - {"Polygon", "MultiPolygon"})
    if kinds:
        raise InputError(f"isoseismals must be polygons, not {', '.join(kinds)}; polygonise them first.")
    unknown = ~np.isfinite(isoseismals[list(_COLUMNS[:3])].to_numpy(float)).all(axis=1)
    if unknown.any():
        raise InputError(f"{int(unknown.sum())} isoseismals have no intensity; correct them, or leave them out.")
    scales = sorted(set(isoseismals["scale"].astype(str)))
    if len(scales) > 1 or scales[0] not in SCALES:
        raise InputError(f"the isoseismals are in the scales {', '.join(scales)}; use one of {', '.join(SCALES)} for all.")
    return isoseismals.assign(width=isoseismals["intensity_high"] - isoseismals["intensity_low"] + 1.0)


def _motion(intensity: Floats, scale: str, kind: str) -> Floats:
    """Median ln PGA (g) or ln PGV (cm/s); NaN outside the relation."""
    low, high = _range(scale)
    inside = (intensity >= low) & (intensity <= high)
    value = np.clip(np.where(inside, intensity, low), low, high)
    table = _coefficients(_RELATIONS[scale])
    if scale == "csi":
        motion = np.array(table["pga_m_s2"]) * 100.0 / _G_CM_S2 if kind == "pga" else np.array(table["pgv_m_s"]) * 100.0
        found = np.interp(value, table["degree"], np.log(motion))
    else:
        piece, pieces = _piece(value, table[kind]["from_intensity"]), table[kind]
        found = np.log(10.0) * (value - np.array(pieces["intercept"])[piece]) / np.array(pieces["slope"])[piece]
        found = found - (np.log(_G_CM_S2) if kind == "pga" else 0.0)
    return np.where(inside, found, np.nan)


def _sigma(intensity: Floats, scale: str, kind: str, degrees: Floats) -> Floats:
    """Scatter of the relation and an even spread over the width of the class, both of the natural logarithm."""
    low, high = _range(scale)
    above, below = np.clip(intensity + 0.5, low, high), np.clip(intensity - 0.5, low, high)
    with np.errstate(invalid="ignore", divide="ignore"):
        per_degree = (_motion(above, scale, kind) - _motion(below, scale, kind)) / (above - below)
    table = _coefficients(_RELATIONS[scale])
    scatter = np.log(10.0) * _coefficients(table.get("sigma_from", "worden_2012"))[kind]["sigma_log10"]
    spread = np.hypot(scatter, per_degree * degrees / np.sqrt(12.0))
    return np.where((intensity >= low) & (intensity <= high), spread, np.nan)


def _range(scale: str) -> tuple[float, float]:
    table = _coefficients(_RELATIONS[scale])
    low, high = table.get("range") or (table["degree"][0], table["degree"][-1])
    return float(low), float(high)


def _worden_intensity(motion: Floats, kind: str) -> Floats:
    pieces = _coefficients("worden_2012")[kind]
    with np.errstate(divide="ignore"):
        log_motion = np.log10(motion)
    piece = _piece(log_motion, pieces["start"])
    found = np.array(pieces["intercept"])[piece] + np.array(pieces["slope"])[piece] * log_motion
    return np.asarray(np.clip(found, *_coefficients("worden_2012")["range"]))


def _piece(value: Floats, start: list[float]) -> NDArray[np.int64]:
    return np.clip(np.searchsorted(np.array(start), value, side="right") - 1, 0, len(start) - 1)


def _tags(scale: str) -> dict[str, str]:
    table = _coefficients(_RELATIONS[scale])
    return {"model": table["model"], "citation": table["citation"], "unverified": table["verification"]}


def worden_2012_tags() -> dict[str, str]:
    """What a raster of intensity by Worden et al. (2012) says of itself."""
    return _tags("mmi")


def _source(scale: str, zones: geopandas.GeoDataFrame) -> str:
    low, high = zones["intensity_low"].min(), zones["intensity_high"].max()
    table = _coefficients(_RELATIONS[scale])
    return (
        f"Isoseismal map, not a measurement: {len(zones)} zones of {SCALES[scale]} {_degree(low)} to {_degree(high)}, each with "
        f"the median motion of its degree by {table['model']} (not compared with the printed table), so that the field is "
        "stepwise and uncertain by a factor of more than 2 (one sigma). Outside the zones shaking is unknown."
    )


def _degree(value: float) -> str:
    return _ROMAN[int(value)] if float(value).is_integer() and 1 <= value <= 12 else f"{value:g}"


@lru_cache(maxsize=4)
def _coefficients(name: str) -> dict[str, Any]:
    text = files("hazardgeo.event").joinpath("coefficients", f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)
