"""Clouds in any order, sorted once into runs on disk, so that the points of a place lie together."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HazardGeoWarning, HeightError
from hazardgeo.grid import Grid
from hazardgeo.io.cloud.read import read_cloud, read_range
from hazardgeo.io.remote import Place
from hazardgeo.tiles.folder import written
from hazardgeo.tiles.points import within

_INDEX = "index.npy"
_AXES = ("x", "y", "z")
_ORDER = "place in the run"
_SLACK_CELLS = 1e-3
_PLACES = np.dtype([("row", "<i8"), ("col", "<i8"), ("run", "<i8"), ("first", "<i8"), ("last", "<i8")])


@dataclass(frozen=True, slots=True)
class Run:
    """Some points of a file, all of them without `points`, and the number of their run on disk."""

    number: int
    path: Place
    points: slice | None

    @property
    def name(self) -> str:
        return _name(self.number)


@dataclass(frozen=True)
class SortedCloud:
    """A cloud on disk in runs, each sorted by squares of `side`: a source of tiles. See `cloud_source`."""

    folder: Path
    side: float
    attributes: Mapping[str, np.dtype[Any]]
    bounds: tuple[float, float, float, float]
    points: int
    crs: pyproj.CRS
    height: Height
    key: str

    def fullest(self, side: float) -> int:
        """About how many points the fullest square of this side holds."""
        index = np.load(self.folder / _INDEX, mmap_mode="r")
        wider = max(side, self.side)
        squares = [np.floor(index[name] * (self.side / wider)).astype(np.int64) for name in ("row", "col")]
        _, inverse = np.unique(np.column_stack(squares), axis=0, return_inverse=True)
        most = np.bincount(inverse.ravel(), weights=index["last"] - index["first"]).max()
        return math.ceil(float(most) * (side / wider) ** 2)

    def read(self, block: Grid) -> PointCloud:
        """The points in the cells of the block, in the order of the files."""
        index = np.load(self.folder / _INDEX, mmap_mode="r")
        west, south, east, north = block.bounds
        slack = _SLACK_CELLS * max(block.cell)
        top, bottom = (math.floor(-y / self.side) for y in (north + slack, south - slack))
        left, right = (math.floor(x / self.side) for x in (west - slack, east + slack))
        found = index[np.searchsorted(index["row"], top) : np.searchsorted(index["row"], bottom, "right")]
        found = found[(found["col"] >= left) & (found["col"] <= right)]
        pieces = [self._piece(int(run), found[found["run"] == run], block) for run in np.unique(found["run"])]
        if not pieces:
            pieces = [self._piece(0, found[:0], block)]
        xyz = np.concatenate([piece.xyz for piece in pieces])
        attributes = {name: np.concatenate([piece.attributes[name] for piece in pieces]) for name in self.attributes}
        return PointCloud(xyz, self.crs, attributes, self.height)

    def _piece(self, run: int, places: NDArray[Any], block: Grid) -> PointCloud:
        """The points of one run in the block, in their order."""
        table = np.load(self.folder / f"{_name(run)}.npy", mmap_mode="r")
        rows = [table[first:last] for first, last in places[["first", "last"]].tolist()]
        held = np.concatenate(rows) if rows else np.empty(0, table.dtype)
        held = held[np.argsort(held[_ORDER])]
        xyz = np.column_stack([held[axis] for axis in _AXES])
        attributes = {name: held[name].astype(kind, copy=False) for name, kind in self.attributes.items()}
        return within(PointCloud(xyz, self.crs, attributes, self.height), block)


def _name(number: int) -> str:
    return f"run-{number:06d}"


def sort_run(
    run: Run, folder: Path, side: float, attributes: tuple[str, ...] | None, options: Mapping[str, Any]
) -> tuple[str, ...]:
    """Write the points of a run, sorted by squares of `side`, and where each square begins; the warnings of the reader."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", HazardGeoWarning)
        cloud = read_cloud(run.path, **options) if run.points is None else read_range(run.path, run.points, **options)
    kept = {n: v for n, v in cloud.attributes.items() if attributes is None or n in attributes}
    square = np.floor(np.array([-1.0, 1.0]) * cloud.xyz[:, 1::-1] / side).astype(np.int64)
    order = np.lexsort((square[:, 1], square[:, 0]))
    square = square[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(square, axis=0) != 0).any(axis=1)])
    places = np.zeros(len(starts), _PLACES)
    places["row"], places["col"] = square[starts].T
    places["run"], places["first"], places["last"] = run.number, starts, np.r_[starts[1:], len(order)]
    table = np.empty(
        len(order), [(_ORDER, "<i8"), *((a, "<f8") for a in _AXES), *((n, v.dtype, v.shape[1:]) for n, v in kept.items())]
    )
    table[_ORDER] = order
    for i, axis in enumerate(_AXES):
        table[axis] = cloud.xyz[order, i]
    for name, values in kept.items():
        table[name] = values[order]
    said = {
        "crs": cloud.crs.to_wkt(), "height": [cloud.height.kind, cloud.height.vertical], "points": len(cloud),
        "bounds": cloud.bounds if len(cloud) else [np.inf, np.inf, -np.inf, -np.inf], "path": run.path.name,
    }  # fmt: skip
    _keep(folder / f"{run.name}.npy", table)
    _keep(folder / f"{run.name}.places.npy", places)
    _keep(folder / f"{run.name}.said.npy", np.frombuffer(json.dumps(said).encode(), np.uint8))
    return tuple(dict.fromkeys(str(w.message) for w in caught))


def is_sorted(run: Run, folder: Path) -> bool:
    """True where `sort_run` has finished with a run."""
    return (folder / f"{run.name}.said.npy").exists()


def gathered(runs: list[Run], folder: Path, side: float, key: str) -> SortedCloud:
    """The cloud that all runs make. CrsError and HeightError where their files differ."""
    said = [json.loads(np.load(folder / f"{run.name}.said.npy").tobytes()) for run in runs]
    crs, height = _agreed(said)
    shared, lost = _shared([np.load(folder / f"{run.name}.npy", mmap_mode="r").dtype for run in runs])
    if lost:
        message = f"{runs[0].path} and the other files do not all have {', '.join(lost)}; these attributes are left out."
        warnings.warn(message, HazardGeoWarning, stacklevel=4)
    index = np.concatenate([np.load(folder / f"{run.name}.places.npy") for run in runs])
    _keep(folder / _INDEX, index[np.lexsort((index["run"], index["col"], index["row"]))])
    west, south, east, north = np.array([s["bounds"] for s in said]).T
    bounds = float(west.min()), float(south.min()), float(east.max()), float(north.max())
    return SortedCloud(folder, side, shared, bounds, sum(s["points"] for s in said), crs, height, key)


def _agreed(said: list[dict[str, Any]]) -> tuple[pyproj.CRS, Height]:
    first, first_height = pyproj.CRS.from_wkt(said[0]["crs"]), Height(*said[0]["height"])
    for other in said[1:]:
        here, there = other["path"], said[0]["path"]
        crs = first if other["crs"] == said[0]["crs"] else pyproj.CRS.from_wkt(other["crs"])
        if crs != first:
            raise CrsError(f"{here} is in {_crs.label(crs)}, {there} in {_crs.label(first)}; bring them to one.")
        try:
            Height(*other["height"]).require_same(first_height)
        except HeightError as error:
            raise HeightError(f"{here} and {there}: {error}") from None
    return first, first_height


def _shared(kinds: list[np.dtype[Any]]) -> tuple[dict[str, np.dtype[Any]], list[str]]:
    """The attributes that all runs have, of a kind that holds all their numbers, and the others."""
    others = {*_AXES, _ORDER}
    names = [n for n in kinds[0].names or () if n not in others]
    shared = [n for n in names if all(n in (k.names or ()) and k[n].shape == kinds[0][n].shape for k in kinds)]
    lost = {n for k in kinds for n in k.names or ()} - set(shared) - others
    return {n: np.result_type(*{k[n].base for k in kinds}) for n in shared}, sorted(lost)


def _keep(path: Path, values: NDArray[Any]) -> None:
    """Write an array, whole or not at all."""
    with written(path) as stream:
        np.save(stream, values)
