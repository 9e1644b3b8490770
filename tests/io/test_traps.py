"""Every file of the real cases, through its door: it opens with the facts that its source states, or is refused by name.

The facts come from the descriptions of the cases and from independent readers (laspy, rasterio, pandas, plain text).
"""

import json
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import laspy
import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine

from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, GridMismatchError, HazardGeoError, HazardGeoWarning, InputError
from hazardgeo.io import read_cloud, read_raster, read_shakemap, read_vector

Case = Callable[[str], Path]
WGS84 = "EPSG:4326"
NO_CRS = "no coordinate reference system"


@dataclass(frozen=True)
class Opens:
    """What an opened file says: its size (points, rows x columns, features), CRS (code or part of the name) and the rest."""

    size: Any
    crs: int | str
    share: float = 0.0  # of unknown cells, or of features left out
    height: str = "unknown"
    metres_per_z: float = 1.0
    warns: str = ""


@dataclass(frozen=True)
class Refused:
    """Why a file is refused, and what opens it: the CRS to state and the size that it then has."""

    error: type[HazardGeoError]
    words: str
    state: str | None = None
    size: Any = None
    share: float = 0.0


FOOT = 1200 / 3937
Z_NOT_STATED = "the unit of the heights is not stated"
CLOUDS: dict[str, Opens | Refused] = {
    "laspy/1_4_w_evlr.laz": Opens(1_000, 2903, warns=Z_NOT_STATED),
    "laspy/append-bug.laz": Opens(37_805, 2154),
    "laspy/autzen_geo_proj.las": Opens(106, 2994, warns=Z_NOT_STATED),
    "laspy/autzen_trim.laz": Opens(110_000, "NAD_1983_HARN_Lambert_Conformal_Conic", warns=Z_NOT_STATED),
    "laspy/extrabytes.las": Refused(CrsError, NO_CRS, "EPSG:32610", 1_065),
    "laspy/file_with_both_wkt_and_geotiff_vlrs.las": Opens(
        25_408, 6880, metres_per_z=FOOT, warns=r"disagree \(EPSG:6880 and EPSG:32104\)"
    ),
    "laspy/fullwave.laz": Opens(10_750, 32723),
    "laspy/plane.laz": Refused(CrsError, "name no EPSG code", "EPSG:32610", 28_185),
    "laspy/simple.copc.laz": Opens(1_065, 2991, height="orthometric", metres_per_z=FOOT, warns="converted to metres"),
    "laspy/simple.laz": Refused(CrsError, NO_CRS, "EPSG:32610", 1_065),
    "laspy/simple1_4.las": Refused(CrsError, "coordinates are not degrees", "EPSG:32610", 22_600),
    "laspy/unregistered_extra_bytes.las": Refused(CrsError, NO_CRS, "EPSG:32610", 4),
    "laspy/vegetation_1_3.las": Refused(CrsError, NO_CRS, "EPSG:32610", 10_683),
    "pdal/1.2-with-color.las": Refused(CrsError, NO_CRS, "EPSG:32610", 1_065),
    "pdal/4_6_crop.las": Opens(23_875, 2903, metres_per_z=FOOT, warns="converted to metres"),
    "pdal/epsg_4326.las": Opens(5_380, 4326),
    "pdal/las_with_several_extra_byte_bloc.laz": Opens(697_721, 2154),
    "pdal/lone-star.copc.laz": Refused(CrsError, "Geocentric CRS, not a map CRS", "EPSG:32614", 518_862),
    "pdal/lots_of_vlr.las": Refused(CrsError, "name no EPSG code", "EPSG:32615", 1),
    "pdal/spurious.las": Opens(1_065, 4326, warns="1 of 1,065 points lie outside the bounds"),
    "truncated_half_topography.laz": Refused(FormatError, "damaged, cut"),
}
E57 = ("pumpAVisualReferenceImage.e57", "testWithNormals.e57", "translationWithoutRotation.e57")

LOMA, AVA, GEOUTILS = "lomaprieta_usgs/", "avaframe_tirol/", "geoutils/Everest_Landsat/LE71400412000304SGS00_"
VERDIN, KOT = (
    LOMA + "model_inputs/global_Verdin_slopes_resampled_degx100/slope",
    AVA + "avaKot/benchmark_com1DFA/relKot_989874a9be_C_S_null_dfa_",
)
ALONE = {  # GMT grids: netCDF whose georeference GDAL does not read
    f"{LOMA}targets/{name}.grd": Refused(InputError, "no georeference")
    for name in (
        "godt_2008", "jessee_2018", "jessee_2018_std", "nowicki_2014_global", "zhu2015", "zhu2017_coastal", "zhu2017_general",
        "zhu2017_general_div4", "zhu2017_general_std",
    )
}  # fmt: skip
NO_TAG = {  # GeoTIFF under other names and without a CRS
    f"{LOMA}model_inputs/{name}": Refused(CrsError, NO_CRS, WGS84, size, share)
    for name, size, share in (
        ("global_cohesion_10i_kPa.flt", (108, 168), 0.4064), ("global_cti_fil.grd", (108, 168), 0.3818),
        ("global_dc_km.grd", (90, 140), 0.0), ("global_dr_km.grd", (108, 168), 0.0),
        ("global_dr_km_ext_fill_clip_co.tif", (588, 723), 0.0), ("global_friction_deg.flt", (108, 168), 0.4064),
        ("global_grad.tif", (432, 672), 0.0), ("global_gted_maxslope_30c.flt", (108, 168), 0.0),
        ("global_precip_fil_mm.grd", (108, 168), 0.3822), ("global_vs30_mps.grd", (108, 168), 0.0),
        ("global_wtd_fil_na_m.grd", (108, 168), 0.3679), ("globcover_replace.tif", (1733, 2169), 0.0),
        ("jessee_standard_deviation.tif", (1733, 2169), 0.0), ("zhu2017_standard_deviation.tif", (578, 723), 0.0),
    )
}  # fmt: skip
RASTERS: dict[str, Opens | Refused] = {
    "formats/jpeg/DSCN0010.jpg": Refused(InputError, "no georeference"),
    "formats/raster/OSBS_029.tif": Opens((400, 400), 32617, 0.0099, warns="has 3 bands"),
    "demcompare_pairs/grenoble/Copernicus_DSM_10_N45_00_E005_00_DEM.tif": Opens((500, 500), 4326),
    "demcompare_pairs/grenoble/Copernicus_blurred_and_shifted.tif": Opens((333, 333), 4326),
    "demcompare_pairs/srtm/srtm_blurred_and_shifted.tif": Opens((995, 997), 4326),
    "demcompare_pairs/srtm/srtm_ref.tif": Opens((1000, 1000), 4326),
    LOMA + "lspop2016_lp.flt": Opens((108, 168), 4326, 0.3985),
    LOMA + "model_inputs/GLIM_replace.tif": Opens((432, 672), 4326),
    LOMA + "model_inputs/global_dc_km.tif": Opens((90, 140), 4326),
    LOMA + "targets/19891018000415_zhu_2015_model.tif": Opens((170, 292), 4326, 0.5422),
    **{f"{VERDIN}{q}.bil": Opens((578, 723), 4326) for q in ("10", "30", "50", "70", "90", "_max", "_min")},
    **NO_TAG,
    **ALONE,
    AVA + "avaFlowPy/Inputs/INFRA/infra.tif": Opens((176, 376), 31287, 0.9769),
    AVA + "avaFlowPy/Inputs/RES/forest.tif": Opens((176, 376), 31287, 0.4608),
    AVA + "avaFlowPy/Inputs/dem.tif": Opens((176, 376), 31287),
    AVA + "avaKot/Inputs/avaKot.asc": Refused(CrsError, NO_CRS, "EPSG:31287", (517, 439), 0.3966),
    **{f"{KOT}{n}.asc": Refused(CrsError, NO_CRS, "EPSG:31287", (516, 438)) for n in ("pft", "pfv", "ppr")},
    AVA + "scarpExample/Inputs/fluchthorn.tif": Refused(CrsError, "which are not degrees", "EPSG:31287", (220, 300)),
    "bigtujunga_srtm30/bigtujunga.tif": Opens((643, 1197), 32611),
    "pysheds_dem/dem.tif": Opens((359, 367), 4326),
    "pysheds_dem/roi.tif": Opens((100, 70), 3089),
    "opengeos_lidar_buildings/dsm.tif": Opens((259, 283), 26918),
    "opengeos_lidar_buildings/dtm.tif": Opens((259, 283), 26918, 0.0038),
    "opengeos_lidar_buildings/hag.tif": Opens((259, 283), 26918),
    "andorra/N42E001.hgt": Opens((1201, 1201), 4326, 0.0053),
    GEOUTILS + "B4.tif": Opens((655, 800), 32645),
    GEOUTILS + "B4_cropped.tif": Opens((315, 492), 32645),
    GEOUTILS + "B4_cropped_test.tif": Opens((74, 123), 32645),
    GEOUTILS + "B4_test.tif": Opens((167, 193), 32645),
    GEOUTILS + "RGB.tif": Opens((655, 800), 32645, warns="has 3 bands"),
    GEOUTILS + "RGB_test.tif": Opens((167, 193), 32645, warns="has 3 bands"),
}

KOT_IN, SCARP, GSI = AVA + "avaKot/Inputs/", AVA + "scarpExample/Inputs/", "noto_qgis/GSI/hokai_all_"
VECTORS: dict[str, Opens | Refused] = {
    LOMA + "fake_inventory.shp": Opens(4, 4326),
    AVA + "avaFlowPy/Inputs/REL/rel.shp": Opens(1, 31287),
    **{f"{KOT_IN}{n}.shp": Opens(1, 31287) for n in ("DAM/dam", "ENT/entKot", "LINES/pathAB", "LINES/path_aimec")},
    **{f"{KOT_IN}{n}.shp": Opens(1, 31287) for n in ("POINTS/splitPoint", "REL/relKot")},
    KOT_IN + "RES/resistance.shp": Opens(2, 31287),
    SCARP + "POINTS/points_coordinates.shp": Refused(CrsError, NO_CRS, "EPSG:31287", 2),
    SCARP + "POLYGONS/scarpFluchthorn_perimeter.shp": Refused(CrsError, NO_CRS, "EPSG:31287", 2),
    GSI + "20240106_merge.fgb": Opens(1472, 6668, warns="3 of 1472 geometries were invalid"),
    GSI + "20240109_nanao.fgb": Opens(75, 6668),
    GSI + "20240112_wajimaWEST.fgb": Opens(526, 4326),
    GSI + "20240115_wajimaCENTRAL_Re2.fgb": Opens(358, 4326),
    GSI + "20240118_anamizu.fgb": Opens(162, 4326),
    "noto_qgis/ISHIKAWA_PREF/noto_doctor_heli_rendezvous.fgb": Opens(251, 4326),
    "noto_qgis/Jichitai_GIS/noto_town_koaza_area.fgb": Opens(202, 2449),
    "noto_qgis/Code_for_Kanazawa/opendata-r6-noto-earthquake-connectmap20240111.fgb": Opens(146, 4326),
    "noto_nanao/reference_data.csv": Opens(112, 4326),
    "noto_nanao/latest/open_shelter_Nanao-shi.fgb": Opens(1, 6675),
    "noto_nanao/latest/open_shelter_Nanao-shi.geojson": Opens(1, 6675),
    "noto_nanao/latest/open_shelter_Nanao-shi_2024-09-02-1800.csv": Opens(1, 4326),
    "opengeos_lidar_buildings/buildings.geojson": Opens(84, 4326),
    "geoutils/Everest_Landsat/15_rgi60_glacier_outlines.gpkg": Opens(86, 4326),
    "geoutils/Everest_Landsat/15_rgi60_glacier_outlines_test.gpkg": Opens(7, 4326),
    "andorra/andorra.osm.pbf": Refused(InputError, "choose one with layer="),
    "helsinki_osm/Helsinki.osm.pbf": Refused(InputError, "choose one with layer="),
    "helsinki_osm/test.osm.pbf": Refused(InputError, "choose one with layer="),
    "wenchuan_stations/Hartzell11_fault.txt": Refused(InputError, "longitude"),
}
SHAKEMAPS: dict[str, Opens | Refused] = {  # rows x columns and magnitude
    "shakemap_xml/pager_lomaprieta_grid.xml": Opens((193, 241, 6.9), 4326),
    "shakemap_xml/pager_nyc_scenario_m5.8_grid.xml": Opens((123, 161, 5.8), 4326),
    "shakemap_xml/test_shakegrid.xml": Opens((2, 2, 6.0), 4326),
    "shakemap_xml/test_shakegrid_bounds.xml": Opens((4, 4, 6.0), 4326),
    "shakemap_xml/test_uncert.xml": Refused(FormatError, "no PGA, PGV or MMI"),
    LOMA + "grid.xml": Opens((29, 49, 6.9), 4326),
    LOMA + "uncertainty.xml": Refused(FormatError, "no PGA, PGV or MMI"),
    "wenchuan_stations/event.xml": Refused(FormatError, "not a whole ShakeMap grid"),
    "wenchuan_stations/stationlist.xml": Refused(FormatError, "DOCTYPE"),
}
LAYERS = {  # of OpenStreetMap extracts: features stored, and those without a usable shape
    ("andorra/andorra.osm.pbf", "lines"): (2081, 0),
    ("helsinki_osm/Helsinki.osm.pbf", "points"): (8045, 0),
    ("helsinki_osm/Helsinki.osm.pbf", "lines"): (3818, 1),
    ("helsinki_osm/test.osm.pbf", "lines"): (339, 0),
}
BESIDE = re.compile(r"\.(md|txt|rst|ini|json|dbf|shx|prj|cpg|qpj|aux\.xml)$|LICENSE$|/history/")
CASES = (
    "formats", "shakemap_xml", "demcompare_pairs", "lomaprieta_usgs", "avaframe_tirol", "bigtujunga_srtm30", "pysheds_dem",
    "noto_nanao", "noto_qgis", "opengeos_lidar_buildings", "andorra", "helsinki_osm", "geoutils", "wenchuan_stations",
)  # fmt: skip


def find(case: Case, name: str) -> Path:
    folder, _, rest = name.partition("/")
    return case(folder) / rest


def heard(read: Callable[[], Any], words: str) -> Any:
    """What `read` returns, when it warns of `words` and, without words, of nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = read()
    said = [str(w.message) for w in caught]
    assert all(issubclass(w.category, HazardGeoWarning) for w in caught)
    assert any(re.search(words, text) for text in said) if words else not said, said
    return result


def refusal(read: Callable[[], Any], expected: Refused) -> None:
    with pytest.raises(expected.error, match=expected.words) as caught:
        read()
    assert "\n" not in str(caught.value)


def same_crs(crs: Any, expected: int | str) -> bool:
    return bool(crs.to_epsg() == expected if isinstance(expected, int) else expected in crs.name)


def test_every_file_of_the_cases_is_in_the_table(data_case: Case) -> None:
    listed = {f"formats/{n}" for n in CLOUDS} | {f"formats/pye57/{n}" for n in E57}
    listed |= RASTERS.keys() | VECTORS.keys() | SHAKEMAPS.keys()
    there = {f"{c}/{p.relative_to(data_case(c)).as_posix()}" for c in CASES for p in data_case(c).rglob("*") if p.is_file()}
    assert {name for name in there - listed if not BESIDE.search(name)} == set()
    assert listed - there == set()


@pytest.mark.parametrize("name", CLOUDS)
def test_a_cloud_opens_as_its_points_say_or_is_refused_by_name(data_case: Case, name: str) -> None:
    path, expected = data_case("formats") / name, CLOUDS[name]
    if isinstance(expected, Refused):
        refusal(lambda: read_cloud(path), expected)
        if expected.state is None:
            return
        cloud, factor = read_cloud(path, crs=expected.state), 1.0
        assert cloud.height == Height()
    else:
        cloud, factor = heard(lambda: read_cloud(path), expected.warns), expected.metres_per_z
        assert same_crs(cloud.crs, expected.crs)
        assert cloud.height.kind == expected.height
    stored = laspy.read(path)
    assert len(cloud) == expected.size == stored.header.point_count
    x, y, z = (np.asarray(stored[axis]) for axis in "xyz")
    np.testing.assert_allclose(cloud.xyz, np.column_stack([x, y, z * factor]), rtol=1e-9)


@pytest.mark.parametrize("name", E57)
def test_an_e57_scan_without_a_crs_is_refused(data_case: Case, name: str) -> None:
    with pytest.raises(CrsError, match=NO_CRS):
        read_cloud(data_case("formats") / "pye57" / name)


def test_the_header_of_a_cloud_may_be_wrong_about_its_bounds(data_case: Case) -> None:
    path = data_case("formats") / "pdal" / "spurious.las"
    cloud, stored = heard(lambda: read_cloud(path), "1 of 1,065 points lie outside the bounds"), laspy.read(path)
    assert stored.header.mins[0] == pytest.approx(-123.0749695)
    assert cloud.xyz[:, 0].min() == np.asarray(stored.x).min() < -124.0


@pytest.mark.parametrize("name", RASTERS)
def test_a_raster_opens_as_gdal_counts_it_or_is_refused_by_name(data_case: Case, name: str) -> None:
    path, expected = find(data_case, name), RASTERS[name]
    if isinstance(expected, Refused):
        refusal(lambda: read_raster(path, crs=None if expected.state else WGS84), expected)
        if expected.state is None:
            return
        raster = heard(lambda: read_raster(path, crs=expected.state), "")
    else:
        raster = heard(lambda: read_raster(path), expected.warns)
        assert same_crs(raster.grid.crs, expected.crs)
    assert raster.grid.shape == expected.size
    assert raster.height is None
    with rasterio.open(path) as dataset:
        stored = dataset.read(1, masked=True)
        np.testing.assert_allclose(raster.grid.bounds, dataset.bounds)
    known = ~np.ma.getmaskarray(stored) & np.isfinite(stored.data)
    assert 1 - known.mean() == pytest.approx(expected.share, abs=5e-5)
    np.testing.assert_array_equal(np.isfinite(raster.values), known)
    np.testing.assert_array_equal(raster.values[known], stored.data[known].astype(np.float32))


@pytest.mark.parametrize("name", VECTORS)
def test_a_layer_opens_with_all_its_features_or_is_refused_by_name(data_case: Case, name: str) -> None:
    path, expected = find(data_case, name), VECTORS[name]
    if isinstance(expected, Refused):
        refusal(lambda: read_vector(path), expected)
        if expected.state is None:
            return
        features = read_vector(path, source_crs=expected.state)
    else:
        features = heard(lambda: read_vector(path), expected.warns)
        assert same_crs(features.crs, expected.crs)
    assert len(features) == expected.size
    assert features.geometry.is_valid.all()
    assert features.attrs["features_left_out"] == 0


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_an_openstreetmap_layer_opens_with_all_usable_features(data_case: Case, name: str, layer: str) -> None:
    stored, unusable = LAYERS[name, layer]
    features = heard(lambda: read_vector(find(data_case, name), layer=layer), f"{unusable} of {stored}" if unusable else "")
    assert (len(features), features.attrs["features_left_out"]) == (stored - unusable, unusable)


@pytest.mark.parametrize(
    ("name", "layer"), [("Helsinki", "multipolygons"), ("Helsinki", "other_relations"), ("test", "multipolygons")]
)
def test_a_ring_of_two_points_costs_its_own_feature_and_no_other(data_case: Case, name: str, layer: str) -> None:
    path = data_case("helsinki_osm") / f"{name}.osm.pbf"
    features = heard(lambda: read_vector(path, layer=layer), "have no usable geometry and are left out")
    left_out = features.attrs["features_left_out"]
    assert 0 < left_out < 0.05 * len(features)
    assert features.geometry.is_valid.all()
    identifiers = features.filter(regex="^osm_(way_)?id$")
    assert identifiers.notna().any(axis=1).all()
    assert features.crs.to_epsg() == 4326


@pytest.mark.parametrize("name", SHAKEMAPS)
def test_a_shakemap_opens_as_its_lines_say_or_is_refused_by_name(data_case: Case, name: str) -> None:
    path, expected = find(data_case, name), SHAKEMAPS[name]
    if isinstance(expected, Refused):
        refusal(lambda: read_shakemap(path), expected)
        return
    shaking = heard(lambda: read_shakemap(path), "")
    assert shaking.pga_g is not None
    assert (*shaking.pga_g.grid.shape, shaking.event.magnitude) == expected.size
    text = path.read_text(encoding="utf-8")
    column = int(re.search(r'grid_field\s+index="(\d+)"\s+name="PGA"', text)[1]) - 1  # type: ignore[index]
    lines = text.partition("<grid_data>")[2].partition("</grid_data>")[0].split("\n")
    percent = [float(line.split()[column]) for line in lines if line.strip()]
    assert len(percent) == expected.size[0] * expected.size[1]
    np.testing.assert_allclose(np.sort(shaking.pga_g.values.ravel()), np.sort(percent) / 100, rtol=1e-6)
    assert ("not an earthquake that happened" in shaking.source) == ("scenario" in name)


@pytest.mark.slow
def test_every_shelter_snapshot_opens_with_the_people_that_its_column_says(data_case: Case) -> None:
    snapshots = sorted((data_case("noto_nanao") / "history").glob("*.csv"))
    assert len(snapshots) == 117
    for path in snapshots:
        with path.open(encoding="utf-8-sig") as stream:
            table = pd.read_csv(stream)
        people = next(c for c in table.columns if c.startswith("人数"))
        sites = heard(lambda p=path: read_vector(p), "")
        assert (len(sites), sites[people].sum()) == (len(table), table[people].sum()), path.name
        np.testing.assert_allclose(sites.geometry.x, table["経度"])


def test_hamlets_carry_their_census(data_case: Case) -> None:
    hamlets = read_vector(data_case("noto_qgis") / "Jichitai_GIS" / "noto_town_koaza_area.fgb")
    assert pd.api.types.is_integer_dtype(hamlets["JINKO"])
    assert (hamlets["JINKO"] >= hamlets["SETAI"]).all()


def test_places_far_outside_the_region_are_kept_for_the_analyst_to_see(data_case: Case) -> None:
    reports = read_vector(data_case("noto_qgis") / "Code_for_Kanazawa" / "opendata-r6-noto-earthquake-connectmap20240111.fgb")
    x, y = reports.geometry.x, reports.geometry.y
    assert int((~(x.between(136, 138) & y.between(36, 38))).sum()) >= 7


def test_layers_that_look_alike_do_not_meet(data_case: Case) -> None:
    dem, roi = (read_raster(data_case("pysheds_dem") / n) for n in ("dem.tif", "roi.tif"))
    kot = read_raster(data_case("avaframe_tirol") / "avaKot/Inputs/avaKot.asc", crs="EPSG:31287")
    thickness = read_raster(find(data_case, f"{KOT}pft.asc"), crs="EPSG:31287")
    for a, b in ((dem, roi), (kot, thickness)):
        with pytest.raises(GridMismatchError):
            a.grid.require_same(b.grid)


def test_a_stated_crs_does_not_overrule_a_raster_that_is_in_degrees(data_case: Case) -> None:
    with pytest.raises(CrsError, match=r"says that it is in EPSG:4326, but crs= says EPSG:31287"):
        read_raster(data_case("pysheds_dem") / "dem.tif", crs="EPSG:31287")


def put(path: Path, transform: Affine) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", dtype="float32", count=1, height=2, width=3, transform=transform, crs=WGS84
    ) as out:
        out.write(np.arange(6, dtype=np.float32).reshape(1, 2, 3))
    return path


def test_metres_under_a_label_of_degrees_are_refused_until_the_crs_is_stated(tmp_path: Path) -> None:
    path = put(tmp_path / "metres.tif", Affine(10, 0, 500_000, 0, -10, 4_000_000))
    with pytest.raises(
        CrsError, match=r"says that it is in EPSG:4326, but its edges reach 500030, 4e\+06, which are not degrees"
    ):
        read_raster(path)
    assert read_raster(path, crs="EPSG:32648").grid.bounds == (500_000, 3_999_980, 500_030, 4_000_000)


@pytest.mark.parametrize("west", [-180.0, 0.0, 179.0, 358.0])
def test_longitudes_to_360_are_degrees(tmp_path: Path, west: float) -> None:
    path = put(tmp_path / "degrees.tif", Affine(1, 0, west, 0, -1, 90.5))
    assert read_raster(path).grid.bounds[0] == west


def test_a_ring_of_two_points_is_left_out_and_its_neighbours_stay(tmp_path: Path) -> None:
    rings = [[[[0, 0], [2, 0], [2, 2], [0, 0]]], [[[5, 5], [6, 6]]]]
    features = [
        {"type": "Feature", "properties": {"name": n}, "geometry": {"type": "Polygon", "coordinates": c}}
        for n, c in zip("ab", rings, strict=True)
    ]
    path = tmp_path / "rings.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    left = heard(lambda: read_vector(path), "1 of 2 features have no usable geometry")
    assert left["name"].tolist() == ["a"]
    assert (left.crs.to_epsg(), left.attrs["features_left_out"], left.geometry.iloc[0].area) == (4326, 1, 2.0)


def test_a_damaged_prj_is_named_as_the_crs_that_it_is(tmp_path: Path) -> None:
    gpd.GeoDataFrame({"n": [1]}, geometry=gpd.points_from_xy([1], [2]), crs=WGS84).to_file(tmp_path / "s.shp")
    (tmp_path / "s.prj").write_bytes(
        b'GEOGCS["GCS_WGS_1984",DATUM["D_\x9ati\tB\xe6\xb1#WGS_3984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
        b'PRIMEM["Greenwich",0.0]U,NIT["Degree",0.0174532925199433]]'
    )
    with pytest.raises(CrsError):
        read_vector(tmp_path / "s.shp")


def test_cells_beyond_the_header_never_shift_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "sites.csv"
    path.write_text("name,longitude,latitude\na,105.1,35.5,\nb,105.2,35.6,\n")
    sites = read_vector(path)
    assert sites["name"].tolist() == ["a", "b"]
    assert sites.geometry.x.tolist() == [105.1, 105.2]
    path.write_text("name,longitude,latitude\na,105.1,35.5,7\nb,105.2,35.6,8\n")
    with pytest.raises(FormatError, match="is not a table"):
        read_vector(path)
    path.write_text("name,longitude,latitude\na,105.1,35.5\nb,105.2,35.6,8\n")
    with pytest.raises(FormatError, match="is not a table"):
        read_vector(path)


def test_a_layer_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zones.geojson"
    path.write_bytes(b'{"type": "FeatureCollection", "name": "zon\x90", "features": []}')
    with pytest.raises(FormatError, match="cannot be read as vectors"):
        read_vector(path)


def test_a_geoparquet_file_with_a_damaged_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "z.parquet"
    gpd.GeoDataFrame({"n": [1]}, geometry=gpd.points_from_xy([1], [2]), crs=WGS84).to_parquet(path, compression=None)
    point = b"\x01\x01\x00\x00\x00" + np.array([1.0, 2.0]).tobytes()
    path.write_bytes(path.read_bytes().replace(point, b"\x01\x63" + point[2:]))
    with pytest.raises(FormatError, match="cannot be read as GeoParquet"):
        read_vector(path)
