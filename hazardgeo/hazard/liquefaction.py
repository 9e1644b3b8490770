"""Liquefaction on the scale of a screening map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from hazardgeo.hazard.field import Cells, Field, Floats, Mask, require_magnitude, state_codes, unwrap
from hazardgeo.hazard.published import published, tags
from hazardgeo.hazard.result import Probability


def zhu_2015(
    *,
    pga_g: Field | float,
    magnitude: float,
    cti: Field | float,
    vs30_m_s: Field | float,
    sigma_ln_pga: Field | float | None = None,
) -> Probability[Field]:
    """Probability of liquefaction, and the share of ground that it takes (0.81 of it), both 0 to 1.

    PGA is capped at 2.7 g and CTI at 0 to 15 (state "outside range" where that acts); ground stiffer than 620 m/s is
    masked: probability and share 0, state "masked by model" unless a cap acts too. NaN and "input missing" where any input
    is unknown.
    `sigma` holds the scatter of the shaking and is NaN unless `sigma_ln_pga` is given, for the paper states none of its
    own. Made for cells of about 1 km; the water table is only in it through the wetness index.

    Source: Zhu et al. 2015, doi:10.1193/121912EQS353M; areal factor of Zhu et al. 2017, doi:10.1785/0120160198. The
    coefficients were compared with the implementation of the USGS, not with the printed equations.

    >>> float(zhu_2015(pga_g=0.3, magnitude=6.9, cti=8.0, vs30_m_s=700.0).probability)
    0.0
    """
    require_magnitude(magnitude)
    paper = published("zhu_2015")
    cells = unwrap(pga_g=pga_g, cti=cti, vs30_m_s=vs30_m_s, sigma_ln_pga=sigma_ln_pga)
    logit, scale = paper["logit"], paper["magnitude"]
    pga, pga_capped = _cap(cells, paper, "pga_g")
    cti_used, cti_capped = _cap(cells, paper, "cti")
    factor = magnitude ** scale["exponent"] / 10.0 ** scale["offset"]
    x = (
        logit["intercept"]
        + logit["ln_scaled_pga"] * _ln(pga * factor)
        + logit["cti"] * cti_used
        + logit["ln_vs30"] * _ln(cells["vs30_m_s"])
    )
    probability = expit(x)
    sigma = np.full(probability.shape, np.nan)
    if sigma_ln_pga is not None:
        spread = logit["ln_scaled_pga"] * cells["sigma_ln_pga"]
        sigma = paper["area"]["factor"] * probability * (1.0 - probability) * spread
    masked = cells["vs30_m_s"] > paper["mask"]["vs30_m_s"]
    estimate = _Estimate(probability, paper["area"]["factor"] * probability, sigma)
    return _result(cells, paper, estimate, masked=masked, outside=pga_capped | cti_capped)


def zhu_2017_general(
    *,
    pgv_cm_s: Field | float,
    vs30_m_s: Field | float,
    precipitation_mm: Field | float,
    distance_to_coast_km: Field | float,
    distance_to_river_km: Field | float,
    water_table_m: Field | float,
    magnitude: float,
    pga_g: Field | float | None = None,
    slope_deg: Field | float | None = None,
    sigma_ln_pgv: Field | float | None = None,
) -> Probability[Field]:
    """Probability of liquefaction (general model), and the share of ground that it takes, both 0 to 1.

    The operational variant of the USGS: PGV is scaled by 1 / (1 + exp(-2 (M - 6))) and capped at 150 cm/s,
    precipitation at 2,500 mm a year (state "outside range" where a cap acts). Masked, with probability and share 0 and
    the state "masked by model" unless a cap acts too: PGV under 3 cm/s, Vs30 over 620 m/s, and where they are given PGA
    under 0.1 g and slopes over 5 degrees. NaN and "input missing" where any input is unknown. The USGS also masks slopes of
    exactly 0, which leaves out the sea; here they are kept, because the flattest ground liquefies first.

    `sigma` contains the scatter of the model and, where `sigma_ln_pgv` is given, that of the shaking. Made for cells of
    about 1 km. On loess platforms with a deep modelled water table and irrigation it reads too low: give the perched
    water table where it is known.

    Source: Zhu et al. 2017, doi:10.1785/0120160198; Allstadt et al. 2022, doi:10.1177/87552930211032685. The
    coefficients were compared with the implementation of the USGS, not with the printed equations.

    >>> wet = dict(vs30_m_s=300.0, precipitation_mm=300.0, distance_to_coast_km=900.0, distance_to_river_km=0.3)
    >>> round(float(zhu_2017_general(pgv_cm_s=18.0, water_table_m=5.0, magnitude=6.2, **wet).probability), 3)
    0.196
    """
    require_magnitude(magnitude)
    paper = published("zhu_2017_general")
    cells = unwrap(
        pgv_cm_s=pgv_cm_s,
        vs30_m_s=vs30_m_s,
        precipitation_mm=precipitation_mm,
        distance_to_coast_km=distance_to_coast_km,
        distance_to_river_km=distance_to_river_km,
        water_table_m=water_table_m,
        pga_g=pga_g,
        slope_deg=slope_deg,
        sigma_ln_pgv=sigma_ln_pgv,
    )
    pgv, pgv_capped = _cap(cells, paper, "pgv_cm_s")
    precipitation, precipitation_capped = _cap(cells, paper, "precipitation_mm")
    probability = expit(_zhu_2017_logit(cells, paper, pgv, precipitation, magnitude))
    area, derivative = _area_fraction(probability, paper["area"])
    variance_x = paper["logit"]["sigma"] ** 2
    if sigma_ln_pgv is not None:
        variance_x = variance_x + (paper["logit"]["ln_pgv"] * cells["sigma_ln_pgv"]) ** 2
    sigma = derivative * probability * (1.0 - probability) * np.sqrt(variance_x)
    estimate = _Estimate(probability, area, sigma)
    return _result(cells, paper, estimate, masked=_zhu_2017_mask(cells, paper), outside=pgv_capped | precipitation_capped)


@dataclass(frozen=True, slots=True)
class _Estimate:
    probability: Floats
    area_fraction: Floats
    sigma: Floats


def _zhu_2017_logit(
    cells: Cells[Field], paper: Mapping[str, Any], pgv: Floats, precipitation: Floats, magnitude: float
) -> Floats:
    logit, scale = paper["logit"], paper["magnitude"]
    factor = expit(scale["steepness"] * (magnitude - scale["centre"]))
    water_km = np.minimum(cells["distance_to_coast_km"], cells["distance_to_river_km"])
    return np.asarray(
        logit["intercept"]
        + logit["ln_pgv"] * _ln(pgv * factor)
        + logit["ln_vs30"] * _ln(cells["vs30_m_s"])
        + logit["precipitation_mm"] * precipitation
        + logit["distance_to_water_km"] * water_km
        + logit["water_table_m"] * cells["water_table_m"]
    )


def _zhu_2017_mask(cells: Cells[Field], paper: Mapping[str, Any]) -> Mask:
    limits, given = paper["mask"], cells.values
    masked = (given["pgv_cm_s"] < limits["pgv_cm_s"]) | (given["vs30_m_s"] > limits["vs30_m_s"])
    if "pga_g" in given:
        masked = masked | (given["pga_g"] < limits["pga_g"])
    if "slope_deg" in given:
        masked = masked | (given["slope_deg"] > limits["slope_deg"])
    return np.asarray(masked)


def _area_fraction(probability: Floats, area: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Share of ground affected, and its derivative with respect to the probability."""
    a, b, c = area["a"], area["b"], area["c"]
    decay = b * np.exp(-c * probability)
    return a / (1.0 + decay) ** 2, 2.0 * a * c * decay / (1.0 + decay) ** 3


def _cap(cells: Cells[Field], paper: Mapping[str, Any], name: str) -> tuple[Floats, Mask]:
    """The quantity inside the range of the paper, and where it had to be cut."""
    capped = np.clip(cells[name], *paper["range"][name])
    return capped, capped != cells[name]


def _ln(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(values)


def _result(
    cells: Cells[Field], paper: Mapping[str, Any], estimate: _Estimate, *, masked: Mask, outside: Mask
) -> Probability[Field]:
    missing, said = cells.missing, tags(paper)
    probability = np.where(missing, np.nan, np.where(masked, 0.0, estimate.probability))
    area = np.where(missing, np.nan, np.where(masked, 0.0, estimate.area_fraction))
    sigma = np.where(missing | masked, np.nan, estimate.sigma)
    return Probability(
        probability=cells.wrap(probability, "liquefaction_probability", "1", said),
        area_fraction=cells.wrap(area, "liquefaction_area_fraction", "1", said),
        sigma=cells.wrap(sigma, "liquefaction_area_sigma", "1", said),
        state=cells.wrap_state(state_codes(missing=missing, masked=masked, outside=outside), "liquefaction_state"),
        model=paper["model"],
        citation=paper["citation"],
        validity=paper["validity"],
    )
