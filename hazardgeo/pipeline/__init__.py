"""A scenario, run: the only place that knows the whole way from files to a map."""

from hazardgeo.pipeline.check import check
from hazardgeo.pipeline.manifest import FileRecord, Manifest, StageRecord
from hazardgeo.pipeline.propose import propose
from hazardgeo.pipeline.run import read_scenario, run
from hazardgeo.pipeline.stages import STAGES

__all__ = ["STAGES", "FileRecord", "Manifest", "StageRecord", "check", "propose", "read_scenario", "run"]
