"""A scenario, run: the only place that knows the whole way from files to a map."""

from hazardgeo.pipeline.change import change
from hazardgeo.pipeline.check import check
from hazardgeo.pipeline.epoch import Survey
from hazardgeo.pipeline.large import ground, surface
from hazardgeo.pipeline.large_cloud_change import m3c2
from hazardgeo.pipeline.large_flow import catchment, flow, height_above_drainage, longest_flow_path, streams, wetness
from hazardgeo.pipeline.large_scan import clean, dtm_layers, height_above_ground, normals
from hazardgeo.pipeline.large_terrain import aspect, fill, flow_accumulation, flow_direction, hillshade, shape, slope
from hazardgeo.pipeline.manifest import FileRecord, Manifest, StageRecord
from hazardgeo.pipeline.propose import propose
from hazardgeo.pipeline.run import read_scenario, run
from hazardgeo.pipeline.scan_report import check_dtm, cloud_report
from hazardgeo.pipeline.stages import STAGES
from hazardgeo.pipeline.verify import Verification, verify

__all__ = [
    "STAGES",
    "FileRecord",
    "Manifest",
    "StageRecord",
    "Survey",
    "Verification",
    "aspect",
    "catchment",
    "change",
    "check",
    "check_dtm",
    "clean",
    "cloud_report",
    "dtm_layers",
    "fill",
    "flow",
    "flow_accumulation",
    "flow_direction",
    "ground",
    "height_above_drainage",
    "height_above_ground",
    "hillshade",
    "longest_flow_path",
    "m3c2",
    "normals",
    "propose",
    "read_scenario",
    "run",
    "shape",
    "slope",
    "streams",
    "surface",
    "verify",
    "wetness",
]
