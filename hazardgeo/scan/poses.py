"""Rigid movements: as matrices, and as small turns and shifts about a centre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Floats = NDArray[np.float64]


def moved(xyz: Floats, matrix: Floats) -> Floats:
    """Points (n, 3) after the movement."""
    return np.asarray(xyz @ matrix[:3, :3].T + matrix[:3, 3])


def movement(turn_rad: Floats, shift: Floats) -> Floats:
    """The 4 x 4 matrix that turns by a rotation vector about the origin and then shifts."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(turn_rad).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def turn_of(matrix: Floats) -> Floats:
    """The rotation vector of a movement, in radians."""
    return np.asarray(Rotation.from_matrix(matrix[:3, :3]).as_rotvec(), np.float64)


def about(matrix: Floats, centre: Floats) -> Floats:
    """The movement of places p that `matrix` gives for p - centre, both before and after: as files have coordinates."""
    out = matrix.copy()
    out[:3, 3] = centre + matrix[:3, 3] - matrix[:3, :3] @ centre
    return out


def seen_from(matrix: Floats, centre: Floats) -> Floats:
    """The movement of p - centre that `matrix` gives for places p; the inverse of `about`, exact for far centres."""
    out = matrix.copy()
    out[:3, 3] = matrix[:3, 3] + (matrix[:3, :3] - np.eye(3)) @ centre
    return out


def best_fits(source: Floats, target: Floats) -> Floats:
    """The rigid movements (m, 4, 4) that fit m groups of points (m, k, 3) onto others with the least squares.

    Kabsch (1976, doi 10.1107/S0567739476001873), without mirroring.
    """
    mean_source, mean_target = source.mean(axis=1, keepdims=True), target.mean(axis=1, keepdims=True)
    products = np.einsum("mki,mkj->mij", source - mean_source, target - mean_target)
    u, _, vt = np.linalg.svd(products)
    v = vt.transpose(0, 2, 1).copy()
    v[:, :, 2] *= np.sign(np.linalg.det(v @ u.transpose(0, 2, 1)))[:, None]
    out = np.tile(np.eye(4), (len(source), 1, 1))
    out[:, :3, :3] = v @ u.transpose(0, 2, 1)
    out[:, :3, 3] = mean_target[:, 0] - np.einsum("mij,mj->mi", out[:, :3, :3], mean_source[:, 0])
    return out
