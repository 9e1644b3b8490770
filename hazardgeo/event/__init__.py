"""Earthquakes and their shaking."""

from hazardgeo.event.ground_motion import scenario_shaking
from hazardgeo.event.intensity import (
    Peaks,
    intensity_from_pga,
    intensity_from_pgv,
    intensity_shaking,
    peaks_from_intensity,
)
from hazardgeo.event.shaking import Earthquake, Shaking

__all__ = [
    "Earthquake",
    "Peaks",
    "Shaking",
    "intensity_from_pga",
    "intensity_from_pgv",
    "intensity_shaking",
    "peaks_from_intensity",
    "scenario_shaking",
]
