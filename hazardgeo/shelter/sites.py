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
_POLYGONS = (3, 6)  # type ids of shapely: all kinds of one part have 3 or less
_SITES = exposure.rules((OPEN, CONDITIONAL, CONDITIONAL, CLOSED), very_high_closes=True)
Floats = NDArray[np.float64]


def capacity(
    sites: geopandas.GeoDataFrame, *, standard: Standard = "sphere_2018", phase: Phase, climate: Climate
) -> geopandas.GeoDataFrame:
    """How many people each site can hold (`capacity_places`), what limits it (`binding`), and what nobody gave (`unchecked`).

    The least of what is known: stated capacity_people, area (indoor_area_m2 and outdoor_area_m2 together), toilets and
    water_l_day, by the standard, and in a cold climate heated_area_m2. There the outdoor area of a site counts nothing
    unless its heated area is known.

    `unchecked` names what the standard asks for in this climate and the register leaves open, with an empty cell or without
    the column: area (one of the two is enough; the other counts 0), heated area where it is cold, toilets, water; "" where
    nothing is. A stated capacity is no part of a standard: it is asked for only in empty cells of its column, and a register
    without that column loses a limit. `screen` and `coverage` take no site for assured that was not checked. A site with
    neither area nor stated capacity has 0 places.

    Sphere values were checked against quotations, except 50 people per toilet in the emergency phase. The values of
    GB 51143-2015 were not checked against the standard. The notes name every unchecked value.
    Raises MissingColumnError where no column can be used, InputError for text and negative numbers.
    """
    for name, value, known in (("standard", standard, Standard), ("phase", phase, Phase), ("climate", climate, Climate)):
        if value not in get_args(known):
            raise ConfigError(f"unknown {name} {value!r}; use one of {', '.join(get_args(known))}.")
    given = {column: _numbers(sites, column) for column in CAPACITY_COLUMNS if column in sites.columns}
    table = _Standard(load(standard), phase, climate)
    if not any(table.uses(column) for column in given):
        raise MissingColumnError(
            f"the sites have no column that says how many people fit; give one of {', '.join(CAPACITY_COLUMNS)}."
        )
    limits = _limits(given, table, len(sites))
    places, binding = _least(limits)
    out = sites.assign(capacity_places=places, binding=binding, unchecked=_left_open(limits))
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

    @property
    def cold(self) -> bool:
        return self.climate == "cold"

    def area_per_person(self, kind: str) -> float:
        value = self.value(f"{kind}_m2_per_person")
        if value is None:
            raise ConfigError(f"{self.title} gives no {kind} area per person; use another standard.")
        return value

    def uses(self, column: str) -> bool:
        """Whether a column of the register says anything by this standard and in this climate."""
        if column == "heated_area_m2":
            return self.cold
        return column not in _METRICS or self.value(_METRICS[column]) is not None

    def unverified(self, metric: str) -> str:
        """The metric and its value in words if nobody checked it against the standard, else nothing."""
        entry = self._entry(metric)
        return "" if entry is None or entry["verified"] else f"{metric.replace('_', ' ')} {entry['value']:g}"


def _numbers(sites: geopandas.GeoDataFrame, column: str) -> Floats:
    numbers = pd.to_numeric(sites[column], errors="coerce").astype(float)
    wrong = (numbers.isna() & sites[column].notna()) | np.isinf(numbers) | (numbers < 0)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"{column} is {sites[column].tolist()[row]!r} at index {sites.index.tolist()[row]!r}; "
            "it must be a number of at least 0 or empty."
        )
    return np.asarray(numbers, np.float64)


def _limits(given: Mapping[str, Floats], table: _Standard, sites: int) -> dict[str, Floats]:
    """Places that each thing which counts allows, by its name; NaN where it is not known."""
    column = {name: given.get(name, np.full(sites, np.nan)) for name in CAPACITY_COLUMNS}
    indoor = column["indoor_area_m2"] / table.area_per_person("indoor")
    outdoor = column["outdoor_area_m2"] / table.area_per_person("outdoor")
    frozen = ~np.isnan(outdoor) & np.isnan(column["heated_area_m2"]) & table.cold
    area = np.nan_to_num(indoor) + np.where(frozen, 0.0, np.nan_to_num(outdoor))
    limits = {
        "outdoor area is not heated": np.where(frozen & np.isnan(indoor), 0.0, np.inf),
        "area": np.where(np.isnan(indoor) & np.isnan(outdoor), np.nan, area),
    }
    if "capacity_people" in given:
        limits["stated capacity"] = given["capacity_people"]
    if table.cold:
        limits["heated area"] = column["heated_area_m2"] / table.area_per_person("indoor")
    per_toilet, water_l = table.value("people_per_toilet"), table.value("water_l_day_per_person")
    if per_toilet is not None:
        limits["toilets"] = column["toilets"] * per_toilet
    if water_l is not None:
        limits["water"] = column["water_l_day"] / water_l
    return limits


def _least(limits: Mapping[str, Floats]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """The places that all known limits allow, and the limit that binds; none where nobody knows how large the site is."""
    stacked = np.stack(list(limits.values()))
    whole = np.floor(np.where(np.isnan(stacked), np.inf, stacked) + 1e-9)
    sizeless = np.isnan(limits["area"]) & np.isnan(limits.get("stated capacity", np.full(stacked.shape[1], np.nan)))
    binding = np.where(sizeless, "unknown: area not given", np.array(list(limits), object)[whole.argmin(axis=0)])
    return np.where(sizeless, 0.0, whole.min(axis=0)).astype(np.int64), binding


def _left_open(limits: Mapping[str, Floats]) -> list[str]:
    """The names of what is not known of each site, in one text."""
    unknown = np.isnan(np.stack(list(limits.values())))
    return [", ".join(name for name, lost in zip(limits, column, strict=True) if lost) for column in unknown.T]


def _notes(table: _Standard, given: Mapping[str, Floats]) -> list[str]:
    notes = [f"Places follow {table.title}."]
    unverified = [words for column, metric in _METRICS.items() if column in given and (words := table.unverified(metric))]
    if unverified:
        notes.append(f"Not checked against the text of the standard: {', '.join(unverified)}.")
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
    conditional: touches a cell that the model masks, or of level moderate or high: to be looked at before use. Or `capacity`
    left something in `unchecked`; without that column the hazards alone are judged.
    open: every touched cell of every hazard is assessed as low, no mapped body is touched, and nothing is left unchecked.

    Areas are taken as they are; points and lines, alone, beside areas or left over from broken ones, get `radius_m` around
    them (30 m: a school with its yard). Mapped bodies say where a hazard is, not where none is: with bodies alone nothing is
    open. None in place of a layer says that nobody looked. Raises CrsError unless all are in one metric CRS, InputError for
    sites without coordinates.
    """
    if not (np.isfinite(radius_m) and radius_m > 0):
        raise ConfigError(f"radius_m is {radius_m}; give the size of a site in metres, for example 30.")
    areas = _areas(sites, radius_m)
    if not hazards:
        out = sites.assign(status="unknown", reason=NOBODY_LOOKED)
    else:
        findings = {name: exposure.over_areas(areas, hazard, _SITES) for name, hazard in hazards.items()}
        status, reason = exposure.doubted(*exposure.judge(findings, hazards, _SITES), not_checked(sites))
        out = sites.assign(status=status, reason=reason)
    out.attrs = dict(sites.attrs)
    return out


def not_checked(sites: geopandas.GeoDataFrame) -> NDArray[Any]:
    """What `capacity` left open of each site, as a reason; "" where nothing is, or where nobody asked."""
    if "unchecked" not in sites.columns:
        return np.full(len(sites), "", object)
    given = sites["unchecked"].astype("object")
    text = given.where(given.notna(), "capacity").astype(str).to_numpy(object)
    return np.asarray(np.where(text == "", "", "not checked: " + text), object)


def _areas(sites: geopandas.GeoDataFrame, radius_m: float) -> geopandas.GeoSeries:
    """Each site as polygons that cover all of it."""
    if sites.crs is None:
        raise CrsError("the sites have no CRS; state it with .set_crs('EPSG:...').")
    crs = _crs.horizontal(sites.crs)
    _crs.require_metric(crs, what="screening sites", fix="project them first with .to_crs(...) to the CRS of the hazards.")
    exposure.require_coordinates(sites.geometry, "sites")
    geometry = sites.geometry.to_numpy()
    flat = shapely.get_dimensions(geometry) < 2
    areas = np.where(flat, shapely.buffer(geometry, radius_m), shapely.make_valid(geometry))
    for i in np.flatnonzero(~np.isin(shapely.get_type_id(areas), _POLYGONS)):
        areas[i] = _covered(areas[i], radius_m)
    return geopandas.GeoSeries(areas, index=sites.index, crs=sites.crs)


def _covered(geometry: Any, radius_m: float) -> Any:
    """The polygons of a mixed geometry, and its lines and points with `radius_m` around them."""
    parts = shapely.get_parts(geometry)
    while shapely.get_type_id(parts).max() > _POLYGONS[0]:
        parts = shapely.get_parts(parts)
    return shapely.union_all(np.where(shapely.get_dimensions(parts) < 2, shapely.buffer(parts, radius_m), parts))
