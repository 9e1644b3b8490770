"""What coordinates and heights refer to: horizontal reference systems, their zones, and the height reference of elevations."""

from hazardgeo.crs import readings, zones
from hazardgeo.crs.height import Height, HeightKind, height_shift, heights_apart
from hazardgeo.crs.identify import code, same_formulas, shift_is_known
from hazardgeo.crs.system import compound, horizontal, is_metric, label, obfuscation, require_metric, split, utm

__all__ = [
    "Height",
    "HeightKind",
    "code",
    "compound",
    "height_shift",
    "heights_apart",
    "horizontal",
    "is_metric",
    "label",
    "obfuscation",
    "readings",
    "require_metric",
    "same_formulas",
    "shift_is_known",
    "split",
    "utm",
    "zones",
]
