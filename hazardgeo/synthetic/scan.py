"""Scan: what an airborne laser saw of the valley after the earthquake, point by point, with the class of each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.grid import Grid
from hazardgeo.kernel import kernel
from hazardgeo.raster import Raster, rasterize, sample_xy
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.layout import HEIGHT, Layout
from hazardgeo.synthetic.noise import fractal
from hazardgeo.synthetic.people import Building

GROUND, SHRUB, TREE, BUILDING, LOW_NOISE, WATER, HIGH_NOISE = 2, 3, 5, 6, 7, 9, 18  # ASPRS classes
NOISE_M = 0.03
_STRIP_CELLS = 100  # points are stored in strips of this many rows, from west to east
_BLOCK = 1_000_000
_VIEW_DEG = 52.0  # how far below the horizon the laser looks, at its flattest

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Plants:
    """Trees and shrubs: crowns as half ellipsoids on the ground."""

    east: Field
    north: Field
    height_m: Field
    radius_m: Field


def surveyed(plan: Layout, rng: np.random.Generator) -> Mask:
    """Where the survey flew: not over a strip at the southern edge, nor over a patch in the east of the floor."""
    grid, size = plan.grid, plan.size_m
    ragged = fractal(rng, grid, wavelength_m=0.08 * size, octaves=3)
    east, north = np.meshgrid(*grid.centres())
    strip = north - grid.bounds[1] < size * (0.04 + 0.006 * ragged)
    patch_east, patch_north = plan.place(0.93, 0.55 * plan.floor_m)
    patch = np.hypot(east - patch_east, north - patch_north) < size * (0.05 + 0.005 * ragged)
    return np.asarray(~strip & ~patch)


def occluded(surface: Field, cell_m: float) -> Mask:
    """Ground that the laser did not reach behind cliffs: it looked from the north, slightly from the west."""
    return np.asarray(_shadow_kernel(surface, cell_m, math.tan(math.radians(_VIEW_DEG))))


@kernel
def _shadow_kernel(surface, cell, view_tan):  # type: ignore[no-untyped-def]
    rows, cols = surface.shape
    horizon = surface.copy()
    shadow = np.zeros(surface.shape, np.bool_)
    fall = cell * math.sqrt(1.0 + 0.35**2) * view_tan
    for r in range(1, rows):
        for c in range(1, cols):
            above = 0.65 * horizon[r - 1, c] + 0.35 * horizon[r - 1, c - 1] - fall
            if above > surface[r, c]:
                horizon[r, c] = above
                shadow[r, c] = above > surface[r, c] + 0.3
    return shadow


def plants(plan: Layout, open_ground: Mask, rng: np.random.Generator) -> tuple[Plants, Plants]:
    """Trees in groves and shrubs in thickets, on `open_ground` only."""
    area = plan.size_m**2
    grove = fractal(rng, plan.grid, wavelength_m=90.0, octaves=3)
    trees = _planted(plan, open_ground & (grove > 0.5), round(area * 0.0016), (3.0, 8.0), 0.30, rng)
    shrubs = _planted(plan, open_ground & (grove < 0.3), round(area * 0.0030), (0.5, 1.6), 0.60, rng)
    return trees, shrubs


def _planted(
    plan: Layout, where: Mask, count: int, heights_m: tuple[float, float], spread: float, rng: np.random.Generator
) -> Plants:
    row, col = np.divmod(rng.choice(np.flatnonzero(where), size=count), where.shape[1])
    east, north = plan.grid.centres()
    shift = rng.uniform(-0.5, 0.5, (2, count)) * plan.cell_m
    height = rng.uniform(*heights_m, count)
    return Plants(east[col] + shift[0], north[row] + shift[1], height, spread * height * rng.uniform(0.8, 1.2, count))


def scan(
    plan: Layout, surface: Raster, seen: Mask, buildings: list[Building], rng: np.random.Generator
) -> tuple[PointCloud, NDArray[np.uint8]]:
    """The laser scan of `surface` (ground after the earthquake) and the true class of every point, in the same order.

    `seen` tells where pulses came back. Density varies between half and one and a half times the planned one; noise of
    3 cm; a few points far below and above the ground. The cloud's own classification is 0 everywhere (never classified).
    """
    grid = plan.grid
    uneven = np.clip(1 + 0.25 * fractal(rng, grid, wavelength_m=150.0, octaves=2), 0.5, 1.5)
    density = np.asarray(seen * plan.scan_per_m2 * uneven, np.float64)
    wet = lines.around(plan.river, grid, reach_m=plan.river_m / 2)[0] < plan.river_m / 2
    density[wet] *= 0.15  # water swallows most pulses
    shapes = geopandas.GeoDataFrame(geometry=[b.footprint for b in buildings], crs=grid.crs)
    built = rasterize(shapes, grid, all_touched=True).values
    groups = [_ground_parts(grid, density, wet, built, shapes.union_all(), rng)]
    trees, shrubs = plants(plan, seen & ~wet & ~built, rng)
    groups += [(TREE, _crown_points(trees, plan.scan_per_m2, rng)), (SHRUB, _crown_points(shrubs, plan.scan_per_m2, rng))]
    groups.append((BUILDING, _box_points(buildings, plan.scan_per_m2, rng)))
    pulses = int(density.sum() * plan.cell_m**2)
    groups.append((LOW_NOISE, _stray_points(grid, seen, round(2e-5 * pulses) + 3, (-12.0, -3.0), rng)))
    groups.append((HIGH_NOISE, _stray_points(grid, seen, round(3e-5 * pulses) + 3, (15.0, 60.0), rng)))
    return _cloud(groups, surface, seen, rng)


Group = tuple[NDArray[np.uint8] | int, Field]  # class, and points as east, north, height above the ground


def _ground_parts(
    grid: Grid, density: Field, wet: Mask, built: Mask, footprints: shapely.Geometry, rng: np.random.Generator
) -> Group:
    """Points on bare ground and on water, at random places in their cells; none under a roof."""
    counts = rng.poisson(density * grid.cell[0] * grid.cell[1]).ravel()
    cell = np.repeat(np.arange(counts.size, dtype=np.int32), counts)
    row, col = np.divmod(cell, grid.shape[1])
    points = np.zeros((len(cell), 3))
    points[:, 0] = grid.transform.c + grid.cell[0] * (col + rng.random(len(cell)))
    points[:, 1] = grid.transform.f - grid.cell[1] * (row + rng.random(len(cell)))
    shapely.prepare(footprints)
    hidden = built.ravel()[cell]
    hidden[hidden] = shapely.contains_xy(footprints, points[hidden, 0], points[hidden, 1])
    return np.where(wet.ravel()[cell[~hidden]], WATER, GROUND).astype(np.uint8), points[~hidden]


def _crown_points(group: Plants, per_m2: float, rng: np.random.Generator) -> Field:
    """Points in the outer half of half-ellipsoid crowns; the ground below them is seen too."""
    count = rng.poisson(0.8 * per_m2 * math.pi * group.radius_m**2)
    plant = np.repeat(np.arange(len(count)), count)
    share = np.sqrt(rng.random(len(plant)))
    angle = rng.uniform(0, 2 * math.pi, len(plant))
    above = group.height_m[plant] * (0.3 + 0.7 * np.sqrt(1 - share**2)) * rng.uniform(0.7, 1.0, len(plant))
    reach = share * group.radius_m[plant]
    return np.column_stack([group.east[plant] + reach * np.cos(angle), group.north[plant] + reach * np.sin(angle), above])


def _box_points(buildings: list[Building], per_m2: float, rng: np.random.Generator) -> Field:
    """Points on flat roofs, and a few on the walls."""
    parts = [np.empty((0, 3))]
    for building in buildings:
        corners = shapely.get_coordinates(building.footprint)
        side, front = corners[1] - corners[0], corners[3] - corners[0]
        roof = rng.poisson(per_m2 * building.footprint.area)
        share = rng.random((roof, 2))
        flat = corners[0] + share[:, :1] * side + share[:, 1:] * front
        parts.append(np.column_stack([flat, np.full(roof, building.height_m)]))
        wall = rng.poisson(0.15 * per_m2 * building.footprint.length)
        on_wall = corners[0] + rng.random((wall, 1)) * side
        parts.append(np.column_stack([on_wall, rng.uniform(0.5, building.height_m, wall)]))
    return np.vstack(parts)


def _stray_points(grid: Grid, seen: Mask, count: int, offset_m: tuple[float, float], rng: np.random.Generator) -> Field:
    row, col = np.divmod(rng.choice(np.flatnonzero(seen), size=count), grid.shape[1])
    east, north = grid.centres()
    return np.column_stack([east[col], north[row], rng.uniform(*offset_m, count)])


def _cloud(groups: list[Group], surface: Raster, seen: Mask, rng: np.random.Generator) -> tuple[PointCloud, NDArray[np.uint8]]:
    """All points as one cloud, in rows of tiles as a survey delivers them; points that left the surveyed ground are dropped."""
    kinds = np.concatenate([np.broadcast_to(np.asarray(kind, np.uint8), len(points)) for kind, points in groups])
    xyz = np.vstack([points for _, points in groups])
    np.round(xyz[:, :2], 3, out=xyz[:, :2])
    row, col = surface.grid.rowcol(xyz[:, 0], xyz[:, 1])
    rows, cols = surface.grid.shape
    kept = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
    kept[kept] = seen[row[kept], col[kept]]
    strip = (row // _STRIP_CELLS).astype(np.int32)
    order = np.lexsort((xyz[:, 0], strip))
    order = order[kept[order]]
    xyz, kinds = xyz[order], kinds[order]
    for block in range(0, len(xyz), _BLOCK):
        part = xyz[block : block + _BLOCK]
        part[:, 2] += sample_xy(surface, part[:, 0], part[:, 1], how="bilinear") + rng.normal(0, NOISE_M, len(part))
    brightness = {GROUND: 900, SHRUB: 500, TREE: 450, BUILDING: 1100, LOW_NOISE: 60, WATER: 120, HIGH_NOISE: 60}
    mean = np.zeros(256)
    mean[list(brightness)] = list(brightness.values())
    intensity = np.clip(mean[kinds] * rng.normal(1, 0.15, len(kinds)), 1, 4095).astype(np.uint16)
    once = np.ones(len(kinds), np.uint8)
    attributes = {
        "intensity": intensity,
        "return_number": once,
        "number_of_returns": once,
        "classification": np.zeros(len(kinds), np.uint8),
    }
    return PointCloud(xyz.round(3), surface.grid.crs, attributes, HEIGHT), kinds
