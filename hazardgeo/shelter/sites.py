"""Sites: how many people a place can hold by a standard, and whether hazards leave it fit for use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.errors import ConfigError, CrsError, InputError, MissingColumnError
from hazardgeo.levels import Levels
from hazardgeo.network import exposure
from hazardgeo.network.exposure import CLOSED, CONDITIONAL, OPEN
from hazardgeo.shelter.tables import load

Standard = Literal["sphere_2018", "gb51143_2015"]
Phase = Literal["emergency", "short"]
Climate = Literal["cold", "temperate"]
CAPACITY_COLUMNS = ("capacity_people", "indoor_area_m2", "outdoor_area_m2", "heated_area_m2", "toilets", "water_l_day")
_METRICS = {
    "indoor_area_m2": "indoor_m2_per_person",
    "outdoor_area_m2": "outdoor_m2_per_person",
    "toilets": "people_per_toilet",
    "water_l_day": "water_l_day_per_person",
}
NOBODY_LOOKED = "no hazard layer was given"
_SITES = exposure.rules((OPEN, CONDITIONAL, CONDITIONAL, CLOSED), very_high_closes=True)
Floats = NDArray[np.float64]


def capacity(
    sites: geopandas.GeoDataFrame, *, standard: Standard = "sphere_2018", phase: Phase, climate: Climate
) -> geopandas.GeoDataFrame:
    """How many people each site can hold (`capacity_places`), and what limits it (`binding`).

    The least of what is given: stated capacity_people, area (indoor_area_m2 and outdoor_area_m2 together), toilets and
    water_l_day, by the standard. In a cold climate the outdoor area counts nothing unless heated_area_m2 says how much of
    the site is warm; that is then a limit too. What has no column is not checked, and `attrs["notes"]` says so.

    An empty cell is unknown, never assumed: the site then counts 0 places and `binding` says what is not given (of the
    two areas one is enough; the other counts 0).

    Sphere values were checked against quotations, except 50 people per toilet in the emergency phase. The values of
    GB 51143-2015 were not checked against the standard. The notes name every unchecked value.
    Raises MissingColumnError where no column can be used, InputError for text and negative numbers.
    """
    for name, value, known in (("standard", standard, Standard), ("phase", phase, Phase), ("climate", climate, Climate)):
        if value not in get_args(known):
            raise ConfigError(f"unknown {name} {value!r}; use one of {', '.join(get_args(known))}.")
    given = {column: _numbers(sites, column) for column in CAPACITY_COLUMNS if column in sites.columns}
    table = _Standard(load(standard), phase, climate)
    limits = _limits(given, table, cold=climate == "cold")
    if not limits:
        raise MissingColumnError(
            f"the sites have no column that says how many people fit; give one of {', '.join(CAPACITY_COLUMNS)}."
        )
    places, binding = _least(limits)
    out = sites.assign(capacity_places=places, binding=binding)
    out.attrs = {**sites.attrs, "notes": [*sites.attrs.get("notes", []), *_notes(table, given)]}
    return out


@dataclass(frozen=True, slots=True)
class _Standard:
    """The values of a standard for one phase and climate."""

    table: Mapping[str, Any]
    phase: str
    climate: str

    @property
    def title(self) -> str:
        return str(self.table["title"])

    def _entry(self, metric: str) -> Mapping[str, Any] | None:
        climates = self.table.get(metric, {})
        found: Mapping[str, Any] | None = climates.get(self.climate, climates.get("any", {})).get(self.phase)
        return found

    def value(self, metric: str) -> float | None:
        """The value of a metric, None where the standard sets none."""
        entry = self._entry(metric)
        return None if entry is None else float(entry["value"])

    def unchecked(self, metric: str) -> str:
        """The metric and its value in words if nobody checked it against the standard, else nothing."""
        entry = self._entry(metric)
        return "" if entry is None or entry["verified"] else f"{metric.replace('_', ' ')} {entry['value']:g}"


def _numbers(sites: geopandas.GeoDataFrame, column: str) -> Floats:
    numbers = pd.to_numeric(sites[column], errors="coerce").astype(float)
    wrong = (numbers.isna() & sites[column].notna()) | np.isinf(numbers) | (numbers < 0)
    if wrong.any():
        where = sites.index[int(np.flatnonzero(wrong)[0])]
        raise InputError(
            f"{column} is {sites[column].loc[where]!r} at index {where!r}; it must be a number of at least 0 or empty."
        )
    return np.asarray(numbers, np.float64)


def _limits(given: Mapping[str, Floats], table: _Standard, *, cold: bool) -> dict[str, Floats]:
    """Places that each thing allows, by its name; NaN where it is not known."""
    limits: dict[str, Floats] = {}
    if "capacity_people" in given:
        limits["stated capacity"] = given["capacity_people"]
    heated = given.get("heated_area_m2") if cold else None
    areas = {kind: given[f"{kind}_area_m2"] for kind in ("indoor", "outdoor") if f"{kind}_area_m2" in given}
    if areas:
        limits.update(_area_limit(areas, table, counts_outdoor=not cold or heated is not None))
    per_indoor = table.value("indoor_m2_per_person") if heated is not None else None
    if heated is not None and per_indoor:
        limits["heated area"] = heated / per_indoor
    per_toilet = table.value("people_per_toilet") if "toilets" in given else None
    if per_toilet:
        limits["toilets"] = given["toilets"] * per_toilet
    water = table.value("water_l_day_per_person") if "water_l_day" in given else None
    if water:
        limits["water"] = given["water_l_day"] / water
    return limits


def _area_limit(areas: Mapping[str, Floats], table: _Standard, *, counts_outdoor: bool) -> dict[str, Floats]:
    usable = {kind: area for kind, area in areas.items() if kind == "indoor" or counts_outdoor}
    if not usable:
        return {"outdoor area is not heated": np.zeros(len(next(iter(areas.values()))))}
    places = []
    for kind, area in usable.items():
        per_person = table.value(f"{kind}_m2_per_person")
        if per_person is None:
            raise ConfigError(f"{table.title} gives no {kind} area per person; use another standard.")
        places.append(area / per_person)
    stacked = np.stack(places)
    return {"area": np.where(np.isnan(stacked).all(axis=0), np.nan, np.nan_to_num(stacked).sum(axis=0))}


def _least(limits: Mapping[str, Floats]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    names = list(limits)
    stacked = np.stack(list(limits.values()))
    unknown = np.isnan(stacked)
    whole = np.floor(np.where(unknown, np.inf, stacked) + 1e-9)
    binding = np.array(names, object)[whole.argmin(axis=0)]
    for site in np.flatnonzero(unknown.any(axis=0)):
        binding[site] = f"unknown: {', '.join(n for n, lost in zip(names, unknown[:, site], strict=True) if lost)} not given"
    places = np.where(unknown.any(axis=0), 0.0, whole.min(axis=0)).astype(np.int64)
    return places, binding


def _notes(table: _Standard, given: Mapping[str, Floats]) -> list[str]:
    notes = [f"Places follow {table.title}."]
    unchecked = [words for column, metric in _METRICS.items() if column in given and (words := table.unchecked(metric))]
    if unchecked:
        notes.append(f"Not checked against the text of the standard: {', '.join(unchecked)}.")
    unset = [column for column, metric in _METRICS.items() if column in given and table.value(metric) is None]
    absent = [column for column in CAPACITY_COLUMNS if column not in given]
    if absent + unset:
        notes.append(f"Not given for any site or not in the standard, so not checked: {', '.join(absent + unset)}.")
    return notes


def screen(
    sites: geopandas.GeoDataFrame,
    hazards: Mapping[str, Levels | geopandas.GeoDataFrame | None],
    *,
    radius_m: float = 30.0,
) -> geopandas.GeoDataFrame:
    """Whether each site may be used (`status`), and why (`reason`); the gravest finding wins.

    closed: touches a cell of level very high, or a mapped body (GeoDataFrame of landslides, runout ...).
    unknown: touches a cell with input missing or outside the model's range, leaves the hazard map, or no layer is given.
    conditional: touches a cell that the model masks, or of level moderate or high: to be looked at before use.
    open: every touched cell of every hazard is assessed as low, and no mapped body is touched.

    Areas are taken as they are; points and lines get `radius_m` around them (30 m: a school with its yard). Mapped bodies
    say where a hazard is, not where none is: with bodies alone nothing is open. None in place of a layer says that nobody
    looked. Raises CrsError unless all are in one metric CRS, InputError for sites without geometry.
    """
    if not (np.isfinite(radius_m) and radius_m > 0):
        raise ConfigError(f"radius_m is {radius_m}; give the size of a site in metres, for example 30.")
    areas = _areas(sites, radius_m)
    if not hazards:
        out = sites.assign(status="unknown", reason=NOBODY_LOOKED)
    else:
        findings = {name: exposure.over_areas(areas, hazard, _SITES) for name, hazard in hazards.items()}
        status, reason = exposure.judge(findings, hazards, _SITES)
        out = sites.assign(status=status, reason=reason)
    out.attrs = dict(sites.attrs)
    return out


def _areas(sites: geopandas.GeoDataFrame, radius_m: float) -> geopandas.GeoSeries:
    if sites.crs is None:
        raise CrsError("the sites have no CRS; state it with .set_crs('EPSG:...').")
    crs = _crs.horizontal(sites.crs)
    _crs.require_metric(crs, what="screening sites", fix="project them first with .to_crs(...) to the CRS of the hazards.")
    geometry = sites.geometry.to_numpy()
    lost = shapely.is_missing(geometry) | shapely.is_empty(geometry)
    if lost.any():
        where = sites.index[int(np.flatnonzero(lost)[0])]
        raise InputError(f"the site at index {where!r} has no geometry, so nobody knows what threatens it; give it a place.")
    flat = shapely.get_dimensions(geometry) < 2
    areas = np.where(flat, shapely.buffer(geometry, radius_m), shapely.make_valid(geometry))
    return geopandas.GeoSeries(areas, index=sites.index, crs=sites.crs)
