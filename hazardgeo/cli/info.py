"""hazardgeo info: what a file holds."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import numpy as np

from hazardgeo import crs as _crs
from hazardgeo import io
from hazardgeo.errors import CrsError, HazardGeoError, HazardGeoWarning
from hazardgeo.io import files
from hazardgeo.io.raster import source as raster_source
from hazardgeo.io.remote import Place, located

CLOUDS = (".las", ".laz", ".ply", ".pcd", ".e57", ".pts", ".ptx", ".xyz")
SHAPES = (
    ".gpkg", ".shp", ".geojson", ".json", ".fgb", ".parquet", ".geoparquet", ".csv", ".tsv", ".kml", ".kmz", ".pbf", ".osm",
    ".gml", ".gpx", ".dxf", ".tab", ".mif", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".gdb",
)  # fmt: skip
_WHOLE_CELLS = 20_000_000
_BLOCKS, _BLOCK_CELLS = 4, 1000  # 4 x 4 blocks of up to 1000 x 1000 cells stand for a larger raster
_Rows = Mapping[str, Any]


@click.command("info", help="Say what a file holds, and what is odd about it.")
@click.argument("path")
@click.option("--layer", help="One layer of a file that has several.")
@click.option("--salvage", type=click.Path(path_type=Path), help="Save what can be read of a cut LAZ or LAS file to this one.")
def command(path: str, layer: str | None, salvage: Path | None) -> None:
    """Clouds by their header, large rasters by a sample; shapes are read. An address is looked at where it is."""
    rows, notes = _described(located(path), layer)
    for name, value in rows.items():
        click.echo(f"{name}: {value}")
    for note in notes:
        click.echo(f"odd: {note}")
    if salvage is not None:
        kept = io.salvage_laz(path, salvage)
        click.echo(f"salvaged: {kept:,} of {rows['points']:,} points are readable; they are in {salvage}")


def _described(path: Place, layer: str | None) -> tuple[_Rows, tuple[str, ...]]:
    kind = path.suffix.lower()
    if kind in CLOUDS:
        return _cloud(path)
    if kind == ".xml":
        return _shaking(path), ()
    if kind in SHAPES:
        return _shapes(path, layer), ()
    ways: list[Callable[[], tuple[_Rows, tuple[str, ...]]]] = [lambda: (_raster(path, layer), ())]
    if kind == ".txt":
        ways = [lambda: (_shapes(path, layer), ()), lambda: _cloud(path)]
    elif kind == ".zip":
        ways.insert(0, lambda: (_shapes(path, layer), ()))
    elif kind == ".asc":
        ways.append(lambda: _cloud(path))
    return _first_that_reads(ways)


def _first_that_reads(ways: list[Callable[[], tuple[_Rows, tuple[str, ...]]]]) -> tuple[_Rows, tuple[str, ...]]:
    """What the first way says that can read the file; a file that lacks a CRS only is refused as such."""
    for way in ways[:-1]:
        try:
            return way()
        except CrsError:
            raise
        except HazardGeoError:
            continue
    return ways[-1]()


def _here(path: Place) -> Path:
    """The path; FormatError for an address, which the doors of shapes and shaking do not take."""
    return path if isinstance(path, Path) else files.existing(path)


def _cloud(path: Place) -> tuple[_Rows, tuple[str, ...]]:
    info = io.cloud_info(path)
    rows = {f.name: getattr(info, f.name) for f in fields(info) if f.name != "notes"}
    if np.isnan(info.bounds).any():
        rows["bounds"] = rows["z_range_m"] = "known once the points are read"
    rows["dimensions"] = ", ".join(info.dimensions)
    return {name: value for name, value in rows.items() if value not in (None, "")}, info.notes


def _shaking(path: Place) -> _Rows:
    shaking = io.read_shakemap(_here(path))
    quake = shaking.event
    event = f"{quake.name}, M {quake.magnitude:g}, {quake.time:%Y-%m-%dT%H:%M:%SZ}, {quake.depth_km:g} km deep"
    return {"source": shaking.source, "event": event, "grid": shaking.grid, "layers": ", ".join(shaking.layers)}


def _shapes(path: Place, layer: str | None) -> _Rows:
    shapes = io.read_vector(_here(path), layer=layer)
    kinds = ", ".join(sorted({str(k) for k in shapes.geom_type}))
    columns = ", ".join(str(c) for c in shapes.columns if c != shapes.geometry.name)
    return {"features": len(shapes), "geometry": kinds, "crs": _crs.label(shapes.crs), "columns": columns}


def _raster(path: Place, layer: str | None) -> _Rows:
    with raster_source.opened(files.reachable(path), layer) as dataset:
        height, width = dataset.shape
        west, east = sorted((dataset.bounds.left, dataset.bounds.right))
        south, north = sorted((dataset.bounds.bottom, dataset.bounds.top))
    if height * width <= _WHOLE_CELLS:
        raster = io.read_raster(path, layer=layer)
        rows: dict[str, Any] = {"grid": raster.grid, "bounds": raster.grid.bounds, "type": raster.values.dtype}
        return {**rows, "heights": raster.height or "-", "unknown": f"{raster.unknown.mean():.1%} of cells"}
    wide, tall = min(1.0, _BLOCK_CELLS / width) * (east - west), min(1.0, _BLOCK_CELLS / height) * (north - south)
    corners = [(i / (_BLOCKS - 1), j / (_BLOCKS - 1)) for i in range(_BLOCKS) for j in range(_BLOCKS)]
    cells = unknown = 0
    said: dict[str, Warning] = {}
    for right, up in corners:
        x, y = west + (east - west - wide) * right, south + (north - south - tall) * up
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", HazardGeoWarning)
            raster = io.read_raster(path, layer=layer, window=(x, y, min(x + wide, east), min(y + tall, north)))
        said |= {str(w.message): w.message for w in caught if isinstance(w.message, HazardGeoWarning)}
        cells, unknown = cells + raster.values.size, unknown + int(raster.unknown.sum())
    for message in said.values():
        warnings.warn(message, stacklevel=2)
    return {
        "grid": f"{height} x {width} cells, {_crs.label(raster.grid.crs)}",
        "bounds": (west, south, east, north),
        "type": raster.values.dtype,
        "heights": raster.height or "-",
        "unknown": f"{unknown / cells:.1%} of a sample of {cells:,} of {height * width:,} cells",
    }
