import math
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely

from hazardgeo import io
from hazardgeo.raster import rasterize
from hazardgeo.synthetic.pictures import mosaic, things
from hazardgeo.synthetic.pictures.shade import Sun
from hazardgeo.synthetic.places import people, plants
from hazardgeo.synthetic.places.people import Building
from hazardgeo.synthetic.scene import Scene, scene

SEED = 3
PX = 0.2


@pytest.fixture(scope="module")
def place() -> Scene:
    return scene(SEED, "small")


@pytest.fixture(scope="module")
def views(place: Scene) -> dict[str, mosaic.View]:
    return {epoch: mosaic.seen(place, epoch) for epoch in ("before", "after")}


@pytest.fixture(scope="module")
def pictures(views) -> dict[str, mosaic.Picture]:
    return {epoch: mosaic.picture(view) for epoch, view in views.items()}


@pytest.fixture(scope="module")
def flat(views) -> mosaic.View:
    """The after epoch with nothing on level, dry ground, everywhere covered and in its place."""
    view = views["after"]
    empty = view.standing
    nothing = things.Standing(
        roads=empty.roads.iloc[:0], sites=empty.sites.iloc[:0], houses=[], vehicles=empty.vehicles.iloc[:0],
        plants=empty.plants.where(np.zeros(len(empty.plants), bool)), cracks=None,
    )  # fmt: skip
    ground = view.ground.like(np.full(view.ground.grid.shape, 1850.0, np.float32), "ground", "m")
    covered = np.ones(view.covered.shape, bool)
    return replace(view, ground=ground, standing=nothing, happened=None, covered=covered, shift_m=(0.0, 0.0))


def _around(view: mosaic.View, east: float, north: float, half: int) -> tuple[slice, slice]:
    """The pixels of a square around a true place, moved as the picture is."""
    west, _, _, top = view.plan.grid.bounds
    row, col = int((top - north - view.shift_m[1]) / PX), int((east + view.shift_m[0] - west) / PX)
    return slice(max(row - half, 0), row + half), slice(max(col - half, 0), col + half)


def _places(view: mosaic.View, rows: slice, cols: slice) -> tuple[np.ndarray, np.ndarray]:
    """True east and north of every pixel of a block."""
    west, _, _, top = view.plan.grid.bounds
    east = west + (np.arange(cols.start, cols.stop) + 0.5) * PX - view.shift_m[0]
    north = top - (np.arange(rows.start, rows.stop) + 0.5) * PX - view.shift_m[1]
    return np.meshgrid(east, north)


def _bright(block: np.ndarray) -> np.ndarray:
    return block[:3].astype(float).mean(axis=0)


def _inside(view: mosaic.View, shape: shapely.Geometry, rows: slice, cols: slice) -> np.ndarray:
    return shapely.contains_xy(shape, *_places(view, rows, cols))


@pytest.mark.parametrize("epoch", ["before", "after"])
def test_alpha_is_zero_exactly_where_nobody_flew(views, pictures, epoch: str):
    view, grid = views[epoch], views[epoch].plan.grid
    seen = 0
    for rows, cols in (
        (slice(4000, 5000), slice(0, 1500)),
        (slice(2900, 3700), slice(4200, 5000)),
        (slice(0, 40), slice(0, 900)),
    ):
        block = mosaic.drawn(pictures[epoch], rows, cols)
        east, north = _places(view, rows, cols)
        row, col = grid.rowcol(east, north)
        within = (row >= 0) & (row < grid.shape[0]) & (col >= 0) & (col < grid.shape[1])
        flown = np.zeros(east.shape, bool)
        flown[within] = view.covered[row[within], col[within]]
        np.testing.assert_array_equal(block[3], np.where(flown, 255, 0))
        assert not block[:3, ~flown].any()
        seen += int((~flown).sum())
    assert (seen > 0) == (epoch == "after")


def test_blocks_have_no_seams(place: Scene, views, pictures):
    lake = place.lakes.geometry.iloc[0].centroid
    flow = place.bodies.geometry.iloc[1].centroid
    for point in (lake, flow, place.buildings[5].footprint.centroid):
        rows, cols = _around(views["after"], point.x, point.y, 300)
        whole = mosaic.drawn(pictures["after"], rows, cols)
        for top, left, height, width in ((0, 0, 600, 151), (117, 213, 64, 301), (599, 0, 1, 600), (300, 300, 300, 300)):
            part = mosaic.drawn(
                pictures["after"],
                slice(rows.start + top, rows.start + top + height),
                slice(cols.start + left, cols.start + left + width),
            )
            np.testing.assert_array_equal(part, whole[:, top : top + height, left : left + width])


def test_the_same_view_gives_the_same_pixels_and_another_seed_others(views, pictures):
    rows, cols = slice(1000, 1400), slice(1000, 1400)
    again = mosaic.drawn(mosaic.picture(views["before"]), rows, cols)
    other = mosaic.drawn(mosaic.picture(replace(views["before"], seed=views["before"].seed + 1)), rows, cols)

    np.testing.assert_array_equal(again, mosaic.drawn(pictures["before"], rows, cols))
    assert (other != again).any(axis=0).mean() > 0.5


def test_a_shift_by_whole_pixels_moves_the_picture_by_them(views):
    still = mosaic.picture(replace(views["after"], shift_m=(0.0, 0.0)))
    moved = mosaic.picture(replace(views["after"], shift_m=(0.6, -0.4)))
    first = mosaic.drawn(still, slice(2500, 3100), slice(1500, 2100)).astype(int)
    second = mosaic.drawn(moved, slice(2502, 3102), slice(1503, 2103)).astype(int)

    assert (np.abs(second - first).max(axis=0) <= 8).mean() > 0.98  # tufts and speckles on a threshold may flip


def test_the_shadow_of_a_tower_falls_away_from_the_sun(flat: mosaic.View):
    west, _, _, top = flat.plan.grid.bounds
    east, north = west + 500.0, top - 500.0
    tower = Building(shapely.box(east - 3, north - 3, east + 3, north + 3), 12.0)
    bare = mosaic.drawn(mosaic.picture(flat), *_around(flat, east, north, 250))
    shown = mosaic.picture(replace(flat, standing=replace(flat.standing, houses=[tower])))
    block = mosaic.drawn(shown, *_around(flat, east, north, 250))
    sun = shown.flight.sun
    length = 12.0 / math.tan(math.radians(sun.elevation_deg))
    turn = math.radians(sun.azimuth_deg + 180.0)
    darker = _bright(block) < 0.75 * _bright(bare)

    def dark_at(distance_m: float, azimuth: float) -> bool:
        row, col = 250 - distance_m * math.cos(azimuth) / PX, 250 + distance_m * math.sin(azimuth) / PX
        return bool(darker[int(row), int(col)])

    assert all(dark_at(d, turn) for d in (4.5, 0.5 * length, length - 1.0))
    assert not dark_at(length + 5.0, turn)
    assert not any(dark_at(d, turn + math.pi) for d in (4.5, 8.0, 15.0))
    area = darker.sum() * PX**2
    side = 6.0 * (abs(math.sin(turn)) + abs(math.cos(turn)))  # of the square tower seen along the rays
    assert area == pytest.approx(length * side, rel=0.15)


def test_roofs_differ_from_the_ground_and_keep_their_colour(place: Scene, views, pictures):
    standing = people.standing(place.buildings, place.between.change, place.plan.grid)
    clear = []
    for house in standing[:: max(len(standing) // 12, 1)]:
        middle = house.footprint.centroid
        tones = []
        for epoch in ("before", "after"):
            rows, cols = _around(views[epoch], middle.x, middle.y, 40)
            block = mosaic.drawn(pictures[epoch], rows, cols)
            bare = replace(views[epoch].standing, houses=[])
            shapes = things.shapes(
                bare, views[epoch].ground, things.Frame(pictures[epoch].grid, views[epoch].shift_m), Sun(180, 30)
            )
            empty = mosaic.drawn(replace(pictures[epoch], shapes=shapes), rows, cols)
            roof = _inside(views[epoch], house.footprint.buffer(-0.4), rows, cols)
            differ = np.abs(block[:3].astype(int) - empty[:3]).max(axis=0)[roof]
            assert (differ > 0).mean() > 0.8
            clear.append((differ > 8).mean())
            tone = block[:3, roof].astype(float).mean(axis=1)
            tones.append(tone / tone.sum())
        assert np.abs(tones[0] - tones[1]).max() < 0.06
    assert np.median(clear) > 0.9  # a roof of mud may look like the ground


def test_buried_houses_are_gone_after(place: Scene, views, pictures):
    left = {id(b) for b in people.standing(place.buildings, place.between.change, place.plan.grid)}
    buried = [b for b in place.buildings if id(b) not in left]
    assert buried
    view = views["after"]
    bare = replace(view.standing, houses=[], vehicles=view.standing.vehicles.iloc[:0])
    frame = things.Frame(pictures["after"].grid, view.shift_m)
    bare_shapes = things.shapes(bare, view.ground, frame, pictures["after"].flight.sun)
    empty = replace(pictures["after"], shapes=bare_shapes)
    mud = place.bodies[(place.bodies["body_id"] == 1) & (place.bodies["part"] == "deposit")].geometry.iloc[0]
    for house in buried[:6]:
        if not mud.buffer(-8.0).contains(house.footprint):
            continue  # at the rim the shadow of a neighbour may fall on it
        middle = house.footprint.centroid
        rows, cols = _around(view, middle.x, middle.y, 30)
        under = _inside(view, house.footprint, rows, cols)
        after = mosaic.drawn(pictures["after"], rows, cols)
        np.testing.assert_array_equal(after[:, under], mosaic.drawn(empty, rows, cols)[:, under])


def test_the_lake_is_where_the_truth_says(place: Scene, views, pictures):
    view, shown = views["after"], pictures["after"]
    lake = place.lakes.geometry.iloc[0]
    dry = replace(shown, changes=replace(shown.changes, lake_m=np.full_like(shown.changes.lake_m, -9.0)))
    rows, cols = _around(view, *lake.representative_point().coords[0], 400)
    with_lake, without = mosaic.drawn(shown, rows, cols), mosaic.drawn(dry, rows, cols)
    changed = (with_lake != without).any(axis=0)
    seen = with_lake[3] > 0
    inner, outer = _inside(view, lake.buffer(-2.0), rows, cols), _inside(view, lake.buffer(20.0), rows, cols)
    open_water = inner & seen

    assert open_water.sum() > 5000
    assert changed[open_water].mean() > 0.9  # but for crowns, roofs and bridges over the water
    assert not changed[~outer].any()
    red, green, blue = np.median(with_lake[:3, open_water], axis=1)
    assert red > green > blue  # turbid with loess


def test_snow_is_bright(place: Scene, views, pictures):
    view, shown = views["after"], pictures["after"]
    bare = replace(shown, changes=replace(shown.changes, snow_cm=np.zeros_like(shown.changes.snow_cm)))
    brighter = []
    for shape in place.decoys.loc[place.decoys["kind"] == "snow"].geometry:
        rows, cols = _around(view, shape.centroid.x, shape.centroid.y, 60)
        block, ground = mosaic.drawn(shown, rows, cols), mosaic.drawn(bare, rows, cols)
        here = _inside(view, shape.buffer(-4.0), rows, cols) & (block[3] > 0)
        brighter += (_bright(block)[here] / np.maximum(_bright(ground)[here], 1.0)).tolist()
        far = ~_inside(view, shape.buffer(4.0), rows, cols)
        np.testing.assert_array_equal(block[:, far], ground[:, far])
    assert np.median(brighter) > 1.25


def test_mud_is_darker_and_scars_of_collapses_are_paler_than_the_ground_before(place: Scene, views, pictures):
    view, shown = views["after"], pictures["after"]
    untouched = replace(shown, changes=None)  # the same ground, light and things
    for kind, part, paler in (("flow slide", "deposit", False), ("collapse", "source", True)):
        shapes = place.bodies[(place.bodies["kind"] == kind) & (place.bodies["part"] == part)].geometry
        ratios = []
        for shape in shapes:
            rows, cols = _around(view, *shape.representative_point().coords[0], 80)
            here = _inside(view, shape.buffer(-1.5), rows, cols)
            block, old = mosaic.drawn(shown, rows, cols), mosaic.drawn(untouched, rows, cols)
            here &= block[3] > 0
            if here.sum() > 50:
                ratios.append(np.median(_bright(block)[here] / _bright(old)[here]))
        assert (np.median(ratios) > 1.05) == paler


def test_trees_taken_by_slides_are_not_drawn(place: Scene, views):
    gone = len(place.plants) - len(plants.standing(place.plants, place.between.change, place.plan.grid))

    assert gone > 0
    assert len(views["after"].standing.plants) == len(place.plants) - gone
    assert len(views["before"].standing.plants) == len(place.plants)


def test_yards_keep_off_the_roads(place: Scene, views, pictures):
    shown = pictures["before"]
    west, _, _, top = shown.grid.bounds
    yards = shown.shapes.yards[len(place.sites) :]
    corners = np.stack([west + yards[..., 0] * PX, top - yards[..., 1] * PX], axis=-1)
    away = shapely.distance(shapely.polygons(corners), place.roads.union_all())

    assert len(yards) > 0.3 * len(place.buildings)
    assert away.min() > 3.0


def test_roads_are_drawn_along_their_lines(place: Scene, views, pictures):
    """Asphalt is grey: red hardly exceeds blue, as on no soil of the valley."""
    view = views["before"]
    moved = place.roads[place.roads["highway"].eq("secondary") & ~place.roads["bridge"].astype(bool)]
    line = moved.geometry.iloc[int(moved.length.argmax())]
    point = line.interpolate(0.5, normalized=True)
    rows, cols = _around(view, point.x, point.y, 100)
    block = mosaic.drawn(mosaic.picture(replace(view, standing=replace(
        view.standing, houses=[], vehicles=view.standing.vehicles.iloc[:0],
        plants=view.standing.plants.where(np.zeros(len(view.standing.plants), bool)),
    ))), rows, cols).astype(float)  # fmt: skip
    warmth = (block[0] - block[2]) / block[:3].sum(axis=0)
    on, off = _inside(view, line.buffer(2.0), rows, cols), ~_inside(view, place.roads.union_all().buffer(6.0), rows, cols)

    assert np.median(warmth[on]) < 0.06
    assert np.median(warmth[off]) > 0.07


def test_the_file_says_where_it_is_and_that_it_is_synthetic(place: Scene, views, pictures, tmp_path: Path):
    mosaic.write(views["after"], tmp_path / "ortho.tif", {"synthetic": "hazardgeo demo valley, seed 3"})

    with rasterio.open(tmp_path / "ortho.tif") as dataset:
        assert dataset.crs.to_epsg() == 32648
        assert dataset.res == (PX, PX)
        assert dataset.bounds == pytest.approx(place.plan.grid.bounds)
        assert dataset.shape == (5000, 5000)
        assert [c.name for c in dataset.colorinterp] == ["red", "green", "blue", "alpha"]
        assert dataset.dtypes == ("uint8",) * 4
        assert dataset.tags()["synthetic"] == "hazardgeo demo valley, seed 3"
        assert dataset.overviews(1)
        assert dataset.is_tiled
        rows, cols = slice(1000, 1300), slice(900, 2100)  # over the edges of blocks
        np.testing.assert_array_equal(
            dataset.read(window=rasterio.windows.Window.from_slices(rows, cols)), mosaic.drawn(pictures["after"], rows, cols)
        )
        np.testing.assert_array_equal(dataset.dataset_mask(), dataset.read(4))
    assert io.read_raster(tmp_path / "ortho.tif", band=1).grid.cell == (PX, PX)


def test_an_uneventful_pair_shows_no_slides(place: Scene):
    quiet = scene(SEED, "small", event=False)
    view = mosaic.seen(quiet, "after")
    shown = mosaic.picture(view)

    assert shown.changes is not None
    assert not shown.changes.slide_kinds.any()
    assert (shown.changes.lake_m < 0).all()
    assert len(view.standing.houses) == len(quiet.buildings)
    assert not len(shown.shapes.cracks)


def test_cracks_are_dark_lines_of_their_width(flat: mosaic.View):
    west, _, _, top = flat.plan.grid.bounds
    line = shapely.LineString([(west + 480.0, top - 500.0), (west + 520.0, top - 500.0)])
    cracks = geopandas.GeoDataFrame({"width_m": [0.5]}, geometry=[line], crs=flat.plan.grid.crs)
    rows, cols = _around(flat, west + 500.0, top - 500.0, 150)
    bare = _bright(mosaic.drawn(mosaic.picture(flat), rows, cols))
    block = _bright(mosaic.drawn(mosaic.picture(replace(flat, standing=replace(flat.standing, cracks=cracks))), rows, cols))
    dark = block < 0.7 * bare
    across = dark[:, 100:200].sum(axis=0) * PX

    assert 0.3 <= np.median(across) <= 0.7
    assert (
        not rasterize(cracks.set_geometry(cracks.buffer(1.0)), mosaic.picture(flat).grid).values[rows, cols][dark].sum()
        < dark.sum()
    )
