"""What Open3D does for the registration of scans. The only module that imports it, and only when it is called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError, MissingPackageError

Floats = NDArray[np.float64]
NORMAL_NEIGHBOURS = 20
_FEATURE_NEIGHBOURS = 100
_ITERATIONS = 50


def open3d() -> Any:
    """The package; MissingPackageError with the commands that install it."""
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise MissingPackageError(
            f"align needs open3d, which cannot be loaded ({error}). Install it with `pip install open3d-cpu` (Linux) or "
            "`pip install open3d`; if a system library is missing, `apt-get install libegl1 libusb-1.0-0 libgl1`."
        ) from error
    return open3d


@contextmanager
def errors_of_open3d() -> Iterator[None]:
    """What Open3D raises, coloured and over several lines, as an InputError of one line."""
    try:
        yield
    except RuntimeError as error:
        plain = re.sub(r"\x1b\[[\d;]*m", "", str(error))
        reason = " ".join(re.sub(r".*\.cpp:\d+:", "", plain, flags=re.DOTALL).split()).rstrip(".")
        raise InputError(
            f"Open3D cannot align the scans: {reason[:200]}; drop stray points far from the survey, or enlarge max_distance_m."
        ) from None


def thinned(o3d: Any, xyz: Floats, voxel_m: float) -> Any:
    """The mean point of each voxel, as an open3d cloud."""
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(xyz))
    return cloud.voxel_down_sample(voxel_m)


def with_normals(o3d: Any, cloud: Any) -> tuple[Floats, Floats]:
    """The normals of an open3d cloud, turned up, which it keeps; and how uncertain each is, as (n, 3, 3) covariances.

    The noise across a plane through k neighbours, over the spread of these along the plane, turns its normal.
    """
    around = o3d.geometry.KDTreeSearchParamKNN(NORMAL_NEIGHBOURS)
    cloud.estimate_covariances(around)
    spread, axes = np.linalg.eigh(np.asarray(cloud.covariances))
    across, along = np.maximum(spread[:, :1], 0.0), np.maximum(spread[:, 1:], 1e-12)
    turning = np.minimum(across / (NORMAL_NEIGHBOURS * along), 1.0)
    normals = axes[:, :, 0] * np.where(axes[:, 2:, 0] < 0, -1.0, 1.0)
    cloud.normals = o3d.utility.Vector3dVector(normals)
    uncertain = np.einsum("nik,nk,njk->nij", axes[:, :, 1:], turning, axes[:, :, 1:])
    return normals, uncertain


def icp(o3d: Any, source: Any, target: Any, reach_m: float, scale_m: float, start: Floats) -> Floats:
    """Point-to-plane iterative closest point from `start`, with Tukey weights that end at `scale_m`: a 4 x 4 matrix."""
    registration = o3d.pipelines.registration
    result = registration.registration_icp(
        source,
        target,
        reach_m,
        start,
        registration.TransformationEstimationPointToPlane(registration.TukeyLoss(k=scale_m)),
        registration.ICPConvergenceCriteria(relative_fitness=1e-6, relative_rmse=1e-6, max_iteration=_ITERATIONS),
    )
    return np.array(result.transformation, np.float64)


def pairs_within(o3d: Any, source: Any, target: Any, reach_m: float, local: Floats) -> NDArray[np.int64]:
    """Which source and target points are nearest to one another within reach after the movement, (pairs, 2)."""
    result = o3d.pipelines.registration.evaluate_registration(source, target, reach_m, local)
    return np.asarray(result.correspondence_set, np.int64).reshape(-1, 2)


def alike(o3d: Any, source: Any, target: Any, radius_m: float) -> NDArray[np.int64]:
    """Pairs of points whose surroundings look most alike, each to the other, (pairs, 2).

    Fast point feature histograms (Rusu et al. 2009, doi 10.1109/ROBOT.2009.5152473) of the points within `radius_m`.
    """
    registration = o3d.pipelines.registration
    around = o3d.geometry.KDTreeSearchParamHybrid(radius=radius_m, max_nn=_FEATURE_NEIGHBOURS)
    features = [registration.compute_fpfh_feature(cloud, around) for cloud in (source, target)]
    found = registration.correspondences_from_features(*features, mutual_filter=True)
    return np.asarray(found, np.int64).reshape(-1, 2)
