"""Fitting one scan onto another. The only module that imports open3d, and only when it is called."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HazardGeoWarning, InfeasibleError, InputError, MissingPackageError
from hazardgeo.scan.points import counted, require_usable

MIN_OVERLAP = 0.1
MIN_POINTS = 100
MIN_DISTANCE_M = 0.001  # files keep the coordinates of scans to a millimetre
_NORMAL_NEIGHBOURS = 20
_ITERATIONS = 50
_LOOSE = 1e-3  # smallest mean squared component of the normals along any direction: they deviate by about 2 degrees


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A rigid movement that fits one scan onto another, and how well it fits.

    `matrix` is 4 x 4 and takes (east, north, height, 1) of the moving scan to the fixed one, in the coordinates of
    `crs` and `height`. `overlap` is the share (0-1) of the moving scan that has the fixed one within reach after the
    movement. `rmse_m` is the root mean square distance of that share to the local planes of the fixed scan, in m: the
    roughness of both scans and their real changes are in it, so it is no error of the movement itself.
    """

    matrix: NDArray[np.float64]
    overlap: float
    rmse_m: float
    crs: pyproj.CRS
    height: Height

    def apply(self, cloud: PointCloud) -> PointCloud:
        """The cloud moved by `matrix`; attributes are kept. CrsError or HeightError for another reference system."""
        if cloud.crs != self.crs:
            raise CrsError(
                f"the alignment holds in {_crs.label(self.crs)}, the cloud is in {_crs.label(cloud.crs)}; reproject it."
            )
        self.height.require_same(cloud.height)
        return replace(cloud, xyz=cloud.xyz @ self.matrix[:3, :3].T + self.matrix[:3, 3])


def align(moving: PointCloud, fixed: PointCloud, *, max_distance_m: float = 1.0) -> Alignment:
    """The small rigid movement that fits `moving` onto `fixed`, for scans that are already in place to `max_distance_m`.

    Point-to-plane iterative closest point (Chen & Medioni 1992, doi 10.1016/0262-8856(92)90066-C) by Open3D, on points
    thinned to half of `max_distance_m`, with Tukey weights: points farther than `max_distance_m` (then a third of it)
    from the other scan count nothing. What moved between the scans by more than a third of `max_distance_m` is thus
    left out; smaller real movement that covers most of the overlap is taken for misalignment, so select stable ground
    first. Withheld points and noise do not count. Coordinates are reduced to the centre of `fixed` while fitting.

    Warns (HazardGeoWarning) where the overlap is nearly one plane, along which nothing holds the scans. Raises CrsError
    and HeightError for scans with different or non-metric references, InputError for empty, broken or widely scattered
    scans and a `max_distance_m` under a millimetre, InfeasibleError where less than a tenth of `moving` meets `fixed`,
    and MissingPackageError without Open3D.
    """
    if not (math.isfinite(max_distance_m) and max_distance_m >= MIN_DISTANCE_M):
        raise InputError(f"max_distance_m must be a number of metres of at least {MIN_DISTANCE_M:g}, not {max_distance_m}.")
    _require_comparable(moving, fixed)
    o3d = _open3d()
    source, target = _usable(moving, "moving"), _usable(fixed, "fixed")
    origin = target.mean(axis=0)
    with _errors_of_open3d():
        source, target = (_thin(o3d, xyz - origin, max_distance_m / 2) for xyz in (source, target))
        target.estimate_normals(o3d.geometry.KDTreeSearchParamKNN(_NORMAL_NEIGHBOURS))
        local = np.eye(4)
        for reach_m in (max_distance_m, max_distance_m / 3):
            _require_overlap(o3d, source, target, max_distance_m, local)
            local = _icp(o3d, source, target, reach_m, local)
        pairs = _require_overlap(o3d, source, target, max_distance_m, local)
    rmse_m, normals = _fit(source, target, pairs, local)
    _warn_if_loose(normals)
    return Alignment(_in_world(local, origin), len(pairs) / len(source.points), rmse_m, fixed.crs, fixed.height)


def _require_comparable(moving: PointCloud, fixed: PointCloud) -> None:
    for name, cloud in (("moving", moving), ("fixed", fixed)):
        require_usable(cloud, f"align ({name} scan)")
    if moving.crs != fixed.crs:
        raise CrsError(
            f"the moving scan is in {_crs.label(moving.crs)}, the fixed one in {_crs.label(fixed.crs)}; reproject one of them."
        )
    fixed.height.require_same(moving.height)


def _open3d() -> Any:
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise MissingPackageError(
            f"align needs open3d, which cannot be loaded ({error}). Install it with `pip install open3d-cpu` (Linux) or "
            "`pip install open3d`; if a system library is missing, `apt-get install libegl1 libusb-1.0-0 libgl1`."
        ) from error
    return open3d


@contextmanager
def _errors_of_open3d() -> Iterator[None]:
    """What Open3D raises, coloured and over several lines, as an InputError of one line."""
    try:
        yield
    except RuntimeError as error:
        plain = re.sub(r"\x1b\[[\d;]*m", "", str(error))
        reason = " ".join(re.sub(r".*\.cpp:\d+:", "", plain, flags=re.DOTALL).split()).rstrip(".")
        raise InputError(
            f"Open3D cannot align the scans: {reason[:200]}; drop stray points far from the survey, or enlarge max_distance_m."
        ) from None


def _usable(cloud: PointCloud, name: str) -> NDArray[np.float64]:
    counts = counted(cloud)
    if counts.sum() < MIN_POINTS:
        raise InputError(f"the {name} scan has {counts.sum()} points that are not withheld or noise; align needs {MIN_POINTS}.")
    return np.asarray(cloud.xyz[counts], np.float64)


def _thin(o3d: Any, xyz: NDArray[np.float64], voxel_m: float) -> Any:
    """The mean point of each voxel, as an open3d cloud."""
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(xyz))
    return cloud.voxel_down_sample(voxel_m)


def _icp(o3d: Any, source: Any, target: Any, reach_m: float, start: NDArray[np.float64]) -> NDArray[np.float64]:
    registration = o3d.pipelines.registration
    result = registration.registration_icp(
        source,
        target,
        reach_m,
        start,
        registration.TransformationEstimationPointToPlane(registration.TukeyLoss(k=reach_m)),
        registration.ICPConvergenceCriteria(relative_fitness=1e-6, relative_rmse=1e-6, max_iteration=_ITERATIONS),
    )
    return np.array(result.transformation, np.float64)


def _require_overlap(o3d: Any, source: Any, target: Any, reach_m: float, local: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pairs of source and target points within reach; InfeasibleError for too few of them."""
    result = o3d.pipelines.registration.evaluate_registration(source, target, reach_m, local)
    pairs = np.asarray(result.correspondence_set, np.int64).reshape(-1, 2)
    share = len(pairs) / len(source.points)
    if share < MIN_OVERLAP:
        raise InfeasibleError(
            f"only {share:.1%} of the moving scan lies within {reach_m:g} m of the fixed one, less than {MIN_OVERLAP:.0%}; "
            "check the places and heights of both scans, or enlarge max_distance_m."
        )
    return pairs


def _fit(source: Any, target: Any, pairs: NDArray[np.int64], local: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Root mean square distance of the pairs to the planes of the target, and the normals of those planes."""
    moved = np.asarray(source.points)[pairs[:, 0]] @ local[:3, :3].T + local[:3, 3]
    normals = np.asarray(target.normals)[pairs[:, 1]]
    distance = ((moved - np.asarray(target.points)[pairs[:, 1]]) * normals).sum(axis=1)
    return float(np.sqrt((distance**2).mean())), normals


def _warn_if_loose(normals: NDArray[np.float64]) -> None:
    weakest = float(np.linalg.eigvalsh(normals.T @ normals / len(normals))[0])
    if weakest < _LOOSE:
        warnings.warn(
            "the overlap of the scans is nearly one plane, so that nothing holds them along it: "
            "the movement along that plane is not known; align scans that share slopes in several directions.",
            HazardGeoWarning,
            stacklevel=3,
        )


def _in_world(local: NDArray[np.float64], origin: NDArray[np.float64]) -> NDArray[np.float64]:
    """The movement about `origin`, as one matrix for unreduced coordinates."""
    matrix = local.copy()
    matrix[:3, 3] = origin + local[:3, 3] - local[:3, :3] @ origin
    return matrix
