"""Mosaic: the orthomosaic of an epoch, as an aircraft with a camera saw the valley on a winter day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.grid import Grid
from hazardgeo.io.raster.image import write_image
from hazardgeo.raster import Raster
from hazardgeo.synthetic.events import slides
from hazardgeo.synthetic.events.between import Between, seen_ground
from hazardgeo.synthetic.layout import GORGE, Layout
from hazardgeo.synthetic.pictures import matter, paint, props, shade, soil, texture, things
from hazardgeo.synthetic.pictures.shade import Sun
from hazardgeo.synthetic.pictures.texture import PIXEL_M, Textures
from hazardgeo.synthetic.places import people, plants

if TYPE_CHECKING:
    from hazardgeo.synthetic.scene import Scene

Epoch = Literal["before", "after"]
EPOCHS: tuple[Epoch, ...] = ("before", "after")
Mask = NDArray[np.bool_]
_PAD_PX = 300  # a thing farther than this outside a block does not show in it: a shadow of some 60 m
_SLIDE_KINDS = {"flow slide": matter.FLOW, "dam slide": matter.DAM, "collapse": matter.COLLAPSE, "slide": matter.SLIDE}
_WORK_KINDS = {"excavation": matter.PIT, "ploughing": matter.PLOUGHED, "terrace edit": matter.LEVELLED}
_SHORE_M = 12.0  # how far from the water the ground is damp, where it is level
_DRY_M = -9.0  # "depth" of the lake far from it
_BELOW_DAM = 0.4  # share of the river's water that still flows below the dam; an assumption


@dataclass(frozen=True, slots=True)
class View:
    """What there was to see in one epoch: the bare `ground`, its `wetness` (share of the pores), what stood on it.

    `happened` is None before the earthquake. `covered` tells where the aircraft flew, on the grid of the plan. The whole
    picture is displaced by `shift_m` (east, north): its registration is that wrong.
    """

    plan: Layout
    seed: int
    epoch: Epoch
    ground: Raster
    wetness: Raster
    standing: things.Standing
    happened: Between | None
    covered: Mask
    shift_m: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Flight:
    """The sun during the flight, and what the camera made of red, green and blue: gains (row 0) and haze (row 1)."""

    sun: Sun
    exposure: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since the first epoch, in cells: change of slides in m, others in cm, with their kinds; lake in m."""

    slides_m: NDArray[np.float32]
    slide_kinds: NDArray[np.uint8]
    slide_shares: NDArray[np.uint8]
    works_cm: NDArray[np.int8]
    work_kinds: NDArray[np.uint8]
    snow_cm: NDArray[np.uint8]
    growth_cm: NDArray[np.uint8]
    lake_m: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is needed to draw any block of an orthomosaic."""

    grid: Grid
    cell_m: float
    shift_m: tuple[float, float]
    flight: Flight
    textures: Textures
    soil: soil.Soil
    light: NDArray[np.float32]
    shade: NDArray[np.int8]
    river: tuple[NDArray[np.float64], NDArray[np.float64], float, NDArray[np.float64]]
    shapes: things.Shapes
    changes: Changes | None
    covered: Mask


def seen(scene: Scene, epoch: Epoch) -> View:
    """What there was to see in one epoch of a scene.

    The first survey covers all of the valley. The picture of the after epoch covers what its scan does and is displaced as
    that is, but for the tilt, which moves no place by a tenth of a pixel.
    """
    parked = scene.between.vehicles
    after = epoch == "after"
    change, grid = scene.between.change, scene.plan.grid
    standing = things.Standing(
        roads=scene.roads,
        sites=scene.sites,
        houses=people.standing(scene.buildings, change, grid) if after else scene.buildings,
        vehicles=parked[parked["epoch"] == epoch],
        plants=plants.standing(scene.plants, change, grid) if after else scene.plants,
        cracks=scene.between.cracks if after else None,
    )
    return View(
        plan=scene.plan,
        seed=scene.scan_seed,
        epoch=epoch,
        ground=scene.after if after else scene.before,
        wetness=scene.layers["saturation"],
        standing=standing,
        happened=scene.between if after else None,
        covered=scene.surveyed.values.astype(bool) if after else np.ones(grid.shape, bool),
        shift_m=scene.registration.shift_m[:2] if after else (0.0, 0.0),
    )


def write(view: View, path: Path, note: Mapping[str, str]) -> None:
    """Write the orthomosaic of an epoch as GeoTIFF: red, green, blue and alpha (0 where nobody flew), pixels of 0.2 m.

    `note` becomes tags of the file. The light comes from a low sun, another one in each epoch, as do the gains of the
    camera. Colours, textures and courtyards are invented and chosen by eye; houses, roads, trees, slides, cracks, snow and
    lake are where the truth of the valley has them, displaced by the shift of the view. Pixels of a block depend on
    nothing but their place, so that any block can be drawn alone.
    """
    shown = picture(view)
    write_image(lambda rows, cols: drawn(shown, rows, cols), shown.grid, path, tags=dict(note))


def flight(seed: int, epoch: str) -> Flight:
    """The sun and the camera of a flight: about noon, in autumn before the earthquake, in the middle of winter after it."""
    after = epoch == "after"
    rng = np.random.default_rng([seed, 4, int(after)])
    azimuth = rng.uniform(192.0, 212.0) if after else rng.uniform(150.0, 170.0)
    sun = Sun(azimuth, rng.uniform(25.0, 28.5) if after else rng.uniform(37.0, 42.0))
    warm, bright = rng.normal(0.0, 0.012), rng.normal(0.0, 0.02)
    gains = (0.98 if after else 1.01) + bright + np.array([warm, 0.0, -warm])
    gains *= np.array([0.995, 0.99, 1.015]) if after else np.array([1.005, 1.0, 0.99])
    return Flight(sun, np.array([gains, rng.uniform(4.0, 9.0) * np.array([0.8, 0.95, 1.2])], np.float32))


def picture(view: View) -> Picture:
    """Everything that does not depend on the pixel: light and shade, soil, textures and the shapes of things."""
    plan, seen = view.plan, flight(view.seed, view.epoch)
    west, south, east, north = plan.grid.bounds
    shape = round((north - south) / PIXEL_M), round((east - west) / PIXEL_M)
    grid = Grid(Affine(PIXEL_M, 0, west, 0, -PIXEL_M, north), shape, plan.grid.crs)
    number = int(view.epoch == "after")
    anchored = texture.patches(view.seed, shift_m=(0.0, 0.0))  # soil is coloured in cells, which the shift moves later
    surface = view.ground.values  # of snow and water, where they lie
    if view.happened is not None:
        surface = seen_ground(view.ground, view.happened.snow, view.happened.lake).values
    return Picture(
        grid=grid,
        cell_m=plan.cell_m,
        shift_m=view.shift_m,
        flight=seen,
        textures=texture.textures(view.seed, epoch=number, shift_m=view.shift_m),
        soil=soil.soil(plan, view.ground, view.wetness, anchored),
        light=shade.light(surface, plan.cell_m, seen.sun),
        shade=shade.shade(surface, plan.cell_m, seen.sun),
        river=_river(plan, dammed=view.happened is not None and view.happened.lake is not None),
        shapes=things.shapes(view.standing, view.ground, things.Frame(grid, view.shift_m), seen.sun),
        changes=None if view.happened is None else _changes(view.happened, view.ground),
        covered=view.covered,
    )


def _river(plan: Layout, *, dammed: bool) -> tuple[NDArray[np.float64], NDArray[np.float64], float, NDArray[np.float64]]:
    """The row of the river's middle in each column of cells, its slant, half its width in m, and how much water it has."""
    east, _ = plan.grid.centres()
    middle = plan.axis_north(east) + plan.river_across(east)
    row = (plan.grid.transform.f - middle) / plan.cell_m - 0.5
    slant = 1 / np.hypot(1.0, np.gradient(middle, plan.cell_m))
    below = np.where(dammed & (east > plan.east_of(GORGE)), _BELOW_DAM, 1.0)
    return row, np.asarray(slant), plan.river_m / 2, np.asarray(below)


def _changes(happened: Between, ground: Raster) -> Changes:
    grid = ground.grid
    works, work_kinds = np.zeros(grid.shape, np.int8), np.zeros(grid.shape, np.uint8)
    moved, kinds = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.uint8)
    for slide in happened.slides:
        moved[slides.block_of(grid, slide.change.grid)] += slide.change.values
        _mark(kinds[slides.block_of(grid, slide.change.grid)], slide.change.values != 0, _SLIDE_KINDS[slide.kind])
    for decoy in happened.decoys:
        if decoy.kind in _WORK_KINDS:
            block = slides.block_of(grid, decoy.change.grid)
            works[block] += np.clip(np.rint(100 * decoy.change.values), -127, 127).astype(np.int8)
            _mark(work_kinds[block], decoy.change.values != 0, _WORK_KINDS[decoy.kind], wider=False)
    return Changes(
        moved,
        kinds,
        _shares(moved),
        works,
        work_kinds,
        _centimetres(happened.snow),
        _centimetres(happened.growth),
        _lake(happened, ground),
    )


def _mark(kinds: NDArray[np.uint8], here: Mask, kind: int, *, wider: bool = True) -> None:
    """Writes a kind into the cells of a mask, and with `wider` into the free ones beside them: edges lie between centres."""
    if wider:
        beside = ndimage.binary_dilation(here, np.ones((3, 3), bool)) & (kinds == 0)
        kinds[beside] = kind
    kinds[here] = kind


def _shares(moved: NDArray[np.float32]) -> NDArray[np.uint8]:
    """How surely the ground of a cell moved, 0 to 255: half way the rounded edge between cells that did and did not."""
    return np.asarray(np.rint(ndimage.gaussian_filter((moved != 0).astype(np.float32), 0.9, truncate=2.5) * 255).astype(np.uint8))


def _centimetres(height: Raster) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(100 * height.values), 0, 255).astype(np.uint8))


def _lake(happened: Between, ground: Raster) -> NDArray[np.float32]:
    """Depth of the lake in m, negative on its shore, far below zero elsewhere."""
    depth = np.full(ground.grid.shape, _DRY_M, np.float32)
    water = happened.lake
    if water is not None:
        block = slides.block_of(ground.grid, water.depth.grid)
        away = ndimage.distance_transform_edt(~water.wet) * ground.grid.cell[0]
        shore = np.minimum(water.level_m - ground.values[block], -0.01) - 0.5 * (away / _SHORE_M) ** 2
        near = np.where(away < 1.2 * _SHORE_M, shore, _DRY_M)
        depth[block] = np.where(water.wet, np.maximum(water.depth.values, 0.01), near)
    return depth


def drawn(shown: Picture, rows: slice, cols: slice) -> NDArray[np.uint8]:
    """A block of the orthomosaic: (4, rows, columns), red, green, blue, alpha."""
    top, left = rows.start, cols.start
    height, width = rows.stop - top, cols.stop - left
    step = PIXEL_M / shown.cell_m
    frame = np.array(
        [
            (top + 0.5) * step + shown.shift_m[1] / shown.cell_m - 0.5,
            (left + 0.5) * step - shown.shift_m[0] / shown.cell_m - 0.5,
            step,
        ]
    )
    block = _Block(frame, np.array([top, left]), height, width)
    tiles = shown.textures.fine, shown.textures.coarse
    albedo = np.empty((3, height, width), np.float32)
    own = np.zeros((height, width), np.uint8)
    ground, lies = shown.soil, (frame, block.origin, tiles, albedo)
    kinds = ground.rough, ground.farmed, ground.contour, ground.narrow, shown.cell_m
    paint.ground_kernel(ground.colour, kinds, *lies)
    paint.river_kernel(shown.river, frame, shown.cell_m, tiles, block.origin, albedo)
    _draw_cover(shown, block, albedo)
    if shown.changes is not None:
        _draw_changes(shown.changes, block, lies)
    dark = _draw_things(shown, block, albedo, own)
    result = np.empty((4, height, width), np.uint8)
    covers = dark, own, shown.covered
    paint.lit_kernel(albedo, (shown.light, shown.shade), covers, frame, shown.flight.exposure, result)
    return result


@dataclass(frozen=True, slots=True)
class _Block:
    frame: NDArray[np.float64]
    origin: NDArray[np.int64]
    height: int
    width: int

    def touched(self, places: NDArray[np.float64]) -> Mask:
        """Which places (in pixels of the picture) lie in the block or so near that they may show in it."""
        row, col = places[:, 1] - self.origin[0], places[:, 0] - self.origin[1]
        near = (row > -_PAD_PX) & (row < self.height + _PAD_PX) & (col > -_PAD_PX) & (col < self.width + _PAD_PX)
        return np.asarray(near)

    def here(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places (..., 2) counted from the corner of the block."""
        return places - self.origin[::-1]

    def cells(self, values: NDArray[Any]) -> NDArray[Any]:
        """The cells of a raster that the block reads."""
        y, x, step = self.frame
        rows = slice(max(int(y) - 1, 0), max(int(y + self.height * step) + 3, 0))
        return values[rows, max(int(x) - 1, 0) : max(int(x + self.width * step) + 3, 0)]


def _draw_cover(shown: Picture, block: _Block, albedo: NDArray[np.float32]) -> None:
    """Yards and roads."""
    cover, away = (np.zeros((block.height, block.width), np.uint8) for _ in range(2))
    found = shown.shapes
    near = block.touched(found.yards[:, 0])
    props.yards_kernel(block.here(found.yards[near]), found.yard_kinds[near], cover, away)
    near = block.touched(found.roads[:, :2])
    pieces = found.roads[near].copy()
    pieces[:, :4] = block.here(pieces[:, :4].reshape(-1, 2)).reshape(-1, 4)
    props.roads_kernel(pieces, cover, away)
    props.cover_kernel(cover, away, block.origin, (shown.textures.fine, shown.textures.coarse), albedo)
    near = block.touched(found.cracks[:, :2])
    pieces = found.cracks[near].copy()
    pieces[:, :4] = block.here(pieces[:, :4].reshape(-1, 2)).reshape(-1, 4)
    props.cracks_kernel(pieces, albedo)


def _draw_changes(changes: Changes, block: _Block, lies: tuple[Any, ...]) -> None:
    """What slides, people, weather and water laid over the ground."""
    if block.cells(changes.work_kinds).any():
        matter.works_kernel(changes.works_cm, changes.work_kinds, *lies)
    if block.cells(changes.growth_cm).any():
        matter.laid_kernel(changes.growth_cm, *matter.SHRUBS, *lies)
    if block.cells(changes.slide_kinds).any():
        matter.slides_kernel(changes.slides_m, (changes.slide_kinds, changes.slide_shares), *lies)
    if block.cells(changes.snow_cm).any():
        matter.laid_kernel(changes.snow_cm, *matter.SNOW, *lies)
    if (block.cells(changes.lake_m) > _DRY_M).any():
        matter.lake_kernel(changes.lake_m, *lies)


def _draw_things(shown: Picture, block: _Block, albedo: NDArray[np.float32], own: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Roofs, vehicles and crowns; returns the shadows that all things cast, 0 to 255."""
    found = shown.shapes
    dark = np.zeros((block.height, block.width), np.uint8)
    first = found.shadows[found.starts[:-1]]
    near = np.flatnonzero(block.touched(first))
    counts = found.starts[near + 1] - found.starts[near]
    chosen = np.concatenate([np.arange(found.starts[k], found.starts[k + 1]) for k in near] or [np.empty(0, np.int64)])
    starts = np.concatenate([[0], np.cumsum(counts)])
    props.shadows_kernel(block.here(found.shadows[chosen]), starts, np.full(len(near), 0.97), dark)
    sun = shown.flight.sun.towards
    way = np.array([sun[0], -sun[1]]) / np.hypot(sun[0], sun[1])
    here = block.touched(found.crown_shadows[:, :2])
    props.crown_shadows_kernel(_moved(found.crown_shadows[here], block), way, np.flatnonzero(here), dark)
    here = block.touched(found.roofs[:, 0])
    corners = block.here(found.roofs[here])
    props.roofs_kernel(corners, found.roof_kinds[here], found.roof_lights[here], found.roof_seeds[here], own, albedo)
    here = block.touched(found.crowns[:, :2])
    props.crowns_kernel(_moved(found.crowns[here], block), way, block.origin, shown.textures.fine, own, albedo)
    return dark


def _moved(places: NDArray[np.float64], block: _Block) -> NDArray[np.float64]:
    """Rows of numbers whose first two are a place, counted from the corner of the block."""
    moved = places.copy()
    moved[:, :2] = block.here(places[:, :2])
    return moved
