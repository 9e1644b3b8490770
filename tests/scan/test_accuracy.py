from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hazardgeo import cli, io, scan
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HazardGeoWarning, HeightError, InputError, MissingColumnError
from hazardgeo.scan.accuracy import Errors

pytestmark = pytest.mark.filterwarnings("ignore:only:hazardgeo.errors.HazardGeoWarning")


def points(x, y, z=None, crs=32648, **columns):
    geometry = geopandas.points_from_xy(np.asarray(x) + 500_000, np.asarray(y) + 3_999_990, z)
    return geopandas.GeoDataFrame(columns, geometry=geometry, crs=crs)


@pytest.fixture
def slope(make_raster):
    """Ground that rises by 2 m per m to the east: 1 m at the first centre, the last column unknown."""
    values = np.tile(np.arange(10) * 2.0 + 1.0, (10, 1))
    values[:, -1] = np.nan
    return make_raster(values)


def test_errors_worked_by_hand(slope):
    checked = points([0.5, 1.0, 2.5, 4.5, 9.5, 30.0, 3.5], [5.5] * 7, h=[1.1, 2.2, 4.5, 9.0, 0.0, 0.0, np.nan])
    found = scan.accuracy(slope, checked, column="h")
    # ground there: 1, 2, 5, 9; errors -0.1, -0.2, +0.5, 0; median -0.05, distances from it 0.05, 0.15, 0.55, 0.05
    np.testing.assert_allclose(found.residuals["height_error_m"], [-0.1, -0.2, 0.5, 0, np.nan, np.nan, np.nan], atol=1e-6)
    assert found.residuals["state"].tolist() == ["checked"] * 4 + ["unknown ground"] * 2 + ["no height"]
    assert (found.height.n, found.unknown, found.without_height) == (4, 2, 1)
    assert found.height.bias_m == pytest.approx(0.05, abs=1e-6)
    assert found.height.rmse_m == pytest.approx((0.30 / 4) ** 0.5, abs=1e-6)
    assert found.height.nmad_m == pytest.approx(1.4826 * 0.10, abs=1e-6)
    assert found.height.p95_m == pytest.approx(0.2 + 0.85 * 0.3, abs=1e-6)  # at place 0.95 x 3 of 0, 0.1, 0.2, 0.5
    assert (found.east.n, dict(found.rows())["east"]) == (0, "not checked: no measured positions given")


def test_positions_are_compared_by_the_index(slope):
    known = points([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [2.0, 4.0, 6.0]).set_index(np.array(["a", "b", "c"]))
    seen = points([3.3, 1.1], [2.8, 1.2], [0.0, 0.0]).set_index(np.array(["c", "a"]))
    found = scan.accuracy(slope, known, measured=seen)
    np.testing.assert_allclose(found.residuals["east_error_m"], [0.1, np.nan, 0.3], atol=1e-6)
    np.testing.assert_allclose(found.residuals["north_error_m"], [0.2, np.nan, -0.2], atol=1e-6)
    assert (found.height.n, found.east.n, found.north.bias_m) == (3, 2, pytest.approx(0, abs=1e-6))
    assert found.residuals.index.tolist() == ["a", "b", "c"]
    with pytest.raises(InputError, match="no measured point has the index"):
        scan.accuracy(slope, known, measured=seen.set_index(np.array(["x", "y"])))
    with pytest.raises(InputError, match="has doubles"):
        scan.accuracy(slope, known, measured=seen.set_index(np.array(["a", "a"])))


@given(hnp.arrays(float, st.integers(1, 30), elements=st.floats(-50, 50)), st.floats(-20, 20))
def test_a_shift_moves_the_bias_and_not_the_spread(errors, shift):
    before, after = Errors.of(errors), Errors.of(errors + shift)
    assert after.bias_m == pytest.approx(before.bias_m + shift, abs=1e-9)
    assert after.nmad_m == pytest.approx(before.nmad_m, abs=1e-9)
    assert before.rmse_m**2 == pytest.approx(before.bias_m**2 + np.var(errors), abs=1e-6)


def test_unknown_ground_is_never_counted_as_right(slope):
    checked = points([0.5, 1.5], [5.5, 5.5], [1.2, 3.2])
    one = scan.accuracy(slope, checked).height
    holes = slope.values.copy()
    holes[:, 1] = np.nan
    other = scan.accuracy(slope.like(holes, "dtm", "m"), checked)
    assert (one.n, other.height.n, other.unknown) == (2, 1, 1)
    with pytest.raises(InputError, match="none of 1 check points could be compared: 1 lie on unknown ground"):
        scan.accuracy(slope, points([9.5], [5.5], [1.0]))


def test_few_points_and_another_height_reference_are_warned_of(slope):
    x = np.linspace(0.5, 8.5, 25)
    with pytest.warns(HazardGeoWarning, match="only 2 of 2 check points"):
        scan.accuracy(slope, points([1.0, 2.0], [5.0, 5.0], [2.0, 4.0]))
    with pytest.warns(HazardGeoWarning, match=r"30.00 m off with a spread of 0.00 m only; check that both heights"):
        scan.accuracy(slope, points(x, np.full(25, 5.0), 2 * x + 30))
    assert scan.accuracy(slope, points(x, np.full(25, 5.0), 2 * x)).height.rmse_m == pytest.approx(0, abs=1e-5)
    with pytest.raises(HeightError, match="different height references"):
        scan.accuracy(slope.with_height(Height("ellipsoidal")), points(x, x, x), height=Height("orthometric"))


def test_check_points_that_cannot_be_used_are_refused(slope):
    good = points([1.0], [5.0], [2.0])
    with pytest.raises(MissingColumnError, match="no column 'z', only name"):
        scan.accuracy(slope, good.assign(name="a"), column="z")
    with pytest.raises(MissingColumnError, match="have no Z"):
        scan.accuracy(slope, points([1.0], [5.0]))
    with pytest.raises(CrsError, match="project them first"):
        scan.accuracy(slope, points([1.0], [5.0], [2.0], crs=32649))
    with pytest.raises(CrsError, match="have no CRS"):
        scan.accuracy(slope, points([1.0], [5.0], [2.0], crs=None))
    with pytest.raises(InputError, match="there are no check points"):
        scan.accuracy(slope, good.iloc[:0])
    with pytest.raises(InputError, match="must be points"):
        scan.accuracy(slope, good.set_geometry(good.buffer(1)))
    with pytest.raises(InputError, match="'m' is needed"):
        scan.accuracy(slope.like(slope.values, "slope", "deg"), good)


def test_a_checked_model_says_so_and_an_unchecked_one_is_relative(slope):
    x = np.linspace(0.5, 8.5, 25)
    found = scan.accuracy(slope, points(x, np.full(25, 5.0), 2 * x - 0.25))
    assert found.tagged(slope).tags["accuracy"].startswith("checked at 25 points: RMSE 0.250 m, bias +0.250 m")
    axes = found.plot()
    assert axes.get_title() == str(found.height)
    import matplotlib.pyplot as plt

    plt.close("all")


def test_check_and_info_on_the_command_line(tmp_path: Path, slope) -> None:
    io.write_raster(slope, tmp_path / "dtm.tif")
    x = np.linspace(0.5, 8.5, 25)
    io.write_vectors({"points": points(x, np.full(25, 5.0), h=2 * x - 0.25)}, tmp_path / "points.gpkg")
    options = ["scan", "check", str(tmp_path / "dtm.tif"), str(tmp_path / "points.gpkg"), "--column", "h"]
    said = CliRunner().invoke(cli.group, options, standalone_mode=False)
    assert "RMSE 0.250 m, bias +0.250 m" in said.output, said.exception
    said = CliRunner().invoke(cli.group, [*options, "--json", "--plot", str(tmp_path / "plot.png")], standalone_mode=False)
    told = json.loads(said.stdout)
    assert (told["height"]["n"], told["east"]["rmse_m"]) == (25, None)
    assert (tmp_path / "plot.png").stat().st_size > 1000
    table = ["E,N,h", *(f"{east + 500_000},3999995,{2 * east - 0.25}" for east in x)]
    (tmp_path / "points.csv").write_text("\n".join(table), encoding="utf-8")
    options[3] = str(tmp_path / "points.csv")
    said = CliRunner().invoke(cli.group, [*options, "--crs", str(slope.grid.crs)], standalone_mode=False)
    assert "RMSE 0.250 m, bias +0.250 m" in said.output, said.exception


def test_info_by_tiles_is_that_in_memory(data_case) -> None:
    path = data_case("lidr_als") / "Megaplot.laz"
    said = CliRunner().invoke(cli.group, ["scan", "info", str(path), "--json", "--jobs", "1"], standalone_mode=False)
    told = json.loads(said.stdout)[0]
    whole = scan.report(io.read_cloud(path))
    assert {name: getattr(whole, name) for name in told if name != "file"} == {k: v for k, v in told.items() if k != "file"}
    table = CliRunner().invoke(cli.group, ["scan", "info", str(path), "--jobs", "1"], standalone_mode=False).stdout
    assert "points:   81,590" in table
    assert "relative only" in table
