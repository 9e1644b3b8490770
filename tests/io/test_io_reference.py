"""Coordinates that cannot be in the system they are said to be in, and those that can."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj.database import query_crs_info
from pyproj.enums import PJType

from hazardgeo import crs, io
from hazardgeo.crs import readings
from hazardgeo.errors import CrsError, HazardGeoWarning
from hazardgeo.io.reference import agreed_crs, require_plausible_place, same_crs

PATH = Path("roads.shp")
JISHISHAN = (102.8, 35.7)
Bounds = tuple[float, float, float, float]


def around(code: int, lon: float = JISHISHAN[0], lat: float = JISHISHAN[1], half: float = 2000.0) -> Bounds:
    """The bounds of a layer that really lies there, in the units of the system."""
    x, y = pyproj.Transformer.from_crs(4326, code, always_xy=True).transform(lon, lat)
    return x - half, y - half, x + half, y + half


turned = readings.exchanged


@pytest.mark.parametrize(
    ("bounds", "said", "match"),
    [
        (around(4522), 4543, r"EPSG:4522 .*crs='EPSG:4522'"),
        (around(4543), 4522, r"EPSG:4543 .*crs='EPSG:4543'"),
        (around(2358), 2379, r"EPSG:2358 .*crs='EPSG:2358'"),
        (around(2410), 2431, r"EPSG:2410 .*crs='EPSG:2410'"),
        (around(4496), 4522, r"EPSG:4496 .*crs='EPSG:4496'"),
        (around(4496), 4543, r"EPSG:4496 .*crs='EPSG:4496'"),
        (around(4523), 4522, r"begin with 34.*crs='EPSG:4523'"),
        (around(4522), 32648, r"EPSG:2358 .*EPSG:2410 .*EPSG:4522 .*ask the supplier"),
        (around(4522), 4326, r"ask the supplier"),
        (turned(around(4522)), 4522, "east and north exchanged; export it again"),
        (turned(around(4543)), 4543, "east and north exchanged"),
        (turned(around(32648)), 32648, "EPSG:32648 with east and north exchanged"),
        (turned(around(4522)), 4543, r"EPSG:4522 .*exchanged.*and state crs='EPSG:4522'"),
        ((35.6, 102.7, 35.8, 102.9), 4326, "longitude and latitude exchanged"),
        ((35.6, 80.0, 35.8, 81.0), 4490, "longitude and latitude exchanged"),
        ((102.7, 35.6, 102.9, 35.8), 32648, r"look like degrees.*crs='EPSG:4326'"),
        ((102.7, 35.6, 102.9, 35.8), 4543, r"look like degrees.*crs='EPSG:4490'"),
        (around(2227, -122.0, 37.5), 26943, r"\(ftUS\).*crs='EPSG:2227'"),
        (around(26943, -122.0, 37.5), 2227, r"crs='EPSG:26943'"),
        ((3e7, 3e7, 4e7, 4e7), 32648, "find out which system"),
    ],
)
def test_coordinates_that_cannot_be_there_are_refused_with_what_they_can_be(bounds: Bounds, said: int, match: str) -> None:
    with pytest.raises(CrsError, match=match) as caught:
        require_plausible_place(bounds, crs.horizontal(said), PATH)
    assert "\n" not in str(caught.value)


def test_vectors_are_told_how_to_declare_their_axes() -> None:
    with pytest.raises(CrsError, match="state axes='north-east'"):
        require_plausible_place(turned(around(4522)), crs.horizontal(4522), PATH, argument="source_crs")
    with pytest.raises(CrsError, match="state source_crs='EPSG:4522', axes='north-east'"):
        require_plausible_place(turned(around(4522)), crs.horizontal(4543), PATH, argument="source_crs")


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ((35.6, 80.0, 35.8, 81.0), 4326),  # may be exchanged; Spitsbergen has such places
        (around(32647), 32648),  # a neighbouring zone
        (around(4544), 4543),  # another central meridian cannot be seen in one file
        (around(32632, 25.0, 65.0), 32632),
        ((0.0, 0.0, 100.0, 100.0), 32648),  # local coordinates
        ((-1875.0, -1750.0, 1885.0, 10.0), 31287),
        ((300.0, -10.0, 360.0, 10.0), 4326),  # longitudes from 0 to 360
        ((500_000.0, 450_000.0, 501_000.0, 451_000.0), 32648),  # the same either way round
        ((np.nan, 0.0, 1.0, 1.0), 32648),
        ((-2e7, -2e7, 2e7, 2e7), 3857),
    ],
)
def test_what_may_be_right_passes_without_a_word(bounds: Bounds, said: int) -> None:
    require_plausible_place(bounds, crs.horizontal(said), PATH)


def test_what_is_doubtful_is_only_warned_of() -> None:
    with pytest.warns(HazardGeoWarning, match=r"2,372 km outside its area|km outside its area; check crs"):
        require_plausible_place((0.0, 0.0, 10.0, 10.0), crs.horizontal(4543), PATH)
    with pytest.warns(HazardGeoWarning, match="names no datum"):
        require_plausible_place(around(4543), crs.horizontal("+proj=tmerc +lon_0=102 +k=1 +x_0=500000 +ellps=krass"), PATH)


CODES = [
    int(i.code)
    for i in query_crs_info("EPSG", PJType.PROJECTED_CRS)
    if ("Gauss-Kruger" in i.name or "UTM zone" in i.name) and not i.deprecated
]


@settings(max_examples=150)
@given(st.sampled_from(CODES), st.floats(-6.0, 6.0), st.floats(0.0, 1.0), st.floats(1.0, 50_000.0))
def test_a_layer_within_six_degrees_of_its_meridian_is_never_refused(code: int, off: float, up: float, half: float) -> None:
    system = crs.horizontal(code)
    zone, area = crs.zones.zone_of(system), system.area_of_use
    assert area is not None
    if zone is None:
        return
    base = pyproj.Transformer.from_crs(system.geodetic_crs, system, always_xy=True)
    lat = float(np.clip(area.south + up * (area.north - area.south), -79.0, 83.0))
    x, y = base.transform(zone.central_meridian + off, lat)
    require_plausible_place((x - half, y - half, x + half, y + half), system, PATH)


RASTERS = ("andorra", "bigtujunga_srtm30", "ecuador_lsl", "geoutils", "demcompare_pairs", "avaframe_tirol", "hokkaido_coseismic")


@pytest.mark.parametrize("case", RASTERS)
def test_no_real_raster_is_refused(case: str, data_case: Callable[[str], Path]) -> None:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    for path in sorted(data_case(case).rglob("*.tif"))[:12]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                dataset = rasterio.open(path)
            with dataset:
                if dataset.crs is None or dataset.transform.is_identity:
                    continue
                system, bounds = crs.horizontal(dataset.crs.to_wkt()), tuple(dataset.bounds)
        except RasterioError:
            continue
        if system.is_geographic and (abs(bounds[3]) > 90.5 or abs(bounds[2]) > 360.5):
            continue  # metres under a label of degrees, which the door refuses before
        require_plausible_place(bounds, system, path)


CLOUDS = ("autzen_crop", "isprs_filter", "lidr_als", "pozo", "opengeos_lidar_buildings")


@pytest.mark.parametrize("case", CLOUDS)
def test_no_real_cloud_is_refused(case: str, data_case: Callable[[str], Path]) -> None:
    for path in sorted([*data_case(case).rglob("*.laz"), *data_case(case).rglob("*.las")])[:6]:
        info = io.cloud_info(path)
        if info.crs is not None:
            require_plausible_place(info.bounds, crs.horizontal(info.crs), path)


@pytest.mark.parametrize("case", ["geoutils", "noto_nanao", "noto_qgis", "jp_shelters", "helsinki_osm", "liechtenstein"])
def test_no_real_vectors_are_refused(case: str, data_case: Callable[[str], Path]) -> None:
    import pyogrio

    for path in sorted(p for s in ("gpkg", "shp", "geojson", "fgb") for p in data_case(case).rglob(f"*.{s}"))[:10]:
        for layer, kind in pyogrio.list_layers(path)[:2]:
            described = pyogrio.read_info(path, layer=layer, force_total_bounds=True) if kind else {"crs": None}
            if described["crs"] is None or not np.isfinite(described["total_bounds"]).all():
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                require_plausible_place(tuple(described["total_bounds"]), crs.horizontal(described["crs"]), path)


def test_a_statement_overrules_a_file_only_where_it_cannot_be_right() -> None:
    stored = crs.horizontal(4543)
    with pytest.raises(CrsError, match="leave crs= away"):
        agreed_crs(stored, "EPSG:4522", PATH)
    with pytest.raises(CrsError, match="leave crs= away"):
        agreed_crs(stored, "EPSG:4522", PATH, bounds=around(4543))
    assert agreed_crs(stored, "EPSG:4522", PATH, bounds=around(4522)).to_epsg() == 4522


def test_a_file_without_a_datum_takes_the_stated_one_with_the_same_formulas() -> None:
    stored = crs.horizontal("+proj=tmerc +lat_0=0 +lon_0=102 +k=1 +x_0=500000 +ellps=GRS80")
    assert agreed_crs(stored, 4543, PATH).to_epsg() == 4543
    with pytest.raises(CrsError, match="central meridian 102"):
        agreed_crs(stored, 4544, PATH)
    assert same_crs(crs.horizontal(4544), crs.horizontal(4507))  # 3 and 6 degrees: the same numbers
    assert not same_crs(crs.horizontal(4326), crs.horizontal(4490))
    assert not same_crs(crs.horizontal(4543), crs.horizontal(2379))


def test_a_name_that_lies_agrees_with_nothing() -> None:
    wkt = pyproj.CRS(4522).to_wkt("WKT1_ESRI").replace("34500000", "500000")
    with pytest.raises(CrsError, match="false easting 500000"):
        agreed_crs(crs.horizontal(wkt), 4522, PATH)
