from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from shapely.geometry import LineString, Point, Polygon, box

from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.io import read_vector, write_vectors

BOWTIE = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])  # two triangles of area 1 that touch in a point


def frame(geometry: list[object], crs: object = 32648, **columns: object) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=geometry, crs=crs)


def test_layers_come_back_with_their_columns(tmp_path: Path) -> None:
    sites = frame(
        [Point(1, 2), Point(3, 4)], name=["学校", None], capacity_people=[300, 40], area_m2=[1.5, np.nan], open=[True, False]
    )
    slides = frame([box(0, 0, 1, 1)], crs=4326, kind=["slide"])
    write_vectors({"sites": sites, "滑坡": slides}, tmp_path / "v.gpkg")
    read = read_vector(tmp_path / "v.gpkg", layer="sites")
    assert read.index.tolist() == [0, 1]
    assert read["name"].tolist()[0] == "学校"
    assert read["name"].isna().tolist() == [False, True]
    assert read["capacity_people"].tolist() == [300, 40]
    assert read["area_m2"].isna().tolist() == [False, True]
    assert read.geometry.tolist() == [Point(1, 2), Point(3, 4)]
    assert read_vector(tmp_path / "v.gpkg", layer="滑坡").crs.to_epsg() == 4326
    assert [p.name for p in tmp_path.iterdir()] == ["v.gpkg"]


def test_the_same_layers_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.gpkg", "b.gpkg"):
        write_vectors(
            {"x": frame([Point(1, 2)], t=[pd.Timestamp("2023-12-18T15:59:30Z")]), "y": frame([box(0, 0, 1, 1)])}, tmp_path / name
        )
    assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None


def test_columns_that_a_geopackage_cannot_hold_become_text(tmp_path: Path) -> None:
    odd = frame(
        [Point(0, 0), Point(1, 1)],
        reasons=[["a", "b"], None],
        level=pd.Categorical(["high", "low"]),
        mixed=[1, "x"],
        fid=[7, 7],
        nothing=[None, None],
    )
    odd["exit"] = gpd.GeoSeries([Point(5, 5), None])
    odd.index = pd.Index(["s1", "s2"], name="site_id")
    write_vectors({"odd": odd}, tmp_path / "v.gpkg")
    read = read_vector(tmp_path / "v.gpkg")
    assert read["site_id"].tolist() == ["s1", "s2"]
    assert read["reasons"].tolist()[0] == "['a', 'b']"
    assert read["level"].tolist() == ["high", "low"]
    assert read["mixed"].tolist() == ["1", "x"]
    assert read["fid_fid"].tolist() == [7, 7]
    assert read["exit"].tolist()[0] == "POINT (5 5)"
    assert odd["reasons"].tolist()[0] == ["a", "b"]  # the caller's own stay as they were


def test_layers_that_cannot_be_written_leave_nothing(tmp_path: Path) -> None:
    target = tmp_path / "v.gpkg"
    good = frame([Point(0, 0)])
    for layers, error, words in (
        ({}, InputError, "no layer"),
        ({"a": good, "b": frame([Point(0, 0)], crs=None)}, CrsError, "'b' .* has no CRS"),
        ({"a": good, "A": good}, InputError, "differ in case only"),
        ({"a": pd.DataFrame({"x": [1]})}, InputError, "write_table"),
    ):
        with pytest.raises(error, match=words):
            write_vectors(layers, target)  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=r"must end in \.gpkg"):
        write_vectors({"a": good}, tmp_path / "v.shp")
    assert not list(tmp_path.iterdir())


def test_features_are_brought_to_the_working_crs(tmp_path: Path) -> None:
    write_vectors({"p": frame([Point(105, 0)], crs=4326)}, tmp_path / "v.gpkg")
    read = read_vector(tmp_path / "v.gpkg", crs=32648)
    assert read.crs.to_epsg() == 32648
    assert (read.geometry.x[0], read.geometry.y[0]) == pytest.approx((500_000, 0), abs=1e-6)  # on the meridian of zone 48


def test_a_layer_must_exist_and_be_chosen_where_there_are_several(tmp_path: Path) -> None:
    write_vectors({"a": frame([Point(0, 0)]), "b": frame([Point(0, 0)])}, tmp_path / "v.gpkg")
    with pytest.raises(InputError, match="choose one with layer=: a, b"):
        read_vector(tmp_path / "v.gpkg")
    with pytest.raises(InputError, match="has no layer 'c'; it has a, b"):
        read_vector(tmp_path / "v.gpkg", layer="c")


def test_a_condition_selects_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    write_vectors({"a": frame([Point(0, 0), Point(1, 1)], n=[1, 2])}, tmp_path / "v.gpkg")
    assert read_vector(tmp_path / "v.gpkg", where="n > 1")["n"].tolist() == [2]
    with pytest.raises(InputError, match="is not understood"):
        read_vector(tmp_path / "v.gpkg", where="m > 1")
    with pytest.warns(HazardGeoWarning, match="has no features"):
        assert len(read_vector(tmp_path / "v.gpkg", where="n > 5")) == 0


def test_invalid_shapes_are_mended_and_empty_ones_left_out_with_a_count(tmp_path: Path) -> None:
    broken = frame([BOWTIE, None, Polygon(), box(0, 0, 1, 1)], n=[1, 2, 3, 4])
    pyogrio.write_dataframe(broken, tmp_path / "v.gpkg")
    with pytest.warns(HazardGeoWarning, match="1 of 4 geometries were invalid and are mended; 2 of 4 features have no usable"):
        read = read_vector(tmp_path / "v.gpkg")
    assert read["n"].tolist() == [1, 4]
    assert read.index.tolist() == [0, 1]
    assert read.geometry.is_valid.all()
    assert read.area.tolist() == [2, 1]


def test_heights_of_shapes_are_dropped(tmp_path: Path) -> None:
    pyogrio.write_dataframe(frame([LineString([(0, 0, 5), (1, 1, 6)])]), tmp_path / "v.gpkg")
    assert not shapely.has_z(read_vector(tmp_path / "v.gpkg").geometry[0])


def test_a_shapefile_without_prj_needs_a_statement(tmp_path: Path) -> None:
    pyogrio.write_dataframe(frame([Point(500_000, 4_000_000)]), tmp_path / "v.shp")
    (tmp_path / "v.prj").unlink()
    with pytest.raises(CrsError, match="state it with source_crs="):
        read_vector(tmp_path / "v.shp")
    assert read_vector(tmp_path / "v.shp", source_crs=32648).crs.to_epsg() == 32648


@pytest.mark.parametrize("encoding", ["GB18030", "UTF-8"])
def test_chinese_shapefiles_without_a_stated_encoding_are_recognised(tmp_path: Path, encoding: str) -> None:
    names = ["大河家镇中心小学", "石塬镇卫生院", "刘集乡政府"]
    pyogrio.write_dataframe(frame([Point(i, i) for i in range(3)], 名称=names), tmp_path / "v.shp", encoding=encoding)
    (tmp_path / "v.cpg").unlink(missing_ok=True)
    read = read_vector(tmp_path / "v.shp")
    assert read["名称"].tolist() == names


def test_geojson_states_degrees_unless_its_coordinates_are_none(tmp_path: Path) -> None:
    feature = '{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[%s]}}'
    head = '{"type":"FeatureCollection",%s"features":[%s]}'
    named = '"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::32648"}},'
    (tmp_path / "deg.geojson").write_text(head % ("", feature % "102.8,35.7"))
    assert read_vector(tmp_path / "deg.geojson").crs.to_epsg() == 4326
    (tmp_path / "map.geojson").write_text(head % (named, feature % "500000,3950000"))
    assert read_vector(tmp_path / "map.geojson").crs.to_epsg() == 32648
    (tmp_path / "lie.geojson").write_text(head % ("", feature % "500000,3950000"))
    with pytest.raises(CrsError, match="not degrees; state the right CRS with source_crs="):
        read_vector(tmp_path / "lie.geojson")
    assert read_vector(tmp_path / "lie.geojson", source_crs=32648).crs.to_epsg() == 32648
    with pytest.raises(CrsError, match="but source_crs= says EPSG:32648"):
        read_vector(tmp_path / "deg.geojson", source_crs=32648)


def test_geoparquet_is_read_and_takes_no_sql(tmp_path: Path) -> None:
    frame([Point(1, 2)], n=[5]).to_parquet(tmp_path / "v.parquet")
    assert read_vector(tmp_path / "v.parquet")["n"].tolist() == [5]
    with pytest.raises(InputError, match="takes no SQL"):
        read_vector(tmp_path / "v.parquet", where="n > 1")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(FormatError, match="cannot be read as GeoParquet"):
        read_vector(tmp_path / "bad.parquet")


def test_files_that_are_no_vectors_are_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "v.gpkg").write_bytes(b"SQLite format 3\0" + b"x" * 100)
    (tmp_path / "v.geojson").write_text('{"type":"FeatureCollection","features":[{')
    for name in ("v.gpkg", "v.geojson"):
        with pytest.raises(FormatError) as caught:
            read_vector(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_roads_are_read_from_openstreetmap(data_case: Callable[[str], Path]) -> None:
    path = data_case("andorra") / "andorra.osm.pbf"
    with pytest.raises(InputError, match="choose one with layer=: points, lines"):
        read_vector(path)
    roads = read_vector(path, layer="lines", where="highway IS NOT NULL", crs=32631)
    assert len(roads) > 1000
    assert roads.crs.to_epsg() == 32631
    assert roads["highway"].notna().all()
    assert (roads.geom_type == "LineString").all()
