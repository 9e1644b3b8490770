"""Functions for workers that die, fail or talk."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from hazardgeo.errors import HazardGeoError, HazardGeoWarning, InputError
from hazardgeo.raster import Raster
from hazardgeo.tiles import Tile


def doubled(raster: Raster) -> Raster:
    return Raster(raster.values * 2, raster.grid)


def dies_once(raster: Raster, tile: Tile, *, folder: str, every: int) -> Raster:
    """Kills its process the first time for one tile in `every`."""
    marker = Path(folder) / tile.name
    if (tile.row + tile.col) % every == 0 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return doubled(raster)


def dies_always(raster: Raster, tile: Tile, *, name: str) -> Raster:
    if tile.name == name:
        os.kill(os.getpid(), signal.SIGKILL)
    return doubled(raster)


def refuses(raster: Raster) -> Raster:
    raise InputError("the ground is missing; bring it.")


def breaks(raster: Raster, tile: Tile, *, name: str) -> Raster:
    return raster.grid.nothing if tile.name == name else doubled(raster)  # type: ignore[attr-defined, no-any-return]


def warns(raster: Raster) -> Raster:
    warnings.warn("this is weak.", HazardGeoWarning, stacklevel=2)
    return doubled(raster)


def names_its_file(raster: Raster, tile: Tile) -> Raster:
    warnings.warn(f"b_{abs(tile.col):03d}.laz: 5 points are odd.", HazardGeoWarning, stacklevel=2)
    return doubled(raster)


def talks(raster: Raster) -> Raster:
    sys.stdout.write("a library that talks on standard output\n")
    sys.stdout.flush()
    os.write(1, b"below Python too\n")
    return doubled(raster)


def counts(raster: Raster, inner: tuple[slice, slice]) -> dict[str, Any]:
    return {"cells": np.array(raster.values[inner].size)}


def more(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {"cells": one["cells"] + other["cells"]}


def weighted(raster: Raster, tile: Tile, *, weights: Any, name: str) -> Raster:
    return (
        breaks(raster, tile, name=name) if tile.name == name else Raster(raster.values * np.float32(weights.sum()), raster.grid)
    )


def warns_and_breaks(raster: Raster, tile: Tile) -> Raster:
    warnings.warn(f"{abs(tile.row) / 7:.1%} of the cells are weak.", HazardGeoWarning, stacklevel=2)
    if tile.wide[0].start > 0 and tile.wide[1].start > 0:
        raise ValueError("not this one")
    return doubled(raster)


class TwoWordsError(HazardGeoError):
    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} {where}")


def refuses_twice(raster: Raster) -> Raster:
    raise TwoWordsError("the ground is missing", "here")


def of_two_kinds(raster: Raster, tile: Tile) -> Raster:
    values = raster.values if tile.wide[1].start else raster.values.astype(np.int32)
    return Raster(values, raster.grid)


def threads() -> tuple[int, str | None, str | None]:
    """Threads of numba, GDAL and BLAS."""
    from numba.np.ufunc import parallel

    return parallel.get_thread_count(), os.environ.get("GDAL_NUM_THREADS"), os.environ.get("OPENBLAS_NUM_THREADS")


def dies_alone_once(raster: Raster, tile: Tile, folder: str) -> float:
    marker = Path(folder) / tile.name
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return float(raster.values.sum())


def nothing(parts: Any) -> Any:
    return ((tile, {}) for tile in parts.tiles)


def settles_and_warns(local: Any, exchanged: Any, grid: Any) -> Raster:
    warnings.warn("settled in a weak way.", HazardGeoWarning, stacklevel=2)
    return Raster(np.full(grid.shape, local["cells"] + len(exchanged), np.float32), grid)
