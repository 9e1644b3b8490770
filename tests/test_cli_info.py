"""`hazardgeo info` over every kind of file that a door reads."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner

from hazardgeo import cli
from hazardgeo.cli import info
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import FormatError
from hazardgeo.io import read_cloud, write_cloud


def invoke(*arguments: object) -> str:
    found = CliRunner().invoke(cli.group, ["info", *map(str, arguments)], standalone_mode=False)
    if found.exception is not None:
        raise found.exception
    return found.output


def cloud_file(path: Path, points: int = 120_000) -> Path:
    rng = np.random.default_rng(7)
    write_cloud(PointCloud(rng.uniform(0, 100, (points, 3)) + np.array([500_000, 3_950_000, 2000]), 32648), path)  # type: ignore[arg-type]
    return path


def test_a_cut_laz_file_is_told_and_what_can_be_read_is_saved(tmp_path: Path) -> None:
    data = cloud_file(tmp_path / "c.laz").read_bytes()
    (tmp_path / "cut.laz").write_bytes(data[: len(data) * 9 // 10])
    assert "odd: the file is cut" in invoke(tmp_path / "cut.laz")
    said = invoke(tmp_path / "cut.laz", "--salvage", tmp_path / "saved.laz")
    assert "salvaged: 100,000 of 120,000 points are readable" in said
    assert len(read_cloud(tmp_path / "saved.laz")) == 100_000
    with pytest.raises(FormatError, match="is not a cut"):
        invoke(tmp_path / "c.laz", "--salvage", tmp_path / "other.laz")


def test_clouds_of_every_kind_are_described(tmp_path: Path, data_case: Callable[[str], Path]) -> None:
    (tmp_path / "c.ply").write_bytes(
        b"ply\nformat binary_little_endian 1.0\ncomment offset 500000 3950000 0\nelement vertex 1\nproperty float x\n"
        b"property float y\nproperty float z\nproperty uchar red\nend_header\n" + struct.pack("<3fB", 1, 2, 3, 4)
    )
    said = invoke(tmp_path / "c.ply")
    for words in (
        "kind: PLY",
        "points: 1",
        "dimensions: red",
        "bounds: known once",
        "odd: it states no CRS",
        "odd: its header says 'offset",
    ):
        assert words in said
    assert "float32" in said
    (tmp_path / "c.pcd").write_text(
        "VERSION .7\nFIELDS x y z\nSIZE 8 8 8\nTYPE F F F\nWIDTH 1\nHEIGHT 1\nPOINTS 1\nDATA ascii\n1 2 3\n"
    )
    assert "kind: PCD" in invoke(tmp_path / "c.pcd")
    (tmp_path / "c.xyz").write_text("1 2 3 4\n" * 50)
    said = invoke(tmp_path / "c.xyz")
    assert "kind: text" in said
    assert "layout='x y z ...'" in said
    (tmp_path / "c.txt").write_text("1 2 3 4\n" * 50)
    assert "kind: text" in invoke(tmp_path / "c.txt")
    assert "kind: COPC" in invoke(data_case("formats") / "laspy" / "simple.copc.laz")
    pytest.importorskip("pye57", reason="needs pye57")
    assert "points: 155201" in invoke(data_case("formats") / "pye57" / "pumpAVisualReferenceImage.e57")


def test_shapes_and_tables_are_described(tmp_path: Path) -> None:
    shapes = gpd.GeoDataFrame({"n": [1, 2]}, geometry=gpd.points_from_xy([102.1, 102.2], [35.1, 35.2]), crs=4326)
    for name in ("s.gpkg", "s.geojson", "s.fgb"):
        shapes.to_file(tmp_path / name)
        said = invoke(tmp_path / name)
        assert "features: 2" in said
        assert "geometry: Point" in said
    (tmp_path / "s.csv").write_text("name,longitude,latitude\na,102.1,35.1\nb,102.2,35.2\n")
    assert "features: 2" in invoke(tmp_path / "s.csv")


def raster_file(path: Path, rows: int, cols: int) -> Path:
    values = np.ones((rows, cols), np.float32)
    values[:, : cols // 2] = -1
    place = {"transform": Affine(1, 0, 500_000, 0, -1, 3_950_000), "crs": "EPSG:32648", "nodata": -1}
    with rasterio.open(path, "w", driver="GTiff", dtype="float32", count=1, height=rows, width=cols, tiled=True, **place) as out:
        out.write(values, 1)
    return path


def test_a_large_raster_is_sampled_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = raster_file(tmp_path / "r.tif", 300, 400)
    assert "unknown: 50.0% of cells" in invoke(path)
    monkeypatch.setattr(info, "_WHOLE_CELLS", 1000)
    monkeypatch.setattr(info, "_BLOCK_CELLS", 10)
    said = invoke(path)
    assert "grid: 300 x 400 cells, EPSG:32648" in said
    assert "unknown: 50.0% of a sample of 1," in said
    assert "of 120,000 cells" in said


def test_a_sample_never_reaches_beyond_a_narrow_raster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(info, "_WHOLE_CELLS", 100)
    assert "of 12,000 cells" in invoke(raster_file(tmp_path / "r.tif", 3000, 4))


def test_what_no_door_reads_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "c.bin").write_bytes(b"\0\1\2 nothing")
    with pytest.raises(FormatError) as caught:
        invoke(tmp_path / "c.bin")
    assert "\n" not in str(caught.value)
