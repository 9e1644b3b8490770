"""Files that ask their reader to expand, to fetch or to disclose something: refused, or read without doing so."""

import importlib.util
import socket
import struct
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.io import read_cloud, read_raster, read_shakemap, read_vector

FUZZ = Path(__file__).parents[1] / "fuzz" / "doors.py"
SECRET = "4711-secret-of-another-file"
LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "lol"}">' for i in range(10))
BOMBS = {
    "entities in entities": (f"<!DOCTYPE r [{LAUGHS}]>", "&l9;"),
    "one long entity many times": (f'<!DOCTYPE r [<!ENTITY l9 "{"x" * 100_000}">]>', "&l9;" * 20_000),
}
KML = (
    '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{inner}<Placemark><name>{text}</name><Point>'
    "<coordinates>105,35</coordinates></Point></Placemark></Document></kml>"
)
GML = (
    '<c xmlns:gml="http://www.opengis.net/gml" xmlns:o="http://ogr.maptools.org/"><gml:featureMember>'
    '{inner}<o:site fid="a"><o:name>{text}</o:name><o:geometryProperty><gml:Point srsName="EPSG:4326">'
    "<gml:coordinates>105,35</gml:coordinates></gml:Point></o:geometryProperty></o:site>"
    "</gml:featureMember></c>"
)
GPX = (
    '<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><wpt lat="35" lon="105">{inner}<name>{text}</name></wpt></gpx>'
)
VRT = (
    '<VRTDataset rasterXSize="2" rasterYSize="2"><SRS>EPSG:32648</SRS><GeoTransform>'
    '5e5,10,0,4e6,0,-10</GeoTransform>{inner}<Metadata><MDI key="a">{text}</MDI></Metadata>'
    '<VRTRasterBand dataType="Float32" band="1"/></VRTDataset>'
)
OGR_VRT = '<OGRVRTDataSource><OGRVRTLayer name="a">{inner}<SrcDataSource>{text}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
SHAKEMAP = '<shakemap_grid event_id="x">{inner}<grid_data>{text}</grid_data></shakemap_grid>'
PRODUCT = '<ModelMetadata version="1">{inner}<SRS>{text}</SRS><SRSOrigin>0,0,0</SRSOrigin></ModelMetadata>'
FORMS = {
    "roads.kml": KML, "roads.gml": GML, "track.gpx": GPX, "mosaic.vrt": VRT, "layers.vrt": OGR_VRT, "grid.xml": SHAKEMAP,
    "metadata.xml": PRODUCT,
}  # fmt: skip
EXCEL = {
    "[Content_Types].xml": (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Type='
        '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.open'
    'xmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
        'Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
        'Target="worksheets/sheet1.xml"/>'
        "</Relationships>"
    ),
}  # fmt: skip
SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{inner}<row r="1"><c r="A1" t='
    '"inlineStr"><is><t>longitude</t></is></c><c r="B1" t="inlineStr"><is><t>latitude</t></is></c><c r="C1" t="inlineStr"><is><t>'
    'name</t></is></c></row><row r="2"><c r="A2"><v>105</v></c><c r="B2"><v>35</v></c><c r="C2" t="inlineStr"><is><t>{text}</t>'
    "</is></c></row></sheetData></worksheet>"
)


def xml(form: str, *, doctype: str = "", inner: str = "", text: str = "a") -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>{doctype}{form.format(inner=inner, text=text)}'


def write(folder: Path, name: str, **parts: str) -> Path:
    """The hostile file of this name: plain, or in the archive that its suffix says."""
    path = folder / name
    if name.endswith(".kmz"):
        zipped(path, {"doc.kml": xml(KML, **parts)})
    elif name.endswith(".xlsx"):
        zipped(path, {**EXCEL, "xl/worksheets/sheet1.xml": xml(SHEET, **parts)})
    else:
        path.write_text(xml(FORMS[name], **parts), "utf-8")
    return path


def zipped(path: Path, members: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


NAMES = [*FORMS, "roads.kmz", "sites.xlsx"]


def _doors() -> ModuleType:
    """The fuzzer beside these tests, which is a script and not a package."""
    spec = importlib.util.spec_from_file_location("fuzz_doors", FUZZ)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_doors"] = module
    spec.loader.exec_module(module)
    return module


doors = _doors()


@pytest.fixture(scope="module")
def child() -> Iterator[Any]:
    """Reads files in another process with limits on memory and time; says "read" or "refused", or what else happened."""
    reader = doors.Reader()
    yield reader
    reader.stop()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bomb", BOMBS)
def test_entities_are_not_expanded(tmp_path: Path, child: Any, name: str, bomb: str) -> None:
    doctype, text = BOMBS[bomb]
    assert child.ask(write(tmp_path, name, doctype=doctype, text=text)) == ("refused", "")


@pytest.mark.parametrize("name", NAMES)
def test_xml_that_is_a_million_elements_deep_is_refused_or_read(tmp_path: Path, child: Any, name: str) -> None:
    path = write(tmp_path, name, inner="<a>" * 1_000_000 + "</a>" * 1_000_000)
    assert child.ask(path) in [("refused", ""), ("read", "")]


class Listener:
    """A server that counts who calls."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.0)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/x"

    def calls(self) -> int:
        n = 0
        try:
            while True:
                self._socket.accept()[0].close()
                n += 1
        except BlockingIOError:
            return n

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    yield server
    server.close()


def said(path: Path) -> str:
    """All that a door says of the file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            match path.name:
                case "grid.xml":
                    found = str(read_shakemap(path))
                case "metadata.xml":
                    from hazardgeo.io import products

                    found = str(products.statement(path))
                case "mosaic.vrt" | "wms.tif" | "wms.xml" | "surface.vrt":
                    raster = read_raster(path)
                    found = f"{raster} {raster.values.tolist()} {raster.tags}"
                case "cloud.e57":
                    found = str(read_cloud(path, crs=32648).attributes)
                case _:
                    found = read_vector(path, source_crs=4326).to_json()
        except HazardGeoError as error:
            found = str(error)
    return found + " ".join(str(w.message) for w in caught)


TRICKS = {
    "an entity that is a file": ('<!DOCTYPE r [<!ENTITY l9 SYSTEM "file://{secret}">]>', "", "&l9;"),
    "an entity that is a page": ('<!DOCTYPE r [<!ENTITY l9 SYSTEM "{url}">]>', "", "&l9;"),
    "an entity of the document type that is a page": ('<!DOCTYPE r [<!ENTITY % p SYSTEM "{url}"> %p;]>', "", "a"),
    "a document type that is a page": ('<!DOCTYPE r SYSTEM "{url}">', "", "a"),
    "a document type that is a file": ('<!DOCTYPE r SYSTEM "file://{secret}">', "", "a"),
    "an inclusion of a file": (
        "",
        '<i:include xmlns:i="http://www.w3.org/2001/XInclude" parse="text" href="file://{secret}"/>',
        "a",
    ),
    "an inclusion of a page": ("", '<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{url}"/>', "a"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("trick", TRICKS)
def test_nothing_is_fetched_and_no_other_file_is_disclosed(tmp_path: Path, listener: Listener, name: str, trick: str) -> None:
    (secret := tmp_path / "secret.txt").write_text(SECRET)
    doctype, inner, text = (part.replace("{secret}", str(secret)).replace("{url}", listener.url) for part in TRICKS[trick])
    answer = said(write(tmp_path, name, doctype=doctype, inner=inner, text=text))
    assert SECRET not in answer
    assert listener.calls() == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_document_type_is_refused(tmp_path: Path, name: str) -> None:
    assert "DOCTYPE" in said(write(tmp_path, name, doctype='<!DOCTYPE r [<!ENTITY l9 "a">]>', text="&l9;"))


SCHEMA = '<kml xmlns="http://www.opengis.net/kml/2.2"><NetworkLink><Link><href>{url}</href></Link></NetworkLink></kml>'
FETCHING = {
    "links.kml": SCHEMA,
    "wms.tif": '<GDAL_WMS><Service name="WMS"><ServerUrl>{url}</ServerUrl><Layers>a</Layers></Service><DataWindow><UpperLeftX>0'
    "</UpperLeftX><UpperLeftY>2</UpperLeftY><LowerRightX>2</LowerRightX><LowerRightY>0</LowerRightY>"
    "<SizeX>2</SizeX><SizeY>2</SizeY>"
    "</DataWindow><Projection>EPSG:32648</Projection><BandsCount>1</BandsCount></GDAL_WMS>",
    "wms.xml": "<WMS_Tile_Service><GetTileServiceURL>{url}</GetTileServiceURL></WMS_Tile_Service>",
    "surface.vrt": (
        '<VRTDataset rasterXSize="2" rasterYSize="2"><SRS>EPSG:32648</SRS><GeoTransform>'
        '5e5,10,0,4e6,0,-10</GeoTransform>'
        '<VRTRasterBand dataType="Float32" band="1"><SimpleSource><SourceFilename>/vsicurl/{url}.tif</SourceFilename>'
        "<SourceBand>1"
        "</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    ),
    "layers.vrt": '<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>/vsicurl/{url}.geojson</SrcDataSource></OGRVRTLayer>'
    "</OGRVRTDataSource>",
    "service.gml": '<OGRWFSDataSource><URL>{url}</URL></OGRWFSDataSource>',
    "service.xml": '<OGRWFSDataSource><URL>{url}</URL></OGRWFSDataSource>',
    "schema.gml": (
        '<c xmlns:gml="http://www.opengis.net/gml" xmlns:o="http://o/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="http://o/ {url}"><gml:featureMember><o:site><o:name>a</o:name></o:site></gml:featureMember></c>'
    ),
    "linked.geojson": (
        '{"type": "FeatureCollection", "crs": {"type": "link", "properties": {"href": "{url}", "type": '
        '"proj4"}}, "features":'
        ' [{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [105, 35]}}]}'
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FETCHING)
def test_a_file_that_names_a_page_as_its_data_does_not_make_a_door_call_it(tmp_path: Path, listener: Listener, name: str) -> None:
    (path := tmp_path / name).write_text(FETCHING[name].replace("{url}", listener.url))
    said(path)
    assert listener.calls() == 0


def test_a_virtual_raster_or_layer_does_not_disclose_a_file_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text(f"longitude,latitude,name\n105,35,{SECRET}\n")
    (tmp_path / "inside").mkdir()
    for place in (str(tmp_path / "secret.csv"), "../secret.csv", f"/vsizip/../{tmp_path}/secret.csv"):
        path = tmp_path / "inside" / "layers.vrt"
        path.write_text(
            f'<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource relativeToVRT="1">'
            f"{place}</SrcDataSource><GeometryType>wkbPoint"
            '</GeometryType><GeometryField encoding="PointFromColumns" x="longitude" y="latitude"/></OGRVRTLayer>'
            "</OGRVRTDataSource>"
        )
        assert SECRET not in said(path)


def bomb(path: Path, members: dict[str, str], swollen: str, *, stated_bytes: int | None) -> None:
    """A ZIP with these members, in which `swollen` holds 3 GB of spaces where its text says {spaces}; its size is stated."""
    before, after = (part.encode() for part in members[swollen].split("{spaces}"))
    block, blocks = b" " * 2**20, 3 * 2**10
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(before) + packer.flush(zlib.Z_FULL_FLUSH)
    one = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    data = first + one * blocks + packer.compress(after) + packer.flush()
    plain = {name: (content.encode(), len(content.encode()), 0) for name, content in members.items() if name != swollen}
    size = len(before) + len(after) + len(block) * blocks if stated_bytes is None else stated_bytes
    body, index = b"", b""
    for name, (content, stated, method) in {**plain, swollen: (data, size, 8)}.items():
        crc = zlib.crc32(content) if method == 0 else 0
        common = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 33, crc, len(content), stated, len(name), 0)
        index += b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\3\4" + common + name.encode() + content
    end = struct.pack("<HHHHIIH", 0, 0, len(plain) + 1, len(plain) + 1, len(index), len(body), 0)
    path.write_bytes(body + index + b"PK\5\6" + end)


@pytest.mark.parametrize("stated_bytes", [None, 5000])
def test_archives_that_unpack_to_gigabytes_are_refused(tmp_path: Path, child: Any, stated_bytes: int | None) -> None:
    sheet = xml(SHEET, inner="{spaces}")
    archives = {
        "roads.kmz": ({"doc.kml": xml(KML, inner="{spaces}")}, "doc.kml"),
        "sites.xlsx": ({**EXCEL, "xl/worksheets/sheet1.xml": sheet}, "xl/worksheets/sheet1.xml"),
        "packed.zip": ({"roads.geojson": '{"type": "FeatureCollection", {spaces}"features": []}'}, "roads.geojson"),
        "grid.xml": ({"grid.xml": xml(SHAKEMAP, inner="{spaces}")}, "grid.xml"),
    }
    for name, (members, swollen) in archives.items():
        bomb(tmp_path / name, members, swollen, stated_bytes=stated_bytes)
        assert (name, *child.ask(tmp_path / name)) == (name, "refused", "")


def test_the_workbook_of_these_tests_is_read_where_it_is_harmless(tmp_path: Path) -> None:
    assert read_vector(write(tmp_path, "sites.xlsx", text="hall"))["name"].tolist() == ["hall"]
    assert read_vector(write(tmp_path, "roads.kmz", text="hall")).iloc[0].geometry.x == 105


def e57_with_xml(path: Path, doctype: str, text: str) -> None:
    """A whole E57 file, each page with its checksum, whose XML part has this document type and this text."""
    inner = (
        f'<?xml version="1.0" encoding="UTF-8"?>'
        f'{doctype}<e57Root type="Structure" xmlns="http://www.astm.org/COMMIT/E57/2010-e57-v1.0">'
    )
    inner += (
        f'<formatName type="String">{text}</formatName><guid type="String">a</guid><versionMajor type="Integer">1</versionMajor>'
    )
    inner += '<versionMinor type="Integer"/><data3D type="Vector" allowHeterogeneousChildren="1"/></e57Root>'
    content = inner.encode()
    whole = 48 + len(content)
    pages = -(-whole // 1020)
    head = struct.pack("<8sIIQQQQ", b"ASTM-E57", 1, 0, pages * 1024, 48, len(content), 1024)
    logical = (head + content).ljust(pages * 1020, b"\0")
    path.write_bytes(doors.with_checksums(b"".join(logical[i : i + 1020] + bytes(4) for i in range(0, len(logical), 1020))))


@pytest.mark.parametrize("trick", [*BOMBS, *(t for t in TRICKS if "inclusion" not in t)])
def test_the_xml_of_an_e57_file_expands_and_fetches_nothing(tmp_path: Path, child: Any, listener: Listener, trick: str) -> None:
    pytest.importorskip("pye57")
    (secret := tmp_path / "secret.txt").write_text(SECRET)
    doctype, text = BOMBS[trick] if trick in BOMBS else TRICKS[trick][::2]
    doctype = doctype.replace("{secret}", str(secret)).replace("{url}", listener.url)
    e57_with_xml(tmp_path / "cloud.e57", doctype, text)
    assert child.ask(tmp_path / "cloud.e57") == ("refused", "")
    with pytest.raises(FormatError, match="DOCTYPE"):
        read_cloud(tmp_path / "cloud.e57", crs=32648)
    assert listener.calls() == 0
