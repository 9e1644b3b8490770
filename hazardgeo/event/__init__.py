"""Earthquakes and their shaking."""

from hazardgeo.event.ground_motion import scenario_shaking
from hazardgeo.event.shaking import Earthquake, Shaking

__all__ = ["Earthquake", "Shaking", "scenario_shaking"]
