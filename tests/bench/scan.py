"""Normals and rasters of scans against peers on the same cloud, in one run.

    python tests/bench/scan.py normals [--points N] [--radius-m R] [--repeat K]
    python tests/bench/scan.py gridding [--points N] [--cell-m C] [--repeat K]
    python tests/bench/scan.py ... --cloud FILE     the points of a file, laid side by side until there are N

Without a file the cloud is made: hills with 0.05 m of noise at 7 points per m2 in lines of flight, a third of them plants.
Times are the best of K turns; peers are those that can be imported. Each figure is in million points per second.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from told import say

from hazardgeo import io, scan
from hazardgeo.cloud import PointCloud
from hazardgeo.scan.points import cell_values, grid_of

CRS = 32648
DENSITY = 7.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("normals", "gridding"))
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--radius-m", type=float, default=1.0)
    parser.add_argument("--cell-m", type=float, default=1.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--cloud", type=Path)
    given = parser.parse_args()
    cloud = made(given.points) if given.cloud is None else tiled(io.read_cloud(given.cloud), given.points)
    say(f"{len(cloud):,} points, {numba.get_num_threads()} threads")
    ways = normal_ways(cloud, given.radius_m) if given.what == "normals" else grid_ways(cloud, given.cell_m)
    rates = {name: len(cloud) / best(way, given.repeat) / 1e6 for name, way in ways.items()}
    for name, rate in rates.items():
        ours = rates[next(kind for kind in rates if kind.split(":")[0] == name.split(":")[0])]
        say(f"{name:48}{rate:9.3f} M points/s{ours / rate:9.1f}x")


def made(points: int) -> PointCloud:
    """Hills as a scanner sees them, line after line."""
    rng = np.random.default_rng(0)
    side = np.sqrt(points / DENSITY)
    x = rng.uniform(0, side, points)
    y = (np.arange(points) + rng.uniform(-1, 1, points) * points * 0.002) / points * side
    z = 1800 + 40 * np.sin(x / 90) * np.cos(y / 70) + rng.normal(0, 0.05, points)
    z[::3] += rng.uniform(0, 8, len(z[::3]))
    return PointCloud(np.round(np.column_stack([x + 500_000, y + 4_000_000, z]), 3), CRS)


def tiled(cloud: PointCloud, points: int) -> PointCloud:
    """Copies of a cloud side by side, to the east and north, until there are as many points."""
    copies = max(1, -(-points // len(cloud)))
    across = int(np.ceil(np.sqrt(copies)))
    west, south, east, north = cloud.bounds
    step = np.array([east - west + 1, north - south + 1])
    parts = []
    for copy in range(copies):
        part = cloud.xyz.copy()
        part[:, :2] += step * [copy % across, copy // across]
        parts.append(part)
    return PointCloud(np.vstack(parts), cloud.crs)


def normal_ways(cloud: PointCloud, radius_m: float) -> dict[str, Callable[[], Any]]:
    ways: dict[str, Callable[[], Any]] = {"normals: hazardgeo": lambda: scan.normals(cloud, radius_m=radius_m)}
    try:
        import open3d as o3d
    except ImportError:
        return ways
    peer = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(cloud.xyz - cloud.xyz.mean(axis=0)))
    name = f"normals: open3d {o3d.__version__}"
    radius, hybrid = o3d.geometry.KDTreeSearchParamRadius(radius_m), o3d.geometry.KDTreeSearchParamHybrid(radius_m, 30)
    for kind, search in {"radius": radius, "hybrid, 30 nearest": hybrid}.items():
        ways[f"{name} {kind}"] = lambda search=search: peer.estimate_normals(search, fast_normal_computation=True)
    return ways


def grid_ways(cloud: PointCloud, cell_m: float) -> dict[str, Callable[[], Any]]:
    from scipy.stats import binned_statistic_2d

    xyz = cloud.xyz
    west, south, east, north = cloud.bounds
    shape = int((north - south) / cell_m) + 2, int((east - west) / cell_m) + 2

    def flat() -> NDArray[np.int64]:
        rows, cols = ((xyz[:, 1] - south) / cell_m).astype(np.int64), ((xyz[:, 0] - west) / cell_m).astype(np.int64)
        return rows * shape[1] + cols

    def numpy_mean() -> Any:
        where, size = flat(), shape[0] * shape[1]
        return np.bincount(where, weights=xyz[:, 2], minlength=size) / np.maximum(np.bincount(where, minlength=size), 1)

    def numpy_highest() -> Any:
        out = np.full(shape[0] * shape[1], -np.inf)
        np.maximum.at(out, flat(), xyz[:, 2])
        return out

    return {
        "highest: hazardgeo": lambda: scan.dsm(cloud, cell_m=cell_m),
        "highest: numpy maximum.at": numpy_highest,
        "mean: hazardgeo": lambda: cell_values(cloud.xyz, grid_of(cloud, cell_m), "mean"),
        "mean: numpy bincount": numpy_mean,
        "mean: scipy binned_statistic_2d": lambda: binned_statistic_2d(xyz[:, 1], xyz[:, 0], xyz[:, 2], "mean", bins=shape),
        "count: hazardgeo": lambda: scan.density(cloud, cell_m=cell_m, returns="all"),
        "count: numpy bincount": lambda: np.bincount(flat(), minlength=shape[0] * shape[1]),
    }


def best(way: Callable[[], Any], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        way()
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    main()
