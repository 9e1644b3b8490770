"""Who needs a place, which places are fit for use, and who is left without one, and why."""

from hazardgeo.shelter.assign import Assignment, assign
from hazardgeo.shelter.demand import displaced
from hazardgeo.shelter.gap import CAUSES, Coverage, cause_column, coverage, coverage_gap
from hazardgeo.shelter.sites import CAPACITY_COLUMNS, capacity, screen

__all__ = [
    "CAPACITY_COLUMNS",
    "CAUSES",
    "Assignment",
    "Coverage",
    "assign",
    "capacity",
    "cause_column",
    "coverage",
    "coverage_gap",
    "displaced",
    "screen",
]
