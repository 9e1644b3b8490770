"""Raster files of any size, known by their path: read block by block, written tile by tile."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from hazardgeo.crs import Height
from hazardgeo.errors import FormatError
from hazardgeo.grid import Grid
from hazardgeo.io import files
from hazardgeo.io.raster import record as raster_record
from hazardgeo.io.raster import write as raster_write
from hazardgeo.io.raster.read import raster_grid, read_raster
from hazardgeo.io.remote import Place, located
from hazardgeo.raster import Raster
from hazardgeo.tiles import Tile

_CACHE_MB = 64


@dataclass(frozen=True)
class RasterFile:
    """A raster file as a source of tiles: opened for each block, never as a whole. Options are those of `read_raster`."""

    path: str | Place
    band: int | None = None
    layer: str | None = None
    crs: Any = None
    unit: str = ""
    height: Height | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", located(self.path))

    @cached_property
    def grid(self) -> Grid:
        """The grid of the file, from its header."""
        return raster_grid(self.path, layer=self.layer, crs=self.crs)

    @property
    def key(self) -> str:
        """How the file is read, and the size and times of change of it and of the files beside it that share its name.

        Of a file elsewhere: its address, size, and what its server says of its version (ETag, Last-Modified) at this moment.
        """
        how = [self.band, self.layer, str(self.crs), self.unit, str(self.height)]
        path = located(self.path)
        beside: Sequence[Place] = [path]
        if isinstance(path, Path):
            beside = sorted(p for p in path.parent.iterdir() if p.stem == path.stem or p.name.startswith(f"{path.name}."))
        return json.dumps([*map(files.identity, beside), *how])

    def read(self, block: Grid) -> Raster:
        """The cells of the block, which must be a part of the grid."""
        (west, south, east, north), (width, tall) = block.bounds, block.cell
        inside = (west + width / 4, south + tall / 4, east - width / 4, north - tall / 4)  # edges as numbers are not exact
        found = read_raster(
            self.path, band=self.band, layer=self.layer, window=inside, crs=self.crs, unit=self.unit, height=self.height
        )
        found.grid.require_same(block)
        return replace(found, grid=block)


@dataclass(frozen=True, slots=True)
class RasterParts:
    """A GeoTIFF as a sink of tiles, the same as `write_raster` makes of the whole: cloud-optimised unless it has `creation`.

    Tiles are kept as plain GeoTIFFs in a hidden folder beside the file; in the end they are put together and removed.
    """

    path: Path
    creation: Mapping[str, str] | None = None

    def work_folder(self) -> Path:
        target = files.require_suffix(self.path, (".tif", ".tiff"))
        return target.with_name(f".{target.name}.tiles")

    def has(self, folder: Path, tile: Tile) -> bool:
        return (folder / f"{tile.name}.tif").exists()

    def write(self, folder: Path, tile: Tile, part: Raster) -> None:
        target = folder / f"{tile.name}.tif"
        with files.atomic(target) as temporary:
            try:
                raster_write.write_plain(part, temporary, raster_record.tags(part, raster_record.KINDS[str(part.values.dtype)]))
            except (RasterioError, CPLE_BaseError) as error:
                raise FormatError(f"cannot write {target}: {files.one_line(error)}; check the free space.") from None

    def finish(self, folder: Path, grid: Grid, tiles: Iterable[Tile]) -> None:
        with files.atomic(self.path) as temporary:
            mosaic = folder / "mosaic.vrt"
            try:
                kind = _write_mosaic(mosaic, grid, list(tiles))
                with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB):
                    if self.creation is None:
                        raster_write.to_cog(mosaic, temporary, kind)
                    else:
                        raster_write.to_plain(mosaic, temporary, self.creation)
            except (RasterioError, CPLE_BaseError) as error:
                raise FormatError(f"cannot write {self.path}: {files.one_line(error)}; check the free space.") from None
        shutil.rmtree(folder, ignore_errors=True)


def _common_kind(folder: Path, tiles: list[Tile]) -> str:
    """The kind of the numbers in all parts; FormatError for parts that are not of one raster."""
    kinds, first = set(), None
    for tile in tiles:
        with rasterio.open(folder / f"{tile.name}.tif") as dataset:
            found = raster_record.stored(dataset)
            assert found is not None
            said = (str(dataset.dtypes[0]), found.name, found.unit, found.height, found.classes)
            kinds.add(str(dataset.tags()[raster_record.KIND]))
        if first is not None and said != first:
            raise FormatError(
                f"tile {tile.name} gave {said[0]} {said[1:3]}, others {first[0]} {first[1:3]}: one raster is all alike."
            )
        first = said
    return kinds.pop()


def _write_mosaic(path: Path, grid: Grid, tiles: list[Tile]) -> str:
    """A virtual raster over the parts of a folder, with all that the first one says of itself; the kind of its numbers."""
    first = path.parent / f"{tiles[0].name}.tif"
    kind = _common_kind(path.parent, tiles)
    rasterio.shutil.copy(first, path, driver="VRT")
    tree = ET.parse(path)
    root = tree.getroot()
    root.set("rasterXSize", str(grid.shape[1]))
    root.set("rasterYSize", str(grid.shape[0]))
    place, band = root.find("GeoTransform"), root.find("VRTRasterBand")
    assert place is not None
    assert band is not None
    place.text = ", ".join(repr(float(value)) for value in grid.transform.to_gdal())
    for source in [element for element in band if element.find("SourceFilename") is not None]:
        band.remove(source)
    for tile in tiles:
        rows, cols = tile.core
        size = {"xSize": str(cols.stop - cols.start), "ySize": str(rows.stop - rows.start)}
        source = ET.SubElement(band, "SimpleSource")
        ET.SubElement(source, "SourceFilename", relativeToVRT="1").text = f"{tile.name}.tif"
        ET.SubElement(source, "SourceBand").text = "1"
        ET.SubElement(source, "SrcRect", {"xOff": "0", "yOff": "0", **size})
        ET.SubElement(source, "DstRect", {"xOff": str(cols.start), "yOff": str(rows.start), **size})
    tree.write(path)
    return kind
