"""hazardgeo info: what a file holds."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import click

from hazardgeo import crs as _crs
from hazardgeo import io

CLOUDS = (".las", ".laz")
SHAPES = (".gpkg", ".shp", ".geojson", ".json", ".fgb", ".parquet", ".csv", ".kml", ".pbf")


@click.command("info", help="Say what a file holds, and what is odd about it.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--layer", help="One layer of a file that has several.")
def command(path: Path, layer: str | None) -> None:
    """Clouds by their header; rasters and shapes are read."""
    kind = path.suffix.lower()
    if kind in CLOUDS:
        info = io.cloud_info(path)
        rows = {f.name: getattr(info, f.name) for f in fields(info) if f.name != "notes"}
        notes = info.notes
    elif kind == ".xml":
        shaking = io.read_shakemap(path)
        quake = shaking.event
        event = f"{quake.name}, M {quake.magnitude:g}, {quake.time:%Y-%m-%dT%H:%M:%SZ}, {quake.depth_km:g} km deep"
        rows = {"source": shaking.source, "event": event, "grid": shaking.grid, "layers": ", ".join(shaking.layers)}
        notes = ()
    elif kind in SHAPES:
        shapes = io.read_vector(path, layer=layer)
        kinds = ", ".join(sorted(set(shapes.geom_type)))
        columns = ", ".join(str(c) for c in shapes.columns if c != shapes.geometry.name)
        rows = {"features": len(shapes), "geometry": kinds, "crs": _crs.label(shapes.crs), "columns": columns}
        notes = ()
    else:
        raster = io.read_raster(path)
        rows = {"grid": raster.grid, "bounds": raster.grid.bounds, "type": raster.values.dtype, "heights": raster.height or "-"}
        rows["unknown"] = f"{raster.unknown.mean():.1%} of cells"
        notes = ()
    for name, value in rows.items():
        click.echo(f"{name}: {value}")
    for note in notes:
        click.echo(f"odd: {note}")
