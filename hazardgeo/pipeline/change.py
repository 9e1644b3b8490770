"""What moved between two surveys, from files to files and a map."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazardgeo import io
from hazardgeo.change import Coregistration, SurfaceChange, coregister, difference, landslide_bodies
from hazardgeo.change.shapes import outline
from hazardgeo.errors import ConfigError, CrsError, HazardGeoWarning
from hazardgeo.pipeline import change_map
from hazardgeo.pipeline.epoch import Epoch, Survey, in_process, read_epoch
from hazardgeo.pipeline.large import target_of
from hazardgeo.raster import Raster, align
from hazardgeo.tiles import Executor
from hazardgeo.tiles.engine import Report

_PLANTS_M = 1.0  # by which the height of plants must differ to have changed
_RASTERS = ("change", "sigma", "lod95", "significance")


def change(
    before: str | Path | Survey,
    after: str | Path | Survey,
    *,
    out: str | Path,
    cell_m: float | None = None,
    min_area_m2: float = 50.0,
    places: Sequence[str | Path] = (),
    earlier: str | Path | None = None,
    unit: str = "",
    executor: Executor | None = None,
    report: Report | None = None,
    **reading: Any,
) -> dict[str, Path]:
    """What moved between two epochs, as files in the folder `out`, and their paths.

    Each epoch is a scan (a file, or a folder of files that are one) or an elevation model, in one metric CRS. Scans go through
    `pipeline.ground`, tile by tile, with cells of `cell_m`: those of the model they are compared with unless given, else 1 m.
    `after` is laid on `before` (`change.coregister`), compared with it (`change.difference`) and searched for landslides
    (`change.landslide_bodies`, of at least `min_area_m2`). The surfaces must fit into memory, the scans need not, but for their
    ground points.

    Writes change.tif, sigma.tif, lod95.tif (m) and significance.tif; bodies.gpkg with the layers bodies, rejected, coverage
    (what each survey covered and where both can be compared, with sensor, date, resolution and the smallest change that can be
    told) and not_surveyed; tables/bodies.csv, tables/coverage.csv and tables/registration.csv; map.html. `places` are files of
    shapes, such as roads, of which bodies say which they reached; with `earlier`, the bodies.gpkg of another run, bodies keep
    their numbers. `reading` takes `crs` of files that state none, `unit` that of models that state none.

    Raises ConfigError where the epochs are swapped by their dates or an option makes no sense, and what these functions raise.
    """
    surveys = [s if isinstance(s, Survey) else Survey(s) for s in (before, after)]
    _require_order(*surveys)
    folder, width_m = target_of(Path(out) / "change.tif").parent, _cell(surveys, cell_m, reading, unit)
    options: dict[str, Any] = {"reading": reading, "job": in_process({"executor": executor, "report": report}), "unit": unit}
    names = ("before", "after")
    old, new = (read_epoch(s, folder=folder / name, cell_m=width_m, **options) for s, name in zip(surveys, names, strict=True))
    if old.dtm.grid.crs != new.dtm.grid.crs:
        raise CrsError(f"before is in {old.dtm.grid.crs.name}, after in {new.dtm.grid.crs.name}; reproject one of them.")
    registration = coregister(new.dtm, old.dtm)
    told = [align(e.density, to=old.dtm.grid, how="nearest") for e in (old, new) if e.density is not None]
    plants = _plants(old, new, registration)
    if plants is not None:
        told.append(Raster(np.fmax(*plants).astype(np.float32), old.dtm.grid, "plant_height", "m"))
    found = difference(old.dtm, new.dtm, registration=registration, told_by=told)
    measured = _measured(old, new)
    bodies = landslide_bodies(
        found,
        before=old.dtm,
        min_area_m2=min_area_m2,
        measured=measured,
        canopy=None if plants is None else _changed(plants, old.dtm),
        places={Path(p).stem: io.read_vector(p, crs=old.dtm.grid.crs) for p in places},
        earlier=None if earlier is None else _earlier(earlier),
    )
    covered = coverage(old, new, found, min_area_m2)
    made = _written(folder, found, bodies, covered, registration)
    made["map"] = folder / "map.html"
    change_map.page(old, new, found, registration, bodies, covered).save(made["map"])
    return made


def coverage(old: Epoch, new: Epoch, found: SurfaceChange, min_area_m2: float) -> geopandas.GeoDataFrame:
    """What each survey covered, where both can be compared, and what within their frame cannot: an outline to a row.

    `smallest_change_m` is the median level of detection (95 %) of the cells compared, `smallest_change_most_m` that of the worst
    twentieth: smaller changes of a cell are not told from errors.
    """
    grid = found.change_m.grid
    level = found.lod95_m.values[~found.lod95_m.unknown]
    usual, worst = (float(np.percentile(level, q)) for q in (50, 95)) if len(level) else (math.nan, math.nan)
    compared = ~found.change_m.unknown
    rows: list[dict[str, Any]] = []
    for name, epoch in (("before", old), ("after", new)):
        known = epoch.measured.values.astype(bool)
        rows.append(
            {
                "what": f"surveyed {name}",
                "sensor": epoch.sensor,
                "date": epoch.survey.date or "not stated",
                "resolution": epoch.resolution,
                "geometry": outline(known, epoch.dtm.grid),
            }
        )
    both = f"{old.survey.date or 'not stated'} to {new.survey.date or 'not stated'}"
    told = {"sensor": f"{old.sensor}; {new.sensor}", "date": both, "resolution": f"cells of {max(grid.cell_m):g} m"}
    smallest = {"smallest_change_m": usual, "smallest_change_most_m": worst, "smallest_body_m2": min_area_m2}
    rows.append({"what": "compared", **told, **smallest, "geometry": outline(compared, grid)})
    rows.append({"what": "not compared", **told, "geometry": outline(~compared, grid)})
    table = geopandas.GeoDataFrame(pd.DataFrame(rows), geometry="geometry", crs=grid.crs)
    return table.assign(area_m2=table.geometry.area)


def _require_order(before: Survey, after: Survey) -> None:
    days = before.day, after.day
    if days[0] is not None and days[1] is not None and days[0] > days[1]:
        raise ConfigError(f"before is of {days[0]}, later than after ({days[1]}); swap the two files.")
    if str(before.path) == str(after.path):
        raise ConfigError(f"before and after are the same file, {before.path}; name two surveys.")


def _cell(surveys: list[Survey], cell_m: float | None, reading: Mapping[str, Any], unit: str) -> float:
    """The width of the cells of scans."""
    models = [s for s in surveys if not s.is_cloud]
    if cell_m is not None:
        if len(models) == len(surveys):
            raise ConfigError("cell_m is for scans; elevation models keep the cells that they have.")
        if not (math.isfinite(cell_m) and cell_m > 0):
            raise ConfigError(f"cell_m must be a positive number of metres, not {cell_m}.")
        return cell_m
    if not models:
        return 1.0
    grids = [io.RasterFile(m.path, unit=unit or "m", **{k: reading[k] for k in ("crs",) if k in reading}).grid for m in models]
    for grid in grids:
        grid.require_metric()
    return max(max(grid.cell_m) for grid in grids)


def _measured(old: Epoch, new: Epoch) -> Raster:
    """Where both epochs measured the ground, on the grid of the first."""
    there = align(_as_codes(new.measured), to=old.dtm.grid, how="nearest")
    return Raster(old.measured.values.astype(bool) & (there.values == 1), old.dtm.grid, "measured")


def _as_codes(mask: Raster) -> Raster:
    return Raster(mask.values.astype(np.float32), mask.grid, mask.name)


def _plants(old: Epoch, new: Epoch, registration: Coregistration) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Height above the ground in m before and after, on the grid of the first; None unless both epochs are scans."""
    if old.dsm is None or new.dsm is None:
        return None
    grid = old.dtm.grid
    return _height(old.dsm, old.dtm), _height(registration.apply(new.dsm, to=grid), registration.apply(new.dtm, to=grid))


def _changed(plants: tuple[NDArray[np.float64], NDArray[np.float64]], dtm: Raster) -> Raster:
    """Where the height above the ground differs by more than a metre."""
    with np.errstate(invalid="ignore"):
        return Raster(np.abs(plants[1] - plants[0]) > _PLANTS_M, dtm.grid, "plants_changed")


def _height(dsm: Raster, dtm: Raster) -> NDArray[np.float64]:
    """Height above the ground in m on the grid of the ground; surfaces of one scan can have different extents."""
    top = dsm if dsm.grid == dtm.grid else align(dsm, to=dtm.grid, how="nearest")
    return np.asarray(top.values.astype(np.float64) - dtm.values)


def _earlier(path: str | Path) -> geopandas.GeoDataFrame:
    """Bodies and rejected ones of another run; one of the layers may be empty, which is no surprise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HazardGeoWarning)
        layers = [io.read_vector(path, layer=layer) for layer in ("bodies", "rejected")]
    return pd.concat([layer for layer in layers if len(layer)] or layers[:1])


def _written(
    folder: Path,
    found: SurfaceChange,
    bodies: geopandas.GeoDataFrame,
    covered: geopandas.GeoDataFrame,
    registration: Coregistration,
) -> dict[str, Path]:
    made: dict[str, Path] = {}
    for name, raster in zip(_RASTERS, (found.change_m, found.sigma_m, found.lod95_m, found.significant), strict=True):
        made[name] = folder / f"{name}.tif"
        io.write_raster(raster, made[name])
    rejected = bodies["rejected_as"] != ""
    not_compared = covered[covered["what"] == "not compared"]
    made["bodies"] = folder / "bodies.gpkg"
    layers = {"bodies": bodies[~rejected], "rejected": bodies[rejected], "coverage": covered, "not_surveyed": not_compared}
    io.write_vectors(layers, made["bodies"])
    tables = {"bodies": bodies, "coverage": covered, "registration": registration_table(registration)}
    for name, table in tables.items():
        made[f"{name}_table"] = folder / "tables" / f"{name}.csv"
        made[f"{name}_table"].parent.mkdir(exist_ok=True)
        io.write_table(pd.DataFrame(table).drop(columns=["geometry", "source_wkt"], errors="ignore"), made[f"{name}_table"])
    return made


def registration_table(c: Coregistration) -> pd.DataFrame:
    """How `after` was moved to lie on `before`, with uncertainties, and what may be behind it."""
    tilt_deg, sigma_tilt = c.tilt_deg, [math.degrees(s) for s in c.sigma_tilt]
    rows: list[tuple[str, Any, Any, str]] = [
        ("east", c.east_m, c.sigma_east_m, "m"),
        ("north", c.north_m, c.sigma_north_m, "m"),
        ("up", c.offset_m, c.sigma_offset_m, "m"),
        ("tilt up to the east", tilt_deg[0], sigma_tilt[0], "deg"),
        ("tilt up to the north", tilt_deg[1], sigma_tilt[1], "deg"),
        ("dome", c.dome_per_m, c.sigma_dome_per_m, "1/m"),
        ("NMAD on stable ground before", c.nmad_before_m, math.nan, "m"),
        ("NMAD on stable ground after", c.nmad_m, math.nan, "m"),
        ("stable share of the cells compared", c.stable_share, math.nan, "1"),
    ]
    rows += [(f"remark: {remark}", math.nan, math.nan, "") for remark in c.remarks]
    return pd.DataFrame(rows, columns=["what", "value", "sigma", "unit"])
