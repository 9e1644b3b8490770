"""Earthquakes and their shaking."""

from hazardgeo.event.shaking import Earthquake, Shaking

__all__ = ["Earthquake", "Shaking"]
