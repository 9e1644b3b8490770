"""Change between two clouds of any size: read by parts, compared tile by tile, written whole or not at all."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hazardgeo import io, tiles
from hazardgeo.change.m3c2 import Registration, Sizes, compared
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import label, require_metric
from hazardgeo.errors import CrsError, HazardGeoWarning, InfeasibleError, InputError
from hazardgeo.grid import Grid
from hazardgeo.io import files
from hazardgeo.pipeline.large import Clouds, apart
from hazardgeo.scan.normals import scanner_at
from hazardgeo.scan.points import counted
from hazardgeo.tiles import CloudSource, Executor
from hazardgeo.tiles.engine import Report
from hazardgeo.tiles.plan import Block
from hazardgeo.tiles.points import grid_over, within

_ATTRIBUTES = ("classification", "withheld")
_TILE_POINTS = 1_000_000
_LARGEST_TILE = 4096
_SMALLEST_CELL_M = 1.0


def m3c2(  # noqa: PLR0913 - the options of the method, named
    before: Clouds,
    after: Clouds,
    core: Clouds | None = None,
    *,
    out: str | Path,
    normal_radius_m: float | Sequence[float],
    cylinder_radius_m: float,
    max_depth_m: float,
    registration_error_m: float | Registration = 0.0,
    orient: Literal["up"] | tuple[float, float, float] = "up",
    executor: Executor | None = None,
    report: Report | None = None,
    **reading: Any,
) -> Path:
    """The change between two clouds of any size at core points, all points of `before` unless given, as a LAS or LAZ file `out`.

    Core points have the parts of `change.m3c2` as extra dimensions, and their class; points are written tile by tile, to the
    millimetre, distances and levels of detection as float32. What is found is that of `change.m3c2` on the whole, to the last
    bit. `reading` takes `crs`, `height` and `offset` of `read_cloud`; the other options are those of `pipeline.ground`, and
    errors those of both. InfeasibleError where a cloud does not reach the other's bounds. Warns (HazardGeoWarning) of tiles in
    which no core point has a distance.
    """
    sizes, scanner = Sizes.of(normal_radius_m, cylinder_radius_m, max_depth_m), scanner_at(orient)
    if isinstance(registration_error_m, np.ndarray):
        raise InputError("registration_error_m must be one number or an Alignment where clouds are worked on by tiles.")
    target = files.require_suffix(out, (".las", ".laz")).absolute()
    options: dict[str, Any] = {"sizes": sizes, "registration_error_m": registration_error_m, "scanner": scanner}
    job: dict[str, Any] = {"executor": executor or tiles.InProcess(), "report": report}
    given = {"before": before, "after": after} | ({} if core is None else {"core": core})
    places = {name: apart(clouds, target) for name, clouds in given.items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        sources: dict[str, CloudSource] = {
            name: stack.enter_context(
                io.cloud_source(
                    files_, work_folder=target.with_name(f".{target.name}.{name}"), attributes=_ATTRIBUTES, **reading, **job
                )
            )
            for name, files_ in places.items()
        }
        grid = _grid(sources, sizes)
        halo = math.ceil(sizes.reach_m / grid.cell[0]) + 1
        job["tile_cells"] = _tile_cells(sources, grid)
        tiles.map(_compared, sources, io.CloudParts(target), grid=grid, halo=halo, options=options, **job)
    return target


def _compared(
    before: PointCloud,
    after: PointCloud,
    core: PointCloud | None = None,
    *,
    grid: Grid,
    inner: Block,
    sizes: Sizes,
    registration_error_m: float | Registration,
    scanner: NDArray[np.float64],
) -> PointCloud:
    """The core points of a tile with their change."""
    own = within(before if core is None else core, grid.window(*inner))
    kept = {name: own.attributes[name] for name in _ATTRIBUTES if name in own.attributes}
    found = compared(before, after, replace(own, attributes=kept), sizes, registration_error_m, scanner)
    number = int(counted(own).sum())
    if number and not np.isfinite(found.distance_m).any():
        west, south, east, north = grid.window(*inner).bounds
        warnings.warn(
            f"no distance is known at any of {number:,} core points between {west:.0f}, {south:.0f} and {east:.0f}, {north:.0f}: "
            "an epoch has no points in their cylinders, or before has too few for a normal; check that both surveys cover them.",
            HazardGeoWarning,
            stacklevel=2,
        )
    return found.as_cloud()


def _grid(sources: Mapping[str, CloudSource], sizes: Sizes) -> Grid:
    """The grid of tiles over the core points; CrsError, HeightError or InfeasibleError where the clouds cannot be compared."""
    first, core = sources["before"], sources.get("core", sources["before"])
    require_metric(first.crs, what="m3c2", fix="reproject the clouds to a projected metric CRS, for example UTM, first.")
    west, south, east, north = core.bounds
    for name, source in sources.items():
        if source.crs != first.crs:
            raise CrsError(f"the cloud before is in {label(first.crs)}, {name} in {label(source.crs)}; reproject one of them.")
        first.height.require_same(source.height)
        w, s, e, n = source.bounds
        if max(w - east, west - e, s - north, south - n) > sizes.reach_m:
            raise InfeasibleError(
                f"the clouds do not overlap: {name} lies beside the core points; check the files and their CRS."
            )
    return grid_over(core.bounds, max(sizes.reach_m, _SMALLEST_CELL_M), first.crs)


def _tile_cells(sources: Mapping[str, CloudSource], grid: Grid) -> int:
    """The side in cells of the largest tiles of which none holds more than some million points."""
    cells = _LARGEST_TILE
    while cells > 1 and max(source.fullest(cells * grid.cell[0]) for source in sources.values()) > _TILE_POINTS:
        cells //= 2
    return cells
