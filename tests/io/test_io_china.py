"""GCJ-02 and BD-09 against pairs that others have published."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazardgeo.errors import CrsError, InputError
from hazardgeo.io import china

# longitude, latitude in WGS 84 and in GCJ-02: published test pairs of googollee/eviltransform, wandergis/coordtransform
GCJ02 = [
    (121.5272106, 31.1774276, 121.531541859215, 31.17530398364597),
    (113.912316, 22.543847, 113.9171764808363, 22.540796131694766),
    (116.377817, 39.911954, 116.38404722455657, 39.91334545536069),
    (116.404, 39.915, 116.41024449916938, 39.91640428150164),
]
METRES = np.array([85_000.0, 111_000.0])  # per degree, at 40 N


@pytest.mark.parametrize("pair", GCJ02)
def test_gcj_02_agrees_with_published_pairs_in_both_directions(pair: tuple[float, ...]) -> None:
    lon, lat, shifted_lon, shifted_lat = pair
    assert np.allclose(china.from_wgs84(lon, lat, "gcj02"), (shifted_lon, shifted_lat), rtol=0, atol=1e-9)
    assert np.allclose(china.to_wgs84(shifted_lon, shifted_lat, "gcj02"), (lon, lat), rtol=0, atol=1e-9)


def test_bd_09_agrees_with_a_published_pair() -> None:
    place = china.to_wgs84(116.41036949371029, 39.92133699351021, "bd09")  # GCJ-02 116.404, 39.915 by coordtransform
    assert np.allclose(china.from_wgs84(*place, "gcj02"), (116.404, 39.915), rtol=0, atol=1e-9)


def test_the_services_themselves_are_met_to_a_metre_or_two() -> None:
    amap = np.subtract(china.from_wgs84(116.39089, 39.90734, "gcj02"), (116.39713623, 39.90874539)) * METRES
    assert np.hypot(*amap) < 1.0
    aliyun = np.subtract(china.to_wgs84(120.026268, 30.279164, "gcj02"), (120.021519, 30.281543)) * METRES
    assert np.hypot(*aliyun) < 2.0


@given(st.floats(75.0, 134.0), st.floats(18.0, 53.0), st.sampled_from(["gcj02", "bd09"]))
def test_there_and_back_again_is_exact_and_the_shift_is_that_of_a_map_service(lon: float, lat: float, datum: china.Datum) -> None:
    shifted = china.from_wgs84(lon, lat, datum)
    assert np.allclose(china.to_wgs84(*shifted, datum), (lon, lat), rtol=0, atol=1e-9)
    metres = np.hypot(*(np.subtract(shifted, (lon, lat)) * (111_000 * np.cos(np.radians(lat)), 111_000)))
    assert 50.0 < metres < 2500.0


def test_places_outside_china_and_unknown_ones_stay_as_they_are() -> None:
    lon, lat = china.to_wgs84([139.7, 2.35, np.nan], [35.6, 48.86, 30.0], "gcj02")
    assert lon[:2].tolist() == [139.7, 2.35]
    assert lat[:2].tolist() == [35.6, 48.86]
    assert np.isnan(lon[2])
    given_lon = np.array([103.0])
    china.to_wgs84(given_lon, np.array([35.7]), "bd09")
    assert given_lon[0] == 103.0


@pytest.mark.parametrize("stated", ["GCJ-02", "gcj02", "GCJ_02", "火星坐标系"])
def test_a_declaration_is_recognised_in_its_spellings(stated: str) -> None:
    assert china.datum_of(stated) == "gcj02"
    assert china.datum_of("BD-09") == china.datum_of("bd09ll") == china.datum_of("百度坐标") == "bd09"
    assert china.datum_of("EPSG:4490") is china.datum_of(4490) is china.datum_of(None) is None


def test_what_is_not_read_is_refused() -> None:
    with pytest.raises(CrsError, match="BD09LL"):
        china.datum_of("BD09MC")
    with pytest.raises(InputError, match="not a distorted system"):
        china.to_wgs84(103.0, 35.7, "wgs84")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="not a distorted system"):
        china.from_wgs84(103.0, 35.7, "wgs84")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "datum"),
    [
        (["name", "lng_gcj02", "lat_gcj02"], "gcj02"),
        (["高德经度"], "gcj02"),
        (["shelters_amap.csv"], "gcj02"),
        (["Tencent_lng"], "gcj02"),
        (["火星坐标X"], "gcj02"),
        (["百度经度"], "bd09"),
        (["baidu_lat"], "bd09"),
        (["poi_bd09.shp"], "bd09"),
        (["lon", "lat"], None),
        (["damapple", "roads.shp", "subdlat"], None),
    ],
)
def test_names_of_map_services_raise_a_suspicion(names: list[str], datum: str | None) -> None:
    assert china.suspected(names) == datum
