import struct
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from hazardgeo.errors import FormatError, HazardGeoWarning, InputError
from hazardgeo.io import read_raster
from hazardgeo.raster import ClassLabel

UTM = Affine(10, 0, 500_000, 0, -10, 4_000_000)
NAN = np.nan
PLACE = "<SRS>EPSG:32648</SRS><GeoTransform>500000,10,0,4000000,0,-10</GeoTransform>"
ONE_SOURCE = '<SimpleSource><SourceFilename relativeToVRT="1">r.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource>'


def put(path: Path, values: Any, **more: Any) -> Path:
    """A GeoTIFF as others write it."""
    array = np.asarray(values)
    bands = array if array.ndim == 3 else array[None]
    options = {"transform": UTM, "crs": "EPSG:32648", "driver": "GTiff"} | more
    with rasterio.open(
        path, "w", dtype=bands.dtype, count=len(bands), height=bands.shape[1], width=bands.shape[2], **options
    ) as out:
        out.write(bands)
    return path


def quiet(path: Path, **options: Any) -> Any:
    """The raster, whatever the door says of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HazardGeoWarning)
        return read_raster(path, **options)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_alpha_0_is_unknown_also_beside_nodata(tmp_path: Path, dtype: str) -> None:
    full = 1 if dtype == "float32" else np.iinfo(dtype).max
    bands = np.array([[[9, 5, 6, 0]], [[full, 0, full, 1]]], dtype)
    np.testing.assert_array_equal(read_raster(put(tmp_path / "a.tif", bands, alpha="YES")).values, [[9, NAN, 6, 0]])
    both = read_raster(put(tmp_path / "b.tif", bands, alpha="YES", nodata=9))
    np.testing.assert_array_equal(both.values, [[NAN, NAN, 6, 0]])
    np.testing.assert_array_equal(read_raster(tmp_path / "a.tif", band=2).values, bands[1].astype(np.float32))


@pytest.mark.parametrize("internal", [True, False])
def test_a_mask_and_nodata_both_count(tmp_path: Path, internal: bool) -> None:
    path = tmp_path / "r.tif"
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
        put(path, np.array([[5, 6, 7]], np.int16))
        with rasterio.open(path, "r+") as out:
            out.write_mask(np.array([[255, 0, 255]], np.uint8))
    assert (tmp_path / "r.tif.msk").exists() is not internal
    np.testing.assert_array_equal(read_raster(path).values, [[5, NAN, 7]])
    with rasterio.open(path, "r+") as out:
        out.nodata = 7
    np.testing.assert_array_equal(read_raster(path).values, [[5, NAN, NAN]])


def test_several_bands_are_named_and_the_first_is_read(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.arange(4, dtype=np.uint16).reshape(4, 1, 1), photometric="RGB", alpha="unspecified")
    with rasterio.open(path, "r+") as out:
        out.descriptions = ("red edge", None, None, None)
        out.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined)
    with pytest.warns(HazardGeoWarning, match=r"has 4 bands \(1 red edge, 2 green, 3 blue, 4 undefined\); the first is read"):
        assert read_raster(path).values.item() == 0
    assert read_raster(path, band=1).name == "red edge"


def test_one_data_band_with_alpha_is_no_choice(tmp_path: Path) -> None:
    bands = np.array([[[7]], [[255]]], np.uint8)
    path = put(tmp_path / "r.tif", bands, alpha="YES")
    assert read_raster(path).values.item() == 7


def test_an_ortho_with_white_in_16_bits_keeps_its_white(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.full((3, 1, 2), 65535, np.uint16), photometric="RGB")
    assert read_raster(path, band=2).values.tolist() == [[65535, 65535]]


FILLS = [
    ("float32", -9999), ("float64", -99999), ("int16", -32768), ("int16", -32767), ("int16", 32767), ("int32", -999999),
    ("int32", -(2**31)), ("int32", 2**31 - 1), ("uint16", 65535), ("uint32", 2**32 - 1),
    ("int64", -(2**63)), ("uint64", 2**64 - 1),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "fill"), FILLS)
def test_an_undeclared_fill_value_is_unknown_and_its_share_is_said(tmp_path: Path, dtype: str, fill: int) -> None:
    path = put(tmp_path / "r.tif", np.array([[1500, fill], [1600, 1700]], dtype))
    with pytest.warns(HazardGeoWarning, match=rf"25\.0% of the cells hold {fill}, which the file does not declare"):
        read = read_raster(path)
    np.testing.assert_array_equal(read.values, [[1500, NAN], [1600, 1700]])


def test_a_fill_value_is_unknown_among_any_neighbours(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.array([[-9999, -9999], [-9998, 3]], np.int16))
    np.testing.assert_array_equal(quiet(path).values, [[NAN, NAN], [-9998, 3]])
    window = (500_000, 3_999_990, 500_020, 4_000_000)
    assert quiet(path, window=window).unknown.all()


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from(["int16", "float32", "uint16", "int32"]),
    st.lists(st.sampled_from([-9999, -32768, -9998.0, -9000, 0, 5, 32767, 65535, 99999]), min_size=12, max_size=12),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_windows_fit_together_unknown_cells_included(
    tmp_path_factory: pytest.TempPathFactory, dtype: str, cells: list[float], across: int, down: int
) -> None:
    limits = np.iinfo(dtype) if dtype != "float32" else None
    values = np.array(cells) if limits is None else np.clip(cells, limits.min, limits.max)
    path = put(tmp_path_factory.mktemp("w") / "r.tif", values.reshape(3, 4).astype(dtype))
    whole = quiet(path)
    for r in range(0, 3, down):
        for c in range(0, 4, across):
            block = whole.window(slice(r, min(r + down, 3)), slice(c, min(c + across, 4)))
            np.testing.assert_array_equal(quiet(path, window=block.grid.bounds).values, block.values)


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("uint8", -9999), ("uint8", 256), ("int16", NAN), ("int16", 1e6), ("float32", -9999.9), ("float32", 1e39)],
)
def test_nodata_of_any_kind_never_unsettles_the_other_cells(tmp_path: Path, dtype: str, nodata: float) -> None:
    put(tmp_path / "r.tif", np.array([[5, 6]], dtype))
    (tmp_path / "r.vrt").write_text(
        f'<VRTDataset rasterXSize="2" rasterYSize="1">{PLACE}'
        f'<VRTRasterBand dataType="{ {"uint8": "Byte", "int16": "Int16", "float32": "Float32"}[dtype] }" band="1">'
        f"<NoDataValue>{nodata}</NoDataValue>{ONE_SOURCE}</VRTRasterBand></VRTDataset>"
    )
    assert read_raster(tmp_path / "r.vrt").values.tolist() == [[5, 6]]


def test_nodata_that_single_precision_rounds_is_unknown(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.array([[-9999.9, 1]], np.float32), nodata=-9999.9)
    np.testing.assert_array_equal(read_raster(path).values, [[NAN, 1]])


def test_integers_of_64_bits_are_exact_or_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.array([[2**53, 5]], np.int64))
    assert read_raster(path).values.tolist() == [[2.0**53, 5.0]]
    for dtype in (np.int64, np.uint64):
        with pytest.raises(InputError, match=r"holds 9,007,199,254,740,993, which no surface can hold exactly"):
            read_raster(put(tmp_path / "r.tif", np.array([[2**53 + 1, 5]], dtype)))


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    for dtype in ("complex64", "complex128"):
        with pytest.raises(FormatError, match="holds complex numbers"):
            read_raster(put(tmp_path / "r.tif", np.ones((2, 2), dtype)))


def test_scale_and_offset_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.array([[100, 1]], np.int16))
    for scale in (0.0, NAN, np.inf):
        with rasterio.open(path, "r+") as out:
            out.scales = (scale,)
        with pytest.raises(FormatError, match="has a scale of"):
            read_raster(path)


def test_a_clear_colour_is_unknown_and_a_colour_table_beside_alpha_is_one_too(tmp_path: Path) -> None:
    path = tmp_path / "r.png"
    with rasterio.open(path, "w", driver="PNG", dtype="uint8", count=1, height=1, width=3, transform=UTM, crs=32648) as out:
        out.write(np.array([[[1, 2, 3]]], np.uint8))
        out.write_colormap(1, {1: (255, 0, 0, 255), 2: (0, 255, 0, 0), 3: (0, 0, 255, 0)})
    read = quiet(path)
    assert read.values.tolist() == [[1, 255, 255]]
    assert read.classes == (ClassLabel(1, "1", "#ff0000"),)
    bands = np.array([[[1, 2, 3]], [[255, 0, 255]]], np.uint8)
    put(tmp_path / "p.tif", bands, alpha="YES")
    (tmp_path / "p.vrt").write_text(
        f'<VRTDataset rasterXSize="3" rasterYSize="1">{PLACE}'
        + "".join(
            f'<VRTRasterBand dataType="Byte" band="{b}"><ColorInterp>{meaning}</ColorInterp>{table}<SimpleSource><SourceFilename '
            f'relativeToVRT="1">p.tif</SourceFilename><SourceBand>{b}</SourceBand></SimpleSource></VRTRasterBand>'
            for b, meaning, table in (
                (1, "Palette", '<ColorTable><Entry c1="9"/><Entry c1="255" c4="255"/><Entry c2="255" c4="255"/></ColorTable>'),
                (2, "Alpha", ""),
            )
        )
        + "</VRTDataset>"
    )
    assert read_raster(tmp_path / "p.vrt").values.tolist() == [[1, 255, 3]]


def test_a_colour_table_on_decimal_numbers_makes_no_classes(tmp_path: Path) -> None:
    put(tmp_path / "r.tif", np.array([[1.5]], np.float32))
    (tmp_path / "r.vrt").write_text(
        f'<VRTDataset rasterXSize="1" rasterYSize="1">{PLACE}<VRTRasterBand dataType="Float32" band="1">'
        f'<ColorTable><Entry c1="9"/><Entry c1="255"/></ColorTable>{ONE_SOURCE}</VRTRasterBand></VRTDataset>'
    )
    read = read_raster(tmp_path / "r.vrt")
    assert (read.values.item(), read.values.dtype, read.classes) == (1.5, np.float32, ())


def sparse(path: Path, transform: Affine, side: int = 100_000, nodata: float | None = None) -> Path:
    """A raster of many cells, of which one tile (rows and columns 512 to 767) has been written."""
    with rasterio.open(
        path, "w", driver="GTiff", dtype="float32", count=1, height=side, width=side, crs=32648, transform=transform, tiled=True,
        blockxsize=256, blockysize=256, sparse_ok=True, bigtiff="YES", nodata=nodata,
    ) as out:  # fmt: skip
        out.write(np.arange(256 * 256, dtype=np.float32).reshape(256, 256) + 1, 1, window=Window(512, 512, 256, 256))
    return path


@pytest.mark.parametrize(
    "transform",
    [Affine(1, 0, 400_000, 0, -1, 4_100_000), Affine(1, 0, 400_000, 0, 1, 4_000_000), Affine(0, -1, 500_000, 1, 0, 4_000_000)],
)
def test_a_window_of_a_huge_raster_takes_little_memory_and_what_was_never_written_is_unknown(
    tmp_path: Path, transform: Affine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sparse(tmp_path / "r.tif", transform)
    ends = [transform @ place for place in ((500, 600), (900, 700))]
    window = (min(x for x, _ in ends), min(y for _, y in ends), max(x for x, _ in ends), max(y for _, y in ends))
    tracemalloc.start()
    with pytest.warns(HazardGeoWarning, match=r"36\.0% of the cells were never written"):
        read = read_raster(path, window=window)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
    assert np.nanmin(read.values) == 88 * 256 + 1
    assert read.unknown.mean() == pytest.approx((12 + 132) / 400)
    assert not (read.values == 0).any()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 20e9}))
    with pytest.raises(
        InputError, match=r"100,000 x 100,000 cells .* takes about 240\.0 GB and 20\.0 GB are free: .*window="
    ) as caught:
        read_raster(path)
    assert "\n" not in str(caught.value)


def test_tiles_of_a_sparse_file_with_nodata_are_unknown_without_a_word(tmp_path: Path) -> None:
    read = read_raster(sparse(tmp_path / "r.tif", UTM, 1000, nodata=-1))
    assert read.unknown.sum() == 1000**2 - 256**2


def test_strips_of_one_row_that_were_never_written_are_unknown(tmp_path: Path) -> None:
    with rasterio.open(
        tmp_path / "r.tif", "w", driver="GTiff", dtype="int16", count=1, height=5, width=4, crs=32648, transform=UTM,
        blockysize=1, sparse_ok=True,
    ) as out:  # fmt: skip
        out.write(np.full((2, 4), 7, np.int16), 1, window=Window(0, 1, 4, 2))
    read = quiet(tmp_path / "r.tif")
    assert read.unknown.all(axis=1).tolist() == [True, False, False, True, True]
    assert (read.values[1:3] == 7).all()


VRT = (
    '<VRTDataset rasterXSize="4" rasterYSize="3">{place}<VRTRasterBand dataType="Float32" band="1">{nodata}<{source}Source>'
    '<SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>1</SourceBand>'
    '<SrcRect xOff="0" yOff="0" xSize="2" ySize="2"/><DstRect xOff="1" yOff="1" xSize="2" ySize="2"/>{more}'
    "</{source}Source></VRTRasterBand></VRTDataset>"
)
WORDS = {"place": PLACE, "nodata": "", "source": "Simple", "name": "r.tif", "more": ""}


def test_gaps_between_the_tiles_of_a_mosaic_are_unknown(tmp_path: Path) -> None:
    put(tmp_path / "r.tif", np.array([[0, 5], [6, 7]], np.float32))
    path = tmp_path / "r.vrt"
    expected = [[NAN, NAN, NAN, NAN], [NAN, 0, 5, NAN], [NAN, 6, 7, NAN]]
    path.write_text(VRT.format(**WORDS))
    with pytest.warns(HazardGeoWarning, match=r"66\.7% of the cells were never written"):
        np.testing.assert_array_equal(read_raster(path).values, expected)
    np.testing.assert_array_equal(quiet(path, window=(500_000, 3_999_980, 500_020, 3_999_990)).values, [[NAN, 0]])
    path.write_text(VRT.format(**WORDS | {"nodata": "<NoDataValue>-1</NoDataValue>"}))
    np.testing.assert_array_equal(read_raster(path).values, expected)
    path.write_text(VRT.format(**WORDS | {"source": "Complex", "more": "<NODATA>7</NODATA>"}))
    with pytest.raises(FormatError, match="empty cells read as 0, because it declares no nodata"):
        read_raster(path)


def test_a_mosaic_of_mosaics_with_gaps_is_refused_until_it_declares_nodata(tmp_path: Path) -> None:
    put(tmp_path / "r.tif", np.ones((2, 2), np.float32))
    (tmp_path / "inner.vrt").write_text(VRT.format(**WORDS))
    outer = tmp_path / "outer.vrt"
    outer.write_text(VRT.format(**WORDS | {"name": "inner.vrt"}))
    with pytest.raises(FormatError, match=r"inner\.vrt is a virtual raster whose empty cells read as 0"):
        read_raster(outer)
    (tmp_path / "inner.vrt").write_text(VRT.format(**WORDS | {"nodata": "<NoDataValue>-1</NoDataValue>"}))
    assert quiet(outer).unknown.sum() >= 8


def test_a_raster_of_one_cell_is_read_and_one_of_none_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.array([[7]], np.float32))
    assert read_raster(path).values.tolist() == [[7]]
    data = bytearray(path.read_bytes())
    (count,) = struct.unpack_from("<H", data, struct.unpack_from("<I", data, 4)[0])
    for entry in range(count):  # ImageWidth is tag 256
        at = struct.unpack_from("<I", data, 4)[0] + 2 + 12 * entry
        if struct.unpack_from("<H", data, at)[0] == 256:
            struct.pack_into("<I", data, at + 8, 0)
    path.write_bytes(data)
    with pytest.raises(FormatError, match="cannot be read as a raster"):
        read_raster(path)


def test_blocks_larger_than_the_memory_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.tif"
    options = {"tiled": True, "blockxsize": 32_768, "blockysize": 16_384, "sparse_ok": True, "crs": 32648, "transform": UTM}
    rasterio.open(path, "w", driver="GTiff", dtype="float32", count=1, height=64, width=64, **options).close()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 2e9}))
    with pytest.raises(InputError, match=r"in blocks of 16,384 x 32,768; reading it takes about 4\.3 GB"):
        read_raster(path, window=(500_000, 3_999_990, 500_010, 4_000_000))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fill", [-10000, -9999.9, -99999.99, 1e20])
def test_fill_values_of_floats_are_unknown_also_after_single_precision(tmp_path: Path, dtype: str, fill: float) -> None:
    values = np.array([[1500, fill, np.float32(fill), 1600]], dtype)
    with pytest.warns(HazardGeoWarning, match="which the file does not declare"):
        read = read_raster(put(tmp_path / "r.tif", values))
    np.testing.assert_array_equal(read.values, np.array([[1500, NAN, NAN, 1600]], np.float32))


def test_a_whole_number_of_minus_10000_is_a_value(tmp_path: Path) -> None:
    assert read_raster(put(tmp_path / "r.tif", np.array([[-10000, 5]], np.int16))).values[0, 0] == -10000
