from __future__ import annotations

import numpy as np
import pytest

from hazardgeo import io, scan
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import HazardGeoWarning

BOX = slice(20, 26)  # rows and columns of cells under the crown


def meadow_with_a_crown(**attributes):
    """40 x 40 m at 9 points per m2, level, with an opaque crown of 6 x 6 m, 5 m high."""
    places = (np.arange(120) + 0.5) / 3
    x, y = (axis.ravel() for axis in np.meshgrid(places, places))
    z = np.where((x > 20) & (x < 26) & (y > 14) & (y < 20), 1805.0, 1800.0)
    cloud = PointCloud(np.column_stack([500_000 + x, 4_000_000 + y, z]), 32648)
    for name, value in attributes.items():
        cloud = cloud.with_attribute(
            name, np.full(len(cloud), value, np.uint16 if name in ("red", "green", "blue") else np.uint8)
        )
    return cloud


COLOURED = {"number_of_returns": 1, "return_number": 1, "red": 9, "green": 9, "blue": 9}


def test_the_ground_under_a_crown_is_bridged_where_a_laser_saw_through_it_and_unknown_in_photographs():
    laser = scan.dtm(scan.classify_ground(meadow_with_a_crown()))
    np.testing.assert_array_equal(laser.values, 1800)
    cloud = scan.classify_ground(meadow_with_a_crown(), penetrates=False)
    assert cloud.attributes["synthetic"].all()
    dtm = scan.dtm(cloud)
    wanted = np.full((40, 40), 1800.0)
    wanted[BOX, BOX] = np.nan
    np.testing.assert_array_equal(dtm.values, wanted)
    assert dtm.tags["under_cover"].startswith("unknown")
    assert "under_cover" not in laser.tags


def test_single_returns_with_colours_are_taken_for_photographs_with_a_warning():
    with pytest.warns(HazardGeoWarning, match="looks made from photographs"):
        found = scan.classify_ground(meadow_with_a_crown(**COLOURED))
    assert found.attributes["synthetic"].all()
    again = scan.classify_ground(found)  # says so itself now
    np.testing.assert_array_equal(again.attributes["classification"], found.attributes["classification"])


@pytest.mark.parametrize("attributes", [{**COLOURED, "number_of_returns": 2}, {**COLOURED, "red": 0, "green": 0, "blue": 0}, {}])
def test_several_returns_or_no_colours_are_of_a_laser(attributes):
    assert "synthetic" not in scan.classify_ground(meadow_with_a_crown(**attributes)).attributes


def test_what_is_stated_goes_before_what_the_points_say():
    found = scan.classify_ground(meadow_with_a_crown(**COLOURED, synthetic=1), penetrates=True)
    assert not found.attributes["synthetic"].any()
    assert not scan.dtm(found).unknown.any()


@pytest.mark.parametrize("penetrates", [None, True, False])
def test_by_tiles_it_is_the_same(tmp_path, penetrates):
    io.write_cloud(meadow_with_a_crown(**COLOURED), tmp_path / "in.laz")
    cloud = io.read_cloud(tmp_path / "in.laz")
    names = {"cloud": "ground.laz", "dtm": "dtm.tif", "dsm": "dsm.tif"}
    sinks = scan.GroundSinks(
        io.CloudParts(tmp_path / names["cloud"]), io.RasterParts(tmp_path / names["dtm"]), io.RasterParts(tmp_path / names["dsm"])
    )

    def both():
        with io.cloud_source(tmp_path / "in.laz", work_folder=tmp_path / "points") as source:
            scan.ground_and_surfaces(source, sinks, work_folder=tmp_path / "work", tile_cells=16, penetrates=penetrates)
        return scan.classify_ground(cloud, penetrates=penetrates)

    if penetrates is None:
        with pytest.warns(HazardGeoWarning, match="looks made from photographs"):
            whole = both()
    else:
        whole = both()
    dtm, found = scan.dtm(whole), io.read_raster(tmp_path / names["dtm"])
    np.testing.assert_array_equal(found.values, dtm.values)
    assert found.tags == dtm.tags
    assert io.read_cloud(tmp_path / names["cloud"]).attributes["synthetic"].all() == (penetrates is not True)
