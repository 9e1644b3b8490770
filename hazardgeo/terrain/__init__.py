"""The shape of the ground, and where water goes on it."""

from hazardgeo.terrain.flow import fill, flow_accumulation, flow_direction, inflow_unknown, wetness
from hazardgeo.terrain.shape import aspect, hillshade, relief, slope

__all__ = ["aspect", "fill", "flow_accumulation", "flow_direction", "hillshade", "inflow_unknown", "relief", "slope", "wetness"]
