"""Shaking of an earthquake for which no measured map exists."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pyproj
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from hazardgeo.errors import ConfigError, HazardGeoWarning, InputError
from hazardgeo.event.intensity import intensity_from_pgv, worden_2012_tags
from hazardgeo.event.shaking import Earthquake, Shaking
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

Mechanism = Literal["reverse", "strike_slip", "normal", "unspecified"]
Floats = NDArray[np.float64]

_MECHANISMS = {"reverse": "RS", "strike_slip": "SS", "normal": "NS", "unspecified": "U"}
_MAGNITUDES = {"reverse": (3.0, 8.5), "strike_slip": (3.0, 8.5), "normal": (3.0, 7.0), "unspecified": (3.0, 8.5)}
_VS30_M_S = (150.0, 1500.0)
_MAX_DISTANCE_KM = 300.0
_SHALLOW_KM = 30.0
_NEAR_KM = 5.0  # about the pseudo-depth of the model: its motion levels off within this distance
_DISTANCE_BENDS_KM = (105.0, 110.0, 270.0, 272.0)  # where the scatter of the model bends
_VS30_BENDS_M_S = (225.0, 300.0, 760.0, 1300.0)  # where its site term or its scatter bends
_CITATION = "Boore, Stewart, Seyhan and Atkinson (2014), Earthquake Spectra 30, 1057-1085, doi:10.1193/070113EQS184M"


def scenario_shaking(earthquake: Earthquake, grid: Grid, *, vs30_m_s: Raster, mechanism: Mechanism = "unspecified") -> Shaking:
    """Median ground motion of a point source: PGA in g, PGV in cm/s, intensity, their scatter, on `grid` in any CRS.

    The ground-motion model is Boore, Stewart, Seyhan and Atkinson 2014 (global version, M 3 to 8.5 and for normal faults
    to 7, Vs30 150 to 1,500 m/s, to 300 km), evaluated by pygmm, which states these limits. The distance to the surface
    projection of the rupture is taken as the distance to the epicentre: the rupture has no extent, so that shaking near a
    long rupture, and M 6.5 or more, is underestimated. Use a measured ShakeMap where there is one. Intensity comes from PGV
    by Worden et al. 2012, made for California.

    The depth is not used; below 30 km the model of shallow crustal earthquakes does not hold, and a warning says so.
    Unknown where Vs30 is unknown or the distance exceeds 300 km. Vs30 outside the range is cut to it with a warning.
    Motions are interpolated from a table in log distance and log Vs30, to better than 1 %. Raises InputError for a
    magnitude outside the model, GridMismatchError for a Vs30 raster on another grid.

    Source: doi:10.1193/070113EQS184M; intensity doi:10.1785/0120110156 (coefficients as in the USGS ShakeMap software,
    not compared with the printed table).
    """
    if mechanism not in _MECHANISMS:
        raise ConfigError(f"mechanism is {mechanism!r}; use one of {', '.join(_MECHANISMS)}.")
    low, high = _MAGNITUDES[mechanism]
    if not low <= earthquake.magnitude <= high:
        raise InputError(
            f"the magnitude {earthquake.magnitude} lies outside the ground-motion model for {mechanism.replace('_', '-')} faults "
            f"({low:g} to {high:g}); use a ShakeMap."
        )
    grid.require_same(vs30_m_s.grid)
    if earthquake.depth_km > _SHALLOW_KM:
        warnings.warn(
            f"the earthquake is {earthquake.depth_km:g} km deep, but the ground-motion model is for shallow crustal ones; its "
            "shaking is a rough guess, so use a ShakeMap.",
            HazardGeoWarning,
            stacklevel=2,
        )
    site_m_s = _site_velocity(vs30_m_s)
    distance_km = epicentral_distance_km(earthquake, grid)
    known = np.isfinite(site_m_s) & (distance_km <= _MAX_DISTANCE_KM)
    motion = np.full((4, *grid.shape), np.nan)
    if known.any():
        motion[:, known] = _interpolated(earthquake.magnitude, mechanism, distance_km[known], site_m_s[known])
    pga_g, pgv_cm_s = np.exp(motion[0]), np.exp(motion[1])
    said = {"model": "BSSA14, point source", "citation": _CITATION}
    return Shaking(
        event=earthquake,
        pga_g=_raster(pga_g, grid, "pga", "g", said),
        pgv_cm_s=_raster(pgv_cm_s, grid, "pgv", "cm/s", said),
        mmi=_raster(intensity_from_pgv(pgv_cm_s), grid, "mmi", "MMI", worden_2012_tags()),
        vs30_m_s=vs30_m_s,
        sigma_ln_pga=_raster(motion[2], grid, "sigma_ln_pga", "1", said),
        sigma_ln_pgv=_raster(motion[3], grid, "sigma_ln_pgv", "1", said),
        source=_source_text(earthquake, mechanism),
    )


def epicentral_distance_km(earthquake: Earthquake, grid: Grid) -> Floats:
    """Distance of each cell centre from the epicentre along the WGS 84 ellipsoid, in km."""
    east, north = (axis.ravel() for axis in np.meshgrid(*grid.centres()))
    to_degrees = pyproj.Transformer.from_crs(grid.crs, 4326, always_xy=True)
    longitude, latitude = to_degrees.transform(east, north)
    epicentre = np.full(longitude.shape, earthquake.longitude), np.full(latitude.shape, earthquake.latitude)
    _, _, distance_m = pyproj.Geod(ellps="WGS84").inv(*epicentre, longitude, latitude)
    return np.asarray(distance_m, np.float64).reshape(grid.shape) / 1000.0


def _site_velocity(vs30_m_s: Raster) -> Floats:
    if vs30_m_s.unit not in ("", "m/s"):
        raise InputError(f"vs30_m_s is in {vs30_m_s.unit!r}, but 'm/s' is needed; convert raster {vs30_m_s.name!r} first.")
    values = vs30_m_s.values.astype(np.float64)
    cut = np.clip(values, *_VS30_M_S)
    outside = (cut != values) & np.isfinite(values)
    if outside.any():
        low, high = _VS30_M_S
        warnings.warn(
            f"Vs30 of {outside.mean():.1%} of the cells lies outside {low:g} to {high:g} m/s and was cut to that range; "
            "shaking there is a rough guess.",
            HazardGeoWarning,
            stacklevel=3,
        )
    return np.asarray(cut)


def _interpolated(magnitude: float, mechanism: str, distance_km: Floats, vs30_m_s: Floats) -> Floats:
    """ln PGA, ln PGV and their sigmas, from a table of the model that spans the distances and velocities met."""
    near = np.hypot(distance_km, _NEAR_KM)
    distances = _nodes(near, 40, [float(np.hypot(bend, _NEAR_KM)) for bend in _DISTANCE_BENDS_KM])
    velocities = _nodes(vs30_m_s, 14, _VS30_BENDS_M_S)
    table = np.empty((len(distances), len(velocities), 4))
    for row, distance in enumerate(distances):
        rjb_km = float(np.sqrt(max(distance**2 - _NEAR_KM**2, 0.0)))
        for col, velocity in enumerate(velocities):
            table[row, col] = bssa_2014(magnitude, mechanism, min(rjb_km, _MAX_DISTANCE_KM), float(np.clip(velocity, *_VS30_M_S)))
    look_up = RegularGridInterpolator((np.log(distances), np.log(velocities)), table, bounds_error=False, fill_value=None)
    return np.asarray(look_up((np.log(near), np.log(vs30_m_s)))).T


def bssa_2014(magnitude: float, mechanism: str, rjb_km: float, vs30_m_s: float) -> tuple[float, float, float, float]:
    """ln PGA (g), ln PGV (cm/s) and their total sigmas of one site; about a millisecond a call."""
    pygmm = _pygmm()
    scenario = pygmm.Scenario(mag=magnitude, dist_jb=rjb_km, v_s30=vs30_m_s, mechanism=_MECHANISMS[mechanism])
    model = pygmm.BooreStewartSeyhanAtkinson2014(scenario)
    return float(np.log(model.pga)), float(np.log(model.pgv)), float(model.ln_std_pga), float(model.ln_std_pgv)


@lru_cache(maxsize=1)
def _pygmm() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # pygmm leaves its coefficient files open while it is imported
        import pygmm
    return pygmm


def _nodes(values: Floats, count: int, bends: Any) -> Floats:
    """Log-spaced nodes over the range of `values`, with the bends of the model that lie inside it; at least two."""
    low, high = float(values.min()), float(values.max())
    if high <= low * 1.001:
        low, high = low / 1.001, low * 1.002
    inside = [bend for bend in bends if low < bend < high]
    return np.unique(np.concatenate([np.geomspace(low, high, count), inside]))


def _raster(values: Floats, grid: Grid, name: str, unit: str, said: dict[str, str]) -> Raster:
    return Raster(values.astype(np.float32), grid, name, unit, tags=said)


def _source_text(earthquake: Earthquake, mechanism: str) -> str:
    return (
        f"Scenario, not a measurement: M {earthquake.magnitude:g}, {mechanism.replace('_', ' ')} mechanism, point source at "
        f"the epicentre; extent and direction of the rupture are ignored. Medians of {_CITATION}; intensity from PGV, "
        "Worden et al. (2012)."
    )
