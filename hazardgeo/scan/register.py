"""Fitting one scan onto another, and how surely."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HazardGeoWarning, InfeasibleError, InputError
from hazardgeo.scan import matching, plane_pairs
from hazardgeo.scan.plane_pairs import TUKEY, Pairs, Planes
from hazardgeo.scan.points import counted, require_usable
from hazardgeo.scan.poses import about, moved, movement, seen_from

Floats = NDArray[np.float64]
MIN_OVERLAP = 0.1
MIN_POINTS = 100
MIN_DISTANCE_M = 0.001  # files keep the coordinates of scans to a millimetre
_SCALES = 3
_MOST_POINTS = 250_000
_ALIKE = 0.9  # share of the best fit at which another place fits as well
_TURNS = 0.05  # smallest part of a movement that counts as a turn
_NO_TURN = 0.1  # metres that a place moves when a scan moves by a metre along what nothing holds


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A rigid movement that fits one scan onto another, how well it fits, and how sure it is.

    `matrix` is 4 x 4 and takes (east, north, height, 1) of the moving scan to the fixed one, in the coordinates of
    `crs` and `height`. `overlap` is the share (0-1) of the moving scan that has the fixed one within reach after the
    movement, and `stable_share` the share of that which counted as unchanged. `rmse_m` is the root mean square distance of
    the overlap to the local planes of the fixed scan, in m: the roughness of both scans and their real changes are in it,
    so it is no error of the movement itself.

    That error is in `covariance` (6 x 6): three turns in radians about east, north and up, and three shifts in m, about
    `centre`; `sigma_at` carries it to places. NaN where it is not known. `unknown` (6, k) spans the turns (times `arm_m`)
    and shifts that the shape of the scans leaves open: along these the scans were left as they lay.
    """

    matrix: Floats
    overlap: float
    rmse_m: float
    crs: pyproj.CRS
    height: Height
    stable_share: float = math.nan
    covariance: Floats = field(default_factory=lambda: np.full((6, 6), np.nan))
    centre: Floats = field(default_factory=lambda: np.full(3, np.nan))
    unknown: Floats = field(default_factory=lambda: np.zeros((6, 0)))
    arm_m: float = 1.0

    def apply(self, cloud: PointCloud) -> PointCloud:
        """The cloud moved by `matrix`; attributes are kept. CrsError or HeightError for another reference system."""
        if cloud.crs != self.crs:
            raise CrsError(
                f"the alignment holds in {_crs.label(self.crs)}, the cloud is in {_crs.label(cloud.crs)}; reproject it."
            )
        self.height.require_same(cloud.height)
        return replace(cloud, xyz=moved(cloud.xyz, self.matrix))

    def sigma_at(self, xyz: Floats, along: Floats | None = None) -> Floats:
        """Standard deviation of where the movement puts places (n, 3), in m along the unit vectors `along` (n, 3).

        In the worst direction of each place without `along`. NaN where the direction, or with `along` this one, moves with
        what nothing holds. The registration error of a core point of `change.m3c2` is this along its normal.
        """
        arms = np.asarray(xyz, np.float64).reshape(-1, 3) - self.centre
        moves = np.zeros((len(arms), 3, 6))
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            moves[:, i, j], moves[:, j, i] = arms[:, k], -arms[:, k]
        moves[:, :, 3:] = np.eye(3)
        loose = moves @ (self.unknown * np.repeat([1.0 / self.arm_m, 1.0], 3)[:, None])
        if along is None:
            spread = moves @ self.covariance @ moves.transpose(0, 2, 1)
            known = np.isfinite(spread).all(axis=(1, 2)) & (np.abs(loose).max(axis=(1, 2), initial=0.0) <= _NO_TURN)
            variance = np.full(len(arms), np.nan)
            variance[known] = np.linalg.eigvalsh(spread[known])[:, 2]
        else:
            ahead = np.einsum("ni,nij->nj", np.asarray(along, np.float64).reshape(-1, 3), moves)
            variance = np.einsum("ni,ij,nj->n", ahead, self.covariance, ahead)
            swing = np.einsum("ni,nij->nj", np.asarray(along, np.float64).reshape(-1, 3), loose)
            variance[np.abs(swing).max(axis=1, initial=0.0) > _NO_TURN] = np.nan
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def align(
    moving: PointCloud,
    fixed: PointCloud,
    *,
    max_distance_m: float = 1.0,
    stable: NDArray[np.bool_] | None = None,
    start: Alignment | None = None,
) -> Alignment:
    """The small rigid movement that fits `moving` onto `fixed`, for scans that are already in place to `max_distance_m`.

    Point-to-plane iterative closest point (Chen & Medioni 1992, doi 10.1016/0262-8856(92)90066-C) by Open3D at three
    scales: points thinned to a half, a quarter and an eighth of `max_distance_m`, that reach as far as that, a half and a
    quarter of it, with Tukey weights by the robust spread of the distances. So what moved between the scans counts
    nothing, as long as it is less than about half of the overlap; real movement of most of it is taken for misalignment:
    say with `stable`, one bool for each point of `moving`, which ground did not move. `start` is where another fit, such as
    `align_coarse`, puts the scan. Withheld points and noise do not count. Coordinates are reduced to the centre of `fixed`.

    The covariance comes from how blocks of the ground disagree (`plane_pairs.covariance`); errors of a scan that are larger
    than a block, such as strips that lie skew, are not in it. On eight patches of a real gully scan, each split at random in
    two, errors were 1.2 times as large as it says. It tries four other starts, so that ground that repeats
    itself, like terraces, is noticed.

    Warns (HazardGeoWarning) where the overlap is nearly a plane, a cylinder or a sphere, along which nothing holds the
    scans: they are left as they lie along it, and `sigma_at` is NaN there. Raises CrsError and HeightError for scans with
    different or non-metric references, InputError for empty, broken or widely scattered scans and a `max_distance_m` under
    a millimetre, InfeasibleError where less than a tenth of `moving` meets `fixed` and where two places fit equally well,
    and MissingPackageError without Open3D.
    """
    if not (math.isfinite(max_distance_m) and max_distance_m >= MIN_DISTANCE_M):
        raise InputError(f"max_distance_m must be a number of metres of at least {MIN_DISTANCE_M:g}, not {max_distance_m}.")
    require_comparable(moving, fixed)
    o3d = matching.open3d()
    source, target = usable(_stable_part(moving, stable), "moving"), usable(fixed, "fixed")
    origin = target.mean(axis=0)
    begin = np.eye(4) if start is None else seen_from(start.matrix, origin)
    with matching.errors_of_open3d():
        fitted = fit(o3d, source - origin, target - origin, max_distance_m, begin)
    warn_if_loose(fitted.free)
    return fitted.alignment(origin, fixed)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Where a fit ends, in coordinates about an origin."""

    local: Floats
    pairs: Pairs
    free: Floats
    overlap: float
    rmse_m: float

    def alignment(self, origin: Floats, fixed: PointCloud) -> Alignment:
        return Alignment(
            about(self.local, origin),
            self.overlap,
            self.rmse_m,
            fixed.crs,
            fixed.height,
            stable_share=float((self.pairs.weight > 0).mean()),
            covariance=plane_pairs.covariance(self.pairs, self.free),
            centre=self.pairs.centre + origin,
            unknown=self.free,
            arm_m=self.pairs.arm_m,
        )


def fit(o3d: Any, source: Floats, target: Floats, max_distance_m: float, begin: Floats) -> Fit:
    """The movement of `source` from `begin` on to `target`, from coarse to fine."""
    sources, targets = (_pyramid(o3d, xyz, max_distance_m) for xyz in (source, target))
    local, tried = begin, False
    for scale in range(_SCALES):
        cloud, onto = sources[scale], targets[scale]
        planes = Planes.of(np.asarray(onto.points), *matching.with_normals(o3d, onto))
        reach_m = _reach(onto, max_distance_m, scale)
        require_overlap(o3d, cloud, onto, max_distance_m, local)
        local = _icp(o3d, cloud, onto, planes, reach_m, local)
        points = np.asarray(cloud.points)
        pairs = _paired(points, planes, reach_m, local)
        free = plane_pairs.free_of(pairs)
        if not (tried or free.shape[1]):
            local, tried = _best_of_several(o3d, cloud, onto, planes, (reach_m, max_distance_m), local), True
        local = plane_pairs.only_held(pairs, free, local, begin)
    local, pairs = plane_pairs.polished(points, planes, reach_m, local)
    met = require_overlap(o3d, cloud, onto, max_distance_m, local)
    wide = plane_pairs.pair(points, planes, max_distance_m, local)
    return Fit(local, pairs, plane_pairs.free_of(pairs), met, float(np.sqrt((wide.distance**2).mean())))


def require_comparable(moving: PointCloud, fixed: PointCloud) -> None:
    """Raise InputError, CrsError or HeightError unless both scans can be used and share their references."""
    for name, cloud in (("moving", moving), ("fixed", fixed)):
        require_usable(cloud, f"align ({name} scan)")
    if moving.crs != fixed.crs:
        raise CrsError(
            f"the moving scan is in {_crs.label(moving.crs)}, the fixed one in {_crs.label(fixed.crs)}; reproject one of them."
        )
    fixed.height.require_same(moving.height)


def usable(cloud: PointCloud, name: str) -> Floats:
    """The coordinates of the points that count; InputError for too few of them."""
    counts = counted(cloud)
    if counts.sum() < MIN_POINTS:
        raise InputError(f"the {name} scan has {counts.sum()} points that are not withheld or noise; align needs {MIN_POINTS}.")
    return np.asarray(cloud.xyz[counts], np.float64)


def _stable_part(moving: PointCloud, stable: NDArray[np.bool_] | None) -> PointCloud:
    if stable is None:
        return moving
    mask = np.asarray(stable)
    if mask.dtype != bool or mask.shape != (len(moving),):
        raise InputError(f"stable must be one bool for each of the {len(moving):,} moving points, not {mask.dtype} {mask.shape}.")
    if mask.sum() < MIN_POINTS:
        raise InputError(f"{mask.sum()} points of the moving scan are on stable ground; align needs {MIN_POINTS}.")
    return moving.select(mask)


def _pyramid(o3d: Any, xyz: Floats, max_distance_m: float) -> list[Any]:
    """The scan thinned to a half, a quarter and an eighth of the distance, but to no more points than are of use."""
    clouds: list[Any] = []
    for scale in reversed(range(_SCALES)):
        voxel_m = max_distance_m / 2 ** (scale + 1)
        base = np.asarray(clouds[-1].points) if clouds else xyz
        cloud = matching.thinned(o3d, base, voxel_m)
        while len(cloud.points) > _MOST_POINTS:
            voxel_m *= max(1.1, math.sqrt(len(cloud.points) / _MOST_POINTS))
            cloud = matching.thinned(o3d, base, voxel_m)
        clouds.append(cloud)
    return clouds[::-1]


def _reach(target: Any, max_distance_m: float, scale: int) -> float:
    """How far points may lie apart at a scale: more than the points of the fixed scan lie from one another."""
    apart = float(np.median(np.asarray(target.compute_nearest_neighbor_distance())))
    return float(min(max(max_distance_m / 2**scale, 2.0 * apart), max_distance_m))


def _paired(points: Floats, planes: Planes, reach_m: float, local: Floats) -> Pairs:
    pairs = plane_pairs.pair(points, planes, reach_m, local)
    if len(pairs.distance) < MIN_OVERLAP * len(points):
        _refuse_overlap(len(pairs.distance) / len(points), reach_m)
    return pairs


def _icp(o3d: Any, source: Any, target: Any, planes: Planes, reach_m: float, local: Floats) -> Floats:
    """Iterative closest point with weights by the spread of the distances, which is taken anew once."""
    for _ in range(2):
        pairs = plane_pairs.pair(np.asarray(source.points), planes, reach_m, local)
        if len(pairs.distance) < MIN_POINTS // 10:
            return local
        limit_m = min(max(TUKEY * pairs.spread_m, reach_m / 10), reach_m)
        local = matching.icp(o3d, source, target, reach_m, limit_m, local)
    return local


def _best_of_several(o3d: Any, source: Any, target: Any, planes: Planes, reaches_m: tuple[float, float], first: Floats) -> Floats:
    """Where a fit ends from `first` and four places beside it; InfeasibleError where two ends are as good."""
    reach_m, widest_m = reaches_m
    points = np.asarray(source.points)
    aside = widest_m / 2 * np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0], [0, -1.0, 0]])
    ends = [first, *(_icp(o3d, source, target, planes, reach_m, movement(np.zeros(3), shift) @ first) for shift in aside)]
    tried = [plane_pairs.pair(points, planes, reach_m, end) for end in ends]
    limit_m = TUKEY * min(p.spread_m for p in tried if len(p.distance) >= MIN_OVERLAP * len(points))
    scores = np.array([plane_pairs.tukey(p.distance, max(limit_m, 1e-6)).sum() for p in tried])
    best = int(scores.argmax())
    home = moved(points, ends[best])
    apart = np.array([math.sqrt(float(((moved(points, end) - home) ** 2).sum(axis=1).mean())) for end in ends])
    rivals = (scores > _ALIKE * scores[best]) & (apart > reach_m / 4)
    if rivals.any():
        raise InfeasibleError(
            f"the scans fit equally well at two places {apart[rivals].min():.2g} m apart: the ground repeats itself; "
            "lower max_distance_m if the scans lie closer than that, or fit them by control points (scan.fit_control)."
        )
    return ends[best]


def require_overlap(o3d: Any, source: Any, target: Any, reach_m: float, local: Floats) -> float:
    """The share of `source` with a point of `target` within reach; InfeasibleError for too little of it."""
    pairs = matching.pairs_within(o3d, source, target, reach_m, local)
    share = len(pairs) / len(source.points)
    if share < MIN_OVERLAP:
        _refuse_overlap(share, reach_m)
    return share


def _refuse_overlap(share: float, reach_m: float) -> None:
    raise InfeasibleError(
        f"only {share:.1%} of the moving scan lies within {reach_m:g} m of the fixed one, less than {MIN_OVERLAP:.0%}; "
        "check the places and heights of both scans, or enlarge max_distance_m."
    )


def warn_if_loose(free: Floats) -> None:
    """Warn where nothing holds the scans along some movement, and say what their overlap looks like."""
    if free.shape[1]:
        warnings.warn(
            f"the overlap of the scans is nearly {shape_of(free)}, so that nothing holds them along it: the movement along it is "
            "not known and they were left as they lay there; align scans that share slopes in several directions.",
            HazardGeoWarning,
            stacklevel=3,
        )


def shape_of(free: Floats) -> str:
    """What ground looks like that leaves these movements open."""
    number, turns = free.shape[1], int((np.linalg.svd(free[:3], compute_uv=False) > _TURNS).sum())
    if number >= 3:
        return "one sphere" if turns >= 2 else "one plane"
    if number == 2:
        return "one cylinder"
    return "round about one axis" if np.abs(free[:3]).max() > np.abs(free[3:]).max() else "one straight ridge"
