"""Coseismic landslides on the scale of a screening map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from scipy.special import expit

from hazardgeo.errors import InputError
from hazardgeo.hazard.field import Array, Cells, Field, Floats, Mask, state_codes, unwrap
from hazardgeo.hazard.published import published, tags
from hazardgeo.hazard.result import Probability
from hazardgeo.raster import UNKNOWN_CLASS, Raster

_GLIM = ("su", "ss", "sm", "sc", "py", "va", "vi", "vb", "pa", "pi", "pb", "mt", "ev", "nd", "wb", "ig")


def glim_codes() -> dict[str, int]:
    """The code of each class of the Global Lithological Map in our class rasters: 1 to 16 in the order of its legend.

    The numbers are a convention of hazardgeo, because the map itself carries letters only. su unconsolidated sediments
    (loess among them), ss siliciclastic, sm mixed and sc carbonate sedimentary rocks, py pyroclastics, va acid, vi
    intermediate and vb basic volcanics, pa acid, pi intermediate and pb basic plutonics, mt metamorphics, ev
    evaporites, nd no data, wb water bodies, ig ice and glaciers.

    >>> glim_codes()["su"]
    1
    """
    return {glim: code for code, glim in enumerate(_GLIM, start=1)}


def nowicki_jessee_2018(
    *,
    pgv_cm_s: Field | float,
    slope_deg: Field | float,
    lithology: Field | str | float,
    land_cover: Field | float,
    cti: Field | float,
    pga_g: Field | float | None = None,
    sigma_ln_pgv: Field | float | None = None,
) -> Probability[Field]:
    """Probability of coseismic landsliding, and the share of ground that it takes, both 0 to 1.

    The operational variant of the USGS: PGV is capped at 211 cm/s and CTI at 0 to 19 (state "outside range" where that
    acts), unconsolidated sediments count -1.36 instead of -3.22, and cells of 2 degrees or less, or of less than 0.02 g
    where `pga_g` is given, are masked: probability and share 0, state "masked by model" unless a cap acts as well. Masked
    does not mean safe: loess flow slides run on gentle ground. NaN and "input missing" where any input is unknown; 0 where
    PGV is 0.

    Made for slope and wetness (CTI) of 7.5 arcsec cells, about 230 m: aggregate a drone survey before use.
    `lithology` holds GLiM classes: integer codes (see `glim_codes`), letters such as "su", or the model's coefficients
    themselves as floats (a raster then has the unit "logit"). `land_cover` holds integer GlobCover codes or
    coefficients likewise. Coefficients of -3.21 and less are the 2018 value of su and become -1.36 as well. Classes
    without a coefficient take the published default. `sigma` contains the scatter of the
    model and, where `sigma_ln_pgv` is given, that of the shaking. Raises InputError for codes that are no classes.

    Source: Nowicki Jessee et al. 2018, doi:10.1029/2017JF004494; Allstadt et al. 2022, doi:10.1177/87552930211032685.
    The coefficients were compared with the implementation of the USGS, not with the printed tables.

    >>> result = nowicki_jessee_2018(pgv_cm_s=30.0, slope_deg=35.0, lithology="su", land_cover=20, cti=6.0)
    >>> 0.0 < float(result.area_fraction) < 0.256
    True
    """
    paper = published("nowicki_jessee_2018")
    cells: Cells[Field] = unwrap(
        pgv_cm_s=pgv_cm_s,
        slope_deg=slope_deg,
        lithology=_lithology_logit(lithology, paper),
        land_cover=_land_cover_logit(land_cover, paper["land_cover"]),
        cti=cti,
        pga_g=pga_g,
        sigma_ln_pgv=sigma_ln_pgv,
    )
    masked = cells["slope_deg"] <= paper["mask"]["slope_deg"]
    if pga_g is not None:
        masked = masked | (cells["pga_g"] < paper["mask"]["pga_g"])
    limits = paper["range"]
    outside = (cells["pgv_cm_s"] > limits["pgv_cm_s"][1]) | (np.clip(cells["cti"], *limits["cti"]) != cells["cti"])
    return _probability(cells, paper, masked, outside)


def _probability(cells: Cells[Field], paper: Mapping[str, Any], masked: Mask, outside: Mask) -> Probability[Field]:
    logit = paper["logit"]
    pgv = np.clip(cells["pgv_cm_s"], *paper["range"]["pgv_cm_s"])
    cti = np.clip(cells["cti"], *paper["range"]["cti"])
    with np.errstate(divide="ignore"):
        ln_pgv = np.log(pgv)
    pgv_slope = logit["ln_pgv"] + logit["slope_ln_pgv"] * cells["slope_deg"]
    x = logit["intercept"] + pgv_slope * ln_pgv + logit["slope_deg"] * cells["slope_deg"] + logit["cti"] * cti
    probability = expit(x + cells["lithology"] + cells["land_cover"])
    area, derivative = _area_fraction(probability, paper["area"])
    variance_x = logit["sigma"] ** 2
    if "sigma_ln_pgv" in cells.values:
        variance_x = variance_x + (pgv_slope * cells["sigma_ln_pgv"]) ** 2
    sigma = derivative * probability * (1.0 - probability) * np.sqrt(variance_x)
    missing, none = cells.missing, masked | (pgv == 0.0)
    return Probability(
        probability=cells.wrap(_known(probability, missing, masked), "landslide_probability", "1", tags(paper)),
        area_fraction=cells.wrap(_known(area, missing, none), "landslide_area_fraction", "1", tags(paper)),
        sigma=cells.wrap(np.where(missing | masked, np.nan, sigma), "landslide_area_sigma", "1", tags(paper)),
        state=cells.wrap_state(state_codes(missing=missing, masked=masked, outside=outside), "landslide_state"),
        model=paper["model"],
        citation=paper["citation"],
        validity=paper["validity"],
    )


def _area_fraction(probability: Floats, area: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Share of ground affected, and its derivative with respect to the probability."""
    p, c1, c2, c3 = probability, area["c1"], area["c2"], area["c3"]
    fraction = np.exp(area["c0"] + c1 * p + c2 * p**2 + c3 * p**3)
    return fraction, fraction * (c1 + 2.0 * c2 * p + 3.0 * c3 * p**2)


def _known(values: Floats, missing: Mask, none: Mask) -> Floats:
    return np.where(missing, np.nan, np.where(none, 0.0, values))


def _lithology_logit(lithology: Field | str | float, paper: Mapping[str, Any]) -> Field | float:
    """The coefficient of each cell, from GLiM letters, our codes of them, or coefficients."""
    table = paper["lithology"]
    by_letters = {glim: table.get(glim, table["default"]) for glim in _GLIM}
    values: Any = lithology.values if isinstance(lithology, Raster) else np.asarray(lithology)
    if values.dtype.kind in "SUO":
        return cast("Field | float", _letters_to_logit(values, by_letters))
    by_code = np.full(256, np.nan)
    for glim, code in glim_codes().items():
        by_code[code] = by_letters[glim]
    legal = {*glim_codes().values(), UNKNOWN_CLASS}
    logit = _codes_to_logit(cast("Field | float", lithology), by_code, legal, "lithology")
    return _with_operational_su(logit, paper["published_su"]["at_most"], table["su"])


def _with_operational_su(logit: Field | float, at_most: float, su: float) -> Field | float:
    """Coefficients with the su of 2018, by which loess would be the strongest ground of all, replaced."""
    values: Any = logit.values if isinstance(logit, Raster) else np.asarray(logit)
    replaced: Any = np.where(values <= at_most, su, values)
    if isinstance(logit, Raster):
        replaced = logit.like(replaced, "lithology", "logit")
    return cast("Field | float", replaced)


def _land_cover_logit(land_cover: Field | float, table: Mapping[str, float]) -> Field | float:
    by_code = np.full(256, table["default"])
    for code, coefficient in table.items():
        if code != "default":
            by_code[int(code)] = coefficient
    by_code[UNKNOWN_CLASS] = np.nan
    return _codes_to_logit(land_cover, by_code, set(range(1, 256)), "land_cover")


def _codes_to_logit(field: Field | float, by_code: Floats, legal: set[int], name: str) -> Field | float:
    values: Any = field.values if isinstance(field, Raster) else np.asarray(field)
    if values.dtype.kind not in "iu":
        if isinstance(field, Raster) and field.unit != "logit":
            raise InputError(
                f"{name} raster {field.name!r} holds {values.dtype} of unit {field.unit!r}; give uint8 class codes, or the "
                "model's coefficients with the unit 'logit'."
            )
        return field
    wrong = sorted(set(np.unique(values).tolist()) - legal)
    if wrong:
        raise InputError(f"{name} holds the codes {wrong[:5]}, which are no classes; use 255 for unknown.")
    logit = by_code[values]
    if isinstance(field, Raster):
        return cast("Field | float", field.like(logit, name, "logit"))
    return cast("Field | float", logit)


def _letters_to_logit(values: Array, by_letters: Mapping[str, float]) -> Array:
    """Coefficients of GLiM letters given as text or as bytes; an empty text is unknown."""
    text = np.array([v.decode() if isinstance(v, bytes) else str(v) for v in values.ravel().tolist()], dtype=str)
    letters, place = np.unique(text, return_inverse=True)
    wrong = [str(letter) for letter in letters if letter and letter not in by_letters]
    if wrong:
        raise InputError(f"lithology holds {wrong[:5]}, which are no classes of GLiM; use {', '.join(by_letters)}.")
    coefficients = np.array([by_letters.get(str(letter), np.nan) for letter in letters])
    return np.asarray(coefficients[place].reshape(values.shape))
