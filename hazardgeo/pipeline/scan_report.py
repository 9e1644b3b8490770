"""What a scan of any size holds, and how far a terrain model is off."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hazardgeo import io, scan, tiles
from hazardgeo.crs import Height
from hazardgeo.io.remote import located
from hazardgeo.tiles import Executor
from hazardgeo.tiles.engine import Report

_FOR_REPORT = ("classification", "withheld", "overlap", "return_number", "number_of_returns", "point_source_id")


def cloud_report(
    cloud: str | Path,
    *,
    cell_m: float = 1.0,
    executor: Executor | None = None,
    report: Report | None = None,
    **reading: Any,
) -> scan.CloudReport:
    """The `scan.report` of a file of any size, by path or URL: density, gaps, strips, flags, heights and references.

    The points are sorted into a temporary folder, unless the file is COPC. `reading` takes `crs`, `height` and `offset` of
    `read_cloud`; the `executor` is one of `hazardgeo.tiles`. Errors are those of `scan.report` and `tiles.map`.
    """
    place = located(cloud)
    job: dict[str, Any] = {"executor": executor or tiles.InProcess(), "report": report}
    with TemporaryDirectory(prefix="hazardgeo-") as folder:
        points, parts = Path(folder) / "points", Path(folder) / "parts"
        where = place.absolute() if isinstance(place, Path) else place
        with io.cloud_source(where, work_folder=points, attributes=_FOR_REPORT, **reading, **job) as source:
            return scan.report_of(source, work_folder=parts, cell_m=cell_m, **job)


def check_dtm(
    dtm: str | Path, points: str | Path, *, column: str | None = None, crs: str | None = None, height: Height | None = None
) -> scan.Accuracy:
    """The `scan.accuracy` of a terrain model in a file at the check points in another, which are projected to its CRS.

    Only the parts of the terrain around points are read. `crs` is that of points whose file states none.
    """
    terrain = io.RasterFile(located(dtm), unit="m")
    known = io.read_vector(points, source_crs=crs, crs=terrain.grid.crs)
    return scan.accuracy_of(terrain, known, column=column, height=height)
