"""The steps that all water takes first, by tiles: the surface filled, the way down from each cell, the cells above it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hazardgeo.raster import Raster
from hazardgeo.terrain.gradient import surface
from hazardgeo.terrain.reach import reach
from hazardgeo.terrain.routing import EXPONENT, MARKS, unit_of
from hazardgeo.terrain.tiled.shares import share_out
from hazardgeo.tiles import accumulation, engine
from hazardgeo.tiles.depressions import fill_depressions
from hazardgeo.tiles.directions import directions_on
from hazardgeo.tiles.engine import RasterSource
from hazardgeo.tiles.folder import discard, held
from hazardgeo.tiles.plan import DEFAULT_CELLS
from hazardgeo.tiles.scratch import Scratch


@dataclass(frozen=True, slots=True)
class Drained:
    """A surface that water has been led over: its elevations, filled, and the D8 codes; where more is kept, and the job."""

    surface: RasterSource
    filled: Scratch
    codes: Scratch
    folder: Path
    job: dict[str, Any]

    def scratch(self, name: str, unit: str = "1") -> Scratch:
        """A raster of this work that is kept until its end."""
        return Scratch(self.folder / name, self.filled.grid, self.filled.tile_cells, unit)

    def counts(self, routing: str = "d8", exponent: float = EXPONENT) -> Scratch:
        """How many cells drain through each, itself included, in float64; NaN in unknown cells."""
        found = self.scratch("counts")
        if routing == "d8":
            accumulation.count(self.codes, found, work_folder=self.folder / "gather", **self.job)
        else:
            how = self.filled.grid.cell_m, routing, exponent, unit_of(self.filled.grid.shape[0] * self.filled.grid.shape[1])
            share_out(self.filled, self.codes, found, how, work_folder=self.folder / "shares", **self.job)
        return found

    def inflow(self, routing: str = "d8", exponent: float = EXPONENT) -> Scratch:
        """True (or 1) where water may come in unseen."""
        found = self.scratch("inflow")
        if routing == "d8":
            accumulation.inflow_unknown(self.codes, found, work_folder=self.folder / "gather", **self.job)
        else:
            how = self.filled.grid.cell_m, routing, exponent, MARKS
            share_out(self.filled, self.codes, found, how, work_folder=self.folder / "shares", **self.job)
        return found


@contextmanager
def drained(
    source: RasterSource, work_folder: Path, *, scale_m: float | None = None, tile_cells: int = DEFAULT_CELLS, **job: Any
) -> Iterator[Drained]:
    """The raster, smoothed to `scale_m` where it is given, filled and with the ways of water, for the block.

    What is kept lies in `work_folder` and goes when the block ends without an error; after one, the same call does again
    only what tiles had not finished. `job` is that of `tiles.map`, without a halo.
    """
    shared = {"tile_cells": tile_cells, **job}
    grid = source.grid
    filled = Scratch(work_folder / "filled", grid, tile_cells, "m")
    codes = Scratch(work_folder / "codes", grid, tile_cells)
    with held(work_folder):
        above: RasterSource = source
        if scale_m is not None:
            above = Scratch(work_folder / "smooth", grid, tile_cells, "m")
            halo = reach("slope", grid, {"scale_m": scale_m})
            engine.map(_smoothed, {"dem": source}, above, halo=halo, options={"scale_m": scale_m}, **shared)
        fill_depressions(above, filled, work_folder=work_folder / "flood", **shared)
        directions_on(filled, codes, work_folder=work_folder / "ways", **job)
        yield Drained(above, filled, codes, work_folder, shared)
        for kept in ("smooth", "filled", "codes", "counts", "inflow", "number", "far"):
            discard(work_folder / kept)
        if work_folder.is_dir() and not any(work_folder.iterdir()):
            work_folder.rmdir()


def _smoothed(dem: Raster, scale_m: float) -> Raster:
    return dem.like(surface(dem, "wetness", scale_m=scale_m), "dem", "m")
