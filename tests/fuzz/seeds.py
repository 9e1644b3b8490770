"""Small valid files of every kind that a door takes, each with the files beside it that belong to it in a folder of its own."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import laspy
import lazrs
import numpy as np

EPSG = 32648
KML = """<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>roads</name><Folder><name>roads</name>
<Placemark><name>a</name><LineString><coordinates>105.1,35.5,0 105.2,35.6,0</coordinates></LineString></Placemark>
<Placemark><name>b</name><LineString><coordinates>105.3,35.5,0 105.4,35.6,0</coordinates></LineString></Placemark>
</Folder></Document></kml>
"""
TABLE = "name,longitude,latitude,people\n学校,105.1,35.5,30\nhall,105.2,35.6,4\n"
SCENARIO = """title = "first night"
crs = "EPSG:32648"
seed = 4
data_time = 2023-12-19T08:00:00+08:00
[event]
magnitude = 6.2
longitude = 102.8
latitude = 35.7
depth_km = 10.0
time = 2023-12-18T15:59:30Z
[inputs]
scan = "scan.laz"
roads = { path = "roads.gpkg", layer = "roads" }
[shelter]
limit_min = 30.0
"""
PRODUCT = """<?xml version="1.0" encoding="utf-8"?>
<ModelMetadata version="1"><SRS>EPSG:32648</SRS><SRSOrigin>500000,4000000,1800</SRSOrigin></ModelMetadata>
"""


@dataclass(frozen=True, slots=True)
class Seed:
    """A valid file; what is in its folder belongs to it, and is damaged with it or in its place."""

    kind: str
    path: Path


def write_seeds(folder: Path) -> list[Seed]:
    """One seed of each kind; those that need an optional package or shared data are left out without them."""
    seeds = []
    for kind, (name, write) in sorted(_WRITERS.items()):
        (place := folder / kind).mkdir(parents=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write(place / name)
        if (place / name).exists():
            seeds.append(Seed(kind, place / name))
    return seeds


def _xyz(n: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    rng = np.random.default_rng(0)
    return rng.uniform([500_000, 4e6, 1800], [500_050, 4_000_050, 1830], (n, 3))


def _las(point_format: int, *, chunk_points: int = 0) -> Callable[[Path], None]:
    """A file of this point format, with a WKT; with `chunk_points` compressed, in chunks of so many points."""

    def write(path: Path) -> None:
        import pyproj
        from laspy.vlrs.known import WktCoordinateSystemVlr

        points = _xyz(300)
        header = laspy.LasHeader(version="1.4", point_format=point_format)
        header.scales, header.offsets = np.full(3, 0.001), np.floor(points.min(axis=0))
        header.vlrs.append(WktCoordinateSystemVlr(pyproj.CRS(EPSG).to_wkt("WKT1_GDAL")))
        header.global_encoding.wkt = True
        header.add_extra_dim(laspy.ExtraBytesParams("echo", np.dtype("f4")))
        las = laspy.LasData(header)
        las.xyz = points
        las.intensity = np.arange(len(points)) % 999
        las.return_number[:] = las.number_of_returns[:] = 1
        las.write(plain := io.BytesIO(), do_compress=False)
        path.write_bytes(in_chunks(plain.getvalue(), chunk_points) if chunk_points else plain.getvalue())

    return write


def in_chunks(las: bytes, chunk_points: int, *, varying: bool = False) -> bytes:
    """The bytes of a LAS file as LAZ, in chunks of `chunk_points` points; `varying` says so in place of a fixed number."""
    header = laspy.LasHeader.read_from(io.BytesIO(las))
    size, start = header.point_format.size, header.offset_to_point_data
    extra = size - laspy.PointFormat(header.point_format.id).size
    vlr = lazrs.LazVlr.new_for_compression(header.point_format.id, extra, varying)
    record = bytearray(vlr.record_data())
    if not varying:
        record[12:16] = chunk_points.to_bytes(4, "little")
    vlr = lazrs.LazVlr(bytes(record))
    rows = np.frombuffer(las, np.uint8)[start : start + size * header.point_count].reshape(-1, size)
    head = bytearray(las[:start] + bytes(2) + b"laszip encoded".ljust(16, b"\0") + (22204).to_bytes(2, "little"))
    head += len(record).to_bytes(2, "little") + bytes(32) + record
    head[96:100] = len(head).to_bytes(4, "little")
    head[100:104] = (int.from_bytes(head[100:104], "little") + 1).to_bytes(4, "little")
    head[104] |= 0x80
    out = io.BytesIO()
    out.write(head)
    compressor = lazrs.LasZipCompressor(out, vlr)
    for first in range(0, len(rows), chunk_points):
        compressor.compress_many(rows[first : first + chunk_points].ravel())
        if varying and first + chunk_points < len(rows):
            compressor.finish_current_chunk()
    compressor.done()
    return out.getvalue()


def _copc(path: Path) -> None:
    if shared := os.environ.get("HAZARDGEO_DATA"):
        shutil.copy(Path(shared) / "lasr_bcts" / "example.copc.laz", path)


def _osm(path: Path) -> None:
    if shared := os.environ.get("HAZARDGEO_DATA"):
        shutil.copy(Path(shared) / "helsinki_osm" / "test.osm.pbf", path)


def _e57(path: Path) -> None:
    if importlib.util.find_spec("pye57") is None:
        return
    import pye57

    points = _xyz(120)
    with pye57.E57(str(path), mode="w") as file:
        data = {f"cartesian{axis}": points[:, i] for i, axis in enumerate("XYZ")}
        file.write_scan_raw({**data, "intensity": np.arange(120.0)}, rotation=np.array([1.0, 0, 0, 0]), translation=np.zeros(3))


def with_checksums(data: bytes) -> bytes:
    """The bytes of an E57 file in which each whole page of 1024 ends with its checksum (CRC-32C)."""
    pages = [data[i : i + 1024] for i in range(0, len(data), 1024)]
    return b"".join(p[:1020] + _crc32c(p[:1020]).to_bytes(4, "big") if len(p) == 1024 else p for p in pages)


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _crc32c_of(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC32C = [_crc32c_of(byte) for byte in range(256)]


def _ply(path: Path) -> None:
    lines = "ply\nformat ascii 1.0\nelement vertex 40\nproperty double x\nproperty double y\nproperty double z\nend_header\n"
    path.write_text(lines + "\n".join(f"{x:.3f} {y:.3f} {z:.3f}" for x, y, z in _xyz(40)) + "\n")


def _ply_binary(path: Path) -> None:
    fields = (
        "property double x\nproperty double y\nproperty double z\nproperty uchar red\nproperty list uchar int vertex_indices\n"
    )
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex 40\n{fields}end_header\n"
    rows = b"".join(row.tobytes() + b"\x07\x02" + bytes(8) for row in _xyz(40))
    path.write_bytes(head.encode() + rows)


def _pcd(kind: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        points = _xyz(60)
        head = "VERSION 0.7\nFIELDS x y z\nSIZE 8 8 8\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 60\nHEIGHT 1\n"
        body = points.tobytes()
        if kind == "ascii":
            body = "\n".join(f"{x:.3f} {y:.3f} {z:.3f}" for x, y, z in points).encode()
        if kind == "binary_compressed":
            plain = points.T.tobytes()  # LZF of literal runs: no program needs more to read it
            packed = b"".join(bytes([len(plain[i : i + 32]) - 1]) + plain[i : i + 32] for i in range(0, len(plain), 32))
            body = len(packed).to_bytes(4, "little") + len(plain).to_bytes(4, "little") + packed
        path.write_bytes(f"{head}VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 60\nDATA {kind}\n".encode() + body)

    return write


def _text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content, "utf-8") and None  # type: ignore[func-returns-value]


def _points_text(path: Path) -> None:
    path.write_text("\n".join(f"{x:.3f} {y:.3f} {z:.3f} 7" for x, y, z in _xyz(50)))


def _surface(path: Path) -> None:
    from affine import Affine

    from hazardgeo.crs import Height
    from hazardgeo.grid import Grid
    from hazardgeo.io import write_raster
    from hazardgeo.raster import ClassLabel, Raster

    grid = Grid(Affine(10, 0, 500_000, 0, -10, 4_000_000), (20, 30), EPSG)  # type: ignore[arg-type]
    rng = np.random.default_rng(1)
    if path.stem == "classes":
        labels = (ClassLabel(1, "low", "#00ff00"), ClassLabel(2, "high", "#ff0000"))
        write_raster(Raster(rng.integers(1, 3, (20, 30), np.uint8), grid, "level", "", classes=labels), path)
    else:
        write_raster(Raster(rng.normal(1800, 30, (20, 30)).astype(np.float32), grid, "elevation", "m", Height()), path)


def _by_gdal(driver: str, **options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        import rasterio
        from rasterio.transform import from_origin

        values = np.random.default_rng(2).normal(1800, 30, (150, 150)).astype(np.float32)
        profile = {"height": 150, "width": 150, "count": 1, "dtype": "float32", "nodata": -9999.0, **options}
        with rasterio.open(path, "w", driver=driver, crs=EPSG, transform=from_origin(5e5, 4e6, 10, 10), **profile) as file:
            file.write(values, 1)
        if options.get("tiled"):
            with rasterio.open(path, "r+") as file:
                file.build_overviews([2], rasterio.enums.Resampling.average)

    return write


def _netcdf(path: Path) -> None:
    from rasterio import shutil as rasters

    _by_gdal("GTiff")(path.with_suffix(".tif"))
    rasters.copy(path.with_suffix(".tif"), path, driver="netCDF")
    path.with_suffix(".tif").unlink()


def _vrt(path: Path) -> None:
    _by_gdal("GTiff")(path.with_name("source.tif"))
    path.write_text(
        '<VRTDataset rasterXSize="150" rasterYSize="150"><SRS>EPSG:32648</SRS>'
        "<GeoTransform>500000,10,0,4000000,0,-10</GeoTransform>"
        '<VRTRasterBand dataType="Float32" band="1"><SimpleSource><SourceFilename relativeToVRT="1">source.tif</SourceFilename>'
        '<SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" xSize="150" ySize="150"/>'
        '<DstRect xOff="0" yOff="0" xSize="150" ySize="150"/></SimpleSource></VRTRasterBand></VRTDataset>'
    )


def _features(path: Path) -> None:
    import geopandas as gpd
    from shapely.geometry import LineString, Point, box

    from hazardgeo.io import write_vectors

    zones = gpd.GeoDataFrame({"name": ["a", "学校"]}, geometry=[box(0, 0, 2, 2), box(3, 3, 4, 5)], crs=4326)
    match path.suffix:
        case ".gpkg":
            sites = gpd.GeoDataFrame({"people": [30, 4]}, geometry=[Point(5, 4), Point(6, 4)], crs=4326)
            write_vectors({"sites": sites}, path)
        case ".parquet":
            zones.to_parquet(path)
        case ".shp":
            roads = gpd.GeoDataFrame({"name": ["a"]}, geometry=[LineString([(0, 0), (1, 1), (2, 0)])], crs=4326)
            roads.to_file(path, encoding="UTF-8")
        case _:
            zones.to_file(path)


def _kmz(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("doc.kml", KML)


def _xlsx(path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["name", "longitude", "latitude", "people"], ["学校", 105.1, 35.5, 30], ["hall", 105.2, 35.6, 4]):
        book.active.append(row)
    book.save(path)


def shakemap(fields: str = "PGA pctg, PGV cms, MMI intensity, SVEL ms", values: str = "12.5 12.5 6.1 400") -> str:
    """A small grid.xml with these fields, the same at all nodes."""
    nodes = "\n".join(f"{lon} {lat} {values}" for lat in (36.0, 35.5, 35.0) for lon in (102.0, 102.5, 103.0, 103.5))
    named = ["LON dd", "LAT dd", *fields.split(", ")]
    listed = "\n".join(f'<grid_field index="{i}" name="{f.split()[0]}" units="{f.split()[1]}" />' for i, f in enumerate(named, 1))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<shakemap_grid xmlns="http://earthquake.usgs.gov/eqcenter/shakemap" event_id="x" shakemap_version="1">
<event event_id="x" magnitude="6.2" depth="10" lat="35.7" lon="102.8" event_timestamp="2023-12-18T15:59:30Z" />
<grid_specification lon_min="102" lat_min="35" lon_max="103.5" lat_max="36" nominal_lon_spacing="0.5"
 nominal_lat_spacing="0.5" nlon="4" nlat="3" />
{listed}
<grid_data>
{nodes}
</grid_data>
</shakemap_grid>
"""


def _uncertainty(path: Path) -> None:
    path.write_text(shakemap("STDPGA ln(pctg), STDPGV ln(cms)", "0.5 0.6"), "utf-8")
    path.with_name("grid.xml").write_text(shakemap(), "utf-8")


_WRITERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    **{f"las-{i}": ("cloud.las", _las(i)) for i in (0, 1, 3, 4, 6, 8, 10)},
    **{f"laz-{i}": ("cloud.laz", _las(i, chunk_points=100)) for i in (1, 3, 6, 7)},
    "copc": ("cloud.copc.laz", _copc),
    "e57": ("cloud.e57", _e57),
    "ply": ("cloud.ply", _ply),
    "ply-binary": ("cloud.ply", _ply_binary),
    **{f"pcd-{kind}": ("cloud.pcd", _pcd(kind)) for kind in ("ascii", "binary", "binary_compressed")},
    "points-text": ("cloud.xyz", _points_text),
    "geotiff": ("surface.tif", _surface),
    "geotiff-classes": ("classes.tif", _surface),
    "geotiff-tiled": ("tiled.tif", _by_gdal("GTiff", tiled=True, blockxsize=64, blockysize=64, compress="deflate", predictor=3)),
    "netcdf": ("grid.nc", _netcdf),
    "vrt": ("mosaic.vrt", _vrt),
    "arc-grid": (
        "dem.asc",
        _text("ncols 3\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 10\nNODATA_value -9999\n1 2 3\n4 -9999 6\n"),
    ),
    **{f"vector-{suffix}": (f"zones.{suffix}", _features) for suffix in ("gpkg", "parquet", "shp", "geojson", "fgb")},
    "vector-kml": ("roads.kml", _text(KML)),
    "vector-kmz": ("roads.kmz", _kmz),
    "vector-osm": ("map.osm.pbf", _osm),
    "table": ("sites.csv", _text(TABLE)),
    "table-excel": ("sites.xlsx", _xlsx),
    "shakemap": ("grid.xml", _text(shakemap())),
    "shakemap-uncertainty": ("uncertainty.xml", _uncertainty),
    "scenario": ("scenario.toml", _text(SCENARIO)),
    "product-folder": ("metadata.xml", _text(PRODUCT)),
}
