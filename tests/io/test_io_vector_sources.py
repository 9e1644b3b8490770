"""Nothing is fetched, nothing is written beside a file, and a part never passes for the whole."""

import hashlib
import os
import shutil
import socket
import sqlite3
import threading
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
from shapely.geometry import MultiPoint, Point

from hazardgeo.errors import CrsError, FormatError, HazardGeoError, HazardGeoWarning, InputError
from hazardgeo.io import read_vector

KML = '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>%s</Document></kml>'
PLACE = "<Placemark><name>%s</name><Point><coordinates>%s</coordinates></Point></Placemark>"
POINT = '{"type":"Feature","properties":{"n":%d},"geometry":{"type":"Point","coordinates":[%s]}}'


def places(count: int = 300) -> gpd.GeoDataFrame:
    xy = np.column_stack([np.linspace(102, 103, count), np.linspace(35, 36, count)])
    names = [f"place {i} {'x' * 20}" for i in range(count)]
    return gpd.GeoDataFrame({"name": names, "n": np.arange(count, dtype=np.int32)}, geometry=[Point(*p) for p in xy], crs=4326)


def written(folder: Path, name: str, driver: str, features: gpd.GeoDataFrame | None = None) -> Path:
    pyogrio.write_dataframe(places() if features is None else features, folder / name, driver=driver)
    return folder / name


def prints(folder: Path) -> dict[str, tuple[str, int]]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    return {p.name: (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in files}


@pytest.fixture
def server() -> Iterator[tuple[str, list[bytes]]]:
    """A server on this machine, and what it was asked for."""
    asked: list[bytes] = []
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(16)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            asked.append(connection.recv(500))
            connection.sendall(b"HTTP/1.0 404 no\r\n\r\n")
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
    listening.close()


ELSEWHERE = {
    "a.vrt": '<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/vsicurl/{u}/a.geojson</SrcDataSource></OGRVRTLayer>'
    "</OGRVRTDataSource>",
    "named.gml": "<!-- x --><OGRVRTDataSource><OGRVRTLayer><SrcDataSource>{u}/a.geojson</SrcDataSource></OGRVRTLayer>"
    "</OGRVRTDataSource>",
    "wfs.xml": "<OGRWFSDataSource><URL>{u}/wfs</URL></OGRWFSDataSource>",
    "cap.xml": '<wfs:WFS_Capabilities xmlns:wfs="http://www.opengis.net/wfs"><x href="{u}"/></wfs:WFS_Capabilities>',
    "csw.xml": '<csw:Capabilities xmlns:csw="http://www.opengis.net/cat/csw/2.0.2"><x href="{u}"/></csw:Capabilities>',
    "wms.xml": "<GDAL_WMS><Service><ServerUrl>{u}</ServerUrl></Service></GDAL_WMS>",
    "x.gdalg.json": '{{"type":"gdal_streamed_alg","command_line":"gdal vector pipeline ! read {u}/a.geojson"}}',
}


@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_description_of_data_elsewhere_is_refused_and_nobody_is_asked(
    tmp_path: Path, server: tuple[str, list[bytes]], name: str, encoding: str
) -> None:
    url, asked = server
    (tmp_path / name).write_text(ELSEWHERE[name].format(u=url), encoding=encoding)
    with pytest.raises(FormatError, match=r"says where they lie .* never followed") as caught:
        read_vector(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert asked == []


def test_links_in_files_with_data_of_their_own_are_not_followed(tmp_path: Path, server: tuple[str, list[bytes]]) -> None:
    url, asked = server
    link = f"<NetworkLink><Link><href>{url}/more.kml</href></Link></NetworkLink>"
    (tmp_path / "a.kml").write_text(KML % (link + f"<styleUrl>{url}/s.kml#a</styleUrl>" + PLACE % ("a", "102,35,1800")))
    assert len(read_vector(tmp_path / "a.kml")) == 1
    gml = (
        '<ogr:FeatureCollection xmlns:ogr="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'xsi:schemaLocation="http://ogr.maptools.org/ {url}/a.xsd"><gml:featureMember><ogr:a gml:id="a1"><ogr:geom><gml:Point '
        f'srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>35 102</gml:pos></gml:Point></ogr:geom><ogr:r xlink:href="{url}/r"/>'
        "</ogr:a></gml:featureMember></ogr:FeatureCollection>"
    )
    (tmp_path / "a.gml").write_text(gml)
    read = read_vector(tmp_path / "a.gml")
    assert (read.geometry.x[0], read.geometry.y[0]) == (102, 35)
    (tmp_path / "b.geojson").write_text(
        '{{"type":"FeatureCollection","features":[{}],"links":[{{"rel":"next","href":"{}"}}]}}'.format(POINT % (1, "102,35"), url)
    )
    assert len(read_vector(tmp_path / "b.geojson")) == 1
    assert asked == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.gml", "a.kml", "b.geojson"]


def test_entities_and_foreign_xml_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.kml").write_text(
        '<?xml version="1.0"?><!DOCTYPE k [<!ENTITY a SYSTEM "file:///etc/hostname">]>' + KML[38:] % (PLACE % ("&a;", "1,2"))
    )
    with pytest.raises(FormatError, match="declares a DOCTYPE"):
        read_vector(tmp_path / "a.kml")
    (tmp_path / "b.kml").write_text(
        KML % ("<description><![CDATA[<!DOCTYPE html><html></html>]]></description>" + PLACE % ("a", "1,2"))
    )
    assert len(read_vector(tmp_path / "b.kml")) == 1
    (tmp_path / "c.xml").write_text("<project><name>x</name></project>")
    with pytest.raises(FormatError, match="its root is <project>"):
        read_vector(tmp_path / "c.xml")


@pytest.mark.parametrize("kind", ["closed", "wal", "trigger and view"])
def test_a_geopackage_is_left_as_it_was(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, "v.gpkg", "GPKG")
    open_elsewhere = sqlite3.connect(path)
    if kind == "wal":  # as QGIS leaves a layer that it edits: the last changes lie beside the file
        for (name,) in open_elsewhere.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            open_elsewhere.execute(f'DROP TRIGGER "{name}"')
        open_elsewhere.execute("PRAGMA journal_mode = wal")
        open_elsewhere.execute("DELETE FROM v WHERE n >= 290")
        open_elsewhere.commit()
    elif kind == "trigger and view":
        open_elsewhere.execute("CREATE TABLE log(n INTEGER)")
        open_elsewhere.execute("CREATE TRIGGER t AFTER UPDATE ON v BEGIN INSERT INTO log VALUES (1); END")
        open_elsewhere.execute("CREATE VIEW w AS SELECT fid AS OGC_FID, geom, load_extension('evil') AS e FROM v")
        open_elsewhere.commit()
        open_elsewhere.close()
    before = prints(tmp_path)
    assert len(read_vector(path, layer="v")) == (290 if kind == "wal" else 300)
    assert prints(tmp_path) == before
    open_elsewhere.close()


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="needs a user whose folders can be read-only")
def test_a_read_only_folder_is_enough(tmp_path: Path) -> None:
    path = written(tmp_path, "v.gpkg", "GPKG")
    tmp_path.chmod(0o500)
    try:
        assert len(read_vector(path)) == 300
    finally:
        tmp_path.chmod(0o700)


def test_a_gml_leaves_no_schema_behind(tmp_path: Path) -> None:
    path = written(tmp_path, "v.gml", "GML")
    path.with_suffix(".xsd").unlink()
    assert len(read_vector(path)) == 300
    assert [p.name for p in tmp_path.iterdir()] == ["v.gml"]


def test_a_shapefile_without_index_or_table_is_read_and_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "v.shp", "ESRI Shapefile")
    path.with_suffix(".shx").unlink()
    before = prints(tmp_path)
    read = read_vector(path)
    assert read["n"].tolist() == list(range(300))
    assert prints(tmp_path) == before
    path.with_suffix(".dbf").unlink()
    with pytest.warns(HazardGeoWarning, match=r"has no .dbf beside it, so its shapes have no names"):
        read = read_vector(path)
    assert (len(read), read.columns.tolist()) == (300, ["geometry"])
    (tmp_path / "v.dbf").write_bytes(b"x")
    with pytest.raises(InputError, match="part of a Shapefile without shapes"):
        read_vector(tmp_path / "v.dbf")


def test_a_shapefile_in_capitals_with_metadata_beside_it_is_read(tmp_path: Path) -> None:
    written(tmp_path, "v.shp", "ESRI Shapefile")
    for part in list(tmp_path.iterdir()):
        part.rename(part.with_name(f"V{part.suffix.upper()}"))
    (tmp_path / "V.SHP.XML").write_text("<metadata/>")
    assert len(read_vector(tmp_path / "V.SHP")) == 300


def test_rows_marked_as_deleted_are_no_cut(tmp_path: Path) -> None:
    path = written(tmp_path, "v.shp", "ESRI Shapefile")
    table = bytearray(path.with_suffix(".dbf").read_bytes())
    header, row = int.from_bytes(table[8:10], "little"), int.from_bytes(table[10:12], "little")
    table[header] = table[header + 7 * row] = ord("*")
    path.with_suffix(".dbf").write_bytes(table)
    assert read_vector(path)["n"].tolist() == [n for n in range(300) if n not in (0, 7)]
    table[4:8] = (299).to_bytes(4, "little")
    path.with_suffix(".dbf").write_bytes(table)
    with pytest.raises(FormatError, match=r"has 300 shapes, but its .dbf has 299 rows"):
        read_vector(path)


CUTS = {
    "v.fgb": "FlatGeobuf", "v.gpkg": "GPKG", "v.shp": "ESRI Shapefile", "v.geojson": "GeoJSON", "v.geojsonl": "GeoJSONSeq",
    "v.kml": "LIBKML", "v.gpx": "GPX", "v.gml": "GML", "v.mif": "MapInfo File", "v.dxf": "DXF", "v.sqlite": "SQLite",
    "v.parquet": "", "v.kmz": "", "v.zip": "",
}  # fmt: skip


@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9, 0.99])
def test_a_cut_file_never_passes_for_a_whole_one(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    if name == "v.parquet":
        places().to_parquet(path)
    elif name in ("v.kmz", "v.zip"):
        inner = written(tmp_path, "doc.kml" if name == "v.kmz" else "v.fgb", "LIBKML" if name == "v.kmz" else "FlatGeobuf")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            out.write(inner, inner.name)
        inner.unlink()
    else:
        features = places()[["geometry"]] if name in ("v.gpx", "v.dxf") else places()
        try:
            written(tmp_path, name, CUTS[name], features)
        except pyogrio.errors.DataSourceError:
            pytest.skip(f"GDAL does not write {CUTS[name]} here")
    stated = 4326 if name == "v.dxf" else None
    options = {"layer": "waypoints"} if name == "v.gpx" else {}
    assert len(read_vector(path, source_crs=stated, **options)) == 300  # type: ignore[arg-type]
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(HazardGeoError) as caught:
        read_vector(path, source_crs=stated, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_sequence_with_one_damaged_line_is_refused(tmp_path: Path) -> None:
    lines = [POINT % (i, f"{102 + i / 10},35") for i in range(5)]
    path = tmp_path / "v.geojsonl"
    path.write_text("\n".join(lines) + "\n")
    assert read_vector(path)["n"].tolist() == [0, 1, 2, 3, 4]
    lines[2] = lines[2][:40]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(FormatError, match="lists 5 features, but 4 can be read"):
        read_vector(path)


@pytest.mark.parametrize("said", ['"exceededTransferLimit": true', '"numberMatched": 900, "numberReturned": 1'])
def test_one_page_of_a_service_is_not_all_of_it(tmp_path: Path, said: str) -> None:
    path = tmp_path / "v.geojson"
    path.write_text('{{"type":"FeatureCollection",{},"features":[{}]}}'.format(said, POINT % (1, "102,35")))
    with pytest.raises(FormatError, match="only a part of what its service has"):
        read_vector(path)


def test_points_of_a_drawing_need_a_crs_and_a_track_needs_none(tmp_path: Path) -> None:
    path = written(tmp_path, "v.dxf", "DXF", places()[["geometry"]])
    with pytest.raises(CrsError, match="state it with source_crs="):
        read_vector(path)
    (tmp_path / "v.gpx").write_text(
        '<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg><trkpt lat="35" lon="102"/>'
        '<trkpt lat="36" lon="102"/></trkseg></trk></gpx>'
    )
    assert read_vector(tmp_path / "v.gpx").geom_type.tolist() == ["MultiLineString"]


def test_an_exclamation_mark_in_a_path_is_part_of_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "紧急!2023 #1"
    folder.mkdir()
    for name, driver in (("v!.gpkg", "GPKG"), ("v.shp", "ESRI Shapefile"), ("v!.gdb", "OpenFileGDB")):
        path = written(tmp_path, "w" + Path(name).suffix, driver)
        if name == "v.shp":
            for part in tmp_path.glob("w.*"):
                if part.suffix in (".shp", ".shx", ".dbf", ".prj", ".cpg"):
                    shutil.move(part, folder / f"v{part.suffix}")
        else:
            shutil.move(path, folder / name)
        assert len(read_vector(folder / name)) == 300


def test_curves_become_lines(tmp_path: Path) -> None:
    path = tmp_path / "v.gml"
    arc = (
        '<gml:Curve srsName="EPSG:4326"><gml:segments><gml:Arc><gml:posList>0 0 1 1 2 0</gml:posList></gml:Arc></gml:segments>'
        "</gml:Curve>"
    )
    path.write_text(
        '<g:FeatureCollection xmlns:g="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml"><gml:featureMember>'
        f'<g:a fid="a.1"><g:geom>{arc}</g:geom></g:a></gml:featureMember></g:FeatureCollection>'
    )
    read = read_vector(path)
    assert read.geom_type.tolist() == ["LineString"]
    assert read.geometry[0].length == pytest.approx(np.pi, rel=1e-3)  # half of a unit circle


def test_plain_parquet_gives_places_by_its_columns(tmp_path: Path) -> None:
    table = places(4)
    plain = table.drop(columns="geometry").assign(lon=table.geometry.x, lat=table.geometry.y)
    plain.to_parquet(tmp_path / "v.parquet")
    np.testing.assert_allclose(read_vector(tmp_path / "v.parquet").geometry.x, table.geometry.x)
    wkb = table.drop(columns="geometry").assign(geometry=table.geometry.to_wkb())
    wkb.to_parquet(tmp_path / "w.parquet")
    with pytest.raises(CrsError, match="source_crs="):
        read_vector(tmp_path / "w.parquet")
    assert len(read_vector(tmp_path / "w.parquet", source_crs=4326)) == 4


def test_north_may_come_first_in_any_file(tmp_path: Path) -> None:
    turned = gpd.GeoDataFrame({"n": [1]}, geometry=[Point(3_950_000, 500_000)], crs=32648)
    path = written(tmp_path, "v.gpkg", "GPKG", turned)
    read = read_vector(path, axes="north-east")
    assert (read.geometry.x[0], read.geometry.y[0]) == (500_000, 3_950_000)


def test_map_service_coordinates_in_a_layer_are_converted_where_stated(tmp_path: Path) -> None:
    there = gpd.GeoDataFrame({"n": [1]}, geometry=[Point(116.41024449916938, 39.91640428150164)], crs=4326)
    path = written(tmp_path, "v.gpkg", "GPKG", there)
    with pytest.warns(HazardGeoWarning, match="converted from GCJ-02"):
        read = read_vector(path, source_crs="GCJ-02")
    assert (read.geometry.x[0], read.geometry.y[0]) == pytest.approx((116.404, 39.915), abs=1e-6)


@pytest.mark.parametrize("name", ["v.gpkg", "v.geojson", "v.parquet"])
def test_zero_zero_in_degrees_is_no_place_in_any_file(tmp_path: Path, name: str) -> None:
    features = gpd.GeoDataFrame({"n": [1, 2]}, geometry=[Point(102, 35), Point(0, 0)], crs=4326)
    if name == "v.parquet":
        features.to_parquet(tmp_path / name)
    else:
        written(tmp_path, name, CUTS[name], features)
    with pytest.warns(HazardGeoWarning, match="1 of 2 features have no usable geometry"):
        read = read_vector(tmp_path / name)
    assert (read["n"].tolist(), read.attrs["features_left_out"]) == ([1], 1)


def test_a_multipoint_of_one_point_is_a_point(tmp_path: Path) -> None:
    shapes = [MultiPoint([(102, 35)]), MultiPoint([(102, 35), (103, 36)]), MultiPoint([(0, 0)])]
    path = written(tmp_path, "v.gpkg", "GPKG", gpd.GeoDataFrame({"n": [1, 2, 3]}, geometry=shapes, crs=4326))
    with pytest.warns(HazardGeoWarning, match="1 of 3 features have no usable geometry"):
        assert read_vector(path).geom_type.tolist() == ["Point", "MultiPoint"]


@pytest.mark.parametrize(
    ("stored", "stated", "language"), [("UTF-8", "GBK", 0), ("UTF-8", "", 0x4D), ("GBK", "UTF-8", 0), ("UTF-8", "ISO-8859-1", 0)]
)
def test_the_bytes_of_a_table_overrule_a_wrong_encoding(tmp_path: Path, stored: str, stated: str, language: int) -> None:
    names = ["大河家镇中心小学", "石塬镇卫生院"]
    features = gpd.GeoDataFrame({"名称": names}, geometry=[Point(102, 35), Point(103, 36)], crs=4326)
    pyogrio.write_dataframe(features, tmp_path / "v.shp", encoding=stored)
    table = bytearray((tmp_path / "v.dbf").read_bytes())
    table[29] = language
    (tmp_path / "v.dbf").write_bytes(table)
    (tmp_path / "v.cpg").unlink(missing_ok=True)
    if stated:
        (tmp_path / "v.cpg").write_text(stated)
    with pytest.warns(HazardGeoWarning, match=r"said to be in .*, but their bytes are (utf-8|gb18030), which is taken"):
        assert read_vector(tmp_path / "v.shp")["名称"].tolist() == names


def test_a_right_statement_of_the_encoding_is_kept(tmp_path: Path) -> None:
    features = gpd.GeoDataFrame({"n": ["学校"]}, geometry=[Point(102, 35)], crs=4326)  # in GBK also valid as UTF-8
    pyogrio.write_dataframe(features, tmp_path / "v.shp", encoding="GBK")
    (tmp_path / "v.cpg").write_text("GBK")
    assert read_vector(tmp_path / "v.shp")["n"].tolist() == ["学校"]


def test_a_map_service_is_named_where_a_file_contradicts_it(tmp_path: Path) -> None:
    path = written(tmp_path, "v.gpkg", "GPKG", places(3).to_crs(32648))
    with pytest.raises(CrsError, match="says that it is in EPSG:32648, but source_crs= says GCJ-02"):
        read_vector(path, source_crs="GCJ-02")
    abroad = gpd.GeoDataFrame({"n": [1]}, geometry=[Point(37, 36)], crs=4326)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = read_vector(written(tmp_path, "w.gpkg", "GPKG", abroad), source_crs="GCJ-02")
    assert read.geometry.tolist() == [Point(37, 36)]
