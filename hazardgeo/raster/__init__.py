"""Values on a Grid, and the operations between grids, points and shapes."""

from hazardgeo.raster import picture
from hazardgeo.raster.align import align, metric_grid
from hazardgeo.raster.core import UNKNOWN_CLASS, UNKNOWN_ID, ClassLabel, Raster
from hazardgeo.raster.heights import to_height
from hazardgeo.raster.rasterize import burn, rasterize
from hazardgeo.raster.sample import require_crs, sample, sample_xy
from hazardgeo.raster.zonal import zonal

__all__ = [
    "UNKNOWN_CLASS",
    "UNKNOWN_ID",
    "ClassLabel",
    "Raster",
    "align",
    "burn",
    "metric_grid",
    "picture",
    "rasterize",
    "require_crs",
    "sample",
    "sample_xy",
    "to_height",
    "zonal",
]
