"""Products as plain data: they come back exactly, and nothing that is read back can run."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from affine import Affine
from geopandas.testing import assert_geodataframe_equal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from hazardgeo import levels
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import FormatError
from hazardgeo.event import Earthquake, Shaking
from hazardgeo.grid import Grid
from hazardgeo.network import RoadNetwork
from hazardgeo.pipeline import results, store
from hazardgeo.pipeline.codec_table import Unstorable
from hazardgeo.pipeline.results import Results
from hazardgeo.raster import ClassLabel, Raster

LOCAL = pyproj.CRS.from_proj4("+proj=tmerc +lon_0=102.9 +k=0.9999 +x_0=500000 +ellps=krass +units=m")


def again(value: Any, folder: Path) -> Any:
    """The value, kept and fetched through JSON text."""
    return store.value_of(json.loads(json.dumps(store.encoded(value, folder))), folder)


@given(
    values=st_numpy.arrays(
        st.sampled_from(["<f4", "<f8", "|u1", "<i4", "<i8", "|b1", "<M8[ms]"]), st_numpy.array_shapes(max_dims=3, min_side=0)
    )
)
def test_arrays_come_back_to_the_bit(values: np.ndarray[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    found = again(values, tmp_path_factory.mktemp("store"))
    assert (found.dtype, found.shape, found.tobytes()) == (values.dtype, values.shape, values.tobytes())


def test_large_arrays_come_back_to_the_bit_with_every_pattern_of_nan(tmp_path: Path) -> None:
    bits = np.random.default_rng(1).integers(0, 2**32, (300, 200), dtype=np.uint32)
    bits[:, :50] = 0x7FC00001 + np.arange(50, dtype=np.uint32)
    found = again(bits.view(np.float32).T, tmp_path)
    assert found.tobytes() == np.ascontiguousarray(bits.view(np.float32).T).tobytes()
    assert len(list((tmp_path / "blobs").iterdir())) == 1
    found[0, 0] = 1.0  # a product may be worked on like a fresh one


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -0.0, 1e-320, float("inf"), "汉字\n", [1, (2, "b")], {"a": {1: None}}, (),
        datetime(2023, 12, 18, 15, 59, 30, 5, tzinfo=UTC), datetime(2023, 12, 18), date(2023, 12, 18),
        Affine(2.0, 0, 1 / 3, 0, -2.0, 4e6), Height("orthometric", "EPSG:5737"), np.float32(0.1), pd.NA,
        ClassLabel(1, "low", "#00ff00"),
        Earthquake(6.2, 102.8, 35.7, 10.0, datetime(2023, 12, 18, 15, 59, 30, tzinfo=UTC), "积石山"),
    ],
)  # fmt: skip
def test_small_values_come_back_with_their_type(value: Any, tmp_path: Path) -> None:
    found = again(value, tmp_path)
    assert type(found) is type(value)
    assert repr(found) == repr(value)


@pytest.mark.parametrize("crs", ["EPSG:32648", "EPSG:4490", LOCAL, LOCAL.to_wkt()])
def test_rasters_come_back_on_their_own_grid_whatever_its_crs(crs: Any, tmp_path: Path) -> None:
    grid = Grid(Affine(1 / 3, 0, 500_000.1, 0, -0.7, 4e6), (2, 3), crs)
    raster = Raster(
        np.array([[1, np.nan, 3], [4, 5, 6]], np.float32), grid, "高程", "m", Height("ellipsoidal"), (), {"model": "x"}
    )
    found = again(raster, tmp_path)
    assert found.grid == grid
    assert found.grid.crs.to_wkt() == grid.crs.to_wkt()
    assert (found.name, found.unit, found.height, found.tags) == (raster.name, raster.unit, raster.height, raster.tags)
    assert found.values.tobytes() == raster.values.tobytes()


def test_results_of_several_parts_come_back(tmp_path: Path) -> None:
    grid = Grid(Affine(1, 0, 500_000, 0, -1, 4e6), (2, 2), 32648)
    level = levels.single("landslide", np.array([[1, 2], [3, 4]], np.uint8), np.array([[0, 1], [2, 3]], np.uint8), grid)
    quake = Earthquake(6.2, 102.8, 35.7, 10.0, datetime(2023, 12, 18, tzinfo=UTC))
    shaking = Shaking(quake, pga_g=Raster(np.full((2, 2), 0.3, np.float32), grid, "pga", "g"), source="test")
    cloud = PointCloud(np.eye(3), pyproj.CRS(32648), {"classification": np.array([2, 1, 2], np.uint8)})
    nodes = geopandas.GeoDataFrame({"component": [0]}, geometry=[shapely.Point(1, 2)], crs=32648)
    found = again(
        {"levels": {"landslide": level}, "more": (shaking, cloud, RoadNetwork(nodes, nodes, nodes.crs, ("note",)))}, tmp_path
    )
    assert np.array_equal(found["levels"]["landslide"].shown.values, level.shown.values)
    assert found["levels"]["landslide"].level.classes == level.level.classes
    assert found["more"][0].event == quake
    assert found["more"][0].pgv_cm_s is None
    assert np.array_equal(found["more"][1].attributes["classification"], [2, 1, 2])
    assert found["more"][2].notes == ("note",)


def table() -> geopandas.GeoDataFrame:
    shapes = [shapely.Point(1, 2, 3), None, shapely.Point(), shapely.from_wkt("MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))")]
    found = geopandas.GeoDataFrame(
        {
            "number": [1, 2, 3, 4],
            "share": np.array([0.1, np.nan, -0.0, np.inf], np.float32),
            "text": ["x", None, "积石山", ""],
            "object": np.array([1, "a", None, np.nan], object),
            "texts": np.array(["p", "q", "r", "s"], object),
            "whole": pd.array([1, None, 3, 4], dtype="Int16"),
            "yes": pd.array([True, None, False, True], dtype="boolean"),
            "day": pd.array(["2023-12-18", None, "2024-01-01", "2024-01-02"], dtype="datetime64[ms]"),
            "moment": pd.date_range("2023-12-18", periods=4, tz="Asia/Shanghai", unit="ms"),
            "kind": pd.Categorical(["u", "v", None, "u"], categories=["v", "u"], ordered=True),
            "lists": np.array([[1], {"a": (1,)}, np.float64(3), date(2023, 1, 1)], object),
            "second": geopandas.array.from_shapely([shapely.Point(i, i) for i in range(4)], crs=4326),
        },
        geometry=shapes,
        crs=LOCAL,
    )
    found.attrs = {"notes": ["one"], "features_left_out": 0}
    return found


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(3, 11, 2, name="id"),
        pd.Index([7, 5, 9, 9], name="id"),
        pd.Index(["a", "b", "c", "d"]),
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1), ("b", 2)], names=["x", None]),
    ],
)
def test_tables_come_back_with_types_index_and_notes(index: pd.Index[Any], tmp_path: Path) -> None:
    before = table().set_index(index)
    found = again(before, tmp_path)
    assert_geodataframe_equal(found, before)
    assert found.dtypes.to_list() == before.dtypes.to_list()
    assert (found.attrs, found.crs, found["second"].crs) == (before.attrs, before.crs, before["second"].crs)
    assert shapely.to_wkb(found.geometry.to_numpy()).tolist() == shapely.to_wkb(before.geometry.to_numpy()).tolist()
    assert store.identity(store.encoded(found, tmp_path)) == store.identity(store.encoded(before, tmp_path))


def test_tables_without_rows_columns_or_places_come_back(tmp_path: Path) -> None:
    for before in (pd.DataFrame(), table().iloc[:0], pd.DataFrame({"a": [1.5], "b": [None]})):
        found = again(before, tmp_path)
        assert type(found) is type(before)
        pd.testing.assert_frame_equal(pd.DataFrame(found), pd.DataFrame(before))


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([object()]), 1j, pd.Timestamp("2023-01-01"), pd.Series([1])])
def test_what_is_not_known_exactly_is_not_kept(value: Any, tmp_path: Path) -> None:
    with pytest.raises(Unstorable, match="cannot be kept"):
        store.encoded({"a": [value]}, tmp_path)


class _Trap:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("trap.txt"),))


@pytest.mark.parametrize(
    "data",
    [
        {"noun": ["Popen", {"args": "touch trap.txt"}]},
        {"noun": ["Raster", {"values": "1"}]},
        {"array": ["|O", [1], "=AAAAAAAAAAA="]},
        {"array": ["<f4", [3], "=AAAA"]},
        {"array": ["<f4", [1], "../../etc/passwd"]},
        {"unknown": 1},
        {"a": 1, "b": 2},
        {"table": {}},
        {"array": ["|u1", [1 << 50], "="]},
        {"array": 5},
        {"crs": 5},
    ],
)
def test_forged_data_are_refused(data: Any, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is damaged"):
        store.value_of(data, tmp_path)


def test_pickled_objects_in_the_store_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("entries", "blobs"):
        (tmp_path / folder).mkdir()
        for name in ("ground.json", "0" * 64):
            (tmp_path / folder / name).write_bytes(pickle.dumps(_Trap()))
    assert store.find("ground", "key", tmp_path) is None
    with pytest.raises(FormatError, match="is damaged"):
        store.value_of({"array": ["<f8", [1], "0" * 64]}, tmp_path)
    assert not (tmp_path / "trap.txt").exists()


@pytest.mark.parametrize("products", [[1], 5, {"array": 5}, {"x": {"array": ["f4", [1], 7]}}, {"x": {"array": []}}])
def test_entries_of_another_shape_count_as_absent(products: Any, tmp_path: Path) -> None:
    (tmp_path / "entries").mkdir()
    entry = {"key": "k", "products": products, "warnings": [], "skipped": ""}
    store.write_hashed(entry, tmp_path / "entries" / "ground.json")
    assert store.find("ground", "k", tmp_path) is None
    store.sweep({"ground"}, tmp_path)
    assert not store.names(tmp_path)


def test_the_record_of_the_results_is_believed_only_as_it_was_written(tmp_path: Path) -> None:
    results.write(Results(headlines=("key", {"people": {"value": "12", "note": ""}}), known=("map.html",)), tmp_path)
    assert results.read(tmp_path, tmp_path).headlines[1]["people"]["value"] == "12"
    path = tmp_path / "results.json"
    for content in (path.read_text(encoding="utf-8").replace("12", "99"), "[" * 100_000):
        path.write_text(content, encoding="utf-8")
        assert results.read(tmp_path, tmp_path) == Results()
    (tmp_path / "manifest.json").write_text("[" * 100_000, encoding="utf-8")
    assert results.read(tmp_path, tmp_path) == Results()


def test_only_results_are_stale_and_nothing_is_removed_outside(tmp_path: Path) -> None:
    assert results.stale(("rasters/..", "tables/.x", "../map.html", "notes.txt", "rasters/a.tif"), set()) == {"rasters/a.tif"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.tif").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "staged").mkdir()
    (tmp_path / "staged" / "manifest.json").touch()
    try:
        (tmp_path / "out" / "rasters").symlink_to(tmp_path / "mine", target_is_directory=True)
    except OSError:
        pytest.skip("needs the right to make links")
    results.publish(tmp_path / "staged", tmp_path / "out", {"rasters/a.tif"})
    assert (tmp_path / "mine" / "a.tif").exists()
