"""The walking network: how roads join, what cuts them, and how long it takes to walk from place to place."""

from hazardgeo.network.cuts import cut
from hazardgeo.network.roads import RoadNetwork, build, tobler_kmh
from hazardgeo.network.travel import TravelTimes, travel_times

__all__ = ["RoadNetwork", "TravelTimes", "build", "cut", "tobler_kmh", "travel_times"]
