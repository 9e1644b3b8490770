import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from hazardgeo import shelter
from hazardgeo.errors import InputError, MissingColumnError


def person_seconds(result):
    return int((np.rint(result.flows["minutes"] * 60).astype(int) * result.flows["people"]).sum())


def test_most_people_come_first_and_then_the_least_walking():
    """By hand: the near pair would strand the second home; sending the first home further serves all."""
    result = shelter.assign([5, 5], [5, 5], [[1.0, 10.0], [2.0, np.inf]])
    assert result.flows.to_dict("list") == {"origin": [0, 1], "site": [1, 0], "people": [5, 5], "minutes": [10.0, 2.0]}
    assert result.unserved.sum() == result.spare.sum() == 0


def test_a_shortage_is_a_result():
    result = shelter.assign([10, 7], [4, 3], [[1.0, 2.0], [np.inf, np.inf]])
    assert result.unserved.tolist() == [3, 7]
    assert result.spare.tolist() == [0, 0]
    nothing = shelter.assign([10], [0], [[1.0]])
    assert (nothing.unserved.tolist(), len(nothing.flows)) == ([10], 0)
    assert shelter.assign([], [3], np.zeros((0, 1))).spare.tolist() == [3]


def test_tables_keep_their_index():
    homes = pd.DataFrame({"displaced_people": [3, 0]}, index=["upper village", "lower village"])
    sites = gpd.GeoDataFrame({"capacity_places": [5]}, geometry=[None], index=[71])
    result = shelter.assign(homes, sites, [[4.0], [4.0]])
    assert result.flows.loc[0].tolist() == ["upper village", 71, 3, 4.0]
    assert result.unserved.to_dict() == {"upper village": 0, "lower village": 0}
    assert result.spare.to_dict() == {71: 2}


def test_small_cases_agree_with_four_solvers(vectors):
    for case in json.loads(vectors("shelter/assign_cases.json").read_text()):
        minutes = np.array([[np.inf if s is None else s / 60 for s in row] for row in case["cost_s"]], float)
        result = shelter.assign(case["demand"], case["capacity"], minutes.reshape(len(case["demand"]), len(case["capacity"])))
        expected = case["expected"]
        assert int(result.flows["people"].sum()) == expected["assigned"], case["name"]
        assert person_seconds(result) == expected["total_person_seconds"], case["name"]
        assert int(result.unserved.sum()) == expected["unserved"], case["name"]
        assert int(result.spare.sum()) == expected["spare_capacity"], case["name"]


def test_a_case_of_3000_homes_agrees_with_peers(vectors):
    peer = np.load(vectors("shelter/assign_3000x40.npz"))
    minutes = np.where(peer["cost_s"] < 0, np.inf, peer["cost_s"] / 60)
    result = shelter.assign(peer["demand"], peer["capacity"], minutes)
    expected = json.loads(str(peer["expected"]))
    assert int(result.flows["people"].sum()) == expected["assigned"]
    assert person_seconds(result) == expected["total_person_seconds"]
    assert int(result.spare.sum()) == expected["spare_capacity"]


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_the_result_is_the_optimum_of_the_linear_programme(data):
    n, m = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    people = data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
    places = data.draw(st.lists(st.integers(0, 9), min_size=m, max_size=m))
    cell = st.one_of(st.just(np.inf), st.integers(0, 30).map(float))
    minutes = np.array(data.draw(st.lists(cell, min_size=n * m, max_size=n * m))).reshape(n, m)
    result = shelter.assign(people, places, minutes)
    open_pairs = np.isfinite(minutes).ravel()
    cost = np.where(open_pairs, np.nan_to_num(minutes.ravel() * 60, posinf=0) - 1e6, 1e6)  # a place is worth any walk
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    best = linprog(cost, A_ub=np.vstack([rows, columns]), b_ub=[*people, *places], bounds=(0, None))
    assert person_seconds(result) - 1e6 * result.flows["people"].sum() == pytest.approx(best.fun, abs=1e-3)


@pytest.mark.parametrize(
    ("demand", "sites", "times", "error", "match"),
    [
        ([1.5], [1], [[1.0]], InputError, "displaced_people is 1.5 at index 0"),
        ([-1], [1], [[1.0]], InputError, "whole number"),
        ([1], [np.nan], [[1.0]], InputError, "capacity_places is nan"),
        ([1], [1], [[1.0, 2.0]], InputError, r"shape \(1, 2\)"),
        ([1], [1], [[np.nan]], InputError, "NaN or negative"),
        ([1], [1], [[1e18]], InputError, "more than can be added up"),
        (pd.DataFrame({"a": [1]}), [1], [[1.0]], MissingColumnError, "no column 'displaced_people'"),
        (pd.Series([1, 2], index=["a", "a"]), [1], [[1.0], [1.0]], InputError, "'a' occurs twice"),
    ],
)
def test_numbers_that_cannot_be_assigned_are_refused(demand, sites, times, error, match):
    with pytest.raises(error, match=match):
        shelter.assign(demand, sites, times)
