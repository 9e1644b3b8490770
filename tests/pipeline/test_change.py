from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from hazardgeo import cli, io, pipeline
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import ConfigError, CrsError, FormatError, HazardGeoWarning, InfeasibleError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

SIDE = 120
GRID = Grid.from_bounds((400_000.0, 3_950_000.0, 400_000.0 + SIDE, 3_950_000.0 + SIDE), cell=1.0, crs=32648)


def hillside(seed, slid=False):
    """A slope of some 17 degrees with ribs; a bowl of 300 m2 sank by up to 2 m and lies 35 m below where it was."""
    rng = np.random.default_rng(seed)
    east, north = (v - o for v, o in zip(np.meshgrid(*GRID.centres()), (400_000, 3_950_000), strict=True))
    z = 1800 + 0.3 * north + 2.0 * np.sin(east / 9) + 1.5 * np.sin(north / 7) * np.cos(east / 13)
    if slid:
        for centre, sign in ((80.0, -1), (45.0, 1)):
            far = np.hypot(east - 60, north - centre) / 10.0
            z += sign * 2.0 * np.clip(1 - far**2, 0, None)
    return Raster((z + rng.normal(0, 0.03, z.shape)).astype(np.float32), GRID, "dem", "m")


def written(raster, path):
    io.write_raster(raster, path)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    after = hillside(2, slid=True)
    hole = after.values.copy()
    hole[100:110, 5:20] = np.nan
    return written(hillside(1), folder / "before.tif"), written(after.like(hole, "dem", "m"), folder / "after.tif")


@pytest.fixture(scope="module")
def made(models, tmp_path_factory):
    surveys = pipeline.Survey(models[0], "2023-11-02", "drone laser"), pipeline.Survey(models[1], "2023-12-20", "drone laser")
    return pipeline.change(*surveys, out=tmp_path_factory.mktemp("out"))


def test_a_planted_slide_is_found_with_its_volume(made):
    """By hand: a bowl 2 (1 - (r / 10)^2) holds pi 10^2 2 / 2 = 314 m3."""
    bodies = geopandas.read_file(made["bodies"], layer="bodies")
    assert len(bodies) == 1
    body = bodies.iloc[0]
    assert body["volume_m3"] == pytest.approx(314, rel=0.1)
    assert body["volume_low_m3"] < 314 < body["volume_high_m3"]
    assert body["direction_deg"] == pytest.approx(180, abs=8)
    change = io.read_raster(made["change"])
    row, col = 120 - 80, 60
    assert change.values[row, col] == pytest.approx(-2.0, abs=0.15)
    significant = io.read_raster(made["significance"]).values
    assert significant[row, col] == 1
    assert significant[105, 10] == 255


def test_what_was_not_surveyed_is_drawn_and_the_smallest_change_is_told(made):
    coverage = geopandas.read_file(made["bodies"], layer="coverage").set_index("what")
    assert coverage.loc["surveyed before", ["sensor", "date"]].tolist() == ["drone laser", "2023-11-02"]
    assert coverage.loc["surveyed after", "area_m2"] == pytest.approx(SIDE**2 - 150)
    assert coverage.loc["compared", "area_m2"] + coverage.loc["not compared", "area_m2"] == pytest.approx(SIDE**2)
    lod = io.read_raster(made["lod95"])
    assert coverage.loc["compared", "smallest_change_m"] == pytest.approx(np.nanmedian(lod.values))
    noise = 1.96 * 0.03 * np.sqrt(2)
    assert 0.8 * noise < coverage.loc["compared", "smallest_change_m"] < 1.5 * noise
    lost = geopandas.read_file(made["bodies"], layer="not_surveyed")
    assert lost.geometry.iloc[0].buffer(0.1).covers(geopandas.points_from_xy([400_010.5], [3_950_014.5])[0])
    page = made["map"].read_text(encoding="utf-8")
    for words in ("Not surveyed in both epochs", "Ground before, shaded", "Ground after, shaded", "2023-12-20"):
        assert words in page


def test_tables_say_how_the_epochs_were_laid_on_each_other(made):
    table = pd.read_csv(made["registration_table"], encoding="utf-8-sig").set_index("what")
    assert abs(table.loc["east", "value"]) < 0.05
    assert abs(table.loc["up", "value"]) < 0.02
    assert pd.read_csv(made["bodies_table"], encoding="utf-8-sig")["body_id"].is_unique


def test_a_scan_meets_an_elevation_model(models, tmp_path):
    """The scan has four points to a cell of the slid hillside, laid on the cells of the model."""
    rng, after = np.random.default_rng(5), hillside(9, slid=True)
    east, north = (v.ravel() for v in np.meshgrid(*GRID.centres()))
    xy = np.tile(np.column_stack([east, north]), (4, 1)) + rng.uniform(-0.5, 0.5, (4 * east.size, 2))
    from hazardgeo.raster import sample_xy

    z = sample_xy(after, xy[:, 0], xy[:, 1], how="bilinear")
    known = np.isfinite(z)
    io.write_cloud(PointCloud(np.column_stack([xy, z])[known], 32648), tmp_path / "after.laz")
    made = pipeline.change(models[0], tmp_path / "after.laz", out=tmp_path / "out")
    bodies = geopandas.read_file(made["bodies"], layer="bodies")
    assert bodies["volume_m3"].tolist() == [pytest.approx(314, rel=0.15)]
    assert io.read_raster(tmp_path / "out" / "after" / "dtm.tif").grid.cell_m == (1.0, 1.0)
    coverage = geopandas.read_file(made["bodies"], layer="coverage").set_index("what")
    assert coverage.loc["surveyed after", "resolution"].startswith(("3", "4"))


def test_bodies_keep_the_numbers_of_an_earlier_run(models, made, tmp_path):
    layers = {name: geopandas.read_file(made["bodies"], layer=name) for name in ("bodies", "rejected")}
    layers["bodies"]["body_id"] = 77
    io.write_vectors(layers, tmp_path / "earlier.gpkg")
    again = pipeline.change(*models, out=tmp_path / "out", earlier=tmp_path / "earlier.gpkg")
    assert geopandas.read_file(again["bodies"], layer="bodies")["body_id"].tolist() == [77]


def test_surveys_that_cannot_be_compared_are_refused(models, tmp_path):
    before, after = models
    with pytest.raises(ConfigError, match=r"later than after .* swap the two files"):
        pipeline.change(pipeline.Survey(before, "2024-01-01"), pipeline.Survey(after, "2023-01-01"), out=tmp_path)
    with pytest.raises(ConfigError, match=r"'last week' .* is no day such as 2024-01-05"):
        pipeline.change(pipeline.Survey(before, "last week"), after, out=tmp_path)
    with pytest.raises(ConfigError, match="are the same file"):
        pipeline.change(before, before, out=tmp_path)
    with pytest.raises(ConfigError, match="cell_m is for scans"):
        pipeline.change(before, after, out=tmp_path, cell_m=2.0)
    with pytest.raises(FormatError):
        pipeline.change(before, tmp_path / "nothing.laz", out=tmp_path)
    other = Raster(hillside(1).values, Grid.from_bounds(GRID.bounds, cell=1.0, crs=32647), "dem", "m")
    with pytest.raises(CrsError, match="reproject one of them"):
        pipeline.change(before, written(other, tmp_path / "other.tif"), out=tmp_path)
    east = Grid.from_bounds((500_000.0, 3_950_000.0, 500_120.0, 3_950_120.0), cell=1.0, crs=32648)
    with pytest.raises(InfeasibleError):
        pipeline.change(before, written(Raster(hillside(1).values, east, "dem", "m"), tmp_path / "east.tif"), out=tmp_path)


def test_a_copy_of_the_same_survey_is_warned_of_and_moved_nowhere(models, tmp_path):
    copy = tmp_path / "copy.tif"
    copy.write_bytes(models[0].read_bytes())
    with pytest.warns(HazardGeoWarning, match="equal in every cell"):
        made = pipeline.change(models[0], copy, out=tmp_path / "out")
    change = io.read_raster(made["change"]).values
    assert not np.nan_to_num(change).any()
    assert not len(geopandas.read_file(made["bodies"], layer="bodies"))


def test_the_command_names_the_files_that_it_wrote(models, tmp_path):
    arguments = ["change", *map(str, models), "--out", str(tmp_path / "out"), "--after-date", "2023-12-20", "--jobs", "1"]
    found = CliRunner().invoke(cli.group, arguments, catch_exceptions=False)
    assert found.exit_code == 0
    names = [line.rsplit("/", 1)[-1] for line in found.stdout.split()]
    assert names[:5] == ["change.tif", "sigma.tif", "lod95.tif", "significance.tif", "bodies.gpkg"]
    assert names[-1] == "map.html"
