"""Where one scan lies in another, when nothing is known of it: for scans without coordinates of the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InfeasibleError, InputError
from hazardgeo.kernel import kernel
from hazardgeo.scan import matching, plane_pairs
from hazardgeo.scan.plane_pairs import TUKEY, Pairs, Planes
from hazardgeo.scan.poses import best_fits, moved
from hazardgeo.scan.register import Alignment, fit, require_comparable, shape_of, usable

Floats = NDArray[np.float64]
MIN_SHARE = 0.2  # of the moving scan that must meet the fixed one
_MOST_POINTS = 9_000
_FEATURE_RADIUS = 6.0  # spacings
_TRIALS, _BATCH = 200_000, 50_000
_SAME_SIDES = 0.9
_MOST_TILT = math.cos(math.radians(30.0))
_JURY = 300  # pairs that choose among all movements; all pairs choose among the best
_KEPT = 2_000
_CANDIDATES = 8
_RIVAL = 0.7  # share of the best fit at which another place is as good: neither is then known to be right


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A movement and the pairs of points that meet after it."""

    local: Floats
    pairs: Pairs


def align_coarse(moving: PointCloud, fixed: PointCloud, *, spacing_m: float | None = None, seed: int = 0) -> Alignment:
    """The rigid movement that fits `moving` onto `fixed` wherever it lies: for scans that are not georeferenced.

    Both scans must stand upright to within 30 degrees, in metres, and share a fifth of their ground. `moving` is read with
    the CRS and the heights of `fixed`, though its numbers mean nothing in them yet. `spacing_m` is the distance of the
    points that are compared; unless given, such that some nine thousand remain, but at least 5 cm.

    Points are paired by how their surroundings look (fast point feature histograms, Rusu et al. 2009, doi
    10.1109/ROBOT.2009.5152473, of six spacings around), and movements are drawn from groups of three pairs (random sample
    consensus, Fischler & Bolles 1981, doi 10.1145/358669.358692) with `seed`: the same seed gives the same movement, to
    rounding. The best places are fitted by planes, as in `align`, and compared by how much ground meets how closely. The best
    one is fitted down to a quarter of the spacing; `align(..., start=this)` goes on from there.

    Raises InfeasibleError where no place, or more than one, fits: flat or symmetric ground, too little overlap. Other
    errors are those of `align`.
    """
    if spacing_m is not None and not (math.isfinite(spacing_m) and spacing_m > 0):
        raise InputError(f"spacing_m must be a positive number of metres, not {spacing_m}.")
    require_comparable(moving, fixed)
    o3d = matching.open3d()
    source, target = usable(moving, "moving"), usable(fixed, "fixed")
    origin, start = target.mean(axis=0), source.mean(axis=0)
    with matching.errors_of_open3d():
        step_m = _spacing(o3d, source - start, target - origin) if spacing_m is None else spacing_m
        place = _found(o3d, source - start, target - origin, step_m, np.random.default_rng(seed))
        fitted = fit(o3d, source - start, target - origin, step_m, place)
    if fitted.free.shape[1]:
        raise InfeasibleError(
            f"the scans fit at many places: their ground is nearly {shape_of(fitted.free)}, along which nothing holds them; "
            "scan more of it, or fit them by control points (scan.fit_control)."
        )
    return _from_start(fitted.alignment(origin, fixed), start, origin)


def _from_start(alignment: Alignment, start: Floats, origin: Floats) -> Alignment:
    """The alignment for coordinates as files have them, where the moving scan was reduced to its own centre."""
    matrix = alignment.matrix.copy()
    matrix[:3, 3] += matrix[:3, :3] @ (origin - start)
    return replace(alignment, matrix=matrix)


def _spacing(o3d: Any, source: Floats, target: Floats) -> float:
    """The distance at which the larger of both scans keeps some nine thousand points."""
    span = max(float(np.ptp(xyz, axis=0).max()) for xyz in (source, target))
    step_m = max(span / 400.0, 0.05)
    while max(len(matching.thinned(o3d, xyz, step_m).points) for xyz in (source, target)) > _MOST_POINTS:
        step_m *= 1.25
    return step_m


def _found(o3d: Any, source: Floats, target: Floats, step_m: float, rng: np.random.Generator) -> Floats:
    """The one place where the scans fit; InfeasibleError for none and for several."""
    thin_source, thin_target = (matching.thinned(o3d, xyz, step_m) for xyz in (source, target))
    matching.with_normals(o3d, thin_source)
    planes = Planes.of(np.asarray(thin_target.points), *matching.with_normals(o3d, thin_target))
    points = np.asarray(thin_source.points)
    alike = matching.alike(o3d, thin_source, thin_target, _FEATURE_RADIUS * step_m)
    hypotheses = _hypotheses(points[alike[:, 0]], planes.xyz[alike[:, 1]], step_m, rng)
    places: list[_Place] = []
    for local in _distinct(hypotheses, points, 4 * step_m)[:_CANDIDATES]:
        end = matching.icp(o3d, thin_source, thin_target, 2 * step_m, step_m, local)
        end = matching.icp(o3d, thin_source, thin_target, step_m, step_m / 2, end)
        places.append(_Place(end, plane_pairs.pair(points, planes, step_m, end)))
    return _one_of(places, points, step_m)


def _hypotheses(source: Floats, target: Floats, step_m: float, rng: np.random.Generator) -> Floats:
    """Movements that many pairs agree on, the best first, (m, 4, 4)."""
    if len(source) < 3:
        return np.zeros((0, 4, 4))
    drawn = np.vstack([_drawn(source, target, step_m, rng) for _ in range(_TRIALS // _BATCH)])
    jury = rng.permutation(len(source))[:_JURY]
    drawn = drawn[_best(_votes(drawn, source[jury], target[jury], 2 * step_m))]
    return np.asarray(drawn[_best(_votes(drawn, source, target, 2 * step_m))])


def _best(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.argsort(-votes, kind="stable")[:_KEPT]


@kernel
def _votes(movements: Floats, source: Floats, target: Floats, within: float) -> NDArray[np.int64]:
    """How many pairs lie within a distance after each movement."""
    votes = np.zeros(len(movements), np.int64)
    for m in range(len(movements)):
        a = movements[m]
        for k in range(len(source)):
            x, y, z = source[k, 0], source[k, 1], source[k, 2]
            dx = a[0, 0] * x + a[0, 1] * y + a[0, 2] * z + a[0, 3] - target[k, 0]
            dy = a[1, 0] * x + a[1, 1] * y + a[1, 2] * z + a[1, 3] - target[k, 1]
            dz = a[2, 0] * x + a[2, 1] * y + a[2, 2] * z + a[2, 3] - target[k, 2]
            votes[m] += dx * dx + dy * dy + dz * dz < within * within
    return votes


def _drawn(source: Floats, target: Floats, step_m: float, rng: np.random.Generator) -> Floats:
    """Movements of groups of three pairs whose triangles are alike, large enough and upright."""
    three = rng.integers(0, len(source), (_BATCH, 3))
    a, b = source[three], target[three]
    sides_a, sides_b = (np.linalg.norm(xyz - np.roll(xyz, 1, axis=1), axis=2) for xyz in (a, b))
    shorter, longer = np.minimum(sides_a, sides_b), np.maximum(sides_a, sides_b)
    alike = (shorter >= _SAME_SIDES * longer).all(axis=1) & (shorter.min(axis=1) > 4 * step_m)
    locals_ = best_fits(a[alike], b[alike])
    misses = np.linalg.norm(np.einsum("mij,mkj->mki", locals_[:, :3, :3], a[alike]) + locals_[:, None, :3, 3] - b[alike], axis=2)
    upright = locals_[:, 2, 2] >= _MOST_TILT
    return np.asarray(locals_[upright & (misses.max(axis=1) < 2 * step_m)])


def _distinct(hypotheses: Floats, points: Floats, apart_m: float) -> list[Floats]:
    """The best of the movements that put the points at clearly different places."""
    sample = points[:: max(1, len(points) // 50)]
    kept: list[Floats] = []
    for local in hypotheses:
        if all(_apart(local, other, sample) > apart_m for other in kept):
            kept.append(local)
        if len(kept) == _CANDIDATES:
            break
    return kept


def _apart(a: Floats, b: Floats, sample: Floats) -> float:
    return float(np.sqrt(((moved(sample, a) - moved(sample, b)) ** 2).sum(axis=1).mean()))


def _one_of(places: list[_Place], points: Floats, step_m: float) -> Floats:
    """The place where clearly the most ground meets most closely."""
    fair = [place for place in places if len(place.pairs.distance) >= MIN_SHARE * len(points)]
    if not fair:
        raise InfeasibleError(
            f"no place was found where a fifth of the moving scan meets the fixed one within {step_m:.2g} m; check that both "
            "show the same ground, upright and in metres, or fit them by control points (scan.fit_control)."
        )
    limit_m = TUKEY * max(min(place.pairs.spread_m for place in fair), step_m / 100)
    scores = np.array([plane_pairs.tukey(place.pairs.distance, limit_m).sum() for place in fair])
    best = int(scores.argmax())
    sample = points[:: max(1, len(points) // 200)]
    apart = np.array([_apart(place.local, fair[best].local, sample) for place in fair])
    rivals = (apart > 2 * step_m) & (scores > _RIVAL * scores[best])
    if rivals.any():
        raise InfeasibleError(
            f"the scans fit about equally well at {int(rivals.sum()) + 1} places up to {apart[rivals].max():.2g} m apart: the "
            "ground is too flat, or repeats itself; scan more of it, or fit them by control points (scan.fit_control)."
        )
    return fair[best].local
