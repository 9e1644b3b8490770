"""Who is left without a place, and why: every displaced person is counted in exactly one cause."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.errors import CrsError, MissingColumnError
from hazardgeo.network import RoadNetwork, exposure, travel_times
from hazardgeo.network.exposure import STATUSES
from hazardgeo.shelter.assign import assign
from hazardgeo.shelter.people import counts
from hazardgeo.shelter.sites import not_checked

# Cause, statuses of sites and of roads that may be used, and whether the time limit holds.
_TIERS = (
    ("sheltered", STATUSES[:1], STATUSES[:1], True),
    ("conditional", STATUSES[:2], STATUSES[:2], True),
    ("place not assessed", STATUSES[:3], STATUSES[:3], True),
    ("site closed", STATUSES, STATUSES[:3], True),
    ("road cut", STATUSES, STATUSES, True),
    ("too far", STATUSES, STATUSES, False),
)
CAUSES = (*(tier[0] for tier in _TIERS), "no road", "no capacity")
OUTSIDE = "outside all zones"
Counts = NDArray[np.int64]


def cause_column(cause: str) -> str:
    """The column that counts the people of a cause, such as "road_cut_people"."""
    return f"{cause.replace(' ', '_')}_people"


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Displaced people by cause.

    `demand`: the homes with one column of people per cause (`cause_column`) and `main_cause`. `sites`: with the people
    that each tier sends there (the same columns) and `spare_places` after tier "sheltered", the only one that is real.
    `flows`: tier, origin, site, people, minutes. `totals`: displaced people and each cause. `notes`: what was assumed.
    """

    demand: geopandas.GeoDataFrame
    sites: geopandas.GeoDataFrame
    flows: pd.DataFrame
    totals: dict[str, int]
    notes: tuple[str, ...]


def coverage(
    demand: geopandas.GeoDataFrame, sites: geopandas.GeoDataFrame, net: RoadNetwork, *, limit_min: float, snap_m: float = 500.0
) -> Coverage:
    """Who finds a place within `limit_min` minutes on foot, and why the others do not.

    In tiers, each with all earlier ones fixed, the people still without a place are assigned to the places still free:

    1. sheltered: open sites over open roads. Only these people are sheltered in a place that was looked at.
    2. conditional: also sites and roads that somebody has to look at first.
    3. place not assessed: also sites and roads of which nobody knows.
    4. site closed: also closed sites: a hazard takes the place away.
    5. road cut: also closed roads: a hazard takes the way away.
    6. too far: no time limit.
    7. no road: no way to any site even if no road were cut, or no road near the home.
    8. no capacity: everybody else: there are too few places.

    The causes sum to the displaced. `demand` comes from `displaced`, `sites` from `capacity` and `screen`; areas count
    at a point inside them, and sites with anything in `unchecked` as conditional at best. Raises MissingColumnError
    without their columns, InputError without coordinates, CrsError unless all share the CRS of `net`.
    """
    people = counts(demand, "displaced_people", "compute it with shelter.displaced(...).")
    places = counts(sites, "capacity_places", "compute it with shelter.capacity(...).")
    if "status" not in sites.columns:
        raise MissingColumnError("the sites have no column 'status'; compute it with shelter.screen(...).")
    given = sites["status"].astype("object").to_numpy()
    status, _ = exposure.doubted(given, np.full(len(sites), "", object), not_checked(sites))
    left, free = np.asarray(people, np.int64), np.asarray(places, np.int64)
    origins, stations = _points(demand, "homes"), _points(sites, "sites")
    by_home = {cause: np.zeros(len(left), np.int64) for cause in CAUSES}
    by_site = {tier[0]: np.zeros(len(free), np.int64) for tier in _TIERS}
    flows = []
    for cause, site_statuses, road_statuses, timed in _TIERS:
        limit = limit_min if timed else math.inf
        may = np.isin(status, site_statuses)
        moved = _tier(net, origins, stations, left, np.where(may, free, 0), (limit, road_statuses, snap_m))
        np.add.at(by_home[cause], moved["origin"].to_numpy(), moved["people"].to_numpy())
        np.add.at(by_site[cause], moved["site"].to_numpy(), moved["people"].to_numpy())
        left, free = left - by_home[cause], free - by_site[cause]
        flows.append(moved.assign(tier=cause))
    reachable = _reachable(net, origins, stations, left, snap_m)
    by_home["no capacity"] = np.where(reachable, left, 0)
    by_home["no road"] = np.where(reachable, 0, left)
    assert (np.sum(list(by_home.values()), axis=0) == people.to_numpy()).all(), "the causes do not sum to the displaced"
    assert (free >= 0).all(), "a site holds more people than it has places"
    return _result(demand, sites, by_home, by_site, pd.concat(flows, ignore_index=True), net)


def _points(table: geopandas.GeoDataFrame, what: str) -> geopandas.GeoDataFrame:
    """The places of a table as points, numbered from 0."""
    exposure.require_coordinates(table.geometry, what)
    geometry = table.geometry.to_numpy()
    points = np.where(shapely.get_dimensions(geometry) > 0, shapely.point_on_surface(geometry), geometry)
    return geopandas.GeoDataFrame(geometry=points, crs=table.crs)


def _tier(
    net: RoadNetwork,
    origins: geopandas.GeoDataFrame,
    stations: geopandas.GeoDataFrame,
    left: Counts,
    free: Counts,
    ways: tuple[float, tuple[str, ...], float],
) -> pd.DataFrame:
    """Flows of one tier between positions of homes and sites."""
    limit, statuses, snap_m = ways
    home, site = np.flatnonzero(left > 0), np.flatnonzero(free > 0)
    if not (len(home) and len(site)):
        return pd.DataFrame({"origin": home[:0], "site": site[:0], "people": left[:0], "minutes": np.zeros(0)})
    times = travel_times(net, origins.iloc[home], stations.iloc[site], limit_min=limit, statuses=statuses, snap_m=snap_m)
    people, places = pd.Series(left[home], index=home), pd.Series(free[site], index=site)
    return assign(people, places, times).flows.astype({"origin": np.int64, "site": np.int64})


def _reachable(
    net: RoadNetwork, origins: geopandas.GeoDataFrame, stations: geopandas.GeoDataFrame, left: Counts, snap_m: float
) -> NDArray[np.bool_]:
    """Whether any site can be reached over the intact network; True where there is no site at all: places are missing."""
    found = np.ones(len(left), bool)
    home = np.flatnonzero(left > 0)
    if len(home) and len(stations):
        times = travel_times(net, origins.iloc[home], stations, limit_min=math.inf, statuses=STATUSES, snap_m=snap_m)
        found[home] = np.isfinite(times.minutes).any(axis=1)
    return found


def _result(
    demand: geopandas.GeoDataFrame,
    sites: geopandas.GeoDataFrame,
    by_home: dict[str, Counts],
    by_site: dict[str, Counts],
    flows: pd.DataFrame,
    net: RoadNetwork,
) -> Coverage:
    homes = demand.assign(**{cause_column(c): v for c, v in by_home.items()})
    homes = homes.assign(main_cause=_main_cause(homes))
    places = sites["capacity_places"].astype(np.int64) - by_site["sheltered"]
    stations = sites.assign(**{cause_column(c): v for c, v in by_site.items()}, spare_places=places)
    homes.attrs, stations.attrs = dict(demand.attrs), dict(sites.attrs)
    flows = flows.assign(
        origin=demand.index.to_numpy()[flows["origin"].to_numpy()], site=sites.index.to_numpy()[flows["site"].to_numpy()]
    )[["tier", "origin", "site", "people", "minutes"]]
    totals = {"displaced": int(demand["displaced_people"].sum()), **{c: int(v.sum()) for c, v in by_home.items()}}
    notes = (*demand.attrs.get("notes", ()), *sites.attrs.get("notes", ()), *net.notes)
    return Coverage(homes, stations, flows, totals, tuple(dict.fromkeys(notes)))


def _main_cause(table: pd.DataFrame) -> NDArray[Any]:
    """The cause that leaves most people without a place, in the order of CAUSES where equal."""
    causes = np.array(CAUSES[1:], object)
    people = table[[cause_column(c) for c in CAUSES[1:]]].to_numpy()
    sheltered = table[cause_column(CAUSES[0])].to_numpy()
    main = causes[people.argmax(axis=1)]
    unknown = np.zeros(len(table), bool)
    if "not_assessed_people" in table.columns:
        unknown = table["not_assessed_people"].to_numpy() > 0
    nobody = np.where(unknown, "home not assessed", "nobody displaced")
    return np.where(people.sum(axis=1) > 0, main, np.where(sheltered > 0, CAUSES[0], nobody))


def coverage_gap(result: Coverage, zones: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Displaced people per zone by cause, with `gap_people` (all but sheltered) and `main_cause`.

    A home on the border of zones counts in the first one. Homes outside all zones get a last row "outside all zones"
    without geometry, so that the sums of the result are kept. Residents who stay or are not assessed are summed as well.
    Columns of `zones` with these names are replaced. Raises CrsError unless `zones` are in the CRS of the homes.
    """
    homes = result.demand
    if zones.crs is None or _crs.horizontal(zones.crs) != _crs.horizontal(homes.crs):
        raise CrsError("the zones are not in the CRS of the homes; project them first with .to_crs(result.demand.crs).")
    zone_of = np.full(len(homes), len(zones), np.int64)
    home, zone = shapely.STRtree(zones.geometry.to_numpy()).query(
        _points(homes, "homes").geometry.to_numpy(), predicate="intersects"
    )
    np.minimum.at(zone_of, home, zone)
    summed = ["people", "displaced_people", "must_leave_people", "staying_people", "not_assessed_people"]
    columns = [c for c in summed if c in homes.columns] + [cause_column(c) for c in CAUSES]
    sums = pd.DataFrame({c: np.bincount(zone_of, homes[c].to_numpy(), len(zones) + 1).astype(np.int64) for c in columns})
    sums = sums.assign(gap_people=sums["displaced_people"] - sums[cause_column(CAUSES[0])], main_cause=_main_cause(sums))
    inside = zones.assign(**{c: sums[c].to_numpy()[: len(zones)] for c in sums.columns})
    if not (zone_of == len(zones)).any():
        return inside
    name = zones.geometry.name
    table = pd.concat([pd.DataFrame(inside.drop(columns=name)), sums.iloc[[-1]].set_axis([OUTSIDE])])
    table[name] = geopandas.GeoSeries([*inside.geometry, None], index=table.index, crs=zones.crs)
    return geopandas.GeoDataFrame(table, geometry=name, crs=zones.crs)
