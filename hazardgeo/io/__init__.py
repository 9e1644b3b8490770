"""The doors to files: everything that reads or writes one, and the traps of each format."""

from hazardgeo.io.cloud.e57 import e57_stations
from hazardgeo.io.cloud.info import CloudInfo, cloud_info
from hazardgeo.io.cloud.laz_repair import salvage_laz
from hazardgeo.io.cloud.read import read_cloud
from hazardgeo.io.cloud.several import read_clouds
from hazardgeo.io.cloud.tiled import CloudParts, cloud_source
from hazardgeo.io.cloud.write import write_cloud
from hazardgeo.io.cloud.xyz import read_xyz
from hazardgeo.io.raster.read import read_raster, write_raster
from hazardgeo.io.raster.tiled import RasterFile, RasterParts
from hazardgeo.io.shaking.isoseismal import read_isoseismals
from hazardgeo.io.shaking.shakemap import read_shakemap
from hazardgeo.io.shaking.stations import read_stations
from hazardgeo.io.vector.columns import standard_columns
from hazardgeo.io.vector.read import read_vector, write_vectors
from hazardgeo.io.vector.table import write_table

__all__ = [
    "CloudInfo",
    "CloudParts",
    "RasterFile",
    "RasterParts",
    "cloud_info",
    "cloud_source",
    "e57_stations",
    "read_cloud",
    "read_clouds",
    "read_isoseismals",
    "read_raster",
    "read_shakemap",
    "read_stations",
    "read_vector",
    "read_xyz",
    "salvage_laz",
    "standard_columns",
    "write_cloud",
    "write_raster",
    "write_table",
    "write_vectors",
]
