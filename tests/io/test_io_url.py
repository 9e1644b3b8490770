"""Files at an address: the same as by path, only what a window needs, nothing beside, and every failure in one line."""

import json
import pickle
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from click.testing import CliRunner

from hazardgeo import cli, io, terrain, tiles
from hazardgeo.errors import FormatError, MissingPackageError
from hazardgeo.io import bucket, files, web
from hazardgeo.io.remote import Remote, located
from hazardgeo.tiles import Pool

Case = Callable[[str], Path]
CELLS = np.random.default_rng(4).normal(1500, 40, (1024, 1024)).astype(np.float32)
WINDOW = (500_300.0, 3_999_600.0, 500_340.0, 3_999_640.0)
LONE_STAR = (515_370.0, 4_918_345.0, 515_380.0, 4_918_352.0)


@dataclass
class Server:
    """A server on this machine for the files of a folder, which counts what it is asked for."""

    folder: Path
    asked: list[str] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sent: int = 0
    ranges: bool = True
    etag: bool = True
    redirects: dict[str, str] = field(default_factory=dict)
    failures: list[int] = field(default_factory=list)
    silent_s: float = 0.0
    slow_s: float = 0.0  # before each of its bytes
    cut_at: int = 1 << 40
    more: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    url: str = ""

    def clear(self) -> None:
        self.asked.clear()
        self.sent = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    of: Server

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, status: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.of.sent += len(data[: self.of.cut_at])
        self.of.answered.append(status)
        for i in range(len(data) if self.of.slow_s else 0):
            time.sleep(self.of.slow_s)
            self.wfile.write(data[i : i + 1])
        self.wfile.write(data[: 0 if self.of.slow_s else self.of.cut_at])
        if len(data) > self.of.cut_at:
            self.of.cut_at = 1 << 40
            self.close_connection = True

    def do_GET(self) -> None:
        of = self.of
        of.asked.append(f"{self.command} {self.path}")
        of.headers.append(dict(self.headers))
        of.before()
        time.sleep(of.silent_s)
        path = of.folder / self.path.partition("?")[0].lstrip("/")
        if of.failures:
            return self._answer(of.failures.pop(0))
        if self.path in of.redirects:
            return self._answer(302, Location=of.redirects[self.path])
        if not path.is_file():
            return self._answer(404, b"<html>not here</html>")
        data = path.read_bytes()
        said = {"ETag": f'"{hash(data)}"'} if of.etag else {}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not of.ranges or wanted is None:
            return self._answer(200, data, **said)
        start, last = int(wanted[1]), min(int(wanted[2]), len(data) - 1)
        if start >= len(data):
            return self._answer(416, Content_Range=f"bytes */{len(data)}", **said)
        told = {"Content_Range": f"bytes {start}-{last}/{len(data)}", **said, **of.more}
        return self._answer(206, data[start : last + 1], **told)

    do_HEAD = do_PROPFIND = do_OPTIONS = do_GET  # noqa: N815 - names of http.server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "requests_ca_bundle", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(web, "PAUSES_S", (0.0, 0.01))
    folder = tmp_path / "served"
    folder.mkdir()
    with running(Server(folder)) as about:
        yield about


@contextmanager
def running(about: Server, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """The server at work, over https when `tls` holds its certificate."""
    handler = type("OfThis", (Handler,), {"of": about})
    listening = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        listening.socket = tls.wrap_socket(listening.socket, server_side=True)
    listening.daemon_threads = True
    listening.handle_error = lambda *_: None  # type: ignore[method-assign] # clients may hang up
    about.url = f"http{'' if tls is None else 's'}://127.0.0.1:{listening.server_address[1]}"
    threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
    yield about
    listening.shutdown()
    listening.server_close()


def put(path: Path, *, driver: str = "COG", values: Any = CELLS, **more: Any) -> Path:
    """A raster as others write it."""
    plain = path.with_suffix(".plain.tif")
    place = Affine(1, 0, 500_000, 0, -1, 4_000_000)
    shape = dict(zip(("height", "width"), values.shape, strict=True))
    with rasterio.open(plain, "w", driver="GTiff", dtype="float32", count=1, crs=32648, transform=place, **shape) as out:
        out.write(values, 1)
    rasterio.shutil.copy(plain, path, driver=driver, compress="deflate", **more)
    plain.unlink()
    return path


def same(by_url: Any, by_path: Any) -> None:
    np.testing.assert_array_equal(by_url.values, by_path.values)
    assert (by_url.grid, by_url.name, by_url.unit, by_url.height) == (by_path.grid, by_path.name, by_path.unit, by_path.height)


def test_a_raster_by_address_is_the_raster_by_path_and_nothing_else_is_asked_for(server: Server) -> None:
    path = put(server.folder / "dem.tif", blocksize=128)
    for beside in ("dem.tif.aux.xml", "dem.tif.ovr", "dem.tif.msk", "dem.tfw"):
        (server.folder / beside).write_text("not asked for")
    by_url = io.read_raster(f"{server.url}/dem.tif")
    for beside in ("dem.tif.aux.xml", "dem.tif.ovr", "dem.tif.msk", "dem.tfw"):
        (server.folder / beside).unlink()
    same(by_url, io.read_raster(path))
    assert set(server.asked) == {"GET /dem.tif"}
    assert server.sent <= path.stat().st_size  # each part once at most


def test_a_window_takes_only_its_blocks(server: Server) -> None:
    path = put(server.folder / "dem.tif", blocksize=128)
    by_url = io.read_raster(f"{server.url}/dem.tif", window=WINDOW)
    same(by_url, io.read_raster(path, window=WINDOW))
    # 40 x 40 cells lie in at most 4 of 64 blocks of some 56 kB: with the header and the rounding to parts under 12 %
    assert server.sent < 0.12 * path.stat().st_size
    assert len(server.asked) <= 6


def test_a_plain_tiff_in_strips_is_read_too(server: Server) -> None:
    path = put(server.folder / "plain.tif", driver="GTiff")
    same(io.read_raster(f"{server.url}/plain.tif", window=WINDOW), io.read_raster(path, window=WINDOW))


def test_a_source_of_tiles_reads_blocks_by_address_and_travels(server: Server) -> None:
    path = put(server.folder / "dem.tif", blocksize=128)
    source, local = io.RasterFile(f"{server.url}/dem.tif?token=secret"), io.RasterFile(path)
    assert source.grid == local.grid
    travelled = pickle.loads(pickle.dumps(source))
    assert travelled == source
    block = source.grid.window(slice(200, 300), slice(400, 530))
    same(travelled.read(block), local.read(block))
    assert set(server.asked) == {"GET /dem.tif?token=secret"}
    assert "secret" not in f"{source!r} {source.key} {source.path}"


def test_workers_read_by_address_what_one_process_reads_by_path(server: Server, tmp_path: Path) -> None:
    path = put(server.folder / "dem.tif", blocksize=128, values=CELLS[:300, :280])
    sources = {"url": io.RasterFile(f"{server.url}/dem.tif", unit="m"), "path": io.RasterFile(path, unit="m")}
    for name, executor in (("url", Pool(2)), ("path", tiles.InProcess())):
        sink = io.RasterParts(tmp_path / f"{name}.tif")
        tiles.map(terrain.slope, {"dem": sources[name]}, sink, halo=1, tile_cells=128, executor=executor)
    assert (tmp_path / "url.tif").read_bytes() == (tmp_path / "path.tif").read_bytes()
    assert set(server.asked) == {"GET /dem.tif"}


def test_a_source_that_changes_between_blocks_is_found_out(server: Server, tmp_path: Path) -> None:
    put(server.folder / "dem.tif", blocksize=128, values=CELLS[:300, :280])
    source = io.RasterFile(f"{server.url}/dem.tif", unit="m")
    key = source.key
    assert source.key == key
    asked = iter(range(1000))

    def change() -> None:
        if next(asked) == 6:
            put(server.folder / "dem.tif", blocksize=128, values=CELLS[:300, :280] + 1)

    server.before = change
    with pytest.raises(Exception, match="change"):
        tiles.map(terrain.slope, {"dem": source}, io.RasterParts(tmp_path / "s.tif"), halo=1, tile_cells=128)
    assert source.key != key
    assert not (tmp_path / "s.tif").exists()


@pytest.mark.parametrize("etag", [True, False])
def test_a_file_that_changes_while_it_is_read_is_refused(server: Server, etag: bool) -> None:
    put(server.folder / "dem.tif", blocksize=128)
    server.etag = etag

    def change() -> None:
        if len(server.asked) == 2:
            put(server.folder / "dem.tif", blocksize=128, values=CELLS * 2 + 1)

    server.before = change
    with pytest.raises(FormatError, match=r"/dem\.tif has changed on its server while it was read; try again\.$"):
        io.read_raster(f"{server.url}/dem.tif")


def test_copc_by_address_gives_the_points_of_the_path_and_fetches_only_their_nodes(server: Server, data_case: Case) -> None:
    path = data_case("formats") / "pdal" / "lone-star.copc.laz"
    (server.folder / "c.copc.laz").write_bytes(path.read_bytes())
    url = f"{server.url}/c.copc.laz"
    for wanted in ({"bounds": LONE_STAR}, {"resolution": 0.5}):
        server.clear()
        here, there = (io.read_cloud(place, crs=32613, **wanted) for place in (path, url))
        np.testing.assert_array_equal(there.xyz, here.xyz)
        assert list(there.attributes) == list(here.attributes)
        for name, values in here.attributes.items():
            np.testing.assert_array_equal(there.attributes[name], values)
        assert set(server.asked) == {"GET /c.copc.laz"}
    server.clear()
    place = (515_375.25, 4_918_350.0, 515_375.5, 4_918_350.5)
    assert len(io.read_cloud(url, crs=32613, bounds=place)) > 0
    assert server.sent < 0.5 * path.stat().st_size
    server.clear()
    assert len(io.read_cloud(url, crs=32613)) == io.cloud_info(path).points
    assert server.sent == path.stat().st_size  # all of it once


def test_plain_laz_by_address_is_fetched_once_whatever_part_is_asked(server: Server, data_case: Case) -> None:
    path = data_case("lidr_als") / "Megaplot.laz"
    (server.folder / "c.laz").write_bytes(path.read_bytes())
    here = io.read_cloud(path)
    west, south, east, north = here.bounds
    place = ((west + east) / 2, (south + north) / 2, east, north)
    there = io.read_cloud(f"{server.url}/c.laz", bounds=place)
    np.testing.assert_array_equal(there.xyz, io.read_cloud(path, bounds=place).xyz)
    assert server.sent == path.stat().st_size
    assert len(server.asked) <= 4
    both = io.read_clouds([f"{server.url}/c.laz", path])
    np.testing.assert_array_equal(both.xyz, np.concatenate([here.xyz, here.xyz]))


@pytest.mark.parametrize("name", ["formats/pdal/lone-star.copc.laz", "lasr_bcts/bcts_2.laz"])
def test_what_a_cloud_says_of_itself_takes_little_of_it(server: Server, data_case: Case, name: str) -> None:
    path = data_case(name)
    (server.folder / path.name).write_bytes(path.read_bytes())
    assert io.cloud_info(f"{server.url}/{path.name}") == io.cloud_info(path)
    assert server.sent < 0.05 * path.stat().st_size


def damaged(path: Path, kind: str) -> bytes:
    """A COPC file whose node under `LONE_STAR` claims more points, or that was cut, or has a record too many."""
    data = bytearray(path.read_bytes())
    if kind == "cut":
        return bytes(data[: len(data) // 2])
    if kind == "records":
        data[100:104] = (2**31).to_bytes(4, "little")
        return bytes(data)
    with path.open("rb") as stream:
        import laspy

        header = laspy.LasHeader.read_from(stream)
    info = header.vlrs[0]
    at, size = int(info.hierarchy_root_offset), int(info.hierarchy_root_size)
    for entry in range(at, at + size, 32):
        data[entry + 28 : entry + 32] = (2**28).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize("kind", ["cut", "records", "nodes"])
@pytest.mark.parametrize("bounds", [None, LONE_STAR])
def test_the_guards_of_clouds_hold_by_address(
    server: Server, data_case: Case, kind: str, bounds: tuple[float, float, float, float] | None
) -> None:
    path = data_case("formats") / "pdal" / "lone-star.copc.laz"
    (server.folder / "c.copc.laz").write_bytes(damaged(path, kind))
    with pytest.raises(FormatError, match=rf"^{server.url}/c\.copc\.laz ") as caught:
        io.read_cloud(f"{server.url}/c.copc.laz", crs=32613, bounds=bounds)
    assert "\n" not in str(caught.value)


VRT = (
    '<VRTDataset rasterXSize="4" rasterYSize="3"><SRS>EPSG:32648</SRS><GeoTransform>500000,10,0,4000000,0,-10</GeoTransform>'
    '<VRTRasterBand dataType="Float32" band="1"><SimpleSource><SourceFilename relativeToVRT="{}">{}</SourceFilename>'
    "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
)


@pytest.mark.parametrize("source", ["dem.tif", "/vsicurl/{url}/dem.tif", "/etc/hostname", "{folder}/dem.tif"])
def test_a_virtual_raster_by_address_is_refused_and_what_it_names_is_not_touched(server: Server, source: str) -> None:
    put(server.folder / "dem.tif")
    text = VRT.format(int(source == "dem.tif"), source.format(url=server.url, folder=server.folder))
    (server.folder / "m.vrt").write_text(text)
    (server.folder / "m.tif").write_text(text)
    for name in ("m.vrt", "m.tif"):
        with pytest.raises(FormatError, match="is no GeoTIFF, and no other raster is read from an address; download it first"):
            io.read_raster(f"{server.url}/{name}")
    assert set(server.asked) == {"GET /m.vrt", "GET /m.tif"}


@pytest.mark.parametrize("share", [0.0005, 0.3, 0.9])
def test_a_raster_that_was_cut_is_refused_as_by_path(server: Server, share: float) -> None:
    path = put(server.folder / "dem.tif", blocksize=128)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    for place in (path, f"{server.url}/dem.tif"):
        with pytest.raises(FormatError, match=rf"^{place} cannot be read as a raster: .*; check or fetch it again\.$"):
            io.read_raster(place)


def test_a_tiff_that_names_overviews_elsewhere_is_refused(server: Server, tmp_path: Path) -> None:
    path, other = put(server.folder / "dem.tif", driver="GTiff"), put(tmp_path / "other.tif")
    for named in (str(other), f"/vsicurl/{server.url}/other.tif"):
        with rasterio.open(path, "r+") as out:
            out.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=named)
        with pytest.raises(FormatError, match="takes data from other files; download all of them, or write it as one COG"):
            io.read_raster(f"{server.url}/dem.tif")
    assert set(server.asked) == {"GET /dem.tif"}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "cannot be read: its server asks for a password or token; check the address (401)."),
        (
            403,
            "cannot be read: its server refuses access; check the address, its rights and whether its token has expired (403).",
        ),
        (404, "cannot be read: its server has no such file; check the address (404)."),
        (418, "cannot be read: its server answers 418 I'm a Teapot; check the address (418)."),
        (503, "cannot be reached: its server answers 503 Service Unavailable; check the address and the network, and try again."),
    ],
)
def test_what_a_server_answers_is_said_in_one_line(server: Server, status: int, message: str) -> None:
    server.failures = [status] * 9
    url = f"http://user:secret@{server.url.removeprefix('http://')}/dem.tif?sig=secret#secret"
    for read in (io.read_raster, io.read_cloud, io.cloud_info):
        with pytest.raises(FormatError) as caught:
            read(url)
        assert str(caught.value) == f"{server.url}/dem.tif {message}"
    assert len(server.asked) == (9 if status == 503 else 3)  # only what may be gone soon is tried again


def test_a_short_trouble_is_waited_out(server: Server) -> None:
    path = put(server.folder / "dem.tif")
    server.failures, server.cut_at = [503], 5000
    same(io.read_raster(f"{server.url}/dem.tif"), io.read_raster(path))


def test_no_network_and_no_answer_are_said_in_one_line(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(FormatError, match=rf"^http://127.0.0.1:{port}/a.tif cannot be reached: Connection refused; check"):
        io.read_raster(f"http://127.0.0.1:{port}/a.tif")
    with pytest.raises(FormatError, match=r"^http://nowhere\.invalid/a\.tif cannot be reached: .*; check the address and"):
        io.read_raster("http://nowhere.invalid/a.tif")
    put(server.folder / "dem.tif")
    monkeypatch.setattr(web, "TIMEOUT_S", 0.05)
    server.silent_s = 0.3
    with pytest.raises(FormatError, match=r"dem\.tif cannot be reached: no answer within 0\.05 s; check"):
        io.read_raster(f"{server.url}/dem.tif")


def test_an_answer_that_drips_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    put(server.folder / "dem.tif")
    monkeypatch.setattr(web, "LONGEST_S", 0.1)
    server.slow_s = 0.02
    with pytest.raises(FormatError, match=r"dem\.tif cannot be reached: it sent only \d+ bytes in 0\.1 s; check"):
        io.read_raster(f"{server.url}/dem.tif")
    assert len(server.asked) == 3


def test_https_is_read_with_a_certificate_that_is_trusted_only(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    whose = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", *kind, *whose, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    path = put(server.folder / "dem.tif", blocksize=128)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with running(Server(server.folder), tls) as secured:
        url = f"{secured.url}/dem.tif"
        with pytest.raises(FormatError) as caught:
            io.read_raster(url)
        assert str(caught.value).replace("self signed", "self-signed") == (  # the words of OpenSSL 1 and 3
            f"{url} cannot be reached: its certificate is not trusted (self-signed certificate); check the address, or name a "
            "file of certificates to trust in REQUESTS_CA_BUNDLE."
        )
        assert secured.asked == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        same(io.read_raster(url, window=WINDOW), io.read_raster(path, window=WINDOW))
        with pytest.raises(FormatError, match=r"Hostname mismatch, certificate is not valid for 'localhost'"):
            io.read_raster(url.replace("127.0.0.1", "localhost"))
        secured.redirects = {"/open.tif": f"{server.url}/dem.tif"}
        with pytest.raises(FormatError, match=r"/open\.tif is redirected to http://, which is not followed"):
            io.read_raster(f"{secured.url}/open.tif")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
        with pytest.raises(FormatError, match=r"cannot be reached: Could not find a suitable TLS CA certificate bundle"):
            io.read_raster(url)
    assert server.asked == []


def test_a_proxy_is_asked_with_its_password_and_the_server_does_not_get_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = server.url.removeprefix("http://")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("http_proxy", f"http://user:s%20cret@{proxy}")
    with pytest.raises(FormatError, match=r"^http://server\.invalid/dem\.tif cannot be read: its server has no such file"):
        io.read_raster("http://server.invalid/dem.tif")
    assert server.asked == ["GET http://server.invalid/dem.tif"]
    assert server.headers[-1]["Proxy-Authorization"] == "Basic dXNlcjpzIGNyZXQ="  # printf 'user:s cret' | base64
    path = put(server.folder / "dem.tif")
    same(io.read_raster(f"{server.url}/dem.tif"), io.read_raster(path))
    assert "Proxy-Authorization" not in server.headers[-1]
    for wrong in ("none://user:secret@127.0.0.1:1", "http://"):
        monkeypatch.setenv("http_proxy", wrong)
        with pytest.raises(FormatError, match=r"the proxy of this system is not understood \(\w+\); download it first\.$"):
            io.read_raster("http://server.invalid/dem.tif")


def test_a_server_that_sends_whole_files_only_is_refused_before_it_has_sent_much(server: Server) -> None:
    put(server.folder / "dem.tif")
    server.ranges = False
    for read in (io.read_raster, io.read_cloud):
        with pytest.raises(FormatError, match=r"/dem\.tif: its server sends whole files only \(no range requests\); download"):
            read(f"{server.url}/dem.tif")
    (server.folder / "login").write_text("<!DOCTYPE html><p>who are you?")
    with pytest.raises(FormatError, match="/login is a web page, not data; use the address of the file itself"):
        io.read_raster(f"{server.url}/login")
    server.ranges = True
    with pytest.raises(FormatError, match="/login is a web page, not data"):
        io.read_cloud(f"{server.url}/login")


@pytest.mark.parametrize(
    "more", [{"Content-Range": "bytes 5-9/10"}, {"Content-Encoding": "gzip"}, {"Content-Range": "bytes 0-1/*"}]
)
def test_a_server_that_answers_another_range_is_not_believed(server: Server, more: dict[str, str]) -> None:
    put(server.folder / "dem.tif")
    server.more = {key.replace("-", "_") if key == "Content-Range" else key: value for key, value in more.items()}
    with pytest.raises(FormatError, match="answers range requests wrongly; download it first"):
        io.read_raster(f"{server.url}/dem.tif")


def test_redirects_are_followed_to_the_web_only_and_passwords_do_not_go_along(server: Server) -> None:
    path = put(server.folder / "dem.tif")
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    server.redirects = {"/short": "/dem.tif", "/far": f"{elsewhere}/dem.tif", "/round": "/round"}
    server.redirects |= {"/file": f"file://{path}", "/ftp": "ftp://127.0.0.1/dem.tif", "/none": ""}
    user = server.url.replace("http://", "http://user:s%C3%A9cret@")
    same(io.read_raster(f"{user}/short"), io.read_raster(path, name="short"))
    assert {h["Authorization"] for h in server.headers} == {"Basic dXNlcjpzw6ljcmV0"}  # printf 'user:sécret' | base64
    server.headers.clear()
    io.read_raster(f"{user}/far")
    assert {"Authorization" in h for h in server.headers if h["Host"].startswith("localhost")} == {False}
    for name, target in {"file": "file://", "ftp": "ftp://", "none": "nowhere"}.items():
        with pytest.raises(FormatError, match=rf"/{name} is redirected to {target}, which is not followed; use the address of"):
            io.read_raster(f"{user}/{name}")
    with pytest.raises(FormatError, match="/round is redirected more than 5 times"):
        io.read_raster(f"{user}/round")
    for name, target in {"bracket": "http://[a/b", "port": "http://host:port/b", "label": f"http://{'a' * 70}.org/b"}.items():
        server.redirects[f"/{name}"] = target
        with pytest.raises(FormatError, match=rf"/{name} cannot be asked for: its address, a redirect or the proxy of this"):
            io.read_raster(f"{user}/{name}")


def test_paths_are_not_taken_for_addresses_and_other_addresses_are_refused(server: Server, tmp_path: Path) -> None:
    for text in (r"C:\scans\a.laz", "C:/scans/a.laz", "C://a.laz", "/a/b.tif", "a.tif", "/vsicurl/http://x/y.tif"):
        assert isinstance(located(text), Path)
    assert isinstance(located("HTTPS://host/a.tif"), Remote)
    for text in ("ftp://host/a.tif", "file:///etc/passwd", "gopher://host/a"):
        with pytest.raises(FormatError, match=r"are not read, only http, https, s3, gs, az; download the file first"):
            io.read_raster(text)
    for text in ("http://", "https://host", "https://host/", "http://host:port/a.tif", "s3://bucket", "http://[a/b.tif"):
        with pytest.raises(FormatError, match="names no file; write it as"):
            io.read_cloud(text)
    assert server.asked == []


@pytest.mark.parametrize(
    "read",
    [
        io.read_vector, io.read_shakemap, io.read_stations, io.read_isoseismals, io.e57_stations,
        lambda url: io.read_xyz(url, layout="x y z", crs=32648), lambda url: io.salvage_laz(url, "out.laz"),
    ],
)  # fmt: skip
def test_other_doors_ask_for_a_download_and_ask_nobody(server: Server, read: Callable[[str], Any]) -> None:
    (server.folder / "a.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(
        FormatError, match="is an address; only GeoTIFF, LAS, LAZ and COPC are read from there: download it"
    ) as got:
        read(f"{server.url}/a.zip?token=secret")
    assert "secret" not in str(got.value)
    assert server.asked == []


def test_clouds_of_other_formats_raw_scans_and_empty_files_are_refused(server: Server) -> None:
    (server.folder / "a.ply").write_bytes(b"ply\nformat ascii 1.0\n")
    (server.folder / "a.rxp").write_bytes(bytes(600))
    (server.folder / "a.laz").write_bytes(b"")
    for name, message in {"a.ply": "is an address; only", "a.rxp": "is, by its name, a raw scan", "a.laz": "is empty"}.items():
        with pytest.raises(FormatError, match=message):
            io.read_cloud(f"{server.url}/{name}")


def test_names_with_spaces_and_other_scripts_are_asked_for_as_they_are(server: Server) -> None:
    path = put(server.folder / "dem.tif")
    (server.folder / "%E9%AB%98%E7%A8%8B%201.tif").write_bytes(path.read_bytes())
    same(io.read_raster(f"{server.url}/高程 1.tif"), io.read_raster(path, name="高程 1"))
    assert set(server.asked) == {"GET /%E9%AB%98%E7%A8%8B%201.tif"}


def test_reads_in_threads_do_not_meet(server: Server) -> None:
    path = put(server.folder / "dem.tif", blocksize=128)
    expected, found = io.read_raster(path, window=WINDOW), dict[int, Any]()

    def read(i: int) -> None:
        found[i] = io.read_raster(f"{server.url}/dem.tif", window=WINDOW)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    for one in found.values():
        same(one, expected)


def test_stores_are_read_through_their_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = pytest.importorskip("fsspec.implementations.memory").MemoryFileSystem(skip_instance_cache=True)
    path = put(tmp_path / "dem.tif", blocksize=128)
    memory.pipe("/bucket/dem.tif", path.read_bytes())
    monkeypatch.setattr("fsspec.filesystem", lambda scheme, **_: memory)
    for scheme in bucket.SCHEMES:
        same(io.read_raster(f"{scheme}://bucket/dem.tif", window=WINDOW), io.read_raster(path, window=WINDOW))
        key = io.RasterFile(f"{scheme}://bucket/dem.tif").key
        assert json.loads(key)[0][0] == f"{scheme}://bucket/dem.tif"
        with pytest.raises(FormatError, match=rf"^{scheme}://bucket/none\.tif does not exist, or may not be seen"):
            io.read_raster(f"{scheme}://bucket/none.tif")
    memory.pipe("/bucket/dem.tif", path.read_bytes())
    assert io.RasterFile("az://bucket/dem.tif").key != key


def test_a_store_without_its_client_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(MissingPackageError, match=r"^gs://bucket/a\.tif needs a client .*pip install 'hazardgeo\[remote\]'"):
        io.read_raster("gs://bucket/a.tif")


def test_commands_take_addresses_as_they_are(server: Server, tmp_path: Path) -> None:
    path = put(server.folder / "dem.tif", blocksize=128, values=CELLS[:300, :280])
    told = [CliRunner().invoke(cli.group, ["info", str(place)]).output for place in (f"{server.url}/dem.tif", path)]
    assert told[0] == told[1]
    assert "300 x 280 cells" in told[0]
    for name, place in {"url": f"{server.url}/dem.tif?a=//b", "path": str(path)}.items():
        options = ["--unit", "m", "--jobs", "1", "--out", str(tmp_path / f"{name}.tif")]
        CliRunner().invoke(cli.group, ["terrain", "slope", place, *options], standalone_mode=False, catch_exceptions=False)
    assert (tmp_path / "url.tif").read_bytes() == (tmp_path / "path.tif").read_bytes()
    assert set(server.asked) == {"GET /dem.tif", "GET /dem.tif?a=//b"}
    with pytest.raises(FormatError, match=rf"^{server.url}/a\.gpkg is an address; only GeoTIFF, LAS, LAZ and COPC are read"):
        CliRunner().invoke(cli.group, ["info", f"{server.url}/a.gpkg"], standalone_mode=False, catch_exceptions=False)


def test_any_reads_of_a_remote_file_are_those_of_the_file(server: Server) -> None:
    data = np.random.default_rng(1).integers(0, 256, 300_001, np.uint8).tobytes()
    (server.folder / "any").write_bytes(data)
    remote, rng = Remote(f"{server.url}/any"), np.random.default_rng(2)
    with remote.open("rb") as stream:
        for _ in range(200):
            at, size = (int(v) for v in rng.integers(0, 310_000, 2))
            stream.seek(at)
            assert stream.read(size % 5000) == data[at : at + size % 5000]
        stream.seek(-7, 2)
        assert stream.read() == data[-7:]
    assert server.sent == len(data)
    assert files.reachable(remote) == remote
