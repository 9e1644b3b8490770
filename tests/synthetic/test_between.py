import functools
import heapq

import numpy as np
import pytest
import shapely

from hazardgeo.raster import rasterize, sample_xy
from hazardgeo.synthetic.events import between
from hazardgeo.synthetic.events.collapses import STEEP_TAN, areas_m2
from hazardgeo.synthetic.events.slides import Slide, bodies, mapped, outline
from hazardgeo.synthetic.ground.relief import relief
from hazardgeo.synthetic.layout import layout
from hazardgeo.synthetic.places.settlement import settled

SEEDS = (3, 11)


def _happened(seed: int, *, event: bool = True):
    streams = np.random.default_rng(seed).spawn(4)
    plan = layout("small", streams[0])
    form = relief(plan, streams[1])
    village = settled(plan, form, streams[2])
    stood = shapely.union_all([village.sites.union_all(), *(b.footprint for b in village.buildings)])
    place = between.Place(form, village.before.values.astype(np.float64), village.roads, stood)
    return plan, place, between.happened(plan, place, streams[3], event=event)


@pytest.fixture(scope="module", params=SEEDS)
def valley(request):
    return _first(request.param)


@functools.cache
def _first(seed: int):
    return _happened(seed)


def _surface(place, found) -> np.ndarray:
    return place.before + found.change


def _filled(z: np.ndarray) -> np.ndarray:
    """Every hollow filled to its spill point, with water leaving at the edge: a plain flood over a queue."""
    level = np.full(z.shape, np.inf)
    rows, cols = z.shape
    queue = []
    for r in range(rows):
        for c in range(cols) if r in (0, rows - 1) else (0, cols - 1):
            level[r, c] = z[r, c]
            queue.append((z[r, c], r, c))
    heapq.heapify(queue)
    while queue:
        at, r, c = heapq.heappop(queue)
        for i in range(max(r - 1, 0), min(r + 2, rows)):
            for j in range(max(c - 1, 0), min(c + 2, cols)):
                if level[i, j] == np.inf:
                    level[i, j] = max(z[i, j], at)
                    heapq.heappush(queue, (level[i, j], i, j))
    return level


def test_every_slide_balances_its_mass_with_its_bulking(valley):
    plan, _, found = valley
    stated = {"flow slide": 1.3, "dam slide": 1.25, "collapse": 1.2, "slide": 1.2}

    for slide in found.slides:
        moved = slide.change.values
        assert moved[moved > 0].sum() == pytest.approx(-stated[slide.kind] * moved[moved < 0].sum(), rel=1e-9)
    table = bodies(found.slides, plan.grid)
    for body, parts in table.groupby("body_id"):
        volume = parts.set_index("part")["volume_m3"]
        assert volume["deposit"] == pytest.approx(parts["bulking"].iloc[0] * volume["source"], rel=1e-6), body
        for _, part in parts.iterrows():
            inside = rasterize(table.loc[(table["body_id"] == body) & (table["part"] == part["part"])], plan.grid).values
            assert inside.sum() * 4.0 == part["area_m2"]
            # cracks and decoys keep off slides, so that the change of the whole valley holds the volume
            assert np.abs(found.change[inside]).sum() * 4.0 == pytest.approx(part["volume_m3"], rel=1e-9)


def test_slides_do_not_overlap(valley):
    plan, _, found = valley
    table = bodies(found.slides, plan.grid)
    shapes = table.dissolve("body_id").geometry.to_numpy()

    assert sum(shapely.area(shapes)) == pytest.approx(shapely.area(shapely.union_all(shapes)))


def test_the_flow_slide_has_the_areas_of_zhongchuan_to_scale(valley):
    plan, place, found = valley
    flow = found.slides[0]
    cell = plan.cell_m**2
    source, deposit = (flow.change.values < 0).sum() * cell, (flow.change.values > 0).sum() * cell

    assert deposit / source == pytest.approx(310 / 110, rel=0.01)
    assert source == pytest.approx(np.pi * 37.0 * 60.0, rel=0.2)  # the ellipse of the plan, its rim ragged
    mud = outline(flow.change.values > 0, flow.change.grid)
    largest = max(shapely.get_parts(mud), key=shapely.area)
    assert largest.area > 0.97 * mud.area  # one tongue from the source to the village
    assert largest.distance(outline(flow.change.values < 0, flow.change.grid)) < 12.0
    assert not mud.intersects(shapely.LineString(plan.river).buffer(plan.river_m / 2))
    centre = flow.scar.centre
    assert shapely.distance(shapely.Point(centre), mud) < 60.0
    reach = shapely.hausdorff_distance(shapely.Point(centre), mud)
    assert reach > 200.0
    lower = sample_xy(_raster(plan, place.before), *np.array(shapely.get_coordinates(mud.centroid)).T)
    assert lower[0] < sample_xy(_raster(plan, place.before), np.array([centre[0]]), np.array([centre[1]]))[0] - 30.0


def _raster(plan, values):
    from hazardgeo.raster import Raster

    return Raster(values, plan.grid, "ground", "m")


def test_the_flow_slide_starts_on_gentle_ground_and_the_dam_slide_on_steep(valley):
    plan, place, found = valley
    by_row, by_col = np.gradient(place.before, plan.cell_m)
    dip = np.degrees(np.arctan(np.hypot(by_row, by_col)))
    for slide, low, high in ((found.slides[0], 0.0, 9.0), (found.slides[1], 22.0, 50.0)):
        shape = outline(slide.change.values < 0, slide.change.grid)
        inside = rasterize(_frame(shape, plan), plan.grid).values
        assert low <= np.median(dip[inside]) <= high, slide.kind


def _frame(shape, plan):
    import geopandas

    return geopandas.GeoDataFrame(geometry=[shape], crs=plan.grid.crs)


def test_small_slides_have_a_mean_of_180_m2_and_a_heavy_tail():
    draws = np.array([areas_m2(45, np.random.default_rng(seed)) for seed in range(60)])

    assert draws.mean() == pytest.approx(180.0, rel=0.02)
    assert draws.mean(axis=1).std() < 20.0
    assert np.median(draws) < 0.75 * draws.mean()  # skewed: for a lognormal of spread 1 about exp(-1/2), less the cut
    assert np.median(draws.max(axis=1) / np.median(draws, axis=1)) > 5.0
    assert draws.min() >= 34.0
    assert draws.max() <= 3000.0
    assert (np.diff(draws, axis=1) <= 0).all()


def test_small_slides_are_as_large_as_drawn_and_mostly_on_cuts(valley):
    _, _, found = valley
    small = found.slides[2:]
    areas = np.array([(s.change.values != 0).sum() * 4.0 for s in small])
    settings = [s.setting for s in small]

    assert 12 <= len(small) <= 20
    assert areas.mean() == pytest.approx(180.0, rel=0.35)  # 16 draws of a heavy tail
    assert sum(s in ("road cut", "terrace riser") for s in settings) > len(small) / 2
    assert {s.kind for s in small} <= {"collapse", "slide"}


def test_collapses_start_on_steep_ground_and_slides_on_valley_sides(valley):
    plan, place, found = valley
    for slide in found.slides[2:]:
        east, north = slide.change.grid.centres()
        (row,), (col,) = plan.grid.rowcol(east[:1], north[:1])
        here = place.before[row - 1 : row + len(north) + 1, col - 1 : col + len(east) + 1]
        moved = np.pad(slide.change.values, 1) != 0
        steps = [np.abs(np.diff(here, axis=axis)).max(where=np.logical_or(*_pair(moved, axis)), initial=0) for axis in (0, 1)]
        if slide.kind == "collapse":
            assert max(steps) / plan.cell_m > STEEP_TAN, slide.setting
        else:
            assert slide.setting == "valley side"


def _pair(mask, axis):
    return (mask[1:], mask[:-1]) if axis == 0 else (mask[:, 1:], mask[:, :-1])


def test_the_lake_is_level_full_to_its_spill_point_and_held_by_its_rim(valley):
    plan, place, found = valley
    water = found.lake
    valley_floor = slice(270, None)  # rows; the flood below is slow
    ground = _surface(place, found)[valley_floor]
    assert not between.under_water(plan.grid, water)[: valley_floor.start].any()
    wet = between.under_water(plan.grid, water)[valley_floor]
    filled = _filled(ground)

    assert wet.sum() * 4.0 > 3000.0
    assert (ground[wet] < water.level_m).all()
    np.testing.assert_allclose(filled[wet], water.level_m, atol=1e-3)
    around = np.zeros_like(wet)
    for dr in (-1, 0, 1):
        for dc in (-1, 0, 1):
            around |= np.roll(np.roll(wet, dr, axis=0), dc, axis=1)
    rim = around & ~wet
    assert (ground[rim] >= water.level_m - 1e-3).all()
    np.testing.assert_allclose(ground[wet] + _depth(plan, water)[valley_floor][wet], water.level_m)
    # without the dam there is no lake
    bare = ground - _dam(plan, found)[valley_floor]
    assert (_filled(bare) - bare)[wet].sum() < 0.1 * (water.level_m - ground[wet]).sum()


def _depth(plan, water):
    total = np.zeros(plan.grid.shape)
    total[between.slides.block_of(plan.grid, water.depth.grid)] = water.depth.values
    return total


def _dam(plan, found):
    total = np.zeros(plan.grid.shape)
    between.slides.add(total, plan.grid, found.slides[1].change)
    return total


def test_the_dam_lies_across_the_river_with_the_lake_upstream(valley):
    plan, _, found = valley
    dam = outline(found.slides[1].change.values > 0, found.slides[1].change.grid)
    river = shapely.LineString(plan.river)
    lake = outline(found.lake.wet, found.lake.depth.grid)

    assert dam.intersection(river).length > 10.0
    assert not dam.covers(river)
    assert river.buffer(plan.river_m / 2).difference(dam).geom_type == "MultiPolygon"  # from bank to bank
    assert lake.centroid.x < dam.centroid.x
    assert lake.distance(dam) < 1e-6


def test_cracks_are_narrow_lines_behind_two_headscarps(valley):
    _, _, found = valley
    cracks = found.cracks

    assert sorted(cracks["body_id"].unique()) == [1, 2]
    assert cracks["width_m"].between(0.1, 0.5).all()
    assert cracks["depth_m"].between(1.0, 2.0).all()
    for _, crack in cracks.iterrows():
        slide: Slide = found.slides[crack["body_id"] - 1]
        source = outline(slide.change.values < 0, slide.change.grid)
        towards = np.array(crack.geometry.centroid.coords[0]) - slide.scar.centre
        assert towards @ slide.scar.heading < 0  # uphill
        assert crack.geometry.distance(source) < 15.0
        assert crack["volume_m3"] <= crack["length_m"] * crack["width_m"] * crack["depth_m"] + 1e-6
        assert crack["volume_m3"] >= 0.1 * crack["length_m"] * crack["depth_m"] * 0.99


def test_the_ground_changes_only_in_slides_cracks_and_decoys(valley):
    plan, _, found = valley
    table = bodies(found.slides, plan.grid)
    touched = rasterize(table, plan.grid).values
    cracked = rasterize(found.cracks, plan.grid, all_touched=True).values
    dug = np.zeros(plan.grid.shape)
    for decoy in found.decoys:
        if decoy.changes == "ground":
            between.slides.add(dug, plan.grid, decoy.change)
    rest = found.change[~touched & ~cracked & (dug == 0)]

    assert not rest.any()
    opened = -found.change[cracked & ~touched & (dug == 0)].sum() * 4.0
    assert opened == pytest.approx(found.cracks["volume_m3"].sum(), rel=1e-6)


def test_decoys_keep_their_soil_and_stay_off_slides(valley):
    plan, _, found = valley
    moved = bodies(found.slides, plan.grid).union_all()
    kinds = {d.kind for d in found.decoys}

    assert kinds == {"excavation", "ploughing", "terrace edit", "snow", "vegetation growth"}
    for decoy in found.decoys:
        values = decoy.change.values
        assert not outline(values != 0, decoy.change.grid).intersects(moved)
        if decoy.kind == "excavation":
            assert values[values > 0].sum() == pytest.approx(-1.15 * values[values < 0].sum())
        elif decoy.kind in ("ploughing", "terrace edit"):
            assert values.sum() == pytest.approx(0.0, abs=1e-6)
            assert np.abs(values).max() < (0.15 if decoy.kind == "ploughing" else 0.9)
        elif decoy.kind == "snow":
            assert 0.1 <= values[values > 0].min() <= values.max() <= 0.4
            assert not (values < 0).any()
    assert found.snow.values.max() <= 0.4
    assert found.growth.values.max() > 0.3


def test_vehicles_are_boxes_beside_roads_that_differ_between_the_epochs(valley):
    plan, place, found = valley
    cars = found.vehicles
    moved = bodies(found.slides, plan.grid).union_all()

    assert set(cars["epoch"]) == {"before", "after"}
    np.testing.assert_allclose(cars.area, cars["length_m"] * cars["width_m"], rtol=0.02)
    assert (cars.distance(place.roads.union_all()) < 2.5).all()
    assert not cars[cars["epoch"] == "after"].intersects(moved).any()
    first, second = (cars[cars["epoch"] == e].union_all() for e in ("before", "after"))
    assert first.intersection(second).area < 0.2 * first.area


def _walked(plan):
    return _frame(shapely.box(*plan.grid.bounds), plan)


def test_the_team_maps_both_large_slides_whole_and_only_where_it_walked(valley):
    plan, _, found = valley
    truth = bodies(found.slides, plan.grid)
    drawn = mapped(truth, _walked(plan), plan.grid, np.random.default_rng(1)).set_index("body_id")
    for number in (1, 2):
        whole = truth[truth["body_id"] == number].union_all()
        overlap = drawn.loc[number, "geometry"].intersection(whole).area
        assert overlap / whole.area > 0.97
        assert overlap / drawn.loc[number, "geometry"].union(whole).area > 0.85
        assert len(shapely.get_parts(drawn.loc[number, "geometry"])) == 1
        vertices = shapely.get_num_coordinates(drawn.loc[number, "geometry"])
        assert vertices < 0.6 * shapely.get_num_coordinates(whole)  # generalised
    assert len(drawn) == 2 + round(0.7 * (len(found.slides) - 2))

    west, south, east, north = plan.grid.bounds
    half = shapely.box(west, (south + north) / 2, east, north)
    seen = mapped(truth, _frame(half, plan), plan.grid, np.random.default_rng(1))
    assert half.covers(seen.union_all())
    assert 2 not in set(seen["body_id"])  # the dam lies in the south


def test_without_the_event_only_the_decoys_remain():
    plan, _, again = _happened(SEEDS[0], event=False)
    first = _first(SEEDS[0])[2]

    assert again.slides == []
    assert again.lake is None
    assert len(again.cracks) == 0
    assert (
        len(bodies([], plan.grid)) == len(mapped(bodies([], plan.grid), _walked(plan), plan.grid, np.random.default_rng(1))) == 0
    )
    np.testing.assert_array_equal(again.snow.values, first.snow.values)
    assert [d.kind for d in again.decoys] == [d.kind for d in first.decoys]
    dug = np.zeros(plan.grid.shape)
    for decoy in again.decoys:
        if decoy.changes == "ground":
            between.slides.add(dug, plan.grid, decoy.change)
    np.testing.assert_allclose(again.change, dug, atol=1e-12)


def test_a_scan_sees_snow_and_the_lake_instead_of_the_ground(valley):
    plan, place, found = valley
    ground = _raster(plan, _surface(place, found).astype(np.float32))
    seen = between.seen_ground(ground, found.snow, found.lake)
    wet = between.under_water(plan.grid, found.lake)

    np.testing.assert_allclose(seen.values[wet], found.lake.level_m, atol=1e-3)
    dry = ~wet
    np.testing.assert_allclose((seen.values - ground.values)[dry], found.snow.values[dry], atol=3e-4)


def test_the_same_seed_gives_the_same_changes():
    first, again = _first(SEEDS[0])[2], _happened(SEEDS[0])[2]

    np.testing.assert_array_equal(first.change, again.change)
    assert first.cracks.equals(again.cracks)
    assert first.vehicles.equals(again.vehicles)
    assert np.abs(_first(SEEDS[1])[2].change - first.change).max() > 1.0


def test_most_falls_from_road_cuts_land_on_the_road(valley):
    _, place, found = valley
    roads = place.roads.union_all().buffer(3.0)  # the bench of a road
    falls = [s for s in found.slides if s.setting == "road cut"]

    assert len(falls) >= 4
    assert np.mean([outline(s.change.values != 0, s.change.grid).intersects(roads) for s in falls]) > 0.7
