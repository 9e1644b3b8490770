"""The doors to files: everything that reads or writes one, and the traps of each format."""

from hazardgeo.io.cloud import CloudInfo, cloud_info, read_cloud, write_cloud
from hazardgeo.io.e57 import e57_stations
from hazardgeo.io.laz_repair import salvage_laz
from hazardgeo.io.raster import read_raster, write_raster
from hazardgeo.io.shakemap import read_shakemap
from hazardgeo.io.table import write_table
from hazardgeo.io.vector import read_vector, write_vectors
from hazardgeo.io.xyz import read_xyz

__all__ = [
    "CloudInfo",
    "cloud_info",
    "e57_stations",
    "read_cloud",
    "read_raster",
    "read_shakemap",
    "read_vector",
    "read_xyz",
    "salvage_laz",
    "write_cloud",
    "write_raster",
    "write_table",
    "write_vectors",
]
