"""From a laser scan to the ground: classification, terrain and surface models, registration of scans."""

from hazardgeo.scan.ground import classify_ground
from hazardgeo.scan.register import Alignment, align
from hazardgeo.scan.surface import dsm, dtm

__all__ = ["Alignment", "align", "classify_ground", "dsm", "dtm"]
