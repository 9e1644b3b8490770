"""From a laser scan to the ground: classification, terrain and surface models, registration of scans."""

from hazardgeo.scan.accuracy import Accuracy, accuracy
from hazardgeo.scan.clean import Cleaned, CleaningReport, clean
from hazardgeo.scan.ground import classify_ground
from hazardgeo.scan.layers import DtmLayers, density, dtm_layers, height_above_ground, intensity, roughness
from hazardgeo.scan.normals import Normals, normals
from hazardgeo.scan.register import Alignment, align
from hazardgeo.scan.report import CloudReport, report, report_of
from hazardgeo.scan.surface import dsm, dtm
from hazardgeo.scan.tiled import (
    STATISTICS,
    GroundSinks,
    cell_statistic,
    ground_and_surfaces,
    require_ground_options,
    require_statistic,
)
from hazardgeo.scan.uncertainty import ground_uncertainty

__all__ = [
    "STATISTICS",
    "Accuracy",
    "Alignment",
    "Cleaned",
    "CleaningReport",
    "CloudReport",
    "DtmLayers",
    "GroundSinks",
    "Normals",
    "accuracy",
    "align",
    "cell_statistic",
    "classify_ground",
    "clean",
    "density",
    "dsm",
    "dtm",
    "dtm_layers",
    "ground_and_surfaces",
    "ground_uncertainty",
    "height_above_ground",
    "intensity",
    "normals",
    "report",
    "report_of",
    "require_ground_options",
    "require_statistic",
    "roughness",
]
