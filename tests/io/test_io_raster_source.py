import gzip
import os
import shutil
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine

from hazardgeo.errors import FormatError, HazardGeoWarning, InputError
from hazardgeo.io import read_raster, write_raster
from hazardgeo.raster import Raster

UTM = Affine(10, 0, 500_000, 0, -10, 4_000_000)
CELLS = np.arange(1, 13, dtype=np.float32).reshape(3, 4)


def put(path: Path, values: Any = CELLS, *, dtype: str = "float32", **more: Any) -> Path:
    """A raster as others write it."""
    rows, cols = values.shape
    options = {"driver": "GTiff", "crs": 32648, "transform": UTM} | more
    with rasterio.open(path, "w", dtype=dtype, count=1, height=rows, width=cols, **options) as out:
        out.write(values.astype(dtype), 1)
    return path


def vrt(path: Path, source: str, *, relative: int = 0, more: str = "") -> Path:
    path.write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="3"><SRS>EPSG:32648</SRS><GeoTransform>500000,10,0,4000000,0,-10</GeoTransform>'
        f'<VRTRasterBand dataType="Float32" band="1"><SimpleSource><SourceFilename relativeToVRT="{relative}">{source}'
        f"</SourceFilename><SourceBand>1</SourceBand></SimpleSource>{more}</VRTRasterBand></VRTDataset>",
        encoding="utf-8",
    )
    return path


class Listening:
    """A server on this machine that counts who calls; other machines are never needed to see an attempt."""

    def __init__(self) -> None:
        self.calls = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self.socket.accept()
            except OSError:
                return
            self.calls += 1
            caller.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listening]:
    listening = Listening()
    host = listening.url.removeprefix("http://")
    for key, value in {
        "AWS_S3_ENDPOINT": host,
        "AWS_HTTPS": "NO",
        "AWS_NO_SIGN_REQUEST": "YES",
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }.items():
        monkeypatch.setenv(key, value)
    yield listening
    listening.socket.close()


TMS = (
    '<GDAL_WMS><Service name="TMS"><ServerUrl>URL/${z}/${x}/${y}.png</ServerUrl></Service><DataWindow><UpperLeftX>0</UpperLeftX>'
    "<UpperLeftY>100</UpperLeftY><LowerRightX>100</LowerRightX><LowerRightY>0</LowerRightY><TileLevel>1</TileLevel><TileCountX>1"
    "</TileCountX><TileCountY>1</TileCountY></DataWindow><Projection>EPSG:3857</Projection><BandsCount>1</BandsCount></GDAL_WMS>"
)
SERVICES = {
    "tms.xml": TMS,
    "spaced.xml": "\n  " + TMS,
    "wcs.xml": "<WCS_GDAL><ServiceURL>URL/wcs?</ServiceURL><CoverageName>x</CoverageName></WCS_GDAL>",
    "wmts.xml": "<GDAL_WMTS><GetCapabilitiesUrl>URL/c.xml</GetCapabilitiesUrl><Layer>l</Layer></GDAL_WMTS>",
    "tilemap.xml": '<TileMap version="1.0.0" tilemapservice="URL"><SRS>EPSG:3857</SRS></TileMap>',
    "index.gti": "<GDALTileIndexDataset><IndexDataset>URL/i.fgb</IndexDataset></GDALTileIndexDataset>",
    "stacta.json": '{"stac_version": "1.0.0", "stac_extensions": ["tiled-assets"], "asset_templates": {"a": "URL/z"}}',
    "mrf.mrf": "<MRF_META><CachedSource><Source>/vsicurl/URL/a.tif</Source></CachedSource><Raster/></MRF_META>",
}
REMOTE = (
    "/vsicurl/URL/x.tif", "URL/x.tif", "/vsicurl_streaming/URL/x.tif", 'NETCDF:"URL/x.nc":v', "HDF5:URL/x.nc://v",
    "/vsis3/bucket/x.tif",
    "WMS:URL/c?layers=x", "WMTS:URL/c.xml", "WCS:URL/c", "vrt:///vsicurl/URL/x.tif", "/vsizip//vsicurl/URL/x.zip/x.tif",
)  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_descriptions_of_map_services_are_refused_and_nobody_is_called(tmp_path: Path, server: Listening, name: str) -> None:
    path = tmp_path / name
    path.write_text(SERVICES[name].replace("URL", server.url))
    with pytest.raises(FormatError, match="describes a map service or a catalogue, not data") as caught:
        read_raster(path, crs=3857)
    assert "\n" not in str(caught.value)
    with pytest.raises(FormatError, match="describes a map service"):
        read_raster(vrt(tmp_path / "around.vrt", str(path)))
    assert server.calls == 0


@pytest.mark.parametrize("source", REMOTE)
def test_virtual_rasters_of_remote_sources_are_refused_and_nobody_is_called(
    tmp_path: Path, server: Listening, source: str
) -> None:
    source = source.replace("URL", server.url)
    path = vrt(tmp_path / "r.vrt", source)
    with pytest.raises(FormatError, match="takes data from a network") as caught:
        read_raster(path)
    assert "\n" not in str(caught.value)
    path.write_text(path.read_text().replace("SourceFilename", "sourcefilename"))
    with pytest.raises(FormatError, match="takes data from a network"):
        read_raster(path)
    with pytest.raises(FormatError, match=r"r\.vrt takes data from a network"):
        read_raster(vrt(tmp_path / "outer.vrt", "r.vrt", relative=1))
    escaped = path.read_text().replace("<", "&lt;").replace('"', "&quot;")
    with pytest.raises(FormatError, match="takes data from a network"):
        read_raster(vrt(tmp_path / "inline.vrt", escaped))
    assert server.calls == 0


@pytest.mark.parametrize("suffix", [".msk", ".ovr"])
@pytest.mark.parametrize("source", REMOTE)
def test_files_beside_a_raster_do_not_reach_a_network(tmp_path: Path, server: Listening, suffix: str, source: str) -> None:
    path = put(tmp_path / "r.tif")
    vrt(tmp_path / f"r.tif{suffix}", source.replace("URL", server.url))
    with pytest.raises(FormatError, match="takes data from a network"):
        read_raster(path)
    assert server.calls == 0


def test_notes_beside_and_inside_a_raster_do_not_reach_a_network(tmp_path: Path, server: Listening) -> None:
    path = put(tmp_path / "r.tif")
    notes = tmp_path / "r.tif.aux.xml"
    notes.write_text(
        f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{server.url}/x.tif</MDI></Metadata></PAMDataset>'
    )
    with pytest.raises(FormatError, match="takes data from a network"):
        read_raster(path)
    notes.write_text(f'<PAMDataset><Metadata><MDI key="SOURCE">{server.url}/about.html</MDI></Metadata></PAMDataset>')
    assert read_raster(path).values.tolist() == CELLS.tolist()
    notes.unlink()
    with rasterio.open(path, "r+") as out:
        out.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=f'NETCDF:"{server.url}/x.nc":v')
    with pytest.raises(FormatError, match="takes overviews from a network"):
        read_raster(path)
    assert server.calls == 0


def test_the_server_of_these_tests_would_hear_a_call(tmp_path: Path, server: Listening) -> None:
    with (
        pytest.raises(rasterio.errors.RasterioIOError),
        rasterio.open(vrt(tmp_path / "r.vrt", f"/vsicurl/{server.url}/x.tif")) as dataset,
    ):
        dataset.read(1)
    assert server.calls > 0


@pytest.mark.parametrize("setting", ["YES", "TRUSTED_MODULES"])
def test_python_in_a_virtual_raster_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("GDAL_VRT_ENABLE_PYTHON", setting)
    put(tmp_path / "r.tif")
    trace = tmp_path / "trace"
    code = (
        "<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionType>f</PixelFunctionType><PixelFunctionCode><![CDATA["
        f"\nopen({str(trace)!r}, 'w').close()\ndef f(*a, **k):\n    pass\n]]></PixelFunctionCode>"
    )
    path = vrt(tmp_path / "r.vrt", "r.tif", relative=1, more=code)
    text = path.read_text().replace('band="1">', 'band="1" subClass="VRTDerivedRasterBand">')
    path.write_text(text)
    with pytest.raises(FormatError, match="brings Python code along, which is never run"):
        read_raster(path)
    inline = text.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("r.tif", str(tmp_path / "r.tif"))
    with pytest.raises(FormatError):
        read_raster(vrt(tmp_path / "inline.vrt", inline))
    assert not trace.exists()


def test_local_virtual_rasters_open_wherever_their_files_lie(tmp_path: Path) -> None:
    elsewhere = tmp_path / "别处 1"
    elsewhere.mkdir()
    put(elsewhere / "高程.tif")
    assert read_raster(vrt(tmp_path / "a.vrt", str(elsewhere / "高程.tif"))).values.tolist() == CELLS.tolist()
    assert read_raster(vrt(elsewhere / "b.vrt", "高程.tif", relative=1)).values.tolist() == CELLS.tolist()
    assert read_raster(vrt(tmp_path / "c.vrt", "别处 1/b.vrt", relative=1)).values.tolist() == CELLS.tolist()


def test_virtual_rasters_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"is made of gone\.tif, which is not a file here"):
        read_raster(vrt(tmp_path / "a.vrt", "gone.tif", relative=1))
    with pytest.raises(FormatError, match="which is not a file here"):
        read_raster(vrt(tmp_path / "a.vrt", str(tmp_path)))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FormatError, match="which is not a file here"):
        read_raster(vrt(tmp_path / "a.vrt", "pipe", relative=1))
    with pytest.raises(FormatError, match=r"takes data from a network|which is not a file"):
        read_raster(vrt(tmp_path / "a.vrt", "/vsistdin/"))
    with pytest.raises(FormatError):
        read_raster(vrt(tmp_path / "self.vrt", "self.vrt", relative=1))
    for number in range(12):
        vrt(tmp_path / f"{number}.vrt", f"{number + 1}.vrt", relative=1)
    put(tmp_path / "12.vrt")
    with pytest.raises(FormatError, match="mosaic of mosaics"):
        read_raster(tmp_path / "0.vrt")


def test_virtual_rasters_with_entities_or_damage_are_refused(tmp_path: Path) -> None:
    path = vrt(tmp_path / "a.vrt", "&e;")
    path.write_text('<!DOCTYPE VRTDataset [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + path.read_text())
    with pytest.raises(FormatError, match="declares a DOCTYPE"):
        read_raster(path)
    path.write_text(vrt(tmp_path / "b.vrt", "x.tif").read_text()[:150])
    with pytest.raises(FormatError, match="damaged virtual raster"):
        read_raster(path)


@pytest.mark.parametrize("name", ["a b.tif", "高程 (1).tif", "x!y.tif", "a:b.tif", "50%.tif", "zip+https:a.tif"])
def test_paths_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    put(tmp_path / "r.tif").rename(tmp_path / name)
    assert read_raster(tmp_path / name).values.tolist() == CELLS.tolist()
    monkeypatch.chdir(tmp_path)
    assert read_raster(name).values.tolist() == CELLS.tolist()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read anything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif")
    path.chmod(0)
    with pytest.raises(FormatError, match="permission"):
        read_raster(path)


def zipped(path: Path, *members: Path, **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.write(member, "folder/" + member.name)
    return path


def test_an_archive_of_one_raster_is_read_and_others_are_refused(tmp_path: Path) -> None:
    a, b, notes = put(tmp_path / "a.tif"), put(tmp_path / "b 二.tif"), tmp_path / "read me.txt"
    notes.write_text("x")
    for member in (a, b):
        read = read_raster(zipped(tmp_path / "one.zip", member, notes))
        assert read.values.tolist() == CELLS.tolist()
    assert read_raster(zipped(tmp_path / "other.dat", a)).values.tolist() == CELLS.tolist()
    with pytest.raises(FormatError, match=r"is an archive with 2 rasters \(folder/a.tif, folder/b 二.tif\); unpack it"):
        read_raster(zipped(tmp_path / "two.zip", a, b))
    with pytest.raises(FormatError, match="is an archive with no raster"):
        read_raster(zipped(tmp_path / "none.zip", notes))
    whole = (tmp_path / "one.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match="is a damaged archive"):
        read_raster(tmp_path / "cut.zip")
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".dat", ".tif", ".tif", ".txt", ".zip", ".zip", ".zip", ".zip"]


def test_what_lies_beside_a_raster_in_an_archive_calls_nobody(tmp_path: Path, server: Listening) -> None:
    mask = vrt(tmp_path / "a.tif.msk", f'NETCDF:"{server.url}/x.nc":v')
    with pytest.raises(FormatError, match="takes data from a network"):
        read_raster(zipped(tmp_path / "one.zip", put(tmp_path / "a.tif"), mask))
    assert server.calls == 0


def test_a_gzipped_raster_is_read_in_place(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tif")
    (tmp_path / "a.tif.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert read_raster(tmp_path / "a.tif.gz").values.tolist() == CELLS.tolist()
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif.gz"]
    (tmp_path / "cut.tif.gz").write_bytes((tmp_path / "a.tif.gz").read_bytes()[:-40])
    with pytest.raises(FormatError, match="cannot be read as a raster"):
        read_raster(tmp_path / "cut.tif.gz")


NOISE = np.random.default_rng(1).random((60, 80)) * 200 + 20
CUT = [
    *(
        ("GTiff", dtype, {"compress": compress})
        for dtype, compress in (
            ("float32", "NONE"), ("float32", "LZW"), ("float32", "DEFLATE"), ("int16", "ZSTD"), ("float32", "LERC"),
            ("uint8", "PACKBITS"), ("uint8", "JPEG"), ("uint8", "LZMA"),
        )
    ),
    ("AAIGrid", "float32", {}), ("EHdr", "float32", {}), ("ENVI", "float32", {}), ("HFA", "float32", {}),
    ("HFA", "float32", {"COMPRESSED": "YES"}), ("PNG", "uint16", {}), ("JPEG", "uint8", {}), ("JP2OpenJPEG", "int16", {}),
    ("netCDF", "float32", {}), ("netCDF", "float32", {"FORMAT": "NC2"}), ("netCDF", "float32", {"FORMAT": "NC4C"}),
    ("GSBG", "float32", {}), ("GS7BG", "float64", {}), ("GSAG", "float32", {}), ("SAGA", "float32", {}),
    ("PCIDSK", "float32", {}), ("PCRaster", "float32", {"PCRASTER_VALUESCALE": "VS_SCALAR"}), ("RST", "float32", {}),
    ("GRIB", "float32", {}), ("BT", "float32", {}),
]  # fmt: skip
SUFFIX = {
    "GTiff": "tif",
    "HFA": "img",
    "netCDF": "nc",
    "SAGA": "sdat",
    "AAIGrid": "asc",
    "PCIDSK": "pix",
    "PCRaster": "map",
    "RST": "rst",
}


@pytest.mark.parametrize("share", [0.999, 0.6, 0.1])
@pytest.mark.parametrize(("driver", "dtype", "options"), CUT)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_cut_file_is_refused_or_read_without_a_wrong_cell(
    tmp_path: Path, driver: str, dtype: str, options: dict[str, str], share: float
) -> None:
    whole = tmp_path / f"r.{SUFFIX.get(driver, 'grd')}"
    rasterio.shutil.copy(put(tmp_path / "source.tif", NOISE, dtype=dtype), whole, driver=driver, **options)
    before = read_raster(whole, crs=32648)
    data = whole.read_bytes()
    whole.write_bytes(data[: int(len(data) * share)])
    try:
        after = read_raster(whole, crs=32648)
    except (FormatError, InputError):
        return
    wrong = (after.values != before.values) & ~after.unknown
    assert wrong.sum() <= (1 if driver in ("AAIGrid", "GSAG") else 0)  # a number cut within its digits reads as another one


def test_a_file_cut_in_its_data_says_so(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", NOISE)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(FormatError, match=r"cannot be read as a raster: .*; check or fetch it again"):
        read_raster(path)
    rasterio.shutil.copy(put(tmp_path / "s.tif", NOISE), tmp_path / "r.nc", driver="netCDF")
    (tmp_path / "r.nc").write_bytes((tmp_path / "r.nc").read_bytes()[:-1])
    with pytest.raises(FormatError, match=r"has been cut: it holds [\d,]+ of [\d,]+ bytes"):
        read_raster(tmp_path / "r.nc")


def test_a_damaged_netcdf_header_is_refused_before_it_asks_for_memory(tmp_path: Path) -> None:
    rasterio.shutil.copy(put(tmp_path / "s.tif", NOISE), tmp_path / "r.nc", driver="netCDF")
    data = bytearray((tmp_path / "r.nc").read_bytes())
    name = data.index(b"Conventions") - 4  # where the length of this name stands
    data[name : name + 4] = b"\x41\x4c\x20\x43"
    (tmp_path / "r.nc").write_bytes(data)
    with pytest.raises(FormatError, match="has a damaged netCDF header"):
        read_raster(tmp_path / "r.nc")


def layers(path: Path) -> Path:
    """A netCDF file of two variables, written by hand as the classic format describes."""
    from scipy.io import netcdf_file

    with netcdf_file(path, "w") as out:
        out.Conventions = "CF-1.6"
        for name, unit, numbers in (("y", "m", [45.0, 35.0, 25.0]), ("x", "m", [5.0, 15.0])):
            out.createDimension(name, len(numbers))
            axis = out.createVariable(name, "d", (name,))
            axis[:], axis.units, axis.standard_name = numbers, unit, f"projection_{name}_coordinate"
        for index, name in enumerate(("height", "depth")):
            variable = out.createVariable(name, "f", ("y", "x"))
            variable[:] = np.arange(6).reshape(3, 2) + 100 * index
    return path


def test_a_file_of_several_layers_lists_them_and_reads_the_one_that_is_named(tmp_path: Path) -> None:
    path = layers(tmp_path / "a 二.nc")
    with pytest.raises(FormatError, match=r"holds 2 layers \(height, depth\); choose one with layer='...'"):
        read_raster(path, crs=32648)
    with pytest.raises(FormatError, match=r"has no layer 'x'; it holds 2 layers \(height, depth\)"):
        read_raster(path, crs=32648, layer="x")
    read = read_raster(path, crs=32648, layer="depth")
    assert read.name == "depth"
    assert read.values.tolist() == [[100, 101], [102, 103], [104, 105]]
    assert read.grid.bounds == (0, 20, 20, 50)
    with pytest.raises(FormatError, match="has no layer 'x'; it has no layers to choose"):
        read_raster(put(tmp_path / "r.tif"), layer="x")


def test_pages_of_a_tiff_are_layers(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif")
    with rasterio.open(
        path, "w", driver="GTiff", dtype="float32", count=1, height=3, width=4, transform=UTM, crs=32648, APPEND_SUBDATASET="YES"
    ) as out:
        out.write(CELLS + 100, 1)
    with pytest.warns(HazardGeoWarning, match=r"holds 2 layers \(1, 2\); the first is read"):
        first = read_raster(path)
    second = read_raster(path, layer="2")
    assert second.values[0, 0] == first.values[0, 0] + 100


def test_what_others_call_grd_is_read_by_its_content(tmp_path: Path) -> None:
    source = put(tmp_path / "s.tif")
    for driver in ("GSBG", "GS7BG", "GSAG", "netCDF", "GTiff"):
        path = tmp_path / f"{driver}.grd"
        rasterio.shutil.copy(source, path, driver=driver)
        read = read_raster(path, crs=32648)
        np.testing.assert_allclose(read.values, CELLS, rtol=1e-6)
        np.testing.assert_allclose(read.grid.bounds, (500_000, 3_999_970, 500_040, 4_000_000))


def test_blanks_of_a_surfer_grid_are_unknown(tmp_path: Path) -> None:
    path = tmp_path / "r.grd"
    path.write_text("DSAA\n3 2\n0 20\n0 10\n1 6\n1 2 3\n4 1.70141e38 6\n")
    read = read_raster(path, crs=32648)
    np.testing.assert_array_equal(read.values, [[4, np.nan, 6], [1, 2, 3]])


@pytest.mark.parametrize("name", ["r.flt", "r.bil", "r.grd", "r.asc", "r.tif"])
def test_numbers_without_a_header_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(CELLS.tobytes())
    with pytest.raises(FormatError, match="cannot be read as a raster"):
        read_raster(tmp_path / name, crs=32648)


def test_a_file_is_left_as_it_was(tmp_path: Path, make_raster: Callable[..., Raster]) -> None:
    write_raster(make_raster([[1, 2], [3, 4]]), tmp_path / "a.tif")
    shutil.copy(tmp_path / "a.tif", tmp_path / "b.tif")
    read_raster(tmp_path / "b.tif")
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tif", "b.tif"]
