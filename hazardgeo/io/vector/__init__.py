"""Shapes and tables: what GDAL reads, GeoParquet, CSV and workbooks."""
