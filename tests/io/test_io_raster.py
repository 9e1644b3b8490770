import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hazardgeo import levels
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, HeightError, InputError
from hazardgeo.grid import Grid
from hazardgeo.io import read_raster, write_raster
from hazardgeo.io.raster.cells import _FLOAT_SENTINELS
from hazardgeo.raster import ClassLabel, Raster

UTM = Affine(10, 0, 500_000, 0, -10, 4_000_000)


def put(path: Path, values: Any, *, nodata: float | None = None, crs: str | None = "EPSG:32648", **more: Any) -> Path:
    """A GeoTIFF as others write it."""
    array = np.asarray(values)
    bands = array if array.ndim == 3 else array[None]
    options = {"transform": UTM, "crs": crs, "nodata": nodata, **more}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", dtype=bands.dtype, count=len(bands), height=bands.shape[1], width=bands.shape[2], **options
        ) as out:
            out.write(bands)
    return path


def same(a: Raster, b: Raster) -> None:
    assert a.values.dtype == b.values.dtype
    np.testing.assert_array_equal(a.values, b.values)
    assert a.grid.same_as(b.grid)
    assert (a.name, a.unit, a.height, a.classes, dict(a.tags)) == (b.name, b.unit, b.height, b.classes, dict(b.tags))


CLASSES = (ClassLabel(0, "not assessed", "#9e9e9e", hatched=True), ClassLabel(3, "高", "#fc8d59"))
ROUND_TRIPS = {
    "elevations above a geoid": ("float32", "m", Height("orthometric", "EPSG:5737"), (), {}),
    "elevations above the ellipsoid": ("float32", "m", Height("ellipsoidal"), (), {}),
    "elevations of unknown reference": ("float32", "m", Height(), (), {}),
    "a surface with tags": ("float32", "deg", None, (), {"model": " Jibson 2007 = eq. 7; ü\n", "empty": "", "a b": "c"}),
    "double precision": ("float64", "1", None, (), {}),
    "classes": ("uint8", "level", None, CLASSES, {"citation": "x"}),
    "classes without labels": ("uint8", "", None, (), {}),
    "ids": ("int32", "", None, (), {}),
    "a mask": ("bool", "", None, (), {}),
}


@pytest.mark.parametrize("case", ROUND_TRIPS)
def test_what_is_written_comes_back_exactly(case: str, tmp_path: Path) -> None:
    dtype, unit, height, classes, tags = ROUND_TRIPS[case]
    values = np.array([[0, 1, 3], [3, 0, 1]], dtype)
    if dtype.startswith("float"):
        values[0, 1] = np.nan
    if dtype == "uint8":
        values[0, 1] = 255
    before = Raster(values, Grid(UTM, (2, 3), 32648), "测试", unit, height, classes, tags)  # type: ignore[arg-type]
    write_raster(before, tmp_path / "r.tif")
    same(read_raster(tmp_path / "r.tif"), before)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(width=32, allow_infinity=False, min_value=-(2.0**90), max_value=2.0**90), min_size=1, max_size=12))
def test_any_surface_comes_back_exactly(tmp_path_factory: pytest.TempPathFactory, row: list[float]) -> None:
    assume(not set(row) & {float(np.float32(fill)) for fill in _FLOAT_SENTINELS})  # read as unknown, with a warning
    path = tmp_path_factory.mktemp("any") / "r.tif"
    before = Raster(np.array([row], np.float32), Grid(UTM, (1, len(row)), 32648))  # type: ignore[arg-type]
    write_raster(before, path)
    same(read_raster(path), before)


def test_a_large_raster_is_a_cog_with_overviews_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    values = np.arange(700 * 600, dtype=np.float32).reshape(700, 600)
    before = Raster(values, Grid(UTM, (700, 600), 32648), "dem", "m")  # type: ignore[arg-type]
    for name in ("a.tif", "b.tif"):
        write_raster(before, tmp_path / name)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tif", "b.tif"]
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.overviews(1) == [2]
        assert np.isnan(dataset.nodata)
        assert dataset.units == ("m",)


def test_levels_carry_their_colours_and_read_as_they_were(tmp_path: Path) -> None:
    grid = Grid(UTM, (1, 4), 32648)  # type: ignore[arg-type]
    shown = levels.single("x", np.array([[4, 1, 2, 3]], np.uint8), np.array([[1, 1, 0, 2]], np.uint8), grid).shown
    write_raster(shown, tmp_path / "levels.tif")
    same(read_raster(tmp_path / "levels.tif"), shown)
    with rasterio.open(tmp_path / "levels.tif") as dataset:
        assert dataset.colormap(1)[4] == (0xD7, 0x30, 0x1F, 255)
        assert dataset.nodata == 255


def test_a_failed_write_leaves_no_file(tmp_path: Path, make_raster: Callable[..., Raster]) -> None:
    with pytest.raises(FormatError, match=r"must end in \.tif"):
        write_raster(make_raster([[1]]), tmp_path / "r.png")
    with pytest.raises(FormatError, match="no folder"):
        write_raster(make_raster([[1]]), tmp_path / "no" / "r.tif")
    with pytest.raises(InputError, match="tags are texts"):
        write_raster(Raster(np.zeros((1, 1), np.float32), Grid(UTM, (1, 1), 32648), tags={"a": 1}), tmp_path / "r.tif")  # type: ignore
    assert not list(tmp_path.iterdir())


def test_declared_nodata_of_every_kind_is_unknown(tmp_path: Path) -> None:
    for dtype, nodata in (("int16", -32768), ("uint16", 65535), ("float32", -9999.0), ("float32", np.nan), ("float64", -3.4e38)):
        read = read_raster(put(tmp_path / "r.tif", np.array([[1, nodata], [2, 3]], dtype), nodata=nodata))
        assert read.values.dtype == np.float32
        np.testing.assert_array_equal(read.values, np.array([[1, np.nan], [2, 3]], np.float32))


def test_huge_fill_values_are_unknown_even_when_nothing_declares_them(tmp_path: Path) -> None:
    read = read_raster(put(tmp_path / "r.tif", np.array([[1, -3.4028235e38, 9.96921e36, np.inf]], np.float32)))
    np.testing.assert_array_equal(read.values, [[1, np.nan, np.nan, np.nan]])


def test_scale_and_offset_are_applied_after_nodata(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.array([[100, -1]], np.int16), nodata=-1)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.1,), (5.0,)
    np.testing.assert_array_equal(read_raster(path).values, np.array([[15.0, np.nan]], np.float32))


def test_integers_too_large_for_single_precision_stay_exact(tmp_path: Path) -> None:
    read = read_raster(put(tmp_path / "r.tif", np.array([[622_922_101, 5]], np.int32)))
    assert read.values.tolist() == [[622_922_101.0, 5.0]]


def test_bytes_are_classes_only_with_a_colour_table(tmp_path: Path) -> None:
    plain = put(tmp_path / "plain.tif", np.array([[0, 7]], np.uint8), nodata=0)
    np.testing.assert_array_equal(read_raster(plain).values, np.array([[np.nan, 7]], np.float32))
    coloured = put(tmp_path / "coloured.tif", np.array([[0, 7]], np.uint8), nodata=0)
    with rasterio.open(coloured, "r+") as dataset:
        dataset.write_colormap(1, {7: (255, 0, 0, 255)})
    read = read_raster(coloured)
    assert read.values.dtype == np.uint8
    assert read.values.tolist() == [[255, 7]]
    assert read.classes == (ClassLabel(7, "7", "#ff0000"),)


def test_bands_are_counted_from_one(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.array([[[1]], [[2]]], np.float32))
    assert read_raster(path, band=1).values.item() == 1
    assert read_raster(path, band=2).values.item() == 2
    for band in (0, 3):
        with pytest.raises(FormatError, match=f"has no band {band}; it has 2"):
            read_raster(path, band=band)


def test_a_window_reads_the_cells_it_overlaps_and_no_more(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.arange(12, dtype=np.float32).reshape(3, 4))
    whole = read_raster(path)
    block = whole.window(slice(1, 3), slice(1, 3))
    read = read_raster(path, window=block.grid.bounds)
    same(read, block)
    assert read_raster(path, window=(500_011, 3_999_981, 500_012, 3_999_982)).values.tolist() == [[5]]
    same(read_raster(path, window=(0, 0, 1e6, 1e7)), whole)


@pytest.mark.parametrize("window", [(0, 0, 1, 1), (500_040, 3_999_970, 500_050, 4_000_000)])
def test_a_window_outside_the_file_is_refused(tmp_path: Path, window: tuple[float, float, float, float]) -> None:
    path = put(tmp_path / "r.tif", np.zeros((3, 4), np.float32))
    with pytest.raises(InputError, match="lies outside"):
        read_raster(path, window=window)
    with pytest.raises(InputError, match="west < east"):
        read_raster(path, window=(2, 0, 1, np.nan))


def test_a_missing_crs_must_be_stated_and_a_stated_one_must_fit(tmp_path: Path) -> None:
    bare = put(tmp_path / "bare.tif", np.zeros((2, 2), np.float32), crs=None)
    with pytest.raises(CrsError, match="state it with crs="):
        read_raster(bare)
    assert read_raster(bare, crs="EPSG:4547").grid.crs.to_epsg() == 4547
    full = put(tmp_path / "full.tif", np.zeros((2, 2), np.float32))
    assert read_raster(full, crs=32648).grid.crs.to_epsg() == 32648
    with pytest.raises(CrsError, match="says that it is in EPSG:32648, but crs= says EPSG:4326"):
        read_raster(full, crs=4326)


def test_a_compound_crs_is_split_into_map_and_height(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.array([[2100]], np.float32), crs="EPSG:32648+5773")
    read = read_raster(path)
    assert read.grid.crs.to_epsg() == 32648
    assert read.height == Height("orthometric", "EPSG:5773")
    assert read_raster(path, height=Height("orthometric")).height == Height("orthometric", "EPSG:5773")
    assert read_raster(path, height=Height()).height == Height()
    with pytest.raises(HeightError, match="but height= says ellipsoidal"):
        read_raster(path, height=Height("ellipsoidal"))


def test_damaged_files_are_named_in_one_line(tmp_path: Path, make_raster: Callable[..., Raster]) -> None:
    whole = tmp_path / "whole.tif"
    write_raster(make_raster(np.random.default_rng(1).random((300, 300))), whole)
    (tmp_path / "cut.tif").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (tmp_path / "text.tif").write_text("no raster at all")
    for name in ("cut.tif", "text.tif"):
        with pytest.raises(FormatError, match="cannot be read as a raster") as caught:
            read_raster(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_an_srtm_tile_is_read_with_its_voids_unknown(data_case: Callable[[str], Path]) -> None:
    dem = read_raster(data_case("andorra") / "N42E001.hgt", unit="m")
    assert dem.grid.shape == (1201, 1201)
    assert dem.grid.crs.to_epsg() == 4326
    assert np.isnan(dem.values).any()
    assert 0 < np.nanmin(dem.values) < np.nanmax(dem.values) < 3404  # Pico de Aneto, the highest of the Pyrenees, is 3,404 m


def test_geotiffs_under_other_names_and_without_crs_are_read(data_case: Callable[[str], Path]) -> None:
    folder = data_case("lomaprieta_usgs") / "model_inputs"
    with pytest.raises(CrsError, match="crs="):
        read_raster(folder / "global_cti_fil.grd")
    cti = read_raster(folder / "global_cti_fil.grd", crs=4326, unit="1")
    assert cti.grid.shape == (108, 168)
    friction_deg = read_raster(folder / "global_friction_deg.flt", crs=4326)
    assert np.nanmin(friction_deg.values) >= 0
    river_km = read_raster(folder / "global_dr_km_ext_fill_clip_co.tif", crs=4326)
    assert np.nanmin(river_km.values) >= 0
    with pytest.raises(InputError, match="no georeference"):
        read_raster(data_case("lomaprieta_usgs") / "targets" / "zhu2015.grd", crs=4326)


def test_every_nan_is_written_with_the_same_bits(tmp_path, make_raster):
    plain, signed = make_raster([[1.0, np.nan]]), make_raster([[1.0, -np.nan]])
    assert plain.values.tobytes() != signed.values.tobytes()
    write_raster(plain, tmp_path / "a.tif")
    write_raster(signed, tmp_path / "b.tif")
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


WHOLE = '"name": "n", "unit": "m", "height": null, "classes": [], "tags": {}'


@pytest.mark.parametrize(
    "record",
    [
        "[1]",
        "5",
        '"x"',
        "{}",
        "{" + WHOLE.replace("null", '{"kindx": 1}') + "}",
        "{" + WHOLE.replace("null", "3") + "}",
        "{" + WHOLE.replace("[]", "[1]") + "}",
        "{" + WHOLE.replace("[]", '[{"code": 999, "label": "", "colour": "#000000", "hatched": false}]') + "}",
        "{" + WHOLE.replace("[]", '[{"code": 9, "label": "", "colour": "red", "hatched": false}]') + "}",
        "{" + WHOLE.replace('"tags": {}', '"tags": {"a": 1}') + "}",
        "{" + WHOLE.replace('"tags": {}', '"tags": [1]') + "}",
        "{" + WHOLE.replace('"m"', "5") + "}",
        "[" * 9999,
    ],
)
def test_a_damaged_record_leaves_what_any_program_reads(tmp_path: Path, make_raster: Callable[..., Raster], record: str) -> None:
    path = tmp_path / "a.tif"
    write_raster(make_raster([[1.0, np.nan]], name="depth", unit="cm"), path)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.update_tags(HAZARDGEO_RASTER=record)
    read = read_raster(path)
    np.testing.assert_array_equal(read.values, [[1.0, np.nan]])
    assert (read.name, read.unit, read.height, read.classes, dict(read.tags)) == ("depth", "cm", None, (), {})


def test_a_raster_with_a_long_name_in_chinese_is_written(tmp_path: Path, make_raster: Callable[..., Raster]) -> None:
    path = tmp_path / ("灾" * 80 + ".tif")
    write_raster(make_raster([[1.0]]), path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


ODD_NAN = {
    "float32": np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0x7FC12345], np.uint32).view(np.float32),
    "float64": np.array([0x7FF8 << 48, 0xFFF8 << 48, (0x7FF0 << 48) + 1, (0x7FF8 << 48) + 99], np.uint64).view(np.float64),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int32", "bool"])
def test_what_was_read_is_written_with_the_same_bytes(tmp_path: Path, dtype: str) -> None:
    cells = np.arange(8, dtype=np.int64).reshape(2, 4).astype(dtype)
    cells[0] = ODD_NAN.get(dtype, np.array([0, 1, 255, 7]).astype(dtype))
    grid = Grid(UTM, cells.shape, 32648)  # type: ignore[arg-type]
    classes = (ClassLabel(7, "seven", "#102030"),) if dtype == "uint8" else ()
    write_raster(Raster(cells, grid, "n", "m", Height("orthometric", "EPSG:5737"), classes, {"a": "b"}), tmp_path / "a.tif")
    read = read_raster(tmp_path / "a.tif")
    write_raster(read, tmp_path / "b.tif")
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    np.testing.assert_array_equal(read.values, cells)


def edited(path: Path, values: Any, **more: Any) -> Path:
    """A file of ours after another program has copied it with its tags."""
    write_raster(Raster(np.ones((1, 3), np.asarray(values).dtype), Grid(UTM, (1, 3), 32648), "r", ""), path)
    with rasterio.open(path) as ours:
        tags = ours.tags()
    stored = np.asarray(values, np.uint8) if np.asarray(values).dtype == bool else np.asarray(values)
    put(path, more.pop("cells", stored), nodata=more.pop("nodata", None))
    with rasterio.open(path, "r+") as out:
        out.update_tags(**tags)
        if more:
            out.scales, out.offsets = (more["scale"],), (more["offset"],)
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_surface_of_ours_that_a_gis_edited_keeps_no_fill_values(tmp_path: Path, dtype: Any) -> None:
    path = edited(tmp_path / "r.tif", np.array([[-9999, 2, 3]], dtype), scale=0.5, offset=10.0)
    with pytest.warns(HazardGeoWarning, match="hold -9999"):
        read = read_raster(path)
    assert read.values.dtype == dtype
    np.testing.assert_array_equal(read.values, [[np.nan, 11, 11.5]])


@pytest.mark.parametrize(("cells", "nodata"), [([[0, 1, 2]], None), ([[0, 1, 255]], 255), ([[0, 1, 1]], 0)])
def test_a_mask_of_ours_that_a_gis_edited_is_refused(tmp_path: Path, cells: Any, nodata: float | None) -> None:
    path = edited(tmp_path / "r.tif", np.array([[False, True, True]]), cells=np.array(cells, np.uint8), nodata=nodata)
    with pytest.raises(FormatError, match="was changed by another program; write it again"):
        read_raster(path)


@pytest.mark.parametrize("window", [(1, 2, 3), ("a", 2, 3, 4), 5, (None, 1, 2, 3)])
def test_a_window_that_is_none_is_refused(tmp_path: Path, window: Any) -> None:
    path = put(tmp_path / "r.tif", np.ones((2, 2), np.float32))
    with pytest.raises(InputError, match="window must be finite"):
        read_raster(path, window=window)
