"""From a laser scan to the ground: classification, terrain and surface models, registration of scans."""

from hazardgeo.scan.accuracy import Accuracy, accuracy, accuracy_of
from hazardgeo.scan.clean import Cleaned, CleaningReport, clean
from hazardgeo.scan.coarse import align_coarse
from hazardgeo.scan.control import ControlFit, fit_control
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
from hazardgeo.scan.tiled_clean import clean_of
from hazardgeo.scan.tiled_layers import (
    LayerSinks,
    dtm_layers_of,
    ground_uncertainty_of,
    height_above_ground_of,
    normals_of,
    with_normals,
)
from hazardgeo.scan.uncertainty import ground_uncertainty

__all__ = [
    "STATISTICS",
    "Accuracy",
    "Alignment",
    "Cleaned",
    "CleaningReport",
    "CloudReport",
    "ControlFit",
    "DtmLayers",
    "GroundSinks",
    "LayerSinks",
    "Normals",
    "accuracy",
    "accuracy_of",
    "align",
    "align_coarse",
    "cell_statistic",
    "classify_ground",
    "clean",
    "clean_of",
    "density",
    "dsm",
    "dtm",
    "dtm_layers",
    "dtm_layers_of",
    "fit_control",
    "ground_and_surfaces",
    "ground_uncertainty",
    "ground_uncertainty_of",
    "height_above_ground",
    "height_above_ground_of",
    "intensity",
    "normals",
    "normals_of",
    "report",
    "report_of",
    "require_ground_options",
    "require_statistic",
    "roughness",
    "with_normals",
]
