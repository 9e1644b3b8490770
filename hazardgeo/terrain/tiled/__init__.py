"""Where water goes on rasters of any size, by tiles: what `terrain` gives on the whole, to the last bit."""

from hazardgeo.terrain.tiled.areas import PRODUCTS, flow, flow_accumulation, inflow_unknown, wetness
from hazardgeo.terrain.tiled.catchments import catchment, longest_flow_path
from hazardgeo.terrain.tiled.streams import height_above_drainage, streams

__all__ = [
    "PRODUCTS",
    "catchment",
    "flow",
    "flow_accumulation",
    "height_above_drainage",
    "inflow_unknown",
    "longest_flow_path",
    "streams",
    "wetness",
]
