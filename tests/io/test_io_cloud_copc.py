"""Places and resolutions asked of the octree of COPC files, against the plain read."""

import shutil
from collections.abc import Callable
from pathlib import Path

import laspy
import numpy as np
import pytest

from hazardgeo.errors import CrsError, FormatError, HazardGeoWarning, InputError
from hazardgeo.io import cloud_info, read_cloud, write_cloud
from hazardgeo.io.cloud import copc

Case = Callable[[str], Path]
LONE_STAR = (515_370.0, 4_918_345.0, 515_380.0, 4_918_352.0)


def plain(path: Path, bounds: tuple[float, float, float, float]) -> np.ndarray:  # type: ignore[type-arg]
    """The points within the bounds as laspy reads all of the file, in its units."""
    las = laspy.read(path)
    xyz = np.column_stack([las.x, las.y, las.z])
    x, y = xyz[:, 0], xyz[:, 1]
    return xyz[(x >= bounds[0]) & (x <= bounds[2]) & (y >= bounds[1]) & (y <= bounds[3])]


@pytest.mark.parametrize(
    "bounds", [LONE_STAR, (515_390.0, 4_918_340.0, 600_000.0, 5_000_000.0), (515_375.25, 4_918_350.0, 515_375.5, 4_918_350.5)]
)
def test_a_place_gives_the_points_of_the_plain_read(data_case: Case, bounds: tuple[float, float, float, float]) -> None:
    path = data_case("formats") / "pdal" / "lone-star.copc.laz"
    np.testing.assert_array_equal(read_cloud(path, crs=32613, bounds=bounds).xyz, plain(path, bounds))


def test_feet_in_the_heights_do_not_touch_the_place(data_case: Case) -> None:
    path = data_case("formats") / "laspy" / "simple.copc.laz"
    bounds = (636_000.0, 850_000.0, 637_500.0, 852_000.0)
    with pytest.warns(HazardGeoWarning, match="converted to metres"):
        read = read_cloud(path, bounds=bounds)
    np.testing.assert_allclose(read.xyz, plain(path, bounds) * [1, 1, 1200 / 3937])
    with pytest.warns(HazardGeoWarning, match="converted to metres"):
        ground = read_cloud(path, bounds=bounds, classes=(2,))
    assert 0 < len(ground) < len(read)
    assert (ground.attributes["classification"] == 2).all()


def test_an_offset_is_taken_away_before_the_octree_is_asked(data_case: Case) -> None:
    path = data_case("formats") / "pdal" / "lone-star.copc.laz"
    moved = (LONE_STAR[0] + 1000, LONE_STAR[1] - 2000, LONE_STAR[2] + 1000, LONE_STAR[3] - 2000)
    read = read_cloud(path, crs=32613, bounds=moved, offset=(1000, -2000, 5))
    np.testing.assert_allclose(read.xyz, plain(path, LONE_STAR) + np.array([1000, -2000, 5]))


def test_a_resolution_gives_the_levels_that_reach_it_and_never_more_than_all(data_case: Case) -> None:
    path = data_case("formats") / "pdal" / "lone-star.copc.laz"
    spacing = cloud_info(path).spacing
    assert spacing is not None
    with laspy.CopcReader.open(str(path)) as reader:
        by_level = [len(reader.query(level=range(n))) for n in (1, 2, 3)]
    for halvings, expected in enumerate(by_level):
        assert len(read_cloud(path, crs=32613, resolution=spacing / 2**halvings)) == expected
    assert len(read_cloud(path, crs=32613, resolution=1000.0)) == by_level[0]
    assert len(read_cloud(path, crs=32613, resolution=0.001)) == 518_862


def test_the_header_says_that_a_file_is_copc_and_its_spacing(data_case: Case) -> None:
    info = cloud_info(data_case("formats") / "pdal" / "lone-star.copc.laz")
    assert info.kind == "COPC"
    assert info.spacing == pytest.approx(0.3184355)


def test_a_resolution_is_refused_where_it_has_no_meaning(data_case: Case, tmp_path: Path) -> None:
    copied = data_case("formats") / "pdal" / "lone-star.copc.laz"
    for wrong in (0, -1, np.nan, np.inf):
        with pytest.raises(InputError, match="must be a spacing of points in metres"):
            read_cloud(copied, crs=32613, resolution=wrong)
    cloud = read_cloud(copied, crs=32613, bounds=LONE_STAR)
    write_cloud(cloud, tmp_path / "c.laz")
    with pytest.raises(InputError, match="is not COPC and has no levels"):
        read_cloud(tmp_path / "c.laz", resolution=1.0)
    (tmp_path / "c.ply").write_bytes(b"ply\n")
    with pytest.raises(InputError, match="is not COPC and has no levels"):
        read_cloud(tmp_path / "c.ply", crs=32613, resolution=1.0)
    with pytest.raises((CrsError, InputError), match=r"in degrees|no place on Earth|not degrees"):
        read_cloud(copied, crs=4326, resolution=1.0)


def test_a_damaged_octree_is_refused(data_case: Case, tmp_path: Path) -> None:
    path = tmp_path / "c.copc.laz"
    shutil.copy(data_case("formats") / "pdal" / "lone-star.copc.laz", path)
    path.chmod(0o644)
    with laspy.open(path) as reader:
        tree = copc.octree_of(reader.header)
    assert tree is not None
    whole = path.read_bytes()
    for at, patch in ((tree.root_at + 16, b"\xff" * 8), (tree.root_at + 28, b"\xff" * 4), (375 + 54 + 40, b"\xff" * 8)):
        path.write_bytes(whole[:at] + patch + whole[at + len(patch) :])
        with pytest.raises(FormatError) as caught:
            read_cloud(path, crs=32613, bounds=LONE_STAR)
        assert "\n" not in str(caught.value)
