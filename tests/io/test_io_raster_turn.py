import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.warp
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hazardgeo.errors import FormatError, HazardGeoWarning, InputError
from hazardgeo.io import read_raster, write_raster
from hazardgeo.raster import Raster

WEST, NORTH = 500_000.0, 4_000_000.0


def put(path: Path, values: Any, transform: Affine, *, nodata: float | None = None, colours: Any = None) -> Path:
    """A GeoTIFF as others write it, placed by any transform."""
    rows, cols = values.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype=values.dtype,
        count=1,
        height=rows,
        width=cols,
        transform=transform,
        crs=32648,
        nodata=nodata,
    ) as out:
        out.write(values, 1)
        if colours:
            out.write_colormap(1, colours)
    return path


def at_centres(values: NDArray[Any], transform: Affine) -> dict[tuple[float, float], float]:
    """The value at the centre of each cell."""
    rows, cols = values.shape
    centres = {(r, c): transform @ (c + 0.5, r + 0.5) for r in range(rows) for c in range(cols)}
    return {(round(x, 6), round(y, 6)): float(values[at]) for at, (x, y) in centres.items()}


RIGHT_ANGLES = {
    f"{'turned' if swap else 'straight'} {sx:+} {sy:+}": Affine(0, sx * 2.0, WEST, sy * 3.0, 0, NORTH)
    if swap
    else Affine(sx * 2.0, 0, WEST, 0, sy * 3.0, NORTH)
    for swap, sx, sy in itertools.product((False, True), (1, -1), (1, -1))
}


@pytest.mark.parametrize("case", RIGHT_ANGLES)
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_mirrored_and_right_angled_rasters_keep_each_value_at_its_place(tmp_path: Path, case: str, dtype: str) -> None:
    values = np.arange(12).reshape(3, 4).astype(dtype)
    read = read_raster(put(tmp_path / "r.tif", values, RIGHT_ANGLES[case]))
    assert read.grid.transform.a > 0 > read.grid.transform.e
    assert at_centres(read.values, read.grid.transform) == at_centres(values, RIGHT_ANGLES[case])
    assert read.values.flags["C_CONTIGUOUS"]
    assert "resampled" not in read.tags


@pytest.mark.parametrize("case", RIGHT_ANGLES)
def test_a_window_of_a_turned_raster_is_the_same_part_of_the_whole(tmp_path: Path, case: str) -> None:
    path = put(tmp_path / "r.tif", np.arange(20, dtype=np.float32).reshape(4, 5), RIGHT_ANGLES[case])
    whole = read_raster(path)
    block = whole.window(slice(1, 3), slice(0, 2))
    read = read_raster(path, window=block.grid.bounds)
    assert read.grid.same_as(block.grid)
    np.testing.assert_array_equal(read.values, block.values)


def test_a_raster_stored_south_up_is_turned(tmp_path: Path) -> None:
    values = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    path = put(tmp_path / "r.tif", values, Affine(10, 0, WEST, 0, 10, NORTH))
    read = read_raster(path)
    assert read.values.tolist() == [[5, 6], [3, 4], [1, 2]]
    assert read.grid.bounds == (WEST, NORTH, WEST + 20, NORTH + 30)
    assert read_raster(path, window=(WEST, NORTH + 20, WEST + 20, NORTH + 30)).values.tolist() == [[5, 6]]


def test_a_quarter_turn_by_hand(tmp_path: Path) -> None:
    """Columns run south and rows run east: the first row stands as the westernmost column."""
    read = read_raster(put(tmp_path / "r.tif", np.array([[1, 2, 3], [4, 5, 6]], np.float32), Affine(0, 1, WEST, -1, 0, NORTH)))
    assert read.values.tolist() == [[1, 4], [2, 5], [3, 6]]


def test_rounding_noise_in_a_transform_is_no_rotation(tmp_path: Path) -> None:
    read = read_raster(put(tmp_path / "r.tif", np.array([[1, 2]], np.float32), Affine(10, 1e-9, WEST, -1e-9, -10, NORTH)))
    assert read.values.tolist() == [[1, 2]]


def turned(degrees: float, cell: float = 10.0) -> Affine:
    return Affine.translation(WEST, NORTH) @ Affine.rotation(degrees) @ Affine.scale(cell, -cell)


def test_a_turned_raster_is_refused_until_resampling_is_asked_for(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.zeros((2, 2), np.float32), turned(30))
    with pytest.raises(InputError, match=r"not north up: its rows run 30 degrees from east; pass resampling='bilinear'"):
        read_raster(path)
    with pytest.raises(InputError, match="unknown resampling 'cubic'"):
        read_raster(path, resampling="cubic")  # type: ignore[arg-type]


def test_nearest_by_hand_at_45_degrees(tmp_path: Path) -> None:
    """A square of 2 x 2 cells on its corner: the new cells of the same size lie in 3 x 3 around it."""
    path = put(tmp_path / "r.tif", np.array([[1, 2], [3, 4]], np.float32), turned(45))
    read = read_raster(path, resampling="nearest")
    half = 20 / np.sqrt(2)
    np.testing.assert_allclose(read.grid.bounds, (WEST, NORTH + half - 30, WEST + 30, NORTH + half))
    assert read.grid.cell == pytest.approx((10, 10))
    nan = np.nan  # the corner of the square is at (0, 0), its rows run north-east and its columns of cells south-east
    np.testing.assert_array_equal(read.values, [[nan, 2, nan], [1, 4, 4], [nan, 3, nan]])
    assert "nearest, from cells of 10 x 10 whose rows run 45 degrees from east" in read.tags["resampled"]


@pytest.mark.parametrize("transform", [turned(30), turned(-62), turned(170), turned(10) @ Affine.shear(12, 0), turned(100, 3)])
def test_bilinear_gives_a_plane_back_and_leaves_the_corners_unknown(tmp_path: Path, transform: Affine) -> None:
    rows, cols = np.mgrid[:30, :40] + 0.5
    x, y = transform.a * cols + transform.b * rows, transform.d * cols + transform.e * rows
    path = put(tmp_path / "r.tif", (1000 + 2 * x - 3 * y).astype(np.float32), transform)
    read = read_raster(path, resampling="bilinear")
    r, c = np.mgrid[: read.grid.shape[0], : read.grid.shape[1]] + 0.5
    east, north = read.grid.transform.c - WEST + read.grid.cell[0] * c, read.grid.transform.f - NORTH - read.grid.cell[1] * r
    to_stored = ~transform
    col = to_stored.a * (east + WEST) + to_stored.b * (north + NORTH) + to_stored.c
    row = to_stored.d * (east + WEST) + to_stored.e * (north + NORTH) + to_stored.f
    np.testing.assert_array_equal(read.unknown, ~((col >= 0) & (row >= 0) & (col < 40) & (row < 30)))
    inner = (col >= 0.5) & (row >= 0.5) & (col <= 39.5) & (row <= 29.5)
    np.testing.assert_allclose(read.values[inner], (1000 + 2 * east - 3 * north)[inner], atol=0.01)
    assert np.nanmin(read.values) > 1000 - 4000  # nothing is extrapolated, and no corner is zero


def test_nearest_agrees_with_gdal(tmp_path: Path) -> None:
    values = np.random.default_rng(3).random((40, 50)).astype(np.float32)
    read = read_raster(put(tmp_path / "r.tif", values, turned(33)), resampling="nearest")
    expected = np.full(read.grid.shape, np.nan, np.float32)
    rasterio.warp.reproject(
        values, expected, src_transform=turned(33), src_crs=32648, dst_transform=read.grid.transform, dst_crs=32648,
        dst_nodata=np.nan, tolerance=0,
    )  # fmt: skip
    both = ~np.isnan(expected) & ~read.unknown
    assert both.mean() > 0.4
    assert (read.values[both] == expected[both]).mean() > 0.999
    assert (np.isnan(expected) == read.unknown).mean() > 0.999


@pytest.mark.parametrize("how", ["nearest", "bilinear"])
def test_no_fill_value_is_smeared(tmp_path: Path, how: Any) -> None:
    values = np.full((20, 20), 1500, np.float32)
    values[5:9, 5:9], values[12, 12], values[15, 3] = -9999, -3.4e38, np.nan
    path = put(tmp_path / "r.tif", values, turned(20))
    with pytest.warns(HazardGeoWarning, match="hold -9999"):
        read = read_raster(path, resampling=how)
    assert set(np.unique(read.values[~read.unknown])) == {1500}
    holes = np.zeros((20, 20), np.float32)
    holes[values != 1500] = 1
    holes[np.isnan(values)] = 1
    assert read.unknown.sum() == (read_raster(put(tmp_path / "h.tif", holes, turned(20)), resampling="nearest").values != 0).sum()


@pytest.mark.parametrize("how", ["nearest", "bilinear"])
@settings(deadline=None, max_examples=8)
@given(st.floats(-180, 180), st.integers(3, 9), st.integers(3, 9), st.integers(0, 2**31))
def test_windows_of_a_resampled_raster_fit_together(
    tmp_path_factory: pytest.TempPathFactory, how: Any, angle: float, down: int, right: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((6, 7)) < 0.3, np.nan, rng.random((6, 7))).astype(np.float32)
    path = put(tmp_path_factory.mktemp("w") / "r.tif", values, turned(angle))
    whole = read_raster(path, resampling=how)
    for r in range(0, whole.grid.shape[0], down):
        for c in range(0, whole.grid.shape[1], right):
            rows, cols = (
                slice(i, min(i + s, n)) for i, s, n in ((r, down, whole.grid.shape[0]), (c, right, whole.grid.shape[1]))
            )
            block = whole.window(rows, cols)
            part = read_raster(path, resampling=how, window=block.grid.bounds)
            np.testing.assert_array_equal(part.values, block.values)


def test_classes_are_turned_by_nearest_only(tmp_path: Path) -> None:
    path = put(tmp_path / "r.tif", np.full((9, 9), 7, np.uint8), turned(30), colours={7: (255, 0, 0, 255)})
    with pytest.raises(InputError, match="holds codes, which cannot be averaged; use resampling='nearest'"):
        read_raster(path, resampling="bilinear")
    read = read_raster(path, resampling="nearest")
    assert set(np.unique(read.values)) == {7, 255}


def test_what_was_resampled_is_written_with_the_word_that_it_was(tmp_path: Path) -> None:
    read = read_raster(put(tmp_path / "r.tif", np.ones((9, 9), np.float32), turned(30)), resampling="bilinear")
    write_raster(read, tmp_path / "w.tif")
    assert read_raster(tmp_path / "w.tif").tags["resampled"] == read.tags["resampled"]


def test_north_up_rasters_are_never_resampled(tmp_path: Path, make_raster: Callable[..., Raster]) -> None:
    write_raster(make_raster([[1, 2], [3, 4]]), tmp_path / "r.tif")
    read = read_raster(tmp_path / "r.tif", resampling="bilinear")
    assert read.values.tolist() == [[1, 2], [3, 4]]
    assert dict(read.tags) == {}


@pytest.mark.parametrize("numbers", ["0, 0, 0, 0, 0, -1", "nan, 1, 0, 4, 0, -1", "0, 1, 1, 4, 1, 1"])
def test_cells_without_a_size_are_refused(tmp_path: Path, numbers: str) -> None:
    put(tmp_path / "r.tif", np.ones((2, 2), np.float32), Affine(1, 0, WEST, 0, -1, NORTH))
    (tmp_path / "r.vrt").write_text(
        f'<VRTDataset rasterXSize="2" rasterYSize="2"><SRS>EPSG:32648</SRS><GeoTransform>{numbers}</GeoTransform>'
        '<VRTRasterBand dataType="Float32" band="1"><SimpleSource><SourceFilename relativeToVRT="1">r.tif</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with pytest.raises((InputError, FormatError), match="damaged georeference"):
        read_raster(tmp_path / "r.vrt")


def test_pictures_placed_by_points_or_a_camera_model_are_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "r.tif"
    points = [rasterio.control.GroundControlPoint(r, c, WEST + c, NORTH - r) for r, c in ((0, 0), (0, 9), (9, 0), (7, 7))]
    with rasterio.open(path, "w", driver="GTiff", dtype="uint8", count=1, height=10, width=10, gcps=points, crs=32648) as out:
        out.write(np.ones((1, 10, 10), np.uint8))
    with pytest.raises(InputError, match="is placed by 4 control points, not by a grid; warp it first"):
        read_raster(path, crs=32648)
    rpc = rasterio.rpc.RPC(0, 1, 35, 1, [1.0] * 20, [1.0] * 20, 5, 5, 103, 1, [1.0] * 20, [1.0] * 20, 5, 5)
    with rasterio.open(path, "w", driver="GTiff", dtype="uint8", count=1, height=10, width=10, rpcs=rpc) as out:
        out.write(np.ones((1, 10, 10), np.uint8))
    with pytest.raises(InputError, match=r"is placed by a camera model \(RPC\)"):
        read_raster(path, crs=32648)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_raster_without_a_georeference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no georeference"):
        read_raster(put(tmp_path / "r.tif", np.ones((2, 2), np.float32), Affine.identity()))
