import numpy as np
import pytest

from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, InputError

XYZ = np.array([[0.0, 0.0, 5.0], [2.0, 1.0, 7.0], [4.0, 3.0, 6.0]])


def test_selection_keeps_attributes_and_what_heights_refer_to() -> None:
    cloud = PointCloud(XYZ, 32648, {"classification": np.array([2, 1, 2], np.uint8)}, Height("ellipsoidal"))
    ground = cloud.select(cloud.attributes["classification"] == 2)
    assert len(ground) == 2
    assert ground.attributes["classification"].tolist() == [2, 2]
    assert ground.height == Height("ellipsoidal")


def test_bounds_of_a_cloud() -> None:
    assert PointCloud(XYZ, 32648).bounds == (0.0, 0.0, 4.0, 3.0)


def test_adding_an_attribute_leaves_the_cloud_as_it_was() -> None:
    cloud = PointCloud(XYZ, 32648)
    assert "intensity" in cloud.with_attribute("intensity", np.zeros(3)).attributes
    assert not cloud.attributes


def test_bad_shapes_and_lengths_are_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(n, 3\)"):
        PointCloud(XYZ[:, :2], 32648)
    with pytest.raises(InputError, match="2 values for 3 points"):
        PointCloud(XYZ, 32648, {"intensity": np.zeros(2)})
    with pytest.raises(InputError, match="no bounds"):
        _ = PointCloud(np.empty((0, 3)), 32648).bounds


def test_degrees_are_refused_where_metres_are_needed() -> None:
    with pytest.raises(CrsError, match="needs metres"):
        PointCloud(XYZ, 4326).require_metric("ground classification")
