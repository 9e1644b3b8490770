"""One system under many names, what is no map system, and how far two height references lie apart."""

import re
import warnings

import numpy as np
import pyproj
import pytest
from pyproj.crs.crs import BoundCRS

from hazardgeo import crs
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HeightError

ESRI = (
    'PROJCS["{name}",GEOGCS["{geogcs}",DATUM["{datum}",SPHEROID["{sphere}",{a},{f}]],PRIMEM["Greenwich",0.0],'
    'UNIT["Degree",0.0174532925199433]],PROJECTION["{method}"],PARAMETER["False_Easting",{fe}],'
    'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",{cm}],PARAMETER["Scale_Factor",1.0],'
    'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)
CGCS = {"geogcs": "GCS_China_Geodetic_Coordinate_System_2000", "datum": "D_China_2000", "sphere": "CGCS2000"}
CGCS |= {"a": "6378137.0", "f": "298.257222101"}
XIAN = {"geogcs": "GCS_Xian_1980", "datum": "D_Xian_1980", "sphere": "Xian_1980", "a": "6378140.0", "f": "298.257"}
BEIJING = {"geogcs": "GCS_Beijing_1954", "datum": "D_Beijing_1954", "sphere": "Krasovsky_1940", "a": "6378245.0", "f": "298.3"}


def esri(base: dict[str, str], name: str, fe: float, cm: float, method: str = "Gauss_Kruger", **changed: str) -> str:
    return ESRI.format(**(base | {"name": name, "fe": fe, "cm": cm, "method": method} | changed))


def with_shift(code: int, shift: str) -> str:
    wkt = pyproj.CRS.from_epsg(code).to_wkt("WKT1_GDAL")
    return re.sub(r'(DATUM\["[^"]*",SPHEROID\[[^\]]*AUTHORITY\[[^\]]*\]\])', rf"\1,TOWGS84[{shift}]", wkt)


KRASS_SHIFTED = "+proj=tmerc +lon_0=105 +k=1 +x_0=500000 +ellps=krass +towgs84=15.8,-154.4,-82.3 +units=m"
WRITTEN = ("WKT1_GDAL", "WKT2_2015", "WKT2_2019")
SPELLINGS: list[tuple[object, int | None]] = [
    (pyproj.CRS.from_epsg(4534).to_wkt("WKT1_GDAL"), 4534),
    *((code, code) for code in (4490, 4491, 4501, 4502, 4512, 4513, 4522, 4533, 4534, 4543, 4554, 2358, 2379, 2410, 2431, 21418)),
    *((pyproj.CRS.from_epsg(code).to_wkt(v), code) for code in (4490, 4522, 4543, 4507, 2358, 2410, 32648) for v in WRITTEN),
    *((pyproj.CRS.from_epsg(code).to_json(), code) for code in (4490, 4522, 4496, 2379, 32648)),
    *((pyproj.CRS.from_epsg(code).to_wkt("WKT1_ESRI"), code) for code in (4490, 4522, 4543, 4496, 2358, 2410, 32648, 2227)),
    (esri(CGCS, "CGCS2000_3_Degree_GK_Zone_34", 34500000, 102), 4522),
    (esri(CGCS, "CGCS2000_3_Degree_GK_CM_102E", 500000, 102), 4543),
    (esri(CGCS, "CGCS2000_GK_Zone_18", 18500000, 105), 4496),
    (esri(CGCS, "CGCS2000_GK_CM_105E", 500000, 105), 4507),
    (esri(XIAN, "Xian_1980_3_Degree_GK_Zone_34", 34500000, 102), 2358),
    (esri(XIAN, "Xian_1980_GK_CM_105E", 500000, 105), 2343),
    (esri(BEIJING, "Beijing_1954_3_Degree_GK_CM_102E", 500000, 102), 2431),
    (esri(BEIJING, "Beijing_1954_GK_Zone_18", 18500000, 105), 21418),
    (esri(BEIJING, "Beijing_1954_GK_CM_105E", 500000, 105), 21458),
    (esri(CGCS, "CGCS2000_3_Degree_GK_CM_102E", 500000, 102, "Transverse_Mercator"), 4543),
    (esri(CGCS, "our map", 34500000, 102, datum="CGCS2000"), 4522),
    (esri(CGCS, "our map", 500000, 102, datum="D_CGCS_2000"), 4543),
    (esri(CGCS, "our map", 500000, 102, datum="China Geodetic Coordinate System 2000"), 4543),
    (esri(CGCS, "地方", 500000, 102, datum="2000国家大地坐标系"), 4543),
    (esri(XIAN, "our map", 34500000, 102, datum="西安80"), 2358),
    (esri(BEIJING, "our map", 34500000, 102, datum="北京54"), 2410),
    ("urn:ogc:def:crs:EPSG::4490", 4490),
    ("EPSG:4480", 4490),
    ("EPSG:4547+5737", 4547),
    ("OGC:CRS84", 4326),
    ("+init=epsg:4326", 4326),
    ("+proj=longlat +datum=WGS84 +no_defs", 4326),
    ("+proj=utm +zone=48 +datum=WGS84 +units=m +no_defs", 32648),
    ("+proj=utm +zone=48 +ellps=WGS84 +towgs84=0,0,0,0,0,0,0 +units=m", 32648),
    ("+proj=utm +zone=48 +datum=WGS84 +geoidgrids=egm96_15.gtx +vunits=m", 32648),
    ("+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m +nadgrids=@null +wktext", 3857),
    (with_shift(31254, "577.326,90.129,463.919,5.137,1.474,5.297,2.4232"), 31254),
    # what states no datum, or lies in its name, has no code
    (esri(CGCS, "CGCS2000_3_Degree_GK_Zone_34", 500000, 102), None),
    (esri(CGCS, "CGCS2000_3_Degree_GK_CM_102E", 500000, 103.5), None),
    (esri(CGCS, "CGCS2000_3_Degree_GK_CM_102E", 500000, 102, datum="D_WGS_1984"), None),
    (esri(CGCS, "CGCS2000_3_Degree_GK_CM_102E", 500000, 102, datum="Unknown"), None),
    (esri(XIAN, "CGCS2000_3_Degree_GK_CM_102E", 500000, 102), None),
    (esri(BEIJING, "Beijing_1954_GK_CM_105E", 500000, 105, datum="D_China_2000"), None),
    ("+proj=tmerc +lat_0=0 +lon_0=102 +k=1 +x_0=500000 +y_0=0 +ellps=GRS80 +units=m +no_defs", None),
    ("+proj=tmerc +lat_0=0 +lon_0=102 +k=1 +x_0=34500000 +y_0=0 +ellps=GRS80 +units=m +no_defs", None),
    ("+proj=utm +zone=48 +ellps=WGS84 +units=m", None),
    ("+proj=utm +zone=48 +ellps=GRS80 +towgs84=0,0,0 +units=m", None),
    ("+proj=longlat +ellps=GRS80 +no_defs", None),
    ("+proj=tmerc +lat_0=0 +lon_0=105 +k=1 +x_0=500000 +ellps=krass", None),
    (KRASS_SHIFTED, None),
    (with_shift(31254, "677.326,90.129,463.919,5.137,1.474,5.297,2.4232"), None),
]


def flat(given: object) -> pyproj.CRS:
    """The horizontal part as PROJ understands it, before anything is normalised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        parsed = pyproj.CRS.from_user_input(given)
    return parsed.sub_crs_list[0] if parsed.is_compound else parsed.to_2d()


@pytest.mark.parametrize(("given", "expected"), SPELLINGS, ids=lambda v: str(v)[:60])
def test_a_spelling_is_normalised_to_the_code_that_is_equal_and_to_none_other(given: object, expected: int | None) -> None:
    found = crs.horizontal(given)
    assert crs.code(found) == expected
    assert crs.horizontal(found) == found


@pytest.mark.parametrize("given", [s for s, _ in SPELLINGS], ids=lambda v: str(v)[:60])
def test_places_stay_where_they_were_to_a_millimetre_when_a_system_is_normalised(given: object) -> None:
    before, after = flat(given), crs.horizontal(given)
    if after.is_bound:
        assert before.is_bound
    lon, lat = np.array([101.2, 102.0, 103.4]), np.array([24.0, 35.7, 41.9])
    numbers = []
    for system in (before, after):
        inner = system.source_crs if system.is_bound and system.source_crs is not None else system
        numbers.append(pyproj.Transformer.from_crs(inner.geodetic_crs, inner, always_xy=True).transform(lon, lat))
    scale = 111_000.0 if after.is_geographic else 1.0
    assert np.abs(np.subtract(*numbers)).max() * scale < 1e-3


def test_a_shift_to_wgs_84_that_moves_places_is_kept_and_applied() -> None:
    kept = crs.horizontal(KRASS_SHIFTED)
    assert kept.is_bound
    assert "its own shift to WGS 84" in crs.label(kept)
    east, north = 500_000.0, 3_952_000.0
    moved = pyproj.Transformer.from_crs(kept, 4326, always_xy=True).transform(east, north)
    unmoved = pyproj.Transformer.from_crs(kept.source_crs, 4326, always_xy=True).transform(east, north)
    assert 20 < pyproj.Geod(ellps="WGS84").inv(*moved, *unmoved)[2] < 200


def test_a_shift_of_nothing_is_dropped() -> None:
    source = pyproj.CRS("+proj=utm +zone=11 +datum=NAD83")
    bound = BoundCRS(source, pyproj.CRS(4326), pyproj.crs.coordinate_operation.ToWGS84Transformation(source.geodetic_crs))
    assert crs.code(crs.horizontal(bound)) == 26911


def _without_ids(given: str) -> str:
    return re.sub(r',\s*ID\["EPSG",\d+\]', "", pyproj.CRS(given).to_wkt())


def test_the_meridian_of_a_gauss_krueger_zone_has_its_false_easting_and_the_arc_of_the_ellipsoid() -> None:
    # meridian arc from the equator to 45 degrees on GRS 80: 4984944.378 m
    there = pyproj.Transformer.from_crs(4490, crs.horizontal(4522), always_xy=True)
    assert there.transform(102.0, 45.0) == pytest.approx((34_500_000.0, 4_984_944.378), abs=2e-3)


def test_a_compound_system_is_split_into_plane_and_height() -> None:
    plane, height = crs.split("EPSG:7415")  # Amersfoort / RD New + NAP height
    assert plane.to_epsg() == 28992
    assert height == Height("orthometric", "EPSG:5709")


@pytest.mark.parametrize(
    ("given", "vertical"),
    [
        ("EPSG:4544+5737", "EPSG:5737"),
        ("EPSG:4544+5736", "EPSG:5736"),
        ("EPSG:32648+3855", "EPSG:3855"),
        ("EPSG:32648+5773", "EPSG:5773"),
        ("EPSG:2994+6360", "EPSG:6360"),
        ("+proj=utm +zone=48 +datum=WGS84 +geoidgrids=egm96_15.gtx +vunits=m", "EPSG:5773"),
        (_without_ids("EPSG:2903+6360"), "EPSG:6360"),
        (_without_ids("EPSG:2903+8228"), "EPSG:8228"),
        (_without_ids("EPSG:4544+5737"), "EPSG:5737"),
        (_without_ids("EPSG:4544+5737").replace("Yellow Sea 1985 height", "1985国家高程基准"), "EPSG:5737"),
        (_without_ids("EPSG:4544+5737").replace("Yellow Sea 1985 height", "our level"), "our level"),
        ("+proj=utm +zone=48 +datum=WGS84 +geoidgrids=our_geoid.gtx +vunits=m", "our_geoid.gtx"),
    ],
)
def test_the_vertical_part_names_its_level(given: str, vertical: str) -> None:
    assert crs.split(given)[1] == Height("orthometric", vertical)


@pytest.mark.parametrize("given", ["EPSG:4979", "EPSG:4480"])
def test_a_three_dimensional_system_has_ellipsoidal_heights(given: str) -> None:
    plane, height = crs.split(given)
    assert plane.to_epsg() in (4326, 4490)
    assert height.kind == "ellipsoidal"


def test_a_plane_system_says_nothing_of_heights() -> None:
    assert crs.split(32648)[1] == Height("unknown")


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (None, "no coordinate reference"),
        ("nonsense", "not a coordinate"),
        (4978, "not a map"),
        (4479, "not a map"),
        ("EPSG:4326+5706", "counts downwards"),
        ("GCJ-02", "deliberate distortion .* source_crs="),
        ("bd09", "deliberate distortion"),
        ("火星坐标系", "deliberate distortion"),
        ("BD09MC", "not read"),
    ],
)
def test_what_is_no_map_system_is_refused(given: object, match: str) -> None:
    with pytest.raises(CrsError, match=match):
        crs.horizontal(given)


def test_degrees_that_an_export_calls_metres_are_degrees() -> None:
    wkt = (
        'PROJCS["UTM_10N",GEOGCS["WGS84",DATUM["WGS84",SPHEROID["WGS 84",6378137.000,298.257223563]],PRIMEM["Greenwich",0],'
        'UNIT["metres",1.0]],PROJECTION["Transverse_Mercator"],PARAMETER["Latitude_of_Origin",0],'
        'PARAMETER["Central_Meridian",-123],PARAMETER["Scale_Factor",0.9996],PARAMETER["False_Easting",500000],'
        'PARAMETER["False_Northing",0],UNIT["metres",1.0]]'
    )
    assert crs.code(crs.horizontal(wkt)) == 32610


def test_a_name_that_lies_is_shown_with_the_numbers_that_do_not() -> None:
    told = crs.label(crs.horizontal(esri(CGCS, "CGCS2000_3_Degree_GK_Zone_34", 500000, 102)))
    assert "central meridian 102" in told
    assert "false easting 500000" in told
    assert crs.label(crs.horizontal("+proj=utm +zone=48 +ellps=WGS84")).startswith("an unnamed system")


def test_the_family_of_a_zone_comes_from_the_database() -> None:
    zones = {z.crs.to_epsg(): z for z in crs.zones.family(crs.horizontal(4543))}
    assert zones[4522].prefix == 34
    assert zones[4544].central_meridian == 105.0
    assert zones[4496].prefix == 18
    assert 4507 not in zones  # makes the same numbers as 4544
    assert {z.crs.to_epsg() for z in crs.zones.prefixed(34)} >= {4522, 2358, 2410}
    assert 4523 in {z.crs.to_epsg() for z in crs.zones.family(crs.horizontal(esri(CGCS, "ours", 500000, 103.5)))}
    assert crs.zones.family(crs.horizontal(2154)) == ()


@pytest.mark.parametrize(("one", "known"), [(4490, True), (4214, True), (4610, False), (4555, False), (6668, True), (4269, True)])
def test_whether_a_shift_between_datums_is_published(one: int, known: bool) -> None:
    assert crs.shift_is_known(pyproj.CRS(one), pyproj.CRS(32648)) is known


def test_feet_and_degrees_are_not_metres() -> None:
    assert crs.is_metric(crs.horizontal(32648))
    assert not crs.is_metric(crs.horizontal(4326))
    assert not crs.is_metric(crs.horizontal(2903))  # US survey feet


@pytest.mark.parametrize(("place", "code"), [((102.8, 35.7), 32648), ((-70.0, -30.0), 32719), ((180.0, 10.0), 32601)])
def test_utm_zone_of_a_place(place: tuple[float, float], code: int) -> None:
    assert crs.utm(*place).to_epsg() == code


def test_two_kinds_of_heights_never_meet() -> None:
    with pytest.raises(HeightError, match="different height references"):
        Height("ellipsoidal").require_same(Height("orthometric"))
    with pytest.raises(HeightError, match="EPSG:5737"):
        Height("orthometric", "EPSG:5737").require_same(Height("orthometric", "EPSG:5773"))
    with pytest.raises(HeightError):
        Height().require_same(Height("orthometric"))
    Height("orthometric").require_same(Height("orthometric", "EPSG:5737"))


BALTIC, CASPIAN = Height("orthometric", "EPSG:5705"), Height("orthometric", "EPSG:5611")
YELLOW_SEA = Height("orthometric", "EPSG:5737")


def test_a_published_offset_between_two_levels_is_applied_with_its_sign() -> None:
    # EPSG: the Caspian level lies 28 m below Baltic 1977
    place = np.array([50.0, np.nan]), np.array([42.0, 42.0])
    assert crs.height_shift(*place, from_=BALTIC, to=CASPIAN)[0] == pytest.approx(28.0, abs=1e-6)
    assert crs.height_shift(*place, from_=CASPIAN, to=BALTIC)[0] == pytest.approx(-28.0, abs=1e-6)
    assert np.isnan(crs.height_shift(*place, from_=BALTIC, to=CASPIAN)[1])
    assert (crs.height_shift(*place, from_=BALTIC, to=BALTIC) == 0.0).all()


@pytest.mark.parametrize(
    ("from_", "to", "match"),
    [
        (YELLOW_SEA, Height("ellipsoidal"), "no operation .* tens of metres wrong"),
        (YELLOW_SEA, Height("orthometric", "EPSG:5736"), "no operation"),
        (Height("orthometric"), Height("ellipsoidal"), "above which level"),
        (Height("orthometric", "our_geoid.gtx"), Height("ellipsoidal"), "above which level"),
        (Height("orthometric", "EPSG:32648"), Height("ellipsoidal"), "above which level"),
        (Height(), YELLOW_SEA, "unknown reference"),
        (Height(), Height(), "unknown reference"),
        (Height("orthometric", "EPSG:5703"), Height("orthometric", "EPSG:6360"), "US survey foot"),
        (BALTIC, Height("orthometric", "EPSG:5706"), "counts down"),
    ],
)
def test_heights_are_never_left_as_they_are_because_nothing_is_known(from_: Height, to: Height, match: str) -> None:
    with pytest.raises(HeightError, match=match):
        crs.height_shift(np.array([103.0]), np.array([35.7]), from_=from_, to=to)


def test_a_missing_geoid_grid_is_named_with_the_way_to_get_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if pyproj.transformer.TransformerGroup("EPSG:4979", "EPSG:4326+5773").best_available:
            pytest.skip("the grid of EGM96 is on this machine")
    with pytest.raises(HeightError, match=r"us_nga_egm96_15\.tif.*projsync --file"):
        crs.height_shift(np.array([103.0]), np.array([35.7]), from_=Height("ellipsoidal"), to=Height("orthometric", "EPSG:5773"))
