"""The plane that fits points best, from their covariance."""

from __future__ import annotations

import math

from hazardgeo.kernel import kernel

LINE = 1e-6  # of the variance along the longest axis: where the second axis has less, the points lie on a line


@kernel
def axes_of(xx: float, xy: float, xz: float, yy: float, yz: float, zz: float) -> tuple[float, float, float, float, float, float]:
    """Eigenvalues of a symmetric 3 x 3 matrix, the largest first, and the unit eigenvector of the smallest.

    The roots of the characteristic cubic by angles (Smith 1961, doi 10.1145/355578.366316); the vector is the longest cross
    product of two rows of what is left. Its sign is not defined. All zero for a matrix of zeros.
    """
    mean = (xx + yy + zz) / 3.0
    a, b, c = xx - mean, yy - mean, zz - mean
    off = xy * xy + xz * xz + yz * yz
    size = math.sqrt((a * a + b * b + c * c + 2.0 * off) / 6.0)
    if size == 0.0:
        return mean, mean, mean, 0.0, 0.0, 0.0
    half = (a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)) / (2.0 * size * size * size)
    cosine = math.cos(math.acos(min(max(half, -1.0), 1.0)) / 3.0)
    sine = math.sqrt(max(1.0 - cosine * cosine, 0.0))
    largest = mean + 2.0 * size * cosine
    smallest = mean - size * (cosine + math.sqrt(3.0) * sine)
    middle = 3.0 * mean - largest - smallest
    a, b, c = xx - smallest, yy - smallest, zz - smallest
    x, y, z = xy * yz - xz * b, xz * xy - a * yz, a * b - xy * xy
    longest = x * x + y * y + z * z
    u, v, w = xy * c - xz * yz, xz * xz - a * c, a * yz - xy * xz
    length = u * u + v * v + w * w
    if length > longest:
        x, y, z, longest = u, v, w, length
    u, v, w = b * c - yz * yz, yz * xz - xy * c, xy * yz - xz * b
    length = u * u + v * v + w * w
    if length > longest:
        x, y, z, longest = u, v, w, length
    if longest == 0.0:
        return largest, middle, smallest, 0.0, 0.0, 0.0
    scale = 1.0 / math.sqrt(longest)
    return largest, middle, smallest, x * scale, y * scale, z * scale


@kernel
def about_mean(
    count: int, sums: tuple[float, float, float], squares: tuple[float, float, float, float, float, float]
) -> tuple[float, float, float, float, float, float]:
    """Covariances xx, xy, xz, yy, yz, zz (divided by the number) from the sums of differences and of their products."""
    x, y, z = sums[0] / count, sums[1] / count, sums[2] / count
    return (
        squares[0] / count - x * x,
        squares[1] / count - x * y,
        squares[2] / count - x * z,
        squares[3] / count - y * y,
        squares[4] / count - y * z,
        squares[5] / count - z * z,
    )
