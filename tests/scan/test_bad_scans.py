"""What no survey should be, and what becomes of it: one line of an error, or a recovery that is stated."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import laspy
import numpy as np
import pyproj
import pytest

from hazardgeo import io, pipeline, scan
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError

EAST, NORTH = 500_000.0, 4_000_000.0


def plane(count: int = 3000) -> Any:
    rng = np.random.default_rng(0)
    return np.column_stack([EAST + rng.uniform(0, 40, count), NORTH + rng.uniform(0, 40, count), rng.normal(1800, 0.05, count)])


def cloud_of(xyz: Any, crs: int = 32648, **attributes: Any) -> PointCloud:
    return PointCloud(np.round(xyz, 3), crs, attributes)


def all_of(code: int) -> PointCloud:
    return cloud_of(plane(), classification=np.full(3000, code, np.uint8))


def withheld() -> PointCloud:
    return cloud_of(plane(), withheld=np.ones(3000, bool))


IN_MEMORY: dict[str, Callable[[PointCloud], Any]] = {
    "clean": scan.clean,
    "ground": scan.classify_ground,
    "dtm": lambda c: scan.dtm(scan.classify_ground(c)),
    "dsm": scan.dsm,
    "normals": lambda c: scan.normals(c, radius_m=2.0),
    "uncertainty": lambda c: scan.ground_uncertainty(scan.classify_ground(c)),
    "layers": lambda c: scan.dtm_layers(scan.classify_ground(c)),
    "report": scan.report,
    "roughness": scan.roughness,
    "density": scan.density,
}
FILES: dict[str, Callable[[Path, Path], Any]] = {
    "clean": lambda cloud, out: pipeline.clean(cloud, out=out / "clean.laz"),
    "ground": lambda cloud, out: pipeline.ground(cloud, out=out),
    "surface": lambda cloud, out: pipeline.surface(cloud, out=out / "highest.tif"),
    "normals": lambda cloud, out: pipeline.normals(cloud, out=out / "normals.laz", radius_m=2.0),
    "layers": lambda cloud, out: pipeline.dtm_layers(cloud, out=out),
    "info": lambda cloud, out: pipeline.cloud_report(cloud),
}


def refused(work: Callable[[], Any], kind: type[Exception], match: str, out: Path | None = None) -> None:
    """The work ends in one line, and leaves no result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HazardGeoWarning)
        with pytest.raises(kind, match=match) as caught:
            work()
    assert "\n" not in str(caught.value)
    assert out is None or not [p for p in out.rglob("*") if p.suffix in (".tif", ".laz") and ".tiles" not in str(p)]


@pytest.mark.parametrize("name", list(IN_MEMORY))
def test_no_points_are_refused(name: str) -> None:
    refused(
        lambda: IN_MEMORY[name](cloud_of(np.empty((0, 3)))), InputError, "needs points|needs at least|no points|nothing is left"
    )


@pytest.mark.parametrize("name", list(FILES))
def test_a_file_without_points_is_refused(name: str, tmp_path: Path) -> None:
    header = laspy.LasHeader(version="1.4", point_format=6)
    header.add_crs(pyproj.CRS(32648))
    with laspy.open(tmp_path / "in.laz", "w", header=header):
        pass
    (out := tmp_path / "out").mkdir()
    refused(lambda: FILES[name](tmp_path / "in.laz", out), FormatError, "has no points", out)


@pytest.mark.parametrize("name", [n for n in IN_MEMORY if n != "clean"])
def test_coordinates_that_are_not_finite_are_refused_in_memory(name: str) -> None:
    xyz = plane()
    xyz[3], xyz[7, 2] = np.nan, np.inf
    refused(lambda: IN_MEMORY[name](cloud_of(xyz)), InputError, "2 of 3,000 points have coordinates that are not finite")


def test_coordinates_that_are_not_finite_are_dropped_by_cleaning_and_in_files(tmp_path: Path) -> None:
    xyz = np.round(plane(), 3)
    xyz[3], xyz[7, 2] = np.nan, np.inf
    assert scan.clean(cloud_of(xyz)).report.not_finite == 2
    head = b"ply\nformat binary_little_endian 1.0\nelement vertex 3000\n"
    head += b"".join(b"property double %b\n" % axis for axis in (b"x", b"y", b"z")) + b"end_header\n"
    (tmp_path / "in.ply").write_bytes(head + xyz.astype("<f8").tobytes())
    with pytest.warns(HazardGeoWarning, match="2 of 3,000 points have no coordinates"):
        made = pipeline.surface(tmp_path / "in.ply", out=tmp_path / "count.tif", statistic="count", crs="EPSG:32648")
    assert io.read_raster(made).values.sum() == 2998


def test_one_place_is_one_cell_and_nothing_more(tmp_path: Path) -> None:
    cloud = cloud_of(np.repeat(plane()[:1], 50, axis=0))
    z = np.float32(cloud.xyz[0, 2])
    assert scan.dsm(cloud).values.tolist() == [[z]]
    assert scan.dtm(scan.classify_ground(cloud)).values.tolist() == [[z]]
    assert np.isnan(scan.normals(cloud, radius_m=2.0).normal).all()
    io.write_cloud(cloud, tmp_path / "in.laz")
    made = pipeline.ground(tmp_path / "in.laz", out=tmp_path / "made")
    assert io.read_raster(made["dtm"]).values.tolist() == [[z]]
    refused(lambda: scan.clean(cloud), InputError, "nothing is left of 50 points: .* 49 doubled, 0 came as noise, 1 isolated")
    refused(lambda: FILES["clean"](tmp_path / "in.laz", tmp_path / "made2"), InputError, "nothing is left of 50 points")


def test_one_point_per_cell_gives_its_height_back(tmp_path: Path) -> None:
    x, y = np.meshgrid(np.arange(30) + 0.5, np.arange(30) + 0.5)
    cloud = cloud_of(np.column_stack([EAST + x.ravel(), NORTH + y.ravel(), 1800 + 0.3 * x.ravel()]))
    io.write_cloud(cloud, tmp_path / "in.laz")
    made = pipeline.ground(tmp_path / "in.laz", out=tmp_path / "made")
    wanted = np.tile(1800 + 0.3 * (np.arange(30) + 0.5), (30, 1))
    np.testing.assert_allclose(io.read_raster(made["dtm"]).values, wanted, atol=1e-3)
    layers = scan.dtm_layers(scan.classify_ground(cloud))
    assert (layers.count.values == 1).all()
    assert layers.spread.unknown.all()


@pytest.mark.parametrize(
    ("at", "form", "value", "match"),
    [(247, "<Q", 9000, "it ends before its last point"), (247, "<Q", 2**50, "it ends before its last point")],
)
def test_a_header_that_counts_more_points_than_there_are_is_refused(
    tmp_path: Path, at: int, form: str, value: Any, match: str
) -> None:
    lying = lied(tmp_path, at, form, value)
    for name, work in FILES.items():
        (out := tmp_path / name).mkdir()
        refused(lambda work=work, out=out: work(lying, out), FormatError, match, out)


def test_a_header_that_counts_fewer_points_than_there_are_is_warned_of(tmp_path: Path) -> None:
    lying = lied(tmp_path, 247, "<Q", 100)
    with pytest.warns(HazardGeoWarning, match="its header counts 100 points, but it has room for 3,000"):
        assert len(io.read_cloud(lying)) == 100
    with pytest.warns(HazardGeoWarning, match="its header counts 100 points, but it has room for 3,000"):
        pipeline.surface(lying, out=tmp_path / "out.tif")


@pytest.mark.parametrize(("at", "value"), [(179, EAST + 0.5), (179, 9e9), (187, float("nan")), (195, -9e9)])
def test_a_header_with_wrong_bounds_changes_no_surface(tmp_path: Path, at: int, value: float) -> None:
    lying = lied(tmp_path, at, "<d", value)
    whole = scan.dsm(io.read_cloud(tmp_path / "true.las"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HazardGeoWarning)
        found = io.read_raster(pipeline.surface(lying, out=tmp_path / "out.tif"))
    np.testing.assert_array_equal(found.values, whole.values)


def lied(folder: Path, at: int, form: str, value: Any) -> Path:
    """A LAS file with one number of its header changed."""
    io.write_cloud(cloud_of(plane()), folder / "true.las")
    content = bytearray((folder / "true.las").read_bytes())
    struct.pack_into(form, content, at, value)
    (folder / "lying.las").write_bytes(content)
    return folder / "lying.las"


@pytest.mark.parametrize("name", list(IN_MEMORY))
def test_degrees_are_refused(name: str) -> None:
    refused(lambda: IN_MEMORY[name](cloud_of(plane() * [2e-4, 1e-5, 1], 4326)), CrsError, "needs metres")


@pytest.mark.parametrize("name", list(FILES))
def test_files_in_degrees_are_refused_stated_or_not(name: str, tmp_path: Path) -> None:
    for crs, match in ((4326, "needs metres"), (32648, "look like degrees")):
        io.write_cloud(cloud_of(plane() * [2e-4, 1e-5, 1], crs), tmp_path / "in.laz")
        (out := tmp_path / str(crs)).mkdir()
        refused(lambda out=out: FILES[name](tmp_path / "in.laz", out), CrsError, match, out)


@pytest.mark.parametrize("name", [n for n in FILES if n != "info"])
def test_two_crs_in_one_job_are_refused(name: str, tmp_path: Path) -> None:
    (both := tmp_path / "both").mkdir()
    io.write_cloud(cloud_of(plane()), both / "a.las")
    io.write_cloud(cloud_of(plane(), 32649), both / "b.las")
    (out := tmp_path / "out").mkdir()
    refused(lambda: FILES[name](both, out), CrsError, "in EPSG:32649, .* in EPSG:32648; bring them to one", out)


@pytest.mark.parametrize("turned", [False, True])
def test_a_wall_is_warned_of_and_nothing_is_invented_beside_it(turned: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    along, up = rng.uniform(0, 20, 5000), rng.uniform(0, 30, 5000)
    across = 5.5 + rng.normal(0, 0.01, 5000)
    wall = cloud_of(np.column_stack([*((across, along) if turned else (along, across)), up]) + np.array([EAST, NORTH, 1800]))
    with pytest.warns(HazardGeoWarning, match="m high on a strip .* m wide, as on a wall"):
        ground = scan.classify_ground(wall)
    dtm = scan.dtm(ground)
    assert dtm.grid.shape in ((20, 1), (1, 20))
    assert np.nanmax(dtm.values) < 1801
    io.write_cloud(wall, tmp_path / "in.laz")
    with pytest.warns(HazardGeoWarning, match="as on a wall"):
        made = pipeline.ground(tmp_path / "in.laz", out=tmp_path / "made")
    np.testing.assert_array_equal(io.read_raster(made["dtm"]).values, dtm.values)
    found = scan.normals(wall, radius_m=1.0)
    assert np.nanmedian(found.verticality) > 0.95


def test_the_class_that_points_come_with_does_not_say_what_is_ground(tmp_path: Path) -> None:
    roof = all_of(6)
    assert (scan.classify_ground(roof).attributes["classification"] == 2).all()
    refused(lambda: scan.dtm(roof), InputError, "none of the 3,000 points is ground")
    io.write_cloud(roof, tmp_path / "in.laz")
    (out := tmp_path / "out").mkdir()
    refused(lambda: FILES["layers"](tmp_path / "in.laz", out), InputError, "none of the 3,000 points is ground", out)


@pytest.mark.parametrize("cloud", [withheld(), all_of(7), all_of(18)], ids=["withheld", "low noise", "high noise"])
def test_nothing_that_counts_makes_no_surface(cloud: PointCloud, tmp_path: Path) -> None:
    for name in ("clean", "ground", "dtm", "dsm", "uncertainty", "layers"):
        refused(lambda name=name: IN_MEMORY[name](cloud), InputError, "withheld|noise")
    assert (scan.density(cloud).values == 0).all()
    assert np.isnan(scan.normals(cloud, radius_m=2.0).normal).all()
    io.write_cloud(cloud, tmp_path / "in.laz")
    for name in ("clean", "ground", "surface", "layers"):
        (out := tmp_path / name).mkdir()
        refused(lambda name=name, out=out: FILES[name](tmp_path / "in.laz", out), InputError, "withheld|noise|is ground", out)
