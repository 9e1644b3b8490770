"""Infinite slopes, the acceleration that starts them moving, and how far they slide."""

from __future__ import annotations

import numpy as np

from hazardgeo.hazard.field import Field, Floats, require_magnitude, state_codes, unwrap
from hazardgeo.hazard.published import published, tags
from hazardgeo.hazard.result import Displacement

WATER_UNIT_WEIGHT_KN_M3 = 9.81
_GENTLEST_SLOPE = 1e-9  # rise over run; stands for level ground
_JIBSON = "Jibson, R.W., Harp, E.L. and Michael, J.A. (2000). Engineering Geology 58, 271-289, doi:10.1016/S0013-7952(00)00039-9"


def infinite_slope_fs(
    slope_deg: Field | float,
    *,
    cohesion_kpa: Field | float,
    friction_deg: Field | float,
    unit_weight_kn_m3: Field | float,
    thickness_m: Field | float,
    saturation: Field | float,
) -> Field:
    """Static factor of safety of an infinite slope (dimensionless; fails at rest at 1 or less).

    The slab slides parallel to the surface; `thickness_m` is measured normal to it and `saturation` is the share of it
    below the water table, 0 to 1, with seepage parallel to the slope. `unit_weight_kn_m3` is the moist weight, or the
    saturated one where there is water; a dry weight with water overstates the pore pressure. Cohesion and friction are
    effective values. NaN where any input is unknown. Level ground has no driving stress and would be infinitely safe:
    slopes under 1e-9 (rise over run) take the huge value there, from which `critical_acceleration` gets the right limit.
    Raises InputError for impossible values and GridMismatchError for rasters on different grids.

    FS = c' / (w t sin a) + tan f / tan a - m ww tan f / (w tan a), Jibson, Harp and Michael 2000, eq. 2,
    doi:10.1016/S0013-7952(00)00039-9.

    >>> soil = dict(cohesion_kpa=10.0, friction_deg=30.0, unit_weight_kn_m3=20.0, thickness_m=2.0, saturation=0.0)
    >>> round(float(infinite_slope_fs(30.0, **soil)), 6)
    1.5
    """
    cells = unwrap(
        slope_deg=slope_deg,
        cohesion_kpa=cohesion_kpa,
        friction_deg=friction_deg,
        unit_weight_kn_m3=unit_weight_kn_m3,
        thickness_m=thickness_m,
        saturation=saturation,
    )
    angle = _angle(cells["slope_deg"])
    weight = cells["unit_weight_kn_m3"]
    buoyancy = 1.0 - cells["saturation"] * WATER_UNIT_WEIGHT_KN_M3 / weight
    cohesive = cells["cohesion_kpa"] / (weight * cells["thickness_m"] * np.sin(angle))
    frictional = np.tan(np.radians(cells["friction_deg"])) * buoyancy / np.tan(angle)
    fs = np.where(cells.missing, np.nan, cohesive + frictional)
    return cells.wrap(fs, "factor_of_safety", "1", {"model": "infinite slope", "citation": _JIBSON})


def critical_acceleration(fs: Field | float, slope_deg: Field | float) -> Field:
    """Acceleration along the slope that starts the block sliding, in g.

    Zero where the slope fails at rest (fs <= 1). On level ground, with `fs` from `infinite_slope_fs`, the limit of gentle
    slopes: c' / (w t) + (1 - m ww / w) tan f. NaN where an input is unknown. Holds for planar slides; compare it with the
    peak ground acceleration.

    ac = (FS - 1) sin a, Newmark 1965; Jibson, Harp and Michael 2000, eq. 1, doi:10.1016/S0013-7952(00)00039-9.

    >>> round(float(critical_acceleration(1.5, 30.0)), 6)
    0.25
    """
    cells = unwrap(fs=fs, slope_deg=slope_deg)
    excess = np.maximum(cells["fs"] - 1.0, 0.0)
    ac_g = np.where(cells.missing, np.nan, excess * np.sin(_angle(cells["slope_deg"])))
    return cells.wrap(ac_g, "critical_acceleration", "g", {"model": "rigid block", "citation": _JIBSON})


def _angle(slope_deg: Floats) -> Floats:
    """The slope in radians, never quite level."""
    return np.maximum(np.radians(slope_deg), np.arctan(_GENTLEST_SLOPE))


def jibson_2007_eq6(*, ac_g: Field | float, pga_g: Field | float) -> Displacement[Field]:
    """Median displacement in cm from the critical acceleration ratio alone (Jibson 2007, eq. 6).

    log10 D = 0.215 + log10[(1 - r)^2.341 r^-1.438], r = ac / PGA, sigma 0.510 in log10. Prefer eq. 7 where the
    magnitude is known. Valid for r from 0.05 to 1; below, the law is extended and the state is "outside range". The
    block does not move for r >= 1. Slopes with ac = 0 fail at rest: flagged `unstable`, without a displacement.
    NaN where an input is unknown. The coefficients were compared with public implementations, not with the paper.

    Source: Jibson 2007, Engineering Geology 91, 209-218, doi:10.1016/j.enggeo.2007.01.013.

    >>> float(jibson_2007_eq6(ac_g=0.1, pga_g=0.2).median_cm).__round__(3)
    0.877
    """
    return _jibson_2007("eq6", ac_g, pga_g, None)


def jibson_2007_eq7(*, ac_g: Field | float, pga_g: Field | float, magnitude: float) -> Displacement[Field]:
    """Median displacement in cm from the critical acceleration ratio and the magnitude (Jibson 2007, eq. 7).

    log10 D = -2.710 + log10[(1 - r)^2.335 r^-1.478] + 0.424 M, r = ac / PGA, sigma 0.454 in log10. Valid for r from 0.05
    to 1 and M 5.3 to 7.6; elsewhere the law is extended and the state of cells that move is "outside range". Edges as in
    `jibson_2007_eq6`. The coefficients were compared with public implementations, not with the paper.

    Source: Jibson 2007, Engineering Geology 91, 209-218, doi:10.1016/j.enggeo.2007.01.013.

    >>> float(jibson_2007_eq7(ac_g=0.1, pga_g=0.2, magnitude=6.2).median_cm).__round__(3)
    0.458
    """
    require_magnitude(magnitude)
    return _jibson_2007("eq7", ac_g, pga_g, magnitude)


def _jibson_2007(equation: str, ac_g: Field | float, pga_g: Field | float, magnitude: float | None) -> Displacement[Field]:
    paper = published("jibson_2007")
    law, limits = paper[equation], paper["range"]
    cells = unwrap(ac_g=ac_g, pga_g=pga_g)
    unstable = np.asarray(cells["ac_g"] == 0.0)
    ratio = _ratio(cells["ac_g"], cells["pga_g"])
    median = _log10_law(ratio, law, magnitude)
    median = np.where(unstable | cells.missing, np.nan, median)
    outside = ratio < limits["ratio"][0]
    if magnitude is not None:
        low, high = limits["magnitude"]
        outside = outside | ((ratio < 1.0) & (not low <= magnitude <= high))
    state = state_codes(missing=cells.missing, masked=False, outside=outside & ~unstable)
    said = tags(paper, model=f"{paper['model']}, {equation}", validity=law["validity"])
    return Displacement(
        median_cm=cells.wrap(median, "newmark_displacement", "cm", said),
        sigma_ln=float(law["sigma_log10"] * np.log(10.0)),
        state=cells.wrap_state(state, "newmark_state"),
        unstable=cells.wrap(unstable, "unstable_at_rest", "1", said),
        model=said["model"],
        citation=said["citation"],
        validity=said["validity"],
    )


def _ratio(ac_g: Floats, pga_g: Floats) -> Floats:
    """Critical acceleration over peak acceleration; infinite where the ground does not shake."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = ac_g / pga_g
    return np.where((pga_g == 0.0) & ~np.isnan(ac_g), np.inf, ratio)


def _log10_law(ratio: Floats, law: dict[str, float], magnitude: float | None) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = (
            law["constant"]
            + law["one_minus_ratio_exponent"] * np.log10(1.0 - ratio)
            + law["ratio_exponent"] * np.log10(ratio)
            + law["magnitude_factor"] * (magnitude or 0.0)
        )
        return np.where(ratio >= 1.0, 0.0, 10.0**exponent)
