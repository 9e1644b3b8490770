"""Rasters from any GDAL format."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import pyproj
from affine import Affine
from rasterio.io import DatasetReader

from hazardgeo import crs as _crs
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.grid import Grid
from hazardgeo.io import files
from hazardgeo.io.raster import cells as raster_cells
from hazardgeo.io.raster import record as raster_record
from hazardgeo.io.raster import source as raster_source
from hazardgeo.io.raster import turn as raster_turn
from hazardgeo.io.raster import unit as raster_unit
from hazardgeo.io.raster.record import Record
from hazardgeo.io.raster.turn import Resampled, Resampling, Turned
from hazardgeo.io.raster.write import write_raster
from hazardgeo.io.reference import agreed_crs, agreed_height, require_plausible_place
from hazardgeo.io.remote import Place
from hazardgeo.raster import UNKNOWN_CLASS, ClassLabel, Raster

__all__ = ["raster_grid", "read_raster", "write_raster"]

_EDGE_SLACK_CELLS = 1e-6


def read_raster(
    path: str | Place,
    *,
    band: int | None = None,
    layer: str | None = None,
    window: tuple[float, float, float, float] | None = None,
    crs: Any = None,
    name: str | None = None,
    unit: str = "",
    height: Height | None = None,
    resampling: Resampling | None = None,
) -> Raster:
    """One band of a raster file, with unknown cells as NaN (255 in class rasters, 0 in id rasters).

    Reads any GDAL format, also the one raster in a .zip or .gz, and virtual rasters of local files. `path` can be the
    address (http, https, s3, gs, az) of one GeoTIFF: then the blocks that `window` needs are fetched, of this file alone;
    what lies beside it (.msk, .aux.xml, .tfw) is not looked at. Nothing that a file names is fetched.

    `band` counts from 1; without it the first is read, and a HazardGeoWarning names the others.
    `layer` chooses a variable of a netCDF or HDF file. `window` is (west, south, east, north) in the CRS of the file: the
    cells that overlap it are read, cut to the file, and no others. `crs`, `unit` and `height` state what the file does
    not say; `name` defaults to its own name.

    Files written by `write_raster` come back as they were, but for fill values. Others become float32 surfaces, with scale
    and offset applied; one-byte files with a colour table become class rasters. Unknown are declared nodata, masked cells,
    cells of alpha 0, cells that were never written, numbers beyond 1e30, and the usual fill values where the file does not
    declare them: -9999, -32767, -32768, -99999, -999999, the ends of an integer type, and in floats -10000, -9999.9,
    -99999.99 and 1e20; a HazardGeoWarning names their share. The value alone decides, so windows fit together. Compound CRS
    are split into map CRS and height; a vertical CRS in feet gives the unit "ft" or "us-ft".

    Files stored south up, mirrored or turned by a right angle are turned exactly. Others that are not north up need
    `resampling`: "bilinear" for surfaces, "nearest" for classes; cells keep their size, and the tag "resampled" says it.

    Raises FormatError for files that cannot be read or reached, or name others in a network; CrsError for a CRS that is missing,
    contradicts `crs`, or cannot be where the file lies; HeightError for a contradictory height reference; InputError for
    a window outside the file, another length unit than `unit`, more cells than the memory holds, and turned or
    ungeoreferenced rasters.
    """
    source = files.reachable(path)
    with raster_source.opened(source, layer) as dataset:
        _require_georeference(dataset, source)
        chosen = _band(dataset, band, source)
        record = raster_record.stored(dataset)
        agreed, stored_height = _reference(dataset, record, crs, source)
        placing = raster_turn.place(dataset.transform, dataset.shape, agreed, resampling, source)
        require_plausible_place(_centres(placing.grid), agreed, source)
        kind = raster_cells.kind_of(dataset, chosen)
        warped = placing if isinstance(placing, Resampled) else None
        if warped is not None:
            _require_surface(dataset, chosen, kind, resampling, source)
        rows, cols = _block(placing.grid, window, source)
        vertical = _vertical_unit(dataset, record, kind)
        values_unit = raster_unit.agreed(record.unit if record else dataset.units[chosen - 1] or "", vertical, unit, source)
        if stored_height is not None and raster_unit.contradict(values_unit, vertical):
            stored_height = Height(stored_height.kind)
        needed = placing.window(rows, cols)
        cells = (rows.stop - rows.start) * (cols.stop - cols.start)
        extra = int(needed.width * needed.height) if warped is not None and needed is not None else 0
        raster_cells.require_memory(dataset, chosen, cells + extra, source)
        stored = raster_cells.read(dataset, chosen, needed, kind, source)
        tags = record.tags if record else {}
        return Raster(
            placing.placed(stored) if isinstance(placing, Turned) else placing.placed(stored, rows, cols),
            placing.grid.window(rows, cols),
            name if name is not None else record.name if record else dataset.descriptions[chosen - 1] or layer or source.stem,
            values_unit,
            agreed_height(stored_height, height, source),
            _classes(dataset, record, chosen, kind),
            tags if warped is None else {**tags, "resampled": warped.note},
        )


def raster_grid(path: str | Place, *, layer: str | None = None, crs: Any = None, resampling: Resampling | None = None) -> Grid:
    """The grid of a raster file, from its header alone. Arguments and errors are those of `read_raster`."""
    source = files.reachable(path)
    with raster_source.opened(source, layer) as dataset:
        _require_georeference(dataset, source)
        agreed, _ = _reference(dataset, raster_record.stored(dataset), crs, source)
        return raster_turn.place(dataset.transform, dataset.shape, agreed, resampling, source).grid


def _band(dataset: DatasetReader, band: int | None, path: Place) -> int:
    """The band to read; without a choice the first, and a warning where there are others."""
    bands = raster_cells.data_bands(dataset)
    chosen = band if band is not None else bands[0] if bands else 1
    if not 1 <= chosen <= dataset.count:
        raise FormatError(f"{path} has no band {chosen}; it has {dataset.count} (the first is 1).")
    if dataset.dtypes[chosen - 1].startswith("complex"):
        raise FormatError(f"{path} holds complex numbers; convert it to real values first.")
    if band is None and len(bands) > 1:
        named = ", ".join(f"{b} {dataset.descriptions[b - 1] or dataset.colorinterp[b - 1].name}" for b in bands[:8])
        more = ", ..." if len(bands) > 8 else ""
        message = f"{path} has {len(bands)} bands ({named}{more}); the first is read: choose another with band=."
        warnings.warn(message, HazardGeoWarning, stacklevel=3)
    return chosen


def _require_georeference(dataset: DatasetReader, path: Place) -> None:
    """Raise InputError where the file does not say where its cells lie."""
    if dataset.transform != Affine.identity():
        return
    points, _ = dataset.gcps
    if points or dataset.rpcs:
        by = f"{len(points)} control points" if points else "a camera model (RPC)"
        raise InputError(f"{path} is placed by {by}, not by a grid; warp it first, for example with gdalwarp -t_srs EPSG:....")
    raise InputError(f"{path} has no georeference (only rows and columns); georeference it first, or add its world file.")


def _reference(dataset: DatasetReader, record: Record | None, stated: Any, path: Place) -> tuple[pyproj.CRS, Height | None]:
    """The agreed CRS, and the height reference that the file says, None where it says none."""
    stored, height = None, None
    if dataset.crs is not None:
        try:
            stored, height = _crs.split(dataset.crs.to_wkt())
        except CrsError as error:
            if stated is None:
                raise CrsError(f"{path} has no usable CRS: {error} Pass it as crs=.") from None
    bounds = _edges(dataset)
    if stored is not None and stored.is_geographic and not _in_degrees(bounds, dataset.res):
        if stated is None:
            raise CrsError(
                f"{path} says that it is in {_crs.label(stored)}, but its edges reach {bounds[2]:g}, {bounds[3]:g}, "
                "which are not degrees; state the right CRS with crs='EPSG:...'."
            )
        stored, height = None, None
    if height == Height():
        height = None
    agreed = agreed_crs(stored, stated, path, bounds=bounds)
    return agreed, height if record is None or record.height is None else record.height


def _edges(dataset: DatasetReader) -> tuple[float, float, float, float]:
    """West, south, east and north of all cells, also of turned ones."""
    corners = [dataset.transform @ (c, r) for c in (0, dataset.width) for r in (0, dataset.height)]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _in_degrees(bounds: tuple[float, float, float, float], cell: tuple[float, float]) -> bool:
    """False where the edges lie more than one cell beyond what longitudes (as far as 360) and latitudes can be."""
    west, south, east, north = bounds
    return max(abs(west), abs(east)) <= 360.5 + abs(cell[0]) and max(abs(south), abs(north)) <= 90.5 + abs(cell[1])


def _centres(grid: Grid) -> tuple[float, float, float, float]:
    """West, south, east and north of the cell centres: the outer edges of a world map may lie beyond the Earth."""
    west, south, east, north = grid.bounds
    width, tall = grid.cell
    return west + width / 2, south + tall / 2, east - width / 2, north - tall / 2


def _require_surface(dataset: DatasetReader, band: int, kind: str, resampling: Resampling | None, path: Place) -> None:
    """Raise InputError for codes that would be averaged."""
    if resampling == "bilinear" and (kind in ("class", "id", "mask") or raster_cells.colours(dataset, band)):
        raise InputError(f"{path} holds codes, which cannot be averaged; use resampling='nearest'.")


def _block(grid: Grid, bounds: tuple[float, float, float, float] | None, path: Place) -> tuple[slice, slice]:
    """Rows and columns of the cells that overlap `bounds` with more than an edge; all without bounds."""
    if bounds is None:
        return slice(0, grid.shape[0]), slice(0, grid.shape[1])
    west, south, east, north = _four(bounds)
    width, tall = grid.cell
    c0, c1 = (west - grid.transform.c) / width, (east - grid.transform.c) / width
    r0, r1 = (grid.transform.f - north) / tall, (grid.transform.f - south) / tall
    rows = slice(max(math.floor(r0 + _EDGE_SLACK_CELLS), 0), min(math.ceil(r1 - _EDGE_SLACK_CELLS), grid.shape[0]))
    cols = slice(max(math.floor(c0 + _EDGE_SLACK_CELLS), 0), min(math.ceil(c1 - _EDGE_SLACK_CELLS), grid.shape[1]))
    if rows.start >= rows.stop or cols.start >= cols.stop:
        raise InputError(
            f"window {bounds} lies outside {path}, which covers {grid.bounds} in {_crs.label(grid.crs)}; "
            "give it as (west, south, east, north) in that CRS."
        )
    return rows, cols


def _four(bounds: Any) -> tuple[float, float, float, float]:
    """West, south, east and north of a window; InputError for anything else."""
    try:
        west, south, east, north = map(float, bounds)
        if all(map(math.isfinite, (west, south, east, north))) and west < east and south < north:
            return west, south, east, north
    except (TypeError, ValueError):
        pass
    raise InputError(f"window must be finite (west, south, east, north) with west < east, not {bounds!r}.")


def _vertical_unit(dataset: DatasetReader, record: Record | None, kind: str) -> str:
    """The unit that the vertical CRS gives to the values; codes have none, and a record of ours says it itself."""
    return raster_unit.of_vertical(dataset.crs.to_wkt()) if record is None and kind == "foreign" and dataset.crs else ""


def _classes(dataset: DatasetReader, record: Record | None, band: int, kind: str) -> tuple[ClassLabel, ...]:
    """The labels that `write_raster` stored, else the coloured codes of the colour table."""
    if record is not None and kind != "foreign":
        return record.classes
    if kind != "class":
        return ()
    table: Mapping[int, tuple[int, ...]] = raster_cells.colours(dataset, band)
    coloured = {code: rgba[:3] for code, rgba in table.items() if code != UNKNOWN_CLASS and any(rgba[:3]) and rgba[3]}
    return tuple(ClassLabel(code, str(code), "#{:02x}{:02x}{:02x}".format(*rgb)) for code, rgb in sorted(coloured.items()))
