import datetime as dt
from statistics import NormalDist

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point

from hazardgeo import levels as lv
from hazardgeo import shelter
from hazardgeo.errors import ConfigError, CrsError, InputError, MissingColumnError, MissingLayerError
from hazardgeo.event import Earthquake, Shaking
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.shelter.people import rounded

QUAKE = Earthquake(6.2, 102.8, 35.7, 10.0, dt.datetime(2023, 12, 18, 15, 59, tzinfo=dt.UTC))
PHI = NormalDist().cdf


def grid_4x4():
    return Grid.from_bounds((500_000, 4_000_000, 500_040, 4_000_040), cell=10, crs=32648)


def shaking_of(pga, sigma=None):
    grid = grid_4x4()
    surface = lambda v, name: Raster(np.broadcast_to(np.asarray(v, np.float32), (4, 4)).copy(), grid, name)  # noqa: E731
    return Shaking(QUAKE, pga_g=surface(pga, "pga_g"), sigma_ln_pga=None if sigma is None else surface(sigma, "sigma"))


def homes_of(people, cells=None, **columns):
    """Homes in the middle of cells, numbered along rows from the north-west."""
    cells = range(len(people)) if cells is None else cells
    places = [Point(500_005 + 10 * (c % 4), 4_000_035 - 10 * (c // 4)) for c in cells]
    return gpd.GeoDataFrame({"people": people, **columns}, geometry=places, crs=32648)


def hazard_of(level, state):
    level = np.broadcast_to(np.asarray(level, np.uint8), (4, 4)).copy()
    state = np.broadcast_to(np.asarray(state, np.uint8), (4, 4)).copy()
    grid = grid_4x4()
    return lv.Levels(
        lv.level_raster(level, grid, "l"), lv.state_raster(state, grid, "s"), lv.single("x", level, state, grid).reason
    )


LOW = {"landslide": hazard_of(1, 1)}


def test_earthen_houses_lose_the_share_that_hazus_gives_by_hand():
    """Hazus 6.1 Table 5-40, URML: medians 0.17, 0.26 g, beta 0.64; freezing: 0.3 of moderate, all of extensive and more."""
    z = {median: np.log(0.26 / median) / 0.64 for median in (0.17, 0.26)}
    share = 0.3 * (PHI(z[0.17]) - PHI(z[0.26])) + PHI(z[0.26])
    result = shelter.displaced(homes_of([1000], building_type=["Rammed earth"]), shaking_of(0.26), night_temp_c=-15, hazards=LOW)
    assert result.loc[0, "displaced_people"] == round(1000 * share) == 574
    assert result.loc[0, "staying_people"] == 426
    mild = shelter.displaced(homes_of([1000], building_type=["adobe"]), shaking_of(0.26), night_temp_c=5, hazards=LOW)
    assert mild.loc[0, "displaced_people"] == round(1000 * (0.1 * (PHI(z[0.17]) - 0.5) + 0.5)) == 525


def test_the_quantiles_follow_the_uncertainty_of_pga():
    home = homes_of([1000], building_type=["wood"])

    def people_at(pga):
        share = 0.3 * PHI(np.log(pga / 0.29) / 0.64) + 0.7 * PHI(np.log(pga / 0.51) / 0.64)
        return 1000 * share

    for sigma, used in ((None, 0.6), (0.4, 0.4), (np.nan, 0.6)):
        result = shelter.displaced(home, shaking_of(0.3, sigma), night_temp_c=-15).loc[0]
        assert result["displaced_p10"] == pytest.approx(people_at(0.3 * np.exp(-1.2815516 * used)), rel=1e-5)
        assert result["displaced_p90"] == pytest.approx(people_at(0.3 * np.exp(1.2815516 * used)), rel=1e-5)


def test_every_resident_is_counted_once_and_the_input_stays():
    homes = homes_of([4, 5, 6, 7], building_type=["brick", None, "straw", "rc"])
    before = homes.copy()
    result = shelter.displaced(homes, shaking_of(0.2), night_temp_c=-15, hazards=LOW)
    parts = result["displaced_people"] + result["staying_people"] + result["not_assessed_people"]
    assert parts.tolist() == [4, 5, 6, 7]
    assert homes.equals(before)
    assert "2 of 4 homes is unknown" in " ".join(result.attrs["notes"])


def test_an_unknown_building_type_counts_as_the_one_that_displaces_most():
    types = ["adobe", "rammed_earth", "brick", "rc", "wood"]
    for pga in (0.03, 0.1, 0.2, 0.5, 1.5):
        known = shelter.displaced(homes_of([10_000] * 5, building_type=types), shaking_of(pga), night_temp_c=-5)
        unknown = shelter.displaced(homes_of([10_000]), shaking_of(pga), night_temp_c=-5)
        assert unknown.loc[0, "displaced_p90"] == pytest.approx(known["displaced_p90"].max())


def test_nobody_stays_safely_where_no_hazard_was_looked_at():
    result = shelter.displaced(homes_of([10]), shaking_of(0.1), night_temp_c=-15).loc[0]
    assert result["staying_people"] == 0
    assert result["not_assessed_people"] == 10 - result["displaced_people"]
    assert (result["homes_state"], result["reason"]) == ("input missing", "no hazard layer was given")


@pytest.mark.parametrize(
    ("level", "state", "homes_state", "stays", "reason"),
    [
        (1, 1, "assessed", True, "landslide: low"),
        (2, 1, "assessed", True, "landslide: moderate"),
        (3, 1, "assessed", False, "landslide: high"),
        (0, 3, "masked by the model", False, "landslide: masked by the model"),
        (0, 2, "outside the model", False, "landslide: outside the model's range"),
        (0, 0, "input missing", False, "landslide: input missing"),
    ],
)
def test_people_stay_only_where_every_hazard_is_assessed_below_high(level, state, homes_state, stays, reason):
    hazards = {"landslide": hazard_of(level, state), "flood": hazard_of(1, 1)}
    result = shelter.displaced(homes_of([10]), shaking_of(0.01), night_temp_c=-15, hazards=hazards).loc[0]
    assert result["homes_state"] == homes_state
    assert (result["staying_people"] > 0) == stays
    assert reason in result["reason"]


@pytest.mark.parametrize("state", [0, 1, 2, 3])
def test_everybody_leaves_a_home_of_level_very_high(state):
    result = shelter.displaced(homes_of([10]), shaking_of(np.nan), night_temp_c=5, hazards={"a": hazard_of(4, state)}).loc[0]
    assert result[["displaced_people", "must_leave_people", "displaced_p10", "displaced_p90"]].tolist() == [10, 10, 10, 10]


def test_a_home_on_the_edge_of_a_very_high_cell_must_leave():
    level = np.ones((4, 4))
    level[0, 1] = 4
    home = gpd.GeoDataFrame({"people": [3]}, geometry=[Point(500_010, 4_000_035)], crs=32648)
    result = shelter.displaced(home, shaking_of(0.1), night_temp_c=-15, hazards={"a": hazard_of(level, 1)})
    assert result.loc[0, "must_leave_people"] == 3


def test_where_shaking_is_unknown_nobody_is_assessed_and_everybody_may_be_displaced():
    result = shelter.displaced(homes_of([10]), shaking_of(np.nan), night_temp_c=-15, hazards=LOW).loc[0]
    assert result[["displaced_people", "staying_people", "not_assessed_people"]].tolist() == [0, 0, 10]
    assert result[["displaced_p10", "displaced_p90"]].tolist() == [0, 10]
    assert (result["homes_state"], result["reason"]) == ("input missing", "shaking: input missing; landslide: low")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 50), min_size=1, max_size=12), st.integers(0, 11), st.floats(0, 50))
def test_a_home_is_rounded_without_regard_to_the_others(expected, other, value):
    whole = rounded(np.array(expected))
    assert (np.abs(whole - np.array(expected)) < 1).all()
    changed = [value if i == other else e for i, e in enumerate(expected)]
    assert (rounded(np.array(changed)) == whole)[[i != other for i in range(len(expected))]].all()
    assert rounded(np.array(expected[:1]))[0] == np.floor(expected[0] + 0.5)  # the first home to the nearest


@settings(deadline=None, max_examples=40)
@given(share=st.floats(0, 1), homes=st.integers(1, 5000))
def test_rounding_many_equal_homes_keeps_their_sum(share, homes):
    """Ostrowski: the golden ratio spreads n thresholds with a discrepancy of order log n."""
    assert abs(rounded(np.full(homes, share)).sum() - homes * share) <= 1.5 + 0.5 * np.log(homes)


def test_rounding_homes_of_all_sizes_keeps_their_sum_to_a_percent():
    rng = np.random.default_rng(4)
    expected = rng.integers(1, 9, 5000) * rng.beta(1, 6, 5000)
    assert rounded(expected).sum() == pytest.approx(expected.sum(), rel=0.01)


def test_whole_numbers_stay_as_they_are():
    assert rounded(np.arange(500.0)).tolist() == list(range(500))


@settings(deadline=None, max_examples=30)
@given(
    pga=st.lists(st.floats(0.01, 1.2), min_size=4, max_size=4),
    people=st.lists(st.integers(0, 9), min_size=4, max_size=4),
    states=st.lists(st.sampled_from([(1, 1), (2, 1), (3, 1), (0, 0), (0, 2), (0, 3), (4, 1)]), min_size=4, max_size=4),
    hidden=st.integers(0, 3),
    how=st.sampled_from(["shaking", "input missing", "masked", "layer"]),
)
def test_knowing_less_never_raises_the_people_reported_as_staying(pga, people, states, hidden, how):
    surface = np.tile(np.repeat(pga, 1), (4, 1))
    level, state = (np.tile([s[i] for s in states], (4, 1)) for i in (0, 1))
    homes = homes_of(people)
    before = shelter.displaced(homes, shaking_of(surface), night_temp_c=-15, hazards={"a": hazard_of(level, state)})
    hazards = {"a": hazard_of(level, state)}
    if how == "shaking":
        surface = surface.copy()
        surface[:, hidden] = np.nan
    elif how == "layer":
        hazards = {}
    else:
        level[:, hidden], state[:, hidden] = 0, 0 if how == "input missing" else 3
        hazards = {"a": hazard_of(level, state)}
    after = shelter.displaced(homes, shaking_of(surface), night_temp_c=-15, hazards=hazards)
    assert (after["staying_people"] <= before["staying_people"]).all()
    assert (after["displaced_people"] <= before["displaced_people"]).all()
    others = np.arange(4) != hidden
    if how != "layer":
        assert after[others].equals(before[others])
    assert (after[["displaced_people", "staying_people", "not_assessed_people"]].sum(axis=1) == people).all()


@settings(deadline=None, max_examples=30)
@given(
    pga=st.lists(st.one_of(st.just(np.nan), st.floats(0.005, 3)), min_size=4, max_size=4),
    people=st.lists(st.integers(0, 9), min_size=4, max_size=4),
)
def test_the_displaced_lie_within_their_quantiles(pga, people):
    result = shelter.displaced(homes_of(people), shaking_of(np.tile(pga, (4, 1))), night_temp_c=-15, hazards=LOW)
    assert (result["displaced_p10"] <= result["displaced_people"]).all()
    assert (result["displaced_people"] <= result["displaced_p90"]).all()
    assert (result["displaced_p90"] <= result["people"]).all()


@settings(deadline=None, max_examples=20)
@given(weak=st.floats(0.01, 1.0), factor=st.floats(1.0, 3.0))
def test_more_shaking_never_lowers_displacement(weak, factor):
    homes = homes_of([7, 9, 11, 500])
    less, more = (
        shelter.displaced(homes, shaking_of(p), night_temp_c=-15)["displaced_people"].sum() for p in (weak, weak * factor)
    )
    assert more >= less


@pytest.mark.parametrize("people", [[np.nan], [-1], [2.5], ["many"]])
def test_numbers_of_people_that_make_no_sense_are_refused(people):
    with pytest.raises(InputError, match=r"people is .* at index 0"):
        shelter.displaced(homes_of(people), shaking_of(0.1), night_temp_c=-15)


def test_more_people_than_can_be_counted_are_refused():
    with pytest.raises(InputError, match=r"^people is 1e\+19 at index 0; it must be a whole number from 0 to 2147483648\.$"):
        shelter.displaced(homes_of([1e19]), shaking_of(0.1), night_temp_c=-15)
    assert shelter.displaced(homes_of([2**31]), shaking_of(4.0), night_temp_c=-15)["displaced_people"].sum() <= 2**31


def test_the_message_about_bad_people_is_one_line_with_repeated_labels():
    homes = homes_of([-3.0, 5.0]).set_axis([7, 7])
    with pytest.raises(InputError, match=r"^people is -3.0 at index 7; it must be [^\n]*$"):
        shelter.displaced(homes, shaking_of(0.1), night_temp_c=-15)


def test_homes_without_coordinates_are_refused():
    homes = gpd.GeoDataFrame({"people": [3, 4]}, geometry=gpd.points_from_xy([500_005, np.nan], [4_000_035, np.nan]), crs=32648)
    with pytest.raises(InputError, match=r"1 of 2 homes have no coordinates \(the first at index 1\)"):
        shelter.displaced(homes, shaking_of(0.1), night_temp_c=-15, hazards=LOW)


def test_missing_inputs_are_named():
    homes = homes_of([5])
    with pytest.raises(MissingColumnError, match="no column 'people'"):
        shelter.displaced(homes.drop(columns="people"), shaking_of(0.1), night_temp_c=-15)
    only_mmi = Shaking(QUAKE, mmi=shaking_of(0.1).pga_g)
    with pytest.raises(MissingLayerError, match="needs pga_g"):
        shelter.displaced(homes, only_mmi, night_temp_c=-15)
    with pytest.raises(CrsError, match="EPSG:4326"):
        shelter.displaced(homes.to_crs(4326), shaking_of(0.1), night_temp_c=-15)
    with pytest.raises(ConfigError, match="night_temp_c is nan"):
        shelter.displaced(homes, shaking_of(0.1), night_temp_c=np.nan)
    with pytest.raises(InputError, match="sigma_ln_pga is negative"):
        shelter.displaced(homes, shaking_of(0.1, -0.5), night_temp_c=-15)
