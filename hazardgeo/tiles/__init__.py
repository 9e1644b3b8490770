"""Work on rasters and clouds of any size: tile by tile, on one processor, all of a machine, or many machines."""

from hazardgeo.tiles.accumulation import accumulate, inflow_unknown
from hazardgeo.tiles.bodies import label
from hazardgeo.tiles.call import Call, Executor, InProcess, Outcome
from hazardgeo.tiles.choose import executor
from hazardgeo.tiles.cluster import Cluster
from hazardgeo.tiles.depressions import fill_depressions
from hazardgeo.tiles.directions import flow_direction
from hazardgeo.tiles.engine import CloudSink, CloudSource, Progress, RasterSink, RasterSource, Source, map, map_reduce  # noqa: A004
from hazardgeo.tiles.framed import Framed, framed
from hazardgeo.tiles.holes import fill_holes, filled_holes
from hazardgeo.tiles.memory import PeakMemory, available_bytes, jobs_that_fit, processors
from hazardgeo.tiles.plan import DEFAULT_CELLS, Tile, plan
from hazardgeo.tiles.pool import Pool
from hazardgeo.tiles.scratch import Scratch
from hazardgeo.tiles.statistics import Statistics, statistics
from hazardgeo.tiles.stitch import Parts, stitch

__all__ = [
    "DEFAULT_CELLS",
    "Call",
    "CloudSink",
    "CloudSource",
    "Cluster",
    "Executor",
    "Framed",
    "InProcess",
    "Outcome",
    "Parts",
    "PeakMemory",
    "Pool",
    "Progress",
    "RasterSink",
    "RasterSource",
    "Scratch",
    "Source",
    "Statistics",
    "Tile",
    "accumulate",
    "available_bytes",
    "executor",
    "fill_depressions",
    "fill_holes",
    "filled_holes",
    "flow_direction",
    "framed",
    "inflow_unknown",
    "jobs_that_fit",
    "label",
    "map",
    "map_reduce",
    "plan",
    "processors",
    "statistics",
    "stitch",
]
