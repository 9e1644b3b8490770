"""How many people have lost a home or must leave it, how many stay, and of how many nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hazardgeo import levels as lv
from hazardgeo.errors import ConfigError, InputError, MissingLayerError
from hazardgeo.event import Shaking
from hazardgeo.levels import Levels
from hazardgeo.network import exposure
from hazardgeo.network.exposure import CLOSED, CONDITIONAL, OPEN
from hazardgeo.raster import sample
from hazardgeo.shelter.people import counts, rounded
from hazardgeo.shelter.tables import load

ASSUMED_SIGMA_LN_PGA = 0.6
NOBODY_LOOKED = "no hazard layer was given"
_Z90 = 1.2815515655446004
_DAMAGE = ("slight", "moderate", "extensive", "complete")
_STATE_WORDS = {
    lv.ASSESSED: "assessed",
    lv.MASKED_BY_MODEL: "masked by the model",
    lv.OUTSIDE_RANGE: "outside the model",
    lv.MISSING_INPUT: "input missing",
}
_HOMES = exposure.rules((OPEN, OPEN, CONDITIONAL, CLOSED), very_high_closes=True)
Floats = NDArray[np.float64]


def displaced(
    people: geopandas.GeoDataFrame, shaking: Shaking, *, night_temp_c: float, hazards: Mapping[str, Levels] | None = None
) -> geopandas.GeoDataFrame:
    """Displaced, staying and not assessed people of each home: every resident is counted in exactly one of the three.

    `people`: points with whole numbers in `people` (residents, not daytime occupants), and where known `building_type`
    (adobe, rammed_earth, brick, rc, wood); an unknown type counts as whichever type displaces most. New columns:

    - displaced_people: expected number at the PGA of the map; everybody in must_leave_people. Each home is rounded up or
      down by a threshold that depends on its position in the table alone, and evenly spread over the homes: what is known
      of one home never moves people in another, and sums are without bias (`people.rounded` says how close they are).
    - displaced_p10, displaced_p90: the same for PGA at its 10 % and 90 % quantile, the error shared by all homes. Not
      rounded, but widened to hold displaced_people, so that their sums over many small homes span too much. Where shaking
      is unknown: 0 and everybody.
    - must_leave_people: residents of homes in a cell of level 4 (very high) of any hazard.
    - staying_people: not displaced, with known shaking and every hazard assessed as low or moderate. Nobody else.
    - not_assessed_people: all others, among them those in a cell of high level: somebody has to look at the home.
    - homes_state: assessed, masked by the model, outside the model or input missing; and reason.

    Damage: lognormal in PGA with the equivalent-PGA structural fragilities of Hazus 6.1 (FEMA 2024, Tables 5-39 and 5-40),
    made for US buildings, large earthquakes and soil; read in two transcriptions that agree, not in the manual itself.
    Adobe and rammed earth have no class there and count as unreinforced masonry. The share that leaves by damage state
    is an assumption (freezing nights: slight 0, moderate 0.3, extensive and complete 1). `attrs["notes"]` says all this.

    Raises MissingLayerError without PGA, CrsError unless all share one CRS, InputError for homes without coordinates and for
    numbers of people that are empty, negative, broken or above 2**31.
    """
    if not -90.0 <= night_temp_c <= 60.0:
        raise ConfigError(f"night_temp_c is {night_temp_c}; give the night temperature in degrees C.")
    if shaking.pga_g is None:
        raise MissingLayerError("displaced needs pga_g, which the shaking map does not give; read one that has PGA.")
    exposure.require_coordinates(people.geometry, "homes")
    residents = counts(people, "people", "give the number of residents per home in a column 'people'.").to_numpy()
    pga_g = np.asarray(sample(shaking.pga_g, people, how="bilinear"), np.float64)
    sigma, sigma_note = _sigma(shaking, people)
    kind, kind_note = _building_types(people)
    known = pga_g >= 0
    hazard = _judged(people, hazards or {})

    def expected(pga: Floats) -> Floats:
        share = np.where(known, _displaced_share(np.where(known, pga, 0.0), kind, night_temp_c), 0.0)
        return np.where(hazard.must_leave, 1.0, share) * residents

    displaced_people = rounded(expected(pga_g))
    staying = np.where(known & hazard.open, residents - displaced_people, 0)
    unknown_shaking = ~known & ~hazard.must_leave
    out = people.assign(
        displaced_people=displaced_people,
        displaced_p10=np.minimum(expected(pga_g * np.exp(-_Z90 * sigma)), displaced_people),
        displaced_p90=np.where(unknown_shaking, residents, np.maximum(expected(pga_g * np.exp(_Z90 * sigma)), displaced_people)),
        must_leave_people=np.where(hazard.must_leave, residents, 0),
        staying_people=staying,
        not_assessed_people=residents - displaced_people - staying,
        homes_state=np.where(unknown_shaking, _STATE_WORDS[lv.MISSING_INPUT], hazard.state),
        reason=_reasons(hazard, known),
    )
    unknown_note = f"Shaking is unknown at homes of {int(residents[~known].sum())} people." if not known.all() else ""
    out.attrs = {**people.attrs, "notes": _notes(night_temp_c, sigma_note, kind_note, unknown_note, hazards)}
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Homes:
    """What the hazards say about homes: residents must leave, or every hazard is assessed below high; and why."""

    must_leave: NDArray[np.bool_]
    open: NDArray[np.bool_]
    reason: NDArray[Any]
    state: NDArray[Any]


def _judged(people: geopandas.GeoDataFrame, hazards: Mapping[str, Levels]) -> _Homes:
    n = len(people)
    nothing = np.zeros(n, bool)
    if not hazards:
        missing = np.full(n, _STATE_WORDS[lv.MISSING_INPUT], object)
        return _Homes(nothing, nothing, np.full(n, NOBODY_LOOKED, object), missing)
    findings = {name: exposure.at_points(people.geometry, hazard, _HOMES) for name, hazard in hazards.items()}
    status, reason = exposure.judge(findings, hazards, _HOMES)
    codes = np.stack(list(findings.values()))
    states = np.where(codes < exposure.OUTSIDE_MAP, codes // 5, lv.MISSING_INPUT)
    worst = np.full(n, _STATE_WORDS[lv.ASSESSED], object)
    for code in (lv.MASKED_BY_MODEL, lv.OUTSIDE_RANGE, lv.MISSING_INPUT):
        worst[(states == code).any(axis=0)] = _STATE_WORDS[code]
    must_leave = status == exposure.STATUSES[CLOSED]
    worst[must_leave] = _STATE_WORDS[lv.ASSESSED]
    return _Homes(must_leave, status == exposure.STATUSES[OPEN], reason, worst)


def _displaced_share(pga_g: Floats, kind: NDArray[Any], night_temp_c: float) -> Floats:
    """Expected share of residents that leave, from PGA and building type ("" = unknown: the highest of all types)."""
    table = load("hazus_equivalent_pga")
    stays = load("habitability")["freezing" if night_temp_c < 0 else "mild"]
    with np.errstate(divide="ignore"):
        ln_pga = np.log(pga_g)
    steps = np.diff([0.0] + [stays[state] for state in _DAMAGE])
    by_type = {}
    for name, hazus_class in table["building_types"].items():
        medians = table["classes"][hazus_class]
        reached = [ndtr((ln_pga - np.log(medians[state])) / table["beta"]) for state in _DAMAGE]
        by_type[name] = np.sum([step * p for step, p in zip(steps, reached, strict=True)], axis=0)
    share = np.max(list(by_type.values()), axis=0)
    for name, values in by_type.items():
        share = np.where(kind == name, values, share)
    return np.asarray(share, np.float64)


def _building_types(people: geopandas.GeoDataFrame) -> tuple[NDArray[Any], str]:
    known = set(load("hazus_equivalent_pga")["building_types"])
    if "building_type" not in people.columns:
        return np.full(len(people), "", object), "No building types were given: the type that displaces most is taken for all."
    text = people["building_type"].astype("object").where(people["building_type"].notna(), "").astype(str)
    text = text.str.strip().str.lower().str.replace(" ", "_")
    kind = text.where(text.isin(known), "").to_numpy(object)
    lost = int((kind == "").sum())
    note = f"The building type of {lost} of {len(kind)} homes is unknown or not one of {', '.join(sorted(known))}: "
    return kind, f"{note}the type that displaces most is taken." if lost else ""


def _sigma(shaking: Shaking, people: geopandas.GeoDataFrame) -> tuple[Floats, str]:
    if shaking.sigma_ln_pga is None:
        note = f"p10 and p90 assume a standard deviation of ln PGA of {ASSUMED_SIGMA_LN_PGA}, shared by all homes."
        return np.full(len(people), ASSUMED_SIGMA_LN_PGA), note
    sigma = np.asarray(sample(shaking.sigma_ln_pga, people, how="bilinear"), np.float64)
    if (sigma < 0).any():
        raise InputError(f"sigma_ln_pga is negative ({np.nanmin(sigma):g}); it is a standard deviation.")
    note = "p10 and p90 take the standard deviation of ln PGA from the shaking map, the error shared by all homes."
    return np.where(np.isnan(sigma), ASSUMED_SIGMA_LN_PGA, sigma), note


def _reasons(hazard: _Homes, known: NDArray[np.bool_]) -> NDArray[Any]:
    shaking = np.where(known, "", "shaking: input missing; ").astype(object)
    return np.asarray(shaking + hazard.reason, object)


def _notes(night_temp_c: float, sigma: str, kind: str, unknown: str, hazards: Mapping[str, Levels] | None) -> list[str]:
    shares = load("habitability")["freezing" if night_temp_c < 0 else "mild"]
    words = ", ".join(f"{state} {shares[state]:g}" for state in _DAMAGE)
    notes = [
        "Damage follows the Hazus 6.1 equivalent-PGA fragilities, made for US buildings, large earthquakes and soil sites; "
        "which Hazus class stands for which local building type is our assumption.",
        "Adobe and rammed earth have no Hazus class; they count as low unreinforced masonry without a code, which may "
        "understate their damage.",
        f"The share of residents who leave by damage state is our assumption for nights of {night_temp_c:g} C: {words}.",
        sigma,
        kind,
        unknown,
        "" if hazards else "No hazard layer was given for the homes: nobody is reported as staying.",
    ]
    return [note for note in notes if note]
