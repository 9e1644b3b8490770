import numpy as np
import pytest

from hazardgeo import shelter
from hazardgeo.synthetic import tiny


def test_a_case_worked_by_hand():
    # home 0 (2 people) reaches site 0 in 5 min, home 1 (2 people) both sites in 1 and 9 min; one place and two places.
    # All but one find a place: one of home 0 in site 0 (5) and both of home 1 in site 1 (18), 23 person minutes.
    case = tiny.Tiny([2, 2], [1, 2], [[5, None], [1, 9]])
    assert tiny.brute_force(case) == (1, 23)


@pytest.mark.parametrize("seed", range(12))
def test_the_assignment_is_as_good_as_the_best_of_all_ways(seed: int):
    case = tiny.as_answer(tiny.instance(np.random.default_rng(seed)))
    found = shelter.assign(case["people"], case["places"], tiny.minutes_or_inf(case))
    assert found.unserved.sum() == case["uncovered_people"]
    assert (found.flows["people"] * found.flows["minutes"]).sum() == pytest.approx(case["person_minutes"])
