"""Who goes where: the assignment that gives most people a place and, among those, asks for the least walking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hazardgeo.errors import InfeasibleError, InputError
from hazardgeo.network import TravelTimes
from hazardgeo.shelter.people import counts

_LARGEST = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """`flows`: people from origin to site, with the minutes each walks; `unserved` people and `spare` places by index."""

    flows: pd.DataFrame
    unserved: pd.Series[int]
    spare: pd.Series[int]


def assign(
    demand: pd.DataFrame | pd.Series[Any] | Sequence[int],
    sites: pd.DataFrame | pd.Series[Any] | Sequence[int],
    times: TravelTimes | ArrayLike,
) -> Assignment:
    """People from `demand` sent to places at `sites`: as many as possible, then with the least total walking time.

    `demand` is a table with displaced_people, `sites` one with capacity_places (or plain whole numbers for both), `times`
    the minutes from each row of demand to each site, inf where there is no way. A shortage is a result, not an error.
    Families may be split between sites. Times count in whole seconds. Where several assignments are equally good, one
    is returned, always the same. Minimum-cost flow after maximum flow (OR-tools, exact).

    >>> assign([10, 5], [8, 4], [[1.0, 9.0], [2.0, np.inf]]).flows["people"].sum()
    np.int64(12)
    """
    people = counts(demand, "displaced_people", "compute it with shelter.displaced(...).")
    places = counts(sites, "capacity_places", "compute it with shelter.capacity(...).")
    minutes = np.asarray(times.minutes if isinstance(times, TravelTimes) else times, np.float64)
    if minutes.shape != (len(people), len(places)):
        raise InputError(f"times have shape {minutes.shape}, but there are {len(people)} origins and {len(places)} sites.")
    if np.isnan(minutes).any() or (minutes < 0).any():
        raise InputError("times hold NaN or negative minutes; use inf where there is no way.")
    origin, site = np.nonzero(np.isfinite(minutes) & (people.to_numpy() > 0)[:, None] & (places.to_numpy() > 0))
    moved = _flow(np.asarray(people, np.int64), np.asarray(places, np.int64), origin, site, minutes[origin, site])
    used = moved > 0
    origin, site, moved = origin[used], site[used], moved[used]
    flows = pd.DataFrame(
        {
            "origin": people.index.to_numpy()[origin],
            "site": places.index.to_numpy()[site],
            "people": moved,
            "minutes": minutes[origin, site],
        }
    )
    gone = np.zeros(len(people), np.int64)
    come = np.zeros(len(places), np.int64)
    np.add.at(gone, origin, moved)
    np.add.at(come, site, moved)
    return Assignment(flows, (people - gone).rename("unserved_people"), (places - come).rename("spare_places"))


def _flow(
    people: NDArray[np.int64],
    places: NDArray[np.int64],
    origin: NDArray[np.int64],
    site: NDArray[np.int64],
    minutes: NDArray[np.float64],
) -> NDArray[np.int64]:
    """People on each pair of origin and site."""
    if not len(origin):
        return np.zeros(0, np.int64)
    from ortools.graph.python import min_cost_flow

    n, m, total = len(people), len(places), int(people.sum())
    sink = n + m
    if float(minutes.max()) * 60.0 * max(total, sink + 2) >= _LARGEST:
        raise InputError(f"walking times reach {minutes.max():g} minutes, more than can be added up; use inf for no way.")
    seconds = np.rint(minutes * 60.0).astype(np.int64)
    solver = min_cost_flow.SimpleMinCostFlow()
    arcs = solver.add_arcs_with_capacity_and_unit_cost(origin, n + site, np.minimum(people[origin], places[site]), seconds)
    stations = np.arange(m)
    solver.add_arcs_with_capacity_and_unit_cost(n + stations, np.full(m, sink), places, np.zeros(m, np.int64))
    solver.set_nodes_supplies(np.arange(n), people)
    solver.set_node_supply(sink, -total)
    status = solver.solve_max_flow_with_min_cost()
    if status != solver.OPTIMAL:
        raise InfeasibleError(f"the assignment of {total} people to {m} sites was not solved ({status}); check the numbers.")
    return np.asarray(solver.flows(arcs), np.int64)
