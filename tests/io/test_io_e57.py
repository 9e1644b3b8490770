import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, MissingPackageError
from hazardgeo.io import e57_stations, read_cloud

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
        "intensity": 0.5, "red": 7, "green": 8, "blue": 9, "scan_index": 0,
    }  # fmt: skip
    path = write(tmp_path / "b.e57", dict(coloured), {"xyz": [(4, 5, 6)]})
    with pytest.warns(HazardGeoWarning, match="only some of its scans have blue, green, intensity, red"):
        assert list(read_cloud(path, crs=32648).attributes) == ["scan_index"]


def test_points_that_the_scanner_marked_invalid_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "c.e57", {"xyz": [(1, 2, 3), (4, 5, 6)], "cartesianInvalidState": np.array([0, 2], np.int8)})
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
            with pytest.raises(FormatError, match=r"cannot be read as E57: .*; it is damaged, cut") as caught:
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
    np.testing.assert_allclose(pump.bounds, (-2.903764, -5.301103, 1.721604, -0.792647), atol=1e-6)
    assert {"intensity", "red", "green", "blue"} < set(pump.attributes)
    assert e57_stations(folder / "pumpAVisualReferenceImage.e57")[["x", "y", "z"]].isna().to_numpy().all()
    moved = read_cloud(folder / "translationWithoutRotation.e57", crs=32648)
    assert (len(moved), moved.bounds) == (4, (4, 5, 5, 6))
    assert e57_stations(folder / "translationWithoutRotation.e57").to_numpy().tolist() == [[0, 4, 5, 6]]
    assert len(read_cloud(folder / "testWithNormals.e57", crs=32648)) == 2
