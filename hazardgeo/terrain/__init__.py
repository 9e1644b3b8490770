"""The shape of the ground, and where water goes on it."""

from hazardgeo.terrain.breach import breach
from hazardgeo.terrain.catchments import catchment, longest_flow_path
from hazardgeo.terrain.curvature import CURVATURES, curvature
from hazardgeo.terrain.flow import fill, flow_accumulation, flow_direction, inflow_unknown, wetness
from hazardgeo.terrain.horizon import openness, sky_view
from hazardgeo.terrain.position import percentile, relief, tpi, tri
from hazardgeo.terrain.reach import reach
from hazardgeo.terrain.roughness import roughness
from hazardgeo.terrain.shape import aspect, gradient, hillshade, slope
from hazardgeo.terrain.streams import height_above_drainage, streams

__all__ = [
    "CURVATURES",
    "aspect",
    "breach",
    "catchment",
    "curvature",
    "fill",
    "flow_accumulation",
    "flow_direction",
    "gradient",
    "height_above_drainage",
    "hillshade",
    "inflow_unknown",
    "longest_flow_path",
    "openness",
    "percentile",
    "reach",
    "relief",
    "roughness",
    "sky_view",
    "slope",
    "streams",
    "tpi",
    "tri",
    "wetness",
]
