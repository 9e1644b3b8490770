"""Valley: the demo valley as files, inputs and planted truth apart."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import tomli_w

from hazardgeo import io
from hazardgeo.errors import ConfigError, FormatError
from hazardgeo.io.files import atomic
from hazardgeo.raster import Raster
from hazardgeo.synthetic.answers import answers
from hazardgeo.synthetic.events import shakemap, shaking
from hazardgeo.synthetic.layout import CRS, Size
from hazardgeo.synthetic.pictures import mosaic
from hazardgeo.synthetic.places import registers
from hazardgeo.synthetic.scans import scan, views
from hazardgeo.synthetic.scene import Scene, scene

NOTICE = "Synthetic data of the hazardgeo demo valley: not a real place, not a real earthquake."
_VECTORS = {
    "bodies": "mapped_bodies.gpkg",
    "surveyed": "surveyed.gpkg",
    "people": "people.gpkg",
    "roads": "roads.gpkg",
    "sites": "sites.gpkg",
}
_LAYER_FILES = {
    "lithology": "lithology.tif",
    "land_cover": "land_cover.tif",
    "vs30": "vs30_m_s.tif",
    "precipitation": "precipitation_mm.tif",
    "water_table": "water_table_m.tif",
    "saturation": "saturation.tif",
    "distance_to_river": "distance_to_river_km.tif",
    "distance_to_coast": "distance_to_coast_km.tif",
}


def valley(out: Path, *, seed: int, size: Size = "small", event: bool = True) -> Path:
    """The path of the scenario.toml of an invented valley after an invented earthquake, written with all its files.

    `out/inputs/` holds what a field office would have: laser scans and orthomosaics from before and after the
    earthquake, a ShakeMap grid, model layers, mapped slides with the area looked at, people, roads and shelter sites.
    `out/truth/` holds what was planted and no method may read: the ground before and after, slides with volumes, the class
    of every scan point, answers.json. "small" is 1 km x 1 km in cells of 2 m (two scans of about 1.2 million points),
    "full" 4 km x 4 km in cells of 1 m (two of more than 20 million, a few minutes, 4 GB of memory); pixels are 0.2 m.

    The same seed gives the same values. Depths, volumes, wetness and the attenuation are assumptions of the demo. The
    generator can flatter the methods that are tried on it: vary the seed, and try real data too. Raises ConfigError for
    an unknown size or a negative seed and FormatError where files cannot be written.
    """
    if seed < 0:
        raise ConfigError(f"the seed of the demo valley is {seed}; give a whole number from 0 upwards.")
    folder = Path(out)
    for part in ("inputs", "truth"):
        _make_folder(folder / part)
    s = scene(seed, size, event=event)
    note = {"synthetic": f"hazardgeo demo valley, seed {seed}"}
    for epoch in views.EPOCHS:
        _write_scan(s, epoch, folder)  # one at a time: the points of both would fill the memory
    for epoch in mosaic.EPOCHS:
        mosaic.write(mosaic.seen(s, epoch), folder / "inputs" / f"ortho_{epoch}.tif", note)
    _write_inputs(s, folder / "inputs", note, seed)
    _write_truth(s, folder / "truth", note, seed)
    scenario = folder / "scenario.toml"
    _write_text(tomli_w.dumps(_scenario(s, seed)), scenario)
    return scenario


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(f"cannot make the folder {folder}: {error.strerror}; choose another place.") from None


def _write_scan(s: Scene, epoch: str, folder: Path) -> None:
    """The cloud of an epoch for all to read, the class of each of its points as truth."""
    survey = scan.flown(s.plan, views.view(s, epoch))
    io.write_cloud(survey.cloud, folder / "inputs" / f"scan_{epoch}.laz")
    with atomic(folder / "truth" / f"scan_{epoch}_class.npy") as path:
        np.save(path, survey.kinds)


def _write_inputs(s: Scene, folder: Path, note: dict[str, str], seed: int) -> None:
    _write_text(shakemap.grid_xml(s.motion, seed), folder / "grid.xml")
    _write_text(shakemap.uncertainty_xml(s.motion, seed), folder / "uncertainty.xml")
    zones = shaking.isoseismals(s.motion)
    if zones is not None:
        _write_table(zones, "isoseismals", folder / "isoseismals.gpkg", note)
    registers.write_csv(s.sites, folder / registers.CSV_NAME)
    registers.write_workbook(s.sites, folder / registers.XLSX_NAME)
    for name, raster in s.layers.items():
        _write_raster(raster, folder / _LAYER_FILES.get(name, f"{name}.tif"), note)
    sites = s.sites.drop(columns="planted")
    tables = {"bodies": s.mapped, "surveyed": s.walked, "people": s.people, "roads": s.roads, "sites": sites}
    for name, table in tables.items():
        _write_table(table, name, folder / _VECTORS[name], note)


def _write_truth(s: Scene, folder: Path, note: dict[str, str], seed: int) -> None:
    for raster, name in ((s.before, "dem_before.tif"), (s.after, "dem_after.tif"), (s.change, "change_m.tif")):
        _write_raster(raster, folder / name, note)
    _write_raster(s.surveyed, folder / "surveyed.tif", note)
    for raster, name in ((s.between.snow, "snow_m.tif"), (s.between.growth, "growth_m.tif")):
        _write_raster(raster, folder / name, note)
    planted = {"landslides": s.bodies, "lake": s.lakes, "cracks": s.between.cracks}
    planted |= {"decoys": s.decoys, "vehicles": s.between.vehicles}
    for name, planted_table in planted.items():
        _write_table(planted_table, name, folder / f"{name}.gpkg", note)
    for name, table in (("displaced", s.displaced), ("cut_edges", s.cuts)):
        io.write_table(table.assign(**note), folder / f"{name}.csv")
    _write_text(json.dumps({**note, "seed": seed, **answers(s)}, indent=2, ensure_ascii=False) + "\n", folder / "answers.json")


def _scenario(s: Scene, seed: int) -> dict[str, Any]:
    shaken = datetime.fromisoformat(shaking.TIME)
    shaking_files = {"shakemap": "grid.xml", "shakemap_uncertainty": "uncertainty.xml"}
    files = {"scan": "scan_after.laz", **shaking_files, **_LAYER_FILES, **_VECTORS}
    return {
        "title": f"Demo valley (synthetic, seed {seed})",
        "crs": CRS,
        "notice": NOTICE,
        "seed": seed,
        "data_time": shaken + timedelta(hours=20),
        "analysis_time": shaken + timedelta(hours=22),
        "inputs": {name: f"inputs/{file}" for name, file in files.items()},
        "ground": {"cell_m": s.plan.cell_m},
        "landslide": {"wetness_from": "terrain"},
        "demand": {"night_temp_c": -15.0},
        "shelter": {"limit_min": 60.0, "climate": "cold", "standard": "sphere_2018"},
    }


def _write_raster(raster: Raster, path: Path, note: dict[str, str]) -> None:
    io.write_raster(replace(raster, tags={**raster.tags, **note}), path)


def _write_table(table: geopandas.GeoDataFrame, layer: str, path: Path, note: dict[str, str]) -> None:
    io.write_vectors({layer: table.assign(**note)}, path)


def _write_text(text: str, path: Path) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
