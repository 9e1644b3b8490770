"""Tiny: a place so small that every way to house its people can be tried, as a check on what is computed for large ones."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

_HOMES, _SITES = 4, 3


@dataclass(frozen=True, slots=True)
class Tiny:
    """People at homes, places at sites, and whole minutes from each home to each site, None where there is no way."""

    people: list[int]
    places: list[int]
    minutes: list[list[int | None]]


def instance(rng: np.random.Generator) -> Tiny:
    """Four homes and three sites with too few places, about a quarter of the ways cut."""
    people = rng.integers(2, 6, _HOMES).tolist()
    places = rng.integers(2, 6, _SITES).tolist()
    minutes = rng.integers(3, 50, (_HOMES, _SITES))
    way = rng.random((_HOMES, _SITES)) > 0.25
    return Tiny(
        people, places, [[int(m) if w else None for m, w in zip(*row, strict=True)] for row in zip(minutes, way, strict=True)]
    )


def brute_force(case: Tiny) -> tuple[int, int]:
    """Fewest people without a place, and with them the fewest minutes walked in all: every way to split every home is tried."""
    best = (sum(case.people), 0)
    for plan in itertools.product(*(_splits(n, ways) for n, ways in zip(case.people, case.minutes, strict=True))):
        if all(sum(row[j] for row in plan) <= places for j, places in enumerate(case.places)):
            uncovered = sum(case.people) - sum(map(sum, plan))
            walked = sum(
                n * (m or 0) for row, ways in zip(plan, case.minutes, strict=True) for n, m in zip(row, ways, strict=True)
            )
            best = min(best, (uncovered, walked))
    return best


def _splits(people: int, ways: list[int | None]) -> list[tuple[int, ...]]:
    """All ways to send up to `people` to the sites that can be reached."""
    options = [range(people + 1) if way is not None else range(1) for way in ways]
    return [split for split in itertools.product(*options) if sum(split) <= people]


def as_answer(case: Tiny) -> dict[str, Any]:
    """The instance with its exact answer, ready for JSON."""
    uncovered, walked = brute_force(case)
    return {
        "people": case.people,
        "places": case.places,
        "minutes": case.minutes,
        "uncovered_people": uncovered,
        "person_minutes": walked,
    }


def minutes_or_inf(case: dict[str, Any]) -> list[list[float]]:
    """The minutes of an answer as `shelter.assign` takes them."""
    return [[math.inf if m is None else float(m) for m in row] for row in case["minutes"]]
