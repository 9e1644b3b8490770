"""Rasters: any format that GDAL reads, to cloud-optimised GeoTIFF."""
