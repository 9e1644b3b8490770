"""Pairs of points and planes of two scans: what they say of a movement, how surely, and what they leave open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hazardgeo.scan.poses import moved, movement, turn_of

Floats = NDArray[np.float64]
TUKEY = 4.685  # standard deviations beyond which Tukey's weight is zero: 95 % efficiency on Gaussian noise
_MIN_LEAN = 1e-4  # mean squared lean of the normals that holds scans at all: half a degree
_TIMES_NOISE = 3.0  # the lean must exceed what the noise of normals makes so many times
_BLOCKS = 8  # along the longest side
_POLISH = 12
_STILL_M = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Points of the fixed scan with their normals and how uncertain these are, and a tree to find them."""

    xyz: Floats
    normals: Floats
    uncertain: Floats
    tree: Any

    @classmethod
    def of(cls, xyz: Floats, normals: Floats, uncertain: Floats) -> Planes:
        return cls(xyz, normals, uncertain, cKDTree(xyz))


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Moved points with their distances from the planes, and what a turn (in radians times `arm_m`) and a shift change.

    `rows` (n, 6) are the changes of the distances, `weight` is Tukey's, and `lean` (6, 6) the weighted mean of the squared
    rows. `uncertain` (n, 3, 3) says how uncertain the normals of the planes are.
    """

    xyz: Floats
    distance: Floats
    rows: Floats
    weight: Floats
    uncertain: Floats
    lean: Floats
    centre: Floats
    arm_m: float

    @property
    def spread_m(self) -> float:
        """The robust standard deviation of the distances."""
        return robust_spread(self.distance)


def robust_spread(distance: Floats) -> float:
    """1.4826 times the median distance from the median."""
    return 1.4826 * float(np.median(np.abs(distance - np.median(distance))))


def tukey(distance: Floats, limit: float) -> Floats:
    """Weights from 1 at no distance to 0 at the limit and beyond."""
    share = np.clip(distance / max(limit, 1e-12), -1.0, 1.0)
    return np.asarray((1.0 - share**2) ** 2)


def pair(source: Floats, planes: Planes, reach_m: float, local: Floats) -> Pairs:
    """The pairs within reach after the movement; at least the caller knows that there are some."""
    xyz = moved(source, local)
    far, nearest = planes.tree.query(xyz, distance_upper_bound=reach_m)
    met = np.isfinite(far)
    xyz, nearest = xyz[met], nearest[met]
    normals = planes.normals[nearest]
    distance = ((xyz - planes.xyz[nearest]) * normals).sum(axis=1)
    centre = xyz.mean(axis=0)
    arms = planes.xyz[nearest] - centre  # not of the points: on curved ground those that lie beside lean by that alone
    arm_m = max(math.sqrt(float((arms**2).sum(axis=1).mean())), 1e-9)
    rows = np.hstack([np.cross(arms, normals) / arm_m, normals])
    weight = tukey(distance, max(TUKEY * robust_spread(distance), 1e-6))
    total = max(float(weight.sum()), 1e-12)
    lean = (rows * weight[:, None]).T @ rows / total
    return Pairs(xyz, distance, rows, weight, planes.uncertain[nearest], lean, centre, arm_m)


def free_of(pairs: Pairs) -> Floats:
    """An orthonormal basis (6, k) of the movements that change no distance by more than noise of the normals does."""
    bound = _TIMES_NOISE * lean_of_noise(pairs) + _MIN_LEAN * np.eye(6)
    root = np.linalg.cholesky(bound)
    whitened = np.linalg.solve(root, np.linalg.solve(root, pairs.lean).T).T
    strength, axes = np.linalg.eigh((whitened + whitened.T) / 2)
    return np.asarray(np.linalg.qr(np.linalg.solve(root.T, axes[:, strength < 1.0]))[0])


def held_beside(free: Floats) -> Floats:
    """An orthonormal basis (6, 6 - k) of the other movements."""
    number = free.shape[1]
    return np.asarray(np.linalg.svd(free.T)[2][number:].T) if number else np.eye(6)


def lean_of_noise(pairs: Pairs) -> Floats:
    """The mean squared rows that would come of the noise of the normals alone."""
    arms, uncertain = (pairs.xyz - pairs.centre) / pairs.arm_m, pairs.uncertain
    share = pairs.weight / max(float(pairs.weight.sum()), 1e-12)
    cross = np.zeros((len(arms), 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        cross[:, i, j], cross[:, j, i] = -arms[:, k], arms[:, k]
    turned = cross @ uncertain
    out = np.empty((6, 6))
    out[:3, :3] = np.einsum("nij,nkj,n->ik", turned, cross, share)
    out[:3, 3:] = np.einsum("nij,n->ij", turned, share)
    out[3:, :3] = out[:3, 3:].T
    out[3:, 3:] = np.einsum("nij,n->ij", uncertain, share)
    return out


def step(pairs: Pairs, held: Floats) -> Floats:
    """The small movement (turn times arm, shift) that brings the points nearest to the planes, along what is held."""
    gradient = pairs.rows.T @ (pairs.weight * pairs.distance) / max(float(pairs.weight.sum()), 1e-12)
    return np.asarray(-held @ np.linalg.solve(held.T @ pairs.lean @ held, held.T @ gradient))


def stepped(pairs: Pairs, change: Floats, local: Floats) -> Floats:
    """`local` followed by the small movement about the centre of the pairs."""
    turn = movement(change[:3] / pairs.arm_m, np.zeros(3))
    turn[:3, 3] = pairs.centre - turn[:3, :3] @ pairs.centre + change[3:]
    return np.asarray(turn @ local)


def polished(source: Floats, planes: Planes, reach_m: float, local: Floats) -> tuple[Floats, Pairs]:
    """The movement after some steps along what is held, and its pairs."""
    pairs = pair(source, planes, reach_m, local)
    held = held_beside(free_of(pairs))
    for _ in range(_POLISH):
        change = step(pairs, held)
        local = stepped(pairs, change, local)
        pairs = pair(source, planes, reach_m, local)
        if float(np.abs(change).max()) < _STILL_M:
            break
    return local, pairs


def covariance(pairs: Pairs, free: Floats) -> Floats:
    """How uncertain turn (in radians) and shift (in m) about the centre are, (6, 6), along what is held.

    Neighbouring distances err alike, so whole blocks of the ground count as one observation each: the jackknife that leaves
    one block out at a time (after Liang & Zeger 1986, doi 10.1093/biomet/73.1.13, in one step from the solution), with cubes
    of an eighth of the longest side. NaN with fewer than eight blocks.
    """
    block = _blocks(pairs.xyz)
    blocks = int(block.max()) + 1
    if blocks <= 7:
        return np.full((6, 6), np.nan)
    held = held_beside(free)
    rows = pairs.rows @ held
    steady = _sharpness(pairs) / max(float(pairs.weight.sum()), 1e-12)
    pulls, parts = np.zeros((blocks, held.shape[1])), np.zeros((blocks, held.shape[1], held.shape[1]))
    np.add.at(pulls, block, rows * (pairs.weight * pairs.distance)[:, None])
    np.add.at(parts, block, np.einsum("ni,nj,n->nij", rows, rows, pairs.weight * steady))
    whole = held.T @ (pairs.lean - lean_of_noise(pairs)) @ held * _sharpness(pairs)
    without = np.linalg.solve(whole - parts, pulls[:, :, None])[:, :, 0] @ held.T
    unit = np.repeat([1.0 / pairs.arm_m, 1.0], 3)
    return np.asarray((without.T @ without) * (blocks - 1) / blocks * np.outer(unit, unit))


def _blocks(xyz: Floats) -> NDArray[np.int64]:
    """The number of the cube that each point lies in."""
    span = float(np.ptp(xyz, axis=0).max())
    cubes = np.floor((xyz - xyz.min(axis=0)) / max(span / _BLOCKS, 1e-9)).astype(np.int64)
    return np.asarray(np.unique(cubes @ np.array([10_000, 100, 1]), return_inverse=True)[1], np.int64)


def _sharpness(pairs: Pairs) -> float:
    """How much the pulls change with the distances, summed: that of Tukey's weights, which fall off, not of fixed ones."""
    share = np.clip((pairs.distance / max(TUKEY * pairs.spread_m, 1e-6)) ** 2, 0.0, 1.0)
    slope = (1.0 - share) * (1.0 - 5.0 * share)
    return max(float(slope.sum()), 0.2 * float(pairs.weight.sum()), 1e-12)


def only_held(pairs: Pairs, free: Floats, local: Floats, start: Floats) -> Floats:
    """`local` without what it moved since `start` along the directions that nothing holds."""
    if not free.shape[1]:
        return local
    since = local @ np.linalg.inv(start)
    turn = turn_of(since) * pairs.arm_m
    shift = moved(pairs.centre[None], since)[0] - pairs.centre
    change = np.concatenate([turn, shift])
    return stepped(pairs, change - free @ (free.T @ change), start)
