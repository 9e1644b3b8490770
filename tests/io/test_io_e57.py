import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyproj
import pytest

from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, MissingPackageError
from hazardgeo.io import cloud_info, e57_stations, read_cloud

QUARTER_TURN = np.array([np.sqrt(0.5), 0, 0, np.sqrt(0.5)])  # about the vertical: east becomes north


def write(path: Path, *scans: dict[str, object]) -> Path:
    pye57 = pytest.importorskip("pye57", reason="needs pye57")
    with pye57.E57(str(path), mode="w") as out:
        for scan in scans:
            pose = {k: scan.pop(k) for k in ("rotation", "translation") if k in scan}
            xyz = np.array(scan.pop("xyz"), float)
            data = {f"cartesian{axis}": xyz[:, i].copy() for i, axis in enumerate("XYZ")}
            out.write_scan_raw({**data, **{k: np.asarray(v) for k, v in scan.items()}}, **pose)
    return path


def test_scans_are_joined_with_their_pose_and_number(tmp_path: Path) -> None:
    turned = {"xyz": [(1, 0, 0), (0, 2, 5)], "rotation": QUARTER_TURN, "translation": np.array([500_000.0, 3_950_000, 2000])}
    path = write(tmp_path / "c.e57", turned, {"xyz": [(1, 2, 3)], "translation": np.array([10.0, 20, 30])})
    cloud = read_cloud(path, crs=32648, height=Height("ellipsoidal"))
    np.testing.assert_allclose(cloud.xyz, [(500_000, 3_950_001, 2000), (499_998, 3_950_000, 2005), (11, 22, 33)], atol=1e-9)
    assert cloud.attributes["scan_index"].tolist() == [0, 0, 1]
    assert cloud.attributes["scan_index"].dtype == np.int32
    assert cloud.height == Height("ellipsoidal")
    assert e57_stations(path).to_numpy().tolist() == [[0, 500_000, 3_950_000, 2000], [1, 10, 20, 30]]


def test_what_only_some_scans_have_is_left_out_and_named(tmp_path: Path) -> None:
    coloured = {"xyz": [(1, 2, 3)], "intensity": np.array([0.5], np.float32), "colorRed": np.array([7], np.uint8),
                "colorGreen": np.array([8], np.uint8), "colorBlue": np.array([9], np.uint8)}  # fmt: skip
    alone = read_cloud(write(tmp_path / "a.e57", dict(coloured)), crs=32648)
    assert {k: v.item() for k, v in alone.attributes.items()} == {
        "intensity": 0.5, "red": 7 * 257, "green": 8 * 257, "blue": 9 * 257, "scan_index": 0,
    }  # fmt: skip
    path = write(tmp_path / "b.e57", dict(coloured), {"xyz": [(4, 5, 6)]})
    with pytest.warns(HazardGeoWarning, match="only some of its scans have blue, green, intensity, red"):
        assert list(read_cloud(path, crs=32648).attributes) == ["scan_index"]


def test_points_that_the_scanner_marked_invalid_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "c.e57", {"xyz": [(1, 2, 3), (4, 5, 6)], "cartesianInvalidState": np.array([0, 2], np.int8)})
    with pytest.warns(HazardGeoWarning, match="1 of 2 points are marked invalid and are left out"):
        assert read_cloud(path, crs=32648).xyz.tolist() == [[1, 2, 3]]


def test_a_crs_must_be_stated_and_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "c.e57", {"xyz": [(1, 2, 3)]})
    with pytest.raises(CrsError, match=r"crs='EPSG"):
        read_cloud(path)
    data = path.read_bytes()
    for i, damaged in enumerate((data[:60], data[: len(data) // 2], b"no scan", data[:300] + b"\xff" * 40 + data[340:])):
        (tmp_path / f"{i}.e57").write_bytes(damaged)
        for read in (lambda p: read_cloud(p, crs=32648), e57_stations):
            if read is e57_stations and i == 3:
                continue  # the damage is in the points alone
            with pytest.raises(
                FormatError, match=r"it is damaged, cut|is not an E57 file|has a damaged header or is cut"
            ) as caught:
                read(tmp_path / f"{i}.e57")
            assert "\n" not in str(caught.value)


def test_without_pye57_the_command_that_installs_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pye57", None)
    (tmp_path / "c.e57").write_bytes(b"ASTM-E57")
    with pytest.raises(MissingPackageError, match=r"pip install 'hazardgeo\[e57\]'"):
        read_cloud(tmp_path / "c.e57", crs=32648)


def test_real_files_give_their_points_and_stations(data_case: Callable[[str], Path]) -> None:
    pytest.importorskip("pye57", reason="needs pye57")
    folder = data_case("formats/pye57")
    pump = read_cloud(folder / "pumpAVisualReferenceImage.e57", crs=32648)
    assert len(pump) == 155_201  # as its header says
    assert pump.attributes["red"].dtype == np.uint16
    assert (pump.attributes["red"] % 257 == 0).all()
    np.testing.assert_allclose(pump.bounds, (-2.903764, -5.301103, 1.721604, -0.792647), atol=1e-6)
    assert {"intensity", "red", "green", "blue"} < set(pump.attributes)
    assert e57_stations(folder / "pumpAVisualReferenceImage.e57")[["x", "y", "z"]].isna().to_numpy().all()
    moved = read_cloud(folder / "translationWithoutRotation.e57", crs=32648)
    assert (len(moved), moved.bounds) == (4, (4, 5, 5, 6))
    assert e57_stations(folder / "translationWithoutRotation.e57").to_numpy().tolist() == [[0, 4, 5, 6]]
    normals = read_cloud(folder / "testWithNormals.e57", crs=32648)
    assert len(normals) == 2
    lengths = np.linalg.norm([normals.attributes[n] for n in ("nx", "ny", "nz")], axis=0)
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)


@pytest.mark.parametrize("name", ["pumpAVisualReferenceImage", "testWithNormals", "translationWithoutRotation"])
def test_a_real_scan_without_a_crs_is_refused_for_it_and_nothing_else(data_case: Callable[[str], Path], name: str) -> None:
    pytest.importorskip("pye57", reason="needs pye57")
    with pytest.raises(CrsError, match="no coordinate reference system"):
        read_cloud(data_case("formats/pye57") / f"{name}.e57")


def by_hand(path: Path, points: dict[str, list[float]], *, quarter_turn: bool = False, **limits: int) -> Path:
    """One scan whose fields pye57 does not write itself: spherical coordinates, normals, other colour depths."""
    pye57 = pytest.importorskip("pye57", reason="needs pye57")
    lib = pye57.libe57
    with pye57.E57(str(path), mode="w") as out:
        image = out.image_file
        if any(name.startswith("nor:") for name in points):
            image.extensionsAdd("nor", "http://www.libe57.org/E57_NOR_surface_normals.txt")
        scan = lib.StructureNode(image)
        scan.set("guid", lib.StringNode(image, "{1}"))
        if quarter_turn:
            pose, rotation, translation = (lib.StructureNode(image) for _ in range(3))
            for key, value in zip("wxyz", QUARTER_TURN, strict=True):
                rotation.set(key, lib.FloatNode(image, float(value)))
            for key, value in zip("xyz", (100.0, 200.0, 300.0), strict=True):
                translation.set(key, lib.FloatNode(image, value))
            pose.set("rotation", rotation)
            pose.set("translation", translation)
            scan.set("pose", pose)
        if limits:
            box = lib.StructureNode(image)
            for colour in ("Red", "Green", "Blue"):
                box.set(f"color{colour}Minimum", lib.IntegerNode(image, 0))
                box.set(f"color{colour}Maximum", lib.IntegerNode(image, limits["largest"]))
            scan.set("colorLimits", box)
        prototype = lib.StructureNode(image)
        buffers = lib.VectorSourceDestBuffer()
        count = len(next(iter(points.values())))
        arrays = {name: np.array(values, float) for name, values in points.items()}
        for name, values in arrays.items():
            whole = name.startswith(("color", "is")) or name.endswith("State")
            node = lib.IntegerNode(image, 0, 0, 65535) if whole else lib.FloatNode(image, 0.0, lib.FloatPrecision.E57_DOUBLE)
            prototype.set(name, node)
            buffers.append(lib.SourceDestBuffer(image, name, values, count, True, True))
        vector = lib.CompressedVectorNode(image, prototype, lib.VectorNode(image, True))
        scan.set("points", vector)
        out.data3d.append(scan)
        writer = vector.writer(buffers)
        writer.write(count)
        writer.close()
    return path


def test_spherical_scans_and_their_normals_are_turned_with_the_pose(tmp_path: Path) -> None:
    half = np.pi / 2
    points = {"sphericalRange": [2.0, 3.0, 4.0], "sphericalAzimuth": [0, half, 0], "sphericalElevation": [0, 0, half],
              "nor:normalX": [1.0, 0, 0], "nor:normalY": [0, 1.0, 0], "nor:normalZ": [0, 0, 1.0]}  # fmt: skip
    cloud = read_cloud(by_hand(tmp_path / "c.e57", points, quarter_turn=True), crs=32648, offset=(500_000, 3_950_000, 0))
    # the points lie 2 m east, 3 m north and 4 m above the scanner; the turn makes east north and north west
    expected = [(500_100, 3_950_202, 300), (500_097, 3_950_200, 300), (500_100, 3_950_200, 304)]
    np.testing.assert_allclose(cloud.xyz, expected, atol=1e-6)
    turned = np.column_stack([cloud.attributes[n] for n in ("nx", "ny", "nz")])
    np.testing.assert_allclose(turned, [(0, 1, 0), (-1, 0, 0), (0, 0, 1)], atol=1e-6)


def test_colours_of_any_depth_become_16_bits_and_what_the_scanner_doubts_is_unknown(tmp_path: Path) -> None:
    place = {"cartesianX": [1.0, 2], "cartesianY": [1.0, 2], "cartesianZ": [1.0, 2]}
    points = place | {"colorRed": [0, 1023], "colorGreen": [1023, 0], "colorBlue": [341, 341], "intensity": [0.5, 0.7],
                      "isIntensityInvalid": [0, 1], "isColorInvalid": [0, 1]}  # fmt: skip
    found = read_cloud(by_hand(tmp_path / "c.e57", points, largest=1023), crs=32648).attributes
    assert [found[c].tolist() for c in ("red", "green", "blue")] == [[0, 0], [65535, 0], [21845, 0]]
    np.testing.assert_allclose(found["intensity"], [0.5, np.nan])
    sixteen = by_hand(tmp_path / "d.e57", place | {f"color{c}": [0, 40_000] for c in ("Red", "Green", "Blue")})
    assert read_cloud(sixteen, crs=32648).attributes["green"].tolist() == [0, 40_000]


@pytest.mark.parametrize(
    ("metadata", "code"),
    [("EPSG:32648", 32648), ("urn:ogc:def:crs:EPSG::4546", 4546), ("wkt", 32648), ("EPSG:32648+5773", 32648)],
)
def test_a_usable_coordinate_metadata_is_the_crs(tmp_path: Path, metadata: str, code: int) -> None:
    text = pyproj.CRS(32648).to_wkt() if metadata == "wkt" else metadata
    path = with_metadata(tmp_path / "c.e57", text)
    cloud = read_cloud(path)
    assert cloud.crs.to_epsg() == code
    assert cloud.height.kind == ("orthometric" if "+" in metadata else "unknown")
    assert cloud_info(path).crs == f"EPSG:{code}"
    with pytest.raises(CrsError, match="but crs= says"):
        read_cloud(path, crs=32650)


@pytest.mark.parametrize(
    "metadata", ["local", "32648", "EPSG:99999", "GEOGCS[", "WGS 84 / UTM zone 48N", "EPSG:2263", "EPSG:4978"]
)
def test_another_coordinate_metadata_asks_for_a_statement(tmp_path: Path, metadata: str) -> None:
    path = with_metadata(tmp_path / "c.e57", metadata)
    with pytest.raises(CrsError, match=r"its coordinateMetadata .*State the CRS with crs="):
        read_cloud(path)
    assert read_cloud(path, crs=32648).crs.to_epsg() == 32648
    assert any("coordinateMetadata" in note for note in cloud_info(path).notes)


def with_metadata(path: Path, text: str) -> Path:
    """A file whose header states `text` where pye57 writes an empty text."""
    pye57 = pytest.importorskip("pye57", reason="needs pye57")
    with pytest.MonkeyPatch.context() as patch:
        original = pye57.libe57.StringNode
        patch.setattr(pye57.e57.libe57, "StringNode", lambda image, value="": original(image, value or text))
        write(path, {"xyz": [(1, 2, 3)], "translation": np.array([500_000.0, 3_950_000, 0])})
    return path


def test_a_filter_keeps_only_what_it_asks_for_and_stations_come_with_the_scans(tmp_path: Path) -> None:
    path = write(tmp_path / "c.e57", {"xyz": [(1, 2, 3), (50, 60, 7)]}, {"xyz": [(2, 2, 3)]})
    cloud = read_cloud(path, crs=32648, bounds=(0, 0, 10, 10))
    assert cloud.attributes["scan_index"].tolist() == [0, 1]
    info = cloud_info(path)
    assert (info.kind, info.points, info.bounds, info.z_range_m) == ("E57", 3, (1, 2, 50, 60), (3, 7))
    assert "it joins 2 scans" in info.notes


def test_float32_scans_in_map_coordinates_name_what_they_have_lost(tmp_path: Path) -> None:
    path = write(tmp_path / "c.e57", {"xyz": [(500_000.3, 3_950_000.3, 3)]})
    with pytest.warns(HazardGeoWarning, match=r"reach 3950000 and are kept as float32, which is rounded to 0\.25 m"):
        read_cloud(path, crs=32648)
    assert any("float32" in note for note in cloud_info(path).notes)
