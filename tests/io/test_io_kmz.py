"""KML with folders, KMZ, and data sets in ZIP files."""

import zipfile
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
from shapely.geometry import Point

from hazardgeo.errors import FormatError, HazardGeoWarning, InputError
from hazardgeo.io import read_vector

KML = '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>%s</Document></kml>'
FOLDER = "<Folder><name>%s</name>%s</Folder>"
PLACE = (
    "<Placemark><name>%s</name><description><![CDATA[<table><tr><td>容量</td><td>300</td></tr></table>]]></description>"
    "<Point><coordinates>%s</coordinates></Point></Placemark>"
)
LINE = "<Placemark><name>r</name><LineString><coordinates>102,35 102.1,35</coordinates></LineString></Placemark>"
OVERLAY = (
    "<GroundOverlay><name>g</name><Icon><href>i.png</href></Icon><LatLonBox><north>36</north><south>35</south><east>103</east>"
    "<west>102</west></LatLonBox></GroundOverlay>"
)
NESTED = KML % (
    PLACE % ("loose", "102.2,35")
    + FOLDER % ("避难场所", FOLDER % ("inner", PLACE % ("a", "102,35,1800")) + PLACE % ("b", "102.1,35"))
    + FOLDER % ("roads", LINE)
)


def packed(path: Path, files: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return path


def shapefile(folder: Path, stem: str) -> dict[str, bytes]:
    sites = gpd.GeoDataFrame({"名称": ["学校"]}, geometry=[Point(102, 35)], crs=4326)
    pyogrio.write_dataframe(sites, folder / f"{stem}.shp", encoding="GB18030")
    parts = {p.name: p.read_bytes() for p in folder.glob(f"{stem}.*") if p.suffix != ".cpg"}
    for p in folder.glob(f"{stem}.*"):
        p.unlink()
    return parts


def test_all_folders_of_a_kml_are_read_and_named(tmp_path: Path) -> None:
    (tmp_path / "a.kml").write_text(NESTED, encoding="utf-8")
    read = read_vector(tmp_path / "a.kml")
    assert dict(zip(read["Name"], read["folder"].str.replace("Document", ""), strict=True)) | {"loose": ""} == {
        "loose": "", "a": "inner", "b": "避难场所", "r": "roads",
    }  # fmt: skip
    assert not read.has_z.any()
    assert read["description"].dropna().str.contains("<td>300</td>").all()
    assert read_vector(tmp_path / "a.kml", layer="roads").geom_type.tolist() == ["LineString"]
    assert len(read_vector(tmp_path / "a.kml", where="OGR_GEOMETRY = 'POINT'")) == 3
    with pytest.raises(InputError, match="has no layer 'x'"):
        read_vector(tmp_path / "a.kml", layer="x")


def test_images_laid_over_the_ground_are_no_features(tmp_path: Path) -> None:
    (tmp_path / "a.kml").write_text(KML % (OVERLAY + PLACE % ("a", "102,35")), encoding="utf-8")
    with pytest.warns(HazardGeoWarning, match="1 images laid over the ground are no features"):
        assert read_vector(tmp_path / "a.kml")["Name"].tolist() == ["a"]


def test_a_kmz_is_read_with_all_its_kml_files(tmp_path: Path) -> None:
    path = packed(tmp_path / "one.kmz", {"doc.kml": NESTED, "files/i.png": b"x"})
    assert len(read_vector(path)) == 4
    assert len(read_vector(path, layer="inner")) == 1
    other = KML % FOLDER % ("more", PLACE % ("c", "103,35"))
    path = packed(tmp_path / "two.kmz", {"files/more.kml": other, "doc.kml": NESTED})
    read = read_vector(path)
    assert len(read) == 5
    assert read["folder"].tolist()[-1] == "files/more.kml: more"
    assert read_vector(path, layer="more.kml")["Name"].tolist() == ["c"]
    with pytest.raises(InputError, match="holds no KML"):
        read_vector(packed(tmp_path / "none.kmz", {"i.png": b"x"}))


def test_a_packed_shapefile_is_read(tmp_path: Path) -> None:
    parts = shapefile(tmp_path, "sites")
    path = packed(tmp_path / "v.zip", {f"数据/{name}": data for name, data in parts.items()} | {"__MACOSX/._sites.shp": b"x"})
    assert read_vector(path)["名称"].tolist() == ["学校"]


def test_several_data_sets_in_a_zip_wait_for_a_choice(tmp_path: Path) -> None:
    feature = '{"type":"Feature","properties":{"k":"z"},"geometry":{"type":"Point","coordinates":[102,35]}}'
    point = f'{{"type":"FeatureCollection","features":[{feature}]}}'
    path = packed(tmp_path / "v.zip", {**shapefile(tmp_path, "sites"), "sub/zones.geojson": point, "t.csv": "lon,lat\n102,35\n"})
    with pytest.raises(InputError, match=r"several data sets; choose one with layer=: sites.shp, sub/zones.geojson, t.csv"):
        read_vector(path)
    for layer in ("sub/zones.geojson", "zones.geojson", "zones"):
        assert read_vector(path, layer=layer)["k"].tolist() == ["z"]
    assert len(read_vector(path, layer="t.csv")) == 1
    with pytest.raises(InputError, match=r"only .txt"):
        read_vector(packed(tmp_path / "w.zip", {"readme.txt": "x"}))


def test_a_layer_of_a_packed_geopackage_and_a_packed_geodatabase_are_reached(tmp_path: Path) -> None:
    sites = gpd.GeoDataFrame({"k": ["z"]}, geometry=[Point(102, 35)], crs=4326)
    for layer in ("a", "b"):
        pyogrio.write_dataframe(sites, tmp_path / "v.gpkg", layer=layer, driver="GPKG", append=layer == "b")
    pyogrio.write_dataframe(sites, tmp_path / "w.gdb", driver="OpenFileGDB")
    path = packed(tmp_path / "v.zip", {"v.gpkg": (tmp_path / "v.gpkg").read_bytes()})
    with pytest.raises(InputError, match=r"v\.zip.v\.gpkg has several layers; choose one with layer=: a, b"):
        read_vector(path)
    assert len(read_vector(path, layer="b")) == 1
    inside = {f"w.gdb/{p.name}": p.read_bytes() for p in (tmp_path / "w.gdb").iterdir()}
    assert len(read_vector(packed(tmp_path / "w.gdb.zip", inside))) == 1
    both = packed(tmp_path / "u.zip", {"v.gpkg": (tmp_path / "v.gpkg").read_bytes(), **inside})
    assert len(read_vector(both, layer="v.gpkg/b")) == 1


def test_a_zip_never_writes_outside_its_folder(tmp_path: Path) -> None:
    point = "lon,lat\n102,35\n"
    outside = tmp_path / "evil.csv"
    path = packed(tmp_path / "v.zip", {"../../../../../../.." + str(outside): point})
    assert len(read_vector(path)) == 1
    path = packed(tmp_path / "w.zip", {str(outside): point})
    assert len(read_vector(path)) == 1
    assert not outside.exists()


def test_a_zip_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out, out.open("a.geojson", "w") as part:
        for _ in range(300):
            part.write(bytes(1_000_000))
    with pytest.raises(FormatError, match=r"would unpack to 0.3 GB .*more than is reasonable"):
        read_vector(path)


def test_a_zip_that_lies_about_its_size_or_its_content_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "v.zip", {"t.csv": "lon,lat\n" + "102,35\n" * 1000})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = (5).to_bytes(4, "little")  # the size in the list of files
    path.write_bytes(data)
    with pytest.raises(FormatError, match="damaged or cut ZIP"):
        read_vector(path)


def test_a_protected_zip_is_named(tmp_path: Path) -> None:
    path = packed(tmp_path / "v.zip", {"t.csv": "lon,lat\n102,35\n"})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="protected by a password"):
        read_vector(path)


def test_names_packed_on_chinese_systems_are_read(tmp_path: Path) -> None:
    path = packed(tmp_path / "v.zip", {"abcdefgh.csv": "lon,lat\n102,35\n"})
    raw = path.read_bytes().replace(b"abcdefgh", "避难场所".encode("gb18030"))
    path.write_bytes(raw)
    assert len(read_vector(path, layer="避难场所.csv")) == 1
