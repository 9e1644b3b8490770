import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import GeometryCollection, LineString, MultiPoint, Point, Polygon, box

from hazardgeo import levels as lv
from hazardgeo import shelter
from hazardgeo.errors import ConfigError, CrsError, InputError, MissingColumnError
from hazardgeo.grid import Grid
from hazardgeo.network import exposure
from hazardgeo.shelter.tables import load


def sites_of(**columns):
    n = len(next(iter(columns.values()))) if columns else 1
    return gpd.GeoDataFrame(columns, geometry=[Point(500_005, 4_000_005)] * n, crs=32648)


def places(climate="temperate", phase="emergency", standard="sphere_2018", **columns):
    result = shelter.capacity(sites_of(**columns), standard=standard, phase=phase, climate=climate)
    return result["capacity_places"].tolist(), result["binding"].tolist()


def test_the_scarcest_thing_binds():
    """Sphere 2018: 3.5 m2 indoors, 45 m2 outdoors, 50 people per toilet at first, 15 L of water a day."""
    given = {"indoor_area_m2": [350, 350, 350, 350], "toilets": [9, 1, 9, 9], "water_l_day": [9e3, 9e3, 600, 9e3]}
    assert places(**given, capacity_people=[500, 500, 500, 30]) == (
        [100, 50, 40, 30],
        ["area", "toilets", "water", "stated capacity"],
    )
    assert places(indoor_area_m2=[35.0], outdoor_area_m2=[900.0]) == ([30], ["area"])
    assert places(indoor_area_m2=[350], toilets=[4], phase="short") == ([80], ["toilets"])
    assert places(indoor_area_m2=[34.99]) == ([9], ["area"])


def test_in_the_cold_outdoor_area_counts_only_as_far_as_it_is_heated():
    assert places("cold", indoor_area_m2=[45], outdoor_area_m2=[4500]) == ([10], ["area"])
    assert places("cold", outdoor_area_m2=[4500]) == ([0], ["outdoor area is not heated"])
    assert places("cold", outdoor_area_m2=[4500], heated_area_m2=[90]) == ([20], ["heated area"])
    assert places("cold", outdoor_area_m2=[450], heated_area_m2=[9000]) == ([10], ["area"])
    assert places("cold", "short", indoor_area_m2=[55]) == ([10], ["area"])


NAN = np.nan
COMPLETE = {"indoor_area_m2": 45.0, "heated_area_m2": 45.0, "toilets": 9.0, "water_l_day": 900.0}


def unchecked(climate="temperate", standard="sphere_2018", **columns):
    result = shelter.capacity(sites_of(**columns), standard=standard, phase="emergency", climate=climate)
    return result["unchecked"].tolist()


def test_places_come_from_what_is_known():
    assert places(indoor_area_m2=[NAN, 35.0], capacity_people=[100, NAN]) == ([100, 10], ["stated capacity", "area"])
    assert places(indoor_area_m2=[NAN, NAN], outdoor_area_m2=[450, NAN]) == ([10, 0], ["area", "unknown: area not given"])
    assert places(indoor_area_m2=[NAN], toilets=[9]) == ([0], ["unknown: area not given"])
    assert places(toilets=[9], water_l_day=[900]) == ([0], ["unknown: area not given"])
    assert places("cold", indoor_area_m2=[45, NAN], outdoor_area_m2=[900, 900], heated_area_m2=[NAN, NAN]) == (
        [10, 0],
        ["area", "outdoor area is not heated"],
    )


def test_what_the_standard_asks_for_and_nobody_gave_is_named():
    complete = {name: [value] for name, value in COMPLETE.items()}
    assert unchecked("cold", **complete) == [""]
    for column, words in (("indoor_area_m2", "area"), ("heated_area_m2", "heated area"), ("toilets", "toilets")):
        assert unchecked("cold", **{**complete, column: [NAN]}) == [words]
        assert unchecked("cold", **{k: v for k, v in complete.items() if k != column}) == [words]
    assert unchecked("cold", capacity_people=[5]) == ["area, heated area, toilets, water"]
    assert unchecked(indoor_area_m2=[9, 9], toilets=[NAN, 1], capacity_people=[9, NAN]) == [
        "toilets, water",
        "stated capacity, water",
    ]
    assert unchecked(outdoor_area_m2=[9], toilets=[1], water_l_day=[9]) == [""]
    assert unchecked(standard="gb51143_2015", indoor_area_m2=[9]) == [""]


def test_chinese_areas_are_used_and_marked_as_unchecked():
    assert places(standard="gb51143_2015", indoor_area_m2=[10], outdoor_area_m2=[10]) == ([40], ["area"])
    assert places(standard="gb51143_2015", phase="short", indoor_area_m2=[10]) == ([5], ["area"])
    result = shelter.capacity(sites_of(indoor_area_m2=[9], toilets=[1]), standard="gb51143_2015", phase="short", climate="cold")
    notes = " ".join(result.attrs["notes"])
    assert "Not checked against the text of the standard: indoor m2 per person 2" in notes
    assert "toilets" in notes.split("so not checked: ")[1]


def test_every_value_of_a_standard_says_whether_it_was_checked():
    for name in ("sphere_2018", "gb51143_2015"):
        table = load(name)
        entries = [e for metric in table.values() if isinstance(metric, dict) for c in metric.values() for e in c.values()]
        assert entries
        assert all(set(e) == {"value", "verified", "where"} for e in entries)


def test_sites_without_a_usable_column_are_refused_with_the_columns_that_help():
    with pytest.raises(
        MissingColumnError, match="capacity_people, indoor_area_m2, outdoor_area_m2, heated_area_m2, toilets, water_l_day"
    ):
        places(beds=[3])
    with pytest.raises(MissingColumnError, match="no column"):
        places(standard="gb51143_2015", toilets=[3])


@pytest.mark.parametrize(("value", "shown"), [("屋内120・屋外30", "屋内120"), (-1, "-1"), (np.inf, "inf")])
def test_text_and_impossible_numbers_are_refused(value, shown):
    with pytest.raises(InputError, match=f"capacity_people is .*{shown}.* at index 0"):
        places(capacity_people=[value])


@pytest.mark.parametrize("option", [{"standard": "sphere"}, {"phase": "long"}, {"climate": "winter"}])
def test_unknown_options_are_refused(option):
    with pytest.raises(ConfigError, match="use one of"):
        places(indoor_area_m2=[9], **option)


COLUMN = st.one_of(st.just(np.nan), st.floats(0, 1e4))
REGISTER = st.fixed_dictionaries(
    dict.fromkeys(("indoor_area_m2", "toilets", "water_l_day"), COLUMN),
    optional=dict.fromkeys(("capacity_people", "outdoor_area_m2", "heated_area_m2"), COLUMN),
)


def assured(row, climate, standard):
    """Places of the only site if it is open, as far as anybody can know."""
    try:
        register = shelter.capacity(
            sites_of(**{c: [v] for c, v in row.items()}), standard=standard, phase="short", climate=climate
        )
    except MissingColumnError:
        return 0
    low = {"landslide": hazard_of(1)}
    site = shelter.screen(register.set_geometry([Point(500_080, 4_000_080)], crs=32648), low).iloc[0]
    return int(site["capacity_places"]) if site["status"] == "open" else 0


@settings(deadline=None, max_examples=80)
@given(
    row=REGISTER,
    hidden=st.sampled_from(shelter.CAPACITY_COLUMNS),
    climate=st.sampled_from(["cold", "temperate"]),
    standard=st.sampled_from(["sphere_2018", "gb51143_2015"]),
)
def test_knowing_less_of_a_site_never_adds_assured_places(row, hidden, climate, standard):
    everything = assured(row, climate, standard)
    if hidden in row:
        assert assured({**row, hidden: np.nan}, climate, standard) <= everything
    if hidden != "capacity_people":  # a limit that the owner sets, not one of the standard: it counts where it is given
        assert assured({c: v for c, v in row.items() if c != hidden}, climate, standard) <= everything


def test_a_site_that_was_not_checked_is_conditional_at_best():
    row = {name: [value] * 2 for name, value in COMPLETE.items()} | {"toilets": [9, NAN]}
    sites = shelter.capacity(sites_of(**row), phase="emergency", climate="cold")
    sites = sites.set_geometry([Point(500_080, 4_000_080)] * 2, crs=32648)

    def judged(level):
        return shelter.screen(sites, {"landslide": hazard_of(level)})[["status", "reason"]].to_numpy().tolist()

    assert judged(1) == [["open", "landslide: low"], ["conditional", "not checked: toilets"]]
    assert judged(2)[1] == ["conditional", "landslide: moderate; not checked: toilets"]
    assert judged(4)[1] == ["closed", "landslide: very high"]
    lost = sites.assign(unchecked=[None, ""])  # as an empty text may come back from a table
    assert shelter.screen(lost, {"landslide": hazard_of(1)})["status"].tolist() == ["conditional", "open"]


def test_the_message_about_a_bad_cell_is_one_line_with_repeated_labels():
    register = sites_of(toilets=["x", "y"]).set_axis([7, 7])
    with pytest.raises(InputError, match=r"^toilets is 'x' at index 7; it must be .*$") as caught:
        shelter.capacity(register, phase="short", climate="cold")
    assert "\n" not in str(caught.value)


def hazard_of(level, state=1):
    """Levels on 4 x 4 cells of 50 m; the site of radius 30 m in the middle of the south-west cell touches four cells."""
    grid = Grid.from_bounds((500_000, 4_000_000, 500_200, 4_000_200), cell=50, crs=32648)
    level = np.broadcast_to(np.asarray(level, np.uint8), (4, 4)).copy()
    state = np.broadcast_to(np.asarray(state, np.uint8), (4, 4)).copy()
    return lv.Levels(
        lv.level_raster(level, grid, "l"), lv.state_raster(state, grid, "s"), lv.single("x", level, state, grid).reason
    )


def verdict(hazards, place=(500_080.0, 4_000_080.0), radius_m=30.0):
    site = gpd.GeoDataFrame(geometry=[Point(place)], crs=32648)
    return shelter.screen(site, hazards, radius_m=radius_m).loc[0, ["status", "reason"]].tolist()


def test_a_site_that_nobody_looked_at_is_unknown():
    assert verdict({}) == ["unknown", "no hazard layer was given"]


@pytest.mark.parametrize(
    ("level", "state", "status", "words"),
    [
        (1, 1, "open", "low"),
        (2, 1, "conditional", "moderate"),
        (3, 1, "conditional", "high"),
        (4, 1, "closed", "very high"),
        (0, 3, "conditional", "masked by the model"),
        (0, 2, "unknown", "outside the model's range"),
        (0, 0, "unknown", "input missing"),
        (4, 0, "closed", "at least very high, input missing"),
    ],
)
def test_one_touched_cell_decides(level, state, status, words):
    levels, states = np.ones((4, 4)), np.ones((4, 4))
    levels[1, 2], states[1, 2] = level, state  # touched by the disc at its rim, not under its centre
    assert verdict({"landslide": hazard_of(levels, states)}) == [status, f"landslide: {words}"]
    assert verdict({"landslide": hazard_of(levels, states)}, radius_m=10)[0] == "open"


def test_a_site_whose_wall_stands_on_the_edge_of_a_cell_touches_it():
    levels = np.ones((4, 4))
    levels[2, 2] = 4
    school = gpd.GeoDataFrame(geometry=[box(500_060, 4_000_060, 500_100, 4_000_090)], crs=32648)
    assert shelter.screen(school, {"landslide": hazard_of(levels)}).loc[0, "status"] == "closed"


def test_a_site_at_the_edge_of_the_map_is_unknown():
    low = {"landslide": hazard_of(1)}
    assert verdict(low, (500_020, 4_000_080)) == ["unknown", "landslide: outside the hazard map"]
    assert verdict(low, (600_000, 4_000_080)) == ["unknown", "landslide: outside the hazard map"]


def test_areas_are_screened_whole_and_mapped_bodies_close():
    body = gpd.GeoDataFrame(geometry=[box(500_150, 4_000_150, 500_160, 4_000_160)], crs=32648)
    yard = gpd.GeoDataFrame(geometry=[box(500_110, 4_000_110, 500_151, 4_000_151)], index=["yard"], crs=32648)
    result = shelter.screen(yard, {"landslide": hazard_of(1), "runout": body})
    assert result.loc["yard", ["status", "reason"]].tolist() == ["closed", "runout: mapped here"]
    assert verdict({"runout": body}) == ["unknown", "hazard level: no layer was given"]
    assert verdict({"landslide": hazard_of(1), "runout": None}) == ["unknown", "runout: no layer was given"]


EAST, NORTH = 500_000.0, 4_000_000.0


def shape(*corners):
    return Polygon([(EAST + x, NORTH + y) for x, y in corners])


YARD = shape((60, 60), (90, 60), (90, 90), (60, 90))  # in the cell second from the west and second from the south
SHAPES_BEYOND = {  # a yard, and something that reaches east into the next cell
    "a point apart": GeometryCollection([YARD, Point(EAST + 125, NORTH + 75)]),
    "a nested line": GeometryCollection(
        [YARD, GeometryCollection([LineString([(EAST + 80, NORTH + 75), (EAST + 125, NORTH + 75)])])]
    ),
    "a spike": shape((60, 60), (90, 60), (90, 75), (125, 75), (90, 75), (90, 90), (60, 90)),
    "a collapsed area": shape((60, 75), (125, 75), (90, 75)),
    "points": MultiPoint([(EAST + 75, NORTH + 75), (EAST + 125, NORTH + 75)]),
    "a bow tie": shape((60, 60), (125, 90), (125, 60), (60, 90)),
}


@pytest.mark.parametrize("site", SHAPES_BEYOND.values(), ids=SHAPES_BEYOND)
@pytest.mark.parametrize(("level", "state", "status"), [(1, 1, "open"), (4, 1, "closed"), (0, 0, "unknown")])
def test_all_parts_of_a_site_are_read_whatever_its_shape(site, level, state, status):
    levels, states = np.ones((4, 4)), np.ones((4, 4))
    levels[2, 2], states[2, 2] = level, state
    table = gpd.GeoDataFrame(geometry=[site], crs=32648)
    assert shelter.screen(table, {"landslide": hazard_of(levels, states)}, radius_m=5).loc[0, "status"] == status
    assert shelter.screen(table.translate(900).to_frame("geometry"), {"landslide": hazard_of(1)})["status"][0] == "unknown"


def test_a_shape_of_which_nothing_can_be_read_is_not_low():
    low = hazard_of(1)
    for read, unreadable in ((exposure.over_areas, SHAPES_BEYOND["a point apart"]), (exposure.along_lines, LineString())):
        found = read(gpd.GeoSeries([unreadable], crs=32648), low, exposure.rules((0, 0, 0, 0), very_high_closes=False))
        assert found.tolist() == [exposure.OUTSIDE_MAP]


def test_sites_that_cannot_be_screened_are_refused():
    nowhere = gpd.GeoDataFrame(geometry=gpd.points_from_xy([500_080, np.nan, np.inf], [4_000_080, np.nan, 5.0]), crs=32648)
    with pytest.raises(InputError, match=r"^2 of 3 sites have no coordinates \(the first at index 1\); give them"):
        shelter.screen(nowhere, {"landslide": hazard_of(1)})
    low = {"landslide": hazard_of(1)}
    with pytest.raises(InputError, match="1 of 1 sites have no coordinates"):
        shelter.screen(gpd.GeoDataFrame(geometry=[None], crs=32648), low)
    with pytest.raises(CrsError, match="no CRS"):
        shelter.screen(gpd.GeoDataFrame(geometry=[Point(0, 0)]), low)
    with pytest.raises(CrsError, match="needs metres"):
        shelter.screen(gpd.GeoDataFrame(geometry=[Point(0, 0)], crs=4326), low)
    with pytest.raises(CrsError, match="EPSG:32647"):
        shelter.screen(gpd.GeoDataFrame(geometry=[Point(5e5, 4e6)], crs=32647), low)
    with pytest.raises(ConfigError, match="radius_m is 0"):
        verdict(low, radius_m=0)
