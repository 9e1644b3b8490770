"""One epoch of a comparison: a scan or an elevation model, as surfaces of the ground, and who measured it when."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo import io, tiles
from hazardgeo.errors import ConfigError, FormatError
from hazardgeo.io import files
from hazardgeo.pipeline.large import ground
from hazardgeo.raster import Raster
from hazardgeo.scan.points import GROUND
from hazardgeo.tiles.points import cells_of

CLOUDS = (".las", ".laz", ".ply", ".pcd", ".e57", ".pts", ".ptx", ".xyz")
_ONE_CELL = np.ones((3, 3), bool)


@dataclass(frozen=True, slots=True)
class Survey:
    """A file (or a folder of files that are one scan) of an epoch, with the day (2024-01-05) and the sensor, where known."""

    path: str | Path
    date: str = ""
    sensor: str = ""

    @property
    def is_cloud(self) -> bool:
        """Whether it holds points; an elevation model else."""
        if Path(str(self.path)).suffix.lower() in CLOUDS:
            return True
        return not files.is_address(self.path) and (Path(self.path).is_dir() or "*" in Path(self.path).name)

    @property
    def day(self) -> datetime.date | None:
        """The day, None where it is not stated; ConfigError for a text that is no day."""
        if not self.date:
            return None
        try:
            return datetime.date.fromisoformat(self.date)
        except ValueError:
            raise ConfigError(f"the date {self.date!r} of {self.path} is no day such as 2024-01-05; write it so.") from None


@dataclass(frozen=True, slots=True, eq=False)
class Epoch:
    """The ground of a survey, where it was `measured`, and of scans the surface with plants and houses and the `density` of
    ground points: those in a cell and its eight neighbours, per m2.
    """

    survey: Survey
    dtm: Raster
    dsm: Raster | None
    measured: Raster
    density: Raster | None = None

    @property
    def resolution(self) -> str:
        """What the epoch can resolve, in words."""
        cell_m = max(self.dtm.grid.cell_m)
        if self.density is not None and self.measured.values.any():
            usual = float(np.median(self.density.values[self.measured.values.astype(bool)]))
            return f"{usual:.2g} ground points per m2, cells of {cell_m:g} m"
        return f"cells of {cell_m:g} m"

    @property
    def sensor(self) -> str:
        return self.survey.sensor or ("point cloud, sensor not stated" if self.survey.is_cloud else "elevation model, not stated")


def read_epoch(
    survey: Survey, *, folder: Path, cell_m: float, reading: Mapping[str, Any], job: Mapping[str, Any], unit: str = ""
) -> Epoch:
    """The epoch: points through the ground filter tile by tile, with its files left in `folder`; elevation models as they are.

    Ground counts as measured in cells that hold ground points and in their neighbours, and in all known cells of a model.
    """
    if survey.is_cloud:
        return _of_points(survey, folder, cell_m, reading, job)
    stated = {key: reading[key] for key in ("crs",) if key in reading}
    dtm = io.read_raster(survey.path, name="dem", unit=unit or "m", **stated)
    return Epoch(survey, dtm, None, _mask(~dtm.unknown, dtm))


def _of_points(survey: Survey, folder: Path, cell_m: float, reading: Mapping[str, Any], job: Mapping[str, Any]) -> Epoch:
    if not files.is_address(survey.path) and not Path(survey.path).exists() and "*" not in Path(survey.path).name:
        raise FormatError(f"{survey.path} is not there; check the path.")
    made = ground(survey.path, out=folder, cell_m=cell_m, **reading, **job)
    dtm, dsm = io.read_raster(made["dtm"]), io.read_raster(made["dsm"])
    count = _ground_points(made["cloud"], dtm)
    measured = ndimage.binary_dilation(count > 0, _ONE_CELL) & ~dtm.unknown
    near = ndimage.uniform_filter(count.astype(np.float64), 3, mode="constant") / np.prod(dtm.grid.cell_m)
    density = Raster(near.astype(np.float32), dtm.grid, "ground_points", "1/m2")
    return Epoch(survey, dtm, dsm, _mask(measured, dtm), density)


def _ground_points(cloud: Path, dtm: Raster) -> NDArray[np.int64]:
    """How many ground points lie in each cell."""
    found = io.read_cloud(cloud, classes=(GROUND,), crs=dtm.grid.crs)
    rows, cols = cells_of(found.xyz, dtm.grid)
    shape = dtm.grid.shape
    inside = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
    return np.bincount((rows * shape[1] + cols)[inside], minlength=shape[0] * shape[1]).reshape(shape)


def _mask(values: NDArray[np.bool_], dtm: Raster) -> Raster:
    return Raster(values, dtm.grid, "measured")


def in_process(job: Mapping[str, Any]) -> dict[str, Any]:
    """The executor and the report of a job, this process unless another was given."""
    return {"executor": job.get("executor") or tiles.InProcess(), "report": job.get("report")}
