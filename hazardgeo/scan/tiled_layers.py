"""What lies beside the ground of a scan of any size: normals, heights above ground, and what its terrain rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hazardgeo import crs as _crs
from hazardgeo import tiles
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import CrsError, InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.scan import ground as _ground
from hazardgeo.scan import layers, surface, uncertainty
from hazardgeo.scan.normals import normals, require_radius, scanner_at
from hazardgeo.scan.tiled import Work, grid_of, tile_cells_for
from hazardgeo.tiles import CloudSink, CloudSource, RasterSink, RasterSource, Scratch
from hazardgeo.tiles.engine import Partial
from hazardgeo.tiles.folder import discard, held

NORMAL = ("NormalX", "NormalY", "NormalZ")
_ALLOWANCES = {"threshold_m": 0.3, "scalar": 1.25}
_SLOPE = 0.05


def normals_of(
    cloud: CloudSource, sink: CloudSink, *, radius_m: float, orient: Literal["up"] | tuple[float, float, float] = "up", **job: Any
) -> None:
    """The cloud with what `normals` says of each point, tile by tile, the same to the last bit.

    Attributes are `NormalX`, `NormalY`, `NormalZ` (east, north, up), `roughness_m`, `surface_variation`, `verticality` and
    `neighbours`. `job` is that of `tiles.map`; errors are those of `normals`.
    """
    require_radius(radius_m)
    scanner_at(orient)
    _require_points(cloud, "normals")
    grid = grid_of(cloud, max(radius_m, 1.0))
    job.setdefault("tile_cells", tile_cells_for(cloud, grid))
    options = {"radius_m": radius_m, "orient": orient}
    tiles.map(with_normals, {"cloud": cloud}, sink, grid=grid, halo=2, options=options, **job)


def with_normals(cloud: PointCloud, *, radius_m: float, orient: Literal["up"] | tuple[float, float, float] = "up") -> PointCloud:
    """The cloud with the attributes of `normals_of`."""
    names = ("roughness_m", "surface_variation", "verticality")
    if not len(cloud):
        empty = dict.fromkeys((*NORMAL, *names), np.empty(0, np.float32))
        return _with(cloud, {**empty, "neighbours": np.empty(0, np.int32)})
    found = normals(cloud, radius_m=radius_m, orient=orient)
    axes = {name: found.normal[:, k] for k, name in enumerate(NORMAL)}
    return _with(cloud, {**axes, **{name: getattr(found, name) for name in names}, "neighbours": found.neighbours})


def _with(cloud: PointCloud, attributes: dict[str, Any]) -> PointCloud:
    for name, values in attributes.items():
        cloud = cloud.with_attribute(name, values)
    return cloud


def height_above_ground_of(cloud: CloudSource, dtm: RasterSource, sink: CloudSink, **job: Any) -> None:
    """The cloud with `height_above_ground_m` as `height_above_ground` has it, tile by tile.

    `job` is that of `tiles.map`; errors are those of `height_above_ground`.
    """
    _require_points(cloud, "height_above_ground")
    corner = dtm.read(dtm.grid.window(slice(0, 1), slice(0, 1)))
    corner.require(unit="m")
    if cloud.crs != dtm.grid.crs:
        raise CrsError(
            f"the cloud is in {_crs.label(cloud.crs)}, the ground in {_crs.label(dtm.grid.crs)}; bring both into one CRS."
        )
    if corner.height is not None:
        cloud.height.require_same(corner.height)
    ground = tiles.framed(dtm, around=cloud.bounds)
    job.setdefault("tile_cells", tile_cells_for(cloud, ground.grid))
    options = {"own": layers.cells_held(dtm.grid)}
    sources: dict[str, Any] = {"cloud": cloud, "dtm": ground}
    tiles.map(layers.heights_over, sources, sink, grid=ground.grid, halo=1, options=options, **job)


@dataclass(frozen=True, slots=True)
class LayerSinks:
    """Where the layers of `dtm_layers` go."""

    count: RasterSink
    spread: RasterSink
    distance: RasterSink


def dtm_layers_of(
    cloud: CloudSource, sinks: LayerSinks, *, work_folder: Path, cell_m: float = 1.0, max_distance_m: float = 100.0, **job: Any
) -> None:
    """What `dtm_layers` gives for the whole cloud, tile by tile. `job` is that of `tiles.map`; errors are those of both."""
    layers.require_distance(max_distance_m)
    with held(work_folder):
        work = _started(cloud, work_folder, cell_m, job)
        held_count = work.scratch("count")
        tiles.map(_means, {"cloud": cloud}, work.scratch("measured"), grid=work.grid, **job)
        _require_ground(cloud, work.known_cells(measured=work.scratch("measured"))[0])
        parts = {"count": sinks.count, "spread": sinks.spread, "held": held_count}
        tiles.map(_count_and_spread, {"cloud": cloud}, parts, grid=work.grid, **job)
        halo = layers.distance_halo(max_distance_m, cell_m)
        options = {"max_distance_m": max_distance_m}
        tiles.map(
            layers.ground_distance, {"count": held_count}, sinks.distance, grid=work.grid, halo=halo, options=options, **job
        )
        discard(work_folder)


def ground_uncertainty_of(
    cloud: CloudSource,
    sink: RasterSink,
    *,
    work_folder: Path,
    cell_m: float = 1.0,
    window_m: float = 12.0,
    max_gap_m: float = 5.0,
    max_cover_m: float = 20.0,
    **job: Any,
) -> None:
    """What `ground_uncertainty` gives for the whole cloud, tile by tile. `job` is that of `tiles.map`; errors those of both."""
    gaps = {"max_gap_m": max_gap_m, "max_cover_m": max_cover_m}
    surface.require_gaps(**gaps)
    _ground.require_parameters(cell_m=cell_m, slope=_SLOPE, window_m=max(window_m, cell_m), **_ALLOWANCES)
    with held(work_folder):
        work = _started(cloud, work_folder, cell_m, job)
        measured, seen = work.scratch("measured"), work.scratch("seen")
        tiles.map(_seen, {"cloud": cloud}, {"measured": measured, "seen": seen}, grid=work.grid, **job)
        _require_ground(cloud, work.known_cells(measured=measured)[0])
        terrain = work.terrain(measured, seen, hidden=work.origin(cloud).is_flagged, **gaps)
        about = work.step("spread", uncertainty.spread_about, halo=1, cloud=cloud, terrain=work.filled("terrain", terrain))
        found = {"terrain": terrain, "measured": measured, "spread": work.filled("spread-filled", about)}
        options = {"error_m_per_m": _error_per_metre(work, measured)}
        found["other"] = _other_ground(cloud, work, max(window_m, cell_m))
        halo = math.ceil(max(gaps.values()) / cell_m) + 1
        function = uncertainty.uncertainty_of_cells
        tiles.map(function, found, sink, grid=work.grid, halo=halo, options=options, **job)
        discard(work_folder)


def _error_per_metre(work: Work, measured: Scratch) -> float:
    kept = work.step("kept", uncertainty.held_out, measured=measured)
    filled = work.filled("kept-filled", kept, sweeps=surface.SWEEPS)
    sources = {"measured": measured, "kept": kept, "filled": filled}
    told = {"work_folder": work.folder / "errors", "grid": work.grid, "halo": uncertainty.HELD_OUT_HALO, **work.job}
    return uncertainty.error_per_metre(tiles.map_reduce(uncertainty.errors_held_out, _summed, sources, **told))


def _other_ground(cloud: CloudSource, work: Work, window_m: float) -> Scratch:
    """The ground as another window has it, its holes filled."""
    found = work.provisional_ground(cloud, _ALLOWANCES, slope=_SLOPE, window_m=window_m)
    other = work.scratch("other")
    sources: dict[str, Any] = {"cloud": cloud, **found}
    tiles.map(_other_means, sources, other, grid=work.grid, halo=_ground.GROUND_HALO, options=_ALLOWANCES, **work.job)
    return work.filled("other-filled", other, sweeps=surface.SWEEPS)


def _started(cloud: CloudSource, folder: Path, cell_m: float, job: dict[str, Any]) -> Work:
    _require_points(cloud, "the ground")
    grid = grid_of(cloud, cell_m)
    job.setdefault("tile_cells", tile_cells_for(cloud, grid))
    return Work(folder, grid, job)


def _require_points(cloud: CloudSource, what: str) -> None:
    if not cloud.points:
        raise InputError(f"{what} needs points, but the cloud has none; check the file and the filter.")


def _require_ground(cloud: CloudSource, cells: int) -> None:
    if not cells:
        raise InputError(f"none of the {cloud.points:,} points is ground (class 2); classify the ground first.")


def _means(cloud: PointCloud, grid: Grid) -> Raster:
    if "classification" not in cloud.attributes:
        raise InputError("the cloud has no classification, so its ground is not known; classify the ground first.")
    return surface.ground_means(cloud, grid)


def _seen(cloud: PointCloud, grid: Grid) -> dict[str, Raster]:
    return {"measured": _means(cloud, grid), "seen": surface.dsm_of(cloud, grid)}


def _count_and_spread(cloud: PointCloud, grid: Grid) -> dict[str, Raster]:
    count, spread = layers.count_and_spread(cloud, grid)
    return {"count": count, "spread": spread, "held": count}


def _other_means(cloud: PointCloud, ground: Raster, noise: Raster, **allowances: float) -> Raster:
    return surface.ground_means(_ground.classified(cloud, ground, noise, **allowances), ground.grid)


def _summed(one: Partial, other: Partial) -> Partial:
    return {name: one[name] if name == "cell_m" else one[name] + other[name] for name in one}
