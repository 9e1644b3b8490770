from __future__ import annotations

import base64
import io

import matplotlib as mpl
import numpy as np
import pyproj
import pytest
from affine import Affine
from PIL import Image

from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import ClassLabel, Raster
from hazardgeo.webmap import legend, picture
from hazardgeo.webmap.layers import raster_layer

LEVELS = (
    ClassLabel(1, "low", "#fef0d9"),
    ClassLabel(4, "very high", "#d7301f"),
    ClassLabel(10, "not assessed", "#b39ddb", hatched=True),
)
GREY = {picture.rgb("#9e9e9e"), (226, 226, 226)}


def pixel(to: Grid, east: float, north: float, crs: int = 32631) -> tuple[int, int]:
    x, y = pyproj.Transformer.from_crs(crs, 3857, always_xy=True).transform(east, north)
    col, row = ~to.transform * (x, y)
    return int(row), int(col)


def colours(rgba: np.ndarray) -> set[tuple[int, int, int]]:
    return set(map(tuple, rgba[..., :3].reshape(-1, 3).tolist()))


def block(rgba: np.ndarray, to: Grid, east: float, north: float, half: int = 30) -> np.ndarray:
    row, col = pixel(to, east, north)
    return rgba[row - half : row + half, col - half : col + half]


def test_unknown_cells_are_hatched_and_opaque_and_the_outside_is_clear(levels):
    to = picture.mercator_grid(levels.grid, 2048)
    rgba = picture.class_rgba(levels, levels.classes, to)
    unknown = block(rgba, to, 370_300, 4_709_700)
    assert (unknown[..., 3] == 255).all()
    assert colours(unknown) == GREY
    assert rgba[0, 0, 3] == 0  # the warped square does not reach the corners of its picture
    low = block(rgba, to, 370_100, 4_709_100)
    assert colours(low) == {(0xFE, 0xF0, 0xD9)}


def test_classes_that_say_not_assessed_are_hatched_in_their_colour(levels):
    to = picture.mercator_grid(levels.grid, 2048)
    rgba = picture.class_rgba(levels, levels.classes, to)
    hatched = block(rgba, to, 370_700, 4_709_300)
    assert (hatched[..., 3] == 255).all()
    assert len(colours(hatched)) == 2
    assert (0xB3, 0x9D, 0xDB) in colours(hatched)


def test_unknown_cells_of_surfaces_are_hatched_and_opaque(utm_grid):
    values = np.full(utm_grid.shape, 3.0, np.float32)
    values[20:40, 20:40] = np.nan
    to = picture.mercator_grid(utm_grid, 2048)
    rgba = picture.ramp_rgba(Raster(values, utm_grid), "grey", (0, 6), to)
    unknown = block(rgba, to, 370_300, 4_709_700)
    assert (unknown[..., 3] == 255).all()
    assert colours(unknown) == GREY
    assert colours(block(rgba, to, 370_700, 4_709_300)) == {(128, 128, 128)}


def test_a_fully_known_raster_shows_no_hatch_at_its_warped_edge(utm_grid):
    to = picture.mercator_grid(utm_grid, 2048)
    rgba = picture.ramp_rgba(Raster(np.full(utm_grid.shape, 1.0, np.float32), utm_grid), "grey", (0, 1), to)
    assert colours(rgba[rgba[..., 3] == 255]) == {(255, 255, 255)}
    assert 0.85 < (rgba[..., 3] == 255).mean() < 1


def test_a_wholly_unknown_raster_is_hatched_everywhere(utm_grid):
    layer = raster_layer(
        Raster(np.full(utm_grid.shape, np.nan, np.float32), utm_grid),
        name="a",
        shown=True,
        opacity=1,
        note="",
        ramp="OrRd",
        limits=None,
    )
    assert layer.data(256)["legend"]["entries"][0]["label"] == "unknown: 100 % of the cells"
    codes = Raster(np.full(utm_grid.shape, 255, np.uint8), utm_grid)
    bare = raster_layer(codes, name="a", shown=True, opacity=1, note="", ramp="OrRd", limits=None)
    to = picture.mercator_grid(utm_grid, 256)
    rgba = picture.class_rgba(codes, bare.classes, to)
    assert colours(rgba[rgba[..., 3] > 0]) == GREY


@pytest.mark.parametrize("crs", [32631, 4326, 3857, 2154])
def test_a_known_place_falls_on_its_pixel_whatever_the_crs(crs):
    transformer = pyproj.Transformer.from_crs(4326, crs, always_xy=True)
    lon, lat = 1.52, 42.51
    east, north = transformer.transform(lon, lat)
    cell = 1e-4 if crs == 4326 else 10
    grid = Grid(Affine(cell, 0, east - 50.5 * cell, 0, -cell, north + 30.5 * cell), (80, 120), crs)  # type: ignore[arg-type]
    values = np.zeros(grid.shape, np.float32)
    values[29:32, 49:52] = 1  # the place is in the middle of these cells
    to = picture.mercator_grid(grid, 2048)
    rgba = picture.ramp_rgba(Raster(values, grid), "grey", (0, 1), to)
    image = picture.encode(rgba, grid, to, lossless=True)
    (south, west), (north_deg, east_deg) = image.corners
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(image.address.partition(",")[2]))).convert("RGBA"))

    def mercator(latitude: float) -> float:
        return float(np.log(np.tan(np.pi / 4 + np.radians(latitude) / 2)))

    col = (lon - west) / (east_deg - west) * decoded.shape[1]
    row = (mercator(north_deg) - mercator(lat)) / (mercator(north_deg) - mercator(south)) * decoded.shape[0]
    assert decoded[int(row), int(col)].tolist() == [255, 255, 255, 255]
    bright = np.argwhere(decoded[..., 0] > 128)
    assert np.abs(bright.mean(axis=0) + 0.5 - (row, col)).max() < 0.02 * max(decoded.shape)


def test_pictures_of_large_rasters_stay_within_the_limit_and_say_that_they_are_coarser():
    grid = Grid(Affine(1, 0, 370_000, 0, -1, 4_710_000), (600, 900), 32631)  # type: ignore[arg-type]
    layer = raster_layer(
        Raster(np.zeros(grid.shape, bool), grid), name="a", shown=True, opacity=1, note="", ramp="grey", limits=None
    )
    assert max(picture.mercator_grid(grid, 512).shape) == 512
    assert "coarser than the data" in layer.data(512)["note"]
    assert layer.data(2048)["note"] == "Each cell of the picture shows the gravest class that it touches."


@pytest.mark.parametrize(
    ("left", "crs", "message"), [(179.9, 4326, "antimeridian"), (-180.5, 4326, "antimeridian"), (830_000, 32660, "antimeridian")]
)
def test_areas_across_the_antimeridian_are_refused(left, crs, message):
    cell = 0.01 if crs == 4326 else 1000
    grid = Grid(Affine(cell, 0, left, 0, -cell, 10), (100, 100), crs)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        picture.mercator_grid(grid, 2048)


def test_areas_near_a_pole_are_refused():
    grid = Grid(Affine(0.1, 0, 10, 0, -0.1, 89), (20, 20), 4326)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"latitude 85\.05"):
        picture.mercator_grid(grid, 2048)


@pytest.mark.parametrize("name", ["viridis", "cividis", "OrRd"])
def test_ramps_agree_with_matplotlib(name):
    at_stops, between = np.linspace(0, 1, 9), np.linspace(0, 1, 101)

    def apart(share: np.ndarray) -> np.ndarray:
        return np.abs(legend.ramp_colours(share, name) - mpl.colormaps[name](share)[:, :3] * 255)

    assert apart(at_stops).max() < 3
    assert apart(between).mean() < 2


def test_ids_unlabelled_codes_and_bad_options_are_refused(utm_grid, levels):
    options = {"name": "a", "shown": True, "opacity": 0.5, "note": "", "ramp": "grey", "limits": None}
    with pytest.raises(InputError, match="holds ids"):
        raster_layer(Raster(np.ones(utm_grid.shape, np.int32), utm_grid), **options)
    with pytest.raises(InputError, match=r"codes \[10\] without a label"):
        raster_layer(Raster(levels.values, utm_grid, classes=levels.classes[:2]), **options)
    surface = Raster(np.ones(utm_grid.shape, np.float32), utm_grid)
    with pytest.raises(InputError, match="unknown colour ramp 'jet'"):
        raster_layer(surface, **(options | {"ramp": "jet"}))
    with pytest.raises(InputError, match=r"opacity of layer 'a' is 0"):
        raster_layer(surface, **(options | {"opacity": 0}))
    with pytest.raises(InputError, match="the lower one first"):
        raster_layer(surface, **(options | {"limits": (3, 1)}))


def test_the_colour_bar_says_when_values_lie_beyond_its_ends(utm_grid):
    values = np.zeros(utm_grid.shape, np.float32)
    values[0, :3] = (np.inf, -5, np.nan)
    layer = raster_layer(
        Raster(values, utm_grid, unit="cm"), name="a", shown=True, opacity=1, note="", ramp="grey", limits=(-1, 2)
    )
    described = layer.data(256)["legend"]
    assert (described["bar"]["low"], described["bar"]["high"], described["bar"]["unit"]) == ("≤ -1", "≥ 2", "cm")
    assert described["entries"][0]["label"] == "unknown: under 1 % of the cells"


def seen_near(rgba: np.ndarray, to: Grid, grid: Grid, cells: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """For each cell (row, column) of `grid`, whether its place in the picture or a neighbour has the colour."""
    east, north = grid.transform * (cells[:, 1] + 0.5, cells[:, 0] + 0.5)
    x, y = pyproj.Transformer.from_crs(grid.crs, 3857, always_xy=True).transform(east, north)
    col, row = (np.floor(v).astype(int) for v in ~to.transform * (x, y))
    hit = np.pad((rgba[..., :3] == colour).all(axis=-1) & (rgba[..., 3] == 255), 1)
    return np.any([hit[row + 1 + i, col + 1 + j] for i in (-1, 0, 1) for j in (-1, 0, 1)], axis=0)


@pytest.mark.parametrize("max_px", [150, 400, 700])
@pytest.mark.parametrize("crs", [32631, 4326])
def test_coarser_pictures_lose_no_cell_of_the_gravest_class(crs, max_px):
    cell = (1e-4, 42.5) if crs == 4326 else (10, 4_710_000)
    west = 1.4 if crs == 4326 else 200_000  # well off the central meridian: the picture is turned against the grid
    grid = Grid(Affine(cell[0], 0, west, 0, -cell[0], cell[1]), (701, 903), crs)  # type: ignore[arg-type]
    rng = np.random.default_rng(4)
    codes = rng.choice([1, 1, 1, 10, 255], grid.shape).astype(np.uint8)
    cells = np.vstack([rng.integers((0, 0), grid.shape, (300, 2)), [(0, 0), (700, 902), (0, 902), (700, 0), (350, 902)]])
    codes[tuple(cells.T)] = 4
    to = picture.mercator_grid(grid, max_px)
    rgba = picture.class_rgba(Raster(codes, grid, classes=LEVELS), LEVELS, to)
    assert seen_near(rgba, to, grid, cells, (0xD7, 0x30, 0x1F)).all()


def test_pictures_as_coarse_as_the_data_lose_no_cell_either():
    grid = Grid(Affine(10, 0, 200_000, 0, -10, 4_710_000), (900, 900), 32631)  # type: ignore[arg-type]
    cells = np.random.default_rng(5).integers(0, 900, (400, 2))
    codes = np.ones(grid.shape, np.uint8)
    codes[tuple(cells.T)] = 4
    to = picture.mercator_grid(grid, 2048)
    rgba = picture.class_rgba(Raster(codes, grid, classes=LEVELS), LEVELS, to)
    assert seen_near(rgba, to, grid, cells, (0xD7, 0x30, 0x1F)).all()


@pytest.mark.parametrize(
    ("present", "shown"), [((1, 2), 2), ((2, 10), 10), ((2, 255), 255), ((10, 11), 10), ((10, 255), 255), ((255, 4, 2), 4)]
)
def test_the_last_plain_class_then_the_hatched_then_the_others_win(present, shown):
    classes = (*LEVELS[:1], ClassLabel(2, "moderate", "#fdcc8a"), *LEVELS[1:], ClassLabel(11, "masked", "#90a4ae", hatched=True))
    grid = Grid(Affine(10, 0, 370_000, 0, -10, 4_710_000), (400, 400), 32631)  # type: ignore[arg-type]
    codes = np.resize(np.array(present, np.uint8), grid.shape)
    to = picture.mercator_grid(grid, 40)
    found = colours(block(picture.class_rgba(Raster(codes, grid, classes=classes), classes, to), to, 372_000, 4_708_000, half=10))
    colour = picture.rgb({c.code: c.colour for c in (*classes, picture.UNKNOWN)}[shown])
    assert colour in found
    assert len(found) == (2 if shown in (10, 255) else 1)


def test_where_one_class_is_plain_what_is_hatched_is_not_hidden_by_it():
    states = (ClassLabel(0, "input missing", "#9e9e9e", hatched=True), ClassLabel(1, "assessed", "#ffffff"))
    grid = Grid(Affine(10, 0, 370_000, 0, -10, 4_710_000), (400, 400), 32631)  # type: ignore[arg-type]
    codes = np.ones(grid.shape, np.uint8)
    codes[::20, ::20] = 0
    to = picture.mercator_grid(grid, 20)
    rgba = picture.class_rgba(Raster(codes, grid, classes=states), states, to)
    assert (255, 255, 255) not in colours(block(rgba, to, 372_000, 4_708_000, half=8))


def test_a_layer_whose_cells_are_merged_says_so(levels):
    layer = raster_layer(levels, name="a", shown=True, opacity=1, note="N.", ramp="grey", limits=None)
    assert layer.data(2048)["note"] == "N."
    assert layer.data(50)["note"].startswith(
        "N. Each cell of the picture shows the gravest class that it touches. The picture is"
    )


@pytest.mark.parametrize(("value", "end"), [(np.inf, 1), (-np.inf, 0), (1e30, 1)])
def test_infinite_values_have_the_colour_of_the_limit(utm_grid, value, end):
    values = np.full(utm_grid.shape, 3.0, np.float32)
    values[50:] = value
    to = picture.mercator_grid(utm_grid, 2048)
    rgba = picture.ramp_rgba(Raster(values, utm_grid), "viridis", (0, 6), to)
    assert colours(block(rgba, to, 370_300, 4_709_200)) == {picture.rgb(legend.STOPS["viridis"][-end])}
    assert not GREY & colours(rgba[rgba[..., 3] == 255])
    assert np.isinf(values).sum() == (5000 if np.isinf(value) else 0)
