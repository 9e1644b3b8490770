"""How the surface lies at each point of a scan: normals, roughness, verticality."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hazardgeo.cloud import PointCloud
from hazardgeo.errors import InputError
from hazardgeo.kernel import in_bands, kernel
from hazardgeo.scan import cells
from hazardgeo.scan.cells import Floats, Whole, sorted_cells
from hazardgeo.scan.plane_fit import LINE, about_mean, axes_of
from hazardgeo.scan.points import counted, require_usable

MIN_NEIGHBOURS = 5
_ROOM = 1024  # candidates, at first
Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Normals:
    """How the surface lies at each point of a cloud, in the order of its points; NaN where too few points are near.

    `normal` (n, 3) are unit vectors (east, north, up), float32. `roughness_m` is the standard deviation of the
    neighbours' distances from the plane that fits them, with n - 3 degrees of freedom, so that it estimates noise without
    bias. `surface_variation` is the share of the variance across the plane, 0 (plane) to 1/3 (Pauly et al. 2002, doi
    10.1109/VISUAL.2002.1183771). `verticality` is 1 - |up|: 0 on level ground, 1 on walls. `neighbours` counts the
    points within the radius, the point itself among them; 0 for points that do not count.
    """

    normal: Singles
    roughness_m: Singles
    surface_variation: Singles
    verticality: Singles
    neighbours: NDArray[np.int32]
    radius_m: float


def normals(cloud: PointCloud, *, radius_m: float, orient: Literal["up"] | tuple[float, float, float] = "up") -> Normals:
    """The plane through the points within `radius_m` of each point, in space: normals, roughness, verticality.

    `orient` turns the normals up, or to the (east, north, height) of the scanner, for walls and overhangs. Choose a radius
    that holds some ten to thirty points, and larger than the noise and than the width of what should not show.

    The plane is that of least squares of the distances across it (eigenvectors of the covariance, summed in float64 about
    each point). Unknown (NaN) with fewer than five points within the radius, the point itself counted, and where these
    lie on a line (their second variance is below a millionth of the first). At the border of a scan the points of one side
    say how the surface lies. Withheld points and noise are unknown and nobody's neighbours. Depends on points within
    `radius_m` only: work by tiles needs a halo as wide, and gives the same to the last bit.

    Raises CrsError unless the cloud is metric; InputError for a cloud without points, coordinates that are not finite, a
    radius that is not positive, or an `orient` that is neither.

    >>> flat = PointCloud(np.array([[x, y, 0.0] for x in range(3) for y in range(3)]), 32648)
    >>> normals(flat, radius_m=1.5).normal[4]
    array([0., 0., 1.], dtype=float32)
    """
    require_radius(radius_m)
    require_usable(cloud, "normals")
    scanner = scanner_at(orient)
    counts = counted(cloud)
    xyz = cloud.xyz if counts.all() else cloud.xyz[counts]
    found = _fitted(xyz, radius_m, scanner)
    if not counts.all():
        found = {name: _spread(values, counts) for name, values in found.items()}
    return Normals(**found, verticality=1.0 - np.abs(found["normal"][:, 2]), radius_m=radius_m)


def require_radius(radius_m: float) -> None:
    """Raise InputError unless a radius has a size."""
    if not (math.isfinite(radius_m) and radius_m > 0):
        raise InputError(f"radius_m must be a positive number, not {radius_m}.")


def scanner_at(orient: Literal["up"] | tuple[float, float, float]) -> Floats:
    """Where normals point to: (east, north, height), infinitely high for up; InputError for an `orient` that is neither."""
    if isinstance(orient, str):
        if orient != "up":
            raise InputError(f"orient={orient!r} is neither 'up' nor the (east, north, height) of the scanner.")
        return np.array([0.0, 0.0, np.inf])
    place = np.asarray(orient, np.float64)
    if place.shape != (3,) or not np.isfinite(place).all():
        raise InputError(f"orient={orient!r} is neither 'up' nor the (east, north, height) of the scanner.")
    return place


def _spread(values: NDArray[Any], counts: NDArray[np.bool_]) -> NDArray[Any]:
    out = np.full((len(counts), *values.shape[1:]), np.nan if values.dtype.kind == "f" else 0, values.dtype)
    out[counts] = values
    return out


def _fitted(xyz: Floats, radius_m: float, scanner: Floats) -> dict[str, NDArray[Any]]:
    ordered = sorted_cells(xyz, radius_m / cells.REACH)
    normal, neighbours = np.full((len(xyz), 3), np.nan, np.float32), np.zeros(len(xyz), np.int32)
    rough, variation = np.full(len(xyz), np.nan, np.float32), np.full(len(xyz), np.nan, np.float32)
    outputs = normal, rough, variation, neighbours

    def fit(first: int, last: int) -> None:
        _fit_rows(ordered.arrays, ordered.order, radius_m, scanner, outputs, first, last)

    in_bands(fit, len(ordered.rows), band_rows=cells.BAND_ROWS)
    return {"normal": normal, "roughness_m": rough, "surface_variation": variation, "neighbours": neighbours}


@kernel
def _fit_rows(
    layout: tuple[Floats, Whole, Whole, Whole, Whole],
    order: Whole,
    radius: float,
    scanner: Floats,
    outputs: tuple[Singles, Singles, Singles, NDArray[np.int32]],
    first: int,
    last: int,
) -> None:
    xyz, rows, first_cell, cols, first_point = layout
    normal, rough, variation, neighbours = outputs
    side = 2 * cells.REACH + 1
    spans, window = np.empty((side, 2), np.int64), np.empty((side, 2), np.int64)
    near, inside = np.empty((_ROOM, 3)), np.empty(_ROOM, np.int64)
    for row in range(first, last):
        count = cells.rows_near(rows, first_cell, row, spans)
        for k in range(count):
            window[k, 0] = window[k, 1] = spans[k, 0]
        for cell in range(first_cell[row], first_cell[row + 1]):
            cells.move_to(cols, cols[cell], spans, count, window)
            most = cells.points_in(first_point, window, count)
            if most > len(near):
                near, inside = np.empty((2 * most, 3)), np.empty(2 * most, np.int64)
            tall = cells.is_tall(xyz, first_point, window, count, radius)
            number = 0 if tall else cells.gather(xyz, first_point, window, count, near)
            for point in range(first_point[cell], first_point[cell + 1]):
                px, py, pz = xyz[point, 0], xyz[point, 1], xyz[point, 2]
                if tall:
                    number = cells.gather_between(xyz, first_point, window, count, pz - radius, pz + radius, near)
                total, sums, squares = _moments(near, number, px, py, pz, radius, inside)
                place = order[point]
                neighbours[place] = total
                if total < MIN_NEIGHBOURS:
                    continue
                largest, middle, smallest, x, y, z = axes_of(*about_mean(total, sums, squares))
                if not middle > LINE * largest:
                    continue
                across = z
                if scanner[2] != np.inf:
                    across = x * (scanner[0] - px) + y * (scanner[1] - py) + z * (scanner[2] - pz)
                sign = sign_towards(across, x, y)
                normal[place, 0], normal[place, 1], normal[place, 2] = sign * x, sign * y, sign * z
                smallest = max(smallest, 0.0)
                rough[place] = math.sqrt(smallest * total / (total - 3))
                variation[place] = smallest / (largest + middle + smallest)


@kernel
def _moments(
    near: Floats, number: int, px: float, py: float, pz: float, radius: float, inside: Whole
) -> tuple[int, tuple[float, float, float], tuple[float, float, float, float, float, float]]:
    """How many points lie within the radius of a place, and the sums of their differences from it and of the products."""
    limit = radius * radius
    total = 0
    for k in range(number):  # no branch: it would be guessed wrong half the time
        x, y, z = near[k, 0] - px, near[k, 1] - py, near[k, 2] - pz
        inside[total] = k
        total += x * x + y * y + z * z <= limit
    sx = sy = sz = xx = xy = xz = yy = yz = zz = 0.0
    for m in range(total):
        k = inside[m]
        x, y, z = near[k, 0] - px, near[k, 1] - py, near[k, 2] - pz
        sx, sy, sz = sx + x, sy + y, sz + z
        xx, xy, xz = xx + x * x, xy + x * y, xz + x * z
        yy, yz, zz = yy + y * y, yz + y * z, zz + z * z
    return total, (sx, sy, sz), (xx, xy, xz, yy, yz, zz)


@kernel
def sign_towards(across: float, x: float, y: float) -> float:
    """1 for a normal that points to the scanner, -1 for one that points away; one across the sight shall point east, or north."""
    if across != 0.0:
        return math.copysign(1.0, across)
    return -1.0 if x < 0.0 or (x == 0.0 and y < 0.0) else 1.0
