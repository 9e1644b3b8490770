"""From a laser scan to the ground: classification, terrain and surface models, registration of scans."""

from hazardgeo.scan.ground import classify_ground
from hazardgeo.scan.register import Alignment, align
from hazardgeo.scan.surface import dsm, dtm
from hazardgeo.scan.tiled import (
    STATISTICS,
    GroundSinks,
    cell_statistic,
    ground_and_surfaces,
    require_ground_options,
    require_statistic,
)

__all__ = [
    "STATISTICS",
    "Alignment",
    "GroundSinks",
    "align",
    "cell_statistic",
    "classify_ground",
    "dsm",
    "dtm",
    "ground_and_surfaces",
    "require_ground_options",
    "require_statistic",
]
